//! The main job as a whole: 800 simulated cameras on one machine, from the first connection to a quiet half hour.
//! The main streams of 2 Mbit/s are pulled, which is harder than what is usual (the sub streams of 256 kbit/s, and a
//! short session of the main stream for each snapshot).
//!
//! `./task bench county [--cameras N] [--minutes M] [--short]`
//!
//! Prints, beside the aim of each:
//! - time from the start of the program to the last camera `online`, and to the last first snapshot on the disk;
//! - CPU and memory of the service and its decoder processes with dashboards listening; of the simulator beside it;
//! - time from a stall to `offline`, for cameras all over the county, and back;
//! - cameras called anything but `online` while nothing was wrong with them: none is right.
//!
//! The exit status is 1 if an aim is missed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/nodes/demo/mod.rs"]
mod demo;

use demo::{Demo, PASSWORD, Session, state};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Open event streams while CPU is measured: so many dashboards.
const DASHBOARDS: usize = 3;
/// Cameras that stall.
const STALLS: usize = 20;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1).and_then(|v| v.parse::<u32>().ok())
    };
    let short = args.iter().any(|a| a == "--short");
    let cameras = number("--cameras").unwrap_or(if short { 100 } else { 800 });
    let quiet = number("--minutes")
        .map_or(Duration::from_secs(if short { 30 } else { 1800 }), |m| Duration::from_secs(u64::from(m) * 60));
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure(cameras, quiet))
}

async fn measure(cameras: u32, quiet: Duration) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    render_scenes(&folder.path().join("first"));
    let mut aims = Aims::default();
    println!("{cameras} cameras of 2 Mbit/s, a snapshot each 5 minutes, a judged picture each minute");

    // ---- start ----
    std::fs::create_dir(&data).unwrap();
    let started = Instant::now();
    let mut demo = Demo::start(&data, cameras, &["--stream", "main"]);
    let session = Session::administrator(&demo).await;
    let mut online_after = None;
    let (online_after, archived_after) = loop {
        let states = session.get("/states").await;
        if online_after.is_none() && states["counts"]["online"] == cameras {
            online_after = Some(started.elapsed());
        }
        let archived = rows(&states).filter(|c| c["last_snapshot"].is_i64()).count();
        if let Some(online) = online_after
            && archived == cameras as usize
        {
            break (online, started.elapsed());
        }
        assert!(started.elapsed() < Duration::from_secs(180), "not complete after 3 minutes: {}", states["counts"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    aims.at_most("all cameras online after, s", online_after.as_secs_f64(), 30.0);
    aims.at_most("first snapshot of each on the disk after, s", archived_after.as_secs_f64(), 30.0);

    // ---- what it costs ----
    let listening: Vec<_> = (0..DASHBOARDS).map(|_| tokio::spawn(listen(demo.url.clone(), PASSWORD))).collect();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (before, at) = (processes(demo.pid()), Instant::now());
    tokio::time::sleep(Duration::from_secs(if quiet < Duration::from_secs(60) { 15 } else { 60 })).await;
    let (after, took) = (processes(demo.pid()), at.elapsed().as_secs_f64());
    let core = |name: &str| sum(&after, name, |p| p.cpu) - sum(&before, name, |p| p.cpu);
    let mb = |name: &str| sum(&after, name, |p| p.rss) / 1e6;
    let (service, decoders) = (core("demo") / took, core("decode-worker") / took);
    println!(
        "  service {service:.2} core, {:.0} MB; decoders {decoders:.2} core, {:.0} MB; simulator {:.2} core",
        mb("demo"),
        mb("decode-worker"),
        core("sim") / took
    );
    aims.at_most("CPU of the service with decoders, cores", service + decoders, 0.8);
    aims.at_most("memory of the service with decoders, MB", mb("demo") + mb("decode-worker"), 500.0);
    aims.at_most("CPU of the simulator, cores", core("sim") / took, 0.4);

    // ---- stalls ----
    let states = session.get("/states").await;
    let ids: Vec<u64> = rows(&states).filter_map(|c| c["id"].as_u64()).collect();
    let step = (ids.len() / STALLS).max(1);
    let victims: Vec<u64> = ids.iter().copied().step_by(step).take(STALLS).collect();
    let mut stalled = BTreeMap::new();
    for &id in &victims {
        session.fault("camera", id, "stall", true).await;
        stalled.insert(id, Instant::now());
    }
    let mut noticed = BTreeMap::new();
    while noticed.len() < victims.len() {
        let states = session.get("/states").await;
        for (&id, since) in &stalled {
            if state(&states, id)["status"] == "offline" {
                noticed.entry(id).or_insert_with(|| since.elapsed());
            }
        }
        assert!(stalled.values().all(|s| s.elapsed() < Duration::from_secs(90)), "stalls were not noticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    aims.at_most("a stalled camera is offline after, s (slowest)", slowest(noticed.values()), 15.0);
    for &id in &victims {
        session.fault("camera", id, "stall", false).await;
    }
    let lifted = Instant::now();
    session.until("all back", "/states", Duration::from_secs(180), |s| s["counts"]["online"] == cameras).await;
    println!("  all of them are back after {:.1} s", lifted.elapsed().as_secs_f64());

    // ---- quiet ----
    let calm = Instant::now();
    let mut wrong = BTreeSet::new();
    while calm.elapsed() < quiet {
        let states = session.get("/states").await;
        for row in rows(&states).filter(|c| c["status"] != "online") {
            if wrong.insert(row["id"].as_u64()) {
                println!("  WRONG: {row}");
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    println!("  quiet for {:.0} minutes", calm.elapsed().as_secs_f64() / 60.0);
    aims.at_most("healthy cameras called anything but online", wrong.len() as f64, 0.0);
    let last = processes(demo.pid());
    aims.at_most(
        "memory at the end, MB",
        (sum(&last, "demo", |p| p.rss) + sum(&last, "decode-worker", |p| p.rss)) / 1e6,
        500.0,
    );

    for listener in listening {
        listener.abort();
    }
    let (status, took) = demo.stop();
    assert!(status.success(), "stopped with {status}");
    aims.at_most("time to stop, s", took.as_secs_f64(), 3.0);
    aims.verdict()
}

/// Starts a demo once if its scenes have never been rendered: that is not part of a start.
fn render_scenes(data: &Path) {
    if demo::scenes().read_dir().is_ok_and(|mut files| files.next().is_some()) {
        return;
    }
    println!("rendering scenes, once");
    std::fs::create_dir(data).unwrap();
    drop(Demo::start(data, 1, &[]));
}

/// A dashboard's event stream, read and thrown away.
async fn listen(url: String, password: &'static str) {
    let client = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let body = serde_json::json!({"name": "admin", "password": password});
    let signed_in =
        client.post(format!("{url}/api/v1/session")).header("Origin", &url).json(&body).send().await.unwrap();
    assert!(signed_in.status().is_success());
    let mut events = client.get(format!("{url}/api/v1/events")).send().await.unwrap();
    while let Ok(Some(_)) = events.chunk().await {}
}

fn rows(states: &Value) -> impl Iterator<Item = &Value> {
    states["cameras"].as_array().unwrap().iter()
}

fn slowest<'a>(times: impl Iterator<Item = &'a Duration>) -> f64 {
    times.map(Duration::as_secs_f64).fold(0.0, f64::max)
}

/// CPU seconds and bytes of memory of one process.
struct Process {
    name: String,
    cpu: f64,
    rss: f64,
}

fn sum(all: &[Process], name: &str, what: impl Fn(&Process) -> f64) -> f64 {
    all.iter().filter(|p| p.name == name).map(what).sum()
}

/// The service and its children, named by their subcommand.
fn processes(service: u32) -> Vec<Process> {
    let mut pids = vec![service];
    for task in std::fs::read_dir(format!("/proc/{service}/task")).unwrap().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        pids.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
    }
    pids.into_iter().filter_map(process).collect()
}

fn process(pid: u32) -> Option<Process> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let name = String::from_utf8_lossy(line.split(|b| *b == 0).nth(1)?).into_owned();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
    // User and system time, fields 14 and 15, in ticks of 1/100 s.
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse::<f64>().ok()?;
    Some(Process { name, cpu: (ticks(11)? + ticks(12)?) / 100.0, rss: rss * 1024.0 })
}

/// What was measured beside what was aimed at.
#[derive(Default)]
struct Aims {
    missed: usize,
}

impl Aims {
    fn at_most(&mut self, what: &str, value: f64, aim: f64) {
        let good = value <= aim;
        self.missed += usize::from(!good);
        println!("  {} {what}: {value:.2} (aim: at most {aim})", if good { "ok    " } else { "MISSED" });
    }

    fn verdict(&self) -> ExitCode {
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
