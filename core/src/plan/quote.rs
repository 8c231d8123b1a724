//! Pricing without state: what a usage would cost, and why.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    amount::Exact,
    error::Result,
    plan::{Call, Plan, choice::Set},
    rating::Step,
    time::Timestamp,
    usage::Usage,
};

/// What a usage costs under a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The price of the usage as a subscription's very first call.
    pub first: Exact,
    /// The most that a call of at most these quantities can cost, at any position of any counter: a
    /// ceiling to authorise.
    pub ceiling: Exact,
    /// How `first` comes about, one line per charge that the usage touches.
    pub lines: Vec<QuoteLine>,
}

/// One charge's part of a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteLine {
    /// The charge's id.
    pub charge: String,
    /// The meter that it counts.
    pub meter: String,
    /// Which calls the charge is for, in words: why it counts and others of its meter do not. `None`
    /// where it counts in every call.
    pub selected: Option<String>,
    /// The units counted.
    pub units: u64,
    /// The exact price.
    pub amount: Exact,
    /// How the price comes about, step by step.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Prices a usage without any state, as a call that is authorised at `at`, and says how.
    ///
    /// # Errors
    /// `usage_unpriced` when the usage has a meter for which the plan has no price in this call,
    /// `usage_contradiction` when a part exceeds its whole, `price_out_of_bounds`, `amount_overflow`.
    pub fn quote(&self, usage: &Usage, at: Timestamp) -> Result<Quote> {
        let mut quote = Quote { first: Exact::ZERO, ceiling: Exact::ZERO, lines: Vec::new() };
        let call = Call { usage, attributes: usage.attributes(), at };
        for (index, units) in self.charged_units(&call)? {
            let Some(charge) = self.charges().get(index) else { continue };
            let amount = charge.pays(0, Exact::ZERO, units)?;
            quote.first = quote.first.checked_add(amount)?;
            quote.lines.push(QuoteLine {
                charge: charge.id.clone(),
                meter: charge.meter.clone(),
                selected: charge.selector.as_ref().map(ToString::to_string),
                units,
                amount,
                steps: charge.tariff.lines(0, units, &charge.meter, self.currency())?,
            });
        }
        for (index, units) in self.held_units(&call, &|_| false)? {
            let Some(charge) = self.charges().get(index) else { continue };
            quote.ceiling = quote.ceiling.checked_add(charge.worst_single(units)?)?;
        }
        Ok(quote)
    }

    /// Whether the plan has prices for a usage, as a call that is authorised at `at`. What grants pay
    /// and where counters stand may still decide whether it can be charged.
    ///
    /// # Errors
    /// `usage_unpriced`, `usage_contradiction`.
    pub fn check_usage(&self, usage: &Usage, at: Timestamp) -> Result<()> {
        self.charged_units(&Call { usage, attributes: usage.attributes(), at }).map(|_| ())
    }

    /// The price alone, [`Quote::first`], without how it comes about: for those who price many calls.
    ///
    /// # Errors
    /// As [`Plan::quote`].
    pub fn price(&self, usage: &Usage, at: Timestamp) -> Result<Exact> {
        let call = Call { usage, attributes: usage.attributes(), at };
        let counted = self.counted(&call);
        let units = self.disjoint_units(&call, &counted)?;
        let mut sum = Exact::ZERO;
        // Without a list of them: this is the shortest way from a usage to its price.
        for charged in self.units_of_charges(&counted, Set::MAX, &units) {
            let (index, units) = charged?;
            let Some(charge) = self.charges().get(index) else { continue };
            sum = sum.checked_add(charge.pays(0, Exact::ZERO, units)?)?;
        }
        Ok(sum)
    }
}
