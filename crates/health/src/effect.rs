//! What the core asks the outside world to do.

use crate::{Failure, Incident, StreamFormat};
use fleet::{CameraId, Cause, Layer, Status, StreamChoice, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something to be done, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Open the camera's continuous session (already paced by start-up ramp, uplink budget and backoff).
    Open {
        /// Which camera.
        camera: CameraId,
        /// Which stream.
        stream: StreamChoice,
        /// A person asked for it: a refused password may be tried once more.
        by_person: bool,
    },
    /// End the camera's session, if any.
    Close {
        /// Which camera.
        camera: CameraId,
    },
    /// Decode and judge the camera's next keyframe; answer with `Event::Picture`.
    Assess {
        /// Which camera.
        camera: CameraId,
    },
    /// Archive the camera's next keyframe; answer with `Event::Snapshot`. If the stream is not the one that is pulled
    /// continuously, a short session is opened for it, which is paced like any other.
    Snapshot {
        /// Which camera.
        camera: CameraId,
        /// Of which stream.
        stream: StreamChoice,
        /// The scheduled instant.
        slot: Wall,
        /// Why it is taken.
        class: SnapshotClass,
    },
    /// Record that the snapshot of this slot could not be taken.
    Gap {
        /// Which camera.
        camera: CameraId,
        /// The scheduled instant.
        slot: Wall,
        /// Why.
        failure: Failure,
    },
    /// Record that the snapshots of several slots in a row could not be taken: nothing of ours ran.
    Gaps {
        /// Which camera.
        camera: CameraId,
        /// The first scheduled instant.
        slot: Wall,
        /// How many.
        slots: u32,
        /// One each so long.
        every: Duration,
        /// Why.
        failure: Failure,
    },
    /// A stream was seen to be made of something, for the first time in this run or otherwise than before: record it.
    Format(FormatChange),
    /// A camera's status changed: record it and tell everyone.
    Status(StatusChange),
    /// Nothing was looked at for a while: what is on record as going on is `unknown` for that time, and goes on after it.
    Unobserved(Unobserved),
    /// An incident was opened, changed or resolved: record it (by its id, the newest wins) and tell everyone.
    Incident(Incident),
}

/// Why a snapshot is kept; retention differs by class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotClass {
    /// On schedule.
    Routine,
    /// Because the status changed.
    StatusChange,
    /// Because of an incident.
    Incident,
}

/// What a camera's stream is made of from an instant on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FormatChange {
    /// Which camera.
    pub camera: CameraId,
    /// Which of its streams.
    pub stream: StreamChoice,
    /// From when.
    pub at: Wall,
    /// Codec, profile, size.
    pub format: StreamFormat,
}

/// Time in which nothing of ours looked at any camera: a suspended machine, a stopped process, hours that a step of the
/// wall clock left out. It changes no verdict, but nobody may claim to know what was in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unobserved {
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// Which part of ours it was.
    pub cause: Cause,
    /// What that rests on.
    pub detail: String,
}

/// The end of one status interval and the beginning of the next.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatusChange {
    /// Which camera.
    pub camera: CameraId,
    /// When the new status holds from.
    pub at: Wall,
    /// The new status.
    pub status: Status,
    /// The status before; `None` for the first of a camera.
    pub from: Option<Status>,
    /// The failing rung, unless online.
    pub layer: Option<Layer>,
    /// The cause, unless online.
    pub cause: Option<Cause>,
    /// What the verdict rests on.
    pub detail: String,
}

/// What a status rests on whose camera was refused, once the register says something new of it.
pub(crate) const REGISTER_CHANGED: &str = "the register was changed";

impl StatusChange {
    /// The camera refused its password, which is not sent again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.cause == Some(Cause::PasswordRefused)
    }

    /// Whatever was refused before no longer counts: something else was found, or something else would be sent.
    #[must_use]
    pub fn ends_refusal(&self) -> bool {
        let judged = !matches!(self.status, Status::Unknown | Status::Paused);
        (judged && !self.is_refusal()) || (self.status == Status::Unknown && self.detail == REGISTER_CHANGED)
    }
}
