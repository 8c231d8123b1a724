//! Conditions: who may call, decided from the call's attributes alone.
//!
//! A condition is data, not code. Its evaluation is total and bounded by the size of the plan, and it
//! names the clause that decided.

mod condition;

pub(crate) use condition::read_set;
pub use condition::{Condition, Verdict};
