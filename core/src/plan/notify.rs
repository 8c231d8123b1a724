//! The shares of a limit whose crossing is reported.

use alloc::{string::ToString, vec::Vec};

use crate::{
    amount::{Amount, Exact},
    error::{Code, Error, Result},
    json::Node,
};

/// The most shares of one limit.
const MOST_SHARES: usize = 16;
/// The largest share.
const MOST_FRACTION: u128 = 10;
/// Steps of the grid in one.
const STEPS: u128 = 1_000_000_000_000_000_000;

/// A share of a limit whose crossing is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// The share: 0.8 of the limit. On the grid of 10⁻¹⁸.
    pub fraction: Exact,
    /// The least total that has reached it.
    pub(crate) reached: Exact,
}

pub(super) fn read_notify(node: &Node<'_>, bound: Exact) -> Result<Vec<Threshold>> {
    let mut notify: Vec<Threshold> = Vec::new();
    for item in node.items()? {
        if notify.len() >= MOST_SHARES {
            return Err(node.error(Code::PlanInvalid).because("more than 16 shares"));
        }
        let fraction: Exact = item.text()?.parse().map_err(|e: Error| e.at(item.pointer()))?;
        if fraction.is_zero() || fraction > Exact::from_amount(Amount::from_atomic(MOST_FRACTION)) {
            return Err(item.error(Code::PlanInvalid).because("above 0 and at most 10"));
        }
        if notify.last().is_some_and(|last| last.fraction >= fraction) {
            return Err(item.error(Code::PlanOrder).because("shares are sorted and unique"));
        }
        let reached = share(bound, fraction)
            .ok_or_else(|| Error::new(Code::AmountOverflow).value(fraction.to_string()))
            .map_err(|e| e.at(item.pointer()))?;
        notify.push(Threshold { fraction, reached });
    }
    if notify.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("leave it out to report nothing"));
    }
    Ok(notify)
}

/// bound × fraction, up to the next step of the grid: a total, which is on the grid, has reached the
/// product exactly when it has reached this.
fn share(bound: Exact, fraction: Exact) -> Option<Exact> {
    // (B + b / G)(F + f / G) with B·f split by the grid, so that nothing but the last part is divided.
    let times = u64::try_from(fraction.whole()).ok()?;
    let (high, low) = (bound.whole() / STEPS, bound.whole() % STEPS);
    let part = u128::from(fraction.fraction());
    let (middle, lowest) =
        (low.checked_mul(part)?, u128::from(bound.fraction()).checked_mul(part)?);
    bound
        .checked_mul(times)
        .ok()?
        .checked_add(Exact::from_amount(Amount::from_atomic(high.checked_mul(part)?)))
        .ok()?
        .checked_add(steps(middle)?)
        .ok()?
        .checked_add(steps(lowest.div_ceil(STEPS))?)
        .ok()
}

/// So many steps of the grid.
fn steps(count: u128) -> Option<Exact> {
    Exact::new(count / STEPS, u64::try_from(count % STEPS).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::GRID;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn in_steps(e: Exact) -> BigUint {
        BigUint::from(e.whole()) * GRID + e.fraction()
    }

    proptest! {
        #[test]
        fn a_share_is_the_product_rounded_up(
            whole in prop_oneof![0..1000u128, any::<u64>().prop_map(u128::from), any::<u128>()],
            part in prop_oneof![Just(0), 0..GRID, Just(GRID - 1)],
            fraction in 1..=10 * u128::from(GRID),
        ) {
            let bound = Exact::new(whole, part).unwrap();
            let fraction = steps(fraction).unwrap();
            let product = in_steps(bound) * in_steps(fraction);
            let up = (&product + (GRID - 1)) / GRID;
            match share(bound, fraction) {
                Some(share) => prop_assert_eq!(in_steps(share), up),
                None => prop_assert!(up > in_steps(Exact::MAX)),
            }
        }
    }
}
