//! Each unit at the price of the tier that it falls into.

use alloc::{format, vec::Vec};

use super::{
    step::{Step, counted},
    tariff::{Tier, tier_name, uppers},
};
use crate::{
    amount::{Exact, overflow},
    error::Result,
};

pub(super) fn total(tiers: &[Tier], units: u64) -> Result<Exact> {
    between(tiers, 0, units)
}

/// What the units above `before`, up to and including `after`, cost.
fn between(tiers: &[Tier], before: u64, after: u64) -> Result<Exact> {
    parts(tiers, before, after)
        .try_fold(Exact::ZERO, |sum, (_, tier, units)| sum.checked_add(tier.price.times(units)?))
}

/// The tiers that units above `before` up to `after` fall into: lower bound, tier, number of units.
fn parts(tiers: &[Tier], before: u64, after: u64) -> impl Iterator<Item = (u64, &Tier, u64)> {
    let lowers = core::iter::once(0).chain(uppers(tiers));
    tiers.iter().zip(lowers).filter_map(move |(tier, lower)| {
        let from = lower.max(before);
        let to = tier.up_to.unwrap_or(u64::MAX).min(after);
        to.checked_sub(from).filter(|units| *units != 0).map(|units| (lower, tier, units))
    })
}

/// The most that `quantity` units add to a counter which stands between `low` and `high`.
///
/// The increase from `a` to `a + quantity` is linear in `a` while neither end meets a bound, so it is
/// largest where one of them does, or at an end of the range.
pub(super) fn worst(tiers: &[Tier], low: u64, high: u64, quantity: u64) -> Result<Exact> {
    let mut worst = Exact::ZERO;
    let bounds =
        uppers(tiers).flat_map(|upper| [Some(upper), upper.checked_sub(quantity)]).flatten();
    for from in bounds.chain([low, high]).filter(|from| (low..=high).contains(from)) {
        let to = from.checked_add(quantity).ok_or_else(overflow)?;
        worst = worst.max(between(tiers, from, to)?);
        if low == high {
            break;
        }
    }
    Ok(worst)
}

pub(super) fn lines(tiers: &[Tier], before: u64, after: u64) -> Result<Vec<Step>> {
    parts(tiers, before, after)
        .map(|(lower, tier, units)| {
            let what = format!(
                "{} at {} ({})",
                counted(units, "unit"),
                tier.price,
                tier_name(lower, tier)
            );
            Ok(Step { units, price: tier.price.exact(), amount: tier.price.times(units)?, what })
        })
        .collect()
}
