//! Live view of one camera: a WebSocket on which the stream that is pulled anyway comes as fragmented MP4.
//!
//! Text messages say what is going on ([`message::Said`]), binary ones carry video or, for a browser that cannot play
//! the stream's coding, a rendered picture of each keyframe. Nothing is opened for a viewer, and a slow one never
//! slows the session: he is served within a bound of what he has acknowledged, and the ingest drops what he cannot
//! take. The connection ends at once when his session does.

mod message;
mod source;
mod viewer;

use crate::{
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    guard,
    problem::{Path, Problem, Query, Result},
};
use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Largest message of a client: an acknowledgement is a number in braces.
const LARGEST_ANSWER: usize = 256;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Abilities {
    /// The browser plays H.265.
    #[serde(default)]
    h265: bool,
}

/// Watch it live, over a WebSocket
///
/// The service says in text messages what comes: `{"state":"stream","mime","width","height"}`, `pictures`, `waiting`,
/// `skipped` {why}, `no_stream` {cause}. The first byte of a binary message tells its kind: 0 initialization segment,
/// 1 media segment (one frame), 2 JPEG picture. The client acknowledges with `{"got":N}`, N binary messages so far;
/// beyond some hundred kilobytes that are not acknowledged nothing more is sent.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/live", tag = "cameras", params(("id" = u32, Path), Abilities),
    responses((status = 101, description = "the WebSocket is open"), (status = 403, description = "also codes cross_origin and no_order"),
        (status = 404), (status = 426, description = "no WebSocket was asked for"), (status = 503)))]
pub(crate) async fn live(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Query(abilities): Query<Abilities>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    // A browser lets any page open a WebSocket to anywhere, with our cookie.
    if !guard::is_same_origin(&headers) {
        return Err(guard::cross_origin());
    }
    app.watches(&caller, camera).await?;
    let slot = Arc::clone(&app.live_viewers)
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many live views are open; close some and try again"))?;
    let upgrade = upgrade.map_err(|_| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket_expected", "this address speaks WebSocket only")
    })?;
    // Listen before the session is looked at again, so that no revocation falls between.
    let revoked = app.sessions.revocations();
    app.audit(Deed::of(&caller, Action::LiveOpened).on(camera)).await?;
    Ok(upgrade.max_message_size(LARGEST_ANSWER).on_upgrade(move |socket| async move {
        let gauge = app.metrics.live_opened();
        viewer::serve(app, caller, camera, abilities.h265, socket, revoked).await;
        drop((slot, gauge));
    }))
}
