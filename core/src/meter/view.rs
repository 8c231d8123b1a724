//! Reading a meter: what hosts, reports and settlements look at.

use alloc::{string::String, vec::Vec};

use crate::{
    account::Given,
    amount::{Amount, Exact},
    crypto::{Address, Digest},
    entry::ImportMark,
    meter::{Hold, HoldState, Lane, Meter, State},
    plan::Plan,
    time::{Timestamp, Window},
};

/// Where a lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Every charge's newest window: (charge, window, units, billed).
    pub counters: Vec<CounterView>,
    /// What open holds may still cost together, exact.
    pub reserved: Exact,
    /// The grants, in the order in which they are drawn; a recurring one from its first use in a window
    /// on.
    pub grants: Vec<GrantView>,
}

/// A grant and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantView {
    /// Its id.
    pub grant: String,
    /// Why it was given: `promotional`, `trial` or `included`.
    pub kind: String,
    /// The meter whose units it pays; `None` for money.
    pub meter: Option<String>,
    /// When it was given.
    pub given_at: Timestamp,
    /// The first instant whose calls cannot use it; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// What is left, exact, what holds reserve included; of units, their whole number.
    pub balance: Exact,
    /// Units that open holds reserve.
    pub reserved: u64,
}

/// A counter in its newest window.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldView {
    /// The hash of the request id; names the hold.
    pub subject: Digest,
    /// Whether it is open, in doubt or expired.
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

/// A window whose close will credit something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedTrueUp {
    /// The subscription.
    pub subscription: Digest,
    /// The charge's id.
    pub charge: String,
    /// The window.
    pub window: Window,
    /// When it is due: the window's end and the plan's grace; of a fee, the subscription's end.
    pub closes_at: Timestamp,
    /// What was billed beyond F, exact.
    pub owed: Exact,
}

/// A window that is to be billed without a call: what is due as it starts, or a minimum that it lacks
/// as it closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedPeriod {
    /// The subscription.
    pub subscription: Digest,
    /// The charge's id.
    pub charge: String,
    /// The window.
    pub window: Window,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// What it is to be billed in all, exact.
    pub total: Exact,
}

impl Meter {
    /// The key that signs, once the meter has begun.
    #[must_use]
    pub fn signer(&self) -> Option<Address> {
        self.durable().instance.as_ref().map(|instance| instance.signer)
    }

    /// The log's origin, once the meter has begun.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.durable().instance.as_ref().map(|instance| instance.origin.as_str())
    }

    /// The plans that are known, by id.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.durable().plans.values().map(|plan| &**plan)
    }

    /// A plan by its id.
    #[must_use]
    pub fn plan(&self, id: &Digest) -> Option<&Plan> {
        self.durable().plans.get(id).map(|plan| &**plan)
    }

    /// Every lane, by id.
    pub fn lanes(&self) -> impl Iterator<Item = LaneTotals> + '_ {
        lane_totals(self.durable())
    }

    /// One lane.
    #[must_use]
    pub fn lane(&self, id: &Digest) -> Option<LaneTotals> {
        totals(id, self.durable().lanes.get(id)?)
    }

    /// Every subscription, by id.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionView> + '_ {
        self.durable().subscriptions.keys().filter_map(|id| self.subscription(id))
    }

    /// One subscription.
    #[must_use]
    pub fn subscription(&self, id: &Digest) -> Option<SubscriptionView> {
        view(self.durable(), id)
    }

    /// The holds of a subscription by subject: those that reserve, and those that expired and may still
    /// be settled. `None` for an unknown subscription.
    #[must_use]
    pub fn holds(&self, subscription: &Digest) -> Option<Vec<HoldView>> {
        let found = self.durable().subscriptions.get(subscription)?;
        Some(found.holds.values().map(hold).collect())
    }

    /// The place up to which an input was imported, pending entries included.
    #[must_use]
    pub fn imported(&self, input: &Digest) -> Option<&ImportMark> {
        self.proposed().imports.get(input)
    }

    /// Every input that was imported, and how far.
    pub fn imports(&self) -> impl Iterator<Item = &ImportMark> {
        self.durable().imports.values()
    }

    /// How many heads and lane openings the log holds, earlier origins included.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.durable().next_slot()
    }

    /// How many checkpoints were made.
    #[must_use]
    pub fn checkpoints(&self) -> u64 {
        self.durable().checkpoints
    }

    /// Windows that were billed more than F says, because a price fell in them: their close credits
    /// the difference. By closing time.
    pub fn owed_true_ups(&self) -> impl Iterator<Item = OwedTrueUp> + '_ {
        self.durable().closings.iter().filter_map(|(closes_at, id, index, start)| {
            let found = self.durable().subscriptions.get(id)?;
            let charge = found.plan.charges().get(*index)?;
            let (window, counter) = found.account.counters.get(*index)?.starts_at(*start)?;
            Some(OwedTrueUp {
                subscription: *id,
                charge: charge.id.clone(),
                window: *window,
                closes_at: *closes_at,
                owed: counter.billed.minus_or_zero(
                    found
                        .account
                        .charge_in(charge, *window)
                        .and_then(|c| c.tariff.due_at_close(counter.units, counter.billed))
                        .ok()?,
                ),
            })
        })
    }

    /// Windows that are due at `now` to be billed without a call: of each charge the first. By the
    /// instant since when.
    pub fn owed_periods(&self, now: Timestamp) -> impl Iterator<Item = OwedPeriod> + '_ {
        let due = self.durable().periods.iter().take_while(move |(due, ..)| *due <= now);
        due.filter_map(|(due_at, id, index, edge)| {
            let found = self.durable().subscriptions.get(id)?;
            let period = found.account.period(&found.plan, *index, *edge)?;
            Some(OwedPeriod {
                subscription: *id,
                charge: String::from(found.plan.line_id(*index)?),
                window: period.window,
                due_at: *due_at,
                total: period.total,
            })
        })
    }

    /// The latest instant that the log has seen: when a lane was opened or a receipt issued.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        self.durable().latest
    }

    /// Whether the subscription's lane belongs to the current log: if not, subscribe again.
    #[must_use]
    pub fn is_current(&self, subscription: &Digest) -> bool {
        self.proposed().current(subscription).is_ok()
    }
}

pub(crate) fn lane_totals(state: &State) -> impl Iterator<Item = LaneTotals> + '_ {
    state.lanes.iter().filter_map(|(id, lane)| totals(id, lane))
}

fn totals(id: &Digest, lane: &Lane) -> Option<LaneTotals> {
    let open = &lane.open;
    Some(LaneTotals {
        lane: *id,
        subscription: open.subscription,
        plan: open.plan,
        payer: open.payer,
        rail: open.rail,
        number: open.number,
        sequence: lane.sequence,
        head: lane.head,
        baseline: Exact::new(open.cumulative.atomic(), open.cumulative_remainder).ok()?,
        credited_baseline: Exact::new(open.credited.atomic(), open.credited_remainder).ok()?,
        cumulative: Exact::new(lane.cumulative.atomic(), lane.cumulative_remainder).ok()?,
        credited: Exact::new(lane.credited.atomic(), lane.credited_remainder).ok()?,
        collected: lane.collected,
        fee: lane.fee,
    })
}

fn view(state: &State, id: &Digest) -> Option<SubscriptionView> {
    let found = state.subscriptions.get(id)?;
    let counters = found
        .plan
        .charges()
        .iter()
        .zip(&found.account.counters)
        .filter_map(|(charge, windows)| {
            let (window, counter) = windows.newest()?;
            Some(CounterView {
                charge: charge.id.clone(),
                window: *window,
                units: counter.units,
                billed: counter.billed,
            })
        })
        .collect();
    Some(SubscriptionView {
        id: *id,
        plan: found.plan.id(),
        payer: found.payer,
        name: found.name.clone(),
        started_at: found.started_at,
        ends_at: Some(found.account.until).filter(|end| *end != Timestamp::MAX),
        lane: found.lane,
        denied: found.denied,
        holds: u64::try_from(found.holds.values().filter(|hold| hold.is_reserved()).count())
            .unwrap_or(u64::MAX),
        counters,
        reserved: crate::account::aggregate(&found.account).ok()?,
        grants: found.account.grants.iter().map(grant).collect(),
    })
}

fn hold(hold: &Hold) -> HoldView {
    let parts = hold.parts.as_ref();
    HoldView {
        subject: hold.subject,
        state: hold.state,
        authorized_at: hold.authorized_at,
        deadline: hold.deadline,
        parts: parts.map_or(0, |parts| parts.number),
        charged: parts.map_or(Exact::ZERO, |parts| parts.charged),
    }
}

fn grant(given: &Given) -> GrantView {
    GrantView {
        grant: given.terms.id.clone(),
        kind: String::from(given.terms.kind.as_str()),
        meter: given.terms.credit.meter().map(String::from),
        given_at: given.given_at,
        expires_at: given.expires_at,
        balance: given.balance,
        reserved: given.reserved,
    }
}
