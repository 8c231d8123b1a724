//! Settlement: from receipts to who is owed what.
//!
//! A [`Batch`] holds, for one currency, every lane's totals and two growing accumulators per payee:
//! earned and reversed. Adding receipts and merging batches is addition, so order and sharding do not
//! matter. [`Batch::settle`] floors once per payee and accounts for every atomic unit. [`Duplicates`]
//! finds what several lanes of one subscription charged twice.

mod batch;
mod document;
mod duplicates;
mod payout_tree;
mod purchases;
mod settled;

pub use batch::{Batch, Extent, LaneLine};
pub use duplicates::{ChargedReceipt, Duplicate, Duplicates, LaneCharge};
pub use payout_tree::{PayoutLeaf, PayoutTree, PayoutTreeDump, PlacedLeaf, verify_payout};
pub use settled::{PayeeLine, Settlement, Totals};
