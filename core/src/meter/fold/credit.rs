//! Receipts of credits.

use alloc::sync::Arc;

use super::{line_index, misplaced, receipt::lines};
use crate::{
    account::{Corrected, returns},
    entry::ReceiptEntry,
    error::Result,
    meter::State,
};

impl State {
    pub(super) fn apply_credit(&mut self, e: &ReceiptEntry) -> Result<()> {
        let id = self.lane(&e.head.lane)?.open.root();
        self.subscription(&id)?.need_whole()?;
        let none = || misplaced("a credit without the receipt that it corrects");
        let corrected = e.corrects.as_deref().ok_or_else(none)?;
        let body = corrected.body.as_ref().ok_or_else(none)?;
        let of = &corrected.head;
        if !self.has_receipt(&id, &of.lane, of.sequence) || of.digest() != e.head.subject {
            return Err(misplaced("a credit of another receipt"));
        }
        if self.subscription(&id)?.is_running(&corrected.head) {
            return Err(misplaced("a credit of a part whose call goes on"));
        }
        let subscription = self.subscription_mut(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let rated = lines(&plan, &body.items, line_index)?;
        let of = Corrected::of(e.head.subject, of, &body.items)?;
        let back = subscription.given_back.record(e.digest, &e.body.items, &of)?;
        let account = &mut subscription.account;
        for (grant, given_at, amount) in returns(&e.body.items) {
            account.grants.give_back(grant, given_at, amount, e.head.issued_at)?;
        }
        account.note_given_back(&rated, back)
    }
}
