//! The control room's first page: counts, rates, worst sites, what changed, computed from the board.

use crate::{
    app::App,
    caller::Caller,
    problem::Result,
    tally::Stored,
    views::{CountsView, IntervalView, rows},
};
use axum::{Json, extract::State};
use fleet::{SiteId, TownId};
use health::Severity;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use store::HistoryQuery;
use utoipa::ToSchema;

/// Sites named as the worst.
const WORST: usize = 20;
/// Changes shown.
const RECENT: usize = 50;
/// The newest changes are read from the store at most so often, for all dashboards together.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The newest changes, as last read.
#[derive(Default)]
pub(crate) struct Cache(tokio::sync::Mutex<Option<(Instant, Arc<[IntervalView]>)>>);

#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    counts: CountsView,
    total: u32,
    /// Online and impaired over online, impaired and offline, at this instant; null if no camera is judged.
    online_rate: Option<f64>,
    /// Online over online, impaired and offline.
    intact_rate: Option<f64>,
    towns: Vec<TownCounts>,
    /// Sites with the most cameras not online; at most 20.
    worst_sites: Vec<SiteCounts>,
    /// The newest changes of status; at most 50.
    recent: Vec<IntervalView>,
    incidents: BySeverity,
    /// To the quarter of an hour; null while they are being counted.
    snapshots_24h: Option<Stored>,
    archive: ArchiveView,
}

#[derive(Serialize, ToSchema)]
struct TownCounts {
    town: u32,
    counts: CountsView,
    total: u32,
    online_rate: Option<f64>,
}

#[derive(Serialize, ToSchema)]
struct SiteCounts {
    site: u32,
    counts: CountsView,
    total: u32,
}

#[derive(Default, Serialize, ToSchema)]
struct BySeverity {
    critical: u32,
    major: u32,
    minor: u32,
}

/// The archive in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArchiveView {
    /// ok, full or failed.
    state: &'static str,
    records: u64,
    bytes: u64,
    free_bytes: u64,
    oldest: Option<i64>,
}

impl ArchiveView {
    pub(crate) fn of(stats: &archive::Stats) -> ArchiveView {
        ArchiveView {
            state: match stats.state {
                archive::State::Ok => "ok",
                archive::State::Full => "full",
                archive::State::Failed(_) => "failed",
            },
            records: stats.records,
            bytes: stats.bytes,
            free_bytes: stats.free_bytes,
            oldest: stats.oldest.map(|t| t.0),
        }
    }
}

/// Counts, rates, worst sites and what changed, in scope
#[utoipa::path(get, path = "/api/v1/overview", tag = "fleet", responses((status = 200, body = Overview)))]
pub(crate) async fn overview(State(app): State<App>, caller: Caller) -> Result<Json<Overview>> {
    let board = app.services.board.load_full();
    let registry = app.services.registry.load_full();
    let scope = &caller.scope;
    let mut counts = CountsView::default();
    let mut towns: BTreeMap<TownId, CountsView> = BTreeMap::new();
    let mut sites: BTreeMap<SiteId, CountsView> = BTreeMap::new();
    for row in rows(&board, &registry) {
        let Some(camera) = registry.camera(row.camera) else { continue };
        if !scope.sees_camera(&registry, camera.id) {
            continue;
        }
        counts.add(row.status);
        sites.entry(camera.site).or_default().add(row.status);
        if let Some(site) = registry.site(camera.site) {
            towns.entry(site.town).or_default().add(row.status);
        }
    }
    let mut worst: Vec<(SiteId, CountsView)> = sites.into_iter().filter(|(_, c)| c.offline + c.impaired > 0).collect();
    worst.sort_by_key(|(site, c)| (std::cmp::Reverse((c.offline, c.impaired)), c.total(), *site));
    worst.truncate(WORST);
    let mut incidents = BySeverity::default();
    for incident in board.incidents.iter().filter(|i| i.folded_into.is_none()) {
        if scope.incident(&registry, incident).is_some() {
            *match incident.severity {
                Severity::Critical => &mut incidents.critical,
                Severity::Major => &mut incidents.major,
                Severity::Minor => &mut incidents.minor,
            } += 1;
        }
    }
    let (recent, hiding) = (recent(&app).await?, app.hiding(&caller).await?);
    Ok(Json(Overview {
        counts,
        total: counts.total(),
        online_rate: counts.online_rate(),
        intact_rate: counts.intact_rate(),
        towns: towns
            .into_iter()
            .map(|(town, counts)| TownCounts {
                town: town.0,
                counts,
                total: counts.total(),
                online_rate: counts.online_rate(),
            })
            .collect(),
        worst_sites: worst
            .into_iter()
            .map(|(site, counts)| SiteCounts { site: site.0, counts, total: counts.total() })
            .collect(),
        recent: recent
            .iter()
            .filter(|i| scope.sees_camera(&registry, i.camera()))
            .take(RECENT)
            .map(|i| i.clone().without(&hiding))
            .collect(),
        incidents,
        snapshots_24h: app.tally.sum(|camera| scope.sees_camera(&registry, camera)).await,
        archive: ArchiveView::of(&app.services.archive.stats()),
    }))
}

async fn recent(app: &App) -> Result<Arc<[IntervalView]>> {
    let mut cache = app.overview.0.lock().await;
    if let Some((at, kept)) = &*cache
        && at.elapsed() < READ_EVERY
    {
        return Ok(Arc::clone(kept));
    }
    // More than are shown: a user's scope may hold few of them.
    let query = HistoryQuery { limit: 1000, ..HistoryQuery::default() };
    let page = app.services.store.history(&query).await?;
    let read: Arc<[IntervalView]> = page.items.into_iter().map(IntervalView::from).collect();
    *cache = Some((Instant::now(), Arc::clone(&read)));
    Ok(read)
}
