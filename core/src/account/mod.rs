//! The account of one subscription: counters, what limits have seen, what open holds may still cost.
//!
//! Every number here is the fold of entries. `rate` prices a call against the counters without
//! changing them; the changes are made by `advance`, `reserve` and `free`, which entries drive.

mod counters;
mod credit;
mod grants;
mod reserve;
mod windows;

pub(crate) use counters::{Account, Counter, Rated, closes_at, total};
pub(crate) use credit::{backing, credit_room, tighter};
pub(crate) use grants::{Given, Grants, draw_money, draw_units, pay_lines, payable};
pub(crate) use reserve::{Room, admit, aggregate, aggregate_of, room, without_hold};
pub(crate) use windows::Windows;
