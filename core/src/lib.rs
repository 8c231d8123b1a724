//! Counterfoil core.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::std_instead_of_core,
        reason = "a test that overflows fails, as it should"
    )
)]

extern crate alloc;

mod account;
pub mod amount;
pub mod audit;
mod codec;
pub mod crypto;
pub mod entry;
pub mod error;
pub mod json;
pub mod log;
pub mod meter;
pub mod plan;
pub mod rating;
pub mod receipt;
pub mod rules;
#[cfg(feature = "serde")]
mod serde_text;
pub mod settlement;
pub mod time;
pub mod usage;
pub mod x402;

pub use amount::{Amount, Currency, Exact, Rounding};
pub use crypto::{Address, Digest, LocalKey, Signature};
pub use error::{Code, Error, Result};
pub use meter::Meter;
pub use plan::Plan;
pub use receipt::{Receipt, VerifiedReceipt};
pub use time::Timestamp;
pub use usage::Usage;

/// The program in the README compiles and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
