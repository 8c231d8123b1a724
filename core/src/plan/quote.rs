//! Pricing without state: what a usage would cost, and why.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::Exact,
    error::{Code, Error, Result},
    plan::{Call, Plan, REQUESTS},
    rating::Step,
    time::Timestamp,
    usage::Usage,
};

/// What a usage costs under a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The price of the usage as a subscription's very first call.
    pub first: Exact,
    /// The most that it can cost at any position of any counter: a ceiling to authorise.
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
            let amount = charge.tariff.pays(0, Exact::ZERO, units)?;
            quote.first = quote.first.checked_add(amount)?;
            quote.ceiling = quote.ceiling.checked_add(charge.tariff.worst_single(units)?)?;
            quote.lines.push(QuoteLine {
                charge: charge.id.clone(),
                meter: charge.meter.clone(),
                units,
                amount,
                steps: charge.tariff.lines(0, units)?,
            });
        }
        Ok(quote)
    }

    /// Whether the plan can price a usage at all, as a call that is authorised at `at`.
    ///
    /// # Errors
    /// `usage_unpriced`, `usage_contradiction`.
    pub fn check_usage(&self, usage: &Usage, at: Timestamp) -> Result<()> {
        self.charged_units(&Call { usage, attributes: usage.attributes(), at }).map(|_| ())
    }

    /// The units that each charge counts in a call: (index of the charge, units), charges that count
    /// nothing left out. Parts with a price of their own in this call are taken out of their whole.
    pub(crate) fn charged_units(&self, call: &Call<'_>) -> Result<Vec<(usize, u64)>> {
        let (usage, choice) = (call.usage, self.choice());
        let counting = choice.counting(self.charges(), call);
        let priced = |meter: &str| choice.prices(counting, meter);
        // Every call counts itself: `requests` needs no price.
        let covered = |meter: &str| meter == REQUESTS || priced(meter);
        if let Some(meter) = usage.uncovered(&covered) {
            return Err(Error::new(Code::UsageUnpriced).value(meter));
        }
        let disjoint = usage.disjoint(&priced)?;
        let requests = match usage.get(REQUESTS) {
            0 => 1,
            n => n,
        };
        let mut charged = Vec::with_capacity(disjoint.len().saturating_add(1));
        for (index, charge) in self.charges().iter().enumerate() {
            if !counting.has(index) {
                continue;
            }
            let quantity = if charge.meter == REQUESTS {
                requests
            } else {
                disjoint.iter().find(|(meter, _)| *meter == charge.meter).map_or(0, |(_, n)| *n)
            };
            let units = charge.aggregate.units(quantity);
            if units > 0 {
                charged.push((index, units));
            }
        }
        Ok(charged)
    }
}
