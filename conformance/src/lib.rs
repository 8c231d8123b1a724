//! The conformance program of the Rust core: runs the vectors of `spec/vectors` and counts the steps.
//!
//! There is one arm per operation of `spec/surface.json`, in `arms`; each calls the core as the
//! README does. `spec/vectors/README.md` says what a vector is.

mod arms;
mod host;
mod index;
mod input;
mod output;
mod run;
mod suite;
mod surface;
mod vector;

pub use index::{compare, gaps, index};
pub use run::{Mode, Report, run_text};
pub use suite::{Counts, files, load_surface, run_all, run_files, spec};
pub use surface::Surface;
