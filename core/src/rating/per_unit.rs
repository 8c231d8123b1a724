//! Every unit at one price.

use alloc::{format, vec, vec::Vec};

use super::step::{Step, Words};
use crate::{amount::UnitPrice, error::Result};

pub(super) fn lines(
    price: UnitPrice,
    before: u64,
    after: u64,
    words: &Words<'_>,
) -> Result<Vec<Step>> {
    let units = after.saturating_sub(before);
    if units == 0 {
        return Ok(Vec::new());
    }
    let what = format!("{} at {}", words.units(units), words.price(price));
    Ok(vec![Step { units, price: price.exact(), amount: price.times(units)?, what }])
}
