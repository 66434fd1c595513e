//! Coming and going: cameras that die and return for a while, and whether every status is right in the end.
//!
//! `./task bench churn [--cameras N] [--minutes M]`
//!
//! 800 cameras for 20 minutes unless told otherwise; 5 % die each minute of a random fault and return one to three
//! minutes later. The cameras are simulated in a process of their own; what is compared in the end is what the
//! simulator knows to be true. The exit status is 1 if a status is wrong, or memory or file descriptors have grown.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../crates/ingest/tests/streams/common/mod.rs"]
mod common;

use common::{churn::Churn, desk::Desk};
use fleet::{Registry, Uplink, UplinkId};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

fn address(id: u32) -> SocketAddr {
    SocketAddr::from(([127, 31, (id / 250) as u8, (id % 250) as u8 + 1], 8554))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)?.parse::<u32>().ok());
    let cameras = number("--cameras").unwrap_or(800);
    let minutes = number("--minutes").unwrap_or(20);
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if args.iter().any(|a| a == "--simulate") {
        runtime.block_on(simulate(cameras));
        return ExitCode::SUCCESS;
    }
    runtime.block_on(run(cameras, minutes))
}

/// Simulates the cameras; each line of input is a camera, a fault and whether it is on.
async fn simulate(cameras: u32) {
    let cameras = (1..=cameras)
        .map(|id| camsim::SimCamera {
            id,
            name: format!("{id:04}"),
            addr: address(id),
            main: "/main".into(),
            sub: Some("/sub".into()),
            ..camsim::SimCamera::default()
        })
        .collect();
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes");
    let farm = camsim::Farm::start(camsim::Config { cache, cameras, ..camsim::Config::default() }).await.unwrap();
    println!("ready");
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while let Some(line) = lines.recv().await {
        let (id, fault, on): (u32, camsim::Fault, bool) = serde_json::from_str(&line).unwrap();
        farm.fault(camsim::Target::Camera(id), fault, on).unwrap();
    }
    farm.shutdown().await;
}

async fn run(cameras: u32, minutes: u32) -> ExitCode {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--simulate", "--cameras", &cameras.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"), "the simulator did not start");

    let uplinks = (0..cameras.div_ceil(3)).map(|n| Uplink {
        id: UplinkId(n + 1),
        name: format!("link {n}"),
        olt: None,
        budget_kbps: Some(20_000),
    });
    let records = (1..=cameras).map(|id| {
        let mut record = common::camera(id, &common::target(common::url(&format!("rtsp://{}/main", address(id)))));
        record.sub = Some(common::url(&format!("rtsp://{}/sub", address(id))));
        record.uplink = Some(UplinkId((id - 1) / 3 + 1));
        record
    });
    let config = ingest::Config { allow_loopback: true, ..ingest::Config::default() };
    let core = health::Config {
        continuous: fleet::StreamChoice::Sub,
        retry_longest: Duration::from_secs(20),
        ..health::Config::default()
    };
    let mut desk = Desk::start(Registry::new([], [], uplinks, records), core, config);
    let began = Instant::now();
    let all = |fleet: &health::Fleet| fleet.board(fleet::Now::read()).counts.online == cameras;
    let up = desk.run(Duration::from_secs(180), all).await;
    println!("{} of {cameras} cameras online {:.0} s after the start", desk.online(), began.elapsed().as_secs_f32());
    let plan = Churn {
        cameras,
        span: Duration::from_secs(u64::from(minutes) * 60),
        every: Duration::from_secs(60),
        percent: 5,
        settle: Duration::from_secs(240),
        seed: 1,
    };
    let report = common::churn::run(&mut desk, plan, |id, fault, on| {
        writeln!(input, "{}", serde_json::to_string(&(id, fault, on)).unwrap()).unwrap();
    })
    .await;
    println!(
        "{} rounds, {} deaths, {} sessions opened, {} packets, {} lost, {} pictures asked for, {} missed",
        report.rounds, report.deaths, report.opened, report.packets, report.lost, desk.stored, desk.missed
    );
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "memory {:.1} MB after a quarter, {:.1} MB at the end ({:.0} KB a camera); file descriptors {} and {}",
        mb(report.memory.0),
        mb(report.memory.1),
        report.memory.1 as f64 / 1e3 / f64::from(cameras),
        report.files.0,
        report.files.1
    );
    println!("{} of {cameras} statuses are right", cameras as usize - report.wrong.len());
    report.wrong.iter().take(20).for_each(|wrong| println!("  {wrong}"));
    desk.ingest.shutdown(Duration::from_secs(3)).await;
    drop(input);
    let _ = child.wait();
    // A tenth is what allocators keep; a camera that is tried holds a descriptor or two.
    let flat = report.memory.1 <= report.memory.0 + report.memory.0 / 10 + (4 << 20)
        && report.files.1 <= report.files.0 + cameras as usize / 5 + 16;
    if up && report.wrong.is_empty() && flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
