//! What only somebody inside can do to the store: give it other bytes, take objects away.

#[path = "../../tests/common/weed.rs"]
mod weed;

use super::*;
use crate::{Archive, ArchiveError, Config, NewSnapshot};
use fleet::{CameraId, Codec, Mono, Now, Status, StreamChoice};
use std::time::{Duration, Instant};
use weed::{ACCOUNT, SECRET, Weed};

const DAY: i64 = 86_400_000;

fn snapshot(slot: i64) -> NewSnapshot {
    NewSnapshot {
        camera: CameraId(3),
        stream: StreamChoice::Main,
        slot: Wall(slot),
        class: health::SnapshotClass::Routine,
        captured: Now { mono: Mono(7), wall: Wall(slot) },
        camera_clock: None,
        codec: Codec::H265,
        width: 1920,
        height: 1080,
        status: Status::Online,
        cause: None,
        data: vec![u8::try_from(slot % 251).unwrap(); 60_000].into(),
    }
}

fn remote(weed: &Weed) -> RemoteConfig {
    RemoteConfig {
        endpoint: weed.endpoint(),
        bucket: "snapshots".to_owned(),
        region: "us-east-1".to_owned(),
        folder: String::new(),
        access_key: ACCOUNT.to_owned(),
        secret_key: Secret::new(SECRET),
        local_days: 0,
        local_bytes: None,
    }
}

async fn until(archive: &Archive, wanted: impl Fn(&RemoteStats) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !wanted(&archive.stats().remote.unwrap()) {
        assert!(Instant::now() < deadline, "{:?}", archive.stats().remote);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_not_believed_and_follows_what_is_purged() {
    let folder = tempfile::tempdir().unwrap();
    let weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let now = Wall::read().0;
    let settings = Config {
        segment_bytes: 1 << 20,
        reserve_bytes: 0,
        node: "test".to_owned(),
        remote: Some(remote(&weed)),
        ..Config::default()
    };
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    // One segment that is over its time, one that is not.
    archive.append(snapshot(now - 40 * DAY)).await.unwrap();
    archive.seal().await.unwrap();
    let kept = archive.append(snapshot(now - DAY)).await.unwrap();
    archive.seal().await.unwrap();
    until(&archive, |s| s.far == 2).await;
    archive.close().await;

    let store = Store::connect(&remote(&weed), "test").unwrap();
    let objects = store.list("segments").await.unwrap();
    assert_eq!(objects.len(), 2);
    let manifests = store.list("manifests").await.unwrap();
    assert_eq!(manifests.len(), 1, "{manifests:?}");
    let (name, bytes) = objects.iter().next_back().unwrap();
    let whole = store.read(name, 0..*bytes).await.unwrap();

    // One flipped bit in the picture: it is not served, and the check names it.
    let mut other = whole.to_vec();
    other[400] ^= 1;
    store.put(name, other).await.unwrap();
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    assert!(matches!(archive.read(&kept.id).await, Err(ArchiveError::Damaged { .. })));
    let damaged = archive.check(|_| ()).await.unwrap().damaged;
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].to_string().contains("camera C00003"), "{}", damaged[0]);
    archive.close().await;

    // An object that is gone is told.
    store.delete(name).await.unwrap();
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    until(&archive, |s| s.state == RemoteState::Lacking && s.detail.contains("1 segments are missing")).await;
    assert!(matches!(archive.read(&kept.id).await, Err(ArchiveError::Away(_))));
    archive.close().await;

    // What retention drops goes there too.
    store.put(name, whole.to_vec()).await.unwrap();
    let archive = Archive::open(&root, Config { purge_after_days: Some(30), ..settings }).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.list("segments").await.unwrap().len() != 1 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(archive.read(&kept.id).await.unwrap().reference, kept);
    archive.close().await;
}
