//! Canonical decimals as text.

use alloc::{format, string::String};

use super::{Exact, overflow};
use crate::error::{Code, Error, Result};

/// Digits of the grid below the atomic unit.
const GRID_DIGITS: usize = 18;

/// Reads a canonical decimal times `10^scale`, exactly.
///
/// Canonical is one spelling per value: digits, optionally a point and digits; no sign, no exponent,
/// no leading zeros except a single one before the point, no trailing zeros after it.
///
/// # Errors
/// [`Code::DecimalInvalid`] for another spelling, [`Code::DecimalTooFine`] for more digits than the
/// grid has, [`Code::AmountOverflow`] for a value above [`Exact::MAX`].
pub fn parse_decimal(text: &str, scale: u32) -> Result<Exact> {
    let refused = |why| Error::new(Code::DecimalInvalid).value(text).because(why);
    let (integer, digits) = match text.split_once('.') {
        Some((integer, digits)) => {
            if digits.is_empty() {
                return Err(refused("no digits after the point"));
            }
            if digits.ends_with('0') {
                return Err(refused("trailing zeros"));
            }
            (integer, digits)
        }
        None => (text, ""),
    };
    if integer.is_empty() {
        return Err(refused("no digits before the point"));
    }
    if !integer.bytes().chain(digits.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(refused("digits and at most one point"));
    }
    if integer.len() > 1 && integer.starts_with('0') {
        return Err(refused("leading zeros"));
    }

    // Moving the point right by `scale` turns that many decimals into whole digits.
    let scale = usize::try_from(scale).unwrap_or(usize::MAX);
    let (raised, below) = digits.split_at_checked(scale).unwrap_or((digits, ""));
    if below.len() > GRID_DIGITS {
        return Err(Error::new(Code::DecimalTooFine).value(text));
    }
    let mut whole: u128 = 0;
    for byte in integer.bytes().chain(raised.bytes()) {
        whole = append(whole, byte).ok_or_else(|| overflow().value(text))?;
    }
    if whole != 0 {
        for _ in raised.len()..scale {
            whole = append(whole, b'0').ok_or_else(|| overflow().value(text))?;
        }
    }
    let mut fraction: u64 = 0;
    for position in 0..GRID_DIGITS {
        let byte = below.as_bytes().get(position).copied().unwrap_or(b'0');
        fraction = append(fraction.into(), byte)
            .and_then(|v| u64::try_from(v).ok())
            .ok_or_else(overflow)?;
    }
    Exact::new(whole, fraction)
}

/// Reads an amount in major units of a currency with this many decimals: `"2.5"` with 6 decimals is
/// 2 500 000 atomic units.
///
/// # Errors
/// As [`parse_decimal`].
pub fn parse_money(text: &str, decimals: u8) -> Result<Exact> {
    parse_decimal(text, u32::from(decimals))
}

/// `value × 10 + digit`.
fn append(value: u128, digit: u8) -> Option<u128> {
    value.checked_mul(10)?.checked_add(u128::from(digit.checked_sub(b'0')?))
}

/// The canonical decimal of `exact / 10^decimals`.
pub(super) fn format(exact: Exact, decimals: u8) -> String {
    let places = GRID_DIGITS.saturating_add(usize::from(decimals));
    // At least one digit stands before the point.
    let digits = format!("{}{:018}", exact.whole(), exact.fraction());
    let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
    let (integer, below) =
        padded.split_at_checked(padded.len().saturating_sub(places)).unwrap_or((&padded, ""));
    let integer = integer.trim_start_matches('0');
    let integer = if integer.is_empty() { "0" } else { integer };
    match below.trim_end_matches('0') {
        "" => String::from(integer),
        below => format!("{integer}.{below}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::GRID;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_per_value() {
        for text in [
            "", ".", "1.", ".5", "00", "01", "01.5", "1.0", "1.50", "0.0", "-1", "+1", "1e3",
            "1_000", "1,5", " 1", "1 ", "1.2.3", "٣", "0x1", "NaN",
        ] {
            assert_eq!(
                parse_decimal(text, 6).unwrap_err().code(),
                Code::DecimalInvalid,
                "{text:?}"
            );
        }
    }

    #[test]
    fn scale_moves_the_point() {
        for (text, scale, whole, fraction) in [
            ("0", 0, 0, 0),
            ("0", u32::MAX, 0, 0),
            ("2.5", 6, 2_500_000, 0),
            ("0.0000025", 6, 2, GRID / 2),
            ("0.000000000000000000000001", 6, 0, 1),
            ("340282366920938463463374607431768211455.999999999999999999", 0, u128::MAX, GRID - 1),
            ("0.01", 2, 1, 0),
        ] {
            assert_eq!(
                parse_decimal(text, scale).unwrap(),
                Exact::new(whole, fraction).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_told_from_what_is_too_fine() {
        for (text, scale, code) in [
            ("0.0000000000000000001", 0, Code::DecimalTooFine),
            ("0.0000000000000000000000001", 6, Code::DecimalTooFine),
            ("340282366920938463463374607431768211456", 0, Code::AmountOverflow),
            ("1", 39, Code::AmountOverflow),
            ("1", u32::MAX, Code::AmountOverflow),
        ] {
            assert_eq!(parse_decimal(text, scale).unwrap_err().code(), code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(text in "[0-9]{1,6}(\\.[0-9]{1,30})?", decimals in 0..20u8) {
            if let Ok(exact) = parse_money(&text, decimals) {
                prop_assert_eq!(exact.to_decimal(decimals), text);
            }
        }

        #[test]
        fn any_text_is_refused_or_written_back(text in ".{0,40}", scale: u8) {
            if let Ok(exact) = parse_money(&text, scale) {
                prop_assert_eq!(exact.to_decimal(scale), text);
            }
        }
    }
}
