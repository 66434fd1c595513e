//! The process dies, at every single record it writes, and a new one continues from what is on record: nothing is lost,
//! nothing is told twice.
#![allow(clippy::unwrap_used)]

use crate::sim::{Act, Fault, S, Time, World, county::County};
use fleet::{CameraId, Cause, Olt, Status, UplinkId};
use health::{Config, Incident, Scope};
use std::collections::BTreeSet;

/// What befalls the county: a village goes dark, a camera alone, a line terminal, a password, a picture, our decoder.
const TROUBLES: [(Act, Act, Time, Time); 6] = [
    (Act::Link(0, true), Act::Link(0, false), 100, 220),
    (Act::Camera(4, Fault::PowerOff, true), Act::Camera(4, Fault::PowerOff, false), 150, 420),
    (Act::Camera(6, Fault::Password, true), Act::Correct(6), 200, 520),
    (Act::Camera(7, Fault::Frozen, true), Act::Camera(7, Fault::Frozen, false), 250, 700),
    (Act::Olt(0, true), Act::Olt(0, false), 900, 1050),
    (Act::OwnDecoder(true), Act::OwnDecoder(false), 1500, 1560),
];
const END: Time = 2400 * S;

fn run(prepare: impl FnOnce(&mut World)) -> World {
    let county = County::with_olts(&[&[3, 2, 1], &[2]]);
    let mut w = World::new(county, Config::default(), 11);
    prepare(&mut w);
    for (on, off, from, until) in TROUBLES {
        w.act_at(from * S, on);
        w.act_at(until * S, off);
    }
    w.run_to(END);
    w
}

/// What was told for itself with this scope while, or right after, something was wrong.
fn told(w: &World, scope: &Scope, from: Time, until: Time) -> Vec<Incident> {
    let (from, until) = (w.wall_of(from * S), w.wall_of((until + 100) * S));
    // That the database takes nothing is told for itself.
    let during = |i: &Incident| i.opened.0 + 5000 >= from.0 && i.opened <= until && i.cause != Cause::OwnDatabase;
    w.top_level().into_iter().filter(|i| i.scope == *scope && during(i)).collect()
}

fn check(w: &World, what: &str) {
    w.fleet.check_invariants();
    assert!(w.log.faults.is_empty(), "{what}: {:#?}", w.log.faults);
    assert_eq!(w.counts(), [8, 0, 0, 0, 0], "{what}: all is well in the end");
    let open: Vec<Incident> = w.incidents().into_iter().filter(Incident::is_open).collect();
    assert!(open.is_empty(), "{what}: {open:#?}");
    for incident in w.incidents() {
        let seen: BTreeSet<CameraId> = incident.members.iter().map(|m| m.camera).collect();
        assert_eq!(seen.len(), incident.members.len(), "{what}: a camera sits twice in {}", incident.id);
    }
    let camera = |i: u32| Scope::Camera(CameraId(i + 1));
    let once = [
        (Scope::Uplink(UplinkId(1)), 100, 220),
        (camera(4), 150, 420),
        (camera(6), 200, 520),
        (camera(7), 250, 700),
        (Scope::Olt(Olt("olt 0".into())), 900, 1050),
        (Scope::Own, 1500, 1560),
    ];
    for (scope, from, until) in once {
        let found = told(w, &scope, from, until);
        assert_eq!(found.len(), 1, "{what}: {scope:?} told as {found:#?}");
    }
    for i in 0..3 {
        let alone = told(w, &camera(i), 100, 220);
        assert!(alone.is_empty(), "{what}: camera {i} of the dark village is told alone: {alone:#?}");
    }
    // Intervals follow each other, and whoever was truly dark for long was told to be.
    for (i, (from, until)) in [(0, (100, 220)), (4, (150, 420)), (6, (200, 520)), (2, (900, 1050))] {
        let told = w.log.statuses[i]
            .iter()
            .any(|(t, c)| c.status == Status::Offline && (from * S..(until + 60) * S).contains(t));
        assert!(told, "{what}: the outage of camera {i} is not on record");
    }
}

#[test]
fn a_process_that_dies_at_any_record_it_writes_loses_and_doubles_nothing() {
    let whole = run(|_| {});
    check(&whole, "without a crash");
    let records = whole.facts;
    assert!(records > 40, "{records} records are too few to prove much");
    for after in 1..=records {
        let w = run(|w| w.die_after = Some(after));
        check(&w, &format!("killed after record {after} of {records}"));
    }
}

#[test]
fn a_database_that_refuses_any_record_for_a_while_loses_and_doubles_nothing() {
    let records = run(|_| {}).facts;
    for from in 1..=records {
        let w = run(|w| w.refuse_from = Some((from, 20 * S, None)));
        check(&w, &format!("refused from record {from} of {records} on"));
        let on_record = w.books.incidents.values().filter(|i| i.is_open()).count();
        assert_eq!(on_record, 0, "refused from record {from}: what waited is on record in the end");
    }
}

#[test]
fn a_process_that_dies_while_the_database_refuses_doubles_nothing_and_finds_what_lasts_again() {
    let records = run(|_| {}).facts;
    for from in 1..=records {
        let w = run(|w| w.refuse_from = Some((from, 20 * S, Some(8 * S))));
        check(&w, &format!("killed while record {from} of {records} waited"));
    }
}

#[test]
fn a_fault_that_returns_soon_reopens_its_incident_also_after_a_restart() {
    for (pause, same) in [(200, true), (400, false)] {
        let mut w = World::new(County::of(&[3, 1]), Config::default(), 5);
        w.run_to(60 * S);
        for crash in [true, false] {
            w.act(Act::Link(0, true));
            w.pass(60 * S);
            w.act(Act::Link(0, false));
            w.pass(90 * S);
            w.act(Act::Restart { crash });
            w.pass(pause * S);
        }
        w.act(Act::Link(0, true));
        w.pass(60 * S);
        let found = w.top_level();
        assert_eq!(found.len(), if same { 1 } else { 3 }, "{found:#?}");
        assert!(found.last().unwrap().is_open());
    }
}
