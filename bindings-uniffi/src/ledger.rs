//! Over a whole journal: audit and settlement.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use counterfoil::entry::Entry;
use counterfoil::settlement::{self, PayoutLeaf};
use counterfoil::{Code, Error, audit};

use crate::Result;
use crate::meter::StepMachine;
use crate::values::{Address, Amount, Currency, Digest, Signature, Timestamp};

type Counts = counterfoil::audit::Counts;

/// Counts of what was audited.
#[uniffi::remote(Record)]
pub struct Counts {
    /// All entries.
    pub entries: u64,
    /// Receipts.
    pub receipts: u64,
    /// Refused records.
    pub denied: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// Recomputes a ledger entry by entry.
#[derive(uniffi::Object, Default)]
pub struct Auditor(Mutex<audit::Auditor>);

#[uniffi::export]
impl Auditor {
    /// An auditor before the first entry.
    #[uniffi::constructor]
    fn new() -> Arc<Auditor> {
        Arc::default()
    }

    /// Audits the next entry; the signature that it needs is to be checked by who has it.
    fn next(&self, entry: Vec<u8>) -> Result<Option<Arc<Expected>>> {
        let (_, expected) = self.lock().next(&entry)?;
        Ok(expected.map(|expected| Arc::new(Expected(expected))))
    }

    /// What was audited so far.
    fn counts(&self) -> Counts {
        self.lock().counts()
    }

    /// How many heads and openings no checkpoint covers yet.
    fn unproven(&self) -> u64 {
        self.lock().unproven()
    }
}

impl Auditor {
    fn lock(&self) -> std::sync::MutexGuard<'_, audit::Auditor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signature that an entry needs, as an auditor sees it.
#[derive(uniffi::Object)]
pub struct Expected(audit::Expected);

#[uniffi::export]
impl Expected {
    /// The slot of the signature: a log position, or a checkpoint's number.
    fn slot(&self) -> u64 {
        self.0.slot
    }

    /// Whether the slot is a checkpoint's.
    fn is_checkpoint(&self) -> bool {
        self.0.checkpoint
    }

    /// Whether the signature must be there: false for a head in checkpoint mode.
    fn is_required(&self) -> bool {
        self.0.required
    }

    /// Checks the signature that stands in the slot.
    fn check(&self, signature: Option<Signature>) -> Result<()> {
        Ok(self.0.check(signature.as_ref().map(Signature::bytes))?)
    }
}

type Extent = counterfoil::settlement::Extent;

/// How much of what lanes charged is settled.
#[uniffi::remote(Enum)]
pub enum Extent {
    /// What was recorded as collected.
    Collected,
    /// Everything, as if all that is due were collected.
    Everything,
}

/// Lanes and shares of one currency, from a meter and the entries behind it.
#[derive(uniffi::Object)]
pub struct Batch(Mutex<Lanes>);

#[derive(Clone)]
struct Lanes {
    batch: settlement::Batch,
    plans: BTreeMap<Digest, counterfoil::Plan>,
    /// By lane and by subscription.
    plan_of: BTreeMap<Digest, Digest>,
}

#[uniffi::export]
impl Batch {
    /// Announces the lanes of a meter in one currency, by id; without one, in the only currency
    /// that the meter's lanes have.
    #[uniffi::constructor]
    fn new(meter: &StepMachine, currency: Option<String>, extent: Extent) -> Result<Arc<Batch>> {
        let meter = meter.lock();
        let mut lanes: Option<Lanes> = None;
        for totals in meter.lanes() {
            let Some(plan) = meter.plan(&totals.plan) else { continue };
            if currency.as_ref().is_some_and(|id| *id != plan.currency().id()) {
                continue;
            }
            let lanes = lanes.get_or_insert_with(|| Lanes {
                batch: settlement::Batch::new(plan.currency().clone()),
                plans: BTreeMap::new(),
                plan_of: BTreeMap::new(),
            });
            lanes.batch.add_lane(&totals, plan, extent)?;
            lanes.plans.entry(totals.plan).or_insert_with(|| plan.clone());
            lanes.plan_of.insert(totals.lane, totals.plan);
            lanes.plan_of.insert(totals.subscription, totals.plan);
        }
        let none = || Error::new(Code::CurrencyMismatch).because("no lane has this currency");
        Ok(Arc::new(Batch(Mutex::new(lanes.ok_or_else(none)?))))
    }

    /// Adds one entry of the journal, in its order: receipts, grants and voids count, others add
    /// nothing.
    fn add(&self, entry: Vec<u8>) -> Result<()> {
        let entry = Entry::from_bytes(&entry)?;
        let mut lanes = self.lock();
        let Lanes { batch, plans, plan_of } = &mut *lanes;
        let plan = |of: &Digest| plan_of.get(of).and_then(|id| plans.get(id));
        match entry {
            Entry::Receipt(receipt) => {
                if let Some(plan) = plan(&receipt.head.lane) {
                    batch.add_receipt(&receipt, plan)?;
                }
            }
            Entry::Granted(granted) => {
                if let Some(plan) = plan(&granted.subscription) {
                    batch.add_grant(&granted, plan)?;
                }
            }
            Entry::Voided(voided) => batch.add_void(&voided),
            _ => {}
        }
        Ok(())
    }

    /// Adds the lanes of another shard.
    fn merge(&self, other: &Batch) -> Result<()> {
        let other = other.lock().clone();
        let mut lanes = self.lock();
        lanes.batch.merge(&other.batch)?;
        lanes.plans.extend(other.plans);
        lanes.plan_of.extend(other.plan_of);
        Ok(())
    }

    /// Settles the batch. `closing` pays the residue out as well.
    fn settle(&self, closing: bool) -> Result<Arc<Settlement>> {
        Ok(Arc::new(Settlement(self.lock().batch.settle(closing)?)))
    }
}

impl Batch {
    fn lock(&self) -> std::sync::MutexGuard<'_, Lanes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Totals = counterfoil::settlement::Totals;

/// The sums of a settlement, in atomic units.
#[uniffi::remote(Record)]
pub struct Totals {
    /// All charges.
    pub gross: Amount,
    /// All credits.
    pub credited: Amount,
    /// All that was collected.
    pub collected: Amount,
    /// All fees, part of what was collected.
    pub fees: Amount,
    /// What may still be claimed.
    pub claimable: Amount,
    /// What was collected beyond what is due.
    pub owed: Amount,
    /// The part of `owed` that is in hand.
    pub held: Amount,
    /// All that was paid for grants.
    pub sold: Amount,
    /// What the buyers of voided ones are owed.
    pub refunded: Amount,
    /// What calls have drawn on them is worth.
    pub spent: Amount,
    /// The rest: it may still be drawn, or has expired and stays with the seller.
    pub unearned: Amount,
    /// All payouts.
    pub payouts: Amount,
    /// What flooring left.
    pub residue: Amount,
}

/// One payee's part.
#[derive(uniffi::Record)]
pub struct PayeeLine {
    /// The payee: an address, or a name in the seller's books.
    pub payee: String,
    /// All that the payee is to receive so far.
    pub payable: Amount,
    /// What was reversed beyond what the payee earned.
    pub owed: Amount,
}

/// A payee's leaf in the payout tree, with the proof that leads to its root.
#[derive(uniffi::Record)]
pub struct Payout {
    /// The payee.
    pub payee: Address,
    /// The token.
    pub token: Address,
    /// All that the payee is to receive so far.
    pub cumulative: Amount,
    /// The proof.
    pub proof: Vec<Digest>,
}

/// A settled batch.
#[derive(uniffi::Object)]
pub struct Settlement(settlement::Settlement);

#[uniffi::export]
impl Settlement {
    /// The currency.
    fn currency(&self) -> Currency {
        (&self.0.currency).into()
    }

    /// The sums.
    fn totals(&self) -> Totals {
        self.0.totals.clone()
    }

    /// The payees, by their bytes.
    fn payees(&self) -> Vec<PayeeLine> {
        let line = |line: &settlement::PayeeLine| PayeeLine {
            payee: line.payee.to_string(),
            payable: line.payable,
            owed: line.owed,
        };
        self.0.payees.iter().map(line).collect()
    }

    /// What the settlement commits to.
    fn commitment(&self) -> Digest {
        self.0.commitment
    }

    /// The root of the payout tree; absent where nobody is paid on a chain.
    fn root(&self) -> Option<Digest> {
        self.0.payouts.as_ref().map(settlement::PayoutTree::root)
    }

    /// What a payee may claim under the root.
    fn payout(&self, payee: Address) -> Result<Option<Payout>> {
        let tree = self.0.payouts.as_ref().zip(self.0.currency.evm_token());
        let found = tree.and_then(|(tree, token)| tree.proof(payee, token));
        Ok(found.map(|(PayoutLeaf { payee, token, cumulative }, proof)| {
            let cumulative = Amount::from_atomic(cumulative);
            Payout { payee, token, cumulative, proof }
        }))
    }

    /// The whole settlement as a document.
    fn to_json(&self) -> String {
        self.0.to_value().compact()
    }
}

/// Checks a payee's proof under a payout root.
#[uniffi::export]
fn verify_payout(root: Digest, payout: Payout) -> Result<()> {
    let Payout { payee, token, cumulative, proof } = payout;
    let leaf = PayoutLeaf { payee, token, cumulative: cumulative.atomic() };
    Ok(settlement::verify_payout(&root, &leaf, &proof)?)
}

type Duplicate = settlement::Duplicate;
type LaneCharge = settlement::LaneCharge;
type ChargedReceipt = settlement::ChargedReceipt;

/// A request id that two lanes of one subscription charged.
#[uniffi::remote(Record)]
pub struct Duplicate {
    /// The subscription.
    pub subscription: Digest,
    /// The hash of the request's id: the subject of its receipts.
    pub subject: Digest,
    /// What was charged first.
    pub kept: LaneCharge,
    /// What was charged again, and is to be credited.
    pub extra: LaneCharge,
    /// Whether credits gave all of `extra` back, as far as it can go back.
    pub resolved: bool,
}

/// What one lane charged for a call.
#[uniffi::remote(Record)]
pub struct LaneCharge {
    /// The lane.
    pub lane: Digest,
    /// When its first receipt was issued.
    pub issued_at: Timestamp,
    /// Its receipts: one, or several where the call was charged in parts.
    pub receipts: Vec<ChargedReceipt>,
}

/// Which receipt charged a call, or a part of it.
#[uniffi::remote(Record)]
pub struct ChargedReceipt {
    /// Its number in the lane.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Finds request ids that several lanes of one subscription charged, over the journals of its meters.
#[derive(uniffi::Object, Default)]
pub struct Duplicates(Mutex<settlement::Duplicates>);

#[uniffi::export]
impl Duplicates {
    /// Without any journal.
    #[uniffi::constructor]
    fn new() -> Arc<Duplicates> {
        Arc::default()
    }

    /// Adds one entry of an audited journal, in its order; one journal after the other.
    fn add(&self, entry: Vec<u8>) -> Result<()> {
        Ok(self.lock().add(&Entry::from_bytes(&entry)?)?)
    }

    /// Every call that more than one lane charged, each later lane beside the first.
    fn list(&self) -> Result<Vec<Duplicate>> {
        Ok(self.lock().list()?)
    }
}

impl Duplicates {
    fn lock(&self) -> std::sync::MutexGuard<'_, settlement::Duplicates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
