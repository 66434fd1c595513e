//! What the HTTP side needs from the rest of the node, handed in by whoever wires it.

use crate::{Demo, Gallery, PictureOrder, Verdicts, WebConfig};
use arc_swap::ArcSwap;
use fleet::{Mono, Now, Registry, Wall};
use health::{Board, CameraRow, Incident, OwnPart};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, mpsc};

/// The node as seen by its web side.
///
/// The node publishes `board` before it announces the rows of that board on `changes`.
#[derive(Clone)]
pub struct Services {
    /// Durable facts.
    pub store: Arc<dyn store::Store>,
    /// Snapshots.
    pub archive: archive::Archive,
    /// Decoder processes.
    pub pool: picture::Pool,
    /// Camera sessions.
    pub ingest: ingest::Ingest,
    /// Delivers notifications.
    pub courier: notify::Courier,
    /// Limits a probe works with.
    pub ingest_config: ingest::Config,
    /// Thresholds a probe judges pictures with.
    pub diagnosis: picture::DiagnosisConfig,
    /// The fleet as last published.
    pub board: Arc<ArcSwap<Board>>,
    /// The register as last loaded.
    pub registry: Arc<ArcSwap<Registry>>,
    /// What changed, as it changes.
    pub changes: broadcast::Sender<Change>,
    /// Newest thumbnails.
    pub gallery: Arc<Gallery>,
    /// Newest verdicts on pictures.
    pub verdicts: Arc<Verdicts>,
    /// What people ask of the core.
    pub commands: mpsc::Sender<Command>,
    /// The simulated county, in a demo.
    pub demo: Option<Arc<dyn Demo>>,
    /// Progress of the node, for `/livez`.
    pub heartbeat: Arc<Heartbeat>,
    /// Reads what the kernel says of this machine's clock.
    pub clock: fn() -> Option<ClockState>,
    /// When the node started.
    pub started: Now,
    /// Settings of this side.
    pub config: WebConfig,
}

/// What the kernel says of this machine's clock (adjtimex(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockState {
    /// A time server keeps it.
    pub kept: bool,
    /// What still is to be corrected, in microseconds; positive: it is slow.
    pub offset_us: i64,
    /// It is right to so many microseconds, as far as the kernel knows.
    pub within_us: i64,
}

/// Something the dashboards should hear of.
#[derive(Clone, Debug)]
pub enum Change {
    /// A camera's row is new.
    Camera(CameraRow),
    /// An incident was opened, changed or resolved.
    Incident(Arc<Incident>),
    /// The faults of our own machine, all of them, changed.
    Own(Vec<(OwnPart, String)>),
}

/// Something a person asks the node to do.
#[derive(Debug)]
pub enum Command {
    /// An event for the core: check now, acknowledge, pause.
    Event(health::Event),
    /// The register was changed: tell the core and the sessions.
    Registry(Arc<Registry>),
    /// What was decided about a camera's picture.
    Picture(PictureOrder),
}

/// Says that the node's own loop makes progress, whatever cameras and disks do.
#[derive(Debug)]
pub struct Heartbeat(AtomicU64);

impl Heartbeat {
    /// A heartbeat that beats now.
    #[must_use]
    pub fn new(now: Mono) -> Heartbeat {
        Heartbeat(AtomicU64::new(now.0))
    }

    /// The loop went round.
    pub fn beat(&self, now: Mono) {
        self.0.fetch_max(now.0, Ordering::Relaxed);
    }

    /// How long ago the loop last went round.
    #[must_use]
    pub fn age(&self, now: Mono) -> Duration {
        now.since(Mono(self.0.load(Ordering::Relaxed)))
    }
}

/// Milliseconds between two instants of the wall clock, never negative.
pub(crate) fn elapsed(now: Wall, earlier: Wall) -> Duration {
    Duration::from_millis(u64::try_from(now.millis_since(earlier)).unwrap_or(0))
}
