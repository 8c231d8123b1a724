//! All units at the price of the tier that their number falls into, and that tier's flat amount.
//!
//! The total may fall where a tier with a lower price begins. It is linear inside a tier, so it is
//! largest at a tier's upper bound and smallest one above it.

use alloc::{format, string::String, vec::Vec};

use super::{
    step::{Step, Words},
    tiers::{Tier, flat_steps, starts, tier_name, uppers, with_lowers},
};
use crate::{
    amount::{Exact, Total, UnitPrice, grouped, overflow},
    error::Result,
};

/// Without any unit nothing is due.
pub(super) fn total(tiers: &[Tier], units: u64) -> Result<Exact> {
    if units == 0 {
        return Ok(Exact::ZERO);
    }
    let (price, flat) = terms(tiers, units);
    price.times(units)?.checked_add(flat)
}

/// The position of the tier that a number of units falls into: above its lower bound, up to and
/// including its upper one.
fn position(tiers: &[Tier], units: u64) -> usize {
    tiers.partition_point(|tier| tier.up_to.is_some_and(|upper| upper < units))
}

/// Price and flat amount at a number of units. A tariff's last tier is open, so there always is one.
fn terms(tiers: &[Tier], units: u64) -> (UnitPrice, Exact) {
    let tier = tiers.get(position(tiers, units));
    tier.map_or((UnitPrice::ZERO, Exact::ZERO), |tier| (tier.price, tier.flat))
}

/// The total as it is before anybody asks whether it is an amount.
fn wide(tiers: &[Tier], units: u64) -> Total {
    let (price, flat) = terms(tiers, units);
    Total::new(if units == 0 { Exact::ZERO } else { flat }, price, units)
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
    for from in starts(tiers, low, high, quantity) {
        let farthest = from.checked_add(quantity).ok_or_else(overflow)?;
        let below = wide(tiers, from);
        let ends = uppers(tiers).filter(|upper| (from..farthest).contains(upper)).chain([farthest]);
        for to in ends {
            worst = worst.max(wide(tiers, to).above(below)?);
        }
        if low == high {
            break;
        }
    }
    Ok(worst)
}

/// Whether the total falls anywhere: then it does so from a bound to one above it.
pub(super) fn can_fall(tiers: &[Tier]) -> bool {
    uppers(tiers).any(|upper| wide(tiers, upper) > wide(tiers, upper.saturating_add(1)))
}

/// The steps from `before` to `after`. `first` says that this is where a flat amount
/// falls due for the first time.
pub(super) fn lines(
    tiers: &[Tier],
    before: u64,
    after: u64,
    first: bool,
    words: &Words<'_>,
) -> Result<Vec<Step>> {
    let index = position(tiers, after);
    let Some((lower, tier)) = with_lowers(tiers).nth(index) else { return Ok(Vec::new()) };
    let units = after.saturating_sub(before);
    if first || index == position(tiers, before) {
        let mut steps = flat_steps(core::iter::once((lower, tier)).filter(|_| first), words);
        if units != 0 {
            let (units_at, price) = (words.units(units), words.price(tier.price));
            let what = format!("{units_at} at {price} ({})", tier_name(lower, tier));
            let amount = tier.price.times(units)?;
            steps.push(Step { units, price: tier.price.exact(), amount, what });
        }
        return Ok(steps);
    }
    let (price, flat) = terms(tiers, before);
    let what = format!(
        "all {} at {}{} ({}), less {} at {}{}",
        words.units(after),
        words.price(tier.price),
        plus(tier.flat, words),
        tier_name(lower, tier),
        grouped(before),
        words.price(price),
        plus(flat, words)
    );
    let amount = wide(tiers, after).above(Total::new(flat, price, before))?;
    Ok(alloc::vec![Step { units: after, price: tier.price.exact(), amount, what }])
}

fn plus(flat: Exact, words: &Words<'_>) -> String {
    if flat.is_zero() { String::new() } else { format!(" plus {}", words.money(flat)) }
}
