//! How many events a second the core takes in on one core, and how much memory a camera costs.
//!
//! `./task bench events` prints, for the county and for a hundred thousand cameras, the rate of the
//! events of normal operation (figures every 5 s, pictures, snapshots, ticks) and the memory per camera.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../crates/health/tests/sim/mod.rs"]
mod sim;

use fleet::{CameraId, Mono, Now, Wall};
use health::{
    Carriage, Config, Effect, Event, Fleet, PictureVerdict, Resumed, SnapshotOutcome, StreamEvent, StreamFigures,
};
use sim::county::County;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn main() {
    for cameras in [800usize, 100_000] {
        measure(cameras);
    }
}

fn measure(cameras: usize) {
    let registry = Arc::new(County::of(&vec![4; cameras / 4]).registry(&Default::default()));
    let before = resident();
    let mut now = Now { mono: Mono(3_600_000_000_000), wall: Wall(1_760_000_000_000) };
    let config = Config { opens_per_second: 1_000_000, opening_at_once: 1_000_000, ..Config::default() };
    let mut core = Fleet::new(config, 1, Resumed::default(), now);
    let mut effects = Vec::new();
    let mut events = 0u64;
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
            events += 1 + answer(&mut core, now, &mut effects);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(core.board(now).counts.online as usize, cameras, "everything runs");
    let rate = events as f64 / seconds / 1e6;
    let bytes = resident().saturating_sub(before) / cameras as u64;
    println!(
        "{cameras} cameras: {events} events in {seconds:.2} s, {rate:.2} million a second; {bytes} bytes a camera"
    );
}

/// Does what the core asks for, at once.
fn answer(core: &mut Fleet, now: Now, effects: &mut Vec<Effect>) -> u64 {
    let mut events = 0;
    while !effects.is_empty() {
        for effect in std::mem::take(effects) {
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
