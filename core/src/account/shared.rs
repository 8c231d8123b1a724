//! What limits that are across a payer's subscriptions have counted.
//!
//! Each subscription keeps what its own holds reserve in its own account, as under any limit: what they
//! may cost depends on its counters. What calls counted, and how much holds hold, is kept here for all of
//! them together.

use alloc::collections::BTreeMap;

use crate::{
    account::{Counted, Pace, Tally},
    crypto::Digest,
    error::Result,
    meter::{Hold, Subscription},
    plan::Limit,
};

/// One limit of one payer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// What calls counted, and how much holds hold, in all subscriptions.
    pub(crate) tally: Tally,
    /// The states, if it is a rate.
    pub(crate) pace: Pace,
    /// The subscriptions, and the limit's index in the plan of each. They are in no snapshot.
    pub(crate) members: BTreeMap<Digest, usize>,
}

/// The limits of all payers that are across their subscriptions, by payer and terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SharedLimits(BTreeMap<(Digest, Digest), Shared>);

impl SharedLimits {
    /// A limit of a payer; `None` where it is not shared.
    pub(crate) fn of(&self, payer: &Digest, limit: &Limit) -> Option<&Shared> {
        self.0.get(&(*payer, limit.across?))
    }

    fn of_mut(&mut self, payer: &Digest, limit: &Limit) -> Option<&mut Shared> {
        self.0.get_mut(&(*payer, limit.across?))
    }

    /// A new subscription counts with the payer's others. A lease does not: its lender counts for it.
    pub(crate) fn join(&mut self, id: &Digest, subscription: &Subscription) {
        if subscription.lease.is_some() {
            return;
        }
        for (index, limit) in subscription.plan.limits().iter().enumerate() {
            if let Some(terms) = limit.across {
                let shared = self.0.entry((subscription.payer, terms)).or_default();
                shared.members.insert(*id, index);
            }
        }
    }

    /// A hold reserves from now on.
    pub(crate) fn enter(&mut self, subscription: &Subscription, hold: &Hold) {
        let Subscription { plan, payer, started_at, .. } = subscription;
        for (index, limit) in plan.limits().iter().enumerate() {
            if let Some(shared) = self.of_mut(payer, limit) {
                shared.tally.enter(plan, limit, *started_at, hold, index, false);
            }
        }
    }

    /// A hold no longer reserves.
    pub(crate) fn leave(&mut self, subscription: &Subscription, hold: &Hold) {
        let Subscription { plan, payer, started_at, .. } = subscription;
        for (index, limit) in plan.limits().iter().enumerate() {
            if let Some(shared) = self.of_mut(payer, limit) {
                shared.tally.leave(plan, limit, *started_at, hold, index);
            }
        }
    }

    /// Records what limits count of a settled or imported call.
    pub(crate) fn count(&mut self, subscription: &Subscription, call: &Counted<'_>) -> Result<()> {
        let Subscription { plan, payer, started_at, .. } = subscription;
        for limit in plan.limits() {
            if let Some(shared) = self.of_mut(payer, limit)
                && let Some(added) = call.under(limit)
            {
                let over = call.over(limit);
                shared.tally.count(plan, limit, *started_at, call.at, added, over)?;
            }
        }
        Ok(())
    }

    /// The states of a rate, to be advanced.
    pub(crate) fn pace_mut(&mut self, payer: &Digest, limit: &Limit) -> Option<&mut Pace> {
        self.of_mut(payer, limit).map(|shared| &mut shared.pace)
    }

    /// What was counted, to be forgotten.
    pub(crate) fn tally_mut(&mut self, payer: &Digest, limit: &Limit) -> Option<&mut Tally> {
        self.of_mut(payer, limit).map(|shared| &mut shared.tally)
    }

    /// Every limit by payer and terms, for a snapshot.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&(Digest, Digest), &Shared)> {
        self.0.iter()
    }

    /// Restores a limit from a snapshot, before any subscription.
    pub(crate) fn restore(&mut self, payer: Digest, terms: Digest, tally: Tally, pace: Pace) {
        self.0.insert((payer, terms), Shared { tally, pace, members: BTreeMap::new() });
    }
}
