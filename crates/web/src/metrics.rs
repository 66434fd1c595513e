//! `/livez`, `/readyz`, `/metrics` and `/metrics/cameras`.
//!
//! Metrics go to this machine or to the bearer of the token. Labels are closed lists or names from the register:
//! never an address, a URL or an error text. Series per camera exist on their own page only.

use crate::{app::App, caller::Peer, disk::Disk, meter::Part, problem::Problem, services::elapsed, views::rows, words};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fleet::{Now, Registry, Status};
use health::{Board, CameraRow};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry as Families, TextEncoder,
    core::Collector,
};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// What the HTTP side counts itself.
pub(crate) struct HttpMetrics {
    families: Families,
    requests: IntCounterVec,
    seconds: HistogramVec,
    streams: IntGauge,
    live: IntGauge,
    refused: IntCounter,
}

/// Counts an event stream as open until dropped.
pub(crate) struct StreamGauge(IntGauge);

impl Drop for StreamGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl HttpMetrics {
    pub(crate) fn new() -> HttpMetrics {
        const VALID: &str = "names and labels are constants of the right form";
        let requests = IntCounterVec::new(
            Opts::new("sharpeyes_http_requests_total", "Requests answered, by route and status"),
            &["method", "route", "status"],
        )
        .expect(VALID);
        let seconds = HistogramVec::new(
            HistogramOpts::new("sharpeyes_http_request_duration_seconds", "Time to the head of an answer, by route")
                .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]),
            &["route"],
        )
        .expect(VALID);
        let streams = IntGauge::new("sharpeyes_http_event_streams", "Event streams of dashboards now").expect(VALID);
        let live = IntGauge::new("sharpeyes_live_viewers", "Live views open now").expect(VALID);
        let refused = IntCounter::new("sharpeyes_sign_in_failures_total", "Sign-ins refused, throttled ones included")
            .expect(VALID);
        let families = Families::new();
        let all: [Box<dyn Collector>; 5] = [
            Box::new(requests.clone()),
            Box::new(seconds.clone()),
            Box::new(streams.clone()),
            Box::new(live.clone()),
            Box::new(refused.clone()),
        ];
        for family in all {
            families.register(family).expect("each name is used once");
        }
        HttpMetrics { families, requests, seconds, streams, live, refused }
    }

    pub(crate) fn stream_opened(&self) -> StreamGauge {
        self.streams.inc();
        StreamGauge(self.streams.clone())
    }

    pub(crate) fn live_opened(&self) -> StreamGauge {
        self.live.inc();
        StreamGauge(self.live.clone())
    }

    pub(crate) fn sign_in_refused(&self) {
        self.refused.inc();
    }
}

/// Counts every request under the route it matched.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("dashboard", MatchedPath::as_str).to_owned();
    // Methods are what a client writes: only known ones become a label.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
    .to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    app.metrics.seconds.with_label_values(&[route.as_str()]).observe(started.elapsed().as_secs_f64());
    app.metrics.requests.with_label_values(&[method.as_str(), route.as_str(), response.status().as_str()]).inc();
    response
}

/// Whether the process should be left running: only its own progress, never cameras, disks or databases.
pub(crate) async fn livez(State(app): State<App>) -> Response {
    let age = app.services.heartbeat.age(Now::read().mono);
    if age < app.services.config.stuck_after {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the node's loop is stuck\n").into_response()
    }
}

/// Whether it can do its work: a fresh board, the database, the archive.
pub(crate) async fn readyz(State(app): State<App>, peer: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    allowed(&app, peer, &headers)?;
    let services = &app.services;
    let board = services.board.load_full();
    // The node publishes at the latest when anything changes; before its first board there is nothing to show.
    let first_board = board.at != Now::default();
    let database = tokio::time::timeout(Duration::from_secs(3), services.store.session(&[0; 32])).await;
    let parts = [
        ("board", first_board),
        ("database", matches!(database, Ok(Ok(_)))),
        ("archive", matches!(services.archive.stats().state, archive::State::Ok)),
        ("loop", services.heartbeat.age(Now::read().mono) < services.config.stuck_after),
    ];
    let ready = parts.iter().all(|(_, ok)| *ok);
    let body = serde_json::json!({
        "ready": ready,
        "parts": parts.iter().map(|(name, ok)| ((*name).to_owned(), (*ok).into())).collect::<serde_json::Map<_, _>>(),
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, axum::Json(body)).into_response())
}

/// The service as a whole.
pub(crate) async fn all(State(app): State<App>, peer: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    allowed(&app, peer, &headers)?;
    let mut families = app.metrics.families.gather();
    let node = node(&app).map_err(|e| Problem::internal("metrics", e))?;
    families.extend(node.gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text).map_err(|e| Problem::internal("metrics", e))?;
    Ok(exposition(text))
}

/// Every camera: ten series each, from the board as it is now.
pub(crate) async fn cameras(State(app): State<App>, peer: Peer, headers: HeaderMap) -> Result<Response, Problem> {
    allowed(&app, peer, &headers)?;
    let board = app.services.board.load_full();
    let registry = app.services.registry.load_full();
    Ok(exposition(render_cameras(&board, &registry).into_bytes()))
}

fn exposition(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// A request of this machine itself, or with the token. A proxy on this machine is not this machine.
fn allowed(app: &App, Peer(address): Peer, headers: &HeaderMap) -> Result<(), Problem> {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|h| headers.contains_key(*h));
    if address.is_loopback() && !forwarded {
        return Ok(());
    }
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .map(|t| Sha256::digest(t.trim()));
    let wanted = app.services.config.metrics_token.as_ref().map(|t| Sha256::digest(t.expose()));
    // Hashes are compared, so the time tells nothing of the token.
    match (given, wanted) {
        (Some(given), Some(wanted)) if given == wanted => Ok(()),
        _ => Err(Problem::unauthenticated()),
    }
}

/// What the node's parts count, read now.
fn node(app: &App) -> prometheus::Result<Families> {
    let services = &app.services;
    let board = services.board.load_full();
    let sheet = Sheet(Families::new());
    let c = board.counts;
    let by_status = [c.online, c.impaired, c.offline, c.unknown, c.paused];
    sheet.gauges(
        "sharpeyes_cameras",
        "Cameras by status",
        "status",
        Status::ALL.iter().map(|s| s.code().to_owned()).zip(by_status.map(f64::from)),
    )?;
    sheet.gauges(
        "sharpeyes_incidents_open",
        "Open incidents by severity",
        "severity",
        words::SEVERITIES.iter().map(|(severity, ..)| {
            let open = board.incidents.iter().filter(|i| i.severity == *severity && i.folded_into.is_none()).count();
            (words::code(severity), open as f64)
        }),
    )?;
    sheet.gauges(
        "sharpeyes_own_fault",
        "1 while this part of our own machine is at fault",
        "part",
        words::PARTS.iter().map(|(part, ..)| {
            let fault = board.own_faults.iter().any(|(p, _)| p == part);
            (words::code(part), f64::from(u8::from(fault)))
        }),
    )?;
    let t = services.ingest.totals();
    sheet.gauge("sharpeyes_ingest_sessions", "RTSP sessions with video flowing", t.sessions as f64)?;
    sheet.gauge("sharpeyes_ingest_sessions_opening", "RTSP sessions being opened", t.opening as f64)?;
    sheet.counter("sharpeyes_ingest_sessions_opened_total", "Sessions that reached their first packet", t.opened)?;
    sheet.counter("sharpeyes_ingest_sessions_ended_total", "Sessions that failed or ended by themselves", t.ended)?;
    sheet.counter("sharpeyes_ingest_packets_total", "RTP packets of video received", t.packets)?;
    sheet.counter("sharpeyes_ingest_bytes_total", "Bytes of video packets received", t.bytes)?;
    sheet.counter("sharpeyes_ingest_packets_lost_total", "RTP packets missing by sequence number", t.lost)?;
    sheet.counter("sharpeyes_ingest_frames_total", "Frames received", t.frames)?;
    sheet.counter("sharpeyes_ingest_keyframes_total", "Keyframes received", t.keyframes)?;
    let p = services.pool.stats();
    sheet.gauge("sharpeyes_decoder_workers", "Decoder processes", p.workers as f64)?;
    sheet.gauge("sharpeyes_decoder_queue", "Pictures waiting for a decoder", p.queued as f64)?;
    sheet.counter("sharpeyes_decoder_pictures_total", "Pictures decoded", p.decoded)?;
    sheet.counter("sharpeyes_decoder_undecodable_total", "Pictures that did not decode", p.undecodable)?;
    sheet.counter("sharpeyes_decoder_restarts_total", "Decoder processes replaced", p.restarts)?;
    let a = services.archive.stats();
    sheet.gauge("sharpeyes_archive_records", "Snapshots and gaps kept", a.records as f64)?;
    sheet.gauge("sharpeyes_archive_bytes", "Bytes of the archive", a.bytes as f64)?;
    sheet.gauge("sharpeyes_archive_free_bytes", "Bytes free on the archive's disk", a.free_bytes as f64)?;
    if let Some(last) = &a.last_check {
        let (at, damaged) = (last.at.0 as f64 / 1000.0, last.damaged as f64);
        sheet.gauge("sharpeyes_archive_last_check_timestamp_seconds", "When all was read again last", at)?;
        sheet.gauge("sharpeyes_archive_last_check_damaged", "What was not as it was written then", damaged)?;
        let unread = last.unread as f64;
        sheet.gauge("sharpeyes_archive_last_check_unread", "Segments that could not be read then", unread)?;
    }
    let uptime = elapsed(fleet::Wall::read(), services.started.wall);
    let used = app.meter.read(uptime);
    let usage = used.node();
    sheet.gauge(
        "sharpeyes_process_resident_memory_bytes",
        "Memory, decoder processes included",
        usage.rss_bytes as f64,
    )?;
    sheet.gauge("sharpeyes_process_cpu_seconds", "CPU time, running decoder processes included", usage.cpu_seconds)?;
    sheet.gauges(
        "sharpeyes_part_resident_memory_bytes",
        "Memory by part; the simulator of a demo is in no sum",
        "part",
        Part::ALL.map(|part| (part.code().to_owned(), used.of(part).rss_bytes as f64)).into_iter(),
    )?;
    sheet.gauges(
        "sharpeyes_part_cpu_seconds",
        "CPU time of the processes that run now, by part",
        "part",
        Part::ALL.map(|part| (part.code().to_owned(), used.of(part).cpu_seconds)).into_iter(),
    )?;
    let disks: Vec<(String, Disk)> = Disk::of(app).into_iter().map(|d| (d.holds.join("_"), d)).collect();
    let sizes = disks.iter().map(|(name, d)| (name.clone(), d.total_bytes as f64));
    sheet.gauges("sharpeyes_disk_bytes", "Size of a disk, by what the node keeps on it", "holds", sizes)?;
    let free = disks.iter().map(|(name, d)| (name.clone(), d.free_bytes as f64));
    sheet.gauges("sharpeyes_disk_free_bytes", "Bytes that may still be written to a disk", "holds", free)?;
    if let Some(days) = a.full_in_days {
        let days = f64::from(days);
        sheet.gauge(
            "sharpeyes_archive_full_in_days",
            "Days until the archive's disk is full, at the usual rate",
            days,
        )?;
    }
    let condition = services.store.condition();
    sheet.gauge("sharpeyes_database_bytes", "Bytes of the database", condition.bytes as f64)?;
    sheet.gauge("sharpeyes_database_log_bytes", "Bytes written ahead of the database", condition.log_bytes as f64)?;
    sheet.gauge("sharpeyes_database_queue", "Pieces of work that wait to be written", condition.waiting as f64)?;
    if let Some(write) = condition.last_write {
        let (at, took) = (write.at.0 as f64 / 1000.0, write.took.as_secs_f64());
        sheet.gauge("sharpeyes_database_last_write_timestamp_seconds", "When something was written last", at)?;
        sheet.gauge("sharpeyes_database_last_write_duration_seconds", "How long it took until it was flushed", took)?;
    }
    if let Some(clock) = (services.clock)() {
        let kept = f64::from(u8::from(clock.kept));
        sheet.gauge("sharpeyes_clock_synchronised", "1 while a time server keeps this machine's clock", kept)?;
        let offset = clock.offset_us as f64 / 1e6;
        sheet.gauge("sharpeyes_clock_offset_seconds", "What still is to be corrected; positive: it is slow", offset)?;
    }
    sheet.gauge("sharpeyes_start_time_seconds", "When the node started", services.started.wall.0 as f64 / 1000.0)?;
    let info = Opts::new("sharpeyes_build_info", "Version of the program").const_label("version", crate::VERSION);
    let build = IntGauge::with_opts(info)?;
    build.set(1);
    sheet.0.register(Box::new(build))?;
    Ok(sheet.0)
}

/// Families made for one answer.
struct Sheet(Families);

impl Sheet {
    fn gauge(&self, name: &str, help: &str, value: f64) -> prometheus::Result<()> {
        let gauge = prometheus::Gauge::new(name, help)?;
        gauge.set(value);
        self.0.register(Box::new(gauge))
    }

    fn counter(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        self.0.register(Box::new(counter))
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, f64)>,
    ) -> prometheus::Result<()> {
        let gauges = prometheus::GaugeVec::new(Opts::new(name, help), &[label])?;
        for (word, value) in values {
            gauges.with_label_values(&[word.as_str()]).set(value);
        }
        self.0.register(Box::new(gauges))
    }
}

type Reading = fn(&CameraRow) -> Option<f64>;

/// Name, help, value. With the info series these are all of a camera's series: ten.
const SERIES: [(&str, &str, Reading); 9] = [
    ("sharpeyes_camera_status", "0 online, 1 impaired, 2 offline, 3 unknown, 4 paused", |r| {
        Status::ALL.iter().position(|s| *s == r.status).map(|i| i as f64)
    }),
    ("sharpeyes_camera_status_since_timestamp_seconds", "Since when it has this status", |r| {
        Some(r.since.0 as f64 / 1000.0)
    }),
    ("sharpeyes_camera_frames_per_second", "Frames per second really delivered", |r| {
        r.figures.as_ref().map(|f| f64::from(f.fps))
    }),
    ("sharpeyes_camera_video_bits_per_second", "Bits per second of video", |r| {
        r.figures.as_ref().map(|f| f.bitrate as f64)
    }),
    ("sharpeyes_camera_packets_lost_ratio", "Share of packets lost in the last window", |r| {
        let f = r.figures.as_ref()?;
        let all = f.packets + f.lost;
        (all > 0).then(|| f.lost as f64 / all as f64)
    }),
    ("sharpeyes_camera_jitter_seconds", "Interarrival jitter after RFC 3550", |r| {
        r.figures.as_ref().map(|f| f64::from(f.jitter_ms) / 1000.0)
    }),
    ("sharpeyes_camera_clock_offset_seconds", "Camera clock minus ours", |r| {
        r.figures.as_ref()?.clock_offset_ms.map(|ms| ms as f64 / 1000.0)
    }),
    ("sharpeyes_camera_last_picture_timestamp_seconds", "When its last good picture was decoded", |r| {
        r.last_picture.map(|t| t.0 as f64 / 1000.0)
    }),
    ("sharpeyes_camera_last_snapshot_timestamp_seconds", "When its last snapshot was archived", |r| {
        r.last_snapshot.map(|t| t.0 as f64 / 1000.0)
    }),
];

fn render_cameras(board: &Board, registry: &Registry) -> String {
    let mut out = String::with_capacity(board.cameras.len() * 700 + 2048);
    out.push_str("# HELP sharpeyes_camera_info Which camera it is\n# TYPE sharpeyes_camera_info gauge\n");
    for row in rows(board, registry) {
        let Some(camera) = registry.camera(row.camera) else { continue };
        let site = registry.site(camera.site);
        let town = site.and_then(|s| registry.town(s.town));
        let _ = write!(out, "sharpeyes_camera_info{{camera=\"{}\",name=\"", row.camera);
        escape(&mut out, &camera.name);
        out.push_str("\",site=\"");
        escape(&mut out, site.map_or("", |s| &s.name));
        out.push_str("\",town=\"");
        escape(&mut out, town.map_or("", |t| &t.name));
        out.push_str("\"} 1\n");
    }
    for (name, help, reading) in SERIES {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for row in rows(board, registry) {
            if let Some(value) = reading(row) {
                let _ = writeln!(out, "{name}{{camera=\"{}\"}} {value}", row.camera);
            }
        }
    }
    out
}

/// Label values after the exposition format: backslash, quote and line feed; other control characters vanish.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_a_label() {
        let mut out = String::new();
        escape(&mut out, "a\"} 1\nfake{x=\"\\\r");
        assert_eq!(out, "a\\\"} 1\\nfake{x=\\\"\\\\");
    }
}
