//! Counterfoil for JavaScript.
//!
//! The module mirrors the core and adds nothing: classes for proof and state (plan, meter, receipt,
//! checkpoint), plain objects for data (usage, outcomes, totals). Money and other 64-bit and 128-bit
//! integers are `bigint`, exact amounts are decimal strings of atomic units, instants are numbers of
//! Unix milliseconds, bytes are `Uint8Array`, hashes and addresses `0x` strings. No float is read or
//! made. What is refused is thrown as a `CounterfoilError`.
//!
//! `js/` holds the layer that programs use.

mod audit;
mod checkpoint;
mod command;
mod error;
mod evidence;
mod input;
mod key;
mod log;
mod meter;
mod money;
mod outcome;
mod output;
mod plan;
mod receipt;
mod settlement;
mod types;
mod usage;
mod x402;
