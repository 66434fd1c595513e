//! A camera's picture: the verdict on it, and what a person says of it. A confirmation, a false alarm 误报 with its
//! end, the present picture accepted as the new normal.

use crate::{
    api::{diagnosis, reason},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    outcome::PictureOutcome,
    pictures::{archive_problem, picture_problem},
    problem::{Body, Path, Problem, Result},
    services::Command,
    verdicts::{Held, PictureOrder},
    views::finite,
    words::{CauseWord, LevelWord, LightWord, MeasureWord, PictureOutcomeWord, SaidWord},
};
use archive::{Entry, Kind, SnapshotId, SnapshotQuery};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{CameraId, Cause, Layer, Wall};
use picture::{NotAccepted, Region};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{Said, Word};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

/// Words shown of one camera.
const WORDS: u32 = 20;
/// A false alarm holds at most so long.
const LONGEST_MS: i64 = 366 * 24 * 3600 * 1000;
/// How far back people's words are counted.
const COUNTED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest wait until a baseline is stored.
const STORED: Duration = Duration::from_secs(5);

/// The verdict on a camera's picture. While it is not judged (`unchecked_since`), findings and figures are those of the
/// last picture that was: neither confirmed nor ruled out since.
#[derive(Serialize, ToSchema)]
pub(crate) struct PictureView {
    /// What came of it now; `not_checked`, `login_failed`, `no_stream` and `not_decoded` are no faults of the picture.
    outcome: PictureOutcomeWord,
    /// When the newest judged picture arrived; null before the first since the service started.
    judged: Option<i64>,
    /// Since when its picture is not judged any more; null while it is, and before the first.
    unchecked_since: Option<i64>,
    /// The worst of the findings; null is normal 正常, or not judged now.
    level: Option<LevelWord>,
    /// Faults, worst first; those that a person called false alarms come last and are not told.
    findings: Vec<FindingView>,
    /// Figures of the newest picture beside their limits.
    measures: Vec<MeasureView>,
    /// Every class, as it is judged on this camera.
    classes: Vec<diagnosis::ClassRule>,
    baseline: BaselineView,
    /// The newest archived snapshot: what the camera shows now.
    present: Option<SnapshotName>,
    /// Classes that are not told for this camera now.
    exceptions: Vec<WordView>,
    /// What people said of its verdicts, newest first.
    words: Vec<WordView>,
}

#[derive(Serialize, ToSchema)]
struct FindingView {
    cause: CauseWord,
    level: LevelWord,
    /// 0 to 1.
    confidence: f32,
    measured: f32,
    threshold: f32,
    detail: String,
    /// Where on the picture it shows.
    areas: Vec<AreaView>,
    /// A camera that shows the same.
    twin: Option<u32>,
    since: i64,
    /// A person called it a false alarm, and that still holds.
    excepted: bool,
    /// What was said of this very verdict.
    said: Option<SaidWord>,
}

/// A box on the picture: shares of its width and height, 0 to 1, from its upper left corner.
#[derive(Serialize, ToSchema)]
pub(crate) struct AreaView {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

impl AreaView {
    pub(crate) fn of(region: Region) -> Vec<AreaView> {
        let view = |a: picture::Area| AreaView { left: a.left, top: a.top, width: a.width, height: a.height };
        region.areas().into_iter().map(view).collect()
    }
}

#[derive(Serialize, ToSchema)]
struct MeasureView {
    kind: MeasureWord,
    value: f32,
    /// Below this it is a sign of a fault.
    low: Option<f32>,
    /// Above this it is a sign of a fault.
    high: Option<f32>,
}

/// What the camera usually shows.
#[derive(Serialize, ToSchema)]
struct BaselineView {
    /// By which light the newest picture was taken.
    light: LightWord,
    /// Pictures by daylight learned from.
    day: u16,
    /// Pictures in colour in the dark learned from.
    dark: u16,
    /// Grey pictures by infrared learned from.
    infrared: u16,
    /// From so many on the scene is held against it.
    needed: u16,
    /// From so many on it knows the camera's hours and weathers; until then it is still being learned.
    settled: u16,
    /// Archived snapshot that shows it by this light, if it still is in the archive.
    reference: Option<SnapshotName>,
    /// Who accepted it, if a person did.
    accepted_by: Option<String>,
    accepted: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SnapshotName {
    id: String,
    pub(crate) captured: i64,
}

/// What a person said of a verdict.
#[derive(Serialize, ToSchema)]
struct WordView {
    cause: CauseWord,
    since: i64,
    said: SaidWord,
    at: i64,
    who: String,
    who_detail: String,
    reason: String,
    /// Of a false alarm: until when the class is not told.
    until: Option<i64>,
}

impl From<Word> for WordView {
    fn from(w: Word) -> WordView {
        WordView {
            cause: w.cause.into(),
            since: w.since.0,
            said: w.said.into(),
            at: w.at.0,
            who: w.who,
            who_detail: w.who_detail,
            reason: w.reason,
            until: w.until.map(|t| t.0),
        }
    }
}

/// The verdict on its picture, and what people said of it
#[utoipa::path(get, path = "/api/v1/cameras/{id}/picture", tag = "pictures", params(("id" = u32, Path)),
    responses((status = 200, body = PictureView), (status = 404),
        (status = 403, description = "also code no_order: a technician without a work order")))]
pub(crate) async fn picture(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<PictureView>> {
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, id)?.id;
    app.watches(&caller, camera).await?;
    let judged = app.services.verdicts.get(camera).unwrap_or_default();
    let words = app.services.store.words_on(camera, WORDS).await?;
    let exceptions = app.services.store.exceptions(Wall::read()).await?;
    let view = |held: &Held, excepted| FindingView {
        cause: held.finding.cause.into(),
        level: held.finding.level.into(),
        confidence: finite(held.finding.confidence),
        measured: finite(held.finding.measured),
        threshold: finite(held.finding.threshold),
        // It names the other camera.
        detail: match held.finding.twin {
            Some(twin) if !caller.scope.sees_camera(&registry, twin) => String::new(),
            _ => held.finding.detail.clone(),
        },
        areas: AreaView::of(held.finding.region),
        twin: held.finding.twin.filter(|t| caller.scope.sees_camera(&registry, *t)).map(|t| t.0),
        since: held.since.0,
        excepted,
        said: words.iter().find(|w| w.cause == held.finding.cause && w.since == held.since).map(|w| w.said.into()),
    };
    let findings = judged.findings.iter().map(|h| view(h, false));
    let findings = findings.chain(judged.excepted.iter().map(|h| view(h, true))).collect();
    let outcome = PictureOutcome::of(&app.services.board.load_full(), camera, Some(&judged));
    let present = app.services.archive.nearest(camera, Wall::read()).await.map_err(archive_problem)?;
    Ok(Json(PictureView {
        outcome: outcome.into(),
        judged: judged.at.map(|t| t.0),
        unchecked_since: judged.at.filter(|_| !outcome.is_judged()).map(|t| t.0),
        level: outcome.level().map(Into::into),
        findings,
        measures: judged
            .measures
            .iter()
            .map(|m| MeasureView {
                kind: m.kind.into(),
                value: finite(m.value),
                low: m.low.map(finite),
                high: m.high.map(finite),
            })
            .collect(),
        classes: diagnosis::rules(&app, &judged),
        baseline: BaselineView {
            light: judged.light.into(),
            day: judged.learned.day,
            dark: judged.learned.dark,
            infrared: judged.learned.infrared,
            needed: judged.learned.needed,
            settled: judged.learned.settled,
            reference: match &judged.reference {
                Some(id) => app.archived(camera, id).await?,
                None => None,
            },
            accepted_by: judged.accepted.as_ref().map(|(by, _)| by.clone()),
            accepted: judged.accepted.as_ref().map(|(_, at)| at.0),
        },
        present: present.map(|s| SnapshotName { id: s.id.to_string(), captured: s.captured.0 }),
        exceptions: exceptions.into_iter().filter(|w| w.camera == camera).map(Into::into).collect(),
        words: words.into_iter().map(Into::into).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    /// Class of the verdict.
    cause: CauseWord,
    /// What was seen; need not be said.
    reason: Option<String>,
}

/// Say that the picture has the fault; ends an exception of the class
#[utoipa::path(post, path = "/api/v1/cameras/{id}/picture/confirm", tag = "pictures", params(("id" = u32, Path)),
    request_body = Confirm, responses((status = 204), (status = 400), (status = 404), (status = 409),
        (status = 403, description = "also code no_order: a technician without a work order")))]
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<Confirm>,
) -> Result<StatusCode> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    app.watches(&caller, camera).await?;
    let why = match body.reason.as_deref().map(str::trim).filter(|r| !r.is_empty()) {
        Some(text) => reason(text)?,
        None => String::new(),
    };
    let held = app.held(camera, body.cause.0)?;
    let deed = Deed::of(&caller, Action::VerdictConfirmed).on(camera).because(why.as_str()).detail(evidence(&held));
    app.audit(deed).await?;
    app.say(&caller, camera, &held, Said::Confirmed, why, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FalseAlarm {
    /// Class of the verdict.
    cause: CauseWord,
    /// Why the picture is good.
    reason: String,
    /// Until when the class is not told for this camera.
    until: i64,
}

/// Call a verdict a false alarm 误报: the class is not told for this camera until then
#[utoipa::path(post, path = "/api/v1/cameras/{id}/picture/false-alarm", tag = "pictures", params(("id" = u32, Path)),
    request_body = FalseAlarm, responses((status = 204), (status = 400), (status = 404), (status = 409)))]
pub(crate) async fn false_alarm(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<FalseAlarm>,
) -> Result<StatusCode> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    let why = reason(&body.reason)?;
    let now = Wall::read();
    if body.until <= now.0 || body.until > now.0 + LONGEST_MS {
        return Err(Problem::invalid("until: expected a time within the next year"));
    }
    let held = app.held(camera, body.cause.0)?;
    let detail = format!("{}; until {}", evidence(&held), body.until);
    app.audit(Deed::of(&caller, Action::VerdictFalseAlarm).on(camera).because(why.as_str()).detail(detail)).await?;
    app.say(&caller, camera, &held, Said::FalseAlarm, why, Some(Wall(body.until))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End an exception: the class is told again
#[utoipa::path(delete, path = "/api/v1/cameras/{id}/picture/exceptions/{cause}", tag = "pictures",
    params(("id" = u32, Path), ("cause" = String, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn end_exception(
    State(app): State<App>,
    caller: Caller,
    Path((id, cause)): Path<(u32, String)>,
) -> Result<StatusCode> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    let cause = Cause::from_code(&cause).ok_or_else(Problem::not_found)?;
    let now = Wall::read();
    let there = app.services.store.exceptions(now).await?.iter().any(|w| w.camera == camera && w.cause == cause);
    if !there {
        return Err(Problem::not_found());
    }
    app.audit(Deed::of(&caller, Action::ExceptionEnded).on(camera).detail(cause.code())).await?;
    app.services.store.end_exception(camera, cause, now).await?;
    app.command(Command::Picture(PictureOrder::Except { camera, cause, until: now })).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    action: BaselineAction,
    reason: String,
    /// To accept: the archived snapshot that was looked at. What the camera shows now must be the same scene by the same
    /// light; what is usual by other lights stays.
    seen: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BaselineAction {
    /// What the camera shows now is its new normal.
    Accept,
    /// Learn anew from the next good pictures.
    Reset,
}

/// Accept the present picture as the new normal, or have it learned anew
#[utoipa::path(post, path = "/api/v1/cameras/{id}/picture/baseline", tag = "pictures", params(("id" = u32, Path)),
    request_body = Baseline, responses((status = 204), (status = 400), (status = 404), (status = 409), (status = 503)))]
pub(crate) async fn baseline(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<Baseline>,
) -> Result<StatusCode> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    let why = reason(&body.reason)?;
    let (done, mut stored) = mpsc::channel(1);
    let (refuse, mut refused) = oneshot::channel();
    let (action, order) = match body.action {
        BaselineAction::Accept => {
            if app.services.verdicts.get(camera).is_none_or(|j| j.at.is_none()) {
                return Err(not_judged("no picture of this camera was judged since the service started; wait for one"));
            }
            let seen = body.seen.clone().unwrap_or_default();
            let (Some(_), Ok(id)) = (app.archived(camera, &seen).await?, seen.parse::<SnapshotId>()) else {
                return Err(Problem::invalid("seen: expected the archived snapshot of this camera that was looked at"));
            };
            let snapshot = app.services.archive.read(&id).await.map_err(archive_problem)?;
            let assessed = app.services.pool.assess(camera, snapshot.reference.codec, snapshot.data).await;
            let features = Box::new(assessed.map_err(picture_problem)?.features);
            let by = caller.user.name.clone();
            let order = PictureOrder::Accept { camera, by, seen, features, refused: refuse, done };
            (Action::BaselineAccepted, order)
        }
        BaselineAction::Reset => (Action::BaselineReset, PictureOrder::Reset { camera, done }),
    };
    let seen = body.seen.unwrap_or_default();
    app.audit(Deed::of(&caller, action).on(camera).because(why.clone()).detail(seen)).await?;
    app.command(Command::Picture(order)).await?;
    let stored = tokio::time::timeout(STORED, stored.recv()).await;
    if let Ok(refusal) = refused.try_recv() {
        let problem = not_accepted(refusal);
        app.audit(Deed::of(&caller, action).on(camera).because(why).detail("refused")).await?;
        return Err(problem);
    }
    match stored {
        Ok(Some(())) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::busy("done, but not stored yet: the database does not answer; it is tried again")),
    }
}

/// Why the present picture does not become the usual one.
fn not_accepted(why: NotAccepted) -> Problem {
    let conflict = |code, detail: String| Problem::new(StatusCode::CONFLICT, code, detail);
    match why {
        NotAccepted::NotJudged => not_judged("no picture of this camera was judged yet; wait for one"),
        NotAccepted::OtherLight => conflict(
            "other_light",
            "the snapshot was taken by another light than the present picture; accept one of the present light".into(),
        ),
        NotAccepted::Changed => conflict(
            "picture_changed",
            "the present picture no longer shows what the snapshot shows; look at a newer snapshot".into(),
        ),
        NotAccepted::Fault(cause) => {
            conflict("picture_faulty", format!("the present picture has a fault of its own: {}", cause.code()))
        }
    }
}

fn evidence(held: &Held) -> String {
    format!("{} since {}: {}", held.finding.cause.code(), held.since.0, held.finding.detail)
}

fn not_judged(detail: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_such_verdict", detail)
}

impl App {
    /// The verdict of this class that holds now.
    fn held(&self, camera: CameraId, cause: Cause) -> Result<Held> {
        if cause.layer() != Layer::Picture {
            return Err(Problem::invalid("cause: expected a fault of the picture"));
        }
        let judged = self.services.verdicts.get(camera).unwrap_or_default();
        let held = judged.findings.iter().chain(&judged.excepted).find(|h| h.finding.cause == cause).cloned();
        held.ok_or_else(|| not_judged("the picture has no such verdict now; load it again"))
    }

    /// Records a word and tells the node.
    async fn say(
        &self,
        caller: &Caller,
        camera: CameraId,
        held: &Held,
        said: Said,
        reason: String,
        until: Option<Wall>,
    ) -> Result<()> {
        let (cause, at) = (held.finding.cause, Wall::read());
        let word = Word {
            camera,
            cause,
            since: held.since,
            said,
            at,
            who: caller.user.name.clone(),
            who_detail: format!("{} · {}", caller.user.full_name, caller.user.unit),
            reason,
            until,
        };
        self.services.store.say(&word).await?;
        self.command(Command::Picture(PictureOrder::Except { camera, cause, until: until.unwrap_or(at) })).await
    }

    /// The archived snapshot of a camera with this id, if it is there.
    pub(crate) async fn archived(&self, camera: CameraId, id: &str) -> Result<Option<SnapshotName>> {
        let Ok(id) = id.parse::<SnapshotId>() else { return Ok(None) };
        if id.camera() != camera {
            return Ok(None);
        }
        let query = SnapshotQuery {
            cameras: Some(vec![camera]),
            from: Some(id.slot()),
            until: Some(Wall(id.slot().0.saturating_add(1))),
            kind: Kind::Snapshot,
            ..SnapshotQuery::default()
        };
        let page = self.services.archive.search(&query).await.map_err(archive_problem)?;
        Ok(page.entries.iter().find_map(|entry| match entry {
            Entry::Snapshot(s) if s.id == id => Some(SnapshotName { id: s.id.to_string(), captured: s.captured.0 }),
            _ => None,
        }))
    }
}

/// What people said of verdicts on pictures over the last 30 days.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerdictsView {
    /// Counted from then on.
    since: i64,
    confirmed: u64,
    false_alarms: u64,
    /// Confirmed among those on which a word was said; null if there were none.
    confirmed_share: Option<f64>,
    /// Exceptions in force.
    exceptions: usize,
    classes: Vec<ClassView>,
}

#[derive(Serialize, ToSchema)]
struct ClassView {
    cause: CauseWord,
    confirmed: u64,
    false_alarms: u64,
}

impl VerdictsView {
    pub(crate) async fn read(app: &App) -> Result<VerdictsView> {
        let now = Wall::read();
        let since = Wall(now.0 - i64::try_from(COUNTED.as_millis()).unwrap_or(0));
        let mut counts = app.services.store.count_words(since).await?;
        counts.sort_by_key(|c| std::cmp::Reverse(c.confirmed + c.false_alarms));
        let confirmed: u64 = counts.iter().map(|c| c.confirmed).sum();
        let false_alarms: u64 = counts.iter().map(|c| c.false_alarms).sum();
        let all = confirmed + false_alarms;
        Ok(VerdictsView {
            since: since.0,
            confirmed,
            false_alarms,
            confirmed_share: (all > 0).then(|| confirmed as f64 / all as f64),
            exceptions: app.services.store.exceptions(now).await?.len(),
            classes: counts
                .into_iter()
                .map(|c| ClassView { cause: c.cause.into(), confirmed: c.confirmed, false_alarms: c.false_alarms })
                .collect(),
        })
    }
}
