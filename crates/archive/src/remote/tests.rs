//! What only somebody inside can do to the store: give it other bytes, take objects away.

#[path = "../../tests/archive/common/weed.rs"]
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
    // The check names it, and reads the others all the same.
    let report = answered(|| archive.check(|_| ())).await.unwrap();
    assert_eq!((report.records, report.unread), (1, 0));
    assert!(report.damaged.len() == 1 && report.damaged[0].what.contains("has lost it"), "{:?}", report.damaged);
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

/// What is written down of the store may be old: somebody took an object away while the service was stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_the_local_disk_on_an_old_belief() {
    let folder = tempfile::tempdir().unwrap();
    let weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let settings = |local_days| Config {
        segment_bytes: 1 << 20,
        reserve_bytes: 0,
        node: "test".to_owned(),
        remote: Some(RemoteConfig { local_days, ..remote(&weed) }),
        ..Config::default()
    };
    let archive = Archive::open(&root, settings(3650)).await.unwrap();
    let mut stored = Vec::new();
    for n in 0..2 {
        stored.push(archive.append(snapshot(Wall::read().0 - n * DAY)).await.unwrap());
        archive.seal().await.unwrap();
    }
    until(&archive, |s| s.stored == 2 && s.far == 0).await;
    archive.close().await;
    let store = Store::connect(&remote(&weed), "test").unwrap();
    for name in patiently(|| store.list("segments")).await.keys() {
        patiently(|| store.delete(name)).await;
    }
    let archive = Archive::open(&root, settings(0)).await.unwrap();
    until(&archive, |s| s.far == 2).await;
    for reference in &stored {
        assert_eq!(answered(|| archive.read(&reference.id)).await.unwrap().reference, *reference);
    }
    archive.close().await;
}

/// A gate before the store that lets everything through but deletions, as a bucket with object lock does.
async fn gate(store: String) -> String {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };
    /// One object, or several at once.
    fn deletes(asked: &[u8]) -> bool {
        let line = asked.split(|byte| *byte == b'\r').next().unwrap_or_default();
        line.starts_with(b"DELETE ") || line.starts_with(b"POST ") && line.windows(7).any(|part| part == b"?delete")
    }
    const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = store.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let store = store.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(store).await.unwrap();
                let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
                loop {
                    tokio::select! {
                        read = client.read(&mut asked) => match read {
                            Ok(read @ 1..) if deletes(&asked[..read]) => {
                                let _ = client.write_all(REFUSED).await;
                                return;
                            }
                            Ok(read @ 1..) if server.write_all(&asked[..read]).await.is_ok() => {}
                            _ => return,
                        },
                        read = server.read(&mut answered) => match read {
                            Ok(read @ 1..) if client.write_all(&answered[..read]).await.is_ok() => {}
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    endpoint
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_deletes_nothing_takes_what_is_sealed_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let settings = Config {
        segment_bytes: 1 << 20,
        reserve_bytes: 0,
        node: "test".to_owned(),
        remote: Some(RemoteConfig { endpoint: gate(weed.endpoint()).await, ..remote(&weed) }),
        ..Config::default()
    };
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    archive.append(snapshot(Wall::read().0 - 40 * DAY)).await.unwrap();
    archive.seal().await.unwrap();
    until(&archive, |s| s.far == 1).await;
    archive.close().await;
    // It is over its time now; and something new is sealed after that.
    let archive = Archive::open(&root, Config { retention: Retention::days(30), ..settings }).await.unwrap();
    until(&archive, |s| s.detail.contains("1 objects of purged segments are not deleted")).await;
    let kept = archive.append(snapshot(Wall::read().0 - DAY)).await.unwrap();
    archive.seal().await.unwrap();
    until(&archive, |s| s.far == 1 && s.state == RemoteState::Lacking && !s.detail.is_empty()).await;
    assert_eq!(answered(|| archive.read(&kept.id)).await.unwrap().reference, kept);
    archive.close().await;
}

/// Two guards stand before the only copy, and each holds by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_copy_goes_only_after_the_store_was_listed_and_asked_for_it() {
    use crate::{command::Index, keys::Missing, writer::Writer};
    let folder = tempfile::tempdir().unwrap();
    let weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let settings = Config {
        segment_bytes: 1 << 20,
        reserve_bytes: 0,
        node: "test".to_owned(),
        remote: Some(RemoteConfig { local_days: 3650, ..remote(&weed) }),
        ..Config::default()
    };
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    archive.append(snapshot(Wall::read().0 - DAY)).await.unwrap();
    archive.seal().await.unwrap();
    until(&archive, |s| s.stored == 1).await;
    archive.close().await;
    // A writer by itself: nobody lists the store for it.
    let (mut writer, _) = Writer::open(Folder::new(&root), settings, Index::Keep, Missing::Refuse).await.unwrap();
    let far = writer.far.clone().unwrap();
    let (number, here) = writer.catalog.values().map(|c| (c.number, root.join(&c.file))).next().unwrap();
    assert!(far.has(number), "it is written down that the store has it");
    assert_eq!(writer.oldest_safe(), None, "which may be old");
    far.set_listed(true);
    assert_eq!(writer.oldest_safe(), Some(number));
    // Somebody takes it away after that.
    let store = Store::connect(&remote(&weed), "test").unwrap();
    for name in patiently(|| store.list("segments")).await.keys() {
        patiently(|| store.delete(name)).await;
    }
    let refused = writer.let_go(number).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Away(_)), "{refused}");
    assert!(here.exists(), "the only copy");
    assert_eq!(writer.oldest_safe(), None, "until the store was listed again");
    writer.finish().await;
}
