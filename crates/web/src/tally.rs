//! How many snapshots were stored and missed in the last day, by camera. Counted in the background, a quarter of
//! an hour at a time; quarters that are over are counted once.

use archive::{Archive, Entry, SnapshotQuery};
use fleet::{CameraId, Wall};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

const QUARTER_MS: i64 = 15 * 60 * 1000;
const QUARTERS: i64 = 96;
/// A snapshot is stored or missed for good at the latest so long after its slot.
const SETTLED_MS: i64 = 5 * 60 * 1000;
const EVERY: Duration = Duration::from_secs(5);

/// Snapshots stored and missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Stored {
    pub(crate) stored: u64,
    pub(crate) gaps: u64,
}

type Quarter = HashMap<CameraId, (u32, u32)>;

/// The counts of the last day.
#[derive(Default)]
pub(crate) struct Tally {
    quarters: Mutex<BTreeMap<i64, Quarter>>,
    /// Somebody looked since the last round: without readers nothing is counted.
    asked: AtomicBool,
}

impl Tally {
    /// The sum over the cameras for which `seen` is true.
    pub(crate) fn sum(&self, seen: impl Fn(CameraId) -> bool) -> Stored {
        self.asked.store(true, Ordering::Relaxed);
        let quarters = self.quarters.lock();
        let mut sum = Stored::default();
        for (camera, (stored, gaps)) in quarters.values().flatten() {
            if seen(*camera) {
                sum.stored += u64::from(*stored);
                sum.gaps += u64::from(*gaps);
            }
        }
        sum
    }
}

/// Counts until stopped.
pub(crate) async fn run(tally: Arc<Tally>, archive: Archive, stop: CancellationToken) {
    let mut settled = i64::MIN;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = round(&tally, &archive, &mut settled) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = asked(&tally) => {}
        }
    }
}

/// Waits a while, and for somebody who wants to know.
async fn asked(tally: &Tally) {
    loop {
        tokio::time::sleep(EVERY).await;
        if tally.asked.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}

/// Counts what is not settled, newest first, so that a page opened at start shows the present soon.
async fn round(tally: &Tally, archive: &Archive, settled: &mut i64) {
    let now = Wall::read().0;
    let newest = now.div_euclid(QUARTER_MS);
    let oldest = newest - QUARTERS + 1;
    tally.quarters.lock().retain(|quarter, _| *quarter >= oldest && *quarter <= newest);
    let mut complete = true;
    for quarter in (oldest.max(*settled)..=newest).rev() {
        match count(archive, quarter).await {
            Ok(counts) => {
                tally.quarters.lock().insert(quarter, counts);
            }
            Err(error) => {
                // Told by the archive's own state; tried again at the next round.
                tracing::debug!(%error, "snapshots could not be counted");
                complete = false;
                break;
            }
        }
    }
    if complete {
        *settled = (now - SETTLED_MS).div_euclid(QUARTER_MS);
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
                Entry::Gap(_) => *gaps += 1,
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(counts),
        }
        tokio::task::yield_now().await;
    }
}
