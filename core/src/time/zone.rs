//! A time zone, contained: its rule and the offsets that a rule does not give.

use alloc::{string::String, vec::Vec};

use super::{
    Timestamp,
    posix::Rule,
    timestamp::{HOUR, SECOND},
};
use crate::error::{Code, Error, Result};

/// No offset is as large as this: POSIX has hours up to 24.
const BEYOND: i64 = 25 * HOUR;
/// A name, and a rule, is at most this long.
const MAX_TEXT: usize = 128;
/// The most offsets before the rule.
const MAX_TRANSITIONS: usize = 1_000;

/// A time zone as a plan has it. Nothing is looked up: the name is for people, and the rule says all,
/// so that a bill depends on no database of zones.
///
/// ```
/// use counterfoil::time::Zone;
///
/// let berlin = Zone::new("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3")?;
/// assert_eq!(berlin.offset("2026-10-25T00:59:59Z".parse()?), 7200);
/// assert_eq!(berlin.offset("2026-10-25T01:00:00Z".parse()?), 3600);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    text: String,
    rule: Rule,
    transitions: Vec<Transition>,
}

/// An offset that was in force before the zone's rule was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The first instant at which it is no longer in force.
    pub until: Timestamp,
    /// Seconds east of Greenwich, less than 25 hours either way.
    pub offset: i32,
}

impl Transition {
    /// Reads an offset: `±hh:mm`, or `±hh:mm:ss` where the seconds are not 0; `+00:00` for none.
    /// Hours go to 24.
    ///
    /// # Errors
    /// `plan_invalid`.
    pub fn parse_offset(text: &str) -> Result<i32> {
        let read = || -> Option<i32> {
            let (sign, rest) = text.split_at_checked(1)?;
            let mut seconds: i32 = 0;
            let mut parts = rest.split(':');
            for (most, unit) in [(24, 3_600), (59, 60), (59, 1)] {
                let Some(part) = parts.next() else {
                    // Minutes must be there.
                    return if unit == 1 { signed(sign, seconds) } else { None };
                };
                let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
                let value = part.parse::<i32>().ok().filter(|n| digits && *n <= most)?;
                if unit == 1 && value == 0 {
                    return None;
                }
                seconds = seconds.checked_add(value.checked_mul(unit)?)?;
            }
            parts.next().is_none().then(|| signed(sign, seconds))?
        };
        read().ok_or_else(|| {
            Error::new(Code::PlanInvalid)
                .value(text)
                .because("an offset is ±hh:mm, or ±hh:mm:ss with seconds")
        })
    }
}

/// Of two spellings of nought, `+00:00` is the one.
fn signed(sign: &str, seconds: i32) -> Option<i32> {
    match sign {
        "+" => Some(seconds),
        "-" if seconds != 0 => seconds.checked_neg(),
        _ => None,
    }
}

impl Zone {
    /// A zone of this name, with a POSIX TZ string that gives dates for its changes
    /// (`CET-1CEST,M3.5.0,M10.5.0/3`).
    ///
    /// # Errors
    /// `text_invalid` for a name that is not 1 to 128 letters, digits, `_`, `+`, `-` and `/`;
    /// `plan_invalid` for a rule that is none or longer than 128 bytes.
    pub fn new(name: &str, rule: &str) -> Result<Zone> {
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'/');
        if name.is_empty() || name.len() > MAX_TEXT || !name.bytes().all(part) {
            return Err(Error::new(Code::TextInvalid)
                .value(name)
                .because("a zone's name is letters, digits, _, +, - and /, at most 128"));
        }
        let text = String::from(rule);
        let rule = Some(rule).filter(|rule| rule.len() <= MAX_TEXT).and_then(Rule::parse);
        let rule = rule.ok_or_else(|| {
            Error::new(Code::PlanInvalid)
                .value(&text)
                .because("a rule is a posix tz string with dates for its changes")
        })?;
        Ok(Zone { name: String::from(name), text, rule, transitions: Vec::new() })
    }

    /// Adds an offset that was in force before the rule, and after those added so far.
    ///
    /// # Errors
    /// `plan_order` if it ends no later than the one before; `plan_invalid` for the 1,001st, or an
    /// offset of 25 hours or more.
    pub fn push(&mut self, transition: Transition) -> Result<()> {
        if self.transitions.last().is_some_and(|last| last.until >= transition.until) {
            return Err(Error::new(Code::PlanOrder)
                .value(transition.until.millis())
                .because("transitions ascend"));
        }
        if self.transitions.len() >= MAX_TRANSITIONS {
            return Err(Error::new(Code::PlanInvalid).because("more than 1,000 transitions"));
        }
        if i64::from(transition.offset).saturating_mul(SECOND).saturating_abs() >= BEYOND {
            return Err(Error::new(Code::PlanInvalid)
                .value(transition.offset)
                .because("an offset is less than 25 hours"));
        }
        self.transitions.push(transition);
        Ok(())
    }

    /// The name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule as it was written.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.text
    }

    /// The offsets before the rule, ascending.
    #[must_use]
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// How far local time is ahead of UTC at an instant, in seconds.
    #[must_use]
    pub fn offset(&self, at: Timestamp) -> i32 {
        let (offset, _) = self.at(at.signed());
        offset.checked_div(SECOND).and_then(|s| s.try_into().ok()).unwrap_or_default()
    }

    /// What the clock on the wall shows: milliseconds after 1970-01-01T00:00 of that clock.
    pub(super) fn wall(&self, t: i64) -> i64 {
        t.saturating_add(self.at(t).0)
    }

    /// The latest time that the clock on the wall has shown so far. It differs from what the clock
    /// shows where the clock was turned back, until it is as late again.
    pub(super) fn latest(&self, t: i64) -> i64 {
        // What was shown more than two offsets ago was earlier.
        let mut from = t.saturating_sub(2 * BEYOND);
        let mut latest = i64::MIN;
        loop {
            let (offset, until) = self.at(from);
            let last = until.saturating_sub(1).min(t);
            latest = latest.max(last.saturating_add(offset));
            if until > t {
                return latest;
            }
            from = until;
        }
    }

    /// The first instant at which the clock on the wall shows this time or a later one.
    pub(super) fn first(&self, wall: i64) -> i64 {
        let mut from = wall.saturating_sub(BEYOND);
        loop {
            let (offset, until) = self.at(from);
            let found = from.max(wall.saturating_sub(offset));
            if found < until {
                return found;
            }
            from = until;
        }
    }

    /// The offset in milliseconds at an instant, and the first instant after it at which another may
    /// begin.
    pub(super) fn at(&self, t: i64) -> (i64, i64) {
        let past = self.transitions.partition_point(|part| part.until.signed() <= t);
        match self.transitions.get(past) {
            Some(part) => (i64::from(part.offset).saturating_mul(SECOND), part.until.signed()),
            None => self.rule.at(t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_one_spelling() {
        for (text, seconds) in [
            ("+00:00", 0),
            ("+01:00", 3_600),
            ("-03:30", -12_600),
            ("+00:19:32", 1_172),
            ("-24:59:59", -89_999),
        ] {
            assert_eq!(Transition::parse_offset(text).unwrap(), seconds, "{text}");
        }
        for text in [
            "",
            "+",
            "-00:00",
            "01:00",
            "+1:00",
            "+01",
            "+25:00",
            "+01:60",
            "+01:00:00",
            "+01:00:",
            "\u{2212}01:00",
            "+01:00:01:00",
        ] {
            assert!(Transition::parse_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_agree_with_jiff() {
        for (rule, half) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", false),
            ("EST5EDT,M3.2.0,M11.1.0", false),
            ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", false),
            ("IST-2IDT,M3.4.4/26,M10.5.0", false),
            ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", false),
        ] {
            let ours = Zone::new("Test", rule).unwrap();
            let theirs = jiff::tz::TimeZone::posix(rule).unwrap();
            let step = if half { 1_800_001 } else { 3_600_001 };
            for t in (0..40_000).map(|n| 1_700_000_000_000 + n * step) {
                let there = jiff::Timestamp::from_millisecond(t).unwrap();
                assert_eq!(
                    i64::from(theirs.to_offset(there).seconds()) * SECOND,
                    ours.at(t).0,
                    "{rule} {t}"
                );
            }
        }
    }
}
