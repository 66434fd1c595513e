//! What to simulate. Serializable, so that another process can be told.

use crate::{Fault, Manner};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// A whole simulated county.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder that keeps the encoded scenes between starts. Created if missing.
    pub cache: PathBuf,
    /// The cameras.
    pub cameras: Vec<SimCamera>,
    /// Where faults are switched over HTTP; a loopback address, port 0 for a free one. `None`: nowhere.
    pub control: Option<SocketAddr>,
    /// Play the script of troubles.
    pub script: bool,
    /// Seed of the script of troubles.
    pub script_seed: u64,
    /// How many different scenes are drawn; cameras share them, each with its own skyline, name and clock.
    pub scenes: u32,
    /// Size of the pictures.
    pub size: Size,
    /// Length of a scene's loop in groups of pictures of 2 s.
    pub loop_gops: u32,
    /// Threads that serve cameras.
    pub workers: usize,
    /// How faults behave.
    pub behaviour: Behaviour,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cache: PathBuf::from("scenes"),
            cameras: Vec::new(),
            control: None,
            script: false,
            script_seed: 1,
            scenes: 30,
            size: Size::Full,
            loop_gops: 4,
            workers: 2,
            behaviour: Behaviour::default(),
        }
    }
}

/// Size of the pictures of all cameras.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Main 1920×1080 at 2 Mbit/s, sub 640×360 at 256 kbit/s.
    #[default]
    Full,
    /// Main 640×360, sub 320×180: for tests.
    Small,
}

/// How faults behave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// A camera that is slow to answer answers after this time.
    pub slow_answer: Duration,
    /// Share of packets lost, in percent.
    pub loss_percent: u8,
    /// Error of a wrong clock in milliseconds; positive is ahead.
    pub clock_error_ms: i64,
    /// Whether the burned-in clock of a frozen picture runs on.
    pub frozen_clock_runs: bool,
    /// RTSP session timeout that is announced, and held to for UDP.
    pub session_timeout: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            slow_answer: Duration::from_secs(8),
            loss_percent: 10,
            clock_error_ms: 3_600_000,
            frozen_clock_runs: false,
            session_timeout: Duration::from_secs(60),
        }
    }
}

/// One simulated camera.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimCamera {
    /// The number by which it is addressed here.
    pub id: u32,
    /// Burned into its picture.
    pub name: String,
    /// Where it stands; a target of faults.
    pub site: u32,
    /// The link it shares; a target of faults.
    pub uplink: Option<u32>,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Codec of both streams. Of every four scenes one is made in H.265 too.
    pub codec: SimCodec,
    /// Path (and query, if it needs one) of the main stream, with its leading slash.
    pub main: String,
    /// The same of the sub stream.
    pub sub: Option<String>,
    /// Who may view; `None`: everybody.
    pub account: Option<Account>,
    /// Which scene, by number; `None`: by id.
    pub scene: Option<u32>,
    /// Sessions at a time; the next is refused with 453.
    pub max_sessions: u32,
    /// Locks its account after so many wrong passwords, as many makers do.
    pub lockout: Option<u32>,
    /// How long a locked account stays locked.
    pub lockout_for: Duration,
    /// Error of its clock in milliseconds; positive is ahead.
    pub clock_error_ms: i64,
    /// How it departs from the RFCs.
    pub manners: Vec<Manner>,
}

impl SimCamera {
    pub(crate) fn has(&self, manner: Manner) -> bool {
        self.manners.contains(&manner)
    }
}

impl Default for SimCamera {
    fn default() -> Self {
        SimCamera {
            id: 0,
            name: String::new(),
            site: 0,
            uplink: None,
            addr: ([127, 0, 0, 1], 8554).into(),
            codec: SimCodec::H264,
            main: "/main".into(),
            sub: None,
            account: None,
            scene: None,
            max_sessions: 6,
            lockout: None,
            lockout_for: Duration::from_secs(1800),
            clock_error_ms: 0,
            manners: Vec::new(),
        }
    }
}

/// The video codec of a simulated camera.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimCodec {
    /// H.264 / AVC.
    #[default]
    H264,
    /// H.265 / HEVC.
    H265,
}

/// The account of a simulated camera. `Debug` shows no password.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Account name.
    pub username: String,
    /// Its password.
    pub password: String,
    /// How it is asked for.
    pub scheme: Scheme,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("username", &self.username)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// How a simulated camera asks for its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Name and password as they are (RFC 7617).
    Basic,
    /// Digest with MD5 (RFC 2069/7616).
    #[default]
    DigestMd5,
    /// Digest with SHA-256 (RFC 7616).
    DigestSha256,
    /// Digest with SHA-512-256 (RFC 7616).
    DigestSha512Trunc256,
}

/// Which cameras a fault hits. Serialized as `{"kind":"site","id":3}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Target {
    /// One camera.
    Camera(u32),
    /// All of a site.
    Site(u32),
    /// All behind an uplink.
    Uplink(u32),
    /// The whole county.
    All,
}

impl Target {
    /// Whether it hits this camera.
    #[must_use]
    pub fn hits(self, camera: &SimCamera) -> bool {
        match self {
            Target::Camera(id) => camera.id == id,
            Target::Site(id) => camera.site == id,
            Target::Uplink(id) => camera.uplink == Some(id),
            Target::All => true,
        }
    }
}

/// Why a simulation cannot start or do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// An address is taken or not ours.
    #[error("camera {id} cannot listen on {addr}: {source}")]
    Listen {
        /// Which camera.
        id: u32,
        /// Where it should listen.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The control address cannot be used.
    #[error("the control address {addr} cannot be used: {source}")]
    Control {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder of scenes cannot be used.
    #[error("the folder of scenes {path} cannot be used: {source}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A codec is missing or does not behave as expected.
    #[error("cannot encode scenes: {0}")]
    Encode(String),
    /// A setting makes no sense.
    #[error("{0}")]
    Config(String),
    /// No camera is hit.
    #[error("no camera belongs to {0:?}")]
    NoSuchTarget(Target),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// A fault that is on, and where.
pub type Trouble = (Target, Fault);
