//! What a meter shows.

use crate::values::{Amount, Digest, Exact, HoldState, Timestamp, Window};

pub(crate) type LaneTotals = counterfoil::meter::LaneTotals;
pub(crate) type SubscriptionView = counterfoil::meter::SubscriptionView;
pub(crate) type HoldView = counterfoil::meter::HoldView;
pub(crate) type LeaseView = counterfoil::meter::LeaseView;
type LentUnits = counterfoil::meter::LentUnits;
type StatementView = counterfoil::meter::StatementView;
type UnitShare = counterfoil::lease::UnitShare;
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

/// A lease that is out: its holder may still say what was used, and nothing of it was taken back.
#[uniffi::remote(Record)]
pub struct LeaseView {
    /// Its id.
    pub lease: Digest,
    /// The origin of the log that may meter under it.
    pub holder: String,
    /// When it was made.
    pub at: Timestamp,
    /// The first instant at which it authorises nothing more.
    pub until: Timestamp,
    /// When it is reclaimed, if it does not come back before: `until` and the plan's `grace`.
    pub reclaimed_at: Timestamp,
    /// What was lent of each charge, in the order of the plan.
    pub charges: Vec<LentUnits>,
    /// What was lent of each limit on units that covers its calls, in the order of the plan.
    pub limits: Vec<UnitShare>,
    /// The last that was absorbed of what its holder states; absent when there is nothing.
    pub stated: Option<StatementView>,
}

/// What was lent of one charge, and used as far as is known.
#[uniffi::remote(Record)]
pub struct LentUnits {
    /// The charge's id.
    pub charge: String,
    /// Where its counter stood.
    pub counter: u64,
    /// How many units were lent.
    pub units: u64,
    /// How many of them the last statement says were used; 0 without one.
    pub used: u64,
}

/// What is lent of a limit on units.
#[uniffi::remote(Record)]
pub struct UnitShare {
    /// The limit's id.
    pub limit: String,
    /// The most that calls may count; of a soft limit, which bounds nothing, 0.
    pub most: u64,
}

/// Where a lease's lane stood when its holder last said so.
#[uniffi::remote(Record)]
pub struct StatementView {
    /// The sequence of the lane's last receipt; 0 when there was none.
    pub sequence: u64,
    /// What the lane had charged, exact.
    pub cumulative: Exact,
    /// When the statement was made.
    pub at: Timestamp,
}
