//! The condition tree and its evaluation.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    json::Node,
};

/// The most clauses that one plan's condition may have, all levels together.
const MAX_CLAUSES: usize = 256;

/// A test on a call's attributes.
///
/// In a plan: `{"attribute": "purpose", "in": ["evaluation", "inference"]}`, combined by
/// `{"all": […]}`, `{"any": […]}` and `{"not": …}`. An attribute that the call does not carry is in
/// no set. `all` of nothing is true, `any` of nothing false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Every part holds.
    All(Vec<Condition>),
    /// At least one part holds.
    Any(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// The call carries the attribute with one of these values.
    In {
        /// The attribute's name.
        attribute: String,
        /// The allowed values, sorted.
        values: Vec<String>,
    },
}

/// What a condition says of one call, and which clause decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the condition holds.
    pub holds: bool,
    /// The path of the deciding clause inside the condition, as a JSON Pointer: `/all/1`.
    pub clause: String,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// `plan_invalid` for more than 256 clauses or an object that is no clause, `plan_order` for an
    /// unsorted or repeated value, and the reader's own codes.
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
        } else if let Some(attribute) = fields.optional("attribute") {
            let attribute = String::from(attribute.text()?);
            let values = read_set(&fields.required("in")?)?;
            Condition::In { attribute, values }
        } else {
            return Err(node
                .error(Code::PlanInvalid)
                .because("a clause has `all`, `any`, `not` or `attribute`"));
        };
        fields.finish()?;
        Ok(condition)
    }

    fn read_list(node: &Node<'_>, left: &mut usize) -> Result<Vec<Condition>> {
        let mut parts = Vec::new();
        for item in node.items()? {
            parts.push(Self::read_bounded(&item, left)?);
        }
        Ok(parts)
    }

    /// Evaluates the condition on the call's attributes.
    #[must_use]
    pub fn evaluate(&self, attributes: &BTreeMap<String, String>) -> Verdict {
        let (holds, clause) = self.decide(attributes, String::new());
        Verdict { holds, clause }
    }

    fn decide(&self, attributes: &BTreeMap<String, String>, path: String) -> (bool, String) {
        match self {
            Condition::All(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    let (holds, clause) = part.decide(attributes, format!("{path}/all/{i}"));
                    if !holds {
                        return (false, clause);
                    }
                }
                (true, path)
            }
            Condition::Any(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    let (holds, clause) = part.decide(attributes, format!("{path}/any/{i}"));
                    if holds {
                        return (true, clause);
                    }
                }
                (false, path)
            }
            Condition::Not(part) => {
                let (holds, clause) = part.decide(attributes, format!("{path}/not"));
                (!holds, clause)
            }
            Condition::In { attribute, values } => {
                let holds = attributes
                    .get(attribute)
                    .is_some_and(|value| values.binary_search(value).is_ok());
                (holds, path)
            }
        }
    }
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

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect()
    }

    #[test]
    fn names_the_clause_that_decided() {
        let c = read(
            r#"{"all":[{"attribute":"purpose","in":["inference"]},
                {"not":{"attribute":"region","in":["xx","yy"]}}]}"#,
        )
        .unwrap();
        assert!(c.evaluate(&attributes(&[("purpose", "inference")])).holds);
        let v = c.evaluate(&attributes(&[("purpose", "inference"), ("region", "yy")]));
        assert_eq!((v.holds, v.clause.as_str()), (false, "/all/1/not"));
        let v = c.evaluate(&attributes(&[]));
        assert_eq!((v.holds, v.clause.as_str()), (false, "/all/0"));
    }

    #[test]
    fn refuses_what_is_not_a_condition() {
        for (text, code, place) in [
            (r#"{}"#, Code::PlanInvalid, ""),
            (r#"{"attribute":"a","in":["b","a"]}"#, Code::PlanOrder, "/in/1"),
            (r#"{"attribute":"a","in":["a","a"]}"#, Code::PlanOrder, "/in/1"),
            (r#"{"attribute":"a","in":[]}"#, Code::PlanInvalid, "/in"),
            (r#"{"all":[],"any":[]}"#, Code::JsonUnknownField, "/any"),
            (r#"{"not":{"attribute":"a"}}"#, Code::JsonMissingField, "/not"),
        ] {
            let e = read(text).unwrap_err();
            assert_eq!(e.code(), code, "{text}");
            assert!(e.place().unwrap().starts_with(place), "{text}: {e:?}");
        }
    }
}
