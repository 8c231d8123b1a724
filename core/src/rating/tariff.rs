//! Total prices as functions of a counter.

use alloc::{format, vec::Vec};

use super::{
    flat, graduated, package,
    per_call::{CostPlus, Dynamic, Percentage},
    per_unit,
    step::{Step, Words},
    terms::Terms,
    tiers::{Tier, check_tiers, first_flat},
    volume,
};
use crate::{
    amount::{Currency, Exact, UnitPrice, overflow},
    error::{Code, Error, Result},
};

/// How a number of units is priced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Model {
    /// One amount, due with the first unit.
    Flat {
        /// In atomic units.
        amount: Exact,
    },
    /// Every unit at one price.
    PerUnit {
        /// The price of one unit.
        price: UnitPrice,
    },
    /// Each unit at the price of the tier that it falls into.
    Graduated {
        /// In ascending order, the last one open.
        tiers: Vec<Tier>,
    },
    /// All units at the price of the tier that their number falls into. The total may fall.
    Volume {
        /// In ascending order, the last one open.
        tiers: Vec<Tier>,
    },
    /// Whole packages; one begun is charged.
    Package {
        /// Units in a package, at least 1.
        size: u64,
        /// The price of one package in atomic units.
        price: Exact,
    },
    /// A percentage of what one call's units are worth.
    Percentage(Percentage),
    /// What one call's units cost their seller, and a part on top.
    CostPlus(CostPlus),
    /// A price that comes with the call.
    Dynamic(Dynamic),
}

/// F(counter): the total price of what was counted in a window.
///
/// Free units are subtracted first and do not advance tiers or packages. A quantity is never negative
/// and a counter never falls; the total may, under volume tiers ([`Tariff::can_fall`]). Some models
/// price each call on its own instead ([`Tariff::is_per_call`]).
///
/// ```
/// use counterfoil::{Currency, Exact, amount::UnitPrice, rating::{Model, Tariff, Tier}};
///
/// let tier = |up_to, price| {
///     let price = UnitPrice::parse(price, 6, 1)?;
///     Ok::<_, counterfoil::Error>(Tier { up_to, price, flat: Exact::ZERO })
/// };
/// let tiers = vec![tier(Some(1_000), "0.0000025")?, tier(None, "0.000002")?];
/// let tariff = Tariff::new(Model::Graduated { tiers }, 100)?;
/// assert_eq!(tariff.total(100)?.to_string(), "0");
/// assert_eq!(tariff.total(2_100)?.to_string(), "4500");
/// let steps = tariff.lines(1_000, 1_200, "tokens", &Currency::new_fiat("USD")?)?;
/// assert_eq!(steps[0].what, "100 tokens at 0.025 USD each (tier up to 1,000)");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tariff {
    model: Model,
    free: u64,
    terms: Terms,
}

impl Tariff {
    /// A tariff with this many free units.
    ///
    /// # Errors
    /// [`Code::PlanTiers`] when there is no tier or more than [`MOST_TIERS`](super::MOST_TIERS), the
    /// bounds are not strictly ascending from 1, or the last tier is not the only open one;
    /// [`Code::PlanInvalid`] for a package of size zero, bounds of a price that leave nothing between
    /// them, a margin of 1 or more; [`Code::DecimalTooFine`] when a percentage or a markup makes a
    /// price that is not on the grid.
    pub fn new(model: Model, free: u64) -> Result<Self> {
        let refused = |why| Err(Error::new(Code::PlanInvalid).because(why));
        let tariff = Tariff { model, free, terms: Terms::default() };
        match &tariff.model {
            _ if free != 0 && tariff.is_per_call() => {
                return refused("a per-call price has no free units");
            }
            Model::Graduated { tiers } | Model::Volume { tiers } => check_tiers(tiers)?,
            Model::Package { size: 0, .. } => return refused("a package has at least one unit"),
            Model::Flat { .. } | Model::PerUnit { .. } | Model::Package { .. } => {}
            Model::Percentage(p) if p.max.is_some_and(|max| max < p.min) => {
                return refused("`max` is at least `min`");
            }
            Model::Percentage(p) => p.unit().map(|_| ())?,
            Model::CostPlus(c) => c.check()?,
            Model::Dynamic(d) if d.max < d.min => return refused("`max` is at least `min`"),
            Model::Dynamic(_) => {}
        }
        Ok(tariff)
    }

    /// The tariff with what stands around its model. The first flat amount of a per-call model, a
    /// per-unit price or packages is nothing.
    ///
    /// # Errors
    /// [`Code::PlanInvalid`] for a minimum above the cap, and for any of them around a per-call model.
    pub fn with(self, terms: Terms) -> Result<Self> {
        terms.check()?;
        if self.is_per_call() && terms != Terms::default() {
            return Err(Error::new(Code::PlanInvalid).because("a per-call price has no total"));
        }
        Ok(Tariff { terms, ..self })
    }

    /// How units are priced.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Whether every unit has its price, wherever the counter stands: nothing is free, nothing bounds a
    /// window.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.model, Model::PerUnit { .. })
            && self.free == 0
            && self.terms == Terms::default()
    }

    /// The tariff of a window of `whole` milliseconds of which `paid` are paid for: a flat amount, that
    /// part of F(0), rounded half-even to the grid.
    pub(crate) fn for_part(&self, paid: u64, whole: u64) -> Result<Tariff> {
        let amount = self.due_at_start().part(paid, whole)?;
        let terms = Terms { zero: true, prorate: true, ..Terms::default() };
        Ok(Tariff { model: Model::Flat { amount }, free: 0, terms })
    }

    /// Whether a window costs something that nobody used: its start, or its close.
    #[must_use]
    pub fn is_due_without_use(&self) -> bool {
        !self.due_at_start().is_zero() || !self.terms.minimum.is_zero()
    }

    /// Units that are free.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.free
    }

    /// What stands around the model.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether each call is priced on its own, wherever the counter stands. Then what a window is
    /// billed is the sum of its calls' prices, and what open calls may still cost the sum of theirs.
    #[must_use]
    pub const fn is_per_call(&self) -> bool {
        matches!(self.model, Model::Percentage(_) | Model::CostPlus(_) | Model::Dynamic(_))
    }

    /// Units of a counter that are not free.
    fn charged(&self, counter: u64) -> u64 {
        counter.saturating_sub(self.free)
    }

    /// What is due in a window before any unit is used.
    fn first(&self) -> Exact {
        match &self.model {
            _ if !self.terms.zero => Exact::ZERO,
            Model::Flat { amount } => *amount,
            Model::Graduated { tiers } | Model::Volume { tiers } => first_flat(tiers),
            _ => Exact::ZERO,
        }
    }

    /// F(counter). Under a per-call model: the price of one call with so many units.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Exact::MAX`]; [`Code::PriceOutOfBounds`] under a
    /// dynamic model.
    pub fn total(&self, counter: u64) -> Result<Exact> {
        Ok(self.terms.apply(self.raw(counter)?))
    }

    /// F before discount and cap.
    fn raw(&self, counter: u64) -> Result<Exact> {
        let units = self.charged(counter);
        if units == 0 {
            return Ok(self.first());
        }
        match &self.model {
            Model::Flat { amount } => Ok(flat::total(*amount, units)),
            Model::PerUnit { price } => price.times(units),
            Model::Graduated { tiers } => graduated::total(tiers, units),
            Model::Volume { tiers } => volume::total(tiers, units),
            Model::Package { size, price } => package::total(*size, *price, units),
            Model::Percentage(p) => p.price(units),
            Model::CostPlus(c) => c.price(units),
            Model::Dynamic(d) => d.price(units),
        }
    }

    /// What a window costs before any unit is used: F(0).
    #[must_use]
    pub fn due_at_start(&self) -> Exact {
        self.terms.apply(self.first())
    }

    /// What a window costs once it closes whose counter stands at `counter` and which was billed
    /// `billed`: F, and at least the minimum. Under a per-call model, what it was billed.
    ///
    /// # Errors
    /// As [`Tariff::total`].
    pub fn due_at_close(&self, counter: u64, billed: Exact) -> Result<Exact> {
        if self.is_per_call() {
            return Ok(billed);
        }
        Ok(self.total(counter)?.max(self.terms.minimum))
    }

    /// What a call pays that brings `units` to a window whose counter stands at `counter` and which
    /// was billed `billed`: what F lies above that, or, under a per-call model, its own price.
    ///
    /// # Errors
    /// As [`Tariff::total`]; [`Code::AmountOverflow`] when the counter does not fit.
    pub fn pays(&self, counter: u64, billed: Exact, units: u64) -> Result<Exact> {
        let after = sum(counter, units)?;
        if self.is_per_call() {
            return self.total(units);
        }
        Ok(self.total(after)?.minus_or_zero(billed))
    }

    /// The largest F(counter + X) for 0 ≤ X ≤ `outstanding`: what the total can come to when open
    /// calls use any part of what they hold. Not for per-call models, where each hold stands alone.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the counter or the total does not fit.
    pub fn highest(&self, counter: u64, outstanding: u64) -> Result<Exact> {
        let end = sum(counter, outstanding)?;
        match &self.model {
            Model::Volume { tiers } if self.charged(end) != 0 => {
                let highest = volume::highest(tiers, self.charged(counter), self.charged(end))?;
                Ok(self.terms.apply(highest))
            }
            _ => self.total(end),
        }
    }

    /// The most that one call of up to `quantity` units can add, whatever the other open calls use
    /// before it: the largest max(0, F(counter + Y + x) − F(counter + Y)) for 0 ≤ x ≤ `quantity` and
    /// 0 ≤ Y ≤ `others`, where F is the model's total before discount and cap, and the second one
    /// counts nothing where no unit is charged; and at most the cap. Under a per-call model: the price of `quantity` units.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the counter or the increase does not fit.
    pub fn worst_increase(&self, counter: u64, others: u64, quantity: u64) -> Result<Exact> {
        let last = sum(counter, others)?;
        sum(last, quantity)?;
        if self.is_per_call() {
            return self.total(quantity);
        }
        let (low, high) = (self.charged(counter), self.charged(last));
        // A start below the free units is no worse than one at their end, where there is such a one;
        // else what is still free at the last start is taken off the quantity.
        let quantity = quantity.saturating_sub(self.free.saturating_sub(last));
        let worst = match &self.model {
            Model::Flat { amount } => flat::worst(*amount, low, quantity),
            Model::PerUnit { price } => price.times(quantity)?,
            Model::Graduated { tiers } => graduated::worst(tiers, low, high, quantity)?,
            Model::Volume { tiers } => volume::worst(tiers, low, high, quantity)?,
            Model::Package { size, price } => package::worst(*size, *price, low, high, quantity)?,
            Model::Percentage(_) | Model::CostPlus(_) | Model::Dynamic(_) => Exact::ZERO,
        };
        // The first flat amount may be open still, where it is due without any unit.
        let open = if low == 0 { self.first() } else { Exact::ZERO };
        Ok(self.terms.capped(worst.max(open)))
    }

    /// What one call can add at any position of the counter up to 2⁶³ − 1: the ceiling that is quoted
    /// without state.
    ///
    /// # Errors
    /// As [`Tariff::worst_increase`].
    pub fn worst_single(&self, quantity: u64) -> Result<Exact> {
        self.worst_increase(0, u64::MAX / 2, quantity)
    }

    /// Whether the model's total falls anywhere as the counter grows: only under volume tiers, where a
    /// step to a lower price outweighs the unit that makes it. (Discount and cap may hide it.)
    #[must_use]
    pub fn can_fall(&self) -> bool {
        match &self.model {
            Model::Volume { tiers } => volume::can_fall(tiers),
            _ => false,
        }
    }

    /// How F(`after`) − F(`before`) comes about, step by step; from `before` 0 on, how F(`after`) does,
    /// so that what is due without any use is among the steps. The amounts sum to it, or to zero where
    /// the total falls. Under a per-call model: how the price of `after` − `before` units does. The steps
    /// are told with this name of a unit, and with money in major units of the currency.
    ///
    /// # Errors
    /// As [`Tariff::total`]; [`Code::AmountOverflow`] when `after` is below `before`.
    pub fn lines(
        &self,
        before: u64,
        after: u64,
        unit: &str,
        currency: &Currency,
    ) -> Result<Vec<Step>> {
        let words = &Words::new(unit, currency);
        let used = after
            .checked_sub(before)
            .ok_or_else(|| overflow().value(after).because("a counter does not fall"))?;
        let mut steps = Vec::new();
        let free = after.min(self.free).saturating_sub(before);
        if free != 0 {
            let what = format!("{} free", words.units(free));
            steps.push(Step { units: free, price: Exact::ZERO, amount: Exact::ZERO, what });
        }
        let start = if before == 0 || self.is_per_call() { Exact::ZERO } else { self.raw(before)? };
        let begun = self.charged(before) != 0 || (self.terms.zero && before != 0);
        let first = !begun && (self.charged(after) != 0 || self.terms.zero);
        let (before, after) = (self.charged(before), self.charged(after));
        steps.extend(match &self.model {
            Model::Flat { amount } => flat::lines(*amount, before, after, first, words),
            Model::PerUnit { price } => per_unit::lines(*price, before, after, words)?,
            Model::Graduated { tiers } => graduated::lines(tiers, before, after, first, words)?,
            Model::Volume { tiers } => volume::lines(tiers, before, after, first, words)?,
            Model::Package { size, price } => package::lines(*size, *price, before, after, words)?,
            _ if used == 0 => Vec::new(),
            Model::Percentage(p) => p.line(used, words)?,
            Model::CostPlus(c) => c.line(used, words)?,
            Model::Dynamic(d) => d.line(used, words)?,
        });
        self.terms.cut(&mut steps, start, words)?;
        Ok(steps)
    }
}

/// A counter and what is added to it.
fn sum(counter: u64, quantity: u64) -> Result<u64> {
    counter.checked_add(quantity).ok_or_else(overflow)
}

#[cfg(test)]
mod tests;
