//! Total prices as functions of a counter.

use alloc::{format, string::String, vec::Vec};

use super::{
    flat, graduated, package, per_unit,
    step::{Step, counted, grouped},
    volume,
};
use crate::{
    amount::{Exact, UnitPrice, overflow},
    error::{Code, Error, Result},
};

/// A tariff has at most this many tiers, which bounds the work of one decision.
pub const MOST_TIERS: usize = 64;

/// A range of units with one price: above the bound of the tier before, up to and including its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier {
    /// The last unit of the tier; `None` where it is open, which only the last one is.
    pub up_to: Option<u64>,
    /// The price of one unit.
    pub price: UnitPrice,
}

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
}

/// F(counter): the total price of what was counted in a window.
///
/// Free units are subtracted first and do not advance tiers or packages. A quantity is never negative
/// and a counter never falls; the total may, under volume tiers ([`Tariff::can_fall`]).
///
/// ```
/// use counterfoil::{amount::UnitPrice, rating::{Model, Tariff, Tier}};
///
/// let tiers = vec![
///     Tier { up_to: Some(1_000), price: UnitPrice::parse("0.0000025", 6, 1)? },
///     Tier { up_to: None, price: UnitPrice::parse("0.000002", 6, 1)? },
/// ];
/// let tariff = Tariff::new(Model::Graduated { tiers }, 100)?;
/// assert_eq!(tariff.total(100)?.to_string(), "0");
/// assert_eq!(tariff.total(2_100)?.to_string(), "4500");
/// assert_eq!(tariff.lines(1_000, 1_200)?[0].what, "100 units at 2.5 (tier up to 1,000)");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tariff {
    model: Model,
    free: u64,
}

impl Tariff {
    /// A tariff with this many free units.
    ///
    /// # Errors
    /// [`Code::PlanTiers`] when there is no tier or more than [`MOST_TIERS`], the bounds are not
    /// strictly ascending from 1, or the last tier is not the only open one; [`Code::PlanInvalid`]
    /// for a package of size zero.
    pub fn new(model: Model, free: u64) -> Result<Self> {
        match &model {
            Model::Graduated { tiers } | Model::Volume { tiers } => check_tiers(tiers)?,
            Model::Package { size: 0, .. } => {
                return Err(Error::new(Code::PlanInvalid)
                    .value(0)
                    .because("a package has at least one unit"));
            }
            Model::Flat { .. } | Model::PerUnit { .. } | Model::Package { .. } => {}
        }
        Ok(Tariff { model, free })
    }

    /// How units are priced.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Units that are free.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.free
    }

    /// Units of a counter that are not free.
    fn charged(&self, counter: u64) -> u64 {
        counter.saturating_sub(self.free)
    }

    /// F(counter).
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Exact::MAX`].
    pub fn total(&self, counter: u64) -> Result<Exact> {
        let units = self.charged(counter);
        match &self.model {
            Model::Flat { amount } => Ok(flat::total(*amount, units)),
            Model::PerUnit { price } => price.times(units),
            Model::Graduated { tiers } => graduated::total(tiers, units),
            Model::Volume { tiers } => volume::total(tiers, units),
            Model::Package { size, price } => package::total(*size, *price, units),
        }
    }

    /// The largest F(counter + X) for 0 ≤ X ≤ `outstanding`: what the total can come to when open
    /// calls use any part of what they hold.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the counter or the total does not fit.
    pub fn highest(&self, counter: u64, outstanding: u64) -> Result<Exact> {
        let end = sum(counter, outstanding)?;
        match &self.model {
            Model::Volume { tiers } => {
                volume::highest(tiers, self.charged(counter), self.charged(end))
            }
            _ => self.total(end),
        }
    }

    /// The largest max(0, F(counter + Y + x) − F(counter + Y)) for 0 ≤ x ≤ `quantity` and
    /// 0 ≤ Y ≤ `others`: what one call can add, whatever the other open calls use before it.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the counter or a total does not fit.
    pub fn worst_increase(&self, counter: u64, others: u64, quantity: u64) -> Result<Exact> {
        let last = sum(counter, others)?;
        sum(last, quantity)?;
        let (low, high) = (self.charged(counter), self.charged(last));
        // A start below the free units is no worse than one at their end, where there is such a one;
        // else what is still free at the last start is taken off the quantity.
        let quantity = quantity.saturating_sub(self.free.saturating_sub(last));
        match &self.model {
            Model::Flat { amount } => Ok(flat::worst(*amount, low, quantity)),
            Model::PerUnit { price } => price.times(quantity),
            Model::Graduated { tiers } => graduated::worst(tiers, low, high, quantity),
            Model::Volume { tiers } => volume::worst(tiers, low, high, quantity),
            Model::Package { size, price } => package::worst(*size, *price, low, high, quantity),
        }
    }

    /// What one call can add at any position of the counter up to 2⁶³ − 1: the ceiling that is quoted
    /// without state.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when a total does not fit.
    pub fn worst_single(&self, quantity: u64) -> Result<Exact> {
        self.worst_increase(0, u64::MAX / 2, quantity)
    }

    /// Whether the total falls anywhere as the counter grows: only under volume tiers, where a step to
    /// a lower price outweighs the unit that makes it.
    #[must_use]
    pub fn can_fall(&self) -> bool {
        match &self.model {
            Model::Volume { tiers } => volume::can_fall(tiers),
            _ => false,
        }
    }

    /// How F(`after`) − F(`before`) comes about, step by step. The amounts sum to the difference, or
    /// to zero where the total falls.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when a total does not fit or `after` is below `before`.
    pub fn lines(&self, before: u64, after: u64) -> Result<Vec<Step>> {
        if after < before {
            return Err(overflow().value(after).because("a counter does not fall"));
        }
        let mut steps = Vec::new();
        let free = after.min(self.free).saturating_sub(before);
        if free != 0 {
            let what = format!("{} free", counted(free, "unit"));
            steps.push(Step { units: free, price: Exact::ZERO, amount: Exact::ZERO, what });
        }
        let (before, after) = (self.charged(before), self.charged(after));
        steps.extend(match &self.model {
            Model::Flat { amount } => flat::lines(*amount, before, after),
            Model::PerUnit { price } => per_unit::lines(*price, before, after)?,
            Model::Graduated { tiers } => graduated::lines(tiers, before, after)?,
            Model::Volume { tiers } => volume::lines(tiers, before, after)?,
            Model::Package { size, price } => package::lines(*size, *price, before, after)?,
        });
        Ok(steps)
    }
}

/// A counter and what is added to it.
fn sum(counter: u64, quantity: u64) -> Result<u64> {
    counter.checked_add(quantity).ok_or_else(overflow)
}

/// The bounds of all tiers but the open one.
pub(super) fn uppers(tiers: &[Tier]) -> impl Iterator<Item = u64> {
    tiers.iter().filter_map(|tier| tier.up_to)
}

/// `tier up to 1,000`, `tier above 1,000`.
pub(super) fn tier_name(lower: u64, tier: &Tier) -> String {
    match tier.up_to {
        Some(upper) => format!("tier up to {}", grouped(upper)),
        None => format!("tier above {}", grouped(lower)),
    }
}

fn check_tiers(tiers: &[Tier]) -> Result<()> {
    let refused = || Error::new(Code::PlanTiers);
    if tiers.len() > MOST_TIERS {
        return Err(refused().value(tiers.len()).because("more than 64 tiers"));
    }
    let Some((last, bounded)) = tiers.split_last() else {
        return Err(refused().because("no tier"));
    };
    if let Some(upper) = last.up_to {
        return Err(refused().value(upper).because("the last tier has no bound"));
    }
    let mut lower = 0;
    for tier in bounded {
        let upper = tier.up_to.ok_or_else(|| refused().because("only the last tier is open"))?;
        if upper <= lower {
            return Err(refused().value(upper).because("bounds ascend from 1"));
        }
        lower = upper;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
