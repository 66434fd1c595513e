//! What only somebody inside can do to the store: give it other bytes, take objects away.

#[path = "../../tests/common/weed.rs"]
mod weed;

use super::*;
use crate::{Archive, ArchiveError, Config, NewSnapshot, Retention};
use fleet::{CameraId, Codec, Mono, Now, Status, StreamChoice};
use std::time::{Duration, Instant};
use weed::{ACCOUNT, SECRET, Weed};

const DAY: i64 = 86_400_000;
/// A starved machine is slow, not wrong; and the keeper waits up to a minute after a failure.
const WITHIN: Duration = Duration::from_secs(300);

/// Asks the store until it answers: one that is short of the processor runs into the limits of a single request.
async fn patiently<T, F: Future<Output = Result<T, Away>>>(mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + WITHIN;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(Away::Store(why)) => assert!(Instant::now() < deadline, "{why}"),
            Err(other) => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The same of an archive whose pictures are in the store; what is wrong with them is an answer.
async fn answered<T, F: Future<Output = Result<T, ArchiveError>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, ArchiveError> {
    let deadline = Instant::now() + WITHIN;
    loop {
        match ask().await {
            Err(ArchiveError::Away(why)) => assert!(Instant::now() < deadline, "{why}"),
            answer => return answer,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn snapshot(slot: i64) -> NewSnapshot {
    NewSnapshot {
        camera: CameraId(3),
        stream: StreamChoice::Main,
        slot: Wall(slot),
        class: health::SnapshotClass::Routine,
        captured: Now { mono: Mono(7), wall: Wall(slot) },
        camera_clock: None,
        codec: Codec::H265,
        converted_from: None,
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
    let deadline = Instant::now() + WITHIN;
    while !wanted(&archive.stats().remote.unwrap()) {
        assert!(Instant::now() < deadline, "{:?}", archive.stats().remote);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Segments of more than one part, so that uploads can be cut in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_cut_off_leaves_no_parts_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let far = Far::open(&Folder::new(&root), &remote(&weed), "test").unwrap();
    std::fs::create_dir(&root).unwrap();
    let large = folder.path().join("large");
    std::fs::write(&large, vec![7; 20 << 20]).unwrap();
    // Cut off after the upload was begun, as by a crash: it was written down before its first part.
    let cut = || std::io::Error::other("cut off");
    let begun = |upload: &Upload| far.begun(upload).and_then(|()| Err(cut()));
    let failed = far.store.put_file("segments/cut", &large, 20 << 20, begun).await.unwrap_err();
    assert!(matches!(failed, Away::Local(_)), "{failed}");
    assert_eq!(weed.uploads(), 1);
    let settings = Config { node: "test".to_owned(), remote: Some(remote(&weed)), ..Config::default() };
    let archive = Archive::open(&root, settings).await.unwrap();
    let deadline = Instant::now() + WITHIN;
    while weed.uploads() > 0 || !far.left_over().is_empty() {
        assert!(Instant::now() < deadline, "{} uploads are left", weed.uploads());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    archive.close().await;
    // Of another store nothing is known any more.
    let mut elsewhere = left(&far, &large).await;
    elsewhere.place = "elsewhere".to_owned();
    far.store.abort(&elsewhere).await.unwrap();
    assert_eq!(weed.uploads(), 1);
    far.store.abort(&far.left_over()[0]).await.unwrap();
    far.store.abort(&far.left_over()[0]).await.expect("what is gone is taken back already");
    assert_eq!(weed.uploads(), 0);
}

async fn left(far: &Far, large: &Path) -> Upload {
    let begun = |upload: &Upload| {
        far.begun(upload)?;
        Err(std::io::Error::other("cut off"))
    };
    far.store.put_file("segments/again", large, 20 << 20, begun).await.unwrap_err();
    far.left_over().remove(0)
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
    let objects = patiently(|| store.list("segments")).await;
    assert_eq!(objects.len(), 2);
    let manifests = patiently(|| store.list("manifests")).await;
    assert!(!manifests.is_empty());
    let (name, bytes) = objects.iter().next_back().unwrap();
    let whole = patiently(|| store.read(name, 0..*bytes)).await;

    // One flipped bit in the picture: it is not served, and the check names it.
    let mut other = whole.to_vec();
    other[400] ^= 1;
    patiently(|| store.put(name, other.clone())).await;
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    assert!(matches!(answered(|| archive.read(&kept.id)).await, Err(ArchiveError::Damaged { .. })));
    let damaged = answered(|| archive.check(|_| ())).await.unwrap().damaged;
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].to_string().contains("camera C00003"), "{}", damaged[0]);
    archive.close().await;

    // An object that is gone is told.
    patiently(|| store.delete(name)).await;
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    until(&archive, |s| s.state == RemoteState::Lacking && s.detail.contains("1 segments are missing")).await;
    assert!(matches!(archive.read(&kept.id).await, Err(ArchiveError::Away(_))));
    archive.close().await;

    // What retention drops goes there too.
    patiently(|| store.put(name, whole.to_vec())).await;
    let archive = Archive::open(&root, Config { retention: Retention::days(30), ..settings }).await.unwrap();
    let deadline = Instant::now() + WITHIN;
    while patiently(|| store.list("segments")).await.len() != 1 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(answered(|| archive.read(&kept.id)).await.unwrap().reference, kept);
    archive.close().await;
}
