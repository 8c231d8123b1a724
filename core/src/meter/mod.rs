//! The meter: propose → record → confirm.
//!
//! The meter never does I/O and never calls the host. [`Meter::propose`] decides on the fold of
//! everything proposed so far and returns a [`Step`]: a ticket and the bytes of one entry. The host
//! makes the bytes durable and calls [`Meter::confirm`], which is where the decision becomes
//! readable. A write that failed is [`Meter::abandon`]ed; one whose fate is unknown
//! [`Meter::stall`]s the meter until [`Meter::recover`].

mod across;
mod command;
mod decide;
mod draft;
#[cfg(test)]
mod explore;
mod fold;
mod hold;
mod machine;
mod outcome;
mod parts;
mod snapshot;
mod state;
mod view;

pub use command::{Command, Credit, Import, LeaseRequest, Request, Settle, Subscribe};
pub use hold::{Hold, HoldState, ReservedUnits};
pub use machine::{Meter, Step, Ticket};
pub use outcome::{Crossed, Outcome, Replay, SignRequest, Signed};
pub use parts::{PartLine, Parts};
pub use view::{
    CounterView, GrantView, HoldView, LaneTotals, OwedPeriod, OwedTrueUp, SubscriptionView,
};

pub(crate) use decide::subscription_id;
pub(crate) use draft::{
    CreditFacts, Draft, Facts, draft_call, draft_credit, draft_period, draft_true_up, joined,
};
pub(crate) use fold::{Hashed, charge_index, closings, line_index, reclaimable};
pub(crate) use state::{CameBack, Lane, Leased, Remembered, State, Subscription};
pub(crate) use view::lane_totals;
