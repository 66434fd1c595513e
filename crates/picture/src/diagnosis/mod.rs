//! From measured features to findings that operators believe. Pure: no I/O, no clock, no randomness.
//!
//! Each picture is held against the classes ([`classes`]), the camera's last pictures ([`frozen`]) and what the
//! camera usually shows, by day and by night ([`baseline`]). A fault is spoken of only after several pictures
//! agree; a false alarm is worse than a miss. One camera's state takes about 8 KB once both baselines are learned.

mod baseline;
mod classes;
mod config;
mod frozen;
mod twins;

use crate::Features;
use baseline::Baselines;
use classes::Sign;
use fleet::{CameraId, Cause, Mono, Now};
use frozen::Stillness;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, time::Duration};

pub use config::DiagnosisConfig;
pub use twins::Twins;

/// Pictures further apart than this do not confirm each other.
const MEMORY: Duration = Duration::from_secs(3600);

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
    /// Evidence in plain words, with the figures.
    pub detail: String,
}

/// What the last keyframes of a camera say together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Agreed faults, worst first; empty if the picture is good as far as judged.
    pub findings: Vec<Finding>,
    /// When another picture would help to decide: something is suspected on which too few agree yet. The
    /// lengths vary on purpose, so that a scene that repeats itself in step with the checks is not called frozen.
    pub look_again: Option<Duration>,
}

impl Verdict {
    /// The cause and evidence of the worst fault.
    #[must_use]
    pub fn fault(&self) -> Option<(Cause, String)> {
        self.findings.first().map(|f| (f.cause, f.detail.clone()))
    }
}

/// Per-camera histories and baselines. Can be stored and read back: the baselines outlive a restart, what was
/// suspected does not (monotonic times mean nothing then).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Diagnosis {
    config: DiagnosisConfig,
    cameras: HashMap<CameraId, State>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    baselines: Baselines,
    #[serde(skip)]
    stillness: Stillness,
    #[serde(skip)]
    agreed: [u8; CLASSES.len()],
    #[serde(skip)]
    last: Option<Mono>,
    #[serde(skip)]
    looked: u32,
}

/// Every class, worst first. Frozen comes late: a picture that is also black or torn is named by what a person
/// sees; that it stands still follows from it.
const CLASSES: [Cause; 10] = [
    Cause::PictureBlack,
    Cause::PictureCovered,
    Cause::PictureStripes,
    Cause::PictureNoise,
    Cause::PictureTooDark,
    Cause::PictureTooBright,
    Cause::PictureColourCast,
    Cause::PictureBlurred,
    Cause::SceneMoved,
    Cause::PictureFrozen,
];

impl Diagnosis {
    /// No history yet.
    #[must_use]
    pub fn new(config: DiagnosisConfig) -> Diagnosis {
        Diagnosis { config, cameras: HashMap::new() }
    }

    /// Takes in one picture of `camera`, received `at`, and says what the last ones agree on.
    pub fn judge(&mut self, camera: CameraId, features: &Features, at: Now) -> Verdict {
        let config = &self.config;
        let state = self.cameras.entry(camera).or_default();
        if state.last.is_some_and(|last| at.mono.since(last) > MEMORY) {
            state.agreed = [0; CLASSES.len()];
            state.stillness = Stillness::default();
        }
        state.last = Some(at.mono);
        let still = state.stillness.take(features, at.mono);
        let mut signs = classes::signs(features, state.baselines.get(features), config);
        signs.retain(|sign| !config.off.contains(&sign.cause));
        // Whatever shows a fault of its own teaches nothing; a picture of an unmoved good scene does.
        if signs.is_empty() {
            state.baselines.learn(features, at.mono, config);
        }
        if signs.is_empty() && !config.off.contains(&Cause::PictureFrozen) {
            signs.extend(still.sign(features, config));
        }
        let mut verdict = Verdict::default();
        let mut undecided = still.suspicious(config) && signs.is_empty();
        for (cause, agreed) in CLASSES.iter().zip(&mut state.agreed) {
            let Some(sign) = signs.iter().find(|sign| sign.cause == *cause) else {
                *agreed = 0;
                continue;
            };
            *agreed = agreed.saturating_add(1);
            let needed = config.needed(*cause);
            if *agreed >= needed {
                verdict.findings.push(finding(sign, *agreed - needed));
            } else {
                undecided = true;
            }
        }
        if undecided {
            state.looked = state.looked.wrapping_add(1);
            // Primes, so that no period of the scene divides them all.
            let pause = [5u64, 7, 11, 13][state.looked as usize % 4];
            verdict.look_again = Some(Duration::from_secs(pause));
        }
        verdict
    }

    /// Drops everything known of `camera`, its baselines too.
    pub fn forget(&mut self, camera: CameraId) {
        self.cameras.remove(&camera);
    }

    /// Takes what the camera shows now as its new normal: a person saw both pictures and accepts the new one,
    /// or the camera was moved on purpose. The baselines are learned afresh.
    pub fn accept(&mut self, camera: CameraId) {
        if let Some(state) = self.cameras.get_mut(&camera) {
            state.baselines = Baselines::default();
            state.agreed = [0; CLASSES.len()];
        }
    }
}

fn finding(sign: &Sign, beyond: u8) -> Finding {
    let agreement = f32::from(beyond.min(5)) / 5.0;
    Finding {
        cause: sign.cause,
        level: sign.level,
        confidence: (0.6 + 0.3 * sign.margin + 0.1 * agreement).clamp(0.0, 1.0),
        measured: sign.measured,
        threshold: sign.threshold,
        detail: sign.detail.clone(),
    }
}
