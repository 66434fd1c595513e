//! The availability ledger: from status intervals to the figures of an assessment 考核.
//!
//! Everything published is counted from [`Stretch`]es (what we saw) and [`Excuse`]s (what people decided about it),
//! and can be counted again from them. A [`Tally`] holds sums only, so tallies of hours add up to days, months,
//! sites, towns, contractors and the county; [`Carry`] is what an hour must know of the time before it. Time that
//! was paused, excused or unknown is in no rate, and is told beside it. Nothing here reads a clock or a database.
//!
//! Which formulas assessments use, and that the monitor's own downtime counts as unknown, is practice as described in
//! tenders, reports and the patent CN104899680A; no national standard fixes them, so each figure says what it is.

mod calendar;
mod count;
mod pieces;
mod rates;
mod tally;

pub use calendar::{Calendar, DAY_MS, HOUR_MS};
pub use count::{Carry, OpenOutage, Rules, hours, total};
pub use pieces::{Piece, pieces};
pub use rates::{Moment, Rates};
pub use tally::{Side, Tally};

use fleet::{CameraId, Cause, Status, Wall};
use serde::{Deserialize, Serialize};

/// One interval of one camera's status, as the ledger needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive); `None` while it lasts.
    pub until: Option<Wall>,
    /// The status.
    pub status: Status,
    /// Its cause, unless online.
    pub cause: Option<Cause>,
}

/// Time of one camera about which somebody decided how it counts: mostly that it is in nobody's figures 报备豁免.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Excuse {
    /// Which camera.
    pub camera: CameraId,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// What was decided.
    pub kind: ExcuseKind,
    /// Who decided.
    pub by: String,
    /// In his words.
    pub reason: String,
    /// When it was decided.
    pub recorded: Wall,
}

/// What was decided about a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcuseKind {
    /// 计划检修: planned work, announced before it began.
    Planned,
    /// 第三方原因: power company, road works, demolition, a carrier's cable; approved.
    ThirdParty,
    /// 检修不豁免: planned work that is not excused. Nothing is looked at meanwhile, but the time is judged: as time
    /// without video. It is no outage: nothing failed.
    Counted,
}

impl ExcuseKind {
    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ExcuseKind::Planned => "planned",
            ExcuseKind::ThirdParty => "third_party",
            ExcuseKind::Counted => "counted",
        }
    }

    /// The kind with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<ExcuseKind> {
        [ExcuseKind::Planned, ExcuseKind::ThirdParty, ExcuseKind::Counted].into_iter().find(|k| k.code() == code)
    }

    /// Whether the time is taken out of the figures.
    #[must_use]
    pub fn excuses(self) -> bool {
        self != ExcuseKind::Counted
    }
}

/// What a moment of a camera counts as.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 在线.
    Online,
    /// 异常: video arrives with a fault; online, but not intact.
    Impaired,
    /// 离线; planned work that is not excused counts as this too.
    Offline,
    /// 未知: we could not see.
    Unknown,
    /// 停用/检修.
    Paused,
    /// 豁免: whatever the camera did, a person took it out of the figures.
    Excused,
}

impl Kind {
    /// Every kind, in the order screens show them.
    pub const ALL: [Kind; 6] =
        [Kind::Online, Kind::Impaired, Kind::Offline, Kind::Unknown, Kind::Paused, Kind::Excused];

    /// The word used in the API, the database and files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Kind::Online => "online",
            Kind::Impaired => "impaired",
            Kind::Offline => "offline",
            Kind::Unknown => "unknown",
            Kind::Paused => "paused",
            Kind::Excused => "excused",
        }
    }

    /// What a moment counts as: what was seen, and whether a person excused the time, or planned work in it that is
    /// not excused. A camera that is out of use is nobody's; a pause for maintenance is what was decided about it.
    #[must_use]
    pub fn of(status: Status, cause: Option<Cause>, excused: bool, counted: bool) -> Kind {
        match status {
            Status::Paused if cause != Some(Cause::Maintenance) => Kind::Paused,
            _ if excused => Kind::Excused,
            Status::Paused if counted => Kind::Offline,
            status => status.into(),
        }
    }

    /// Whether video arrives.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Kind::Online | Kind::Impaired)
    }

    /// Whether the moment is in the denominators of the rates.
    #[must_use]
    pub fn is_judged(self) -> bool {
        self.is_up() || self == Kind::Offline
    }
}

impl From<Status> for Kind {
    fn from(status: Status) -> Kind {
        match status {
            Status::Online => Kind::Online,
            Status::Impaired => Kind::Impaired,
            Status::Offline => Kind::Offline,
            Status::Unknown => Kind::Unknown,
            Status::Paused => Kind::Paused,
        }
    }
}
