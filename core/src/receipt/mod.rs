//! The receipt: a signed *head* that proves who, when, how much and in which order, and a salted
//! *body* that says for what.
//!
//! Heads of one *lane* form a chain: each names the digest of the one before and carries both running
//! totals. The head is EIP-712 typed data, so any Ethereum library can check it; the body is a Merkle
//! tree of salted items, so that one item can be shown without the others.

mod body;
mod head;
mod json;
mod lane;
mod verify;

pub use body::{Body, Disclosure, Item};
pub use head::{Head, Kind};
pub use lane::LaneOpen;
pub use verify::{Receipt, VerifiedReceipt};

pub(crate) use body::{charged_part, receipt_salt};
pub(crate) use head::{
    DOMAIN_SEPARATOR, import_subject, period_subject, request_subject, window_subject,
};
pub(crate) use json::{read as read_parsed, read_time as read_instant, typed_data};
