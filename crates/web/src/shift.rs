//! What a shift 班次 was like, for whoever takes it over: what changed, what is open, what is planned.

use crate::{
    api::overview::ArchiveView,
    app::App,
    caller::Caller,
    problem::Result,
    views::{CountsView, OwnFault, ScopeView, own_faults, rows},
    words::{CauseWord, OrderStateWord, SeverityWord, StatusWord},
};
use fleet::{CameraId, Registry, Status, Wall};
use health::{Incident, Scope as IncidentScope, ledger::Calendar};
use jiff::civil::Time;
use serde::Serialize;
use std::{collections::BTreeMap, ops::Range};
use store::{Handover, HandoverQuery, IncidentQuery, OrderQuery, Part, Role};
use utoipa::ToSchema;

/// Lists are cut to this many rows; how many more there are is said.
const ROWS: usize = 200;
/// Pages of 1,000 that are read of former incidents and orders.
const PAGES: usize = 10;
/// What was opened longer ago than this is not looked for among what ended in the shift.
const LOOK_BACK_MS: i64 = 90 * 24 * 3600 * 1000;
/// Maintenance that begins within so long is told.
const AHEAD_MS: i64 = 24 * 3600 * 1000;
/// A handover older than this says nothing of where the present shift began.
const LONGEST_MS: i64 = 36 * 3600 * 1000;

/// What a shift was like, of the cameras in the caller's scope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShiftReport {
    from: i64,
    until: i64,
    /// Cameras by status when the shift began; null if nothing is known of then.
    then: Option<CountsView>,
    now: CountsView,
    /// Cameras whose status is another than when the shift began, worst first.
    changed: Vec<ChangedCamera>,
    changed_in_all: u32,
    /// Of those, how many are offline now, whether told by name or not.
    turned_offline: u32,
    /// And how many are online.
    turned_online: u32,
    incidents_opened: u32,
    incidents_resolved: u32,
    /// Open now, worst first.
    incidents: Vec<OpenIncident>,
    incidents_open: u32,
    orders_opened: u32,
    orders_closed: u32,
    /// Open now: overdue first, then by when they are due.
    orders: Vec<OpenOrder>,
    orders_open: u32,
    orders_overdue: u32,
    /// Maintenance that holds now, or begins within a day.
    windows: Vec<WindowAhead>,
    own_faults: Vec<OwnFault>,
    archive: ArchiveView,
}

/// A camera that is not as it was.
#[derive(Debug, Serialize, ToSchema)]
struct ChangedCamera {
    camera: u32,
    before: StatusWord,
    now: StatusWord,
    cause: Option<CauseWord>,
    since: i64,
}

/// An incident in short.
#[derive(Debug, Serialize, ToSchema)]
struct OpenIncident {
    id: u64,
    scope: ScopeView,
    severity: SeverityWord,
    cause: CauseWord,
    opened: i64,
    cameras: u32,
    /// Why it can wait, if somebody said so.
    acknowledged: Option<String>,
}

/// A work order in short.
#[derive(Debug, Serialize, ToSchema)]
struct OpenOrder {
    id: u64,
    incident: u64,
    state: OrderStateWord,
    severity: SeverityWord,
    /// Who is to do it; empty if nobody is named.
    assignee: String,
    due: Option<i64>,
    overdue: bool,
}

/// Maintenance in short.
#[derive(Debug, Serialize, ToSchema)]
struct WindowAhead {
    id: u64,
    scope: ScopeView,
    from: i64,
    until: i64,
    reason: String,
}

/// The part of the county that a caller watches.
pub(crate) fn part(caller: &Caller) -> Part {
    Part::new(caller.user.towns.clone(), caller.user.sites.clone())
}

/// Whether a handover exists for the caller: of his own part, or he watches everything.
pub(crate) fn sees(caller: &Caller, handover: &Handover) -> bool {
    caller.scope.is_everything() || handover.part == part(caller)
}

impl App {
    /// When the caller's present shift began: at the last handover of his part, or else when shifts changed last.
    pub(crate) async fn shift_began(&self, caller: &Caller, now: Wall) -> Result<Wall> {
        let last = HandoverQuery { part: Some(part(caller)), limit: 1, cursor: None };
        let last = self.services.store.handovers(&last).await?.items.into_iter().next();
        match last.map(|h| h.until).filter(|t| (0..LONGEST_MS).contains(&now.millis_since(*t))) {
            Some(until) => Ok(until),
            None => Ok(changed_last(&self.services.config.shifts, now)),
        }
    }

    /// What the shift is like.
    pub(crate) async fn shift_report(&self, caller: &Caller, range: Range<Wall>) -> Result<ShiftReport> {
        let board = self.services.board.load_full();
        let registry = self.services.registry.load_full();
        let before = self.statuses_at(range.start).await?;
        let mut then = CountsView::default();
        let mut now = CountsView::default();
        let mut changed = Vec::new();
        for row in rows(&board, &registry).filter(|r| caller.scope.sees_camera(&registry, r.camera)) {
            now.add(row.status);
            let Some(&was) = before.get(&row.camera) else { continue };
            then.add(was);
            if was != row.status {
                changed.push(ChangedCamera {
                    camera: row.camera.0,
                    before: was.into(),
                    now: row.status.into(),
                    cause: row.cause.map(Into::into),
                    since: row.since.0,
                });
            }
        }
        changed.sort_by_key(|c| (badness(c.now.0), -c.since));
        let changed_in_all = count(changed.len());
        let turned = |to: Status| count(changed.iter().filter(|c| c.now.0 == to).count());
        let (turned_offline, turned_online) = (turned(Status::Offline), turned(Status::Online));
        changed.truncate(ROWS);

        let (incidents_opened, incidents_resolved) = self.incidents_within(caller, &registry, &range).await?;
        let mut open: Vec<_> = board
            .incidents
            .iter()
            .filter(|i| i.folded_into.is_none())
            .filter_map(|i| caller.scope.incident(&registry, i))
            .map(|i| open_incident(&i))
            .collect();
        open.sort_by_key(|i| (std::cmp::Reverse(i.severity.0), -i.opened));
        let incidents_open = count(open.len());
        open.truncate(ROWS);

        let (orders_opened, orders_closed) = self.orders_within(caller, &registry, &range).await?;
        let mut orders = self.open_orders_of(caller, &registry, range.end).await?;
        let (orders_open, orders_overdue) = (count(orders.len()), count(orders.iter().filter(|o| o.overdue).count()));
        orders.truncate(ROWS);

        let windows = self.services.store.windows(range.end..Wall(range.end.0.saturating_add(AHEAD_MS))).await?;
        let ahead = windows.iter().filter(|w| w.end() > range.end && w.end() > w.from);
        let ahead = ahead.filter(|w| {
            registry.cameras().any(|c| w.covers(c, &registry) && caller.scope.sees_site(&registry, c.site))
        });
        Ok(ShiftReport {
            from: range.start.0,
            until: range.end.0,
            then: (!before.is_empty()).then_some(then),
            now,
            changed,
            changed_in_all,
            turned_offline,
            turned_online,
            incidents_opened,
            incidents_resolved,
            incidents: open,
            incidents_open,
            orders_opened,
            orders_closed,
            orders,
            orders_open,
            orders_overdue,
            windows: ahead
                .take(ROWS)
                .map(|w| WindowAhead {
                    id: w.id.0,
                    scope: ScopeView::from(&w.scope),
                    from: w.from.0,
                    until: w.until.0,
                    reason: w.reason.clone(),
                })
                .collect(),
            own_faults: own_faults(&board),
            archive: ArchiveView::of(&self.services.archive.stats()),
        })
    }

    /// The status that each camera had at an instant.
    async fn statuses_at(&self, at: Wall) -> Result<BTreeMap<CameraId, Status>> {
        let held = self.services.store.status_seconds(at..Wall(at.0.saturating_add(1))).await?;
        let of = |millis: [i64; 5]| Status::ALL.into_iter().zip(millis).find(|(_, ms)| *ms > 0).map(|(s, _)| s);
        Ok(held.into_iter().filter_map(|h| Some((h.camera, of(h.millis)?))).collect())
    }

    /// How many incidents were opened, and how many resolved.
    async fn incidents_within(&self, caller: &Caller, registry: &Registry, range: &Range<Wall>) -> Result<(u32, u32)> {
        let mut query = IncidentQuery {
            from: Some(Wall(range.start.0.saturating_sub(LOOK_BACK_MS))),
            until: Some(range.end),
            limit: 1000,
            ..IncidentQuery::default()
        };
        let (mut opened, mut resolved) = (0, 0);
        for _ in 0..PAGES {
            let page = self.services.store.incidents(&query).await?;
            for incident in page.items.iter().filter(|i| i.folded_into.is_none()) {
                if caller.scope.incident(registry, incident).is_some() {
                    opened += u32::from(range.contains(&incident.opened));
                    resolved += u32::from(incident.resolved.is_some_and(|t| range.contains(&t)));
                }
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok((opened, resolved))
    }

    /// How many work orders were opened, and how many closed.
    async fn orders_within(&self, caller: &Caller, registry: &Registry, range: &Range<Wall>) -> Result<(u32, u32)> {
        let mut query = OrderQuery {
            from: Some(Wall(range.start.0.saturating_sub(LOOK_BACK_MS))),
            until: Some(range.end),
            limit: 1000,
            ..OrderQuery::default()
        };
        let (mut opened, mut closed) = (0, 0);
        for _ in 0..PAGES {
            let page = self.services.store.orders(&query).await?;
            for order in page.items.iter().filter(|o| concerns(caller, registry, &o.cameras)) {
                opened += u32::from(range.contains(&order.opened));
                closed += u32::from(order.closed.is_some_and(|t| range.contains(&t)));
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok((opened, closed))
    }

    async fn open_orders_of(&self, caller: &Caller, registry: &Registry, now: Wall) -> Result<Vec<OpenOrder>> {
        let names = self.names().await?;
        let mut open = self.services.store.open_orders().await?;
        open.retain(|o| concerns(caller, registry, &o.cameras));
        open.sort_by_key(|o| (!o.is_overdue(now), o.due(now).map_or(i64::MAX, |t| t.0), o.id));
        let short = open.iter().map(|o| OpenOrder {
            id: o.id.0,
            incident: o.incident.0,
            state: o.state.into(),
            severity: o.severity.into(),
            assignee: match &o.assignee {
                Some(health::desk::Assignee::Technician(user)) => names.get(user).cloned().unwrap_or_default(),
                Some(health::desk::Assignee::Contractor(unit)) => unit.clone(),
                None => String::new(),
            },
            due: o.due(now).map(|t| t.0),
            overdue: o.is_overdue(now),
        });
        Ok(short.collect())
    }
}

fn open_incident(incident: &Incident) -> OpenIncident {
    let cameras = incident.members.iter().filter(|m| m.left.is_none()).count();
    OpenIncident {
        id: incident.id.0,
        scope: ScopeView::from(&incident.scope),
        severity: incident.severity.into(),
        cause: incident.cause.into(),
        opened: incident.opened.0,
        cameras: if incident.scope == IncidentScope::Own { 0 } else { count(cameras) },
        acknowledged: incident.acknowledged.as_ref().map(|a| a.reason.clone()),
    }
}

fn concerns(caller: &Caller, registry: &Registry, cameras: &[CameraId]) -> bool {
    caller.scope.is_everything() || cameras.iter().any(|c| caller.scope.sees_camera(registry, *c))
}

/// Worst first.
fn badness(status: Status) -> u8 {
    match status {
        Status::Offline => 0,
        Status::Impaired => 1,
        Status::Unknown => 2,
        Status::Paused => 3,
        Status::Online => 4,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// When shifts last changed, by the county's clock; a day begins one if none is set.
fn changed_last(shifts: &[Time], now: Wall) -> Wall {
    const DAY_MS: i64 = 24 * 3_600_000;
    let today = Calendar::day(now);
    let yesterday = Wall(today.0.saturating_sub(DAY_MS));
    let since_midnight = |t: Time| i64::from(t.hour()) * 3_600_000 + i64::from(t.minute()) * 60_000;
    let at = |day: Wall, time: Time| Wall(day.0.saturating_add(since_midnight(time)));
    [yesterday, today]
        .into_iter()
        .flat_map(|day| shifts.iter().map(move |time| at(day, *time)))
        .filter(|t| *t <= now)
        .max()
        .unwrap_or(today)
}

/// Who may take a shift over: somebody else than who handed it over.
pub(crate) fn may_take(caller: &Caller, handover: &Handover) -> bool {
    caller.user.role != Role::Auditor && caller.user.name != handover.given.by
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_begins_when_shifts_changed_last() {
        let day = |d: i64| d * 86_400_000 - 8 * 3_600_000;
        let clock = |d: i64, h: i64, m: i64| Wall(day(d) + (h * 60 + m) * 60_000);
        let shifts = [Time::constant(8, 0, 0, 0), Time::constant(20, 30, 0, 0)];
        assert_eq!(changed_last(&shifts, clock(20_000, 12, 0)), clock(20_000, 8, 0));
        assert_eq!(changed_last(&shifts, clock(20_000, 8, 0)), clock(20_000, 8, 0));
        assert_eq!(changed_last(&shifts, clock(20_000, 20, 29)), clock(20_000, 8, 0));
        assert_eq!(changed_last(&shifts, clock(20_000, 23, 59)), clock(20_000, 20, 30));
        assert_eq!(changed_last(&shifts, clock(20_001, 3, 0)), clock(20_000, 20, 30), "over midnight");
        assert_eq!(changed_last(&[], clock(20_000, 12, 0)), clock(20_000, 0, 0));
    }
}
