//! The meter: propose, record, confirm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counterfoil::entry::{Collected, ImportMark};
use counterfoil::meter::{Command, Credit, Import, Request, Settle, Subscribe, Ticket};

use crate::Result;
use crate::outcome::Outcome;
use crate::plan::{Plan, Usage};
use crate::receipt::Receipt;
use crate::sign::{SignRequest, request};
use crate::values::{Address, Amount, Digest, Exact, Signature, Timestamp, secret};
use crate::view::{HoldView, LaneTotals, LeaseView, SubscriptionView};

/// A meter without its journal: what it decides is yours to record. `Meter`, the layer over it,
/// does that.
#[derive(uniffi::Object)]
pub struct StepMachine(Mutex<counterfoil::Meter>);

/// A decided step that waits to be recorded.
#[derive(uniffi::Object)]
pub struct Step {
    ticket: Ticket,
    entry: Option<Vec<u8>>,
}

#[uniffi::export]
impl Step {
    /// The step's place in the order of recording: tickets count up from 0.
    fn ticket(&self) -> u64 {
        self.ticket.number()
    }

    /// The entry to make durable; absent when the decision changes nothing.
    fn entry(&self) -> Option<Vec<u8>> {
        self.entry.clone()
    }
}

/// Why a hold changes without a receipt.
#[derive(uniffi::Enum)]
pub enum ReleaseReason {
    /// The call was not made, or is free.
    Released,
    /// The host does not know whether the call was made. Still reserved until the deadline.
    Unknown,
}

/// The place of a record in an imported log.
#[derive(uniffi::Record)]
pub struct Mark {
    /// The identity of the input.
    pub input: Digest,
    /// The record's number in it, from 0.
    pub ordinal: u64,
    /// The byte after the record.
    pub offset: u64,
    /// SHA-256 of the input up to that byte.
    pub digest: Digest,
}

/// A share of a subscription that another meter wants.
#[derive(uniffi::Record)]
pub struct LeaseRequest {
    /// The subscription.
    pub subscription: Digest,
    /// The origin of the other meter's log.
    pub holder: String,
    /// The first instant at which it authorises nothing more.
    pub until: Timestamp,
    /// Units by charge. Calls under the lease may use no other charge.
    pub units: HashMap<String, u64>,
    /// Units by limit on units. A hard one that covers its calls and is not here counts as 0.
    #[uniffi(default)]
    pub limits: HashMap<String, u64>,
    /// The attributes that limits look at: every call under the lease has these.
    #[uniffi(default)]
    pub attributes: HashMap<String, String>,
}

impl StepMachine {
    pub(crate) fn lock(&self) -> MutexGuard<'_, counterfoil::Meter> {
        // Nothing below panics; if something did, the meter is still the fold of its entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn propose(&self, command: &Command, now: Timestamp) -> Result<Arc<Step>> {
        let step = self.lock().propose(command, now)?;
        Ok(Arc::new(Step { ticket: step.ticket, entry: step.entry }))
    }
}

/// What a call, or a part of one, used.
fn settle(
    subscription: Digest,
    id: String,
    usage: &Usage,
    content: Option<Digest>,
) -> Result<Settle> {
    let content = content.unwrap_or(Digest::ZERO);
    Ok(Settle { subscription, id, usage: usage.read()?, content })
}

#[uniffi::export]
impl StepMachine {
    /// A meter without a past. The salt key is a secret of 32 random bytes.
    #[uniffi::constructor]
    fn new(salt_key: Vec<u8>) -> Result<Arc<StepMachine>> {
        Ok(Arc::new(StepMachine(Mutex::new(counterfoil::Meter::new(secret(&salt_key)?)))))
    }

    /// A meter that goes on from a snapshot; entries after it are to be replayed.
    #[uniffi::constructor]
    fn from_snapshot(snapshot: Vec<u8>, salt_key: Vec<u8>) -> Result<Arc<StepMachine>> {
        let meter = counterfoil::Meter::from_snapshot(&snapshot, secret(&salt_key)?)?;
        Ok(Arc::new(StepMachine(Mutex::new(meter))))
    }

    /// The durable state as bytes.
    fn snapshot(&self) -> Vec<u8> {
        self.lock().snapshot()
    }

    /// Folds a durable entry, before anything is proposed; what it wants signed is returned.
    fn replay(&self, entry: Vec<u8>) -> Result<Option<Arc<SignRequest>>> {
        Ok(self.lock().replay(&entry)?.map(request))
    }

    /// Begins the meter, or begins it anew after a backup was restored.
    fn propose_begin(&self, origin: String, signer: Address, now: Timestamp) -> Result<Arc<Step>> {
        self.propose(&Command::Begin { origin, signer }, now)
    }

    /// Makes a plan known.
    fn propose_add_plan(&self, plan: &Plan, now: Timestamp) -> Result<Arc<Step>> {
        self.propose(&Command::AddPlan(Box::new(plan.0.clone())), now)
    }

    /// Binds a payer to a plan, or opens the next lane of a subscription after a restore.
    fn propose_subscribe(
        &self,
        plan: Digest,
        payer: Option<Address>,
        account: Option<String>,
        started_at: Timestamp,
        rail: Option<Digest>,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let rail = rail.unwrap_or(Digest::ZERO);
        let command = Subscribe { plan, payer, account, started_at, rail };
        self.propose(&Command::Subscribe(command), now)
    }

    /// Asks for a hold before a call. A retry joins the newest request of the same content within
    /// `retry` of the plan; one that joins none has the id.
    #[expect(clippy::too_many_arguments, reason = "foreign functions have no named members")]
    fn propose_authorize(
        &self,
        subscription: Digest,
        id: String,
        created_at: Option<Timestamp>,
        content: Option<Digest>,
        retry: bool,
        most: &Usage,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let content = content.unwrap_or(Digest::ZERO);
        let most = most.read()?;
        let command = Request { subscription, id, created_at, content, retry, most };
        self.propose(&Command::Authorize(command), now)
    }

    /// Charges what the call really used.
    fn propose_settle(
        &self,
        subscription: Digest,
        id: String,
        usage: &Usage,
        content: Option<Digest>,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Settle(settle(subscription, id, usage, content)?), now)
    }

    /// Charges what a running call has used so far; its hold goes on for the rest.
    fn propose_settle_part(
        &self,
        subscription: Digest,
        id: String,
        usage: &Usage,
        content: Option<Digest>,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::SettlePart(settle(subscription, id, usage, content)?), now)
    }

    /// Charges a call that ended and of which nobody knows what it used, as its plan says.
    fn propose_settle_unfinished(
        &self,
        subscription: Digest,
        id: String,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::SettleUnfinished { subscription, id }, now)
    }

    /// Lets a hold reserve for longer, and for more, while it still reserves.
    fn propose_extend(
        &self,
        subscription: Digest,
        id: String,
        most: Option<Usage>,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let most = most.map(|most| most.read()).transpose()?;
        self.propose(&Command::Extend { subscription, id, most }, now)
    }

    /// Ends a hold without a charge, or marks its outcome unknown.
    fn propose_release(
        &self,
        subscription: Digest,
        id: String,
        reason: ReleaseReason,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let reason = match reason {
            ReleaseReason::Released => counterfoil::entry::ReleaseReason::Released,
            ReleaseReason::Unknown => counterfoil::entry::ReleaseReason::Unknown,
        };
        self.propose(&Command::Release { subscription, id, reason }, now)
    }

    /// Meters one record of a finished call.
    fn propose_import(
        &self,
        subscription: Digest,
        at: Timestamp,
        usage: &Usage,
        content: Option<Digest>,
        mark: Mark,
    ) -> Result<Arc<Step>> {
        let Mark { input, ordinal, offset, digest } = mark;
        let mark = ImportMark { input, ordinal, offset, digest };
        let content = content.unwrap_or(Digest::ZERO);
        let command = Import { subscription, at, usage: usage.read()?, content, mark };
        self.propose(&Command::Import(command), at)
    }

    /// Does the first thing that is due: an expired hold, a closing window, a checkpoint.
    fn propose_due(&self, now: Timestamp) -> Result<Arc<Step>> {
        self.propose(&Command::Due, now)
    }

    /// Fixes the log's state, if it grew since the last checkpoint.
    fn propose_checkpoint(&self) -> Result<Arc<Step>> {
        // A checkpoint's time is that of the last receipt.
        self.propose(&Command::Checkpoint, Timestamp::MIN)
    }

    /// Records money that arrived for a lane: totals so far.
    fn propose_collect(
        &self,
        lane: Digest,
        amount: Amount,
        fee: Amount,
        reference: String,
        at: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Collect(Collected { lane, amount, fee, reference, at }), at)
    }

    /// Gives a subscription a grant; the terms are a document, in JSON.
    fn propose_grant(
        &self,
        subscription: Digest,
        terms: String,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Grant { subscription, terms }, now)
    }

    /// Takes back what is left of a grant.
    fn propose_void(
        &self,
        subscription: Digest,
        grant: String,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Void { subscription, grant }, now)
    }

    /// Ends a subscription at once or with its term, as its plan says.
    fn propose_cancel(&self, subscription: Digest, now: Timestamp) -> Result<Arc<Step>> {
        self.propose(&Command::Cancel { subscription }, now)
    }

    /// Ends a subscription now, and opens one of the same payer to another plan, in one entry.
    fn propose_switch(
        &self,
        subscription: Digest,
        plan: Digest,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Switch { subscription, plan }, now)
    }

    /// Shows the meter evidence that the plan's condition asks for: the signed document, in JSON.
    fn propose_present(
        &self,
        subscription: Digest,
        evidence: String,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Present { subscription, evidence }, now)
    }

    /// Gives back what a receipt cost: an exact amount, or all that is left of it.
    fn propose_credit(
        &self,
        subscription: Digest,
        id: String,
        receipt: &Receipt,
        amount: Option<Exact>,
        reason: String,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let receipt = receipt.0.clone();
        let command = Credit { subscription, id, receipt, amount, reason };
        self.propose(&Command::Credit(Box::new(command)), now)
    }

    /// Lends a share of a subscription to another meter.
    fn propose_lease(&self, request: LeaseRequest, now: Timestamp) -> Result<Arc<Step>> {
        let command = Command::Lease(counterfoil::meter::LeaseRequest {
            subscription: request.subscription,
            holder: request.holder,
            until: request.until,
            units: request.units.into_iter().collect(),
            limits: request.limits.into_iter().collect(),
            attributes: request.attributes.into_iter().collect(),
        });
        self.propose(&command, now)
    }

    /// Opens a lane under a lease that another meter made for this one.
    fn propose_accept(
        &self,
        lease: Vec<u8>,
        signature: Signature,
        rail: Option<Digest>,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        let rail = rail.unwrap_or(Digest::ZERO);
        self.propose(&Command::Accept { lease, signature, rail }, now)
    }

    /// Says what the calls under a lease used so far.
    fn propose_statement(&self, lease: Digest, closing: bool, now: Timestamp) -> Result<Arc<Step>> {
        self.propose(&Command::Statement { lease, closing }, now)
    }

    /// Takes note of what the holder of a lease says.
    fn propose_absorb(
        &self,
        statement: Vec<u8>,
        signature: Signature,
        now: Timestamp,
    ) -> Result<Arc<Step>> {
        self.propose(&Command::Absorb { statement, signature }, now)
    }

    /// Says that the step's entry and all before it are durable, and reads what was decided.
    fn confirm(&self, step: &Step) -> Result<Outcome> {
        Ok(self.lock().confirm(step.ticket)?.into())
    }

    /// Says that the step's entry was not recorded: it and every later step are dropped.
    fn abandon(&self, step: &Step) -> Result<()> {
        Ok(self.lock().abandon(step.ticket)?)
    }

    /// Says that the fate of a write is unknown: nothing is proposed until `recover`.
    fn stall(&self) {
        self.lock().stall();
    }

    /// Ends the doubt: how many entries the journal really holds.
    fn recover(&self, durable: u64) -> Result<()> {
        Ok(self.lock().recover(durable)?)
    }

    /// How many entries are durable.
    fn entries(&self) -> u64 {
        self.lock().entries()
    }

    /// The log's origin, once the meter has begun.
    fn origin(&self) -> Option<String> {
        self.lock().origin().map(Into::into)
    }

    /// The key that signs, once the meter has begun.
    fn signer(&self) -> Option<Address> {
        self.lock().signer()
    }

    /// A plan by its id.
    fn plan(&self, id: Digest) -> Result<Option<Arc<Plan>>> {
        Ok(self.lock().plan(&id).map(|plan| Arc::new(Plan(plan.clone()))))
    }

    /// Every lane, by id.
    fn lanes(&self) -> Vec<LaneTotals> {
        self.lock().lanes().collect()
    }

    /// One lane.
    fn lane(&self, id: Digest) -> Result<Option<LaneTotals>> {
        Ok(self.lock().lane(&id))
    }

    /// Every subscription, by id.
    fn subscriptions(&self) -> Vec<SubscriptionView> {
        self.lock().subscriptions().collect()
    }

    /// One subscription.
    fn subscription(&self, id: Digest) -> Result<Option<SubscriptionView>> {
        Ok(self.lock().subscription(&id))
    }

    /// The holds of a subscription: those that reserve, and those that expired and may still be settled.
    fn holds(&self, subscription: Digest) -> Result<Option<Vec<HoldView>>> {
        Ok(self.lock().holds(&subscription))
    }

    /// The leases of a subscription that are out, by id.
    fn leases(&self, subscription: Digest) -> Result<Option<Vec<LeaseView>>> {
        Ok(self.lock().leases(&subscription))
    }

    /// Whether the subscription's lane belongs to the current log: if not, subscribe again.
    fn is_current(&self, subscription: Digest) -> Result<bool> {
        Ok(self.lock().is_current(&subscription))
    }

    /// How many heads and lane openings the log holds.
    fn log_size(&self) -> u64 {
        self.lock().log_size()
    }
}
