//! How many snapshots were stored and missed in the last day, by camera. Counted when somebody asks, a quarter of an hour
//! at a time; quarters that are over are counted once. Never tells a part of the day as the whole.

use archive::{Archive, Entry, SnapshotQuery};
use fleet::{CameraId, Wall};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

const QUARTER_MS: i64 = 15 * 60 * 1000;
const QUARTERS: i64 = 96;
/// A snapshot is stored or missed for good at the latest so long after its slot.
const SETTLED_MS: i64 = 5 * 60 * 1000;
/// For so long a count serves all who ask.
const FRESH: Duration = Duration::from_secs(5);
/// While the next one takes its time, the last one still serves.
const USABLE: Duration = Duration::from_secs(60);
/// So long whoever asks waits for it.
const PATIENCE: Duration = Duration::from_millis(400);

/// Snapshots stored and missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Stored {
    pub(crate) stored: u64,
    pub(crate) gaps: u64,
}

type Quarter = HashMap<CameraId, (u32, u32)>;

/// The counts of the last day.
pub(crate) struct Tally {
    archive: Archive,
    stop: CancellationToken,
    counted: Mutex<Counted>,
    /// One counts; the first quarter that is not settled.
    turn: Arc<tokio::sync::Mutex<i64>>,
}

#[derive(Default)]
struct Counted {
    quarters: BTreeMap<i64, Quarter>,
    /// When they were last counted to the end.
    at: Option<Instant>,
}

impl Tally {
    pub(crate) fn new(archive: Archive, stop: CancellationToken) -> Arc<Tally> {
        let turn = Arc::new(tokio::sync::Mutex::new(i64::MIN));
        Arc::new(Tally { archive, stop, counted: Mutex::default(), turn })
    }

    /// The sum over the cameras for which `seen` is true; `None` while it is being counted.
    pub(crate) async fn sum(self: &Arc<Self>, seen: impl Fn(CameraId) -> bool) -> Option<Stored> {
        if !self.is_younger_than(FRESH) {
            let _ = tokio::time::timeout(PATIENCE, self.count()).await;
        }
        if !self.is_younger_than(USABLE) {
            return None;
        }
        let mut sum = Stored::default();
        for (camera, (stored, gaps)) in self.counted.lock().quarters.values().flatten() {
            if seen(*camera) {
                sum.stored += u64::from(*stored);
                sum.gaps += u64::from(*gaps);
            }
        }
        Some(sum)
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.counted.lock().at.is_some_and(|at| at.elapsed() < age)
    }

    /// Counts, or waits for who does. What was begun goes on when whoever asked has gone.
    pub(crate) async fn count(self: &Arc<Self>) {
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        if self.is_younger_than(FRESH) {
            return;
        }
        let tally = Arc::clone(self);
        let counting = tokio::spawn(async move {
            tokio::select! {
                () = tally.stop.cancelled() => {}
                () = tally.round(&mut turn) => {}
            }
        });
        let _ = counting.await;
    }

    /// Counts what is not settled.
    async fn round(&self, settled: &mut i64) {
        let (began, now) = (Instant::now(), Wall::read().0);
        let newest = now.div_euclid(QUARTER_MS);
        let oldest = newest - QUARTERS + 1;
        self.counted.lock().quarters.retain(|quarter, _| *quarter >= oldest && *quarter <= newest);
        for quarter in oldest.max(*settled)..=newest {
            match count(&self.archive, quarter).await {
                Ok(counts) => self.counted.lock().quarters.insert(quarter, counts),
                // Told by the archive's own state; tried again when somebody asks again.
                Err(error) => return tracing::debug!(%error, "snapshots could not be counted"),
            };
        }
        *settled = (now - SETTLED_MS).div_euclid(QUARTER_MS);
        self.counted.lock().at = Some(began);
    }
}

async fn count(archive: &Archive, quarter: i64) -> Result<Quarter, archive::ArchiveError> {
    let mut query = SnapshotQuery {
        from: Some(Wall(quarter * QUARTER_MS)),
        until: Some(Wall((quarter + 1) * QUARTER_MS)),
        limit: SnapshotQuery::LIMIT_MAX,
        ..SnapshotQuery::default()
    };
    let mut counts = Quarter::new();
    loop {
        let page = archive.search(&query).await?;
        for entry in &page.entries {
            let (stored, gaps) = counts.entry(entry.camera()).or_default();
            match entry {
                Entry::Snapshot(_) => *stored += 1,
                Entry::Gap(gap) => *gaps += gap.slots_in(Wall(quarter * QUARTER_MS), Wall((quarter + 1) * QUARTER_MS)),
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(counts),
        }
        tokio::task::yield_now().await;
    }
}
