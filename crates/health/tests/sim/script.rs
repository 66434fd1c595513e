//! Scripts of trouble, drawn from a seed: several faults of every kind, with the truth beside them.

use super::{Act, Fault, MS, S, Time, WALL_START, World, county::County};
use fleet::{UplinkId, Wall};
use health::{Config, OwnPart, Scope, Window, WindowId};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

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

impl Plan {
    pub fn draw(seed: u64, scale: Scale) -> Plan {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let county = County::random(scale.cameras, &mut rng);
        let mut plan = Plan { seed, county, items: Vec::new(), end: scale.length };
        let hours = scale.length as f64 / (3600.0 * S as f64);
        let share = scale.cameras as f64 / 40.0;
        // Kind by kind: how many are expected in an hour of forty cameras, or in an hour of the whole service.
        let some = |rng: &mut ChaCha8Rng, per_hour: f64| {
            let mean = per_hour * hours * scale.trouble;
            (0..(2.0 * mean).ceil() as u32).filter(|_| rng.random_bool((mean / (2.0 * mean).ceil()).min(1.0))).count()
        };
        let cameras = plan.county.cameras().count();
        for _ in 0..some(&mut rng, 4.0 * share) {
            let link = rng.random_range(0..plan.county.links.len());
            let span = *[8, 20, 45, 90, 240, 700].choose(&mut rng).unwrap() * S;
            plan.add(&mut rng, What::Link(link), span);
        }
        for _ in 0..some(&mut rng, 0.7 * share) {
            let olt = rng.random_range(0..plan.county.olts);
            let span = rng.random_range(30..400) * S;
            plan.add(&mut rng, What::Olt(olt), span);
        }
        for _ in 0..some(&mut rng, 0.4) {
            plan.flapping_link(&mut rng);
        }
        for _ in 0..some(&mut rng, 0.3) {
            plan.storm(&mut rng);
        }
        for (fault, per_hour, most) in [
            (Fault::PowerOff, 4.0, 600),
            (Fault::PortClosed, 1.5, 300),
            (Fault::Stall, 1.5, 300),
            (Fault::Password, 1.0, 900),
            (Fault::Frozen, 1.5, 900),
            (Fault::Corrupt, 1.0, 600),
            (Fault::Loss, 1.0, 600),
            (Fault::SlowFrames, 1.0, 600),
            (Fault::Clock, 0.7, 600),
        ] {
            for _ in 0..some(&mut rng, per_hour * share) {
                let camera = rng.random_range(0..cameras);
                let span = rng.random_range(2..most) * S;
                plan.add(&mut rng, What::Camera(camera, fault), span);
            }
        }
        for (what, per_hour, span) in [
            (What::OwnNetwork(0), 0.6, 8..150),
            (What::OwnDecoder, 0.4, 20..300),
            (What::OwnDisk, 0.4, 20..400),
            (What::OwnDatabase, 0.4, 20..400),
            (What::OwnMachine, 0.2, 20..200),
            (What::Restart(rng.random_bool(0.5)), 0.6, 1..400),
            (What::Sleep, 0.2, 30..900),
        ] {
            for _ in 0..some(&mut rng, per_hour) {
                let found = rng.random_range(500..9_000) * MS;
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
        // Nights are for runs that have some.
        if scale.length > 72 * 3600 * S {
            for _ in 0..1 + scale.cameras / 100 {
                let link = rng.random_range(0..plan.county.links.len());
                for (from, until) in nights(rng.random_range(19..24), rng.random_range(4..9), plan.end - QUIET) {
                    plan.items.push(Item { what: What::Night(link), from, until });
                }
            }
        }
        for _ in 0..some(&mut rng, 0.8) {
            let camera = rng.random_range(0..cameras);
            let span = rng.random_range(60..900) * S;
            plan.add(&mut rng, What::Pause(camera), span);
        }
        plan
    }

    fn add(&mut self, rng: &mut ChaCha8Rng, what: What, span: Time) {
        if matches!(what, What::Camera(_, Fault::Password)) && self.items.iter().any(|i| i.what == what) {
            return; // the register is corrected once
        }
        let latest = self.end - QUIET;
        let from = rng.random_range(60 * S..latest) / MS * MS;
        self.items.push(Item { what, from, until: (from + span).min(latest) });
    }

    fn flapping_link(&mut self, rng: &mut ChaCha8Rng) {
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
        self.script(World::new(self.county.clone(), config, self.seed))
    }

    /// As `stage`, with a field log.
    pub fn stage_recording(&self, config: Config) -> World {
        self.script(World::recording(self.county.clone(), config, self.seed))
    }

    fn script(&self, mut w: World) -> World {
        let mut paused = std::collections::BTreeSet::new();
        w.act_at(0, Act::Plan(self.windows()));
        for item in &self.items {
            let (from, until) = (item.from, item.until);
            let mut pair = |on: Act, off: Act| {
                w.act_at(from, on);
                w.act_at(until, off);
            };
            match item.what {
                What::Link(l) => pair(Act::Link(l, true), Act::Link(l, false)),
                What::Olt(o) => pair(Act::Olt(o, true), Act::Olt(o, false)),
                What::Camera(c, Fault::Password) => {
                    pair(Act::Camera(c, Fault::Password, true), Act::Correct(c));
                }
                What::Camera(c, f) => pair(Act::Camera(c, f, true), Act::Camera(c, f, false)),
                What::OwnNetwork(found) => {
                    pair(Act::OwnNetwork(true), Act::OwnNetwork(false));
                    if from + found < until {
                        w.act_at(from + found, Act::Own(OwnPart::Network, true));
                        w.act_at(until + found / 4, Act::Own(OwnPart::Network, false));
                    }
                }
                What::OwnDecoder => pair(Act::OwnDecoder(true), Act::OwnDecoder(false)),
                What::OwnDisk => pair(Act::OwnDisk(true), Act::OwnDisk(false)),
                What::OwnDatabase => pair(Act::OwnDatabase(true), Act::OwnDatabase(false)),
                What::OwnMachine => pair(Act::Own(OwnPart::Machine, true), Act::Own(OwnPart::Machine, false)),
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
            What::Camera(c, fault) if fault.is_outage() => vec![c],
            _ => Vec::new(),
        }
    }

    /// Times in which verdicts are allowed to be withheld.
    pub fn is_ours(self) -> bool {
        matches!(self, What::OwnNetwork(_) | What::OwnDecoder | What::OwnMachine | What::Restart(_) | What::Sleep)
    }
}
