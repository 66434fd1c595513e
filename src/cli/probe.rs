//! `sharpeyes probe`: climbs the ladder of one stream once. Exit status as Nagios plugins have it.

use crate::{
    config::Config,
    node,
    output::{self, Failure},
};
use fleet::{CameraId, Cause, Confidence, Credentials, Layer, Secret, Status, StreamUrl, Transport};
use ingest::{Outcome, Rung};
use serde::Serialize;
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stream address, such as rtsp://10.1.2.3:554/main. Better give the account by --username.
    url: String,
    /// Account of the camera; the password is read from the environment variable SHARPEYES_PASSWORD.
    #[arg(long)]
    username: Option<String>,
    /// Pull by UDP instead of the RTSP connection.
    #[arg(long)]
    udp: bool,
    /// How a camera is treated that does not keep to the RFCs, such as "session_id=latest" (config/demo/README.md).
    #[arg(long, value_name = "POLICIES")]
    quirks: Option<fleet::Quirks>,
    /// Config file; without it any address is permitted.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a script gets.
#[derive(Serialize)]
struct Report {
    status: Status,
    layer: Option<Layer>,
    cause: Option<Cause>,
    /// Of the cause; of the good news if there is none.
    confidence: Confidence,
    rungs: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    layer: Layer,
    outcome: Outcome,
    ms: u64,
    cause: Option<Cause>,
    confidence: Option<Confidence>,
    evidence: String,
}

impl From<&Rung> for Line {
    fn from(rung: &Rung) -> Line {
        let ms = u64::try_from(rung.took.as_millis()).unwrap_or(u64::MAX);
        Line {
            layer: rung.layer,
            outcome: rung.outcome,
            ms,
            cause: rung.cause,
            confidence: rung.confidence,
            evidence: rung.evidence.clone(),
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let (url, from_url) = StreamUrl::parse(&args.url).map_err(Failure::setup)?;
    let password = Secret::new(std::env::var("SHARPEYES_PASSWORD").unwrap_or_default());
    let credentials = args.username.map(|username| Credentials { username, password }).or(from_url);
    let (ingest_config, picture_config) = match &args.config {
        Some(path) => {
            let config = Config::read(path).map_err(Failure::setup)?;
            (node::ingest_config(&config)?, node::picture_config(&config))
        }
        None => {
            let mut config = Config::default();
            config.ingest.allow_networks = vec!["0.0.0.0/0".into(), "::/0".into()];
            config.ingest.allow_loopback = true;
            config.picture.sandbox = crate::config::Sandbox::Prefer;
            config.picture.workers = 1;
            (node::ingest_config(&config)?, node::picture_config(&config))
        }
    };
    let transport = if args.udp { Transport::Udp } else { Transport::Tcp };
    let target =
        ingest::Target { url, credentials, transport, quirks: args.quirks.unwrap_or_default(), certificate: None };
    let json = args.json;
    let mut climb = ingest::climb(&target, &ingest_config, &mut |rung| tell(json, rung)).await;
    if climb.failure.is_none() {
        look(&mut climb, picture_config, json).await?;
    }
    let cause = climb.failure.as_ref().map(|f| f.cause);
    let status = cause.map_or(Status::Online, Cause::status);
    let failed = climb.rungs.iter().find(|r| r.outcome == Outcome::Failed);
    let confidence = failed.map_or(Some(Confidence::Certain), |r| r.confidence).unwrap_or(Confidence::Possible);
    if json {
        let rungs = climb.rungs.iter().map(Line::from).collect();
        output::json(&Report { status, layer: cause.map(Cause::layer), cause, confidence, rungs });
    } else {
        let (zh, en) = status.text();
        output::line(format_args!("{zh} {en}"));
        if let Some(failure) = &climb.failure {
            let ((zh, en), (next_zh, next_en)) = (failure.cause.text(), failure.cause.next_step());
            let (sure_zh, sure_en) = confidence.text();
            output::line(format_args!("{zh} {en}（{sure_zh} {sure_en}）: {}", failure.detail));
            output::line(format_args!("→ {next_zh}\n→ {next_en}"));
        }
    }
    Ok(ExitCode::from(match status {
        Status::Online => 0,
        Status::Impaired => 1,
        Status::Offline => 2,
        Status::Unknown | Status::Paused => 3,
    }))
}

fn tell(json: bool, rung: &Rung) {
    if json {
        return;
    }
    let mark = match rung.outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Skipped => "–",
    };
    let (zh, en) = rung.layer.text();
    output::line(format_args!("{mark} {zh} {en}\t{} ms\t{}", rung.took.as_millis(), rung.evidence));
}

/// The upper rungs: decodes the keyframe, looks at the picture and at the camera's clock.
async fn look(climb: &mut ingest::Climb, config: picture::Config, json: bool) -> Result<(), Failure> {
    let Some(keyframe) = climb.keyframe.take() else { return Ok(()) };
    let figures = climb.figures.clone();
    let mut climbed = |layer: Layer, took: Duration, result: Result<String, (Cause, String)>| {
        let (outcome, cause, evidence) = match result {
            Ok(evidence) => (Outcome::Passed, None, evidence),
            Err((cause, evidence)) => (Outcome::Failed, Some(cause), evidence),
        };
        let confidence = Some(cause.map_or(Confidence::Certain, Cause::confidence));
        let rung = Rung { layer, outcome, took, cause, confidence, evidence: evidence.clone() };
        tell(json, &rung);
        climb.rungs.push(rung);
        if let Some(cause) = cause {
            climb.failure = Some(health::Failure { cause, detail: evidence });
        }
        cause.is_none()
    };
    let started = Instant::now();
    let pool = picture::Pool::start(config, node::own_program()?).map_err(Failure::setup)?;
    let assessed = pool.assess(CameraId(0), keyframe.codec, keyframe.data.clone()).await;
    pool.shutdown().await;
    let assessment = match assessed {
        Ok(assessment) => {
            let size = format!("{} {}x{}", keyframe.codec.code(), assessment.width, assessment.height);
            climbed(Layer::Decode, started.elapsed(), Ok(size));
            assessment
        }
        Err(error) => {
            climbed(Layer::Decode, started.elapsed(), Err(error.failure()));
            return Ok(());
        }
    };
    let started = Instant::now();
    // One picture must do here; what needs several (frozen, moved) is left to the service.
    let at_once = picture::DiagnosisConfig::default().at_once();
    let verdict = picture::Diagnosis::new(at_once).judge(CameraId(0), &assessment.features, keyframe.received);
    let seen =
        verdict.fault().map_or(Ok("a scene is visible (frozen and moved need several pictures)".to_owned()), Err);
    if !climbed(Layer::Picture, started.elapsed(), seen) {
        return Ok(());
    }
    let clock = match keyframe.camera_clock {
        None if figures.as_ref().is_some_and(|f| f.clock_absurd) => {
            Ok("the sender reports tell no date: its clock is not known".to_owned())
        }
        None => Ok("the camera sent no sender report: its clock is not known".to_owned()),
        Some(clock) => {
            let offset = clock.at.millis_since(keyframe.received.wall);
            let seconds = offset as f64 / 1000.0;
            let within = format!(" ± {:.2}", f64::from(clock.uncertainty_ms) / 1000.0);
            if offset.abs() <= health::Config::default().clock_tolerance_ms {
                Ok(format!("off by {seconds:+.1}{within} s"))
            } else {
                Err((Cause::ClockWrong, format!("off by {seconds:+.1}{within} s")))
            }
        }
    };
    climbed(Layer::Clock, Duration::ZERO, clock);
    Ok(())
}
