//! Instants, the calendar, and windows.
//!
//! An instant is a [`Timestamp`]: Unix milliseconds from 1970 to 9999, POSIX time without leap
//! seconds. The core has no clock; every instant is an argument. A [`Window`] is half-open, the only
//! form that splits time without loss, and [`Period`] gives the calendar windows in UTC.

mod calendar;
mod timestamp;
mod window;

pub use timestamp::Timestamp;
pub use window::{Period, Window};
