//! A reservation of what a call may cost.

use alloc::{collections::BTreeMap, string::String, sync::Arc};

use crate::{
    account::Caller,
    crypto::Digest,
    entry::HoldEntry,
    error::Result,
    meter::{PartLine, Parts},
    plan::{Plan, Unfinished},
    time::Timestamp,
    usage::{Basis, Quantities, Usage},
};

/// An authorised call that is not settled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The hash of the request id; names the hold.
    pub subject: Digest,
    /// The lane that its receipt will enter.
    pub lane: Digest,
    /// The instant that fixes window and prices.
    pub authorized_at: Timestamp,
    /// When it expires.
    pub deadline: Timestamp,
    /// The most units that the call may use: (index of the charge in the plan, units).
    pub units: Arc<[(usize, u64)]>,
    /// The most units that limits count of the call: (index of the limit in the plan, units).
    pub limited: Arc<[(usize, u64)]>,
    /// Units beside those that grants pay, less what parts drew.
    pub reserved: Arc<[ReservedUnits]>,
    /// The most that the call may use.
    pub most: Quantities,
    /// The call's attributes.
    pub attributes: Arc<BTreeMap<String, String>>,
    /// Whether it is open, in doubt or expired.
    pub state: HoldState,
    /// What it was charged while it runs, if anything.
    pub parts: Option<Arc<Parts>>,
}

/// What a hold allows, and what it holds for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUnits {
    /// The most that the call may use.
    pub most: Quantities,
    /// The most units that it may use and no grant pays: (index of the charge in the plan, units).
    pub units: Arc<[(usize, u64)]>,
    /// The most units that limits count of the call: (index of the limit in the plan, units).
    pub limited: Arc<[(usize, u64)]>,
    /// Units that grants pay, in the order in which they are drawn, less what parts drew.
    pub reserved: Arc<[ReservedUnits]>,
}

/// Units of a grant that a hold reserves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedUnits {
    /// The grant's id.
    pub grant: String,
    /// When it was given: tells the windows of a recurring grant apart.
    pub given_at: Timestamp,
    /// How many.
    pub units: u64,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldState {
    /// Reserved; waits for its settle.
    Open,
    /// The host does not know whether the call was made. Still reserved.
    Unknown,
    /// Past its deadline: reserves nothing, but a late settle is still charged.
    Expired,
}

impl HoldState {
    /// Every state.
    pub const ALL: [HoldState; 3] = [HoldState::Open, HoldState::Unknown, HoldState::Expired];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            HoldState::Open => "open",
            HoldState::Unknown => "unknown",
            HoldState::Expired => "expired",
        }
    }
}

impl Hold {
    /// The open hold that an entry makes.
    pub(crate) fn of(entry: &HoldEntry) -> Hold {
        Hold {
            subject: entry.subject,
            lane: entry.lane,
            authorized_at: entry.authorized_at,
            deadline: entry.deadline,
            units: Arc::clone(&entry.units),
            limited: Arc::clone(&entry.limited),
            reserved: Arc::clone(&entry.reserved),
            most: entry.most.clone(),
            attributes: Arc::clone(&entry.attributes),
            state: HoldState::Open,
            parts: None,
        }
    }

    /// The deadline after an extension at `now`. `grace` after its start it can still settle, whichever
    /// window that lies in.
    pub(crate) fn extended(&self, plan: &Plan, now: Timestamp) -> Result<Timestamp> {
        let times = plan.times();
        let latest = self.authorized_at.checked_add(times.grace)?;
        Ok(now.checked_add(times.hold)?.min(latest).max(self.deadline))
    }

    /// The same hold, of other units.
    pub(crate) fn holding(&self, held: HeldUnits) -> Hold {
        let HeldUnits { most, units, limited, reserved } = held;
        Hold { most, units, limited, reserved, ..self.clone() }
    }

    /// The most that the call may use where it may also use this; `None` if that is no more.
    pub(crate) fn wider(&self, most: &Usage) -> Result<Option<Usage>> {
        let attributes = Arc::clone(&self.attributes);
        let mut wider = Usage::of(self.most.clone(), Basis::Estimated, attributes);
        for (meter, quantity) in most.iter() {
            if quantity > wider.get(meter) {
                wider.set(meter, quantity)?;
            }
        }
        Ok((wider.shared_quantities() != self.most).then_some(wider))
    }

    /// What counts as the call's usage if nobody knows it.
    pub(crate) fn unfinished(&self, plan: &Plan) -> Result<Usage> {
        let read = || self.parts.iter().flat_map(|parts| &parts.quantities);
        let none = Arc::default();
        // What went beyond the hold is all that is known.
        if plan.times().unfinished == Unfinished::Held
            && read().all(|(meter, read)| *read <= self.most.get(meter))
        {
            return Ok(Usage::of(self.most.clone(), Basis::Estimated, none));
        }
        let mut usage = Usage::of(Quantities::default(), Basis::Estimated, none);
        for (meter, quantity) in read() {
            usage.set(meter, *quantity)?;
        }
        Ok(usage)
    }

    /// What its parts have in the counters.
    pub(crate) fn lines(&self) -> &[PartLine] {
        self.parts.as_ref().map_or(&[], |parts| &parts.lines)
    }

    /// The units of a charge that it holds beside those that its parts used.
    pub(crate) fn units_left(&self, charge: usize) -> u64 {
        let held = self.units.iter().find(|(held, _)| *held == charge).map_or(0, |held| held.1);
        held.saturating_sub(PartLine::used(self.lines(), charge))
    }

    /// When and by which attributes it was authorised.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { attributes: &self.attributes, at: self.authorized_at }
    }

    /// Whether the hold still counts against the limits.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        matches!(self.state, HoldState::Open | HoldState::Unknown)
    }
}
