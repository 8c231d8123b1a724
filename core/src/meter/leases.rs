//! Reading what a meter lent.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::Exact,
    crypto::Digest,
    lease::{Statement, UnitShare},
    meter::{Leased, Meter, reclaimable},
    plan::Plan,
    time::Timestamp,
};

/// A lease that is out: its holder may still say what was used, and nothing of it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The last that was absorbed of what its holder states; `None` when there is nothing.
    pub stated: Option<StatementView>,
}

/// What was lent of one charge, and used as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Where a lease's lane stood when its holder last said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementView {
    /// The sequence of the lane's last receipt; 0 when there was none.
    pub sequence: u64,
    /// What the lane had charged, exact.
    pub cumulative: Exact,
    /// When the statement was made.
    pub at: Timestamp,
}

impl Meter {
    /// The leases of a subscription that are out, by id. `None` for an unknown subscription.
    #[must_use]
    pub fn leases(&self, subscription: &Digest) -> Option<Vec<LeaseView>> {
        let state = self.durable();
        let found = state.subscriptions.get(subscription)?;
        let out = state.leases.iter().filter(|(_, out)| out.lease.subscription == *subscription);
        Some(out.map(|(id, out)| view(id, out, &found.plan)).collect())
    }

    /// The subscription that this meter lent the lease of a statement from: while the lease is out, and
    /// of the last statement for ever.
    #[must_use]
    pub fn lender(&self, statement: &Statement) -> Option<Digest> {
        let state = self.durable();
        let out = state.leases.get(&statement.lease).map(|out| out.lease.subscription);
        let back = state.came_back.get(&statement.lane);
        let last = back.filter(|lane| lane.statement == statement.digest());
        out.or(last.map(|lane| lane.subscription))
    }
}

fn view(id: &Digest, out: &Leased, plan: &Plan) -> LeaseView {
    let (lease, stated) = (&*out.lease, out.stated.as_ref());
    let used = |place| stated.and_then(|s| s.units.get(place)).map_or(0, |units| *units);
    let lent = lease.charges.iter().enumerate().map(|(place, interval)| LentUnits {
        charge: interval.charge.clone(),
        counter: interval.from,
        units: interval.units,
        used: used(place),
    });
    let statement = |s: &Statement| {
        Some(StatementView {
            sequence: s.sequence,
            cumulative: Exact::new(s.cumulative.atomic(), s.cumulative_remainder).ok()?,
            at: s.at,
        })
    };
    LeaseView {
        lease: *id,
        holder: lease.holder.clone(),
        at: lease.at,
        until: lease.until,
        reclaimed_at: reclaimable(lease, plan),
        charges: lent.collect(),
        limits: lease.limits.clone(),
        stated: stated.and_then(statement),
    }
}
