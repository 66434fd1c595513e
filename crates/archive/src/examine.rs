//! Looking at one snapshot link by link, from its picture to the newest manifest: what an auditor watches.

use crate::{
    Archive, ArchiveError, Proof, ProofFault, SnapshotId,
    custody::{Manifest, history, manifest_hash},
    folder::{Day, Folder},
    keys::line_of,
    merkle,
    seal::{SEAL, Seal},
};
use ed25519_dalek::SigningKey;
use fleet::Wall;
use serde::Serialize;
use std::fs;

/// One snapshot under the glass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Examination {
    /// The links in their order.
    pub steps: Vec<Step>,
    /// The segment that holds the snapshot, and the number of records in it; none before it is sealed.
    pub segment: Option<(u64, u32)>,
    /// When the segment was sealed.
    pub sealed: Option<Wall>,
    /// Hashes from the record to the segment's root.
    pub path: Vec<String>,
    /// The node's name in the manifest.
    pub node: Option<String>,
}

/// One link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Step {
    /// Which.
    pub link: Link,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What was found: a hash, a day, a key; or what does not fit.
    pub found: String,
}

/// The links from a picture to what can be kept outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The picture's SHA-256 is that of its record.
    Picture,
    /// The record is as it was written.
    Record,
    /// The record is a leaf of its segment's Merkle tree.
    Tree,
    /// The root is that of the segment's seal.
    Seal,
    /// A manifest names the seal.
    Manifest,
    /// The manifest is signed with the node's key.
    Signature,
    /// Every later manifest refers to the one before it.
    Chain,
}

impl Link {
    /// Every link, from the picture outwards.
    pub const ALL: [Link; 7] =
        [Link::Picture, Link::Record, Link::Tree, Link::Seal, Link::Manifest, Link::Signature, Link::Chain];
}

/// What was seen of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// An earlier link failed, or the segment is not sealed yet.
    NotReached,
}

impl Archive {
    /// Goes through every link of one snapshot, reading it anew.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`]; [`ArchiveError::Io`] if a file cannot be read. That a link does not hold is no error.
    pub async fn examine(&self, id: &SnapshotId) -> Result<Examination, ArchiveError> {
        let mut seen = Examination { steps: Vec::new(), segment: None, sealed: None, path: Vec::new(), node: None };
        let picture = match self.read(id).await {
            Ok(snapshot) => snapshot,
            Err(ArchiveError::Damaged { what, .. }) => return Ok(seen.fails(Link::Picture, what)),
            Err(other) => return Err(other),
        };
        let sha256 = hex::encode(picture.reference.sha256);
        let proof = match self.proof(id).await {
            Ok(proof) => proof,
            Err(ArchiveError::NotSealed) => {
                seen.holds(Link::Picture, sha256);
                seen.holds(Link::Record, String::new());
                return Ok(seen.rest());
            }
            Err(ArchiveError::Damaged { what, .. }) => {
                seen.holds(Link::Picture, sha256);
                return Ok(seen.fails(Link::Record, what));
            }
            Err(other) => return Err(other),
        };
        let (folder, key) = (self.folder(), self.signing().0);
        tokio::task::spawn_blocking(move || look(seen, &folder, &key, &picture.data, sha256, &proof))
            .await
            .map_err(|_| ArchiveError::Closed)?
    }
}

fn look(
    mut seen: Examination,
    folder: &Folder,
    ours: &SigningKey,
    picture: &[u8],
    sha256: String,
    proof: &Proof,
) -> Result<Examination, ArchiveError> {
    let seal = <&[u8; SEAL]>::try_from(proof.seal.as_slice()).ok().and_then(Seal::decode);
    if let Some(seal) = &seal {
        (seen.segment, seen.sealed) = (Some((seal.number, seal.records)), Some(seal.sealed));
    }
    seen.path.clone_from(&proof.path);
    let manifest = Manifest::parse(&proof.manifest).ok();
    let named = manifest.as_ref().map_or(String::new(), |m| m.day.clone());
    let key = manifest.as_ref().map_or(String::new(), |m| hex::encode(m.key));
    let line = history(folder, ours)?.line;
    let stranger = manifest.as_ref().is_some_and(|m| !line.contains(&m.key));
    seen.node = manifest.map(|m| m.node);
    let hash = |hash: Option<merkle::Hash>| hash.map_or(String::new(), hex::encode);
    let broken = proof.verify(picture).err();
    let found = [
        (Link::Picture, sha256),
        (Link::Record, hex::encode(merkle::leaf(&proof.header))),
        (Link::Tree, hash(seal.as_ref().map(|s| s.root))),
        (Link::Seal, hash(seal.as_ref().map(Seal::hash))),
        (Link::Manifest, named.clone()),
        (Link::Signature, key),
    ];
    let at = broken.map(|fault| match fault {
        ProofFault::Picture => Link::Picture,
        ProofFault::Header => Link::Record,
        ProofFault::Path => Link::Tree,
        ProofFault::Seal => Link::Seal,
        ProofFault::NotNamed | ProofFault::Unvouched => Link::Manifest,
        ProofFault::Manifest => Link::Signature,
    });
    for (link, found) in found {
        match (at, broken) {
            (Some(at), Some(fault)) if at == link => return Ok(seen.fails(link, fault.to_string())),
            _ if link == Link::Signature && stranger => {
                let what =
                    format!("signed with {found}, which is neither this node's key nor one that handed over to it");
                return Ok(seen.fails(link, what));
            }
            _ => seen.holds(link, found),
        }
    }
    match chain(folder, &named)? {
        Ok(told) => seen.holds(Link::Chain, told),
        Err(told) => return Ok(seen.fails(Link::Chain, told)),
    }
    Ok(seen)
}

/// Whether every manifest from `day` on refers to the one before it; says how many and up to which.
fn chain(folder: &Folder, day: &str) -> Result<Result<String, String>, ArchiveError> {
    let days: Vec<Day> = Folder::days(&folder.manifests(), "txt")?;
    let mut before: Option<merkle::Hash> = None;
    let mut key: Option<[u8; 32]> = None;
    let (mut count, mut newest) = (0, String::new());
    for named in days.into_iter().filter(|d| d.to_string().as_str() >= day) {
        let path = folder.manifest(named);
        let text = fs::read_to_string(&path).map_err(ArchiveError::io("read", &path))?;
        match Manifest::of_day(&text, named) {
            Err(fault) => return Ok(Err(format!("manifest {named}: {fault}"))),
            Ok(manifest) if before.is_some_and(|hash| manifest.previous != hash) => {
                return Ok(Err(format!("manifest {named} does not refer to the one before it")));
            }
            Ok(manifest) if key.is_some_and(|k| !line_of(manifest.key, &manifest.handovers).contains(&k)) => {
                return Ok(Err(format!("manifest {named} is signed with a key that was not handed over to")));
            }
            Ok(manifest) => key = Some(manifest.key),
        }
        before = Some(manifest_hash(&text));
        count += 1;
        newest = named.to_string();
    }
    Ok(Ok(format!("{count} · {newest} · {}", before.map_or(String::new(), hex::encode))))
}

impl Examination {
    fn holds(&mut self, link: Link, found: String) {
        self.steps.push(Step { link, outcome: Outcome::Holds, found });
    }

    fn fails(mut self, link: Link, found: String) -> Examination {
        self.steps.push(Step { link, outcome: Outcome::Fails, found });
        self.rest()
    }

    /// What comes after was not looked at.
    fn rest(mut self) -> Examination {
        for link in Link::ALL.into_iter().skip(self.steps.len()) {
            self.steps.push(Step { link, outcome: Outcome::NotReached, found: String::new() });
        }
        self
    }

    /// Whether every link holds.
    #[must_use]
    pub fn holds_throughout(&self) -> bool {
        self.steps.iter().all(|s| s.outcome == Outcome::Holds)
    }
}
