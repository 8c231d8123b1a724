//! Windows that follow each other without end: of the calendar, or counted from an anchor.

use super::{
    Period, Timestamp, Window, Zone,
    calendar::{Date, days_in_month, month_start},
    timestamp::{DAY, HOUR},
};
use crate::error::{Code, Error, Result};

/// The most periods in one window.
const MAX_COUNT: u64 = 366;

/// How time is cut into windows: so many periods each, counted from an anchor.
///
/// ```
/// use counterfoil::time::{Anchor, Cycle, Period};
///
/// let monthly = Cycle::anchored(Period::Month, 1, Anchor::Start)?;
/// let start = "2026-01-31T08:30:00Z".parse()?;
/// let window = monthly.window(None, start, "2026-03-01T00:00:00Z".parse()?);
/// assert_eq!(window.start.to_string(), "2026-02-28T08:30:00.000Z");
/// assert_eq!(window.end.to_string(), "2026-03-31T08:30:00.000Z");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    every: Period,
    count: u16,
    anchor: Anchor,
}

/// Where the counting of windows begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// With the calendar: minute 0, midnight, Monday, the first of the month, 1 January.
    Calendar,
    /// With the subscription's start.
    Start,
    /// With an instant of the plan's.
    At(Timestamp),
}

impl Cycle {
    /// The windows of the calendar.
    #[must_use]
    pub const fn calendar(every: Period) -> Cycle {
        Cycle { every, count: 1, anchor: Anchor::Calendar }
    }

    /// Windows of `count` periods, 1 to 366, counted from an anchor in both directions.
    ///
    /// # Errors
    /// `plan_invalid` for another count.
    pub fn anchored(every: Period, count: u64, anchor: Anchor) -> Result<Cycle> {
        let fits = u16::try_from(count).ok().filter(|_| (1..=MAX_COUNT).contains(&count));
        let count = fits.ok_or_else(|| {
            Error::new(Code::PlanInvalid).value(count).because("a window has 1 to 366 periods")
        })?;
        Ok(Cycle { every, count, anchor })
    }

    /// The period that is counted.
    #[must_use]
    pub const fn every(self) -> Period {
        self.every
    }

    /// How many periods one window has.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// Where the counting begins.
    #[must_use]
    pub const fn anchor(self) -> Anchor {
        self.anchor
    }

    /// The window that contains the instant, for a subscription that started at `start`; without a
    /// zone in UTC. Windows of hours are so many hours long, whatever the zone's clock does.
    #[must_use]
    pub fn window(self, zone: Option<&Zone>, start: Timestamp, at: Timestamp) -> Window {
        let zone = zone.filter(|_| self.every != Period::Hour);
        let wall = |t: Timestamp| zone.map_or(t.signed(), |zone| zone.wall(t.signed()));
        let anchor = match self.anchor {
            // The Monday before 1970-01-01, a Thursday.
            Anchor::Calendar if self.every == Period::Week => (-3_i64).saturating_mul(DAY),
            Anchor::Calendar => 0,
            Anchor::Start => wall(start),
            Anchor::At(instant) => wall(instant),
        };
        // The last instant of all, which no end can follow, is in the window before it.
        let at = at.signed().min(Timestamp::MAX.signed().saturating_sub(1));
        let latest = zone.map_or(at, |zone| zone.latest(at));
        let (from, to) = self.around(anchor, latest);
        let first = |wall: i64| Timestamp::nearest(zone.map_or(wall, |zone| zone.first(wall)));
        Window { start: first(from), end: first(to) }
    }

    /// The turns of the cycle at or before a local time, and after it. An instant has 48 bits:
    /// nothing here saturates.
    fn around(self, anchor: i64, wall: i64) -> (i64, i64) {
        let count = i64::from(self.count);
        let fixed = match self.every {
            Period::Hour => HOUR,
            Period::Day => DAY,
            Period::Week => 7 * DAY,
            Period::Month => return around_months(anchor, wall, count),
            Period::Year => return around_months(anchor, wall, count.saturating_mul(12)),
        };
        let step = fixed.saturating_mul(count);
        let past = wall.saturating_sub(anchor).rem_euclid(step);
        let from = wall.saturating_sub(past);
        (from, from.saturating_add(step))
    }
}

/// Every turn is counted from the anchor, and never from the turn before it: 31 January, 28 February,
/// 31 March.
fn around_months(anchor: i64, wall: i64, months: i64) -> (i64, i64) {
    let month = |date: Date| date.year().saturating_mul(12).saturating_add(date.month());
    let date = |wall: i64| Date::from_days(wall.div_euclid(DAY));
    let first = date(anchor);
    let turn = |number: i64| {
        let month = month(first).saturating_add(number.saturating_mul(months)).saturating_sub(1);
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12).saturating_add(1));
        let day = first.day().min(days_in_month(year, month)).saturating_sub(1);
        month_start(year, month)
            .saturating_add(day)
            .saturating_mul(DAY)
            .saturating_add(anchor.rem_euclid(DAY))
    };
    let number = month(date(wall)).saturating_sub(month(first)).div_euclid(months);
    let found = turn(number);
    if found > wall {
        (turn(number.saturating_sub(1)), found)
    } else {
        (found, turn(number.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::time::Transition;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The starts of the windows that follow each other from `from` on, in short.
    fn starts(
        cycle: Cycle,
        zone: Option<&Zone>,
        start: &str,
        from: &str,
        n: usize,
    ) -> Vec<alloc::string::String> {
        let mut t = at(from);
        (0..n)
            .map(|_| {
                let window = cycle.window(zone, at(start), t);
                t = window.end;
                window.start.to_string()[..16].into()
            })
            .collect()
    }

    #[test]
    fn short_months_are_clamped_and_left_again() {
        let monthly = Cycle::anchored(Period::Month, 1, Anchor::Start).unwrap();
        let start = "2027-01-31T08:30:00Z";
        assert_eq!(
            starts(monthly, None, start, start, 5),
            [
                "2027-01-31T08:30",
                "2027-02-28T08:30",
                "2027-03-31T08:30",
                "2027-04-30T08:30",
                "2027-05-31T08:30"
            ]
        );
        let yearly = Cycle::anchored(Period::Year, 1, Anchor::Start).unwrap();
        let start = "2024-02-29T00:00:00Z";
        assert_eq!(
            starts(yearly, None, start, start, 5),
            [
                "2024-02-29T00:00",
                "2025-02-28T00:00",
                "2026-02-28T00:00",
                "2027-02-28T00:00",
                "2028-02-29T00:00"
            ]
        );
    }

    #[test]
    fn windows_stand_before_the_anchor_too() {
        let quarterly =
            Cycle::anchored(Period::Month, 3, Anchor::At(at("2026-08-31T00:00:00Z"))).unwrap();
        assert_eq!(
            starts(quarterly, None, "2026-01-01T00:00:00Z", "2025-12-01T00:00:00Z", 4),
            ["2025-11-30T00:00", "2026-02-28T00:00", "2026-05-31T00:00", "2026-08-31T00:00"]
        );
    }

    #[test]
    fn days_of_a_zone_have_23_to_25_hours() {
        let berlin = Zone::new("Europe/Berlin", BERLIN).unwrap();
        let daily = Cycle::calendar(Period::Day);
        for (t, hours) in [
            ("2026-03-29T12:00:00Z", 23),
            ("2026-06-29T12:00:00Z", 24),
            ("2026-10-25T12:00:00Z", 25),
        ] {
            let window = daily.window(Some(&berlin), Timestamp::MIN, at(t));
            assert_eq!(window.end.millis() - window.start.millis(), hours * 3_600_000, "{t}");
        }
        let hourly = Cycle::calendar(Period::Hour);
        assert_eq!(
            hourly.window(Some(&berlin), Timestamp::MIN, at("2026-10-25T01:30:00Z")),
            Period::Hour.window(at("2026-10-25T01:30:00Z"))
        );
    }

    #[test]
    fn a_day_that_a_zone_left_out_has_no_window() {
        // Samoa went from the east of the date line to the west: no 30 December 2011.
        let mut apia = Zone::new("Pacific/Apia", "<+14>-14").unwrap();
        apia.push(Transition { until: at("2011-12-30T10:00:00Z"), offset: -36_000 }).unwrap();
        let daily = Cycle::calendar(Period::Day);
        assert_eq!(
            starts(daily, Some(&apia), "1970-01-01T00:00:00Z", "2011-12-29T12:00:00Z", 3),
            ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]
        );
    }

    fn any_cycle() -> impl Strategy<Value = Cycle> {
        let anchor = prop_oneof![
            Just(Anchor::Calendar),
            Just(Anchor::Start),
            (0..=Timestamp::MAX.millis())
                .prop_map(|ms| Anchor::At(Timestamp::from_millis(ms).unwrap())),
        ];
        (proptest::sample::select(Period::ALL.to_vec()), 1..=366_u64, anchor).prop_map(
            |(every, count, anchor)| {
                let count = if anchor == Anchor::Calendar { 1 } else { count };
                Cycle::anchored(every, count, anchor).unwrap()
            },
        )
    }

    fn any_change() -> impl Strategy<Value = alloc::string::String> {
        let day = prop_oneof![
            (1..=365).prop_map(|n| format!("J{n}")),
            (0..=365).prop_map(|n| format!("{n}")),
            (1..=12, 1..=5, 0..=6).prop_map(|(m, w, d)| format!("M{m}.{w}.{d}")),
        ];
        (day, -167..=167, 0..60)
            .prop_map(|(day, hours, minutes)| format!("{day}/{hours}:{minutes:02}"))
    }

    pub(in crate::time) fn any_zone() -> impl Strategy<Value = Zone> {
        let offset =
            || (-24..=24, 0..60).prop_map(|(hours, minutes)| format!("{hours}:{minutes:02}"));
        let rule = prop_oneof![
            offset().prop_map(|std| format!("STD{std}")),
            (offset(), offset(), any_change(), any_change())
                .prop_map(|(std, dst, starts, ends)| format!("STD{std}DST{dst},{starts},{ends}")),
        ];
        let transitions = proptest::collection::btree_map(
            1_700_000_000_000..1_702_000_000_000_u64,
            -89_999..=89_999,
            0..6,
        );
        (rule, transitions).prop_map(|(rule, transitions)| {
            let mut zone = Zone::new("Test", &rule).unwrap();
            for (until, offset) in transitions {
                let until = Timestamp::from_millis(until).unwrap();
                zone.push(Transition { until, offset }).unwrap();
            }
            zone
        })
    }

    fn instants() -> impl Strategy<Value = Timestamp> {
        prop_oneof![
            0..=Timestamp::MAX.millis(),
            1_699_800_000_000..1_702_200_000_000_u64,
            0..1_000_000_000_u64,
        ]
        .prop_map(|ms| Timestamp::from_millis(ms).unwrap())
    }

    proptest! {
        #[test]
        fn windows_tile_the_line(
            cycle in any_cycle(),
            zone in proptest::option::of(any_zone()),
            start in instants(),
            t in instants(),
        ) {
            let zone = zone.as_ref();
            let w = cycle.window(zone, start, t);
            prop_assert!(w.start < w.end && w.contains(t));
            if w.end < Timestamp::MAX {
                prop_assert_eq!(cycle.window(zone, start, w.end).start, w.end);
            }
            if w.start > Timestamp::MIN {
                let before = Timestamp::from_millis(w.start.millis() - 1).unwrap();
                prop_assert_eq!(cycle.window(zone, start, before).end, w.start);
                prop_assert_eq!(cycle.window(zone, start, w.start), w);
            }
        }

        #[test]
        fn a_boundary_is_the_first_instant_that_shows_it_or_more(zone in any_zone(), t in instants()) {
            let wall = t.signed();
            let first = zone.first(wall);
            prop_assert!(zone.wall(first) >= wall);
            prop_assert!(zone.latest(first) >= wall && zone.latest(first - 1) < wall);
            for hour in 1..120 {
                prop_assert!(zone.wall(first - hour * 1_800_000) < wall);
            }
        }
    }
}
