//! What goes in comes out: bit for bit, found by every condition, before and after a restart.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, all, config, gap, picture, snapshot};
use archive::{Archive, ArchiveError, Config, Entry, Kind, SnapshotQuery};
use fleet::{CameraId, Cause, Status, Wall};
use health::SnapshotClass;
use std::collections::BTreeSet;

#[tokio::test]
async fn snapshots_and_gaps_are_found_and_read_before_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let mut stored = Vec::new();
    for i in 0..40 {
        let new = snapshot(i % 4, MIDNIGHT + i64::from(i) * 7_200_000, 3000 + i as usize);
        let reference = archive.append(new.clone()).await.unwrap();
        assert_eq!((reference.camera, reference.slot), (new.camera, new.slot));
        assert_eq!(reference.bytes as usize, new.data.len());
        stored.push((reference, new));
    }
    archive.record_gap(gap(9, MIDNIGHT + 5)).await.unwrap();
    for round in ["open", "reopened", "rebuilt"] {
        if round == "reopened" {
            archive.close().await;
            assert!(matches!(archive.append(snapshot(1, 1, 10)).await, Err(ArchiveError::Closed)));
        }
        let reopened = if round == "open" {
            archive.clone()
        } else {
            if round == "rebuilt" {
                let report = Archive::rebuild(folder.path(), config()).await.unwrap();
                assert_eq!((report.records, report.damaged.len()), (41, 0));
            }
            Archive::open(folder.path(), config()).await.unwrap()
        };
        for (reference, new) in &stored {
            let back = reopened.read(&reference.id).await.unwrap();
            assert_eq!(back.reference, *reference, "{round}");
            assert_eq!(back.data, new.data, "{round}");
            let parsed = reference.id.to_string().parse().unwrap();
            assert_eq!(reopened.read(&parsed).await.unwrap(), back);
        }
        let found = all(&reopened, SnapshotQuery { limit: 7, ..SnapshotQuery::default() }).await;
        let mut expected: Vec<Entry> = stored.iter().map(|(r, _)| Entry::Snapshot(r.clone())).collect();
        expected.push(Entry::Gap(gap(9, MIDNIGHT + 5)));
        expected.sort_by_key(|e| std::cmp::Reverse((e.slot(), e.camera())));
        assert_eq!(found, expected, "{round}");
        assert_eq!(reopened.stats().records, 41, "{round}");
        if round != "open" {
            let report = reopened.check(|_| ()).await.unwrap();
            assert_eq!(report.damaged, [], "{round}");
            assert_eq!(report.records, 41, "{round}");
            reopened.close().await;
        }
    }
}

#[tokio::test]
async fn a_search_obeys_every_condition() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let (mut everything, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
    for i in 0..60 {
        let archive = archive.clone();
        tasks.spawn(async move {
            let slot = MIDNIGHT - 43_200_000 + i * 1_800_000;
            let camera = u32::try_from(i % 6).unwrap();
            if i % 5 == 4 {
                archive.record_gap(gap(camera, slot)).await.unwrap();
                return Entry::Gap(gap(camera, slot));
            }
            Entry::Snapshot(archive.append(snapshot(camera, slot, 100)).await.unwrap())
        });
    }
    while let Some(entry) = tasks.join_next().await {
        everything.push(entry.unwrap());
    }
    everything.sort_by_key(|e| std::cmp::Reverse((e.slot(), e.camera())));
    let none = SnapshotQuery { limit: 4, ..SnapshotQuery::default() };
    let two = Some(vec![CameraId(2), CameraId(5)]);
    let (noon, late) = (Wall(MIDNIGHT - 36_000_000), Wall(MIDNIGHT + 3_600_000));
    let is_snapshot = |e: &Entry| matches!(e, Entry::Snapshot(_));
    type Wanted = Box<dyn Fn(&Entry) -> bool>;
    let cases: Vec<(SnapshotQuery, Wanted)> = vec![
        (none.clone(), Box::new(|_| true)),
        (SnapshotQuery { cameras: two, ..none.clone() }, Box::new(|e| [2, 5].contains(&e.camera().0))),
        (SnapshotQuery { cameras: Some(vec![]), ..none.clone() }, Box::new(|_| false)),
        (SnapshotQuery { from: Some(noon), ..none.clone() }, Box::new(move |e| e.slot() >= noon)),
        (
            SnapshotQuery { from: Some(noon), until: Some(late), ..none.clone() },
            Box::new(move |e| e.slot() >= noon && e.slot() < late),
        ),
        (SnapshotQuery { kind: Kind::Gap, ..none.clone() }, Box::new(move |e| !is_snapshot(e))),
        (SnapshotQuery { kind: Kind::Snapshot, ..none.clone() }, Box::new(is_snapshot)),
        (
            SnapshotQuery { class: Some(SnapshotClass::StatusChange), ..none.clone() },
            Box::new(|e| matches!(e, Entry::Snapshot(s) if s.class == SnapshotClass::StatusChange)),
        ),
        (
            SnapshotQuery { status: Some(Status::Online), ..none.clone() },
            Box::new(|e| matches!(e, Entry::Snapshot(s) if s.status == Status::Online)),
        ),
        (
            SnapshotQuery { cause: Some(Cause::NoAnswer), ..none.clone() },
            Box::new(|e| matches!(e, Entry::Gap(g) if g.cause == Cause::NoAnswer)),
        ),
    ];
    for (query, wanted) in cases {
        let expected: Vec<Entry> = everything.iter().filter(|e| wanted(e)).cloned().collect();
        assert_eq!(all(&archive, query.clone()).await, expected, "{query:?}");
    }
    let backwards = SnapshotQuery { from: Some(late), until: Some(noon), ..none };
    assert!(matches!(archive.search(&backwards).await, Err(ArchiveError::Invalid(_))));
    archive.close().await;
}

#[tokio::test]
async fn the_first_snapshot_of_a_slot_stays_and_a_gap_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let mut other = snapshot(1, MIDNIGHT, 200);
    other.data = picture(99, 99, 50);
    archive.record_gap(gap(1, MIDNIGHT)).await.unwrap();
    let first = archive.append(snapshot(1, MIDNIGHT, 200)).await.unwrap();
    let again = archive.append(other.clone()).await.unwrap();
    assert_eq!(again, first);
    archive.record_gap(gap(1, MIDNIGHT)).await.unwrap();
    // The same within one batch.
    let batch = (0..20).map(|i| {
        let archive = archive.clone();
        async move {
            let mut new = snapshot(2, MIDNIGHT, 200);
            new.data = picture(i, 5, 60);
            archive.append(new).await.unwrap()
        }
    });
    let answers: BTreeSet<_> = futures_all(batch).await.into_iter().map(|r| r.id).collect();
    assert_eq!(answers.len(), 1, "all are answered with the first");
    let found = all(&archive, SnapshotQuery::default()).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|e| matches!(e, Entry::Snapshot(_))));
    archive.close().await;
    // A rebuilt index decides the same way.
    Archive::rebuild(folder.path(), config()).await.unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    assert_eq!(all(&archive, SnapshotQuery::default()).await, found);
    assert_eq!(archive.append(other).await.unwrap(), first);
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
}

async fn futures_all<F>(all: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let mut tasks = tokio::task::JoinSet::new();
    for one in all {
        tasks.spawn(one);
    }
    tasks.join_all().await
}

#[tokio::test]
async fn the_nearest_snapshot_may_lie_on_either_side_and_days_away() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let slots = [MIDNIGHT - 10 * 86_400_000, MIDNIGHT - 1000, MIDNIGHT + 4000, MIDNIGHT + 3 * 86_400_000];
    for slot in slots {
        archive.append(snapshot(1, slot, 10)).await.unwrap();
        archive.append(snapshot(2, slot + 1, 10)).await.unwrap();
    }
    archive.record_gap(gap(1, MIDNIGHT)).await.unwrap();
    for (at, expected) in [
        (MIDNIGHT, slots[1]),
        (MIDNIGHT + 2000, slots[2]),
        (MIDNIGHT + 86_400_000, slots[2]),
        (MIDNIGHT + 2 * 86_400_000, slots[3]),
        (MIDNIGHT - 6 * 86_400_000, slots[0]),
        (0, slots[0]),
        (i64::MAX, slots[3]),
    ] {
        let found = archive.nearest(CameraId(1), Wall(at)).await.unwrap().unwrap();
        assert_eq!(found.slot, Wall(expected), "at {at}");
    }
    assert_eq!(archive.nearest(CameraId(3), Wall(MIDNIGHT)).await.unwrap(), None);
    archive.close().await;
}

#[tokio::test]
async fn a_clock_that_steps_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let hour = 3_600_000;
    let slots: Vec<i64> = (0..5).chain((0..5).map(|i| i - 3)).map(|i| MIDNIGHT + i * hour).collect();
    for (camera, slot) in slots.iter().enumerate() {
        archive.append(snapshot(u32::try_from(camera).unwrap(), *slot, 20)).await.unwrap();
        archive.seal().await.unwrap();
    }
    let found = all(&archive, SnapshotQuery { limit: 3, ..SnapshotQuery::default() }).await;
    let keys: Vec<_> = found.iter().map(|e| (e.slot(), e.camera())).collect();
    assert_eq!(keys.len(), slots.len());
    assert!(keys.is_sorted_by(|a, b| a > b), "{keys:?}");
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
}

#[tokio::test]
async fn one_folder_serves_one_archive() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let second = Archive::open(folder.path(), config()).await.unwrap_err();
    assert!(matches!(second, ArchiveError::Locked { .. }), "{second}");
    assert!(matches!(Archive::rebuild(folder.path(), config()).await, Err(ArchiveError::Locked { .. })));
    archive.close().await;
    Archive::open(folder.path(), config()).await.unwrap().close().await;
}

#[tokio::test]
async fn bad_input_is_refused_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let mut empty = snapshot(1, MIDNIGHT, 0);
    assert!(matches!(archive.append(empty.clone()).await, Err(ArchiveError::Invalid(_))));
    empty.data = vec![0; (32 << 20) + 1].into();
    assert!(matches!(archive.append(empty).await, Err(ArchiveError::Invalid(_))));
    for slot in [-1, i64::MIN, i64::MAX] {
        assert!(matches!(archive.append(snapshot(1, slot, 9)).await, Err(ArchiveError::Invalid(_))), "{slot}");
    }
    let unknown = "000000010000000000000000ffffffff".parse().unwrap();
    assert!(matches!(archive.read(&unknown).await, Err(ArchiveError::NotFound)));
    let long = archive::Gap { detail: "无".repeat(5000), ..gap(1, MIDNIGHT) };
    archive.record_gap(long).await.unwrap();
    let Entry::Gap(kept) = all(&archive, SnapshotQuery::default()).await.remove(0) else { panic!("a gap") };
    assert_eq!(kept.detail, "无".repeat(1024 / 3));
    archive.close().await;
    let bad = Config { node: String::new(), ..config() };
    let error = Archive::open(folder.path(), bad).await.unwrap_err().to_string();
    assert_eq!(error, "archive setting node: must be 1 to 64 bytes");
    let nowhere = Archive::open(std::path::Path::new("/proc/nowhere"), config()).await.unwrap_err().to_string();
    assert!(nowhere.contains("/proc/nowhere"), "{nowhere}");
}

#[tokio::test]
async fn nearest_is_what_was_captured_nearest_whatever_its_slot() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    // The second was captured eleven seconds late, after the third.
    for (slot, captured) in [(0, 137), (1_000, 12_000), (2_000, 2_137), (20_000, 20_137)] {
        let mut taken = snapshot(1, MIDNIGHT + slot, 300);
        taken.captured.wall = fleet::Wall(MIDNIGHT + captured);
        archive.append(taken).await.unwrap();
    }
    for (at, slot) in [(0, 0), (1_900, 2_000), (9_000, 1_000), (12_500, 1_000), (17_000, 20_000)] {
        let found = archive.nearest(fleet::CameraId(1), fleet::Wall(MIDNIGHT + at)).await.unwrap().unwrap();
        assert_eq!(found.slot.0 - MIDNIGHT, slot, "nearest to {at}");
    }
    archive.close().await;
}

#[tokio::test]
async fn slots_missed_in_a_row_are_a_record_an_hour_found_from_any_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    // From 22:52:30 on, one each five minutes: two of that hour, twelve of the next, two of the next day.
    let begins = MIDNIGHT - 4_050_000;
    let run = archive::Gap { slots: 16, every_ms: 300_000, ..gap(4, begins) };
    archive.record_gap(run.clone()).await.unwrap();
    // Saying it again changes nothing.
    archive.record_gap(run).await.unwrap();
    let gaps = async |archive: &Archive, from: i64, until: i64| -> Vec<(i64, u32)> {
        let query = SnapshotQuery {
            cameras: Some(vec![CameraId(4)]),
            from: Some(Wall(from)),
            until: Some(Wall(until)),
            ..SnapshotQuery::default()
        };
        let other = SnapshotQuery { cameras: None, limit: 1, kind: Kind::Gap, ..query.clone() };
        let found = all(archive, query).await;
        assert_eq!(all(archive, other).await, found, "by every way, and page by page");
        let gaps = found.into_iter().map(|entry| match entry {
            Entry::Gap(gap) => (gap.slot.0 - begins, gap.slots_in(Wall(from), Wall(until))),
            Entry::Snapshot(snapshot) => panic!("{snapshot:?}"),
        });
        gaps.collect()
    };
    for round in ["open", "rebuilt"] {
        let archive = match round {
            "open" => archive.clone(),
            _ => {
                archive.close().await;
                assert_eq!(Archive::rebuild(folder.path(), config()).await.unwrap().records, 3);
                Archive::open(folder.path(), config()).await.unwrap()
            }
        };
        let day = 86_400_000;
        let third = 14 * 300_000;
        assert_eq!(
            gaps(&archive, MIDNIGHT - day, MIDNIGHT + day).await,
            [(third, 2), (600_000, 12), (0, 2)],
            "{round}"
        );
        // An instant in the middle of a record finds it, and what is counted is what lies in the range.
        let half = begins + 600_000 + 5 * 300_000 + 1;
        assert_eq!(gaps(&archive, half, MIDNIGHT).await, [(600_000, 6)], "{round}");
        assert_eq!(gaps(&archive, half, half + 300_000).await, [(600_000, 1)], "{round}");
        assert_eq!(gaps(&archive, begins + third + 300_001, MIDNIGHT + day).await, [], "{round}");
        if round == "rebuilt" {
            assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
            archive.close().await;
        }
    }
    // What makes no sense is no record.
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    for (slots, every_ms) in [(0, 0), (0, 5), (1, 5), (2, 0)] {
        let odd = archive::Gap { slots, every_ms, ..gap(4, MIDNIGHT) };
        assert!(matches!(archive.record_gap(odd).await, Err(ArchiveError::Invalid(_))), "{slots} each {every_ms}");
    }
    archive.close().await;
}
