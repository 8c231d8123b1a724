//! Exact amounts on the grid of 10⁻¹⁸ atomic unit.

use alloc::string::String;
use core::{fmt, str::FromStr};

pub use encapsulate::Exact;

use super::{Amount, decimal, overflow};
use crate::error::{Code, Error, Result};

/// Grid steps in one atomic unit: 10¹⁸.
pub const GRID: u64 = 1_000_000_000_000_000_000;
const WIDE_GRID: u128 = 1_000_000_000_000_000_000;

/// Nothing outside this module can make an [`Exact`] whose fraction is one atomic unit or more.
mod encapsulate {
    use super::GRID;

    /// An exact amount: `whole + fraction / 10^18` atomic units, with `fraction` below 10¹⁸.
    ///
    /// All results are exact or an error; there is no rounding in this type. What cannot be
    /// represented on the grid is refused where it enters.
    ///
    /// ```
    /// use counterfoil::amount::Exact;
    ///
    /// let price: Exact = "2.5".parse()?;
    /// let cost = price.checked_mul(1_001)?;
    /// assert_eq!(cost.to_string(), "2502.5");
    /// assert_eq!(cost.to_decimal(6), "0.0025025");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct Exact {
        // The order of the fields is the order of the values.
        whole: u128,
        fraction: u64,
    }

    impl Exact {
        /// The pair, or nothing when the fraction is not below [`GRID`].
        #[inline]
        pub(super) const fn pair(whole: u128, fraction: u64) -> Option<Self> {
            if fraction < GRID { Some(Exact { whole, fraction }) } else { None }
        }

        /// A whole number of atomic units.
        #[inline]
        pub(super) const fn whole_units(whole: u128) -> Self {
            Exact { whole, fraction: 0 }
        }

        /// The largest value on the grid.
        pub(super) const LARGEST: Exact =
            Exact { whole: u128::MAX, fraction: 999_999_999_999_999_999 };

        /// The whole atomic units.
        #[inline]
        #[must_use]
        pub const fn whole(self) -> u128 {
            self.whole
        }

        /// What is above the whole units, in 10⁻¹⁸ atomic unit; always below [`GRID`].
        #[inline]
        #[must_use]
        pub const fn fraction(self) -> u64 {
            self.fraction
        }
    }
}

impl Exact {
    /// Nothing.
    pub const ZERO: Exact = Exact::whole_units(0);
    /// One grid step below 2¹²⁸ atomic units.
    pub const MAX: Exact = Exact::LARGEST;

    /// `whole + fraction / 10^18` atomic units.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when `fraction` is not below [`GRID`].
    pub fn new(whole: u128, fraction: u64) -> Result<Self> {
        Exact::pair(whole, fraction)
            .ok_or_else(|| overflow().value(fraction).because("fraction is not below 10^18"))
    }

    /// The same amount, exactly.
    #[must_use]
    pub const fn from_amount(amount: Amount) -> Self {
        Exact::whole_units(amount.atomic())
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.whole() == 0 && self.fraction() == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Exact::MAX`].
    #[inline]
    pub fn checked_add(self, other: Exact) -> Result<Exact> {
        let sum = || {
            let fraction = self.fraction().checked_add(other.fraction())?;
            let whole = self.whole().checked_add(other.whole())?;
            match fraction.checked_sub(GRID) {
                None => Exact::pair(whole, fraction),
                Some(fraction) => Exact::pair(whole.checked_add(1)?, fraction),
            }
        };
        sum().ok_or_else(overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when `other` is larger.
    #[inline]
    pub fn checked_sub(self, other: Exact) -> Result<Exact> {
        let difference = || {
            let whole = self.whole().checked_sub(other.whole())?;
            match self.fraction().checked_sub(other.fraction()) {
                Some(fraction) => Exact::pair(whole, fraction),
                None => {
                    let fraction =
                        self.fraction().checked_add(GRID)?.checked_sub(other.fraction())?;
                    Exact::pair(whole.checked_sub(1)?, fraction)
                }
            }
        };
        difference().ok_or_else(overflow)
    }

    /// `max(0, self − other)`.
    #[must_use]
    pub fn minus_or_zero(self, other: Exact) -> Exact {
        // Asked first: an error that nobody reads would cost an allocation.
        if self <= other { Exact::ZERO } else { self.checked_sub(other).unwrap_or(Exact::ZERO) }
    }

    /// The product with a quantity.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Exact::MAX`].
    #[inline]
    pub fn checked_mul(self, quantity: u64) -> Result<Exact> {
        let product = || {
            // Most prices have few digits: then the fraction's product fits 64 bits and the wide
            // division is not needed.
            let (carry, fraction) = match self.fraction().checked_mul(quantity) {
                Some(narrow) => (u128::from(narrow / GRID), narrow % GRID),
                None => {
                    let wide = u128::from(self.fraction()).checked_mul(u128::from(quantity))?;
                    (wide / WIDE_GRID, u64::try_from(wide % WIDE_GRID).ok()?)
                }
            };
            let whole = self.whole().checked_mul(u128::from(quantity))?.checked_add(carry)?;
            Exact::pair(whole, fraction)
        };
        product().ok_or_else(overflow)
    }

    /// The quotient, if it lies on the grid; `None` otherwise, and for a divisor of zero.
    #[must_use]
    pub fn div_exact(self, divisor: u64) -> Option<Exact> {
        self.div_rem(divisor).filter(|(_, rest)| *rest == 0).map(|(quotient, _)| quotient)
    }

    /// The quotient on the grid, and what is left of it in steps of the grid; `None` for a divisor of
    /// zero.
    pub(super) fn div_rem(self, divisor: u64) -> Option<(Exact, u64)> {
        let wide = u128::from(divisor);
        let whole = self.whole().checked_div(wide)?;
        // Below divisor × 10^18, so it fits, and its quotient is below 10^18.
        let rest = self
            .whole()
            .checked_rem(wide)?
            .checked_mul(WIDE_GRID)?
            .checked_add(u128::from(self.fraction()))?;
        let fraction = u64::try_from(rest.checked_div(wide)?).ok()?;
        Some((Exact::pair(whole, fraction)?, u64::try_from(rest.checked_rem(wide)?).ok()?))
    }

    /// `over` parts of which `under` are the whole, rounded half-even to the grid.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when that exceeds [`Exact::MAX`], and for `under` of zero.
    pub(crate) fn part(self, over: u64, under: u64) -> Result<Exact> {
        let (quotient, rest) = self.div_rem(under).ok_or_else(overflow)?;
        let down = quotient.checked_mul(over)?;
        // Below 2^64 · 2^64: what is left of the quotient, in steps of the grid.
        let rest = u128::from(rest).checked_mul(u128::from(over)).ok_or_else(overflow)?;
        let wide = u128::from(under);
        let (steps, rest) = (rest.checked_div(wide), rest.checked_rem(wide));
        let steps = Exact::from_steps(steps.ok_or_else(overflow)?);
        let (down, rest) = (down.checked_add(steps)?, rest.ok_or_else(overflow)?);
        let twice = rest.checked_mul(2).ok_or_else(overflow)?;
        // 10^18 is even, so the steps are odd where the fraction is.
        if twice > wide || (twice == wide && down.fraction() & 1 == 1) {
            return down.checked_add(Exact::from_steps(1));
        }
        Ok(down)
    }

    /// So many steps of the grid.
    pub(super) fn from_steps(steps: u128) -> Exact {
        let fraction = u64::try_from(steps % WIDE_GRID).unwrap_or(0);
        Exact::pair(steps / WIDE_GRID, fraction).unwrap_or(Exact::ZERO)
    }

    /// The whole atomic units, without the fraction.
    #[must_use]
    pub const fn floor(self) -> Amount {
        Amount::from_atomic(self.whole())
    }

    /// The canonical decimal in major units of a currency with this many decimals: up to
    /// `decimals + 18` digits after the point.
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> String {
        decimal::format(self, decimals)
    }

    /// 24 bytes: the whole units (16, big-endian), then the fraction (8, big-endian). Byte order is
    /// the order of the values.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let (whole, fraction) = bytes.split_at_mut(16);
        whole.copy_from_slice(&self.whole().to_be_bytes());
        fraction.copy_from_slice(&self.fraction().to_be_bytes());
        bytes
    }

    /// Reads [`Exact::to_bytes`].
    ///
    /// # Errors
    /// [`Code::BytesInvalid`] when the fraction is not below [`GRID`].
    pub fn from_bytes(bytes: &[u8; 24]) -> Result<Self> {
        let read = || {
            let (whole, rest) = bytes.split_first_chunk::<16>()?;
            let fraction = rest.first_chunk::<8>()?;
            Exact::pair(u128::from_be_bytes(*whole), u64::from_be_bytes(*fraction))
        };
        read().ok_or_else(|| Error::new(Code::BytesInvalid).because("fraction is not below 10^18"))
    }
}

/// The canonical decimal in atomic units.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_decimal(0))
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads the canonical decimal in atomic units.
impl FromStr for Exact {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        decimal::parse_decimal(text, 0)
    }
}

impl From<Amount> for Exact {
    fn from(amount: Amount) -> Self {
        Exact::from_amount(amount)
    }
}

#[cfg(feature = "serde")]
crate::serde_text::as_text!(Exact, "a canonical decimal in atomic units");

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::string::ToString;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    /// Values of every size, with the edges more often than chance would have them.
    pub(crate) fn any_exact() -> impl Strategy<Value = Exact> {
        let whole = prop_oneof![
            any::<u128>(),
            any::<u64>().prop_map(u128::from),
            0..1000u128,
            Just(u128::MAX)
        ];
        let fraction = prop_oneof![0..GRID, 0..1000u64, Just(0), Just(GRID - 1)];
        (whole, fraction).prop_map(|(w, f)| Exact::new(w, f).unwrap())
    }

    /// The value in grid steps.
    pub(crate) fn steps(e: Exact) -> BigUint {
        BigUint::from(e.whole()) * GRID + e.fraction()
    }

    fn check(got: Result<Exact>, want: Option<BigUint>) -> core::result::Result<(), TestCaseError> {
        match (got, want) {
            (Ok(got), Some(want)) => prop_assert_eq!(steps(got), want),
            (Err(e), want) => {
                prop_assert_eq!(e.code(), Code::AmountOverflow);
                prop_assert!(want.is_none_or(|w| w > steps(Exact::MAX)));
            }
            (Ok(got), None) => prop_assert!(false, "{} should not exist", got),
        }
        Ok(())
    }

    #[test]
    fn the_fraction_stays_below_the_grid() {
        assert_eq!(Exact::new(0, GRID).unwrap_err().code(), Code::AmountOverflow);
        assert_eq!(Exact::MAX, Exact::new(u128::MAX, GRID - 1).unwrap());
        let mut bytes = Exact::MAX.to_bytes();
        bytes[16..].copy_from_slice(&GRID.to_be_bytes());
        assert_eq!(Exact::from_bytes(&bytes).unwrap_err().code(), Code::BytesInvalid);
    }

    #[test]
    fn decimals() {
        let e = |w, f| Exact::new(w, f).unwrap();
        assert_eq!(e(2, GRID / 2).to_decimal(6), "0.0000025");
        assert_eq!(e(0, 1).to_decimal(6), "0.000000000000000000000001");
        assert_eq!(e(0, 1).to_string(), "0.000000000000000001");
        assert_eq!(e(10, 0).to_string(), "10");
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_integers(a in any_exact(), b in any_exact(), q: u64, small in 0..10_000u64) {
            check(a.checked_add(b), Some(steps(a) + steps(b)))?;
            let less = (a >= b).then(|| steps(a) - steps(b));
            prop_assert_eq!(steps(a.minus_or_zero(b)), less.clone().unwrap_or_default());
            check(a.checked_sub(b), less)?;
            check(a.checked_mul(q), Some(steps(a) * q))?;
            check(a.checked_mul(small), Some(steps(a) * small))?;
            prop_assert_eq!(a.cmp(&b), steps(a).cmp(&steps(b)));
            prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
        }

        #[test]
        fn division_is_exact_or_refused(a in any_exact(), d: u64, small in 1..1000u64) {
            prop_assert_eq!(a.div_exact(0), None);
            for d in [d.max(1), small] {
                match a.div_exact(d) {
                    Some(q) => prop_assert_eq!(steps(q) * d, steps(a)),
                    None => prop_assert!(steps(a) % d != BigUint::ZERO),
                }
                if let Ok(product) = a.checked_mul(d) {
                    prop_assert_eq!(product.div_exact(d), Some(a));
                }
            }
        }

        #[test]
        fn text_and_bytes_round_trip(a in any_exact(), decimals in 0..40u8) {
            prop_assert_eq!(a.to_string().parse::<Exact>().unwrap(), a);
            prop_assert_eq!(decimal::parse_money(&a.to_decimal(decimals), decimals).unwrap(), a);
            prop_assert_eq!(Exact::from_bytes(&a.to_bytes()).unwrap(), a);
        }
    }
}
