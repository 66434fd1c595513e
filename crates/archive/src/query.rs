//! Asking for snapshots and gaps, page by page.

use crate::{ArchiveError, Entry};
use fleet::{CameraId, Cause, Status, Wall};
use health::SnapshotClass;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What to look for. The default asks for everything, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SnapshotQuery {
    /// Only these cameras; `None` for all. An empty list finds nothing.
    pub cameras: Option<Vec<CameraId>>,
    /// Slots at or after this instant.
    pub from: Option<Wall>,
    /// Slots before this instant.
    pub until: Option<Wall>,
    /// Snapshots, gaps or both.
    pub kind: Kind,
    /// Only snapshots kept for this reason (a gap has none).
    pub class: Option<SnapshotClass>,
    /// Only snapshots of cameras that had this status then (a gap has none).
    pub status: Option<Status>,
    /// Only with this cause.
    pub cause: Option<Cause>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Most entries of a page; zero means [`SnapshotQuery::DEFAULT_LIMIT`], more than
    /// [`SnapshotQuery::LIMIT_MAX`] means that.
    pub limit: u32,
}

/// Which entries are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Snapshots and gaps.
    #[default]
    All,
    /// Snapshots only.
    Snapshot,
    /// Gaps only.
    Gap,
}

/// One page of a search, newest slot first; entries of one slot by camera, highest id first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The entries. A page may be shorter than asked for, even empty, while `next` says that there is more: a search
    /// that finds little in many days pauses rather than make the caller wait.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in one search, between two entries. Stays right while snapshots are added and dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    pub(crate) slot: i64,
    pub(crate) camera: i64,
    pub(crate) search: u32,
}

/// The cursor cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CursorError {
    /// The text is not a cursor.
    #[error("not a cursor of this search")]
    Malformed,
    /// The cursor was given out for a search with other conditions.
    #[error("the cursor belongs to another search: begin again without it")]
    OtherSearch,
}

impl SnapshotQuery {
    /// Entries of a page if the question does not say.
    pub const DEFAULT_LIMIT: u32 = 100;
    /// Most entries of a page.
    pub const LIMIT_MAX: u32 = 1000;
    /// Most cameras that may be named.
    pub const CAMERAS_MAX: usize = 100_000;

    /// A number that differs between searches with different conditions, so that a cursor is not used for the wrong one.
    pub(crate) fn fingerprint(&self) -> u32 {
        let mut all = Vec::new();
        for camera in self.cameras.iter().flatten() {
            all.extend_from_slice(&camera.0.to_le_bytes());
        }
        let rest = (self.cameras.is_some(), self.from, self.until, self.kind, self.class, self.status, self.cause);
        crc32c::crc32c_append(crc32c::crc32c(&all), format!("{rest:?}").as_bytes())
    }

    pub(crate) fn validate(&self) -> Result<(), ArchiveError> {
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from > until
        {
            return Err(ArchiveError::Invalid("the range ends before it begins"));
        }
        if self.cameras.as_ref().is_some_and(|c| c.len() > SnapshotQuery::CAMERAS_MAX) {
            return Err(ArchiveError::Invalid("too many cameras in one search"));
        }
        if self.after.is_some_and(|c| c.search != self.fingerprint()) {
            return Err(CursorError::OtherSearch.into());
        }
        Ok(())
    }

    pub(crate) fn page_size(&self) -> usize {
        let limit = if self.limit == 0 { SnapshotQuery::DEFAULT_LIMIT } else { self.limit };
        limit.min(SnapshotQuery::LIMIT_MAX) as usize
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:08x}", self.slot, self.camera, self.search)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        let malformed = |_| CursorError::Malformed;
        if text.len() != 40 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(CursorError::Malformed);
        }
        Ok(Cursor {
            slot: u64::from_str_radix(&text[..16], 16).map_err(malformed)?.cast_signed(),
            camera: u64::from_str_radix(&text[16..32], 16).map_err(malformed)?.cast_signed(),
            search: u32::from_str_radix(&text[32..], 16).map_err(malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(slot: i64, camera: i64, search: u32) {
            let cursor = Cursor { slot, camera, search };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn forged_text_is_no_cursor(text in "\\PC{0,60}") {
            prop_assert!(text.parse::<Cursor>().is_err() || text.len() == 40);
        }
    }

    #[test]
    fn a_cursor_is_bound_to_its_conditions() {
        let one = SnapshotQuery { cameras: Some(vec![CameraId(1)]), ..SnapshotQuery::default() };
        let other = SnapshotQuery { cameras: Some(vec![CameraId(2)]), ..SnapshotQuery::default() };
        let after = Some(Cursor { slot: 5, camera: 1, search: one.fingerprint() });
        assert!(SnapshotQuery { after, ..one }.validate().is_ok());
        assert!(matches!(
            SnapshotQuery { after, ..other }.validate(),
            Err(ArchiveError::Cursor(CursorError::OtherSearch))
        ));
    }
}
