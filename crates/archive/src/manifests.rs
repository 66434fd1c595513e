//! The manifests for whoever keeps copies of them outside: reading them, and holding a copy against the archive.
//!
//! Needs neither the key nor the lock: it reads what the writer put in place as a whole.

use crate::{
    ArchiveError,
    custody::{Manifest, manifest_hash},
    folder::{Day, Folder},
};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// One day's manifest as it is stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ManifestText {
    /// The UTC day, like `2026-11-24`.
    pub day: String,
    /// Two lines: what it says, and the signature.
    pub text: String,
    /// SHA-256 of the first line, to which the next manifest refers: short enough to be read out and written down.
    pub hash: String,
    /// Why it cannot be believed, if so.
    pub fault: Option<String>,
    /// The head of the audit log that it names: number and hash.
    pub audit: Option<(u64, String)>,
}

/// Every manifest of an archive folder, oldest first.
///
/// # Errors
/// [`ArchiveError::Io`] if the folder cannot be read.
pub fn manifests(folder: &Path) -> Result<Vec<ManifestText>, ArchiveError> {
    let folder = Folder::new(folder);
    let read = |day: Day| {
        let path = folder.manifest(day);
        let text = fs::read_to_string(&path).map_err(ArchiveError::io("read", &path))?;
        let parsed = Manifest::parse(&text);
        let audit = parsed.as_ref().ok().and_then(|m| m.audit.as_ref());
        Ok(ManifestText {
            day: day.to_string(),
            hash: hex::encode(manifest_hash(&text)),
            audit: audit.map(|a| (a.seq, hex::encode(a.hash))),
            fault: parsed.err().map(|f| f.to_string()),
            text,
        })
    };
    Folder::days(&folder.manifests(), "txt")?.into_iter().map(read).collect()
}

/// Holds a manifest that was kept outside against the archive as it is now: everything that it names must still be
/// named, and everything after it must follow from it. Empty if so.
///
/// # Errors
/// [`ArchiveError::Io`] if the folder cannot be read; [`ArchiveError::Invalid`] if the copy is no manifest.
pub fn compare_manifest(folder: &Path, copy: &str) -> Result<Vec<String>, ArchiveError> {
    let kept = Manifest::parse(copy)
        .map_err(|_| ArchiveError::Invalid("the copy is not a manifest, or was altered since it was kept"))?;
    let now = manifests(folder)?;
    let mut differences = Vec::new();
    let Some(at) = now.iter().position(|m| m.day == kept.day) else {
        return Ok(vec![format!("the archive has no manifest of {} any more", kept.day)]);
    };
    match Manifest::parse(&now[at].text) {
        Err(fault) => differences.push(format!("manifest {}: {fault}", kept.day)),
        Ok(present) => {
            if present.key != kept.key {
                differences.push(format!("manifest {} is signed with another key", kept.day));
            }
            if present.previous != kept.previous {
                differences.push(format!("manifest {} refers to another manifest before it", kept.day));
            }
            let seals: BTreeMap<u64, _> = present.sealed.iter().map(|s| (s.segment, s.seal)).collect();
            for sealed in kept.sealed.iter().filter(|s| seals.get(&s.segment) != Some(&s.seal)) {
                differences.push(format!("segment {} is not what it was when the copy was kept", sealed.segment));
            }
            // The log only grows: at the same number there must be the same hash.
            let audit = kept.audit.as_ref().zip(present.audit.as_ref());
            if kept.audit.is_some() && audit.is_none_or(|(a, b)| b.seq < a.seq || (a.seq == b.seq && a.hash != b.hash))
            {
                differences.push("the audit log was shortened or written anew".to_owned());
            }
        }
    }
    for pair in now[at..].windows(2) {
        match Manifest::parse(&pair[1].text) {
            Ok(next) if hex::encode(next.previous) == pair[0].hash => {}
            Ok(_) => differences.push(format!("manifest {} does not refer to the one before it", pair[1].day)),
            Err(fault) => differences.push(format!("manifest {}: {fault}", pair[1].day)),
        }
    }
    Ok(differences)
}
