//! Custody: the node's key, and the signed daily manifests of what was sealed and what was purged.
//!
//! A manifest is two lines of text: one JSON object, and `ed25519` with the signature over the bytes of the first
//! line. It names every segment sealed that day with Merkle root and seal, every segment purged with its reason, and
//! the SHA-256 of the manifest before it. So whoever keeps one manifest outside (printed, sent away) can show later
//! that nothing sealed before it was altered, added or taken away. Manifests outlive the segments they speak of.
//!
//! This shows alterations by anyone who has the files but not the key. Whoever has both can write another history
//! from any manifest that nobody kept a copy of.

use crate::{
    ArchiveError,
    folder::{Day, Folder, replace_file},
    holds::HoldsHead,
    index::Catalogued,
    keys::{self, Handover, Missing},
    mark::Witness,
    merkle::Hash,
};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use fleet::Wall;
use health::SnapshotClass;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use vault::Keyring;

const VERSION: u32 = 1;

/// What one manifest says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u32,
    pub(crate) node: String,
    pub(crate) day: String,
    /// How roots and seals are hashed.
    hash: String,
    /// SHA-256 of the first line of the manifest before; zeros for the first.
    #[serde(with = "hex")]
    pub(crate) previous: Hash,
    /// The key that signs.
    #[serde(with = "hex")]
    pub(crate) key: [u8; 32],
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) purged: Vec<Purged>,
    /// Changes of the key that signs, this day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) handovers: Vec<Handover>,
    /// The seal that those of this manifest go on from, if the manifests before it are of a key that was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<SealHead>,
    /// The holds: whoever takes some away contradicts this, and then nothing is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holds: Option<HoldsHead>,
    /// How far the audit log had come: whoever shortens it or writes it anew contradicts this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<AuditHead>,
}

/// A seal by its place in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct SealHead {
    position: u64,
    #[serde(with = "hex")]
    seal: Hash,
}

/// A record of the audit log: its number and its hash, which covers all before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AuditHead {
    pub(crate) seq: u64,
    #[serde(with = "hex")]
    pub(crate) hash: Hash,
}

/// A segment sealed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) segment: u64,
    pub(crate) position: u64,
    pub(crate) file: String,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    #[serde(with = "hex")]
    pub(crate) root: Hash,
    #[serde(with = "hex")]
    pub(crate) seal: Hash,
    /// Parts of it, in bytes from and until, that were found at a start and that this node does not know to have written:
    /// nothing in them can be proved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unvouched: Vec<[u64; 2]>,
}

/// A segment dropped by retention.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Purged {
    pub(crate) segment: u64,
    pub(crate) at: Wall,
    pub(crate) records: u64,
    pub(crate) oldest: Wall,
    pub(crate) newest: Wall,
    pub(crate) reason: String,
    /// Since there are rules by class and place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) classes: Vec<SnapshotClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
}

/// Why a manifest cannot be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ManifestFault {
    #[error("not a manifest")]
    Malformed,
    #[error("a manifest of a newer version")]
    Version,
    #[error("the signature does not match")]
    Signature,
    #[error("a manifest of another day lies under this name")]
    OtherDay,
}

impl Manifest {
    /// Reads and verifies the two lines.
    pub(crate) fn parse(text: &str) -> Result<Manifest, ManifestFault> {
        let (body, rest) = text.split_once('\n').ok_or(ManifestFault::Malformed)?;
        let signature = rest.strip_suffix('\n').and_then(|r| r.strip_prefix("ed25519 "));
        let signature: [u8; 64] = signature.and_then(lower_hex).ok_or(ManifestFault::Malformed)?;
        let manifest: Manifest = serde_json::from_str(body).map_err(|_| ManifestFault::Malformed)?;
        if manifest.version > VERSION {
            return Err(ManifestFault::Version);
        }
        let key = VerifyingKey::from_bytes(&manifest.key).map_err(|_| ManifestFault::Signature)?;
        key.verify_strict(body.as_bytes(), &signature.into()).map_err(|_| ManifestFault::Signature)?;
        Ok(manifest)
    }

    /// Reads and verifies what lies under the name of a day.
    pub(crate) fn of_day(text: &str, day: Day) -> Result<Manifest, ManifestFault> {
        let manifest = Manifest::parse(text)?;
        if manifest.day == day.to_string() { Ok(manifest) } else { Err(ManifestFault::OtherDay) }
    }

    fn text(&self, key: &SigningKey) -> String {
        let body = serde_json::to_string(self).expect("numbers and strings always serialize");
        let signature = hex::encode(key.sign(body.as_bytes()).to_bytes());
        format!("{body}\ned25519 {signature}\n")
    }
}

/// Bytes as exactly the hexadecimal text that we write: capitals would be another text for the same bytes, and an
/// alteration that nobody sees.
pub(crate) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = hex::decode(text).ok()?.try_into().ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

/// What the next manifest refers to.
pub(crate) fn manifest_hash(text: &str) -> Hash {
    Sha256::digest(text.split('\n').next().unwrap_or_default()).into()
}

/// Keeps the newest manifest, and signs.
pub(crate) struct Custody {
    folder: Folder,
    node: String,
    key: SigningKey,
    ring: Option<Keyring>,
    /// The newest manifest and its day. Older ones are never written again, even if the clock steps back to them.
    newest: Option<(Day, Manifest)>,
    /// What a manifest of a new day refers to.
    last: Hash,
    /// Position and hash of the last seal that a manifest names.
    head: (u64, Hash),
    /// Highest segment number that manifests speak of, as far as they were read.
    highest: u64,
    /// Segments that this node has not sealed and that no manifest names: none ever will.
    strangers: BTreeSet<u64>,
    /// Parts of segments yet to be put on record that this node does not know to have written.
    unvouched: BTreeMap<u64, Vec<[u64; 2]>>,
}

impl Custody {
    /// Reads the key, or makes it at first start, and the newest manifests. What the newest says goes on being signed,
    /// and its purges are finished: so it must be this node's own.
    pub(crate) fn open(
        folder: &Folder,
        node: &str,
        ring: Option<&Keyring>,
        missing: Missing,
        now: Wall,
    ) -> Result<Custody, ArchiveError> {
        let key = keys::read_or_make(folder, ring, missing)?;
        let mut custody = Custody {
            folder: folder.clone(),
            node: node.to_owned(),
            key,
            ring: ring.cloned(),
            newest: None,
            last: [0; 32],
            head: (0, [0; 32]),
            highest: 0,
            strangers: BTreeSet::new(),
            unvouched: BTreeMap::new(),
        };
        let mut line = BTreeSet::new();
        for day in Folder::days(&folder.manifests(), "txt")?.into_iter().rev() {
            let path = folder.manifest(day);
            let text = fs::read(&path).map_err(ArchiveError::io("read", &path))?;
            let text = String::from_utf8_lossy(&text);
            let parsed = Manifest::of_day(&text, day);
            if custody.last == [0; 32] {
                custody.last = manifest_hash(&text);
            }
            match parsed {
                Ok(manifest) => {
                    if custody.newest.is_none() {
                        custody.finish_change_of_key(&manifest)?;
                        line.insert(custody.key.verifying_key().to_bytes());
                        if !line.contains(&manifest.key) && missing == Missing::Refuse {
                            return Err(custody.other_key(&path, &manifest));
                        }
                    }
                    if !line.contains(&manifest.key) && missing == Missing::Refuse {
                        // The check names it. Nothing is taken from it.
                        tracing::error!(%day, "a manifest is signed with a key that is not of this node");
                        continue;
                    }
                    keys::lengthen(&mut line, &manifest.handovers);
                    let numbers = manifest.sealed.iter().map(|s| s.segment);
                    let numbers = numbers.chain(manifest.purged.iter().map(|p| p.segment));
                    custody.highest = custody.highest.max(numbers.max().unwrap_or(0));
                    let last = manifest.sealed.iter().max_by_key(|s| s.position);
                    let head = last.map(|s| (s.position, s.seal));
                    let head = head.or(manifest.after.map(|after| (after.position, after.seal)));
                    if custody.newest.is_none() {
                        custody.newest = Some((day, manifest));
                    }
                    if let Some(head) = head {
                        custody.head = head;
                        break;
                    }
                }
                Err(fault) => {
                    // It stays as evidence under another name; the next manifest refers to it as it is.
                    tracing::error!(%day, %fault, "manifest damaged");
                    let aside = path.with_extension("damaged");
                    fs::rename(&path, &aside).map_err(ArchiveError::io("rename", &path))?;
                }
            }
        }
        if custody.newest.is_none() {
            keys::drop_next(folder)?;
        }
        if missing == Missing::Replace {
            custody.begin_anew(now)?;
        }
        Ok(custody)
    }

    fn other_key(&self, path: &Path, manifest: &Manifest) -> ArchiveError {
        ArchiveError::OtherKey {
            path: path.to_owned(),
            found: hex::encode(manifest.key),
            ours: hex::encode(self.key.verifying_key().to_bytes()),
        }
    }

    /// After a key was lost: the first manifest of the new one refers to the last of the old one and takes over nothing
    /// of what that says.
    fn begin_anew(&mut self, now: Wall) -> Result<(), ArchiveError> {
        let day = match &self.newest {
            Some((_, manifest)) if manifest.key == self.key.verifying_key().to_bytes() => return Ok(()),
            Some((day, _)) => Day(day.0.saturating_add(1)).max(Day::of(now)),
            None => return Ok(()),
        };
        let mut manifest = self.fresh(day);
        manifest.after = Some(SealHead { position: self.head.0, seal: self.head.1 });
        self.put(day, manifest)
    }

    /// A change of key that a crash interrupted counts if a manifest tells of it.
    fn finish_change_of_key(&mut self, newest: &Manifest) -> Result<(), ArchiveError> {
        let Some(next) = keys::next(&self.folder, self.ring.as_ref())? else { return Ok(()) };
        if newest.key == next.verifying_key().to_bytes() {
            keys::adopt_next(&self.folder, &next, self.ring.as_ref())?;
            self.key = next;
            return Ok(());
        }
        keys::drop_next(&self.folder)
    }

    /// Signs with a new key from now on, which the present one names in the day's manifest. Hands back both, old first.
    pub(crate) fn change_key(&mut self, now: Wall) -> Result<[[u8; 32]; 2], ArchiveError> {
        let next = keys::make_next(&self.folder, self.ring.as_ref())?;
        let handover = Handover::new(&self.key, &next, now);
        let both = [handover.from, handover.to];
        let old = std::mem::replace(&mut self.key, next.clone());
        if let Err(error) = self.write(now, |manifest| manifest.handovers.push(handover)) {
            self.key = old;
            keys::drop_next(&self.folder)?;
            return Err(error);
        }
        keys::adopt_next(&self.folder, &next, self.ring.as_ref())?;
        Ok(both)
    }

    /// The key that signs, for evidence packages.
    pub(crate) fn key(&self) -> SigningKey {
        self.key.clone()
    }

    /// Gives this node's word for what it writes.
    pub(crate) fn witness(&self) -> Witness {
        Witness::new(&self.key)
    }

    /// A segment that this node has not sealed and that no manifest names.
    pub(crate) fn leave_out(&mut self, number: u64) {
        self.strangers.insert(number);
    }

    /// Whether a segment is one of those.
    pub(crate) fn leaves_out(&self, number: u64) -> bool {
        self.strangers.contains(&number)
    }

    /// Parts of a segment that this node does not know to have written: the manifest will say so.
    pub(crate) fn do_not_vouch(&mut self, number: u64, parts: Vec<[u64; 2]>) {
        self.unvouched.insert(number, parts);
    }

    /// Position and hash of the last seal on record.
    pub(crate) fn head(&self) -> (u64, Hash) {
        self.head
    }

    /// Highest segment number on record.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Segments whose purge the newest manifest records. One that a crash interrupted is among them.
    pub(crate) fn newest_purges(&self) -> impl Iterator<Item = u64> {
        self.newest.iter().flat_map(|(_, manifest)| manifest.purged.iter().map(|p| p.segment))
    }

    /// Puts the seals of the catalog on record that are not yet. Called again after an error, it catches up.
    pub(crate) fn catch_up<'a>(
        &mut self,
        catalog: impl Iterator<Item = &'a Catalogued>,
        now: Wall,
    ) -> Result<(), ArchiveError> {
        let new = catalog.filter(|c| c.position > self.head.0 && !self.strangers.contains(&c.number));
        let mut new: Vec<&Catalogued> = new.collect();
        new.sort_unstable_by_key(|c| c.position);
        let Some(last) = new.last() else { return Ok(()) };
        let head = (last.position, last.seal);
        let sealed = new.iter().map(|c| Sealed {
            segment: c.number,
            position: c.position,
            file: c.file.clone(),
            records: c.records,
            bytes: c.bytes,
            root: c.root,
            seal: c.seal,
            unvouched: self.unvouched.get(&c.number).cloned().unwrap_or_default(),
        });
        let sealed: Vec<Sealed> = sealed.collect();
        self.write(now, |manifest| manifest.sealed.extend(sealed))?;
        self.head = head;
        Ok(())
    }

    /// Puts a purge on record, before it is done.
    pub(crate) fn purge(&mut self, purged: Purged) -> Result<(), ArchiveError> {
        let known = self.newest.iter().any(|(_, m)| m.purged.iter().any(|p| p.segment == purged.segment));
        if known {
            return Ok(());
        }
        self.write(purged.at, |manifest| manifest.purged.push(purged))
    }

    /// Names how far the audit log has come.
    pub(crate) fn anchor(&mut self, head: AuditHead, now: Wall) -> Result<(), ArchiveError> {
        let named = self.newest.iter().any(|(_, m)| m.audit.is_some_and(|a| a.seq >= head.seq));
        if named { Ok(()) } else { self.write(now, |manifest| manifest.audit = Some(head)) }
    }

    /// What the newest manifest says of the holds.
    pub(crate) fn holds(&self) -> Option<&HoldsHead> {
        self.newest.as_ref().and_then(|(_, manifest)| manifest.holds.as_ref())
    }

    /// Names the holds as they are.
    pub(crate) fn name_holds(&mut self, head: HoldsHead, now: Wall) -> Result<(), ArchiveError> {
        if self.holds() == Some(&head) { Ok(()) } else { self.write(now, |manifest| manifest.holds = Some(head)) }
    }

    fn write(&mut self, now: Wall, change: impl FnOnce(&mut Manifest)) -> Result<(), ArchiveError> {
        let today = Day::of(now);
        let (day, mut manifest) = match &self.newest {
            Some((day, manifest)) if *day >= today => (*day, manifest.clone()),
            _ => (today, self.fresh(today)),
        };
        change(&mut manifest);
        self.put(day, manifest)
    }

    fn fresh(&self, day: Day) -> Manifest {
        Manifest {
            version: VERSION,
            node: self.node.clone(),
            day: day.to_string(),
            hash: "sha256".to_owned(),
            previous: self.last,
            key: [0; 32],
            sealed: Vec::new(),
            purged: Vec::new(),
            handovers: Vec::new(),
            after: None,
            holds: self.newest.as_ref().and_then(|(_, manifest)| manifest.holds.clone()),
            audit: None,
        }
    }

    fn put(&mut self, day: Day, mut manifest: Manifest) -> Result<(), ArchiveError> {
        manifest.key = self.key.verifying_key().to_bytes();
        let text = manifest.text(&self.key);
        let path = self.folder.manifest(day);
        replace_file(&path, text.as_bytes(), 0o644).map_err(ArchiveError::io("write", path))?;
        self.last = manifest_hash(&text);
        self.newest = Some((day, manifest));
        Ok(())
    }
}

/// Every segment that some manifest of this node says was sealed, and whether it was purged. `key` is the node's own:
/// from the newest manifest back those count which it or a key that handed over to it has signed.
pub(crate) fn history(folder: &Folder, key: &SigningKey) -> Result<History, ArchiveError> {
    let line = BTreeSet::from([key.verifying_key().to_bytes()]);
    let mut history = History { line, ..History::default() };
    for day in Folder::days(&folder.manifests(), "txt")?.into_iter().rev() {
        let path = folder.manifest(day);
        let text = fs::read(&path).map_err(ArchiveError::io("read", &path))?;
        // What cannot be believed is named by the check.
        let Ok(manifest) = Manifest::of_day(&String::from_utf8_lossy(&text), day) else { continue };
        if !history.line.contains(&manifest.key) {
            continue;
        }
        keys::lengthen(&mut history.line, &manifest.handovers);
        history.sealed.extend(manifest.sealed.into_iter().map(|s| (s.segment, s)));
        history.purged.extend(manifest.purged.into_iter().map(|p| (p.segment, p)));
        history.handovers.extend(manifest.handovers);
    }
    Ok(history)
}

/// What all manifests together say.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) sealed: BTreeMap<u64, Sealed>,
    pub(crate) purged: BTreeMap<u64, Purged>,
    pub(crate) handovers: Vec<Handover>,
    /// The node's key and those that led to it.
    pub(crate) line: BTreeSet<[u8; 32]>,
}
