//! What the benchmarks share: one realistic call, and the hashing that it cannot do without.

mod floor;
mod host;

pub use floor::Hashing;
pub use host::{Call, Host, beginning, plan, signer, start};
