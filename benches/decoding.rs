//! What judging a picture costs, and what the detour through a sandboxed process adds: `./task bench decoding [SECONDS]`.
//!
//! For each codec at 1080p and at a sub stream's 640×360: CPU of decoding with the thumbnail, of measuring, and of the
//! whole way through the pool beside what the worker itself spent, which is what decoding in process would cost. From
//! it, what 800 cameras with a check a minute need.
#![allow(clippy::print_stdout)]

use bytes::Bytes;
use fleet::{CameraId, Codec};
use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const CODECS: [(Codec, &[&str]); 3] = [
    (Codec::H264, &["-c:v", "libx264", "-preset", "veryfast", "-f", "h264"]),
    (Codec::H265, &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-f", "hevc"]),
    (Codec::Jpeg, &["-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg"]),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == "decode-worker") {
        return picture::run_worker();
    }
    let seconds = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(4);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("ms of CPU for a keyframe; aims: measuring at most 2 at 1080p, ratio at most 1.15, 0.25 cores");
        for (codec, coding) in CODECS {
            for size in ["1920x1080", "640x360"] {
                measure(codec, coding, size, Duration::from_secs(seconds)).await;
            }
        }
    });
    ExitCode::SUCCESS
}

async fn measure(codec: Codec, coding: &[&str], size: &str, time: Duration) {
    let data = keyframe(coding, size);
    let config = picture::Config { workers: 1, ..picture::Config::default() };
    let program = std::env::current_exe().expect("this program has a path");
    let pool = picture::Pool::start(config, program).expect("the decoders start");
    let assess = || async { pool.assess(CameraId(0), codec, data.clone()).await.expect("a good keyframe decodes") };
    assess().await;
    let worker = pool.stats().pids[0].to_string();
    let (before, mine, workers) = (pool.stats(), cpu("self"), cpu(&worker));
    let begin = Instant::now();
    while begin.elapsed() < time {
        assess().await;
    }
    let stats = pool.stats();
    let pictures = (stats.decoded - before.decoded) as f64;
    let each = |seconds: f64| seconds * 1000.0 / pictures;
    let inside = (stats.cpu - before.cpu).as_secs_f64();
    let measuring = (stats.measuring - before.measuring).as_secs_f64();
    let all = cpu("self") - mine + cpu(&worker) - workers;
    println!(
        "{:<5} {size:<9} {:>4} KB: decoding and thumbnail {:.2}, measuring {:.2}, the whole way {:.2}; ratio to decoding in process {:.3}; 800 cameras a minute {:.3} cores; worker {} MiB",
        codec.code(),
        data.len() / 1024,
        each(inside - measuring),
        each(measuring),
        each(all),
        all / inside,
        800.0 / 60.0 * all / pictures,
        resident_mib(&worker)
    );
    pool.shutdown().await;
}

/// A lively picture with a sensor's noise.
fn keyframe(coding: &[&str], size: &str) -> Bytes {
    let source = format!("testsrc2=size={size}:rate=1,noise=alls=4:allf=t:all_seed=7");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-threads", "1", "-pix_fmt", "yuv420p"])
        .args(coding)
        .arg("-")
        .stdin(Stdio::null())
        .output()
        .expect("the ffmpeg program is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.into()
}

/// CPU time of a process in seconds.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second.
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_mib(process: &str) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("the process runs");
    let pages: u64 = statm.split(' ').nth(1).and_then(|p| p.parse().ok()).expect("a number of pages");
    pages * 4 / 1024
}
