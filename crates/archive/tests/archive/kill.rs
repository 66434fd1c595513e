//! `kill -9` of a real process that appends: whatever it said is stored, is stored, and nothing else is served for it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::{MIDNIGHT, all, config, gap, picture, snapshot};
use archive::{Archive, Config, Entry, SnapshotId, SnapshotQuery};
use rand::{Rng as _, SeedableRng as _};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const FOLDER: &str = "ARCHIVE_KILL_FOLDER";
const ROUND: &str = "ARCHIVE_KILL_ROUND";
const ROUNDS: u64 = 30;

/// Small segments, so that sealing is interrupted too.
fn small() -> Config {
    Config { segment_bytes: 192 << 10, commit_every: Duration::from_millis(1), ..config() }
}

fn length(slot: i64) -> usize {
    1 + usize::try_from(slot % 9001).unwrap()
}

/// The process that is killed: appends without end and says what was acknowledged. Does nothing in a usual test run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_that_appends() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round: i64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let archive = Archive::open(Path::new(&folder), small()).await.unwrap();
    println!("\nopen");
    let mut tasks = tokio::task::JoinSet::new();
    for camera in 0..6 {
        let archive = archive.clone();
        tasks.spawn(async move {
            for i in 0.. {
                let slot = MIDNIGHT + round * 3_600_000 + i * 7;
                if i % 10 == 9 {
                    archive.record_gap(gap(camera, slot)).await.unwrap();
                    println!("\ngap {camera} {slot}");
                } else {
                    let stored = archive.append(snapshot(camera, slot, length(slot))).await.unwrap();
                    println!("\nack {}", stored.id);
                }
            }
        });
    }
    tasks.join_next().await;
}

#[derive(Default)]
struct Said {
    snapshots: Vec<SnapshotId>,
    gaps: Vec<(u32, i64)>,
}

/// Lets the child run until it said `acks` things and then a little longer, kills it, and returns what it said.
fn killed(folder: &Path, round: u64, acks: usize, then: Duration) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_child_that_appends", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = Said::default();
    let (mut line, mut heard) = (String::new(), 0);
    let mut killed = false;
    loop {
        if !killed && heard >= acks {
            std::thread::sleep(then);
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
        // A line cut short by the kill was not said.
        if output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["open"] => heard += 1,
            ["ack", id] => said.snapshots.push(id.parse().unwrap()),
            ["gap", camera, slot] => said.gaps.push((camera.parse().unwrap(), slot.parse().unwrap())),
            _ => continue,
        }
        if words[0] != "open" {
            heard += 1;
        }
    }
    assert!(!child.wait().unwrap().success(), "killed, not ended");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_corrupt_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = rand_seed();
    let (mut acknowledged, mut gaps) = (BTreeMap::new(), Vec::new());
    for round in 0..ROUNDS {
        // Zero acks: killed while it recovers what the round before left.
        let acks = if round % 6 == 5 { 0 } else { random.random_range(1..120) };
        let then = Duration::from_micros(random.random_range(0..30_000));
        let said = killed(folder.path(), round, acks, then);
        acknowledged.extend(said.snapshots.into_iter().map(|id| (id, round)));
        gaps.extend(said.gaps);
        if round % 3 != 2 {
            // The next child recovers instead.
            continue;
        }
        let archive = Archive::open(folder.path(), small()).await.unwrap();
        for (id, from) in &acknowledged {
            if *from + 3 > round {
                verify(&archive, id).await;
            }
        }
        archive.close().await;
    }
    assert!(acknowledged.len() > 100, "the children did their work: {}", acknowledged.len());

    let archive = Archive::open(folder.path(), small()).await.unwrap();
    let everything = all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await;
    for id in acknowledged.keys() {
        verify(&archive, id).await;
    }
    for entry in &everything {
        if let Entry::Snapshot(found) = entry {
            verify(&archive, &found.id).await;
        }
    }
    for (camera, slot) in gaps {
        let there = |e: &&Entry| e.camera().0 == camera && e.slot().0 == slot;
        assert_eq!(everything.iter().find(there), Some(&Entry::Gap(gap(camera, slot))));
    }
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    archive.close().await;

    let report = Archive::rebuild(folder.path(), small()).await.unwrap();
    assert_eq!(report.damaged, []);
    let archive = Archive::open(folder.path(), small()).await.unwrap();
    let rebuilt = all(&archive, SnapshotQuery { limit: 1000, ..SnapshotQuery::default() }).await;
    assert_eq!(rebuilt, everything, "the rebuilt index says the same");
    archive.close().await;
}

async fn verify(archive: &Archive, id: &SnapshotId) {
    let found = archive.read(id).await.unwrap_or_else(|e| panic!("{id} was acknowledged: {e}"));
    let (camera, slot) = (found.reference.camera.0, found.reference.slot.0);
    assert_eq!(found.data, picture(camera, slot, length(slot)), "{id}");
}

/// Other moments in every run; the seed is printed for the run that fails.
fn rand_seed() -> rand::rngs::StdRng {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    rand::rngs::StdRng::seed_from_u64(seed)
}
