//! Holds that are made and end, and what is remembered of their requests.

use alloc::sync::Arc;

use super::misplaced;
use crate::{
    crypto::Digest,
    entry::{Extended, HoldEntry, Release, ReleaseReason},
    error::Result,
    meter::{Hold, HoldState, Remembered, State, Subscription},
    plan::Plan,
    time::Timestamp,
};

impl State {
    pub(super) fn apply_hold(&mut self, e: &HoldEntry) -> Result<()> {
        let lane = self.lane(&e.lane)?;
        let (subscription_id, issued_at) = (lane.open.root(), lane.issued_at);
        let subscription = self.subscription_mut(&subscription_id)?;
        if subscription.holds.contains_key(&e.subject) {
            return Err(misplaced("the request is held already"));
        }
        let plan = Arc::clone(&subscription.plan);
        check_limited(&plan, e)?;
        let hold = Hold::of(e);
        self.open_hold(&subscription_id, &hold)?;
        let subscription = self.subscription_mut(&subscription_id)?;
        let grants = &mut subscription.account.grants;
        grants.reserve(&plan, &e.reserved, e.authorized_at, issued_at)?;
        self.advance_rates(&subscription_id, &e.attributes, e.authorized_at)?;
        let subscription = self.subscription_mut(&subscription_id)?;
        forget_requests(subscription, e.authorized_at);
        subscription.forgetting.insert((forgotten_at(&plan, e.authorized_at), e.subject));
        subscription.remembered.insert(
            e.subject,
            Remembered { input: e.input, receipt: Digest::ZERO, used: Digest::ZERO },
        );
        subscription.holds.insert(e.subject, hold);
        self.expiries.insert((e.deadline, subscription_id, e.subject));
        Ok(())
    }

    pub(super) fn apply_extended(&mut self, e: &Extended) -> Result<()> {
        let id = self.lane(&e.lane)?.open.root();
        let hold = self.subscription_mut(&id)?.holds.get_mut(&e.subject);
        let hold = hold
            .filter(|hold| hold.is_reserved() && e.at < hold.deadline && hold.deadline < e.deadline)
            .ok_or_else(|| misplaced("no hold to extend"))?;
        let before = core::mem::replace(&mut hold.deadline, e.deadline);
        self.expiries.remove(&(before, id, e.subject));
        self.expiries.insert((e.deadline, id, e.subject));
        Ok(())
    }

    pub(super) fn apply_release(&mut self, e: &Release) -> Result<()> {
        let id = self.lane(&e.lane)?.open.root();
        let subscription = self.subscription_mut(&id)?;
        let hold = subscription
            .holds
            .get_mut(&e.subject)
            .ok_or_else(|| misplaced("no such hold to release"))?;
        let (reserved, deadline) = (hold.is_reserved(), hold.deadline);
        match e.reason {
            ReleaseReason::Unknown | ReleaseReason::Expired if !reserved => {
                return Err(misplaced("the hold has expired already"));
            }
            ReleaseReason::Expired if e.at < deadline => {
                return Err(misplaced("the hold has not expired yet"));
            }
            ReleaseReason::Unknown => {
                hold.state = HoldState::Unknown;
                return Ok(());
            }
            ReleaseReason::Expired | ReleaseReason::Released => {}
        }
        let was = hold.clone();
        if e.reason == ReleaseReason::Expired {
            hold.state = HoldState::Expired;
        }
        let at = was.authorized_at;
        if reserved {
            self.end_hold(&id, &was)?;
        }
        let subscription = self.subscription_mut(&id)?;
        if reserved {
            subscription.account.grants.free(&was.reserved)?;
        }
        if e.reason == ReleaseReason::Released {
            subscription.holds.remove(&e.subject);
            if let Some(remembered) = subscription.remembered.get_mut(&e.subject) {
                remembered.receipt = Remembered::RELEASED;
            }
        }
        forget_ended(subscription, &e.subject, at);
        self.expiries.remove(&(deadline, id, e.subject));
        Ok(())
    }
}

/// What a hold says of limits names limits on units that cover it, each once and in order.
fn check_limited(plan: &Plan, e: &HoldEntry) -> Result<()> {
    let mut next = 0;
    for (index, _) in &*e.limited {
        let limit = plan.limits().get(*index).filter(|_| *index >= next);
        let counts = limit.is_some_and(|limit| {
            limit.units(|_| 0).is_some() && limit.value(&e.attributes).is_some()
        });
        if !counts {
            return Err(misplaced("units of a limit that does not count them"));
        }
        next = index.saturating_add(1);
    }
    Ok(())
}

/// When a request id may be forgotten: after the replay horizon, and not while its call may settle.
fn forgotten_at(plan: &Plan, authorized_at: Timestamp) -> Timestamp {
    let times = plan.times();
    let kept = times.replay.max(times.hold.saturating_add(times.grace));
    authorized_at.checked_add(kept).unwrap_or(Timestamp::MAX)
}

/// Forgets what is past its time. A hold that still reserves is forgotten when it ends.
fn forget_requests(subscription: &mut Subscription, now: Timestamp) {
    while let Some((until, subject)) = subscription.forgetting.first().copied()
        && until <= now
    {
        subscription.forgetting.remove(&(until, subject));
        if !subscription.holds.get(&subject).is_some_and(Hold::is_reserved) {
            subscription.remembered.remove(&subject);
            subscription.holds.remove(&subject);
        }
    }
}

/// Forgets a hold that has ended after its time.
pub(super) fn forget_ended(
    subscription: &mut Subscription,
    subject: &Digest,
    authorized_at: Timestamp,
) {
    let until = forgotten_at(&subscription.plan, authorized_at);
    if !subscription.forgetting.contains(&(until, *subject)) {
        subscription.remembered.remove(subject);
        subscription.holds.remove(subject);
    }
}
