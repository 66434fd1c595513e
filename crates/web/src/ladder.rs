//! The ladder of a camera as the page shows it: from the running session and the last verdict, or climbed now.

use crate::{
    app::App,
    problem::{Problem, Result},
    views::millis,
    words::{CauseWord, ConfidenceWord, LayerWord, StatusWord},
};
use fleet::{
    Camera, CameraId, Cause, Confidence, Credentials, Layer, Status, StreamChoice, StreamUrl, Transport, Wall,
};
use health::{CameraRow, Carriage, Failure, StreamFigures};
use ingest::{Climb, Keyframe, Outcome};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use utoipa::{PartialSchema, ToSchema, openapi::schema::Schema};

/// No camera of the register: their numbers begin at 1.
const NOBODY: CameraId = CameraId(0);
/// Climbs at once, in all.
const CLIMBS: usize = 8;
/// Longest wait for the next keyframe of a running session.
const KEYFRAME: Duration = Duration::from_secs(12);
/// A refusal this quick means that no session runs.
const AT_ONCE: Duration = Duration::from_millis(50);

/// A climb of the ladder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ladder {
    at: i64,
    source: Source,
    status: StatusWord,
    /// The first failing rung.
    layer: Option<LayerWord>,
    cause: Option<CauseWord>,
    /// How sure that is; null while nothing is known.
    confidence: Option<ConfidenceWord>,
    /// Every rung, lowest first.
    rungs: Vec<Rung>,
    /// The RTSP exchange, secrets removed.
    transcript: Option<String>,
}

/// What a ladder rests on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// The running session and the last verdict.
    Session,
    /// A climb of its own.
    Probe,
}

/// One rung.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Rung {
    layer: LayerWord,
    outcome: OutcomeWord,
    ms: Option<u64>,
    cause: Option<CauseWord>,
    /// How sure the outcome is; null of a rung that was skipped.
    confidence: Option<ConfidenceWord>,
    evidence: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
struct OutcomeWord(Outcome);

impl PartialSchema for OutcomeWord {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        crate::words::closed_list(["passed", "failed", "skipped"])
    }
}
impl ToSchema for OutcomeWord {}

impl Rung {
    fn new(layer: Layer, outcome: Outcome, evidence: impl Into<String>) -> Rung {
        let confidence = (outcome != Outcome::Skipped).then_some(Confidence::Certain.into());
        let (layer, outcome) = (layer.into(), OutcomeWord(outcome));
        Rung { layer, outcome, ms: None, cause: None, confidence, evidence: evidence.into() }
    }

    fn failed(failure: &Failure, layer: Layer) -> Rung {
        let confidence = Some(failure.cause.confidence().into());
        Rung {
            cause: Some(failure.cause.into()),
            confidence,
            ..Rung::new(layer, Outcome::Failed, failure.detail.clone())
        }
    }

    /// Without its words if it is about a cause that is hidden.
    pub(crate) fn without(mut self, hidden: impl Fn(Cause) -> bool) -> Rung {
        if self.cause.is_some_and(|c| hidden(c.0)) {
            self.evidence.clear();
        }
        self
    }

    /// Seen more than once, as the watch does before it tells.
    fn confirmed(self) -> Rung {
        Rung { confidence: self.confidence.map(|c| c.0.confirmed().into()), ..self }
    }
}

impl From<&ingest::Rung> for Rung {
    fn from(r: &ingest::Rung) -> Rung {
        Rung {
            layer: r.layer.into(),
            outcome: OutcomeWord(r.outcome),
            ms: Some(millis(r.took)),
            cause: r.cause.map(Into::into),
            confidence: r.confidence.map(Into::into),
            evidence: r.evidence.clone(),
        }
    }
}

impl Ladder {
    /// Without the words on causes that are hidden.
    pub(crate) fn without(mut self, hidden: impl Fn(Cause) -> bool) -> Ladder {
        self.rungs = self.rungs.into_iter().map(|rung| rung.without(&hidden)).collect();
        self
    }

    /// The first failing rung and why; nothing if all is well.
    pub(crate) fn verdict(&self) -> (Option<Layer>, Option<Cause>) {
        (self.layer.map(|l| l.0), self.cause.map(|c| c.0))
    }

    /// What is known without asking the camera anything.
    pub(crate) fn known(camera: &Camera, row: &CameraRow, transcript: Option<String>) -> Ladder {
        let failure = row.cause.map(|cause| Failure { cause, detail: row.detail.to_string() });
        let judged = matches!(row.status, Status::Online | Status::Impaired | Status::Offline);
        let rungs = Layer::ALL.map(|layer| match &failure {
            Some(failure) if layer == row.layer.unwrap_or(failure.layer()) && judged => {
                Rung::failed(failure, layer).confirmed()
            }
            Some(failure) if layer == failure.layer() => {
                Rung { cause: Some(failure.cause.into()), ..Rung::new(layer, Outcome::Skipped, failure.detail.clone()) }
            }
            _ if !judged => Rung::new(layer, Outcome::Skipped, ""),
            Some(failure) if layer > row.layer.unwrap_or(failure.layer()) => Rung::new(layer, Outcome::Skipped, ""),
            _ => {
                let evidence = evidence(layer, camera, row);
                Rung::new(
                    layer,
                    if evidence.is_some() { Outcome::Passed } else { Outcome::Skipped },
                    evidence.unwrap_or_default(),
                )
            }
        });
        let failed = rungs.iter().find(|r| r.outcome.0 == Outcome::Failed);
        Ladder {
            at: Wall::read().0,
            source: Source::Session,
            status: row.status.into(),
            confidence: if judged { failed.map_or(Some(Confidence::Certain.into()), |r| r.confidence) } else { None },
            layer: row.layer.filter(|_| judged).map(Into::into),
            cause: row.cause.map(Into::into),
            rungs: rungs.into(),
            transcript,
        }
    }

    fn climbed(climb: Climb, above: Vec<Rung>) -> Ladder {
        let mut rungs: Vec<Rung> = climb.rungs.iter().map(Rung::from).collect();
        rungs.extend(above);
        let climbed: BTreeSet<Layer> = rungs.iter().map(|r| r.layer.0).collect();
        let rest = Layer::ALL.into_iter().filter(|l| !climbed.contains(l));
        rungs.extend(rest.map(|l| Rung::new(l, Outcome::Skipped, "")));
        rungs.sort_by_key(|r| r.layer.0);
        Ladder::of_rungs(Source::Probe, rungs, Some(climb.transcript).filter(|t| !t.is_empty()))
    }

    fn of_rungs(source: Source, rungs: Vec<Rung>, transcript: Option<String>) -> Ladder {
        let failed = rungs.iter().find(|r| r.outcome.0 == Outcome::Failed);
        let cause = failed.and_then(|r| r.cause);
        // A rung of our own that failed says nothing about the camera.
        let status = cause.map_or(Status::Online, |c| c.0.status());
        Ladder {
            at: Wall::read().0,
            source,
            status: status.into(),
            confidence: failed.map_or(Some(Confidence::Certain.into()), |r| r.confidence),
            layer: failed.map(|r| r.layer),
            cause,
            rungs,
            transcript,
        }
    }
}

/// What a passed rung rests on while a session runs; `None` if nothing is known of it.
fn evidence(layer: Layer, camera: &Camera, row: &CameraRow) -> Option<String> {
    let figures = row.figures.as_deref();
    let url = camera.stream(row.stream);
    match layer {
        Layer::Address => Some(url.host().to_owned()),
        Layer::Network | Layer::Port => Some(format!("{}:{}", url.host(), url.port())),
        Layer::Rtsp | Layer::Auth => Some(String::new()),
        Layer::Media => figures.map(|f| {
            let codec = f.codec.map_or("?", fleet::Codec::code);
            f.format().map_or_else(|| codec.to_owned(), |format| format.to_string())
        }),
        Layer::Flow => figures.map(|f| flow(f, row.carriage.as_deref())),
        Layer::Decode | Layer::Picture => row.last_picture.map(time),
        Layer::Clock => clock_seen(figures?),
    }
}

fn flow(f: &StreamFigures, carriage: Option<&Carriage>) -> String {
    let counts =
        format!("{:.1} fps, {} kbit/s, {} of {} packets lost", f.fps, f.bitrate / 1000, f.lost, f.packets + f.lost);
    match carriage {
        None => counts,
        Some(Carriage { transport, fallback: None }) => format!("{counts}, {}", transport.code().to_uppercase()),
        Some(Carriage { transport, fallback: Some(why) }) => {
            let (by, instead) = (transport.code().to_uppercase(), transport.other().code().to_uppercase());
            format!("{counts}, {by} instead of {instead} ({why})")
        }
    }
}

/// What a running session knows of the camera's clock: how far off, how sure that is, how fast it runs away.
fn clock_seen(f: &StreamFigures) -> Option<String> {
    let Some(offset) = f.clock_offset_ms else {
        return f.clock_absurd.then(|| "the sender reports tell no date".to_owned());
    };
    let mut text = clock(offset);
    if let Some(within) = f.clock_uncertainty_ms {
        text.push_str(&format!(" ± {:.2} s", f64::from(within) / 1000.0));
    }
    if let Some(drift) = f.clock_drift {
        // Millionths as seconds a day.
        let day = |ppm: f32| f64::from(ppm) * 0.0864;
        text.push_str(&format!(", {:+.1} ± {:.1} s/day", day(drift.ppm), day(drift.uncertainty_ppm)));
    }
    Some(text)
}

fn clock(offset_ms: i64) -> String {
    format!("{:+.1} s", offset_ms as f64 / 1000.0)
}

fn time(at: Wall) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|t| t.to_string()).unwrap_or_default()
}

/// Climbs under way: never two on one camera, never too many in all.
#[derive(Default)]
pub(crate) struct Climbs(Mutex<BTreeSet<CameraId>>);

struct Turn<'a> {
    climbs: &'a Climbs,
    camera: CameraId,
}

impl Climbs {
    fn begin(&self, camera: CameraId) -> Result<Turn<'_>> {
        let mut climbs = self.0.lock();
        if climbs.len() >= CLIMBS {
            return Err(Problem::busy("other cameras are being checked; try again in a moment"));
        }
        if !climbs.insert(camera) {
            return Err(Problem::busy("this camera is being checked already"));
        }
        Ok(Turn { climbs: self, camera })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.climbs.0.lock().remove(&self.camera);
    }
}

impl App {
    /// Checks a camera now: by the next keyframe of its session if one runs, else by a climb of its own.
    pub(crate) async fn probe(&self, camera: &Camera) -> Result<Ladder> {
        Ok(self.probe_telling(camera, &mut |_| ()).await?.0)
    }

    /// The same, telling each rung as it is decided; with the keyframe it rests on.
    pub(crate) async fn probe_telling(
        &self,
        camera: &Camera,
        tell: &mut (dyn FnMut(Rung) + Send),
    ) -> Result<(Ladder, Option<Arc<Keyframe>>)> {
        let _turn = self.climbs.begin(camera.id)?;
        let services = &self.services;
        let asked = Instant::now();
        let (ladder, keyframe) = match services.ingest.next_keyframe(camera.id, KEYFRAME).await {
            Ok(keyframe) => (self.by_session(camera, &keyframe).await?, Some(keyframe)),
            Err(_) if asked.elapsed() < AT_ONCE => return self.by_climb(camera, tell).await,
            Err(failure) => {
                let rungs = Layer::ALL.map(|layer| match layer.cmp(&failure.layer()) {
                    std::cmp::Ordering::Less => Rung::new(layer, Outcome::Passed, ""),
                    std::cmp::Ordering::Equal => Rung::failed(&failure, layer),
                    std::cmp::Ordering::Greater => Rung::new(layer, Outcome::Skipped, ""),
                });
                let transcript = services.ingest.transcript(camera.id);
                (Ladder::of_rungs(Source::Session, rungs.into(), transcript), None)
            }
        };
        ladder.rungs.iter().cloned().for_each(tell);
        Ok((ladder, keyframe))
    }

    /// Climbs the ladder of an address that is not in the register, or not yet as it is tried. Keeps nothing of it.
    pub(crate) async fn try_address(
        &self,
        beside: Option<&Camera>,
        url: StreamUrl,
        credentials: Option<Credentials>,
        transport: Transport,
    ) -> Result<Ladder> {
        let _turn = self.climbs.begin(beside.map_or(NOBODY, |c| c.id))?;
        let quirks = beside.map(|c| c.device.quirks).unwrap_or_default();
        let target = ingest::Target { url, credentials, transport, quirks, certificate: None };
        let climb = ingest::climb(&target, &self.services.ingest_config, &mut |_| ()).await;
        let above = match climb.keyframe.as_ref().filter(|_| climb.failure.is_none()) {
            Some(keyframe) => self.above(NOBODY, keyframe, climb.figures.as_ref()).await?,
            None => Vec::new(),
        };
        Ok(Ladder::climbed(climb, above))
    }

    async fn by_session(&self, camera: &Camera, keyframe: &Keyframe) -> Result<Ladder> {
        let services = &self.services;
        let board = services.board.load_full();
        let row = board.camera(camera.id).ok_or_else(Problem::not_found)?;
        let mut ladder = Ladder::known(camera, row, services.ingest.transcript(camera.id));
        // Faults that only show over time stay as the watch has them; what this keyframe shows is newer.
        let seen_over_time = row.layer.is_some_and(|l| matches!(l, Layer::Flow | Layer::Picture | Layer::Clock));
        if row.cause.is_none() || !seen_over_time {
            let above = self.above(camera.id, keyframe, row.figures.as_deref()).await?;
            let mut rungs = ladder.rungs;
            for rung in &mut rungs {
                if rung.layer.0 < Layer::Decode && rung.outcome.0 != Outcome::Passed {
                    let evidence = evidence(rung.layer.0, camera, row).unwrap_or_default();
                    *rung = Rung::new(rung.layer.0, Outcome::Passed, evidence);
                }
            }
            rungs.truncate(Layer::ALL.len() - above.len());
            rungs.extend(above);
            ladder = Ladder::of_rungs(Source::Session, rungs, ladder.transcript);
        }
        Ok(ladder)
    }

    async fn by_climb(
        &self,
        camera: &Camera,
        tell: &mut (dyn FnMut(Rung) + Send),
    ) -> Result<(Ladder, Option<Arc<Keyframe>>)> {
        let stream = self.services.board.load().camera(camera.id).map_or(StreamChoice::Main, |row| row.stream);
        let certificate = self.services.ingest.certificate(camera.id);
        let target = ingest::Target { certificate, ..ingest::Target::of(camera, stream) };
        let climb = ingest::climb(&target, &self.services.ingest_config, &mut |rung| tell(rung.into())).await;
        let keyframe = climb.keyframe.clone().filter(|_| climb.failure.is_none()).map(Arc::new);
        let above = match &keyframe {
            Some(keyframe) => self.above(camera.id, keyframe, climb.figures.as_ref()).await?,
            None => Vec::new(),
        };
        above.iter().cloned().for_each(tell);
        Ok((Ladder::climbed(climb, above), keyframe))
    }

    /// The rungs above the flow, from one keyframe: decode, picture, clock.
    async fn above(&self, camera: CameraId, keyframe: &Keyframe, figures: Option<&StreamFigures>) -> Result<Vec<Rung>> {
        let started = Instant::now();
        let assessed = self.services.pool.assess(camera, keyframe.codec, keyframe.data.clone()).await;
        let took = Some(millis(started.elapsed()));
        let mut rungs = Vec::with_capacity(3);
        match assessed {
            Ok(assessment) => {
                let size = format!("{}×{}", assessment.width, assessment.height);
                rungs.push(Rung { ms: took, ..Rung::new(Layer::Decode, Outcome::Passed, size) });
                rungs.push(self.picture_rung(camera, keyframe, &assessment));
                if camera != NOBODY {
                    self.services.gallery.put(camera, assessment.thumbnail, keyframe.received.wall);
                }
            }
            Err(error) => {
                let (cause, detail) = error.failure();
                let failure = Failure { cause, detail };
                rungs.push(Rung { ms: took, ..Rung::failed(&failure, Layer::Decode) });
                rungs.push(Rung::new(Layer::Picture, Outcome::Skipped, ""));
            }
        }
        let from_clock = keyframe.camera_clock.map(|c| c.at.millis_since(keyframe.received.wall));
        let tolerance = health::Config::default().clock_tolerance_ms;
        rungs.push(match from_clock.or(figures.and_then(|f| f.clock_offset_ms)) {
            Some(offset) if offset.abs() > tolerance => {
                let failure = Failure { cause: Cause::ClockWrong, detail: clock(offset) };
                Rung::failed(&failure, Layer::Clock)
            }
            Some(offset) => {
                let seen = figures.and_then(clock_seen).unwrap_or_else(|| clock(offset));
                Rung::new(Layer::Clock, Outcome::Passed, seen)
            }
            None => Rung::new(Layer::Clock, Outcome::Skipped, figures.and_then(clock_seen).unwrap_or_default()),
        });
        Ok(rungs)
    }

    /// One picture shows only the gross faults; the rest takes the watch over several.
    fn picture_rung(&self, camera: CameraId, keyframe: &Keyframe, assessment: &picture::Assessment) -> Rung {
        let mut diagnosis = picture::Diagnosis::new(self.services.diagnosis.clone().at_once());
        let verdict = diagnosis.judge(camera, &assessment.features, keyframe.received);
        match verdict.findings.into_iter().next() {
            Some(finding) => {
                let failure = Failure { cause: finding.cause, detail: finding.detail };
                Rung::failed(&failure, Layer::Picture)
            }
            None => Rung::new(Layer::Picture, Outcome::Passed, time(keyframe.received.wall)),
        }
    }
}
