//! What the outside world tells the core.

use crate::IncidentId;
use fleet::{CameraId, Cause, Codec, Layer, Registry, StreamChoice, Wall};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Something that happened. Time is handed in beside it, never inside.
#[derive(Clone, Debug)]
pub enum Event {
    /// The register was loaded or changed; replaces the former one.
    Registry(Arc<Registry>),
    /// A camera's continuous session.
    Stream {
        /// Which camera.
        camera: CameraId,
        /// What happened to it.
        event: StreamEvent,
    },
    /// A keyframe was decoded and judged, or could not be decoded.
    Picture {
        /// Which camera.
        camera: CameraId,
        /// The outcome.
        verdict: PictureVerdict,
    },
    /// A snapshot asked for by [`Effect::Snapshot`](crate::Effect::Snapshot) was stored or missed.
    Snapshot {
        /// Which camera.
        camera: CameraId,
        /// The scheduled instant it belongs to.
        slot: Wall,
        /// Stored, or why not.
        outcome: SnapshotOutcome,
    },
    /// A part of our own machine failed or works again.
    Own {
        /// Which part.
        part: OwnPart,
        /// `Some(detail)` while it is at fault.
        fault: Option<String>,
    },
    /// A person asks for a check now. Allows one more try of a refused password.
    CheckNow {
        /// Which camera.
        camera: CameraId,
    },
    /// A person acknowledges an incident.
    Acknowledge {
        /// Which incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// Why it can wait.
        reason: String,
        /// Until when; open-ended if `None`.
        until: Option<Wall>,
    },
    /// A person pauses a camera (planned maintenance) or ends the pause (`until` = `None`).
    Pause {
        /// Which camera.
        camera: CameraId,
        /// Paused until then.
        until: Option<Wall>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The planned windows that are not over; replaces the former list.
    Windows(Arc<[crate::Window]>),
    /// Time has passed; sent at the latest at [`Fleet::next_deadline`](crate::Fleet::next_deadline).
    Tick,
}

/// What a session reports.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEvent {
    /// PLAY was answered and the first RTP packet of video arrived.
    Opened {
        /// Main or sub.
        stream: StreamChoice,
        /// From the start of the TCP connection to the first RTP packet of video.
        took: Duration,
    },
    /// Figures of the running session, about every 5 s.
    Figures(StreamFigures),
    /// The session could not be opened, or has ended.
    Ended(Failure),
}

/// Figures of a running session; counts since the previous report.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StreamFigures {
    /// Length of the reporting window.
    pub window: Duration,
    /// Codec from the SDP.
    pub codec: Option<Codec>,
    /// Picture width in pixels, from the parameter sets.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// RTP packets of video.
    pub packets: u64,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Bits per second of RTP payload.
    pub bitrate: u64,
    /// Frames per second really delivered, by RTP timestamps seen.
    pub fps: f32,
    /// Keyframes seen.
    pub keyframes: u32,
    /// Time since the last keyframe at the end of the window.
    pub keyframe_age: Option<Duration>,
    /// Interarrival jitter (RFC 3550 §6.4.1) in milliseconds.
    pub jitter_ms: f32,
    /// Camera clock minus our clock in milliseconds, from RTCP sender reports.
    pub clock_offset_ms: Option<i64>,
}

/// Why a check or session failed: the rung, the cause, and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// From the closed list; its layer is `cause.layer()`.
    pub cause: Cause,
    /// Evidence in plain words: status line, counts, times. Never a secret, at most a few hundred characters.
    pub detail: String,
}

impl Failure {
    /// The rung that failed.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.cause.layer()
    }
}

/// What a keyframe showed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PictureVerdict {
    /// When the keyframe arrived.
    pub received: Wall,
    /// `None`: decoded and the scene is good as far as judged. Otherwise the worst fault of layer decode or
    /// picture, already agreed over several keyframes where the class asks for it. Causes that begin with
    /// `Own` say that we could not judge.
    pub fault: Option<Failure>,
}

/// How a scheduled snapshot ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotOutcome {
    /// On disk, flushed.
    Stored,
    /// Not taken.
    Missed(Failure),
}

/// Parts of our own machine whose fault makes cameras `unknown`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnPart {
    /// Our network.
    Network,
    /// Our disk (archive folder).
    Disk,
    /// Our database.
    Database,
    /// Our decoder processes.
    Decoder,
    /// Our wall clock.
    Clock,
    /// Our processor: it does not keep up with the streams, so answers seem late that were in time.
    Machine,
}
