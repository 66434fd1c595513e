//! Snapshots that could not be taken, on their way to the archive; kept while its disk takes nothing.
//!
//! A missing picture without a gap on record would be missing from the figures too, and those would look better the
//! worse the disk is. What waits is lost with the process; the pictures of that time are not there to be counted.

use archive::{Archive, ArchiveError, Gap};
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
}

impl Gaps {
    pub(super) fn start(archive: Archive) -> Gaps {
        let gaps = Gaps(Arc::new(Inner { archive, waiting: Mutex::default() }));
        tokio::spawn(retry(Arc::downgrade(&gaps.0)));
        gaps
    }

    /// Records a gap, now or when the archive takes it. Never waits.
    pub(super) fn record(&self, gap: Gap) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.hand_over(gap).await });
    }
}

impl Inner {
    /// Whether the archive is done with it; otherwise it waits.
    async fn hand_over(&self, gap: Gap) -> bool {
        match self.archive.record_gap(gap.clone()).await {
            Ok(()) => true,
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
            let tasks: Vec<_> = some
                .into_iter()
                .map(|gap| {
                    let inner = Arc::clone(&inner);
                    tokio::spawn(async move { inner.hand_over(gap).await })
                })
                .collect();
            let mut done = !tasks.is_empty();
            for task in tasks {
                done &= task.await.unwrap_or(false);
            }
            if !done {
                break;
            }
        }
    }
}
