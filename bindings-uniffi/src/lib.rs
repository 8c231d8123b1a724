//! Counterfoil at the border to Python, Kotlin and Swift.
//!
//! Nothing is decided here: every function hands its arguments to the core and its answer back. What
//! is *data* in the core crosses by value; what is *proof or state* crosses as an object that only
//! the core can make. Amounts cross as decimal text and become the language's own big integer;
//! hashes, addresses and signatures are `0x` text, as in every document; instants are milliseconds.
//!
//! Rust never calls the host. The journal, and the order propose → append → confirm, belong to the
//! layer of each language beside this crate, and no lock is held while host code runs.

mod error;
mod evidence;
mod ledger;
mod log;
mod meter;
mod outcome;
mod plan;
mod receipt;
mod sign;
mod values;
mod view;
mod x402;

pub use error::CounterfoilError;

pub(crate) type Result<T> = std::result::Result<T, CounterfoilError>;

uniffi::setup_scaffolding!();
