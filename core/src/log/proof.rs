//! Inclusion and consistency proofs of RFC 6962, verified by the algorithms of RFC 9162 section 2.1.

use alloc::vec::Vec;

use super::tree::{TreeHead, empty_root, leaf_hash, node_hash};
use crate::crypto::Digest;
use crate::error::{Code, Error, Result};

/// No inclusion path is longer: a tree of 2⁶⁴ − 1 leaves is 64 levels deep.
pub(super) const LONGEST_INCLUSION: usize = 64;
/// No consistency path is longer: it may start with a leaf of its own.
const LONGEST_CONSISTENCY: usize = 65;

/// Shows that a head stands at a position of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) path: Vec<Digest>,
}

impl InclusionProof {
    /// A proof as it was received: nothing is believed before [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`Code::LogRange`] if `index` is not below `size`; [`Code::ProofInvalid`] if the path has more
    /// than 64 hashes.
    pub fn from_parts(index: u64, size: u64, path: Vec<Digest>) -> Result<Self> {
        within(index, size)?;
        bounded(&path, LONGEST_INCLUSION)?;
        Ok(InclusionProof { index, size, path })
    }

    /// The position of the head, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of leaves of the log that the proof is for.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the sibling subtrees, from the leaf upwards.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// Checks that `head` stands at [`index`](Self::index) of the log whose state is `tree`
    /// (RFC 9162 section 2.1.3.2).
    ///
    /// # Errors
    /// [`Code::ProofInvalid`].
    pub fn verify(&self, head: &Digest, tree: &TreeHead) -> Result<()> {
        if self.size != tree.size {
            return Err(refused("the proof is for another size"));
        }
        let root = climb(self.index, self.size, leaf_hash(head.bytes()), &self.path)?;
        leads_to(&root, &tree.root)
    }
}

/// Shows that an earlier state of a log is a prefix of a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    pub(super) old_size: u64,
    pub(super) new_size: u64,
    pub(super) path: Vec<Digest>,
}

impl ConsistencyProof {
    /// A proof as it was received: nothing is believed before [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`Code::LogRange`] if the old size exceeds the new one; [`Code::ProofInvalid`] if the path has
    /// more than 65 hashes.
    pub fn from_parts(old_size: u64, new_size: u64, path: Vec<Digest>) -> Result<Self> {
        grown(old_size, new_size)?;
        bounded(&path, LONGEST_CONSISTENCY)?;
        Ok(ConsistencyProof { old_size, new_size, path })
    }

    /// The number of leaves of the earlier state.
    #[must_use]
    pub fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The number of leaves of the later state.
    #[must_use]
    pub fn new_size(&self) -> u64 {
        self.new_size
    }

    /// The hashes of the subtrees that rebuild both roots, from the old edge upwards.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// Checks that the log grew from `old` to `new` by appending only (RFC 9162 section 2.1.4.2).
    /// Every log grew from the empty one.
    ///
    /// # Errors
    /// [`Code::ProofInvalid`].
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<()> {
        if self.old_size != old.size || self.new_size != new.size {
            return Err(refused("the proof is for other sizes"));
        }
        if old.size == new.size || old.size == 0 {
            bounded(&self.path, 0)?;
            let root = if old.size == 0 { empty_root() } else { new.root };
            leads_to(&root, &old.root)?;
            return if new.size == 0 { leads_to(&root, &new.root) } else { Ok(()) };
        }
        // A perfect old tree is itself the first subtree, and its hash is not repeated in the path.
        let (first, rest) = if old.size.is_power_of_two() {
            (&old.root, self.path.as_slice())
        } else {
            self.path.split_first().ok_or_else(|| refused("path too short"))?
        };
        let mut edge = Edge::new(old.size.saturating_sub(1), new.size.saturating_sub(1));
        edge.skip_ones();
        let (mut old_root, mut new_root) = (*first, *first);
        for sibling in rest {
            if edge.step()? {
                old_root = node_hash(sibling, &old_root);
                new_root = node_hash(sibling, &new_root);
            } else {
                new_root = node_hash(&new_root, sibling);
            }
        }
        edge.finish()?;
        leads_to(&old_root, &old.root)?;
        leads_to(&new_root, &new.root)
    }
}

/// The root to which a hashed leaf and its path lead.
pub(super) fn climb(index: u64, size: u64, leaf: Digest, path: &[Digest]) -> Result<Digest> {
    within(index, size)?;
    let mut edge = Edge::new(index, size.saturating_sub(1));
    let mut root = leaf;
    for sibling in path {
        root = if edge.step()? { node_hash(sibling, &root) } else { node_hash(&root, sibling) };
    }
    edge.finish()?;
    Ok(root)
}

/// Where a verifier stands: the numbers `fn` and `sn` of RFC 9162, a node and the last node of its
/// level.
struct Edge {
    node: u64,
    last: u64,
}

impl Edge {
    fn new(node: u64, last: u64) -> Self {
        Edge { node, last }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    /// Leaves a perfect subtree of which this node is the right edge.
    fn skip_ones(&mut self) {
        while self.node & 1 == 1 {
            self.up();
        }
    }

    /// Consumes one sibling and goes up; whether that sibling stands to the left.
    fn step(&mut self) -> Result<bool> {
        if self.last == 0 {
            return Err(refused("path too long"));
        }
        let left = self.node & 1 == 1 || self.node == self.last;
        if left {
            // The last node of a level without a sibling of its own is carried up unchanged.
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
        }
        self.up();
        Ok(left)
    }

    fn finish(&self) -> Result<()> {
        if self.last == 0 { Ok(()) } else { Err(refused("path too short")) }
    }
}

pub(super) fn within(index: u64, size: u64) -> Result<()> {
    if index < size { Ok(()) } else { Err(Error::new(Code::LogRange).value(index)) }
}

pub(super) fn grown(old_size: u64, new_size: u64) -> Result<()> {
    if old_size <= new_size { Ok(()) } else { Err(Error::new(Code::LogRange).value(old_size)) }
}

pub(super) fn bounded(path: &[Digest], longest: usize) -> Result<()> {
    if path.len() <= longest { Ok(()) } else { Err(refused("path too long")) }
}

pub(super) fn leads_to(computed: &Digest, root: &Digest) -> Result<()> {
    if computed == root { Ok(()) } else { Err(Error::new(Code::ProofInvalid).value(computed)) }
}

pub(super) fn refused(why: &'static str) -> Error {
    Error::new(Code::ProofInvalid).because(why)
}

#[cfg(test)]
mod tests {
    use super::super::prove::{
        consistency_proof, inclusion_proof, inclusion_proof_from, prefix_cover, siblings,
    };
    use super::super::tree::Frontier;
    use super::super::tree::tests::heads;
    use super::*;
    use proptest::prelude::*;

    fn head_of(heads: &[Digest]) -> TreeHead {
        let mut log = Frontier::new();
        for head in heads {
            log.append(head).unwrap();
        }
        log.head()
    }

    fn flip(digest: &Digest, bit: usize) -> Digest {
        let mut bytes = *digest.bytes();
        bytes[bit / 8 % 32] ^= 1 << (bit % 8);
        Digest::new(bytes)
    }

    /// All paths that differ from `path` in one place: an element changed, dropped or added.
    fn spoiled(path: &[Digest]) -> Vec<Vec<Digest>> {
        let mut all = Vec::new();
        for i in 0..path.len() {
            let mut changed = path.to_vec();
            changed[i] = flip(&path[i], i * 37);
            all.push(changed);
            let mut dropped = path.to_vec();
            dropped.remove(i);
            all.push(dropped);
        }
        for i in 0..=path.len() {
            let mut added = path.to_vec();
            added.insert(i, *path.first().unwrap_or(&Digest::ZERO));
            all.push(added);
        }
        all
    }

    #[test]
    fn every_inclusion_proof_holds_and_only_for_its_leaf_position_and_size() {
        let heads = heads(40);
        for size in 1..=40 {
            let log = &heads[..size as usize];
            let tree = head_of(log);
            for index in 0..size {
                let proof = inclusion_proof(log, index).unwrap();
                proof.verify(&log[index as usize], &tree).unwrap();
                for other in 0..42 {
                    if let Ok(moved) = InclusionProof::from_parts(other, size, proof.path.clone()) {
                        assert_eq!(
                            moved.verify(&log[index as usize], &tree).is_ok(),
                            other == index
                        );
                    }
                    if let Ok(grown) = InclusionProof::from_parts(index, other, proof.path.clone())
                    {
                        assert_eq!(
                            grown.verify(&log[index as usize], &tree).is_ok(),
                            other == size
                        );
                    }
                    if let Some(head) = heads.get(other as usize) {
                        assert_eq!(proof.verify(head, &tree).is_ok(), other == index);
                    }
                }
                for path in spoiled(&proof.path) {
                    let proof = InclusionProof::from_parts(index, size, path).unwrap();
                    assert!(proof.verify(&log[index as usize], &tree).is_err());
                }
            }
        }
    }

    #[test]
    fn every_consistency_proof_holds_and_only_for_its_sizes() {
        let heads = heads(40);
        let trees: Vec<_> = (0..=40).map(|n| head_of(&heads[..n])).collect();
        for new in 0..=40_usize {
            for old in 0..=new {
                let (was, is) = (trees[old], trees[new]);
                let proof = consistency_proof(&heads[..new], old as u64).unwrap();
                proof.verify(&was, &is).unwrap();
                for other in &trees {
                    assert_eq!(proof.verify(other, &is).is_ok(), *other == was);
                    if old > 0 {
                        // The empty log is a prefix of every log, whatever its root.
                        assert_eq!(proof.verify(&was, other).is_ok(), *other == is);
                    }
                    let lied = TreeHead { size: other.size, root: was.root };
                    assert_eq!(proof.verify(&lied, &is).is_ok(), lied == was);
                }
                assert!(proof.verify(&TreeHead { root: flip(&was.root, 9), ..was }, &is).is_err());
                for path in spoiled(&proof.path) {
                    let proof = ConsistencyProof::from_parts(old as u64, new as u64, path).unwrap();
                    assert!(proof.verify(&was, &is).is_err(), "{old} {new}");
                }
            }
        }
    }

    #[test]
    fn positions_and_sizes_are_bounded() {
        let heads = heads(3);
        assert_eq!(inclusion_proof(&heads, 3).unwrap_err().code(), Code::LogRange);
        assert_eq!(consistency_proof(&heads, 4).unwrap_err().code(), Code::LogRange);
        let short = heads.iter().copied().map(Ok);
        assert_eq!(inclusion_proof_from(short, 4, 0).unwrap_err().code(), Code::LogRange);
        assert_eq!(
            InclusionProof::from_parts(0, 0, Vec::new()).unwrap_err().code(),
            Code::LogRange
        );
        let long = alloc::vec![Digest::ZERO; 66];
        assert!(InclusionProof::from_parts(0, 9, long.clone()).is_err());
        assert!(ConsistencyProof::from_parts(1, 9, long).is_err());
        assert_eq!(siblings(0, u64::MAX).len(), LONGEST_INCLUSION);
        assert_eq!(prefix_cover((1 << 63) - 1, u64::MAX).len(), LONGEST_CONSISTENCY);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_breaks_a_proof(
            size in 2_u64..300, pick in any::<u64>(), bit in 0_usize..256, element in any::<usize>(),
        ) {
            let heads = heads(size);
            let tree = head_of(&heads);
            let index = pick % size;
            let head = heads[index as usize];
            let proof = inclusion_proof(&heads, index).unwrap();
            prop_assert!(proof.verify(&flip(&head, bit), &tree).is_err());
            let other = TreeHead { root: flip(&tree.root, bit), ..tree };
            prop_assert!(proof.verify(&head, &other).is_err());
            let mut bent = proof.clone();
            let at = element % bent.path.len();
            bent.path[at] = flip(&bent.path[at], bit);
            prop_assert!(bent.verify(&head, &tree).is_err());

            let was = head_of(&heads[..index as usize]);
            let mut bent = consistency_proof(&heads, index).unwrap();
            bent.verify(&was, &tree).unwrap();
            if !bent.path.is_empty() {
                let at = element % bent.path.len();
                bent.path[at] = flip(&bent.path[at], bit);
                prop_assert!(bent.verify(&was, &tree).is_err());
            }
        }

        #[test]
        fn no_bytes_make_a_verifier_do_more_than_refuse(
            old in any::<u64>(), new in any::<u64>(), length in 0_usize..66,
        ) {
            let path = heads(length as u64);
            let (was, is) = (head_of(&path), head_of(&path));
            if let Ok(proof) = ConsistencyProof::from_parts(old, new, path.clone()) {
                let verdict = proof.verify(&TreeHead { size: old, ..was }, &TreeHead { size: new, ..is });
                prop_assert!(verdict.is_err());
            }
            if let Ok(proof) = InclusionProof::from_parts(old, new, path) {
                let verdict = proof.verify(&Digest::ZERO, &TreeHead { size: new, ..is });
                prop_assert!(verdict.is_err());
            }
        }
    }
}
