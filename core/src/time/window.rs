//! Half-open windows, and the calendar's in UTC.

use super::{Cycle, Timestamp};

/// The instants from `start`, inclusive, to `end`, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Window {
    /// Every instant: the window of what counts over a whole subscription. It never closes.
    pub const ALWAYS: Window = Window { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether the instant lies in the window. [`Timestamp::MAX`], which no end can follow, belongs to
    /// the windows that end there.
    #[must_use]
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && (t < self.end || (t == self.end && t == Timestamp::MAX))
    }
}

/// A period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From minute 0.
    Hour,
    /// From midnight.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// From the first day of the month.
    Month,
    /// From 1 January.
    Year,
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Period; 5] =
        [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

    /// The name as a plan has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Year => "year",
        }
    }

    /// The period of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Period::ALL.into_iter().find(|period| period.as_str() == name)
    }

    /// The calendar window in UTC that contains the instant.
    ///
    /// The windows at the edges are cut to the range of [`Timestamp`]: the first week starts on
    /// Thursday, 1970-01-01, and the last windows end with the year 9999.
    ///
    /// ```
    /// use counterfoil::time::Period;
    ///
    /// let month = Period::Month.window("2028-02-29T12:00:00Z".parse()?);
    /// assert_eq!(month.start.to_string(), "2028-02-01T00:00:00.000Z");
    /// assert_eq!(month.end.to_string(), "2028-03-01T00:00:00.000Z");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    #[must_use]
    pub fn window(self, t: Timestamp) -> Window {
        Cycle::calendar(self).window(None, Timestamp::MIN, t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn window(period: Period, t: &str) -> (alloc::string::String, alloc::string::String) {
        let window = period.window(t.parse().unwrap());
        (window.start.to_string(), window.end.to_string())
    }

    #[test]
    fn known_windows() {
        for (period, t, start, end) in [
            (Period::Hour, "2026-11-24T06:59:59.999Z", "2026-11-24T06", "2026-11-24T07"),
            (Period::Day, "2026-12-31T23:59:59.999Z", "2026-12-31T00", "2027-01-01T00"),
            (Period::Week, "2026-11-29T23:00:00Z", "2026-11-23T00", "2026-11-30T00"),
            (Period::Week, "2026-11-30T00:00:00Z", "2026-11-30T00", "2026-12-07T00"),
            (Period::Week, "1970-01-01T00:00:00Z", "1970-01-01T00", "1970-01-05T00"),
            (Period::Month, "2026-12-24T06:00:00Z", "2026-12-01T00", "2027-01-01T00"),
            (Period::Month, "2100-02-28T06:00:00Z", "2100-02-01T00", "2100-03-01T00"),
            (Period::Year, "2026-12-24T06:00:00Z", "2026-01-01T00", "2027-01-01T00"),
        ] {
            let suffix = ":00:00.000Z";
            assert_eq!(
                window(period, t),
                (start.to_string() + suffix, end.to_string() + suffix),
                "{period:?} {t}"
            );
        }
    }

    #[test]
    fn the_last_windows_end_with_time() {
        for period in Period::ALL {
            let last = period.window(Timestamp::MAX);
            assert_eq!(last.end, Timestamp::MAX);
            assert!(last.contains(Timestamp::MAX) && last.contains(last.start));
            assert_eq!(Period::parse(period.as_str()), Some(period));
        }
        assert_eq!(Period::parse("Day"), None);
    }

    proptest! {
        #[test]
        fn windows_tile_time(millis in 0..Timestamp::MAX.millis(), other in 0..Timestamp::MAX.millis()) {
            let (t, other) = (Timestamp::from_millis(millis).unwrap(), Timestamp::from_millis(other).unwrap());
            for period in Period::ALL {
                let w = period.window(t);
                prop_assert!(w.contains(t));
                prop_assert_eq!(period.window(w.start), w);
                prop_assert!(w.end == Timestamp::MAX || period.window(w.end).start == w.end);
                prop_assert_eq!(w.contains(other), period.window(other) == w);
            }
        }

        #[test]
        fn starts_agree_with_jiff(millis in 0..Timestamp::MAX.millis()) {
            let t = Timestamp::from_millis(millis).unwrap();
            let Ok(there) = jiff::Timestamp::from_millisecond(t.signed()) else { return Ok(()) };
            let day = jiff::tz::Offset::UTC.to_datetime(there).date();
            let monday = day.checked_sub(jiff::Span::new().days(day.weekday().to_monday_zero_offset())).unwrap();
            for (period, want) in [
                (Period::Day, day),
                (Period::Week, monday.max(jiff::civil::date(1970, 1, 1))),
                (Period::Month, day.first_of_month()),
                (Period::Year, day.first_of_year()),
            ] {
                let got = period.window(t).start.to_string();
                prop_assert_eq!(&got[..10], want.to_string());
            }
        }
    }
}
