//! Hours of the week, on the clock on the wall.

use alloc::vec::Vec;

use super::{
    Timestamp, Zone,
    timestamp::{DAY, MINUTE},
};

/// Minutes of a day, and of a week.
const OF_DAY: u16 = 24 * 60;
const OF_WEEK: u16 = 7 * OF_DAY;

/// A part of the week, to the minute of local time: when a price is for off-peak hours, say.
///
/// Two values that contain the same minutes are equal.
///
/// ```
/// use counterfoil::time::{Hours, Zone};
///
/// let mut nights = Hours::default();
/// nights.add(4, 22 * 60, 6 * 60); // from 22:00 on Friday until 06:00 on Saturday
/// assert!(nights.contains(None, "2026-11-28T05:59:59.999Z".parse()?));
/// assert!(!nights.contains(None, "2026-11-28T06:00:00Z".parse()?));
///
/// let shanghai = Zone::new("Asia/Shanghai", "CST-8")?;
/// assert!(nights.contains(Some(&shanghai), "2026-11-27T14:00:00Z".parse()?));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours {
    /// Half-open ranges of minutes from midnight on Monday, ascending, with minutes between them.
    ranges: Vec<(u16, u16)>,
}

impl Hours {
    /// Adds the minutes from `from` until before `until`, both of the day, 0 to 1439, on a day of the
    /// week (0 is Monday); until that time of the next day where it is not later, so a whole day where
    /// they are equal. Larger numbers count as the largest.
    pub fn add(&mut self, day: u16, from: u16, until: u16) {
        let (from, until) =
            (from.min(OF_DAY.saturating_sub(1)), until.min(OF_DAY.saturating_sub(1)));
        let length = match until.saturating_sub(from) {
            0 => OF_DAY.saturating_sub(from).saturating_add(until),
            length => length,
        };
        let start = day.min(6).saturating_mul(OF_DAY).saturating_add(from);
        let end = start.saturating_add(length);
        self.ranges.push((start, end.min(OF_WEEK)));
        if end > OF_WEEK {
            self.ranges.push((0, end.saturating_sub(OF_WEEK)));
        }
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, range| {
            let touches = next.0 <= range.1;
            if touches {
                range.1 = range.1.max(next.1);
            }
            touches
        });
    }

    /// Whether the clock on the wall shows one of these minutes at an instant; without a zone in UTC.
    #[must_use]
    pub fn contains(&self, zone: Option<&Zone>, at: Timestamp) -> bool {
        self.has(Hours::minute(zone, at))
    }

    /// The minute of the week that the clock on the wall shows, from midnight on Monday.
    pub(crate) fn minute(zone: Option<&Zone>, at: Timestamp) -> u16 {
        let wall = zone.map_or(at.signed(), |zone| zone.wall(at.signed()));
        // 1970-01-01 was a Thursday, three days after a Monday.
        let minute = wall.saturating_add(3 * DAY).div_euclid(MINUTE).rem_euclid(OF_WEEK.into());
        minute.try_into().unwrap_or_default()
    }

    /// Whether this minute of the week is one of these.
    pub(crate) fn has(&self, minute: u16) -> bool {
        self.ranges.iter().any(|(start, end)| (*start..*end).contains(&minute))
    }

    /// The minutes that are in both; `None` if there are none.
    #[must_use]
    pub fn meet(&self, other: &Hours) -> Option<Hours> {
        let mut ranges = Vec::new();
        for (start, end) in &self.ranges {
            for (from, until) in &other.ranges {
                let both = ((*start).max(*from), (*end).min(*until));
                if both.0 < both.1 {
                    ranges.push(both);
                }
            }
        }
        // Ranges of one value never touch, so neither do these, and they ascend.
        (!ranges.is_empty()).then_some(Hours { ranges })
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn minutes(hours: &Hours) -> BTreeSet<u16> {
        hours.ranges.iter().flat_map(|(start, end)| *start..*end).collect()
    }

    fn added(parts: &[(u16, u16, u16)]) -> Hours {
        let mut hours = Hours::default();
        parts.iter().for_each(|(day, from, until)| hours.add(*day, *from, *until));
        hours
    }

    #[test]
    fn ranges_wrap_and_join() {
        assert_eq!(added(&[(6, 1_380, 60)]).ranges, [(0, 60), (10_020, 10_080)]);
        assert_eq!(added(&[(0, 0, 0), (1, 0, 60)]).ranges, [(0, 1_500)]);
        assert_eq!(added(&[(2, 720, 720)]).ranges, [(3_600, 5_040)]);
        let whole: Vec<_> = (0..7).map(|day| (day, 90, 90)).collect();
        assert_eq!(added(&whole).ranges, [(0, 10_080)]);
        assert_eq!(added(&[]).meet(&added(&whole)), None);
    }

    proptest! {
        #[test]
        fn a_set_of_minutes(
            a in proptest::collection::vec((0..7_u16, 0..1_440_u16, 0..1_440_u16), 0..6),
            b in proptest::collection::vec((0..7_u16, 0..1_440_u16, 0..1_440_u16), 0..6),
            minute in 0..10_080_u16,
        ) {
            let (x, y) = (added(&a), added(&b));
            let mut want = BTreeSet::new();
            for (day, from, until) in a {
                let length = if from == until { 1_440 } else { (until + 1_440 - from) % 1_440 };
                want.extend((0..length).map(|n| (day * 1_440 + from + n) % 10_080));
            }
            prop_assert_eq!(&minutes(&x), &want);
            let both: BTreeSet<_> = want.intersection(&minutes(&y)).copied().collect();
            let met = x.meet(&y).unwrap_or_default();
            prop_assert_eq!(&minutes(&met), &both);
            prop_assert!(met.ranges.windows(2).all(|w| w[0].1 < w[1].0));
            // Monday, 1970-01-05.
            let at = 4 * DAY + i64::from(minute) * MINUTE + 59_999;
            let at = Timestamp::nearest(at);
            prop_assert_eq!(x.contains(None, at), want.contains(&minute));
        }
    }
}
