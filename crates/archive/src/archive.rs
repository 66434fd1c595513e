//! The handle that everyone else holds.

use crate::{
    ArchiveError, CheckReport, Config, Gap, Hold, LastCheck, NewHold, NewSnapshot, Page, Progress, Purge,
    RebuildReport, Retained, Snapshot, SnapshotId, SnapshotQuery, SnapshotRef, Stats, check,
    command::{Command, Index, Shared, Store},
    custody::AuditHead,
    folder::Folder,
    holds,
    keys::Missing,
    proof::{self, Proof},
    reader::Reader,
    record::{self, About, Missed, PAYLOAD_MAX, SLOT_MAX, Taken},
    remote, retained,
    row::Row,
    stamp,
    writer::Writer,
};
use bytes::Bytes;
use fleet::{CameraId, Wall};
use std::{fmt, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

/// Longest wait for the writer: for a place in its queue and its answer together.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for a segment to be sealed, or for the archive to close.
const SEAL_WITHIN: Duration = Duration::from_secs(60);
/// Records that may wait for the writer.
const QUEUE: usize = 4096;
/// Memory that waiting records may take, in KiB: two of the largest, or a thousand usual ones.
const QUEUE_KIB: usize = 64 << 10;
/// Records of one gap that are handed over at once.
const GAPS_AT_ONCE: usize = 256;

/// One open archive folder. Cheap to clone. [`close`](Archive::close) it, or it closes in the background when the last
/// clone is dropped.
#[derive(Clone)]
pub struct Archive {
    commands: mpsc::Sender<Command>,
    memory: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("folder", &self.shared.folder.root()).finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens the folder, which is made if it is not there. Takes the lock, recovers what a crash left, and seals it.
    ///
    /// # Errors
    /// [`ArchiveError::Locked`] if the folder is in use, [`ArchiveError::Config`] for settings that cannot be used,
    /// [`ArchiveError::Io`] if the folder cannot be read or written.
    pub async fn open(folder: &Path, config: Config) -> Result<Archive, ArchiveError> {
        start(folder, config, Index::Keep, Missing::Refuse).await.map(|(archive, _)| archive)
    }

    /// Makes the index anew from the segments alone. The archive must not be open.
    ///
    /// # Errors
    /// As [`open`](Archive::open).
    pub async fn rebuild(folder: &Path, config: Config) -> Result<RebuildReport, ArchiveError> {
        let (archive, damaged) = start(folder, config, Index::Remake, Missing::Refuse).await?;
        let stats = archive.stats();
        archive.close().await;
        Ok(RebuildReport { records: stats.records, segments: stats.segments, damaged })
    }

    /// Changes the key that signs; the old one names the new one in the day's manifest. The archive must not be open.
    /// Says both public keys, old first.
    ///
    /// # Errors
    /// As [`open`](Archive::open). If the manifest cannot be written, the key stays.
    pub async fn change_key(folder: &Path, config: Config) -> Result<[[u8; 32]; 2], ArchiveError> {
        let archive = Archive::open(folder, config).await?;
        let changed = archive.ask(Command::ChangeKey).await;
        archive.close().await;
        changed
    }

    /// Goes on with a new key after the old one was lost for good. Nobody vouches for the new one: the check says so, of
    /// all that was signed before. The archive must not be open.
    ///
    /// # Errors
    /// [`ArchiveError::Invalid`] if the key is there; else as [`open`](Archive::open).
    pub async fn replace_lost_key(folder: &Path, config: Config) -> Result<[u8; 32], ArchiveError> {
        let names = Folder::new(folder);
        if names.key().exists() {
            match Archive::open(folder, config.clone()).await {
                // Another key was begun with, and no manifest of it came to be.
                Err(ArchiveError::OtherKey { .. }) => {}
                Err(other) => return Err(other),
                Ok(archive) => {
                    archive.close().await;
                    let what = "node.key is there: change-key makes another, for which it vouches";
                    return Err(ArchiveError::Invalid(what));
                }
            }
        }
        let (archive, _) = start(folder, config, Index::Keep, Missing::Replace).await?;
        let key = archive.shared.key.verifying_key().to_bytes();
        archive.close().await;
        Ok(key)
    }

    /// Stores a snapshot. Resolves when it is on the medium and can be found, at most about
    /// [`commit_every`](Config::commit_every) later.
    ///
    /// Of one camera and slot the first snapshot stays: storing another answers with the first, so repeating after an
    /// error is safe. A snapshot takes the place of a gap.
    ///
    /// # Errors
    /// [`ArchiveError::Full`] while there is no space; [`ArchiveError::Busy`] if the disk does not keep up;
    /// [`ArchiveError::Slow`] if there was no answer in time; [`ArchiveError::Invalid`] for an empty or too large
    /// picture, or a slot outside the years 1970 to 9999.
    pub async fn append(&self, snapshot: NewSnapshot) -> Result<SnapshotRef, ArchiveError> {
        if snapshot.data.is_empty() {
            return Err(ArchiveError::Invalid("a snapshot without a picture"));
        }
        let taken = Taken {
            class: snapshot.class,
            stream: snapshot.stream,
            captured: snapshot.captured.wall,
            captured_mono: snapshot.captured.mono.0,
            camera_clock: snapshot.camera_clock,
            codec: snapshot.codec,
            converted_from: snapshot.converted_from,
            width: snapshot.width,
            height: snapshot.height,
            status: snapshot.status,
            cause: snapshot.cause,
        };
        let row =
            self.store(snapshot.camera, snapshot.slot, About::Snapshot(taken), snapshot.data, String::new()).await?;
        match row.entry() {
            crate::Entry::Snapshot(reference) => Ok(reference),
            crate::Entry::Gap(_) => Err(ArchiveError::NotFound),
        }
    }

    /// Records that a scheduled snapshot was not taken, or several in a row: those take a record for each hour. Changes
    /// nothing where the (first) slot has a snapshot or a gap already.
    ///
    /// # Errors
    /// As [`append`](Archive::append); [`ArchiveError::Invalid`] for no slot at all, or several at the same time.
    pub async fn record_gap(&self, mut gap: Gap) -> Result<(), ArchiveError> {
        if gap.slots == 0 || (gap.slots > 1) != (gap.every_ms > 0) {
            return Err(ArchiveError::Invalid("a gap is one slot, or several one after the other"));
        }
        gap.detail.truncate(gap.detail.floor_char_boundary(Gap::DETAIL_BYTES));
        let parts = gap.by_hours();
        // Together, so that they share a flush.
        for some in parts.chunks(GAPS_AT_ONCE) {
            let mut answers = Vec::with_capacity(some.len());
            for part in some.iter().cloned() {
                let missed = Missed { cause: part.cause, slots: part.slots, every_ms: part.every_ms };
                let payload = Bytes::from(part.detail.clone());
                answers.push(self.submit(part.camera, part.slot, About::Gap(missed), payload, part.detail).await?);
            }
            for answer in answers {
                answered(answer).await?;
            }
        }
        Ok(())
    }

    /// Finds snapshots and gaps, newest slot first, page by page.
    ///
    /// # Errors
    /// [`ArchiveError::Invalid`] or [`ArchiveError::Cursor`] for a question that makes no sense;
    /// [`ArchiveError::Index`] if a day's index is damaged.
    pub async fn search(&self, query: &SnapshotQuery) -> Result<Page, ArchiveError> {
        self.shared.reader.search(query).await
    }

    /// The snapshot of a camera whose capture is nearest to an instant, earlier or later, however far.
    ///
    /// # Errors
    /// [`ArchiveError::Index`] if a day's index is damaged.
    pub async fn nearest(&self, camera: CameraId, at: Wall) -> Result<Option<SnapshotRef>, ArchiveError> {
        self.shared.reader.nearest(camera, at).await
    }

    /// Reads a snapshot and verifies it against its SHA-256.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`]; [`ArchiveError::Damaged`] if a single bit of it is not as it was stored.
    pub async fn read(&self, id: &SnapshotId) -> Result<Snapshot, ArchiveError> {
        self.shared.reader.read(id).await
    }

    /// The proof that a snapshot is one of those under its segment's seal, and that seal in a signed manifest.
    ///
    /// # Errors
    /// [`ArchiveError::NotSealed`] while the segment is still being written; [`ArchiveError::NotFound`];
    /// [`ArchiveError::Damaged`] if the segment's footer is.
    pub async fn proof(&self, id: &SnapshotId) -> Result<Proof, ArchiveError> {
        let row = self.shared.reader.find(id).await?;
        let (segment, _) = row.place();
        let path = self.shared.reader.segment(segment).ok_or(ArchiveError::NotFound)?;
        let folder = self.shared.folder.clone();
        blocking(move || proof::make(&folder, &path, &row)).await?
    }

    /// Seals the open segment now, without waiting for the full hour, so that all stored so far can be proved.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] or [`ArchiveError::Index`] if that fails; nothing stored is lost by it.
    pub async fn seal(&self) -> Result<(), ArchiveError> {
        self.ask(Command::Seal).await
    }

    /// Places a hold: nothing that touches its range is dropped while it is in force.
    ///
    /// # Errors
    /// [`ArchiveError::Invalid`] for a range or an end that makes no sense; [`ArchiveError::Io`] if it cannot be
    /// written down, and then it does not hold.
    pub async fn hold(&self, hold: NewHold) -> Result<Hold, ArchiveError> {
        self.ask(|reply| Command::Hold(holds::Change::Place(hold), reply)).await
    }

    /// Ends a hold before its time.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`]; [`ArchiveError::Invalid`] if it has ended already; [`ArchiveError::Io`].
    pub async fn release(&self, id: u32, by: String, reason: String) -> Result<Hold, ArchiveError> {
        self.ask(|reply| Command::Hold(holds::Change::Release { id, by, reason }, reply)).await
    }

    /// Takes the holds on record for what they are, after some were lost for good ([`Stats::holds_lost`]).
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the manifest cannot be written.
    pub async fn accept_holds(&self) -> Result<(), ArchiveError> {
        self.ask(Command::AcceptHolds).await
    }

    /// Every hold ever placed.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.shared.holds()
    }

    /// What is kept how long, what that takes, and how long the room lasts.
    ///
    /// # Errors
    /// [`ArchiveError::Slow`] if there was no answer in time.
    pub async fn retained(&self) -> Result<Retained, ArchiveError> {
        self.ask(Command::Retained).await
    }

    /// The newest of what retention dropped, newest first, at most so many.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the manifests cannot be read.
    pub async fn purges(&self, most: usize) -> Result<Vec<Purge>, ArchiveError> {
        let folder = self.shared.folder.clone();
        blocking(move || retained::purges(&folder, most)).await?
    }

    /// Names a record of the audit log in the day's signed manifest, by number and hash.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the manifest cannot be written.
    pub async fn anchor_audit(&self, seq: u64, hash: [u8; 32]) -> Result<(), ArchiveError> {
        self.ask(|reply| Command::Anchor(AuditHead { seq, hash }, reply)).await
    }

    /// Where the archive is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.shared.folder.root()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ArchiveError>>) -> Command,
    ) -> Result<T, ArchiveError> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.commands.send(command(reply)).await.map_err(|_| ArchiveError::Closed)?;
            answer.await.map_err(|_| ArchiveError::Closed)?
        };
        timeout(SEAL_WITHIN, asked).await.map_err(|_| ArchiveError::Slow(SEAL_WITHIN.as_secs()))?
    }

    /// Reads everything and verifies it: every picture's SHA-256, every header, footer, Merkle root, the chain of
    /// seals, every manifest's signature, and that the index says the same. Seals the open segment first. What does
    /// not fit is named, and the check goes on.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the folder itself cannot be read.
    pub async fn check(&self, progress: impl FnMut(Progress)) -> Result<CheckReport, ArchiveError> {
        self.check_at(u64::MAX, progress).await
    }

    /// The same beside a service that has the archive open, only reading: what is not sealed yet is read up to where it
    /// stands now.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] if the folder or the key cannot be read.
    pub async fn check_beside(
        folder: &Path,
        config: Config,
        mut progress: impl FnMut(Progress),
    ) -> Result<CheckReport, ArchiveError> {
        let folder = Folder::new(folder);
        let key = crate::keys::public(&folder, config.ring.as_ref())?;
        let far = config.remote.as_ref().map(|remote| remote::Far::open(&folder, remote, &config.node)).transpose()?;
        let reader = Reader::beside(folder.clone(), far.map(Arc::new))?;
        let report = check::through(&reader, &folder, key, |done| {
            progress(done);
            std::future::ready(())
        });
        let report = report.await;
        reader.close().await;
        report
    }

    /// As [`check`](Archive::check), reading at most so many bytes a second on average: beside everything else, from
    /// time to time. What it found is kept ([`Stats::last_check`]).
    ///
    /// # Errors
    /// As [`check`](Archive::check).
    pub async fn check_slowly(&self, bytes_per_second: u64) -> Result<CheckReport, ArchiveError> {
        self.check_at(bytes_per_second, |_| ()).await
    }

    async fn check_at(
        &self,
        bytes_per_second: u64,
        mut progress: impl FnMut(Progress),
    ) -> Result<CheckReport, ArchiveError> {
        let began = tokio::time::Instant::now();
        match self.seal().await {
            Err(ArchiveError::Closed) => return Err(ArchiveError::Closed),
            // What is not sealed is read as it is.
            Err(error) => tracing::warn!(%error, "not everything is sealed before the check"),
            Ok(()) => {}
        }
        let key = self.shared.key.verifying_key().to_bytes();
        let until = |bytes: u64| began + Duration::from_secs_f64(bytes as f64 / bytes_per_second.max(1) as f64);
        let report = check::through(&self.shared.reader, &self.shared.folder, key, |done| {
            progress(done);
            tokio::time::sleep_until(until(done.bytes))
        });
        let report = report.await?;
        let found = LastCheck {
            at: Wall::read(),
            records: report.records,
            damaged: report.damaged.len() as u64,
            unread: report.unread,
            first: report.damaged.first().map(ToString::to_string),
        };
        found.keep(&self.shared.folder)?;
        self.shared.stats().last_check = Some(found);
        Ok(report)
    }

    pub(crate) fn folder(&self) -> Folder {
        self.shared.folder.clone()
    }

    /// The key that signs evidence packages, and the node's name.
    pub(crate) fn signing(&self) -> (ed25519_dalek::SigningKey, String) {
        (self.shared.key.clone(), self.shared.node.clone())
    }

    /// The archive in figures; at most half a second old.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats().clone()
    }

    /// Writes what waits, seals, and lets go of the folder. Everything asked afterwards is [`ArchiveError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        let asked = async {
            if self.commands.send(Command::Close(reply)).await.is_ok() {
                let _ = closed.await;
            }
        };
        if timeout(SEAL_WITHIN, asked).await.is_err() {
            tracing::error!("the archive did not close in time; the next start recovers it");
        }
    }

    async fn store(
        &self,
        camera: CameraId,
        slot: Wall,
        about: About,
        payload: Bytes,
        detail: String,
    ) -> Result<Row, ArchiveError> {
        answered(self.submit(camera, slot, about, payload, detail).await?).await
    }

    async fn submit(
        &self,
        camera: CameraId,
        slot: Wall,
        about: About,
        payload: Bytes,
        detail: String,
    ) -> Result<Answer, ArchiveError> {
        if payload.len() > PAYLOAD_MAX {
            return Err(ArchiveError::Invalid("the picture is larger than 32 MiB"));
        }
        if !(0..=SLOT_MAX).contains(&slot.0) {
            return Err(ArchiveError::Invalid("the slot is outside the years 1970 to 9999"));
        }
        let kib = u32::try_from(payload.len() / 1024 + 1).expect("at most 32 MiB");
        let sha256 = record::sha256(&payload);
        let class = match &about {
            About::Snapshot(taken) => Some(taken.class),
            About::Gap(_) => None,
        };
        let shelf = self.shared.retention.shelf(class, self.shared.places.of(camera).as_deref());
        let asked = async {
            let permit = self.memory.clone().acquire_many_owned(kib).await.map_err(|_| ArchiveError::Closed)?;
            let (reply, answer) = oneshot::channel();
            let store = Store { camera, slot, shelf, about, payload, sha256, detail, reply, permit };
            self.commands.send(Command::Store(store)).await.map_err(|_| ArchiveError::Closed)?;
            Ok::<_, ArchiveError>(answer)
        };
        timeout(ANSWER_WITHIN, asked).await.map_err(|_| ArchiveError::Busy)?
    }
}

/// What the writer makes of a record.
type Answer = oneshot::Receiver<Result<Row, ArchiveError>>;

async fn answered(answer: Answer) -> Result<Row, ArchiveError> {
    let answer = timeout(ANSWER_WITHIN, answer).await;
    answer.map_err(|_| ArchiveError::Slow(ANSWER_WITHIN.as_secs()))?.map_err(|_| ArchiveError::Closed)?
}

/// Starts the writer's thread and waits until it stands ready.
async fn start(
    folder: &Path,
    config: Config,
    index: Index,
    missing: Missing,
) -> Result<(Archive, Vec<crate::Damage>), ArchiveError> {
    config.validate()?;
    let folder = Folder::new(folder);
    let stamps = config.stamps.clone();
    let (commands, receiver) = mpsc::channel(QUEUE);
    let (ready, opened) = oneshot::channel();
    let thread = std::thread::Builder::new().name("archive-writer".to_owned());
    let named = folder.root().to_owned();
    let run = move || {
        // The writer blocks on its disk as it likes: this runtime is its own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(ArchiveError::io("start the writer of", folder.root())(error)));
                return;
            }
        };
        runtime.block_on(async {
            match Writer::open(folder, config, index, missing).await {
                Ok((writer, damaged)) => {
                    if ready.send(Ok(((writer.shared(), writer.far.clone()), damaged))).is_ok() {
                        writer.run(receiver).await;
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    };
    thread.spawn(run).map_err(ArchiveError::io("start the writer of", named))?;
    let ((shared, far), damaged) = opened.await.map_err(|_| ArchiveError::Closed)??;
    if let Some(far) = far {
        tokio::spawn(remote::run(Arc::clone(&shared), far));
    }
    if let Some(stamps) = stamps {
        tokio::spawn(stamp::run(Arc::clone(&shared), stamps));
    }
    Ok((Archive { commands, memory: Arc::new(Semaphore::new(QUEUE_KIB)), shared }, damaged))
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ArchiveError::Closed)
}
