//! Rates of calls by the generic cell rate algorithm (ITU-T I.371), in integers without loss.

use crate::error::{Code, Error, Result};

/// At most `limit` calls per period on average, with bursts of up to `burst` calls at once.
///
/// The state is one number per caller: the instant at which the bucket is empty again, in
/// 1/`limit` milliseconds, so that every limit divides every period (7 per minute is exact). It is
/// comparable only under the same limit. A caller never seen has the state 0.
///
/// With a burst of 1, a call that waits for the next whole millisecond loses the part it waited. From
/// a burst of 2 on, the average is exact for rates of up to one call per millisecond.
///
/// ```
/// use counterfoil::rating::Rate;
///
/// let rate = Rate::new(7, 60_000, 1)?;
/// let state = rate.decide(0, 1_000_000).expect("the first call is free to go");
/// // A seventh of a minute is 8571.4… ms.
/// assert_eq!(rate.decide(state, 1_000_000), Err(1_008_572));
/// assert!(rate.decide(state, 1_008_572).is_ok());
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u64,
    period_ms: u64,
    burst: u64,
}

/// Every part of a rate is below 2⁵³.
const END: u64 = 1 << 53;

impl Rate {
    /// `limit` calls per `period_ms` milliseconds, and `burst` at once.
    ///
    /// # Errors
    /// [`Code::PlanInvalid`] when one of them is zero or not below 2⁵³.
    pub fn new(limit: u64, period_ms: u64, burst: u64) -> Result<Self> {
        for part in [limit, period_ms, burst] {
            if !(1..END).contains(&part) {
                return Err(Error::new(Code::PlanInvalid)
                    .value(part)
                    .because("a rate's parts are 1 to 2^53 - 1"));
            }
        }
        Ok(Rate { limit, period_ms, burst })
    }

    /// Calls per period.
    #[must_use]
    pub const fn limit(self) -> u64 {
        self.limit
    }

    /// The period in milliseconds.
    #[must_use]
    pub const fn period_ms(self) -> u64 {
        self.period_ms
    }

    /// Calls at once.
    #[must_use]
    pub const fn burst(self) -> u64 {
        self.burst
    }

    /// Decides one call at `now_ms` (Unix milliseconds): the new state, which only an admitted call
    /// has.
    ///
    /// # Errors
    /// Not an [`Error`]: the first instant, in Unix milliseconds, at which the call would be admitted
    /// if no other comes before it.
    pub fn decide(self, state: u128, now_ms: u64) -> core::result::Result<u128, u64> {
        // One call fills the bucket by one period of scaled time, and `limit` of it drain per
        // millisecond. 64 + 53 bits at most; only a state that no decision made could saturate, and
        // then the call is refused.
        let limit = u128::from(self.limit);
        let call = u128::from(self.period_ms);
        let now = u128::from(now_ms).saturating_mul(limit);
        let depth = call.saturating_mul(u128::from(self.burst));
        let filled = state.max(now).saturating_add(call);
        let earliest = filled.saturating_sub(depth);
        if earliest <= now {
            Ok(filled)
        } else {
            Err(u64::try_from(earliest.div_ceil(limit)).unwrap_or(u64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Calls at every millisecond from `from` up to and including `to`; how many are admitted.
    fn admitted(rate: Rate, state: &mut u128, from: u64, to: u64) -> u64 {
        let mut count = 0;
        for now in from..=to {
            while let Ok(next) = rate.decide(*state, now) {
                *state = next;
                count += 1;
            }
        }
        count
    }

    #[test]
    fn seven_per_minute_is_exact_over_an_hour() {
        let rate = Rate::new(7, 60_000, 7).unwrap();
        let (mut state, start) = (0, 1_795_500_000_000);
        assert_eq!(admitted(rate, &mut state, start, start), 7);
        assert_eq!(admitted(rate, &mut state, start + 1, start + 3_600_000), 420);
    }

    #[test]
    fn parts_are_bounded() {
        for (limit, period, burst) in
            [(0, 1, 1), (1, 0, 1), (1, 1, 0), (END, 1, 1), (1, END, 1), (1, 1, END)]
        {
            assert_eq!(Rate::new(limit, period, burst).unwrap_err().code(), Code::PlanInvalid);
        }
        let most = Rate::new(END - 1, END - 1, END - 1).unwrap();
        assert!(most.decide(0, u64::MAX).is_ok());
        assert_eq!(most.decide(u128::MAX, u64::MAX), Err(u64::MAX));
    }

    proptest! {
        #[test]
        fn admits_the_limit_per_period_after_the_burst(
            limit in 1..50u64, period in 1..500u64, burst in 1..60u64, start in 0..1u64 << 48, periods in 1..4u64,
        ) {
            let rate = Rate::new(limit, period, burst).unwrap();
            let mut state = 0;
            prop_assert_eq!(admitted(rate, &mut state, start, start), burst);
            let later = admitted(rate, &mut state, start + 1, start + periods * period);
            // A bucket that runs dry between two milliseconds forgets what it could still have drained.
            if (burst - 1) * period >= limit {
                prop_assert_eq!(later, limit * periods);
            } else {
                prop_assert!(later <= limit * periods);
            }
        }

        #[test]
        fn a_refusal_names_the_first_admitted_instant(
            limit in 1..1000u64, period in 1..100_000u64, burst in 1..10u64, now in 0..1u64 << 48, ahead in 0..1u64 << 30,
        ) {
            let rate = Rate::new(limit, period, burst).unwrap();
            let state = u128::from(now) * u128::from(limit) + u128::from(ahead);
            if let Err(retry) = rate.decide(state, now) {
                prop_assert!(retry > now);
                prop_assert!(rate.decide(state, retry).is_ok());
                prop_assert_eq!(rate.decide(state, retry - 1), Err(retry));
            }
        }
    }
}
