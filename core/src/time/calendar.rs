//! The proleptic Gregorian calendar in integers.
//!
//! Days are counted from 1970-01-01. All values here are below 2³³, so the saturating operations
//! never saturate; they only spare an error that cannot happen.

/// A day of the calendar, in the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// Days from 0000-01-01 to 1970-01-01.
const TO_1970: i64 = 719_528;

impl Date {
    /// The day, if the calendar has it.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let valid = (0..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        valid.then_some(Date { year, month, day })
    }

    /// The day this many days after 1970-01-01.
    pub(super) fn from_days(days: i64) -> Self {
        // The mean length of a year is 146 097 / 400 days, so this is at most one year off.
        let guess = days.saturating_add(TO_1970).saturating_mul(400).div_euclid(146_097);
        let year = [guess.saturating_add(1), guess]
            .into_iter()
            .find(|year| year_start(*year) <= days)
            .unwrap_or(guess.saturating_sub(1));
        let past = days.saturating_sub(year_start(year));
        // No month is longer than 32 days: this is the month or the one before it.
        let guess = (past / 32).saturating_add(1);
        let later = days_before(year, guess.saturating_add(1)) <= past;
        let month = if later { guess.saturating_add(1) } else { guess };
        let day = past.saturating_sub(days_before(year, month)).saturating_add(1);
        Date { year, month, day }
    }

    /// Days after 1970-01-01.
    pub(super) fn days(self) -> i64 {
        month_start(self.year, self.month).saturating_add(self.day).saturating_sub(1)
    }

    pub(super) const fn year(self) -> i64 {
        self.year
    }

    pub(super) const fn month(self) -> i64 {
        self.month
    }

    pub(super) const fn day(self) -> i64 {
        self.day
    }
}

/// The first day of a year, in days after 1970-01-01.
pub(super) fn year_start(year: i64) -> i64 {
    // Leap years in 0..year are as many as in 400..year + 400, because the calendar repeats.
    let past = year.saturating_add(399);
    let leap = past
        .div_euclid(4)
        .saturating_sub(past.div_euclid(100))
        .saturating_add(past.div_euclid(400));
    // 96 of those counted are before the year 400.
    year.saturating_mul(365).saturating_add(leap.saturating_sub(96)).saturating_sub(TO_1970)
}

/// The first day of a month, in days after 1970-01-01. A thirteenth month is the next year's first.
pub(super) fn month_start(year: i64, month: i64) -> i64 {
    year_start(year).saturating_add(days_before(year, month))
}

/// Days of a year before one of its months, 1 to 13.
fn days_before(year: i64, month: i64) -> i64 {
    const COMMON: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let index = usize::try_from(month.saturating_sub(1)).unwrap_or_default();
    let common = COMMON.get(index).copied().unwrap_or(365);
    common.saturating_add(i64::from(month > 2 && is_leap(year)))
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (0, 1, 1, -TO_1970),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (2026, 11, 24, 20_781),
            (2100, 3, 1, 47_541),
            (9999, 12, 31, 2_932_896),
        ] {
            assert_eq!(Date::new(year, month, day).unwrap().days(), days);
        }
    }

    #[test]
    fn days_that_do_not_exist() {
        for (year, month, day) in [
            (2026, 2, 29),
            (2100, 2, 29),
            (2026, 4, 31),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 1, 0),
            (10_000, 1, 1),
        ] {
            assert_eq!(Date::new(year, month, day), None);
        }
    }

    #[test]
    fn days_agree_with_jiff() {
        for days in (-TO_1970..=2_932_896).step_by(13).chain([
            -TO_1970 + 59,
            -TO_1970 + 60,
            0,
            59,
            11_016,
            2_932_896,
        ]) {
            let date = Date::from_days(days);
            assert_eq!(date.days(), days);
            let epoch = jiff::civil::date(1970, 1, 1);
            let want = epoch.checked_add(jiff::Span::new().days(days)).unwrap();
            let got = (date.year, date.month, date.day);
            assert_eq!(got, (want.year().into(), want.month().into(), want.day().into()));
        }
    }

    #[test]
    fn first_and_last_days_of_every_year() {
        for year in 0..=9999 {
            let (first, last) = (year_start(year), year_start(year + 1) - 1);
            assert_eq!(Date::from_days(first), Date::new(year, 1, 1).unwrap());
            assert_eq!(Date::from_days(last), Date::new(year, 12, 31).unwrap());
            assert_eq!(last - first == 365, is_leap(year));
        }
    }
}
