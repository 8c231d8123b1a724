//! Fractions as plans write them: discounts, percentages, markups, margins.

use core::fmt;

use super::{Exact, GRID, decimal, overflow};
use crate::error::Result;

/// A decimal from 0 to 10 with at most 18 digits after the point: `0.15` of something.
///
/// ```
/// use counterfoil::amount::{Exact, Fraction};
///
/// let off = Fraction::parse("0.15")?;
/// let price: Exact = "2.5".parse()?;
/// assert_eq!(off.complement()?.of(price).unwrap().to_string(), "2.125");
/// // A third of a step of the grid is nowhere.
/// let step: Exact = "0.000000000000000001".parse()?;
/// assert_eq!(off.of(step), None);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fraction(u64);

/// The largest fraction, 10, in steps of 10⁻¹⁸.
const MOST: u64 = 10_000_000_000_000_000_000;

impl Fraction {
    /// Nothing.
    pub const ZERO: Fraction = Fraction(0);
    /// The whole.
    pub const ONE: Fraction = Fraction(GRID);

    /// Reads a canonical decimal.
    ///
    /// # Errors
    /// As [`parse_decimal`](decimal::parse_decimal) at the scale 0; `amount_overflow` above 10.
    pub fn parse(text: &str) -> Result<Self> {
        let exact = decimal::parse_decimal(text, 0)?;
        let steps = || {
            let whole = u64::try_from(exact.whole()).ok()?;
            let steps = whole.checked_mul(GRID)?.checked_add(exact.fraction())?;
            (steps <= MOST).then_some(Fraction(steps))
        };
        steps().ok_or_else(|| overflow().value(text).because("a fraction is at most 10"))
    }

    /// 1 − this.
    ///
    /// # Errors
    /// `amount_overflow` above 1.
    pub fn complement(self) -> Result<Fraction> {
        GRID.checked_sub(self.0).map(Fraction).ok_or_else(overflow)
    }

    /// 1 + this.
    ///
    /// # Errors
    /// `amount_overflow` above 9.
    pub fn increased(self) -> Result<Fraction> {
        let sum = GRID.checked_add(self.0).filter(|steps| *steps <= MOST);
        sum.map(Fraction).ok_or_else(overflow)
    }

    /// This fraction of an amount, where it lies on the grid and is an amount.
    #[must_use]
    pub fn of(self, exact: Exact) -> Option<Exact> {
        // In lowest terms the denominator must divide the amount: no product is larger than the result.
        let (over, under) = self.lowest();
        exact.div_exact(under)?.checked_mul(over).ok()
    }

    /// The amount divided by this fraction, rounded half-even to the grid.
    ///
    /// # Errors
    /// `amount_overflow` when the quotient does not fit or this is zero.
    pub fn divides(self, exact: Exact) -> Result<Exact> {
        let (under, over) = self.lowest();
        exact.part(over, under)
    }

    /// Numerator and denominator without a common factor.
    fn lowest(self) -> (u64, u64) {
        let (mut a, mut b) = (GRID, self.0);
        while b != 0 {
            (a, b) = (b, a.checked_rem(b).unwrap_or(0));
        }
        (self.0.checked_div(a).unwrap_or(0), GRID.checked_div(a).unwrap_or(1))
    }
}

/// The canonical decimal.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Exact::from_steps(u128::from(self.0)), f)
    }
}

impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact::tests::{any_exact, steps};
    use super::*;
    use crate::error::Code;
    use alloc::string::ToString;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    #[test]
    fn markup_and_margin_are_different_words() {
        let cost: Exact = "8".parse().unwrap();
        let markup = Fraction::parse("0.25").unwrap().increased().unwrap().of(cost).unwrap();
        let margin = Fraction::parse("0.2").unwrap().complement().unwrap().divides(cost).unwrap();
        assert_eq!((markup.to_string(), margin), ("10".into(), markup));
    }

    #[test]
    fn bounds() {
        let code = |text| Fraction::parse(text).unwrap_err().code();
        assert_eq!(Fraction::parse("10").unwrap().to_string(), "10");
        assert_eq!(code("10.000000000000000001"), Code::AmountOverflow);
        assert_eq!(code("0.0000000000000000001"), Code::DecimalTooFine);
        assert_eq!(code("0.10"), Code::DecimalInvalid);
        assert_eq!(Fraction::ZERO.divides(Exact::ZERO).unwrap_err().code(), Code::AmountOverflow);
        assert_eq!(Fraction::ZERO.of(Exact::MAX), Some(Exact::ZERO));
    }

    proptest! {
        #[test]
        fn products_and_quotients_are_those_of_big_integers(exact in any_exact(), part in 1..=MOST) {
            let fraction = Fraction(part);
            let grid = BigUint::from(GRID);
            let product = steps(exact) * part;
            match fraction.of(exact) {
                Some(found) => prop_assert_eq!(steps(found) * &grid, product),
                None => prop_assert!(&product % &grid != BigUint::ZERO || product / &grid > steps(Exact::MAX)),
            }
            let product = steps(exact) * &grid;
            let (down, rest) = (&product / part, &product % part);
            let twice = &rest * 2u8;
            let odd = &down % 2u8 == BigUint::from(1u8);
            let up = twice > BigUint::from(part) || (twice == BigUint::from(part) && odd);
            let expected = down + u8::from(up);
            match fraction.divides(exact) {
                Ok(found) => prop_assert_eq!(steps(found), expected),
                Err(_) => prop_assert!(expected > steps(Exact::MAX)),
            }
        }
    }
}
