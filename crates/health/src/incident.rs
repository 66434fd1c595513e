//! One disturbance, told once.

use fleet::{CameraId, Cause, Olt, SiteId, TownId, UplinkId, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of an incident; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.0)
    }
}

/// What the incident is about.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Scope {
    /// One camera.
    Camera(CameraId),
    /// All that share an uplink.
    Uplink(UplinkId),
    /// A whole site.
    Site(SiteId),
    /// Several uplinks of one line terminal.
    Olt(Olt),
    /// A town.
    Town(TownId),
    /// The whole county.
    County,
    /// Our own machine.
    Own,
}

/// How urgent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// 一般.
    Minor,
    /// 重要.
    Major,
    /// 紧急.
    Critical,
}

/// What probably lies behind it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LikelyCause {
    /// Power cut or cut fibre: everything behind one link is silent at once.
    PowerOrFibre,
    /// The power: what a technician finds where the rules cannot tell it from the fibre.
    Power,
    /// The fibre: likewise.
    Fibre,
    /// A switch, a recorder or its power, below a link that still works.
    Switch,
    /// 雷击: found by a technician; nothing that we see tells it.
    Lightning,
    /// 借电: power borrowed from a house or a shop, which is switched off at the same hour.
    BorrowedPower,
    /// The trunk or line terminal above several villages.
    Trunk,
    /// The camera itself, its cable or its PoE port.
    Camera,
    /// The camera's service or firmware: it answers, but does not stream.
    Firmware,
    /// Account or password.
    Account,
    /// Something else answers at the camera's address.
    IpConflict,
    /// Settings: path, codec, transport.
    Settings,
    /// Session limit; somebody else pulls it.
    Sessions,
    /// Poor link: loss, low rate.
    Link,
    /// Lens, lamp, sensor or its surroundings.
    Lens,
    /// Our own machine.
    Own,
}

impl LikelyCause {
    /// Whether what a technician found is what the rules had suggested: of a power cut or a cut fibre, either.
    #[must_use]
    pub fn is_met_by(self, found: LikelyCause) -> bool {
        self == found || (self == LikelyCause::PowerOrFibre && matches!(found, LikelyCause::Power | LikelyCause::Fibre))
    }
}

/// One reason why the core thinks so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Stable name of the rule.
    pub rule: String,
    /// What it weighs, in percent: how sure a rule of causes is; of a rule that joins, the share of cameras that fell
    /// silent among those that can testify.
    pub weight: u8,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// A camera inside an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Which camera.
    pub camera: CameraId,
    /// When it joined.
    pub joined: Wall,
    /// When it recovered or got an incident of its own.
    pub left: Option<Wall>,
    /// Its cause when it joined.
    pub cause: Cause,
}

/// Somebody has seen it and says why it can wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Wall,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Option<Wall>,
}

/// One disturbance 事件: one camera's, or a whole uplink's or site's as ONE.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// What it is about.
    pub scope: Scope,
    /// When the disturbance began.
    pub opened: Wall,
    /// When it was over.
    pub resolved: Option<Wall>,
    /// How urgent.
    pub severity: Severity,
    /// The dominant cause of its members.
    pub cause: Cause,
    /// What probably lies behind it.
    pub likely: LikelyCause,
    /// How sure the rules are, in percent.
    pub confidence: u8,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// The cameras.
    pub members: Vec<Member>,
    /// Seen by somebody.
    pub acknowledged: Option<Acknowledgement>,
    /// The incident this one was folded into, if any.
    pub folded_into: Option<IncidentId>,
    /// When the fault returned so soon after it was over that it was opened again; the last [`MOST_REOPENED`] times.
    pub reopened: Vec<Wall>,
}

/// Of an incident that is opened again and again so many times are kept.
pub const MOST_REOPENED: usize = 50;

impl Incident {
    /// Whether it still lasts.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }
}
