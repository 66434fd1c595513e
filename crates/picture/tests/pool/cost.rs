//! What the detour through a worker process costs. Runs only when asked for by name:
//! `cargo test --release -p sharpeyes-picture --test pool cost`.

use crate::{Test, pool, samples::*, wait_for};
use fleet::CameraId;
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[("cost::of_the_pool_beside_decoding_in_process", beside)];

/// CPU time of a process in seconds.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn resident_mib(process: &str) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 / 1024
}

fn beside() {
    wait_for(async {
        for codec in CODECS {
            let source = "testsrc2=size=1920x1080:rate=1";
            let data = keyframe(codec, source, &[]);
            let pool = pool(|_| {});
            pool.assess(CameraId(0), codec, data.clone()).await.unwrap();
            let worker = pool.stats().pids[0].to_string();
            let (before, mine, workers) = (pool.stats(), cpu("self"), cpu(&worker));
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(4) {
                pool.assess(CameraId(0), codec, data.clone()).await.unwrap();
            }
            let stats = pool.stats();
            let pictures = (stats.decoded - before.decoded) as f64;
            let inside = (stats.cpu - before.cpu).as_secs_f64();
            let all = cpu("self") - mine + cpu(&worker) - workers;
            println!(
                "{} 1080p of {} KB: {:.0} pictures per CPU-second through the pool, {:.0} in process, ratio {:.3}; worker {} MiB",
                codec.code(),
                data.len() / 1024,
                pictures / all,
                pictures / inside,
                all / inside,
                resident_mib(&worker)
            );
        }
    });
}
