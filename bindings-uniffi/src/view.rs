//! What a meter shows.

use crate::values::{Amount, Digest, Exact, HoldState, Timestamp, Window};

pub(crate) type LaneTotals = counterfoil::meter::LaneTotals;
pub(crate) type SubscriptionView = counterfoil::meter::SubscriptionView;
pub(crate) type HoldView = counterfoil::meter::HoldView;
type CounterView = counterfoil::meter::CounterView;
type GrantView = counterfoil::meter::GrantView;

/// Where a lane stands.
#[uniffi::remote(Record)]
pub struct LaneTotals {
    /// The lane's id.
    pub lane: Digest,
    /// Its subscription.
    pub subscription: Digest,
    /// Its plan.
    pub plan: Digest,
    /// Its payer.
    pub payer: Digest,
    /// Its rail, or zero.
    pub rail: Digest,
    /// The lane's number in its subscription.
    pub number: u32,
    /// The sequence of the last receipt; 0 when there is none.
    pub sequence: u64,
    /// The digest of the last head.
    pub head: Digest,
    /// What the lane started from.
    pub baseline: Exact,
    /// What the credits started from.
    pub credited_baseline: Exact,
    /// All charges, exact.
    pub cumulative: Exact,
    /// All credits, exact.
    pub credited: Exact,
    /// All that was collected.
    pub collected: Amount,
    /// All fees kept back on the way.
    pub fee: Amount,
}

/// What is known of a subscription.
#[uniffi::remote(Record)]
pub struct SubscriptionView {
    /// Its id.
    pub id: Digest,
    /// Its plan.
    pub plan: Digest,
    /// Its payer.
    pub payer: Digest,
    /// The seller's own name for the subscriber, if there is one.
    pub name: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ends, by its term or a cancellation.
    pub ends_at: Option<Timestamp>,
    /// The lane that takes receipts.
    pub lane: Digest,
    /// How many imported records were refused.
    pub denied: u64,
    /// How many holds are reserved.
    pub holds: u64,
    /// Every charge's newest window.
    pub counters: Vec<CounterView>,
    /// What open holds may still cost together, exact.
    pub reserved: Exact,
    /// The grants, in the order in which they are drawn.
    pub grants: Vec<GrantView>,
}

/// A grant and what is left of it.
#[uniffi::remote(Record)]
pub struct GrantView {
    /// Its id.
    pub grant: String,
    /// Why it was given: `promotional`, `trial` or `included`.
    pub kind: String,
    /// The meter whose units it pays; absent for money.
    pub meter: Option<String>,
    /// When it was given.
    pub given_at: Timestamp,
    /// The first instant whose calls cannot use it; absent if there is none.
    pub expires_at: Option<Timestamp>,
    /// What is left, exact, what holds reserve included; of units, their whole number.
    pub balance: Exact,
    /// Units that open holds reserve.
    pub reserved: u64,
}

/// A counter in its newest window.
#[uniffi::remote(Record)]
pub struct CounterView {
    /// The charge's id.
    pub charge: String,
    /// The window.
    pub window: Window,
    /// Units settled.
    pub units: u64,
    /// What they were billed, exact.
    pub billed: Exact,
}

/// A hold that reserves, or that expired and may still be settled.
#[uniffi::remote(Record)]
pub struct HoldView {
    /// The hash of the request id; names the hold.
    pub subject: Digest,
    /// `open`, `unknown` or `expired`.
    pub state: HoldState,
    /// The instant that fixed window and prices.
    pub authorized_at: Timestamp,
    /// When it expires.
    pub deadline: Timestamp,
    /// How many parts charged what the call used so far.
    pub parts: u64,
    /// What they charged together, exact, what grants paid of it included.
    pub charged: Exact,
}
