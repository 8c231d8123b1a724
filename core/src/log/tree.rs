//! Hashing of leaves and nodes (RFC 6962 section 2.1) and the growing edge of a tree.

use alloc::vec::Vec;

use crate::crypto::{Digest, sha256};
use crate::error::{Code, Error, Result};

/// The root of a tree without leaves: the SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Digest {
    sha256(&[])
}

/// The hash of a leaf: SHA-256(0x00 ‖ data).
pub(crate) fn leaf_hash(data: &[u8]) -> Digest {
    sha256(&[&[0], data])
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub(super) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.bytes(), right.bytes()])
}

/// How many leaves the left subtree of a tree of `size` ≥ 2 leaves has: the largest power of two
/// below `size`.
pub(super) fn split(size: u64) -> u64 {
    size.div_ceil(2).next_power_of_two()
}

/// A state of a log: how many leaves, and the root over them.
///
/// A root alone does not fix the size: in trees of 3 and of 4 leaves the first one has a path of the
/// same shape. Proofs are therefore verified against both, as a checkpoint signs both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// The growing edge of a Merkle tree: the roots of its perfect subtrees, largest first.
///
/// This is all that appending and the root need: one digest for each bit set in the size, at most
/// 64. It works like a binary counter, at an amortised cost of two hashes for each leaf.
///
/// ```
/// use counterfoil::crypto::sha256;
/// use counterfoil::log::Frontier;
///
/// let mut log = Frontier::new();
/// log.append(&sha256(&[b"first head"]))?;
/// log.append(&sha256(&[b"second head"]))?;
/// let restored = Frontier::from_peaks(log.size(), log.peaks().to_vec())?;
/// assert_eq!(restored.root(), log.root());
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a frontier from its size and its [peaks](Self::peaks).
    ///
    /// # Errors
    /// [`Code::LogRange`] if there is not one peak for each bit set in `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Result<Self> {
        if u32::try_from(peaks.len()) == Ok(size.count_ones()) {
            Ok(Frontier { size, peaks })
        } else {
            Err(Error::new(Code::LogRange).value(size).because("peaks do not fit the size"))
        }
    }

    /// Appends one head digest as the data of the next leaf.
    ///
    /// # Errors
    /// [`Code::LogRange`] if the log already has 2⁶⁴ − 1 leaves; it is then unchanged.
    pub fn append(&mut self, head: &Digest) -> Result<()> {
        self.append_hash(leaf_hash(head.bytes()))
    }

    /// Appends a leaf that is hashed already.
    pub(crate) fn append_hash(&mut self, leaf: Digest) -> Result<()> {
        let size = self.size.checked_add(1);
        let size = size.ok_or_else(|| Error::new(Code::LogRange).because("the log is full"))?;
        // Each one bit that the increment carries over is a perfect subtree that finds its sibling.
        let mut peak = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                peak = node_hash(&left, &peak);
            }
        }
        self.peaks.push(peak);
        self.size = size;
        Ok(())
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first: one for each bit set in the size.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The Merkle tree hash of all leaves (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Digest {
        let join = |right: Digest, left: &Digest| node_hash(left, &right);
        match self.peaks.split_last() {
            Some((last, larger)) => larger.iter().rev().fold(*last, join),
            None => empty_root(),
        }
    }

    /// Size and root together.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The recursive definition of RFC 6962 section 2.1, over hashed leaves.
    pub(crate) fn naive_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let mut k = 1;
                while 2 * k < leaves.len() {
                    k *= 2;
                }
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    pub(crate) fn heads(n: u64) -> Vec<Digest> {
        (0..n).map(|i| sha256(&[&i.to_be_bytes()])).collect()
    }

    /// The leaves and roots of the Certificate Transparency reference implementation's tests.
    #[test]
    fn reference_roots() {
        let leaves: [&[u8]; 8] =
            [b"", &[0x00], &[0x10], b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"];
        let roots = [
            "0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "0xfac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "0xaeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "0xd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "0x4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "0x76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "0xddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "0x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut log = Frontier::new();
        assert_eq!(
            log.root().to_string(),
            "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in leaves.iter().zip(roots) {
            log.append_hash(leaf_hash(leaf)).unwrap();
            assert_eq!(log.root().to_string(), root);
        }
    }

    #[test]
    fn the_frontier_equals_the_recursive_definition() {
        let heads = heads(200);
        let hashed: Vec<_> = heads.iter().map(|h| leaf_hash(h.bytes())).collect();
        let mut log = Frontier::new();
        for n in 0..=heads.len() {
            assert_eq!(log.root(), naive_root(&hashed[..n]), "size {n}");
            assert_eq!(Frontier::from_peaks(log.size(), log.peaks().to_vec()).unwrap(), log);
            if let Some(head) = heads.get(n) {
                log.append(head).unwrap();
            }
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(Frontier::from_peaks(3, heads(1)).unwrap_err().code(), Code::LogRange);
        let mut full = Frontier::from_peaks(u64::MAX, heads(64)).unwrap();
        let before = full.clone();
        assert_eq!(full.append(&Digest::ZERO).unwrap_err().code(), Code::LogRange);
        assert_eq!(full, before);
        assert_eq!([2, 3, 4, 5, 8, 9].map(split), [1, 2, 2, 4, 4, 8]);
        assert_eq!(split(u64::MAX), 1 << 63);
    }
}
