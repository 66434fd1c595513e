//! Checking a package without the archive: authentic, or exactly what is not.

use super::{
    CUSTODY, FORMAT, INVENTORY, Inventory, KEYS, Listed, Record, SIGNATURE, STAMP,
    custody::CustodyExtract,
    signed,
    zip::{self, Reader},
};
use crate::{
    Authority, Proof, SnapshotId, StampFault,
    custody::manifest_hash,
    keys::{Handover, line_of},
    merkle::Hash,
    record,
    stamp::Stamp,
};
use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};
use fleet::{CameraId, Codec, Wall};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Seek},
};

/// Faults that are told one by one; what is beyond is counted.
const FAULTS_MAX: usize = 1000;

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Verdict {
    /// Nothing was found that is not as it was signed.
    pub authentic: bool,
    /// Everything that does not hold; empty if authentic.
    pub faults: Vec<Fault>,
    /// The node that made the package, as it says.
    pub node: String,
    /// The Ed25519 key that signed the package, hexadecimal. Compare it with the node's key as you know it.
    pub key: String,
    /// The node's keys before that, each of which handed over to the next.
    pub other_keys: BTreeSet<String>,
    /// When it was made.
    pub created: Option<Wall>,
    /// Who took it out, why, on which document.
    pub purpose: Option<super::Purpose>,
    /// Snapshots that hold.
    pub snapshots: Vec<Taken>,
    /// Scheduled snapshots that were not taken.
    pub gaps: u64,
    /// Time stamps over the manifests.
    pub stamps: Vec<Stamped>,
    /// Files checked.
    pub files: u64,
}

/// An authority's time stamp over a manifest: whatever the manifest covers was there at that time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Stamped {
    /// The manifest's file.
    pub manifest: String,
    /// The time that the authority states.
    pub at: Wall,
    /// Whether it was checked with the authority's certificate. If not, it is only what somebody says.
    pub checked: bool,
}

/// A snapshot whose every link holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Taken {
    /// Which.
    pub id: SnapshotId,
    /// Whose.
    pub camera: CameraId,
    /// The camera's name as the register had it.
    pub name: String,
    /// The instant it was wanted for.
    pub slot: Wall,
    /// When it arrived.
    pub captured: Wall,
    /// When it was sealed.
    pub sealed: Wall,
    /// The picture's file.
    pub file: String,
    /// What the camera had sent, if the node coded the picture anew before it was archived.
    pub converted_from: Option<Codec>,
}

/// One thing that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[error("{}{what}", file.as_ref().map(|f| format!("{f}: ")).unwrap_or_default())]
pub struct Fault {
    /// In which file of the package; `None` for the package as a whole.
    pub file: Option<String>,
    /// What.
    pub what: String,
}

/// Checks a package: its structure, the signature, every file, every proof, and the custody records; and time stamps,
/// if the certificate of the authority is given that made them.
///
/// # Errors
/// Only if reading fails. Whatever is wrong with the package is in the verdict.
pub fn verify_package(input: impl Read + Seek, authority: Option<&Authority>) -> io::Result<Verdict> {
    let mut check = Check { authority: authority.cloned(), ..Check::default() };
    match check.run(input) {
        Ok(()) => {}
        Err(Stop::Io(error)) => return Err(error),
        Err(Stop::Fault(fault)) => check.verdict.faults.push(fault),
    }
    check.verdict.faults.truncate(FAULTS_MAX);
    check.verdict.authentic = check.verdict.faults.is_empty();
    Ok(check.verdict)
}

/// The Ed25519 key of a PEM text such as `node.pub`, as hexadecimal text.
#[must_use]
pub fn public_key(pem: &str) -> Option<String> {
    let key = VerifyingKey::from_public_key_pem(pem).ok()?;
    Some(hex::encode(key.to_bytes()))
}

enum Stop {
    Io(io::Error),
    Fault(Fault),
}

impl From<zip::Fault> for Stop {
    fn from(fault: zip::Fault) -> Stop {
        match fault {
            zip::Fault::Io(error) => Stop::Io(error),
            other => Stop::Fault(Fault { file: None, what: other.to_string() }),
        }
    }
}

fn stop(file: &str, what: &str) -> Stop {
    Stop::Fault(Fault { file: Some(file.to_owned()), what: what.to_owned() })
}

#[derive(Default)]
struct Check {
    verdict: Verdict,
    /// Of each original: SHA-256 and length.
    originals: BTreeMap<String, (Hash, u64)>,
    manifests: BTreeMap<String, String>,
    records: Vec<(String, Record)>,
    handovers: Vec<Handover>,
    /// Tokens by the names of their files.
    stamps: Vec<(String, Vec<u8>)>,
    authority: Option<Authority>,
    names: BTreeSet<String>,
}

impl Check {
    fn run(&mut self, input: impl Read + Seek) -> Result<(), Stop> {
        let mut zip = Reader::open(input)?;
        let files = zip.files().to_vec();
        let [rest @ .., inventory, signature] = files.as_slice() else {
            return Err(zip::Fault::NotOurs.into());
        };
        if (inventory.name.as_str(), signature.name.as_str()) != (INVENTORY, SIGNATURE) {
            return Err(zip::Fault::NotOurs.into());
        }
        let inventory = zip.read(inventory)?;
        let signature = zip.read(signature)?;
        let inventory = self.inventory(&inventory, &signature)?;
        let listed = inventory.files.iter().map(|l| (l.name.as_str(), l.bytes));
        let found = rest.iter().map(|f| (f.name.as_str(), u64::from(f.bytes)));
        if !listed.eq(found) {
            return Err(stop(INVENTORY, "the files are not those that were signed"));
        }
        for (file, listed) in rest.iter().zip(&inventory.files) {
            if !self.names.insert(file.name.clone()) {
                return Err(stop(&file.name, "is there twice"));
            }
            let data = match zip.read(file) {
                Err(zip::Fault::Checksum(_)) => {
                    self.fault(&file.name, "was altered: its checksum is wrong");
                    continue;
                }
                read => read?,
            };
            self.verdict.files += 1;
            self.file(listed, &data);
        }
        let line = line_of(inventory.key, &self.handovers);
        self.verdict.other_keys = line.iter().filter(|key| **key != inventory.key).map(hex::encode).collect();
        for (name, record) in std::mem::take(&mut self.records) {
            self.record(&name, &record);
        }
        for (name, token) in std::mem::take(&mut self.stamps) {
            self.stamp(&name, &token);
        }
        if self.verdict.snapshots.len() as u64 != inventory.snapshots && self.verdict.faults.is_empty() {
            self.fault(INVENTORY, "the number of snapshots is not what was signed");
        }
        Ok(())
    }

    fn inventory(&mut self, bytes: &[u8], signature: &[u8]) -> Result<Inventory, Stop> {
        let inventory: Inventory =
            serde_json::from_slice(bytes).map_err(|_| stop(INVENTORY, "was altered: it cannot be read"))?;
        if (inventory.format.as_str(), inventory.hash.as_str(), inventory.signature.as_str())
            != (FORMAT, "sha256", "ed25519")
        {
            return Err(stop(INVENTORY, "is of a form that this program does not know"));
        }
        let altered = || stop(SIGNATURE, "the signature does not match package.json: one of the two was altered");
        let text = std::str::from_utf8(signature).ok().and_then(|s| s.strip_suffix('\n'));
        let text = text.and_then(|s| s.strip_prefix("ed25519 ")).ok_or_else(altered)?;
        let signature: [u8; 64] = crate::custody::lower_hex(text).ok_or_else(altered)?;
        let key = VerifyingKey::from_bytes(&inventory.key).map_err(|_| altered())?;
        key.verify_strict(&signed(bytes), &signature.into()).map_err(|_| altered())?;
        self.verdict.node.clone_from(&inventory.node);
        self.verdict.key = hex::encode(inventory.key);
        self.verdict.created = Some(inventory.created);
        self.verdict.purpose = Some(inventory.purpose.clone());
        self.verdict.gaps = inventory.gaps;
        Ok(inventory)
    }

    /// One file: first what was signed of it, then what it says.
    fn file(&mut self, listed: &Listed, data: &[u8]) {
        let name = listed.name.as_str();
        let sha256 = record::sha256(data);
        if sha256 != listed.sha256 {
            return self.fault(name, "was altered: its SHA-256 is not what was signed");
        }
        let text = || std::str::from_utf8(data).ok();
        if name.contains("/original.") {
            self.originals.insert(name.to_owned(), (sha256, data.len() as u64));
        } else if name.ends_with("/record.json") {
            match serde_json::from_slice(data) {
                Ok(record) => self.records.push((name.to_owned(), record)),
                Err(_) => self.fault(name, "cannot be read"),
            }
        } else if name.starts_with("manifests/") && name.ends_with(STAMP) {
            self.stamps.push((name.to_owned(), data.to_vec()));
        } else if name.starts_with("manifests/") {
            match text() {
                Some(text) => drop(self.manifests.insert(name.to_owned(), text.to_owned())),
                None => self.fault(name, "cannot be read"),
            }
        } else if name == KEYS {
            match serde_json::from_slice(data) {
                Ok(handovers) => self.handovers = handovers,
                Err(_) => self.fault(name, "cannot be read"),
            }
        } else if name == CUSTODY {
            let extract: Option<CustodyExtract> = serde_json::from_slice(data).ok();
            match extract.map(|e| e.first_altered()) {
                None => self.fault(name, "cannot be read"),
                Some(Some(seq)) => self.fault(name, &format!("record {seq} is not as it was logged")),
                Some(None) => {}
            }
        }
    }

    /// One snapshot: every link from its picture to a signed manifest, and that its words are those of its header.
    fn record(&mut self, name: &str, record: &Record) {
        let Some((sha256, length)) = self.originals.get(&record.original).copied() else {
            return self.fault(name, "its picture is missing or was altered");
        };
        let Some(manifest) = self.manifests.get(&record.proof.manifest).cloned() else {
            return self.fault(name, "its manifest is missing or was altered");
        };
        let proof = Proof {
            header: record.proof.header.clone(),
            leaf: record.proof.leaf,
            path: record.proof.path.clone(),
            seal: record.proof.seal.clone(),
            manifest,
        };
        match proof.verify_hash(&sha256, length) {
            Err(fault) => self.fault(name, &fault.to_string()),
            Ok((proven, header)) if proven.node != self.verdict.node || !says_the_same(record, &header) => {
                self.fault(name, "says something else than the archived record");
            }
            Ok((proven, _)) => {
                if proven.key != self.verdict.key && !self.verdict.other_keys.contains(&proven.key) {
                    let what = format!("its manifest is signed with {}, which did not hand over", proven.key);
                    return self.fault(name, &what);
                }
                self.verdict.snapshots.push(Taken {
                    id: proven.id,
                    camera: proven.camera,
                    name: record.label.name.clone(),
                    slot: proven.slot,
                    captured: proven.captured,
                    sealed: proven.sealed,
                    file: record.original.clone(),
                    converted_from: record.converted_from,
                });
            }
        }
    }

    /// A time stamp: of the manifest beside it, and of the authority that is believed.
    fn stamp(&mut self, name: &str, token: &[u8]) {
        let manifest = name.replace(STAMP, ".txt");
        let Some(text) = self.manifests.get(&manifest) else {
            return self.fault(name, "its manifest is missing or was altered");
        };
        let hash = manifest_hash(text);
        let Some(stamp) = Stamp::parse(token) else { return self.fault(name, &StampFault::Malformed.to_string()) };
        if !stamp.is_of(&hash) {
            return self.fault(name, &StampFault::OtherImprint.to_string());
        }
        let checked = match self.authority.as_ref().map(|authority| stamp.check(authority)) {
            Some(Err(fault)) => return self.fault(name, &fault.to_string()),
            checked => checked.is_some(),
        };
        self.verdict.stamps.push(Stamped { manifest, at: stamp.at, checked });
    }

    fn fault(&mut self, file: &str, what: &str) {
        // Bounded: a hostile package may have as many faults as files.
        if self.verdict.faults.len() <= FAULTS_MAX {
            self.verdict.faults.push(Fault { file: Some(file.to_owned()), what: what.to_owned() });
        }
    }
}

fn says_the_same(record: &Record, header: &record::Header) -> bool {
    let record::About::Snapshot(taken) = &header.about else { return false };
    record.id == SnapshotId::new(header.camera, header.slot, &header.sha256)
        && (record.camera, record.slot) == (header.camera, header.slot)
        && (record.captured, record.camera_clock) == (taken.captured, taken.camera_clock)
        && (record.class, record.codec, record.stream) == (taken.class, taken.codec, taken.stream)
        && record.converted_from == taken.converted_from
        && (record.width, record.height) == (taken.width, taken.height)
        && (record.status, record.cause) == (taken.status, taken.cause)
}
