//! What windows cost without a call: an amount that is due as they start, a minimum that they come to
//! as they close, what returned leases left unbilled.
//!
//! Per charge and edge one instant says from where on windows are still to be billed; it moves on as
//! soon as a window was billed that much, by a call or by a period receipt.

use alloc::vec::Vec;

use crate::{
    account::{Account, closes_at},
    amount::Exact,
    error::Result,
    plan::{Charge, Plan},
    rating::Tariff,
    time::{Timestamp, Window},
};

/// Which edge of a window something is due at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Edge {
    /// Its start: what is due without any use.
    Start,
    /// No edge, but when the last lease of the window came back: what it left unbilled.
    Return,
    /// Its close: the minimum.
    Close,
}

impl Edge {
    pub(crate) const ALL: [Edge; 3] = [Edge::Start, Edge::Return, Edge::Close];
    /// Those that every window comes to.
    const PENDING: [Edge; 2] = [Edge::Start, Edge::Close];

    /// The number that stands in subjects.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Edge::Start => 1,
            Edge::Close => 2,
            Edge::Return => 3,
        }
    }

    /// What a window is billed at least, once this edge is done.
    fn total(self, tariff: &Tariff) -> Exact {
        match self {
            Edge::Start => tariff.due_at_start(),
            Edge::Close => tariff.terms().minimum,
            // It has no total that is known beforehand.
            Edge::Return => Exact::ZERO,
        }
    }
}

/// The next window of a charge or a commitment that is billed without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    /// The number of its line: charges first, then commitments.
    pub(crate) charge: usize,
    pub(crate) edge: Edge,
    pub(crate) window: Window,
    /// The instant whose limits count it; at the latest when its receipt is issued.
    pub(crate) at: Timestamp,
    /// When the receipt is due.
    pub(crate) due: Timestamp,
    /// What the window is to be billed in all.
    pub(crate) total: Exact,
}

/// Where the windows begin that are still to be billed, by edge; `None` when there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pending {
    pub(crate) start: Option<Timestamp>,
    pub(crate) close: Option<Timestamp>,
}

impl Pending {
    /// A charge's windows from when on a subscription is paid for.
    fn from(charge: &Charge, since: Timestamp) -> Pending {
        let from = |edge: Edge| (!edge.total(&charge.tariff).is_zero()).then_some(since);
        Pending { start: from(Edge::Start), close: from(Edge::Close) }
    }

    fn at(&self, edge: Edge) -> Option<Timestamp> {
        match edge {
            Edge::Start => self.start,
            Edge::Close => self.close,
            Edge::Return => None,
        }
    }

    fn move_to(&mut self, edge: Edge, next: Option<Timestamp>) {
        match edge {
            Edge::Start => self.start = next,
            Edge::Close => self.close = next,
            Edge::Return => {}
        }
    }
}

impl Account {
    /// All that is to be billed without a call of a subscription that begins.
    pub(super) fn begin_periods(&mut self, plan: &Plan) -> Result<()> {
        let since = self.paid_from;
        self.pending = plan.charges().iter().map(|charge| Pending::from(charge, since)).collect();
        self.cut_periods(plan)
    }

    /// Drops what would begin after the end of the subscription.
    pub(super) fn cut_periods(&mut self, plan: &Plan) -> Result<()> {
        let until = self.until;
        for pending in &mut self.pending {
            for edge in Edge::ALL {
                pending.move_to(edge, pending.at(edge).filter(|from| *from < until));
            }
        }
        for committed in &mut self.commitments {
            committed.move_to(committed.from.filter(|from| *from < until));
        }
        for charge in 0..self.pending.len() {
            self.pass_periods(plan, charge)?;
        }
        Ok(())
    }

    /// From where on windows of a line are due at an edge, the windows, and what each is to be billed.
    fn pending(
        &self,
        plan: &Plan,
        line: usize,
        edge: Edge,
    ) -> Result<Option<(Timestamp, Window, Exact)>> {
        if let Some(charge) = plan.charges().get(line) {
            let from = self.pending.get(line).and_then(|pending| pending.at(edge));
            let Some(from) = from else { return Ok(None) };
            let window = self.window(plan, charge.period, from);
            let total = edge.total(&self.charge_in(charge, window)?.tariff);
            return Ok(Some((from, window, total)));
        }
        let commitment = plan.commitment(line).filter(|_| edge == Edge::Close);
        let Some((place, commitment)) = commitment else { return Ok(None) };
        let from = self.commitments.get(place).and_then(|committed| committed.from);
        Ok(from.map(|from| {
            (from, self.window(plan, Some(commitment.period), from), commitment.minimum)
        }))
    }

    /// Where a line's counter stands, and what was billed in a window.
    pub(crate) fn billed(&self, plan: &Plan, line: usize, window: Window) -> (u64, Exact) {
        if let Some((place, _)) = plan.commitment(line) {
            let billed = self.commitments.get(place).and_then(|c| c.billed.get(window));
            return (0, billed.copied().unwrap_or(Exact::ZERO));
        }
        let counter = self.counters.get(line).and_then(|windows| windows.get(window));
        counter.map_or((0, Exact::ZERO), |counter| (counter.units, counter.billed))
    }

    /// The next window of a line that is due at an edge. A window that never closes never comes to its
    /// minimum.
    pub(crate) fn period(&self, plan: &Plan, charge: usize, edge: Edge) -> Option<Period> {
        if edge == Edge::Return {
            let window = self.first_short(charge)?;
            let counter = self.counters.get(charge)?.get(window)?;
            let total = counter.billed.checked_add(counter.short).ok()?;
            let (at, due) = (self.last_of(window)?, window.start);
            return Some(Period { charge, edge, window, at, due, total });
        }
        let (from, window, total) = self.pending(plan, charge, edge).ok()??;
        let (at, due) = match edge {
            Edge::Start => (from, from),
            _ => (self.last_of(window)?, closes_at(window, plan)?),
        };
        Some(Period { charge, edge, window, at, due, total })
    }

    /// A window's last instant within the term.
    fn last_of(&self, window: Window) -> Option<Timestamp> {
        Timestamp::from_millis(window.end.min(self.until).millis().saturating_sub(1)).ok()
    }

    /// The next window of every line and edge.
    pub(crate) fn periods(&self, plan: &Plan) -> Vec<Period> {
        let lines = self.pending.len().saturating_add(self.commitments.len());
        let all = (0..lines).flat_map(|line| Edge::ALL.map(|edge| (line, edge)));
        all.filter_map(|(line, edge)| self.period(plan, line, edge)).collect()
    }

    /// Moves on from windows that were billed what their edge asks for.
    pub(super) fn pass_periods(&mut self, plan: &Plan, line: usize) -> Result<()> {
        for edge in Edge::PENDING {
            while let Some((_, window, total)) = self.pending(plan, line, edge)? {
                // What a lease may still charge is not billed for good.
                let lent = self.counters.get(line).and_then(|windows| windows.get(window));
                let lent = lent.map_or(Exact::ZERO, |counter| counter.lent);
                if self.billed(plan, line, window).1.minus_or_zero(lent) < total {
                    break;
                }
                let next =
                    Some(window.end).filter(|end| *end < self.until && *end < Timestamp::MAX);
                if let Some(pending) = self.pending.get_mut(line) {
                    pending.move_to(edge, next);
                } else if let Some((place, _)) = plan.commitment(line)
                    && let Some(committed) = self.commitments.get_mut(place)
                {
                    committed.move_to(next);
                }
            }
        }
        Ok(())
    }

    /// Whether an edge of this window, or of one before it, is still to be billed: then what it was
    /// billed must be remembered.
    pub(crate) fn awaits(&self, charge: usize, window: Window) -> bool {
        self.pending.get(charge).is_some_and(|pending| {
            Edge::PENDING.iter().any(|edge| pending.at(*edge).is_some_and(|from| from < window.end))
        })
    }

    /// The earliest instant whose limits are still to count a period, or a lease that comes back.
    pub(crate) fn earliest_due(&self, plan: &Plan) -> Option<Timestamp> {
        let periods = self.periods(plan);
        periods.iter().map(|period| period.at).chain(self.earliest_lent()).min()
    }
}
