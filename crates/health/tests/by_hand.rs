//! One camera, every event given by hand: what the core does with answers that come late, odd or never.
#![allow(clippy::unwrap_used)]

mod sim;

use fleet::Mono;
use fleet::{CameraId, Cause, Status};
use health::Config;
use health::{Carriage, Effect, Event, Failure, Fleet, PictureVerdict, Resumed, StreamEvent, StreamFigures};
use sim::{S, county::County};
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
