//! Money: whole atomic units, exact amounts on the grid of 10⁻¹⁸ atomic unit, prices, rounding,
//! currencies, and splits that lose nothing.
//!
//! An [`Amount`] is what can be paid: a whole number of atomic units of some currency. An [`Exact`]
//! is what a call costs before anything is rounded. [`Rounding`] turns the one into the other, once,
//! at a stated step. An [`Accumulator`] holds shares of exact amounts, 10⁻³⁶ atomic unit fine, so that
//! many small earnings add up in any order. Nothing here wraps, clamps or touches a float: what does
//! not fit is [`AmountOverflow`](crate::Code::AmountOverflow).

mod accumulator;
#[allow(clippy::module_inception, reason = "the room is named for its main type")]
mod amount;
mod currency;
mod decimal;
mod exact;
mod fraction;
mod price;
mod rounding;
mod shares;
mod total;
mod words;

pub use accumulator::{Accumulator, distribute_residue};
pub use amount::Amount;
pub use currency::Currency;
pub use decimal::{parse_decimal, parse_money};
pub use exact::{Exact, GRID};
pub use fraction::Fraction;
pub use price::UnitPrice;
pub use rounding::{Billed, Rounding};
pub use shares::Shares;
pub(crate) use total::Total;
pub(crate) use words::grouped;

use crate::error::{Code, Error};

/// The error for a result that does not fit.
#[cold]
pub(crate) fn overflow() -> Error {
    Error::new(Code::AmountOverflow)
}
