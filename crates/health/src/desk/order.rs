//! A work order 工单: an incident given to somebody who goes there, and everything that happened to it.

use crate::{
    IncidentId, LikelyCause, Severity,
    ledger::{Excuse, ExcuseKind},
};
use fleet::{CameraId, Cause, Layer, TownId, Wall};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Number of a work order; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "G{}", self.0)
    }
}

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// 待确认: reported; nobody has said yet that somebody must go.
    Reported,
    /// 待派单: somebody must go, nobody is named.
    Confirmed,
    /// 已派单: given to a technician or contractor.
    Assigned,
    /// 已接单: he has taken it.
    Accepted,
    /// 处理中: he works on it.
    Working,
    /// 挂起: it waits for something, until a stated time.
    OnHold,
    /// 待验收: said to be repaired, or recovered by itself.
    Repaired,
    /// 已关闭.
    Closed,
}

impl OrderState {
    /// Every state, in the order of an ordinary life.
    pub const ALL: [OrderState; 8] = [
        OrderState::Reported,
        OrderState::Confirmed,
        OrderState::Assigned,
        OrderState::Accepted,
        OrderState::Working,
        OrderState::OnHold,
        OrderState::Repaired,
        OrderState::Closed,
    ];
}

/// How a closed order ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 验收通过: the repair was verified.
    Accepted,
    /// 误报: there was nothing to repair.
    FalseAlarm,
    /// 合并: it is dealt with under another order.
    Merged,
}

/// Who is to do it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Assignee {
    /// One technician, by the number of his account.
    Technician(u32),
    /// A contractor 维护单位, by name: any technician of this unit.
    Contractor(String),
}

/// Why an order waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// 停电.
    PowerCut,
    /// 修路施工.
    RoadWorks,
    /// 拆迁.
    Demolition,
    /// 运营商断缆.
    CarrierFibre,
    /// 备件未到.
    Parts,
    /// 天气.
    Weather,
    /// 现场进不去.
    NoAccess,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [HoldReason; 7] = [
        HoldReason::PowerCut,
        HoldReason::RoadWorks,
        HoldReason::Demolition,
        HoldReason::CarrierFibre,
        HoldReason::Parts,
        HoldReason::Weather,
        HoldReason::NoAccess,
    ];

    /// A third party is at fault: once approved, the repair clock stands still.
    #[must_use]
    pub fn third_party(self) -> bool {
        matches!(self, HoldReason::PowerCut | HoldReason::RoadWorks | HoldReason::Demolition | HoldReason::CarrierFibre)
    }

    /// As it is written where the ledger names what a time was excused for.
    fn chinese(self) -> &'static str {
        match self {
            HoldReason::PowerCut => "停电",
            HoldReason::RoadWorks => "修路施工",
            HoldReason::Demolition => "拆迁",
            HoldReason::CarrierFibre => "运营商断缆",
            HoldReason::Parts => "备件未到",
            HoldReason::Weather => "天气",
            HoldReason::NoAccess => "现场进不去",
        }
    }
}

/// An order that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    pub since: Wall,
    /// Until when; then it is being worked on again.
    pub until: Wall,
    /// Who approved that the repair clock stands still; `None` while nobody has.
    pub approved_by: Option<String>,
    /// When.
    #[serde(default)]
    pub approved: Option<Wall>,
}

/// Time for which a third party was to blame, as somebody approved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Standstill {
    /// What the third party did.
    pub reason: HoldReason,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// Who approved it.
    pub by: String,
    /// When.
    pub approved: Wall,
}

/// An order in somebody's hands: each answers for his own time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Whose.
    pub to: Assignee,
    /// When it was given to him.
    pub from: Wall,
    /// When he took it.
    pub accepted: Option<Wall>,
    /// When it was handed on or given back; `None` while it is his.
    pub until: Option<Wall>,
}

/// What the technician found, beside what the rules had suggested.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confirmed {
    /// Of which incident.
    pub incident: IncidentId,
    /// What the rules had said when he found it.
    pub suggested: LikelyCause,
    /// What it was.
    pub found: LikelyCause,
    /// In his words.
    pub note: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Wall,
}

/// A fresh climb of the ladder of one of its cameras.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// Which camera.
    pub camera: CameraId,
    /// When.
    pub at: Wall,
    /// Who asked for it.
    pub by: String,
    /// The first failing rung; `None`: it delivers a good picture.
    pub layer: Option<Layer>,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// The number of the picture taken then.
    pub picture: Option<u64>,
}

/// One thing that happened to an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Wall,
    /// Who: name to sign in with; `system` for ourselves.
    pub by: String,
    /// What: a stable word such as `assign`.
    pub act: String,
    /// State before.
    pub from: OrderState,
    /// State after.
    pub to: OrderState,
    /// In words.
    pub note: String,
}

/// An order to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its cameras.
    pub cameras: Vec<CameraId>,
    /// The town of most of them.
    pub town: Option<TownId>,
    /// How urgent.
    pub severity: Severity,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Wall,
    /// 待确认, or 待派单 if whoever makes it may confirm it.
    pub state: OrderState,
    /// In words.
    pub note: String,
}

/// A work order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Grows with each change: whoever changes an older one is refused.
    pub version: u32,
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its cameras.
    pub cameras: Vec<CameraId>,
    /// The town of most of them.
    pub town: Option<TownId>,
    /// How urgent.
    pub severity: Severity,
    /// Where it stands.
    pub state: OrderState,
    /// When it was made.
    pub opened: Wall,
    /// Who is to do it.
    pub assignee: Option<Assignee>,
    /// Everybody who has had it, in order; none of orders from before this was kept.
    #[serde(default)]
    pub assignments: Vec<Assignment>,
    /// When it was first given to somebody: both clocks start.
    pub assigned: Option<Wall>,
    /// When it was taken: the response clock stops.
    pub accepted: Option<Wall>,
    /// It should be taken by then.
    pub response_due: Option<Wall>,
    /// It should be repaired by then; moves on by each approved hold.
    pub repair_due: Option<Wall>,
    /// Since when everything has been well again; the repair clock counts to here.
    pub recovered: Option<Wall>,
    /// While it waits.
    pub hold: Option<Hold>,
    /// How long the repair clock stood still, in milliseconds.
    pub held_ms: i64,
    /// The times in which it did, oldest first; without the hold that lasts.
    #[serde(default)]
    pub stood: Vec<Standstill>,
    /// Holds that ended, for which a third party may be to blame and nobody has approved it; until when they lasted.
    #[serde(default)]
    pub waited: Vec<Hold>,
    /// When it was closed.
    pub closed: Option<Wall>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The order under which it is dealt with.
    pub parent: Option<OrderId>,
    /// The orders that are dealt with under this one; their cameras are among its own.
    #[serde(default)]
    pub children: Vec<OrderId>,
    /// What the technician found.
    pub confirmed: Option<Confirmed>,
    /// Fresh climbs; the newest of each camera.
    pub verifications: Vec<Verification>,
    /// Everything that happened, oldest first.
    pub history: Vec<Step>,
}

impl Order {
    /// The order as it begins.
    #[must_use]
    pub fn new(id: OrderId, new: NewOrder) -> Order {
        let first = Step { at: new.at, by: new.by, act: "open".into(), from: new.state, to: new.state, note: new.note };
        Order {
            id,
            version: 1,
            incident: new.incident,
            cameras: new.cameras,
            town: new.town,
            severity: new.severity,
            state: new.state,
            opened: new.at,
            assignee: None,
            assignments: Vec::new(),
            assigned: None,
            accepted: None,
            response_due: None,
            repair_due: None,
            recovered: None,
            hold: None,
            held_ms: 0,
            stood: Vec::new(),
            waited: Vec::new(),
            closed: None,
            outcome: None,
            parent: None,
            children: Vec::new(),
            confirmed: None,
            verifications: Vec::new(),
            history: vec![first],
        }
    }

    /// Whether something is still to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != OrderState::Closed
    }

    /// How long it took, or takes as of `now`, until somebody took it; `None` before it was given to anybody.
    #[must_use]
    pub fn response_time(&self, now: Wall) -> Option<Duration> {
        Some(span(self.assigned?, self.accepted.or(self.recovered).or(self.closed).unwrap_or(now), 0))
    }

    /// How long the repair took, or takes as of `now`, without the time for which a third party was to blame.
    #[must_use]
    pub fn repair_time(&self, now: Wall) -> Option<Duration> {
        let until = self.recovered.or(self.closed).unwrap_or(now);
        Some(span(self.assigned?, until, self.held_ms + self.standing_still(until)))
    }

    /// Milliseconds for which the repair clock has stood still in the hold that lasts.
    pub(super) fn standing_still(&self, now: Wall) -> i64 {
        let approved = self.hold.as_ref().filter(|h| h.approved_by.is_some());
        approved.map_or(0, |h| now.min(h.until).millis_since(h.since).max(0))
    }

    /// The hold that lasts, as far as the repair clock stands still for it.
    pub(super) fn standstill(&self) -> Option<Standstill> {
        let hold = self.hold.as_ref()?;
        let by = hold.approved_by.clone()?;
        let approved = hold.approved.unwrap_or(hold.since);
        Some(Standstill { reason: hold.reason, from: hold.since, until: hold.until, by, approved })
    }

    /// The time that the availability ledger leaves out for this order: its cameras, while a third party was to blame
    /// and somebody approved it. A hold that lasts reaches to its planned end.
    #[must_use]
    pub fn excuses(&self) -> Vec<Excuse> {
        let times = self.stood.iter().cloned().chain(self.standstill());
        times
            .flat_map(|time| {
                self.cameras.iter().map(move |camera| Excuse {
                    camera: *camera,
                    from: time.from,
                    until: time.until,
                    kind: ExcuseKind::ThirdParty,
                    by: time.by.clone(),
                    reason: format!("{}（工单 {}）", time.reason.chinese(), self.id),
                    recorded: time.approved,
                })
            })
            .collect()
    }

    /// Until when it should be repaired, as the hold that lasts has moved it on by now.
    #[must_use]
    pub fn due(&self, now: Wall) -> Option<Wall> {
        self.repair_due.map(|due| Wall(due.0.saturating_add(self.standing_still(now))))
    }

    /// Something should have been done by now: taken, or repaired.
    #[must_use]
    pub fn is_overdue(&self, now: Wall) -> bool {
        if !self.is_open() || self.recovered.is_some() {
            return false;
        }
        let untaken = self.accepted.is_none() && self.response_due.is_some_and(|due| due < now);
        untaken || self.due(now).is_some_and(|due| due < now)
    }

    /// Whether it was, or still can be, repaired in time; `None` if it was never given to anybody.
    #[must_use]
    pub fn within_time(&self, now: Wall) -> Option<bool> {
        let until = self.recovered.or(self.closed).unwrap_or(now);
        self.due(until).map(|due| until <= due)
    }
}

impl Assignment {
    /// How long it took until he took it, or until it was handed on untaken; `None` while neither happened.
    #[must_use]
    pub fn response(&self) -> Option<Duration> {
        self.accepted.or(self.until).map(|until| span(self.from, until, 0))
    }

    /// How long it was his until `end`, without the time for which a third party was to blame.
    #[must_use]
    pub fn repair(&self, order: &Order, end: Wall) -> Duration {
        let until = self.until.unwrap_or(end).min(end);
        let stood = order.stood.iter().cloned().chain(order.standstill());
        let within = |t: Standstill| t.until.min(until).millis_since(t.from.max(self.from)).max(0);
        span(self.from, until, stood.map(within).sum())
    }
}

fn span(from: Wall, until: Wall, without_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(until.millis_since(from).saturating_sub(without_ms)).unwrap_or(0))
}
