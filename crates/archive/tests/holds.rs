//! Holds outlive retention, restarts and a full disk; manifests kept outside show what was changed since.
#![allow(clippy::unwrap_used)]

mod common;

use archive::{Archive, ArchiveError, Config, HoldKind, NewHold, compare_manifest, manifests};
use common::{config, segments, snapshot};
use fleet::{CameraId, Wall};
use std::{fs, path::Path, time::Duration};

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
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while archive.stats().records != records {
        assert!(std::time::Instant::now() < deadline, "{:?}", archive.stats());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_held_stays_when_its_time_is_over_and_goes_when_the_hold_ends() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Config { keep_days: 30, purge_after_days: Some(40), ..config() };
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
