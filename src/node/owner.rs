//! The one task that owns the fleet's state.

use super::{field_log::FieldLog, judge::Judge, own::OwnChange, recorder::Recorder, takes};
use arc_swap::ArcSwap;
use fleet::{CameraId, Cause, Layer, Mono, Now, Registry, Status, Wall};
use health::{Effect, Event, Failure, Fleet, Incident, IncidentId, PictureVerdict, SnapshotOutcome, StreamEvent};
use picture::Assessment;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use store::Fact;
use tokio::sync::{broadcast, mpsc, watch};

/// The board is published, and what changed is told, at most so often.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// The loop turns at least so often.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);
/// Events taken in before effects are looked at by others.
const EVENTS_AT_ONCE: usize = 256;

/// What others read.
pub(super) struct Shared {
    pub(super) board: Arc<ArcSwap<health::Board>>,
    pub(super) registry: Arc<ArcSwap<Registry>>,
    pub(super) changes: broadcast::Sender<web::Change>,
    pub(super) gallery: Arc<web::Gallery>,
    pub(super) heartbeat: Arc<web::Heartbeat>,
}

/// What a short task brought back.
pub(super) enum Taken {
    /// `None`: no keyframe came. The session tells why when it ends; a picture that never came shows no fault.
    Picture {
        camera: CameraId,
        /// The diagnosis asked for it, not the core.
        again: bool,
        outcome: Option<Result<Box<(Now, Assessment)>, Failure>>,
    },
    Snapshot {
        camera: CameraId,
        slot: Wall,
        outcome: SnapshotOutcome,
        /// Of what was stored.
        stored: Option<archive::SnapshotId>,
        /// What shows the camera's baseline, and is no longer in the archive.
        gone: Option<String>,
    },
}

/// Where events come from.
pub(super) struct Inputs {
    pub(super) stream_events: mpsc::Receiver<(CameraId, StreamEvent)>,
    pub(super) commands: mpsc::Receiver<web::Command>,
    pub(super) own_events: mpsc::Receiver<OwnChange>,
    pub(super) stop: watch::Receiver<bool>,
}

/// The owner, before it runs.
pub(super) struct Owner {
    pub(super) core: Fleet,
    pub(super) ingest: ingest::Ingest,
    pub(super) takes: takes::Takes,
    pub(super) recorder: Recorder,
    pub(super) judge: Judge,
    pub(super) shared: Arc<Shared>,
    /// Planned maintenance as the store has it at the start.
    pub(super) windows: Arc<[health::Window]>,
    /// What goes in and comes out, if it is to be recorded.
    pub(super) field_log: Option<FieldLog>,
}

impl Owner {
    /// Runs until stopped.
    pub(super) async fn run(self, inputs: Inputs) {
        let Inputs { mut stream_events, mut commands, mut own_events, mut stop } = inputs;
        // One answer each to a picture and a snapshot per camera is under way at most.
        let (taken_tx, mut taken) = mpsc::channel(4096);
        let mut desk = Desk {
            owner: self,
            taken: taken_tx,
            effects: Vec::new(),
            published: None,
            dirty: true,
            changed: BTreeSet::new(),
            incidents: BTreeMap::new(),
            looking: BTreeSet::new(),
        };
        let registry = desk.owner.shared.registry.load_full();
        desk.handle(Event::Windows(Arc::clone(&desk.owner.windows)));
        desk.handle(Event::Registry(registry));
        let mut streams: Vec<(CameraId, StreamEvent)> = Vec::new();
        loop {
            let deadline = desk.owner.core.next_deadline();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(command) = commands.recv() => desk.command(command),
                Some(OwnChange { part, fault }) = own_events.recv() => desk.handle(Event::Own { part, fault }),
                Some(taken) = taken.recv() => desk.taken(taken),
                count = stream_events.recv_many(&mut streams, EVENTS_AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    for (camera, event) in streams.drain(..) {
                        desk.handle(Event::Stream { camera, event });
                    }
                }
                () = tokio::time::sleep(sleep_until(deadline)) => desk.handle(Event::Tick),
            }
            desk.publish();
        }
        desk.publish();
    }
}

fn sleep_until(deadline: Option<Mono>) -> Duration {
    deadline.map_or(LONGEST_SLEEP, |at| at.since(Now::read().mono).min(LONGEST_SLEEP))
}

/// Whether a camera of this status has its picture judged.
fn is_seen(status: Status, cause: Option<Cause>) -> bool {
    matches!(status, Status::Online | Status::Impaired) && cause.is_none_or(|c| c.layer() != Layer::Decode)
}

/// The running owner.
struct Desk {
    owner: Owner,
    taken: mpsc::Sender<Taken>,
    effects: Vec<Effect>,
    published: Option<Mono>,
    dirty: bool,
    /// Rows and incidents to be told of with the next board.
    changed: BTreeSet<CameraId>,
    incidents: BTreeMap<IncidentId, Incident>,
    /// Cameras of which another picture is under way because the diagnosis asked for it.
    looking: BTreeSet<CameraId>,
}

impl Desk {
    /// Takes in an event and carries out what follows from it.
    fn handle(&mut self, event: Event) {
        let now = Now::read();
        let tick = matches!(event, Event::Tick);
        let mut effects = std::mem::take(&mut self.effects);
        let recorded = self.owner.field_log.is_some().then(|| event.clone());
        self.owner.core.on(event, now, &mut effects);
        if let (Some(event), Some(log)) = (recorded, &mut self.owner.field_log) {
            log.record(&event, now, &effects);
        }
        self.dirty |= !tick || !effects.is_empty();
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        let owner = &self.owner;
        match effect {
            Effect::Open { camera, stream, by_person } => owner.ingest.open(camera, stream, by_person),
            Effect::Close { camera } => owner.ingest.close(camera),
            Effect::Assess { camera } => owner.takes.assess(camera, takes::Look::Regular, self.taken.clone()),
            Effect::Snapshot { camera, stream, slot, class } => {
                let (status, cause) = owner.core.row(camera).map_or((Status::Unknown, None), |r| (r.status, r.cause));
                let reference = self.owner.judge.reference_to_check(camera, Wall::read());
                let wanted = takes::Wanted { camera, stream, slot, class, status, cause, reference };
                self.owner.takes.snapshot(wanted, self.taken.clone());
            }
            Effect::Gap { camera, slot, failure } => {
                owner.takes.gap(archive::Gap::one(camera, slot, failure.cause, failure.detail));
            }
            Effect::Gaps { camera, slot, slots, every, failure } => {
                let every_ms = if slots > 1 { u32::try_from(every.as_millis()).unwrap_or(u32::MAX) } else { 0 };
                let one = archive::Gap::one(camera, slot, failure.cause, failure.detail);
                owner.takes.gap(archive::Gap { slots, every_ms, ..one });
            }
            Effect::Format(change) => owner.recorder.record(Fact::Format(change)),
            Effect::Unobserved(gap) => {
                tracing::warn!(from = gap.from.0, until = gap.until.0, why = %gap.detail, "no camera was looked at");
                owner.recorder.record(Fact::Unobserved(gap));
            }
            Effect::Status(change) => {
                let camera = change.camera;
                tracing::info!(
                    %camera,
                    status = %change.status,
                    cause = change.cause.map_or("", Cause::code),
                    detail = %change.detail,
                    "status changed"
                );
                let seen = is_seen(change.status, change.cause);
                owner.recorder.record(Fact::Status(change));
                if !seen {
                    self.owner.judge.lost(camera);
                }
                self.changed.insert(camera);
            }
            Effect::Incident(incident) => {
                owner.recorder.record(Fact::Incident(incident.clone()));
                self.incidents.insert(incident.id, incident);
            }
        }
    }

    fn command(&mut self, command: web::Command) {
        match command {
            web::Command::Event(event) => self.handle(event),
            web::Command::Registry(registry) => {
                self.owner.ingest.set_registry(Arc::clone(&registry));
                self.owner.shared.registry.store(Arc::clone(&registry));
                self.owner.judge.registry(&registry);
                self.handle(Event::Registry(registry));
            }
            web::Command::Picture(order) => {
                let camera = order.camera();
                self.owner.judge.order(order, Now::read());
                // So that what was decided is seen at once.
                self.look_again(camera, Some(Duration::ZERO));
            }
        }
    }

    fn taken(&mut self, taken: Taken) {
        match taken {
            Taken::Snapshot { camera, slot, outcome, stored, gone } => {
                if let Some(id) = stored {
                    self.owner.judge.archived(camera, id.to_string(), gone.as_deref(), Wall::read());
                }
                self.handle(Event::Snapshot { camera, slot, outcome });
                self.changed.insert(camera);
            }
            Taken::Picture { camera, again, outcome } => {
                // The core's own picture ends no look of the diagnosis: there would soon be two of them.
                if again {
                    self.looking.remove(&camera);
                }
                let Some(outcome) = outcome else { return };
                let verdict = match outcome {
                    Ok(picture) => {
                        let (received, assessment) = *picture;
                        let judged = self.owner.judge.judge(camera, &assessment.features, received);
                        self.owner.shared.gallery.put(camera, assessment.thumbnail, received.wall);
                        self.look_again(camera, judged.look_again);
                        if let Some(other) = judged.look_also_at {
                            self.look_again(other, judged.look_again);
                        }
                        PictureVerdict { received: received.wall, fault: judged.fault }
                    }
                    Err(failure) => PictureVerdict { received: Wall::read(), fault: Some(failure) },
                };
                self.handle(Event::Picture { camera, verdict });
                self.changed.insert(camera);
                // It was under way when the camera went.
                if self.owner.core.row(camera).is_none_or(|row| !is_seen(row.status, row.cause)) {
                    self.owner.judge.lost(camera);
                }
            }
        }
    }

    /// Takes another picture sooner than the core would, where the diagnosis suspects something.
    fn look_again(&mut self, camera: CameraId, pause: Option<Duration>) {
        if let Some(pause) = pause
            && self.looking.insert(camera)
        {
            self.owner.takes.assess(camera, takes::Look::Again(pause), self.taken.clone());
        }
    }

    /// Publishes the board if it changed and the last one is old enough, then tells what is new on it.
    fn publish(&mut self) {
        let now = Now::read();
        let shared = &self.owner.shared;
        shared.heartbeat.beat(now.mono);
        self.owner.recorder.alive(now.wall);
        if !self.dirty || self.published.is_some_and(|at| now.mono.since(at) < PUBLISH_EVERY) {
            return;
        }
        let board = Arc::new(self.owner.core.board(now));
        let before = shared.board.swap(Arc::clone(&board));
        self.published = Some(now.mono);
        self.dirty = false;
        // Nobody listening is no error: the board says it all.
        if before.own_faults != board.own_faults {
            let _ = shared.changes.send(web::Change::Own(board.own_faults.clone()));
        }
        for camera in std::mem::take(&mut self.changed) {
            if let Some(row) = board.camera(camera) {
                let _ = shared.changes.send(web::Change::Camera(row.clone()));
            }
        }
        for incident in std::mem::take(&mut self.incidents).into_values() {
            let _ = shared.changes.send(web::Change::Incident(Arc::new(incident)));
        }
    }
}
