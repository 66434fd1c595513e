//! Keeping the availability ledger: every minute what happened since is rolled up, and snapshots are counted.
//!
//! All it knows between two rounds is in the store, so it may be stopped or killed at any moment.

use archive::{Archive, Entry, SnapshotQuery};
use fleet::{CameraId, Wall};
use health::ledger::{Calendar, HOUR_MS, Rules};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::{RollUp, RolledUp, SnapshotCount, Store, StoreError};
use tokio::sync::watch;

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

/// Runs until stopped.
pub(super) async fn run(store: Arc<dyn Store>, archive: Archive, rules: Rules, mut stop: watch::Receiver<bool>) {
    let keep = async {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if let Err(error) = round(store.as_ref(), &archive, rules).await {
                tracing::warn!(%error, "the availability ledger waits; it goes on in a minute");
            }
        }
    };
    tokio::select! {
        () = keep => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn round(store: &dyn Store, archive: &Archive, rules: Rules) -> Result<(), Fault> {
    let now = Wall::read();
    let done = catch_up(store, now, rules).await?;
    if done.upto.is_none() {
        return Ok(());
    }
    // The hour counted last was not over then; snapshots of the one before may have come late.
    let last = done.snapshots_upto.map(|hour| Wall(hour.0 - HOUR_MS));
    let Some(first) = last.or_else(|| archive.stats().oldest) else { return Ok(()) };
    let mut hour = Calendar::hour(first);
    while hour < now {
        let snapshots = count(archive, hour).await?;
        if !snapshots.is_empty() {
            store.roll_up(&RollUp { now, rules, snapshots }).await?;
        }
        hour = Wall(hour.0 + HOUR_MS);
        tokio::task::yield_now().await;
    }
    catch_up(store, now, rules).await?;
    Ok(())
}

async fn catch_up(store: &dyn Store, now: Wall, rules: Rules) -> Result<RolledUp, StoreError> {
    loop {
        let done = store.roll_up(&RollUp { now, rules, snapshots: Vec::new() }).await?;
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
                Entry::Gap(_) => *gaps += 1,
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    Ok(counts.into_iter().map(|(camera, (stored, gaps))| SnapshotCount { hour, camera, stored, gaps }).collect())
}
