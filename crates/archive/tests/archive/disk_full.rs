//! A real file system that runs full: the archive says so, keeps everything, and comes back by itself.
//!
//! Each test runs in a process of its own with a mount of its own, which is gone with the process. That needs root, or
//! a kernel that lets users have name spaces (Debian's does).
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, all, config, gap, picture, snapshot};
use archive::{Archive, ArchiveError, Config, Entry, SnapshotQuery, SnapshotRef, State};
use fleet::Wall;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const INSIDE: &str = "ARCHIVE_TEST_OWN_MOUNTS";

/// Runs the calling test again in its own mount name space; `None` in the outer process, which has nothing left to do.
fn small_disk(test: &str, mebibytes: u32) -> Option<PathBuf> {
    let Some(begun) = std::env::var_os(INSIDE) else {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.arg("--mount").arg(std::env::current_exe().unwrap());
        let marks = tempfile::tempdir().unwrap();
        let begun = marks.path().join("begun");
        command.args(["--exact", test, "--nocapture"]).env(INSIDE, &begun);
        let status = command.status().expect("unshare (util-linux) is there");
        assert!(status.success(), "{test} failed in its own mount name space: {status}");
        assert!(begun.exists(), "there is a test of the name {test}");
        return None;
    };
    std::fs::write(begun, "").unwrap();
    let folder = tempfile::tempdir().unwrap().keep();
    let size = format!("size={mebibytes}m,mode=0755");
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status().unwrap();
    assert!(status.success(), "a small tmpfs can be mounted");
    Some(folder)
}

/// The same with a small ext4 on a loop device: a real file system with a journal, blocks kept back for root, and inodes.
fn small_ext4(test: &str, mebibytes: u32) -> Option<PathBuf> {
    let folder = small_disk(test, mebibytes + 8)?;
    let (image, mounted) = (folder.join("image"), folder.join("disk"));
    std::fs::create_dir(&mounted).unwrap();
    std::fs::File::create(&image).unwrap().set_len(u64::from(mebibytes) << 20).unwrap();
    let made =
        Command::new("mkfs.ext4").args(["-q", "-F", "-m", "5"]).arg(&image).status().expect("e2fsprogs are there");
    assert!(made.success());
    let status = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted).status().unwrap();
    assert!(status.success(), "a loop device can be mounted; that needs root");
    Some(mounted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_ext4_refuses_new_snapshots_keeps_old_ones_and_resumes_by_itself() {
    let name = "disk_full::a_full_ext4_refuses_new_snapshots_keeps_old_ones_and_resumes_by_itself";
    let Some(disk) = small_ext4(name, 24) else { return };
    let settings = Config { reserve_bytes: 2 << 20, keep_days: 36_500, ..config() };
    let archive = Archive::open(&disk.join("archive"), settings).await.unwrap();
    let mut stored = Vec::new();
    let mut ballast = std::fs::File::create(disk.join("ballast")).unwrap();
    // Somebody else takes the room, to the last block; then the archive has what it set aside, and no more.
    for slot in 0..40 {
        stored.push(archive.append(snapshot(3, MIDNIGHT + slot, 20_000)).await.unwrap());
    }
    while std::io::Write::write_all(&mut ballast, &[1; 4096]).is_ok() {}
    let full = loop {
        let slot = MIDNIGHT + i64::try_from(stored.len()).unwrap();
        match archive.append(snapshot(3, slot, 20_000)).await {
            Ok(reference) => stored.push(reference),
            Err(error) => break error,
        }
        assert!(stored.len() < 1200, "24 MiB hold no 24 MB");
    };
    assert!(matches!(full, ArchiveError::Full(_)), "{full}");
    all_there(&archive, &stored).await;
    drop(ballast);
    std::fs::remove_file(disk.join("ballast")).unwrap();
    until(&archive, &State::Ok).await;
    stored.push(archive.append(snapshot(5, MIDNIGHT, 20_000)).await.unwrap());
    all_there(&archive, &stored).await;
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    // What was refused is not there, but for the one for which only the index had no room: it lay on the medium already.
    let found = all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await;
    assert!((stored.len()..=stored.len() + 1).contains(&found.len()), "{} of {}", found.len(), stored.len());
    archive.close().await;
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    let image = disk.parent().unwrap().join("image");
    let sound = Command::new("e2fsck").args(["-f", "-n"]).arg(&image).status().unwrap();
    assert!(sound.success(), "the file system itself is whole");
    leave(disk.parent().unwrap());
}

fn leave(folder: &Path) {
    assert!(Command::new("umount").arg("-l").arg(folder).status().unwrap().success());
    std::fs::remove_dir(folder).unwrap();
}

async fn until(archive: &Archive, wanted: &State) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while archive.stats().state != *wanted {
        assert!(Instant::now() < deadline, "the state stays {:?}", archive.stats().state);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_there(archive: &Archive, stored: &[SnapshotRef]) {
    for reference in stored {
        let found = archive.read(&reference.id).await.unwrap();
        assert_eq!(found.data, picture(reference.camera.0, reference.slot.0, 20_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_new_snapshots_keeps_old_ones_and_resumes_by_itself() {
    let Some(disk) =
        small_disk("disk_full::a_full_disk_refuses_new_snapshots_keeps_old_ones_and_resumes_by_itself", 16)
    else {
        return;
    };
    std::fs::write(disk.join("ballast"), vec![1; 6 << 20]).unwrap();
    // Two MiB in reserve: the index and the manifests must have room when the segments have none.
    let settings = Config { reserve_bytes: 2 << 20, keep_days: 36_500, ..config() };
    let archive = Archive::open(&disk.join("archive"), settings.clone()).await.unwrap();
    let mut stored = Vec::new();
    let full = loop {
        let slot = MIDNIGHT + i64::try_from(stored.len()).unwrap();
        match archive.append(snapshot(3, slot, 20_000)).await {
            Ok(reference) => stored.push(reference),
            Err(error) => break error,
        }
        assert!(stored.len() < 2000, "16 MiB hold no 40 MB");
    };
    assert!(matches!(full, ArchiveError::Full(_)), "{full}");
    assert!(full.to_string().contains("nothing is older than 36500 days"), "{full}");
    assert!(stored.len() > 200, "most of the disk was used: {}", stored.len());
    assert_eq!(archive.stats().state, State::Full);
    // While it is full, nobody waits, nothing is lost, everything is served.
    let asked = Instant::now();
    assert!(matches!(archive.record_gap(gap(4, MIDNIGHT)).await, Err(ArchiveError::Full(_))));
    assert!(asked.elapsed() < Duration::from_secs(5));
    all_there(&archive, &stored).await;
    assert_eq!(archive.stats().state, State::Full);

    // A restart is no different, once the little room is used up that sealing gave back.
    archive.close().await;
    let archive = Archive::open(&disk.join("archive"), settings).await.unwrap();
    let full = loop {
        let slot = MIDNIGHT + i64::try_from(stored.len()).unwrap();
        match archive.append(snapshot(3, slot, 20_000)).await {
            Ok(reference) => stored.push(reference),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, ArchiveError::Full(_)), "{full}");
    all_there(&archive, &stored).await;

    std::fs::remove_file(disk.join("ballast")).unwrap();
    // It notices without anybody asking for a snapshot.
    until(&archive, &State::Ok).await;
    stored.push(archive.append(snapshot(5, MIDNIGHT, 20_000)).await.unwrap());
    all_there(&archive, &stored).await;
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    let found = all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await;
    assert_eq!(found.len(), stored.len(), "what was refused is not there");
    archive.close().await;
    leave(&disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_filled_to_the_last_byte_by_others_does_no_harm() {
    let Some(disk) = small_disk("disk_full::a_disk_filled_to_the_last_byte_by_others_does_no_harm", 12) else { return };
    let archive = Archive::open(&disk.join("archive"), config()).await.unwrap();
    let mut stored = Vec::new();
    for slot in 0..30 {
        stored.push(archive.append(snapshot(3, MIDNIGHT + slot, 20_000)).await.unwrap());
    }
    // Fill it up, block by block, whatever the archive does meanwhile.
    let ballast = disk.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    let mut refused = 0;
    for slot in 30..400 {
        match archive.append(snapshot(3, MIDNIGHT + slot, 20_000)).await {
            Ok(reference) => stored.push(reference),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
    all_there(&archive, &stored).await;
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    until(&archive, &State::Ok).await;
    for slot in 400..430 {
        stored.push(archive.append(snapshot(3, MIDNIGHT + slot, 20_000)).await.unwrap());
    }
    all_there(&archive, &stored).await;
    archive.close().await;
    let archive = Archive::open(&disk.join("archive"), config()).await.unwrap();
    all_there(&archive, &stored).await;
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
    leave(&disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_space_runs_out_the_oldest_beyond_the_legal_minimum_goes_first() {
    let test = "disk_full::when_space_runs_out_the_oldest_beyond_the_legal_minimum_goes_first";
    let Some(disk) = small_disk(test, 16) else { return };
    let settings = Config { reserve_bytes: 2 << 20, keep_days: 30, ..config() };
    let archive = Archive::open(&disk.join("archive"), settings.clone()).await.unwrap();
    let day = 86_400_000;
    let now = Wall::read().0;
    let mut stored = Vec::new();
    // Two months, oldest first, more than the disk holds; then the last days, which must stay.
    for i in 0..1200 {
        let slot = now - 90 * day + i * day / 20;
        let old = slot < now - 32 * day;
        if !old && i % 40 != 0 {
            continue;
        }
        stored.push(archive.append(snapshot(3, slot, 20_000)).await.unwrap());
    }
    for i in 0..100 {
        stored.push(archive.append(snapshot(3, now - i * 1000, 20_000)).await.unwrap());
    }
    let minimum = Wall(now - 30 * day);
    let found = all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await;
    let kept: Vec<&SnapshotRef> = found
        .iter()
        .map(|e| match e {
            Entry::Snapshot(reference) => reference,
            Entry::Gap(gap) => panic!("{gap:?}"),
        })
        .collect();
    assert!(kept.len() < stored.len(), "something was dropped");
    let young: Vec<&SnapshotRef> = stored.iter().filter(|r| r.slot >= minimum).collect();
    assert!(young.iter().all(|y| kept.contains(y)), "nothing younger than the minimum was dropped");
    all_there(
        &archive,
        &found
            .iter()
            .map(|e| match e {
                Entry::Snapshot(reference) => reference.clone(),
                Entry::Gap(gap) => panic!("{gap:?}"),
            })
            .collect::<Vec<_>>(),
    )
    .await;
    // What is gone was the oldest, and the purges are on record: the check misses nothing.
    let oldest_kept = kept.iter().map(|r| r.slot).min().unwrap();
    assert!(stored.iter().filter(|r| r.slot > oldest_kept).all(|r| kept.contains(&r)));
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    assert_eq!(archive.stats().records, kept.len() as u64);
    archive.close().await;
    let archive = Archive::open(&disk.join("archive"), settings).await.unwrap();
    assert_eq!(all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await, found);
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;
    leave(&disk);
}
