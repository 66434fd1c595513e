//! What is asked of uplinks: never more kilobits than their budget, never more openings at once than allowed, and yet
//! everybody comes to its turn, at start-up, in daily patrol and when a whole county returns at once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod sim;

use health::Config;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sim::{Act, S, World, county::County};
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

#[test]
fn a_link_too_narrow_for_its_cameras_still_serves_those_it_can() {
    let mut county = County::of(&[5, 2]);
    county.subs = true;
    county.budget = Some(|_| 1_100);
    let mut world = World::new(county, on_sub(), 7);
    world.pass(600 * S);
    world.assert_sound();
    // Two sub streams fit. A picture of a main stream would fit only on an empty link.
    let online = (0..5).filter(|c| world.status(*c).0 == fleet::Status::Online).count();
    assert_eq!(online, 2);
    assert_eq!(world.counts()[0], 4);
    let waiting: Vec<String> = (1..=5)
        .map(|id| world.fleet.row(fleet::CameraId(id)).unwrap())
        .filter(|row| row.status == fleet::Status::Unknown)
        .map(|row| row.detail.to_string())
        .collect();
    assert_eq!(waiting.len(), 3, "{waiting:?}");
    assert!(waiting.iter().all(|d| d.contains("1100 kbit/s")), "{waiting:?}");
}
