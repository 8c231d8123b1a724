//! Numbers and money in words for people.

use counterfoil::{Currency, Exact};

/// A short label of a currency: `USD`, or `USDC` for a well-known token, or the start of a token's
/// address.
pub(crate) fn label(currency: &Currency) -> String {
    match currency {
        Currency::Fiat { code, .. } => code.clone(),
        Currency::Token { token, .. } => match token.to_ascii_lowercase().as_str() {
            "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
            | "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48" => String::from("USDC"),
            _ => token.chars().take(10).collect(),
        },
    }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(26);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The price of a unit: `0.25 USD each`, or `2.5 USD per 1,000,000` where it is below a cent.
pub(crate) fn unit_price(price: Exact, decimals: u8, label: &str) -> String {
    let cents = price.checked_mul(100).map(Exact::whole);
    let one = 10_u128.checked_pow(u32::from(decimals));
    match (cents, one, price.checked_mul(1_000_000)) {
        (Ok(cents), Some(one), Ok(million)) if cents < one => {
            format!("{} {label} per 1,000,000", million.to_decimal(decimals))
        }
        _ => format!("{} {label} each", price.to_decimal(decimals)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_price_is_told_per_million() {
        let price = |atomic: u128, nth| Exact::new(atomic, nth).unwrap();
        let tenths = 100_000_000_000_000_000;
        assert_eq!(unit_price(price(2, 5 * tenths), 6, "USDC"), "2.5 USDC per 1,000,000");
        assert_eq!(unit_price(price(9_999, 0), 6, "USDC"), "9999 USDC per 1,000,000");
        assert_eq!(unit_price(price(10_000, 0), 6, "USDC"), "0.01 USDC each");
        assert_eq!(unit_price(price(0, tenths), 0, "JPY"), "0.1 JPY each");
        assert_eq!(unit_price(price(25, 0), 2, "USD"), "0.25 USD each");
    }

    #[test]
    fn digits_in_groups() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }
}
