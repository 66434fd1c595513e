//! Snapshots that could not be taken, on their way to the archive; kept while its disk takes nothing.
//!
//! A missing picture without a gap on record would be missing from the figures too, and those would look better the
//! worse the disk is. What waits is lost with the process; the next start puts it on record anew (`absent`).
//!
//! What was recorded late is counted late: [`Gaps::late`] says from which hour on.

use archive::{Archive, ArchiveError, Gap};
use fleet::Wall;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Gaps kept while the archive takes nothing: ten hours of 800 cameras, about 20 MB.
const MOST_WAITING: usize = 100_000;
/// Gaps handed over at once, so that they share a flush of the disk.
const AT_ONCE: usize = 64;
const RETRY: Duration = Duration::from_secs(5);

/// Hands gaps to the archive. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gaps(Arc<Inner>);

struct Inner {
    archive: Archive,
    waiting: Mutex<VecDeque<Gap>>,
    /// The earliest slot that was recorded since somebody asked.
    recorded: Mutex<Option<Wall>>,
}

impl Gaps {
    pub(super) fn start(archive: Archive) -> Gaps {
        let gaps = Gaps(Arc::new(Inner { archive, waiting: Mutex::default(), recorded: Mutex::default() }));
        tokio::spawn(retry(Arc::downgrade(&gaps.0)));
        gaps
    }

    /// The earliest slot of the gaps that were recorded since this was asked last.
    pub(super) fn late(&self) -> Option<Wall> {
        self.0.recorded.lock().take()
    }

    /// What was asked for was not counted.
    pub(super) fn count_again(&self, slot: Wall) {
        self.0.note(slot);
    }

    /// Records gaps and waits until the archive has them; those that it does not take now wait with the others.
    pub(super) async fn record_all(&self, gaps: Vec<Gap>) {
        for some in gaps.chunks(AT_ONCE) {
            self.0.hand_over_all(some.to_vec()).await;
        }
    }

    /// Records a gap, now or when the archive takes it. Never waits.
    pub(super) fn record(&self, gap: Gap) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.hand_over(gap).await });
    }
}

impl Inner {
    fn note(&self, slot: Wall) {
        let mut recorded = self.recorded.lock();
        *recorded = Some(recorded.map_or(slot, |earlier| earlier.min(slot)));
    }

    /// Whether the archive is done with it; otherwise it waits.
    async fn hand_over(&self, gap: Gap) -> bool {
        match self.archive.record_gap(gap.clone()).await {
            Ok(()) => {
                self.note(gap.slot);
                true
            }
            Err(error @ (ArchiveError::Invalid(_) | ArchiveError::Closed)) => {
                tracing::warn!(camera = %gap.camera, %error, "cannot record a gap");
                true
            }
            Err(error) => {
                let mut waiting = self.waiting.lock();
                if waiting.is_empty() {
                    tracing::warn!(camera = %gap.camera, %error, "gaps wait for the archive");
                }
                if waiting.len() >= MOST_WAITING {
                    waiting.pop_front();
                }
                waiting.push_back(gap);
                false
            }
        }
    }
}

impl Inner {
    /// Hands several over at once, so that they share a flush of the disk. Whether the archive is done with all.
    async fn hand_over_all(self: &Arc<Self>, gaps: Vec<Gap>) -> bool {
        let hand_over = |gap| {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.hand_over(gap).await })
        };
        let tasks: Vec<_> = gaps.into_iter().map(hand_over).collect();
        let mut done = true;
        for task in tasks {
            done &= task.await.unwrap_or(false);
        }
        done
    }
}

async fn retry(inner: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(RETRY).await;
        let Some(inner) = inner.upgrade() else { return };
        loop {
            let some: Vec<Gap> = {
                let mut waiting = inner.waiting.lock();
                let some = waiting.len().min(AT_ONCE);
                waiting.drain(..some).collect()
            };
            if some.is_empty() || !inner.hand_over_all(some).await {
                break;
            }
        }
    }
}
