//! Counters and the rating of one call against them.

use alloc::{collections::BTreeSet, vec::Vec};
use core::cell::OnceCell;

use crate::{
    account::{Caller, Committed, Counted, Grants, Pace, Pending, Seen, Tally, Windows},
    amount::{Exact, overflow},
    error::{Code, Error, Result},
    meter::{Hold, PartLine},
    plan::{Aggregate, Charge, Limit, Plan},
    rating::Tariff,
    time::{Cycle, Timestamp, Window},
};

/// One charge's counter in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    /// What the charge's aggregate makes of the units settled.
    pub(crate) units: u64,
    /// What the window was billed: the second counter B.
    pub(crate) billed: Exact,
    /// What grants in money paid of it, and what credits gave back of the rest.
    pub(crate) granted: Exact,
    /// Units that open holds may still use.
    pub(crate) outstanding: u64,
    /// Under a per-call model: the prices of what open holds may still use.
    pub(crate) held: Exact,
    /// What it knows of its calls, where their units do not add up.
    pub(crate) seen: Seen,
    /// The most that the outstanding units may still cost; follows from the above.
    pub(crate) reserve: Exact,
    /// Whether more was billed than the window costs: the window's close owes a true-up.
    pub(crate) owes: bool,
    /// What leases that are out can charge of what was billed.
    pub(crate) lent: Exact,
    /// How many leases are out.
    pub(crate) leases: u64,
    /// Whether a lease came back: then what was billed may lie on either side of F.
    pub(crate) returned: bool,
    /// What F lies above what was billed, once a lease came back; it follows from the others.
    pub(crate) short: Exact,
}

impl Counter {
    /// Whether its window waits: for a lease, or for what one left unbilled.
    pub(crate) fn is_lent(&self) -> bool {
        self.leases != 0 || !self.short.is_zero()
    }
}

/// One charge's part of a call, priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rated {
    pub(crate) charge: usize,
    pub(crate) window: Window,
    pub(crate) units_before: u64,
    pub(crate) units: u64,
    pub(crate) billed_before: Exact,
    pub(crate) amount: Exact,
}

/// Counters, spend and rates of one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// When the subscription started: windows may be counted from there.
    pub(crate) started_at: Timestamp,
    /// By charge of the plan.
    pub(crate) counters: Vec<Windows<Counter>>,
    /// By limit of the plan: what it has counted, and what reserves.
    pub(crate) tallies: Vec<Tally>,
    /// By limit of the plan: the GCRA states.
    pub(crate) rates: Vec<Pace>,
    /// How many holds reserve. It follows from the holds.
    pub(crate) holds: u64,
    /// What calls draw on before they cost.
    pub(crate) grants: Grants,
    /// By charge of the plan: where the windows begin that are still to be billed without a call.
    pub(crate) pending: Vec<Pending>,
    /// From when on the subscription is paid for: the end of its trial.
    pub(crate) paid_from: Timestamp,
    /// By commitment of the plan: what its charges were billed.
    pub(crate) commitments: Vec<Committed>,
    /// When the subscription ends; the last instant where it does not.
    pub(crate) until: Timestamp,
}

/// When a window is closed for good: its end and the plan's settle grace. A window without end never
/// closes.
pub(crate) fn closes_at(window: Window, plan: &Plan) -> Option<Timestamp> {
    if window.end == Timestamp::MAX {
        return None;
    }
    window.end.checked_add(plan.times().grace).ok()
}

/// The sum of the amounts.
pub(crate) fn total(rated: &[Rated]) -> Result<Exact> {
    rated.iter().try_fold(Exact::ZERO, |sum, line| sum.checked_add(line.amount))
}

impl Account {
    /// The account of a subscription that starts at `started_at` and is paid for from `paid_from` on.
    ///
    /// # Errors
    /// As [`Account::charge_in`].
    pub(crate) fn new(plan: &Plan, started_at: Timestamp, paid_from: Timestamp) -> Result<Account> {
        let committed = || Committed { from: Some(paid_from), ..Committed::default() };
        let mut account = Account {
            started_at,
            pending: Vec::new(),
            paid_from,
            commitments: plan.commitments().iter().map(|_| committed()).collect(),
            until: plan.ends(started_at),
            counters: plan.charges().iter().map(|_| Windows::default()).collect(),
            tallies: plan.limits().iter().map(|_| Tally::default()).collect(),
            rates: plan.limits().iter().map(|_| Pace::default()).collect(),
            holds: 0,
            grants: Grants::new(plan, started_at),
        };
        account.begin_periods(plan)?;
        Ok(account)
    }

    /// The window that the instant lies in.
    pub(crate) fn window(&self, plan: &Plan, period: Option<Cycle>, at: Timestamp) -> Window {
        plan.window(period, self.started_at, at)
    }

    /// The charge's window that the instant lies in: one that is open already, or else a new one.
    pub(crate) fn window_of(
        &self,
        plan: &Plan,
        charge: &Charge,
        windows: &Windows<Counter>,
        at: Timestamp,
    ) -> Window {
        windows.containing(at).unwrap_or_else(|| self.window(plan, charge.period, at))
    }

    /// A limit's window that the instant lies in; a rate has none.
    pub(crate) fn limit_window(
        &self,
        plan: &Plan,
        limit: &Limit,
        tally: &Tally,
        at: Timestamp,
    ) -> Option<Window> {
        tally.window(plan, limit, self.started_at, at)
    }

    /// Every window that a call at `at` counts in: of the charges, of the commitments, of the
    /// limits that count.
    pub(crate) fn windows(&self, plan: &Plan, at: Timestamp) -> impl Iterator<Item = Window> {
        let charges = plan.charges().iter().zip(&self.counters);
        let limits = plan.limits().iter().zip(&self.tallies);
        let limits =
            limits.filter_map(move |(limit, tally)| self.limit_window(plan, limit, tally, at));
        let commitments = plan.commitments().iter();
        let commitments = commitments.map(move |c| self.window(plan, Some(c.period), at));
        charges
            .map(move |(charge, windows)| self.window_of(plan, charge, windows, at))
            .chain(commitments)
            .chain(limits)
    }

    /// Prices the units of one call from the counters as they stand without what its parts have in them,
    /// `earlier`.
    pub(crate) fn rate(
        &self,
        plan: &Plan,
        units: &[(usize, u64)],
        caller: Caller<'_>,
        earlier: &[PartLine],
    ) -> Result<Vec<Rated>> {
        let mut lines = Vec::with_capacity(units.len());
        for &(index, quantity) in units {
            let (Some(charge), Some(windows)) =
                (plan.charges().get(index), self.counters.get(index))
            else {
                return Err(Error::new(Code::EntryMisplaced).because("no such charge"));
            };
            let window = self.window_of(plan, charge, windows, caller.at);
            let charge = self.charge_in(charge, window)?;
            let counter = windows.get(window);
            let (mut before, mut billed) =
                counter.map_or((0, Exact::ZERO), |c| (c.units, c.billed));
            if let Some(own) = PartLine::of(earlier, index) {
                before = before.checked_sub(own.units).ok_or(Code::EntryMisplaced)?;
                billed = billed.checked_sub(own.amount)?;
            }
            let units = match counter {
                Some(counter) => counter.seen.units(&charge.aggregate, before, quantity, caller),
                None => quantity,
            };
            let amount = charge.pays(before, billed, units)?;
            lines.push(Rated {
                charge: index,
                window,
                units_before: before,
                units,
                billed_before: billed,
                amount,
            });
        }
        Ok(lines)
    }

    /// Takes out of the counters what a call has in them, before they are moved by all that it used.
    pub(crate) fn rewind(&mut self, plan: &Plan, lines: &[PartLine], at: Timestamp) -> Result<()> {
        for line in lines {
            self.uncommit(plan, (line.charge, line.amount), at)?;
            let charge = plan.charges().get(line.charge).ok_or(Code::EntryMisplaced)?;
            let windows = self.counters.get(line.charge).ok_or(Code::EntryMisplaced)?;
            let window = self.window_of(plan, charge, windows, at);
            let windows = self.counters.get_mut(line.charge).ok_or(Code::EntryMisplaced)?;
            let counter = windows.get_mut(window).ok_or(Code::EntryMisplaced)?;
            counter.units = counter.units.checked_sub(line.units).ok_or(Code::EntryMisplaced)?;
            counter.billed = counter.billed.checked_sub(line.amount)?;
        }
        Ok(())
    }

    /// Moves the counters of a settled call, or of a window that is billed without one (`called`).
    pub(crate) fn advance(
        &mut self,
        plan: &Plan,
        rated: &[Rated],
        caller: Caller<'_>,
        called: bool,
    ) -> Result<()> {
        let mut opened = Vec::new();
        for line in rated {
            self.commit(plan, (line.charge, line.amount), caller.at)?;
            let Some(charge) = plan.charges().get(line.charge) else { continue };
            let counter = self.counter(line.charge, line.window, &mut opened)?;
            if called {
                counter.units = charge.aggregate.after(counter.units, line.units)?;
                counter.seen.note(&charge.aggregate, caller);
            }
            counter.billed = counter.billed.checked_add(line.amount)?;
            self.refresh(plan, line.charge, line.window)?;
            self.pass_periods(plan, line.charge)?;
        }
        Ok(())
    }

    /// The counters alone, to see what a call would make of them.
    pub(crate) fn counters_only(&self) -> Account {
        let counters = self.counters.clone();
        let (tallies, rates) = (Vec::new(), Vec::new());
        let grants = Grants::restore(self.started_at, Vec::new(), BTreeSet::new());
        let (pending, commitments) = (Vec::new(), Vec::new());
        let Account { started_at, paid_from, until, .. } = *self;
        Account {
            started_at,
            counters,
            tallies,
            rates,
            holds: 0,
            grants,
            pending,
            paid_from,
            commitments,
            until,
        }
    }

    /// Records what the subscription's own limits count of a settled or imported call.
    pub(crate) fn count(&mut self, plan: &Plan, call: &Counted<'_>) -> Result<()> {
        for (limit, tally) in plan.limits().iter().zip(self.tallies.iter_mut()) {
            if limit.across.is_none()
                && let Some(added) = call.under(limit)
            {
                let over = call.over(limit);
                tally.count(plan, limit, self.started_at, call.at, added, over)?;
            }
        }
        Ok(())
    }

    /// A hold reserves from now on, in the counters and as limits see it. Returns the windows that are
    /// new, by charge.
    ///
    /// # Errors
    /// `amount_overflow`; nothing has changed then.
    pub(crate) fn open_hold(&mut self, plan: &Plan, hold: &Hold) -> Result<Vec<(usize, Window)>> {
        let opened = self.reserve(plan, &hold.units, hold.caller(), hold.lines())?;
        self.enter(plan, hold);
        Ok(opened)
    }

    /// A hold no longer reserves, in the counters and as limits see it.
    pub(crate) fn end_hold(&mut self, plan: &Plan, hold: &Hold) -> Result<()> {
        self.free(plan, &hold.units, hold.caller(), hold.lines())?;
        self.leave(plan, hold);
        Ok(())
    }

    /// A hold reserves from now on: what limits see of it.
    pub(crate) fn enter(&mut self, plan: &Plan, hold: &Hold) {
        self.holds = self.holds.saturating_add(1);
        for (index, (limit, tally)) in plan.limits().iter().zip(&mut self.tallies).enumerate() {
            tally.enter(plan, limit, self.started_at, hold, index, true);
        }
    }

    /// A hold no longer reserves: what limits see of it.
    fn leave(&mut self, plan: &Plan, hold: &Hold) {
        self.holds = self.holds.saturating_sub(1);
        for (index, (limit, tally)) in plan.limits().iter().zip(&mut self.tallies).enumerate() {
            tally.leave(plan, limit, self.started_at, hold, index);
        }
    }

    /// Records what grants paid of a call's lines.
    pub(crate) fn note_granted(
        &mut self,
        rated: &[Rated],
        unpaid: &[(usize, Exact)],
    ) -> Result<()> {
        for (line, (_, left)) in rated.iter().zip(unpaid) {
            self.add_granted(line, line.amount.checked_sub(*left)?)?;
        }
        Ok(())
    }

    /// Adds to what of a line's counter nobody is to be paid back.
    fn add_granted(&mut self, line: &Rated, more: Exact) -> Result<()> {
        let windows = self.counters.get_mut(line.charge);
        if let Some(counter) = windows.and_then(|windows| windows.get_mut(line.window)) {
            counter.granted = counter.granted.checked_add(more)?;
        }
        Ok(())
    }

    /// Records what a credit gives back of what a receipt charged for these lines: the last one first,
    /// after what credits `before` it gave back.
    pub(crate) fn note_given_back(
        &mut self,
        rated: &[Rated],
        (mut before, mut back): (Exact, Exact),
    ) -> Result<()> {
        for line in rated.iter().rev() {
            let windows = self.counters.get(line.charge);
            let counter = windows.and_then(|windows| windows.get(line.window));
            let mut part = line.amount.minus_or_zero(before).min(back);
            if let Some(counter) = counter {
                // A part's lines are its call's so far: several credits may name the same ones.
                part = part.min(counter.billed.minus_or_zero(counter.granted));
            }
            before = before.minus_or_zero(line.amount);
            back = back.checked_sub(part)?;
            self.add_granted(line, part)?;
        }
        Ok(())
    }

    /// Adds what a hold may still use to what is outstanding. Returns the windows that are new, by
    /// charge.
    ///
    /// # Errors
    /// `amount_overflow`; nothing has changed then.
    pub(crate) fn reserve(
        &mut self,
        plan: &Plan,
        units: &[(usize, u64)],
        caller: Caller<'_>,
        parts: &[PartLine],
    ) -> Result<Vec<(usize, Window)>> {
        let mut opened = Vec::new();
        for (done, &(index, most)) in units.iter().enumerate() {
            let held = (index, most, PartLine::used(parts, index));
            if let Err(error) = self.reserve_one(plan, held, caller, &mut opened) {
                self.free(plan, units.get(..done).unwrap_or_default(), caller, parts)?;
                self.close(&opened);
                return Err(error);
            }
        }
        Ok(opened)
    }

    fn reserve_one(
        &mut self,
        plan: &Plan,
        (index, most, used): (usize, u64, u64),
        caller: Caller<'_>,
        opened: &mut Vec<(usize, Window)>,
    ) -> Result<()> {
        let charge = plan.charges().get(index).ok_or(Code::EntryMisplaced)?;
        let windows = self.counters.get(index).ok_or(Code::EntryMisplaced)?;
        if used > 0 && used >= most {
            return Ok(());
        }
        let window = self.window_of(plan, charge, windows, caller.at);
        let charge = self.charge_in(charge, window)?;
        let counter = self.counter(index, window, opened)?;
        let outstanding = counter
            .outstanding
            .checked_add(most.saturating_sub(used))
            .ok_or_else(|| Error::new(Code::AmountOverflow).value(&charge.id))?;
        let mut after = Counter { outstanding, ..counter.clone() };
        if charge.tariff.is_per_call() {
            after.held = after.held.checked_add(price_left(&charge.tariff, most, used)?)?;
        }
        after.seen.enter(&charge.aggregate, most, caller);
        after.reserve = reserved(&charge, &after)?;
        *counter = after;
        Ok(())
    }

    /// Drops windows: those that `reserve` opened, or that are done with.
    pub(crate) fn close(&mut self, opened: &[(usize, Window)]) {
        for (charge, window) in opened {
            if let Some(windows) = self.counters.get_mut(*charge) {
                windows.drop_where(|w, _| w == *window);
            }
        }
    }

    /// Takes what a hold may still use out again.
    pub(crate) fn free(
        &mut self,
        plan: &Plan,
        units: &[(usize, u64)],
        caller: Caller<'_>,
        parts: &[PartLine],
    ) -> Result<()> {
        for &(index, most) in units {
            let used = PartLine::used(parts, index);
            // Of what is used up nothing is outstanding, and its window may be gone.
            if used > 0 && used >= most {
                continue;
            }
            let charge = plan.charges().get(index).ok_or(Code::EntryMisplaced)?;
            let windows = self.counters.get(index).ok_or(Code::EntryMisplaced)?;
            let window = self.window_of(plan, charge, windows, caller.at);
            let windows = self.counters.get_mut(index).ok_or(Code::EntryMisplaced)?;
            let counter = windows.get_mut(window).ok_or(Code::EntryMisplaced)?;
            counter.outstanding = counter
                .outstanding
                .checked_sub(most.saturating_sub(used))
                .ok_or(Code::EntryMisplaced)?;
            if charge.tariff.is_per_call() {
                let left = price_left(&charge.tariff, most, used)?;
                counter.held = counter.held.checked_sub(left)?;
            }
            counter.seen.leave(&charge.aggregate, most, caller);
            self.refresh(plan, index, window)?;
        }
        Ok(())
    }

    /// Forgets windows that are closed at `now`, but the latest. A window that owes a true-up stays
    /// until it is made, one that is still to be billed, or comes after such a one, until it is.
    pub(crate) fn forget_closed(&mut self, plan: &Plan, now: Timestamp) {
        self.grants.forget_closed(plan, now);
        let closed = |window| closes_at(window, plan).is_some_and(|closes| closes <= now);
        let mut counters = core::mem::take(&mut self.counters);
        for (charge, windows) in counters.iter_mut().enumerate() {
            let latest = windows.newest().map(|(window, _)| *window);
            windows.drop_where(|window, counter| {
                Some(window) != latest
                    && !counter.is_lent()
                    && counter.is_idle()
                    && !counter.owes
                    && closed(window)
                    && !self.awaits(charge, window)
            });
        }
        self.counters = counters;
        let mut tallies = core::mem::take(&mut self.tallies);
        let known = OnceCell::new();
        let earliest = || *known.get_or_init(|| self.earliest_due(plan));
        for (limit, tally) in plan.limits().iter().zip(&mut tallies) {
            tally.forget_closed(plan, limit, now, &earliest);
        }
        self.tallies = tallies;
    }

    pub(super) fn counter(
        &mut self,
        index: usize,
        window: Window,
        opened: &mut Vec<(usize, Window)>,
    ) -> Result<&mut Counter> {
        let windows = self.counters.get_mut(index).ok_or(Code::EntryMisplaced)?;
        let (counter, new) = windows.open(window);
        if new {
            opened.push((index, window));
        }
        counter.ok_or_else(|| Error::new(Code::EntryMisplaced))
    }

    /// Recomputes a counter's reserve, and whether its window owes a true-up.
    pub(crate) fn refresh(&mut self, plan: &Plan, index: usize, window: Window) -> Result<()> {
        let charge = plan.charges().get(index).ok_or(Code::EntryMisplaced)?;
        let charge = self.charge_in(charge, window)?;
        if let Some(counter) =
            self.counters.get_mut(index).and_then(|windows| windows.get_mut(window))
        {
            // A call whose parts leave a charge again may leave any total too high, and so may a lease.
            counter.owes =
                counter.billed > charge.tariff.due_at_close(counter.units, counter.billed)?;
            if counter.returned {
                counter.short = charge.tariff.total(counter.units)?.minus_or_zero(counter.billed);
            }
            counter.reserve = reserved(&charge, counter)?;
        }
        Ok(())
    }
}

/// Under a per-call model: what a call of up to `most` units may still cost that was billed for `used`.
pub(super) fn price_left(tariff: &Tariff, most: u64, used: u64) -> Result<Exact> {
    Ok(tariff.total(most)?.minus_or_zero(tariff.total(used.min(most))?))
}

impl Counter {
    /// Whether no hold reserves units of it.
    fn is_idle(&self) -> bool {
        self.outstanding == 0 && self.seen.is_idle()
    }

    /// The most that one hold of so many units can add to what is billed, wherever the others leave the
    /// counter.
    pub(crate) fn worst(&self, charge: &Charge, units: u64, caller: Caller<'_>) -> Result<Exact> {
        let others = match &charge.aggregate {
            Aggregate::Sum | Aggregate::Count => self.outstanding.saturating_sub(units),
            // What others bring only raises what is billed, or where the counter stands.
            Aggregate::Max => return self.up_to(charge, self.units, units),
            Aggregate::Latest if caller.at < self.seen.at => return Ok(Exact::ZERO),
            Aggregate::Latest => return self.up_to(charge, 0, units),
            Aggregate::Unique(unique) => {
                let value = caller.value(unique);
                if !self.seen.is_new(value) {
                    return Ok(Exact::ZERO);
                }
                self.seen.new_values(value)
            }
        };
        charge.tariff.worst_increase(self.units, others, units)
    }

    /// What the highest F of a counter from `least` up to `most` lies above what is billed.
    fn up_to(&self, charge: &Charge, least: u64, most: u64) -> Result<Exact> {
        let highest = charge.tariff.highest(least, most.saturating_sub(least))?;
        Ok(highest.minus_or_zero(self.billed))
    }
}

/// The most that outstanding units can still cost: the highest F that they can reach, less what is
/// billed; under a per-call model the sum of the holds' own prices. Without such units, what returned
/// leases left unbilled.
fn reserved(charge: &Charge, counter: &Counter) -> Result<Exact> {
    if counter.is_idle() {
        return Ok(counter.short);
    }
    if charge.tariff.is_per_call() {
        return Ok(counter.held);
    }
    match charge.aggregate {
        Aggregate::Sum | Aggregate::Count => {
            let most = counter.units.checked_add(counter.outstanding).ok_or_else(overflow)?;
            counter.up_to(charge, counter.units, most)
        }
        Aggregate::Max => {
            let most = counter.seen.largest().unwrap_or(0);
            counter.up_to(charge, counter.units, most)
        }
        Aggregate::Latest => match counter.seen.largest() {
            Some(most) => counter.up_to(charge, 0, most),
            None => Ok(Exact::ZERO),
        },
        Aggregate::Unique(_) => {
            let most = counter.units.saturating_add(counter.seen.new);
            counter.up_to(charge, counter.units, most)
        }
    }
}
