//! Our own health: what the node uses, does and lacks.

use crate::{
    VERSION,
    api::picture::VerdictsView,
    app::App,
    caller::Caller,
    services::elapsed,
    views::{OwnFault, own_faults},
};
use axum::{Json, extract::State};
use fleet::Wall;
use health::OwnPart;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct SelfView {
    version: &'static str,
    started: i64,
    uptime_s: u64,
    /// Of one core, decoder processes included.
    cpu_percent: f64,
    /// Decoder processes included.
    rss_bytes: u64,
    own_faults: Vec<OwnFault>,
    /// Sums over all camera sessions since the start.
    #[schema(value_type = Object)]
    ingest: ingest::Totals,
    decoders: Decoders,
    #[schema(value_type = Object)]
    archive: archive::Stats,
    database: Database,
    /// What people said of verdicts on pictures; null while the database does not tell.
    verdicts: Option<VerdictsView>,
}

#[derive(Serialize, ToSchema)]
struct Decoders {
    workers: usize,
    queue: usize,
    decoded: u64,
    failed: u64,
    restarts: u64,
    sandbox: Vec<SandboxLayer>,
}

#[derive(Serialize, ToSchema)]
struct SandboxLayer {
    name: String,
    active: bool,
    detail: String,
}

#[derive(Serialize, ToSchema)]
struct Database {
    /// ok or failed.
    state: &'static str,
    detail: String,
}

/// What the node uses, does and lacks
#[utoipa::path(get, path = "/api/v1/self", tag = "about", responses((status = 200, body = SelfView)))]
pub(crate) async fn own(State(app): State<App>, _: Caller) -> Json<SelfView> {
    let services = &app.services;
    let board = services.board.load_full();
    let uptime = elapsed(Wall::read(), services.started.wall);
    let (cpu_percent, usage) = app.meter.read(uptime);
    let stats = services.pool.stats();
    let verdicts = VerdictsView::read(&app).await.ok();
    let fault = board.own_faults.iter().find(|(part, _)| *part == OwnPart::Database);
    Json(SelfView {
        version: VERSION,
        started: services.started.wall.0,
        uptime_s: uptime.as_secs(),
        cpu_percent: (cpu_percent * 10.0).round() / 10.0,
        rss_bytes: usage.rss_bytes,
        own_faults: own_faults(&board),
        ingest: services.ingest.totals(),
        decoders: Decoders {
            workers: stats.workers,
            queue: stats.queued,
            decoded: stats.decoded,
            failed: stats.undecodable + stats.crashed + stats.timed_out,
            restarts: stats.restarts,
            sandbox: services
                .pool
                .sandbox()
                .layers
                .into_iter()
                .map(|l| SandboxLayer { name: l.layer.code().to_owned(), active: l.active, detail: l.detail })
                .collect(),
        },
        archive: services.archive.stats(),
        database: Database {
            state: if fault.is_some() { "failed" } else { "ok" },
            detail: fault.map(|(_, detail)| detail.clone()).unwrap_or_default(),
        },
        verdicts,
    })
}
