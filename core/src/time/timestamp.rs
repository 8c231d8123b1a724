//! Instants in Unix milliseconds and as text.

use core::{fmt, str::FromStr};

pub use encapsulate::Timestamp;

use super::{calendar::Date, cursor::Cursor};
use crate::error::{Code, Error, Result};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// Nothing outside this module can make a [`Timestamp`] beyond the year 9999.
mod encapsulate {
    /// An instant: Unix milliseconds (POSIX time, no leap seconds) from 1970-01-01T00:00:00.000Z to
    /// 9999-12-31T23:59:59.999Z.
    ///
    /// ```
    /// use counterfoil::time::Timestamp;
    ///
    /// let t: Timestamp = "2026-11-24T07:00:00+01:00".parse()?;
    /// assert_eq!(t.millis(), 1_795_500_000_000);
    /// assert_eq!(t.to_string(), "2026-11-24T06:00:00.000Z");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct Timestamp(u64);

    impl Timestamp {
        /// 1970-01-01T00:00:00.000Z.
        pub const MIN: Timestamp = Timestamp(0);
        /// 9999-12-31T23:59:59.999Z.
        pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

        pub(super) const fn within_range(millis: u64) -> Option<Self> {
            if millis <= Self::MAX.0 { Some(Timestamp(millis)) } else { None }
        }

        /// Milliseconds since 1970-01-01T00:00:00Z.
        #[inline]
        #[must_use]
        pub const fn millis(self) -> u64 {
            self.0
        }
    }
}

impl Timestamp {
    /// The instant this many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`Code::TimeInvalid`] after the year 9999.
    pub fn from_millis(millis: u64) -> Result<Self> {
        Timestamp::within_range(millis).ok_or_else(|| {
            Error::new(Code::TimeInvalid).value(millis).because("after the year 9999")
        })
    }

    /// The instant this many milliseconds later.
    ///
    /// # Errors
    /// [`Code::TimeInvalid`] after the year 9999.
    pub fn checked_add(self, millis: u64) -> Result<Self> {
        Timestamp::from_millis(self.millis().saturating_add(millis))
    }

    /// From signed milliseconds, if they are in range.
    fn from_signed(millis: i64) -> Option<Self> {
        u64::try_from(millis).ok().and_then(Timestamp::within_range)
    }

    /// From signed milliseconds, the nearest instant where they are out of range.
    pub(super) fn nearest(millis: i64) -> Self {
        if millis < 0 {
            Timestamp::MIN
        } else {
            Timestamp::from_signed(millis).unwrap_or(Timestamp::MAX)
        }
    }

    /// Milliseconds as a signed number: 48 bits at most.
    pub(super) fn signed(self) -> i64 {
        self.millis().try_into().unwrap_or(i64::MAX)
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-24T06:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.signed();
        let date = Date::from_days(millis / DAY);
        let (hour, minute) = (millis % DAY / HOUR, millis % HOUR / MINUTE);
        let (second, milli) = (millis % MINUTE / SECOND, millis % SECOND);
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads RFC 3339 with `Z` or an offset, and `YYYY-MM-DD hh:mm:ss` (a space and no offset) as UTC;
/// both with up to 9 digits of a second, cut to milliseconds. A 60th second is refused: Unix time has
/// none.
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut cursor = Cursor(text.as_bytes());
        cursor
            .instant()
            .filter(|_| cursor.0.is_empty())
            .and_then(Timestamp::from_signed)
            .ok_or_else(|| {
                Error::new(Code::TimeInvalid).value(text).because("expected rfc 3339, 1970 to 9999")
            })
    }
}

#[cfg(feature = "serde")]
crate::serde_text::as_text!(Timestamp, "an instant of RFC 3339");

impl Cursor<'_> {
    fn instant(&mut self) -> Option<i64> {
        let year = self.digits(4)?;
        self.take(b'-')?;
        let month = self.digits(2)?;
        self.take(b'-')?;
        let day = Date::new(year, month, self.digits(2)?)?.days();
        let separator = self.one()?;
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        self.take(b':')?;
        let minute = self.digits(2).filter(|minute| *minute < 60)?;
        self.take(b':')?;
        let second = self.digits(2).filter(|second| *second < 60)?;
        let milli = if self.take(b'.').is_some() { self.fraction()? } else { 0 };
        let offset = match separator {
            b'T' | b't' => self.numeric_offset()?,
            b' ' => 0,
            _ => return None,
        };
        [
            day.checked_mul(DAY)?,
            hour.checked_mul(HOUR)?,
            minute.checked_mul(MINUTE)?,
            second.checked_mul(SECOND)?,
        ]
        .into_iter()
        .try_fold(milli, i64::checked_add)?
        .checked_sub(offset)
    }

    /// `Z` or `±hh:mm`, in milliseconds east of Greenwich.
    fn numeric_offset(&mut self) -> Option<i64> {
        let sign = match self.one()? {
            b'Z' | b'z' => return Some(0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        self.take(b':')?;
        let minute = self.digits(2).filter(|minute| *minute < 60)?;
        hour.checked_mul(HOUR)?.checked_add(minute.checked_mul(MINUTE)?)?.checked_mul(sign)
    }

    /// One to nine digits of a second, cut to milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.run_of_digits();
        if !(1..=9).contains(&count) {
            return None;
        }
        let mut nanos = self.digits(count)?;
        for _ in count..9 {
            nanos = nanos.checked_mul(10)?;
        }
        Some(nanos / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn reads_both_forms() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 00:00:00", 0),
            ("1969-12-31T23:30:00-01:00", 1_800_000),
            ("2026-11-24T06:00:00.000Z", 1_795_500_000_000),
            ("2026-11-24 06:00:00.5", 1_795_500_000_500),
            ("2026-11-24t06:00:00.123456789z", 1_795_500_000_123),
            ("2026-11-24T11:30:00.0001+05:30", 1_795_500_000_000),
            ("2026-11-23T22:00:00-08:00", 1_795_500_000_000),
            ("2024-02-29T12:00:00-00:00", 1_709_208_000_000),
            ("9999-12-31T23:59:59.999999999Z", Timestamp::MAX.millis()),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().millis(), millis, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T06:00Z",
            "2026-11-24T06:00:00",
            "2026-11-24 06:00:00Z",
            "2026-11-24T06:00:00.Z",
            "2026-11-24T06:00:00.1234567890Z",
            "2026-11-24T06:00:60Z",
            "2026-11-24T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-24T06:00:00+0100",
            "2026-11-24T06:00:00+24:00",
            "2026-11-24T06:00:00Z ",
            "+2026-11-24T06:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２026-11-24T06:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap_err().code(), Code::TimeInvalid, "{text}");
        }
        assert_eq!(
            Timestamp::from_millis(Timestamp::MAX.millis() + 1).unwrap_err().code(),
            Code::TimeInvalid
        );
        assert_eq!(Timestamp::MAX.checked_add(1).unwrap_err().code(), Code::TimeInvalid);
        assert_eq!(Timestamp::MIN.checked_add(u64::MAX).unwrap_err().code(), Code::TimeInvalid);
        assert_eq!(Timestamp::MAX.checked_add(0).unwrap(), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(millis in 0..=Timestamp::MAX.millis(), offset in -1439..1440i64) {
            let t = Timestamp::from_millis(millis).unwrap();
            prop_assert_eq!(t.to_string().parse::<Timestamp>().unwrap(), t);
            if let Ok(want) = jiff::Timestamp::from_millisecond(t.signed()) {
                prop_assert_eq!(alloc::format!("{want:.3}"), t.to_string());
                prop_assert_eq!(t.to_string().parse::<jiff::Timestamp>().unwrap(), want);
                // The same instant as it is written elsewhere.
                let local = Timestamp::from_millis(millis.saturating_add_signed(offset * MINUTE));
                if let Ok(local) = local && local.signed() - t.signed() == offset * MINUTE {
                    let text = local.to_string();
                    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs());
                    let text = alloc::format!("{}{sign}{:02}:{:02}", text.trim_end_matches('Z'), minutes / 60, minutes % 60);
                    prop_assert_eq!(text.parse::<Timestamp>().unwrap(), t);
                    prop_assert_eq!(text.parse::<jiff::Timestamp>().unwrap(), want);
                }
            }
        }
    }
}
