//! Whether a condition holds of a call, which clause decides, and when time changes that clause.

use alloc::{collections::BTreeMap, format, string::String};

use crate::{
    crypto::Digest,
    rules::{Condition, Wanted},
    time::{Timestamp, Zone},
};

/// What a condition looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The call's attributes.
    pub(crate) attributes: &'a BTreeMap<String, String>,
    /// When the call is authorised.
    pub(crate) at: Timestamp,
    /// The plan's zone.
    pub(crate) zone: Option<&'a Zone>,
    /// The subscription's payer.
    pub(crate) payer: &'a Digest,
    /// The evidence that was presented for the subscription.
    pub(crate) evidence: &'a BTreeMap<Wanted, Validity>,
}

/// From when until when evidence counts. Only the last of an attestor for a statement is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) issued_at: Timestamp,
    /// The first instant at which it no longer counts.
    pub(crate) expires_at: Timestamp,
}

impl Validity {
    /// Whether it is neither expired nor a revocation. When it was issued does not matter: it is asked
    /// for after it was presented, or for a record of an earlier call.
    fn counts_at(self, at: Timestamp) -> bool {
        self.issued_at < self.expires_at && at < self.expires_at
    }
}

/// The clause that decided, and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The clause's path inside the condition, as a JSON Pointer: `/all/1`.
    pub(crate) path: String,
    /// The value of the attribute that the clause is about, where the call carries it.
    pub(crate) value: Option<String>,
    /// The first instant after the call's at which the clause is otherwise, if time alone changes it.
    pub(crate) changes_at: Option<Timestamp>,
}

impl Condition {
    /// Whether the condition holds.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let value = |attribute: &String| facts.attributes.get(attribute);
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Condition::Not(part) => !part.holds(facts),
            Condition::AtLeast { count, of } => {
                let holding = of.iter().filter(|part| part.holds(facts)).count();
                u64::try_from(holding).is_ok_and(|holding| holding >= *count)
            }
            Condition::In { attribute, values } => {
                value(attribute).is_some_and(|value| values.binary_search(value).is_ok())
            }
            Condition::Prefix { attribute, prefix } => {
                value(attribute).is_some_and(|value| value.starts_with(prefix))
            }
            Condition::Range { attribute, from, up_to } => {
                value(attribute).and_then(|value| whole_number(value)).is_some_and(|n| {
                    from.is_none_or(|from| from <= n) && up_to.is_none_or(|up_to| n <= up_to)
                })
            }
            Condition::Effective(effective) => effective.contains(facts.at),
            Condition::Hours(hours) => hours.contains(facts.zone, facts.at),
            Condition::Payer(payers) => payers.binary_search(facts.payer).is_ok(),
            Condition::Evidence(wanted) => {
                facts.evidence.get(wanted).is_some_and(|known| known.counts_at(facts.at))
            }
        }
    }

    /// The clause that decides.
    pub(crate) fn decided(&self, facts: &Facts<'_>) -> Decided {
        let mut path = String::new();
        let mut clause = self;
        while let Some((step, part)) = clause.deciding_part(facts) {
            path.push_str(&step);
            clause = part;
        }
        Decided {
            path,
            value: clause.attribute().and_then(|name| facts.attributes.get(name)).cloned(),
            changes_at: clause.changes_at(facts),
        }
    }

    /// The part that decides the clause, and the step to it; `None` if the clause decides itself.
    fn deciding_part(&self, facts: &Facts<'_>) -> Option<(String, &Condition)> {
        let first = |name: &str, parts: &'_ [Condition], wanted: bool| {
            parts
                .iter()
                .position(|part| part.holds(facts) == wanted)
                .map(|index| (format!("/{name}/{index}"), index))
        };
        match self {
            Condition::All(parts) => {
                let (step, index) = first("all", parts, false)?;
                Some((step, parts.get(index)?))
            }
            Condition::Any(parts) => {
                let (step, index) = first("any", parts, true)?;
                Some((step, parts.get(index)?))
            }
            Condition::Not(part) => Some((String::from("/not"), part)),
            _ => None,
        }
    }

    /// The attribute that the clause compares.
    pub(crate) fn attribute(&self) -> Option<&String> {
        match self {
            Condition::In { attribute, .. }
            | Condition::Prefix { attribute, .. }
            | Condition::Range { attribute, .. } => Some(attribute),
            _ => None,
        }
    }

    /// When a clause that looks at time alone is otherwise, first.
    fn changes_at(&self, facts: &Facts<'_>) -> Option<Timestamp> {
        match self {
            Condition::Effective(effective) => effective.changes_at(facts.at),
            Condition::Hours(hours) => hours.changes_at(facts.zone, facts.at),
            Condition::Evidence(wanted) => {
                let known = facts.evidence.get(wanted).filter(|known| known.counts_at(facts.at));
                known.map(|known| known.expires_at)
            }
            _ => None,
        }
    }
}

/// A whole number in decimal, without sign and leading zeros.
fn whole_number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain && digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{Limits, parse};

    fn read(text: &str) -> Condition {
        Condition::read(&parse(text.as_bytes(), &Limits::default()).unwrap().root()).unwrap()
    }

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect()
    }

    fn facts<'a>(attributes: &'a BTreeMap<String, String>, at: u64) -> Facts<'a> {
        Facts {
            attributes,
            at: Timestamp::from_millis(at).unwrap(),
            zone: None,
            payer: &Digest::ZERO,
            evidence: const { &BTreeMap::new() },
        }
    }

    #[test]
    fn names_the_clause_that_decides() {
        let c = read(
            r#"{"all":[{"attribute":"purpose","in":["inference"]},
                {"not":{"attribute":"region","in":["xx","yy"]}}]}"#,
        );
        let good = attributes(&[("purpose", "inference")]);
        assert!(c.holds(&facts(&good, 0)));
        let other = attributes(&[("purpose", "inference"), ("region", "yy")]);
        assert!(!c.holds(&facts(&other, 0)));
        let decided = c.decided(&facts(&other, 0));
        assert_eq!((decided.path.as_str(), decided.value.as_deref()), ("/all/1/not", Some("yy")));
        let none = attributes(&[]);
        let decided = c.decided(&facts(&none, 0));
        assert_eq!((decided.path.as_str(), decided.value), ("/all/0", None));
    }

    #[test]
    fn a_number_has_one_spelling() {
        let c = read(r#"{"attribute":"seats","from":0,"up_to":50}"#);
        for (value, holds) in [
            ("0", true),
            ("50", true),
            ("51", false),
            ("01", false),
            ("+1", false),
            ("-0", false),
            ("", false),
            ("1.0", false),
            ("18446744073709551616", false),
        ] {
            assert_eq!(c.holds(&facts(&attributes(&[("seats", value)]), 0)), holds, "{value}");
        }
    }

    proptest! {
        /// `all` is as many as there are, `any` is one, and what `not` says is the contrary.
        #[test]
        fn at_least_is_between_any_and_all(carried in proptest::collection::vec(any::<bool>(), 1..6)) {
            let part = |n: usize| format!(r#"{{"attribute":"a{n}","in":["1"]}}"#);
            let parts = (0..carried.len()).map(part).collect::<alloc::vec::Vec<_>>().join(",");
            let call = carried.iter().enumerate().filter(|(_, carried)| **carried);
            let call = call.map(|(n, _)| (format!("a{n}"), String::from("1"))).collect();
            let facts = facts(&call, 0);
            let holds = |text: String| read(&text).holds(&facts);
            let at_least = |count: usize| holds(format!(r#"{{"at_least":{count},"of":[{parts}]}}"#));
            for count in 1..=carried.len() {
                prop_assert_eq!(at_least(count), call.len() >= count);
            }
            prop_assert_eq!(at_least(1), holds(format!(r#"{{"any":[{parts}]}}"#)));
            prop_assert_eq!(at_least(carried.len()), holds(format!(r#"{{"all":[{parts}]}}"#)));
            prop_assert_ne!(at_least(1), holds(format!(r#"{{"not":{{"any":[{parts}]}}}}"#)));
        }
    }
}
