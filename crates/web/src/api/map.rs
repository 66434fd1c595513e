//! The ground of the map: what there is, and its bytes by range.

use crate::{
    app::App,
    caller::Caller,
    problem::{Problem, Result},
    tiles,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct MapView {
    /// Null: none was given; the map is drawn on a plain ground.
    ground: Option<GroundView>,
}

#[derive(Serialize, ToSchema)]
struct GroundView {
    /// vector, png, jpeg, webp or avif.
    kind: &'static str,
    least_zoom: u8,
    most_zoom: u8,
    /// West, south, east, north, in degrees.
    #[schema(value_type = Vec<f64>)]
    bounds: [f64; 4],
    attribution: String,
    /// Its places are shifted as Chinese maps are.
    gcj02: bool,
}

/// What the map is drawn on
#[utoipa::path(get, path = "/api/v1/map", tag = "map", responses((status = 200, body = MapView)))]
pub(crate) async fn map(State(app): State<App>, _: Caller) -> Json<MapView> {
    let ground = app.tiles.as_ref().map(|tiles| GroundView {
        kind: tiles.kind,
        least_zoom: tiles.zooms.0,
        most_zoom: tiles.zooms.1,
        bounds: tiles.bounds,
        attribution: tiles.attribution.clone(),
        gcj02: tiles.gcj02,
    });
    Json(MapView { ground })
}

/// Bytes of its file of tiles (PMTiles 3), by range
#[utoipa::path(get, path = "/api/v1/map/tiles", tag = "map",
    params(("Range" = Option<String>, Header, description = "one range such as bytes=0-16383; at most 8 MiB of it are told")),
    responses((status = 206, content_type = "application/octet-stream", body = Vec<u8>), (status = 400), (status = 404),
        (status = 416)))]
pub(crate) async fn bytes(State(app): State<App>, _: Caller, headers: HeaderMap) -> Result<Response> {
    let tiles = app.tiles.as_ref().ok_or_else(Problem::not_found)?;
    let asked = headers.get(header::RANGE).and_then(|h| h.to_str().ok()).and_then(tiles::range);
    let range = asked.ok_or_else(|| Problem::invalid("Range: expected one, such as bytes=0-16383"))?;
    let from = *range.start();
    let Some(read) = tiles.read(range).await else {
        return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range", "the file is shorter"));
    };
    let bytes = read.map_err(|e| Problem::internal("map tiles cannot be read", e))?;
    let last = from + bytes.len() as u64 - 1;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_RANGE, format!("bytes {from}-{last}/{}", tiles.length)),
        (header::ETAG, tiles.etag.clone()),
        (header::CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    Ok((StatusCode::PARTIAL_CONTENT, headers, bytes).into_response())
}
