//! Snapshots rendered for the screen, kept in a bounded cache, each rendered once however many ask.

use crate::{
    problem::{Problem, Result},
    watermark,
};
use archive::{Archive, ArchiveError, Snapshot, SnapshotId};
use axum::http::StatusCode;
use bytes::Bytes;
use parking_lot::Mutex;
use picture::{PictureError, Pool};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::{OnceCell, Semaphore};

/// Widths that are rendered: any other is rounded up to the next, so that nobody makes us render thousands.
const WIDTHS: [u32; 5] = [160, 320, 640, 1280, 1920];

/// Pictures that are marked at once: each takes a core for some ten milliseconds.
const MARKED_AT_ONCE: usize = 2;

/// One picture of the archive, at one width.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    snapshot: SnapshotId,
    /// `None`: as large as it is.
    width: Option<u32>,
}

/// A rendered snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) jpeg: Bytes,
    pub(crate) etag: String,
}

pub(crate) struct Pictures {
    archive: Archive,
    pool: Pool,
    capacity: usize,
    kept: Mutex<Kept>,
    under_way: Mutex<HashMap<Key, Arc<OnceCell<Rendered>>>>,
    /// Never closed: without a permit more would be marked at once, no more.
    marking: Semaphore,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    turn: u64,
    by_key: HashMap<Key, (u64, Rendered)>,
    by_use: BTreeMap<u64, Key>,
}

impl Pictures {
    pub(crate) fn new(archive: Archive, pool: Pool, capacity: usize) -> Pictures {
        Pictures {
            archive,
            pool,
            capacity,
            kept: Mutex::default(),
            under_way: Mutex::default(),
            marking: Semaphore::new(MARKED_AT_ONCE),
        }
    }

    /// A snapshot as JPEG, at most about this wide.
    pub(crate) async fn get(&self, id: &SnapshotId, width: Option<u32>) -> Result<Rendered> {
        let width = width.and_then(|w| WIDTHS.into_iter().find(|step| *step >= w));
        let key = Key { snapshot: *id, width };
        if let Some(rendered) = self.kept.lock().get(&key) {
            return Ok(rendered);
        }
        let cell = Arc::clone(self.under_way.lock().entry(key.clone()).or_default());
        // If whoever renders goes away, the next in the queue takes over.
        let rendered = cell.get_or_try_init(|| self.render(&key)).await.cloned();
        if let Ok(rendered) = &rendered {
            self.kept.lock().keep(key.clone(), rendered.clone(), self.capacity);
        }
        let mut under_way = self.under_way.lock();
        // Ours and the table's: nobody else is waiting for it.
        if cell.initialized() || Arc::strong_count(&cell) <= 2 {
            under_way.remove(&key);
        }
        rendered
    }

    /// A rendering that says who looked and when; made for each look, and not kept.
    pub(crate) async fn marked(&self, jpeg: Bytes, text: String) -> Result<Bytes> {
        let _turn = self.marking.acquire().await;
        let marked = tokio::task::spawn_blocking(move || watermark::over(&jpeg, &text)).await;
        let marked = marked.map_err(|e| Problem::internal("a picture was not marked", e))?;
        marked.map(Bytes::from).map_err(|e| Problem::internal("a picture was not marked", e))
    }

    async fn render(&self, key: &Key) -> Result<Rendered> {
        let Snapshot { reference, data } = self.archive.read(&key.snapshot).await.map_err(archive_problem)?;
        let rendered = self.pool.render(key.snapshot.camera(), reference.codec, data, key.width).await;
        let jpeg = rendered.map_err(picture_problem)?;
        let size = key.width.map_or_else(|| "full".to_owned(), |w| w.to_string());
        let etag = format!("\"{}-{size}\"", hex::encode(reference.sha256));
        Ok(Rendered { jpeg, etag })
    }
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Rendered> {
        self.turn += 1;
        let turn = self.turn;
        let (used, rendered) = self.by_key.get_mut(key)?;
        self.by_use.remove(used);
        *used = turn;
        self.by_use.insert(turn, key.clone());
        Some(rendered.clone())
    }

    fn keep(&mut self, key: Key, rendered: Rendered, capacity: usize) {
        if rendered.jpeg.len() > capacity / 4 || self.by_key.contains_key(&key) {
            return;
        }
        self.turn += 1;
        self.bytes += rendered.jpeg.len();
        self.by_use.insert(self.turn, key.clone());
        self.by_key.insert(key, (self.turn, rendered));
        while self.bytes > capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            if let Some((_, gone)) = self.by_key.remove(&oldest) {
                self.bytes -= gone.jpeg.len();
            }
        }
    }
}

/// What a failing archive means for a request.
pub(crate) fn archive_problem(error: ArchiveError) -> Problem {
    match error {
        ArchiveError::NotFound => Problem::not_found(),
        ArchiveError::Invalid(what) => Problem::invalid(what),
        ArchiveError::HoldLimit(what) => Problem::new(StatusCode::CONFLICT, "hold_limit", what),
        ArchiveError::Cursor(error) => Problem::invalid(format!("cursor: {error}")),
        ArchiveError::Busy | ArchiveError::Slow(_) => Problem::busy("the archive is busy; try again"),
        ArchiveError::Damaged { .. } => {
            tracing::error!(%error, "a snapshot is damaged");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "snapshot_damaged",
                "the stored picture is not what was written; it is not shown",
            )
        }
        ArchiveError::Away(_) => {
            tracing::warn!(%error, "a picture cannot be read from the object store");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "picture_away",
                "this picture is in the object store, which does not answer now; try again later",
            )
        }
        other => Problem::internal("the archive failed", other),
    }
}

/// What a failing decoder means for a request.
pub(crate) fn picture_problem(error: PictureError) -> Problem {
    match error {
        PictureError::Parked(left) => {
            let left = left.as_secs();
            Problem::busy(format!("this camera's pictures killed decoders; none is decoded for another {left} s"))
        }
        PictureError::Undecodable(_) | PictureError::Crashed(_) | PictureError::TimedOut => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "undecodable",
            "the stored picture cannot be decoded; the original can be downloaded as evidence",
        ),
        PictureError::Busy => Problem::busy("the decoders are busy; try again"),
        PictureError::Own(why) => Problem::internal("the decoders failed", why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u32, width: Option<u32>) -> Key {
        Key { snapshot: format!("{n:08x}0000019a00000000deadbeef").parse().unwrap(), width }
    }

    fn rendered(bytes: usize) -> Rendered {
        Rendered { jpeg: Bytes::from(vec![0; bytes]), etag: String::new() }
    }

    proptest! {
        #[test]
        fn the_cache_never_takes_more_than_it_may(asked in proptest::collection::vec((0..40_u32, 0..3_usize, 1..600_usize, any::<bool>()), 1..400)) {
            const CAPACITY: usize = 1000;
            let mut kept = Kept::default();
            for (n, width, bytes, put) in asked {
                let key = key(n, WIDTHS.get(width).copied());
                if put {
                    kept.keep(key, rendered(bytes), CAPACITY);
                } else {
                    kept.get(&key);
                }
                let counted: usize = kept.by_key.values().map(|(_, r)| r.jpeg.len()).sum();
                prop_assert_eq!(counted, kept.bytes);
                prop_assert!(counted <= CAPACITY, "{} bytes", counted);
                prop_assert_eq!(kept.by_key.len(), kept.by_use.len());
            }
        }
    }

    #[test]
    fn what_was_looked_at_longest_ago_goes_first_and_what_is_too_large_is_not_kept() {
        let mut kept = Kept::default();
        for n in 0..4 {
            kept.keep(key(n, None), rendered(250), 1000);
        }
        assert!(kept.get(&key(0, None)).is_some());
        kept.keep(key(4, None), rendered(250), 1000);
        let there: Vec<u32> = (0..5).filter(|n| kept.by_key.contains_key(&key(*n, None))).collect();
        assert_eq!(there, [0, 2, 3, 4]);
        kept.keep(key(5, None), rendered(251), 1000);
        assert!(kept.get(&key(5, None)).is_none(), "one picture must not drive out all others");
    }
}
