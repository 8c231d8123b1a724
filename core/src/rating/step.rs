//! One step of an explanation.

use alloc::{format, string::String};

use crate::amount::Exact;

/// One step of how a total came to rise. Prices and amounts are in atomic units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many units (of packages: how many packages) the price applies to.
    pub units: u64,
    /// The price of one of them.
    pub price: Exact,
    /// What this step adds.
    pub amount: Exact,
    /// The step in words: `1,500 units at 2.5 (tier up to 5,000)`.
    pub what: String,
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

/// `1 unit`, `1,500 units`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_groups() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")]
        {
            assert_eq!(grouped(n), text);
        }
        assert_eq!((counted(1, "unit"), counted(2, "unit")), ("1 unit".into(), "2 units".into()));
    }
}
