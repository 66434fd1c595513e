//! What went into the core and what came out, line by line, so that a day in the field can be played again at a desk.
//!
//! ```text
//! {"sharpeyes_field_log":1,"seed":…,"now":{"mono":…,"wall":…},"config":{…},"resumed":{…}}      the first line
//! {"m":3600250000000,"w":1760000000250}                                                        time passed, nothing came out
//! {"m":…,"w":…,"e":{"stream":{"camera":7,"event":{"ended":{…}}}},"f":"91c2…"}                   an event, and its effects
//! ```
//! `m` and `w` are the two clocks (nanoseconds, milliseconds) as handed in, `e` is the event (absent: a tick), `f` a hash
//! over the effects in their order (absent: none). The core is a function of these, so whoever plays the file gets the
//! same states and effects, and the first line at which he does not is told ([`Fault::Differs`]). Of the register only
//! what the core looks at is written: no name, no address, no account. What is not there cannot be asked for.
//!
//! Pure: lines come and go as values; their text (JSON, one a line) and files are the caller's.

use crate::{Config, Effect, Event, Fleet, OwnPart, PictureVerdict, Resumed, SnapshotOutcome, StreamEvent, Window};
use fleet::{
    Camera, CameraId, Device, LifeCycle, Mono, Now, Olt, Place, Registry, Site, SiteId, SiteKind, StreamUrl, Town,
    TownId, Transport, Upkeep, Uplink, UplinkId, Wall,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// The form written, and the only one read.
const FORM: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    sharpeyes_field_log: u32,
    seed: u64,
    now: Now,
    config: Config,
    resumed: Resumed,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    m: Mono,
    w: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<Said>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
}

/// An event as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Register(Register),
    Stream { camera: CameraId, event: StreamEvent },
    Picture { camera: CameraId, verdict: PictureVerdict },
    Snapshot { camera: CameraId, slot: Wall, outcome: SnapshotOutcome },
    Own { part: OwnPart, fault: Option<String> },
    CheckNow { camera: CameraId },
    Acknowledge { incident: crate::IncidentId, by: String, reason: String, until: Option<Wall> },
    Pause { camera: CameraId, until: Option<Wall>, by: String, reason: String },
    Windows(Vec<Window>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Register {
    sites: Vec<(SiteId, TownId)>,
    uplinks: Vec<(UplinkId, Option<Olt>, Option<u32>)>,
    cameras: Vec<Record>,
}

/// What the core looks at of a camera's record.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: CameraId,
    site: SiteId,
    uplink: Option<UplinkId>,
    sub: bool,
    life_cycle: LifeCycle,
    sessions: Option<u8>,
    changed: Wall,
    /// Grows when address, account, transport or policies become others: the core asks no more of them than whether they did.
    reached_by: u32,
}

/// Writes lines.
#[derive(Debug, Default)]
pub struct Writer {
    register: Arc<Registry>,
    reached_by: BTreeMap<CameraId, u32>,
}

impl Writer {
    /// Begins a log of the core that [`Fleet::new`] makes of the same, with its first line.
    #[must_use]
    pub fn begin(config: &Config, seed: u64, resumed: &Resumed, now: Now) -> (Writer, Head) {
        let (config, resumed) = (config.clone(), resumed.clone());
        let head = Head { sharpeyes_field_log: FORM, seed, now, config, resumed };
        (Writer::default(), head)
    }

    /// The line of an event, or a tick, and of what the core made of it.
    pub fn line(&mut self, event: &Event, now: Now, effects: &[Effect]) -> Line {
        let e = self.said(event);
        Line { m: now.mono, w: now.wall, e, f: digest(effects) }
    }

    fn said(&mut self, event: &Event) -> Option<Said> {
        Some(match event.clone() {
            Event::Registry(registry) => Said::Register(self.register(registry)),
            Event::Stream { camera, event } => Said::Stream { camera, event },
            Event::Picture { camera, verdict } => Said::Picture { camera, verdict },
            Event::Snapshot { camera, slot, outcome } => Said::Snapshot { camera, slot, outcome },
            Event::Own { part, fault } => Said::Own { part, fault },
            Event::CheckNow { camera } => Said::CheckNow { camera },
            Event::Acknowledge { incident, by, reason, until } => Said::Acknowledge { incident, by, reason, until },
            Event::Pause { camera, until, by, reason } => Said::Pause { camera, until, by, reason },
            Event::Windows(windows) => Said::Windows(windows.to_vec()),
            Event::Tick => return None,
        })
    }

    fn register(&mut self, registry: Arc<Registry>) -> Register {
        let former = std::mem::replace(&mut self.register, Arc::clone(&registry));
        let alike = |a: &Camera, b: &Camera| {
            a.main == b.main
                && a.sub == b.sub
                && a.credentials == b.credentials
                && a.transport == b.transport
                && a.device.quirks == b.device.quirks
        };
        let cameras = registry.cameras().map(|camera| {
            let version = self.reached_by.entry(camera.id).or_default();
            if former.camera(camera.id).is_none_or(|before| !alike(before, camera)) {
                *version += 1;
            }
            Record {
                id: camera.id,
                site: camera.site,
                uplink: camera.uplink,
                sub: camera.sub.is_some(),
                life_cycle: camera.life_cycle,
                sessions: camera.device.sessions,
                changed: camera.changed,
                reached_by: *version,
            }
        });
        Register {
            cameras: cameras.collect(),
            sites: registry.sites().map(|s| (s.id, s.town)).collect(),
            uplinks: registry.uplinks().map(|u| (u.id, u.olt.clone(), u.budget_kbps)).collect(),
        }
    }
}

impl Register {
    fn registry(self) -> Registry {
        let towns: BTreeMap<TownId, Town> =
            self.sites.iter().map(|(_, id)| (*id, Town { id: *id, name: String::new() })).collect();
        let sites = self.sites.into_iter().map(|(id, town)| Site {
            id,
            name: String::new(),
            kind: SiteKind::Village,
            town,
            stat_code: None,
        });
        let uplinks =
            self.uplinks.into_iter().map(|(id, olt, budget_kbps)| Uplink { id, name: String::new(), olt, budget_kbps });
        Registry::new(towns.into_values(), sites, uplinks, self.cameras.into_iter().map(Record::camera))
    }
}

impl Record {
    /// A record that the core cannot tell from the one it was.
    fn camera(self) -> Camera {
        // Of the addresses set aside for documentation (RFC 5737).
        let url = |path: &str| {
            StreamUrl::parse(&format!("rtsp://192.0.2.1/{path}/{}", self.reached_by)).expect("a usable address").0
        };
        Camera {
            id: self.id,
            name: String::new(),
            site: self.site,
            uplink: self.uplink,
            gb_code: None,
            main: url("main"),
            sub: self.sub.then(|| url("sub")),
            credentials: None,
            transport: Transport::default(),
            life_cycle: self.life_cycle,
            place: Place::default(),
            device: Device { sessions: self.sessions, ..Device::default() },
            upkeep: Upkeep::default(),
            changed: self.changed,
        }
    }
}

impl Said {
    fn event(self) -> Event {
        match self {
            Said::Register(register) => Event::Registry(Arc::new(register.registry())),
            Said::Stream { camera, event } => Event::Stream { camera, event },
            Said::Picture { camera, verdict } => Event::Picture { camera, verdict },
            Said::Snapshot { camera, slot, outcome } => Event::Snapshot { camera, slot, outcome },
            Said::Own { part, fault } => Event::Own { part, fault },
            Said::CheckNow { camera } => Event::CheckNow { camera },
            Said::Acknowledge { incident, by, reason, until } => Event::Acknowledge { incident, by, reason, until },
            Said::Pause { camera, until, by, reason } => Event::Pause { camera, until, by, reason },
            Said::Windows(windows) => Event::Windows(windows.into()),
        }
    }
}

/// Why a log cannot be played on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It is written in another form.
    #[error("this field log has the form {0}, and only {FORM} can be played")]
    Form(u32),
    /// The core made something else of it.
    #[error(
        "line {line}: the core makes something else of this than it did when it was recorded; is this its version?"
    )]
    Differs {
        /// Counted from 1.
        line: u64,
    },
}

/// Plays a log.
#[derive(Debug)]
pub struct Replay {
    core: Fleet,
    now: Now,
    line: u64,
}

impl Replay {
    /// Begins with the first line.
    ///
    /// # Errors
    /// [`Fault::Form`].
    pub fn begin(head: Head) -> Result<Replay, Fault> {
        if head.sharpeyes_field_log != FORM {
            return Err(Fault::Form(head.sharpeyes_field_log));
        }
        Ok(Replay { core: Fleet::new(head.config, head.seed, head.resumed, head.now), now: head.now, line: 1 })
    }

    /// Plays the next line and appends what came of it.
    ///
    /// # Errors
    /// [`Fault::Differs`].
    pub fn play(&mut self, line: Line, effects: &mut Vec<Effect>) -> Result<(), Fault> {
        self.line += 1;
        let before = effects.len();
        self.now = Now { mono: line.m, wall: line.w };
        self.core.on(line.e.map_or(Event::Tick, Said::event), self.now, effects);
        if digest(&effects[before..]) == line.f { Ok(()) } else { Err(Fault::Differs { line: self.line }) }
    }

    /// The core as it is by now.
    #[must_use]
    pub fn core(&self) -> &Fleet {
        &self.core
    }

    /// The time of the line played last.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lines read, the first one included.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.line
    }
}

/// FNV-1a over the effects in their order; `None` of none.
fn digest(effects: &[Effect]) -> Option<String> {
    struct Fnv(u64);
    impl std::fmt::Write for Fnv {
        fn write_str(&mut self, s: &str) -> std::fmt::Result {
            for byte in s.bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
            Ok(())
        }
    }
    if effects.is_empty() {
        return None;
    }
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for effect in effects {
        writeln!(hash, "{effect:?}").expect("hashing does not fail");
    }
    Some(format!("{:016x}", hash.0))
}
