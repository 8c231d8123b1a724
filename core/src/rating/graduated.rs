//! Each unit at the price of the tier that it falls into, and each tier's flat amount once it is
//! entered.

use alloc::{format, vec::Vec};

use super::{
    step::{Step, Words},
    tiers::{Tier, flat_steps, starts, tier_name, with_lowers},
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
    parts(tiers, before, after).try_fold(Exact::ZERO, |sum, (lower, tier, units)| {
        let flat = if lower >= before { tier.flat } else { Exact::ZERO };
        sum.checked_add(tier.price.times(units)?)?.checked_add(flat)
    })
}

/// The tiers that units above `before` up to `after` fall into: lower bound, tier, number of units.
fn parts(tiers: &[Tier], before: u64, after: u64) -> impl Iterator<Item = (u64, &Tier, u64)> {
    with_lowers(tiers).filter_map(move |(lower, tier)| {
        let from = lower.max(before);
        let to = tier.up_to.unwrap_or(u64::MAX).min(after);
        to.checked_sub(from).filter(|units| *units != 0).map(|units| (lower, tier, units))
    })
}

/// The most that `quantity` units add to a counter which stands between `low` and `high`.
///
/// The increase from `a` to `a + quantity` is linear in `a` while neither end passes a bound, and a
/// flat amount is due one above a bound. So it is largest where one of the ends stands on a bound or
/// one above, or at an end of the range.
pub(super) fn worst(tiers: &[Tier], low: u64, high: u64, quantity: u64) -> Result<Exact> {
    let mut worst = Exact::ZERO;
    for from in starts(tiers, low, high, quantity) {
        let to = from.checked_add(quantity).ok_or_else(overflow)?;
        worst = worst.max(between(tiers, from, to)?);
        if low == high {
            break;
        }
    }
    Ok(worst)
}

/// The steps from `before` to `after`. `first` says that the first tier's flat amount falls due.
pub(super) fn lines(
    tiers: &[Tier],
    before: u64,
    after: u64,
    first: bool,
    words: &Words<'_>,
) -> Result<Vec<Step>> {
    let entered = with_lowers(tiers).filter(|(lower, _)| match *lower {
        0 => first,
        lower => before <= lower && lower < after,
    });
    let mut steps = flat_steps(entered, words);
    for (lower, tier, units) in parts(tiers, before, after) {
        let (units_at, price) = (words.units(units), words.price(tier.price));
        let what = format!("{units_at} at {price} ({})", tier_name(lower, tier));
        let amount = tier.price.times(units)?;
        steps.push(Step { units, price: tier.price.exact(), amount, what });
    }
    Ok(steps)
}
