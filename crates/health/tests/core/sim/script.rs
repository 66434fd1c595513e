//! Scripts of trouble, drawn from a seed: several faults of every kind, with the truth beside them.

use super::{Act, Fault, MS, S, Time, WALL_START, World, county::County};
use fleet::{CameraId, Cause, UplinkId, Wall};
use health::{Config, Incident, IncidentId, LikelyCause, Member, OwnPart, Scope, Severity, Window, WindowId};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// One disturbance: what happens, from when until when.
#[derive(Clone, Debug)]
pub struct Item {
    pub what: What,
    pub from: Time,
    pub until: Time,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum What {
    Link(usize),
    Olt(usize),
    /// The power of a place that has two links.
    Site(usize),
    /// The power of a town.
    Town(usize),
    Camera(usize, Fault),
    /// Found by ourselves after so long.
    OwnNetwork(Time),
    OwnDecoder,
    OwnDisk,
    OwnDatabase,
    /// Our processor does not keep up.
    OwnMachine,
    WallStep(i64),
    /// Stopped and started again, or gone for a while.
    Restart(bool),
    Sleep,
    Pause(usize),
    /// Planned maintenance of a link.
    Window(usize),
    /// Power that a link borrows is switched off for the night.
    Night(usize),
}

/// A county and what befalls it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub county: County,
    pub items: Vec<Item>,
    pub end: Time,
    /// Links that were dark at the hour of their night on the three days before too.
    pub habits: Vec<usize>,
    /// Cameras that answer slowly.
    pub slow: Vec<usize>,
    /// How many disturbances of each kind there are.
    pub kinds: BTreeMap<String, usize>,
}

/// How much trouble, of how long a run.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub cameras: usize,
    pub length: Time,
    /// Of the disturbances that a short run needs to have some of every kind, so many (1 = all).
    pub trouble: f64,
}

/// Nothing is wrong any more for so long before the end.
pub const QUIET: Time = 600 * S;

/// So many of every kind has a county at least, if it has all of the trouble.
pub const SEVERAL: usize = 2;

/// A share of the kinds of disturbance, in an hour of forty cameras, and the longest in seconds.
const OF_CAMERAS: [(Fault, f64, u64); 10] = [
    (Fault::PowerOff, 3.0, 600),
    (Fault::PortClosed, 1.2, 300),
    (Fault::Stall, 1.2, 300),
    (Fault::Stranger, 1.0, 400),
    (Fault::Password, 1.0, 900),
    (Fault::Frozen, 1.2, 900),
    (Fault::Corrupt, 1.0, 600),
    (Fault::Loss, 1.0, 600),
    (Fault::SlowFrames, 1.0, 600),
    (Fault::Clock, 1.0, 600),
];

impl Plan {
    pub fn draw(seed: u64, scale: Scale) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let county = County::random(scale.cameras, &mut rng);
        let cameras = county.cameras().count();
        let mut plan = Plan {
            seed,
            county,
            items: Vec::new(),
            end: scale.length,
            habits: Vec::new(),
            slow: Vec::new(),
            kinds: BTreeMap::new(),
        };
        let hours = scale.length as f64 / (3600.0 * S as f64);
        let share = scale.cameras as f64 / 40.0;
        let least = if scale.trouble >= 1.0 { SEVERAL } else { 0 };
        // Kind by kind: how many are expected in an hour of forty cameras, or in an hour of the whole service.
        let some = |rng: &mut ChaCha8Rng, per_hour: f64| {
            let mean = per_hour * hours * scale.trouble;
            let drawn =
                (0..(2.0 * mean).ceil() as u32).filter(|_| rng.random_bool((mean / (2.0 * mean).ceil()).min(1.0)));
            drawn.count().max(least)
        };
        for _ in 0..some(&mut rng, 3.0 * share) {
            let link = rng.random_range(0..plan.county.links.len());
            let span = *[8, 20, 45, 90, 240, 700].choose(&mut rng).unwrap() * S;
            plan.add(&mut rng, What::Link(link), span);
        }
        for _ in 0..some(&mut rng, 0.6 * share) {
            let olts: Vec<usize> = plan.county.links.iter().filter_map(|l| l.olt).collect();
            let olt = *olts.choose(&mut rng).expect("one at least");
            let span = rng.random_range(30..400) * S;
            plan.add(&mut rng, What::Olt(olt), span);
        }
        let (twofold, towns) = (plan.county.twofold(), plan.county.towns());
        for _ in 0..some(&mut rng, 0.6 * share) {
            let span = rng.random_range(30..400) * S;
            let site = *twofold.choose(&mut rng).expect("one at least");
            plan.add(&mut rng, What::Site(site), span);
        }
        for _ in 0..some(&mut rng, 0.6 * share) {
            let span = rng.random_range(30..400) * S;
            let town = *towns.choose(&mut rng).expect("one at least");
            plan.add(&mut rng, What::Town(town), span);
        }
        for _ in 0..some(&mut rng, 0.3) {
            plan.flapping_link(&mut rng);
        }
        for _ in 0..some(&mut rng, 0.3) {
            plan.storm(&mut rng);
        }
        for (fault, per_hour, longest) in OF_CAMERAS {
            for _ in 0..some(&mut rng, per_hour * share) {
                // The register is corrected once for each camera.
                let fresh = |c: &usize| {
                    fault != Fault::Password || !plan.items.iter().any(|i| i.what == What::Camera(*c, Fault::Password))
                };
                let camera = (0..100).map(|_| rng.random_range(0..cameras)).find(fresh);
                let span = rng.random_range(2..longest) * S;
                if let Some(camera) = camera {
                    plan.add(&mut rng, What::Camera(camera, fault), span);
                }
            }
        }
        for (what, per_hour, span) in [
            (What::OwnNetwork(0), 0.6, 8..150),
            (What::OwnDecoder, 0.4, 20..300),
            (What::OwnDisk, 0.4, 20..400),
            (What::OwnDatabase, 0.4, 20..400),
            (What::OwnMachine, 0.2, 20..200),
            (What::Restart(true), 0.4, 1..300),
            (What::Restart(false), 0.4, 1..2),
            (What::Sleep, 0.2, 30..400),
        ] {
            for _ in 0..some(&mut rng, per_hour) {
                // A node asks its reference addresses each second and waits three (`src/node/own/reference.rs`).
                let found = rng.random_range(500..4_600) * MS;
                let what = if matches!(what, What::OwnNetwork(_)) { What::OwnNetwork(found) } else { what };
                let span = rng.random_range(span.clone()) * S;
                plan.add(&mut rng, what, span);
            }
        }
        for _ in 0..some(&mut rng, 0.5) {
            let step = *[3_600_000, -3_600_000, 86_400_000, -86_400_000, 40_000].choose(&mut rng).unwrap();
            let span = rng.random_range(30..1200) * S;
            let step = step + rng.random_range(1..1000);
            plan.add(&mut rng, What::WallStep(step), span);
        }
        for _ in 0..some(&mut rng, 0.8) {
            let link = rng.random_range(0..plan.county.links.len());
            let span = rng.random_range(60..900) * S;
            plan.add(&mut rng, What::Window(link), span);
        }
        if scale.length > 72 * 3600 * S {
            for _ in 0..1 + scale.cameras / 100 {
                let link = rng.random_range(0..plan.county.links.len());
                for (from, until) in nights(rng.random_range(19..24), rng.random_range(4..9), plan.end - QUIET) {
                    plan.items.push(Item { what: What::Night(link), from, until });
                }
            }
        } else {
            // A short run has the beginning of one night, and knows of the three before.
            while plan.habits.len() < least {
                let link = rng.random_range(0..plan.county.links.len());
                if !plan.habits.contains(&link) {
                    plan.habits.push(link);
                    let span = rng.random_range(60..900) * S;
                    plan.add(&mut rng, What::Night(link), span);
                }
            }
        }
        for _ in 0..some(&mut rng, 0.8) {
            // A person pauses a camera once.
            let fresh = |c: &usize| !plan.items.iter().any(|i| i.what == What::Pause(*c));
            let camera = (0..100).map(|_| rng.random_range(0..cameras)).find(fresh);
            let span = rng.random_range(60..900) * S;
            if let Some(camera) = camera {
                plan.add(&mut rng, What::Pause(camera), span);
            }
        }
        plan.slow = (0..least + cameras / 40).map(|_| rng.random_range(0..cameras)).collect();
        plan
    }

    /// One more disturbance of this kind.
    fn count(&mut self, what: What) {
        let kind = match what {
            What::Camera(_, fault) => format!("{fault:?}"),
            What::Restart(killed) => format!("Restart {killed}"),
            what => format!("{what:?}").split('(').next().expect("a name").to_owned(),
        };
        *self.kinds.entry(kind).or_default() += 1;
    }

    fn add(&mut self, rng: &mut ChaCha8Rng, what: What, span: Time) {
        self.count(what);
        let latest = self.end - QUIET;
        let from = rng.random_range(60 * S..latest) / MS * MS;
        self.items.push(Item { what, from, until: (from + span).min(latest) });
    }

    fn flapping_link(&mut self, rng: &mut ChaCha8Rng) {
        *self.kinds.entry("flapping link".into()).or_default() += 1;
        let link = rng.random_range(0..self.county.links.len());
        let mut at = rng.random_range(60 * S..(self.end - QUIET).max(61 * S));
        for _ in 0..rng.random_range(4..9) {
            let down = rng.random_range(6..60) * S;
            if at + down < self.end - QUIET {
                self.items.push(Item { what: What::Link(link), from: at, until: at + down });
            }
            at += down + rng.random_range(5..90) * S;
        }
    }

    /// Power goes in village after village.
    fn storm(&mut self, rng: &mut ChaCha8Rng) {
        *self.kinds.entry("storm".into()).or_default() += 1;
        let start = rng.random_range(60 * S..(self.end - QUIET).max(61 * S));
        for _ in 0..rng.random_range(3..6) {
            let link = rng.random_range(0..self.county.links.len());
            let from = start + rng.random_range(0..900) * S;
            let until = from + rng.random_range(60..600) * S;
            if until < self.end - QUIET {
                self.items.push(Item { what: What::Link(link), from, until });
            }
        }
    }

    /// Builds the world and puts the script into it.
    pub fn stage(&self, config: Config) -> World {
        self.script(World::with_past(self.county.clone(), config, self.seed, self.past(), false))
    }

    /// As `stage`, with a field log.
    pub fn stage_recording(&self, config: Config) -> World {
        self.script(World::with_past(self.county.clone(), config, self.seed, self.past(), true))
    }

    /// What is on record of the nights before.
    fn past(&self) -> Vec<Incident> {
        let mut past = Vec::new();
        for item in &self.items {
            let What::Night(link) = item.what else { continue };
            if !self.habits.contains(&link) {
                continue;
            }
            let cameras: Vec<CameraId> =
                item.what.silences(&self.county).into_iter().map(|c| CameraId(c as u32 + 1)).collect();
            let scope = match cameras.as_slice() {
                [one] => Scope::Camera(*one),
                _ => Scope::Uplink(UplinkId(link as u32 + 1)),
            };
            for day in 1..=3 {
                let ago = day * 86_400_000 + (i64::from(link as u32) * 7 + day) % 9 * 60_000;
                let opened = Wall(WALL_START + (item.from / MS) as i64 - ago);
                let resolved = Wall(opened.0 + 6 * 3_600_000);
                let member = |&camera| Member { camera, joined: opened, left: Some(resolved), cause: Cause::NoAnswer };
                past.push(Incident {
                    id: IncidentId(past.len() as u64 + 1),
                    scope: scope.clone(),
                    opened,
                    resolved: Some(resolved),
                    severity: Severity::Major,
                    cause: Cause::NoAnswer,
                    likely: LikelyCause::PowerOrFibre,
                    confidence: 85,
                    evidence: Vec::new(),
                    members: cameras.iter().map(member).collect(),
                    acknowledged: None,
                    folded_into: None,
                    reopened: Vec::new(),
                });
            }
        }
        past.sort_by_key(|i| i.resolved);
        past
    }

    fn script(&self, mut w: World) -> World {
        let mut paused = std::collections::BTreeSet::new();
        w.act_at(0, Act::Plan(self.windows()));
        for (i, &camera) in self.slow.iter().enumerate() {
            w.cams[camera].slow_ms = 1_500 + 700 * i as u64 % 1_500;
        }
        for item in &self.items {
            let (from, until) = (item.from, item.until);
            let mut pair = |on: Act, off: Act| {
                w.act_at(from, on);
                w.act_at(until, off);
            };
            match item.what {
                What::Link(l) => pair(Act::Link(l, true), Act::Link(l, false)),
                What::Olt(o) => pair(Act::Olt(o, true), Act::Olt(o, false)),
                What::Site(s) => pair(Act::Site(s, true), Act::Site(s, false)),
                What::Town(t) => pair(Act::Town(t, true), Act::Town(t, false)),
                What::Camera(c, Fault::Password) => {
                    pair(Act::Camera(c, Fault::Password, true), Act::Correct(c));
                }
                What::Camera(c, f) => pair(Act::Camera(c, f, true), Act::Camera(c, f, false)),
                What::OwnNetwork(found) => {
                    pair(Act::OwnNetwork(true), Act::OwnNetwork(false));
                    if from + found < until {
                        w.act_at(from + found, Act::Found(OwnPart::Network));
                        w.act_at(until + found / 4, Act::Found(OwnPart::Network));
                    }
                }
                What::OwnDecoder => pair(Act::OwnDecoder(true), Act::OwnDecoder(false)),
                What::OwnDisk => pair(Act::OwnDisk(true), Act::OwnDisk(false)),
                What::OwnDatabase => pair(Act::OwnDatabase(true), Act::OwnDatabase(false)),
                What::OwnMachine => pair(Act::OwnMachine(true), Act::OwnMachine(false)),
                What::Window(_) => {}
                What::Night(l) => pair(Act::Link(l, true), Act::Link(l, false)),
                What::WallStep(ms) => pair(Act::WallStep(ms), Act::WallStep(-ms)),
                What::Restart(true) => w.act_at(from, Act::Down(until - from)),
                What::Restart(false) => w.act_at(from, Act::Restart { crash: false }),
                What::Sleep => w.act_at(from, Act::Sleep(until - from)),
                What::Pause(c) => {
                    if paused.insert(c) {
                        w.act_at(from, Act::Pause(c, Some(until - from)));
                        w.act_at(until + 1, Act::Pause(c, None));
                    }
                }
            }
        }
        w
    }
}

impl Plan {
    /// When somebody had set the wall clock, and by how many milliseconds.
    pub fn steps(&self) -> Vec<(Time, Time, i64)> {
        let step = |i: &Item| if let What::WallStep(ms) = i.what { Some((i.from, i.until, ms)) } else { None };
        self.items.iter().filter_map(step).collect()
    }

    /// When the wall clock was off, and by how many milliseconds in all.
    pub fn skewed(&self) -> Vec<(Time, Time, i64)> {
        let steps = self.steps();
        let mut turns: Vec<Time> = steps.iter().flat_map(|&(a, b, _)| [a, b]).collect();
        turns.sort_unstable();
        let ahead = |a: Time, b: Time| steps.iter().filter(|s| s.0 <= a && b <= s.1).map(|s| s.2).sum::<i64>();
        turns.windows(2).map(|w| (w[0], w[1], ahead(w[0], w[1]))).filter(|s| s.0 < s.1 && s.2 != 0).collect()
    }

    /// When a window that is planned from one time to another is really kept: it goes by the wall clock, whatever somebody
    /// sets that to.
    pub fn kept(&self, from: Time, until: Time) -> Vec<(Time, Time)> {
        let steps = self.steps();
        let mut turns: Vec<Time> = steps.iter().flat_map(|&(a, b, _)| [a, b]).chain([0, self.end]).collect();
        turns.sort_unstable();
        turns.dedup();
        let mut kept: Vec<(Time, Time)> = Vec::new();
        for span in turns.windows(2) {
            let (begin, end) = (span[0], span[1]);
            let ahead = steps.iter().filter(|(a, b, _)| *a <= begin && end <= *b).map(|(.., ms)| ms * MS as i64);
            let ahead: i64 = ahead.sum();
            let at = |wall: Time| (wall as i64 - ahead).clamp(begin as i64, end as i64) as Time;
            match (at(from), at(until), kept.last_mut()) {
                (a, b, _) if a >= b => {}
                (a, b, Some(last)) if last.1 == a => last.1 = b,
                (a, b, _) => kept.push((a, b)),
            }
        }
        kept
    }

    /// The planned windows, as the wall clock would show them if nobody set it.
    fn windows(&self) -> Vec<Window> {
        let link = |what| match what {
            What::Window(link) => Some(link),
            _ => None,
        };
        let wall = |t: Time| Wall(WALL_START + (t / MS) as i64);
        self.items
            .iter()
            .filter_map(|item| Some((link(item.what)?, item)))
            .zip(1..)
            .map(|((link, item), id)| Window {
                id: WindowId(id),
                scope: Scope::Uplink(UplinkId(link as u32 + 1)),
                from: wall(item.from),
                until: wall(item.until),
                reason: "pole moved".into(),
                by: "zhang".into(),
                excused: true,
                created: wall(0),
                ended: None,
                ended_by: None,
            })
            .collect()
    }
}

/// The nights of borrowed power until the end of a run: it goes at about this hour of the county's day, for so many hours.
fn nights(hour: u64, hours: u64, end: Time) -> Vec<(Time, Time)> {
    let into_day = (WALL_START + 8 * 3_600_000).rem_euclid(86_400_000) as Time * MS;
    let hour_ns = 3600 * S;
    (0..)
        .map(|day: u64| ((day * 24 + hour) * hour_ns + (day * 7) % 13 * 60 * S, day))
        .map(|(from, _)| from.saturating_sub(into_day))
        .map(|from| (from, from + hours * hour_ns))
        .skip_while(|(from, _)| *from < 600 * S)
        .take_while(|(_, until)| *until < end)
        .collect()
}

impl What {
    /// The cameras that planned work takes out of the watch.
    pub fn pauses(self, county: &County) -> Vec<usize> {
        match self {
            What::Pause(camera) => vec![camera],
            What::Window(l) => What::Link(l).silences(county),
            _ => Vec::new(),
        }
    }

    /// The cameras it takes the video from.
    pub fn silences(self, county: &County) -> Vec<usize> {
        let behind = |which: &dyn Fn(usize) -> bool| {
            county.cameras().enumerate().filter(|(_, link)| link.is_some_and(which)).map(|(c, _)| c).collect()
        };
        match self {
            What::Link(l) | What::Night(l) => behind(&|link| link == l),
            What::Olt(o) => behind(&|link| county.links[link].olt == Some(o)),
            What::Site(s) => behind(&|link| county.links[link].site == s),
            What::Town(t) => behind(&|link| county.links[link].town == t),
            What::Camera(c, fault) if fault.is_outage() => vec![c],
            _ => Vec::new(),
        }
    }

    /// Times in which verdicts are allowed to be withheld.
    pub fn is_ours(self) -> bool {
        matches!(self, What::OwnNetwork(_) | What::OwnDecoder | What::OwnMachine | What::Restart(_) | What::Sleep)
    }
}
