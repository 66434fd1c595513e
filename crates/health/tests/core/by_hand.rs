//! One camera, every event given by hand: what the core does with answers that come late, odd or never.
#![allow(clippy::unwrap_used)]

use crate::sim::{S, county::County};
use fleet::Mono;
use fleet::{CameraId, Cause, Status};
use health::Config;
use health::{Carriage, Effect, Event, Failure, Fleet, PictureVerdict, Resumed, StreamEvent, StreamFigures};
use std::{sync::Arc, time::Duration};

/// One camera, driven by hand.
struct Hand {
    core: Fleet,
    at: fleet::Now,
    effects: Vec<Effect>,
}

impl Hand {
    fn new() -> Hand {
        let at = fleet::Now { mono: Mono(3600 * S), wall: fleet::Wall(1_760_000_000_000) };
        let core = Fleet::new(Config::default(), 1, Resumed::default(), at);
        let mut hand = Hand { core, at, effects: Vec::new() };
        hand.tell(Event::Registry(Arc::new(County::of(&[1]).registry(&Default::default()))));
        hand.pass(5);
        hand
    }

    fn tell(&mut self, event: Event) {
        self.core.on(event, self.at, &mut self.effects);
        self.core.check_invariants();
    }

    fn stream(&mut self, event: StreamEvent) {
        self.tell(Event::Stream { camera: CameraId(1), event });
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.at.mono + Duration::from_secs(seconds);
        while let Some(due) = self.core.next_deadline().filter(|&due| due <= end) {
            self.to(due);
            self.tell(Event::Tick);
        }
        self.to(end);
    }

    fn to(&mut self, mono: Mono) {
        self.at.wall = self.at.wall + mono.since(self.at.mono);
        self.at.mono = mono;
    }

    fn online(&mut self) {
        self.stream(StreamEvent::Opened {
            stream: fleet::StreamChoice::Main,
            took: Duration::from_millis(90),
            carriage: Carriage::default(),
        });
        self.picture(None);
        assert_eq!(self.core.row(CameraId(1)).unwrap().status, Status::Online);
    }

    fn picture(&mut self, fault: Option<Failure>) {
        let verdict = PictureVerdict { received: self.at.wall, fault };
        self.tell(Event::Picture { camera: CameraId(1), verdict });
    }

    fn ended(&mut self, cause: Cause) {
        self.stream(StreamEvent::Ended(Failure { cause, detail: "by hand".into() }));
    }

    fn count(&self, what: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|e| what(e)).count()
    }
}

#[test]
fn a_session_without_keyframes_is_ended_and_the_camera_offline_if_the_next_has_none_either() {
    let mut h = Hand::new();
    h.online();
    let closes = |h: &Hand| h.count(|e| matches!(e, Effect::Close { .. }));
    let figures = |age| StreamFigures {
        window: Duration::from_secs(5),
        packets: 900,
        fps: 25.0,
        keyframe_age: Some(Duration::from_secs(age)),
        ..StreamFigures::default()
    };
    h.pass(30);
    h.stream(StreamEvent::Figures(figures(40)));
    assert_eq!(closes(&h), 0);
    h.pass(20);
    h.stream(StreamEvent::Figures(figures(61)));
    assert_eq!(closes(&h), 1);
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Online);
    assert!(h.core.row(CameraId(1)).unwrap().confirming);
    h.pass(3);
    h.ended(Cause::NoKeyframe);
    let row = h.core.row(CameraId(1)).unwrap();
    assert_eq!((row.status, row.cause), (Status::Offline, Some(Cause::NoKeyframe)));
}

#[test]
fn one_undecodable_keyframe_is_no_fault() {
    let mut h = Hand::new();
    h.online();
    let broken = || Some(Failure { cause: Cause::DecodeFailed, detail: "no frame".into() });
    h.picture(broken());
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Online);
    h.picture(None);
    h.picture(broken());
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Online);
    h.picture(broken());
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Impaired);
}

#[test]
fn a_session_that_never_answers_is_our_fault_and_tried_again() {
    let mut h = Hand::new();
    h.pass(62);
    assert_eq!(h.count(|e| matches!(e, Effect::Close { .. })), 1);
    assert_eq!(h.core.row(CameraId(1)).unwrap().cause, Some(Cause::NotYetChecked));
    h.pass(30);
    assert_eq!(h.count(|e| matches!(e, Effect::Open { .. })), 2);
    h.online();
}

#[test]
fn a_locked_account_is_left_alone_for_half_an_hour() {
    let mut h = Hand::new();
    h.ended(Cause::AccountLocked);
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Offline);
    h.pass(1790);
    assert_eq!(h.count(|e| matches!(e, Effect::Open { .. })), 1);
    h.pass(20);
    assert_eq!(h.count(|e| matches!(e, Effect::Open { .. })), 2);
}

#[test]
fn pauses_between_tries_grow_to_a_minute() {
    let mut h = Hand::new();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let opens = h.count(|e| matches!(e, Effect::Open { .. }));
        h.ended(Cause::PortClosed);
        let from = h.at.mono;
        while h.count(|e| matches!(e, Effect::Open { .. })) == opens {
            let due = h.core.next_deadline().unwrap();
            h.to(due);
            h.tell(Event::Tick);
        }
        waits.push(h.at.mono.since(from).as_secs_f64());
    }
    assert!((0.2..=1.0).contains(&waits[0]), "{waits:?}");
    assert!(waits[2] > waits[1] && waits[4] > waits[3], "{waits:?}");
    assert!(waits[11] <= 60.0 && waits[11] >= 45.0, "{waits:?}");
}

#[test]
fn what_comes_for_a_camera_that_is_gone_or_paused_is_ignored() {
    let mut h = Hand::new();
    h.online();
    h.tell(Event::Registry(Arc::default()));
    assert!(h.core.row(CameraId(1)).is_none());
    assert_eq!(h.count(|e| matches!(e, Effect::Close { .. })), 1);
    let told = h.effects.len();
    h.ended(Cause::Stalled);
    h.picture(None);
    h.pass(1000);
    assert_eq!(h.effects.len(), told);
    assert_eq!(h.core.next_deadline(), None);
}

#[test]
fn an_acknowledgement_is_recorded() {
    let mut h = Hand::new();
    h.ended(Cause::StreamNotFound);
    h.pass(2);
    h.ended(Cause::StreamNotFound);
    let id = h.core.board(h.at).incidents[0].id;
    h.tell(Event::Acknowledge { incident: id, by: "li".into(), reason: "on order".into(), until: None });
    let told = h.effects.iter().rev().find_map(|e| match e {
        Effect::Incident(i) => Some(i.clone()),
        _ => None,
    });
    assert_eq!(told.unwrap().acknowledged.unwrap().by, "li");
}

/// The gaps told for time in which nothing of ours ran: the first slot and how many.
fn stood_still(h: &Hand) -> Vec<(fleet::Wall, u32)> {
    let told = h.effects.iter().filter_map(|effect| match effect {
        Effect::Gaps { slot, slots, every, failure, .. } => {
            assert_eq!((failure.cause, *every), (Cause::NotRunning, Config::default().snapshot_every));
            Some((*slot, *slots))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn every_slot_of_two_days_in_which_the_process_stood_still_is_a_gap() {
    let mut h = Hand::new();
    h.online();
    h.pass(20);
    let (from, days) = (h.at.wall, 2 * 86_400);
    h.to(h.at.mono + Duration::from_secs(days));
    h.effects.clear();
    h.tell(Event::Tick);
    let told = stood_still(&h);
    let [(first, slots)] = told[..] else { panic!("{told:?}") };
    let every = i64::try_from(Config::default().snapshot_every.as_millis()).unwrap();
    assert!((0..=every).contains(&first.millis_since(from)), "{first:?} after {from:?}");
    // The last of them is taken now.
    let last = fleet::Wall(first.0 + i64::from(slots) * every);
    assert!(last <= h.at.wall && h.at.wall.millis_since(last) < every, "{slots} slots from {first:?}");
    assert_eq!(h.count(|e| matches!(e, Effect::Gap { .. })), 0);
}

#[test]
fn slots_of_a_time_in_which_the_machine_was_suspended_are_gaps_and_those_of_a_wrong_clock_are_not() {
    let every = i64::try_from(Config::default().snapshot_every.as_millis()).unwrap();
    for (days, suspended) in [(3, true), (400, false)] {
        let mut h = Hand::new();
        h.online();
        h.pass(20);
        h.effects.clear();
        let left_out = days * 86_400_000;
        let from = h.at.wall;
        // Linux's monotonic clock stands still meanwhile.
        h.at.wall = fleet::Wall(h.at.wall.0 + left_out);
        h.tell(Event::Tick);
        let told = stood_still(&h);
        if !suspended {
            assert_eq!(told, []);
            continue;
        }
        let [(first, slots)] = told[..] else { panic!("{told:?}") };
        assert!((0..=every).contains(&first.millis_since(from)));
        let next = fleet::Wall(first.0 + i64::from(slots) * every);
        assert!(next >= h.at.wall && next.millis_since(h.at.wall) < every, "{slots} slots from {first:?}");
        // The next slot is one of its own.
        h.effects.clear();
        h.pass(600);
        assert_eq!(stood_still(&h), []);
        let later = h.effects.iter().filter_map(|e| match e {
            Effect::Snapshot { slot, .. } | Effect::Gap { slot, .. } => Some(*slot),
            _ => None,
        });
        // But for those that were asked for before, and nobody answered.
        assert!(later.into_iter().all(|slot| slot <= from || slot > fleet::Wall(next.0 - every)));
    }
}

#[test]
fn damage_in_the_archive_is_one_incident_that_names_it_until_a_later_check_is_clean() {
    use health::{Incident, OwnPart, Scope};
    let mut h = Hand::new();
    h.online();
    let own = |h: &Hand| -> Vec<Incident> {
        let told = h.effects.iter().filter_map(|effect| match effect {
            Effect::Incident(incident) if incident.scope == Scope::Own => Some(incident.clone()),
            _ => None,
        });
        told.collect()
    };
    let found = |text: &str| Event::Own { part: OwnPart::Archive, fault: Some(text.to_owned()) };
    h.tell(found("1 things; the first: segments/a.seg"));
    h.pass(2);
    h.tell(found("1 things; the first: segments/a.seg"));
    h.tell(found("2 things; the first: segments/a.seg"));
    h.pass(2);
    let told = own(&h);
    let last = told.last().unwrap();
    assert!(told.iter().all(|i| i.id == last.id), "one incident: {told:?}");
    assert_eq!((last.cause, last.is_open()), (Cause::ArchiveDamaged, true));
    assert!(last.evidence.iter().any(|e| e.en.contains("2 things") && e.en.contains("segments/a.seg")), "{last:?}");
    assert!(!Cause::ArchiveDamaged.next_step().0.is_empty());
    assert_eq!(h.core.row(CameraId(1)).unwrap().status, Status::Online, "no camera is doubted for it");
    h.tell(Event::Own { part: OwnPart::Archive, fault: None });
    h.pass(2);
    let over = own(&h).pop().unwrap();
    assert!(!over.is_open() && over.id == last.id);
}
