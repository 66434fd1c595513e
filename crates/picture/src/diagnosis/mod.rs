//! From measured features to findings that operators believe. Pure: no I/O, no clock, no randomness.
//!
//! Each picture is held against the classes ([`classes`]), the camera's last pictures ([`frozen`]) and what the
//! camera usually shows, by day and by night ([`baseline`], stored as a [`record`]). A fault is spoken of only after
//! several pictures agree; a false alarm is worse than a miss. A person may call a class a false alarm for a while or
//! accept what a camera shows now. One camera's state takes about 40 KB once both baselines are learned.

mod baseline;
mod classes;
mod compare;
mod config;
mod frozen;
mod lasting;
mod limits;
mod measure;
mod record;
mod region;
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
    agreed: [u8; CLASSES.len()],
    /// Classes that a person called a false alarm, until when; at most one entry a class.
    exceptions: Vec<(Cause, Wall)>,
    last: Option<Mono>,
    /// The newest picture: what a person accepts.
    newest: Option<Box<Features>>,
    looked: u32,
}

/// How much a camera's baselines rest on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    /// Pictures in colour (day) learned from.
    pub colour: u16,
    /// Grey pictures (infrared night) learned from.
    pub grey: u16,
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

    /// Takes in one picture of `camera`, received `at`, and says what the last ones agree on.
    pub fn judge(&mut self, camera: CameraId, features: &Features, at: Now) -> Verdict {
        let config = &self.config;
        let limits = Limits::new(config, self.settings.get(&camera));
        let meeting = if limits.wants(Cause::SamePicture) {
            self.twins.meet(camera, features, at)
        } else {
            self.twins.forget(camera);
            Meeting::default()
        };
        let state = self.cameras.entry(camera).or_default();
        if state.last.is_some_and(|last| at.mono.since(last) > MEMORY) {
            state.agreed = [0; CLASSES.len()];
            state.stillness = Stillness::default();
            state.lasting = Lasting::default();
        }
        state.last = Some(at.mono);
        state.newest = Some(Box::new(features.clone()));
        state.exceptions.retain(|(_, until)| *until > at.wall);
        let excepted = |cause: Cause| state.exceptions.iter().any(|(c, _)| *c == cause);
        let baseline = state.baselines.get(features);
        // A false alarm still explains what follows from it: a black picture is not told as a dark one instead.
        let run = CLASSES.iter().position(|c| *c == Cause::SceneMoved).map_or(0, |class| state.agreed[class]);
        let lasting = state.lasting.take(features, run.into());
        let all = classes::signs(features, &lasting, baseline, limits);
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
        // Whatever shows a fault of its own teaches nothing; a picture of an unmoved good scene does, and so does
        // one that a person says is good, unless there is nothing to see on it.
        let teaches = |cause| matches!(cause, Cause::PictureFrozen | Cause::SamePicture);
        let taught =
            signs.iter().all(|sign| teaches(sign.cause)) && others.iter().all(|sign| sign.cause != Cause::PictureBlack);
        // What is black is dark, too: a scene on the border between both breaks no run, and is told as dark.
        let is_black = signs.iter().any(|sign| sign.cause == Cause::PictureBlack);
        let dark = classes::too_dark(features, baseline, limits)
            .filter(|sign| is_black && limits.wants(sign.cause) && !excepted(sign.cause));
        let young = baseline.is_some_and(|b| !b.is_settled(config));
        let mut verdict = Verdict::default();
        let mut undecided = still.suspicious(config) && signs.is_empty() && !excepted(Cause::PictureFrozen);
        for (cause, agreed) in CLASSES.iter().zip(&mut state.agreed) {
            let told = signs.iter().find(|sign| sign.cause == *cause);
            let Some(sign) = told.or_else(|| others.iter().find(|sign| sign.cause == *cause)) else {
                let also = dark.as_ref().filter(|dark| dark.cause == *cause);
                *agreed = if also.is_some() { agreed.saturating_add(1) } else { 0 };
                let told_black = verdict.findings.iter().any(|f| f.cause == Cause::PictureBlack);
                if let Some(sign) = also.filter(|_| !told_black)
                    && let Some(beyond) = agreed.checked_sub(config.needed(*cause))
                {
                    verdict.findings.push(finding(sign, beyond));
                }
                continue;
            };
            *agreed = agreed.saturating_add(1);
            let needed = config.needed(*cause);
            if *agreed < needed {
                undecided |= told.is_some();
                continue;
            }
            let mut finding = finding(sign, *agreed - needed);
            if young && rests_on_the_usual(*cause) {
                finding.confidence = finding.confidence.min(SURE_WHILE_YOUNG);
            }
            if told.is_some() { verdict.findings.push(finding) } else { verdict.excepted.push(finding) }
        }
        if taught && state.baselines.learn(features, at.mono, config) {
            self.changed.insert(camera);
        }
        if undecided {
            state.looked = state.looked.wrapping_add(1);
            // Primes, so that no period of the scene divides them all.
            let pause = [5u64, 7, 11, 13][state.looked as usize % 4];
            verdict.look_again = Some(Duration::from_secs(pause));
        }
        if meeting.suspect.is_some_and(|_| !excepted(Cause::SamePicture)) {
            // So that both are taken at once; the pause keeps two suspects from following each other without end.
            verdict.look_again = Some(TOGETHER);
            verdict.look_also_at = meeting.suspect;
        }
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
        measure::measures(features, state.baselines.get(features), limits)
    }

    /// How much the baselines of `camera` rest on.
    #[must_use]
    pub fn learned(&self, camera: CameraId) -> Learned {
        let (colour, grey) = self.cameras.get(&camera).map_or((0, 0), |state| {
            let count = |one: &Option<Box<baseline::Baseline>>| one.as_deref().map_or(0, |b| b.count);
            (count(&state.baselines.colour), count(&state.baselines.grey))
        });
        let config = &self.config;
        Learned { colour, grey, needed: config.baseline_pictures, settled: config.baseline_settled }
    }

    /// The baselines of `camera` to be stored, about 8 KB; `None` if there are none.
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

    /// Takes what the camera shows now as its new normal: a person saw both pictures and accepts the new one, or the
    /// camera was moved on purpose. Learning begins with the newest picture, by day and by night.
    pub fn accept(&mut self, camera: CameraId, at: Now) {
        self.reset(camera);
        if let Some(state) = self.cameras.get_mut(&camera)
            && let Some(newest) = &state.newest
        {
            state.baselines.learn(newest, at.mono, &self.config);
        }
    }

    /// Forgets what the camera usually shows; it learns anew from its next good pictures.
    pub fn reset(&mut self, camera: CameraId) {
        if let Some(state) = self.cameras.get_mut(&camera) {
            state.baselines = Baselines::default();
            state.agreed = [0; CLASSES.len()];
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
