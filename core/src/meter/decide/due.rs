//! What time brings: expired holds, closing windows, checkpoints.

use crate::{
    crypto::{Address, Digest},
    entry::{Entry, Release, ReleaseReason},
    error::{Code, Result},
    log::Checkpoint,
    meter::{Outcome, State, Subscribe, decide::Decision, draft::draft_true_up},
    receipt::receipt_salt,
    time::Timestamp,
};

impl State {
    pub(super) fn decide_due(&self, now: Timestamp, key: &Digest) -> Result<Decision> {
        if let Some((deadline, id, subject)) = self.expiries.first()
            && *deadline <= now
        {
            let hold = self.subscription(id)?.holds.get(subject);
            let lane = hold.map(|hold| hold.lane).ok_or(Code::HoldUnknown)?;
            let release =
                Release { lane, subject: *subject, at: now, reason: ReleaseReason::Expired };
            let outcome = Outcome::Released { subject: *subject };
            return Ok((Some(Entry::Release(release)), outcome));
        }
        if let Some((closes, id, charge, start)) = self.closings.first()
            && *closes <= now
        {
            return self.decide_closing(id, *charge, *start, now, key);
        }
        if self.prove_now || self.prove_by.is_some_and(|by| by <= now) {
            return self.decide_checkpoint();
        }
        Ok((None, Outcome::Nothing))
    }

    pub(super) fn decide_closing(
        &self,
        id: &Digest,
        charge: usize,
        start: Timestamp,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        let lane = self.lane(&subscription.lane)?;
        if lane.open.origin != self.instance()?.origin {
            let payer = (subscription.payer_salt.is_zero())
                .then(|| Address::from_word(subscription.payer.bytes()))
                .flatten();
            let subscribe = Subscribe {
                plan: subscription.plan.id(),
                account: if payer.is_none() { subscription.name.clone() } else { None },
                payer,
                started_at: subscription.started_at,
                rail: lane.open.rail,
            };
            return self.decide_subscribe(&subscribe, now, key);
        }
        let window = subscription
            .account
            .counters
            .get(charge)
            .and_then(|windows| windows.starts_at(start))
            .map(|(window, _)| *window)
            .ok_or(Code::EntryMisplaced)?;
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let issued_at = now.max(lane.issued_at);
        let entry = draft_true_up(self, id, charge, window, issued_at, salt)?;
        self.receipt_decision(entry)
    }

    pub(super) fn decide_checkpoint(&self) -> Result<Decision> {
        let instance = self.instance()?;
        if self.log.size() == self.checkpointed {
            return Ok((None, Outcome::Nothing));
        }
        let checkpoint = Checkpoint {
            origin: instance.origin.clone(),
            size: self.log.size(),
            root: self.log.root(),
            lanes: self.lanes_root()?,
            time: self.latest,
        };
        let sign = self.sign_checkpoint(&checkpoint)?;
        let outcome = Outcome::Checkpointed { checkpoint: checkpoint.clone(), sign };
        Ok((Some(Entry::Checkpoint(checkpoint)), outcome))
    }
}
