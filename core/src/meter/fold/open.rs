//! Lanes that open.

use alloc::collections::{BTreeMap, BTreeSet};

use super::misplaced;
use crate::{
    account::{Account, GivenBack},
    crypto::{Address, Digest, sha256},
    entry::Opening,
    error::Result,
    meter::{Lane, State, Subscription, subscription_id},
};

impl State {
    pub(super) fn apply_open(&mut self, e: &Opening) -> Result<()> {
        let id = e.lane.digest();
        let plan = self.plan(&e.lane.plan)?.clone();
        if self.lanes.contains_key(&id) {
            return Err(misplaced("the lane is open already"));
        }
        self.check_opening(e)?;
        match self.subscriptions.get_mut(&e.lane.subscription) {
            Some(subscription) => {
                subscription.lane = id;
            }
            None => {
                let paid_from = match e.switched_from {
                    Some(_) => e.started_at,
                    None => plan.paid_from(e.started_at),
                };
                let account = Account::new(&plan, e.started_at, paid_from)?;
                if let Some(from) = &e.switched_from {
                    self.switch(from, e)?;
                }
                if let Some(once) = &plan.term().once {
                    self.once.insert((e.lane.payer, once.clone()));
                }
                self.subscriptions.insert(
                    e.lane.subscription,
                    Subscription {
                        plan,
                        payer: e.lane.payer,
                        payer_salt: e.payer_salt,
                        name: e.account.clone(),
                        started_at: e.started_at,
                        account,
                        lane: id,
                        holds: BTreeMap::new(),
                        remembered: BTreeMap::new(),
                        joinable: BTreeSet::new(),
                        forgetting: BTreeSet::new(),
                        denied: 0,
                        switched: e.switched_from.is_some(),
                        switched_to: None,
                        evidence: BTreeMap::new(),
                        given_back: GivenBack::default(),
                    },
                );
            }
        }
        self.note_periods(&e.lane.subscription, &[])?;
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
