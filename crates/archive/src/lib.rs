//! The snapshot store: coded pictures as the cameras sent them, found by camera and time, and provably unaltered.
//!
//! ```text
//! <folder>/lock                       one process at a time
//!          node.key, node.pub         Ed25519 key that signs, made at first start, sealed
//!          segments/2026/11/24/03-0000000042.seg   or .far: only its frame, the pictures are in the object store
//!          index/2026-11-24.db        rows of that UTC day; a cache, rebuilt from the segments
//!          index/catalog.db           which sealed segments the day files already hold
//!          manifests/2026-11-24.txt   seals and purges of that day, and the head of the audit log, signed
//!          manifests/2026-11-24.tst   an authority's time stamp over that day's manifest, if one is asked
//!          holds.json                 ranges that retention leaves alone
//!          remote.json                what the object store has; a cache
//!          upload.json                the upload under way: what a crash leaves of it is taken back
//! ```
//!
//! What is promised: [`Archive::append`] resolves only after the record is on the medium (`fdatasync`) and can be
//! found; a crash or a power cut at any moment loses nothing acknowledged, and a picture is only ever served if its
//! SHA-256 is right. A snapshot that was not taken is a record too, a [`Gap`]: never a placeholder.
//!
//! What this crate never does: decode or alter a picture, decide when a snapshot is due, talk to a camera, or check
//! who may look.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod archive;
mod check;
mod clock;
mod command;
mod config;
mod custody;
mod error;
pub mod evidence;
mod examine;
mod folder;
mod forecast;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod holds;
mod index;
mod keys;
mod manifests;
mod mark;
mod merkle;
mod model;
mod policy;
mod proof;
mod query;
mod reader;
mod record;
mod recover;
mod remote;
mod retained;
mod retention;
mod row;
mod seal;
#[cfg(test)]
mod search_speed;
mod segment;
mod stamp;
mod stats;
mod writer;

pub use archive::Archive;
pub use config::{Config, ConfigFault};
pub use error::ArchiveError;
pub use examine::{Examination, Link, Outcome, Step};
pub use forecast::Forecast;
pub use holds::{Hold, HoldKind, NewHold, Release};
pub use manifests::{ManifestText, compare_manifest, manifests};
pub use model::{Entry, Gap, NewSnapshot, Snapshot, SnapshotId, SnapshotIdError, SnapshotRef};
pub use policy::{Limit, Limits, PlaceRule, Places, Retention};
pub use proof::{Proof, ProofFault, Proven};
pub use query::{Cursor, CursorError, Kind, Page, SnapshotQuery};
pub use remote::{RemoteConfig, RemoteState, RemoteStats};
pub use retained::{Held, Kept, Purge, Retained};
pub use stamp::{Authority, StampConfig, StampFault, StampStats};
pub use stats::{CheckReport, Damage, LastCheck, Progress, RebuildReport, State, Stats};
