//! Models whose price depends on the call alone: a percentage of a value, a cost with a markup or a
//! margin, a price that comes with the call.
//!
//! The price G(units) never falls as the units grow, and no units cost nothing. So what a hold may
//! cost is G of what it holds, wherever any counter stands.

use alloc::{format, vec, vec::Vec};

use super::step::{Step, Words};
use crate::{
    amount::{Exact, Fraction, UnitPrice},
    error::{Code, Error, Result},
};

/// How a cost becomes a price. A markup is a part of the cost, a margin a part of the price: a markup
/// of 0.25 and a margin of 0.2 are the same price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plus {
    /// cost × (1 + markup).
    Markup(Fraction),
    /// cost ÷ (1 − margin), rounded half-even to the grid, once per call.
    Margin(Fraction),
}

/// A percentage of what one call's units are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Percentage {
    /// What one unit is worth.
    pub worth: UnitPrice,
    /// The part of it that is charged.
    pub rate: Fraction,
    /// What each call costs beside it.
    pub fixed: Exact,
    /// The least that a call costs.
    pub min: Exact,
    /// The most that a call costs, if there is a bound.
    pub max: Option<Exact>,
}

impl Percentage {
    /// The price of one unit.
    ///
    /// # Errors
    /// [`Code::DecimalTooFine`] when it does not lie on the grid.
    pub(super) fn unit(&self) -> Result<UnitPrice> {
        let price = self.rate.of(self.worth.exact()).ok_or_else(|| too_fine(self.rate))?;
        Ok(UnitPrice::new(price))
    }

    pub(super) fn price(&self, units: u64) -> Result<Exact> {
        let price = self.unit()?.times(units)?.checked_add(self.fixed)?.max(self.min);
        Ok(self.max.map_or(price, |max| price.min(max)))
    }

    pub(super) fn line(&self, units: u64, words: &Words<'_>) -> Result<Vec<Step>> {
        let unit = self.unit()?;
        let share = unit.times(units)?;
        let amount = self.price(units)?;
        let (units_at, worth) = (words.units(units), words.price(self.worth));
        let mut what = format!("{} of {units_at} at {worth}", self.rate);
        if !self.fixed.is_zero() {
            what.push_str(&format!(", plus {}", words.money(self.fixed)));
        }
        if share.checked_add(self.fixed)? < amount {
            what.push_str(&format!(", at least {}", words.money(amount)));
        }
        if share.checked_add(self.fixed)? > amount {
            what.push_str(&format!(", at most {}", words.money(amount)));
        }
        Ok(vec![Step { units, price: unit.exact(), amount, what }])
    }
}

/// What one call's units cost their seller, and what is put on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CostPlus {
    /// What one unit costs.
    pub cost: UnitPrice,
    /// What is put on top.
    pub plus: Plus,
}

impl CostPlus {
    /// # Errors
    /// [`Code::DecimalTooFine`] when the price of one unit with its markup does not lie on the grid.
    pub(super) fn check(&self) -> Result<()> {
        match self.plus {
            Plus::Markup(markup) => self.marked(markup).map(|_| ()),
            Plus::Margin(margin) if margin >= Fraction::ONE => {
                Err(Error::new(Code::PlanInvalid).value(margin).because("a margin is below 1"))
            }
            Plus::Margin(_) => Ok(()),
        }
    }

    fn marked(&self, markup: Fraction) -> Result<UnitPrice> {
        let price = markup.increased()?.of(self.cost.exact()).ok_or_else(|| too_fine(markup))?;
        Ok(UnitPrice::new(price))
    }

    pub(super) fn price(&self, units: u64) -> Result<Exact> {
        match self.plus {
            Plus::Markup(markup) => self.marked(markup)?.times(units),
            Plus::Margin(margin) => margin.complement()?.divides(self.cost.times(units)?),
        }
    }

    pub(super) fn line(&self, units: u64, words: &Words<'_>) -> Result<Vec<Step>> {
        let (word, part) = match self.plus {
            Plus::Markup(markup) => ("markup", markup),
            Plus::Margin(margin) => ("margin", margin),
        };
        let (units_at, cost) = (words.units(units), words.price(self.cost));
        let what = format!("{units_at} at a cost of {cost}, with a {word} of {part}");
        let amount = self.price(units)?;
        Ok(vec![Step { units, price: self.cost.exact(), amount, what }])
    }
}

/// A price that comes with the call: its units are the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dynamic {
    /// What one unit of the price is.
    pub unit: UnitPrice,
    /// The least that a call may cost.
    pub min: Exact,
    /// The most that a call may cost.
    pub max: Exact,
}

impl Dynamic {
    /// # Errors
    /// [`Code::PriceOutOfBounds`] outside the plan's bounds: such a price is refused, not clamped.
    pub(super) fn price(&self, units: u64) -> Result<Exact> {
        let price = self.unit.times(units)?;
        if price < self.min || price > self.max {
            return Err(Error::new(Code::PriceOutOfBounds).value(price).because("atomic units"));
        }
        Ok(price)
    }

    pub(super) fn line(&self, units: u64, words: &Words<'_>) -> Result<Vec<Step>> {
        let amount = self.price(units)?;
        let what = format!("{}: the price that comes with the call", words.units(units));
        Ok(vec![Step { units, price: self.unit.exact(), amount, what }])
    }
}

fn too_fine(fraction: Fraction) -> Error {
    Error::new(Code::DecimalTooFine)
        .value(fraction)
        .because("the price of one unit is not on the grid")
}
