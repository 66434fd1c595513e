//! The Merkle tree of RFC 6962 §2.1 over a segment's record headers, with SHA-256.
//!
//! A leaf is a record's header as stored, which contains the SHA-256 of its picture: so the root binds every picture
//! without the pictures being read again. The prefixes 0x00 and 0x01 keep leaves and inner nodes apart.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// The hash of one leaf.
pub(crate) fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over leaf hashes. Of no leaves it is the SHA-256 of nothing, as the RFC says.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The hashes that lead from leaf `at` to the root, nearest first. Empty if there is no such leaf.
pub(crate) fn path(leaves: &[Hash], at: usize) -> Vec<Hash> {
    if at >= leaves.len() || leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) =
        if at < left.len() { (path(left, at), root(right)) } else { (path(right, at - left.len()), root(left)) };
    below.push(beside);
    below
}

/// The root that this leaf, place, size and path lead to; `None` if they do not fit together (RFC 9162 §2.1.3.2).
pub(crate) fn root_from_path(leaf: Hash, at: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if at >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (at, size - 1, leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two below `count`, which is at least two.
fn split(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The eight leaves and roots of Certificate Transparency's reference tests.
    #[test]
    fn roots_match_the_published_vectors() {
        let data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves: Vec<Hash> = data.iter().map(|d| leaf(&hex::decode(d).unwrap())).collect();
        for (count, expected) in roots.iter().enumerate() {
            assert_eq!(hex::encode(root(&leaves[..=count])), *expected);
        }
    }

    proptest! {
        #[test]
        fn a_path_leads_to_the_root_and_no_other_leaf_does(size in 1usize..70, at: prop::sample::Index, other: [u8; 32]) {
            let leaves: Vec<Hash> = (0..size).map(|i| leaf(&i.to_le_bytes())).collect();
            let at = at.index(size);
            let way = path(&leaves, at);
            let place = at as u64;
            prop_assert_eq!(root_from_path(leaves[at], place, size as u64, &way), Some(root(&leaves)));
            prop_assert_ne!(root_from_path(other, place, size as u64, &way), Some(root(&leaves)));
            if !way.is_empty() {
                prop_assert_eq!(root_from_path(leaves[at], place, size as u64, &way[1..]), None);
            }
            prop_assert_eq!(root_from_path(leaves[at], size as u64, size as u64, &way), None);
        }
    }
}
