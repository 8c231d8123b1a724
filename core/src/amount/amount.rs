//! Whole atomic units.

use alloc::string::String;
use core::{fmt, str::FromStr};

use super::{decimal, overflow};
use crate::error::{Code, Error, Result};

/// A whole number of atomic units of a currency: 1 is 0.000001 USDC, or one US cent.
///
/// The currency and its decimals are known from the plan, never from the amount.
///
/// ```
/// use counterfoil::amount::Amount;
///
/// let a = Amount::from_atomic(1_250_000);
/// assert_eq!(a.to_decimal(6), "1.25");
/// assert_eq!(a.to_string(), "1250000");
/// assert!(Amount::MAX.checked_add(a).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// 2¹²⁸ − 1 atomic units.
    pub const MAX: Amount = Amount(u128::MAX);

    /// This many atomic units.
    #[must_use]
    pub const fn from_atomic(atomic: u128) -> Self {
        Amount(atomic)
    }

    /// The number of atomic units.
    #[must_use]
    pub const fn atomic(self) -> u128 {
        self.0
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when it exceeds [`Amount::MAX`].
    pub fn checked_add(self, other: Amount) -> Result<Amount> {
        self.0.checked_add(other.0).map(Amount).ok_or_else(overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when `other` is larger.
    pub fn checked_sub(self, other: Amount) -> Result<Amount> {
        self.0.checked_sub(other.0).map(Amount).ok_or_else(overflow)
    }

    /// The canonical decimal in major units of a currency with this many decimals.
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> String {
        decimal::format(self.into(), decimals)
    }
}

/// The number of atomic units in decimal digits.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads atomic units in decimal digits, without leading zeros.
impl FromStr for Amount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let exact = decimal::parse_decimal(text, 0)?;
        if exact.fraction() != 0 {
            return Err(Error::new(Code::DecimalTooFine)
                .value(text)
                .because("atomic units are whole"));
        }
        Ok(exact.floor())
    }
}

#[cfg(feature = "serde")]
crate::serde_text::as_text!(Amount, "atomic units in decimal digits");

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn decimals_in_major_units() {
        for (atomic, decimals, text) in [
            (0, 6, "0"),
            (1, 6, "0.000001"),
            (1_000_000, 6, "1"),
            (1_250_000, 6, "1.25"),
            (7, 0, "7"),
            (100, 0, "100"),
            (1, 36, "0.000000000000000000000000000000000001"),
        ] {
            assert_eq!(Amount::from_atomic(atomic).to_decimal(decimals), text);
        }
    }

    #[test]
    fn refuses_what_is_not_whole_or_not_canonical() {
        for (text, code) in [
            ("1.5", Code::DecimalTooFine),
            ("01", Code::DecimalInvalid),
            ("", Code::DecimalInvalid),
            ("-1", Code::DecimalInvalid),
            ("340282366920938463463374607431768211456", Code::AmountOverflow),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap_err().code(), code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(atomic: u128) {
            let a = Amount::from_atomic(atomic);
            prop_assert_eq!(a.to_string().parse::<Amount>().unwrap(), a);
        }
    }
}
