//! From measured features to findings that operators believe. Pure: no I/O, no clock, no randomness.
//!
//! Each picture is held against the classes ([`classes`]), the camera's last pictures ([`frozen`]) and what the
//! camera usually shows by each [`light`] ([`baseline`], stored as a [`record`]). A fault is spoken of only after several
//! pictures over a while agree, and ends after two without it; a false alarm is worse than a miss. A person may call a
//! class a false alarm for a while or accept what a camera shows now. One camera's state takes about 60 KB once two
//! baselines are learned.

mod baseline;
mod classes;
mod compare;
mod config;
mod frozen;
mod lasting;
mod light;
mod limits;
mod measure;
mod record;
mod region;
#[cfg(test)]
mod tests;
mod twins;

use crate::Features;
use baseline::Baselines;
use classes::Sign;
use fleet::{CameraId, Cause, Mono, Now, Wall};
use frozen::Stillness;
use lasting::Lasting;
use limits::Limits;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use twins::{Meeting, Twins};

pub use config::DiagnosisConfig;
pub use light::Light;
pub use limits::{CLASSES, CameraSettings, settable};
pub use measure::{Measure, MeasureKind};
pub use record::RecordError;
pub use region::{Area, Region};

/// Pictures further apart than this do not confirm each other.
const MEMORY: Duration = Duration::from_secs(3600);
/// As sure as this, no more, is what rests on a usual that is known from a few hours only.
const SURE_WHILE_YOUNG: f32 = 0.6;
/// Two that may be the same are looked at again after this.
const TOGETHER: Duration = Duration::from_secs(4);
/// What may be over, or needs one picture more, is looked at again after this.
const SOON: Duration = Duration::from_secs(5);
/// A picture that was seen and the newest one show the same scene if they agree at least so well.
const SAME_SCENE: f32 = 0.5;

/// How bad a fault is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 轻微: The scene is still usable.
    Slight,
    /// 严重: The scene is not usable.
    Severe,
}

impl Level {
    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Level::Slight => "slight",
            Level::Severe => "severe",
        }
    }

    /// The word on screen: Simplified Chinese, English.
    #[must_use]
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Level::Slight => ("轻微", "slight"),
            Level::Severe => ("严重", "severe"),
        }
    }
}

/// One fault on which several keyframes agree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The class; its layer is `picture`.
    pub cause: Cause,
    /// How bad.
    pub level: Level,
    /// 0 to 1: how far beyond the threshold, and how many pictures agree.
    pub confidence: f32,
    /// The deciding figure.
    pub measured: f32,
    /// What it was held against.
    pub threshold: f32,
    /// Where on the picture it shows.
    pub region: Region,
    /// Of the same picture: the camera that shows it, too.
    pub twin: Option<CameraId>,
    /// Evidence in plain words, with the figures.
    pub detail: String,
}

/// What the last keyframes of a camera say together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Agreed faults, worst first; empty if the picture is good as far as judged.
    pub findings: Vec<Finding>,
    /// Agreed faults of classes that a person called a false alarm for now: shown, not told.
    pub excepted: Vec<Finding>,
    /// The newest picture shows a sign of some fault, told or not.
    pub doubtful: bool,
    /// When another picture would help to decide: something is suspected on which too few agree yet. The
    /// lengths vary on purpose, so that a scene that repeats itself in step with the checks is not called frozen.
    pub look_again: Option<Duration>,
    /// A camera of which a picture of the same seconds would help.
    pub look_also_at: Option<CameraId>,
}

impl Verdict {
    /// The cause and evidence of the worst fault.
    #[must_use]
    pub fn fault(&self) -> Option<(Cause, String)> {
        self.findings.first().map(|f| (f.cause, f.detail.clone()))
    }
}

/// Per-camera histories and baselines. The baselines outlive a restart as records ([`Diagnosis::record`],
/// [`Diagnosis::restore`]); what was suspected does not (monotonic times mean nothing then).
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    config: DiagnosisConfig,
    cameras: HashMap<CameraId, State>,
    settings: HashMap<CameraId, CameraSettings>,
    twins: Twins,
    changed: BTreeSet<CameraId>,
}

#[derive(Clone, Debug, Default)]
struct State {
    baselines: Baselines,
    stillness: Stillness,
    lasting: Lasting,
    runs: [Run; CLASSES.len()],
    /// Classes that a person called a false alarm, until when; at most one entry a class.
    exceptions: Vec<(Cause, Wall)>,
    last: Option<Mono>,
    /// The newest picture: what a person accepts.
    newest: Option<Box<Features>>,
    /// By which light it was taken, as far as can be told.
    light: Light,
    /// The light of the last picture without a fault.
    good_light: Option<Light>,
    /// What was said of it.
    verdict: Verdict,
    looked: u32,
}

/// Pictures in a row that agree on one class.
#[derive(Clone, Debug, Default)]
struct Run {
    pictures: u8,
    /// The first of them.
    since: Mono,
    /// What is told.
    told: Option<Finding>,
    /// The last picture was good: with another one it is over.
    missed: bool,
}

/// Why a picture cannot become what a camera usually shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAccepted {
    /// No picture of it was judged yet.
    NotJudged,
    /// What was seen was taken by another light than the newest picture.
    OtherLight,
    /// What was seen shows another scene than the newest picture.
    Changed,
    /// The newest picture has a fault that has nothing to do with what is usual.
    Fault(Cause),
}

/// How much a camera's baselines rest on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    /// Pictures by daylight learned from.
    pub day: u16,
    /// Pictures in colour in the dark learned from.
    pub dark: u16,
    /// Grey pictures by infrared learned from.
    pub infrared: u16,
    /// Pictures from which on a baseline is held against the scene.
    pub needed: u16,
    /// Pictures from which on it knows the camera's hours and weathers.
    pub settled: u16,
}

impl Diagnosis {
    /// No history yet.
    #[must_use]
    pub fn new(config: DiagnosisConfig) -> Diagnosis {
        Diagnosis { config, ..Diagnosis::default() }
    }

    /// Takes in one picture of `camera`, received `at`, and says what the last ones agree on. The same picture once more,
    /// received at the same instant, says nothing anew.
    pub fn judge(&mut self, camera: CameraId, features: &Features, at: Now) -> Verdict {
        let config = &self.config;
        let limits = Limits::new(config, self.settings.get(&camera));
        if let Some(state) = self.cameras.get(&camera).filter(|state| state.last == Some(at.mono)) {
            return state.verdict.clone();
        }
        let meeting = if limits.wants(Cause::SamePicture) {
            self.twins.meet(camera, features, at)
        } else {
            self.twins.forget(camera);
            Meeting::default()
        };
        let state = self.cameras.entry(camera).or_default();
        if state.last.is_some_and(|last| at.mono.since(last) > MEMORY) {
            state.runs = Default::default();
            state.stillness = Stillness::default();
            state.lasting = Lasting::default();
            state.good_light = None;
        }
        state.last = Some(at.mono);
        state.newest = Some(Box::new(features.clone()));
        state.exceptions.retain(|(_, until)| *until > at.wall);
        let exceptions = state.exceptions.clone();
        let excepted = |cause: Cause| exceptions.iter().any(|(c, _)| *c == cause);
        let run = CLASSES.iter().position(|c| *c == Cause::SceneMoved).map_or(0, |class| state.runs[class].pictures);
        let lasting = state.lasting.take(features, run.into());
        let by = |light| classes::signs(features, &lasting, state.baselines.get(light, features, config), limits);
        // By whichever light it may have been taken without a fault.
        let (first, second) = light::likely(features, state.good_light, &state.baselines, config);
        let (light, all) = match (by(first), second) {
            (shown, Some(second)) if !shown.is_empty() && by(second).is_empty() => (second, Vec::new()),
            // Lamps came on over a place whose nights are not known yet.
            (shown, None)
                if first == Light::Day
                    && light::is_dark(features, &state.baselines, config)
                    && classes::may_be_lamp_light(
                        &shown,
                        features,
                        state.baselines.get(first, features, config),
                        limits,
                    )
                    && by(Light::Dark).is_empty() =>
            {
                (Light::Dark, Vec::new())
            }
            (shown, _) => (first, shown),
        };
        let baseline = state.baselines.get(light, features, config);
        // A false alarm still explains what follows from it: a black picture is not told as a dark one instead.
        let (mut others, mut signs): (Vec<Sign>, Vec<Sign>) = all.into_iter().partition(|s| excepted(s.cause));
        let still = state.stillness.take(features, at.mono);
        let frozen = still.sign(features, limits).filter(|_| limits.wants(Cause::PictureFrozen) && signs.is_empty());
        match frozen {
            Some(sign) if excepted(sign.cause) => others.push(sign),
            Some(sign) => signs.push(sign),
            None => {}
        }
        match meeting.twin.map(Sign::same_picture) {
            Some(sign) if excepted(sign.cause) => others.push(sign),
            Some(sign) => signs.push(sign),
            None => {}
        }
        // Whatever shows a fault of its own teaches nothing, called a false alarm or not: the exception ends, and what it
        // was about is to be found then. Only who accepts a picture makes it the usual one. A picture of a good scene
        // that stands still does teach.
        let taught = signs.iter().chain(&others).all(|sign| says_nothing_of_the_scene(sign.cause));
        // What is black is dark, too: a scene on the border between both breaks no run, and is told as dark.
        let is_black = signs.iter().any(|sign| sign.cause == Cause::PictureBlack);
        let dark = classes::too_dark(features, baseline, limits)
            .filter(|sign| is_black && limits.wants(sign.cause) && !excepted(sign.cause));
        let young = baseline.is_some_and(|b| !b.is_settled(config));
        let mut verdict = Verdict::default();
        // When the next picture would help, if one would.
        let mut next: Option<Duration> = None;
        let mut soon = |pause: Duration| next = Some(next.map_or(pause, |n| n.min(pause)));
        let good = signs.is_empty() && others.is_empty();
        let mut missed = Vec::new();
        for (cause, run) in CLASSES.iter().zip(&mut state.runs) {
            let told = signs.iter().find(|sign| sign.cause == *cause);
            let excused = || others.iter().find(|sign| sign.cause == *cause);
            let also = dark.as_ref().filter(|dark| dark.cause == *cause);
            let told_black = verdict.findings.iter().any(|f| f.cause == Cause::PictureBlack);
            let Some(sign) = told.or_else(excused).or(also) else {
                // One good picture is no repair. But one that differs is enough against a frozen one, and two cameras
                // count their own meetings.
                let lasts = !run.missed && limits.wants(*cause) && !says_nothing_of_the_scene(*cause);
                match run.told.clone().filter(|_| lasts) {
                    Some(finding) => missed.push(finding),
                    None => *run = Run::default(),
                }
                continue;
            };
            if run.pictures == 0 {
                run.since = at.mono;
            }
            run.pictures = run.pictures.saturating_add(1);
            run.missed = false;
            let (needed, span) = (config.needed(*cause), config.span(*cause));
            let lacking = span.saturating_sub(at.mono.since(run.since));
            if run.pictures < needed || !lacking.is_zero() {
                if told.is_some() {
                    let pictures = needed.saturating_sub(run.pictures).max(1);
                    soon((lacking / u32::from(pictures)).max(SOON));
                }
                continue;
            }
            let mut finding = finding(sign, run.pictures - needed);
            if young && rests_on_the_usual(*cause) {
                finding.confidence = finding.confidence.min(SURE_WHILE_YOUNG);
            }
            run.told = Some(finding.clone()).filter(|_| told.is_some() || also.is_none() || !told_black);
            match (told, also) {
                (None, Some(_)) if told_black => {}
                (None, None) => verdict.excepted.push(finding),
                _ => verdict.findings.push(finding),
            }
        }
        // What another fault took the place of cannot be seen any more, and is over.
        let replaced = !verdict.findings.is_empty();
        for finding in missed {
            let class = CLASSES.iter().position(|c| *c == finding.cause).unwrap_or_default();
            if replaced {
                state.runs[class] = Run::default();
                continue;
            }
            state.runs[class].missed = true;
            soon(SOON);
            let list = if excepted(finding.cause) { &mut verdict.excepted } else { &mut verdict.findings };
            list.push(finding);
        }
        if good {
            state.good_light = Some(light::settled(features, light, &state.baselines, config));
        }
        state.light = light;
        if taught {
            let of = light::settled(features, light, &state.baselines, config);
            if state.baselines.learn(of, features, at.mono, config) {
                self.changed.insert(camera);
            }
        }
        let stands_still = still.suspicious(features, config) && signs.is_empty();
        if stands_still && limits.wants(Cause::PictureFrozen) && !excepted(Cause::PictureFrozen) {
            state.looked = state.looked.wrapping_add(1);
            // Primes, so that no period of the scene divides them all.
            soon(Duration::from_secs([5, 7, 11, 13][state.looked as usize % 4]));
        }
        verdict.doubtful = !good;
        verdict.look_again = next;
        if meeting.suspect.is_some_and(|_| !excepted(Cause::SamePicture)) {
            // So that both are taken at once; the pause keeps two suspects from following each other without end.
            verdict.look_again = Some(TOGETHER);
            verdict.look_also_at = meeting.suspect;
        }
        state.verdict.clone_from(&verdict);
        verdict
    }

    /// What a person set for a camera, in place of what was set before.
    pub fn set(&mut self, camera: CameraId, settings: CameraSettings) {
        if settings.is_empty() {
            self.settings.remove(&camera);
        } else {
            self.settings.insert(camera, settings);
        }
    }

    /// What a person set for a camera.
    #[must_use]
    pub fn settings(&self, camera: CameraId) -> Option<&CameraSettings> {
        self.settings.get(&camera)
    }

    /// What was measured on the newest picture of `camera`, with the limits it is held against.
    #[must_use]
    pub fn measures(&self, camera: CameraId) -> Vec<Measure> {
        let Some(state) = self.cameras.get(&camera) else { return Vec::new() };
        let Some(features) = &state.newest else { return Vec::new() };
        let limits = Limits::new(&self.config, self.settings.get(&camera));
        measure::measures(features, state.baselines.get(state.light, features, &self.config), limits)
    }

    /// How much the baselines of `camera` rest on.
    #[must_use]
    pub fn learned(&self, camera: CameraId) -> Learned {
        let state = self.cameras.get(&camera);
        let count = |light| state.and_then(|s| s.baselines.of(light)).map_or(0, |b| b.count);
        let config = &self.config;
        Learned {
            day: count(Light::Day),
            dark: count(Light::Dark),
            infrared: count(Light::Infrared),
            needed: config.baseline_pictures,
            settled: config.baseline_settled,
        }
    }

    /// By which light the newest picture of `camera` was taken.
    #[must_use]
    pub fn light(&self, camera: CameraId) -> Light {
        self.cameras.get(&camera).map_or(Light::Day, |state| state.light)
    }

    /// The baselines of `camera` to be stored, 4 to 24 KB; `None` if there are none.
    #[must_use]
    pub fn record(&self, camera: CameraId) -> Option<Vec<u8>> {
        let state = self.cameras.get(&camera).filter(|state| !state.baselines.is_empty())?;
        Some(record::write(&state.baselines))
    }

    /// Takes back what [`record`](Self::record) gave.
    ///
    /// # Errors
    /// If the record is damaged or of a version we do not know; the camera then learns anew.
    pub fn restore(&mut self, camera: CameraId, record: &[u8]) -> Result<(), RecordError> {
        self.cameras.entry(camera).or_default().baselines = record::read(record)?;
        Ok(())
    }

    /// The cameras whose baselines changed since the last call.
    pub fn take_changed(&mut self) -> BTreeSet<CameraId> {
        std::mem::take(&mut self.changed)
    }

    /// Drops everything known of `camera`, its baselines too.
    pub fn forget(&mut self, camera: CameraId) {
        self.cameras.remove(&camera);
        self.settings.remove(&camera);
        self.twins.forget(camera);
        self.changed.remove(&camera);
    }

    /// Drops everything known of cameras that are not to be kept; says which those were.
    pub fn retain(&mut self, keep: impl Fn(CameraId) -> bool) -> Vec<CameraId> {
        let gone: Vec<CameraId> = self.cameras.keys().copied().filter(|c| !keep(*c)).collect();
        gone.iter().for_each(|camera| self.forget(*camera));
        gone
    }

    /// Takes what the camera shows now as its new normal by this light: a person saw it and accepts it, or the camera was
    /// moved on purpose. `seen` is what was measured on the picture that the person saw, of whichever stream. Learning
    /// begins with the newest picture; what was learned by other lights stays.
    ///
    /// # Errors
    /// If nobody can have seen the newest picture by what was seen, or it has a fault that is not against the usual.
    pub fn accept(&mut self, camera: CameraId, seen: &Features, at: Now) -> Result<Light, NotAccepted> {
        let limits = Limits::new(&self.config, self.settings.get(&camera));
        let Some(state) = self.cameras.get_mut(&camera) else { return Err(NotAccepted::NotJudged) };
        let Some(newest) = &state.newest else { return Err(NotAccepted::NotJudged) };
        let light = state.light;
        let (first, second) = light::likely(seen, Some(light), &state.baselines, &self.config);
        if first != light && second != Some(light) {
            return Err(NotAccepted::OtherLight);
        }
        if compare::alike(seen, newest) < SAME_SCENE {
            return Err(NotAccepted::Changed);
        }
        let excepted = |cause: Cause| state.exceptions.iter().any(|(c, until)| *c == cause && *until > at.wall);
        let shown = classes::signs(newest, &newest.edges, None, limits);
        let frozen = state.verdict.findings.iter().map(|f| f.cause).find(|c| *c == Cause::PictureFrozen);
        if let Some(cause) = shown.iter().map(|s| s.cause).chain(frozen).find(|c| !excepted(*c)) {
            return Err(NotAccepted::Fault(cause));
        }
        *state.baselines.entry(light) = None;
        state.baselines.learn(light, newest, at.mono, &self.config);
        state.runs = Default::default();
        state.good_light = Some(light);
        self.changed.insert(camera);
        Ok(light)
    }

    /// Forgets what the camera usually shows; it learns anew from its next good pictures.
    pub fn reset(&mut self, camera: CameraId) {
        if let Some(state) = self.cameras.get_mut(&camera) {
            state.baselines = Baselines::default();
            state.runs = Default::default();
            self.changed.insert(camera);
        }
    }

    /// A person called `cause` a false alarm of this camera: until then it is not told. An instant that is over ends
    /// the exception.
    pub fn except(&mut self, camera: CameraId, cause: Cause, until: Wall) {
        let state = self.cameras.entry(camera).or_default();
        state.exceptions.retain(|(c, _)| *c != cause);
        state.exceptions.push((cause, until));
    }
}

/// Whether pictures of a class are good ones that stand still or are seen twice.
fn says_nothing_of_the_scene(cause: Cause) -> bool {
    matches!(cause, Cause::PictureFrozen | Cause::SamePicture)
}

/// Whether a class is judged by what the camera usually shows.
fn rests_on_the_usual(cause: Cause) -> bool {
    !matches!(cause, Cause::PictureBlack | Cause::PictureTooBright | Cause::PictureFrozen | Cause::SamePicture)
}

fn finding(sign: &Sign, beyond: u8) -> Finding {
    let agreement = f32::from(beyond.min(5)) / 5.0;
    Finding {
        cause: sign.cause,
        level: sign.level,
        confidence: (0.6 + 0.3 * sign.margin + 0.1 * agreement).clamp(0.0, 1.0),
        measured: sign.measured,
        threshold: sign.threshold,
        region: sign.region,
        twin: sign.twin,
        detail: sign.detail.clone(),
    }
}
