//! Every byte of a small segment, flipped or cut off: what can be read is right, what cannot is named, nothing panics.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, all, config, gap, picture, segments, snapshot};
use archive::{Archive, ArchiveError, Entry, SnapshotQuery, SnapshotRef};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// An archive with one segment of three snapshots and a gap, and what was acknowledged.
struct Sample {
    folder: tempfile::TempDir,
    stored: Vec<SnapshotRef>,
    segment: PathBuf,
    bytes: Vec<u8>,
}

/// `sealed`: closed in good order. Otherwise as `kill -9` leaves it.
async fn sample(sealed: bool) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let mut stored = Vec::new();
    for camera in 1..=3 {
        stored.push(archive.append(snapshot(camera, MIDNIGHT + 1, 40 + camera as usize)).await.unwrap());
        if camera == 2 {
            archive.record_gap(gap(8, MIDNIGHT)).await.unwrap();
        }
    }
    let image = tempfile::tempdir().unwrap();
    if sealed {
        archive.close().await;
        copy(folder.path(), image.path());
    } else {
        // What a killed process leaves is what the files hold now: every acknowledged byte is in them.
        copy(folder.path(), image.path());
        archive.close().await;
    }
    let segment = segments(image.path()).remove(0);
    fs::set_permissions(&segment, fs::Permissions::from_mode(0o640)).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    if !sealed {
        // Most of the preallocated zeros add nothing but time.
        let used = bytes.iter().rposition(|&b| b != 0).unwrap() + 1;
        bytes.truncate(used.next_multiple_of(8) + 64);
    }
    Sample { folder: image, stored, segment, bytes }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// A copy of the sample with another segment.
fn altered(sample: &Sample, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(sample.folder.path(), folder.path());
    let segment = folder.path().join(sample.segment.strip_prefix(sample.folder.path()).unwrap());
    fs::write(&segment, bytes).unwrap();
    folder
}

/// Reads everything acknowledged: right or refused as damaged, never wrong. Returns how many were refused.
async fn refused(archive: &Archive, sample: &Sample, what: &str) -> usize {
    let mut refused = 0;
    for reference in &sample.stored {
        match archive.read(&reference.id).await {
            Ok(found) => {
                let (camera, slot) = (reference.camera.0, reference.slot.0);
                assert_eq!(found.data, picture(camera, slot, 40 + camera as usize), "{what}");
                assert_eq!(found.reference, *reference, "{what}");
            }
            Err(ArchiveError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("{what}: {other}"),
        }
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_of_a_sealed_segment_is_named_and_costs_one_record() {
    let sample = sample(true).await;
    let length = sample.bytes.len();
    // Every byte through one archive that stays open: reading and checking.
    let folder = altered(&sample, &sample.bytes);
    let segment = folder.path().join(sample.segment.strip_prefix(sample.folder.path()).unwrap());
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    for at in 0..length {
        let mut bytes = sample.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&segment, &bytes).unwrap();
        let what = format!("byte {at} of {length}");
        assert!(refused(&archive, &sample, &what).await <= 1, "{what}");
        let report = archive.check(|_| ()).await.unwrap();
        assert!(!report.damaged.is_empty(), "{what} passed the check");
        assert!(report.damaged.iter().all(|d| d.to_string().contains(".seg")), "{what}: {:?}", report.damaged);
    }
    archive.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_rebuilt_from_a_damaged_segment_serves_nothing_wrong() {
    let sample = sample(true).await;
    for at in (0..sample.bytes.len()).step_by(61) {
        let mut bytes = sample.bytes.clone();
        bytes[at] ^= 0x10;
        let folder = altered(&sample, &bytes);
        Archive::rebuild(folder.path(), config()).await.unwrap();
        let archive = Archive::open(folder.path(), config()).await.unwrap();
        let what = format!("byte {at}");
        let found = all(&archive, SnapshotQuery::default()).await;
        let unreadable = 4 - found.len();
        let mut wrong = 0;
        for entry in found {
            if let Entry::Snapshot(reference) = entry {
                match archive.read(&reference.id).await {
                    Ok(snapshot) => {
                        let camera = reference.camera.0;
                        assert_eq!(snapshot.data, picture(camera, reference.slot.0, 40 + camera as usize), "{what}");
                    }
                    Err(ArchiveError::Damaged { .. }) => wrong += 1,
                    Err(other) => panic!("{what}: {other}"),
                }
            }
        }
        assert!(unreadable + wrong <= 1, "{what} costs one record at most");
        assert!(!archive.check(|_| ()).await.unwrap().damaged.is_empty(), "{what}");
        archive.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_open_is_recovered_or_named_at_every_byte() {
    let sample = sample(false).await;
    let whole = altered(&sample, &sample.bytes);
    let archive = Archive::open(whole.path(), config()).await.unwrap();
    assert_eq!(refused(&archive, &sample, "whole").await, 0);
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
    for at in (0..sample.bytes.len()).step_by(17) {
        for cut in [false, true] {
            let mut bytes = sample.bytes.clone();
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 0x40;
            }
            let what = format!("byte {at} {}", if cut { "cut" } else { "flipped" });
            let folder = altered(&sample, &bytes);
            let archive = Archive::open(folder.path(), config()).await.unwrap();
            let lost = refused(&archive, &sample, &what).await;
            let named = archive.check(|_| ()).await.unwrap().damaged;
            assert!(lost <= named.len(), "{what}: {lost} refused, named {named:?}");
            if !cut {
                assert!(lost <= 1, "{what}");
            }
            assert_eq!(all(&archive, SnapshotQuery::default()).await.len(), 4, "{what}: no row vanishes");
            // And it goes on taking snapshots.
            archive.append(snapshot(50, MIDNIGHT + 9, 30)).await.unwrap();
            archive.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_that_nobody_was_told_of_is_cut() {
    let sample = sample(false).await;
    // Without the index: as after a power cut that took its last transactions. Then a bad tail was never acknowledged.
    for file in fs::read_dir(sample.folder.path().join("index")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let used = sample.bytes.iter().rposition(|&b| b != 0).unwrap() + 1;
    let mut before = 0;
    for at in (0..used).step_by(5) {
        let folder = altered(&sample, &sample.bytes[..at]);
        let archive = Archive::open(folder.path(), config()).await.unwrap();
        let found = all(&archive, SnapshotQuery::default()).await;
        assert!(found.len() >= before, "more bytes, more records");
        before = found.len();
        for entry in found {
            if let Entry::Snapshot(reference) = entry {
                archive.read(&reference.id).await.unwrap();
            }
        }
        assert_eq!(archive.check(|_| ()).await.unwrap().damaged, [], "cut at {at}");
        archive.close().await;
    }
    assert_eq!(before, 3, "all but the last");
}

#[tokio::test]
async fn the_background_check_keeps_its_pace_and_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    for slot in 0..4 {
        archive.append(snapshot(1, MIDNIGHT + slot, 50_000)).await.unwrap();
    }
    assert_eq!(archive.stats().last_check, None);
    let began = std::time::Instant::now();
    let report = archive.check_slowly(400_000).await.unwrap();
    assert_eq!((report.records, report.damaged.len()), (4, 0));
    assert!(began.elapsed() >= std::time::Duration::from_millis(450), "200 kB at 400 kB a second");
    archive.close().await;
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let last = archive.stats().last_check.unwrap();
    assert_eq!((last.records, last.damaged), (4, 0));
    archive.close().await;
}

#[tokio::test]
async fn an_index_that_is_lost_or_overwritten_is_made_anew() {
    let sample = sample(true).await;
    for ruin in ["catalog.db", "2026-11-24.db"] {
        for garbage in [None, Some(b"this is not a database, but it is long enough to be looked at".repeat(100))] {
            let folder = altered(&sample, &sample.bytes);
            let path = folder.path().join("index").join(ruin);
            for ending in ["-wal", "-shm"] {
                let _ = fs::remove_file(path.with_extension(format!("db{ending}")));
            }
            match &garbage {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let archive = Archive::open(folder.path(), config()).await.unwrap();
            assert_eq!(refused(&archive, &sample, ruin).await, 0);
            assert_eq!(all(&archive, SnapshotQuery::default()).await.len(), 4, "{ruin}");
            assert_eq!(archive.check(|_| ()).await.unwrap().damaged, [], "{ruin}");
            archive.close().await;
        }
    }
}

#[tokio::test]
async fn a_segment_taken_away_is_missed() {
    let sample = sample(true).await;
    let folder = altered(&sample, &sample.bytes);
    fs::remove_file(&segments(folder.path())[0]).unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let report = archive.check(|_| ()).await.unwrap();
    assert!(report.damaged.iter().any(|d| d.what.contains("missing")), "{:?}", report.damaged);
    archive.close().await;
}

#[tokio::test]
async fn rows_of_a_segment_that_never_was_are_named() {
    let sample = sample(true).await;
    let folder = altered(&sample, &sample.bytes);
    let day = fs::read_dir(folder.path().join("index")).unwrap().map(|e| e.unwrap().path());
    let day = day.into_iter().find(|p| p.to_string_lossy().contains("-")).unwrap();
    let mut index = SqliteConnectOptions::new().filename(&day).connect().await.unwrap();
    let strange = "INSERT INTO entry SELECT slot + 1, camera, kind, class, status, cause, stream, captured, captured_mono, \
                   camera_clock, clock_within, codec, width, height, bytes, sha256, 99, at, detail, slots, every, last FROM entry WHERE kind = 1";
    assert_eq!(sqlx::query(strange).execute(&mut index).await.unwrap().rows_affected(), 3);
    index.close().await.unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let report = archive.check(|_| ()).await.unwrap();
    let told: Vec<&str> = report.damaged.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(told, ["the index has 3 records of segment 99, which is not there"]);
    archive.close().await;
}
