//! Reads the whole archive again from time to time, slowly, and says what is no longer as it was written.

use archive::{Archive, ArchiveError};
use fleet::Wall;
use std::time::Duration;

/// Not before the start's storm is over.
const FIRST: Duration = Duration::from_secs(600);
/// Never slower than this, so that a small archive is done soon.
const SLOWEST: u64 = 4 << 20;

/// Runs until the archive closes. A full reading is begun `every` so often and takes at most about half of that.
pub(super) async fn run(archive: Archive, every: Duration) {
    loop {
        let since = archive.stats().last_check.map(|last| Wall::read().millis_since(last.at));
        let since = since.map_or(every, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        // Jitter: nodes that were started together must not read together.
        let jitter = FIRST.mul_f64(rand::random::<f64>());
        tokio::time::sleep(every.saturating_sub(since).max(FIRST) + jitter).await;
        let rate = (archive.stats().bytes / (every.as_secs() / 2).max(1)).max(SLOWEST);
        match archive.check_slowly(rate).await {
            Ok(report) => {
                for damage in &report.damaged {
                    tracing::error!(%damage, "the archive is damaged");
                }
                if let Some(why) = &report.unread_because {
                    tracing::warn!(segments = report.unread, why, "not everything could be read again");
                }
                let damaged = report.damaged.len();
                tracing::info!(records = report.records, damaged, "the archive was read again");
            }
            Err(ArchiveError::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "the archive could not be read again");
                tokio::time::sleep(FIRST).await;
            }
        }
    }
}
