//! Instants, the calendar, zones, and windows.
//!
//! An instant is a [`Timestamp`]: Unix milliseconds from 1970 to 9999, POSIX time without leap
//! seconds. The core has no clock; every instant is an argument. A [`Window`] is half-open, the only
//! form that splits time without loss. A [`Cycle`] cuts time into windows, by the calendar or from an
//! anchor, in UTC or in a [`Zone`] that the plan contains: there is no database of zones here. In a
//! zone a boundary is the first instant at which the clock on the wall shows it or more, so that
//! windows leave no gap and do not overlap, whatever the clock does.

mod calendar;
mod cursor;
mod cycle;
mod hours;
mod posix;
mod rolling;
mod timestamp;
mod window;
mod zone;

pub use cycle::{Anchor, Cycle};
pub use hours::Hours;
pub use rolling::Rolling;
pub use timestamp::Timestamp;
pub use window::{Period, Window};
pub use zone::{Transition, Zone};
