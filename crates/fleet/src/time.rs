//! Two clocks that must never be mixed up.
//!
//! Timers and durations run on [`Mono`], which never steps. People and evidence get [`Wall`] time, which may
//! step when somebody sets the clock. Whoever owns an event loop reads both once and hands a [`Now`] down.

use serde::{Deserialize, Serialize};
use std::{
    fmt, ops,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Monotonic time in nanoseconds since an arbitrary start of this process. Means nothing after a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// How long ago `earlier` was; zero if it is not in the past.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl ops::Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:.3}s", Duration::from_nanos(self.0).as_secs_f64())
    }
}

/// Wall-clock time: milliseconds since 1970-01-01 UTC. Stored and sent as this integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// Reads the system's clock. Only event loops and command-line programs call this.
    #[must_use]
    pub fn read() -> Wall {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to `self`; negative if the clock says so.
    #[must_use]
    pub fn millis_since(self, earlier: Wall) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a camera's own clock showed, and how sure that is. It says nothing of whether that clock is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CameraClock {
    /// What it showed.
    pub at: Wall,
    /// Half of the interval in which that lies, in milliseconds. How it comes about: `ingest`'s `clock`.
    pub uncertainty_ms: u32,
}

impl ops::Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, d: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}ms", self.0)
    }
}

impl Now {
    /// Reads both clocks. Only event loops and command-line programs call this; everything that judges gets a
    /// `Now` handed in. All readings of one process share one start.
    #[must_use]
    pub fn read() -> Now {
        static START: OnceLock<Instant> = OnceLock::new();
        let since = START.get_or_init(Instant::now).elapsed();
        // An hour of head start, so that "an hour ago" can be said from the first second on.
        Now { mono: Mono::default() + Duration::from_secs(3600) + since, wall: Wall::read() }
    }
}

/// One reading of both clocks, taken together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Now {
    /// For timers.
    pub mono: Mono,
    /// For people and records.
    pub wall: Wall,
}
