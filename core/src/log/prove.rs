//! Building proofs.
//!
//! A proof is the hashes of a few subtrees. Which ones follows from positions and sizes alone, so a
//! builder first lists the ranges of leaves, then hashes each in one pass over the leaves.

use alloc::vec::Vec;
use core::ops::Range;

use super::proof::{ConsistencyProof, InclusionProof, grown, within};
use super::tree::{Frontier, leaf_hash, split};
use crate::crypto::Digest;
use crate::error::{Code, Error, Result};

/// The proof that `heads[index]` is in the log of all `heads`.
///
/// # Errors
/// [`Code::LogRange`] if there is no such position.
pub fn inclusion_proof(heads: &[Digest], index: u64) -> Result<InclusionProof> {
    inclusion_proof_from(heads.iter().copied().map(Ok), len(heads), index)
}

/// [`inclusion_proof`] for the log of the first `size` heads that a source yields, in O(log `size`)
/// memory.
///
/// # Errors
/// [`Code::LogRange`] if `index` is not below `size` or the source ends early; the source's own.
pub fn inclusion_proof_from(
    heads: impl IntoIterator<Item = Result<Digest>>,
    size: u64,
    index: u64,
) -> Result<InclusionProof> {
    within(index, size)?;
    let leaves = heads.into_iter().map(|head| head.map(|h| leaf_hash(h.bytes())));
    let path = subtree_roots(leaves, size, siblings(index, size))?;
    Ok(InclusionProof { index, size, path })
}

/// The proof that the log of all `heads` starts with the log of the first `old_size` ones.
///
/// # Errors
/// [`Code::LogRange`] if there are fewer than `old_size`.
pub fn consistency_proof(heads: &[Digest], old_size: u64) -> Result<ConsistencyProof> {
    consistency_proof_from(heads.iter().copied().map(Ok), len(heads), old_size)
}

/// [`consistency_proof`] for the log of the first `new_size` heads that a source yields, in
/// O(log `new_size`) memory.
///
/// # Errors
/// [`Code::LogRange`] if `old_size` exceeds `new_size` or the source ends early; the source's own.
pub fn consistency_proof_from(
    heads: impl IntoIterator<Item = Result<Digest>>,
    new_size: u64,
    old_size: u64,
) -> Result<ConsistencyProof> {
    grown(old_size, new_size)?;
    let leaves = heads.into_iter().map(|head| head.map(|h| leaf_hash(h.bytes())));
    let path = subtree_roots(leaves, new_size, prefix_cover(old_size, new_size))?;
    Ok(ConsistencyProof { old_size, new_size, path })
}

/// The path of the leaf at `index` over hashed leaves.
pub(super) fn path_of(leaves: &[Digest], index: u64) -> Result<Vec<Digest>> {
    let size = len(leaves);
    within(index, size)?;
    subtree_roots(leaves.iter().copied().map(Ok), size, siblings(index, size))
}

/// The leaf ranges of an inclusion path, from the leaf upwards (RFC 6962 section 2.1.1).
pub(super) fn siblings(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while let Some(middle) = middle(&tree) {
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The leaf ranges of a consistency path, from the old edge upwards (RFC 6962 section 2.1.2).
pub(super) fn prefix_cover(old_size: u64, new_size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    if old_size == 0 {
        return ranges;
    }
    let mut tree = 0..new_size;
    while old_size < tree.end {
        let Some(middle) = middle(&tree) else { break };
        if old_size <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    if tree.start > 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// Where a tree of at least two leaves falls into its two subtrees.
fn middle(tree: &Range<u64>) -> Option<u64> {
    match tree.end.checked_sub(tree.start) {
        Some(size @ 2..) => tree.start.checked_add(split(size)),
        _ => None,
    }
}

/// The roots of disjoint leaf ranges, in the order given, in one pass over the hashed leaves.
fn subtree_roots(
    leaves: impl Iterator<Item = Result<Digest>>,
    size: u64,
    ranges: Vec<Range<u64>>,
) -> Result<Vec<Digest>> {
    let mut roots: Vec<_> = ranges.into_iter().map(|range| (range, Digest::ZERO)).collect();
    let mut subtree = Frontier::new();
    let mut positions = 0..size;
    for leaf in leaves {
        let Some(at) = positions.next() else { break };
        let leaf = leaf?;
        if let Some((range, root)) = roots.iter_mut().find(|(range, _)| range.contains(&at)) {
            subtree.append_hash(leaf)?;
            if at.checked_add(1) == Some(range.end) {
                *root = subtree.root();
                subtree = Frontier::new();
            }
        }
    }
    match positions.next() {
        Some(at) => Err(Error::new(Code::LogRange).value(at).because("the source ends too early")),
        None => Ok(roots.into_iter().map(|(_, root)| root).collect()),
    }
}

/// The length of a slice, as positions are counted.
fn len(heads: &[Digest]) -> u64 {
    u64::try_from(heads.len()).unwrap_or(u64::MAX)
}
