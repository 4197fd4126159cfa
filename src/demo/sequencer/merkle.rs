//! Merkle trees as in RFC 6962, section 2: the root says which events there were, a proof that one of them was.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf. Leaves and inner nodes are hashed with different first bytes, so that neither passes for the
/// other.
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(data)
        .finalize()
        .into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// A tree with all its nodes, for proofs that cost no hashing.
#[derive(Debug, Default)]
pub struct Tree {
    /// From the leaves up to the root.
    levels: Vec<Vec<Hash>>,
}

/// A step of a proof: a neighbour's hash, and the side on which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whether the neighbour is the left one of the two.
    pub left: bool,
    /// Its hash.
    pub hash: Hash,
}

impl Tree {
    /// The tree over these leaves, of which there is at least one.
    pub fn new(leaves: Vec<Hash>) -> Tree {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last()
            && below.len() > 1
        {
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    // One that is left over goes up as it is.
                    alone => alone[0],
                })
                .collect();
            levels.push(above);
        }
        Tree { levels }
    }

    /// The hash over everything; nothing in a tree whose nodes are gone.
    pub fn root(&self) -> Option<&Hash> {
        self.levels.last()?.first()
    }

    /// The neighbours on the way from a leaf to the root; nothing if there is no such leaf.
    pub fn proof(&self, leaf: usize) -> Option<Vec<Step>> {
        self.levels.first()?.get(leaf)?;
        let mut at = leaf;
        let mut steps = Vec::new();
        for level in &self.levels {
            if let Some(&hash) = level.get(at ^ 1) {
                steps.push(Step {
                    left: at % 2 == 1,
                    hash,
                });
            }
            at /= 2;
        }
        Some(steps)
    }
}

/// A hash as text.
pub fn hex(hash: &Hash) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is defined in the RFC: split at the largest power of two.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [one] => *one,
            many => {
                let half = many.len().next_power_of_two() / 2;
                node(&defined(&many[..half]), &defined(&many[half..]))
            }
        }
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_rfc() {
        for count in 1..70 {
            let leaves = leaves(count);
            assert_eq!(
                Tree::new(leaves.clone()).root(),
                Some(&defined(&leaves)),
                "{count}"
            );
        }
    }

    #[test]
    fn a_root_that_is_known_elsewhere() {
        // The test vectors of the reference implementation of RFC 6962 (certificate-transparency, merkle_tree_test).
        assert_eq!(
            hex(&leaf(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let two = Tree::new(vec![leaf(b""), leaf(b"\0")]);
        assert_eq!(
            two.root().map(hex).as_deref(),
            Some("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")
        );
    }

    #[test]
    fn a_proof_leads_from_its_leaf_to_the_root_and_from_no_other() {
        for count in 1..40 {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone());
            for (at, own) in leaves.iter().enumerate() {
                let proof = tree.proof(at).expect("it is a leaf");
                let climb = |from: &Hash| {
                    proof.iter().fold(*from, |hash, step| {
                        if step.left {
                            node(&step.hash, &hash)
                        } else {
                            node(&hash, &step.hash)
                        }
                    })
                };
                assert_eq!(Some(&climb(own)), tree.root(), "{at} of {count}");
                assert_ne!(Some(&climb(&leaf(b"other"))), tree.root());
            }
            assert_eq!(tree.proof(leaves.len()), None);
        }
        assert_eq!((Tree::default().root(), Tree::default().proof(0)), (None, None));
    }
}
