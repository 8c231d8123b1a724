//! Bounded JSON: bytes to a tree, and typed readers that know where they stand.
//!
//! The reader is strict (RFC 8259, UTF-8 only) and refuses duplicate member names. Numbers keep their
//! lexeme and never pass through floating point. A [`Node`] knows its JSON Pointer (RFC 6901), so
//! that every refusal names the field. [`Value::canonical`] writes the RFC 8785 form that ids are
//! taken over.

mod canonical;
mod parse;
mod read;
mod value;
mod write;

pub use parse::{Limits, parse};
pub use read::{Fields, Node};
pub use value::{Object, Value};
