//! What reading the fleet costs: CPU seconds per GB, beside the raw TCP read floor of the same streams in the same run.
//!
//! `./task bench stream_throughput [--cameras N] [--kbps 2000|256] [--seconds S] [--short]`
//!
//! The simulated cameras and each reader run in processes of their own, so that CPU time and memory are their own:
//! - `floor`: RTSP by hand, then one thread that only reads the sockets;
//! - `ingest`: `ingest::Ingest` with every figure, as the service runs it;
//! - `ffmpeg`: `ffmpeg -c copy -f null`, 40 processes, where installed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use fleet::{CameraId, Registry, StreamChoice};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// What one reader measured.
#[derive(Serialize, Deserialize, Default)]
struct Measured {
    sessions: u64,
    bytes: u64,
    frames: u64,
    seconds: f64,
    cpu_seconds: f64,
    rss_bytes: u64,
}

impl Measured {
    fn cpu_per_gb(&self) -> f64 {
        self.cpu_seconds / (self.bytes as f64 / 1e9)
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<8} {:>6} sessions {:>8.1} Mbit/s {:>9.0} frames/s {:>6.2} core {:>6.2} CPU-s/GB {:>7.1} MB RSS",
            self.sessions,
            self.bytes as f64 * 8.0 / 1e6 / self.seconds,
            self.frames as f64 / self.seconds,
            self.cpu_seconds / self.seconds,
            self.cpu_per_gb(),
            self.rss_bytes as f64 / 1e6,
        );
    }
}

/// One run's parameters.
#[derive(Serialize, Deserialize, Clone, Copy)]
struct Run {
    cameras: u32,
    kbps: u32,
    seconds: u64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    if let Some(reader) = value("--reader") {
        let run: Run = serde_json::from_str(value("--run").unwrap()).unwrap();
        if reader == "cameras" {
            return cameras(run);
        }
        let measured = match reader.as_str() {
            "floor" => floor(run),
            "ingest" => tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(ingest(run)),
            other => panic!("no reader {other}"),
        };
        println!("{}", serde_json::to_string(&measured).unwrap());
        return;
    }
    let number = |name: &str| value(name).map(|v| v.parse::<u32>().unwrap());
    let seconds = number("--seconds").map_or(20, u64::from);
    let runs = match (number("--cameras"), args.iter().any(|a| a == "--short")) {
        (Some(cameras), _) => vec![Run { cameras, kbps: number("--kbps").unwrap_or(2000), seconds }],
        (None, true) => vec![Run { cameras: 80, kbps: 2000, seconds: seconds.min(5) }],
        (None, false) => vec![
            Run { cameras: 80, kbps: 2000, seconds },
            Run { cameras: 800, kbps: 2000, seconds },
            Run { cameras: 4000, kbps: 256, seconds },
        ],
    };
    for run in runs {
        compare(run);
    }
}

/// Serves the streams and lets each reader read them in turn.
fn compare(run: Run) {
    println!("{} cameras at {} kbit/s, {} s each", run.cameras, run.kbps, run.seconds);
    let (mut farm, _input) = start_farm(run);
    let farm_before = cpu_of(farm.id());
    let started = Instant::now();
    let floor = child("floor", run);
    println!(
        "  simulator: {:.2} core while read by the floor",
        (cpu_of(farm.id()) - farm_before) / started.elapsed().as_secs_f64()
    );
    floor.print("floor");
    let ingest = child("ingest", run);
    ingest.print("ingest");
    if let Some(ffmpeg) = ffmpeg(run) {
        ffmpeg.print("ffmpeg");
        println!("  ingest / ffmpeg {:.2}", ingest.cpu_per_gb() / ffmpeg.cpu_per_gb());
    }
    println!(
        "  ingest / floor  {:.2}   (RSS per session {:.0} KB)",
        ingest.cpu_per_gb() / floor.cpu_per_gb(),
        ingest.rss_bytes as f64 / 1000.0 / f64::from(run.cameras),
    );
    let _ = farm.kill();
    let _ = farm.wait();
}

fn address(index: u32) -> SocketAddr {
    SocketAddr::from(([127, 30, (index / 250) as u8, (index % 250) as u8 + 1], 8554))
}

fn path(run: Run) -> &'static str {
    if run.kbps < 1000 { "sub" } else { "main" }
}

/// Serves simulated cameras until standard input ends.
fn cameras(run: Run) {
    raise_file_limit();
    let cameras = (0..run.cameras)
        .map(|i| camsim::SimCamera {
            id: i + 1,
            name: format!("{i:04}"),
            addr: address(i),
            main: "/main".into(),
            sub: Some("/sub".into()),
            ..camsim::SimCamera::default()
        })
        .collect();
    let config = camsim::Config {
        cache: std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes"),
        cameras,
        ..camsim::Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let farm = camsim::Farm::start(config).await.unwrap();
        println!("ready");
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
        farm.shutdown().await;
    });
}

fn start_farm(run: Run) -> (Child, ChildStdin) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--reader", "cameras", "--run", &serde_json::to_string(&run).unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"), "the simulator did not start");
    (child, input)
}

fn child(reader: &str, run: Run) -> Measured {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--reader", reader, "--run", &serde_json::to_string(&run).unwrap()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{reader} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Opens every session by hand on blocking sockets, then reads them all from one thread.
fn floor(run: Run) -> Measured {
    raise_file_limit();
    let sockets: Vec<TcpStream> = (0..run.cameras).map(|i| open_by_hand(address(i), path(run))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sessions = sockets.len() as u64;
    runtime.block_on(async move {
        let bytes = std::rc::Rc::new(std::cell::Cell::new(0u64));
        let readers = tokio::task::LocalSet::new();
        for socket in sockets {
            let bytes = std::rc::Rc::clone(&bytes);
            readers.spawn_local(async move {
                socket.set_nonblocking(true).unwrap();
                let mut socket = tokio::net::TcpStream::from_std(socket).unwrap();
                let mut buffer = vec![0u8; 65536];
                loop {
                    match tokio::io::AsyncReadExt::read(&mut socket, &mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(n) => bytes.set(bytes.get() + n as u64),
                    }
                }
            });
        }
        readers
            .run_until(async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let (start, cpu, before) = (Instant::now(), own_cpu(), bytes.get());
                tokio::time::sleep(Duration::from_secs(run.seconds)).await;
                Measured {
                    sessions,
                    bytes: bytes.get() - before,
                    frames: 0,
                    seconds: start.elapsed().as_secs_f64(),
                    cpu_seconds: own_cpu() - cpu,
                    rss_bytes: own_rss(),
                }
            })
            .await
    })
}

fn open_by_hand(address: SocketAddr, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let url = format!("rtsp://{address}/{path}");
    let describe = ask(&mut socket, &format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"));
    let track = describe
        .lines()
        .skip_while(|l| !l.starts_with("m=video"))
        .find_map(|l| l.strip_prefix("a=control:"))
        .unwrap()
        .trim()
        .to_owned();
    let track = if track.starts_with("rtsp://") { track } else { format!("{url}/{track}") };
    let setup = ask(
        &mut socket,
        &format!("SETUP {track} RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"),
    );
    let session =
        setup.lines().find_map(|l| l.strip_prefix("Session: ")).unwrap().split(';').next().unwrap().trim().to_owned();
    socket.write_all(format!("PLAY {url} RTSP/1.0\r\nCSeq: 3\r\nSession: {session}\r\n\r\n").as_bytes()).unwrap();
    socket
}

/// Sends a request and reads the whole answer, body included.
fn ask(socket: &mut TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0u8; 1];
    while !answer.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    assert!(head.starts_with("RTSP/1.0 200"), "{head}");
    let length = head.lines().find_map(|l| {
        l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0u8; length.unwrap_or(0)];
    socket.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// The service's own way of reading.
async fn ingest(run: Run) -> Measured {
    raise_file_limit();
    let camera = |i: u32| {
        let (main, _) = fleet::StreamUrl::parse(&format!("rtsp://{}/{}", address(i), path(run))).unwrap();
        fleet::Camera {
            id: CameraId(i + 1),
            name: format!("{i:04}"),
            site: fleet::SiteId(1),
            uplink: None,
            gb_code: None,
            main,
            sub: None,
            credentials: None,
            transport: fleet::Transport::Tcp,
            life_cycle: fleet::LifeCycle::InUse,
            place: fleet::Place::default(),
            device: fleet::Device::default(),
            upkeep: fleet::Upkeep::default(),
            changed: fleet::Wall(0),
        }
    };
    let registry = Registry::new([], [], [], (0..run.cameras).map(camera));
    let config = ingest::Config {
        allow_loopback: true,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..ingest::Config::default()
    };
    let (tell, mut events) = tokio::sync::mpsc::channel(8192);
    let ingest = ingest::Ingest::start(config, tell);
    ingest.set_registry(Arc::new(registry));
    let mut open = 0;
    for first in (0..run.cameras).step_by(50) {
        for i in first..(first + 50).min(run.cameras) {
            ingest.open(CameraId(i + 1), StreamChoice::Main, false);
        }
        while open < (first + 50).min(run.cameras) {
            match events.recv().await.unwrap() {
                (_, health::StreamEvent::Opened { .. }) => open += 1,
                (camera, health::StreamEvent::Ended(failure)) => {
                    panic!("{camera}: {} {}", failure.cause, failure.detail)
                }
                _ => {}
            }
        }
    }
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (start, cpu, before) = (Instant::now(), own_cpu(), ingest.totals());
    tokio::time::sleep(Duration::from_secs(run.seconds)).await;
    let after = ingest.totals();
    let measured = Measured {
        sessions: after.sessions,
        bytes: after.bytes - before.bytes,
        frames: after.frames - before.frames,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: own_cpu() - cpu,
        rss_bytes: own_rss(),
    };
    ingest.shutdown(Duration::from_secs(2)).await;
    measured
}

/// What one gets by starting ffmpeg for each camera. Its start-up is left out of the measurement.
fn ffmpeg(run: Run) -> Option<Measured> {
    Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let count = run.cameras.min(40);
    let mut children: Vec<Child> = (0..count)
        .map(|i| {
            Command::new("ffmpeg")
                .args(["-v", "quiet", "-nostdin", "-rtsp_transport", "tcp", "-i"])
                .arg(format!("rtsp://{}/{}", address(i), path(run)))
                .args(["-c", "copy", "-f", "null", "-"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_secs(8));
    let cpu = |children: &[Child]| children.iter().map(|c| cpu_of(c.id())).sum::<f64>();
    let read = |children: &[Child]| children.iter().map(|c| read_by(c.id())).sum::<u64>();
    let (start, cpu_before, read_before) = (Instant::now(), cpu(&children), read(&children));
    std::thread::sleep(Duration::from_secs(run.seconds));
    let measured = Measured {
        sessions: u64::from(count),
        bytes: read(&children) - read_before,
        frames: 0,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: cpu(&children) - cpu_before,
        rss_bytes: children.iter().map(|c| rss_of(&c.id().to_string())).sum(),
    };
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    Some(measured)
}

fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn own_cpu() -> f64 {
    cpu_of(std::process::id())
}

/// User and system time of a process in seconds, from fields 14 and 15 of /proc/PID/stat (100 ticks a second).
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn own_rss() -> u64 {
    rss_of("self")
}

fn rss_of(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// Bytes that a process received, by its own account of read calls.
fn read_by(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|l| l.strip_prefix("rchar: ")).and_then(|n| n.parse().ok()).unwrap_or_default()
}
