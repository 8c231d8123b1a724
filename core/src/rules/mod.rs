//! Conditions: who may call, decided from the call, its payer, its instant, and evidence that was
//! presented.
//!
//! A condition is data, not code. Its evaluation is total and bounded by the size of the plan, and it
//! names the clause that decided; a denial is explained in words. Evidence is what a named attestor signs of a payer: it is presented to
//! the meter once, which records it before any call relies on it.

mod condition;
mod evaluate;
mod evidence;
mod explain;
mod words;

pub(crate) use condition::read_set;
pub use condition::{Condition, Wanted};
pub(crate) use evaluate::{Facts, Validity};
pub use evidence::{Evidence, VerifiedEvidence};
