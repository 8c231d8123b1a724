//! The plan: immutable, content-addressed smart-subscription terms.
//!
//! A plan is a JSON document, `"format": "counterfoil/plan/1"`. Its id is a hash over the document as
//! written (RFC 8785 form), so nothing is filled in and nothing is repaired: what is not canonical is
//! refused with the JSON Pointer of the offending field.

mod across;
mod aggregate;
mod bound;
mod charge;
mod choice;
mod commitment;
mod derived;
mod document;
mod family;
mod grant;
mod hours;
mod limit;
mod notify;
mod quote;
mod selector;
mod subscription_term;
mod tariff;
mod terms;
mod units;
mod window;

pub use aggregate::{Aggregate, Unique};
pub(crate) use charge::check_name;
pub use charge::{Charge, REQUESTS};
pub use commitment::Commitment;
pub use derived::{Derived, Weight};
pub use document::Plan;
pub(crate) use document::{is_title, read_title};
pub(crate) use grant::whole;
pub use grant::{Credit, Grant, GrantKind, Purchase, Rollover, Term};
pub(crate) use hours::read_hours;
pub use limit::{Limit, LimitRule, LimitWindow};
pub use notify::Threshold;
pub use quote::{Quote, QuoteLine};
pub(crate) use selector::Call;
pub use selector::{Context, Effective, Selector};
pub use subscription_term::{Length, SubscriptionTerm};
pub use terms::{Late, Payee, Signing, Times};
