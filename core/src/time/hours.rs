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
        minute_of(of_week(wall))
    }

    /// The first instant after `at` at which these hours begin, if they are not now, or end; `None` if
    /// they never do.
    pub(crate) fn changes_at(&self, zone: Option<&Zone>, at: Timestamp) -> Option<Timestamp> {
        if matches!(self.ranges.as_slice(), [] | [(0, OF_WEEK)]) {
            return None;
        }
        let now = self.contains(zone, at);
        let mut t = at.signed();
        // In an offset that stays for a week the hours change at the first or the second edge, and no
        // zone has an offset for every day up to the year 9999.
        while t <= Timestamp::MAX.signed() {
            let (offset, until) = zone.map_or((0, i64::MAX), |zone| zone.at(t));
            let shown = of_week(t.saturating_add(offset));
            if self.has(minute_of(shown)) != now {
                return Some(Timestamp::nearest(t));
            }
            let edges = self.ranges.iter().flat_map(|(start, end)| [*start, *end]);
            let ahead = edges.map(|edge| {
                match i64::from(edge).saturating_mul(MINUTE).saturating_sub(shown) {
                    ahead if ahead > 0 => ahead,
                    behind => behind.saturating_add(i64::from(OF_WEEK).saturating_mul(MINUTE)),
                }
            });
            t = t.saturating_add(ahead.min()?).min(until);
        }
        None
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

/// How far local time is into its week, in milliseconds. 1970-01-01 was a Thursday, three days after a
/// Monday.
fn of_week(wall: i64) -> i64 {
    wall.saturating_add(3 * DAY).rem_euclid(7 * DAY)
}

/// The minute of the week that a time of the week is in.
fn minute_of(time: i64) -> u16 {
    time.div_euclid(MINUTE).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, string::ToString};

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

    #[test]
    fn hours_change_where_the_clock_on_the_wall_says() {
        let berlin = Zone::new("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let nights = added(&[(6, 120, 180)]); // 02:00 to 03:00 on Sunday
        let next =
            |zone, at: &str| nights.changes_at(zone, at.parse().unwrap()).unwrap().to_string();
        assert_eq!(next(None, "2026-03-28T12:00:00Z"), "2026-03-29T02:00:00.000Z");
        assert_eq!(next(None, "2026-03-29T02:00:00Z"), "2026-03-29T03:00:00.000Z");
        // The hour that the clock leaves out, and the one that it shows twice.
        assert_eq!(next(Some(&berlin), "2026-03-28T12:00:00Z"), "2026-04-05T00:00:00.000Z");
        assert_eq!(next(Some(&berlin), "2026-10-25T00:30:00Z"), "2026-10-25T02:00:00.000Z");
        assert_eq!(added(&[]).changes_at(None, Timestamp::MIN), None);
        assert_eq!(nights.changes_at(None, Timestamp::MAX), None);
    }

    proptest! {
        /// Minute by minute: nothing changes before, and there it does.
        #[test]
        fn the_next_change_is_the_first(
            parts in proptest::collection::vec((0..7_u16, 0..1_440_u16, 0..1_440_u16), 1..4),
            minute in 0..30_000_i64,
        ) {
            let hours = added(&parts);
            let zone = Zone::new("X", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
            let at = Timestamp::nearest(1_774_000_000_000 + minute * MINUTE + 1);
            let now = hours.contains(Some(&zone), at);
            let change = hours.changes_at(Some(&zone), at);
            let later = (1..20_200).map(|n| Timestamp::nearest((at.signed() / MINUTE + n) * MINUTE));
            let first = later.into_iter().find(|t| hours.contains(Some(&zone), *t) != now);
            prop_assert_eq!(change, first);
        }

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
