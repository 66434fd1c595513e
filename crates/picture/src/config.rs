//! What can be set about decoding.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the [`Pool`](crate::Pool).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Decoder processes. Each costs about 40 MB of memory and at most one core.
    pub workers: usize,
    /// Pictures that may wait for a worker, for each of the two lanes (regular checks, people's requests).
    /// When a lane is full, further requests are refused as [`Busy`](crate::PictureError::Busy).
    pub queue: usize,
    /// Longest time for one picture, from sending it to the worker until its answer is complete. Then the
    /// worker is killed and replaced.
    pub time_limit: Duration,
    /// Memory in bytes that a worker may take beyond what it holds when it is ready.
    pub memory_limit: u64,
    /// Width of thumbnails in pixels; the height follows the picture.
    pub thumbnail_width: u32,
    /// What to do when the kernel lacks a layer of the sandbox.
    pub sandbox: SandboxPolicy,
    /// How many workers one camera may kill within an hour before it is parked.
    pub kills_before_parking: u32,
    /// How long a camera whose pictures kill workers is not decoded.
    pub parking: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            workers: std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4),
            queue: 64,
            time_limit: Duration::from_secs(4),
            memory_limit: 256 << 20,
            thumbnail_width: 320,
            sandbox: SandboxPolicy::Prefer,
            kills_before_parking: 3,
            parking: Duration::from_secs(15 * 60),
        }
    }
}

/// What to do when the kernel lacks a layer of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxPolicy {
    /// Do not start.
    Require,
    /// Start with a warning that names the missing layer.
    Prefer,
}
