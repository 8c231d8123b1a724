//! Tiers: ranges of units, each with its price.

use alloc::{format, string::String, vec::Vec};

use super::step::{Step, Words};
use crate::{
    amount::{Exact, UnitPrice, grouped},
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
    /// Due as soon as the tier is entered, beside the price of its units; zero where there is none.
    pub flat: Exact,
}

/// The bounds of all tiers but the open one.
pub(super) fn uppers(tiers: &[Tier]) -> impl Iterator<Item = u64> {
    tiers.iter().filter_map(|tier| tier.up_to)
}

/// The tiers with their lower bounds.
pub(super) fn with_lowers(tiers: &[Tier]) -> impl Iterator<Item = (u64, &Tier)> {
    core::iter::once(0).chain(uppers(tiers)).zip(tiers)
}

/// From where a call of `quantity` units may add the most, between `low` and `high`: the range's ends,
/// and wherever the call begins or ends on a bound or one above.
pub(super) fn starts(
    tiers: &[Tier],
    low: u64,
    high: u64,
    quantity: u64,
) -> impl Iterator<Item = u64> {
    let edges = uppers(tiers).flat_map(|upper| [Some(upper), upper.checked_add(1)]).flatten();
    let starts = edges.flat_map(move |edge| [Some(edge), edge.checked_sub(quantity)]).flatten();
    starts.chain([low, high]).filter(move |from| (low..=high).contains(from))
}

/// The flat amount of the first tier.
pub(super) fn first_flat(tiers: &[Tier]) -> Exact {
    tiers.first().map_or(Exact::ZERO, |tier| tier.flat)
}

/// `tier up to 1,000`, `tier above 1,000`.
pub(super) fn tier_name(lower: u64, tier: &Tier) -> String {
    match tier.up_to {
        Some(upper) => format!("tier up to {}", grouped(upper)),
        None => format!("tier above {}", grouped(lower)),
    }
}

/// The flat amounts of tiers that are entered.
pub(super) fn flat_steps<'a>(
    entered: impl Iterator<Item = (u64, &'a Tier)>,
    words: &Words<'_>,
) -> Vec<Step> {
    entered
        .filter(|(_, tier)| !tier.flat.is_zero())
        .map(|(lower, tier)| {
            let what =
                format!("flat amount of {} ({})", words.money(tier.flat), tier_name(lower, tier));
            Step { units: 1, price: tier.flat, amount: tier.flat, what }
        })
        .collect()
}

/// Bounds ascend strictly from 1 to one open tier.
pub(super) fn check_tiers(tiers: &[Tier]) -> Result<()> {
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
