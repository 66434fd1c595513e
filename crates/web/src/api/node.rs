//! Our own health: what the node uses, does and lacks.

use crate::{
    VERSION,
    api::picture::VerdictsView,
    app::App,
    caller::Caller,
    disk::Disk,
    meter::{Machine, Part},
    services::{ClockState, elapsed},
    tls::Tls,
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
    /// Of one core, decoder processes included, a simulator not.
    cpu_percent: f64,
    /// Decoder processes included, a simulator not.
    rss_bytes: u64,
    own_faults: Vec<OwnFault>,
    /// What the node's processes use, part by part.
    processes: Vec<ProcessView>,
    machine: MachineView,
    /// Disks on which the node keeps something.
    disks: Vec<DiskView>,
    /// What waits inside, and how much may.
    queues: Vec<QueueView>,
    clock: ClockView,
    /// Sums over all camera sessions since the start.
    #[schema(value_type = Object)]
    ingest: ingest::Totals,
    decoders: Decoders,
    #[schema(value_type = Object)]
    archive: archive::Stats,
    database: Database,
    /// The certificate that the pages are served with; null without TLS of our own.
    certificate: Option<ServedCertificate>,
    /// Reports that were to be mailed and are not; null while the database does not tell.
    unsent_reports: Option<Vec<UnsentReport>>,
    /// What people said of verdicts on pictures; null while the database does not tell.
    verdicts: Option<VerdictsView>,
}

#[derive(Serialize, ToSchema)]
struct ProcessView {
    /// service, decoders or simulator (of a demo, counted in no sum).
    part: &'static str,
    processes: u32,
    /// Of one core.
    cpu_percent: f64,
    rss_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct MachineView {
    system: String,
    kernel: String,
    cores: usize,
    /// Busy share of all cores, in percent.
    cpu_percent: Option<f64>,
    /// Tasks that ran or waited, on average over 1, 5 and 15 minutes.
    #[schema(value_type = Option<Vec<f64>>)]
    load: Option<[f64; 3]>,
    memory_bytes: Option<u64>,
    /// What programs can still be given.
    available_bytes: Option<u64>,
    uptime_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct DiskView {
    /// What is on it: data, archive.
    holds: Vec<&'static str>,
    total_bytes: u64,
    /// What we may still write.
    free_bytes: u64,
    /// At the average rate of what the archive stores; null if there is not a day of it yet, or it is not on this disk.
    full_in_days: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct QueueView {
    /// database, decoders, commands, event_streams or live_views.
    name: &'static str,
    waiting: u64,
    /// How many may; null if it bounds itself.
    most: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct ClockView {
    now: i64,
    /// A time server keeps it; null where the kernel does not tell.
    kept: Option<bool>,
    /// What still is to be corrected, in microseconds; positive: the clock is slow.
    offset_us: Option<i64>,
    /// It is right to so many microseconds, as far as the kernel knows; null while nobody keeps it.
    within_us: Option<i64>,
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

/// A certificate.
#[derive(Serialize, ToSchema)]
struct ServedCertificate {
    sha256: String,
    /// Why what is on the disk by now is not served; null: it is.
    trouble: Option<String>,
}

impl ServedCertificate {
    fn of(tls: &Tls) -> ServedCertificate {
        ServedCertificate { sha256: tls.fingerprint(), trouble: tls.trouble().map(|t| t.to_string()) }
    }
}

/// A report whose mail did not arrive.
#[derive(Serialize, ToSchema)]
struct UnsentReport {
    mailing: u32,
    name: String,
    /// The time it tells of.
    from: i64,
    until: i64,
    attempts: u32,
    /// When it is tried next; null: given up.
    next: Option<i64>,
    error: String,
}

async fn unsent_reports(store: &dyn store::Store) -> Result<Vec<UnsentReport>, store::StoreError> {
    let troubled = store.troubled_sendings().await?;
    if troubled.is_empty() {
        return Ok(Vec::new());
    }
    let mailings = store.mailings().await?;
    let view = |sending: store::Sending| UnsentReport {
        mailing: sending.mailing.0,
        name: mailings.iter().find(|m| m.id == sending.mailing).map(|m| m.name.clone()).unwrap_or_default(),
        from: sending.range.start.0,
        until: sending.range.end.0,
        attempts: sending.attempts,
        next: sending.ended.is_none().then_some(sending.next.0),
        error: sending.error,
    };
    Ok(troubled.into_iter().map(view).collect())
}

#[derive(Serialize, ToSchema)]
struct Database {
    /// ok or failed.
    state: &'static str,
    detail: String,
    engine: String,
    bytes: u64,
    /// Written ahead, not in the database yet.
    log_bytes: u64,
    last_write: Option<i64>,
    /// How long it took until it was on the disk.
    last_write_ms: Option<f64>,
}

/// What the node uses, does and lacks
#[utoipa::path(get, path = "/api/v1/self", tag = "about", responses((status = 200, body = SelfView)))]
pub(crate) async fn own(State(app): State<App>, _: Caller) -> Json<SelfView> {
    let services = &app.services;
    let board = services.board.load_full();
    let uptime = elapsed(Wall::read(), services.started.wall);
    let used = app.meter.read(uptime);
    let stats = services.pool.stats();
    let archive = services.archive.stats();
    let verdicts = VerdictsView::read(&app).await.ok();
    let fault = board.own_faults.iter().find(|(part, _)| *part == OwnPart::Database);
    let condition = services.store.condition();
    Json(SelfView {
        version: VERSION,
        started: services.started.wall.0,
        uptime_s: uptime.as_secs(),
        cpu_percent: tenths(used.node().cpu_percent),
        rss_bytes: used.node().rss_bytes,
        own_faults: own_faults(&board),
        processes: Part::ALL
            .map(|part| (part, used.of(part)))
            .into_iter()
            .filter(|(part, usage)| usage.processes > 0 || *part != Part::Simulator)
            .map(|(part, usage)| ProcessView {
                part: part.code(),
                processes: usage.processes,
                cpu_percent: tenths(usage.cpu_percent),
                rss_bytes: usage.rss_bytes,
            })
            .collect(),
        machine: machine(used.machine_percent),
        disks: disks(&app, archive.full_in_days),
        queues: queues(&app, condition.waiting),
        clock: clock((services.clock)()),
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
                .map(|l| SandboxLayer {
                    name: l.layer.code().to_owned(),
                    active: l.active,
                    detail: if l.lacks.is_empty() { l.detail } else { format!("{}; lacks {}", l.detail, l.lacks) },
                })
                .collect(),
        },
        archive,
        database: Database {
            state: if fault.is_some() { "failed" } else { "ok" },
            detail: fault.map(|(_, detail)| detail.clone()).unwrap_or_default(),
            engine: condition.engine,
            bytes: condition.bytes,
            log_bytes: condition.log_bytes,
            last_write: condition.last_write.map(|w| w.at.0),
            last_write_ms: condition.last_write.map(|w| tenths(w.took.as_secs_f64() * 1000.0)),
        },
        certificate: app.certificate.get().map(ServedCertificate::of),
        unsent_reports: unsent_reports(services.store.as_ref()).await.ok(),
        verdicts,
    })
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn machine(percent: Option<f64>) -> MachineView {
    let machine = Machine::read();
    MachineView {
        system: machine.system,
        kernel: machine.kernel,
        cores: machine.cores,
        cpu_percent: percent.map(tenths),
        load: machine.load,
        memory_bytes: machine.memory_bytes,
        available_bytes: machine.available_bytes,
        uptime_s: machine.uptime.map(|t| t.as_secs()),
    }
}

fn clock(state: Option<ClockState>) -> ClockView {
    ClockView {
        now: Wall::read().0,
        kept: state.map(|s| s.kept),
        offset_us: state.filter(|s| s.kept).map(|s| s.offset_us),
        within_us: state.filter(|s| s.kept).map(|s| s.within_us),
    }
}

/// Room on each disk once, whatever lies on it.
fn disks(app: &App, full_in_days: Option<u32>) -> Vec<DiskView> {
    let disks = Disk::of(app);
    let view = |disk: Disk| DiskView {
        full_in_days: full_in_days.filter(|_| disk.holds.contains(&Disk::ARCHIVE)),
        holds: disk.holds,
        total_bytes: disk.total_bytes,
        free_bytes: disk.free_bytes,
    };
    disks.into_iter().map(view).collect()
}

fn queues(app: &App, database: u64) -> Vec<QueueView> {
    let config = &app.services.config;
    let commands = &app.services.commands;
    let used = |most: usize, free: usize| (most.saturating_sub(free) as u64, Some(most as u64));
    let queue = |name, (waiting, most)| QueueView { name, waiting, most };
    vec![
        queue("database", (database, None)),
        queue("decoders", (app.services.pool.stats().queued as u64, None)),
        queue("commands", used(commands.max_capacity(), commands.capacity())),
        queue("event_streams", used(config.event_streams, app.event_streams.available_permits())),
        queue("live_views", used(config.live_viewers, app.live_viewers.available_permits())),
    ]
}
