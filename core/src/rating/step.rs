//! One step of an explanation.

use alloc::{format, string::String};

use crate::amount::{Currency, Exact, UnitPrice, grouped};

/// One step of how a total came to rise. Prices and amounts are in atomic units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many units (of packages: how many packages) the price applies to.
    pub units: u64,
    /// The price of one of them.
    pub price: Exact,
    /// What this step adds.
    pub amount: Exact,
    /// The step in words, with money in major units: `1,500 input_tokens at 2.5 USD per 1,000,000 (tier up to
    /// 5,000)`.
    pub what: String,
}

/// How a tariff's steps are told.
pub(super) struct Words<'a> {
    /// What the units are called.
    unit: &'a str,
    currency: &'a Currency,
}

impl<'a> Words<'a> {
    pub(super) fn new(unit: &'a str, currency: &'a Currency) -> Self {
        Words { unit, currency }
    }

    /// `1,500 input_tokens`.
    pub(super) fn units(&self, n: u64) -> String {
        format!("{} {}", grouped(n), self.unit)
    }

    /// `2.5 USD`.
    pub(super) fn money(&self, amount: Exact) -> String {
        self.currency.tell(amount)
    }

    /// `2.5 USD per 1,000,000`.
    pub(super) fn price(&self, price: UnitPrice) -> String {
        self.currency.tell_price(price.exact())
    }
}
