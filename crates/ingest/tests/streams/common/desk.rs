//! A small node around the ingest: the core that schedules, the ingest that obeys. Keyframes are believed, not decoded.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use fleet::{CameraId, Now, Registry, Status};
use health::{Effect, Event, Failure, Fleet, PictureVerdict, Resumed, SnapshotOutcome, StreamEvent};
use ingest::{Config, Ingest};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

pub struct Desk {
    pub fleet: Fleet,
    pub ingest: Ingest,
    /// Snapshots that came, and those that did not.
    pub stored: u64,
    pub missed: u64,
    streams: mpsc::Receiver<(CameraId, StreamEvent)>,
    tell: mpsc::Sender<Event>,
    told: mpsc::Receiver<Event>,
}

impl Desk {
    pub fn start(registry: Registry, core: health::Config, config: Config) -> Desk {
        let registry = Arc::new(registry);
        let (sender, streams) = mpsc::channel(8192);
        let (tell, told) = mpsc::channel(8192);
        let ingest = Ingest::start(config, sender);
        ingest.set_registry(registry.clone());
        let fleet = Fleet::new(core, 7, Resumed::default(), Now::read());
        let mut desk = Desk { fleet, ingest, stored: 0, missed: 0, streams, tell, told };
        desk.on(Event::Registry(registry));
        desk
    }

    /// Runs until the condition holds, at most so long: whether it does.
    pub async fn run(&mut self, span: Duration, mut done: impl FnMut(&Fleet) -> bool) -> bool {
        let until = Instant::now() + span;
        loop {
            if done(&self.fleet) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            let wait = self.fleet.next_deadline().map_or(Duration::from_millis(100), |at| at.since(Now::read().mono));
            tokio::select! {
                Some((camera, event)) = self.streams.recv() => self.on(Event::Stream { camera, event }),
                Some(event) = self.told.recv() => self.on(event),
                () = sleep(wait.min(Duration::from_millis(100))) => self.on(Event::Tick),
            }
        }
    }

    pub fn online(&self) -> u32 {
        self.fleet.board(Now::read()).counts.online
    }

    pub fn status(&self, camera: u32) -> (Status, String) {
        let row = self.fleet.row(CameraId(camera)).unwrap();
        (row.status, format!("{:?} {}", row.cause, row.detail))
    }

    pub fn on(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.fleet.on(event, Now::read(), &mut effects);
        for effect in effects {
            match effect {
                Effect::Open { camera, stream, by_person } => self.ingest.open(camera, stream, by_person),
                Effect::Close { camera } => self.ingest.close(camera),
                Effect::Assess { camera } => {
                    let (ingest, tell) = (self.ingest.clone(), self.tell.clone());
                    tokio::spawn(async move {
                        if let Ok(keyframe) = ingest.next_keyframe(camera, Duration::from_secs(12)).await {
                            let verdict = PictureVerdict { received: keyframe.received.wall, fault: None };
                            let _ = tell.send(Event::Picture { camera, verdict }).await;
                        }
                    });
                }
                Effect::Snapshot { camera, stream, slot, .. } => {
                    let (ingest, tell) = (self.ingest.clone(), self.tell.clone());
                    tokio::spawn(async move {
                        let outcome = match ingest.picture(camera, stream, Duration::from_secs(25)).await {
                            Ok(keyframe) if keyframe.stream == stream => SnapshotOutcome::Stored,
                            Ok(_) => SnapshotOutcome::Missed(Failure {
                                cause: fleet::Cause::NotYetChecked,
                                detail: "of another stream".into(),
                            }),
                            Err(failure) => SnapshotOutcome::Missed(failure),
                        };
                        let _ = tell.send(Event::Snapshot { camera, slot, outcome }).await;
                    });
                    self.stored += 1;
                }
                Effect::Gap { .. } => self.missed += 1,
                Effect::Gaps { slots, .. } => self.missed += u64::from(slots),
                Effect::Status(_) | Effect::Incident(_) | Effect::Unobserved(_) | Effect::Format(_) => {}
            }
        }
    }
}
