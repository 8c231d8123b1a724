//! What windows cost without a call: an amount that is due as they start, a minimum that they come to
//! as they close.
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
    /// Its close: the minimum.
    Close,
}

impl Edge {
    pub(crate) const ALL: [Edge; 2] = [Edge::Start, Edge::Close];

    /// The number that stands in subjects.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Edge::Start => 1,
            Edge::Close => 2,
        }
    }

    /// What a window is billed at least, once this edge is done.
    fn total(self, tariff: &Tariff) -> Exact {
        match self {
            Edge::Start => tariff.due_at_start(),
            Edge::Close => tariff.terms().minimum,
        }
    }
}

/// The next window of a charge that is billed without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) charge: usize,
    pub(crate) edge: Edge,
    pub(crate) window: Window,
    /// The instant whose limits count it.
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
        }
    }

    fn move_to(&mut self, edge: Edge, next: Option<Timestamp>) {
        match edge {
            Edge::Start => self.start = next,
            Edge::Close => self.close = next,
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
        for charge in 0..self.pending.len() {
            if let Some(pending) = self.pending.get_mut(charge) {
                for edge in Edge::ALL {
                    pending.move_to(edge, pending.at(edge).filter(|from| *from < until));
                }
            }
            self.pass_periods(plan, charge)?;
        }
        Ok(())
    }

    /// The next window of a charge that is due at an edge. A window that never closes never comes to
    /// its minimum.
    pub(crate) fn period(&self, plan: &Plan, charge: usize, edge: Edge) -> Option<Period> {
        let from = self.pending.get(charge)?.at(edge)?;
        let found = plan.charges().get(charge)?;
        let window = self.window(plan, found.period, from);
        let (at, due) = match edge {
            Edge::Start => (from, from),
            // Its last instant within the term.
            Edge::Close => {
                let last = window.end.min(self.until).millis().saturating_sub(1);
                (Timestamp::from_millis(last).ok()?, closes_at(window, plan)?)
            }
        };
        let total = edge.total(&*self.tariff(found, window).ok()?);
        Some(Period { charge, edge, window, at, due, total })
    }

    /// The next window of every charge and edge.
    pub(crate) fn periods(&self, plan: &Plan) -> Vec<Period> {
        let all = (0..self.pending.len()).flat_map(|charge| Edge::ALL.map(|edge| (charge, edge)));
        all.filter_map(|(charge, edge)| self.period(plan, charge, edge)).collect()
    }

    /// Moves on from windows that were billed what their edge asks for.
    pub(super) fn pass_periods(&mut self, plan: &Plan, charge: usize) -> Result<()> {
        let Some(found) = plan.charges().get(charge) else { return Ok(()) };
        for edge in Edge::ALL {
            while let Some(from) = self.pending.get(charge).and_then(|pending| pending.at(edge)) {
                let window = self.window(plan, found.period, from);
                let total = edge.total(&*self.tariff(found, window)?);
                let counter = self.counters.get(charge).and_then(|w| w.get(window));
                if counter.map_or(Exact::ZERO, |counter| counter.billed) < total {
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
            Edge::ALL.iter().any(|edge| pending.at(*edge).is_some_and(|from| from < window.end))
        })
    }

    /// The earliest window of any charge that is still to be billed.
    pub(super) fn earliest_period(&self) -> Option<Timestamp> {
        let all = self.pending.iter().flat_map(|pending| [pending.start, pending.close]);
        all.flatten().min()
    }
}
