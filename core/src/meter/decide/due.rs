//! What time brings: expired holds, closing windows, checkpoints.

use alloc::vec::Vec;

use crate::{
    crypto::Digest,
    entry::{Entry, Release, ReleaseReason},
    error::{Code, Result},
    log::Checkpoint,
    meter::{Outcome, State, decide::Decision, draft::draft_true_up},
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
            return self.reopen(subscription, lane.open.rail, now);
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
        let draft = draft_true_up(self, id, charge, window, issued_at)?;
        self.receipt_decision(draft.seal(salt), Vec::new())
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
