//! Limits and rules of the ingest, as the configuration file gives them.

use crate::Network;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Settings of the ingest. Durations are seconds in the file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long each step may take.
    pub limits: Limits,
    /// Networks in which cameras may be. Empty: everywhere but loopback, link-local, multicast and other
    /// addresses that are no camera's.
    pub allow_networks: Vec<Network>,
    /// Cameras may be on this machine (simulation).
    pub allow_loopback: bool,
    /// If the camera refuses the registered transport, or nothing comes by UDP: try the other one, and say so. Else
    /// the session fails.
    pub transport_fallback: bool,
    /// Time between two reports of a session's figures.
    #[serde(with = "seconds")]
    pub figures_every: Duration,
    /// How long an old session's TEARDOWN is awaited before the camera is opened again.
    #[serde(with = "seconds")]
    pub teardown: Duration,
    /// Largest keyframe that is assembled, in bytes.
    pub keyframe_bytes: usize,
    /// Threads that read streams; 0: one for two processors.
    pub reading_threads: usize,
    /// What we call ourselves in RTSP requests.
    pub user_agent: String,
}

/// How long each step of a session may take. Each is absolute: bytes that trickle in extend none of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Resolving a host name.
    #[serde(with = "seconds")]
    pub resolve: Duration,
    /// The TCP connection.
    #[serde(with = "seconds")]
    pub connect: Duration,
    /// Each RTSP answer.
    #[serde(with = "seconds")]
    pub answer: Duration,
    /// From PLAY to the first RTP packet of video.
    #[serde(with = "seconds")]
    pub first_packet: Duration,
    /// Between two RTP packets of video.
    #[serde(with = "seconds")]
    pub packet_gap: Duration,
    /// From the first RTP packet to the first keyframe.
    #[serde(with = "seconds")]
    pub first_keyframe: Duration,
    /// Between two keyframes of a running session.
    #[serde(with = "seconds")]
    pub keyframe_gap: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limits: Limits::default(),
            allow_networks: Vec::new(),
            allow_loopback: false,
            transport_fallback: true,
            figures_every: Duration::from_secs(5),
            teardown: Duration::from_secs(1),
            keyframe_bytes: 4 << 20,
            reading_threads: 0,
            user_agent: concat!("SharpEyes/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            resolve: Duration::from_secs(3),
            connect: Duration::from_secs(4),
            answer: Duration::from_secs(4),
            first_packet: Duration::from_secs(4),
            packet_gap: Duration::from_secs(5),
            first_keyframe: Duration::from_secs(10),
            keyframe_gap: Duration::from_secs(30),
        }
    }
}

/// A duration as a number of seconds.
mod seconds {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let value = f64::deserialize(from)?;
        match Duration::try_from_secs_f64(value) {
            Ok(value) if value > Duration::ZERO && value <= Duration::from_secs(3600) => Ok(value),
            _ => Err(D::Error::custom("expected a number of seconds above 0 and up to 3600")),
        }
    }
}
