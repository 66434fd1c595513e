//! The state of the fleet and its one entry, `on`.
//!
//! Here are only the tables, the order of work within one call and the dispatch. What an event means is told
//! in the modules beside: `register`, `session`, `verdict`, `slots`, `own`, `correlate`.

use crate::{
    Acknowledgement, Board, CameraRow, Carriage, Config, Counts, Effect, Event, Incident, IncidentId, StatusChange,
    StreamEvent, Window,
    alike::Alike,
    book::Book,
    camera::{Camera, Link},
    groups::Groups,
    index::CameraIx,
    opener::{Class, Opener},
    own::Own,
    schedule::{Key, Schedule, Timer},
};
use fleet::{CameraId, Mono, Now, Registry, Status, Wall};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a session may take to say whether it opened before we stop waiting for it: longer than all of its
/// own limits together.
pub(crate) const SESSION_ANSWERS: Duration = Duration::from_secs(60);

/// Room for this many effects is kept from one call to the next.
const EFFECTS_KEPT: usize = 1024;

/// What the store remembers of an earlier run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Resumed {
    /// The newest status change of each camera.
    pub statuses: Vec<StatusChange>,
    /// Incidents still open.
    pub incidents: Vec<Incident>,
    /// Incidents that were resolved in the last days, oldest first: a fault that returns soon re-opens its own, and what
    /// falls silent at the same hour each day is known, also after a restart.
    pub resolved: Vec<Incident>,
    /// The highest incident number ever given.
    pub last_incident: Option<IncidentId>,
    /// Cameras that refused their password when last judged and of which the register has said nothing new since: since
    /// when, and what that rested on.
    pub refused: Vec<(CameraId, Wall, String)>,
}

/// The whole fleet's state. Pure: see the crate's documentation.
#[derive(Debug)]
pub struct Fleet {
    pub(crate) config: Config,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: Now,
    pub(crate) registry: Arc<Registry>,
    pub(crate) cameras: Vec<Camera>,
    pub(crate) free: Vec<CameraIx>,
    pub(crate) by_id: BTreeMap<CameraId, CameraIx>,
    pub(crate) groups: Groups,
    pub(crate) schedule: Schedule,
    pub(crate) opener: Opener,
    pub(crate) book: Book,
    pub(crate) own: Own,
    pub(crate) counts: Counts,
    /// What is said of cameras, and how their packets travel.
    pub(crate) details: Alike<str>,
    pub(crate) carriages: Alike<Carriage>,
    /// What the store remembered of cameras that the register has not named yet.
    pub(crate) resumed: BTreeMap<CameraId, StatusChange>,
    /// Refused passwords of an earlier run, of cameras that the register has not named yet.
    pub(crate) refused: BTreeMap<CameraId, String>,
    pub(crate) effects: Vec<Effect>,
    /// Planned maintenance that is not over.
    pub(crate) windows: Arc<[Window]>,
    /// We come back from a time in which nothing was run: what did not answer could not.
    pub(crate) slept: bool,
    /// The latest slot that has a name, of any camera: what lies before it has been lived through, or left out.
    pub(crate) named: Wall,
    /// How often the wall clock was set, as far as we know.
    pub(crate) steps: u32,
}

/// Up to when slots may have names from an earlier run. A clock that is behind what is on record was set back: how far it
/// was ahead nobody knows.
fn lived_until(statuses: &[StatusChange], now: Wall) -> Wall {
    let newest = statuses.iter().map(|s| s.at).max();
    newest.filter(|newest| *newest > now).map_or(now, |newest| newest + Duration::from_secs(24 * 3600))
}

impl Fleet {
    /// A fleet that continues where the store left off. `seed` drives jitter and nothing else.
    #[must_use]
    pub fn new(config: Config, seed: u64, resumed: Resumed, now: Now) -> Fleet {
        let named = lived_until(&resumed.statuses, now.wall);
        Fleet {
            opener: Opener::new(&config),
            book: Book::new(resumed.incidents, resumed.last_incident, config.reopen_within)
                .with_resolved(resumed.resolved, now),
            config,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now,
            registry: Arc::new(Registry::default()),
            cameras: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
            groups: Groups::default(),
            schedule: Schedule::default(),
            own: Own::default(),
            counts: Counts::default(),
            details: Alike::default(),
            carriages: Alike::default(),
            refused: resumed.refused.into_iter().map(|(camera, _, detail)| (camera, detail)).collect(),
            resumed: resumed.statuses.into_iter().map(|s| (s.camera, s)).collect(),
            effects: Vec::new(),
            windows: Arc::from([]),
            slept: false,
            named,
            steps: 0,
        }
    }

    /// Takes in one event and appends what is to be done to `effects`.
    ///
    /// `now.mono` must not go back; if it does, time stands still until it is caught up with.
    pub fn on(&mut self, event: Event, now: Now, effects: &mut Vec<Effect>) {
        self.advance(now);
        self.run_due();
        self.take_in(event);
        self.open_who_may();
        self.feel_pulse();
        self.book.tell(&mut self.effects);
        if self.book.has_news() && self.schedule.due(Key::Flush).is_none() {
            self.schedule.set(Key::Flush, self.now.mono + Duration::from_secs(1));
        }
        effects.append(&mut self.effects);
        // A whole register's worth of effects comes once; its room is not kept for ever.
        self.effects.shrink_to(EFFECTS_KEPT);
    }

    /// When `Event::Tick` is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        self.schedule.next()
    }

    /// The view for everybody else.
    #[must_use]
    pub fn board(&self, now: Now) -> Board {
        Board {
            at: now,
            cameras: self.by_id.values().map(|&ix| self.row_of(ix)).collect(),
            incidents: self.book.all_open().cloned().collect(),
            own_faults: self.own.faults().map(|(part, detail)| (part, detail.to_owned())).collect(),
            counts: self.counts,
        }
    }

    /// The row of one camera, for announcing a change without building the whole board.
    #[must_use]
    pub fn row(&self, camera: CameraId) -> Option<CameraRow> {
        self.by_id.get(&camera).map(|&ix| self.row_of(ix))
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Registry(registry) => {
                self.register(registry);
                self.windows_follow();
                self.acknowledgements_follow();
            }
            Event::Windows(windows) => self.plan(windows),
            Event::Stream { camera, event } => {
                if let Some(ix) = self.find(camera) {
                    match event {
                        StreamEvent::Opened { carriage, .. } => self.opened(ix, carriage),
                        StreamEvent::Figures(figures) => self.figures(ix, figures),
                        StreamEvent::Ended(failure) => self.ended(ix, failure),
                    }
                }
            }
            Event::Picture { camera, verdict } => {
                if let Some(ix) = self.find(camera) {
                    self.picture(ix, verdict);
                }
            }
            Event::Snapshot { camera, slot, outcome } => {
                if let Some(ix) = self.find(camera) {
                    self.slot_answered(ix, slot, outcome);
                }
            }
            Event::Own { part, fault } => self.own_part(part, fault),
            Event::CheckNow { camera } => {
                if let Some(ix) = self.find(camera) {
                    self.check_now(ix);
                }
            }
            Event::Acknowledge { incident, by, reason, until } => {
                let at = self.now.wall;
                self.book.acknowledge(incident, Acknowledgement { by, at, reason, until });
                self.acknowledgements_follow();
            }
            Event::Pause { camera, until, by, reason } => {
                if let Some(ix) = self.find(camera) {
                    self.pause(ix, until, &by, &reason);
                }
            }
            Event::Tick => {}
        }
    }

    fn advance(&mut self, now: Now) {
        let mono = now.mono.max(self.now.mono);
        let ran = mono.since(self.now.mono);
        let wall_ran = now.wall.millis_since(self.now.wall);
        self.slept = self.schedule.next().is_some_and(|due| mono.since(due) > Duration::from_secs(10));
        let before = std::mem::replace(&mut self.now, Now { mono, wall: now.wall });
        let stepped = wall_ran.saturating_sub(i64::try_from(ran.as_millis()).unwrap_or(i64::MAX));
        self.note_unobserved(before, stepped);
        if stepped.abs() > 2_000 {
            self.wall_stepped();
            self.pauses_follow();
            self.windows_follow();
            self.acknowledgements_follow();
        }
        if self.slept {
            self.wake();
        }
    }

    /// What failed around a time in which we did not run says nothing: every suspicion begins anew.
    pub(crate) fn wake(&mut self) {
        for ix in self.watched() {
            let camera = &mut self.cameras[ix.at()];
            if camera.status != Status::Offline && !camera.parked {
                camera.failures = 0;
                camera.failure = None;
                camera.lost = None;
            }
        }
    }

    fn run_due(&mut self) {
        while let Some((key, at)) = self.schedule.pop(self.now.mono) {
            match key {
                Key::Ramp | Key::Pulse => {}
                Key::Camera(ix, timer) => self.due(ix, timer, at),
                Key::Group(group) => self.decide(group),
                Key::Turn(group) => self.take_turn(group),
                Key::Incident(id) => self.look_after_return(IncidentId(id)),
                Key::Doubt => self.end_doubt(),
                Key::Windows => self.windows_follow(),
                Key::Acknowledgements => self.acknowledgements_follow(),
                Key::Flush => self.book.tell_all(&mut self.effects),
            }
        }
    }

    fn due(&mut self, ix: CameraIx, timer: Timer, at: Mono) {
        match timer {
            Timer::Retry => {
                let class = self.retry_class(ix);
                self.request(ix, class, Duration::ZERO);
            }
            Timer::Watch => self.session_silent(ix),
            Timer::Slot => self.slot_due(ix, at),
            Timer::Answer => self.slots_overdue(ix),
            Timer::Assess => self.assess_due(ix),
            Timer::Verdict => self.verdict_overdue(ix),
            Timer::PauseEnd => self.pause_follows(ix),
            Timer::Flap => self.flap_check(ix),
        }
    }

    /// Stands in line for a session, unless one is there or on its way.
    pub(crate) fn request(&mut self, ix: CameraIx, class: Class, within: Duration) {
        let camera = &self.cameras[ix.at()];
        if camera.paused.is_some() {
            return;
        }
        match camera.link {
            Link::Opening { .. } | Link::Running { .. } => return,
            Link::Queued { ticket, group, class: former } => {
                if class != Class::Person || former == Class::Person {
                    return;
                }
                self.opener.cancel(ticket, group);
            }
            Link::Idle => {}
        }
        self.schedule.clear(Key::Camera(ix, Timer::Retry));
        let jitter = self.jitter(within);
        let camera = &mut self.cameras[ix.at()];
        let group = camera.group;
        let kbps = self.expected_kbps(ix);
        let ticket = self.opener.request(ix, group, class, kbps, self.now.mono, jitter);
        let camera = &mut self.cameras[ix.at()];
        camera.link = Link::Queued { ticket, group, class };
    }

    fn open_who_may(&mut self) {
        loop {
            self.admit_all();
            let crowded = self.opener.take_crowded();
            if crowded.is_empty() {
                break;
            }
            // Others may give way to them at once.
            crowded.into_iter().for_each(|who| self.crowded(who));
        }
        match self.opener.next(self.now.mono) {
            Some(at) if at > self.now.mono => self.schedule.set(Key::Ramp, at),
            _ => self.schedule.clear(Key::Ramp),
        }
    }

    fn admit_all(&mut self) {
        while let Some(admitted) = self.opener.admit(self.now.mono) {
            let ix = admitted.camera;
            if admitted.picture {
                self.take_queued(ix, admitted.kbps);
                continue;
            }
            // A re-check keeps the charge of the session that was lost until here.
            self.uncharge(ix);
            let camera = &mut self.cameras[ix.at()];
            let Link::Queued { group, class, .. } = camera.link else {
                unreachable!("only who stands in line is admitted")
            };
            camera.link = Link::Opening { group, class };
            camera.charge = Some((group, admitted.kbps));
            let by_person = std::mem::take(&mut camera.by_person);
            self.effects.push(Effect::Open { camera: camera.id, stream: camera.stream, by_person });
            self.schedule.set(Key::Camera(ix, Timer::Watch), self.now.mono + SESSION_ANSWERS);
        }
    }

    /// What the camera's continuous stream is expected to bring.
    fn expected_kbps(&self, ix: CameraIx) -> u32 {
        let camera = &self.cameras[ix.at()];
        match (camera.kbps, camera.stream) {
            (0, fleet::StreamChoice::Main) => self.config.main_kbps,
            (0, fleet::StreamChoice::Sub) => self.config.sub_kbps,
            (measured, _) => measured,
        }
    }

    /// The camera's session, if any, costs its uplink nothing more.
    pub(crate) fn uncharge(&mut self, ix: CameraIx) {
        if let Some((group, kbps)) = self.cameras[ix.at()].charge.take() {
            self.opener.uncharge(group, kbps);
        }
    }

    /// A span drawn evenly from zero to `within`.
    pub(crate) fn jitter(&mut self, within: Duration) -> Duration {
        let nanos = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 { Duration::ZERO } else { Duration::from_nanos(self.rng.random_range(0..nanos)) }
    }

    pub(crate) fn find(&self, camera: CameraId) -> Option<CameraIx> {
        self.by_id.get(&camera).copied()
    }

    /// What the wall clock said, or would have said, at `at`: by today's setting of the clock.
    pub(crate) fn wall_at(&self, at: Mono) -> Wall {
        let ago = i64::try_from(self.now.mono.since(at).as_millis()).unwrap_or(i64::MAX);
        Wall(self.now.wall.0.saturating_sub(ago))
    }

    fn row_of(&self, ix: CameraIx) -> CameraRow {
        let camera = &self.cameras[ix.at()];
        let next_try = match camera.link {
            Link::Queued { .. } => Some(self.now.wall),
            Link::Idle => {
                self.schedule.due(Key::Camera(ix, Timer::Retry)).map(|at| self.now.wall + at.since(self.now.mono))
            }
            Link::Opening { .. } | Link::Running { .. } => None,
        };
        camera.row(next_try)
    }

    pub(crate) fn count(&mut self, status: Status) -> &mut u32 {
        match status {
            Status::Online => &mut self.counts.online,
            Status::Impaired => &mut self.counts.impaired,
            Status::Offline => &mut self.counts.offline,
            Status::Unknown => &mut self.counts.unknown,
            Status::Paused => &mut self.counts.paused,
        }
    }
}
