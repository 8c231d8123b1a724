//! Beginning a meter, making plans known, opening lanes.

use alloc::string::String;

use crate::{
    amount::Amount,
    crypto::{Address, Digest, sha256},
    entry::{Entry, Instance, Opening},
    error::{Code, Error, Result},
    meter::{Outcome, Signed, State, Subscribe, Subscription, decide::Decision},
    plan::Plan,
    receipt::LaneOpen,
    time::Timestamp,
};

impl State {
    pub(super) fn decide_begin(
        &self,
        origin: &str,
        signer: Address,
        at: Timestamp,
    ) -> Result<Decision> {
        check_origin(origin)?;
        if self.knows_origin(origin) {
            return Err(Error::new(Code::EntryMisplaced)
                .value(origin)
                .because("a log that begins anew needs an origin of its own"));
        }
        let instance = Instance { origin: String::from(origin), signer, at };
        Ok((Some(Entry::Instance(instance)), Outcome::Done))
    }

    pub(super) fn decide_plan(&self, plan: &Plan) -> Result<Decision> {
        let signer = self.instance()?.signer;
        if plan.authority() != signer {
            return Err(Error::new(Code::SignatureWrongKey)
                .value(signer)
                .because("the plan names another authority"));
        }
        if self.plans.contains_key(&plan.id()) {
            return Ok((None, Outcome::Done));
        }
        Ok((Some(Entry::Plan(plan.canonical().to_vec())), Outcome::Done))
    }

    pub(super) fn decide_subscribe(
        &self,
        s: &Subscribe,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        self.instance()?;
        let plan = self.plan(&s.plan)?;
        if let Some(account) = &s.account
            && (account.is_empty() || account.len() > 256 || account.chars().any(char::is_control))
        {
            return Err(Error::new(Code::TextInvalid)
                .value(account)
                .because("an account is 1 to 256 bytes without control characters"));
        }
        let (payer, payer_salt) = match (&s.payer, &s.account) {
            (Some(address), _) => (Digest::new(address.word()), Digest::ZERO),
            (None, Some(account)) => {
                let salt = sha256(&[key.bytes(), b"payer", account.as_bytes()]);
                (sha256(&[salt.bytes(), account.as_bytes()]), salt)
            }
            _ => {
                return Err(Error::new(Code::SubscriptionConflict)
                    .because("a payer is an address or an account"));
            }
        };
        let id = subscription_id(&plan.id(), &payer, s.started_at);
        if self.subscriptions.contains_key(&id) {
            return self.subscribed(&id, s.rail, now);
        }
        if let Some(once) = &plan.term().once
            && self.once.contains(&(payer, once.clone()))
        {
            return Err(Error::new(Code::SubscriptionConflict)
                .value(once)
                .because("a payer has one such subscription, ever"));
        }
        self.opening(Opening {
            lane: self.first_lane(plan.id(), id, payer, s.rail, now)?,
            account: s.account.clone(),
            payer_salt,
            started_at: s.started_at,
            switched_from: None,
            lease: None,
        })
    }

    /// The lane of a subscription that exists; its next one where that belongs to an earlier log.
    pub(super) fn subscribed(&self, id: &Digest, rail: Digest, now: Timestamp) -> Result<Decision> {
        let found = self.subscription(id)?;
        let last = self.lane(&found.lane)?;
        if last.open.origin != self.instance()?.origin {
            return self.reopen(found, rail, now);
        }
        if last.open.rail != rail {
            return Err(Error::new(Code::SubscriptionConflict)
                .value(rail)
                .because("its lane has another rail"));
        }
        Ok((None, Outcome::Opened { subscription: *id, lane: found.lane, sign: None }))
    }

    /// The first lane of a new subscription.
    pub(super) fn first_lane(
        &self,
        plan: Digest,
        subscription: Digest,
        payer: Digest,
        rail: Digest,
        now: Timestamp,
    ) -> Result<LaneOpen> {
        Ok(LaneOpen {
            plan,
            subscription,
            payer,
            number: 0,
            parent: Digest::ZERO,
            rail,
            lease: Digest::ZERO,
            origin: self.instance()?.origin.clone(),
            opened_at: now,
            cumulative: Amount::ZERO,
            cumulative_remainder: 0,
            credited: Amount::ZERO,
            credited_remainder: 0,
        })
    }

    /// The next lane of a subscription whose last one belongs to an earlier log.
    pub(super) fn reopen(
        &self,
        subscription: &Subscription,
        rail: Digest,
        now: Timestamp,
    ) -> Result<Decision> {
        let last = self.lane(&subscription.lane)?;
        let open = LaneOpen {
            number: last.open.number.checked_add(1).ok_or(Code::AmountOverflow)?,
            parent: subscription.lane,
            rail,
            origin: self.instance()?.origin.clone(),
            opened_at: now.max(last.issued_at),
            cumulative: last.cumulative,
            cumulative_remainder: last.cumulative_remainder,
            credited: last.credited,
            credited_remainder: last.credited_remainder,
            ..last.open.clone()
        };
        self.opening(Opening {
            lane: open,
            account: subscription.name.clone(),
            payer_salt: subscription.payer_salt,
            started_at: subscription.started_at,
            switched_from: None,
            lease: None,
        })
    }

    /// Opens a lane.
    pub(super) fn opening(&self, opening: Opening) -> Result<Decision> {
        let open = &opening.lane;
        if open.parent.is_zero() {
            self.check_shared_start(self.plan(&open.plan)?, &open.payer, opening.started_at)?;
        }
        let lane = opening.lane.digest();
        let sign = self.sign_request(lane, Signed::Lane(opening.lane.clone()))?;
        let subscription = opening.lane.root();
        let outcome = Outcome::Opened { subscription, lane, sign: Some(sign) };
        Ok((Some(Entry::Open(opening)), outcome))
    }
}

/// The name of a log.
pub(super) fn check_origin(origin: &str) -> Result<()> {
    let clean = origin.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if origin.is_empty() || origin.chars().count() > 100 || !clean {
        return Err(Error::new(Code::TextInvalid)
            .value(origin)
            .because("an origin is 1 to 100 characters without spaces"));
    }
    Ok(())
}

/// The subscription's identity: SHA-256 over `counterfoil/subscription/0`, a line feed, plan, payer
/// and start (u64, big-endian).
pub(crate) fn subscription_id(plan: &Digest, payer: &Digest, start: Timestamp) -> Digest {
    sha256(&[
        b"counterfoil/subscription/0\n",
        plan.bytes(),
        payer.bytes(),
        &start.millis().to_be_bytes(),
    ])
}
