//! The register's records: place and device kept apart, as 一机一档 practice asks.
//!
//! A [`Place`] is where a camera stands and keeps its history; a [`Device`] is the hardware there and may be
//! replaced. Only a camera's name, site and stream address are required; everything else may be unknown.

use crate::{CameraId, Credentials, GbCode, Quirks, SiteId, StreamUrl, TownId, UplinkId, Wall};
use serde::{Deserialize, Serialize};

/// One town or street office 乡镇/街道.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Town {
    /// Our id.
    pub id: TownId,
    /// Its name.
    pub name: String,
}

/// What kind of site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// 建制村/社区.
    Village,
    /// 中心区域.
    CentralArea,
}

/// A village or central area: where cameras stand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Site {
    /// Our id.
    pub id: SiteId,
    /// Its name.
    pub name: String,
    /// Village or central area.
    pub kind: SiteKind,
    /// The town it belongs to.
    pub town: TownId,
    /// 12-digit code for statistics 统计用区划代码, as written.
    pub stat_code: Option<String>,
}

/// Optical line terminal: several villages' uplinks share one. Known by its name only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Olt(pub String);

/// The network path that cameras share: the unit of common failure and of the bandwidth budget.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Uplink {
    /// Our id.
    pub id: UplinkId,
    /// Its name.
    pub name: String,
    /// The line terminal above it.
    pub olt: Option<Olt>,
    /// What we may ask of it, in kbit/s.
    pub budget_kbps: Option<u32>,
}

/// 在用/维修/停用/拆除.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifeCycle {
    /// 在用.
    #[default]
    InUse,
    /// 维修.
    Repair,
    /// 停用.
    OutOfUse,
    /// 拆除; its history stays.
    Dismantled,
}

/// Which of a camera's streams is meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamChoice {
    /// 主码流.
    #[default]
    Main,
    /// 子码流.
    Sub,
}

/// How RTP travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Interleaved in the RTSP connection; the default.
    #[default]
    Tcp,
    /// UDP; by choice, for cameras that need it.
    Udp,
}

impl Transport {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Transport {
        match self {
            Transport::Tcp => Transport::Udp,
            Transport::Udp => Transport::Tcp,
        }
    }
}

/// A video codec we can archive and show.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// H.264 / AVC, Annex B.
    H264,
    /// H.265 / HEVC, Annex B.
    H265,
    /// Motion JPEG: each frame is a whole JPEG file.
    Jpeg,
}

/// WGS-84 position and where it comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees east, WGS-84.
    pub longitude: f64,
    /// Degrees north, WGS-84.
    pub latitude: f64,
    /// How it was obtained: survey, GPS, map, register …
    pub source: Option<String>,
}

/// Where the pole takes its power 取电.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Power {
    /// Kind of source: 电业局, 企事业, 居民, 商铺 …
    pub source: Option<String>,
    /// Who can switch it on again.
    pub contact: Option<String>,
    /// Their telephone number.
    pub phone: Option<String>,
}

/// The place 点位 of a camera.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Code of the place 点位编码, as written.
    pub code: Option<String>,
    /// Address or description.
    pub address: Option<String>,
    /// Where it is.
    pub coordinates: Option<Coordinates>,
    /// Its power.
    pub power: Power,
    /// Serial number of the ONU.
    pub onu_serial: Option<String>,
}

/// The hardware 设备 at the place.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Device {
    /// Maker 厂商.
    pub vendor: Option<String>,
    /// Model 型号.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// MAC address, as written.
    pub mac: Option<String>,
    /// When it was installed (text as written, e.g. 2021-11-30).
    pub installed: Option<String>,
    /// How many RTSP sessions it serves us at once, if it was found out.
    pub sessions: Option<u8>,
    /// How it is treated where it does not keep to the RFCs.
    pub quirks: Quirks,
}

impl Device {
    /// How many sessions we may have at once: at least one, two unless known otherwise.
    #[must_use]
    pub fn sessions(&self) -> u8 {
        self.sessions.unwrap_or(2).max(1)
    }
}

/// Who looks after it 维护单位.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Upkeep {
    /// The unit.
    pub unit: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// One video channel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Camera {
    /// Our id; survives a new address and new hardware.
    pub id: CameraId,
    /// Its name, as burned into the picture.
    pub name: String,
    /// Village or central area.
    pub site: SiteId,
    /// The uplink it shares, if known.
    pub uplink: Option<UplinkId>,
    /// GB/T 28181 code, as written.
    pub gb_code: Option<GbCode>,
    /// Main stream.
    pub main: StreamUrl,
    /// Sub stream.
    pub sub: Option<StreamUrl>,
    /// The account; never serialized.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
    /// How RTP travels.
    pub transport: Transport,
    /// In use, in repair, out of use, dismantled.
    pub life_cycle: LifeCycle,
    /// The place.
    pub place: Place,
    /// The hardware.
    pub device: Device,
    /// Who looks after it.
    pub upkeep: Upkeep,
    /// When this record last changed.
    pub changed: Wall,
}

impl Camera {
    /// The address of one of its streams; the main one if it has no sub stream.
    #[must_use]
    pub fn stream(&self, choice: StreamChoice) -> &StreamUrl {
        match (choice, &self.sub) {
            (StreamChoice::Sub, Some(sub)) => sub,
            _ => &self.main,
        }
    }
}

macro_rules! codes {
    ($name:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl $name {
            /// The word used in the API, the database and the import file.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)* }
            }

            /// The value with this [`code`](Self::code).
            #[must_use]
            pub fn from_code(code: &str) -> Option<$name> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }
        }
    };
}

codes!(SiteKind { Village = "village", CentralArea = "central_area" });
codes!(LifeCycle { InUse = "in_use", Repair = "repair", OutOfUse = "out_of_use", Dismantled = "dismantled" });
codes!(StreamChoice { Main = "main", Sub = "sub" });
codes!(Transport { Tcp = "tcp", Udp = "udp" });
codes!(Codec { H264 = "h264", H265 = "h265", Jpeg = "jpeg" });
