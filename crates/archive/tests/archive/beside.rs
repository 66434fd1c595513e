//! A check beside a service that has the archive open and writes on: it reads only, and calls nothing damaged that is not.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, gap, snapshot};
use archive::{Archive, ArchiveError, Config};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("segments")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_a_busy_service_finds_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    // Small segments: sealed, made and filled all the time.
    let settings = Config { segment_bytes: 256 << 10, ..config() };
    let archive = Archive::open(folder.path(), settings.clone()).await.unwrap();
    for slot in 0..60 {
        archive.append(snapshot(slot % 7, MIDNIGHT + i64::from(slot), 9_000)).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (archive, stop) = (archive.clone(), Arc::clone(&stop));
        async move {
            let mut slot = 1000;
            while !stop.load(Ordering::Relaxed) {
                slot += 1;
                archive.append(snapshot(slot % 7, MIDNIGHT + i64::from(slot), 9_000)).await.unwrap();
                archive.record_gap(gap(9, MIDNIGHT + i64::from(slot))).await.unwrap();
                if slot % 100 == 0 {
                    archive.seal().await.unwrap();
                }
            }
        }
    });
    assert!(matches!(Archive::open(folder.path(), settings.clone()).await, Err(ArchiveError::Locked { .. })));
    for round in 0..40 {
        let report = Archive::check_beside(folder.path(), settings.clone(), |_| ()).await.unwrap();
        assert_eq!(report.damaged, [], "round {round}");
        assert!(report.records >= 60, "round {round}: {}", report.records);
    }
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();

    // And what is damaged is found.
    archive.seal().await.unwrap();
    let first = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    bytes[5000] ^= 1;
    fs::remove_file(&first).unwrap();
    fs::write(&first, &bytes).unwrap();
    let report = Archive::check_beside(folder.path(), settings.clone(), |_| ()).await.unwrap();
    assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
    // What the service was told is what it goes on with.
    archive.append(snapshot(1, MIDNIGHT + 9_000_000, 900)).await.unwrap();
    archive.close().await;
}

#[tokio::test]
async fn damage_in_a_segment_that_is_not_sealed_is_found_where_something_stands_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    for slot in 0..6 {
        archive.append(snapshot(1, MIDNIGHT + slot, 900)).await.unwrap();
    }
    let open = segments(folder.path()).remove(0);
    let flip = |at: usize| {
        use std::os::unix::fs::FileExt;
        let file = fs::File::options().read(true).write(true).open(&open).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
    };
    // In the picture of the second record, and of the last one, which the index knows.
    let starts: Vec<usize> = {
        let bytes = fs::read(&open).unwrap();
        (0..bytes.len() - 8).step_by(8).filter(|at| bytes[*at..*at + 8] == *b"\xa5SErec\r\n").collect()
    };
    assert_eq!(starts.len(), 6);
    for which in [1, 5] {
        flip(starts[which] + 300);
        let report = Archive::check_beside(folder.path(), config(), |_| ()).await.unwrap();
        assert_eq!(report.damaged.len(), 1, "record {which}: {:?}", report.damaged);
        assert_eq!(report.damaged[0].offset as usize, starts[which]);
        flip(starts[which] + 300);
    }
    assert_eq!(Archive::check_beside(folder.path(), config(), |_| ()).await.unwrap().damaged, []);
    archive.close().await;
}
