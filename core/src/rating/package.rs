//! Units in packages; a package begun is a package charged.

use alloc::{format, string::String, vec, vec::Vec};

use super::step::{Step, Words};
use crate::{
    amount::{Exact, grouped, overflow},
    error::Result,
};

pub(super) fn total(size: u64, price: Exact, units: u64) -> Result<Exact> {
    price.checked_mul(units.div_ceil(size.max(1)))
}

/// The most that `quantity` units add to a counter which stands between `low` and `high`.
///
/// Most packages are begun where the least is left of the one before: at the last package's end in
/// the range, or, if none ends there, at the top of the range.
pub(super) fn worst(size: u64, price: Exact, low: u64, high: u64, quantity: u64) -> Result<Exact> {
    let size = size.max(1);
    let end = high.saturating_sub(high.checked_rem(size).unwrap_or(0));
    let mut most = 0;
    for from in [high, end.max(low)] {
        let to = from.checked_add(quantity).ok_or_else(overflow)?;
        most = to.div_ceil(size).saturating_sub(from.div_ceil(size)).max(most);
    }
    price.checked_mul(most)
}

pub(super) fn lines(
    size: u64,
    price: Exact,
    before: u64,
    after: u64,
    words: &Words<'_>,
) -> Result<Vec<Step>> {
    if before == after {
        return Ok(Vec::new());
    }
    let size = size.max(1);
    let begun = after.div_ceil(size).saturating_sub(before.div_ceil(size));
    let what = if begun == 0 {
        String::from("within a package charged already")
    } else {
        format!("{} × {} at {} a package", grouped(begun), words.units(size), words.money(price))
    };
    Ok(vec![Step { units: begun, price, amount: price.checked_mul(begun)?, what }])
}
