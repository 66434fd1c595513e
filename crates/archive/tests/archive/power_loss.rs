//! Power cuts at many points of a real run: every write and flush that reached the disk is recorded below the file
//! system, and disks are put together as a cut would have left them: all writes up to a point, or all up to the last
//! flush and some of those after it, torn ones among them. Whatever was acknowledged before must be there.
//!
//! `qemu-storage-daemon` records (its `blklogwrites` filter, behind a FUSE export and a loop device with ext4). Needs
//! root; says why if it cannot run. `SHARPEYES_CRASH_POINTS=300` for the long form (`./task powerloss`).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::{MIDNIGHT, all, config, picture, snapshot};
use archive::{Archive, Config, Entry, SnapshotId, SnapshotQuery};
use rand::{Rng as _, SeedableRng as _};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

const SECTOR: u64 = 512;
const DISK_BYTES: u64 = 96 << 20;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

fn small() -> Config {
    Config { segment_bytes: 512 << 10, commit_every: Duration::from_millis(3), ..config() }
}

fn length(slot: i64) -> usize {
    500 + usize::try_from(slot % 7001).unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(format!("{program}: {}", said(&output.stderr))) }
}

/// One write or flush as it reached the disk.
#[derive(Clone, Copy)]
struct Logged {
    sector: u64,
    bytes: u64,
    flags: u64,
    /// Where its data is in the log.
    at: u64,
}

/// Reads the log (the format of dm-log-writes) as far as it goes.
struct Log {
    file: File,
    next: u64,
    entries: Vec<Logged>,
}

impl Log {
    fn read_on(&mut self) -> usize {
        loop {
            let mut header = [0; 32];
            self.file.read_exact_at(&mut header, self.next).unwrap();
            let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
            let (sector, count, flags) = (number(0), number(8), number(16));
            if count == 0 && flags == 0 {
                return self.entries.len();
            }
            let data = if flags & DISCARD == 0 { count * SECTOR } else { 0 };
            self.entries.push(Logged { sector, bytes: count * SECTOR, flags, at: self.next + SECTOR });
            self.next += SECTOR + data;
        }
    }
}

/// A disk that is watched, mounted.
struct Rig {
    folder: tempfile::TempDir,
    loop_device: Option<String>,
    mounted: bool,
}

impl Rig {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start() -> Result<Rig, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root may mount".to_owned());
        }
        for wanted in ["/dev/fuse", "/dev/loop-control"] {
            if !Path::new(wanted).exists() {
                return Err(format!("this machine has no {wanted}"));
            }
        }
        run("qemu-storage-daemon", &["--version"]).map_err(|e| format!("{e}; Debian has it in qemu-utils"))?;
        let mut rig = Rig { folder: tempfile::tempdir().unwrap(), loop_device: None, mounted: false };
        for (name, bytes) in [("disk.img", DISK_BYTES), ("log.img", 2 << 30), ("export", 0)] {
            File::create(rig.path(name)).unwrap().set_len(bytes).unwrap();
        }
        let path = |name: &str| rig.path(name).to_str().unwrap().to_owned();
        let export = path("export");
        run(
            "qemu-storage-daemon",
            &[
                "--blockdev",
                &format!("driver=file,node-name=d,filename={}", path("disk.img")),
                "--blockdev",
                &format!("driver=file,node-name=l,filename={}", path("log.img")),
                "--blockdev",
                "driver=blklogwrites,node-name=w,file=d,log=l,log-sector-size=512",
                "--export",
                &format!("type=fuse,id=e,node-name=w,mountpoint={export},writable=on,growable=off"),
                "--daemonize",
                "--pidfile",
                &path("pid"),
            ],
        )?;
        let device = run("losetup", &["-f", "--show", &export])?;
        rig.loop_device = Some(device.clone());
        run("mkfs.ext4", &["-q", "-J", "size=4", &device])?;
        fs::create_dir(rig.path("mount")).unwrap();
        run("mount", &[&device, rig.path("mount").to_str().unwrap()])?;
        rig.mounted = true;
        run("sync", &["-f", rig.path("mount").to_str().unwrap()])?;
        Ok(rig)
    }

    /// Lets go of the watched disk; its log stays.
    fn stop(&mut self) {
        if std::mem::take(&mut self.mounted) {
            let _ = run("umount", &[self.path("mount").to_str().unwrap()]);
        }
        if let Some(device) = self.loop_device.take() {
            let _ = run("losetup", &["-d", &device]);
        }
        if let Ok(pid) = fs::read_to_string(self.path("pid")) {
            let _ = run("kill", &[pid.trim()]);
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What was acknowledged, and how many entries the log had by then.
type Acknowledged = Vec<(SnapshotId, usize)>;

async fn work(folder: &Path, log: &Arc<Mutex<Log>>) -> Acknowledged {
    let archive = Archive::open(folder, small()).await.unwrap();
    let said = Arc::new(Mutex::new(Acknowledged::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for camera in 0..4 {
        let (archive, log, said) = (archive.clone(), Arc::clone(log), Arc::clone(&said));
        tasks.spawn(async move {
            for i in 0..120 {
                let slot = MIDNIGHT + i * 9_001;
                let stored = archive.append(snapshot(camera, slot, length(slot))).await.unwrap();
                let at = log.lock().unwrap().read_on();
                said.lock().unwrap().push((stored.id, at));
                if camera == 0 && i % 40 == 39 {
                    archive.seal().await.unwrap();
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    archive.close().await;
    std::mem::take(&mut *said.lock().unwrap())
}

/// Puts a disk together as a cut before entry `cut` would have left it; says up to which entry everything is on it.
fn cut_disk(base: &Path, disk: &Path, log: &Log, begin: usize, cut: usize, random: &mut rand::rngs::StdRng) -> usize {
    run("cp", &["--sparse=always", base.to_str().unwrap(), disk.to_str().unwrap()]).unwrap();
    let disk = File::options().write(true).open(disk).unwrap();
    let write = |entry: &Logged, bytes: u64| {
        let mut data = vec![0; usize::try_from(bytes).unwrap()];
        if entry.flags & DISCARD == 0 {
            log.file.read_exact_at(&mut data, entry.at).unwrap();
        }
        disk.write_all_at(&data, entry.sector * SECTOR).unwrap();
    };
    let in_order = random.random_bool(0.5);
    let safe = match in_order {
        true => cut,
        false => (begin..cut).rev().find(|i| log.entries[*i].flags & FLUSH != 0).unwrap_or(begin),
    };
    for (i, entry) in log.entries.iter().enumerate().take(cut).skip(begin) {
        let kept = if i < safe || entry.flags & FUA != 0 { 4 } else { random.random_range(0..5) };
        match kept {
            // Half of it, in whole sectors: a torn write.
            1 => write(entry, entry.bytes / SECTOR / 2 * SECTOR),
            0 | 2 => {}
            _ => write(entry, entry.bytes),
        }
    }
    safe
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let mut rig = match Rig::start() {
        Ok(rig) => rig,
        Err(why) => return println!("power loss is not tested here: {why}"),
    };
    let points: usize = std::env::var("SHARPEYES_CRASH_POINTS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let file = File::open(rig.path("log.img")).unwrap();
    let log = Arc::new(Mutex::new(Log { file, next: SECTOR, entries: Vec::new() }));
    let begin = log.lock().unwrap().read_on();
    let base = rig.path("base.img");
    run("cp", &["--sparse=always", rig.path("disk.img").to_str().unwrap(), base.to_str().unwrap()]).unwrap();
    let acknowledged = work(&rig.path("mount").join("archive"), &log).await;
    let end = log.lock().unwrap().read_on();
    rig.stop();
    assert!(begin > 10 && end > begin + 100, "the log has {begin} and {end} entries");
    let log = Arc::into_inner(log).expect("every task has ended").into_inner().unwrap();

    let seed = rand::random();
    println!("{points} of {} crash points, seed {seed}", end - begin);
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let (disk, mount) = (rig.path("cut.img"), rig.path("mount"));
    let (mut promised_in_all, mut found_in_all) = (0, 0);
    for point in 0..points {
        let cut = random.random_range(begin + 1..=end);
        let safe = cut_disk(&base, &disk, &log, begin, cut, &mut random);
        run("mount", &["-o", "loop", disk.to_str().unwrap(), mount.to_str().unwrap()]).unwrap();
        rig.mounted = true;
        let archive = Archive::open(&mount.join("archive"), small()).await.unwrap();
        let found: BTreeMap<SnapshotId, _> = all(&archive, SnapshotQuery::default())
            .await
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Snapshot(reference) => Some((reference.id, reference)),
                Entry::Gap(_) => None,
            })
            .collect();
        let promised = acknowledged.iter().filter(|(_, at)| *at <= safe);
        for (id, at) in promised {
            assert!(
                found.contains_key(id),
                "seed {seed}, point {point}: {id}, acknowledged at {at}, cut {cut}, safe {safe}"
            );
            promised_in_all += 1;
        }
        for (id, reference) in &found {
            let read = archive.read(id).await.unwrap();
            assert_eq!(read.data, picture(reference.camera.0, reference.slot.0, length(reference.slot.0)), "{id}");
        }
        found_in_all += found.len();
        assert_eq!(archive.check(|_| ()).await.unwrap().damaged, [], "seed {seed}, point {point}");
        archive.close().await;
        run("umount", &[mount.to_str().unwrap()]).unwrap();
        rig.mounted = false;
    }
    println!("{promised_in_all} acknowledged snapshots were there after {points} cuts, {found_in_all} in all");
    assert!(promised_in_all > 0, "no cut came after an acknowledgement");
}
