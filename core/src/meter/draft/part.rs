//! What the parts of a call, and its end after parts, charge and give back.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    account::{Rated, total},
    amount::{Billed, Exact},
    error::{Code, Result},
    meter::{Lane, Parts},
    plan::{Aggregate, Plan},
    receipt::Item,
};

/// What a receipt is to charge, and of which lines.
pub(super) struct Due<'a> {
    /// The price, exact; of a part as limits compare it.
    pub(super) price: Exact,
    /// What the lines add to what the call was billed before: what grants may pay of.
    pub(super) lines: Cow<'a, [Rated]>,
}

impl<'a> Due<'a> {
    /// What a call costs that has no parts.
    pub(super) fn whole(rated: &'a [Rated]) -> Result<Due<'a>> {
        Ok(Due { price: total(rated)?, lines: Cow::Borrowed(rated) })
    }

    /// What all that the call used costs, above what the parts before came to. Each of them was
    /// rounded as a receipt is, so that they sum to the whole, rounded once.
    pub(super) fn of_part(
        plan: &Plan,
        parts: Option<&Parts>,
        rated: &'a [Rated],
    ) -> Result<Due<'a>> {
        let whole = plan.rounding().compared(total(rated)?)?;
        let Some(parts) = parts else {
            return Ok(Due { price: whole, lines: Cow::Borrowed(rated) });
        };
        Ok(Due {
            price: whole.minus_or_zero(parts.priced()?),
            lines: Cow::Owned(parts.increases(rated)),
        })
    }
}

/// Whether a charge counts what a running call has used so far: not if it counts a reading of the whole
/// call, or its price may fall before the call ends.
pub(super) fn counts_parts(plan: &Plan, charge: usize) -> bool {
    let found = plan.charges().get(charge);
    found.is_some_and(|charge| charge.aggregate.adds() && !charge.tariff.terms().prorate)
}

/// Takes off what charges count the units that grants paid for earlier parts.
pub(crate) fn take_granted(
    plan: &Plan,
    granted: &BTreeMap<String, u64>,
    units: &mut Vec<(usize, u64)>,
) {
    for (charge, left) in units.iter_mut() {
        let counts = plan.charges().get(*charge).filter(|c| c.aggregate == Aggregate::Sum);
        let paid = counts.and_then(|charge| granted.get(&charge.meter)).copied().unwrap_or(0);
        *left = left.saturating_sub(paid);
    }
    units.retain(|(_, left)| *left > 0);
}

/// Which part of its call a receipt is.
pub(super) fn part_item(parts: Option<&Parts>) -> Result<Item> {
    let none = Item::Part { number: 1, charged: Exact::ZERO, uncollected: Exact::ZERO };
    let Some(parts) = parts else { return Ok(none) };
    let number = parts.number.checked_add(1).ok_or(Code::AmountOverflow)?;
    Ok(Item::Part { number, charged: parts.charged, uncollected: parts.uncollected })
}

/// What the end of a call gives back: what its parts charged above its price, of what grants did not
/// pay, and never more than the lane was charged.
pub(super) fn surplus(
    plan: &Plan,
    lane: &Lane,
    parts: Option<&Parts>,
    rated: &[Rated],
) -> Result<Option<(Exact, Billed)>> {
    let Some(parts) = parts else { return Ok(None) };
    let whole = plan.rounding().compared(total(rated)?)?;
    let exact = parts
        .charged
        .minus_or_zero(whole)
        .min(parts.charged.minus_or_zero(parts.drawn))
        .min(lane.uncredited()?);
    if exact.is_zero() {
        return Ok(None);
    }
    Ok(Some((exact, plan.rounding().bill(exact, lane.credited_remainder)?)))
}
