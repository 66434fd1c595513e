//! Proof that one snapshot was archived and not altered since, checkable without the archive.
//!
//! The picture's SHA-256 stands in its record's header; the header is a leaf of its segment's Merkle tree; the tree's
//! root stands in the segment's seal; the seal's SHA-256 stands in a manifest signed by the node. What it does not
//! prove is that the camera was truthful, or that the key was not stolen.

use crate::{
    ArchiveError, SnapshotId,
    custody::{Manifest, lower_hex},
    folder::Folder,
    merkle::{self, Hash},
    record::{self, About, HEADER, HeaderBytes, array_at},
    row::Row,
    seal::{SEAL, Seal},
    segment::{self, Found},
};
use fleet::{CameraId, Wall};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Everything that links one picture to a signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// The record's header as stored, hexadecimal.
    #[serde(with = "hex")]
    pub header: Vec<u8>,
    /// Place of the header among the leaves of the segment's tree, from 0.
    pub leaf: u64,
    /// Hashes from the leaf to the root, nearest first, hexadecimal.
    pub path: Vec<String>,
    /// The segment's seal as stored, hexadecimal.
    #[serde(with = "hex")]
    pub seal: Vec<u8>,
    /// The manifest that names the seal, with its signature, as stored.
    pub manifest: String,
}

/// What a proof that holds says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Proven {
    /// Which snapshot.
    pub id: SnapshotId,
    /// Whose.
    pub camera: CameraId,
    /// The instant it was wanted for.
    pub slot: Wall,
    /// When it arrived.
    pub captured: Wall,
    /// When its segment was sealed.
    pub sealed: Wall,
    /// The node that sealed it.
    pub node: String,
    /// The Ed25519 key that signed, hexadecimal. Compare it with the node's key as you know it: anyone can sign with
    /// a key of their own.
    pub key: String,
}

/// Which link does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofFault {
    /// The picture is not the one that the record's header speaks of.
    #[error("the picture was altered: its SHA-256 is not that of the record")]
    Picture,
    /// The header is damaged or is no snapshot's.
    #[error("the record's header was altered")]
    Header,
    /// The header is not a leaf of the tree under the seal.
    #[error("the record is not one of those under the seal")]
    Path,
    /// The seal is damaged.
    #[error("the segment's seal was altered")]
    Seal,
    /// The manifest does not name the seal.
    #[error("the manifest does not name this seal")]
    NotNamed,
    /// The manifest says that the node does not know to have written the record.
    #[error("the record was found in the archive's folder at a start, and the node does not know to have written it")]
    Unvouched,
    /// The manifest is damaged, or its signature does not match.
    #[error("the manifest was altered or its signature does not match")]
    Manifest,
}

impl Proof {
    /// Goes through every link from the picture to the signature.
    ///
    /// # Errors
    /// The first link that does not hold.
    pub fn verify(&self, picture: &[u8]) -> Result<Proven, ProofFault> {
        self.verify_hash(&record::sha256(picture), picture.len() as u64).map(|(proven, _)| proven)
    }

    /// As [`verify`](Proof::verify), for a picture of which SHA-256 and length are known.
    pub(crate) fn verify_hash(&self, sha256: &Hash, length: u64) -> Result<(Proven, record::Header), ProofFault> {
        let header: &HeaderBytes = self.header.as_slice().try_into().map_err(|_| ProofFault::Header)?;
        let seal: &[u8; SEAL] = self.seal.as_slice().try_into().map_err(|_| ProofFault::Seal)?;
        let seal = Seal::decode(seal).filter(|s| s.encode() == *seal).ok_or(ProofFault::Seal)?;
        let offset = u64::from_le_bytes(array_at(header, 88));
        let record = record::Header::decode(header, seal.number, offset).map_err(|_| ProofFault::Header)?;
        if record.encode() != *header {
            return Err(ProofFault::Header);
        }
        let About::Snapshot(taken) = &record.about else { return Err(ProofFault::Header) };
        if *sha256 != record.sha256 || length != u64::from(record.payload) {
            return Err(ProofFault::Picture);
        }
        let path: Vec<Hash> =
            self.path.iter().map(|text| lower_hex(text)).collect::<Option<_>>().ok_or(ProofFault::Path)?;
        if merkle::root_from_path(merkle::leaf(header), self.leaf, u64::from(seal.records), &path) != Some(seal.root) {
            return Err(ProofFault::Path);
        }
        let manifest = Manifest::parse(&self.manifest).map_err(|_| ProofFault::Manifest)?;
        let named = |s: &&crate::custody::Sealed| s.segment == seal.number && s.seal == seal.hash();
        let Some(named) = manifest.sealed.iter().find(named) else { return Err(ProofFault::NotNamed) };
        if named.unvouched.iter().any(|[from, until]| (*from..*until).contains(&offset)) {
            return Err(ProofFault::Unvouched);
        }
        let proven = Proven {
            id: SnapshotId::new(record.camera, record.slot, &record.sha256),
            camera: record.camera,
            slot: record.slot,
            captured: taken.captured,
            sealed: seal.sealed,
            node: manifest.node,
            key: hex::encode(manifest.key),
        };
        Ok((proven, record))
    }
}

/// Puts the proof for one row together from its segment and the manifests.
pub(crate) fn make(folder: &Folder, path: &Path, row: &Row) -> Result<Proof, ArchiveError> {
    let (number, offset) = row.place();
    let damaged = |what: &str| ArchiveError::Damaged { segment: number, offset, what: what.to_owned() };
    let look = segment::look(path, number).map_err(ArchiveError::io("read", path))?;
    let Found::Sealed(seal, footer) = look else { return Err(ArchiveError::NotSealed) };
    let at = footer.kept.iter().position(|k| k.offset == offset).ok_or_else(|| damaged("not in the footer"))?;
    let header: &[u8; HEADER] = &footer.kept[at].header;
    if *header != row.header.encode() {
        return Err(damaged("the footer speaks of another record"));
    }
    let path = merkle::path(&footer.leaves(), at).into_iter().map(hex::encode).collect();
    let manifest = naming(folder, &seal)?.ok_or(ArchiveError::NotSealed)?;
    Ok(Proof { header: header.to_vec(), leaf: at as u64, path, seal: seal.encode().to_vec(), manifest })
}

/// The manifest that names a seal: usually of the day of sealing, later if the clock was stepped back.
fn naming(folder: &Folder, seal: &Seal) -> Result<Option<String>, ArchiveError> {
    let mut days = Folder::days(&folder.manifests(), "txt")?;
    let sealed = crate::folder::Day::of(seal.sealed);
    days.sort_unstable_by_key(|day| (day.0 - sealed.0).unsigned_abs());
    for day in days {
        let path = folder.manifest(day);
        let text = fs::read_to_string(&path).map_err(ArchiveError::io("read", &path))?;
        if Manifest::of_day(&text, day).is_ok_and(|m| m.sealed.iter().any(|s| s.seal == seal.hash())) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}
