//! Limits that are across a payer's subscriptions: where they are kept, and when their windows close.

use alloc::vec::Vec;

use crate::{
    account::{Pace, Shared, SharedLimits, Tally, closes_at},
    crypto::Digest,
    error::{Code, Error, Result},
    meter::{Hold, State, Subscription},
    plan::{Limit, Plan},
    time::Timestamp,
};

impl State {
    /// A limit that a subscription shares; `None` for any other, and for a lease, whose lender counts for it.
    fn shared_by<'a>(&'a self, s: &Subscription, limit: &Limit) -> Option<&'a Shared> {
        self.shared.of(&s.payer, limit).filter(|_| s.lease.is_none())
    }

    /// What a limit of a subscription has counted: in it alone, or in all that share it.
    pub(crate) fn tally<'a>(&'a self, s: &'a Subscription, index: usize) -> Option<&'a Tally> {
        let limit = s.plan.limits().get(index)?;
        match limit.across {
            None => s.account.tallies.get(index),
            Some(_) => self.shared_by(s, limit).map(|shared| &shared.tally),
        }
    }

    /// The limits of a subscription with their index, each with what it has counted.
    pub(crate) fn tallies<'a>(
        &'a self,
        s: &'a Subscription,
    ) -> impl Iterator<Item = (usize, &'a Limit, &'a Tally)> {
        let limits = s.plan.limits().iter().enumerate();
        limits.filter_map(|(index, limit)| Some((index, limit, self.tally(s, index)?)))
    }

    /// The limits of a subscription, each with the states of its rate.
    pub(crate) fn paces<'a>(
        &'a self,
        s: &'a Subscription,
    ) -> impl Iterator<Item = (&'a Limit, &'a Pace)> {
        s.plan.limits().iter().zip(&s.account.rates).filter_map(|(limit, own)| match limit.across {
            None => Some((limit, own)),
            Some(_) => self.shared_by(s, limit).map(|shared| (limit, &shared.pace)),
        })
    }

    /// The subscriptions that share a limit, and its index in the plan of each.
    pub(crate) fn sharing<'a>(
        &'a self,
        shared: &'a Shared,
    ) -> impl Iterator<Item = (&'a Subscription, usize)> {
        let members = shared.members.iter();
        members.filter_map(|(id, index)| Some((self.subscriptions.get(id)?, *index)))
    }

    /// The other subscriptions that share a limit of this one, and its index in the plan of each.
    pub(crate) fn sharing_with<'a>(
        &'a self,
        s: &'a Subscription,
        index: usize,
    ) -> impl Iterator<Item = (&'a Subscription, usize)> {
        let limit = s.plan.limits().get(index);
        let shared = limit.and_then(|limit| self.shared_by(s, limit));
        let sharing = shared.into_iter().flat_map(|shared| self.sharing(shared));
        // Each has a lane of its own.
        sharing.filter(|(other, _)| other.lane != s.lane)
    }

    /// The latest issue time of the lanes of all subscriptions that share a limit.
    fn latest_of(&self, shared: &Shared) -> Timestamp {
        let lanes = self.sharing(shared).filter_map(|(s, _)| self.lanes.get(&s.lane));
        lanes.map(|lane| lane.issued_at).max().unwrap_or(Timestamp::MIN)
    }

    /// Every window of a shared limit that a call at `at` counts in must still be open, whichever of the
    /// subscriptions came so far: what was counted in it may be forgotten.
    pub(crate) fn check_shared_windows(&self, s: &Subscription, at: Timestamp) -> Result<()> {
        for limit in s.plan.limits() {
            if let Some(shared) = self.shared_by(s, limit)
                && let Some(window) = limit.part(&s.plan, s.started_at, at)
                && closes_at(window, &s.plan).is_some_and(|closes| closes <= self.latest_of(shared))
            {
                return Err(closed(at));
            }
        }
        Ok(())
    }

    /// A new subscription must not start in a window of a limit that closed for one that shares it.
    pub(crate) fn check_shared_start(
        &self,
        plan: &Plan,
        payer: &Digest,
        started_at: Timestamp,
    ) -> Result<()> {
        for limit in plan.limits() {
            if let Some(shared) = self.shared.of(payer, limit)
                && let Some(window) = limit.part(plan, started_at, started_at)
            {
                let latest = self.latest_of(shared);
                let mut others = self.sharing(shared);
                if others
                    .any(|(s, _)| closes_at(window, &s.plan).is_some_and(|closes| closes <= latest))
                {
                    return Err(closed(started_at));
                }
            }
        }
        Ok(())
    }

    /// A subscription, and the limits that it may share.
    pub(super) fn with_shared(
        &mut self,
        id: &Digest,
    ) -> Result<(&mut Subscription, &mut SharedLimits)> {
        let found = self.subscriptions.get_mut(id);
        let found = found.ok_or_else(|| Error::new(Code::SubscriptionUnknown).value(id))?;
        Ok((found, &mut self.shared))
    }

    /// Forgets what shared limits of a subscription counted in windows that are closed at `now` for all
    /// that share them, and that no period is still to come in.
    pub(super) fn forget_shared(&mut self, id: &Digest, now: Timestamp) {
        let State { subscriptions, shared: all, .. } = self;
        let Some(s) = subscriptions.get(id) else { return };
        for limit in s.plan.limits() {
            let Some(shared) = all.of(&s.payer, limit) else { continue };
            let members: Vec<&Subscription> =
                shared.members.keys().filter_map(|id| subscriptions.get(id)).collect();
            let earliest = || members.iter().filter_map(|m| m.account.earliest_due(&m.plan)).min();
            let last = members.iter().map(|m| &m.plan).max_by_key(|plan| plan.times().grace);
            if let Some(plan) = last
                && let Some(tally) = all.tally_mut(&s.payer, limit)
            {
                tally.forget_closed(plan, limit, now, &earliest);
            }
        }
    }
}

impl Subscription {
    /// A hold reserves from now on.
    pub(super) fn open_hold(&mut self, shared: &mut SharedLimits, hold: &Hold) -> Result<()> {
        self.account.open_hold(&self.plan, hold)?;
        shared.enter(self, hold);
        Ok(())
    }

    /// A hold no longer reserves.
    pub(super) fn end_hold(&mut self, shared: &mut SharedLimits, hold: &Hold) -> Result<()> {
        self.account.end_hold(&self.plan, hold)?;
        shared.leave(self, hold);
        Ok(())
    }
}

fn closed(at: Timestamp) -> Error {
    Error::new(Code::WindowClosed)
        .value(at)
        .because("of a limit that is across the payer's subscriptions")
}
