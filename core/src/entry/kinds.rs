//! The kinds of entry.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    amount::Amount,
    crypto::{Address, Digest, Signature},
    entry::Denial,
    lease::{Lease, Statement},
    log::Checkpoint,
    meter::{HeldUnits, ReservedUnits},
    receipt::{Body, Head, LaneOpen, Receipt},
    time::Timestamp,
    usage::Quantities,
};

/// A decided state change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The meter begins, or begins anew after a backup was restored.
    Instance(Instance),
    /// A plan becomes known: its document in RFC 8785 form.
    Plan(Vec<u8>),
    /// A lane opens, and with lane 0 its subscription.
    Open(Opening),
    /// A call is authorised.
    Hold(HoldEntry),
    /// An imported call is refused.
    Denied(Denied),
    /// A call is settled, a window billed or trued up, or a receipt credited.
    Receipt(Arc<ReceiptEntry>),
    /// A hold ends without a receipt, or its outcome becomes unknown.
    Release(Release),
    /// The log's state is fixed.
    Checkpoint(Checkpoint),
    /// Money has arrived for a lane.
    Collected(Collected),
    /// A grant is given.
    Granted(Granted),
    /// A grant is taken back.
    Voided(Voided),
    /// A subscription is cancelled.
    Cancelled(Cancelled),
    /// A share is lent.
    Leased(Arc<Lease>),
    /// What a lease was used for, by its holder.
    Stated(Statement),
    /// The lender took note of that.
    Absorbed(Absorbed),
    /// The lender took back what a lease did not use, without its holder's last word.
    Reclaimed(Reclaimed),
    /// A hold goes on for longer.
    Extended(Extended),
    /// Evidence is presented.
    Presented(Presented),
}

/// Who meters, and into which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The log's origin: a name without spaces, unique to this meter instance.
    pub origin: String,
    /// The key that signs lanes, receipts and checkpoints.
    pub signer: Address,
    /// When it began.
    pub at: Timestamp,
}

/// A lane and what is known of its subscription outside the lane's signed opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The signed part.
    pub lane: LaneOpen,
    /// The seller's own name for the subscriber, if the payer is no address.
    pub account: Option<String>,
    /// The salt under which the payer's hash was made, or zero.
    pub payer_salt: Digest,
    /// When the subscription started.
    pub started_at: Timestamp,
    /// The subscription that this one takes the place of, from its start on.
    pub switched_from: Option<Digest>,
    /// The lease that it is opened under, if it is one.
    pub lease: Option<SignedLease>,
}

/// A lease with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLease {
    /// The lease.
    pub lease: Arc<Lease>,
    /// The signature by the plan's authority.
    pub signature: Signature,
}

/// A statement that the lender has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absorbed {
    /// The statement.
    pub statement: Statement,
    /// The signature by the plan's authority.
    pub signature: Signature,
    /// When.
    pub at: Timestamp,
}

/// A lease that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// The lease.
    pub lease: Digest,
    /// When.
    pub at: Timestamp,
}

/// The place in an imported log up to which every record has its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportMark {
    /// The identity of the input.
    pub input: Digest,
    /// The record's number in it, from 0.
    pub ordinal: u64,
    /// The byte after the record.
    pub offset: u64,
    /// SHA-256 of the input up to that byte.
    pub digest: Digest,
}

/// An authorised call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldEntry {
    /// The lane whose receipt will settle it.
    pub lane: Digest,
    /// The hash of the request id.
    pub subject: Digest,
    /// The hash of the request, by which a replay is told from a conflict.
    pub input: Digest,
    /// The instant that fixes window and prices.
    pub authorized_at: Timestamp,
    /// The instant at which the hold expires.
    pub deadline: Timestamp,
    /// The most units that the call may use and no grant pays: (index of the charge, units).
    pub units: Arc<[(usize, u64)]>,
    /// The most units that limits count of the call: (index of the limit, units).
    pub limited: Arc<[(usize, u64)]>,
    /// The call's attributes.
    pub attributes: Arc<BTreeMap<String, String>>,
    /// Units that grants pay, in the order in which they are drawn.
    pub reserved: Arc<[ReservedUnits]>,
    /// The most that the call may use.
    pub most: Quantities,
}

/// A refused record of an imported log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The lane that it would have been charged in.
    pub lane: Digest,
    /// The hash of the record's id.
    pub subject: Digest,
    /// The record's instant.
    pub at: Timestamp,
    /// Why.
    pub denial: Denial,
    /// The record's place.
    pub import: ImportMark,
}

/// A receipt without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptEntry {
    /// The head.
    pub head: Head,
    /// The head's EIP-712 digest; not part of the bytes.
    pub digest: Digest,
    /// The body.
    pub body: Body,
    /// The place of the record, when it settles an imported one.
    pub import: Option<ImportMark>,
    /// What a credit corrects: head, signature and body. Other receipts have none.
    pub corrects: Option<Arc<Receipt>>,
}

/// A hold without a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The hold's lane.
    pub lane: Digest,
    /// The hold's subject.
    pub subject: Digest,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: ReleaseReason,
}

/// Why a hold changed without a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseReason {
    /// The host gave it back: the call was not made, or is free.
    Released,
    /// Its deadline passed. A later settle is charged as late.
    Expired,
    /// The host does not know whether the call was made. Still reserved until the deadline.
    Unknown,
}

/// A hold that goes on for longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extended {
    /// The hold's lane.
    pub lane: Digest,
    /// The hold's subject.
    pub subject: Digest,
    /// When.
    pub at: Timestamp,
    /// The instant at which it expires now.
    pub deadline: Timestamp,
    /// What it holds now, where that is more than before.
    pub units: Option<HeldUnits>,
}

/// Money that arrived for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The lane.
    pub lane: Digest,
    /// All that was collected for the lane so far, in atomic units.
    pub amount: Amount,
    /// All fees so far that were kept back on the way, part of the amount.
    pub fee: Amount,
    /// The payment's reference: a transaction hash, an invoice number.
    pub reference: String,
    /// When.
    pub at: Timestamp,
}

/// A grant that a seller gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The subscription.
    pub subscription: Digest,
    /// The terms: a document in its RFC 8785 form.
    pub terms: Vec<u8>,
    /// When it is given.
    pub at: Timestamp,
}

/// A grant that a seller takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voided {
    /// The subscription.
    pub subscription: Digest,
    /// The grant's id.
    pub grant: String,
    /// When.
    pub at: Timestamp,
    /// What the buyer is owed for what is left of a paid grant; nothing for others.
    pub refund: Amount,
}

/// A subscription that is cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// The subscription.
    pub subscription: Digest,
    /// When it was cancelled.
    pub at: Timestamp,
    /// When it ends by that.
    pub ends_at: Timestamp,
}

/// What an attestor states of a subscription's payer. Payer and seller are the subscription's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The subscription.
    pub subscription: Digest,
    /// Who states it.
    pub attestor: Address,
    /// What is stated.
    pub statement: String,
    /// When it was said.
    pub issued_at: Timestamp,
    /// The first instant at which it no longer counts.
    pub expires_at: Timestamp,
    /// The attestor's signature.
    pub signature: Signature,
    /// When it was presented.
    pub at: Timestamp,
}
