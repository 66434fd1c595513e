//! How the store itself fares, for the page that tells of our own health.

use fleet::Wall;
use serde::Serialize;
use std::time::Duration;

/// The condition of a store, as far as it knows without asking anybody.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Condition {
    /// What keeps the facts, with its version.
    pub engine: String,
    /// Bytes of the database.
    pub bytes: u64,
    /// Bytes that were written ahead and are not in it yet.
    pub log_bytes: u64,
    /// Pieces of work that wait to be written.
    pub waiting: u64,
    /// The newest write that is on the disk.
    pub last_write: Option<Written>,
}

/// A write that is on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Written {
    /// When it was there.
    pub at: Wall,
    /// How long it took from its beginning until it was flushed.
    pub took: Duration,
}
