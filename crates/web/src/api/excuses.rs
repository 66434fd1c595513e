//! Excuses handed in after the fact 事后报备: listed, asked for, decided by another person.

use crate::{
    api::{
        reason,
        windows::{Place, is_all_his, touches},
    },
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    views::{Paged, ScopeView},
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{Registry, Wall};
use health::{
    desk::{ExcuseDecision, ExcuseId, ExcuseRequest, NewExcuseRequest},
    ledger::ExcuseKind,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A request for an excuse, and what was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExcuseView {
    id: u64,
    scope: ScopeView,
    /// How many cameras it covers now.
    cameras: u32,
    from: i64,
    until: i64,
    /// planned (work that was not announced in time) or third_party.
    kind: &'static str,
    reason: String,
    by: String,
    at: i64,
    /// Null while nobody has decided.
    decision: Option<DecisionView>,
    /// The caller may decide it: he is not who asked, and all of its cameras are his.
    may_decide: bool,
}

/// What another person decided.
#[derive(Debug, Serialize, ToSchema)]
struct DecisionView {
    /// The time is out of the figures.
    granted: bool,
    by: String,
    at: i64,
    note: String,
}

impl ExcuseView {
    fn of(request: &ExcuseRequest, registry: &Registry, caller: &Caller) -> ExcuseView {
        let cameras = registry.cameras().filter(|c| request.scope.covers(c, registry)).count();
        ExcuseView {
            id: request.id.0,
            scope: ScopeView::from(&request.scope),
            cameras: u32::try_from(cameras).unwrap_or(u32::MAX),
            from: request.from.0,
            until: request.until.0,
            kind: request.kind.code(),
            reason: request.reason.clone(),
            by: request.by.clone(),
            at: request.at.0,
            decision: request.decision.as_ref().map(|d| DecisionView {
                granted: d.granted,
                by: d.by.clone(),
                at: d.at.0,
                note: d.note.clone(),
            }),
            may_decide: request.decision.is_none()
                && request.by != caller.user.name
                && is_all_his(caller, registry, &request.scope),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// About some time after.
    from: Option<i64>,
    /// About some time before.
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Requests for excuses that cover cameras in scope, by their number
#[utoipa::path(get, path = "/api/v1/excuses", tag = "excuses", params(Range),
    responses((status = 200, body = Paged<ExcuseView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(range): Query<Range>,
) -> Result<Json<Paged<ExcuseView>>> {
    let registry = app.services.registry.load_full();
    let time = Wall(range.from.unwrap_or(i64::MIN))..Wall(range.until.unwrap_or(i64::MAX));
    let mut found = app.services.store.excuse_requests(time).await?;
    found.retain(|r| touches(&caller, &registry, &r.scope));
    let rows = Rows { limit: range.limit, cursor: range.cursor };
    Ok(Json(page(found, &rows, |r: &ExcuseRequest| r.id.0)?.map(|r| ExcuseView::of(&r, &registry, &caller))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskExcuse {
    scope: Place,
    from: i64,
    until: i64,
    /// planned (work that was not announced in time) or third_party.
    kind: String,
    reason: String,
}

/// Ask that a time that is past be left out of the figures; another person decides
#[utoipa::path(post, path = "/api/v1/excuses", tag = "excuses", request_body = AskExcuse,
    responses((status = 200, body = ExcuseView), (status = 400), (status = 404)))]
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Body(ask): Body<AskExcuse>,
) -> Result<Json<ExcuseView>> {
    let registry = app.services.registry.load_full();
    let kind = ExcuseKind::from_code(&ask.kind).filter(|kind| kind.excuses());
    let request = NewExcuseRequest {
        scope: ask.scope.scope()?,
        from: Wall(ask.from),
        until: Wall(ask.until),
        kind: kind.ok_or_else(|| Problem::invalid("kind: expected planned or third_party"))?,
        reason: reason(&ask.reason)?,
        by: caller.user.name.clone(),
        at: Wall::read(),
    };
    request.check(&registry).map_err(|fault| Problem::invalid(fault.to_string()))?;
    if !is_all_his(&caller, &registry, &request.scope) {
        return Err(Problem::not_found());
    }
    let detail = format!("{:?} {}..{} {}", request.scope, request.from.0, request.until.0, request.kind.code());
    app.audit(Deed::of(&caller, Action::ExcuseAsked).because(request.reason.as_str()).detail(detail)).await?;
    let made = app.services.store.ask_excuse(request).await?;
    Ok(Json(ExcuseView::of(&made, &registry, &caller)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideExcuse {
    granted: bool,
    /// Why.
    reason: String,
}

/// Grant or refuse an excuse that another person asked for
#[utoipa::path(post, path = "/api/v1/excuses/{id}/decide", tag = "excuses", params(("id" = u64, Path)),
    request_body = DecideExcuse,
    responses((status = 200, body = ExcuseView), (status = 400), (status = 403), (status = 404)))]
pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(body): Body<DecideExcuse>,
) -> Result<Json<ExcuseView>> {
    let registry = app.services.registry.load_full();
    let note = reason(&body.reason)?;
    let _order = app.administration.lock().await;
    let all = app.services.store.excuse_requests(Wall(i64::MIN)..Wall(i64::MAX)).await?;
    let request = all.into_iter().find(|r| r.id.0 == id).ok_or_else(Problem::not_found)?;
    if !is_all_his(&caller, &registry, &request.scope) {
        return Err(Problem::not_found());
    }
    if request.by == caller.user.name {
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_request", "another person than who asked must decide"));
    }
    let detail = format!("granted {}", body.granted);
    app.audit(Deed::of(&caller, Action::ExcuseDecided).on(request.id).because(note.as_str()).detail(detail)).await?;
    let by = caller.user.name.clone();
    let decision = ExcuseDecision { granted: body.granted, by, at: Wall::read(), note };
    let decided = app.services.store.decide_excuse(ExcuseId(id), decision).await?;
    Ok(Json(ExcuseView::of(&decided, &registry, &caller)))
}
