//! Cancelling a subscription, and moving a payer to another plan.

use super::Decision;
use crate::{
    crypto::Digest,
    entry::{Cancelled, Entry, Opening},
    error::{Code, Error, Result},
    meter::{Outcome, State, subscription_id},
    time::Timestamp,
};

impl State {
    pub(super) fn decide_cancel(&self, id: &Digest, at: Timestamp) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        subscription.need_whole()?;
        let until = subscription.account.until;
        let ends_at = subscription.plan.ends_cancelled(subscription.started_at, at)?;
        if ends_at < until {
            self.need_none_out(id)?;
        }
        let entry = (ends_at < until).then_some(Cancelled { subscription: *id, at, ends_at });
        let ends_at = Some(until.min(ends_at)).filter(|end| *end != Timestamp::MAX);
        Ok((entry.map(Entry::Cancelled), Outcome::Cancelled { ends_at }))
    }

    pub(super) fn decide_switch(
        &self,
        from: &Digest,
        plan: &Digest,
        now: Timestamp,
    ) -> Result<Decision> {
        let old = self.subscription(from)?;
        old.need_whole()?;
        let plan = self.plan(plan)?.id();
        let conflict = |why| Err(Error::new(Code::SubscriptionConflict).value(from).because(why));
        if let Some(to) = &old.switched_to {
            let new = self.subscription(to)?;
            if new.plan.id() != plan {
                return conflict("it was switched to another plan");
            }
            return self.subscribed(to, self.lane(&new.lane)?.open.rail, now);
        }
        if old.plan.id() == plan {
            return conflict("it is of this plan already");
        }
        if now < old.started_at {
            return Err(Error::new(Code::ClockSkew)
                .value(now)
                .because("before the subscription starts"));
        }
        let id = subscription_id(&plan, &old.payer, now);
        if old.account.ended(now) || self.subscriptions.contains_key(&id) {
            return conflict("it has ended, or another starts at this instant");
        }
        self.need_none_out(from)?;
        let rail = self.lane(&old.lane)?.open.rail;
        self.opening(Opening {
            lane: self.first_lane(plan, id, old.payer, rail, now)?,
            account: old.name.clone(),
            payer_salt: old.payer_salt,
            started_at: now,
            switched_from: Some(*from),
            lease: None,
        })
    }
}
