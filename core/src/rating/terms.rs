//! What stands around a model: a discount, a cap, a minimum.

use alloc::{format, vec::Vec};

use super::step::{Step, Words};
use crate::{
    amount::Exact,
    error::{Code, Error, Result},
};

/// What applies to a window's total, after the model has made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Terms {
    /// Whether the first flat amount is due in a window without any unit, too.
    pub zero: bool,
    /// Whether a window that a subscription is paid for in part only costs a part of that amount.
    pub prorate: bool,
    /// Taken off the total, which is never less than nothing.
    pub off: Exact,
    /// The most that a window costs, if there is a bound.
    pub cap: Option<Exact>,
    /// The least that a window costs, once it closes.
    pub minimum: Exact,
}

impl Terms {
    /// # Errors
    /// [`Code::PlanInvalid`] for a minimum above the cap.
    pub(super) fn check(&self) -> Result<()> {
        match self.cap {
            Some(cap) if cap < self.minimum => Err(Error::new(Code::PlanInvalid)
                .value(self.minimum)
                .because("a minimum is at most the cap")),
            _ => Ok(()),
        }
    }

    /// The total, less the discount, at most the cap.
    pub(super) fn apply(&self, total: Exact) -> Exact {
        self.capped(total.minus_or_zero(self.off))
    }

    pub(super) fn capped(&self, amount: Exact) -> Exact {
        self.cap.map_or(amount, |cap| amount.min(cap))
    }

    /// Steps that begin at a total, cut to what lies between discount and cap.
    pub(super) fn cut(
        &self,
        steps: &mut Vec<Step>,
        mut from: Exact,
        words: &Words<'_>,
    ) -> Result<()> {
        for step in steps {
            let to = from.checked_add(step.amount)?;
            let off = self.off.minus_or_zero(from).min(step.amount);
            let amount = self.apply(to).minus_or_zero(self.apply(from));
            if !off.is_zero() {
                step.what.push_str(&format!(", less a discount of {}", words.money(off)));
            }
            if let Some(cap) = self.cap
                && amount.checked_add(off)? < step.amount
            {
                step.what.push_str(&format!(", at most {} in all", words.money(cap)));
            }
            step.amount = amount;
            from = to;
        }
        Ok(())
    }
}
