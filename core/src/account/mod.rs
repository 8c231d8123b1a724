//! The account of one subscription: counters, what limits have seen, what open holds may still cost.
//!
//! Every number here is the fold of entries. `rate` prices a call against the counters without
//! changing them; the changes are made by `advance`, `reserve` and `free`, and for limits by `count`,
//! `enter` and `leave`, which entries drive.

mod by_value;
mod ceiling;
mod committed;
mod counted;
mod counters;
mod credit;
mod draws;
mod given_back;
mod grants;
mod lent;
mod pace;
mod periods;
mod reserve;
mod seen;
mod shared;
mod tally;
mod term;
mod windows;

pub(crate) use by_value::ByValue;
pub(crate) use ceiling::Ceiling;
pub(crate) use committed::Committed;
pub(crate) use counted::Counted;
pub(crate) use counters::{Account, Counter, Rated, closes_at, total};
pub(crate) use credit::{backing, credit_room, tighter};
pub(crate) use draws::{draw_money, draw_units, pay_lines, payable};
pub(crate) use given_back::{
    Corrected, GivenBack, Made, Returned, credit_input, credit_subject, draws, returns,
};
pub(crate) use grants::{Given, Grants};
pub(crate) use pace::{Pace, Refusal};
pub(crate) use periods::{Edge, Pending, Period};
pub(crate) use reserve::{
    Books, Room, admit, aggregate, aggregate_of, left_by, room, without_hold,
};
pub(crate) use seen::{Caller, Seen};
pub(crate) use shared::{Shared, SharedLimits};
pub(crate) use tally::{Held, Tally};
pub(crate) use windows::Windows;
