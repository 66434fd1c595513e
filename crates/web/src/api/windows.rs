//! Planned maintenance: listed, planned, ended early.

use crate::{
    api::reason,
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    services::Command,
    views::{Paged, ScopeView},
};
use axum::{Json, extract::State};
use fleet::{CameraId, Olt, Registry, SiteId, TownId, UplinkId, Wall};
use health::{Event, NewWindow, Scope, Window, WindowId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Windows that ended this long ago are still listed unless another range is asked for.
const LOOK_BACK_MS: i64 = 30 * 24 * 3600 * 1000;

/// Planned maintenance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WindowView {
    id: u64,
    scope: ScopeView,
    /// How many cameras it covers now.
    cameras: u32,
    from: i64,
    /// As planned.
    until: i64,
    reason: String,
    by: String,
    /// Taken out of the denominators of published rates.
    excused: bool,
    created: i64,
    /// Ended early; before `from`: called off.
    ended: Option<i64>,
    ended_by: Option<String>,
}

impl WindowView {
    fn of(window: &Window, registry: &Registry) -> WindowView {
        let cameras = registry.cameras().filter(|c| window.covers(c, registry)).count();
        WindowView {
            id: window.id.0,
            scope: ScopeView::from(&window.scope),
            cameras: u32::try_from(cameras).unwrap_or(u32::MAX),
            from: window.from.0,
            until: window.until.0,
            reason: window.reason.clone(),
            by: window.by.clone(),
            excused: window.excused,
            created: window.created.0,
            ended: window.ended.map(|t| t.0),
            ended_by: window.ended_by.clone(),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// That end after; 30 days ago if absent.
    from: Option<i64>,
    /// That begin before.
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Planned maintenance that covers cameras in scope, by its beginning
#[utoipa::path(get, path = "/api/v1/windows", tag = "windows", params(Range),
    responses((status = 200, body = Paged<WindowView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(range): Query<Range>,
) -> Result<Json<Paged<WindowView>>> {
    let registry = app.services.registry.load_full();
    let from = range.from.unwrap_or_else(|| Wall::read().0.saturating_sub(LOOK_BACK_MS));
    let found = app.services.store.windows(Wall(from)..Wall(range.until.unwrap_or(i64::MAX))).await?;
    let seen = found.into_iter().filter(|w| touches(&caller, &registry, &w.scope)).collect();
    let rows = Rows { limit: range.limit, cursor: range.cursor };
    Ok(Json(page(seen, &rows, |w: &Window| (w.from.0, w.id.0))?.map(|w| WindowView::of(&w, &registry))))
}

/// What maintenance is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// camera, uplink, site, olt, town or county.
    kind: String,
    /// A number; the name for an olt; absent for the county.
    #[schema(value_type = Option<serde_json::Value>)]
    id: Option<PlaceId>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PlaceId {
    Number(u32),
    Name(String),
}

impl Place {
    /// As the core names it.
    pub(crate) fn scope(self) -> Result<Scope> {
        Ok(match (self.kind.as_str(), self.id) {
            ("camera", Some(PlaceId::Number(id))) => Scope::Camera(CameraId(id)),
            ("uplink", Some(PlaceId::Number(id))) => Scope::Uplink(UplinkId(id)),
            ("site", Some(PlaceId::Number(id))) => Scope::Site(SiteId(id)),
            ("town", Some(PlaceId::Number(id))) => Scope::Town(TownId(id)),
            ("olt", Some(PlaceId::Name(name))) if name.chars().count() <= 200 => Scope::Olt(Olt(name)),
            ("county", None) => Scope::County,
            _ => return Err(Problem::invalid("scope: expected a kind of place and its id")),
        })
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanWindow {
    scope: Place,
    from: i64,
    until: i64,
    reason: String,
    /// Taken out of the denominators of published rates.
    excused: bool,
}

/// Plan maintenance; while it lasts its cameras are paused and nobody is alarmed
#[utoipa::path(post, path = "/api/v1/windows", tag = "windows", request_body = PlanWindow,
    responses((status = 200, body = WindowView), (status = 400), (status = 404)))]
pub(crate) async fn plan(
    State(app): State<App>,
    caller: Caller,
    Body(plan): Body<PlanWindow>,
) -> Result<Json<WindowView>> {
    let registry = app.services.registry.load_full();
    let now = Wall::read();
    let window = NewWindow {
        scope: plan.scope.scope()?,
        from: Wall(plan.from),
        until: Wall(plan.until),
        reason: reason(&plan.reason)?,
        by: caller.user.name.clone(),
        excused: plan.excused,
        created: now,
    };
    window.check(&registry, now).map_err(|fault| Problem::invalid(fault.to_string()))?;
    if !is_all_his(&caller, &registry, &window.scope) {
        return Err(Problem::not_found());
    }
    let _order = app.administration.lock().await;
    let detail = format!("{:?} {}..{} excused {}", window.scope, window.from.0, window.until.0, window.excused);
    app.audit(Deed::of(&caller, Action::WindowPlanned).because(window.reason.as_str()).detail(detail)).await?;
    let made = app.services.store.add_window(window).await?;
    app.tell_windows().await?;
    Ok(Json(WindowView::of(&made, &registry)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndWindow {
    reason: String,
}

/// End maintenance early, or call it off before it begins
#[utoipa::path(post, path = "/api/v1/windows/{id}/end", tag = "windows", params(("id" = u64, Path)),
    request_body = EndWindow, responses((status = 200, body = WindowView), (status = 400), (status = 404)))]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(body): Body<EndWindow>,
) -> Result<Json<WindowView>> {
    let registry = app.services.registry.load_full();
    let reason = reason(&body.reason)?;
    let now = Wall::read();
    let _order = app.administration.lock().await;
    let ahead = app.services.store.windows(Wall(i64::MIN)..Wall(i64::MAX)).await?;
    let window = ahead.into_iter().find(|w| w.id.0 == id).ok_or_else(Problem::not_found)?;
    if !is_all_his(&caller, &registry, &window.scope) {
        return Err(Problem::not_found());
    }
    app.audit(Deed::of(&caller, Action::WindowEnded).on(window.id).because(reason)).await?;
    let ended = app.services.store.end_window(WindowId(id), now, &caller.user.name).await?;
    app.tell_windows().await?;
    Ok(Json(WindowView::of(&ended, &registry)))
}

impl App {
    /// Tells the core which windows there are now.
    async fn tell_windows(&self) -> Result<()> {
        let windows = self.services.store.windows(Wall::read()..Wall(i64::MAX)).await?;
        self.command(Command::Event(Event::Windows(windows.into()))).await
    }
}

/// Some of its cameras are in the caller's scope.
pub(crate) fn touches(caller: &Caller, registry: &Registry, scope: &Scope) -> bool {
    caller.scope.is_everything()
        || registry.cameras().any(|c| scope.covers(c, registry) && caller.scope.sees_site(registry, c.site))
}

/// All of its cameras are in the caller's scope: nobody pauses what is not his.
pub(crate) fn is_all_his(caller: &Caller, registry: &Registry, scope: &Scope) -> bool {
    caller.scope.is_everything()
        || registry.cameras().filter(|c| scope.covers(c, registry)).all(|c| caller.scope.sees_site(registry, c.site))
            && touches(caller, registry, scope)
}
