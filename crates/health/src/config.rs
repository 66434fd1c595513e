//! The times and limits the core works with.

use fleet::StreamChoice;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the core. All durations are on the monotonic clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Which stream is pulled continuously (main if the camera has no sub stream). If it is the sub stream, snapshots
    /// are taken of the main stream by short sessions, unless the camera serves one session only.
    pub continuous: StreamChoice,
    /// Sessions opened per second in all, at start-up and mass return.
    pub opens_per_second: u32,
    /// Sessions being opened at once, in all.
    pub opening_at_once: u32,
    /// Sessions being opened at once behind one uplink.
    pub opening_per_uplink: u32,
    /// What a main stream is expected to bring in kbit/s, until it has been measured.
    pub main_kbps: u32,
    /// The same for a sub stream.
    pub sub_kbps: u32,
    /// First pause before another try; doubles with each failure.
    pub retry_first: Duration,
    /// Longest pause between tries.
    pub retry_longest: Duration,
    /// Time between two scheduled snapshots of one camera.
    pub snapshot_every: Duration,
    /// Time between two judged pictures of one camera.
    pub assess_every: Duration,
    /// Status changes within [`flap_window`](Self::flap_window) that make a camera `flapping`.
    pub flap_count: u32,
    /// See [`flap_count`](Self::flap_count).
    pub flap_window: Duration,
    /// Failures behind one uplink within this window belong together.
    pub correlation_window: Duration,
    /// A returned fault within this time re-opens its incident instead of opening a new one.
    pub reopen_within: Duration,
    /// Camera clock error, in milliseconds, from which it is a fault.
    pub clock_tolerance_ms: i64,
    /// Share of packets lost, in per mille of a window, from which it is a fault.
    pub loss_permille: u32,
    /// Frames per second below which it is a fault.
    pub lowest_fps: f32,
    /// Share of the fleet, in percent, whose simultaneous loss is held to be our own fault until shown otherwise.
    pub implausible_percent: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            continuous: StreamChoice::Sub,
            opens_per_second: 60,
            opening_at_once: 64,
            opening_per_uplink: 2,
            main_kbps: 4_000,
            sub_kbps: 512,
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(60),
            snapshot_every: Duration::from_secs(300),
            assess_every: Duration::from_secs(60),
            flap_count: 6,
            flap_window: Duration::from_secs(600),
            correlation_window: Duration::from_secs(60),
            reopen_within: Duration::from_secs(300),
            clock_tolerance_ms: 30_000,
            loss_permille: 20,
            lowest_fps: 5.0,
            implausible_percent: 30,
        }
    }
}
