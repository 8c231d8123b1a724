//! Usage: what a call consumed, as whole quantities of named meters.
//!
//! Providers report the same tokens in shapes that contradict each other: what is inside what is a
//! matter of the *surface* (an API and its vendor), and a surface is named, never guessed. Every
//! surface is read into one convention: `input_tokens` and `output_tokens` are whole totals, and
//! parts such as `cached_input_tokens` lie inside them ([`WHOLES`]). A streamed answer is read event by
//! event ([`Stream`]).

mod anthropic;
mod bedrock;
mod cohere;
mod dialect;
mod google;
mod mapping;
mod meters;
mod openai;
mod openai_wire;
mod otel;
mod parts;
mod quantities;
mod stream;
mod surface;

#[cfg(test)]
mod tests;

pub use mapping::Mapping;
pub use meters::WHOLES;
pub(crate) use meters::{COUNT, Set, depth, index, is_joint, root, wholes};
pub(crate) use parts::Priced;
pub use quantities::{Basis, Quantities, Usage};
pub use stream::Stream;
pub use surface::Surface;
