//! What a host asks of a meter.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    amount::Exact,
    crypto::{Address, Digest, Signature},
    entry::{Collected, ImportMark, ReleaseReason},
    plan::Plan,
    receipt::Receipt,
    time::Timestamp,
    usage::Usage,
};

/// A request to change the meter's state.
#[derive(Debug, Clone)]
pub enum Command {
    /// Begins the meter, or begins it anew after a backup was restored: a new log origin, and a new
    /// lane for every subscription at its next call.
    Begin {
        /// The log's origin: 1 to 100 characters without spaces or control characters.
        origin: String,
        /// The key that will sign.
        signer: Address,
    },
    /// Makes a plan known.
    AddPlan(Box<Plan>),
    /// Binds a payer to a plan, or opens the next lane of a subscription after a restore.
    Subscribe(Subscribe),
    /// Asks for a hold before a call.
    Authorize(Request),
    /// Charges what the call really used.
    Settle(Settle),
    /// Charges what a call has used so far. Its hold goes on for the rest.
    SettlePart(Settle),
    /// Lets a hold reserve for longer, while it still reserves: a whole `hold` of the plan from now on,
    /// and not longer than `grace` after it was authorised.
    Extend {
        /// The subscription.
        subscription: Digest,
        /// The request id.
        id: String,
    },
    /// Ends a hold without a charge, or marks its outcome unknown.
    Release {
        /// The subscription.
        subscription: Digest,
        /// The request id.
        id: String,
        /// Why. `Expired` is the meter's own and is refused here.
        reason: ReleaseReason,
    },
    /// Meters one record of a finished call: authorise and settle in one entry.
    Import(Import),
    /// Does the first thing that is due: an expired hold, a closing window, a checkpoint.
    Due,
    /// Fixes the log's state now, if it grew since the last checkpoint.
    Checkpoint,
    /// Records money that arrived for a lane.
    Collect(Collected),
    /// Gives a subscription a grant.
    Grant {
        /// The subscription.
        subscription: Digest,
        /// The terms, a JSON document: [`crate::plan::Grant::from_json`].
        terms: String,
    },
    /// Ends a subscription at once or with its term, as its plan says, and credits what is paid in
    /// advance of fees with `prorate`.
    Cancel {
        /// The subscription.
        subscription: Digest,
    },
    /// Ends a subscription now, and opens one of the same payer to another plan, in one entry.
    Switch {
        /// The subscription.
        subscription: Digest,
        /// The other plan's id.
        plan: Digest,
    },
    /// Takes back what is left of a grant and no hold reserves.
    Void {
        /// The subscription.
        subscription: Digest,
        /// The grant's id.
        grant: String,
    },
    /// Shows the meter evidence that the plan's condition asks for: calls after it may rely on it.
    Present {
        /// The subscription.
        subscription: Digest,
        /// The signed document: [`crate::rules::VerifiedEvidence::to_json`].
        evidence: String,
    },
    /// Gives back what a receipt cost, in part or whole.
    Credit(Box<Credit>),
    /// Lends a share of a subscription to another meter.
    Lease(LeaseRequest),
    /// Takes a lease that another meter made for this one: opens a lane under it. Its id stands for
    /// the subscription's from then on.
    Accept {
        /// The lease: [`crate::lease::Lease::to_bytes`].
        lease: Vec<u8>,
        /// Its signature.
        signature: Signature,
        /// The rail that settles the lane, or zero.
        rail: Digest,
    },
    /// Says what the calls under a lease used so far.
    Statement {
        /// The lease.
        lease: Digest,
        /// Whether it takes no more calls. No hold may be open then.
        closing: bool,
    },
    /// Takes note of what the holder of a lease says; of its last word, takes the rest back.
    Absorb {
        /// The statement: [`crate::lease::Statement::to_bytes`].
        statement: Vec<u8>,
        /// Its signature.
        signature: Signature,
    },
}

/// A share of a subscription that another meter wants.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The subscription.
    pub subscription: Digest,
    /// The origin of the other meter's log.
    pub holder: String,
    /// The first instant at which it authorises nothing more. No window of now that its calls count in
    /// may end before.
    pub until: Timestamp,
    /// Units by charge. Calls under the lease may use no other charge.
    pub units: BTreeMap<String, u64>,
    /// Units by limit on units. A hard one that covers its calls and is not here counts as 0.
    pub limits: BTreeMap<String, u64>,
    /// The attributes that limits look at: every call under the lease has these, and no others of
    /// those that a limit names in `match` or `per`.
    pub attributes: BTreeMap<String, String>,
}

/// Who subscribes to what.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// The plan's id.
    pub plan: Digest,
    /// The payer's address, if it has one.
    pub payer: Option<Address>,
    /// The seller's own name for the subscriber; without an address its salted hash is the payer.
    pub account: Option<String>,
    /// When the subscription starts. Together with plan and payer it is the subscription's identity.
    pub started_at: Timestamp,
    /// The rail that settles the lane, or zero.
    pub rail: Digest,
}

/// A call that wants to be made.
#[derive(Debug, Clone)]
pub struct Request {
    /// The subscription.
    pub subscription: Digest,
    /// The request id, unique per subscription within the replay horizon.
    pub id: String,
    /// The client's own instant, if the id carries one: too old an instant is refused.
    pub created_at: Option<Timestamp>,
    /// The most that the call may use.
    pub most: Usage,
}

/// What a call used.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The subscription.
    pub subscription: Digest,
    /// The request id of the hold.
    pub id: String,
    /// What was used in all, earlier parts included; its attributes join those of the request.
    pub usage: Usage,
    /// SHA-256 of the bytes that the usage was read from, or zero.
    pub content: Digest,
}

/// A receipt to be given back.
#[derive(Debug, Clone)]
pub struct Credit {
    /// The subscription that was charged.
    pub subscription: Digest,
    /// The credit's id, 1 to 256 bytes, unique per subscription for ever: the same credit made twice
    /// gives back once.
    pub id: String,
    /// The receipt of a call, of a part of one that has ended, or of a period, with its body and signed
    /// by the meter's key.
    pub receipt: Receipt,
    /// How much, exact, in atomic units; whole ones where the plan rounds each receipt. `None` is all
    /// that is left of the receipt, the units that grants paid of it too.
    pub amount: Option<Exact>,
    /// Why, 1 to 256 bytes: it stands in the credit's receipt.
    pub reason: String,
}

/// A record of a finished call in a log.
#[derive(Debug, Clone)]
pub struct Import {
    /// The subscription.
    pub subscription: Digest,
    /// The record's instant.
    pub at: Timestamp,
    /// What was used.
    pub usage: Usage,
    /// SHA-256 of the record's bytes.
    pub content: Digest,
    /// The record's place.
    pub mark: ImportMark,
}
