//! Prices of one unit.

use core::fmt;

use super::{Exact, decimal};
use crate::error::{Code, Error, Result};

/// The exact price of **one** unit of a meter.
///
/// Price lists write prices per thousand or per million; the type says that the division has been
/// made, and made exactly.
///
/// ```
/// use counterfoil::amount::UnitPrice;
///
/// // $2.50 per million tokens, in USDC with 6 decimals: 2.5 atomic units per token.
/// let price = UnitPrice::parse("2.5", 6, 1_000_000)?;
/// assert_eq!(price.exact().to_string(), "2.5");
/// assert_eq!(price.times(1_000_000)?.to_decimal(6), "2.5");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnitPrice(Exact);

impl UnitPrice {
    /// Free.
    pub const ZERO: UnitPrice = UnitPrice(Exact::ZERO);

    /// The price of one unit.
    #[must_use]
    pub const fn new(exact: Exact) -> Self {
        UnitPrice(exact)
    }

    /// Reads a canonical decimal in major units of a currency with this many decimals, as the price
    /// of `per` units.
    ///
    /// # Errors
    /// [`Code::DecimalTooFine`] when the price of one unit is not on the grid (a third of a cent never
    /// is); [`Code::DecimalInvalid`] when `per` is zero; otherwise as [`decimal::parse_decimal`].
    pub fn parse(text: &str, decimals: u8, per: u64) -> Result<Self> {
        if per == 0 {
            return Err(Error::new(Code::DecimalInvalid)
                .value(text)
                .because("a price is per one unit or more"));
        }
        let price = decimal::parse_money(text, decimals)?;
        price.div_exact(per).map(UnitPrice).ok_or_else(|| {
            Error::new(Code::DecimalTooFine)
                .value(text)
                .because("the price of one unit is not on the grid")
        })
    }

    /// The price in atomic units.
    #[must_use]
    pub const fn exact(self) -> Exact {
        self.0
    }

    /// The price of this many units.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Exact::MAX`].
    pub fn times(self, quantity: u64) -> Result<Exact> {
        self.0.checked_mul(quantity)
    }
}

/// The canonical decimal in atomic units.
impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn per_must_divide_on_the_grid() {
        let code = |text, decimals, per| UnitPrice::parse(text, decimals, per).unwrap_err().code();
        assert_eq!(
            UnitPrice::parse("0.0000025", 6, 1).unwrap(),
            UnitPrice::parse("2.5", 6, 1_000_000).unwrap()
        );
        assert_eq!(code("1", 2, 3), Code::DecimalTooFine);
        assert_eq!(code("1", 0, 10_000_000_000_000_000_000), Code::DecimalTooFine);
        assert_eq!(code("1", 2, 0), Code::DecimalInvalid);
        assert_eq!(code("1.", 2, 1), Code::DecimalInvalid);
        // Ten cents for three hundred units is a thirtieth of a cent: refused. For 320 it is exact.
        assert_eq!(code("0.1", 2, 300), Code::DecimalTooFine);
        assert_eq!(UnitPrice::parse("0.1", 2, 320).unwrap().exact().to_string(), "0.03125");
    }
}
