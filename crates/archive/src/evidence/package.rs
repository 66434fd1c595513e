//! Writing a package, file by file.

use super::{
    CUSTODY, FORMAT, GAPS, INVENTORY, Inclusion, Inventory, KEYS, LEFT_OUT, Listed, Record, SIGNATURE, STAMP,
    VERIFIER_PAGE, cover, custody::CustodyExtract, signed, zip,
};
use crate::{
    Archive, ArchiveError, Gap, Proof, Snapshot, SnapshotId,
    custody::{Manifest, manifest_hash},
    folder::{Day, Folder},
    keys::Handover,
    record::sha256,
    stamp::Stamp,
};
use ed25519_dalek::{Signer as _, SigningKey};
use fleet::{Codec, Wall};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Who takes snapshots out, why, and on whose word. Signed with the package.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Purpose {
    /// Number of the export.
    pub number: String,
    /// Who: name to sign in with, full name and unit.
    pub by: String,
    /// Why 事由.
    pub reason: String,
    /// Number of the approval document 审批文号.
    pub document: String,
    /// Who approved it, where a second person must.
    pub approved_by: Option<String>,
    /// What was asked for, in words.
    pub asked: String,
}

/// What the register says of a camera; the archive knows only its number.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Label {
    /// Name.
    pub name: String,
    /// Town and site.
    pub place: String,
    /// GB/T 28181 code, if it has one.
    pub gb_code: Option<String>,
}

/// A package being written.
pub struct Package {
    path: PathBuf,
    folder: Folder,
    zip: zip::Writer<Hashing<BufWriter<File>>>,
    key: SigningKey,
    handovers: Vec<Handover>,
    node: String,
    purpose: Purpose,
    created: Wall,
    files: Vec<Listed>,
    manifests: BTreeMap<String, String>,
    snapshots: Vec<cover::Row>,
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A snapshot that is not in the package although it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub id: SnapshotId,
    /// Why.
    pub why: String,
}

/// A finished package.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
}

impl Archive {
    /// Begins an evidence package in a new file, which only this user may read.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the file exists or cannot be made.
    pub fn package(&self, path: &Path, purpose: Purpose, now: Wall) -> Result<Package, ArchiveError> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(ArchiveError::io("create", path))?;
        let (key, node) = self.signing();
        let handovers = crate::custody::history(&self.folder(), &self.signing().0)?.handovers;
        Ok(Package {
            path: path.to_owned(),
            folder: self.folder(),
            zip: zip::Writer::new(Hashing { out: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new() }),
            key,
            handovers,
            node,
            purpose,
            created: now,
            files: Vec::new(),
            manifests: BTreeMap::new(),
            snapshots: Vec::new(),
        })
    }
}

impl Package {
    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.zip.bytes()
    }

    /// Adds a snapshot with its proof, and a rendering if it could be made. Writes to the disk: not for async tasks.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] if the proof does not hold for this picture: nothing that cannot be verified is
    /// taken out. [`ArchiveError::Io`] if the file cannot be written or the package gets too large.
    pub fn add(
        &mut self,
        snapshot: &Snapshot,
        proof: &Proof,
        label: Label,
        rendering: Option<&[u8]>,
    ) -> Result<(), ArchiveError> {
        let reference = &snapshot.reference;
        let damaged = |what: String| ArchiveError::Damaged { segment: 0, offset: 0, what };
        let proven = proof.verify(&snapshot.data).map_err(|fault| damaged(fault.to_string()))?;
        if proven.id != reference.id {
            return Err(damaged("the proof is of another snapshot".to_owned()));
        }
        let day = Manifest::parse(&proof.manifest).map_err(|fault| damaged(fault.to_string()))?.day;
        // The day's manifest may have been signed again between two proofs: both stay, under names of their own.
        let manifest = match self.manifests.iter().find(|(_, text)| **text == proof.manifest) {
            Some((name, _)) => name.clone(),
            None => {
                let same_day = self.manifests.keys().filter(|n| n.contains(&day)).count();
                let name = match same_day {
                    0 => format!("manifests/{day}.txt"),
                    more => format!("manifests/{day}-{more}.txt"),
                };
                self.manifests.insert(name.clone(), proof.manifest.clone());
                name
            }
        };
        let at = jiff::Timestamp::from_millisecond(reference.slot.0).unwrap_or_default();
        let folder = format!("snapshots/{}-{}-{}", reference.camera, at.strftime("%Y%m%dT%H%M%SZ"), reference.id);
        let extension = match reference.codec {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Jpeg => "jpg",
        };
        let record = Record {
            id: reference.id,
            camera: reference.camera,
            label,
            stream: reference.stream,
            slot: reference.slot,
            captured: reference.captured,
            camera_clock: reference.camera_clock,
            class: reference.class,
            codec: reference.codec,
            converted_from: reference.converted_from,
            width: reference.width,
            height: reference.height,
            status: reference.status,
            cause: reference.cause,
            original: format!("{folder}/original.{extension}"),
            rendering: rendering.is_some().then(|| format!("{folder}/rendering.jpg")),
            proof: Inclusion {
                header: proof.header.clone(),
                leaf: proof.leaf,
                path: proof.path.clone(),
                seal: proof.seal.clone(),
                manifest,
            },
        };
        self.put(&record.original, &snapshot.data)?;
        if let (Some(name), Some(jpeg)) = (&record.rendering, rendering) {
            self.put(name, jpeg)?;
        }
        self.put(&format!("{folder}/record.json"), &json(&record))?;
        self.snapshots.push(cover::Row::of(&record, reference));
        Ok(())
    }

    /// Writes the rest, signs, and flushes the file to the disk.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if that fails; the file is of no use then.
    pub fn finish(
        mut self,
        gaps: &[Gap],
        left_out: &[LeftOut],
        custody: &CustodyExtract,
    ) -> Result<Exported, ArchiveError> {
        for (name, text) in std::mem::take(&mut self.manifests) {
            self.put(&name, text.as_bytes())?;
            if let Some(token) = self.stamp_of(&text) {
                self.put(&name.replace(".txt", STAMP), &token)?;
            }
        }
        self.put(KEYS, &json(&self.handovers.clone()))?;
        self.put(GAPS, &json(&gaps))?;
        self.put(LEFT_OUT, &json(&left_out))?;
        self.put(CUSTODY, &json(custody))?;
        let key = self.key.verifying_key().to_bytes();
        let page =
            cover::page(&self.purpose, &self.node, &key, self.created, &self.snapshots, (gaps, left_out), custody);
        self.put("cover.html", page.as_bytes())?;
        self.put("verify.html", VERIFIER_PAGE.as_bytes())?;
        let inventory = Inventory {
            format: FORMAT.to_owned(),
            node: self.node.clone(),
            key,
            hash: "sha256".to_owned(),
            signature: "ed25519".to_owned(),
            created: self.created,
            snapshots: self.snapshots.len() as u64,
            gaps: missed(gaps),
            purpose: self.purpose.clone(),
            files: std::mem::take(&mut self.files),
        };
        let inventory = json(&inventory);
        let signature = hex::encode(self.key.sign(&signed(&inventory)).to_bytes());
        self.put(INVENTORY, &inventory)?;
        self.put(SIGNATURE, format!("ed25519 {signature}\n").as_bytes())?;
        let path = self.path;
        let failed = |e| ArchiveError::io("write", &path)(e);
        let bytes_before = self.zip.bytes();
        let Hashing { out, hash } = self.zip.finish().map_err(failed)?;
        let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        debug_assert!(bytes > bytes_before);
        Ok(Exported { bytes, sha256: hash.finalize().into() })
    }

    /// The time stamp over a manifest. One of a day that is not over has none yet.
    fn stamp_of(&self, manifest: &str) -> Option<Vec<u8>> {
        let day = Day::parse(&Manifest::parse(manifest).ok()?.day)?;
        let token = std::fs::read(self.folder.stamp(day)).ok()?;
        Stamp::parse(&token).is_some_and(|stamp| stamp.is_of(&manifest_hash(manifest))).then_some(token)
    }

    fn put(&mut self, name: &str, data: &[u8]) -> Result<(), ArchiveError> {
        self.zip.add(name, data).map_err(ArchiveError::io("write", &self.path))?;
        self.files.push(Listed { name: name.to_owned(), bytes: data.len() as u64, sha256: sha256(data) });
        Ok(())
    }
}

/// For how many slots gaps stand.
pub(super) fn missed(gaps: &[Gap]) -> u64 {
    gaps.iter().map(|gap| u64::from(gap.slots)).sum()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("numbers and strings always serialize");
    text.push(b'\n');
    text
}

/// Hashes what it passes on.
struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
