//! One camera: its record, ladder, history and newest picture; checking and pausing it.

use crate::{
    api::{limit, reason},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    ladder::Ladder,
    problem::{Body, Path, Problem, Query, Result},
    services::Command,
    validator,
    views::{CameraState, CarriageView, FiguresView, FormatView, IncidentView, IntervalView, Paged},
    words::{LifeCycleWord, StreamWord, TransportWord},
};
use axum::{
    Json,
    body::{Body as Stream, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use fleet::{Camera, CameraId, Registry, Wall};
use health::Event;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use store::{HistoryQuery, Role};
use utoipa::{IntoParams, ToSchema};

/// Changes of a camera's streams that its page tells.
const FORMATS: u32 = 20;

#[derive(Serialize, ToSchema)]
pub(crate) struct CameraPage {
    camera: CameraRecord,
    state: CameraState,
    /// Which of its streams is pulled continuously.
    stream: StreamWord,
    carriage: Option<CarriageView>,
    figures: Option<FiguresView>,
    /// What its streams are made of and were before, newest first.
    formats: Vec<FormatView>,
    /// The certificate it is held to, if it speaks TLS.
    certificate: Option<CertificateView>,
    /// Open incidents that it is in.
    incidents: Vec<IncidentView>,
}

/// The certificate that a camera is held to.
#[derive(Serialize, ToSchema)]
struct CertificateView {
    /// SHA-256, in hexadecimal digits.
    sha256: String,
    /// When it was first seen.
    seen: i64,
}

/// The register's record of a camera. Its account never leaves the service.
#[derive(Serialize, ToSchema)]
struct CameraRecord {
    id: u32,
    name: String,
    site: u32,
    town: u32,
    uplink: Option<u32>,
    /// GB/T 28181 code, as written.
    gb_code: Option<String>,
    /// What is wrong with it.
    gb_fault: Option<String>,
    /// Addresses of the streams; not told to auditors, who see no configuration.
    main_url: Option<String>,
    sub_url: Option<String>,
    transport: TransportWord,
    life_cycle: LifeCycleWord,
    place: PlaceView,
    device: DeviceView,
    upkeep: UpkeepView,
    has_credentials: bool,
}

#[derive(Serialize, ToSchema)]
struct PlaceView {
    code: Option<String>,
    address: Option<String>,
    coordinates: Option<CoordinatesView>,
    power: PowerView,
    onu_serial: Option<String>,
}

/// WGS-84.
#[derive(Serialize, ToSchema)]
struct CoordinatesView {
    longitude: f64,
    latitude: f64,
    source: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct PowerView {
    source: Option<String>,
    contact: Option<String>,
    phone: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct DeviceView {
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    mac: Option<String>,
    installed: Option<String>,
    /// How many RTSP sessions it serves us at once, where it was found out.
    sessions: Option<u8>,
    /// How it is treated where it does not keep to the RFCs; empty: by what it does.
    quirks: String,
}

#[derive(Serialize, ToSchema)]
struct UpkeepView {
    unit: Option<String>,
    phone: Option<String>,
}

impl CameraRecord {
    fn of(camera: &Camera, registry: &Registry, reader: Role) -> CameraRecord {
        let shown = |url: &fleet::StreamUrl| (reader != Role::Auditor).then(|| url.to_string());
        let Camera { place, device, upkeep, .. } = camera.clone();
        CameraRecord {
            id: camera.id.0,
            name: camera.name.clone(),
            site: camera.site.0,
            town: registry.site(camera.site).map_or(0, |s| s.town.0),
            uplink: camera.uplink.map(|u| u.0),
            gb_code: camera.gb_code.as_ref().map(ToString::to_string),
            gb_fault: camera.gb_code.as_ref().and_then(fleet::GbCode::fault).map(|f| f.to_string()),
            main_url: shown(&camera.main),
            sub_url: camera.sub.as_ref().and_then(shown),
            transport: camera.transport.into(),
            life_cycle: camera.life_cycle.into(),
            place: PlaceView {
                code: place.code,
                address: place.address,
                coordinates: place.coordinates.map(|c| CoordinatesView {
                    longitude: c.longitude,
                    latitude: c.latitude,
                    source: c.source,
                }),
                power: PowerView { source: place.power.source, contact: place.power.contact, phone: place.power.phone },
                onu_serial: place.onu_serial,
            },
            device: DeviceView {
                vendor: device.vendor,
                model: device.model,
                serial: device.serial,
                mac: device.mac,
                installed: device.installed,
                sessions: device.sessions,
                quirks: device.quirks.to_string(),
            },
            upkeep: UpkeepView { unit: upkeep.unit, phone: upkeep.phone },
            has_credentials: camera.credentials.is_some(),
        }
    }
}

/// One camera
#[utoipa::path(get, path = "/api/v1/cameras/{id}", tag = "cameras", params(("id" = u32, Path)),
    responses((status = 200, body = CameraPage), (status = 404)))]
pub(crate) async fn camera(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<CameraPage>> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?;
    let board = app.services.board.load_full();
    let row = board.camera(camera.id).ok_or_else(Problem::not_found)?;
    if caller.user.role != Role::Auditor && app.watches(&caller, camera.id).await.is_ok() {
        // Whoever opens its page is likely to watch it next: he shall see a picture at once.
        app.services.ingest.warm(camera.id);
    }
    let with_it = |i: &health::Incident| i.members.iter().any(|m| m.camera == camera.id && m.left.is_none());
    // What is told of now stands while the database is away; what was before is missing then.
    let formats = app.services.store.formats(camera.id, FORMATS).await.unwrap_or_default();
    let certificate = app.services.store.certificate(camera.id).await.unwrap_or_default();
    Ok(Json(CameraPage {
        camera: CameraRecord::of(camera, &registry, caller.user.role),
        state: CameraState::of(row, &app.services.gallery),
        stream: row.stream.into(),
        carriage: row.carriage.as_deref().map(CarriageView::from),
        figures: row.figures.as_deref().map(FiguresView::from),
        formats: formats.iter().map(FormatView::from).collect(),
        certificate: certificate.map(|c| CertificateView {
            sha256: c.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            seen: c.seen.0,
        }),
        incidents: board
            .incidents
            .iter()
            .filter(|i| with_it(i))
            .filter_map(|i| caller.scope.incident(&registry, i))
            .map(|i| IncidentView::from(i.as_ref()))
            .collect(),
    }))
}

/// Its ladder from the running session and the last verdict; opens nothing
#[utoipa::path(get, path = "/api/v1/cameras/{id}/ladder", tag = "cameras", params(("id" = u32, Path)),
    responses((status = 200, body = Ladder), (status = 404)))]
pub(crate) async fn ladder(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<Ladder>> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?;
    let board = app.services.board.load_full();
    let row = board.camera(camera.id).ok_or_else(Problem::not_found)?;
    let hiding = app.hiding(&caller).await?;
    let ladder = Ladder::known(camera, row, app.services.ingest.transcript(camera.id));
    Ok(Json(ladder.without(|cause| hiding.hides(camera.id, cause))))
}

/// Climb the ladder now
#[utoipa::path(post, path = "/api/v1/cameras/{id}/probe", tag = "cameras", params(("id" = u32, Path)),
    responses((status = 200, body = Ladder), (status = 404), (status = 503)))]
pub(crate) async fn probe(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<Ladder>> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?;
    let hiding = app.hiding(&caller).await?;
    app.audit(Deed::of(&caller, Action::CameraProbed).on(camera.id)).await?;
    Ok(Json(app.probe(camera).await?.without(|cause| hiding.hides(camera.id, cause))))
}

/// Climb the ladder now, told rung by rung
///
/// Each line is a JSON object: `{"rung": …}` as it is decided, at the end `{"ladder": …}` with all of it, or
/// `{"problem": "…"}` if it could not be climbed.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/climb", tag = "cameras", params(("id" = u32, Path)),
    responses((status = 200, content_type = "application/x-ndjson", body = String), (status = 404)))]
pub(crate) async fn climb(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Response> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?.clone();
    let hiding = app.hiding(&caller).await?;
    app.audit(Deed::of(&caller, Action::CameraProbed).on(camera.id)).await?;
    // More lines than a ladder has rungs: nothing waits for a slow reader, and nothing is lost.
    let (tell, lines) = tokio::sync::mpsc::channel::<std::result::Result<Bytes, Infallible>>(64);
    tokio::spawn(async move {
        let line = |value: serde_json::Value| Ok(Bytes::from(format!("{value}\n")));
        let rungs = tell.clone();
        let hidden = |cause| hiding.hides(camera.id, cause);
        let mut on_rung = |rung: crate::ladder::Rung| {
            let _ = rungs.try_send(line(serde_json::json!({ "rung": rung.without(hidden) })));
        };
        let last = match app.probe_telling(&camera, &mut on_rung).await {
            Ok((ladder, _)) => serde_json::json!({ "ladder": ladder.without(hidden) }),
            Err(problem) => serde_json::json!({ "problem": problem.detail() }),
        };
        let _ = tell.send(line(last)).await;
    });
    // Said to be coded already, so that no compression holds lines back.
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_ENCODING, "identity"),
    ];
    let body = Stream::from_stream(tokio_stream::wrappers::ReceiverStream::new(lines));
    Ok((headers, [("x-accel-buffering", "no")], body).into_response())
}

/// Ask the running watch to check it now
#[utoipa::path(post, path = "/api/v1/cameras/{id}/check", tag = "cameras", params(("id" = u32, Path)),
    responses((status = 202), (status = 404)))]
pub(crate) async fn check(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<StatusCode> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?.id;
    app.audit(Deed::of(&caller, Action::CameraChecked).on(camera)).await?;
    app.command(Command::Event(Event::CheckNow { camera })).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    /// Until when; null ends the pause.
    until: Option<i64>,
    reason: String,
}

/// Pause its checks for planned maintenance, or end the pause
#[utoipa::path(post, path = "/api/v1/cameras/{id}/pause", tag = "cameras", params(("id" = u32, Path)),
    request_body = Pause, responses((status = 204), (status = 400), (status = 404)))]
pub(crate) async fn pause(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(pause): Body<Pause>,
) -> Result<StatusCode> {
    const LONGEST_MS: i64 = 366 * 24 * 3600 * 1000;
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?.id;
    let reason = reason(&pause.reason)?;
    let now = Wall::read();
    if pause.until.is_some_and(|until| until <= now.0 || until > now.0 + LONGEST_MS) {
        return Err(Problem::invalid("until: expected a time within the next year"));
    }
    let detail = pause.until.map_or_else(|| "ended".to_owned(), |until| format!("until {until}"));
    app.audit(Deed::of(&caller, Action::CameraPaused).on(camera).because(reason.as_str()).detail(detail)).await?;
    let by = caller.user.name.clone();
    app.command(Command::Event(Event::Pause { camera, until: pause.until.map(Wall), by, reason })).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forget {
    reason: String,
}

/// Forget the certificate it is held to, as after a replacement: the next one it shows is believed
#[utoipa::path(delete, path = "/api/v1/cameras/{id}/certificate", tag = "cameras", params(("id" = u32, Path)),
    request_body = Forget, responses((status = 204), (status = 400), (status = 404)))]
pub(crate) async fn forget_certificate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(Forget { reason: why }): Body<Forget>,
) -> Result<StatusCode> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?.id;
    let why = reason(&why)?;
    let kept = app.services.store.certificate(camera).await?.is_some();
    if !kept && app.services.ingest.certificate(camera).is_none() {
        return Err(Problem::not_found());
    }
    app.audit(Deed::of(&caller, Action::CertificateForgotten).on(camera).because(why.as_str())).await?;
    app.services.store.forget_certificate(camera).await?;
    app.services.ingest.forget_certificate(camera);
    app.command(Command::Event(Event::CheckNow { camera })).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    from: Option<i64>,
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Its status over time, newest first
#[utoipa::path(get, path = "/api/v1/cameras/{id}/history", tag = "cameras", params(("id" = u32, Path), Range),
    responses((status = 200, body = Paged<IntervalView>), (status = 404)))]
pub(crate) async fn history(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Query(range): Query<Range>,
) -> Result<Json<Paged<IntervalView>>> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    let query = HistoryQuery {
        camera: Some(camera),
        from: range.from.map(Wall),
        until: range.until.map(Wall),
        limit: limit(range.limit)?,
        cursor: range.cursor,
    };
    let page = Paged::from(app.services.store.history(&query).await?);
    let hiding = app.hiding(&caller).await?;
    Ok(Json(page.map(|interval| IntervalView::from(interval).without(&hiding))))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Version {
    /// The `thumb` of the camera's state.
    v: Option<u64>,
}

/// Its newest decoded picture, small
#[utoipa::path(get, path = "/api/v1/cameras/{id}/thumbnail", tag = "cameras", params(("id" = u32, Path), Version),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 304),
        (status = 403, description = "also code no_order: a technician without a work order"), (status = 404)))]
pub(crate) async fn thumbnail(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Query(Version { v }): Query<Version>,
    headers: HeaderMap,
) -> Result<Response> {
    let camera: CameraId = caller.camera(&app.services.registry.load_full(), id)?.id;
    app.watches(&caller, camera).await?;
    let thumbnail = app.services.gallery.get(camera).ok_or_else(Problem::not_found)?;
    let etag = format!("\"{}-{}\"", camera, thumbnail.version);
    let caching = if v == Some(thumbnail.version) { "private, max-age=3600, immutable" } else { "private, no-cache" };
    let common = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::LAST_MODIFIED, http_date(thumbnail.received)),
    ];
    if validator::known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, [(header::CONTENT_TYPE, "image/jpeg")], thumbnail.jpeg).into_response())
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
fn http_date(at: Wall) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

impl App {
    /// Hands a command to the node; it takes them quickly or is in trouble.
    pub(crate) async fn command(&self, command: Command) -> Result<()> {
        let sent = tokio::time::timeout(std::time::Duration::from_secs(3), self.services.commands.send(command)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(Problem::busy("the node does not take commands now; try again")),
        }
    }
}
