//! Which calls a charge is for: attributes, the size of a call, the instant of the request, the hour.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use crate::{
    amount::grouped,
    error::{Code, Result},
    json::{Fields, Node},
    plan::{
        charge::{read_name, read_positive},
        hours::read_hours,
    },
    rules::read_set,
    time::{Hours, Timestamp},
    usage::Usage,
};

/// What decides which charges price a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Quantities: `context` looks at whole ones, parts included.
    pub(crate) usage: &'a Usage,
    /// Attributes, those of a hold and of its usage joined.
    pub(crate) attributes: &'a BTreeMap<String, String>,
    /// The instant of the request, which fixes prices.
    pub(crate) at: Timestamp,
}

/// Which calls a charge is for. Each attribute of `attributes`, and each of the other members, is one
/// *dimension*: a charge with a selector applies to a call if the call lies in all of its dimensions.
///
/// Of the charges of one meter that have a selector and apply to a call, only the most specific one
/// counts: the one with the dimensions of all others and more. A plan in which there might be none is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// `match`: the values that an attribute may have, by attribute. A call that lacks one of the
    /// attributes is outside.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// `context`: how large the call is.
    pub context: Option<Context>,
    /// `effective`: when the call was authorised.
    pub effective: Option<Effective>,
    /// `hours`: in which hours of the week, in the plan's zone, the call was authorised.
    pub hours: Option<Hours>,
}

/// The sizes of a call for which a charge is meant: above < quantity ≤ up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The meter whose whole quantity, its parts included, is looked at.
    pub meter: String,
    /// The quantity is above this; `None` has no lower bound, and takes 0 in.
    pub above: Option<u64>,
    /// The quantity is at most this; `None` has no upper bound.
    pub up_to: Option<u64>,
}

/// The instants for which a price stands, or a clause holds: from ≤ instant < until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective {
    /// The first instant; `None` has no beginning.
    pub from: Option<Timestamp>,
    /// The first instant after; `None` has no end.
    pub until: Option<Timestamp>,
}

impl Selector {
    /// Reads `match`, `context`, `effective` and `hours`; `None` where a charge has none of them.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Option<Selector>> {
        let matches = fields.optional("match");
        let context = fields.optional("context");
        let effective = fields.optional("effective");
        let hours = fields.optional("hours");
        if matches.is_none() && context.is_none() && effective.is_none() && hours.is_none() {
            return Ok(None);
        }
        let attributes = match matches {
            Some(node) => read_match(&node)?,
            None => BTreeMap::new(),
        };
        let context = context.map(|node| Context::read(&node)).transpose()?;
        let effective = effective.map(|node| Effective::read(&node)).transpose()?;
        let hours = hours.map(|node| read_hours(&node)).transpose()?;
        Ok(Some(Selector { attributes, context, effective, hours }))
    }

    /// Whether the call lies in every dimension. `minute` gives the minute of the week at which it was
    /// authorised, in the plan's zone.
    pub(crate) fn applies(&self, call: &Call<'_>, minute: &dyn Fn() -> u16) -> bool {
        matches(&self.attributes, call.attributes) && self.applies_but_match(call, minute)
    }

    /// Whether the call lies in every dimension but attributes.
    pub(super) fn applies_but_match(&self, call: &Call<'_>, minute: &dyn Fn() -> u16) -> bool {
        self.effective.is_none_or(|effective| effective.contains(call.at))
            && self.context.as_ref().is_none_or(|c| c.contains(call.usage.get(&c.meter)))
            && self.hours.as_ref().is_none_or(|hours| hours.has(minute()))
    }

    /// Whether it has dimensions that are no attributes.
    pub(super) fn looks_at_more_than_match(&self) -> bool {
        self.dimensions() > self.attributes.len()
    }

    /// How many dimensions there are.
    pub(super) fn dimensions(&self) -> usize {
        self.attributes
            .len()
            .saturating_add(usize::from(self.context.is_some()))
            .saturating_add(usize::from(self.effective.is_some()))
            .saturating_add(usize::from(self.hours.is_some()))
    }

    /// Whether every dimension of the other is one of this, too.
    pub(super) fn has_dimensions_of(&self, other: &Selector) -> bool {
        (self.context.is_some() || other.context.is_none())
            && (self.effective.is_some() || other.effective.is_none())
            && (self.hours.is_some() || other.hours.is_none())
            && other.attributes.keys().all(|name| self.attributes.contains_key(name))
    }

    /// The selector of the calls that lie in both, if there can be any. Both contexts, where there
    /// are two, look at one meter.
    pub(super) fn meet(&self, other: &Selector) -> Option<Selector> {
        let mut attributes = self.attributes.clone();
        for (name, theirs) in &other.attributes {
            let both = match attributes.get(name) {
                Some(ours) => ours
                    .iter()
                    .filter(|value| theirs.binary_search(value).is_ok())
                    .cloned()
                    .collect(),
                None => theirs.clone(),
            };
            if both.is_empty() {
                return None;
            }
            attributes.insert(name.clone(), both);
        }
        let context = match (&self.context, &other.context) {
            (Some(a), Some(b)) => Some(a.meet(b)?),
            (a, b) => a.as_ref().or(b.as_ref()).cloned(),
        };
        let effective = match (self.effective, other.effective) {
            (Some(a), Some(b)) => Some(a.meet(b)?),
            (a, b) => a.or(b),
        };
        let hours = match (&self.hours, &other.hours) {
            (Some(a), Some(b)) => Some(a.meet(b)?),
            (a, b) => a.as_ref().or(b.as_ref()).cloned(),
        };
        Some(Selector { attributes, context, effective, hours })
    }

    /// Whether every call that lies in the other, which has the same dimensions, lies in this.
    pub(super) fn covers(&self, other: &Selector) -> bool {
        let within = |values: &Vec<String>, all: &Vec<String>| {
            all.iter().all(|value| values.binary_search(value).is_ok())
        };
        let attributes = other
            .attributes
            .iter()
            .all(|(name, all)| self.attributes.get(name).is_some_and(|values| within(values, all)));
        let context = match (&self.context, &other.context) {
            (Some(a), Some(b)) => a.meet(b).as_ref() == Some(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let effective = match (self.effective, other.effective) {
            (Some(a), Some(b)) => a.meet(b) == Some(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let hours = match (&self.hours, &other.hours) {
            (Some(a), Some(b)) => a.meet(b).as_ref() == Some(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        attributes && context && effective && hours
    }
}

/// In words: `model=a|b, input_tokens above 200,000, from 2026-08-01T00:00:00.000Z`; `every call` with no
/// dimensions.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        let mut next = || core::mem::replace(&mut comma, ", ");
        for (name, values) in &self.attributes {
            write!(f, "{}{name}={}", next(), values.join("|"))?;
        }
        if let Some(Context { meter, above, up_to }) = &self.context {
            write!(f, "{}{meter}", next())?;
            if let Some(above) = above {
                write!(f, " above {}", grouped(*above))?;
            }
            if let Some(up_to) = up_to {
                write!(f, " up to {}", grouped(*up_to))?;
            }
        }
        if let Some(Effective { from, until }) = self.effective {
            if let Some(from) = from {
                write!(f, "{}from {from}", next())?;
            }
            if let Some(until) = until {
                write!(f, "{}until {until}", next())?;
            }
        }
        if self.hours.is_some() {
            write!(f, "{}in its hours of the week", next())?;
        }
        if next().is_empty() { f.write_str("every call") } else { Ok(()) }
    }
}

/// Whether a call carries each of these attributes with one of its values.
pub(super) fn matches(
    wanted: &BTreeMap<String, Vec<String>>,
    attributes: &BTreeMap<String, String>,
) -> bool {
    wanted.iter().all(|(name, values)| {
        attributes.get(name).is_some_and(|value| values.binary_search(value).is_ok())
    })
}

/// The dimensions `match`: attribute → its values.
pub(super) fn read_match(node: &Node<'_>) -> Result<BTreeMap<String, Vec<String>>> {
    let mut attributes = BTreeMap::new();
    for (name, values) in node.fields()?.iter() {
        crate::plan::check_name(name).map_err(|e| e.at(values.pointer()))?;
        attributes.insert(String::from(name), read_set(&values)?);
    }
    Ok(attributes)
}

impl Context {
    fn read(node: &Node<'_>) -> Result<Context> {
        let mut fields = node.fields()?;
        let meter = read_name(&fields.required("meter")?)?;
        let above = fields.optional("above").map(|n| n.integer()).transpose()?;
        let up_to = fields.optional("up_to").map(|n| read_positive(&n)).transpose()?;
        fields.finish()?;
        let context = Context { meter, above, up_to };
        if above.is_none() && up_to.is_none() || !context.has_any() {
            return Err(node
                .error(Code::PlanInvalid)
                .because("a context has `above`, `up_to`, or both, the smaller first"));
        }
        Ok(context)
    }

    /// Whether this quantity lies in the range.
    pub(super) fn contains(&self, quantity: u64) -> bool {
        self.above.is_none_or(|above| above < quantity)
            && self.up_to.is_none_or(|up_to| quantity <= up_to)
    }

    fn has_any(&self) -> bool {
        match (self.above, self.up_to) {
            (Some(above), Some(up_to)) => above < up_to,
            _ => true,
        }
    }

    fn meet(&self, other: &Context) -> Option<Context> {
        let meet = Context {
            meter: self.meter.clone(),
            above: self.above.max(other.above),
            up_to: lesser(self.up_to, other.up_to),
        };
        meet.has_any().then_some(meet)
    }
}

impl Effective {
    pub(crate) fn read(node: &Node<'_>) -> Result<Effective> {
        let mut fields = node.fields()?;
        let from = fields.optional("from").map(|n| read_instant(&n)).transpose()?;
        let until = fields.optional("until").map(|n| read_instant(&n)).transpose()?;
        fields.finish()?;
        let effective = Effective { from, until };
        if from.is_none() && until.is_none() || !effective.has_any() {
            return Err(node
                .error(Code::PlanInvalid)
                .because("`effective` has `from`, `until`, or both, the earlier first"));
        }
        Ok(effective)
    }

    pub(crate) fn contains(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// The first of its instants that is later than this one: there it begins or ends.
    pub(crate) fn changes_at(self, at: Timestamp) -> Option<Timestamp> {
        self.from.into_iter().chain(self.until).find(|change| at < *change)
    }

    fn has_any(self) -> bool {
        self.until.is_none_or(|until| self.from.unwrap_or(Timestamp::MIN) < until)
    }

    fn meet(self, other: Effective) -> Option<Effective> {
        let meet =
            Effective { from: self.from.max(other.from), until: lesser(self.until, other.until) };
        meet.has_any().then_some(meet)
    }
}

/// The smaller of two upper bounds, where `None` is no bound.
fn lesser<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn read_instant(node: &Node<'_>) -> Result<Timestamp> {
    Timestamp::from_millis(node.integer()?).map_err(|e| e.at(node.pointer()))
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;
    use crate::json::{Limits, parse};

    #[test]
    fn a_selector_says_which_calls_it_is_for() {
        let words = |members: &str| {
            let text = format!("{{{members}}}");
            let document = parse(text.as_bytes(), &Limits::default()).unwrap();
            let mut fields = document.root().fields().unwrap();
            Selector::read(&mut fields).unwrap().map(|selector| selector.to_string())
        };
        assert_eq!(words(""), None);
        assert_eq!(words(r#""match":{}"#).unwrap(), "every call");
        assert_eq!(
            words(r#""match":{"tier":["batch"],"model":["a","b"]},"context":{"meter":"x","above":200000}"#)
                .unwrap(),
            "model=a|b, tier=batch, x above 200,000"
        );
        assert_eq!(
            words(
                r#""context":{"meter":"x","above":5,"up_to":1000},"effective":{"from":0,"until":86400000}"#
            )
            .unwrap(),
            "x above 5 up to 1,000, from 1970-01-01T00:00:00.000Z, until 1970-01-02T00:00:00.000Z"
        );
    }
}
