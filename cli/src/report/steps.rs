//! Sums in equal steps of time.

use std::collections::BTreeMap;

use counterfoil::Timestamp;
use counterfoil::time::Period;

use super::data::{Bucket, BucketUnit, OverTime};

/// The most steps of time.
const STEPS: usize = 100;
/// The finest step, in milliseconds.
const TEN_MINUTES: u64 = 600_000;

/// Calls and charges, in atomic units.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) denied: u64,
    pub(super) charged: u128,
}

/// The start of the ten minutes that hold an instant.
pub(super) fn ten_minutes(ms: u64) -> u64 {
    ms.saturating_sub(ms.checked_rem(TEN_MINUTES).unwrap_or(0))
}

/// Ten minutes, hours, days, weeks or months: the finest of which there are at most a hundred.
pub(super) fn steps(times: &BTreeMap<u64, Sums>) -> OverTime {
    let units = [
        (BucketUnit::TenMinutes, None),
        (BucketUnit::Hour, Some(Period::Hour)),
        (BucketUnit::Day, Some(Period::Day)),
        (BucketUnit::Week, Some(Period::Week)),
        (BucketUnit::Month, Some(Period::Month)),
    ];
    for (unit, period) in units {
        if let Some(buckets) = buckets(times, period, unit != BucketUnit::Month) {
            return OverTime { unit, buckets };
        }
    }
    OverTime { unit: BucketUnit::Month, buckets: Vec::new() }
}

/// The step of time that holds an instant: its start and its end.
fn step_at(ms: u64, period: Option<Period>) -> Option<(u64, u64)> {
    match period {
        None => {
            let start = ten_minutes(ms);
            Some((start, start.checked_add(TEN_MINUTES)?))
        }
        Some(period) => {
            let window = period.window(Timestamp::from_millis(ms).ok()?);
            Some((window.start.millis(), window.end.millis()))
        }
    }
}

fn buckets(
    times: &BTreeMap<u64, Sums>,
    period: Option<Period>,
    bounded: bool,
) -> Option<Vec<Bucket>> {
    let (Some(first), Some(last)) = (times.keys().next(), times.keys().next_back()) else {
        return Some(Vec::new());
    };
    let mut buckets: Vec<Bucket> = Vec::new();
    let (mut start, mut end) = step_at(*first, period)?;
    loop {
        if bounded && buckets.len() >= STEPS {
            return None;
        }
        let mut bucket = Bucket { start_ms: start, charged: 0, calls: 0, denied: 0 };
        for (_, sums) in times.range(start..end) {
            bucket.charged = bucket.charged.saturating_add(sums.charged);
            bucket.calls = bucket.calls.saturating_add(sums.calls);
            bucket.denied = bucket.denied.saturating_add(sums.denied);
        }
        buckets.push(bucket);
        if end > *last || end >= Timestamp::MAX.millis() {
            return Some(buckets);
        }
        (start, end) = step_at(end, period)?;
    }
}
