//! The account of one subscription: counters, what limits have seen, what open holds may still cost.
//!
//! Every number here is the fold of entries. `rate` prices a call against the counters without
//! changing them; the changes are made by `advance`, `reserve` and `free`, which entries drive.

mod counters;
mod periods;
mod reserve;
mod windows;

pub(crate) use counters::{Account, Counter, Rated, closes_at, total};
pub(crate) use periods::{Edge, Pending, Period};
pub(crate) use reserve::{Room, admit, aggregate, room, without_hold};
pub(crate) use windows::Windows;
