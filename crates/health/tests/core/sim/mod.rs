//! A small world around the core: cameras, links, line terminals and our own machine, with the truth known.
//!
//! It drives [`Fleet`] exactly as the service does: sessions with their own time limits, keyframes, a decoder,
//! an archive. Time jumps from one happening to the next; the same seed gives the same run.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod books;
pub mod check;
pub mod county;
pub mod ingest;
pub mod script;
pub mod truth;

use books::{Books, Fact};
use county::County;
use fleet::{CameraId, Cause, Mono, Now, Registry, StreamChoice, Wall};
use health::{
    Config, Effect, Event, Failure, Fleet, Incident, IncidentId, OwnPart, Resumed, SnapshotOutcome, StatusChange,
    StreamEvent, Window, field_log,
};
use ingest::{Step, Video};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// World time in nanoseconds.
pub type Time = u64;
pub const MS: Time = 1_000_000;
pub const S: Time = 1_000_000_000;

/// What can be wrong with a camera.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    PowerOff,
    PortClosed,
    Password,
    Stall,
    Frozen,
    Corrupt,
    Loss,
    SlowFrames,
    Clock,
    /// Something else answers at its address.
    Stranger,
}

impl Fault {
    /// No video reaches us.
    pub fn is_outage(self) -> bool {
        matches!(self, Fault::PowerOff | Fault::PortClosed | Fault::Password | Fault::Stall | Fault::Stranger)
    }
}

/// What the script or a story does to the world.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    Link(usize, bool),
    Olt(usize, bool),
    /// The power of a place with all its links.
    Site(usize, bool),
    /// The power of a whole town.
    Town(usize, bool),
    Camera(usize, Fault, bool),
    /// Our own network breaks or works again; told to the core by `Own`.
    OwnNetwork(bool),
    OwnDecoder(bool),
    OwnDisk(bool),
    /// The database takes nothing; what is to be recorded waits.
    OwnDatabase(bool),
    /// Our processor does not keep up.
    OwnMachine(bool),
    /// We look at a part of ours, and find it as it is.
    Found(OwnPart),
    Own(OwnPart, bool),
    WallStep(i64),
    Restart {
        crash: bool,
    },
    /// The process is gone for so long.
    Down(Time),
    /// Nothing of ours runs for so long.
    Sleep(Time),
    Pause(usize, Option<Time>),
    CheckNow(usize),
    /// All the planned windows there are from now on.
    Plan(Vec<Window>),
    /// The password in the register is corrected.
    Correct(usize),
}

/// One outage or fault that truly happened.
#[derive(Clone, Debug)]
pub struct Truth {
    pub act: Act,
    pub from: Time,
    pub until: Time,
    pub cameras: Vec<usize>,
}

#[derive(Debug)]
pub enum Happening {
    Session { camera: usize, session: u64, step: Step },
    Keyframe { camera: usize, session: u64, tries: u8 },
    Photo { camera: usize, slot: Wall, session: u64, tries: u8 },
    Stored { camera: usize, slot: Wall },
    Act(Act),
}

/// One camera of the world.
#[derive(Debug, Default)]
pub struct Cam {
    pub link: Option<usize>,
    pub faults: BTreeMap<Fault, u32>,
    pub video: Option<Video>,
    /// Since when it cannot be reached.
    pub dark: Option<Time>,
    pub slow_ms: u64,
    /// Faulty pictures in a row, as the diagnosis counts them.
    pub frozen_seen: u8,
    /// The password in the register is right.
    pub credentials: u32,
    pub refused_with: Option<u32>,
}

impl Cam {
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.get(&fault).is_some_and(|n| *n > 0)
    }
}

/// Everything that was told, for the checks.
#[derive(Debug, Default)]
pub struct Log {
    pub statuses: Vec<Vec<(Time, StatusChange)>>,
    pub incidents: BTreeMap<IncidentId, Vec<(Time, Incident)>>,
    pub opens: Vec<(Time, usize)>,
    /// Sessions that the core ended itself.
    pub closes: Vec<(Time, usize)>,
    /// Slots of each camera: when decided, and how often stored or gapped.
    pub slots: Vec<BTreeMap<Wall, (Time, u32, u32)>>,
    pub asked: BTreeSet<(usize, Wall)>,
    /// What is left of each camera's slots that were decided long ago.
    pub past_slots: Vec<PastSlots>,
    /// Times in which the checks do not count on the core: restarts and sleeps.
    pub breaks: Vec<(Time, Time)>,
    /// Times in which nothing of ours looked, or from which nothing is on record.
    pub unseen: Vec<(Time, Time)>,
    /// When the core began to doubt itself because too many fell silent at once; also what never came on record.
    pub doubts: Vec<Time>,
    pub faults: Vec<String>,
    pub events: u64,
    /// The most sessions being opened at once behind one link, pictures included; set back by the tests.
    pub most_opening: usize,
    /// Pictures taken by sessions of their own.
    pub patrols: u64,
}

/// The slots of a camera that were decided so long ago that nothing more is expected of them.
#[derive(Clone, Debug, Default)]
pub struct PastSlots {
    pub count: u64,
    /// When the last of them was decided, and the longest time between two.
    pub last: Time,
    pub longest: Time,
}

/// A camera's slots are kept one by one up to twice this number.
const RECENT_SLOTS: usize = 600;

impl Log {
    /// The slot of a camera that is being decided.
    fn slot(&mut self, camera: usize, slot: Wall, t: Time) -> &mut (Time, u32, u32) {
        if self.slots[camera].len() >= 2 * RECENT_SLOTS {
            self.forget_slots(camera);
        }
        self.slots[camera].entry(slot).or_insert((t, 0, 0))
    }

    /// Holds the older half of a camera's slots against what is right, and keeps only their sum.
    fn forget_slots(&mut self, camera: usize) {
        let mut by_time: Vec<(Time, Wall)> = self.slots[camera].iter().map(|(slot, (t, ..))| (*t, *slot)).collect();
        by_time.sort_unstable();
        for (t, slot) in by_time.into_iter().take(RECENT_SLOTS) {
            let (_, stored, gaps) = self.slots[camera].remove(&slot).expect("just seen");
            self.asked.remove(&(camera, slot));
            if stored + gaps != 1 {
                self.faults.push(format!("camera {camera}: slot {slot:?} at {t}: {stored} stored, {gaps} gaps"));
            }
            let past = &mut self.past_slots[camera];
            past.count += 1;
            past.longest = past.longest.max(t - past.last);
            past.last = t;
        }
    }
}

pub struct World {
    pub county: County,
    pub config: Config,
    pub registry: Arc<Registry>,
    pub windows: Arc<[Window]>,
    versions: BTreeMap<usize, (u32, Wall)>,
    pub fleet: Fleet,
    pub t: Time,
    /// Mono of the present process is world time less this, plus an hour.
    started: Time,
    pub wall_skew_ms: i64,
    pub rng: ChaCha8Rng,
    queue: BTreeMap<(Time, u64), Happening>,
    seq: u64,
    pub cams: Vec<Cam>,
    pub links_down: Vec<u32>,
    pub olts_down: Vec<u32>,
    pub sites_down: BTreeMap<usize, u32>,
    pub towns_down: BTreeMap<usize, u32>,
    /// Parts of ours that do not work, and how many reasons each has.
    pub own_down: BTreeMap<OwnPart, u32>,
    pub truths: Vec<Truth>,
    /// Slots whose pictures are being taken by sessions of their own.
    pictures: BTreeSet<(usize, Wall)>,
    pub log: Log,
    /// Nothing of ours runs before then.
    asleep: Option<Time>,
    /// The process that sleeps is gone: another one wakes.
    gone: bool,
    pub books: Books,
    effects: Vec<Effect>,
    restarts: u64,
    seed: u64,
    /// Status changes and incidents that were recorded.
    pub facts: u64,
    /// The process dies with this record: what it would have recorded after it is lost.
    pub die_after: Option<u64>,
    dying: bool,
    /// The database takes neither this record nor any other for so long; the process dies meanwhile, if at all after so
    /// long.
    pub refuse_from: Option<(u64, Time, Option<Time>)>,
    /// A field log of each process, if wanted.
    pub recorded: Option<Vec<Vec<String>>>,
    writer: field_log::Writer,
}

pub const WALL_START: i64 = 1_760_000_000_000;

impl World {
    pub fn new(county: County, config: Config, seed: u64) -> World {
        World::begin(county, config, seed, Vec::new(), false)
    }

    /// As `new`, with a field log.
    pub fn recording(county: County, config: Config, seed: u64) -> World {
        World::begin(county, config, seed, Vec::new(), true)
    }

    /// As `new`, with incidents of the days before on record, and a field log if wanted.
    pub fn with_past(county: County, config: Config, seed: u64, past: Vec<Incident>, recording: bool) -> World {
        World::begin(county, config, seed, past, recording)
    }

    fn begin(county: County, config: Config, seed: u64, past: Vec<Incident>, recording: bool) -> World {
        let registry = Arc::new(county.registry(&BTreeMap::new()));
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED);
        let cams = county
            .cameras()
            .map(|link| Cam {
                link,
                slow_ms: if rng.random_bool(0.05) { rng.random_range(500..3000) } else { rng.random_range(20..200) },
                ..Cam::default()
            })
            .collect::<Vec<_>>();
        let n = cams.len();
        let started = Now { mono: Mono(3600 * S), wall: Wall(WALL_START) };
        let resumed =
            Resumed { last_incident: past.iter().map(|i| i.id).max(), resolved: past.clone(), ..Resumed::default() };
        let (writer, first) = field_log::Writer::begin(&config, seed, &resumed, started);
        let mut world = World {
            links_down: vec![0; county.links.len()],
            olts_down: vec![0; county.olts],
            county,
            fleet: Fleet::new(config.clone(), seed, resumed, started),
            config,
            registry,
            windows: Arc::from([]),
            versions: BTreeMap::new(),
            t: 0,
            started: 0,
            wall_skew_ms: 0,
            rng,
            queue: BTreeMap::new(),
            seq: 0,
            cams,
            sites_down: BTreeMap::new(),
            towns_down: BTreeMap::new(),
            own_down: BTreeMap::new(),
            truths: Vec::new(),
            pictures: BTreeSet::new(),
            log: Log {
                statuses: vec![Vec::new(); n],
                slots: vec![BTreeMap::new(); n],
                past_slots: vec![PastSlots::default(); n],
                ..Log::default()
            },
            asleep: None,
            gone: false,
            books: Books::of(n).with_past(past),
            effects: Vec::new(),
            restarts: 0,
            seed,
            facts: 0,
            die_after: None,
            dying: false,
            refuse_from: None,
            recorded: recording.then(|| vec![vec![text(&first)]]),
            writer,
        };
        world.tell(Event::Registry(world.registry.clone()));
        world
    }

    pub fn now(&self) -> Now {
        Now {
            mono: Mono(self.t - self.started + 3600 * S),
            wall: Wall(WALL_START + (self.t / MS) as i64 + self.wall_skew_ms),
        }
    }

    /// What an undisturbed wall clock says at `t`.
    pub fn wall_of(&self, t: Time) -> Wall {
        Wall(WALL_START + (t / MS) as i64)
    }

    pub fn at(&mut self, t: Time, happening: Happening) {
        self.seq += 1;
        self.queue.insert((t.max(self.t), self.seq), happening);
    }

    pub fn act_at(&mut self, t: Time, act: Act) {
        self.at(t, Happening::Act(act));
    }

    /// Runs until `end`.
    pub fn run_to(&mut self, end: Time) {
        loop {
            let outside = self.queue.first_key_value().map(|(&(t, _), _)| t);
            let inside = self.fleet.next_deadline().map(|m| (m.0 - 3600 * S + self.started).max(self.t));
            let inside = inside.filter(|_| self.asleep.is_none());
            let next = match (outside, inside) {
                (Some(o), Some(i)) => o.min(i),
                (Some(x), None) | (None, Some(x)) => x,
                (None, None) => break,
            };
            if next > end {
                break;
            }
            self.t = next;
            if outside == Some(next) {
                let (_, happening) = self.queue.pop_first().unwrap();
                self.happen(happening);
            } else {
                self.tell(Event::Tick);
            }
        }
        self.t = end;
        self.tell(Event::Tick);
    }

    /// Lets `span` pass.
    pub fn pass(&mut self, span: Time) {
        self.run_to(self.t + span);
    }

    /// Tells the core and carries out what it asks for.
    pub fn tell(&mut self, event: Event) {
        if self.asleep.is_some() {
            return;
        }
        self.log.events += 1;
        if let Event::Snapshot { camera, slot, .. } = &event {
            self.pictures.remove(&(camera.0 as usize - 1, *slot));
        }
        let now = self.now();
        let mut effects = std::mem::take(&mut self.effects);
        let recorded = self.recorded.is_some().then(|| event.clone());
        self.fleet.on(event, now, &mut effects);
        if let (Some(event), Some(log)) = (recorded, &mut self.recorded) {
            log.last_mut().expect("begun").push(text(&self.writer.line(&event, now, &effects)));
        }
        if self.log.events.is_multiple_of(64 + 4 * self.cams.len() as u64) {
            self.fleet.check_invariants();
        }
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
        self.books.live(now.wall, self.t);
        if let Some((_, span, dies)) = self.refuse_from.take_if(|(from, ..)| *from <= self.facts) {
            self.act_at(self.t + span, Act::OwnDatabase(false));
            if let Some(after) = dies {
                self.act_at(self.t + after, Act::Restart { crash: true });
            }
            self.act(Act::OwnDatabase(true));
        }
        if std::mem::take(&mut self.dying) {
            self.restart(true);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        if self.dying {
            return;
        }
        if matches!(effect, Effect::Status(_) | Effect::Incident(_)) {
            self.facts += 1;
            self.dying = self.die_after.take_if(|after| *after == self.facts).is_some();
            if self.refuse_from.is_some_and(|(from, ..)| from == self.facts) {
                self.books.database_down = true;
            }
        }
        let index = |camera: CameraId| camera.0 as usize - 1;
        match effect {
            Effect::Open { camera, by_person, .. } => {
                self.open(index(camera), by_person);
                self.look_at_link(index(camera));
            }
            Effect::Close { camera } => {
                self.cams[index(camera)].video = None;
                self.log.closes.push((self.t, index(camera)));
            }
            Effect::Assess { camera } => {
                let wait = self.rng.random_range(100..2000) * MS;
                let session = self.cams[index(camera)].video.as_ref().map_or(0, |v| v.session);
                self.at(self.t + wait, Happening::Keyframe { camera: index(camera), session, tries: 0 });
            }
            Effect::Snapshot { camera, stream, slot, .. } => {
                if stream != self.continuous(index(camera)) {
                    if !self.pictures.iter().any(|(c, _)| *c == index(camera)) {
                        self.log.patrols += 1;
                    }
                    self.pictures.insert((index(camera), slot));
                    self.look_at_link(index(camera));
                }
                if !self.log.asked.insert((index(camera), slot)) {
                    self.fault(format!("{camera}: slot {slot:?} asked twice"));
                }
                let wait = self.rng.random_range(100..2000) * MS;
                let session = self.cams[index(camera)].video.as_ref().map_or(0, |v| v.session);
                self.at(self.t + wait, Happening::Photo { camera: index(camera), slot, session, tries: 0 });
            }
            Effect::Gap { camera, slot, failure } => {
                self.pictures.remove(&(index(camera), slot));
                self.log.slot(index(camera), slot, self.t).2 += 1;
                let asked = self.log.asked.contains(&(index(camera), slot));
                if self.told_paused(index(camera)) && !asked && failure.cause.status() != fleet::Status::Paused {
                    self.fault(format!("{camera}: gap {failure:?} while paused"));
                }
            }
            Effect::Gaps { camera, slot, slots, every, failure } => {
                for n in 0..slots {
                    let slot = slot + every * n;
                    self.log.slot(index(camera), slot, self.t).2 += 1;
                }
                if self.told_paused(index(camera)) {
                    self.fault(format!("{camera}: {slots} gaps {failure:?} while paused"));
                }
            }
            Effect::Status(change) => {
                let i = index(change.camera);
                if let Some((_, last)) = self.log.statuses[i].last().cloned() {
                    if change.at <= last.at {
                        self.fault(format!("{}: status at {:?} after {:?}", change.camera, change.at, last.at));
                    }
                    if change.from != Some(last.status) && !self.just_restarted() {
                        self.fault(format!("{}: from {:?}, was {:?}", change.camera, change.from, last.status));
                    }
                    if change.status == last.status && change.cause == last.cause && change.detail == last.detail {
                        self.fault(format!("{}: told twice {:?}", change.camera, change));
                    }
                }
                self.log.statuses[i].push((self.t, change.clone()));
                self.books.record(Fact::Status(change), self.t);
            }
            Effect::Unobserved(gap) => {
                if gap.until <= gap.from {
                    self.fault(format!("nothing was looked at in no time: {gap:?}"));
                }
                self.books.record(Fact::Unobserved(gap), self.t);
            }
            Effect::Format(_) => {}
            Effect::Incident(incident) => {
                if incident.cause == Cause::ImplausibleChange && incident.is_open() {
                    self.log.doubts.push(self.t);
                }
                self.log.incidents.entry(incident.id).or_default().push((self.t, incident.clone()));
                self.books.record(Fact::Incident(incident), self.t);
            }
        }
    }

    /// Which stream of a camera is pulled continuously.
    fn continuous(&self, camera: usize) -> StreamChoice {
        let sub = self.registry.camera(CameraId(camera as u32 + 1)).is_some_and(|c| c.sub.is_some());
        if sub { self.config.continuous } else { StreamChoice::Main }
    }

    /// A link is never asked for more than its budget, unless a single stream is larger.
    fn look_at_link(&mut self, camera: usize) {
        let Some(link) = self.cams[camera].link else { return };
        let (mut kbps, mut streams, mut opening) = (0, 0, 0);
        for (i, cam) in self.cams.iter().enumerate().filter(|(_, c)| c.link == Some(link)) {
            if let Some(video) = &cam.video {
                streams += 1;
                opening += usize::from(!video.running);
                kbps += match self.continuous(i) {
                    StreamChoice::Main => self.config.main_kbps,
                    StreamChoice::Sub => self.config.sub_kbps,
                };
            }
            if self.pictures.range((i, Wall(i64::MIN))..(i + 1, Wall(i64::MIN))).next().is_some() {
                streams += 1;
                opening += 1;
                kbps += self.config.main_kbps;
            }
        }
        self.log.most_opening = self.log.most_opening.max(opening);
        let budget = self.county.budget.map(|budget| budget(self.county.links[link].cameras));
        if budget.is_some_and(|budget| kbps > budget) && streams > 1 {
            self.fault(format!("link {link} is asked for {kbps} kbit/s in {streams} streams"));
        }
    }

    /// The core has told the camera to be paused.
    fn told_paused(&self, camera: usize) -> bool {
        self.log.statuses[camera].last().is_some_and(|(_, c)| c.status == fleet::Status::Paused)
    }

    fn just_restarted(&self) -> bool {
        self.started > 0 && self.t - self.started < 2 * S
    }

    pub fn fault(&mut self, what: String) {
        let at = self.t as f64 / S as f64;
        self.log.faults.push(format!("seed {} at {at:.3} s: {what}", self.seed));
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(wakes) = self.asleep.filter(|_| !matches!(happening, Happening::Act(_))) {
            self.at(wakes + MS, happening);
            return;
        }
        match happening {
            Happening::Session { camera, session, step } => self.step(camera, session, step),
            Happening::Keyframe { camera, session, tries } => self.keyframe(camera, session, tries),
            Happening::Photo { camera, slot, session, tries } => self.photo(camera, slot, session, tries),
            Happening::Stored { camera, slot } => {
                self.log.slot(camera, slot, self.t).1 += 1;
                let camera = CameraId(camera as u32 + 1);
                self.tell(Event::Snapshot { camera, slot, outcome: SnapshotOutcome::Stored });
            }
            Happening::Act(act) => self.act(act),
        }
    }

    /// Whether packets pass between us and the camera.
    pub fn reachable(&self, camera: usize) -> bool {
        !self.is_down(OwnPart::Network) && self.truly_reachable(camera)
    }

    /// The same, if our own network were well.
    pub fn truly_reachable(&self, camera: usize) -> bool {
        let cam = &self.cams[camera];
        let well = |down: &BTreeMap<usize, u32>, which: usize| down.get(&which).is_none_or(|n| *n == 0);
        let link = cam.link.is_none_or(|l| {
            let link = &self.county.links[l];
            self.links_down[l] == 0
                && link.olt.is_none_or(|o| self.olts_down[o] == 0)
                && well(&self.sites_down, link.site)
                && well(&self.towns_down, link.town)
        });
        link && !cam.has(Fault::PowerOff)
    }

    /// A part of ours does not work.
    pub fn is_down(&self, part: OwnPart) -> bool {
        self.own_down.get(&part).is_some_and(|n| *n > 0)
    }

    /// A part of ours breaks, or one reason for it is gone.
    fn break_own(&mut self, part: OwnPart, down: bool) {
        let n = self.own_down.entry(part).or_default();
        *n = if down { *n + 1 } else { n.saturating_sub(1) };
    }

    /// The core is told how a part of ours is now.
    fn tell_own(&mut self, part: OwnPart) {
        let down = self.is_down(part);
        self.tell(own(part, down));
    }

    pub fn act(&mut self, act: Act) {
        let world_itself = matches!(
            act,
            Act::Link(..)
                | Act::Olt(..)
                | Act::Site(..)
                | Act::Town(..)
                | Act::Camera(..)
                | Act::OwnNetwork(_)
                | Act::WallStep(_)
                | Act::Sleep(0)
        );
        if let Some(wakes) = self.asleep.filter(|_| !world_itself) {
            // Whoever would tell us sleeps too.
            self.act_at(wakes + MS, act);
            return;
        }
        match act.clone() {
            Act::Link(link, down) => {
                let n = &mut self.links_down[link];
                *n = if down { *n + 1 } else { *n - 1 };
            }
            Act::Olt(olt, down) => {
                let n = &mut self.olts_down[olt];
                *n = if down { *n + 1 } else { *n - 1 };
            }
            Act::Site(site, down) => {
                let n = self.sites_down.entry(site).or_default();
                *n = if down { *n + 1 } else { *n - 1 };
            }
            Act::Town(town, down) => {
                let n = self.towns_down.entry(town).or_default();
                *n = if down { *n + 1 } else { *n - 1 };
            }
            Act::Camera(camera, fault, on) => {
                let n = self.cams[camera].faults.entry(fault).or_default();
                *n = if on { *n + 1 } else { *n - 1 };
                let n = *n;
                if !on && n == 0 && fault == Fault::Frozen {
                    self.cams[camera].frozen_seen = 0;
                }
            }
            Act::OwnNetwork(down) => self.break_own(OwnPart::Network, down),
            Act::OwnDecoder(down) => {
                self.break_own(OwnPart::Decoder, down);
                self.tell_own(OwnPart::Decoder);
            }
            Act::OwnDisk(down) => {
                self.break_own(OwnPart::Disk, down);
                self.tell_own(OwnPart::Disk);
            }
            Act::OwnDatabase(down) => {
                self.break_own(OwnPart::Database, down);
                self.books.database_down = self.is_down(OwnPart::Database);
                if !self.books.database_down {
                    self.books.write();
                    self.books.known = self.t;
                }
                self.tell_own(OwnPart::Database);
            }
            Act::OwnMachine(down) => {
                self.break_own(OwnPart::Machine, down);
                self.tell_own(OwnPart::Machine);
            }
            // What is found of a part is how it is by then.
            Act::Found(part) => self.tell_own(part),
            Act::Own(part, on) => self.tell(own(part, on)),
            Act::WallStep(ms) => self.wall_skew_ms += ms,
            Act::Restart { crash } => self.restart(crash),
            Act::Down(span) => {
                self.gone = true;
                for cam in &mut self.cams {
                    cam.video = None;
                }
                self.sleep(span);
            }
            Act::Sleep(span) => {
                if span > 0 {
                    self.sleep(span);
                } else if std::mem::take(&mut self.gone) {
                    self.asleep = None;
                    self.restart(true);
                } else {
                    self.asleep = None;
                    self.tell(Event::Tick);
                    for camera in 0..self.cams.len() {
                        if self.cams[camera].video.as_ref().is_some_and(|v| v.running) {
                            self.end(camera, Cause::ConnectionLost, "closed while we slept");
                        }
                    }
                }
            }
            Act::Pause(camera, span) => {
                let until = span.map(|s| Wall(self.now().wall.0 + (s / MS) as i64));
                let camera = CameraId(camera as u32 + 1);
                self.tell(Event::Pause { camera, until, by: "zhang".into(), reason: "pole moved".into() });
            }
            Act::CheckNow(camera) => self.tell(Event::CheckNow { camera: CameraId(camera as u32 + 1) }),
            Act::Plan(windows) => {
                self.windows = windows.into();
                self.tell(Event::Windows(self.windows.clone()));
            }
            Act::Correct(camera) => {
                self.cams[camera].credentials += 1;
                let version = (self.cams[camera].credentials, self.now().wall);
                self.versions.insert(camera, version);
                self.books.refusals.remove(&CameraId(camera as u32 + 1));
                let versions = self.versions.clone();
                self.registry = Arc::new(self.county.registry(&versions));
                self.tell(Event::Registry(self.registry.clone()));
            }
        }
        self.sessions_notice(&act);
    }

    /// Nothing of ours runs for so long.
    fn sleep(&mut self, span: Time) {
        self.asleep = Some(self.t + span);
        self.log.breaks.push((self.t, self.t + span + 120 * S));
        self.log.unseen.push((self.t, self.t + span));
        self.act_at(self.t + span, Act::Sleep(0));
    }

    /// The process ends and a new one continues from what was recorded. One that is killed had no time to note that it
    /// lived.
    fn restart(&mut self, crash: bool) {
        self.log.breaks.push((self.t, self.t + 120 * S));
        self.restarts += 1;
        self.queue.retain(|_, h| matches!(h, Happening::Act(_)));
        let now = self.now();
        if !crash && !self.books.database_down {
            self.books.alive = Some((now.wall, self.t));
        }
        for cam in &mut self.cams {
            cam.video = None;
        }
        let lost: Vec<Fact> = self.books.resume(now.wall);
        if !lost.is_empty() {
            let since = self.books.alive.map_or(0, |(_, t)| t).max(self.books.known);
            self.log.unseen.push((since, self.t));
        }
        for incident in lost.iter().filter_map(|f| if let Fact::Incident(i) = f { Some(i.id) } else { None }) {
            // Nobody can be told of it again; its number may be given anew.
            let versions = self.log.incidents.get_mut(&incident).expect("told before it was lost");
            versions.pop();
            if versions.is_empty() {
                self.log.incidents.remove(&incident);
            }
        }
        let statuses = self.books.newest();
        for change in &statuses {
            let log = &mut self.log.statuses[change.camera.0 as usize - 1];
            // What was told and is not on record was told by nobody whom the successor knows.
            let alike = |last: &StatusChange| {
                (last.status, last.cause, &last.detail) == (change.status, change.cause, &change.detail)
            };
            if !log.last().is_some_and(|(_, last)| alike(last)) {
                log.push((self.t, change.clone()));
            }
        }
        let incidents: Vec<Incident> = self.books.incidents.values().filter(|i| i.is_open()).cloned().collect();
        let last_incident = self.books.incidents.keys().max().copied();
        // What was asked for and not answered is not answered any more; the archive has no such slot.
        let unanswered: Vec<(usize, Wall)> =
            self.log.asked.iter().filter(|(c, s)| !self.log.slots[*c].contains_key(s)).copied().collect();
        for key in unanswered {
            self.log.asked.remove(&key);
        }
        self.pictures.clear();
        self.started = self.t;
        let mut resolved: Vec<Incident> = self.books.incidents.values().filter(|i| !i.is_open()).cloned().collect();
        resolved.sort_by_key(|i| i.resolved);
        let refused: Vec<_> =
            self.books.refusals.iter().map(|(id, (since, detail))| (*id, *since, detail.clone())).collect();
        if !lost.is_empty() {
            // That a password was refused may be among what is lost: then it is sent once more.
            for (i, cam) in self.cams.iter_mut().enumerate() {
                cam.refused_with = cam.refused_with.filter(|_| refused.iter().any(|r| r.0.0 as usize == i + 1));
            }
        }
        let resumed = Resumed { statuses, incidents, resolved, last_incident, refused };
        let (seed, now) = (self.seed + self.restarts, self.now());
        if let Some(log) = &mut self.recorded {
            let (writer, first) = field_log::Writer::begin(&self.config, seed, &resumed, now);
            log.push(vec![text(&first)]);
            self.writer = writer;
        }
        self.fleet = Fleet::new(self.config.clone(), seed, resumed, now);
        for part in [OwnPart::Decoder, OwnPart::Disk, OwnPart::Database, OwnPart::Machine, OwnPart::Network] {
            if self.is_down(part) {
                self.tell_own(part);
            }
        }
        self.tell(Event::Windows(self.windows.clone()));
        self.tell(Event::Registry(self.registry.clone()));
    }

    pub fn stream(&mut self, camera: usize, event: StreamEvent) {
        self.tell(Event::Stream { camera: CameraId(camera as u32 + 1), event });
    }

    pub fn end(&mut self, camera: usize, cause: Cause, detail: &str) {
        self.cams[camera].video = None;
        self.stream(camera, StreamEvent::Ended(failure(cause, detail)));
    }
}

/// A line of a field log as it stands in a file.
fn text(line: &impl serde::Serialize) -> String {
    serde_json::to_string(line).unwrap()
}

pub fn failure(cause: Cause, detail: &str) -> Failure {
    Failure { cause, detail: detail.into() }
}

fn own(part: OwnPart, on: bool) -> Event {
    Event::Own { part, fault: on.then(|| "does not work".to_owned()) }
}
