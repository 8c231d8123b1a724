//! The transparency log: checkpoints and proofs.

use std::sync::Arc;

use counterfoil::log::{
    ConsistencyProof, Frontier, InclusionProof, TreeHead, consistency_proof, inclusion_proof,
};

use crate::Result;
use crate::values::{Address, Digest, Signature, Timestamp};

pub(crate) type Checkpoint = counterfoil::log::Checkpoint;

/// Which receipts a log holds, and where each lane stands. It proves nothing until it is verified.
#[uniffi::remote(Record)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// How many heads the log holds.
    pub size: u64,
    /// The RFC 6962 root over their digests.
    pub root: Digest,
    /// The root over the lanes' totals.
    pub lanes: Digest,
    /// The latest issue time in the log.
    pub time: Timestamp,
}

/// The EIP-712 digest of a checkpoint: what is signed.
#[uniffi::export]
fn checkpoint_digest(checkpoint: Checkpoint) -> Result<Digest> {
    Ok(checkpoint.digest())
}

/// A checkpoint whose signature was checked.
#[derive(uniffi::Object)]
pub struct VerifiedCheckpoint(pub(crate) counterfoil::log::VerifiedCheckpoint);

#[uniffi::export]
impl VerifiedCheckpoint {
    /// Checks the signature: there is no other way to a verified checkpoint.
    #[uniffi::constructor]
    fn verify(checkpoint: Checkpoint, signature: Signature, signer: Address) -> Result<Arc<Self>> {
        Ok(Arc::new(VerifiedCheckpoint(checkpoint.verify(&signature, signer)?)))
    }

    /// The checkpoint.
    fn checkpoint(&self) -> Checkpoint {
        self.0.checkpoint().clone()
    }

    /// The digest that was signed.
    fn digest(&self) -> Digest {
        self.0.checkpoint().digest()
    }

    /// The body of a C2SP tlog-checkpoint note.
    fn note(&self) -> String {
        self.0.checkpoint().to_note()
    }
}

/// The RFC 6962 root over heads.
#[uniffi::export]
fn log_root(heads: Vec<Digest>) -> Result<Digest> {
    let mut tree = Frontier::new();
    heads.iter().try_for_each(|head| tree.append(head))?;
    Ok(tree.root())
}

/// The path that proves that a head stands at a position.
#[uniffi::export]
fn prove_inclusion(heads: Vec<Digest>, index: u64) -> Result<Vec<Digest>> {
    Ok(inclusion_proof(&heads, index)?.path().to_vec())
}

/// Checks that a head stands at a position of the log with this size and root.
#[uniffi::export]
fn verify_inclusion(
    head: Digest,
    index: u64,
    size: u64,
    path: Vec<Digest>,
    root: Digest,
) -> Result<()> {
    let proof = InclusionProof::from_parts(index, size, path)?;
    Ok(proof.verify(&head, &TreeHead { size, root })?)
}

/// The path that proves that a log only grew since it had `old_size` heads.
#[uniffi::export]
fn prove_consistency(heads: Vec<Digest>, old_size: u64) -> Result<Vec<Digest>> {
    Ok(consistency_proof(&heads, old_size)?.path().to_vec())
}

/// Checks that a log only grew from one state to the other.
#[uniffi::export]
fn verify_consistency(
    old_size: u64,
    old_root: Digest,
    new_size: u64,
    new_root: Digest,
    path: Vec<Digest>,
) -> Result<()> {
    let proof = ConsistencyProof::from_parts(old_size, new_size, path)?;
    let old = TreeHead { size: old_size, root: old_root };
    Ok(proof.verify(&old, &TreeHead { size: new_size, root: new_root })?)
}
