//! Deciding commands: from the state and a command to an entry and an outcome. Changes nothing.

mod admit;
mod authorize;
mod credit;
mod due;
mod grant;
mod import;
mod lease;
mod open;
mod present;
mod settle;
mod sign;
mod term;

pub(crate) use open::subscription_id;

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    account::Counted,
    crypto::Digest,
    entry::{Entry, ReceiptEntry},
    error::{Code, Error, Result},
    meter::{Command, Crossed, Outcome, Parts, State, Subscription},
    time::Timestamp,
};

/// An entry to record, if any, and what it means.
pub(crate) type Decision = (Option<Entry>, Outcome);

impl State {
    /// Decides a command at `now`. `key` is the salt key.
    pub(crate) fn decide(
        &mut self,
        command: &Command,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        match command {
            Command::Begin { origin, signer } => self.decide_begin(origin, *signer, now),
            Command::AddPlan(plan) => self.decide_plan(plan),
            Command::Subscribe(subscribe) => self.decide_subscribe(subscribe, now, key),
            Command::Authorize(request) => self.decide_authorize(request, now),
            Command::Settle(settle) => self.decide_settle(settle, false, now, key),
            Command::SettlePart(settle) => self.decide_settle(settle, true, now, key),
            Command::Extend { subscription, id } => self.decide_extend(subscription, id, now),
            Command::Release { subscription, id, reason } => {
                self.decide_release(subscription, id, *reason, now)
            }
            Command::Import(import) => self.decide_import(import, key),
            Command::Due => self.decide_due(now, key),
            Command::Checkpoint => self.decide_checkpoint(),
            Command::Grant { subscription, terms } => self.decide_grant(subscription, terms, now),
            Command::Cancel { subscription } => self.decide_cancel(subscription, now),
            Command::Switch { subscription, plan } => self.decide_switch(subscription, plan, now),
            Command::Credit(credit) => self.decide_credit(credit, now, key),
            Command::Void { subscription, grant } => self.decide_void(subscription, grant, now),
            Command::Lease(request) => self.decide_lease(request, now),
            Command::Accept { lease, signature, rail } => {
                self.decide_accept(lease, *signature, *rail, now)
            }
            Command::Statement { lease, closing } => self.decide_statement(lease, *closing, now),
            Command::Absorb { statement, signature } => {
                self.decide_absorb(statement, *signature, now)
            }
            Command::Present { subscription, evidence } => {
                self.decide_present(subscription, evidence, now)
            }
            Command::Collect(collected) => {
                self.lane(&collected.lane).map_err(|_| {
                    Error::new(Code::CollectedInvalid).value(collected.lane).because("no lane")
                })?;
                if collected.reference.len() > 256 {
                    return Err(Error::new(Code::TextInvalid)
                        .value(&collected.reference)
                        .because("a reference is at most 256 bytes"));
                }
                Ok((Some(Entry::Collected(collected.clone())), Outcome::Done))
            }
        }
    }

    /// The receipt of a call or a period, and the shares of limits that it reaches. `attributes` are those
    /// that a call was authorised with; a period has none. `earlier` are the call's parts.
    pub(super) fn receipt_decision(
        &self,
        subscription: &Subscription,
        receipt: ReceiptEntry,
        attributes: &BTreeMap<String, String>,
        earlier: Option<&Parts>,
    ) -> Result<Decision> {
        let plan = &subscription.plan;
        let counted = Counted::of(plan, &receipt, attributes, earlier)?;
        let crossed = self.crossed(subscription, &counted)?;
        self.issue(receipt, crossed)
    }

    /// A receipt to record, which reaches these shares of limits.
    pub(super) fn issue(&self, receipt: ReceiptEntry, crossed: Vec<Crossed>) -> Result<Decision> {
        let receipt = Arc::new(receipt);
        let entry = Entry::Receipt(Arc::clone(&receipt));
        let sign = self.wanted(&entry)?;
        let outcome = Outcome::Receipt { receipt, position: self.next_slot(), sign, crossed };
        Ok((Some(entry), outcome))
    }
}
