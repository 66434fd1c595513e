//! The names of everything in scope, and the state of every camera.

use crate::{
    app::App,
    caller::Caller,
    views::{CameraState, CountsView, OwnFault, own_faults, rows},
    words::SiteKindWord,
};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct FleetView<'a> {
    towns: Vec<TownView<'a>>,
    sites: Vec<SiteView<'a>>,
    uplinks: Vec<UplinkView<'a>>,
    cameras: Vec<CameraName<'a>>,
}

#[derive(Serialize, ToSchema)]
struct TownView<'a> {
    id: u32,
    name: &'a str,
}

#[derive(Serialize, ToSchema)]
struct SiteView<'a> {
    id: u32,
    name: &'a str,
    kind: SiteKindWord,
    town: u32,
}

#[derive(Serialize, ToSchema)]
struct UplinkView<'a> {
    id: u32,
    name: &'a str,
    /// The line terminal above it.
    olt: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
struct CameraName<'a> {
    id: u32,
    name: &'a str,
    site: u32,
    uplink: Option<u32>,
    /// Degrees east and north, WGS-84.
    at: Option<[f64; 2]>,
}

/// Names of all towns, sites, uplinks and cameras in scope
#[utoipa::path(get, path = "/api/v1/fleet", tag = "fleet",
    responses((status = 200, body = FleetView<'static>), (status = 304, description = "unchanged since If-None-Match")))]
pub(crate) async fn fleet(State(app): State<App>, caller: Caller) -> Response {
    let registry = app.services.registry.load_full();
    let scope = &caller.scope;
    let uplinks = scope.uplinks(&registry);
    let view = FleetView {
        towns: registry
            .towns()
            .filter(|t| scope.sees_town(&registry, t.id))
            .map(|t| TownView { id: t.id.0, name: &t.name })
            .collect(),
        sites: registry
            .sites()
            .filter(|s| scope.knows_site(&registry, s.id))
            .map(|s| SiteView { id: s.id.0, name: &s.name, kind: s.kind.into(), town: s.town.0 })
            .collect(),
        uplinks: registry
            .uplinks()
            .filter(|u| scope.is_everything() || uplinks.contains(&u.id))
            .map(|u| UplinkView { id: u.id.0, name: &u.name, olt: u.olt.as_ref().map(|o| o.0.as_str()) })
            .collect(),
        cameras: registry
            .cameras()
            .filter(|c| scope.sees_camera(&registry, c.id))
            .map(|c| CameraName {
                id: c.id.0,
                name: &c.name,
                site: c.site.0,
                uplink: c.uplink.map(|u| u.0),
                at: c.place.coordinates.as_ref().map(|p| [p.longitude, p.latitude]),
            })
            .collect(),
    };
    // Browsers keep it and ask whether it still holds.
    ([(header::CACHE_CONTROL, "private, no-cache")], Json(view)).into_response()
}

#[derive(Serialize, ToSchema)]
pub(crate) struct States {
    /// The newest event that is contained in this.
    seq: u64,
    at: i64,
    counts: CountsView,
    cameras: Vec<CameraState>,
    own_faults: Vec<OwnFault>,
}

/// State of every camera in scope
#[utoipa::path(get, path = "/api/v1/states", tag = "fleet", responses((status = 200, body = States)))]
pub(crate) async fn states(State(app): State<App>, caller: Caller) -> Json<States> {
    // The number first: what is told after it is at most told twice, never missed.
    let seq = app.hub.seq();
    let board = app.services.board.load_full();
    let registry = app.services.registry.load_full();
    let scope = &caller.scope;
    let seen = || rows(&board, &registry).filter(|r| scope.sees_camera(&registry, r.camera));
    Json(States {
        seq,
        at: board.at.wall.0,
        counts: seen().map(|r| r.status).collect(),
        cameras: seen().map(|r| CameraState::of(r, &app.services.gallery)).collect(),
        own_faults: own_faults(&board),
    })
}
