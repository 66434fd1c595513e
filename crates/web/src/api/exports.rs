//! Taking evidence out: asking for it, agreeing to it, downloading it.

use crate::{
    api::{limit, reason, snapshots::word},
    app::App,
    audit::{self, Action, Deed},
    caller::Caller,
    exports::{self, Asked},
    paging::Rows,
    problem::{Body, Path, Problem, Query, Result},
    views::Paged,
    words::ExportWord,
};
use archive::SnapshotId;
use axum::{
    Json,
    body::Body as Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use fleet::{CameraId, SiteId, Status, TownId, Wall};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use store::{Export, ExportId, ExportQuery, ExportState};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use utoipa::ToSchema;

/// Snapshots that may be named one by one.
const NAMED_MOST: usize = 500;

/// An export as the pages see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportView {
    id: u32,
    created: i64,
    who: String,
    who_detail: String,
    reason: String,
    document: String,
    /// What was asked for, in words.
    asked: String,
    state: ExportWord,
    decided_by: Option<String>,
    decision: String,
    /// When it came to its present state.
    changed: i64,
    /// Snapshots done and in all, while it is being made.
    done: Option<u32>,
    total: Option<u32>,
    snapshots: u64,
    gaps: u64,
    left_out: u64,
    bytes: u64,
    sha256: String,
    error: String,
    /// When the package is removed.
    expires: Option<i64>,
}

fn view(app: &App, export: Export) -> ExportView {
    let progress = app.exports.progress(export.id).filter(|_| export.state == ExportState::Running);
    let asked = serde_json::from_str::<Asked>(&export.asked).map(|a| a.words).unwrap_or_default();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    ExportView {
        id: export.id.0,
        created: export.created.0,
        who: export.who,
        who_detail: export.who_detail,
        reason: export.reason,
        document: export.document,
        asked,
        state: export.state.into(),
        decided_by: export.decided_by,
        decision: export.decision,
        changed: export.changed.0,
        done: progress.map(|p| count(p.done)),
        total: progress.map(|p| count(p.total)),
        snapshots: export.snapshots,
        gaps: export.gaps,
        left_out: export.left_out,
        bytes: export.bytes,
        sha256: export.sha256,
        error: export.error,
        expires: (export.state == ExportState::Done).then(|| (export.changed + app.services.config.exports_kept).0),
    }
}

/// What to take out: named snapshots, an incident's, or those of a range.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExport {
    /// Ids of snapshots.
    #[serde(default)]
    snapshots: Vec<String>,
    incident: Option<u64>,
    camera: Option<u32>,
    site: Option<u32>,
    town: Option<u32>,
    /// Slots at or after.
    from: Option<i64>,
    /// Slots before.
    until: Option<i64>,
    class: Option<String>,
    status: Option<String>,
    cause: Option<String>,
    /// Why 事由.
    reason: String,
    /// Number of the approval document 审批文号.
    document: String,
}

/// Ask for an evidence package; it is made in the background
#[utoipa::path(post, path = "/api/v1/exports", tag = "exports", request_body = NewExport,
    responses((status = 201, body = ExportView), (status = 400), (status = 404),
        (status = 409, description = "code exports_full"), (status = 422, description = "code export_too_large")))]
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewExport>,
) -> Result<(StatusCode, Json<ExportView>)> {
    let why = reason(&body.reason)?;
    let document = reason(&body.document)
        .map_err(|_| Problem::invalid("document: expected the number of the approval document, 1 to 200 characters"))?;
    let asked = asked(&app, &caller, &body).await?;
    let (snapshots, _) = exports::find(&app, &asked).await?;
    if snapshots.is_empty() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "export_empty", "there is no snapshot to take out"));
    }
    let _changing = app.exports.changing.lock().await;
    let mut unfinished = 0;
    for state in [ExportState::AwaitingApproval, ExportState::Queued, ExportState::Running] {
        let query = ExportQuery { state: Some(state), limit: 1000, ..ExportQuery::default() };
        unfinished += app.services.store.exports(&query).await?.items.len();
    }
    if unfinished >= exports::UNFINISHED {
        return Err(Problem::new(StatusCode::CONFLICT, "exports_full", "too many exports wait already; try later"));
    }
    let state = match app.services.config.exports_need_approval {
        true => ExportState::AwaitingApproval,
        false => ExportState::Queued,
    };
    let now = Wall::read();
    let export = Export {
        id: ExportId(0),
        created: now,
        who: caller.user.name.clone(),
        who_detail: audit::named(&[&caller.user.full_name, &caller.user.unit]),
        address: caller.address.to_string(),
        reason: why.clone(),
        document: document.clone(),
        asked: serde_json::to_string(&asked).map_err(|e| Problem::internal("an export cannot be kept", e))?,
        state,
        decided_by: None,
        decision: String::new(),
        changed: now,
        snapshots: 0,
        gaps: 0,
        left_out: 0,
        bytes: 0,
        sha256: String::new(),
        error: String::new(),
    };
    let export = app.services.store.add_export(export).await?;
    let detail = format!("{document} · {}", asked.words);
    let deed = Deed::of(&caller, Action::ExportAsked).on(exports::object(export.id)).because(why).detail(detail);
    app.audit(deed).await?;
    app.exports.wake();
    Ok((StatusCode::CREATED, Json(view(&app, export))))
}

/// Makes sense of the question, within the caller's scope.
async fn asked(app: &App, caller: &Caller, body: &NewExport) -> Result<Asked> {
    let registry = app.services.registry.load_full();
    let place = [body.camera, body.site, body.town].into_iter().flatten().count();
    let range = body.from.is_some() || body.until.is_some() || place > 0;
    let ways = usize::from(!body.snapshots.is_empty()) + usize::from(body.incident.is_some()) + usize::from(range);
    if ways != 1 {
        return Err(Problem::invalid("expected one of: snapshots, incident, or a place with from and until"));
    }
    let mut asked = Asked {
        class: word(body.class.as_deref(), "class")?,
        status: word::<Status>(body.status.as_deref(), "status")?,
        cause: word(body.cause.as_deref(), "cause")?,
        ..Asked::default()
    };
    if !body.snapshots.is_empty() {
        if body.snapshots.len() > NAMED_MOST {
            return Err(Problem::invalid(format!("snapshots: at most {NAMED_MOST} at once")));
        }
        for text in &body.snapshots {
            let id: SnapshotId = text.parse().map_err(|_| Problem::not_found())?;
            if !caller.scope.is_everything() && !caller.scope.sees_camera(&registry, id.camera()) {
                return Err(Problem::not_found());
            }
            if !asked.snapshots.contains(&id) {
                asked.snapshots.push(id);
            }
        }
        asked.words = match asked.snapshots.as_slice() {
            [one] => {
                let name = registry.camera(one.camera()).map_or(String::new(), |c| c.name.clone());
                format!("{name} · {}", county_time(one.slot().0)?)
            }
            many => format!("快照 {} 张 · {0} snapshots", many.len()),
        };
        return Ok(asked);
    }
    if let Some(id) = body.incident {
        let incident = super::incidents::find(app, caller, id).await?;
        let (from, until) = super::incidents::pictured(&incident);
        asked.cameras = Some(incident.members.iter().map(|m| m.camera.0).collect());
        asked.from = Some(from);
        asked.until = Some(until.unwrap_or_else(Wall::read));
        asked.words = format!("事件 {id} · 摄像机 {} 台 · incident {id}, {0} cameras", incident.members.len());
        return Ok(asked);
    }
    let (Some(from), Some(until)) = (body.from, body.until) else {
        return Err(Problem::invalid("a range needs both from and until"));
    };
    if from >= until {
        return Err(Problem::invalid("from: expected a time before until"));
    }
    if place == 0 {
        return Err(Problem::invalid("a range needs a camera, a site or a town"));
    }
    let mut cameras = caller.scope.cameras(&registry);
    cameras.retain(|id| {
        let camera = registry.camera(*id);
        let town = camera.and_then(|c| registry.site(c.site)).map(|s| s.town);
        body.camera.is_none_or(|wanted| *id == CameraId(wanted))
            && body.site.is_none_or(|wanted| camera.is_some_and(|c| c.site == SiteId(wanted)))
            && body.town.is_none_or(|wanted| town == Some(TownId(wanted)))
    });
    if cameras.is_empty() {
        return Err(Problem::not_found());
    }
    let name = match (body.camera, body.site, body.town) {
        (Some(id), ..) => registry.camera(CameraId(id)).map(|c| c.name.clone()),
        (_, Some(id), _) => registry.site(SiteId(id)).map(|s| s.name.clone()),
        (.., town) => town.and_then(|id| registry.town(TownId(id))).map(|t| t.name.clone()),
    };
    asked.words = format!("{} · {} — {}", name.unwrap_or_default(), county_time(from)?, county_time(until)?);
    asked.cameras = Some(cameras.into_iter().map(|c| c.0).collect());
    (asked.from, asked.until) = (Some(Wall(from)), Some(Wall(until)));
    Ok(asked)
}

/// An instant in the county's time.
fn county_time(ms: i64) -> Result<String> {
    let at = jiff::Timestamp::from_millisecond(ms).map_err(|_| Problem::invalid("from, until: not a time"))?;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    Ok(at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Exports, newest first; users with a narrow scope see their own
#[utoipa::path(get, path = "/api/v1/exports", tag = "exports", params(Rows),
    responses((status = 200, body = Paged<ExportView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<ExportView>>> {
    let who = (!caller.scope.is_everything()).then(|| caller.user.name.clone());
    let query = ExportQuery { who, state: None, limit: limit(rows.limit)?, cursor: rows.cursor };
    let page = app.services.store.exports(&query).await?;
    Ok(Json(Paged::from(page).map(|e| view(&app, e))))
}

async fn find(app: &App, caller: &Caller, id: u32) -> Result<Export> {
    let export = app.services.store.export(ExportId(id)).await?;
    let seen = |e: &Export| caller.scope.is_everything() || e.who == caller.user.name;
    export.filter(seen).ok_or_else(Problem::not_found)
}

/// One export
#[utoipa::path(get, path = "/api/v1/exports/{id}", tag = "exports", params(("id" = u32, Path)),
    responses((status = 200, body = ExportView), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<ExportView>> {
    let export = find(&app, &caller, id).await?;
    Ok(Json(view(&app, export)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    approve: bool,
    /// Why; needed to refuse.
    #[serde(default)]
    reason: String,
}

/// Agree to an export of somebody else, or refuse it
#[utoipa::path(post, path = "/api/v1/exports/{id}/decision", tag = "exports", params(("id" = u32, Path)),
    request_body = Decision, responses((status = 200, body = ExportView), (status = 403, description = "code own_export"),
        (status = 404), (status = 409)))]
pub(crate) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<Decision>,
) -> Result<Json<ExportView>> {
    let _changing = app.exports.changing.lock().await;
    let mut export = find(&app, &caller, id).await?;
    if export.state != ExportState::AwaitingApproval {
        return Err(Problem::new(StatusCode::CONFLICT, "decided", "there is nothing to decide any more"));
    }
    if export.who == caller.user.name {
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_export", "somebody else must agree to your export"));
    }
    let why = match (body.approve, body.reason.trim().is_empty()) {
        (true, true) => String::new(),
        _ => reason(&body.reason)?,
    };
    let state = if body.approve { ExportState::Queued } else { ExportState::Refused };
    exports::set(&mut export, state);
    export.decided_by = Some(audit::person(&caller.user));
    export.decision.clone_from(&why);
    let deed = Deed::of(&caller, Action::ExportDecided).on(exports::object(export.id)).because(why);
    app.audit(deed.detail(state.code())).await?;
    app.services.store.update_export(&export).await?;
    app.exports.wake();
    Ok(Json(view(&app, export)))
}

/// Give an export up, or remove its package
#[utoipa::path(delete, path = "/api/v1/exports/{id}", tag = "exports", params(("id" = u32, Path)),
    responses((status = 204), (status = 404), (status = 409)))]
pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<StatusCode> {
    let _changing = app.exports.changing.lock().await;
    let mut export = find(&app, &caller, id).await?;
    if !export.state.is_unfinished() && export.state != ExportState::Done {
        return Err(Problem::new(StatusCode::CONFLICT, "over", "this export is over already"));
    }
    app.audit(Deed::of(&caller, Action::ExportRemoved).on(exports::object(export.id))).await?;
    exports::set(&mut export, ExportState::Cancelled);
    app.services.store.update_export(&export).await?;
    app.exports.cancel(export.id);
    if app.exports.progress(export.id).is_none() {
        exports::remove(&app.services.config.exports_folder, export.id);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The package; a download that broke off continues with Range
#[utoipa::path(get, path = "/api/v1/exports/{id}/file", tag = "exports", params(("id" = u32, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 206), (status = 404),
        (status = 409, description = "code not_done"), (status = 416)))]
pub(crate) async fn file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
) -> Result<Response> {
    let export = find(&app, &caller, id).await?;
    if export.state != ExportState::Done {
        return Err(Problem::new(StatusCode::CONFLICT, "not_done", "there is no package (any more) to download"));
    }
    let path = exports::file(&app.services.config.exports_folder, export.id);
    let opened = tokio::fs::File::open(&path).await;
    let mut file = opened.map_err(|e| Problem::internal("a package cannot be opened", e))?;
    let length = file.metadata().await.map_err(|e| Problem::internal("a package cannot be read", e))?.len();
    let etag = format!("\"{}\"", export.sha256);
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    // A part only of the package that the client began with.
    let unchanged = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let part = match text(header::RANGE).filter(|_| unchanged).map(|r| range(r, length)) {
        None | Some(Asking::Everything) => None,
        Some(Asking::Part(part)) => Some(part),
        Some(Asking::Nothing) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "the package is shorter than that");
            return Ok((whole, problem).into_response());
        }
    };
    // Each part is written down: whoever leaves out the first byte has nearly everything.
    let detail = match &part {
        Some(part) => format!("{} bytes {}-{}", export.document, part.start, part.end - 1).trim_start().to_owned(),
        None => export.document.clone(),
    };
    let deed = Deed::of(&caller, Action::ExportDownloaded).on(exports::object(export.id));
    app.audit(deed.because(export.reason.as_str()).detail(detail)).await?;
    let common = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"evidence-{}.zip\"", export.id.0)),
        (header::ETAG, etag),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    let Range { start, end } = part.clone().unwrap_or(0..length);
    file.seek(std::io::SeekFrom::Start(start)).await.map_err(|e| Problem::internal("a package cannot be read", e))?;
    let body = Bytes::from_stream(tokio_util::io::ReaderStream::with_capacity(file.take(end - start), 128 << 10));
    let size = [(header::CONTENT_LENGTH, (end - start).to_string())];
    Ok(match part {
        None => (StatusCode::OK, common, size, body).into_response(),
        Some(_) => {
            let place = [(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1))];
            (StatusCode::PARTIAL_CONTENT, common, size, place, body).into_response()
        }
    })
}

/// What a Range header asks for.
#[derive(PartialEq, Eq, Debug)]
enum Asking {
    /// Not a range that we understand: the whole is a right answer.
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// One range of bytes (RFC 9110 §14); several at once are answered with everything.
fn range(text: &str, length: u64) -> Asking {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|t| t.split_once('-')) else {
        return Asking::Everything;
    };
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(tail)) if first.is_empty() => length.saturating_sub(tail)..length,
        _ => return Asking::Everything,
    };
    if part.start < part.end { Asking::Part(part) } else { Asking::Nothing }
}

/// The page that checks packages offline
#[utoipa::path(get, path = "/api/v1/exports/verifier", tag = "exports",
    responses((status = 200, content_type = "text/html", body = Vec<u8>)))]
pub(crate) async fn verifier(_: Caller) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // To be kept and opened from a disk: our own policy for pages would forbid its script.
        (header::CONTENT_DISPOSITION, "attachment; filename=\"sharpeyes-verify.html\""),
    ];
    (headers, archive::evidence::VERIFIER_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(range("bytes=0-", 10), Asking::Part(0..10));
        assert_eq!(range("bytes=3-5", 10), Asking::Part(3..6));
        assert_eq!(range("bytes=3-500", 10), Asking::Part(3..10));
        assert_eq!(range("bytes=-4", 10), Asking::Part(6..10));
        assert_eq!(range("bytes=-40", 10), Asking::Part(0..10));
        assert_eq!(range("bytes=10-", 10), Asking::Nothing);
        assert_eq!(range("bytes=-0", 10), Asking::Nothing);
        assert_eq!(range("bytes=0-18446744073709551615", 10), Asking::Part(0..10));
        for odd in ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4"] {
            assert_eq!(range(odd, 10), Asking::Everything, "{odd}");
        }
    }
}
