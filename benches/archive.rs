//! What the archive costs beside the floor of the same disk: `./task bench archive [SNAPSHOTS] [FOLDER]`.
//!
//! The floor is one file, preallocated, written front to back in as many pieces and with as many flushes as the archive
//! needed. Figures are of this machine and this disk, in one run. In the end the bytes of a keyframe as cameras code it
//! beside a JPEG of the same picture, for the photographs in `target/evaluation` (`./task bench` fetches them).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use archive::{Archive, Config, NewSnapshot, SnapshotId};
use bytes::Bytes;
use fleet::{CameraId, Codec, Now, Status, StreamChoice, Wall};
use health::SnapshotClass;
use rand::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const PICTURE: usize = 60_000;
const CAMERAS: u32 = 800;
/// Snapshots that are on their way at once: a county that is busy.
const AT_ONCE: usize = 256;
const READS: usize = 3000;

fn picture(seed: u64) -> Bytes {
    let mut data = vec![0; PICTURE];
    rand::rngs::StdRng::seed_from_u64(seed).fill(&mut data[..]);
    data.into()
}

/// Processor time of this process, user and system.
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Bytes that this process had written to a disk.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|l| l.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

fn per_second(n: f64, took: Duration) -> f64 {
    n / took.as_secs_f64()
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let count: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(12_000);
    let folder = arguments.next().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(count, folder.path()));
    beside_jpeg(folder.path());
}

/// Photographs of outdoor scenes, of at least 1920×1080.
const PHOTOGRAPHS: [&str; 8] = [
    "backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg",
    "backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "backgrounds/life_by_Aitzol_Berasategi.jpg",
    "backgrounds/friends_by_Aitzol_Berasategi.jpg",
    "backgrounds/mate/nature/GreenMeadow.jpg",
    "wallpapers/Path/contents/images/1920x1080.jpg",
    "wallpapers/EveningGlow/contents/images/1920x1080.jpg",
    "wallpapers/BytheWater/contents/images/1920x1080.jpg",
];

/// How cameras are usually set: 25 pictures a second, a keyframe every two seconds, a ceiling for the bit rate.
const CODINGS: [(&str, &[&str], &str); 2] = [
    (
        "H.264 of 4 Mbit/s",
        &["-c:v", "libx264", "-preset", "medium", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M"],
        "h264",
    ),
    (
        "H.265 of 2 Mbit/s",
        &[
            "-c:v",
            "libx265",
            "-preset",
            "fast",
            "-x265-params",
            "log-level=none:repeat-headers=1",
            "-b:v",
            "2M",
            "-maxrate",
            "2M",
            "-bufsize",
            "2M",
        ],
        "hevc",
    ),
];

/// What an archive of JPEG pictures would take instead of the cameras' own keyframes.
fn beside_jpeg(folder: &Path) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/evaluation/photographs/usr/share");
    let photographs: Vec<PathBuf> = PHOTOGRAPHS.iter().map(|p| all.join(p)).filter(|p| p.exists()).collect();
    if photographs.is_empty() {
        return println!("keyframe      no photographs in target/evaluation: run ./task bench archive");
    }
    for (name, coding, format) in CODINGS {
        let (mut keyframes, mut jpegs) = (0, 0);
        for photograph in &photographs {
            let clip = folder.join(format!("clip.{format}"));
            // A camera on its pole: it sways by a pixel or two, and its sensor is never still.
            let look = "scale=1930:1090:force_original_aspect_ratio=increase,crop=1920:1080:\
                        x='(iw-ow)/2+2*sin(n/9)':y='(ih-oh)/2+sin(n/7)',noise=alls=5:allf=t,format=yuv420p";
            ffmpeg(
                Command::new("ffmpeg")
                    .args(["-loop", "1", "-framerate", "25", "-i"])
                    .arg(photograph)
                    .args(["-vf", look])
                    .args(["-frames:v", "101", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0"])
                    .args(coding)
                    .arg("-y")
                    .arg(&clip),
            );
            // The third keyframe: by then the rate control has settled.
            keyframes += keyframe_bytes(&clip, 2);
            let raw = ffmpeg(Command::new("ffmpeg").arg("-i").arg(&clip).args([
                "-vf",
                "select=eq(n\\,100)",
                "-frames:v",
                "1",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
                "-",
            ]));
            let image = turbojpeg::Image {
                pixels: &raw[..],
                width: 1920,
                pitch: 1920 * 3,
                height: 1080,
                format: turbojpeg::PixelFormat::RGB,
            };
            jpegs += turbojpeg::compress(image, 80, turbojpeg::Subsamp::Sub2x2).unwrap().len();
        }
        let kb = |bytes: usize| bytes / photographs.len() / 1000;
        println!(
            "keyframe      {name}, 1920×1080: {} KB; as JPEG q80: {} KB, {:.2} times as much ({} photographs)",
            kb(keyframes),
            kb(jpegs),
            jpegs as f64 / keyframes as f64,
            photographs.len()
        );
    }
}

fn ffmpeg(command: &mut Command) -> Vec<u8> {
    let output = command.args(["-v", "error"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Bytes of one keyframe of a clip, its parameter sets included: they are archived with it.
fn keyframe_bytes(clip: &Path, which: usize) -> usize {
    let packets = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=size,flags", "-of", "csv=p=0"])
        .arg(clip)
        .output()
        .unwrap();
    let packets = String::from_utf8(packets.stdout).unwrap();
    let sizes = packets.lines().filter(|l| l.contains('K')).map(|l| l.split(',').next().unwrap().parse().unwrap());
    sizes.into_iter().nth(which).unwrap()
}

async fn run(count: usize, folder: &Path) {
    let archive = Archive::open(&folder.join("archive"), Config::default()).await.unwrap();
    // A thousand different pictures: enough that nothing is saved by their likeness.
    let pictures: Vec<Bytes> = (0..1000).map(picture).collect();
    let start = Wall::read().0 - i64::try_from(count).unwrap() * 100;
    let (began, cpu, io) = (Instant::now(), processor(), written());
    let mut tasks = tokio::task::JoinSet::new();
    let mut ids: Vec<SnapshotId> = Vec::with_capacity(count);
    for i in 0..count {
        if tasks.len() >= AT_ONCE {
            ids.push(tasks.join_next().await.unwrap().unwrap());
        }
        let snapshot = NewSnapshot {
            camera: CameraId(u32::try_from(i).unwrap() % CAMERAS),
            stream: StreamChoice::Main,
            slot: Wall(start + i64::try_from(i).unwrap() * 100),
            class: SnapshotClass::Routine,
            captured: Now::read(),
            camera_clock: None,
            codec: Codec::H265,
            converted_from: None,
            width: 1920,
            height: 1080,
            status: Status::Online,
            cause: None,
            data: pictures[i % pictures.len()].clone(),
        };
        let archive = archive.clone();
        tasks.spawn(async move { archive.append(snapshot).await.unwrap().id });
    }
    while let Some(id) = tasks.join_next().await {
        ids.push(id.unwrap());
    }
    let (took, cpu) = (began.elapsed(), processor() - cpu);
    archive.seal().await.unwrap();
    let io = written() - io;
    let (n, payload) = (count as f64, (count * PICTURE) as f64);
    let commits = archive.stats().commits;
    let each = cpu.as_secs_f64() / n;
    println!("ingest        {:8.0} snapshots/s of {PICTURE} B, {commits} flushes", per_second(n, took));
    println!(
        "processor     {:8.2} ms a snapshot; 800 cameras each minute: {:.2} % of a core",
        each * 1e3,
        each * 800.0 / 60.0 * 100.0
    );
    println!("written       {:8.3} times the pictures", io as f64 / payload);

    let floor = floor(&folder.join("floor"), &pictures, count, commits);
    let share = floor.as_secs_f64() / took.as_secs_f64() * 100.0;
    println!(
        "floor         {:8.0} snapshots/s with as many flushes; the archive reaches {share:.0} %",
        per_second(n, floor)
    );

    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    let mut waits: Vec<Duration> = Vec::with_capacity(READS);
    for _ in 0..READS {
        let id = ids[random.random_range(0..ids.len())];
        let began = Instant::now();
        archive.read(&id).await.unwrap();
        waits.push(began.elapsed());
    }
    waits.sort_unstable();
    let at = |permille: usize| waits[waits.len() * permille / 1000].as_secs_f64() * 1e3;
    println!("read, warm    {:8.2} ms median, {:.2} ms p99, each verified", at(500), at(990));

    // The first one also seals what was being written.
    archive.check(|_| ()).await.unwrap();
    let began = Instant::now();
    let report = archive.check(|_| ()).await.unwrap();
    let check = per_second(report.bytes as f64, began.elapsed()) / 1e6;
    assert_eq!(report.damaged, []);
    let began = Instant::now();
    for i in 0..count {
        std::hint::black_box(Sha256::digest(&pictures[i % pictures.len()]));
    }
    let sha = per_second(payload, began.elapsed()) / 1e6;
    println!("check         {check:8.0} MB/s; SHA-256 alone {sha:.0} MB/s: {:.0} %", check / sha * 100.0);
    archive.close().await;
}

/// The same bytes in one file, with the same number of flushes.
fn floor(path: &Path, pictures: &[Bytes], count: usize, flushes: u64) -> Duration {
    let mut file = File::create(path).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, (count * PICTURE) as u64).unwrap();
    let batch = count.div_ceil(usize::try_from(flushes).unwrap().max(1));
    let began = Instant::now();
    let mut buffer = Vec::with_capacity(batch * PICTURE);
    for start in (0..count).step_by(batch) {
        buffer.clear();
        for i in start..(start + batch).min(count) {
            buffer.extend_from_slice(&pictures[i % pictures.len()]);
        }
        file.write_all(&buffer).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed()
}
