//! Numbers and money in words for people.

use alloc::{format, string::String};

use crate::amount::{Currency, Exact};

impl Currency {
    /// A short name for people: `USD`; `USDC` for a well-known token, the start of any other's address.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Currency::Fiat { code, .. } => code.clone(),
            Currency::Token { token, .. } => match token.to_ascii_lowercase().as_str() {
                "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
                | "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48" => String::from("USDC"),
                _ => token.chars().take(10).collect(),
            },
        }
    }

    /// An amount in major units: `2.5 USD`.
    #[must_use]
    pub fn tell(&self, amount: Exact) -> String {
        format!("{} {}", amount.to_decimal(self.decimals()), self.label())
    }

    /// The price of a unit: `0.25 USD each`, or `2.5 USD per 1,000,000` where it is below a cent.
    #[must_use]
    pub fn tell_price(&self, price: Exact) -> String {
        let cents = price.checked_mul(100).map(Exact::whole);
        let one = 10_u128.checked_pow(u32::from(self.decimals()));
        match (cents, one, price.checked_mul(1_000_000)) {
            (Ok(cents), Some(one), Ok(million)) if cents < one => {
                format!("{} per 1,000,000", self.tell(million))
            }
            _ => format!("{} each", self.tell(price)),
        }
    }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(n: u64) -> String {
    let digits = format!("{n}");
    let mut text = String::with_capacity(26);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && digits.len().saturating_sub(index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_price_is_told_per_million() {
        let price = |atomic: u128, nth| Exact::new(atomic, nth).unwrap();
        let tenths = 100_000_000_000_000_000;
        let usdc = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let usdc = Currency::new_token("eip155:8453", usdc, 6).unwrap();
        assert_eq!(usdc.tell_price(price(2, 5 * tenths)), "2.5 USDC per 1,000,000");
        assert_eq!(usdc.tell_price(price(9_999, 0)), "9999 USDC per 1,000,000");
        assert_eq!(usdc.tell_price(price(10_000, 0)), "0.01 USDC each");
        let fiat = |code| Currency::new_fiat(code).unwrap();
        assert_eq!(fiat("JPY").tell_price(price(0, tenths)), "0.1 JPY each");
        assert_eq!(fiat("USD").tell_price(price(25, 0)), "0.25 USD each");
    }

    #[test]
    fn digits_in_groups() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")]
        {
            assert_eq!(grouped(n), text);
        }
    }
}
