//! Leases: the share of a budget and of the counters that another meter may use without asking.
//!
//! A meter *lends*: [`crate::meter::Command::Lease`] makes a [`Lease`], whose units count as used from
//! then on. The *holder*, another meter with a log of its own, accepts it as a lane and meters calls on
//! it; its [`Statement`] says what they used. The lender absorbs the last one, or reclaims the lease
//! when its time is over: what was not used is free again.

mod document;
mod statement;

pub use document::{Interval, Lease, UnitShare};
pub use statement::Statement;

pub(crate) use document::TYPE as LEASE_TYPE;
pub(crate) use statement::TYPE as STATEMENT_TYPE;
