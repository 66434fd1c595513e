//! What callers and the writer share: the commands that go one way, and what is published the other way.

use crate::{
    ArchiveError, Hold, Places, RemoteStats, Retained, Retention, Stats,
    custody::AuditHead,
    folder::Folder,
    holds,
    policy::Shelf,
    reader::Reader,
    record::About,
    row::{Key, Row},
};
use bytes::Bytes;
use fleet::{CameraId, Wall};
use std::sync::{Mutex, MutexGuard, RwLock};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

/// What becomes of the index when the archive is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Index {
    Keep,
    Remake,
}

/// What callers ask of the writer.
pub(crate) enum Command {
    Store(Store),
    /// Seal what is open, if anything is.
    Seal(oneshot::Sender<Result<(), ArchiveError>>),
    /// Place or end a hold.
    Hold(holds::Change, oneshot::Sender<Result<Hold, ArchiveError>>),
    /// Name the head of the audit log in the day's manifest.
    Anchor(AuditHead, oneshot::Sender<Result<(), ArchiveError>>),
    /// Take the holds for what they are now.
    AcceptHolds(oneshot::Sender<Result<(), ArchiveError>>),
    /// Tell what is kept how long.
    Retained(oneshot::Sender<Result<Retained, ArchiveError>>),
    /// Sign with a new key from now on.
    ChangeKey(oneshot::Sender<Result<[[u8; 32]; 2], ArchiveError>>),
    Close(oneshot::Sender<()>),
}

/// A record to be stored.
pub(crate) struct Store {
    pub(crate) camera: CameraId,
    pub(crate) slot: Wall,
    /// Which segment it goes into.
    pub(crate) shelf: Shelf,
    pub(crate) about: About,
    pub(crate) payload: Bytes,
    pub(crate) sha256: [u8; 32],
    /// A gap's detail, for the index.
    pub(crate) detail: String,
    pub(crate) reply: oneshot::Sender<Result<Row, ArchiveError>>,
    /// Its share of the memory that may wait.
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Store {
    pub(crate) fn key(&self) -> Key {
        (self.slot.0, self.camera.0)
    }
}

/// What the handle and the writer share.
pub(crate) struct Shared {
    pub(crate) folder: Folder,
    pub(crate) reader: Reader,
    pub(crate) stats: Mutex<Stats>,
    /// As the writer last wrote them down.
    pub(crate) holds: RwLock<Vec<Hold>>,
    /// Signs evidence packages.
    pub(crate) key: ed25519_dalek::SigningKey,
    /// This node's name.
    pub(crate) node: String,
    /// Turns true when the archive closes.
    pub(crate) closed: watch::Sender<bool>,
    /// What is kept how long.
    pub(crate) retention: Retention,
    /// Which camera belongs to which place of it.
    pub(crate) places: Places,
}

impl Shared {
    pub(crate) fn holds(&self) -> Vec<Hold> {
        self.holds.read().expect("no holder panics").clone()
    }

    /// Changes what is told of the object store.
    pub(crate) fn remote_stats(&self, change: impl FnOnce(&mut RemoteStats)) {
        change(self.stats().remote.get_or_insert_default());
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().expect("no holder panics")
    }
}
