//! What the charges of a commitment were billed, by its windows.

use crate::{
    account::{Account, Windows},
    amount::Exact,
    error::Result,
    plan::Plan,
    time::{Timestamp, Window},
};

/// One commitment's windows that were not billed its minimum yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Where the first of them begins; `None` when there are no more.
    pub(crate) from: Option<Timestamp>,
    /// What was billed in them, as far as something was.
    pub(crate) billed: Windows<Exact>,
}

impl Committed {
    /// Whether the window is still to be billed.
    pub(crate) fn awaits(&self, window: Window) -> bool {
        self.from.is_some_and(|from| from < window.end)
    }

    /// Goes on with the windows from this instant, and forgets those before it.
    pub(crate) fn move_to(&mut self, next: Option<Timestamp>) {
        self.from = next;
        self.billed.drop_where(|window, _| next.is_none_or(|next| window.end <= next));
    }

    /// Adds what was billed in a window.
    fn add(&mut self, window: Window, amount: Exact) -> Result<()> {
        if self.awaits(window)
            && let (Some(billed), _) = self.billed.open(window)
        {
            *billed = billed.checked_add(amount)?;
        }
        Ok(())
    }
}

impl Account {
    /// Takes what a call's parts were billed out of the commitments of their charge again.
    pub(super) fn uncommit(
        &mut self,
        plan: &Plan,
        (line, amount): (usize, Exact),
        at: Timestamp,
    ) -> Result<()> {
        for (commitment, committed) in plan.commitments().iter().zip(&mut self.commitments) {
            if commitment.charges.contains(&line)
                && let Some(window) = committed.billed.containing(at)
                && let Some(billed) = committed.billed.get_mut(window)
            {
                *billed = billed.checked_sub(amount)?;
            }
        }
        Ok(())
    }

    /// Adds what a line billed at this instant to its commitments: those of its charge, or the one that
    /// it bills.
    pub(super) fn commit(
        &mut self,
        plan: &Plan,
        (line, amount): (usize, Exact),
        at: Timestamp,
    ) -> Result<()> {
        let first = plan.charges().len();
        for (place, commitment) in plan.commitments().iter().enumerate() {
            let number = first.saturating_add(place);
            if number != line && !commitment.charges.contains(&line) {
                continue;
            }
            let Some(committed) = self.commitments.get(place) else { continue };
            let known = committed.billed.containing(at);
            let window = known.unwrap_or_else(|| self.window(plan, Some(commitment.period), at));
            if let Some(committed) = self.commitments.get_mut(place) {
                committed.add(window, amount)?;
            }
            self.pass_periods(plan, number)?;
        }
        Ok(())
    }
}
