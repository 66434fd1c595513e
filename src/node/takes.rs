//! Taking the next keyframe of a camera, to judge it or to archive it.

use crate::node::{gaps::Gaps, owner::Taken};
use fleet::{CameraId, Cause, Status, StreamChoice, Wall};
use health::{Failure, SnapshotClass, SnapshotOutcome};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};

/// Longest wait for the keyframe: several times the keyframe interval of a well-set camera.
const KEYFRAME_WITHIN: Duration = Duration::from_secs(12);
/// Longest wait for a picture that may need a session of its own: opening it may take a while longer.
const PICTURE_WITHIN: Duration = Duration::from_secs(25);
/// Keyframes handed to the decoders at once; the others wait here, each with its few dozen kilobytes.
const DECODING_AT_ONCE: usize = 32;

/// Starts the short tasks that take keyframes. The core asks for at most one picture and one snapshot of a camera
/// at a time, so their number is bounded by the fleet.
pub(super) struct Takes {
    ingest: ingest::Ingest,
    pool: picture::Pool,
    archive: archive::Archive,
    gaps: Gaps,
    decoding: Arc<Semaphore>,
}

/// A snapshot that is asked for.
pub(super) struct Wanted {
    pub(super) camera: CameraId,
    pub(super) stream: StreamChoice,
    pub(super) slot: Wall,
    pub(super) class: SnapshotClass,
    pub(super) status: Status,
    pub(super) cause: Option<Cause>,
}

impl Takes {
    pub(super) fn new(ingest: ingest::Ingest, pool: picture::Pool, archive: archive::Archive) -> Takes {
        let gaps = Gaps::start(archive.clone());
        Takes { ingest, pool, archive, gaps, decoding: Arc::new(Semaphore::new(DECODING_AT_ONCE)) }
    }

    /// Decodes the first keyframe of the camera after a pause.
    pub(super) fn assess(&self, camera: CameraId, pause: Duration, done: mpsc::Sender<Taken>) {
        let (ingest, pool, decoding) = (self.ingest.clone(), self.pool.clone(), Arc::clone(&self.decoding));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let outcome = match ingest.next_keyframe(camera, KEYFRAME_WITHIN).await {
                Ok(keyframe) => {
                    // The semaphore is never closed; without a permit the pool's own limit still holds.
                    let _turn = decoding.acquire().await;
                    let assessed = pool.assess(camera, keyframe.codec, keyframe.data.clone()).await;
                    Some(assessed.map(|a| Box::new((keyframe.received, a))).map_err(|e| failure_of(&e)))
                }
                Err(_) => None,
            };
            let _ = done.send(Taken::Picture { camera, outcome }).await;
        });
    }

    /// Archives the next keyframe of one of the camera's streams.
    pub(super) fn snapshot(&self, wanted: Wanted, done: mpsc::Sender<Taken>) {
        let (ingest, archive) = (self.ingest.clone(), self.archive.clone());
        tokio::spawn(async move {
            let outcome = match ingest.picture(wanted.camera, wanted.stream, PICTURE_WITHIN).await {
                Ok(keyframe) => store(&archive, &wanted, &keyframe).await,
                Err(failure) => Err(failure),
            };
            let (outcome, stored) = match outcome {
                Ok(id) => (SnapshotOutcome::Stored, Some(id)),
                Err(failure) => (SnapshotOutcome::Missed(failure), None),
            };
            let _ = done.send(Taken::Snapshot { camera: wanted.camera, slot: wanted.slot, outcome, stored }).await;
        });
    }

    /// Records that a snapshot could not be taken.
    pub(super) fn gap(&self, camera: CameraId, slot: Wall, failure: Failure) {
        self.gaps.record(archive::Gap { camera, slot, cause: failure.cause, detail: failure.detail });
    }
}

async fn store(
    archive: &archive::Archive,
    wanted: &Wanted,
    keyframe: &ingest::Keyframe,
) -> Result<archive::SnapshotId, Failure> {
    let snapshot = archive::NewSnapshot {
        camera: wanted.camera,
        stream: keyframe.stream,
        slot: wanted.slot,
        class: wanted.class,
        captured: keyframe.received,
        camera_clock: keyframe.camera_clock,
        codec: keyframe.codec,
        width: keyframe.width,
        height: keyframe.height,
        status: wanted.status,
        cause: wanted.cause,
        data: keyframe.data.clone(),
    };
    match archive.append(snapshot).await {
        Ok(stored) => Ok(stored.id),
        Err(error) => Err(Failure { cause: Cause::OwnDisk, detail: format!("archive: {error}") }),
    }
}

/// Why a picture could not be judged, as the core wants it.
fn failure_of(error: &picture::PictureError) -> Failure {
    let (cause, detail) = error.failure();
    Failure { cause, detail }
}
