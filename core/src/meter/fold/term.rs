//! Subscriptions that end: cancelled, or switched to another plan.

use alloc::{sync::Arc, vec::Vec};

use super::misplaced;
use crate::{
    crypto::Digest,
    entry::{Cancelled, Opening},
    error::{Code, Error, Result},
    meter::{State, Subscription},
    time::Timestamp,
};

impl State {
    pub(super) fn apply_cancelled(&mut self, e: &Cancelled) -> Result<()> {
        let found = self.subscription(&e.subscription)?;
        let ends_at = found.plan.ends_cancelled(found.started_at, e.at)?;
        if ends_at != e.ends_at || ends_at >= found.account.until {
            return Err(misplaced("a subscription does not end then"));
        }
        self.need_none_out(&e.subscription)?;
        self.end(&e.subscription, ends_at)
    }

    /// Whether a payer may go on from a subscription with this opening.
    pub(super) fn check_switch(&self, from: &Digest, e: &Opening) -> Result<()> {
        let old = self.subscription(from)?;
        let same = old.payer == e.lane.payer && old.payer_salt == e.payer_salt;
        let open = old.started_at <= e.started_at && !old.account.ended(e.started_at);
        if !same || !open || old.plan.id() == e.lane.plan || old.switched_to.is_some() {
            return Err(misplaced("a subscription cannot be switched so"));
        }
        self.need_none_out(from)
    }

    /// While a lease is out, its subscription does not end before its time: the lease's calls may come.
    pub(in crate::meter) fn need_none_out(&self, id: &Digest) -> Result<()> {
        self.subscription(id)?.need_whole()?;
        match self.leases.values().find(|leased| leased.lease.subscription == *id) {
            Some(out) => Err(Error::new(Code::LeaseRefused)
                .value(out.lease.digest())
                .because("a lease of the subscription is out")),
            None => Ok(()),
        }
    }

    /// Ends the subscription that an opening takes the place of.
    pub(super) fn switch(&mut self, from: &Digest, e: &Opening) -> Result<()> {
        self.subscription_mut(from)?.switched_to = Some(e.lane.subscription);
        self.end(from, e.started_at)
    }

    /// Ends a subscription, and orders anew what it is due for.
    fn end(&mut self, id: &Digest, until: Timestamp) -> Result<()> {
        let found = self.subscription_mut(id)?;
        let plan = Arc::clone(&found.plan);
        let (periods, before) = (found.account.periods(&plan), closings(found, id));
        found.account.end(&plan, until)?;
        let after = closings(found, id);
        for key in &before {
            self.closings.remove(key);
        }
        self.closings.extend(after);
        self.note_periods(id, &periods)
    }
}

/// The windows of a subscription that owe a true-up, as the state lists them.
pub(crate) fn closings(
    found: &Subscription,
    id: &Digest,
) -> Vec<(Timestamp, Digest, usize, Timestamp)> {
    let mut owed = Vec::new();
    // What a lease cost too much, its lender gives back.
    if found.lease.is_some() {
        return owed;
    }
    for (index, (charge, windows)) in
        found.plan.charges().iter().zip(&found.account.counters).enumerate()
    {
        for (window, _) in windows.iter().filter(|(_, counter)| counter.owes) {
            if let Some(at) = found.account.trued_up_at(&found.plan, charge, *window) {
                owed.push((at, *id, index, window.start));
            }
        }
    }
    owed
}
