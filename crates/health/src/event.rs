//! What the outside world tells the core.

use crate::IncidentId;
use fleet::{CameraId, Cause, Codec, Layer, Registry, StreamChoice, Transport, Wall};
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
        /// How its packets travel.
        carriage: Carriage,
    },
    /// Figures of the running session, about every 5 s.
    Figures(StreamFigures),
    /// The session could not be opened, or has ended.
    Ended(Failure),
}

/// How the packets of a session travel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Carriage {
    /// What carries them.
    pub transport: Transport,
    /// Why it is not what the register asks for; `None` if it is.
    pub fallback: Option<String>,
}

/// What a stream is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StreamFormat {
    /// Its codec.
    pub codec: Codec,
    /// Profile and level, if the parameter sets tell.
    pub profile: Option<Profile>,
    /// Picture width in pixels.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
}

/// Profile and level of a stream, as its parameter sets number them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// `profile_idc` of H.264, `general_profile_idc` of H.265.
    pub idc: u8,
    /// `level_idc`: ten times the level in H.264, thirty times in H.265.
    pub level: u8,
}

impl Profile {
    /// What it is called, such as "High 4.1".
    #[must_use]
    pub fn name(self, codec: Codec) -> String {
        let name = match (codec, self.idc) {
            (Codec::H264, 66) => "Baseline",
            (Codec::H264, 77) => "Main",
            (Codec::H264, 88) => "Extended",
            (Codec::H264, 100) => "High",
            (Codec::H264, 110) => "High 10",
            (Codec::H264, 122) => "High 4:2:2",
            (Codec::H264, 244) => "High 4:4:4",
            (Codec::H265, 1) => "Main",
            (Codec::H265, 2) => "Main 10",
            (Codec::H265, 3) => "Main Still Picture",
            (Codec::H265, 4) => "Range Extensions",
            (_, idc) => return format!("profile {idc}, level {}", self.level),
        };
        let tenths = u32::from(self.level) * 10 / if codec == Codec::H265 { 30 } else { 10 };
        format!("{name} {}.{}", tenths / 10, tenths % 10)
    }
}

impl std::fmt::Display for StreamFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.codec.code())?;
        if let Some(profile) = self.profile {
            write!(f, " {}", profile.name(self.codec))?;
        }
        write!(f, " {}×{}", self.width, self.height)
    }
}

/// How fast a camera's clock gains on ours.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Drift {
    /// Millionths; negative if it falls behind. 11.6 are a second a day.
    pub ppm: f32,
    /// Half of the interval in which it lies, in millionths.
    pub uncertainty_ppm: f32,
}

/// Figures of a running session; counts since the previous report.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StreamFigures {
    /// Length of the reporting window.
    pub window: Duration,
    /// Codec from the SDP.
    pub codec: Option<Codec>,
    /// Profile and level, from the parameter sets.
    pub profile: Option<Profile>,
    /// Picture width in pixels, from the parameter sets.
    pub width: u32,
    /// Picture height in pixels.
    pub height: u32,
    /// RTP packets of video.
    pub packets: u64,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Longest pause between two packets.
    pub longest_gap: Duration,
    /// Bits per second of RTP payload.
    pub bitrate: u64,
    /// Frames per second really delivered, by RTP timestamps seen.
    pub fps: f32,
    /// Keyframes seen.
    pub keyframes: u32,
    /// Time since the last keyframe at the end of the window.
    pub keyframe_age: Option<Duration>,
    /// Time between the last two keyframes.
    pub keyframe_interval: Option<Duration>,
    /// From the answer to PLAY to the first keyframe.
    pub first_keyframe: Option<Duration>,
    /// Interarrival jitter (RFC 3550 §6.4.1) in milliseconds.
    pub jitter_ms: f32,
    /// Camera clock minus our clock in milliseconds, from RTCP sender reports.
    pub clock_offset_ms: Option<i64>,
    /// Half of the interval in which the offset lies, in milliseconds: the way to the camera and back, and how much
    /// the readings scatter.
    pub clock_uncertainty_ms: Option<u32>,
    /// How fast the camera's clock runs away, once it was watched for long enough.
    pub clock_drift: Option<Drift>,
    /// Its sender reports tell times that are no date, such as seconds since power-on.
    pub clock_absurd: bool,
}

impl StreamFigures {
    /// What the stream is made of, once its parameter sets have told.
    #[must_use]
    pub fn format(&self) -> Option<StreamFormat> {
        let codec = self.codec?;
        let known = self.width > 0 && self.height > 0;
        known.then_some(StreamFormat { codec, profile: self.profile, width: self.width, height: self.height })
    }
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
    /// What is archived: some of it is not as it was written.
    Archive,
    /// Our database.
    Database,
    /// Our decoder processes.
    Decoder,
    /// Our wall clock.
    Clock,
    /// Our processor: it does not keep up with the streams, so answers seem late that were in time.
    Machine,
}
