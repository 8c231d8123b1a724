//! Lanes that open.

use super::misplaced;
use crate::{
    account::Account,
    crypto::{Address, Digest, check, sha256},
    entry::{Opening, SignedLease},
    error::Result,
    meter::{Lane, State, Subscription, subscription_id},
    receipt::LaneOpen,
};

impl State {
    pub(super) fn apply_open(&mut self, e: &Opening) -> Result<()> {
        let id = e.lane.digest();
        let plan = self.plan(&e.lane.plan)?.clone();
        if self.lanes.contains_key(&id) {
            return Err(misplaced("the lane is open already"));
        }
        self.check_opening(e)?;
        let root = e.lane.root();
        match self.subscriptions.get_mut(&root) {
            Some(subscription) => {
                subscription.lane = id;
            }
            None => {
                let paid_from = match e.switched_from {
                    Some(_) => e.started_at,
                    None => plan.paid_from(e.started_at),
                };
                let account = match &e.lease {
                    Some(signed) => Account::leased(&plan, &signed.lease)?,
                    None => Account::new(&plan, e.started_at, paid_from)?,
                };
                if let Some(from) = &e.switched_from {
                    self.switch(from, e)?;
                }
                if let Some(once) = plan.term().once.as_ref().filter(|_| e.lease.is_none()) {
                    self.once.insert((e.lane.payer, once.clone()));
                }
                let subscription = Subscription::new(plan, e, id, account);
                self.shared.join(&root, &subscription);
                self.subscriptions.insert(root, subscription);
            }
        }
        self.note_periods(&root, &[])?;
        self.log.append(&id)?;
        self.latest = self.latest.max(e.lane.opened_at);
        self.lanes.insert(id, Lane::new(id, e.lane.clone()));
        Ok(())
    }

    /// Payer, subscription and baselines follow from what the opening names, and from the lane that it
    /// continues.
    fn check_opening(&self, e: &Opening) -> Result<()> {
        let open = &e.lane;
        if open.origin != self.instance()?.origin {
            return Err(misplaced("the lane names another log"));
        }
        if let Some(signed) = &e.lease {
            return self.check_leased_opening(e, signed);
        }
        // Beside an address the name is the seller's own label, which no signature covers.
        let named = match &e.account {
            _ if e.payer_salt.is_zero() => Address::from_word(open.payer.bytes()).is_some(),
            Some(account) => sha256(&[e.payer_salt.bytes(), account.as_bytes()]) == open.payer,
            None => false,
        };
        if !named {
            return Err(misplaced("the payer is neither an address nor the account's hash"));
        }
        if subscription_id(&open.plan, &open.payer, e.started_at) != open.subscription {
            return Err(misplaced("the subscription is not that of plan, payer and start"));
        }
        let parent = self.subscriptions.get(&open.subscription).map(|s| s.lane);
        match (&e.switched_from, parent) {
            (Some(from), None) => self.check_switch(from, e)?,
            (None, None) => self.check_once(e)?,
            (None, Some(_)) => {}
            (Some(_), Some(_)) => return Err(misplaced("a lane goes on in its own subscription")),
        }
        if parent.is_none() {
            self.check_shared_start(self.plan(&open.plan)?, &open.payer, e.started_at)?;
        }
        if open.parent != parent.unwrap_or(Digest::ZERO) {
            return Err(misplaced("the lane does not continue the subscription's last"));
        }
        let from = parent.map(|parent| self.lane(&parent)).transpose()?;
        let follows = match from {
            Some(last) => {
                open.number.checked_sub(1) == Some(last.open.number)
                    && open.opened_at >= last.issued_at
                    && (open.cumulative, open.cumulative_remainder)
                        == (last.cumulative, last.cumulative_remainder)
                    && (open.credited, open.credited_remainder)
                        == (last.credited, last.credited_remainder)
            }
            None => {
                open.number == 0
                    && (open.cumulative.is_zero() && open.cumulative_remainder == 0)
                    && (open.credited.is_zero() && open.credited_remainder == 0)
            }
        };
        if !follows || !open.lease.is_zero() {
            return Err(misplaced("the lane does not start where the last one stands"));
        }
        Ok(())
    }

    /// A lane under a lease says what the lease says, and starts from nothing.
    fn check_leased_opening(&self, e: &Opening, signed: &SignedLease) -> Result<()> {
        let (open, lease) = (&e.lane, &signed.lease);
        let id = lease.digest();
        check(&id, &signed.signature, self.plan(&lease.plan)?.authority())?;
        if subscription_id(&lease.plan, &lease.payer, lease.started_at) != lease.subscription {
            return Err(misplaced("the subscription is not that of plan, payer and start"));
        }
        let expected = LaneOpen::under(lease, id, open.rail, open.opened_at);
        let bare = e.account.is_none() && e.payer_salt.is_zero();
        if *open != expected || !bare || e.started_at != lease.started_at {
            return Err(misplaced("the lane is not that of its lease"));
        }
        if open.opened_at >= lease.until || self.subscriptions.contains_key(&id) {
            return Err(misplaced("the lease is over, or has its lane"));
        }
        Ok(())
    }

    /// Whether the payer may have a new subscription of this plan.
    fn check_once(&self, e: &Opening) -> Result<()> {
        let plan = self.plan(&e.lane.plan)?;
        let once = plan.term().once.as_ref().map(|once| (e.lane.payer, once.clone()));
        if once.is_some_and(|once| self.once.contains(&once)) {
            return Err(misplaced("a payer has one such subscription, ever"));
        }
        Ok(())
    }
}
