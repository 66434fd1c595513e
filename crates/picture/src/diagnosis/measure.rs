//! The figures of a picture beside the limits they are held against: what a person sees of the verdict.

use super::{baseline::Baseline, classes, limits::Limits};
use crate::Features;
use fleet::Cause;
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

pub(super) fn measures(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Vec<Measure> {
    let config = limits.config;
    let of = |cause, usual| Some(limits.of(cause, usual));
    let between = |kind, value, low, high| Measure { kind, value, low, high };
    let (_, stripes, stripe_limit) = classes::stripe_figures(f, baseline, limits);
    let mut all = vec![
        between(
            MeasureKind::Brightness,
            f.mean,
            Some(classes::dark_limit(baseline, limits)),
            of(Cause::PictureTooBright, config.bright_mean),
        ),
        between(MeasureKind::Sharpness, f.acuity(), Some(classes::blur_limit(baseline, limits)), None),
        between(MeasureKind::Noise, f.noise, None, Some(classes::noise_limit(f, baseline, limits))),
        between(MeasureKind::Stripes, stripes, None, Some(stripe_limit)),
        between(MeasureKind::Plain, f.flat, None, of(Cause::PictureCovered, config.covered_share.max(0.8))),
    ];
    if let Some((correlation, limit)) = classes::scene_figures(f, baseline, limits) {
        all.push(between(MeasureKind::Scene, correlation, Some(limit), None));
    }
    all
}
