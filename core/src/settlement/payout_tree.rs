//! The Merkle tree by which payees prove on chain what they have earned.
//!
//! The tree is that of OpenZeppelin's `StandardMerkleTree` (`@openzeppelin/merkle-tree` 1.x, format
//! `standard-v1`), so that its `MerkleProof` contract verifies the proofs and its JavaScript loads
//! the [dump](PayoutTree::dump). Keccak-256 throughout.

use alloc::vec::Vec;

use crate::crypto::{Address, Digest, keccak256};
use crate::error::{Code, Error, Result};

/// What one payee has earned in one token since the beginning. Cumulative, so that a later tree
/// replaces an earlier one and a payee who skipped some loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutLeaf {
    /// Who is paid.
    pub payee: Address,
    /// The token, by its contract.
    pub token: Address,
    /// Everything ever earned, in atomic units of the token. A `uint256` on chain.
    pub cumulative: u128,
}

impl PayoutLeaf {
    /// The leaf's hash: `keccak256(keccak256(abi.encode(payee, token, cumulative)))`. Hashed twice,
    /// so that no inner node can pass for a leaf.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let inner = keccak256(&[
            &self.payee.word(),
            &self.token.word(),
            &[0; 16],
            &self.cumulative.to_be_bytes(),
        ]);
        keccak256(&[inner.bytes()])
    }
}

/// A tree over payout leaves, with at most one leaf per payee and token. It depends on the set of
/// leaves only, not on their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutTree {
    /// The root first; the children of node `i` are nodes `2 i + 1` and `2 i + 2`.
    nodes: Vec<Digest>,
    /// By payee and token.
    leaves: Vec<PlacedLeaf>,
}

/// A leaf and the position of its hash among the tree's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedLeaf {
    /// The leaf. In the dump: `value`.
    pub leaf: PayoutLeaf,
    /// The position of its hash, counted from the root at 0. In the dump: `treeIndex`.
    pub tree_index: usize,
}

/// What `StandardMerkleTree.load` reads, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutTreeDump {
    /// `standard-v1`.
    pub format: &'static str,
    /// The Solidity types of a leaf's fields. On the wire: `leafEncoding`.
    pub leaf_encoding: [&'static str; 3],
    /// All nodes, the root first.
    pub tree: Vec<Digest>,
    /// The leaves, by payee and token.
    pub values: Vec<PlacedLeaf>,
}

impl PayoutTree {
    /// Builds the tree.
    ///
    /// # Errors
    /// [`Code::SharesInvalid`] where there is no leaf, or a payee has two leaves in one token.
    pub fn new(mut leaves: Vec<PayoutLeaf>) -> Result<Self> {
        leaves.sort_unstable();
        if leaves.is_empty() {
            return Err(Error::new(Code::SharesInvalid).because("a payout tree needs a payee"));
        }
        let twice = leaves.windows(2).find_map(|pair| match pair {
            [a, b] if (a.payee, a.token) == (b.payee, b.token) => Some(a.payee),
            _ => None,
        });
        if let Some(payee) = twice {
            return Err(Error::new(Code::SharesInvalid)
                .value(payee)
                .because("the payee has two leaves in one token"));
        }

        let mut hashes: Vec<_> = leaves.iter().map(PayoutLeaf::hash).zip(0usize..).collect();
        hashes.sort_unstable();

        // Built from the end: the leaves by ascending hash, then each pair's parent, up to the root.
        let mut nodes: Vec<Digest> = hashes.iter().map(|(hash, _)| *hash).collect();
        let mut pairs = 0usize;
        while let Some([a, b]) = nodes.get(pairs..).and_then(<[Digest]>::first_chunk) {
            let parent = node_hash(a, b);
            nodes.push(parent);
            pairs = pairs.saturating_add(2);
        }
        nodes.reverse();

        let mut placed: Vec<_> =
            leaves.iter().map(|leaf| PlacedLeaf { leaf: *leaf, tree_index: 0 }).collect();
        for ((_, leaf), tree_index) in hashes.iter().zip((0..nodes.len()).rev()) {
            if let Some(placed) = placed.get_mut(*leaf) {
                placed.tree_index = tree_index;
            }
        }
        Ok(PayoutTree { nodes, leaves: placed })
    }

    /// The root, which goes on chain.
    #[must_use]
    pub fn root(&self) -> Digest {
        // There is a leaf, hence a root.
        self.nodes.first().copied().unwrap_or(Digest::ZERO)
    }

    /// The leaves, by payee and token.
    #[must_use]
    pub fn leaves(&self) -> &[PlacedLeaf] {
        &self.leaves
    }

    /// The leaf of this payee and token with its proof for [`verify_payout`]: the siblings from the
    /// leaf's up to the root's child. [`None`] where the payee has no leaf.
    #[must_use]
    pub fn proof(&self, payee: Address, token: Address) -> Option<(PayoutLeaf, Vec<Digest>)> {
        let found = self
            .leaves
            .binary_search_by_key(&(payee, token), |placed| (placed.leaf.payee, placed.leaf.token));
        let placed = self.leaves.get(found.ok()?)?;
        let mut proof = Vec::new();
        let mut index = placed.tree_index;
        // The children of node `p` are `2 p + 1` and `2 p + 2`.
        while let Some(below) = index.checked_sub(1) {
            let sibling = if below & 1 == 0 { index.checked_add(1)? } else { below };
            proof.push(*self.nodes.get(sibling)?);
            index = below >> 1;
        }
        Some((placed.leaf, proof))
    }

    /// The tree as `StandardMerkleTree.load` reads it.
    #[must_use]
    pub fn dump(&self) -> PayoutTreeDump {
        PayoutTreeDump {
            format: "standard-v1",
            leaf_encoding: ["address", "address", "uint256"],
            tree: self.nodes.clone(),
            values: self.leaves.clone(),
        }
    }
}

/// Checks that the tree of this root has this leaf.
///
/// # Errors
/// [`Code::ProofInvalid`] where the proof leads elsewhere.
pub fn verify_payout(root: &Digest, leaf: &PayoutLeaf, proof: &[Digest]) -> Result<()> {
    let reached = proof.iter().fold(leaf.hash(), |node, sibling| node_hash(&node, sibling));
    if reached == *root { Ok(()) } else { Err(Error::new(Code::ProofInvalid).value(reached)) }
}

/// The hash of a pair, the smaller one first.
fn node_hash(a: &Digest, b: &Digest) -> Digest {
    keccak256(&[a.min(b).bytes(), a.max(b).bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

    /// Payee `n` has the address of 20 bytes `n` and earned `1000 n`, the third the most there is.
    fn leaves(n: u8) -> Vec<PayoutLeaf> {
        (1..=n)
            .map(|i| PayoutLeaf {
                payee: Address::new([i; 20]),
                token: USDC.parse().unwrap(),
                cumulative: if i == 3 { u128::MAX } else { u128::from(i) * 1000 },
            })
            .collect()
    }

    fn digests(all: &[&str]) -> Vec<Digest> {
        all.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Known answers of `@openzeppelin/merkle-tree` 1.0.8 for the leaves above.
    #[test]
    fn roots_are_those_of_the_javascript_library() {
        for (n, root) in [
            (1, "0x5fa2cb6948c941a2ecbfb61670236e29d7fa890b193d6d817c556c8086e9374d"),
            (2, "0xfdfced99214077357fdb88d481844d6602b3d210354246315ae67db615be2a19"),
            (3, "0x188c7dacdb16429a124e23b03f6180e8f9d8780cbd943ebdf7cc1e860465028b"),
            (5, "0x902ee4a70ec062e095fef040c783c63f9a95df15b882fad61e7b19f4c5c52413"),
        ] {
            assert_eq!(PayoutTree::new(leaves(n)).unwrap().root(), root.parse().unwrap());
        }
    }

    #[test]
    fn proofs_are_those_of_the_javascript_library() {
        let tree = PayoutTree::new(leaves(5)).unwrap();
        let proof = |i: u8| tree.proof(Address::new([i; 20]), USDC.parse().unwrap()).unwrap().1;
        assert_eq!(
            proof(1),
            digests(&[
                "0xb18e6245ee2b29b91a8904fc3f1e8ecd0a9d10b8e8b436ac87a20fdbdf62dcd3",
                "0x8925c4b943e688b20b3ebaef09dd8eaf7ccbe05b13bc22c3e405ff782ac64534",
            ])
        );
        assert_eq!(
            proof(3),
            digests(&[
                "0x4414741c78d50a96d16919f2c7ee7811beabcc5c5525e68f0b34cf914fe7daa5",
                "0xb61ba3f2df1bd421d5342f302834eb87c7ad685356afe2cbc580d4b276ec5902",
                "0x294a0d575322b214f63009e66e9ff7f13514631d959f5bcbe44ab6fa26489305",
            ])
        );
    }

    #[test]
    fn the_dump_is_that_of_the_javascript_library() {
        let dump = PayoutTree::new(leaves(3)).unwrap().dump();
        assert_eq!(dump.format, "standard-v1");
        assert_eq!(dump.leaf_encoding, ["address", "address", "uint256"]);
        assert_eq!(
            dump.tree,
            digests(&[
                "0x188c7dacdb16429a124e23b03f6180e8f9d8780cbd943ebdf7cc1e860465028b",
                "0xe10a1ba9a7478c63ac4048888d2d5e074df5109b0c0e8b532c551af9c1b77a55",
                "0xb61ba3f2df1bd421d5342f302834eb87c7ad685356afe2cbc580d4b276ec5902",
                "0x5fa2cb6948c941a2ecbfb61670236e29d7fa890b193d6d817c556c8086e9374d",
                "0x34594af3e0b1add9ce90f3babc9f8ef9df5eb397ccd3af5cf92bd4aeb956520a",
            ])
        );
        assert_eq!(dump.values.iter().map(|v| v.tree_index).collect::<Vec<_>>(), [3, 2, 4]);
        assert_eq!(dump.values.iter().map(|v| v.leaf).collect::<Vec<_>>(), leaves(3));
    }

    #[test]
    fn no_leaf_and_two_leaves_of_one_payee_are_refused() {
        assert_eq!(PayoutTree::new(vec![]).unwrap_err().code(), Code::SharesInvalid);
        let mut twice = leaves(3);
        twice.push(PayoutLeaf { cumulative: 7, ..twice[0] });
        assert_eq!(PayoutTree::new(twice).unwrap_err().code(), Code::SharesInvalid);
        let mut two_tokens = leaves(3);
        two_tokens.push(PayoutLeaf { token: Address::ZERO, ..two_tokens[0] });
        assert!(PayoutTree::new(two_tokens).is_ok());
    }

    #[test]
    fn a_stranger_has_no_proof_and_an_inner_node_is_no_leaf() {
        let tree = PayoutTree::new(leaves(3)).unwrap();
        assert_eq!(tree.proof(Address::new([9; 20]), USDC.parse().unwrap()), None);
        let (leaf, proof) = tree.proof(Address::new([1; 20]), USDC.parse().unwrap()).unwrap();
        let error = verify_payout(&tree.root(), &leaf, &proof[1..]).unwrap_err();
        assert_eq!(error.code(), Code::ProofInvalid);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_leaf_is_proven_in_any_order_and_nothing_else_is(
            amounts in prop::collection::btree_map((any::<[u8; 20]>(), 0u8..3), any::<u128>(), 1..40),
            change in 1u128..,
        ) {
            let mut leaves: Vec<_> = amounts.iter().map(|((payee, token), cumulative)| PayoutLeaf {
                payee: Address::new(*payee),
                token: Address::new([*token; 20]),
                cumulative: *cumulative,
            }).collect();
            let tree = PayoutTree::new(leaves.clone()).unwrap();
            leaves.reverse();
            prop_assert_eq!(&tree, &PayoutTree::new(leaves.clone()).unwrap());
            prop_assert_eq!(tree.leaves().len(), leaves.len());
            for leaf in leaves {
                let (found, proof) = tree.proof(leaf.payee, leaf.token).unwrap();
                prop_assert_eq!(found, leaf);
                verify_payout(&tree.root(), &leaf, &proof).unwrap();
                let other = PayoutLeaf { cumulative: leaf.cumulative.wrapping_add(change), ..leaf };
                prop_assert!(verify_payout(&tree.root(), &other, &proof).is_err());
            }
        }
    }
}
