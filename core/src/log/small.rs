//! The same tree over a few leaves that are hashed already: bodies of receipts.

use alloc::vec::Vec;

use super::proof::{bounded, climb, leads_to};
use super::prove::path_of;
use super::tree::Frontier;
use crate::crypto::Digest;
use crate::error::{Code, Error, Result};

/// The root over hashed leaves.
pub(crate) fn merkle_root(leaves: &[Digest]) -> Digest {
    let mut tree = Frontier::new();
    for leaf in leaves {
        // Fails at 2⁶⁴ leaves only.
        if tree.append_hash(*leaf).is_err() {
            break;
        }
    }
    tree.root()
}

/// The siblings of one leaf, from the leaf upwards.
pub(crate) fn merkle_path(leaves: &[Digest], index: usize) -> Result<Vec<Digest>> {
    path_of(leaves, position(index)?)
}

/// Checks that a hashed leaf stands at `index` of the `count` leaves under `root`.
pub(crate) fn merkle_verify(
    leaf: &Digest,
    index: usize,
    count: usize,
    path: &[Digest],
    root: &Digest,
) -> Result<()> {
    bounded(path, 64)?;
    leads_to(&climb(position(index)?, position(count)?, *leaf, path)?, root)
}

fn position(n: usize) -> Result<u64> {
    u64::try_from(n).map_err(|_| Error::new(Code::LogRange).value(n))
}
