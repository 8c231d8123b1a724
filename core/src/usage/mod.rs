//! Usage: what a call consumed, as whole quantities of named meters.
//!
//! Providers report the same tokens in shapes that contradict each other: what is inside what is a
//! matter of the *surface* (an API and its vendor), and a surface is named, never guessed. Every
//! surface is read into one convention: `input_tokens` and `output_tokens` are whole totals, and
//! parts such as `cached_input_tokens` lie inside them ([`PARENTS`]).

mod anthropic;
mod openai;
mod parts;
mod quantities;
mod surface;

pub use parts::PARENTS;
pub(crate) use parts::root;
pub use quantities::{Basis, Usage};
pub use surface::Surface;
