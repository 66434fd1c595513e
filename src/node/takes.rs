//! Taking the next keyframe of a camera, to judge it or to archive it.

use crate::{
    config::Form,
    node::{gaps::Gaps, owner::Taken},
};
use bytes::Bytes;
use fleet::{CameraId, Cause, Codec, Status, StreamChoice, Wall};
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
    form: Form,
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
    /// Snapshot that shows the camera's baseline, if it is to be looked whether it still is there.
    pub(super) reference: Option<String>,
}

/// Who asks for a picture to be judged.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// The core, at its pace.
    Regular,
    /// The diagnosis, after a pause.
    Again(Duration),
}

impl Takes {
    pub(super) fn new(
        ingest: ingest::Ingest,
        pool: picture::Pool,
        archive: archive::Archive,
        gaps: Gaps,
        form: Form,
    ) -> Takes {
        Takes { ingest, pool, archive, gaps, form, decoding: Arc::new(Semaphore::new(DECODING_AT_ONCE)) }
    }

    /// Decodes the next keyframe of the camera.
    pub(super) fn assess(&self, camera: CameraId, look: Look, done: mpsc::Sender<Taken>) {
        let (ingest, pool, decoding) = (self.ingest.clone(), self.pool.clone(), Arc::clone(&self.decoding));
        tokio::spawn(async move {
            if let Look::Again(pause) = look {
                tokio::time::sleep(pause).await;
            }
            let outcome = match ingest.next_keyframe(camera, KEYFRAME_WITHIN).await {
                Ok(keyframe) => {
                    // The semaphore is never closed; without a permit the pool's own limit still holds.
                    let _turn = decoding.acquire().await;
                    let assessed = pool.assess(camera, keyframe.codec, keyframe.data.clone()).await;
                    Some(assessed.map(|a| Box::new((keyframe.received, a))).map_err(|e| failure_of(&e)))
                }
                Err(_) => None,
            };
            let again = matches!(look, Look::Again(_));
            let _ = done.send(Taken::Picture { camera, again, outcome }).await;
        });
    }

    /// Archives the next keyframe of one of the camera's streams.
    pub(super) fn snapshot(&self, wanted: Wanted, done: mpsc::Sender<Taken>) {
        let (ingest, archive) = (self.ingest.clone(), self.archive.clone());
        let converter = (self.form == Form::Jpeg).then(|| (self.pool.clone(), Arc::clone(&self.decoding)));
        tokio::spawn(async move {
            let outcome = match ingest.picture(wanted.camera, wanted.stream, PICTURE_WITHIN).await {
                Ok(keyframe) => match archived_form(wanted.camera, &keyframe, converter).await {
                    Ok(form) => store(&archive, &wanted, &keyframe, form).await,
                    Err(failure) => Err(failure),
                },
                Err(failure) => Err(failure),
            };
            let (outcome, stored) = match outcome {
                Ok(id) => (SnapshotOutcome::Stored, Some(id)),
                Err(failure) => (SnapshotOutcome::Missed(failure), None),
            };
            let gone = match wanted.reference {
                Some(reference) if stored.is_some() && is_gone(&archive, &reference).await => Some(reference),
                _ => None,
            };
            let taken = Taken::Snapshot { camera: wanted.camera, slot: wanted.slot, outcome, stored, gone };
            let _ = done.send(taken).await;
        });
    }

    /// Records that snapshots could not be taken.
    pub(super) fn gap(&self, gap: archive::Gap) {
        self.gaps.record(gap);
    }
}

/// A picture as it goes into the archive: its coding, what it was before, if something else, and its bytes.
type Archived = (Codec, Option<Codec>, Bytes);

/// As the camera coded it; or a JPEG, if the settings want that. What cannot be decoded then is a gap: the archive
/// holds nothing that it was told not to hold.
async fn archived_form(
    camera: CameraId,
    keyframe: &ingest::Keyframe,
    converter: Option<(picture::Pool, Arc<Semaphore>)>,
) -> Result<Archived, Failure> {
    match converter {
        Some((pool, decoding)) if keyframe.codec != Codec::Jpeg => {
            // Never closed; without a permit the pool's own limit still holds.
            let _turn = decoding.acquire().await;
            let rendered = pool.render(camera, keyframe.codec, keyframe.data.clone(), None).await;
            let jpeg = rendered.map_err(|e| failure_of(&e))?;
            Ok((Codec::Jpeg, Some(keyframe.codec), jpeg))
        }
        _ => Ok((keyframe.codec, None, keyframe.data.clone())),
    }
}

/// Whether the archive answers that it does not hold a snapshot any more.
async fn is_gone(archive: &archive::Archive, snapshot: &str) -> bool {
    let Ok(id) = snapshot.parse::<archive::SnapshotId>() else { return true };
    let query = archive::SnapshotQuery {
        cameras: Some(vec![id.camera()]),
        from: Some(id.slot()),
        until: Some(Wall(id.slot().0.saturating_add(1))),
        kind: archive::Kind::Snapshot,
        ..archive::SnapshotQuery::default()
    };
    let is_it = |entry: &archive::Entry| matches!(entry, archive::Entry::Snapshot(s) if s.id == id);
    archive.search(&query).await.is_ok_and(|page| !page.entries.iter().any(is_it))
}

async fn store(
    archive: &archive::Archive,
    wanted: &Wanted,
    keyframe: &ingest::Keyframe,
    (codec, converted_from, data): Archived,
) -> Result<archive::SnapshotId, Failure> {
    let snapshot = archive::NewSnapshot {
        camera: wanted.camera,
        stream: keyframe.stream,
        slot: wanted.slot,
        class: wanted.class,
        captured: keyframe.received,
        camera_clock: keyframe.camera_clock,
        codec,
        converted_from,
        width: keyframe.width,
        height: keyframe.height,
        status: wanted.status,
        cause: wanted.cause,
        data,
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
