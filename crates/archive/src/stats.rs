//! What the archive says about itself.

use crate::{
    ArchiveError, RemoteStats, StampStats,
    folder::{Folder, replace_file},
};
use fleet::{CameraId, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether new snapshots are taken.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum State {
    /// They are.
    #[default]
    Ok,
    /// No space, and nothing old enough to be dropped. Everything stored is kept and served; taking snapshots resumes
    /// by itself when there is space.
    Full,
    /// The disk or the index fails. Tried again by itself.
    Failed(String),
}

/// The archive in figures.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Stats {
    /// Whether new snapshots are taken.
    pub state: State,
    /// Stored records, snapshots and gaps.
    pub records: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Number of segments.
    pub segments: u64,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// Oldest slot stored.
    pub oldest: Option<Wall>,
    /// When the last batch was committed, since start.
    pub last_commit: Option<Wall>,
    /// Snapshots acknowledged since start.
    pub appended: u64,
    /// Bytes of pictures acknowledged since start.
    pub appended_bytes: u64,
    /// Batches committed since start.
    pub commits: u64,
    /// Days until old pictures must make room, or new ones are refused if that is sooner, as in [`Forecast`](crate::Forecast); reckoned once a minute. `None` in the
    /// archive's first hour, and if that will not be.
    pub full_in_days: Option<u32>,
    /// Days that the machine's clock is ahead of what can be believed, while it is in doubt: nothing is dropped for its age
    /// by such a clock.
    pub clock_ahead_days: Option<u32>,
    /// Holds are not there any more that manifests name, or were altered: nothing is dropped until they are restored.
    pub holds_lost: bool,
    /// The last time that everything was read again in the background.
    pub last_check: Option<LastCheck>,
    /// The object store, if there is one.
    pub remote: Option<RemoteStats>,
    /// The time stamps over the manifests, if an authority is asked for them.
    pub stamps: Option<StampStats>,
}

/// What the last background check found. Kept over restarts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastCheck {
    /// When it ended.
    pub at: Wall,
    /// Records read and verified.
    pub records: u64,
    /// Things that are not as they were written.
    pub damaged: u64,
    /// Segments that could not be read, because the object store was away.
    #[serde(default)]
    pub unread: u64,
    /// The first of the damages, to be told.
    #[serde(default)]
    pub first: Option<String>,
}

impl LastCheck {
    /// The one on record; one that cannot be read counts as none.
    pub(crate) fn read(folder: &Folder) -> Option<LastCheck> {
        serde_json::from_slice(&std::fs::read(folder.last_check()).ok()?).ok()
    }

    pub(crate) fn keep(&self, folder: &Folder) -> Result<(), ArchiveError> {
        let text = serde_json::to_vec(self).expect("numbers always serialize");
        replace_file(&folder.last_check(), &text, 0o640).map_err(ArchiveError::io("write", folder.last_check()))
    }
}

/// How far a check is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Progress {
    /// Segments done.
    pub segments: u64,
    /// Segments in all.
    pub of_segments: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in all.
    pub of_bytes: u64,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Records read and verified.
    pub records: u64,
    /// Segments read.
    pub segments: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Segments of which only the object store has the pictures, and it did not give them: nothing is known of those.
    pub unread: u64,
    /// Why not.
    pub unread_because: Option<String>,
    /// Everything that is not as it was written.
    pub damaged: Vec<Damage>,
}

/// One thing that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The file, relative to the archive's folder.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// Whose record, if known.
    pub camera: Option<CameraId>,
    /// Of which instant, if known.
    pub slot: Option<Wall>,
    /// What does not fit.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.file, self.offset)?;
        if let (Some(camera), Some(slot)) = (self.camera, self.slot) {
            match jiff::Timestamp::from_millisecond(slot.0) {
                Ok(at) => write!(f, " (camera {camera}, {at})")?,
                Err(_) => write!(f, " (camera {camera}, {} ms)", slot.0)?,
            }
        }
        write!(f, ": {}", self.what)
    }
}

/// What a rebuild of the index found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RebuildReport {
    /// Records in the new index.
    pub records: u64,
    /// Segments read.
    pub segments: u64,
    /// What could not be read.
    pub damaged: Vec<Damage>,
}
