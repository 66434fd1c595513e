//! How many events a second the core takes in on one core, and how much memory a camera costs.
//!
//! `./task bench events` prints, for the county and for a hundred thousand cameras, the rate of the
//! events of normal operation (figures every 5 s, pictures, snapshots, ticks), the memory per camera and how evenly
//! checks and snapshots are spread over time. It fails where an aim is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "../crates/health/tests/core/sim/mod.rs"]
mod sim;

use fleet::{CameraId, Mono, Now, Wall};
use health::{
    Carriage, Config, Effect, Event, Fleet, PictureVerdict, Resumed, SnapshotOutcome, StreamEvent, StreamFigures,
};
use sim::county::County;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Events a second on one core.
const LEAST_RATE: f64 = 1.0;
/// Bytes of memory a camera.
const MOST_BYTES: u64 = 1024;
/// Checks and snapshots of the busiest second, as a multiple of the mean.
const MOST_PEAK: f64 = 1.5;
/// So long after the start everything runs in its turn.
const SETTLED: u64 = 120;

fn main() {
    let missed: Vec<String> = [800usize, 100_000].into_iter().flat_map(measure).collect();
    if !missed.is_empty() {
        eprintln!("missed: {}", missed.join("; "));
        std::process::exit(1);
    }
}

/// Measures with so many cameras; says which aims were missed.
fn measure(cameras: usize) -> Vec<String> {
    let registry = Arc::new(County::of(&vec![4; cameras / 4]).registry(&Default::default()));
    let before = resident();
    let mut now = Now { mono: Mono(3_600_000_000_000), wall: Wall(1_760_000_000_000) };
    let config = Config { opens_per_second: 1_000_000, opening_at_once: 1_000_000, ..Config::default() };
    let mut core = Fleet::new(config, 1, Resumed::default(), now);
    let mut effects = Vec::new();
    let mut events = 0u64;
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    core.on(Event::Registry(registry), now, &mut effects);
    let began = Instant::now();
    let rounds = (6_000_000 / cameras).max(20);
    for _ in 0..rounds {
        for camera in 0..cameras as u32 {
            let step = Duration::from_nanos(5_000_000_000 / cameras as u64);
            now = Now { mono: now.mono + step, wall: Wall(1_760_000_000_000 + (now.mono.0 / 1_000_000) as i64) };
            let figures = StreamFigures {
                window: Duration::from_secs(5),
                packets: 1000,
                fps: 25.0,
                keyframes: 2,
                clock_offset_ms: Some(120),
                ..StreamFigures::default()
            };
            let event = StreamEvent::Figures(figures);
            core.on(Event::Stream { camera: CameraId(camera + 1), event }, now, &mut effects);
            events += 1 + answer(&mut core, now, &mut effects, &mut seconds);
        }
    }
    let took = began.elapsed().as_secs_f64();
    assert_eq!(core.board(now).counts.online as usize, cameras, "everything runs");
    let rate = events as f64 / took / 1e6;
    let bytes = resident().saturating_sub(before) / cameras as u64;
    // Neither the start nor the second in which we stop.
    let settled = 3600 + SETTLED;
    let last = seconds.keys().next_back().copied().unwrap_or(0);
    let asked: Vec<u64> = (settled..last).map(|second| seconds.get(&second).copied().unwrap_or(0)).collect();
    let mean = asked.iter().sum::<u64>() as f64 / asked.len() as f64;
    let peak = asked.iter().max().copied().unwrap_or(0) as f64 / mean;
    println!(
        "{cameras} cameras: {events} events in {took:.2} s, {rate:.2} million a second (aim {LEAST_RATE}); {bytes} bytes \
         a camera (aim {MOST_BYTES}); {mean:.1} checks and snapshots a second, {peak:.2} times that in the busiest of \
         {} seconds (aim {MOST_PEAK} for 100,000)",
        asked.len()
    );
    // A handful of events a second cannot be even.
    let many = mean > 500.0;
    [
        (rate < LEAST_RATE, format!("{cameras} cameras: {rate:.2} million events a second")),
        (many && bytes > MOST_BYTES, format!("{cameras} cameras: {bytes} bytes each")),
        (many && peak > MOST_PEAK, format!("{cameras} cameras: busiest second {peak:.2} times the mean")),
    ]
    .into_iter()
    .filter_map(|(missed, what)| missed.then_some(what))
    .collect()
}

/// Does what the core asks for, at once.
fn answer(core: &mut Fleet, now: Now, effects: &mut Vec<Effect>, seconds: &mut BTreeMap<u64, u64>) -> u64 {
    let mut events = 0;
    while !effects.is_empty() {
        for effect in std::mem::take(effects) {
            if matches!(effect, Effect::Assess { .. } | Effect::Snapshot { .. }) {
                *seconds.entry(now.mono.0 / 1_000_000_000).or_default() += 1;
            }
            let event = match effect {
                Effect::Open { camera, stream, .. } => {
                    let took = Duration::from_millis(80);
                    Event::Stream { camera, event: StreamEvent::Opened { stream, took, carriage: Carriage::default() } }
                }
                Effect::Assess { camera } => {
                    Event::Picture { camera, verdict: PictureVerdict { received: now.wall, fault: None } }
                }
                Effect::Snapshot { camera, slot, .. } => {
                    Event::Snapshot { camera, slot, outcome: SnapshotOutcome::Stored }
                }
                _ => continue,
            };
            core.on(event, now, effects);
            events += 1;
        }
    }
    events
}

/// Bytes of memory this process has in use.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
