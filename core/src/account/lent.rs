//! What leases move in an account: of the meter that lends, and of the one that holds.
//!
//! The lender counts a lease as used and billed in full, as if one call had used all of it. So whatever
//! its holder charges, nobody spends it twice, and every limit sees it. What comes back leaves the
//! counters again: F then no longer follows from what was billed call by call. Where F is above, the
//! difference is *short* and billed by the next call, or by a receipt of its own once no lease of the
//! window is out; where it is below, the window's close credits it.

use alloc::vec::Vec;

use crate::{
    account::{Account, Committed, Grants, Pending},
    amount::Exact,
    error::{Code, Error, Result},
    lease::{Lease, Statement},
    plan::{LimitRule, Plan, whole},
    time::Window,
};

impl Account {
    /// Counts a lease as used.
    ///
    /// # Errors
    /// `entry_misplaced` when the counters do not stand where its intervals begin; `amount_overflow`.
    pub(crate) fn lend(&mut self, plan: &Plan, lease: &Lease) -> Result<()> {
        let mut money = Exact::ZERO;
        for found in lease.intervals(plan) {
            let (index, charge, interval) = found?;
            let cost = interval.cost(charge, interval.units)?;
            let counter = self.counter(index, interval.window, &mut Vec::new())?;
            if (counter.units, counter.billed) != (interval.from, interval.billed) {
                return Err(Error::new(Code::EntryMisplaced).value(&charge.id));
            }
            counter.units =
                counter.units.checked_add(interval.units).ok_or(Code::AmountOverflow)?;
            counter.billed = counter.billed.checked_add(cost)?;
            counter.lent = counter.lent.checked_add(cost)?;
            counter.leases = counter.leases.saturating_add(1);
            money = money.checked_add(cost)?;
            self.refresh(plan, index, interval.window)?;
        }
        let shares = lease.shares(plan).map(|share| share.map(|(index, most, _)| (index, most)));
        let shares = shares.collect::<Result<Vec<_>>>()?;
        self.count_lease(plan, lease, money, &shares, Exact::checked_add)
    }

    /// Takes what a lease did not use out again: all, where nothing was ever stated. Returns what its
    /// lane charged.
    pub(crate) fn take_back(
        &mut self,
        plan: &Plan,
        lease: &Lease,
        stated: Option<&Statement>,
    ) -> Result<Exact> {
        let (mut charged, mut unspent) = (Exact::ZERO, Exact::ZERO);
        for (place, found) in lease.intervals(plan).enumerate() {
            let (index, charge, interval) = found?;
            let used = stated.and_then(|s| s.units.get(place)).map_or(0, |units| *units);
            let unused = interval.units.checked_sub(used).ok_or(Code::LeaseInvalid)?;
            let (all, cost) =
                (interval.cost(charge, interval.units)?, interval.cost(charge, used)?);
            let left = all.checked_sub(cost)?;
            let counter = self.counter(index, interval.window, &mut Vec::new())?;
            counter.units = counter.units.checked_sub(unused).ok_or(Code::EntryMisplaced)?;
            counter.billed = counter.billed.checked_sub(left)?;
            counter.lent = counter.lent.checked_sub(all)?;
            counter.leases = counter.leases.checked_sub(1).ok_or(Code::EntryMisplaced)?;
            counter.returned = true;
            charged = charged.checked_add(cost)?;
            unspent = unspent.checked_add(left)?;
            self.refresh(plan, index, interval.window)?;
            self.pass_periods(plan, index)?;
        }
        let (mut unused, mut uncounted) = (Vec::new(), Vec::new());
        for (place, share) in lease.shares(plan).enumerate() {
            let (index, most, hard) = share?;
            let counted = stated.and_then(|s| s.counted.get(place)).map_or(0, |units| *units);
            match hard {
                true => unused.push((index, most.checked_sub(counted).ok_or(Code::LeaseInvalid)?)),
                false => uncounted.push((index, counted)),
            }
        }
        let less = |sum: Exact, less| Ok(sum.minus_or_zero(less));
        self.count_lease(plan, lease, unspent, &unused, less)?;
        self.count_lease(plan, lease, Exact::ZERO, &uncounted, Exact::checked_add)?;
        Ok(charged)
    }

    /// Changes what limits have counted: money under those on spend, units under these on units.
    fn count_lease(
        &mut self,
        plan: &Plan,
        lease: &Lease,
        money: Exact,
        units: &[(usize, u64)],
        change: impl Fn(Exact, Exact) -> Result<Exact>,
    ) -> Result<()> {
        for (index, (limit, tally)) in plan.limits().iter().zip(&mut self.tallies).enumerate() {
            let more = match limit.rule {
                LimitRule::Spend { .. } => Some(money),
                _ => units.iter().find(|(i, _)| *i == index).map(|(_, units)| whole(*units)),
            };
            if let Some(more) = more
                && let Some(value) = limit.value(&lease.attributes)
            {
                let when = (self.started_at, lease.at);
                tally.change(plan, limit, when, value, |sum| {
                    change(sum.unwrap_or(Exact::ZERO), more)
                })?;
            }
        }
        Ok(())
    }

    /// The account of a lease's holder. Its counters start where the intervals begin, and limits on
    /// units as if all but the shares were used; it draws on no grants, and no window of it is billed
    /// without a call.
    ///
    /// # Errors
    /// `lease_invalid`.
    pub(crate) fn leased(plan: &Plan, lease: &Lease) -> Result<Account> {
        let mut account = Account::new(plan, lease.started_at, lease.started_at)?;
        account.pending.fill(Pending::default());
        account.commitments.fill(Committed::default());
        let recurring = plan.shared_grants().iter().map(|terms| terms.id.clone());
        account.grants = Grants::restore(lease.started_at, Vec::new(), recurring.collect());
        for found in lease.intervals(plan) {
            let (index, _, interval) = found?;
            let counter = account.counter(index, interval.window, &mut Vec::new())?;
            counter.units = interval.from;
            counter.billed = interval.billed;
        }
        let shares = lease.shares(plan).collect::<Result<Vec<_>>>()?;
        for (index, most, hard) in shares {
            let (Some(limit), Some(tally)) =
                (plan.limits().get(index), account.tallies.get_mut(index))
            else {
                continue;
            };
            if let LimitRule::Units { most: all, .. } = limit.rule
                && hard
                && let Some(value) = limit.value(&lease.attributes)
            {
                let elsewhere = all.checked_sub(most).ok_or(Code::LeaseInvalid)?;
                let when = (lease.started_at, lease.at);
                tally.change(plan, limit, when, value, |_| Ok(whole(elsewhere)))?;
            }
        }
        Ok(account)
    }

    /// What a holder's calls used of its lease: units by interval and by share. What lies beyond was not
    /// the lender's to pay for.
    pub(crate) fn used_of(&self, plan: &Plan, lease: &Lease) -> Result<(Vec<u64>, Vec<u64>)> {
        let mut units = Vec::new();
        for found in lease.intervals(plan) {
            let (index, _, interval) = found?;
            let counter = self.counters.get(index).and_then(|w| w.get(interval.window));
            let used = counter.map_or(0, |c| c.units.saturating_sub(interval.from));
            units.push(used.min(interval.units));
        }
        let mut counted = Vec::new();
        for share in lease.shares(plan) {
            let (index, most, hard) = share?;
            let sum = self.counted_in(plan, index, lease)?.whole();
            let sum = u64::try_from(sum).unwrap_or(u64::MAX);
            counted.push(match plan.limits().get(index).map(|limit| &limit.rule) {
                Some(LimitRule::Units { most: all, .. }) if hard => {
                    sum.saturating_sub(all.saturating_sub(most)).min(most)
                }
                _ => sum,
            });
        }
        Ok((units, counted))
    }

    fn counted_in(&self, plan: &Plan, index: usize, lease: &Lease) -> Result<Exact> {
        let (Some(limit), Some(tally)) = (plan.limits().get(index), self.tallies.get(index)) else {
            return Err(Error::new(Code::LeaseInvalid));
        };
        let place = tally
            .window(plan, limit, self.started_at, lease.at)
            .zip(limit.value(&lease.attributes));
        place.map_or(Ok(Exact::ZERO), |(window, value)| tally.counted(window, value))
    }

    /// What returned leases left unbilled, in all windows.
    pub(crate) fn short(&self) -> Result<Exact> {
        let counters = self.counters.iter().flat_map(|windows| windows.iter());
        counters
            .filter(|(_, c)| c.returned)
            .try_fold(Exact::ZERO, |sum, (_, c)| sum.checked_add(c.short))
    }

    /// The first window of a charge that no lease is out of and that is short.
    pub(super) fn first_short(&self, charge: usize) -> Option<Window> {
        let short = |c: &super::Counter| c.leases == 0 && !c.short.is_zero();
        self.counters.get(charge)?.iter().find(|(_, c)| short(c)).map(|(window, _)| *window)
    }

    /// The start of the earliest window that a lease is out of or that is short.
    pub(super) fn earliest_lent(&self) -> Option<crate::time::Timestamp> {
        let counters = self.counters.iter().flat_map(|windows| windows.iter());
        counters.filter(|(_, c)| c.is_lent()).map(|(window, _)| window.start).min()
    }
}
