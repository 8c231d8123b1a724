//! Beginning a meter, making plans known, opening lanes.

use alloc::string::String;

use crate::{
    crypto::{Address, Digest, sha256},
    entry::{Entry, Instance, Opening},
    error::{Code, Error, Result},
    meter::{Outcome, Signed, State, Subscribe, decide::Decision},
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
        let clean = origin.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if origin.is_empty() || origin.chars().count() > 100 || !clean {
            return Err(Error::new(Code::TextInvalid)
                .value(origin)
                .because("an origin is 1 to 100 characters without spaces"));
        }
        if self.instance.as_ref().is_some_and(|instance| instance.origin == origin) {
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
        let origin = &self.instance()?.origin;
        let plan = self.plan(&s.plan)?;
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
        let mut open = LaneOpen {
            plan: plan.id(),
            subscription: id,
            payer,
            number: 0,
            parent: Digest::ZERO,
            rail: s.rail,
            lease: Digest::ZERO,
            origin: origin.clone(),
            opened_at: now,
            cumulative: crate::amount::Amount::ZERO,
            cumulative_remainder: 0,
            credited: crate::amount::Amount::ZERO,
            credited_remainder: 0,
        };
        if let Some(found) = self.subscriptions.get(&id) {
            let last = self.lane(&found.lane)?;
            if last.open.origin == *origin {
                let outcome = Outcome::Opened { subscription: id, lane: found.lane, sign: None };
                return Ok((None, outcome));
            }
            open.number = last.open.number.checked_add(1).ok_or(Code::AmountOverflow)?;
            open.parent = found.lane;
            open.opened_at = now.max(last.issued_at);
            open.cumulative = last.cumulative;
            open.cumulative_remainder = last.cumulative_remainder;
            open.credited = last.credited;
            open.credited_remainder = last.credited_remainder;
        }
        self.opening(open, s.account.clone(), payer_salt, s.started_at)
    }

    fn opening(
        &self,
        lane: LaneOpen,
        account: Option<String>,
        payer_salt: Digest,
        started_at: Timestamp,
    ) -> Result<Decision> {
        let id = lane.digest();
        let sign = self.sign_request(id, Signed::Lane(lane.clone()))?;
        let subscription = lane.subscription;
        let entry = Entry::Open(Opening { lane, account, payer_salt, started_at });
        Ok((Some(entry), Outcome::Opened { subscription, lane: id, sign: Some(sign) }))
    }
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
