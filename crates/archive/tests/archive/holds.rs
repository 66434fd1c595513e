//! Retention by class and place; holds outlive it, restarts and a full disk; manifests kept outside show what was changed since.
#![allow(clippy::unwrap_used)]

use crate::common::{all, config, segments, snapshot};
use archive::{
    Archive, ArchiveError, Config, HoldKind, Limit, Limits, NewHold, PlaceRule, Places, Retention, SnapshotQuery,
    compare_manifest, manifests,
};
use fleet::{CameraId, Wall};
use health::SnapshotClass;
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const DAY: i64 = 86_400_000;

fn hold(from: i64, until: i64, expires: Option<i64>) -> NewHold {
    NewHold {
        kind: HoldKind::Legal,
        cameras: vec![CameraId(1)],
        from: Wall(from),
        until: Wall(until),
        reason: "案件".into(),
        document: "调证〔2026〕3号".into(),
        by: "shen".into(),
        expires: expires.map(Wall),
    }
}

async fn until(archive: &Archive, records: u64) {
    let deadline = std::time::Instant::now() + Duration::from_secs(180);
    while archive.stats().records != records {
        assert!(std::time::Instant::now() < deadline, "{:?}", archive.stats());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_held_stays_when_its_time_is_over_and_goes_when_the_hold_ends() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Config { keep_days: 30, retention: Retention::days(40), ..config() };
    let now = Wall::read().0;
    let (held, free) = (now - 60 * DAY, now - 50 * DAY);
    let archive = Archive::open(folder.path(), settings.clone()).await.unwrap();
    let placed = archive.hold(hold(held - 1000, held + 1000, None)).await.unwrap();
    let expiring = archive.hold(hold(free, free + 1, Some(now + 2500))).await.unwrap();
    assert_eq!((placed.id, expiring.id), (1, 2));
    let kept = archive.append(snapshot(1, held, 100)).await.unwrap();
    archive.seal().await.unwrap();
    archive.append(snapshot(2, free, 100)).await.unwrap();
    archive.seal().await.unwrap();
    // The second hold ends by itself, and then its segment goes; the first stays over a restart.
    until(&archive, 1).await;
    assert!(Wall::read().0 >= now + 2500, "not before the hold's end");
    archive.close().await;
    let archive = Archive::open(folder.path(), settings).await.unwrap();
    assert_eq!(archive.holds().len(), 2);
    archive.read(&kept.id).await.unwrap();
    assert_eq!(segments(folder.path()).len(), 1);

    let released = archive.release(1, "zhao".into(), "结案".into()).await.unwrap();
    assert_eq!(released.released.unwrap().reason, "结案");
    until(&archive, 0).await;
    assert!(matches!(archive.release(1, "zhao".into(), "x".into()).await, Err(ArchiveError::Invalid(_))));
    assert!(matches!(archive.release(9, "zhao".into(), "x".into()).await, Err(ArchiveError::NotFound)));
    for senseless in [hold(5, 5, None), hold(5, 4, None), hold(1, 2, Some(now - 1))] {
        assert!(matches!(archive.hold(senseless).await, Err(ArchiveError::Invalid(_))));
    }
    archive.close().await;
}

#[tokio::test]
async fn holds_that_cannot_be_read_stop_the_archive_before_anything_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    archive.hold(hold(1, 2, None)).await.unwrap();
    archive.close().await;
    fs::write(folder.path().join("holds.json"), "[{").unwrap();
    let error = Archive::open(folder.path(), config()).await.unwrap_err().to_string();
    assert!(error.contains("holds.json") && error.contains("backup"), "{error}");
}

async fn sealed(folder: &Path, camera: u32) {
    let archive = Archive::open(folder, config()).await.unwrap();
    archive.append(snapshot(camera, Wall::read().0, 100)).await.unwrap();
    archive.seal().await.unwrap();
    archive.anchor_audit(u64::from(camera), [u8::try_from(camera).unwrap(); 32]).await.unwrap();
    archive.close().await;
}

#[tokio::test]
async fn a_manifest_kept_outside_shows_what_was_changed_since() {
    let folder = tempfile::tempdir().unwrap();
    sealed(folder.path(), 1).await;
    let copy = manifests(folder.path()).unwrap().pop().unwrap();
    assert_eq!((copy.fault.clone(), copy.audit.clone()), (None, Some((1, hex::encode([1; 32])))));
    assert_eq!(compare_manifest(folder.path(), &copy.text).unwrap(), Vec::<String>::new());
    // The archive goes on: the copy still fits.
    sealed(folder.path(), 2).await;
    assert_eq!(compare_manifest(folder.path(), &copy.text).unwrap(), Vec::<String>::new());
    let now = manifests(folder.path()).unwrap().pop().unwrap();
    assert_eq!(now.audit, Some((2, hex::encode([2; 32]))));
    assert_ne!(now.hash, copy.hash);

    // Somebody with files and key writes another history: same node, same key, other pictures, a shorter log.
    let other = tempfile::tempdir().unwrap();
    for file in ["node.key", "node.pub"] {
        fs::copy(folder.path().join(file), other.path().join(file)).unwrap();
    }
    sealed(other.path(), 3).await;
    let told = compare_manifest(other.path(), &now.text).unwrap().join("; ");
    assert!(told.contains("segment 1 is not what it was"), "{told}");
    assert!(compare_manifest(other.path(), "no manifest").is_err());
    let altered = now.text.replace("\"records\":1", "\"records\":2");
    assert!(matches!(compare_manifest(folder.path(), &altered), Err(ArchiveError::Invalid(_))));
    for file in fs::read_dir(other.path().join("manifests")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert!(compare_manifest(other.path(), &now.text).unwrap()[0].contains("has no manifest of"));
}

/// Stores a snapshot of a class and age, in a segment of its own.
async fn aged(archive: &Archive, camera: u32, class: SnapshotClass, days: i64, bytes: usize) -> archive::SnapshotRef {
    let slot = Wall::read().0 - days * DAY - i64::from(camera);
    let stored = archive.append(archive::NewSnapshot { class, ..snapshot(camera, slot, bytes) }).await.unwrap();
    archive.seal().await.unwrap();
    stored
}

async fn cameras(archive: &Archive) -> Vec<u32> {
    let mut cameras: Vec<u32> = all(archive, SnapshotQuery::default()).await.iter().map(|e| e.camera().0).collect();
    cameras.sort_unstable();
    cameras
}

fn days(days: u32) -> Limit {
    Limit { days: Some(days), bytes: None }
}

fn by_class_and_place() -> Config {
    let forest =
        PlaceRule { covers: vec!["林场".into()], limits: Limits { routine: days(180), ..Limits::default() } };
    Config {
        retention: Retention {
            classes: Limits { routine: days(40), status_change: days(90), incident: days(365) },
            places: BTreeMap::from([("林场".to_owned(), forest)]),
            ..Retention::default()
        },
        places: Places::new(|camera| (camera.0 >= 100).then(|| "林场".to_owned())),
        ..config()
    }
}

#[tokio::test]
async fn each_class_and_place_is_kept_its_own_time() {
    use SnapshotClass::{Incident, Routine, StatusChange};
    let folder = tempfile::tempdir().unwrap();
    // Stored before there were rules: all classes in one segment, which is kept as the longest-kept of them.
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    aged(&archive, 1, Routine, 70, 100).await;
    archive.close().await;

    let archive = Archive::open(folder.path(), by_class_and_place()).await.unwrap();
    for (camera, class, age) in
        [(2, Routine, 35), (3, Routine, 50), (4, StatusChange, 50), (5, StatusChange, 100), (6, Incident, 100)]
    {
        aged(&archive, camera, class, age, 100).await;
    }
    aged(&archive, 100, Routine, 100, 100).await;
    aged(&archive, 101, StatusChange, 100, 100).await;
    aged(&archive, 7, Incident, 370, 100).await;
    until(&archive, 5).await;
    assert_eq!(cameras(&archive).await, [1, 2, 4, 6, 100]);

    // It is on record with what it was and why.
    let purges = archive.purges(10).await.unwrap();
    let dropped: Vec<_> = purges.iter().map(|p| (p.classes.clone(), p.reason.as_str(), p.records)).collect();
    assert_eq!(purges.len(), 4, "{purges:?}");
    for class in [Routine, StatusChange, Incident] {
        assert!(dropped.contains(&(vec![class], "days", 1)), "{dropped:?}");
    }
    assert!(purges.iter().all(|p| p.bytes.is_some_and(|bytes| bytes > 100)));
    assert_eq!(archive.purges(1).await.unwrap().len(), 1);

    let retained = archive.retained().await.unwrap();
    let of = |classes: &[SnapshotClass], place: Option<&str>| {
        retained.kept.iter().find(|k| k.classes == classes && k.place.as_deref() == place).unwrap()
    };
    let forest = of(&[Routine], Some("林场"));
    assert_eq!((forest.limit, forest.records, forest.segments), (days(180), 1, 1));
    let left = forest.next_purge.unwrap().millis_since(Wall::read());
    assert!((79 * DAY..=81 * DAY).contains(&left), "{left}");
    assert_eq!(of(&[Incident], None).records, 1);
    let mixed = of(&[Routine, StatusChange, Incident], None);
    assert_eq!((mixed.limit, mixed.records), (days(365), 1));
    assert_eq!(retained.places, [("林场".to_owned(), vec!["林场".to_owned()])]);
    archive.close().await;

    // The segments themselves say what they are kept by.
    Archive::rebuild(folder.path(), by_class_and_place()).await.unwrap();
    let archive = Archive::open(folder.path(), by_class_and_place()).await.unwrap();
    let again = archive.retained().await.unwrap();
    let rows = |r: &archive::Retained| {
        r.kept.iter().map(|k| (k.classes.clone(), k.place.clone(), k.records)).collect::<Vec<_>>()
    };
    assert_eq!(rows(&again), rows(&retained));
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
}

#[tokio::test]
async fn a_class_above_its_bytes_loses_its_oldest_but_never_what_the_law_wants_kept() {
    use SnapshotClass::{Incident, Routine};
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config();
    settings.retention.classes.incident = Limit { days: None, bytes: Some(50_000) };
    let archive = Archive::open(folder.path(), settings).await.unwrap();
    for (camera, age) in [(1, 60), (2, 50), (3, 40)] {
        aged(&archive, camera, Incident, age, 20_000).await;
        aged(&archive, 10 + camera, Routine, age, 20_000).await;
    }
    until(&archive, 5).await;
    assert_eq!(cameras(&archive).await, [2, 3, 11, 12, 13], "the oldest of the class went, and nothing else");
    for camera in 4..7 {
        aged(&archive, camera, Incident, 5, 20_000).await;
    }
    until(&archive, 6).await;
    assert_eq!(cameras(&archive).await, [4, 5, 6, 11, 12, 13], "three young ones are more than may be, and stay");
    let retained = archive.retained().await.unwrap();
    let incident = retained.kept.iter().find(|k| k.classes == [Incident]).unwrap();
    assert!(incident.over && incident.bytes > 60_000, "{incident:?}");
    assert!(archive.purges(10).await.unwrap().iter().all(|p| p.reason == "class_bytes"));
    archive.close().await;
}

#[tokio::test]
async fn when_room_runs_out_what_has_outlived_most_of_its_days_goes_first() {
    use SnapshotClass::{Incident, Routine};
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Config { segment_bytes: 64 << 10, max_bytes: Some(400 << 10), ..config() };
    settings.retention.classes.incident = days(365);
    let archive = Archive::open(folder.path(), settings).await.unwrap();
    aged(&archive, 1, Incident, 200, 40_000).await;
    for (camera, age) in [(2, 60), (3, 50), (4, 40), (5, 35)] {
        aged(&archive, camera, Routine, age, 40_000).await;
    }
    for camera in 6..12 {
        aged(&archive, camera, Routine, 1, 40_000).await;
    }
    // 200 of 365 days is less than 40 of 30, though older.
    let left = cameras(&archive).await;
    assert!(left.contains(&1), "{left:?}");
    assert!(!left.contains(&2) && !left.contains(&3), "{left:?}");
    assert!(archive.purges(10).await.unwrap().iter().all(|p| p.reason == "most_bytes"));
    // When nothing is left that may go, the incident's picture goes too, and then nothing more is taken.
    let refused = loop {
        let slot = Wall::read().0;
        match archive.append(snapshot(20, slot, 40_000)).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, ArchiveError::Full(_)), "{refused}");
    assert!(!cameras(&archive).await.contains(&1));
    archive.close().await;
}

#[tokio::test]
async fn holds_keep_within_what_the_settings_allow() {
    let folder = tempfile::tempdir().unwrap();
    let now = Wall::read().0;
    let mut settings = config();
    settings.retention.held = Limit { days: Some(100), bytes: Some(50_000) };
    let archive = Archive::open(folder.path(), settings).await.unwrap();
    for (camera, age) in [(1, 3), (2, 2), (3, 1)] {
        aged(&archive, camera, SnapshotClass::Routine, age, 20_000).await;
    }
    let around = |age: i64, expires| hold(now - age * DAY - 600_000, now - age * DAY + 600_000, expires);
    let soon = Some(now + 90 * DAY);
    for endless in [around(3, None), around(3, Some(now + 101 * DAY))] {
        let refused = archive.hold(endless).await.unwrap_err();
        assert!(matches!(&refused, ArchiveError::HoldLimit(why) if why.contains("within 100 days")), "{refused}");
    }
    archive.hold(around(3, soon)).await.unwrap();
    archive.hold(around(2, soon)).await.unwrap();
    let refused = archive.hold(around(1, soon)).await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::HoldLimit(why) if why.contains("archive.held.gib")), "{refused}");
    let held = archive.retained().await.unwrap().held;
    assert_eq!((held.holds, held.segments, held.overdue_bytes), (2, 2, 0));
    archive.release(1, "zhao".into(), "结案".into()).await.unwrap();
    archive.hold(around(1, soon)).await.unwrap();
    archive.close().await;
}

#[tokio::test]
async fn nothing_is_dropped_while_holds_are_missing_that_the_manifests_name() {
    let folder = tempfile::tempdir().unwrap();
    let old = Wall::read().0 - 60 * 86_400_000;
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let stored = archive.append(snapshot(1, old, 500)).await.unwrap();
    let hold = NewHold {
        kind: HoldKind::Legal,
        cameras: Vec::new(),
        from: Wall(old - 1),
        until: Wall(old + 1),
        reason: "case".to_owned(),
        document: "7".to_owned(),
        by: "judge".to_owned(),
        expires: None,
    };
    archive.hold(hold.clone()).await.unwrap();
    let second = archive.hold(hold).await.unwrap();
    archive.release(second.id, "judge".to_owned(), "twice".to_owned()).await.unwrap();
    archive.close().await;
    let path = folder.path().join("holds.json");
    let kept = std::fs::read_to_string(&path).unwrap();
    let purging = Config { retention: Retention::days(40), ..config() };
    let altered = kept.replacen("\"released\": null", "\"released\": {\"at\": 5, \"by\": \"x\", \"reason\": \"y\"}", 1);
    let shorter = kept.replacen(&format!("\"until\": {}", old + 1), "\"until\": 2", 1);
    assert!(altered != kept && shorter != kept, "{kept}");
    for gone in [None, Some(altered), Some(shorter)] {
        match gone {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let archive = Archive::open(folder.path(), purging.clone()).await.unwrap();
        // Several looks of retention go by.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert!(archive.stats().holds_lost);
        assert!(archive.read(&stored.id).await.is_ok(), "nothing was dropped");
        let refused = archive.release(1, "x".to_owned(), "y".to_owned()).await.unwrap_err().to_string();
        assert!(refused.contains("accept-holds"), "{refused}");
        archive.close().await;
    }
    // Restored, they are in force, and the archive knows it.
    std::fs::write(&path, kept).unwrap();
    let archive = Archive::open(folder.path(), purging.clone()).await.unwrap();
    assert!(!archive.stats().holds_lost);
    assert_eq!(archive.holds().iter().filter(|hold| hold.holds(Wall::read())).count(), 1);
    archive.close().await;
    // Lost for good: somebody has to say so.
    std::fs::remove_file(&path).unwrap();
    let archive = Archive::open(folder.path(), purging).await.unwrap();
    archive.accept_holds().await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
    while archive.stats().records > 0 {
        assert!(std::time::Instant::now() < deadline, "not purged: {:?}", archive.stats());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    archive.close().await;
}
