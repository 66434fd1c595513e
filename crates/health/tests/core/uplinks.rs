//! What is asked of uplinks: never more kilobits than their budget, never more openings at once than allowed, and yet
//! everybody comes to its turn, at start-up, in daily patrol and when a whole county returns at once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::sim::{Act, S, Time, World, county::County};
use fleet::Status;
use health::Config;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Enough for the sub streams of all cameras and one main stream beside them.
fn just_enough(cameras: usize) -> u32 {
    cameras as u32 * 512 + 4_000
}

/// Sub streams continuously, pictures of main streams on patrol.
fn on_sub() -> Config {
    Config { continuous: fleet::StreamChoice::Sub, ..Config::default() }
}

fn world(seed: u64, cameras: usize, config: Config) -> World {
    let mut county = County::random(cameras, &mut ChaCha8Rng::seed_from_u64(seed));
    county.subs = true;
    county.budget = Some(just_enough);
    World::new(county, config, seed)
}

#[test]
fn a_county_that_returns_at_once_is_online_soon_and_no_uplink_is_asked_for_too_much() {
    for (seed, cameras) in (0..60).map(|seed| (seed, 20 + (seed as usize * 13) % 60)).chain([(1000, 800)]) {
        let config = on_sub();
        let mut world = world(seed, cameras, config.clone());
        world.pass(120 * S);
        assert_eq!(world.counts()[0] as usize, world.cams.len(), "seed {seed}: all online after start-up");

        for olt in 0..world.county.olts {
            world.act(Act::Olt(olt, true));
        }
        for link in 0..world.county.links.len() {
            world.act(Act::Link(link, true));
        }
        world.pass(300 * S);
        assert_eq!(world.counts()[0], 0, "seed {seed}: nobody is online in the dark");
        world.log.most_opening = 0;
        for olt in 0..world.county.olts {
            world.act(Act::Olt(olt, false));
        }
        for link in 0..world.county.links.len() {
            world.act(Act::Link(link, false));
        }
        let back = world.t;
        while world.counts()[0] < world.cams.len() as u32 {
            world.pass(S);
            assert!(world.t - back < 180 * S, "seed {seed}: {:?} after three minutes", world.counts());
        }
        if cameras == 800 {
            println!("800 cameras online {} s after their links returned", (world.t - back) / S);
        }
        assert!(
            world.log.most_opening <= config.opening_per_uplink as usize,
            "seed {seed}: {} openings at once behind one uplink",
            world.log.most_opening
        );
        world.assert_sound();
    }
}

#[test]
fn patrol_takes_a_picture_of_every_main_stream_in_its_time() {
    for seed in 0..20 {
        let config = Config { snapshot_every: Duration::from_secs(120), ..on_sub() };
        let mut world = world(seed, 40, config);
        world.pass(1_200 * S);
        world.assert_sound();
        assert!(world.log.patrols > 8 * world.cams.len() as u64, "seed {seed}: {} patrols", world.log.patrols);
        for (camera, slots) in world.log.slots.iter().enumerate() {
            let stored = slots.values().filter(|(_, stored, _)| *stored == 1).count();
            assert!(stored >= 9, "seed {seed}: camera {camera} has {stored} of ten pictures: {slots:?}");
        }
    }
}

/// Nobody waits longer for its turn than this, for each camera behind the link.
const A_TURN: Time = 90 * S;

/// Links of all widths that are too narrow for their cameras, by a seed.
fn narrow(seed: u64) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let links: Vec<usize> = (0..6).map(|_| rng.random_range(2..=8)).collect();
    let mut county = County::of(&links);
    county.subs = true;
    // From less than one sub stream to a main stream and some sub streams.
    county.budget = Some(
        [
            |_: usize| 400,
            |_: usize| 600,
            |_: usize| 1_100,
            |n: usize| 512 * (n as u32 - 1),
            |_: usize| 4_600,
            |n: usize| 4_000 + 512 * (n as u32 / 2),
        ][(seed % 6) as usize],
    );
    World::new(county, on_sub(), seed)
}

/// The times at which something happened to a camera, with the beginning and the end: the longest without it.
fn longest_without(times: impl Iterator<Item = Time>, end: Time) -> Time {
    let mut last = 0;
    times.chain([end]).map(|t| t.saturating_sub(std::mem::replace(&mut last, t))).max().unwrap()
}

/// The longest time in which no session of a camera stood or was being opened.
fn longest_wait(world: &World, camera: usize) -> Time {
    let of =
        |log: &[(Time, usize)]| -> Vec<Time> { log.iter().filter(|(_, c)| *c == camera).map(|(t, _)| *t).collect() };
    let (opens, closes) = (of(&world.log.opens), of(&world.log.closes));
    let ends = [0].into_iter().chain(closes);
    // What was closed last and is not opened again waits still.
    ends.zip(opens.into_iter().chain([world.t])).map(|(end, open)| open.saturating_sub(end)).max().unwrap()
}

#[test]
fn behind_a_link_too_narrow_for_its_cameras_everybody_comes_to_its_turn_and_is_photographed() {
    for seed in 0..60 {
        let mut world = narrow(seed);
        world.pass(3_600 * S);
        world.assert_sound();
        for camera in 0..world.cams.len() {
            let n = world.county.links[world.cams[camera].link.unwrap()].cameras as u64;
            let waited = longest_wait(&world, camera);
            assert!(
                waited <= n * A_TURN,
                "seed {seed}: camera {camera} of {n} behind its link waited {} s",
                waited / S
            );
            let stored = world.log.slots[camera].values().filter(|(_, stored, _)| *stored == 1).map(|(t, ..)| *t);
            let longest = longest_without(stored, world.t);
            assert!(
                longest <= (n * A_TURN).max(300 * S) + 330 * S,
                "seed {seed}: camera {camera} of {n} has no picture for {} s",
                longest / S
            );
            let judged = world.changes(camera, 0);
            assert!(judged.iter().any(|(s, _)| *s == Status::Online), "seed {seed}: camera {camera} was never judged");
            assert!(judged.iter().all(|(s, _)| *s != Status::Offline), "seed {seed}: camera {camera}: {judged:?}");
        }
    }
}

#[test]
fn who_waits_for_its_turn_is_shown_to() {
    let mut county = County::of(&[5, 2]);
    county.subs = true;
    county.budget = Some(|_| 1_100);
    let mut world = World::new(county, on_sub(), 7);
    world.pass(50 * S);
    let shown: Vec<String> = (1..=5)
        .map(|id| world.fleet.row(fleet::CameraId(id)).unwrap())
        .filter(|row| row.status == Status::Unknown)
        .map(|row| row.detail.to_string())
        .collect();
    // Two sub streams fit.
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown.iter().all(|d| d.contains("1100 kbit/s")), "{shown:?}");
    world.pass(550 * S);
    assert_eq!(world.counts()[0], 7, "between its turns a camera is what it was found to be");
    world.assert_sound();
}
