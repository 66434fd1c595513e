//! From measured features to findings that operators believe. Pure: no I/O, no clock, no randomness.

use crate::Features;
use fleet::{CameraId, Cause, Now};
use serde::{Deserialize, Serialize};

/// Thresholds and agreement of the [`Diagnosis`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct DiagnosisConfig {}

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
    /// 0 to 1.
    pub confidence: f32,
    /// The deciding figure.
    pub measured: f32,
    /// What it was held against.
    pub threshold: f32,
    /// Evidence in plain words.
    pub detail: String,
}

/// What the last keyframes of a camera say together.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Agreed faults, worst first; empty if the picture is good as far as judged.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The cause and evidence of the worst fault.
    #[must_use]
    pub fn fault(&self) -> Option<(Cause, String)> {
        self.findings.first().map(|f| (f.cause, f.detail.clone()))
    }
}

/// Per-camera histories and baselines.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    _config: DiagnosisConfig,
}

impl Diagnosis {
    /// No history yet.
    #[must_use]
    pub fn new(config: DiagnosisConfig) -> Diagnosis {
        Diagnosis { _config: config }
    }

    /// Takes in one picture of `camera`, received `at`, and says what the last ones agree on.
    pub fn judge(&mut self, camera: CameraId, features: &Features, at: Now) -> Verdict {
        let _ = (camera, features, at);
        Verdict::default()
    }

    /// Drops everything known of `camera`.
    pub fn forget(&mut self, camera: CameraId) {
        let _ = camera;
    }
}
