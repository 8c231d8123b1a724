//! All units at the price of the tier that their number falls into.
//!
//! The total may fall where a tier with a lower price begins. It is linear inside a tier, so it is
//! largest at a tier's upper bound and smallest one above it.

use alloc::{format, string::String, vec, vec::Vec};

use super::{
    step::{Step, counted, grouped},
    tariff::{Tier, tier_name, uppers},
};
use crate::{
    amount::{Exact, UnitPrice, overflow},
    error::Result,
};

pub(super) fn total(tiers: &[Tier], units: u64) -> Result<Exact> {
    price(tiers, units).times(units)
}

/// The position of the tier that a number of units falls into: above its lower bound, up to and
/// including its upper one.
fn position(tiers: &[Tier], units: u64) -> usize {
    tiers.partition_point(|tier| tier.up_to.is_some_and(|upper| upper < units))
}

/// The price at a number of units. A tariff's last tier is open, so there always is one.
fn price(tiers: &[Tier], units: u64) -> UnitPrice {
    tiers.get(position(tiers, units)).map_or(UnitPrice::ZERO, |tier| tier.price)
}

/// The highest total at a number of units from `low` to `high`.
pub(super) fn highest(tiers: &[Tier], low: u64, high: u64) -> Result<Exact> {
    uppers(tiers)
        .filter(|upper| (low..high).contains(upper))
        .chain([high])
        .try_fold(Exact::ZERO, |highest, units| Ok(highest.max(total(tiers, units)?)))
}

/// The most that up to `quantity` units add to a counter which stands between `low` and `high`.
///
/// From a given start the best end is a tier's upper bound or the farthest one. To a fixed end the
/// best start is the lowest one or one above a bound. With both ends `quantity` apart the increase is
/// linear until one of them passes a bound, so a best start has an end of the range, a bound, or one
/// above a bound at one of the two ends.
pub(super) fn worst(tiers: &[Tier], low: u64, high: u64, quantity: u64) -> Result<Exact> {
    let mut worst = Exact::ZERO;
    let bounds = uppers(tiers)
        .flat_map(|upper| [Some(upper), upper.checked_add(1)])
        .flatten()
        .flat_map(|edge| [Some(edge), edge.checked_sub(quantity)])
        .flatten();
    for from in bounds.chain([low, high]).filter(|from| (low..=high).contains(from)) {
        let farthest = from.checked_add(quantity).ok_or_else(overflow)?;
        let ends = uppers(tiers).filter(|upper| (from..farthest).contains(upper)).chain([farthest]);
        for to in ends {
            worst = worst.max(rise(tiers, from, to)?);
        }
        if low == high {
            break;
        }
    }
    Ok(worst)
}

/// What the total rises by from one number of units to a later one; zero where it falls.
fn rise(tiers: &[Tier], from: u64, to: u64) -> Result<Exact> {
    if position(tiers, from) == position(tiers, to) {
        // Without the totals, which may not fit although their difference does.
        return price(tiers, to).times(to.saturating_sub(from));
    }
    Ok(total(tiers, to)?.minus_or_zero(total(tiers, from)?))
}

/// Whether the total falls anywhere: then it does so from a bound to one above it.
pub(super) fn can_fall(tiers: &[Tier]) -> bool {
    uppers(tiers).zip(tiers.iter().zip(tiers.iter().skip(1))).any(|(upper, (this, next))| {
        // price × upper > next price × (upper + 1), so arranged that a product too large decides it.
        let drop = this.price.exact().minus_or_zero(next.price.exact());
        drop.checked_mul(upper).map_or(true, |saved| saved > next.price.exact())
    })
}

pub(super) fn lines(tiers: &[Tier], before: u64, after: u64) -> Result<Vec<Step>> {
    let index = position(tiers, after);
    let lower = index
        .checked_sub(1)
        .and_then(|below| tiers.get(below))
        .and_then(|tier| tier.up_to)
        .unwrap_or(0);
    let name = tiers.get(index).map_or_else(String::new, |tier| tier_name(lower, tier));
    let price = price(tiers, after);
    let units = after.saturating_sub(before);
    let step = if units == 0 {
        return Ok(Vec::new());
    } else if before == 0 || index == position(tiers, before) {
        let what = format!("{} at {price} ({name})", counted(units, "unit"));
        Step { units, price: price.exact(), amount: price.times(units)?, what }
    } else {
        let what = format!(
            "all {} at {price} ({name}), less {} at {}",
            counted(after, "unit"),
            grouped(before),
            self::price(tiers, before)
        );
        Step { units: after, price: price.exact(), amount: rise(tiers, before, after)?, what }
    };
    Ok(vec![step])
}
