//! Sealed segments in a real object store (SeaweedFS, `./task setup` installs it): put there, verified, let go here, read
//! by range; while the store is away nothing is lost and no more than agreed waits; killed processes on either side.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::weed::{ACCOUNT, SECRET, Weed};
use crate::common::{MIDNIGHT, all, config, gap, picture, segments, snapshot};
use archive::{
    Archive, ArchiveError, Config, RemoteConfig, RemoteState, RemoteStats, SnapshotQuery, SnapshotRef, State,
};
use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const PICTURE: usize = 60_000;

fn remote(endpoint: String) -> RemoteConfig {
    RemoteConfig {
        endpoint,
        bucket: "snapshots".to_owned(),
        region: "us-east-1".to_owned(),
        folder: "county".to_owned(),
        access_key: ACCOUNT.to_owned(),
        secret_key: fleet::Secret::new(SECRET),
        local_days: 0,
        local_bytes: None,
    }
}

fn settings(remote: RemoteConfig) -> Config {
    Config { remote: Some(remote), keep_days: 36_500, ..config() }
}

/// Waits until the store fares as `wanted` says.
async fn until(archive: &Archive, what: &str, wanted: impl Fn(&RemoteStats) -> bool) -> RemoteStats {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let stats = archive.stats().remote.unwrap();
        if wanted(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "waited for {what}: {stats:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn append(archive: &Archive, slots: std::ops::Range<i64>) -> Vec<SnapshotRef> {
    let mut stored = Vec::new();
    for slot in slots {
        stored.push(archive.append(snapshot(3, MIDNIGHT + slot, PICTURE)).await.unwrap());
    }
    stored
}

async fn all_there(archive: &Archive, stored: &[SnapshotRef]) {
    for reference in stored {
        let found = archive.read(&reference.id).await.unwrap_or_else(|e| panic!("{:?}: {e}", reference.id));
        assert_eq!(found.data, picture(reference.camera.0, reference.slot.0, PICTURE));
    }
}

fn far_files(root: &Path) -> usize {
    segments(root).iter().filter(|path| path.extension().is_some_and(|e| e == "far")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_go_to_the_store_and_are_served_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let settings = settings(remote(weed.endpoint()));
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    let mut stored = append(&archive, 0..70).await;
    archive.record_gap(gap(4, MIDNIGHT)).await.unwrap();
    archive.seal().await.unwrap();
    let stats = until(&archive, "all segments in the store only", |s| s.far >= 5 && s.waiting == 0).await;
    assert_eq!((stats.state, stats.detail.as_str()), (RemoteState::Ok, ""));
    assert_eq!(stats.stored, stats.far);
    assert!(stats.last_stored.is_some());
    assert!(far_files(&root) as u64 == stats.far, "what stays is a skeleton of each");
    let here: u64 = segments(&root).iter().map(|p| std::fs::metadata(p).unwrap().blocks() * 512).sum();
    assert!(here < 70 * PICTURE as u64 / 20, "the disk holds {here} bytes of them");
    all_there(&archive, &stored).await;
    // Proofs need no store; the whole check reads what is there.
    let proof = archive.proof(&stored[0].id).await.unwrap();
    proof.verify(&picture(3, stored[0].slot.0, PICTURE)).unwrap();
    let report = archive.check(|_| ()).await.unwrap();
    assert_eq!(report.damaged, []);
    assert_eq!(report.records, 71);
    let everything = all(&archive, SnapshotQuery::default()).await;
    archive.close().await;

    // The index is made anew from the skeletons, without asking the store.
    weed.kill();
    assert_eq!(Archive::rebuild(&root, settings.clone()).await.unwrap().damaged, []);
    let archive = Archive::open(&root, settings.clone()).await.unwrap();
    assert_eq!(all(&archive, SnapshotQuery::default()).await, everything);

    // While the store is away: it is said, new snapshots are taken, old pictures are refused in words.
    let stats = until(&archive, "the outage to be noticed", |s| s.state == RemoteState::Away).await;
    assert!(!stats.detail.is_empty());
    let refused = archive.read(&stored[0].id).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Away(_)), "{refused}");
    for text in [refused.to_string(), stats.detail, format!("{settings:?}")] {
        assert!(!text.contains(SECRET), "{text}");
    }
    let report = archive.check(|_| ()).await.unwrap();
    assert_eq!(report.damaged, [], "nothing is called damaged for it");
    assert_eq!(report.unread, far_files(&root) as u64, "and nothing is called sound that was not read");
    assert!(report.unread_because.is_some_and(|why| !why.is_empty() && !why.contains(SECRET)));
    stored.extend(append(&archive, 70..100).await);
    archive.seal().await.unwrap();
    assert_eq!(archive.stats().state, State::Ok);
    let stats = until(&archive, "segments that wait", |s| s.waiting >= 1).await;
    assert!(stats.waiting_bytes > 30 * PICTURE as u64 - (1 << 20));

    // When it answers again, what waited goes there by itself.
    weed.start_again();
    until(&archive, "all in the store", |s| s.waiting == 0 && s.state == RemoteState::Ok && s.far == s.stored).await;
    all_there(&archive, &stored).await;
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;

    // A wrong account is told as that, without showing it.
    let wrong = RemoteConfig { secret_key: fleet::Secret::new("guessed"), ..remote(weed.endpoint()) };
    let archive = Archive::open(&root, Config { remote: Some(wrong), ..settings.clone() }).await.unwrap();
    let stats = until(&archive, "the refusal", |s| s.state == RemoteState::Away).await;
    assert!(stats.detail.contains("refuses this account"), "{}", stats.detail);
    assert!(!stats.detail.contains(ACCOUNT) && !stats.detail.contains("guessed"));
    archive.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_no_more_than_agreed_waits_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut weed = Weed::start(&folder.path().join("weed"));
    weed.kill();
    let root = folder.path().join("archive");
    let most = 6 << 20;
    let archive = Archive::open(&root, settings(RemoteConfig { local_bytes: Some(most), ..remote(weed.endpoint()) }))
        .await
        .unwrap();
    let mut stored = Vec::new();
    let full = loop {
        let slot = MIDNIGHT + i64::try_from(stored.len()).unwrap();
        match archive.append(snapshot(3, slot, PICTURE)).await {
            Ok(reference) => stored.push(reference),
            Err(error) => break error,
        }
        assert!(stored.len() < 500, "6 MiB hold no 30 MB");
    };
    assert!(matches!(&full, ArchiveError::Full(why) if why.contains("object store")), "{full}");
    assert_eq!(archive.stats().state, State::Full);
    let here: u64 = segments(&root).iter().map(|p| std::fs::metadata(p).unwrap().len()).sum();
    assert!(here <= most && here > most / 2, "{here} bytes wait");
    all_there(&archive, &stored).await;
    weed.start_again();
    // It comes back by itself, and everything goes on.
    let deadline = Instant::now() + Duration::from_secs(300);
    while archive.stats().state != State::Ok {
        assert!(Instant::now() < deadline, "{:?}", archive.stats());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let next = i64::try_from(stored.len()).unwrap();
    stored.extend(append(&archive, next..next + 20).await);
    all_there(&archive, &stored).await;
    archive.close().await;
}

const FOLDER: &str = "ARCHIVE_REMOTE_FOLDER";
const ENDPOINT: &str = "ARCHIVE_REMOTE_ENDPOINT";
const ROUND: &str = "ARCHIVE_REMOTE_ROUND";

/// Segments of three parts, so that uploads are cut in the middle.
fn large(remote: RemoteConfig) -> Config {
    Config { segment_bytes: 18 << 20, ..settings(remote) }
}

/// The process that is killed: appends and seals without end. Does nothing in a usual test run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_that_uploads() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round: i64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let remote = remote(std::env::var(ENDPOINT).unwrap());
    let archive = Archive::open(Path::new(&folder), large(remote)).await.unwrap();
    for i in 0.. {
        let slot = MIDNIGHT + round * 3_600_000 + i;
        let stored = archive.append(snapshot(3, slot, PICTURE)).await.unwrap();
        println!("\nack {}", stored.id);
        // One large segment after another, as fast as the store takes them.
        if i % 250 == 249 {
            archive.seal().await.unwrap();
            println!("\nsealed");
            let before = archive.stats().remote.unwrap().stored;
            while archive.stats().remote.unwrap().stored == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            println!("\nstored");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_an_upload_on_either_side_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut weed = Weed::start(&folder.path().join("weed"));
    let root = folder.path().join("archive");
    let mut acknowledged: Vec<archive::SnapshotId> = Vec::new();
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "remote::the_child_that_uploads", "--nocapture"])
            .env(FOLDER, &root)
            .env(ENDPOINT, weed.endpoint())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |until: Option<&str>| {
            for line in said.by_ref() {
                let line = line.unwrap();
                if let Some(id) = line.strip_prefix("ack ").and_then(|id| id.parse().ok()) {
                    acknowledged.push(id);
                }
                if until == Some(line.as_str()) {
                    return;
                }
            }
        };
        hear(Some("sealed"));
        if round % 2 == 1 {
            // Another segment, so that the kill meets parts of one after a whole one.
            hear(Some("sealed"));
        }
        // Parts of an upload are in the store, and it is not at its end.
        let deadline = Instant::now() + Duration::from_secs(180);
        let noted = || std::fs::read_to_string(root.join("upload.json")).is_ok_and(|text| text.contains("segments/"));
        while weed.uploads() == 0 || !noted() {
            assert!(Instant::now() < deadline, "no upload in parts was seen");
            std::thread::sleep(Duration::from_millis(5));
        }
        if round >= 2 {
            // The store first, in the middle of what it is given; the archive goes on without it.
            weed.kill();
            std::thread::sleep(Duration::from_millis(200));
        }
        child.kill().unwrap();
        hear(None);
        assert!(!child.wait().unwrap().success());
        if round >= 2 {
            weed.start_again();
        }
    }
    assert!(acknowledged.len() >= 1000, "the children did their work: {}", acknowledged.len());
    let archive = Archive::open(&root, large(remote(weed.endpoint()))).await.unwrap();
    until(&archive, "all in the store only", |s| s.waiting == 0 && s.state == RemoteState::Ok && s.far >= 6).await;
    let deadline = Instant::now() + Duration::from_secs(300);
    while weed.uploads() > 0 {
        assert!(Instant::now() < deadline, "parts of what was cut off are left in the store");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for id in &acknowledged {
        let found = archive.read(id).await.unwrap_or_else(|e| panic!("{id} was acknowledged: {e}"));
        assert_eq!(found.data, picture(3, found.reference.slot.0, PICTURE), "{id}");
    }
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
}
