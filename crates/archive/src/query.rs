//! Asking for snapshots and gaps, page by page.

use crate::{ArchiveError, Entry};
use ed25519_dalek::SigningKey;
use fleet::{CameraId, Cause, Status, Wall};
use health::SnapshotClass;
use ring::hmac;
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
    /// The archive's word that it gave this place out, for a search with these conditions.
    pub(crate) word: [u8; Cursor::WORD],
}

impl Cursor {
    pub(crate) const WORD: usize = 16;
}

/// Knows the cursors that it gave out: nobody makes one himself to begin a search in its middle.
pub(crate) struct Cursors(hmac::Key);

impl Cursors {
    pub(crate) fn new(key: &SigningKey) -> Cursors {
        let with = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let made = hmac::sign(&with, b"sharpeyes cursors of searches 1");
        Cursors(hmac::Key::new(hmac::HMAC_SHA256, made.as_ref()))
    }

    fn said(query: &SnapshotQuery, slot: i64, camera: i64) -> Vec<u8> {
        let mut said = query.conditions();
        said.extend_from_slice(&slot.to_le_bytes());
        said.extend_from_slice(&camera.to_le_bytes());
        said
    }

    /// A place in this search.
    pub(crate) fn give(&self, query: &SnapshotQuery, slot: i64, camera: i64) -> Cursor {
        let word = hmac::sign(&self.0, &Cursors::said(query, slot, camera));
        Cursor { slot, camera, search: query.fingerprint(), word: crate::record::array_at(word.as_ref(), 0) }
    }

    /// Whether a search may go on where its cursor says.
    pub(crate) fn check(&self, query: &SnapshotQuery) -> Result<(), CursorError> {
        let Some(cursor) = query.after else { return Ok(()) };
        if cursor.search != query.fingerprint() {
            return Err(CursorError::OtherSearch);
        }
        let given = self.give(query, cursor.slot, cursor.camera);
        // Whoever guesses learns nothing from how long this takes: he has one guess in 2^128.
        if given.word == cursor.word { Ok(()) } else { Err(CursorError::Malformed) }
    }
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
        crc32c::crc32c(&self.conditions())
    }

    /// The conditions as bytes, the same for the same search.
    fn conditions(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for camera in self.cameras.iter().flatten() {
            all.extend_from_slice(&camera.0.to_le_bytes());
        }
        let count = self.cameras.as_ref().map(Vec::len);
        let rest = (count, self.from, self.until, self.kind, self.class, self.status, self.cause);
        all.extend_from_slice(format!("{rest:?}").as_bytes());
        all
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
        Ok(())
    }

    pub(crate) fn page_size(&self) -> usize {
        let limit = if self.limit == 0 { SnapshotQuery::DEFAULT_LIMIT } else { self.limit };
        limit.min(SnapshotQuery::LIMIT_MAX) as usize
    }
}

/// Hexadecimal digits of a cursor.
const LENGTH: usize = 40 + 2 * Cursor::WORD;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:08x}{}", self.slot, self.camera, self.search, hex::encode(self.word))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        let malformed = |_| CursorError::Malformed;
        if text.len() != LENGTH || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(CursorError::Malformed);
        }
        Ok(Cursor {
            slot: u64::from_str_radix(&text[..16], 16).map_err(malformed)?.cast_signed(),
            camera: u64::from_str_radix(&text[16..32], 16).map_err(malformed)?.cast_signed(),
            search: u32::from_str_radix(&text[32..40], 16).map_err(malformed)?,
            word: hex::decode(&text[40..]).ok().and_then(|w| w.try_into().ok()).ok_or(CursorError::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cursors() -> Cursors {
        Cursors::new(&SigningKey::from_bytes(&[3; 32]))
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(slot: i64, camera: i64) {
            let cursor = cursors().give(&SnapshotQuery::default(), slot, camera);
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn forged_text_is_no_cursor(text in "\\PC{0,60}|[0-9a-f]{72}") {
            let taken = |after| cursors().check(&SnapshotQuery { after: Some(after), ..SnapshotQuery::default() });
            prop_assert!(text.parse::<Cursor>().and_then(taken).is_err());
        }

        #[test]
        fn a_cursor_in_which_anything_was_changed_is_none(slot: i64, camera: i64, at in 0..LENGTH, digit in "[0-9a-f]") {
            let query = SnapshotQuery::default();
            let mut text = cursors().give(&query, slot, camera).to_string();
            prop_assume!(text[at..=at] != digit);
            text.replace_range(at..=at, &digit);
            let after = Some(text.parse::<Cursor>().unwrap());
            let forged = SnapshotQuery { after, ..query };
            prop_assert!(cursors().check(&forged).is_err());
        }
    }

    #[test]
    fn a_cursor_is_bound_to_its_conditions_and_to_its_archive() {
        let one = SnapshotQuery { cameras: Some(vec![CameraId(1)]), ..SnapshotQuery::default() };
        let other = SnapshotQuery { cameras: Some(vec![CameraId(2)]), ..SnapshotQuery::default() };
        let after = Some(cursors().give(&one, 5, 1));
        let one = SnapshotQuery { after, ..one };
        assert_eq!(cursors().check(&one), Ok(()));
        assert_eq!(cursors().check(&SnapshotQuery { after, ..other }), Err(CursorError::OtherSearch));
        let elsewhere = Cursors::new(&SigningKey::from_bytes(&[4; 32]));
        assert_eq!(elsewhere.check(&one), Err(CursorError::Malformed));
    }
}
