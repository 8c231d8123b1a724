//! The condition tree: its clauses, and how a plan writes them.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{
    crypto::{Address, Digest},
    error::{Code, Error, Result},
    json::{Fields, Node},
    plan::{Effective, read_hours, read_title},
    time::Hours,
};

/// The most clauses that one plan's condition may have, all levels together.
const MAX_CLAUSES: usize = 256;
/// What a clause must have.
const KINDS: &str = "a clause has `all`, `any`, `not`, `at_least`, `attribute`, `effective`, `hours`, \
                     `payer` or `evidence`";

/// A test on a call: on its attributes, its instant, its payer, and what others state of the payer.
///
/// In a plan: `{"attribute": "purpose", "in": ["evaluation", "inference"]}` and the other kinds below,
/// combined by `all`, `any`, `not` and `at_least`. Whatever a call is, a condition holds or does not:
/// there is no error and no "unknown".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `{"all": […]}`: every part holds. Of no parts: holds.
    All(Vec<Condition>),
    /// `{"any": […]}`: at least one part holds. Of no parts: does not hold.
    Any(Vec<Condition>),
    /// `{"not": …}`: the part does not hold.
    Not(Box<Condition>),
    /// `{"at_least": 2, "of": […]}`: as many of the parts hold, or more. No two parts are equal, so that
    /// none counts twice.
    AtLeast {
        /// How many must hold: 1 to the number of parts.
        count: u64,
        /// The parts.
        of: Vec<Condition>,
    },
    /// `{"attribute": "region", "in": […]}`: the call carries the attribute with one of these values.
    In {
        /// The attribute's name.
        attribute: String,
        /// The allowed values, sorted.
        values: Vec<String>,
    },
    /// `{"attribute": "endpoint", "prefix": "/v1/"}`: the call carries the attribute with a value that
    /// begins like this.
    Prefix {
        /// The attribute's name.
        attribute: String,
        /// How its value begins; not empty.
        prefix: String,
    },
    /// `{"attribute": "seats", "from": 1, "up_to": 50}`: the call carries the attribute, and its value is
    /// a whole number in decimal (without sign and leading zeros, below 2^64) of this range.
    Range {
        /// The attribute's name.
        attribute: String,
        /// The smallest number; `None` has no lower bound.
        from: Option<u64>,
        /// The largest number; `None` has no upper bound.
        up_to: Option<u64>,
    },
    /// `{"effective": {"from": …, "until": …}}`: the call is authorised in this time.
    Effective(Effective),
    /// `{"hours": […]}`: the call is authorised in these hours of the week, on the clocks of the plan's
    /// zone.
    Hours(Hours),
    /// `{"payer": ["0x…"]}`: the subscription's payer is one of these, sorted: an address's word, or the
    /// salted hash of an account.
    Payer(Vec<Digest>),
    /// `{"evidence": {"attestor": "0x…", "statement": "licence/y"}}`: the last that this attestor stated
    /// under this name of the payer to the seller, and that was presented, has not expired.
    Evidence(Wanted),
}

/// Whose statement a clause asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Who must have signed it.
    pub attestor: Address,
    /// What must be stated: the text of the evidence.
    pub statement: String,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// `plan_invalid` for more than 256 clauses, an object that is no clause, or a range without a
    /// value; `plan_order` for a set that is not sorted and for a part that occurs twice in `of`;
    /// `time_invalid`, `hex_invalid`, and the reader's own codes.
    pub fn read(node: &Node<'_>) -> Result<Condition> {
        let mut left = MAX_CLAUSES;
        Self::read_bounded(node, &mut left)
    }

    fn read_bounded(node: &Node<'_>, left: &mut usize) -> Result<Condition> {
        *left = left.checked_sub(1).ok_or_else(|| {
            Error::new(Code::PlanInvalid).at(node.pointer()).because("more than 256 clauses")
        })?;
        let mut fields = node.fields()?;
        let condition = if let Some(parts) = fields.optional("all") {
            Condition::All(Self::read_list(&parts, left)?)
        } else if let Some(parts) = fields.optional("any") {
            Condition::Any(Self::read_list(&parts, left)?)
        } else if let Some(part) = fields.optional("not") {
            Condition::Not(Box::new(Self::read_bounded(&part, left)?))
        } else if let Some(count) = fields.optional("at_least") {
            return Self::read_at_least(fields, &count, left);
        } else if let Some(attribute) = fields.optional("attribute") {
            return read_comparison(node, fields, attribute.text()?);
        } else if let Some(time) = fields.optional("effective") {
            Condition::Effective(Effective::read(&time)?)
        } else if let Some(hours) = fields.optional("hours") {
            Condition::Hours(read_hours(&hours)?)
        } else if let Some(payers) = fields.optional("payer") {
            Condition::Payer(read_payers(&payers)?)
        } else if let Some(wanted) = fields.optional("evidence") {
            Condition::Evidence(Wanted::read(&wanted)?)
        } else {
            return Err(node.error(Code::PlanInvalid).because(KINDS));
        };
        fields.finish()?;
        Ok(condition)
    }

    /// Whether some clause asks for this statement.
    pub(crate) fn wants(&self, wanted: &Wanted) -> bool {
        match self {
            Condition::All(parts)
            | Condition::Any(parts)
            | Condition::AtLeast { of: parts, .. } => parts.iter().any(|part| part.wants(wanted)),
            Condition::Not(part) => part.wants(wanted),
            Condition::Evidence(asked) => asked == wanted,
            _ => false,
        }
    }

    fn read_list(node: &Node<'_>, left: &mut usize) -> Result<Vec<Condition>> {
        let mut parts = Vec::new();
        for item in node.items()? {
            parts.push(Self::read_bounded(&item, left)?);
        }
        Ok(parts)
    }

    fn read_at_least(
        mut fields: Fields<'_>,
        least: &Node<'_>,
        left: &mut usize,
    ) -> Result<Condition> {
        let count = least.integer()?;
        let mut of: Vec<Condition> = Vec::new();
        for item in fields.required("of")?.items()? {
            let part = Self::read_bounded(&item, left)?;
            if of.contains(&part) {
                return Err(item.error(Code::PlanOrder).because("a part twice counts twice"));
            }
            of.push(part);
        }
        fields.finish()?;
        let most = u64::try_from(of.len()).unwrap_or(u64::MAX);
        if count == 0 || count > most {
            return Err(least.error(Code::PlanInvalid).because("1 to the number of parts"));
        }
        Ok(Condition::AtLeast { count, of })
    }
}

impl Wanted {
    fn read(node: &Node<'_>) -> Result<Wanted> {
        let mut fields = node.fields()?;
        let attestor = fields.required("attestor")?;
        let attestor = attestor.text()?.parse().map_err(|e: Error| e.at(attestor.pointer()))?;
        let statement = read_title(&fields.required("statement")?)?;
        fields.finish()?;
        Ok(Wanted { attestor, statement })
    }
}

/// What follows `attribute`: `in`, `prefix`, or `from` and `up_to`.
fn read_comparison(node: &Node<'_>, mut fields: Fields<'_>, name: &str) -> Result<Condition> {
    let attribute = String::from(name);
    let condition = if let Some(values) = fields.optional("in") {
        Condition::In { attribute, values: read_set(&values)? }
    } else if let Some(prefix) = fields.optional("prefix") {
        let text = String::from(prefix.text()?);
        if text.is_empty() {
            return Err(prefix.error(Code::PlanInvalid).because("every value begins like this"));
        }
        Condition::Prefix { attribute, prefix: text }
    } else {
        let from = fields.optional("from").map(|n| n.integer()).transpose()?;
        let up_to = fields.optional("up_to").map(|n| n.integer()).transpose()?;
        if from.is_none() && up_to.is_none() {
            fields.required("in")?;
        }
        Condition::Range { attribute, from, up_to }
    };
    fields.finish()?;
    match condition {
        Condition::Range { from: Some(from), up_to: Some(up_to), .. } if up_to < from => {
            Err(node.error(Code::PlanInvalid).because("`from` is at most `up_to`"))
        }
        condition => Ok(condition),
    }
}

/// A set of payers: non-empty, sorted by their 32 bytes, without repetition.
fn read_payers(node: &Node<'_>) -> Result<Vec<Digest>> {
    let mut payers: Vec<Digest> = Vec::new();
    for item in node.items()? {
        let text = item.text()?;
        let payer = match text.parse::<Digest>() {
            Ok(payer) => payer,
            Err(_) => {
                let address: Address = text.parse().map_err(|e: Error| e.at(item.pointer()))?;
                Digest::new(address.word())
            }
        };
        if payers.last().is_some_and(|last| *last >= payer) {
            return Err(item.error(Code::PlanOrder).because("payers are sorted and unique"));
        }
        payers.push(payer);
    }
    if payers.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("an empty set admits nobody"));
    }
    Ok(payers)
}

/// A set of texts: non-empty, sorted by bytes, without repetition.
pub(crate) fn read_set(node: &Node<'_>) -> Result<Vec<String>> {
    let mut values: Vec<String> = Vec::new();
    for item in node.items()? {
        let value = item.text()?;
        if values.last().is_some_and(|last| last.as_str() >= value) {
            return Err(item.error(Code::PlanOrder).because("values are sorted and unique"));
        }
        values.push(String::from(value));
    }
    if values.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("an empty set admits nobody"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn read(text: &str) -> Result<Condition> {
        Condition::read(&parse(text.as_bytes(), &Limits::default()).unwrap().root())
    }

    #[test]
    fn refuses_what_is_not_a_condition() {
        for (text, code, place) in [
            (r#"{}"#, Code::PlanInvalid, ""),
            (r#"{"attribute":"a","in":["b","a"]}"#, Code::PlanOrder, "/in/1"),
            (r#"{"attribute":"a","in":["a","a"]}"#, Code::PlanOrder, "/in/1"),
            (r#"{"attribute":"a","in":[]}"#, Code::PlanInvalid, "/in"),
            (r#"{"all":[],"any":[]}"#, Code::JsonUnknownField, "/any"),
            (r#"{"not":{"attribute":"a"}}"#, Code::JsonMissingField, "/not/in"),
            (r#"{"attribute":"a","in":["a"],"prefix":"a"}"#, Code::JsonUnknownField, "/prefix"),
            (r#"{"attribute":"a","prefix":""}"#, Code::PlanInvalid, "/prefix"),
            (r#"{"attribute":"a","from":2,"up_to":1}"#, Code::PlanInvalid, ""),
            (r#"{"at_least":0,"of":[{"all":[]}]}"#, Code::PlanInvalid, "/at_least"),
            (r#"{"at_least":2,"of":[{"all":[]}]}"#, Code::PlanInvalid, "/at_least"),
            (r#"{"at_least":1,"of":[{"any":[]},{"any":[]}]}"#, Code::PlanOrder, "/of/1"),
            (r#"{"payer":[]}"#, Code::PlanInvalid, "/payer"),
            (r#"{"payer":["0x00"]}"#, Code::HexInvalid, "/payer/0"),
            (r#"{"effective":{}}"#, Code::PlanInvalid, "/effective"),
            (r#"{"hours":[]}"#, Code::PlanInvalid, "/hours"),
        ] {
            let e = read(text).unwrap_err();
            assert_eq!(e.code(), code, "{text}");
            assert_eq!(e.place(), Some(place), "{text}: {e:?}");
        }
    }
}
