//! Holds 保全: ranges of the archive that retention must leave alone.

use crate::{
    api::reason,
    app::App,
    audit::{self, Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    pictures::archive_problem,
    problem::{Body, Path, Problem, Query, Result},
    views::Paged,
};
use archive::{Hold, HoldKind, NewHold};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{CameraId, SiteId, TownId, Wall};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use utoipa::ToSchema;

/// A hold as the pages see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldView {
    id: u32,
    /// legal or audit.
    kind: String,
    /// Which cameras it is about; empty for all.
    cameras: Vec<u32>,
    from: i64,
    until: i64,
    reason: String,
    document: String,
    by: String,
    placed: i64,
    expires: Option<i64>,
    /// Whether it is in force.
    holds: bool,
    released: Option<i64>,
    released_by: Option<String>,
    release_reason: Option<String>,
}

impl HoldView {
    fn of(hold: Hold, now: Wall) -> HoldView {
        let holds = hold.holds(now);
        let Hold { id, placed, what, released } = hold;
        HoldView {
            id,
            kind: match what.kind {
                HoldKind::Legal => "legal".to_owned(),
                HoldKind::Audit => "audit".to_owned(),
            },
            cameras: what.cameras.into_iter().map(|c| c.0).collect(),
            from: what.from.0,
            until: what.until.0,
            reason: what.reason,
            document: what.document,
            by: what.by,
            placed: placed.0,
            expires: what.expires.map(|e| e.0),
            holds,
            released: released.as_ref().map(|r| r.at.0),
            released_by: released.as_ref().map(|r| r.by.clone()),
            release_reason: released.map(|r| r.reason),
        }
    }
}

/// Every hold, those in force first
#[utoipa::path(get, path = "/api/v1/holds", tag = "holds", params(Rows),
    responses((status = 200, body = Paged<HoldView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<HoldView>>> {
    let now = Wall::read();
    let registry = app.services.registry.load_full();
    let mut holds = app.services.archive.holds();
    if !caller.scope.is_everything() {
        let seen = |c: &CameraId| caller.scope.sees_camera(&registry, *c);
        holds.retain(|h| !h.what.cameras.is_empty() && h.what.cameras.iter().all(seen));
    }
    let holds = holds.into_iter().map(|h| HoldView::of(h, now)).collect();
    Ok(Json(page(holds, &rows, |h| (!h.holds, Reverse(h.id)))?))
}

/// A range to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHoldBody {
    /// legal or audit.
    kind: String,
    camera: Option<u32>,
    site: Option<u32>,
    town: Option<u32>,
    /// Slots at or after.
    from: i64,
    /// Slots before.
    until: i64,
    /// Why 事由.
    reason: String,
    /// Number of the document that asks for it.
    document: String,
    /// When it ends by itself; until somebody ends it if null.
    expires: Option<i64>,
}

/// Keep a range whatever retention says
#[utoipa::path(post, path = "/api/v1/holds", tag = "holds", request_body = NewHoldBody,
    responses((status = 201, body = HoldView), (status = 400), (status = 404)))]
pub(crate) async fn place(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewHoldBody>,
) -> Result<(StatusCode, Json<HoldView>)> {
    let kind = match body.kind.as_str() {
        "legal" => HoldKind::Legal,
        "audit" => HoldKind::Audit,
        _ => return Err(Problem::invalid("kind: expected legal or audit")),
    };
    let why = reason(&body.reason)?;
    let document = reason(&body.document).map_err(|_| Problem::invalid("document: expected 1 to 200 characters"))?;
    let registry = app.services.registry.load_full();
    let narrow = body.camera.is_some() || body.site.is_some() || body.town.is_some();
    let mut cameras = Vec::new();
    if narrow || !caller.scope.is_everything() {
        let mut seen = caller.scope.cameras(&registry);
        seen.retain(|id| {
            let camera = registry.camera(*id);
            let town = camera.and_then(|c| registry.site(c.site)).map(|s| s.town);
            body.camera.is_none_or(|wanted| *id == CameraId(wanted))
                && body.site.is_none_or(|wanted| camera.is_some_and(|c| c.site == SiteId(wanted)))
                && body.town.is_none_or(|wanted| town == Some(TownId(wanted)))
        });
        if seen.is_empty() {
            return Err(Problem::not_found());
        }
        cameras = seen.into_iter().collect();
    }
    let new = NewHold {
        kind,
        cameras,
        from: Wall(body.from),
        until: Wall(body.until),
        reason: why.clone(),
        document: document.clone(),
        by: audit::person(&caller.user),
        expires: body.expires.map(Wall),
    };
    let detail = format!("{document} · {} — {} · {}", body.from, body.until, cameras_of(&new));
    let deed = Deed::of(&caller, Action::HoldPlaced).because(why).detail(detail.as_str());
    let hold = match app.services.archive.hold(new).await {
        Ok(hold) => hold,
        Err(error) => {
            app.audit(deed.failed().detail(format!("{detail} · {error}"))).await?;
            return Err(archive_problem(error));
        }
    };
    // Its number is known only now. A hold that nobody answers for must not be.
    if let Err(problem) = app.audit(deed.on(object(hold.id))).await {
        let why = "could not be written down in the audit log".to_owned();
        app.services.archive.release(hold.id, audit::person(&caller.user), why).await.map_err(archive_problem)?;
        return Err(problem);
    }
    Ok((StatusCode::CREATED, Json(HoldView::of(hold, Wall::read()))))
}

/// How the audit log names a hold.
fn object(id: u32) -> String {
    format!("hold {id}")
}

/// Cameras that are named one by one.
const NAMED: usize = 100;

/// Which cameras a hold is about, for the log.
fn cameras_of(hold: &NewHold) -> String {
    if hold.cameras.is_empty() {
        return "all cameras".to_owned();
    }
    let named: Vec<String> = hold.cameras.iter().take(NAMED).map(ToString::to_string).collect();
    let more = hold.cameras.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} cameras: {}{more}", hold.cameras.len(), named.join(" "))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    /// Why it may end.
    reason: String,
}

/// End a hold: from now on retention decides again
#[utoipa::path(post, path = "/api/v1/holds/{id}/release", tag = "holds", params(("id" = u32, Path)),
    request_body = ReleaseBody, responses((status = 200, body = HoldView), (status = 400), (status = 404)))]
pub(crate) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<ReleaseBody>,
) -> Result<Json<HoldView>> {
    let registry = app.services.registry.load_full();
    let found = app.services.archive.holds().into_iter().find(|h| h.id == id);
    let seen = |h: &Hold| {
        caller.scope.is_everything()
            || (!h.what.cameras.is_empty() && h.what.cameras.iter().all(|c| caller.scope.sees_camera(&registry, *c)))
    };
    let found = found.filter(seen).ok_or_else(Problem::not_found)?;
    let why = reason(&body.reason)?;
    let detail = format!("{} · {}", found.what.document, cameras_of(&found.what));
    let deed = || Deed::of(&caller, Action::HoldReleased).on(object(id)).because(why.as_str()).detail(detail.as_str());
    // Written down first, if it can be: what is let go may be gone a moment later.
    let ended = !found.holds(Wall::read());
    if !ended {
        app.audit(deed()).await?;
    }
    match app.services.archive.release(id, audit::person(&caller.user), why.clone()).await {
        Ok(hold) => Ok(Json(HoldView::of(hold, Wall::read()))),
        Err(error) => {
            app.audit(deed().failed().detail(format!("{detail} · {error}"))).await?;
            Err(archive_problem(error))
        }
    }
}
