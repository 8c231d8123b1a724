//! What a report shows. Amounts are integers of the currency's atomic unit, or exact decimals in
//! major units as text; instants are Unix milliseconds; there is no float.

/// Everything one page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The page's title, such as the seller's name and the month.
    pub title: String,
    /// The plan's name for people.
    pub plan_name: String,
    /// The plan's id: `0x` and 64 hexadecimal digits.
    pub plan_id: String,
    /// The currency of every amount on the page.
    pub currency: Currency,
    /// The origin of the ledger's log.
    pub ledger_origin: String,
    /// The address that signs receipts and checkpoints.
    pub signer: String,
    /// The first and the last instant that the ledger covers; `None` for a ledger without calls.
    pub period: Option<(u64, u64)>,
    /// What the audit that went before found.
    pub verified: Verified,
    /// The sums.
    pub totals: Totals,
    /// Charges and calls in equal steps of time.
    pub over_time: OverTime,
    /// One row per meter, the largest charge first.
    pub by_meter: Vec<MeterRow>,
    /// The largest subscribers first.
    pub by_subscriber: Vec<SubscriberRow>,
    /// The sum of the subscribers that have no row of their own.
    pub other_subscribers: Option<OtherSubscribers>,
    /// Why calls were denied, the most frequent reason first.
    pub denials: Vec<DenialRow>,
    /// Counters of charges with tiers or a free quantity.
    pub tiers: Vec<TierProgress>,
    /// The settlement, where there has been one.
    pub settlement: Option<Settlement>,
    /// A few of the latest receipts, the newest first.
    pub latest_receipts: Vec<ReceiptRow>,
}

/// How amounts are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// `USDC`, `EUR`, …
    pub label: String,
    /// Digits of the atomic unit: 6 means that 1 000 000 atomic units are one major unit.
    pub decimals: u8,
}

/// The result of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whether the whole ledger was recomputed without a difference.
    pub ok: bool,
    /// What was checked, or the first difference.
    pub text: String,
}

/// Sums over the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls that were settled.
    pub calls: u64,
    /// Calls that were denied.
    pub denied: u64,
    /// Σ charges, atomic units.
    pub charged: u128,
    /// Σ credits, atomic units.
    pub credited: u128,
    /// What late settles could not charge: an exact decimal in major units.
    pub uncollected: String,
    /// Receipts of every kind.
    pub receipts: u64,
    /// Subscribers with at least one call.
    pub subscribers: u64,
    /// Lanes.
    pub lanes: u64,
    /// Signed checkpoints.
    pub checkpoints: u64,
}

/// The length of a [`Bucket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketUnit {
    /// Ten minutes.
    TenMinutes,
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
    /// Seven days.
    Week,
    /// A calendar month, UTC.
    Month,
}

/// Charges and calls in steps of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverTime {
    /// The length of a step. Choose it so that there are at most about a hundred.
    pub unit: BucketUnit,
    /// The steps, ascending and without a gap: a step without calls is there, with zeros.
    pub buckets: Vec<Bucket>,
}

/// One step of [`OverTime`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The instant at which it begins.
    pub start_ms: u64,
    /// Σ charges, atomic units.
    pub charged: u128,
    /// Calls that were settled.
    pub calls: u64,
    /// Calls that were denied.
    pub denied: u64,
}

/// What one meter counted and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterRow {
    /// The meter's name.
    pub meter: String,
    /// Σ quantity.
    pub quantity: u128,
    /// Σ of its exact prices, a decimal in major units.
    pub exact: String,
    /// The same, floored to atomic units; the length of the bar.
    pub charged: u128,
}

/// What one subscriber called and was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberRow {
    /// The subscriber's name or id.
    pub name: String,
    /// Calls that were settled.
    pub calls: u64,
    /// Calls that were denied.
    pub denied: u64,
    /// Σ charges, atomic units.
    pub charged: u128,
}

/// The subscribers that have no row of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSubscribers {
    /// How many they are.
    pub count: u64,
    /// Their settled calls.
    pub calls: u64,
    /// Their denied calls.
    pub denied: u64,
    /// Σ of their charges, atomic units.
    pub charged: u128,
}

/// How often one reason denied a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialRow {
    /// The reason in a few words, with the name of the limit or condition.
    pub reason: String,
    /// Denied calls.
    pub count: u64,
}

/// How far one counter has come through its charge's tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierProgress {
    /// The charge's id.
    pub charge: String,
    /// The meter it counts.
    pub meter: String,
    /// Whose counter it is.
    pub subscriber: String,
    /// The window, such as `October 2026`.
    pub window: String,
    /// The quantity so far in the window, free quantity included.
    pub used: u128,
    /// The free quantity, which comes first and does not advance the tiers.
    pub free: u64,
    /// The tiers in order; their bounds count what lies above the free quantity.
    pub tiers: Vec<Tier>,
    /// The index of the tier that the last unit fell into; `None` while it was free.
    pub current: Option<usize>,
}

/// One tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The last quantity that belongs to it; `None` for the open end.
    pub up_to: Option<u64>,
    /// Its price in words, such as `2.50 USDC per 1M`.
    pub price: String,
}

/// Where the money is. Two equations hold to the atomic unit, and the page says whether they do:
/// gross − credited + lost = collected + claimable + held + written off, and
/// collected + spent = Σ payouts + fees + residue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Σ charges.
    pub gross: u128,
    /// Σ credits.
    pub credited: u128,
    /// What the rails have taken, or what was paid by other means, as far as it was due.
    pub collected: u128,
    /// What is owed back and no longer in hand, because fees were taken from it.
    pub lost: u128,
    /// What was paid for grants.
    pub sold: u128,
    /// What the buyers of voided ones are owed.
    pub refunded: u128,
    /// What calls have drawn on them is worth.
    pub spent: u128,
    /// What may be claimed now.
    pub claimable: u128,
    /// What is held back.
    pub held: u128,
    /// Why it is held back; empty where nothing is.
    pub held_because: String,
    /// What the seller gave up.
    pub written_off: u128,
    /// What each payee gets, cumulative.
    pub payouts: Vec<PayoutRow>,
    /// What the rails kept.
    pub fees: u128,
    /// What is smaller than one unit per payee, carried to the next batch.
    pub residue: u128,
    /// The root of the payout tree.
    pub root: Option<String>,
}

/// One payee's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutRow {
    /// A name for people; may be empty.
    pub name: String,
    /// The address or account.
    pub payee: String,
    /// The share by the plan, such as `70 %`.
    pub share: String,
    /// The cumulative amount, atomic units.
    pub amount: u128,
}

/// One receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// When it was issued.
    pub issued_ms: u64,
    /// Whose it is.
    pub subscriber: String,
    /// Its number in its lane.
    pub sequence: u64,
    /// What was used, in words.
    pub usage: String,
    /// The exact price, a decimal in major units.
    pub exact: String,
    /// The lane's cumulative charge after it, atomic units.
    pub cumulative: u128,
}
