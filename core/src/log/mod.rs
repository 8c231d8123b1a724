//! The transparency log: a Merkle tree over receipt heads, in the order in which they were issued.
//!
//! The tree is that of RFC 6962 section 2.1 with SHA-256, over head digests as leaf data, so that
//! standard witnesses and verifiers understand it. A [`Frontier`] grows it in O(log n) memory; an
//! [`InclusionProof`] shows that a head stands at a position, a [`ConsistencyProof`] that a log only
//! ever grew. [`lanes_root`] is a second tree over the state of every lane, sorted by lane id: a
//! [`LanePresence`] shows a lane's totals, a [`LaneAbsence`] that there is no such lane, so nobody's
//! lane can be left out unseen.

mod checkpoint;
mod lanes;
mod proof;
mod prove;
mod small;
mod tree;

pub use checkpoint::{Checkpoint, VerifiedCheckpoint};
pub use lanes::{LaneAbsence, LanePresence, LaneState, lanes_root, prove_absence, prove_presence};
pub use proof::{ConsistencyProof, InclusionProof};
pub use prove::{consistency_proof, consistency_proof_from, inclusion_proof, inclusion_proof_from};
pub use tree::{Frontier, TreeHead, empty_root};

pub(crate) use checkpoint::TYPE as CHECKPOINT_TYPE;
pub(crate) use small::{merkle_path, merkle_root, merkle_verify};
pub(crate) use tree::leaf_hash;
