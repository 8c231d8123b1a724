//! Rating as a function: what a counter costs, what a call can add to it, and how often one may call.
//!
//! A [`Tariff`] is F(counter), the total price of everything counted so far in a window. A call pays
//! the difference of two totals, so splitting usage into calls never changes the sum. For holds, the
//! tariff bounds what open calls can still cost, exactly, for every model: see
//! [`Tariff::highest`] and [`Tariff::worst_increase`].

mod flat;
mod gcra;
mod graduated;
mod package;
mod per_call;
mod per_unit;
mod step;
mod tariff;
mod terms;
mod tiers;
mod volume;

pub use gcra::Rate;
pub use per_call::{CostPlus, Dynamic, Percentage, Plus};
pub use step::Step;
pub use tariff::{Model, Tariff};
pub use terms::Terms;
pub use tiers::{MOST_TIERS, Tier};
