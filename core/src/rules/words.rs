//! Conditions in words for people.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use crate::rules::Condition;

/// So many of a set are named.
const NAMED: usize = 8;

impl Condition {
    /// The clause at a path inside the condition, such as `/all/1/not`, and whether it has to fail for
    /// the condition's sake: under an odd number of `not`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<(&Condition, bool)> {
        let mut steps = path.split('/').skip(1);
        let (mut clause, mut barred) = (self, false);
        while let Some(kind) = steps.next() {
            clause = match (clause, kind) {
                (Condition::Not(part), "not") => {
                    barred = !barred;
                    part
                }
                (Condition::All(parts), "all") | (Condition::Any(parts), "any") => {
                    parts.get(steps.next()?.parse::<usize>().ok()?)?
                }
                _ => return None,
            };
        }
        Some((clause, barred))
    }
}

/// `purpose is evaluation or inference and region begins with "eu-"`. Of a large set the first eight are
/// named.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::All(parts) if parts.is_empty() => f.write_str("anything"),
            Condition::Any(parts) if parts.is_empty() => f.write_str("nothing"),
            Condition::All(parts) => f.write_str(&joined(parts, " and ")),
            Condition::Any(parts) => f.write_str(&joined(parts, " or ")),
            Condition::Not(part) => write!(f, "not {}", grouped(part)),
            Condition::AtLeast { count, of } => {
                write!(f, "at least {count} of: {}", joined(of, ", "))
            }
            Condition::In { attribute, values } => {
                write!(f, "{attribute} is {}", one_of(values.iter().map(|value| quoted(value))))
            }
            Condition::Prefix { attribute, prefix } => {
                write!(f, "{attribute} begins with {}", quoted(prefix))
            }
            Condition::Range { attribute, from: Some(from), up_to: Some(up_to) } => {
                write!(f, "{attribute} is from {from} to {up_to}")
            }
            Condition::Range { attribute, from: Some(from), up_to: None } => {
                write!(f, "{attribute} is {from} or more")
            }
            Condition::Range { attribute, up_to, .. } => {
                write!(f, "{attribute} is {} or less", up_to.unwrap_or_default())
            }
            Condition::Effective(effective) => {
                f.write_str("the time is")?;
                if let Some(from) = effective.from {
                    write!(f, " {from} or later")?;
                }
                if effective.from.is_some() && effective.until.is_some() {
                    f.write_str(" and")?;
                }
                if let Some(until) = effective.until {
                    write!(f, " before {until}")?;
                }
                Ok(())
            }
            Condition::Hours(_) => f.write_str("the time is in the plan's hours of the week"),
            Condition::Payer(payers) => {
                write!(f, "the payer is {}", one_of(payers.iter().map(|payer| format!("{payer}"))))
            }
            Condition::Evidence(wanted) => {
                write!(f, "{} states {}", wanted.attestor, quoted(&wanted.statement))
            }
        }
    }
}

fn joined(parts: &[Condition], word: &str) -> String {
    parts.iter().map(grouped).collect::<Vec<_>>().join(word)
}

/// A part, in parentheses where it has parts of its own.
fn grouped(part: &Condition) -> String {
    match part {
        Condition::All(parts) | Condition::Any(parts) | Condition::AtLeast { of: parts, .. }
            if !parts.is_empty() =>
        {
            format!("({part})")
        }
        _ => format!("{part}"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut names: Vec<String> = names.take(NAMED).collect();
    if more != 0 {
        names.push(format!("one of {more} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::json::{Limits, parse};

    fn read(text: &str) -> Condition {
        Condition::read(&parse(text.as_bytes(), &Limits::default()).unwrap().root()).unwrap()
    }

    #[test]
    fn conditions_in_words() {
        for (json, words) in [
            (r#"{"all":[]}"#, "anything"),
            (r#"{"not":{"any":[]}}"#, "not nothing"),
            (r#"{"attribute":"a","in":["x"]}"#, r#"a is "x""#),
            (r#"{"attribute":"a","in":["x","y","z"]}"#, r#"a is "x", "y" or "z""#),
            (
                r#"{"attribute":"a","in":["0","1","2","3","4","5","6","7","8","9"]}"#,
                r#"a is "0", "1", "2", "3", "4", "5", "6", "7" or one of 2 more"#,
            ),
            (r#"{"attribute":"a","prefix":"/v1/"}"#, r#"a begins with "/v1/""#),
            (r#"{"attribute":"a","from":1,"up_to":5}"#, "a is from 1 to 5"),
            (r#"{"attribute":"a","from":1}"#, "a is 1 or more"),
            (r#"{"attribute":"a","up_to":5}"#, "a is 5 or less"),
            (
                r#"{"effective":{"from":0,"until":1000}}"#,
                "the time is 1970-01-01T00:00:00.000Z or later and before 1970-01-01T00:00:01.000Z",
            ),
            (
                r#"{"hours":[{"from":"00:00","until":"06:00"}]}"#,
                "the time is in the plan's hours of the week",
            ),
            (
                r#"{"payer":["0x0101010101010101010101010101010101010101010101010101010101010101"]}"#,
                "the payer is 0x0101010101010101010101010101010101010101010101010101010101010101",
            ),
            (
                r#"{"evidence":{"attestor":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","statement":"x"}}"#,
                r#"0x70997970C51812dc3A010C7d01b50e0d17dc79C8 states "x""#,
            ),
            (
                r#"{"any":[{"all":[{"attribute":"a","from":1},{"attribute":"b","from":2}]},{"not":{"attribute":"c","from":3}}]}"#,
                "(a is 1 or more and b is 2 or more) or not c is 3 or more",
            ),
            (
                r#"{"at_least":1,"of":[{"attribute":"a","from":1},{"any":[]}]}"#,
                "at least 1 of: a is 1 or more, nothing",
            ),
        ] {
            assert_eq!(read(json).to_string(), words);
        }
    }

    #[test]
    fn a_path_leads_to_its_clause() {
        let c = read(
            r#"{"all":[{"attribute":"a","from":1},{"not":{"any":[{"attribute":"b","from":2}]}}]}"#,
        );
        let words = |path| c.at(path).map(|(clause, barred)| (clause.to_string(), barred));
        assert_eq!(words("/all/0"), Some(("a is 1 or more".into(), false)));
        assert_eq!(words("/all/1/not/any/0"), Some(("b is 2 or more".into(), true)));
        assert_eq!(words("").map(|(_, barred)| barred), Some(false));
        assert_eq!(words("/any/0"), None);
        assert_eq!(words("/all/2"), None);
    }
}
