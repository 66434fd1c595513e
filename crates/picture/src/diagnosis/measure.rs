//! The figures of a picture beside the limits they are held against: what a person sees of the verdict.

use super::{DiagnosisConfig, baseline::Baseline, classes};
use crate::Features;
use serde::{Deserialize, Serialize};

/// What a figure is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureKind {
    /// Mean luma, 0 to 255.
    Brightness,
    /// Sharpness for its contrast, see [`Features::acuity`].
    Sharpness,
    /// Noise where the picture is smooth, in luma steps.
    Noise,
    /// Stripes, in luma steps.
    Stripes,
    /// Share of the picture without texture, 0 to 1.
    Plain,
    /// How well the edges agree with the usual scene, −1 to 1.
    Scene,
}

impl MeasureKind {
    /// Every kind.
    pub const ALL: [MeasureKind; 6] = [
        MeasureKind::Brightness,
        MeasureKind::Sharpness,
        MeasureKind::Noise,
        MeasureKind::Stripes,
        MeasureKind::Plain,
        MeasureKind::Scene,
    ];

    /// The word used in the API.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            MeasureKind::Brightness => "brightness",
            MeasureKind::Sharpness => "sharpness",
            MeasureKind::Noise => "noise",
            MeasureKind::Stripes => "stripes",
            MeasureKind::Plain => "plain",
            MeasureKind::Scene => "scene",
        }
    }
}

/// One figure of a picture. Outside its limits it is a sign of a fault, together with other conditions of its class.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measure {
    /// What it is of.
    pub kind: MeasureKind,
    /// As measured.
    pub value: f32,
    /// Below this it is a sign.
    pub low: Option<f32>,
    /// Above this it is a sign.
    pub high: Option<f32>,
}

pub(super) fn measures(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Vec<Measure> {
    let between = |kind, value, low, high| Measure { kind, value, low, high };
    let (_, stripes, stripe_limit) = classes::stripe_figures(f, baseline, config);
    let mut all = vec![
        between(MeasureKind::Brightness, f.mean, Some(config.dark_mean), Some(config.bright_mean)),
        between(MeasureKind::Sharpness, f.acuity(), Some(classes::blur_limit(baseline, config)), None),
        between(MeasureKind::Noise, f.noise, None, Some(classes::noise_limit(baseline, config))),
        between(MeasureKind::Stripes, stripes, None, Some(stripe_limit)),
        between(MeasureKind::Plain, f.flat, None, Some(config.covered_flat)),
    ];
    if let Some((correlation, limit)) = classes::scene_figures(f, baseline, config) {
        all.push(between(MeasureKind::Scene, correlation, Some(limit), None));
    }
    all
}
