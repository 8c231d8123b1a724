//! Leases that are made, stated, absorbed and reclaimed.

use alloc::sync::Arc;

use super::{misplaced, receipt::note_closing};
use crate::{
    account::closes_at,
    crypto::{Digest, check},
    entry::{Absorbed, Reclaimed},
    error::{Code, Error, Result},
    lease::{Lease, Statement},
    meter::{CameBack, Leased, State, Subscription},
    plan::Plan,
    time::Timestamp,
};

impl State {
    pub(super) fn apply_leased(&mut self, lease: &Arc<Lease>) -> Result<()> {
        let id = lease.digest();
        let subscription = self.subscription_mut(&lease.subscription)?;
        subscription.need_whole()?;
        let plan = Arc::clone(&subscription.plan);
        if subscription.lane != lease.parent
            || subscription.leased.checked_add(1) != Some(lease.number)
        {
            return Err(misplaced("the lease does not follow the one before it"));
        }
        let periods = subscription.account.periods(&plan);
        subscription.account.lend(&plan, lease)?;
        subscription.leased = lease.number;
        self.note_periods(&lease.subscription, &periods)?;
        self.note_returns(lease)?;
        self.log.append(&id)?;
        self.latest = self.latest.max(lease.at);
        self.reclaims.insert((reclaimable(lease, &plan), id));
        self.leases.insert(id, Leased { lease: Arc::clone(lease), stated: None });
        Ok(())
    }

    pub(super) fn apply_stated(&mut self, statement: &Statement) -> Result<()> {
        let again = self.statement(&statement.lease, statement.closed, statement.at)?;
        if again != *statement || statement.at < self.latest {
            return Err(misplaced("the statement is not what the lane says"));
        }
        if statement.closed {
            self.subscription_mut(&statement.lease)?.closed = true;
        }
        self.log.append(&statement.digest())?;
        self.latest = self.latest.max(statement.at);
        Ok(())
    }

    pub(super) fn apply_absorbed(&mut self, e: &Absorbed) -> Result<()> {
        self.check_statement(&e.statement)?;
        let leased = self.leased(&e.statement.lease)?;
        let authority = self.plan(&leased.lease.plan)?.authority();
        check(&e.statement.digest(), &e.signature, authority)?;
        if let Some(leased) = self.leases.get_mut(&e.statement.lease) {
            leased.stated = Some(e.statement.clone());
        }
        if e.statement.closed {
            self.take_back(&e.statement.lease)?;
        }
        Ok(())
    }

    pub(super) fn apply_reclaimed(&mut self, e: &Reclaimed) -> Result<()> {
        let lease = &self.leased(&e.lease)?.lease;
        if reclaimable(lease, self.plan(&lease.plan)?) > e.at {
            return Err(misplaced("the lease is not over yet"));
        }
        self.take_back(&e.lease)
    }

    fn take_back(&mut self, id: &Digest) -> Result<()> {
        let leased = self.leased(id)?.clone();
        let lease = &leased.lease;
        let subscription = self.subscription_mut(&lease.subscription)?;
        let plan = Arc::clone(&subscription.plan);
        let periods = subscription.account.periods(&plan);
        let charged = subscription.account.take_back(&plan, lease, leased.stated.as_ref())?;
        subscription.returned = subscription.returned.checked_add(charged)?;
        self.note_periods(&lease.subscription, &periods)?;
        self.note_returns(lease)?;
        if let Some(stated) = leased.stated {
            let came_back = CameBack {
                subscription: lease.subscription,
                statement: stated.digest(),
                sequence: stated.sequence,
            };
            self.came_back.insert(stated.lane, came_back);
        }
        self.reclaims.remove(&(reclaimable(lease, &plan), *id));
        self.leases.remove(id);
        Ok(())
    }

    /// Keeps the list of windows that owe a true-up.
    fn note_returns(&mut self, lease: &Lease) -> Result<()> {
        let id = lease.subscription;
        let subscription =
            self.subscriptions.get(&id).ok_or_else(|| misplaced("a lease of no subscription"))?;
        let plan = &subscription.plan;
        for found in lease.intervals(plan) {
            let (index, _, interval) = found?;
            note_closing(&mut self.closings, subscription, plan, id, index, interval.window);
        }
        Ok(())
    }

    /// What the lane of a lease says at an instant.
    pub(crate) fn statement(&self, id: &Digest, closed: bool, at: Timestamp) -> Result<Statement> {
        let unknown = || Error::new(Code::LeaseUnknown).value(id);
        let (subscription, lane) = self.current(id).map_err(|_| unknown())?;
        let Subscription { plan, account, lease, .. } = subscription;
        let lease = lease.as_ref().ok_or_else(unknown)?;
        subscription.need_open()?;
        if closed && subscription.holds.values().any(crate::meter::Hold::is_reserved) {
            return Err(Error::new(Code::LeaseRefused).because("calls under it are still open"));
        }
        let (units, counted) = account.used_of(plan, lease)?;
        Ok(Statement {
            lease: *id,
            lane: subscription.lane,
            sequence: lane.sequence,
            head: lane.head,
            cumulative: lane.cumulative,
            cumulative_remainder: lane.cumulative_remainder,
            at,
            closed,
            units,
            counted,
        })
    }

    /// A statement must fit its lease and the one before it, and its money what its units cost.
    pub(crate) fn check_statement(&self, statement: &Statement) -> Result<()> {
        let Leased { lease, stated } = self.leased(&statement.lease)?;
        let plan = self.plan(&lease.plan)?;
        let invalid = |why| Err(Error::new(Code::LeaseInvalid).because(why));
        let (units, counted) = (&statement.units, &statement.counted);
        if units.len() != lease.charges.len() || counted.len() != lease.limits.len() {
            return invalid("its units are not those of the lease");
        }
        let mut charged = crate::amount::Exact::ZERO;
        for (found, used) in lease.intervals(plan).zip(units) {
            let (_, charge, interval) = found?;
            if *used > interval.units {
                return invalid("it used more than the lease has");
            }
            charged = charged.checked_add(interval.cost(charge, *used)?)?;
        }
        for (found, counted) in lease.shares(plan).zip(counted) {
            let (_, most, hard) = found?;
            if hard && *counted > most {
                return invalid("it counted more than the lease has");
            }
        }
        let money = (charged.floor(), charged.fraction());
        if money != (statement.cumulative, statement.cumulative_remainder) {
            return invalid("its units cost something else than its lane charged");
        }
        if let Some(before) = stated {
            let grown = |now: &[u64], then: &[u64]| now.iter().zip(then).all(|(n, t)| n >= t);
            if before.lane != statement.lane
                || before.sequence > statement.sequence
                || before.at > statement.at
                || !grown(units, &before.units)
                || !grown(counted, &before.counted)
            {
                return invalid("it falls behind an earlier one");
            }
            if before.sequence == statement.sequence && before.head != statement.head {
                let place =
                    alloc::format!("lane {} receipt {}", statement.lane, statement.sequence);
                return Err(Error::new(Code::AuditChain)
                    .at(place)
                    .because("an earlier statement has another head of this sequence"));
            }
        }
        Ok(())
    }
}

/// From when on nothing more can be charged under a lease: its calls are over, and settled.
pub(crate) fn reclaimable(lease: &Lease, plan: &Plan) -> Timestamp {
    closes_at(crate::time::Window { start: lease.at, end: lease.until }, plan)
        .unwrap_or(Timestamp::MAX)
}
