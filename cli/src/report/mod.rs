//! The report of a ledger as one self-contained HTML page.
//!
//! [`Report`] is plain data that the caller fills from a ledger; [`render`] turns it into a page
//! that loads nothing, runs no script and is the same bytes for the same data. Everything that does
//! not come from this source code passes through the escaping of `markup`, by type: raw markup must be
//! `&'static str`.

mod bars;
mod chart;
mod data;
mod html;
mod markup;
#[cfg(test)]
mod sample;
mod settlement;
mod style;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod tiers;
mod time;

pub use data::*;
pub use html::render;
