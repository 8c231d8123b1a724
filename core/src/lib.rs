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

mod codec;
pub mod crypto;
pub mod error;

pub use crypto::Digest;
pub use error::{Code, Error, Result};
