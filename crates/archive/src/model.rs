//! What is stored and what is handed back.

use crate::record::{HOUR_MS, Missed};
use bytes::Bytes;
use fleet::{CameraClock, CameraId, Cause, Codec, Now, Status, StreamChoice, Wall};
use health::SnapshotClass;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A snapshot to be stored.
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    /// Whose.
    pub camera: CameraId,
    /// Of which stream.
    pub stream: StreamChoice,
    /// The instant it was wanted for. Camera and slot together are its identity: the first one stored stays.
    pub slot: Wall,
    /// Why it is kept.
    pub class: SnapshotClass,
    /// When it arrived, by this machine's clocks.
    pub captured: Now,
    /// When the camera says it was taken, if the camera says so, and how sure that is.
    pub camera_clock: Option<CameraClock>,
    /// How `data` is coded.
    pub codec: Codec,
    /// What the camera had sent, if `data` was coded anew from it before it came here: then the hash and every proof are of
    /// `data`, and not of what the camera coded.
    pub converted_from: Option<Codec>,
    /// Pixels across, as the stream declares.
    pub width: u32,
    /// Pixels down, as the stream declares.
    pub height: u32,
    /// The camera's status at that moment.
    pub status: Status,
    /// Its cause, unless online.
    pub cause: Option<Cause>,
    /// The coded picture: Annex B with its parameter sets, or a whole JPEG. Stored bit for bit.
    pub data: Bytes,
}

/// What is known of a stored snapshot without reading its picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotRef {
    /// Its name, for [`Archive::read`](crate::Archive::read).
    pub id: SnapshotId,
    /// Whose.
    pub camera: CameraId,
    /// Of which stream.
    pub stream: StreamChoice,
    /// The instant it was wanted for.
    pub slot: Wall,
    /// Why it is kept.
    pub class: SnapshotClass,
    /// When it arrived.
    pub captured: Wall,
    /// When the camera says it was taken, and how sure that is.
    pub camera_clock: Option<CameraClock>,
    /// How it is coded.
    pub codec: Codec,
    /// What the camera had sent, if it was coded anew here before it was stored.
    pub converted_from: Option<Codec>,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Size of the coded picture in bytes.
    pub bytes: u32,
    /// SHA-256 of the coded picture.
    pub sha256: [u8; 32],
    /// The camera's status at that moment.
    pub status: Status,
    /// Its cause, unless online.
    pub cause: Option<Cause>,
}

/// A stored snapshot with its picture, verified against its SHA-256.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// What is known of it.
    pub reference: SnapshotRef,
    /// The coded picture, bit for bit as it was stored.
    pub data: Bytes,
}

/// A scheduled snapshot that was not taken, and why; or several in a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// Whose.
    pub camera: CameraId,
    /// The instant it was wanted for; of several the first.
    pub slot: Wall,
    /// How many were wanted from then on, this one included.
    pub slots: u32,
    /// One each so many milliseconds; 0 for a single one.
    pub every_ms: u32,
    /// Why it was not taken.
    pub cause: Cause,
    /// What was seen; cut to [`Gap::DETAIL_BYTES`].
    pub detail: String,
}

impl Gap {
    /// Most bytes of [`Gap::detail`] that are kept.
    pub const DETAIL_BYTES: usize = 1024;

    /// One slot.
    #[must_use]
    pub fn one(camera: CameraId, slot: Wall, cause: Cause, detail: impl Into<String>) -> Gap {
        Gap { camera, slot, slots: 1, every_ms: 0, cause, detail: detail.into() }
    }

    /// The last of its slots.
    #[must_use]
    pub fn last(&self) -> Wall {
        Missed { cause: self.cause, slots: self.slots, every_ms: self.every_ms }.last(self.slot)
    }

    /// How many of its slots are at or after `from` and before `until`.
    #[must_use]
    pub fn slots_in(&self, from: Wall, until: Wall) -> u32 {
        // How many are before an instant.
        let before = |at: Wall| match (at.0.saturating_sub(self.slot.0), i64::from(self.every_ms)) {
            (since, _) if since <= 0 => 0,
            (_, 0) => 1,
            (since, every) => u32::try_from((since - 1) / every + 1).unwrap_or(u32::MAX).min(self.slots),
        };
        before(until).saturating_sub(before(from))
    }

    /// The same cut where hours begin, so that each part lies within one.
    pub(crate) fn by_hours(mut self) -> Vec<Gap> {
        let mut parts = Vec::new();
        while self.slots > 0 {
            let hour = Wall((self.slot.0.div_euclid(HOUR_MS) + 1).saturating_mul(HOUR_MS));
            let here = self.slots_in(self.slot, hour).max(1);
            let every_ms = if here > 1 { self.every_ms } else { 0 };
            parts.push(Gap { slots: here, every_ms, ..self.clone() });
            self.slots -= here;
            self.slot = Wall(self.slot.0.saturating_add(i64::from(here) * i64::from(self.every_ms)));
        }
        parts
    }
}

/// One line of a search.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A stored snapshot.
    Snapshot(SnapshotRef),
    /// A missing one.
    Gap(Gap),
}

impl Entry {
    /// Whose.
    #[must_use]
    pub fn camera(&self) -> CameraId {
        match self {
            Entry::Snapshot(s) => s.camera,
            Entry::Gap(g) => g.camera,
        }
    }

    /// The instant it was wanted for.
    #[must_use]
    pub fn slot(&self) -> Wall {
        match self {
            Entry::Snapshot(s) => s.slot,
            Entry::Gap(g) => g.slot,
        }
    }
}

/// Names one stored snapshot. Says camera, slot and the beginning of the picture's SHA-256, so it outlives a rebuilt
/// index and a moved segment, and never comes to mean another picture. As text: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId {
    camera: CameraId,
    slot: Wall,
    picture: [u8; 4],
}

/// Not the name of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a snapshot id: 32 lower-case hexadecimal digits are expected")]
pub struct SnapshotIdError;

impl SnapshotId {
    pub(crate) fn new(camera: CameraId, slot: Wall, sha256: &[u8; 32]) -> SnapshotId {
        SnapshotId { camera, slot, picture: [sha256[0], sha256[1], sha256[2], sha256[3]] }
    }

    /// Whose snapshot it names. As hostile as the text it was parsed from, until the snapshot was read.
    #[must_use]
    pub fn camera(&self) -> CameraId {
        self.camera
    }

    /// The instant of the snapshot it names. As hostile as the text it was parsed from.
    #[must_use]
    pub fn slot(&self) -> Wall {
        self.slot
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:016x}{:08x}", self.camera.0, self.slot.0, u32::from_be_bytes(self.picture))
    }
}

impl fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SnapshotId {
    type Err = SnapshotIdError;

    fn from_str(text: &str) -> Result<SnapshotId, SnapshotIdError> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(SnapshotIdError);
        }
        let all = u128::from_str_radix(text, 16).map_err(|_| SnapshotIdError)?.to_be_bytes();
        let (camera, rest) = all.split_first_chunk::<4>().ok_or(SnapshotIdError)?;
        let (slot, picture) = rest.split_first_chunk::<8>().ok_or(SnapshotIdError)?;
        Ok(SnapshotId {
            camera: CameraId(u32::from_be_bytes(*camera)),
            slot: Wall(i64::from_be_bytes(*slot)),
            picture: picture.try_into().map_err(|_| SnapshotIdError)?,
        })
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = SnapshotIdError;

    fn try_from(text: String) -> Result<SnapshotId, SnapshotIdError> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_its_text(camera: u32, slot: i64, sha256: [u8; 32]) {
            let id = SnapshotId::new(CameraId(camera), Wall(slot), &sha256);
            prop_assert_eq!(id.to_string().parse::<SnapshotId>(), Ok(id));
        }

        #[test]
        fn any_other_text_is_refused_or_unambiguous(text in "\\PC{0,40}|[0-9a-fA-F]{30,34}") {
            if let Ok(id) = text.parse::<SnapshotId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_by_hours_has_the_same_slots(slot in 0..4 * HOUR_MS, slots in 1..200_u32, every_ms in 1..4_000_000_u32, from in 0..900 * HOUR_MS, long in 0..9 * HOUR_MS) {
            let whole = Gap { slots, every_ms, ..Gap::one(CameraId(1), Wall(slot), Cause::NotRunning, "") };
            let each: Vec<i64> = (0..i64::from(slots)).map(|n| slot + n * i64::from(every_ms)).collect();
            let parts = whole.clone().by_hours();
            let cut = parts.iter().flat_map(|p| (0..i64::from(p.slots)).map(|n| p.slot.0 + n * i64::from(p.every_ms)));
            prop_assert_eq!(cut.collect::<Vec<_>>(), each.clone());
            for part in &parts {
                prop_assert_eq!(part.slot.0 / HOUR_MS, part.last().0 / HOUR_MS);
                prop_assert_eq!(part.slots > 1, part.every_ms > 0);
            }
            let within = each.iter().filter(|at| (from..from + long).contains(at)).count();
            let told: u32 = parts.iter().map(|p| p.slots_in(Wall(from), Wall(from + long))).sum();
            prop_assert_eq!(told as usize, within);
            prop_assert_eq!(whole.slots_in(Wall(from), Wall(from + long)) as usize, within);
        }
    }
}
