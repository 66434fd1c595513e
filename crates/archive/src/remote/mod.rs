//! Sealed segments as objects of an S3-compatible store: put there, read back and verified, and only then may the local
//! copy go.
//!
//! What stays here of a segment whose pictures are in the store only is its skeleton, a sparse file with the ending
//! `.far`: opening, gaps, footer and seal at their places. So proofs, retention, the index and its rebuild need no
//! store; a picture is read from it by range. The store is never asked to be right about anything: what comes back is
//! verified as what the disk gives is.
//!
//! What this never does: rely on conditional writes (stores differ in them), overwrite one segment with another (the
//! name carries the Merkle root), or delete what no manifest says was purged.

mod connect;
mod keeper;
mod skeleton;
mod store;

pub(crate) use keeper::run;
pub(crate) use skeleton::{far_path, hollow_out, is_far, make_skeleton};
pub(crate) use store::{Away, Store, Upload};

use crate::{
    ArchiveError,
    folder::{Folder, replace_file},
    merkle::Hash,
};
use fleet::{Secret, Wall};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// Longest wait for the store before a local copy goes.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

/// An S3-compatible store, and what is kept of it here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteConfig {
    /// Where it answers, like `https://s3.county.example:9000`.
    pub endpoint: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// What the store calls its region; most that are not Amazon's take any.
    pub region: String,
    /// Beginning of all names in the bucket; empty for none. The node's name follows.
    pub folder: String,
    /// Name of the account.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
    /// Pictures of a segment leave the local disk so many days after they were taken, once the store has them.
    pub local_days: u32,
    /// Most bytes of segments on the local disk. Above it the oldest that the store has leave; while the store takes
    /// none, this bounds what waits for it, and then new snapshots are refused. `None` for as much as the disk has.
    pub local_bytes: Option<u64>,
}

/// How the store fares.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RemoteStats {
    /// Whether it answers.
    pub state: RemoteState,
    /// Why not, if not; or what is wrong with what it has.
    pub detail: String,
    /// Segments that it has, read back and verified.
    pub stored: u64,
    /// Segments of which only the store has the pictures.
    pub far: u64,
    /// Sealed segments that wait to be put there.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Bytes of segments on the local disk, and the most there may be.
    pub local_bytes: u64,
    /// See [`RemoteConfig::local_bytes`].
    pub local_most_bytes: Option<u64>,
    /// When the last segment was put there and verified, since start.
    pub last_stored: Option<Wall>,
}

/// Whether the store answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteState {
    /// Not asked yet.
    #[default]
    Starting,
    /// It does.
    Ok,
    /// It does not, or refuses us. Tried again by itself; what is to go there waits here.
    Away,
    /// It answers, but lacks or has damaged what it should have, or refuses some of what is asked: see the detail.
    Lacking,
}

/// What writer, readers and the keeper of the store share.
pub(crate) struct Far {
    pub(crate) store: Store,
    pub(crate) config: RemoteConfig,
    folder: Folder,
    /// Segments that the store has, verified.
    safe: Mutex<BTreeSet<u64>>,
    /// Names of objects whose segments were purged.
    purged: Mutex<Vec<String>>,
    /// What the store has was listed since the start, and nothing contradicted that.
    listed: AtomicBool,
    /// Something is to be done.
    pub(crate) wake: Notify,
    /// Turns true when the archive closes.
    pub(crate) closed: watch::Sender<bool>,
}

/// What is kept of [`Far::safe`] over restarts.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    place: String,
    safe: BTreeSet<u64>,
}

impl Far {
    pub(crate) fn open(folder: &Folder, config: &RemoteConfig, node: &str) -> Result<Far, ArchiveError> {
        let store = Store::connect(config, node)?;
        let kept: Kept = std::fs::read(folder.remote())
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .filter(|kept: &Kept| kept.place == store.place())
            .unwrap_or_default();
        Ok(Far {
            store,
            config: config.clone(),
            folder: folder.clone(),
            safe: Mutex::new(kept.safe),
            purged: Mutex::default(),
            listed: AtomicBool::new(false),
            wake: Notify::new(),
            closed: watch::channel(false).0,
        })
    }

    /// Writes down that an upload has been begun.
    fn begun(&self, upload: &Upload) -> std::io::Result<()> {
        let mut uploads = self.left_over();
        uploads.push(upload.clone());
        self.keep_uploads(&uploads)
    }

    /// Writes down that an upload has come to its end, or was taken back.
    fn ended(&self, upload: &Upload) -> std::io::Result<()> {
        let mut uploads = self.left_over();
        uploads.retain(|other| other != upload);
        self.keep_uploads(&uploads)
    }

    fn keep_uploads(&self, uploads: &[Upload]) -> std::io::Result<()> {
        let text = serde_json::to_vec(uploads).expect("strings always serialize");
        replace_file(&self.folder.upload(), &text, 0o640)
    }

    /// Uploads that were begun and are not known to have ended.
    fn left_over(&self) -> Vec<Upload> {
        let kept = std::fs::read(self.folder.upload()).unwrap_or_default();
        serde_json::from_slice(&kept).unwrap_or_default()
    }

    fn safe(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.safe.lock().expect("no holder panics")
    }

    fn purged(&self) -> MutexGuard<'_, Vec<String>> {
        self.purged.lock().expect("no holder panics")
    }

    /// Whether what is believed of the store was seen since the start: what a file says that may be old is not enough to
    /// let the only copy here go.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::SeqCst)
    }

    fn set_listed(&self, listed: bool) {
        self.listed.store(listed, Ordering::SeqCst);
    }

    /// Asks the store whether it still has an object of so many bytes. If not, or if it does not answer, nothing goes until
    /// it was listed again.
    pub(crate) async fn confirm(&self, number: u64, name: &str, bytes: u64) -> Result<(), ArchiveError> {
        let asked = tokio::time::timeout(CONFIRM_WITHIN, self.store.size(name)).await;
        let (answer, lost) = match asked {
            Ok(Ok(size)) if size == bytes => return Ok(()),
            Ok(Ok(size)) => (format!("it has {size} of {bytes} bytes of {name}"), true),
            Ok(Err(error)) => (error.to_string(), matches!(error, Away::Missing(_))),
            Err(_) => ("it does not answer".to_owned(), false),
        };
        self.set_listed(false);
        if lost {
            self.keep(number, false)?;
        }
        self.wake.notify_one();
        Err(ArchiveError::Away(answer))
    }

    /// Whether the store has a segment for sure.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.safe().contains(&number)
    }

    /// Writes down that the store has a segment, or has it no more.
    fn keep(&self, number: u64, has: bool) -> Result<(), ArchiveError> {
        let safe = {
            let mut safe = self.safe();
            if has {
                safe.insert(number)
            } else {
                safe.remove(&number)
            };
            safe.clone()
        };
        let kept = Kept { place: self.store.place().to_owned(), safe };
        let text = serde_json::to_vec(&kept).expect("numbers and strings always serialize");
        replace_file(&self.folder.remote(), &text, 0o640).map_err(ArchiveError::io("write", self.folder.remote()))
    }

    /// A segment was purged: its object goes too.
    pub(crate) fn purge(&self, number: u64, relative: &str, root: &Hash) {
        self.safe().remove(&number);
        self.purged().push(name_of(relative, root));
        self.wake.notify_one();
    }
}

/// Name of a segment's object below the node's folder. It carries the root, so that no other segment ever has it.
pub(crate) fn name_of(relative: &str, root: &Hash) -> String {
    let path = Path::new(relative).with_extension("");
    format!("{}-{}.seg", path.to_string_lossy(), hex::encode(&root[..8]))
}

#[cfg(test)]
mod tests;
