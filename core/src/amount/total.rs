//! Totals that need not fit an amount, so that their difference can.

use crypto_bigint::{NonZero, U256};

use super::{Exact, GRID, UnitPrice, overflow};
use crate::error::Result;

/// `flat + price × units` in steps of the grid: below 2¹⁸⁸ + 2²⁵², so nothing can wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Total(U256);

impl Total {
    pub(crate) fn new(flat: Exact, price: UnitPrice, units: u64) -> Total {
        Total(steps(price.exact()).wrapping_mul(&U256::from_u64(units)).wrapping_add(&steps(flat)))
    }

    /// `max(0, self − other)`.
    ///
    /// # Errors
    /// `amount_overflow` when the difference is no amount.
    pub(crate) fn above(self, other: Total) -> Result<Exact> {
        if self <= other {
            return Ok(Exact::ZERO);
        }
        let difference = self.0.wrapping_sub(&other.0);
        let grid = NonZero::new(U256::from_u64(GRID)).into_option().ok_or_else(overflow)?;
        let (whole, fraction) = difference.div_rem_vartime(&grid);
        let (high, whole) = halves(&whole);
        let (_, fraction) = halves(&fraction);
        if high != 0 {
            return Err(overflow());
        }
        Exact::new(whole, u64::try_from(fraction).map_err(|_| overflow())?)
    }
}

fn steps(exact: Exact) -> U256 {
    U256::from_u128(exact.whole())
        .wrapping_mul(&U256::from_u64(GRID))
        .wrapping_add(&U256::from_u64(exact.fraction()))
}

/// The upper and the lower 128 bits.
fn halves(wide: &U256) -> (u128, u128) {
    let bytes: [u8; 32] = wide.to_be_bytes().into();
    let half =
        |bytes: &[u8]| bytes.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    let (high, low) = bytes.split_at(16);
    (half(high), half(low))
}
