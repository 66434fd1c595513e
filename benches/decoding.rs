//! What judging a picture costs, and what the detour through a sandboxed process adds: `./task bench decoding [SECONDS]`.
//!
//! For each codec at 1080p and at a sub stream's 640×360: CPU of decoding with the thumbnail, of measuring, and of the
//! whole way through the pool (both processes, every thread) beside what decoding in process would cost: what the worker
//! itself spent between request and answer, and one hand-over to a thread of its own, since nothing may decode on the
//! event loop. Many short rounds in turn, so that whatever else the machine does meets all alike; medians, and the
//! tenth and ninetieth percentile of the ratio. From it, what 800 cameras with a check a minute need.
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
        let mut subjects = Vec::new();
        for (codec, coding) in CODECS {
            for size in ["1920x1080", "640x360"] {
                subjects.push(Subject::new(codec, coding, size).await);
            }
        }
        let mut hand_over = Vec::new();
        for _ in 0..ROUNDS {
            hand_over.push(handing_over().await);
            for subject in &mut subjects {
                subject.round(Duration::from_secs(seconds) / ROUNDS).await;
            }
        }
        let hand_over = middle(&mut hand_over, 0.5);
        println!("ms of CPU for a keyframe, medians of {ROUNDS} rounds; handing work to a thread {hand_over:.3}");
        println!("aims: measuring at most 2 at 1080p, ratio at most 1.15, 0.25 cores");
        for subject in subjects {
            subject.print(hand_over).await;
        }
    });
    ExitCode::SUCCESS
}

/// Rounds for each subject.
const ROUNDS: u32 = 20;

/// A keyframe, a pool with one worker for it, and what was measured.
struct Subject {
    codec: Codec,
    size: &'static str,
    data: Bytes,
    pool: picture::Pool,
    rounds: Vec<Round>,
}

/// Milliseconds of CPU for a keyframe.
struct Round {
    decoding: f64,
    measuring: f64,
    /// In the service, and in the worker beside what it tells of.
    service: f64,
    worker: f64,
}

impl Round {
    fn inside(&self) -> f64 {
        self.decoding + self.measuring
    }

    fn whole(&self) -> f64 {
        self.service + self.worker
    }
}

impl Subject {
    async fn new(codec: Codec, coding: &[&str], size: &'static str) -> Subject {
        let config = picture::Config { workers: 1, ..picture::Config::default() };
        let program = std::env::current_exe().expect("this program has a path");
        let pool = picture::Pool::start(config, program).expect("the decoders start");
        let subject = Subject { codec, size, data: keyframe(coding, size), pool, rounds: Vec::new() };
        for _ in 0..20 {
            subject.assess().await;
        }
        subject
    }

    async fn assess(&self) {
        let seen = self.pool.assess(CameraId(0), self.codec, self.data.clone()).await;
        seen.expect("a good keyframe decodes");
    }

    async fn round(&mut self, time: Duration) {
        let worker = self.worker();
        let (before, mine, workers) = (self.pool.stats(), cpu("self"), cpu(&worker));
        let begin = Instant::now();
        while begin.elapsed() < time {
            self.assess().await;
        }
        let (service, worker) = (cpu("self") - mine, cpu(&worker) - workers);
        let stats = self.pool.stats();
        let each = |time: Duration| time.as_secs_f64() * 1000.0 / (stats.decoded - before.decoded) as f64;
        let measuring = each(stats.measuring - before.measuring);
        let decoding = each(stats.cpu - before.cpu) - measuring;
        let [service, worker] = [service, worker].map(|seconds| each(Duration::from_secs_f64(seconds)));
        self.rounds.push(Round { decoding, measuring, service, worker });
    }

    fn worker(&self) -> String {
        self.pool.stats().pids[0].to_string()
    }

    async fn print(self, hand_over: f64) {
        let all = |figure: &dyn Fn(&Round) -> f64| self.rounds.iter().map(figure).collect::<Vec<_>>();
        let median = |figure: &dyn Fn(&Round) -> f64| middle(&mut all(figure), 0.5);
        let mut ratios = all(&|r| r.whole() / (r.inside() + hand_over));
        let whole = median(&Round::whole);
        println!(
            "{:<5} {:<9} {:>4} KB: decoding and thumbnail {:.2}, measuring {:.2}, the whole way {whole:.2} (service {:.3}, worker beside {:.3}); ratio to decoding in process {:.3} ({:.3} to {:.3}), hand-over left out {:.3}; 800 cameras a minute {:.3} cores; worker {} MiB",
            self.codec.code(),
            self.size,
            self.data.len() / 1024,
            median(&|r| r.decoding),
            median(&|r| r.measuring),
            median(&|r| r.service),
            median(&|r| r.worker - r.inside()),
            middle(&mut ratios, 0.5),
            middle(&mut ratios, 0.1),
            middle(&mut ratios, 0.9),
            median(&|r| r.whole() / r.inside()),
            800.0 / 60.0 * whole / 1000.0,
            resident_mib(&self.worker())
        );
        self.pool.shutdown().await;
    }
}

/// What it costs to have something done by a thread that may block, in milliseconds of CPU.
async fn handing_over() -> f64 {
    const TIMES: u32 = 200;
    let before = cpu("self");
    for _ in 0..TIMES {
        tokio::task::spawn_blocking(|| ()).await.expect("it does nothing");
    }
    (cpu("self") - before) * 1000.0 / f64::from(TIMES)
}

/// The value that this share of all lies below.
fn middle(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
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

/// CPU time of a process in seconds: of all its threads that live, to the nanosecond.
fn cpu(process: &str) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let spent = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    threads.filter_map(spent).sum::<f64>() / 1e9
}

fn resident_mib(process: &str) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("the process runs");
    let pages: u64 = statm.split(' ').nth(1).and_then(|p| p.parse().ok()).expect("a number of pages");
    pages * 4 / 1024
}
