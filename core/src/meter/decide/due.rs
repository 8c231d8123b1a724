//! What time brings: expired holds, leases that are over, closing windows, checkpoints.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    account::Edge,
    crypto::Digest,
    entry::{Entry, Release, ReleaseReason},
    error::{Code, Result},
    log::Checkpoint,
    meter::{
        Outcome, State,
        decide::Decision,
        draft::{draft_period, draft_true_up},
    },
    receipt::receipt_salt,
    time::Timestamp,
};

/// (due, subscription, charge, what).
type Due = (Timestamp, Digest, usize, What);

/// What a window is due for, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Start,
    Return,
    TrueUp(Timestamp),
    Minimum,
}

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
        if let Some(decision) = self.decide_reclaim(now) {
            return Ok(decision);
        }
        if let Some(found) = self.first_window(now) {
            return self.decide_window(&found, now, key);
        }
        if self.prove_now || self.prove_by.is_some_and(|by| by <= now) {
            return self.decide_checkpoint();
        }
        Ok((None, Outcome::Nothing))
    }

    /// The first window that is due for a receipt: by instant, subscription and charge; then what is
    /// due as a window starts, what leases left unbilled, a true-up, a minimum.
    fn first_window(&self, now: Timestamp) -> Option<Due> {
        let closing = self.closings.first().filter(|(at, ..)| *at <= now);
        let closing = closing.map(|&(at, id, charge, start)| (at, id, charge, What::TrueUp(start)));
        let period = self.periods.first().filter(|(at, ..)| *at <= now);
        let period = period.map(|&(at, id, charge, edge)| match edge {
            Edge::Start => (at, id, charge, What::Start),
            Edge::Return => (at, id, charge, What::Return),
            Edge::Close => (at, id, charge, What::Minimum),
        });
        closing.into_iter().chain(period).min()
    }

    fn decide_window(&self, due: &Due, now: Timestamp, key: &Digest) -> Result<Decision> {
        let (_, id, charge, what) = due;
        let subscription = self.subscription(id)?;
        let lane = self.lane(&subscription.lane)?;
        if lane.open.origin != self.instance()?.origin {
            return self.reopen(subscription, lane.open.rail, now);
        }
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let issued_at = now.max(lane.issued_at);
        let draft = match what {
            What::Start => draft_period(self, id, *charge, Edge::Start, issued_at)?,
            What::Return => draft_period(self, id, *charge, Edge::Return, issued_at)?,
            What::Minimum => draft_period(self, id, *charge, Edge::Close, issued_at)?,
            What::TrueUp(start) => {
                let windows = subscription.account.counters.get(*charge);
                let window = windows.and_then(|windows| windows.starts_at(*start));
                let (window, _) = window.ok_or(Code::EntryMisplaced)?;
                let draft = draft_true_up(self, id, *charge, *window, issued_at)?;
                // Limits do not count it.
                return self.issue(draft.seal(salt), Vec::new());
            }
        };
        self.receipt_decision(subscription, draft.seal(salt), &BTreeMap::new(), None)
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
