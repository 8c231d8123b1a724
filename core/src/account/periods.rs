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
    fn total(self, charge: &Charge) -> Exact {
        match self {
            Edge::Start => charge.tariff.due_at_start(),
            Edge::Close => charge.tariff.terms().minimum,
            // It has no total that is known beforehand.
            Edge::Return => Exact::ZERO,
        }
    }
}

/// The next window of a charge that is billed without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
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
    /// A charge's windows from a subscription's start on.
    pub(crate) fn from(charge: &Charge, since: Timestamp) -> Pending {
        let from = |edge: Edge| (!edge.total(charge).is_zero()).then_some(since);
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
    /// The next window of a charge that is due at an edge. A window that never closes never comes to
    /// its minimum.
    pub(crate) fn period(&self, plan: &Plan, charge: usize, edge: Edge) -> Option<Period> {
        let found = plan.charges().get(charge)?;
        if edge == Edge::Return {
            let window = self.first_short(charge)?;
            let counter = self.counters.get(charge)?.get(window)?;
            let total = counter.billed.checked_add(counter.short).ok()?;
            let (at, due) = (self.last_of(window)?, window.start);
            return Some(Period { charge, edge, window, at, due, total });
        }
        let from = self.pending.get(charge)?.at(edge)?;
        let window = self.window(plan, found.period, from);
        let (at, due) = match edge {
            Edge::Start => (from, from),
            _ => (self.last_of(window)?, closes_at(window, plan)?),
        };
        Some(Period { charge, edge, window, at, due, total: edge.total(found) })
    }

    /// A window's last instant within the term.
    fn last_of(&self, window: Window) -> Option<Timestamp> {
        Timestamp::from_millis(window.end.min(self.until).millis().saturating_sub(1)).ok()
    }

    /// The next window of every charge and edge.
    pub(crate) fn periods(&self, plan: &Plan) -> Vec<Period> {
        let all = (0..self.pending.len()).flat_map(|charge| Edge::ALL.map(|edge| (charge, edge)));
        all.filter_map(|(charge, edge)| self.period(plan, charge, edge)).collect()
    }

    /// Moves on from windows that were billed what their edge asks for.
    pub(super) fn pass_periods(&mut self, plan: &Plan, charge: usize) -> Result<()> {
        let Some(found) = plan.charges().get(charge) else { return Ok(()) };
        for edge in Edge::PENDING {
            let total = edge.total(found);
            while let Some(from) = self.pending.get(charge).and_then(|pending| pending.at(edge)) {
                let window = self.window(plan, found.period, from);
                let counter = self.counters.get(charge).and_then(|w| w.get(window));
                // What a lease may still charge is not billed for good.
                if counter.is_none_or(|c| c.billed.minus_or_zero(c.lent) < total) {
                    break;
                }
                let next = window.end;
                let more = next < self.until && next < Timestamp::MAX;
                if let Some(pending) = self.pending.get_mut(charge) {
                    pending.move_to(edge, more.then_some(next));
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

    /// The earliest window of any charge that is still to be billed.
    pub(super) fn earliest_period(&self) -> Option<Timestamp> {
        let all = self.pending.iter().flat_map(|pending| [pending.start, pending.close]);
        all.flatten().min()
    }
}
