//! Exact metering, signed usage receipts and settlement for AI services, without I/O.
//!
//! A [`Plan`] says what calls cost and who may make them. A [`Meter`] authorises a call before it is
//! made, prices what was really used, and makes a receipt for it; every decision is an entry that the
//! host makes durable before it can be read. A [`Receipt`] is verified by anyone into a
//! [`VerifiedReceipt`]; an [`audit::Auditor`] makes a whole ledger again; a [`settlement::Batch`] says
//! who is owed what.
//!
//! Nothing here reads a clock, draws a random number, opens a file or holds a lock: instants and keys
//! are arguments, entries and signature requests are results. The same inputs give the same bytes in
//! every language that binds this crate.
//!
//! | start at | for |
//! | --- | --- |
//! | [`Plan::from_json`], [`Plan::quote`] | reading terms and pricing a usage |
//! | [`Usage::from_json`] | a provider's usage object, by surface |
//! | [`Meter::propose`], [`Meter::confirm`] | metering |
//! | [`Receipt::verify`] | the buyer's side |
//! | [`audit`], [`log`] | the auditor's side |
//! | [`settlement`], [`x402`] | getting paid |
//! | [`Error`], [`Code`] | what can go wrong |
//!
//! Features, none on by default and none of which changes a result: `serde` writes value types as
//! strings; `std` turns on conveniences of dependencies.
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
pub mod lease;
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
