//! Windows that look back from an instant, so many periods long, in buckets.

use super::{Period, Timestamp, Window, timestamp::DAY, timestamp::HOUR};
use crate::error::{Code, Error, Result};

/// The most periods that a window looks back.
const MAX_COUNT: u64 = 366;
/// The most buckets of a window.
const MAX_BUCKETS: u64 = 100;

/// What lies in the last so many hours, days or weeks.
///
/// Time is cut into *buckets*, from 1970-01-01 on, of which the period has a fixed number. What is
/// counted is remembered by bucket, so memory is bounded. A window ends with the bucket that an
/// instant lies in, and begins one whole period before that bucket: it looks back at least the period,
/// and at most one bucket more. So no span as long as the period ever has more than the window shows.
///
/// ```
/// use counterfoil::time::{Period, Rolling};
///
/// let day = Rolling::new(Period::Day, 1, 24)?;
/// let bucket = day.bucket("2026-11-24T06:59:59.999Z".parse()?);
/// assert_eq!(bucket.start.to_string(), "2026-11-24T06:00:00.000Z");
/// let window = day.window(bucket);
/// assert_eq!(window.start.to_string(), "2026-11-23T06:00:00.000Z");
/// assert_eq!(window.end, bucket.end);
/// // The first instant that no longer sees what this bucket has.
/// assert_eq!(day.reach(bucket).end.to_string(), "2026-11-25T07:00:00.000Z");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    last: Period,
    count: u16,
    buckets: u8,
    /// Milliseconds of one bucket.
    bucket: u64,
}

impl Rolling {
    /// The last `count` periods, 1 to 366, in `buckets` buckets, 1 to 100, each of the same whole number of
    /// milliseconds.
    ///
    /// # Errors
    /// `plan_invalid` for a month or a year, which have no fixed length, and for another count or number
    /// of buckets.
    pub fn new(last: Period, count: u64, buckets: u64) -> Result<Rolling> {
        let refused = |value, why| Err(Error::new(Code::PlanInvalid).value(value).because(why));
        let period = match last {
            Period::Hour => HOUR,
            Period::Day => DAY,
            Period::Week => 7 * DAY,
            Period::Month | Period::Year => {
                return Err(Error::new(Code::PlanInvalid)
                    .value(last.as_str())
                    .because("hours, days and weeks have a fixed length"));
            }
        };
        let Some(periods) = u16::try_from(count).ok().filter(|_| (1..=MAX_COUNT).contains(&count))
        else {
            return refused(count, "a window has 1 to 366 periods");
        };
        let length = period.unsigned_abs().saturating_mul(count);
        let number = u8::try_from(buckets).ok().filter(|_| (1..=MAX_BUCKETS).contains(&buckets));
        let (Some(number), Some(0)) = (number, length.checked_rem(buckets)) else {
            return refused(buckets, "1 to 100 buckets, of whole milliseconds each");
        };
        let bucket = length.checked_div(buckets).unwrap_or(length);
        Ok(Rolling { last, count: periods, buckets: number, bucket })
    }

    /// The period that is counted.
    #[must_use]
    pub const fn last(self) -> Period {
        self.last
    }

    /// How many periods a window looks back.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// How many buckets the periods have together.
    #[must_use]
    pub const fn buckets(self) -> u8 {
        self.buckets
    }

    /// The bucket that the instant lies in.
    #[must_use]
    pub fn bucket(self, at: Timestamp) -> Window {
        // The last instant of all, which no end can follow, is in the bucket before it.
        let at = at.millis().min(Timestamp::MAX.millis().saturating_sub(1));
        let start = at.saturating_sub(at.checked_rem(self.bucket).unwrap_or(0));
        Window { start: instant(start), end: instant(start.saturating_add(self.bucket)) }
    }

    /// The window that ends with a bucket.
    #[must_use]
    pub fn window(self, bucket: Window) -> Window {
        let back = self.bucket.saturating_mul(u64::from(self.buckets));
        Window { start: instant(bucket.start.millis().saturating_sub(back)), end: bucket.end }
    }

    /// The instants whose windows have the bucket. One that ends with all time has no end.
    #[must_use]
    pub fn reach(self, bucket: Window) -> Window {
        let whole = u64::from(self.buckets).saturating_add(1).saturating_mul(self.bucket);
        Window { start: bucket.start, end: instant(bucket.start.millis().saturating_add(whole)) }
    }
}

fn instant(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rolling() -> impl Strategy<Value = Rolling> {
        let period = proptest::sample::select(&[Period::Hour, Period::Day, Period::Week][..]);
        (period, 1..=366_u64, 1..=100_u64)
            .prop_filter_map("whole milliseconds", |(last, count, buckets)| {
                Rolling::new(last, count, buckets).ok()
            })
    }

    #[test]
    fn what_has_no_fixed_length_or_no_whole_buckets_is_refused() {
        for (last, count, buckets) in [
            (Period::Month, 1, 30),
            (Period::Year, 1, 12),
            (Period::Day, 0, 24),
            (Period::Day, 367, 24),
            (Period::Day, 1, 0),
            (Period::Week, 1, 101),
            (Period::Hour, 1, 7),
        ] {
            let error = Rolling::new(last, count, buckets).unwrap_err();
            assert_eq!(error.code(), Code::PlanInvalid);
        }
        assert!(Rolling::new(Period::Week, 366, 100).is_ok());
    }

    proptest! {
        #[test]
        fn a_window_looks_back_the_period_and_less_than_a_bucket_more(
            rolling in rolling(), millis in 0..Timestamp::MAX.millis(), other in any::<u64>()
        ) {
            let at = instant(millis);
            let bucket = rolling.bucket(at);
            let window = rolling.window(bucket);
            prop_assert!(bucket.contains(at) && window.contains(at));
            let whole = rolling.bucket * u64::from(rolling.buckets);
            if window.start > Timestamp::MIN {
                let back = millis - window.start.millis();
                prop_assert!((whole..whole + rolling.bucket).contains(&back), "{back}");
            }
            // An instant sees a bucket if and only if its window has it.
            let other = millis.saturating_sub(2 * whole) + other % (4 * whole);
            if let Ok(other) = Timestamp::from_millis(other)
                && other < Timestamp::MAX
            {
                let seen = rolling.window(rolling.bucket(other));
                let has = seen.start <= bucket.start && bucket.end <= seen.end;
                prop_assert_eq!(rolling.reach(bucket).contains(other), has);
            }
        }
    }
}
