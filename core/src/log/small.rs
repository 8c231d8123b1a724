//! The same tree over a few leaves that are hashed already: bodies of receipts.

use alloc::vec::Vec;

use super::proof::{bounded, climb, leads_to};
use super::prove::path_of;
use super::tree::{empty_root, node_hash};
use crate::crypto::Digest;
use crate::error::{Code, Error, Result};

/// The root over hashed leaves, level by level: neighbours are joined, and an odd last one rises.
pub(crate) fn merkle_root(mut level: Vec<Digest>) -> Digest {
    while level.len() > 1 {
        let mut joined = 0;
        for index in (0..level.len()).step_by(2) {
            let node = match level.get(index..) {
                Some([left, right, ..]) => node_hash(left, right),
                Some([odd]) => *odd,
                _ => break,
            };
            if let Some(slot) = level.get_mut(joined) {
                *slot = node;
            }
            joined = joined.saturating_add(1);
        }
        level.truncate(joined);
    }
    level.first().copied().unwrap_or_else(empty_root)
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
