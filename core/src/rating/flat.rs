//! One amount for a window, due with the first unit that is not free.

use alloc::{string::String, vec, vec::Vec};

use super::step::{Step, Words};
use crate::amount::Exact;

pub(super) fn total(amount: Exact, units: u64) -> Exact {
    if units == 0 { Exact::ZERO } else { amount }
}

/// The most that `quantity` units add to a counter which stands at `low` or above.
pub(super) fn worst(amount: Exact, low: u64, quantity: u64) -> Exact {
    if low == 0 { total(amount, quantity) } else { Exact::ZERO }
}

/// The step from `before` to `after`. `first` says that the amount falls due.
pub(super) fn lines(
    amount: Exact,
    before: u64,
    after: u64,
    first: bool,
    words: &Words<'_>,
) -> Vec<Step> {
    if first {
        let what = alloc::format!("flat amount of {}", words.money(amount));
        return vec![Step { units: 1, price: amount, amount, what }];
    }
    if before == after {
        return Vec::new();
    }
    let what = String::from("flat amount charged already");
    vec![Step { units: 0, price: amount, amount: Exact::ZERO, what }]
}
