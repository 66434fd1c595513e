//! Settings of one archive folder, and what they must not be.

use crate::{Places, RemoteConfig, Retention, StampConfig};
use std::time::Duration;

/// How the archive cuts, commits and keeps. All of it may change between two starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Size in bytes at which a segment is sealed (it is also sealed at the full hour). This much is preallocated.
    pub segment_bytes: u64,
    /// Longest time a snapshot waits for others to share its flush; at most one second.
    pub commit_every: Duration,
    /// A batch of this many bytes is committed without waiting further.
    pub commit_bytes: usize,
    /// Legal minimum: nothing younger than this many days is ever dropped. When space runs out before that, new
    /// snapshots are refused ([`State::Full`](crate::State::Full)) and kept ones stay. (30 days: State Council
    /// order 799, article 17.)
    pub keep_days: u32,
    /// What is kept how long, by class and place, beyond `keep_days`.
    pub retention: Retention,
    /// Which camera belongs to which place of `retention`.
    pub places: Places,
    /// Most bytes the segments may take together; `None` for as much as the disk has.
    pub max_bytes: Option<u64>,
    /// Above this share of the disk in use, the oldest segments beyond `keep_days` are dropped.
    pub high_water_percent: u8,
    /// Bytes of the disk that no new segment may take: room for the index and for the rest of the machine.
    pub reserve_bytes: u64,
    /// Name of this node, written into every segment and manifest.
    pub node: String,
    /// The node's key, which seals the signing key on the disk; `None` leaves that open, for its owner only.
    pub ring: Option<vault::Keyring>,
    /// The authority that stamps the manifests with the time, if any.
    pub stamps: Option<StampConfig>,
    /// The object store that sealed segments are put into, if any.
    pub remote: Option<RemoteConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            segment_bytes: 256 << 20,
            commit_every: Duration::from_millis(500),
            commit_bytes: 8 << 20,
            keep_days: 30,
            retention: Retention::default(),
            places: Places::default(),
            max_bytes: None,
            high_water_percent: 90,
            reserve_bytes: 256 << 20,
            node: "node".to_owned(),
            ring: None,
            stamps: None,
            remote: None,
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key}: must be {expected}")]
pub struct ConfigFault {
    /// The setting.
    pub key: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

impl Config {
    /// The first setting that cannot be used, if any.
    ///
    /// # Errors
    /// [`ConfigFault`] names it and says what is expected.
    pub fn validate(&self) -> Result<(), ConfigFault> {
        let rules = [
            ((64 << 10..=16 << 30).contains(&self.segment_bytes), "segment_bytes", "64 KiB to 16 GiB"),
            (self.commit_every <= Duration::from_secs(1), "commit_every", "at most 1 s"),
            ((1..=256 << 20).contains(&self.commit_bytes), "commit_bytes", "1 byte to 256 MiB"),
            ((1..=100).contains(&self.high_water_percent), "high_water_percent", "1 to 100"),
            ((1..=64).contains(&self.node.len()), "node", "1 to 64 bytes"),
            (!self.node.chars().any(char::is_control), "node", "free of control characters"),
            (
                self.stamps
                    .as_ref()
                    .is_none_or(|s| ["http://", "https://"].iter().any(|scheme| s.url.starts_with(scheme))),
                "stamps.url",
                "an address such as http://tsa.county.example/",
            ),
            (
                self.remote.as_ref().is_none_or(|r| r.local_bytes.is_none_or(|most| most >= 4 * self.segment_bytes)),
                "s3.local_gib",
                "at least four segments",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, key, expected)) => Err(ConfigFault { key, expected }),
            None => self.retention.validate(self.keep_days),
        }
    }
}
