//! What the term of a subscription does to its account: when it is paid for, and what a fee costs in a
//! window that lies in that time only in part.

use alloc::{borrow::Cow, vec::Vec};

use crate::{
    account::{Account, closes_at},
    error::Result,
    plan::{Charge, Plan},
    rating::Model,
    time::{Timestamp, Window},
};

impl Account {
    /// Whether a call at this instant is made in the trial.
    pub(crate) fn in_trial(&self, at: Timestamp) -> bool {
        at < self.paid_from
    }

    /// Whether the subscription has ended at this instant.
    pub(crate) fn ended(&self, at: Timestamp) -> bool {
        self.until != Timestamp::MAX && self.until <= at
    }

    /// Takes what a call in the trial has no part in off its units: fees.
    pub(crate) fn skip_fees(&self, plan: &Plan, units: &mut Vec<(usize, u64)>, at: Timestamp) {
        if self.in_trial(at) {
            let fee = |index: usize| plan.charges().get(index).is_some_and(is_fee);
            units.retain(|(index, _)| !fee(*index));
        }
    }

    /// A charge as it is in one of its windows: a fee may be due for a part of it.
    ///
    /// # Errors
    /// None that a plan's prices could bring about.
    pub(crate) fn charge_in<'a>(
        &self,
        charge: &'a Charge,
        window: Window,
    ) -> Result<Cow<'a, Charge>> {
        if !charge.tariff.terms().prorate {
            return Ok(Cow::Borrowed(charge));
        }
        let length = |window: Window| window.end.millis().saturating_sub(window.start.millis());
        let (start, end) = (window.start.max(self.paid_from), window.end.min(self.until));
        let (paid, whole) = (length(Window { start, end }), length(window));
        if paid == whole {
            return Ok(Cow::Borrowed(charge));
        }
        let tariff = charge.tariff.for_part(paid, whole)?;
        Ok(Cow::Owned(Charge { tariff, ..charge.clone() }))
    }

    /// When a window that owes a true-up is trued up: a part of a fee that is not used, where the
    /// subscription ends; anything else, where the window closes.
    pub(crate) fn trued_up_at(
        &self,
        plan: &Plan,
        charge: &Charge,
        window: Window,
    ) -> Option<Timestamp> {
        if charge.tariff.terms().prorate {
            return Some(self.until).filter(|until| *until != Timestamp::MAX);
        }
        closes_at(window, plan)
    }

    /// Ends the subscription at an instant, before any other end that it has.
    ///
    /// # Errors
    /// As [`Account::refresh`].
    pub(crate) fn end(&mut self, plan: &Plan, until: Timestamp) -> Result<()> {
        self.until = until;
        self.cut_periods(plan)?;
        for (index, charge) in plan.charges().iter().enumerate() {
            if charge.tariff.terms().prorate {
                let windows = self.counters.get(index).map(|windows| windows.iter());
                let windows: Vec<Window> = windows.into_iter().flatten().map(|(w, _)| *w).collect();
                for window in windows {
                    self.refresh(plan, index, window)?;
                }
            }
        }
        Ok(())
    }

    /// Makes what a window was billed what it costs: it has been trued up, and late calls may come.
    ///
    /// # Errors
    /// As [`Account::refresh`].
    pub(crate) fn settle_up(&mut self, plan: &Plan, index: usize, window: Window) -> Result<()> {
        let Some(charge) = plan.charges().get(index) else { return Ok(()) };
        let tariff = self.charge_in(charge, window)?.into_owned().tariff;
        let counter = self.counters.get_mut(index).and_then(|windows| windows.get_mut(window));
        if let Some(counter) = counter {
            counter.billed = tariff.due_at_close(counter.units, counter.billed)?;
        }
        self.refresh(plan, index, window)
    }
}

/// Whether a charge is due in every window, whatever is used.
fn is_fee(charge: &Charge) -> bool {
    matches!(charge.tariff.model(), Model::Flat { .. }) && !charge.tariff.due_at_start().is_zero()
}
