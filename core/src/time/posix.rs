//! A yearly rule for a zone's offset, in the notation of POSIX.

use super::{
    calendar::{Date, is_leap, month_start, year_start},
    cursor::Cursor,
    timestamp::{DAY, HOUR, MINUTE, SECOND},
};

/// No change is as many days out of its year: 167 hours, and an offset of 24.
const SPREAD: i64 = 9;

/// Two offsets from UTC and the two instants of each year at which one follows the other; or one
/// offset alone. Offsets are milliseconds east of Greenwich.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

/// When a clock is off standard time: from `starts`, on the standard clock, to `ends`, on this one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i64,
    starts: Change,
    ends: Change,
}

/// A day of every year, and the milliseconds from its midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    day: Day,
    time: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365; 29 February has no number.
    Counted(i64),
    /// `n`: 0 to 365; 29 February counts.
    Index(i64),
    /// `Mm.w.d`: the w-th weekday d (0 is Sunday) of month m; the fifth is the last.
    Weekday { month: i64, week: i64, day: i64 },
}

impl Rule {
    /// Reads `std offset [dst [offset] , start [/time] , end [/time]]` (POSIX.1-2017, 8.3). A rule
    /// with summer time says when: POSIX leaves that open. Hours of a time go from −167 to 167 (RFC
    /// 8536, 3.3.1).
    pub(super) fn parse(text: &str) -> Option<Rule> {
        let mut cursor = Cursor(text.as_bytes());
        cursor.name()?;
        let standard = cursor.offset()?;
        let summer = if cursor.0.is_empty() { None } else { Some(cursor.summer(standard)?) };
        cursor.0.is_empty().then_some(Rule { standard, summer })
    }

    /// The offset at an instant, and the first instant after it at which another may begin.
    ///
    /// The latest change at or before the instant decides. Of two at one instant it is the later
    /// year's (summer time that ends when it starts again lasts for ever), in one year the end.
    pub(super) fn at(&self, t: i64) -> (i64, i64) {
        let Some(summer) = &self.summer else { return (self.standard, i64::MAX) };
        let year = Date::from_days(t.div_euclid(DAY)).year();
        // The last change at or before the instant: when, of which year, what begins. Then the next.
        let (mut last, mut next) = ((i64::MIN, i64::MIN, self.standard), i64::MAX);
        for distance in [0, 1, -1, 2, -2] {
            let year = year.saturating_add(distance);
            // No change of this year can matter if those known are nearer to the instant.
            let (first, end) = (year_start(year), year_start(year.saturating_add(1)));
            let early = first.saturating_sub(SPREAD).saturating_mul(DAY);
            let late = end.saturating_add(SPREAD).saturating_mul(DAY);
            if (early > t && early > next) || (late <= t && late <= last.0) {
                continue;
            }
            for (at, offset) in [
                (summer.starts.local(year).saturating_sub(self.standard), summer.offset),
                (summer.ends.local(year).saturating_sub(summer.offset), self.standard),
            ] {
                if at > t {
                    next = next.min(at);
                } else if (at, year) >= (last.0, last.1) {
                    last = (at, year, offset);
                }
            }
        }
        (last.2, next)
    }
}

impl Change {
    /// The change on the clock before it, in milliseconds after 1970-01-01T00:00 of that clock.
    fn local(&self, year: i64) -> i64 {
        let day = match self.day {
            Day::Counted(n) => {
                let skipped = i64::from(is_leap(year) && n >= 60);
                year_start(year).saturating_add(n).saturating_sub(1).saturating_add(skipped)
            }
            Day::Index(n) => year_start(year).saturating_add(n),
            Day::Weekday { month, week, day } => {
                let first = month_start(year, month);
                // 1970-01-01 was a Thursday, day 4.
                let to_first = day.saturating_sub(first.saturating_add(4)).rem_euclid(7);
                let weeks = week.saturating_sub(1).saturating_mul(7);
                let found = first.saturating_add(to_first).saturating_add(weeks);
                let beyond = found >= month_start(year, month.saturating_add(1));
                if beyond { found.saturating_sub(7) } else { found }
            }
        };
        day.saturating_mul(DAY).saturating_add(self.time)
    }
}

impl Cursor<'_> {
    /// At least three letters; or, in `<` and `>`, letters, digits, `+` and `-`.
    fn name(&mut self) -> Option<()> {
        let quoted = self.take(b'<').is_some();
        let part = |b: &&u8| match quoted {
            true => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-'),
            false => b.is_ascii_alphabetic(),
        };
        let length = self.0.iter().take_while(part).count();
        self.0 = self.0.get(length..)?;
        if quoted {
            self.take(b'>')?;
        }
        (length >= 3).then_some(())
    }

    /// What POSIX counts west of Greenwich, as milliseconds east of it.
    fn offset(&mut self) -> Option<i64> {
        Some(self.clock(24)?.saturating_neg())
    }

    fn summer(&mut self, standard: i64) -> Option<Summer> {
        self.name()?;
        let given = self.0.first().is_some_and(|b| *b != b',');
        let offset = if given { self.offset()? } else { standard.saturating_add(HOUR) };
        let starts = self.change()?;
        let ends = self.change()?;
        Some(Summer { offset, starts, ends })
    }

    fn change(&mut self) -> Option<Change> {
        self.take(b',')?;
        let day = if self.take(b'J').is_some() {
            Day::Counted(self.number(3, 1, 365)?)
        } else if self.take(b'M').is_some() {
            let month = self.number(2, 1, 12)?;
            self.take(b'.')?;
            let week = self.number(1, 1, 5)?;
            self.take(b'.')?;
            Day::Weekday { month, week, day: self.number(1, 0, 6)? }
        } else {
            Day::Index(self.number(3, 0, 365)?)
        };
        let time = if self.take(b'/').is_some() { self.clock(167)? } else { 2 * HOUR };
        Some(Change { day, time })
    }

    /// `[+|-]hh[:mm[:ss]]` in milliseconds.
    fn clock(&mut self, most: i64) -> Option<i64> {
        let minus = self.take(b'-').is_some();
        if !minus {
            let _sign = self.take(b'+');
        }
        let mut millis = self.number(3, 0, most)?.checked_mul(HOUR)?;
        for unit in [MINUTE, SECOND] {
            if self.take(b':').is_none() {
                break;
            }
            millis = millis.checked_add(self.number(2, 0, 59)?.checked_mul(unit)?)?;
        }
        Some(if minus { millis.saturating_neg() } else { millis })
    }

    /// One to `digits` digits, from `least` to `most`.
    fn number(&mut self, digits: usize, least: i64, most: i64) -> Option<i64> {
        let count = self.run_of_digits();
        if !(1..=digits).contains(&count) {
            return None;
        }
        self.digits(count).filter(|value| (least..=most).contains(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_posix_has() {
        for text in [
            "UTC0",
            "EST5EDT,M3.2.0,M11.1.0",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
            "IST-2IDT,M3.4.4/26,M10.5.0",
            "XXX3EDT4,0/0,J365/23",
            "AAA+5:30:15BBB,J60/167:59:59,365/-167",
        ] {
            assert!(Rule::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        for text in [
            "",
            "CET",
            "CE-1",
            ":Europe/Berlin",
            "Europe/Berlin",
            "<CE>-1",
            "<CET-1",
            "CET-25",
            "CET-1:60",
            "CET-1CEST",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.0.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,J0,J365",
            "CET-1CEST,J1,J366",
            "CET-1CEST,0,366",
            "CET-1CEST,M3.5.0/168,M10.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/3 ",
            "CET-1CEST,M3.5.0,M10.5.0/3,",
            "CET-0001",
            "C\u{c9}T-1",
        ] {
            assert!(Rule::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn summer_time_without_end() {
        let rule = Rule::parse("EST5EDT,0/0,J365/25").unwrap();
        for t in [0, 1_767_225_599_999, 1_767_243_600_000, 1_767_243_599_999, 1_783_000_000_000] {
            assert_eq!(rule.at(t).0, -4 * HOUR);
        }
    }
}
