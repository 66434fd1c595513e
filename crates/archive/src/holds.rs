//! Holds: ranges of which nothing may be dropped, whatever retention says, because a court, a prosecutor or an auditor
//! needs them. Kept beside the segments in `holds.json`, so that they bind whoever opens the archive.
//!
//! Manifests name them: if some are not there any more, or were altered, nothing at all is dropped until they are restored.
//!
//! Segments are shared by all cameras and dropped whole, so a hold keeps every segment that touches its range.

use crate::{ArchiveError, Limit, folder::replace_file, index::Catalogued, merkle::Hash};
use fleet::{CameraId, Wall};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fs, io, path::Path};

/// Holds that may be in force at once.
const HOLDS_MAX: usize = 10_000;

/// For whom a range is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Court, prosecution, police: ends when a person ends it, or at its expiry.
    Legal,
    /// An audit.
    Audit,
}

/// A hold to be placed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewHold {
    /// For whom.
    pub kind: HoldKind,
    /// Which cameras it is about; empty for all. Told to people: what is kept are whole segments.
    pub cameras: Vec<CameraId>,
    /// Slots at or after.
    pub from: Wall,
    /// Slots before.
    pub until: Wall,
    /// Why 事由.
    pub reason: String,
    /// Number of the document that asks for it.
    pub document: String,
    /// Who placed it.
    pub by: String,
    /// When it ends by itself; `None` until somebody ends it.
    pub expires: Option<Wall>,
}

/// A hold as it is kept; ended ones stay on record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Its number, from 1.
    pub id: u32,
    /// When it was placed.
    pub placed: Wall,
    /// What it is.
    #[serde(flatten)]
    pub what: NewHold,
    /// When, by whom and why it was ended before its time.
    pub released: Option<Release>,
}

/// The end of a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Release {
    /// When.
    pub at: Wall,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a manifest says of the holds on record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct HoldsHead {
    /// How many were ever placed.
    placed: usize,
    /// SHA-256 over those, as they were placed.
    #[serde(with = "hex")]
    hash: Hash,
    /// Those that were ended before their time.
    released: Vec<u32>,
}

impl HoldsHead {
    pub(crate) fn of(holds: &[Hold]) -> HoldsHead {
        let released = holds.iter().filter(|hold| hold.released.is_some()).map(|hold| hold.id).collect();
        HoldsHead { placed: holds.len(), hash: placed(holds), released }
    }

    /// Whether these holds are those, perhaps with more that were placed since. An end that is not named is none.
    pub(crate) fn agrees(&self, holds: &[Hold]) -> bool {
        let first = holds.get(..self.placed);
        first.is_some_and(|first| placed(first) == self.hash)
            && holds.iter().all(|hold| hold.released.is_none() || self.released.contains(&hold.id))
    }
}

/// Over what holds keep, and for how long.
fn placed(holds: &[Hold]) -> Hash {
    let mut hash = Sha256::new();
    for Hold { id, placed, what, .. } in holds {
        let cameras: Vec<String> = what.cameras.iter().map(|camera| camera.0.to_string()).collect();
        let (from, until, expires) = (what.from.0, what.until.0, what.expires.map(|end| end.0));
        let kept = format!("{id} {} {} {from} {until} {expires:?}\n", placed.0, cameras.join(","));
        hash.update(kept);
    }
    hash.finalize().into()
}

/// What is asked of the writer.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Place(NewHold),
    Release { id: u32, by: String, reason: String },
}

impl Hold {
    /// Whether it is in force.
    #[must_use]
    pub fn holds(&self, now: Wall) -> bool {
        self.released.is_none() && self.what.expires.is_none_or(|end| now < end)
    }

    fn touches(&self, segment: &Catalogued) -> bool {
        segment.oldest < self.what.until && segment.newest >= self.what.from
    }
}

/// Whether some hold forbids dropping a segment.
pub(crate) fn forbid(holds: &[Hold], segment: &Catalogued, now: Wall) -> bool {
    holds.iter().any(|hold| hold.holds(now) && hold.touches(segment))
}

/// Until when holds that are in force keep a segment: `None` if none does, `Some(None)` if one does without an end.
pub(crate) fn kept_until(holds: &[Hold], segment: &Catalogued, now: Wall) -> Option<Option<Wall>> {
    let keeping = holds.iter().filter(|hold| hold.holds(now) && hold.touches(segment));
    keeping.map(|hold| hold.what.expires).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)))
}

/// Whether the settings allow a new hold: how long one may be placed for, and how much all in force may keep together.
pub(crate) fn allow<'a>(
    limit: Limit,
    wanted: &NewHold,
    holds: &[Hold],
    segments: impl Iterator<Item = &'a Catalogued>,
    now: Wall,
) -> Result<(), ArchiveError> {
    if let Some(days) = limit.days
        && wanted.expires.is_none_or(|end| end.0 > now.0.saturating_add(i64::from(days) * 86_400_000))
    {
        return Err(ArchiveError::HoldLimit(format!(
            "a hold must end by itself within {days} days (archive.held.days): give it an end"
        )));
    }
    if let Some(most) = limit.bytes {
        let new = Hold { id: 0, placed: now, what: wanted.clone(), released: None };
        let kept = segments.filter(|c| new.touches(c) || forbid(holds, c, now)).map(|c| c.bytes).sum::<u64>();
        if kept > most {
            return Err(ArchiveError::HoldLimit(format!(
                "with this hold {} MiB would be kept by holds, and {} MiB may be (archive.held.gib): choose a shorter \
                 range, or end other holds",
                kept >> 20,
                most >> 20
            )));
        }
    }
    Ok(())
}

/// The holds on record. A file that cannot be read is an error: dropping what is held cannot be undone.
pub(crate) fn read(path: &Path) -> Result<Vec<Hold>, ArchiveError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| {
            let what = format!("not a list of holds ({e}); restore it from a backup before anything held is dropped");
            ArchiveError::io("use", path)(io::Error::new(io::ErrorKind::InvalidData, what))
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(ArchiveError::io("read", path)(e)),
    }
}

/// The holds after a change.
pub(crate) fn changed(mut holds: Vec<Hold>, change: Change, now: Wall) -> Result<(Vec<Hold>, Hold), ArchiveError> {
    let changed = match change {
        Change::Place(what) => {
            if what.from >= what.until {
                return Err(ArchiveError::Invalid("a hold begins before it ends"));
            }
            if what.expires.is_some_and(|end| end <= now) {
                return Err(ArchiveError::Invalid("a hold expires at a time to come"));
            }
            if holds.iter().filter(|h| h.holds(now)).count() >= HOLDS_MAX {
                return Err(ArchiveError::Invalid("there are too many holds"));
            }
            let id = holds.iter().map(|h| h.id).max().unwrap_or(0) + 1;
            let hold = Hold { id, placed: now, what, released: None };
            holds.push(hold.clone());
            hold
        }
        Change::Release { id, by, reason } => {
            let hold = holds.iter_mut().find(|h| h.id == id).ok_or(ArchiveError::NotFound)?;
            if !hold.holds(now) {
                return Err(ArchiveError::Invalid("this hold has ended already"));
            }
            hold.released = Some(Release { at: now, by, reason });
            hold.clone()
        }
    };
    Ok((holds, changed))
}

/// Writes the holds down, before anybody is told.
pub(crate) fn write(path: &Path, holds: &[Hold]) -> Result<(), ArchiveError> {
    let text = serde_json::to_vec_pretty(holds).expect("numbers and strings always serialize");
    replace_file(path, &text, 0o640).map_err(ArchiveError::io("write", path))
}
