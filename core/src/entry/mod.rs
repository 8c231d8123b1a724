//! Entries: the decided state changes of a meter, and the frames that carry them.
//!
//! State is the fold of its entries. An entry holds results, never commands: replaying it decides
//! nothing and prices nothing. Its binary form starts with kind and version.

pub mod frame;

mod codec;
mod denial;
mod kinds;

pub use denial::{Denial, DenialCode};
pub use kinds::{
    Absorbed, Cancelled, Collected, Denied, Entry, Extended, Granted, HoldEntry, ImportMark,
    Instance, Opening, Presented, ReceiptEntry, Reclaimed, Release, ReleaseReason, SignedLease,
    Voided,
};

pub(crate) use codec::{
    read_attributes, read_mark, read_option, read_quantities, read_reserved, read_time, read_units,
    write_attributes, write_mark, write_option, write_quantities, write_reserved, write_units,
};
