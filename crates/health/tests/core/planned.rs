//! Planned maintenance and acknowledgements that run out, in simulated counties.
#![allow(clippy::unwrap_used)]

use crate::sim::{Act, Fault, S, Time, World, county::County};
use fleet::{CameraId, Cause, Status, UplinkId, Wall};
use health::{Config, Event, Scope, Window, WindowId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn running(county: County, seed: u64) -> World {
    let mut w = World::new(county, Config::default(), seed);
    w.run_to(60 * S);
    assert_eq!(w.counts()[0] as usize, w.cams.len());
    w
}

/// A window from `from` to `until`, in seconds from now.
fn window(w: &World, id: u64, scope: Scope, from: i64, until: i64) -> Window {
    let now = w.now().wall;
    Window {
        id: WindowId(id),
        scope,
        from: Wall(now.0 + from * 1000),
        until: Wall(now.0 + until * 1000),
        reason: "换杆".into(),
        by: "zhang".into(),
        excused: true,
        created: now,
        ended: None,
        ended_by: None,
    }
}

fn first_link() -> Scope {
    Scope::Uplink(UplinkId(1))
}

#[test]
fn a_window_pauses_its_cameras_when_it_begins_and_gives_them_back_when_it_ends() {
    let mut w = running(County::of(&[3, 2]), 7);
    let planned = window(&w, 1, first_link(), 100, 400);
    w.act(Act::Plan(vec![planned]));
    w.run_to(150 * S);
    assert_eq!(w.counts(), [5, 0, 0, 0, 0], "before it begins nothing changes");
    // The power is off for the work; nobody is called out of bed for it.
    w.act_at(200 * S, Act::Link(0, true));
    w.act_at(450 * S, Act::Link(0, false));
    w.run_to(300 * S);
    assert_eq!(w.counts(), [2, 0, 0, 0, 3]);
    let (_, last) = w.log.statuses[0].last().unwrap();
    assert_eq!((last.status, last.cause), (Status::Paused, Some(Cause::Maintenance)));
    assert_eq!(last.detail, "zhang: 换杆 (W1)");
    w.run_to(600 * S);
    assert_eq!(w.counts(), [5, 0, 0, 0, 0]);
    assert!(w.incidents().is_empty(), "{:#?}", w.incidents());
    w.assert_sound();
}

#[test]
fn what_is_still_dead_after_the_window_is_told_then() {
    let mut w = running(County::of(&[2, 2]), 8);
    w.act(Act::Plan(vec![window(&w, 1, first_link(), 10, 200)]));
    w.act_at(100 * S, Act::Link(0, true));
    w.run_to(255 * S);
    assert!(w.incidents().is_empty());
    w.run_to(400 * S);
    let told = w.top_level();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].opened >= w.windows[0].until);
}

#[test]
fn an_incident_ends_for_who_is_taken_into_maintenance() {
    let mut w = running(County::of(&[2, 2]), 9);
    w.act(Act::Link(0, true));
    w.run_to(200 * S);
    assert_eq!(w.top_level().iter().filter(|i| i.is_open()).count(), 1);
    w.act(Act::Plan(vec![window(&w, 1, first_link(), 0, 600)]));
    w.run_to(210 * S);
    assert_eq!(w.top_level().iter().filter(|i| i.is_open()).count(), 0);
    w.assert_sound();
}

#[test]
fn a_window_ended_early_lets_go_at_once_and_one_called_off_never_holds() {
    let mut w = running(County::of(&[3]), 10);
    let mut first = window(&w, 1, Scope::County, 0, 1000);
    let mut second = window(&w, 2, Scope::Camera(CameraId(1)), 100, 1000);
    w.act(Act::Plan(vec![first.clone(), second.clone()]));
    w.run_to(70 * S);
    assert_eq!(w.counts()[4], 3);
    first.ended = Some(w.now().wall);
    second.ended = Some(w.now().wall);
    w.act(Act::Plan(vec![first, second]));
    w.run_to(300 * S);
    assert_eq!(w.counts(), [3, 0, 0, 0, 0]);
}

#[test]
fn windows_that_overlap_and_a_persons_own_pause_hand_over_without_a_gap() {
    let mut w = running(County::of(&[1]), 11);
    w.act(Act::Plan(vec![window(&w, 1, Scope::County, 0, 100), window(&w, 2, first_link(), 50, 200)]));
    w.act_at(100 * S, Act::Pause(0, Some(30 * S)));
    w.run_to(255 * S);
    assert_eq!(w.counts()[4], 1);
    let paused = w.changes(0, 60 * S);
    assert!(paused.iter().all(|c| c.0 == Status::Paused), "never judged in between: {paused:?}");
    w.run_to(330 * S);
    assert_eq!(w.counts()[0], 1);
    w.assert_sound();
}

#[test]
fn a_restart_and_a_step_of_the_clock_keep_to_the_plan() {
    let mut w = running(County::of(&[2]), 12);
    w.act(Act::Plan(vec![window(&w, 1, first_link(), 3600, 2 * 3600)]));
    // Somebody sets the clock on by an hour: the window holds from then on.
    w.act(Act::WallStep(3_600_000));
    // The node's loop turns four times a second, whether or not anything happens.
    w.tell(Event::Tick);
    w.run_to(70 * S);
    assert_eq!(w.counts()[4], 2);
    w.act(Act::Restart { crash: true });
    w.run_to(100 * S);
    assert_eq!(w.counts()[4], 2, "a restart forgets no window");
    w.act(Act::WallStep(-3_600_000));
    w.tell(Event::Tick);
    w.run_to(160 * S);
    assert_eq!(w.counts()[0], 2, "and back");
    w.assert_sound();
}

#[test]
fn whatever_is_planned_cameras_are_paused_exactly_while_a_window_covers_them() {
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut w = running(County::of(&[2, 1, 3]), seed);
        let mut windows = Vec::new();
        for id in 1..=rng.random_range(1..6) {
            let scope = match rng.random_range(0..3) {
                0 => Scope::Camera(CameraId(rng.random_range(1..=6))),
                1 => Scope::Uplink(UplinkId(rng.random_range(1..=3))),
                _ => Scope::County,
            };
            let from = rng.random_range(-100..400);
            windows.push(window(&w, id, scope, from, from + rng.random_range(1..500)));
        }
        w.act_at(rng.random_range(0..500) * S, Act::Link(0, true));
        w.act_at(700 * S, Act::Link(0, false));
        w.act_at(rng.random_range(100..900) * S, Act::Restart { crash: rng.random_bool(0.5) });
        w.act_at(rng.random_range(100..900) * S, Act::Camera(4, Fault::PowerOff, true));
        w.act(Act::Plan(windows.clone()));
        let mut t: Time = 61 * S;
        while t < 1000 * S {
            w.run_to(t);
            let now = w.now().wall;
            for (i, camera) in w.registry.cameras().enumerate() {
                let covered = windows.iter().any(|p| p.holds(now) && p.covers(camera, &w.registry));
                let paused = w.fleet.board(w.now()).cameras[i].status == Status::Paused;
                assert_eq!(paused, covered, "seed {seed}, {} s, {}: {windows:#?}", t / S, camera.id);
            }
            t += 7 * S + 1;
        }
        w.assert_sound();
    }
}

#[test]
fn a_persons_pause_ends_when_he_said_however_the_clock_went() {
    // Suspended for most of it, or somebody sets the clock on.
    for act in [Act::Sleep(3000 * S), Act::WallStep(3_000_000)] {
        let mut w = running(County::of(&[2]), 14);
        w.act(Act::Pause(0, Some(3600 * S)));
        w.run_to(120 * S);
        let end = w.now().wall.0 + (3600 - 60) * 1000;
        w.act(act.clone());
        while w.now().wall.0 < end - 20_000 {
            w.pass(10 * S);
        }
        assert_eq!(w.status(0).0, Status::Paused, "{act:?}");
        w.pass(80 * S);
        assert_ne!(w.status(0).0, Status::Paused, "{act:?}");
        w.assert_sound();
    }
}

#[test]
fn an_acknowledgement_ends_although_its_incident_was_over_just_then() {
    // Over before its time, open again after it, or open again before it.
    for back in [true, false] {
        let mut w = running(County::of(&[2, 2]), 15);
        w.act(Act::Link(0, true));
        w.run_to(200 * S);
        let open = w.top_level().into_iter().find(health::Incident::is_open).unwrap();
        let until = Some(Wall(w.now().wall.0 + 100_000));
        w.tell(Event::Acknowledge { incident: open.id, by: "li".into(), reason: "停电".into(), until });
        w.act(Act::Link(0, false));
        w.run_to(260 * S);
        assert!(w.top_level().iter().all(|i| !i.is_open()));
        w.act_at(if back { 265 } else { 302 } * S, Act::Link(0, true));
        w.run_to(360 * S);
        let again = w.top_level().into_iter().find(|i| i.id == open.id).unwrap();
        assert!(again.is_open(), "re-opened");
        assert_eq!(again.acknowledged, None, "back before its end: {back}");
    }
}

#[test]
fn an_acknowledgement_runs_out_also_after_a_restart() {
    let mut w = running(County::of(&[2, 2]), 13);
    w.act(Act::Link(0, true));
    w.run_to(200 * S);
    let open = w.top_level().into_iter().find(health::Incident::is_open).unwrap();
    let until = Some(Wall(w.now().wall.0 + 300_000));
    w.tell(Event::Acknowledge { incident: open.id, by: "li".into(), reason: "停电".into(), until });
    w.run_to(300 * S);
    let now = |w: &World| w.top_level().into_iter().find(|i| i.id == open.id).unwrap().acknowledged;
    assert!(now(&w).is_some());
    w.act(Act::Restart { crash: true });
    w.run_to(480 * S);
    assert!(now(&w).is_some());
    w.run_to(505 * S);
    assert!(now(&w).is_none(), "looked at again once its time is over");
}
