//! Giving back what a receipt cost.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    account::{credit_input, credit_subject},
    crypto::Digest,
    error::{Code, Error, Result},
    meter::{
        Credit, Outcome, Replay, State,
        decide::Decision,
        draft::{CreditFacts, draft_credit},
    },
    receipt::receipt_salt,
    time::Timestamp,
};

impl State {
    pub(super) fn decide_credit(
        &self,
        credit: &Credit,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        let (subscription, lane) = self.current(&credit.subscription)?;
        subscription.need_whole()?;
        if let Some(made) = subscription.given_back.credits.get(&credit_subject(&credit.id)) {
            let input = credit_input(&credit.receipt.head.digest(), credit.amount, &credit.reason);
            if made.input != input {
                return Err(Error::new(Code::CreditConflict).value(&credit.id));
            }
            let receipt = made.receipt;
            return Ok((None, Outcome::Replayed(Replay::Settled { receipt })));
        }
        let facts = CreditFacts {
            subscription: credit.subscription,
            id: &credit.id,
            reason: &credit.reason,
            amount: credit.amount,
            corrects: &Arc::new(credit.receipt.clone()),
            issued_at: now.max(lane.issued_at),
        };
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        // Limits count what calls cost when they are made.
        self.issue(draft_credit(self, &facts)?.seal(salt), Vec::new())
    }
}
