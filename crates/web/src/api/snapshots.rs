//! The archive: searching, viewing, verifying and taking out snapshots, each with a reason and an audit entry.

use crate::{
    api::{limit, reason},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    grants::Wanted,
    pictures::archive_problem,
    problem::{Path, Problem, Query, Result},
    validator,
    views::Paged,
    watermark,
    words::{self, CauseWord, ClassWord, CodecWord, StatusWord},
};
use archive::{ArchiveError, Entry, SnapshotId, SnapshotQuery, SnapshotRef};
use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fleet::{CameraId, Codec, SiteId, Status, TownId, UplinkId, Wall};
use health::Incident;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// A stored snapshot, or a scheduled one that could not be taken.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum SnapshotEntry {
    Snapshot(SnapshotView),
    Gap(GapView),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SnapshotView {
    id: String,
    camera: u32,
    /// The scheduled instant.
    slot: i64,
    class: ClassWord,
    /// When its first packet arrived, by our clock.
    captured: i64,
    /// What the camera's clock showed; null if its stream did not tell.
    camera_clock: Option<i64>,
    /// Half of the interval in which that lies, in milliseconds.
    camera_clock_uncertainty_ms: Option<u32>,
    codec: CodecWord,
    /// What the camera had sent, if the node coded it anew before it was archived.
    converted_from: Option<CodecWord>,
    width: u32,
    height: u32,
    bytes: u32,
    /// Of the stored bytes, in hexadecimal.
    sha256: String,
    /// Of the camera at that time.
    status: StatusWord,
    cause: Option<CauseWord>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct GapView {
    camera: u32,
    /// The scheduled instant; of several the first.
    slot: i64,
    /// How many were scheduled from then on and not taken, this one included.
    slots: u32,
    /// One each so many milliseconds; 0 for a single one.
    every_ms: u32,
    cause: CauseWord,
    detail: String,
}

/// A snapshot and whether its stored bytes still are what was written.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Verified {
    Snapshot {
        #[serde(flatten)]
        snapshot: SnapshotView,
        verified: bool,
    },
}

impl From<&SnapshotRef> for SnapshotView {
    fn from(s: &SnapshotRef) -> SnapshotView {
        SnapshotView {
            id: s.id.to_string(),
            camera: s.camera.0,
            slot: s.slot.0,
            class: s.class.into(),
            captured: s.captured.0,
            camera_clock: s.camera_clock.map(|c| c.at.0),
            camera_clock_uncertainty_ms: s.camera_clock.map(|c| c.uncertainty_ms),
            codec: s.codec.into(),
            converted_from: s.converted_from.map(Into::into),
            width: s.width,
            height: s.height,
            bytes: s.bytes,
            sha256: hex::encode(s.sha256),
            status: s.status.into(),
            cause: s.cause.map(Into::into),
        }
    }
}

impl From<&Entry> for SnapshotEntry {
    fn from(entry: &Entry) -> SnapshotEntry {
        match entry {
            Entry::Snapshot(s) => SnapshotEntry::Snapshot(s.into()),
            Entry::Gap(g) => SnapshotEntry::Gap(GapView {
                camera: g.camera.0,
                slot: g.slot.0,
                slots: g.slots,
                every_ms: g.every_ms,
                cause: g.cause.into(),
                detail: g.detail.clone(),
            }),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    camera: Option<u32>,
    site: Option<u32>,
    town: Option<u32>,
    /// Behind this uplink.
    uplink: Option<u32>,
    /// Of an incident's cameras, from ten minutes before it until ten minutes after it.
    incident: Option<u64>,
    /// Slots at or after.
    from: Option<i64>,
    /// Slots before.
    until: Option<i64>,
    /// all, snapshot or gap.
    kind: Option<String>,
    class: Option<String>,
    status: Option<String>,
    cause: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

impl Filter {
    /// The conditions without what only turns the pages.
    fn conditions(&self) -> String {
        let Filter {
            camera,
            site,
            town,
            uplink,
            incident,
            from,
            until,
            kind,
            class,
            status,
            cause,
            limit: _,
            cursor: _,
        } = self;
        format!("{:?}", (camera, site, town, uplink, incident, from, until, kind, class, status, cause))
    }
}

/// Search snapshots and gaps in scope, newest first
///
/// Needs a reason, unless the settings say otherwise: the header `X-Reason`, UTF-8, percent-encoded. It opens
/// this search to this session for a while: its further pages and the pictures that it has shown need no header, another
/// search needs its own.
#[utoipa::path(get, path = "/api/v1/snapshots", tag = "snapshots",
    params(Filter, ("X-Reason" = Option<String>, Header, description = "Why, percent-encoded")),
    responses((status = 200, body = Paged<SnapshotEntry>), (status = 428, description = "code reason_required")))]
pub(crate) async fn search(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<Filter>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Paged<SnapshotEntry>>> {
    let wanted_now = Wanted::search(&filter.conditions());
    let reason = entitle(&app, &caller, &wanted_now, None, &headers)?;
    let incident = match filter.incident {
        Some(id) => Some(super::incidents::find(&app, &caller, id).await?),
        None => None,
    };
    let cameras = wanted(&app, &caller, &filter, incident.as_ref())?;
    let during = incident.as_ref().map(super::incidents::pictured);
    let later = |a: Option<Wall>, b: Option<Wall>| a.into_iter().chain(b).max();
    let sooner = |a: Option<Wall>, b: Option<Wall>| a.into_iter().chain(b).min();
    // Also a search that begins with a cursor, however that came to be.
    let on_record = filter.cursor.is_some() && app.grants.is_on_record(&caller.token, &wanted_now);
    let query = SnapshotQuery {
        cameras,
        from: later(filter.from.map(Wall), during.map(|(from, _)| from)),
        until: sooner(filter.until.map(Wall), during.and_then(|(_, until)| until)),
        kind: word(filter.kind.as_deref(), "kind")?.unwrap_or_default(),
        class: word(filter.class.as_deref(), "class")?,
        status: word::<Status>(filter.status.as_deref(), "status")?,
        cause: word(filter.cause.as_deref(), "cause")?,
        after: match filter.cursor.as_deref() {
            None => None,
            Some(text) => Some(text.parse().map_err(|e| Problem::invalid(format!("cursor: {e}")))?),
        },
        limit: limit(filter.limit)?,
    };
    let page = app.services.archive.search(&query).await.map_err(archive_problem)?;
    if !on_record {
        let what: String = asked.unwrap_or_default().chars().take(500).collect();
        app.audit(Deed::of(&caller, Action::SnapshotsSearched).because(reason).detail(what)).await?;
    }
    let shown = page.entries.iter().filter_map(|entry| match entry {
        Entry::Snapshot(snapshot) => Some(snapshot.id),
        Entry::Gap(_) => None,
    });
    app.grants.show(&caller.token, &wanted_now, shown);
    Ok(Json(Paged {
        items: page.entries.iter().map(Into::into).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// The cameras that the places of a filter, an incident and the caller's scope have in common; `None` for all.
fn wanted(app: &App, caller: &Caller, filter: &Filter, incident: Option<&Incident>) -> Result<Option<Vec<CameraId>>> {
    let registry = app.services.registry.load_full();
    let places = [filter.camera, filter.site, filter.town, filter.uplink];
    let narrow = places.iter().any(Option::is_some);
    if !narrow && incident.is_none() && caller.scope.is_everything() {
        return Ok(None);
    }
    // Of an incident only what is in scope was handed out; some of its cameras may have left the register.
    let mut cameras = match incident {
        Some(incident) => incident.members.iter().map(|m| m.camera).collect(),
        None => caller.scope.cameras(&registry),
    };
    cameras.retain(|id| {
        let camera = registry.camera(*id);
        let town = camera.and_then(|c| registry.site(c.site)).map(|s| s.town);
        filter.camera.is_none_or(|wanted| id.0 == wanted)
            && filter.site.is_none_or(|wanted| camera.is_some_and(|c| c.site == SiteId(wanted)))
            && filter.town.is_none_or(|wanted| town == Some(TownId(wanted)))
            && filter.uplink.is_none_or(|wanted| camera.is_some_and(|c| c.uplink == Some(UplinkId(wanted))))
    });
    if narrow && cameras.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(Some(cameras.into_iter().collect()))
}

pub(crate) fn word<T: serde::de::DeserializeOwned>(text: Option<&str>, field: &str) -> Result<Option<T>> {
    match text.filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(text) => match words::from_code(text) {
            Some(value) => Ok(Some(value)),
            None => Err(Problem::invalid(format!("{field}: not one of its words"))),
        },
    }
}

/// One snapshot, its stored bytes checked against their hash now
#[utoipa::path(get, path = "/api/v1/snapshots/{id}", tag = "snapshots", params(("id" = String, Path)),
    responses((status = 200, body = Verified), (status = 404), (status = 428)))]
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Verified>> {
    let id = known(&app, &caller, &id)?;
    let reason = entitle_to(&app, &caller, &id, &headers)?;
    // Found by the index, so that a damaged one can be told of.
    let query = SnapshotQuery {
        cameras: Some(vec![id.camera()]),
        from: Some(id.slot()),
        until: Some(Wall(id.slot().0.saturating_add(1))),
        kind: archive::Kind::Snapshot,
        ..SnapshotQuery::default()
    };
    let page = app.services.archive.search(&query).await.map_err(archive_problem)?;
    let found = page.entries.iter().find_map(|entry| match entry {
        Entry::Snapshot(s) if s.id == id => Some(s),
        _ => None,
    });
    let snapshot = found.ok_or_else(Problem::not_found)?;
    let verified = match app.services.archive.read(&id).await {
        Ok(read) => read.reference.sha256 == snapshot.sha256,
        Err(ArchiveError::Damaged { .. }) => false,
        Err(error) => return Err(archive_problem(error)),
    };
    viewed(&app, &caller, &id, &reason).await?;
    Ok(Json(Verified::Snapshot { snapshot: snapshot.into(), verified }))
}

/// One link from a picture to the newest manifest.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepView {
    /// picture, record, tree, seal, manifest, signature or chain.
    link: String,
    /// holds, fails or not_reached.
    outcome: String,
    /// A hash, a day, a key; or what does not fit.
    found: String,
}

/// What proves a snapshot, looked at just now.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExaminationView {
    steps: Vec<StepView>,
    segment: Option<u64>,
    /// Records in the segment.
    records: Option<u32>,
    sealed: Option<i64>,
    /// Hashes from the record to the segment's root, nearest first.
    path: Vec<String>,
    node: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Moment {
    camera: u32,
    at: i64,
}

/// The snapshot of a camera that was taken nearest to an instant
#[utoipa::path(get, path = "/api/v1/snapshots/nearest", tag = "snapshots", params(Moment),
    responses((status = 200, body = SnapshotView), (status = 404), (status = 428)))]
pub(crate) async fn nearest(
    State(app): State<App>,
    caller: Caller,
    Query(Moment { camera, at }): Query<Moment>,
    headers: HeaderMap,
) -> Result<Json<SnapshotView>> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, camera)?.id;
    let wanted = Wanted::search(&format!("nearest {camera} {at}"));
    let reason = entitle(&app, &caller, &wanted, None, &headers)?;
    let found = app.services.archive.nearest(camera, Wall(at)).await.map_err(archive_problem)?;
    let found = found.ok_or_else(Problem::not_found)?;
    let deed = Deed::of(&caller, Action::SnapshotsSearched).because(reason);
    app.audit(deed.detail(format!("nearest: camera={camera}&at={at}"))).await?;
    app.grants.show(&caller.token, &wanted, [found.id].into_iter());
    Ok(Json(SnapshotView::from(&found)))
}

/// Every link that proves a snapshot, checked now
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/proof", tag = "snapshots", params(("id" = String, Path)),
    responses((status = 200, body = ExaminationView), (status = 404), (status = 428)))]
pub(crate) async fn proof(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ExaminationView>> {
    let id = known(&app, &caller, &id)?;
    let reason = entitle_to(&app, &caller, &id, &headers)?;
    let seen = app.services.archive.examine(&id).await.map_err(archive_problem)?;
    let deed = Deed::of(&caller, Action::SnapshotVerified).on(id).because(reason);
    let fails = seen.steps.iter().any(|s| s.outcome == archive::Outcome::Fails);
    app.audit(if fails { deed.failed() } else { deed }).await?;
    let steps = seen.steps.into_iter();
    Ok(Json(ExaminationView {
        steps: steps
            .map(|s| StepView { link: words::code(&s.link), outcome: words::code(&s.outcome), found: s.found })
            .collect(),
        segment: seen.segment.map(|(number, _)| number),
        records: seen.segment.map(|(_, records)| records),
        sealed: seen.sealed.map(|at| at.0),
        path: seen.path,
        node: seen.node,
    }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Width {
    /// At most about this wide, in pixels; as large as it is if absent.
    width: Option<u32>,
}

/// A snapshot as JPEG, rendered from the stored picture
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/picture", tag = "snapshots", params(("id" = String, Path), Width),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 404), (status = 422), (status = 428)))]
pub(crate) async fn picture(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Width { width }): Query<Width>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = known(&app, &caller, &id)?;
    let reason = entitle_to(&app, &caller, &id, &headers)?;
    let rendered = app.pictures.get(&id, width).await?;
    viewed(&app, &caller, &id, &reason).await?;
    let marked = app.services.config.watermark;
    let etag = match marked {
        // What one has seen is not another's.
        true => format!("\"{}-u{}\"", rendered.etag.trim_matches('"'), caller.user.id.0),
        false => rendered.etag,
    };
    let common = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "private, max-age=3600, immutable".to_owned())];
    if validator::known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let jpeg = match marked {
        true => {
            let text = watermark::text(&caller.user.name, &format!("U{}", caller.user.id.0), Wall::read());
            app.pictures.marked(rendered.jpeg, text).await?
        }
        false => rendered.jpeg,
    };
    Ok((common, [(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

/// The stored bytes, as the camera coded them
///
/// Where exports need a second person's approval, originals leave in approved packages only.
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/original", tag = "snapshots", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404), (status = 428),
        (status = 403, description = "also code approval_needed: ask for an export")))]
pub(crate) async fn original(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = known(&app, &caller, &id)?;
    if app.services.config.exports_need_approval {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "approval_needed",
            "originals leave in packages that a second person agreed to: ask for an export of this snapshot",
        ));
    }
    let reason = entitle_to(&app, &caller, &id, &headers)?;
    let snapshot = app.services.archive.read(&id).await.map_err(archive_problem)?;
    app.audit(Deed::of(&caller, Action::SnapshotDownloaded).on(id).because(reason)).await?;
    let r = &snapshot.reference;
    let extension = match r.codec {
        Codec::H264 => "h264",
        Codec::H265 => "h265",
        Codec::Jpeg => "jpg",
    };
    // Numbers only: no name from the register gets into a header.
    let at = jiff::Timestamp::from_millisecond(r.slot.0).map(|t| t.strftime("%Y%m%dT%H%M%SZ").to_string());
    let name = format!("{}-{}.{extension}", r.camera, at.unwrap_or_default());
    Ok((
        [
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        ],
        [("content-digest", format!("sha-256=:{}:", STANDARD.encode(r.sha256)))],
        snapshot.data,
    )
        .into_response())
}

/// The id, if it is one and its camera is in scope; before anything is read.
fn known(app: &App, caller: &Caller, id: &str) -> Result<SnapshotId> {
    let id: SnapshotId = id.parse().map_err(|_| Problem::not_found())?;
    let registry = app.services.registry.load_full();
    // Snapshots of cameras that left the register remain for those who see everything.
    let seen = caller.scope.is_everything() || caller.scope.sees_camera(&registry, id.camera());
    if seen { Ok(id) } else { Err(Problem::not_found()) }
}

/// The reason for one snapshot: given now, or for a search that has shown it.
fn entitle_to(app: &App, caller: &Caller, id: &SnapshotId, headers: &HeaderMap) -> Result<String> {
    let wanted = Wanted::snapshot(id);
    let reason = entitle(app, caller, &wanted, Some(id), headers)?;
    if headers.contains_key("x-reason") {
        app.grants.show(&caller.token, &wanted, [*id].into_iter());
    }
    Ok(reason)
}

/// The reason given now or before for the same; none is needed if the settings say so.
fn entitle(
    app: &App,
    caller: &Caller,
    wanted: &Wanted,
    shown: Option<&SnapshotId>,
    headers: &HeaderMap,
) -> Result<String> {
    let now = Instant::now();
    let given = match headers.get("x-reason") {
        None => None,
        Some(value) => {
            let text = value.to_str().ok().map(|v| percent_decode_str(v).decode_utf8());
            let Some(Ok(text)) = text else {
                return Err(Problem::invalid("X-Reason: expected UTF-8 text, percent-encoded"));
            };
            if text.trim().is_empty() { None } else { Some(reason(&text)?) }
        }
    };
    if let Some(reason) = given {
        app.grants.give(caller.token, wanted, &reason, now);
        return Ok(reason);
    }
    let before = match shown {
        Some(id) => app.grants.reason_for(&caller.token, id, now),
        None => app.grants.reason(&caller.token, wanted, now),
    };
    if let Some(reason) = before {
        return Ok(reason);
    }
    if app.services.config.snapshots_need_reason {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "reason_required",
            "say why in the header X-Reason (UTF-8, percent-encoded)",
        ));
    }
    if shown.is_none() {
        // Without a reason a search is one all the same: written down once.
        app.grants.give(caller.token, wanted, "", now);
    }
    Ok(String::new())
}

/// Each snapshot seen under one reason is written down once; first that, then it is shown.
async fn viewed(app: &App, caller: &Caller, id: &SnapshotId, reason: &str) -> Result<()> {
    if !app.grants.has_viewed(&caller.token, id) {
        app.audit(Deed::of(caller, Action::SnapshotViewed).on(id).because(reason)).await?;
        app.grants.note_view(&caller.token, id);
    }
    Ok(())
}
