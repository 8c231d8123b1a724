//! Holds that are made and end, and what is remembered of their requests.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use super::misplaced;
use crate::{
    crypto::Digest,
    entry::{Extended, HoldEntry, Release, ReleaseReason},
    error::Result,
    meter::{Hold, HoldState, Remembered, ReservedUnits, State, Subscription},
    plan::Plan,
    time::Timestamp,
};

impl State {
    pub(super) fn apply_hold(&mut self, e: &HoldEntry) -> Result<()> {
        let lane = self.lane(&e.lane)?;
        let (subscription_id, issued_at) = (lane.open.root(), lane.issued_at);
        let (subscription, shared) = self.with_shared(&subscription_id)?;
        if subscription.holds.contains_key(&e.subject) {
            return Err(misplaced("the request is held already"));
        }
        let plan = Arc::clone(&subscription.plan);
        check_limited(&plan, &e.limited, &e.attributes)?;
        let hold = Hold::of(e);
        subscription.open_hold(shared, &hold)?;
        let grants = &mut subscription.account.grants;
        grants.reserve(&plan, &e.reserved, e.authorized_at, issued_at)?;
        subscription.advance_rates(shared, &e.attributes, e.authorized_at)?;
        forget_requests(subscription, e.authorized_at);
        subscription.forgetting.insert((forgotten_at(&plan, e.authorized_at), e.subject));
        let request = Remembered {
            input: e.input,
            at: e.authorized_at,
            receipt: Digest::ZERO,
            used: Digest::ZERO,
        };
        subscription.remember(e.subject, request);
        subscription.holds.insert(e.subject, hold);
        self.expiries.insert((e.deadline, subscription_id, e.subject));
        Ok(())
    }

    pub(super) fn apply_extended(&mut self, e: &Extended) -> Result<()> {
        let id = self.lane(&e.lane)?.open.root();
        let issued_at = self.lane(&self.subscription(&id)?.lane)?.issued_at;
        let (subscription, shared) = self.with_shared(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let was = subscription.holds.get(&e.subject).filter(|hold| {
            let grows = hold.deadline < e.deadline || e.units.is_some();
            hold.is_reserved() && e.at < hold.deadline && hold.deadline <= e.deadline && grows
        });
        let was = was.cloned().ok_or_else(|| misplaced("no hold to extend"))?;
        let mut hold = Hold { deadline: e.deadline, ..was.clone() };
        if let Some(held) = &e.units {
            check_limited(&plan, &held.limited, &was.attributes)?;
            let narrower = was.most.iter().any(|(meter, most)| held.most.get(meter) < most);
            if narrower || held.most == was.most {
                return Err(misplaced("a hold that allows no more than before"));
            }
            hold = hold.holding(held.clone());
            subscription.end_hold(shared, &was)?;
            subscription.open_hold(shared, &hold)?;
            // Of a voided grant nothing is left but what is reserved: it must not be free in between.
            let more = more_reserved(&hold.reserved, &was.reserved);
            let less = more_reserved(&was.reserved, &hold.reserved);
            let grants = &mut subscription.account.grants;
            grants.reserve(&plan, &more, hold.authorized_at, issued_at)?;
            grants.free(&less)?;
        }
        subscription.holds.insert(e.subject, hold);
        self.expiries.remove(&(was.deadline, id, e.subject));
        self.expiries.insert((e.deadline, id, e.subject));
        Ok(())
    }

    pub(super) fn apply_release(&mut self, e: &Release) -> Result<()> {
        let id = self.lane(&e.lane)?.open.root();
        let (subscription, shared) = self.with_shared(&id)?;
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
            subscription.end_hold(shared, &was)?;
            subscription.account.grants.free(&was.reserved)?;
        }
        if e.reason == ReleaseReason::Released {
            subscription.holds.remove(&e.subject);
            subscription.remember_released(&e.subject);
        }
        forget_ended(subscription, &e.subject, at);
        self.expiries.remove(&(deadline, id, e.subject));
        Ok(())
    }
}

/// What these reserve of grants beyond those.
fn more_reserved(these: &[ReservedUnits], those: &[ReservedUnits]) -> Vec<ReservedUnits> {
    let beyond = these.iter().map(|part| {
        let same =
            |other: &&ReservedUnits| (&other.grant, other.given_at) == (&part.grant, part.given_at);
        let known = those.iter().find(same).map_or(0, |other| other.units);
        ReservedUnits { units: part.units.saturating_sub(known), ..part.clone() }
    });
    beyond.filter(|part| part.units > 0).collect()
}

/// What a hold says of limits names limits on units that cover it, each once and in order.
fn check_limited(
    plan: &Plan,
    limited: &[(usize, u64)],
    attributes: &BTreeMap<String, String>,
) -> Result<()> {
    let mut next = 0;
    for (index, _) in limited {
        let limit = plan.limits().get(*index).filter(|_| *index >= next);
        let counts = limit
            .is_some_and(|limit| limit.units(|_| 0).is_some() && limit.value(attributes).is_some());
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
            subscription.forget(&subject);
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
        subscription.forget(subject);
    }
}
