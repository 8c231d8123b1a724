//! The state of one rate limit, by value.

use alloc::{collections::BTreeSet, string::String};

use crate::{account::ByValue, rating::Rate};

/// The GCRA state of each value that called lately. A limit without `per` has the one value "".
///
/// A state that is empty again says no more than none at all, so it is forgotten: at most as many are
/// kept as have called within the time that a full burst takes to drain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    states: ByValue<u128>,
    /// The same by state, lowest first; "" is `None`.
    order: BTreeSet<(u128, Option<String>)>,
}

/// Why a rate refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It comes too early; the first instant, in Unix milliseconds, at which it would be admitted.
    Early(u64),
    /// Its value is new and there are as many as the limit keeps; until the first instant at which one
    /// is forgotten.
    Values(u64),
}

impl Pace {
    /// Decides one call; the value's state after it.
    pub(crate) fn decide(
        &self,
        rate: Rate,
        most: u64,
        value: &str,
        now_ms: u64,
    ) -> Result<u128, Refusal> {
        let state = self.states.get(value).copied();
        if state.is_none()
            && u64::try_from(self.order.len()).is_ok_and(|len| len >= most)
            && let Some((lowest, _)) = self.order.first()
            && *lowest > scaled(rate, now_ms)
        {
            let at = lowest.div_ceil(u128::from(rate.limit()));
            return Err(Refusal::Values(u64::try_from(at).unwrap_or(u64::MAX)));
        }
        rate.decide(state.unwrap_or(0), now_ms).map_err(Refusal::Early)
    }

    /// Records an admitted call and forgets the states that are empty again.
    pub(crate) fn advance(&mut self, rate: Rate, value: &str, next: u128, now_ms: u64) {
        match self.states.get_mut(value) {
            Some(state) => {
                self.order.remove(&(*state, name(value)));
                *state = next;
            }
            None => {
                self.states.open(value, || next);
            }
        }
        self.order.insert((next, name(value)));
        let now = scaled(rate, now_ms);
        while let Some((state, _)) = self.order.first()
            && *state <= now
            && let Some((_, value)) = self.order.pop_first()
        {
            self.states.remove(value.as_deref().unwrap_or_default());
        }
    }

    /// Every state, by value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u128)> {
        self.states.iter().map(|(value, state)| (value, *state))
    }

    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Restores a state from a snapshot.
    pub(crate) fn restore(&mut self, value: &str, state: u128) {
        self.order.insert((state, name(value)));
        self.states.open(value, || state);
    }
}

/// A value in `order`.
fn name(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| String::from(value))
}

/// An instant as states measure it.
fn scaled(rate: Rate, now_ms: u64) -> u128 {
    u128::from(now_ms).saturating_mul(u128::from(rate.limit()))
}
