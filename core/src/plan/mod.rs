//! The plan: immutable, content-addressed smart-subscription terms.
//!
//! A plan is a JSON document, `"format": "counterfoil/plan/1"`. Its id is a hash over the document as
//! written (RFC 8785 form), so nothing is filled in and nothing is repaired: what is not canonical is
//! refused with the JSON Pointer of the offending field.

mod charge;
mod choice;
mod document;
mod limit;
mod quote;
mod selector;
mod tariff;
mod terms;
mod window;

pub(crate) use charge::check_name;
pub use charge::{Aggregate, Charge, REQUESTS};
pub use document::Plan;
pub use limit::{Limit, LimitRule};
pub use quote::{Quote, QuoteLine};
pub(crate) use selector::Call;
pub use selector::{Context, Effective, Selector};
pub use terms::{Payee, Signing, Times};
