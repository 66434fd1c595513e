//! Snapshots of a time in which this service did not run: at the start they are put on record as gaps.
//!
//! The core knows only its own run. What was due before is told by the archive: a camera's slots go on from its newest
//! record, one each interval, until this start. Those in which the camera was paused or planned maintenance held were not
//! owed. Of a camera that the archive has nothing of nothing is said.

use super::gaps::Gaps;
use archive::{Archive, Entry, Gap, SnapshotQuery};
use fleet::{Camera, CameraId, Cause, LifeCycle, Registry, Status, Wall};
use health::Window;
use std::{ops::Range, sync::Arc, time::Duration};
use store::{HistoryQuery, Store};

/// A slot so shortly before the last sign of life was under way when the service ended.
const UNDER_WAY_MS: i64 = 120_000;
/// Gaps handed over together: so many cameras of a long time take some megabytes.
const TOGETHER: usize = 64;

/// What is to be put on record.
pub(super) struct Absence {
    /// Snapshots are due so often.
    pub(super) every: Duration,
    /// The last sign of life of the run before, if there was one.
    pub(super) alive: Option<Wall>,
    /// This start.
    pub(super) until: Wall,
    /// Not further back: what is older is due to be dropped.
    pub(super) kept_days: u32,
}

impl Absence {
    /// Puts the gaps of every camera in use on record. What cannot be read is left out, and told.
    pub(super) async fn record(self, archive: Archive, store: Arc<dyn Store>, registry: Arc<Registry>, gaps: Gaps) {
        if archive.stats().clock_ahead_days.is_some() {
            tracing::warn!(
                "our clock may be ahead: no gaps are recorded for the time in which the service did not run"
            );
            return;
        }
        let back = Wall(self.until.0.saturating_sub(i64::from(self.kept_days) * 86_400_000));
        let windows = match store.windows(back..self.until).await {
            Ok(windows) => windows,
            Err(error) => return tracing::warn!(%error, "gaps of the time before this start are not recorded"),
        };
        let (mut found, mut slots, mut cameras) = (Vec::new(), 0_u64, 0_u32);
        let in_use = registry.cameras().filter(|camera| camera.life_cycle == LifeCycle::InUse);
        for camera in in_use {
            match self.of_camera(&archive, store.as_ref(), &registry, camera, back, &windows).await {
                Ok(more) => {
                    slots += more.iter().map(|gap| u64::from(gap.slots)).sum::<u64>();
                    cameras += u32::from(!more.is_empty());
                    found.extend(more);
                }
                Err(error) => tracing::warn!(camera = %camera.id, error, "gaps before this start are not recorded"),
            }
            if found.len() >= TOGETHER {
                gaps.record_all(std::mem::take(&mut found)).await;
            }
        }
        gaps.record_all(found).await;
        if slots > 0 {
            tracing::warn!(cameras, slots, "snapshots were due while the service did not run: recorded as gaps");
        }
    }

    async fn of_camera(
        &self,
        archive: &Archive,
        store: &dyn Store,
        registry: &Registry,
        camera: &Camera,
        back: Wall,
        windows: &[Window],
    ) -> Result<Vec<Gap>, String> {
        let newest = SnapshotQuery {
            cameras: Some(vec![camera.id]),
            from: Some(back),
            until: Some(self.until),
            limit: 1,
            ..SnapshotQuery::default()
        };
        let newest = last(archive, newest).await.map_err(|e| e.to_string())?;
        let Some(newest) = newest else { return Ok(Vec::new()) };
        let mut not_owed: Vec<Range<Wall>> =
            paused(store, camera, newest, self.until).await.map_err(|e| e.to_string())?;
        not_owed.extend(windows.iter().filter(|w| w.covers(camera, registry)).map(|w| w.from..w.end()));
        Ok(self.gaps(camera.id, newest, &not_owed))
    }

    /// The gaps between a camera's newest record and this start.
    fn gaps(&self, camera: CameraId, newest: Wall, not_owed: &[Range<Wall>]) -> Vec<Gap> {
        let every_ms = u32::try_from(self.every.as_millis()).unwrap_or(u32::MAX).max(1);
        let mut gaps: Vec<Gap> = Vec::new();
        let mut slot = Wall(newest.0.saturating_add(i64::from(every_ms)));
        while slot < self.until {
            if !not_owed.iter().any(|range| range.contains(&slot)) {
                let (cause, detail) = self.why(slot);
                let next = |gap: &Gap| gap.last().0.saturating_add(i64::from(every_ms)) == slot.0 && gap.cause == cause;
                match gaps.last_mut() {
                    Some(gap) if next(gap) => (gap.slots, gap.every_ms) = (gap.slots + 1, every_ms),
                    _ => gaps.push(Gap::one(camera, slot, cause, detail)),
                }
            }
            slot = Wall(slot.0.saturating_add(i64::from(every_ms)));
        }
        gaps
    }

    fn why(&self, slot: Wall) -> (Cause, &'static str) {
        match self.alive {
            Some(alive) if slot.0 < alive.0.saturating_sub(UNDER_WAY_MS) => {
                (Cause::OwnDisk, "it waited for the archive when the service ended")
            }
            _ => (Cause::NotRunning, "our service did not run at this time"),
        }
    }
}

/// The slot of the newest record of a search.
async fn last(archive: &Archive, mut query: SnapshotQuery) -> Result<Option<Wall>, archive::ArchiveError> {
    loop {
        let page = archive.search(&query).await?;
        match page.entries.first() {
            Some(Entry::Gap(gap)) => return Ok(Some(gap.last())),
            Some(Entry::Snapshot(snapshot)) => return Ok(Some(snapshot.slot)),
            None => {}
        }
        match page.next {
            // It paused on its way through many days.
            Some(next) => query.after = Some(next),
            None => return Ok(None),
        }
    }
}

/// When the camera was paused in some time.
async fn paused(
    store: &dyn Store,
    camera: &Camera,
    from: Wall,
    until: Wall,
) -> Result<Vec<Range<Wall>>, store::StoreError> {
    let mut query =
        HistoryQuery { camera: Some(camera.id), until: Some(until), limit: 1000, ..HistoryQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = store.history(&query).await?;
        for interval in &page.items {
            if interval.status == Status::Paused {
                found.push(interval.from..interval.until.unwrap_or(Wall(i64::MAX)));
            }
        }
        let over = page.items.last().is_none_or(|oldest| oldest.from <= from);
        match page.next {
            Some(next) if !over => query.cursor = Some(next),
            _ => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::samples;
    use fleet::CameraId;
    use health::{NewWindow, Scope, StatusChange};
    use store::Fact;
    use store_sqlite::SqliteStore;

    /// A start at a full hour.
    const START: Wall = Wall(1_795_478_400_000);
    const MINUTE: i64 = 60_000;

    fn before(minutes: i64) -> Wall {
        Wall(START.0 - minutes * MINUTE)
    }

    struct Node {
        _folder: tempfile::TempDir,
        archive: Archive,
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        gaps: Gaps,
    }

    impl Node {
        async fn new() -> Node {
            let folder = tempfile::tempdir().unwrap();
            let settings = archive::Config {
                commit_every: Duration::from_millis(2),
                segment_bytes: 1 << 20,
                reserve_bytes: 0,
                ..archive::Config::default()
            };
            let archive = Archive::open(&folder.path().join("archive"), settings).await.unwrap();
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
            let gaps = Gaps::start(archive.clone());
            let registry = samples::shared(Vec::new()).registry.load_full();
            Node { _folder: folder, archive, store, registry, gaps }
        }

        /// The camera's last record before the stop.
        async fn photographed(&self, minutes: i64) {
            let gap = Gap::one(CameraId(1), before(minutes), Cause::NoAnswer, "");
            self.archive.record_gap(gap).await.unwrap();
        }

        async fn status(&self, minutes: i64, status: Status, cause: Option<Cause>) {
            let change = StatusChange {
                camera: CameraId(1),
                at: before(minutes),
                status,
                from: None,
                layer: cause.map(Cause::layer),
                cause,
                detail: String::new(),
            };
            self.store.record(&[Fact::Status(change)]).await.unwrap();
        }

        async fn start(&self, alive: i64) -> Vec<Gap> {
            let absence =
                Absence { every: Duration::from_secs(300), alive: Some(before(alive)), until: START, kept_days: 30 };
            let (store, registry) = (Arc::clone(&self.store), Arc::clone(&self.registry));
            absence.record(self.archive.clone(), store, registry, self.gaps.clone()).await;
            let mut query = SnapshotQuery { limit: 1000, ..SnapshotQuery::default() };
            let mut found = Vec::new();
            loop {
                let page = self.archive.search(&query).await.unwrap();
                found.extend(page.entries.into_iter().map(|entry| match entry {
                    Entry::Gap(gap) => gap,
                    Entry::Snapshot(snapshot) => panic!("{snapshot:?}"),
                }));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            found.retain(|gap| gap.cause != Cause::NoAnswer);
            found.reverse();
            found
        }
    }

    fn slots(gaps: &[Gap]) -> Vec<i64> {
        let each = gaps.iter().flat_map(|g| (0..g.slots).map(move |n| g.slot.0 + i64::from(n * g.every_ms)));
        each.map(|slot| (START.0 - slot) / MINUTE).collect()
    }

    #[tokio::test]
    async fn each_slot_of_the_time_in_which_the_service_did_not_run_is_a_gap() {
        let node = Node::new().await;
        node.photographed(3 * 24 * 60 + 3).await;
        node.status(3 * 24 * 60 + 10, Status::Online, None).await;
        let gaps = node.start(3 * 24 * 60).await;
        assert_eq!(slots(&gaps).len(), 3 * 288);
        assert_eq!(slots(&gaps), (0..3 * 288).map(|n| 3 * 24 * 60 - 2 - 5 * n).collect::<Vec<_>>());
        assert!(gaps.len() <= 3 * 24 + 1, "a record an hour: {}", gaps.len());
        assert!(gaps.iter().all(|gap| gap.cause == Cause::NotRunning));
        // A second start finds nothing more to say.
        assert_eq!(node.start(3 * 24 * 60).await, gaps);
    }

    #[tokio::test]
    async fn what_waited_for_the_archive_when_the_service_ended_is_a_gap_of_ours() {
        let node = Node::new().await;
        node.photographed(61).await;
        let gaps = node.start(31).await;
        let cause = |cause| gaps.iter().filter(|g| g.cause == cause).cloned().collect::<Vec<_>>();
        assert_eq!(slots(&cause(Cause::OwnDisk)), [56, 51, 46, 41, 36]);
        assert_eq!(slots(&cause(Cause::NotRunning)), [31, 26, 21, 16, 11, 6, 1]);
    }

    #[tokio::test]
    async fn nothing_is_owed_of_a_camera_that_was_paused_or_that_the_archive_does_not_know() {
        let node = Node::new().await;
        assert_eq!(node.start(60).await, []);
        node.photographed(120).await;
        node.status(110, Status::Paused, Some(Cause::OutOfUse)).await;
        node.status(100, Status::Unknown, Some(Cause::NotYetChecked)).await;
        let window = NewWindow {
            scope: Scope::County,
            from: before(40),
            until: before(20),
            reason: "改造".into(),
            by: "王五".into(),
            excused: true,
            created: before(200),
        };
        node.store.add_window(window).await.unwrap();
        // Of slots at 115, 110, 105 … those from 110 to 100 and from 40 to 20 are not owed.
        let owed: Vec<i64> =
            (1..24).map(|n| 120 - 5 * n).filter(|m| !(101..=110).contains(m) && !(21..=40).contains(m)).collect();
        assert_eq!(slots(&node.start(95).await), owed);
    }
}
