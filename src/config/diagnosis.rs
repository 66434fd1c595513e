//! Thresholds of the picture diagnosis in the config file.

use super::Span;
use fleet::{Cause, Layer};
use picture::DiagnosisConfig;
use serde::Deserialize;

/// What can be set of the diagnosis; its other figures hang together and are documented with it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Diagnosis {
    pub(crate) off: Vec<Cause>,
    pub(crate) agreement: u8,
    pub(crate) agreement_time: Span,
    pub(crate) black_luma: f32,
    pub(crate) dark_mean: f32,
    pub(crate) bright_mean: f32,
    pub(crate) covered_share: f32,
    pub(crate) blur_acuity: f32,
    pub(crate) cast: f32,
    pub(crate) noise_sigma: f32,
    pub(crate) stripe_jump: f32,
    pub(crate) moved_correlation: f32,
    pub(crate) baseline_pictures: u16,
    pub(crate) baseline_settled: u16,
    pub(crate) frozen_time: Span,
}

impl Default for Diagnosis {
    fn default() -> Diagnosis {
        let d = DiagnosisConfig::default();
        Diagnosis {
            off: d.off,
            agreement: d.agreement,
            agreement_time: Span(d.agreement_time),
            black_luma: d.black_luma,
            dark_mean: d.dark_mean,
            bright_mean: d.bright_mean,
            covered_share: d.covered_share,
            blur_acuity: d.blur_acuity,
            cast: d.cast,
            noise_sigma: d.noise_sigma,
            stripe_jump: d.stripe_jump,
            moved_correlation: d.moved_correlation,
            baseline_pictures: d.baseline_pictures,
            baseline_settled: d.baseline_settled,
            frozen_time: Span(d.frozen_time),
        }
    }
}

impl Diagnosis {
    /// The first key with a value that cannot work, and what is expected.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let luma = 0.0..=255.0;
        let rules = [
            (
                self.off.iter().all(|c| c.layer() == Layer::Picture),
                "diagnosis.off",
                "faults of the picture, such as [\"picture_blurred\"]",
            ),
            ((1..=20).contains(&self.agreement), "diagnosis.agreement", "1 to 20"),
            (self.agreement_time.within(0, 1_800_000), "diagnosis.agreement_time", "0s to 30m"),
            (luma.contains(&self.black_luma), "diagnosis.black_luma", "0 to 255"),
            (luma.contains(&self.dark_mean), "diagnosis.dark_mean", "0 to 255"),
            (luma.contains(&self.bright_mean), "diagnosis.bright_mean", "0 to 255"),
            ((0.0..=1.0).contains(&self.covered_share), "diagnosis.covered_share", "0 to 1"),
            ((0.0..=1.0).contains(&self.blur_acuity), "diagnosis.blur_acuity", "0 to 1"),
            ((0.0..=128.0).contains(&self.cast), "diagnosis.cast", "0 to 128"),
            (luma.contains(&self.noise_sigma), "diagnosis.noise_sigma", "0 to 255"),
            (luma.contains(&self.stripe_jump), "diagnosis.stripe_jump", "0 to 255"),
            ((-1.0..=1.0).contains(&self.moved_correlation), "diagnosis.moved_correlation", "-1 to 1"),
            ((3..=1000).contains(&self.baseline_pictures), "diagnosis.baseline_pictures", "3 to 1000"),
            (
                (self.baseline_pictures..=5000).contains(&self.baseline_settled),
                "diagnosis.baseline_settled",
                "diagnosis.baseline_pictures to 5000",
            ),
            (self.frozen_time.within(1000, 86_400_000), "diagnosis.frozen_time", "1s to 24h"),
        ];
        rules.into_iter().find(|(good, ..)| !good).map_or(Ok(()), |(_, key, expected)| Err((key, expected)))
    }

    /// The settings of the diagnosis.
    pub(crate) fn settings(&self) -> DiagnosisConfig {
        DiagnosisConfig {
            off: self.off.clone(),
            agreement: self.agreement,
            agreement_time: self.agreement_time.0,
            black_luma: self.black_luma,
            dark_mean: self.dark_mean,
            bright_mean: self.bright_mean,
            covered_share: self.covered_share,
            blur_acuity: self.blur_acuity,
            cast: self.cast,
            noise_sigma: self.noise_sigma,
            stripe_jump: self.stripe_jump,
            moved_correlation: self.moved_correlation,
            baseline_pictures: self.baseline_pictures,
            baseline_settled: self.baseline_settled,
            frozen_time: self.frozen_time.0,
            ..DiagnosisConfig::default()
        }
    }
}
