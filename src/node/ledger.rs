//! Keeping the availability ledger: every minute what happened since is rolled up, and snapshots are counted.
//!
//! All it knows between two rounds is in the store, so it may be stopped or killed at any moment.

use super::gaps::Gaps;
use archive::{Archive, Entry, SnapshotQuery};
use fleet::{CameraId, Mono, Now, Wall};
use health::ledger::{Calendar, HOUR_MS, Rules};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::{RollUp, RolledUp, SnapshotCount, Store, StoreError};
use tokio::{sync::watch, task::JoinHandle};

const EVERY: Duration = Duration::from_secs(60);
/// Between two days that are rolled up one after the other, so that others can write too.
const BREATH: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("counting snapshots: {0}")]
    Archive(#[from] archive::ArchiveError),
}

/// Runs until stopped; begins when `absent` is done, so that no hour is counted before its gaps are on record.
pub(super) async fn run(
    store: Arc<dyn Store>,
    archive: Archive,
    (gaps, absent): (Gaps, JoinHandle<()>),
    rules: Rules,
    mut stop: watch::Receiver<bool>,
) {
    let keep = async {
        let _ = absent.await;
        let mut steady = Steady::since(Now::read());
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let for_good = steady.look(Now::read());
            let late = gaps.late();
            if let Err(error) = round(store.as_ref(), &archive, late, rules, for_good).await {
                if let Some(slot) = late {
                    gaps.count_again(slot);
                }
                tracing::warn!(%error, "the availability ledger waits; it goes on in a minute");
            }
        }
    };
    tokio::select! {
        () = keep => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// How long our clock has gone on without a step.
struct Steady {
    since: Mono,
    last: Now,
}

impl Steady {
    /// So long it must have, to be believed when something cannot be taken back.
    const ENOUGH: Duration = Duration::from_secs(3600);
    /// Less than this is a clock being corrected.
    const STEP_MS: i64 = 60_000;

    fn since(now: Now) -> Steady {
        Steady { since: now.mono, last: now }
    }

    /// Looks at the clock; says whether it has been steady for long enough.
    fn look(&mut self, now: Now) -> bool {
        let ran = i64::try_from(now.mono.since(self.last.mono).as_millis()).unwrap_or(i64::MAX);
        if (now.wall.millis_since(self.last.wall) - ran).abs() > Steady::STEP_MS {
            self.since = now.mono;
        }
        self.last = now;
        now.mono.since(self.since) >= Steady::ENOUGH
    }
}

/// `late`: gaps were put on record from that slot on, be it long ago.
async fn round(
    store: &dyn Store,
    archive: &Archive,
    late: Option<Wall>,
    rules: Rules,
    for_good: bool,
) -> Result<(), Fault> {
    let now = Wall::read();
    let done = catch_up(store, now, rules, for_good).await?;
    if done.upto.is_none() {
        return Ok(());
    }
    // The hour counted last was not over then; snapshots of the one before may have come late.
    let last = done.snapshots_upto.map(|hour| Wall(hour.0 - HOUR_MS));
    let Some(first) = last.or_else(|| archive.stats().oldest) else { return Ok(()) };
    let mut hour = Calendar::hour(late.map_or(first, |late| late.min(first)));
    while hour < now {
        let snapshots = count(archive, hour).await?;
        if !snapshots.is_empty() {
            store.roll_up(&RollUp { now, rules, snapshots, for_good }).await?;
        }
        hour = Wall(hour.0 + HOUR_MS);
        tokio::task::yield_now().await;
    }
    catch_up(store, now, rules, for_good).await?;
    Ok(())
}

async fn catch_up(store: &dyn Store, now: Wall, rules: Rules, for_good: bool) -> Result<RolledUp, StoreError> {
    loop {
        let done = store.roll_up(&RollUp { now, rules, snapshots: Vec::new(), for_good }).await?;
        if done.caught_up {
            return Ok(done);
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Snapshots that were to be taken in one hour, by camera. A paused camera owes none.
async fn count(archive: &Archive, hour: Wall) -> Result<Vec<SnapshotCount>, archive::ArchiveError> {
    let mut query = SnapshotQuery {
        from: Some(hour),
        until: Some(Wall(hour.0 + HOUR_MS)),
        limit: SnapshotQuery::LIMIT_MAX,
        ..SnapshotQuery::default()
    };
    let mut counts: BTreeMap<CameraId, (u32, u32)> = BTreeMap::new();
    loop {
        let page = archive.search(&query).await?;
        for entry in &page.entries {
            let (stored, gaps) = counts.entry(entry.camera()).or_default();
            match entry {
                Entry::Snapshot(_) => *stored += 1,
                Entry::Gap(gap) if gap.cause.status() == fleet::Status::Paused => {}
                Entry::Gap(gap) => *gaps += gap.slots_in(hour, Wall(hour.0 + HOUR_MS)),
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    Ok(counts.into_iter().map(|(camera, (stored, gaps))| SnapshotCount { hour, camera, stored, gaps }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_was_steady_for_an_hour_is_believed_for_good() {
        let at = |mono_s: u64, wall_s: i64| Now { mono: Mono(mono_s * 1_000_000_000), wall: Wall(wall_s * 1000) };
        let mut steady = Steady::since(at(0, 0));
        assert!(!steady.look(at(3599, 3599)));
        assert!(steady.look(at(3600, 3601)));
        // Somebody sets it on by years, and back.
        assert!(!steady.look(at(3660, 2_000_000_000)));
        assert!(!steady.look(at(3720, 3720)));
        assert!(!steady.look(at(7200, 7200)));
        assert!(steady.look(at(7320, 7320)));
    }
}
