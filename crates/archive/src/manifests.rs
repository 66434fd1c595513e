//! The manifests for whoever keeps copies of them outside: reading them, and holding a copy against the archive.
//!
//! Needs neither the key nor the lock: it reads what the writer put in place as a whole.

use crate::{
    ArchiveError,
    custody::{Manifest, manifest_hash},
    folder::{Day, Folder},
    keys::line_of,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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
        let parsed = Manifest::of_day(&text, day);
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
/// named, everything after it must follow from it, and its key must have signed that or have handed over to what did.
/// Empty if so.
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
    let parsed: Vec<_> = now[at..].iter().map(|m| Manifest::parse(&m.text)).collect();
    // The key as it was handed on from the copy.
    let mut key = kept.key;
    match &parsed[0] {
        Err(fault) => differences.push(format!("manifest {}: {fault}", kept.day)),
        Ok(present) => {
            if !line_of(present.key, &present.handovers).contains(&key) {
                differences.push(format!("manifest {} is signed with another key", kept.day));
            }
            key = present.key;
            if present.previous != kept.previous {
                differences.push(format!("manifest {} refers to another manifest before it", kept.day));
            }
            let seals: BTreeMap<u64, _> = present.sealed.iter().map(|s| (s.segment, s.seal)).collect();
            for sealed in kept.sealed.iter().filter(|s| seals.get(&s.segment) != Some(&s.seal)) {
                differences.push(format!("segment {} is not what it was when the copy was kept", sealed.segment));
            }
            let purged: BTreeSet<u64> = present.purged.iter().map(|p| p.segment).collect();
            for gone in kept.purged.iter().filter(|p| !purged.contains(&p.segment)) {
                differences.push(format!("that segment {} was dropped is not on record any more", gone.segment));
            }
            // The log only grows: at the same number there must be the same hash.
            let audit = kept.audit.as_ref().zip(present.audit.as_ref());
            if kept.audit.is_some() && audit.is_none_or(|(a, b)| b.seq < a.seq || (a.seq == b.seq && a.hash != b.hash))
            {
                differences.push("the audit log was shortened or written anew".to_owned());
            }
        }
    }
    for (before, (named, parsed)) in now[at..].iter().zip(now[at..].iter().zip(&parsed).skip(1)) {
        match (parsed, &named.fault) {
            (Ok(next), None) => {
                if hex::encode(next.previous) != before.hash {
                    differences.push(format!("manifest {} does not refer to the one before it", named.day));
                }
                if !line_of(next.key, &next.handovers).contains(&key) {
                    let what = "is signed with another key, to which the key before did not hand over";
                    differences.push(format!("manifest {} {what}", named.day));
                }
                key = next.key;
            }
            (_, Some(fault)) => differences.push(format!("manifest {}: {fault}", named.day)),
            (Err(fault), None) => differences.push(format!("manifest {}: {fault}", named.day)),
        }
    }
    Ok(differences)
}
