//! Thresholds, each with where it comes from. All luma is full range, 0 to 255.

use fleet::Cause;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Thresholds and agreement of the [`Diagnosis`](crate::Diagnosis).
///
/// No national standard fixes thresholds for video quality diagnosis. Where products publish theirs (mean luma
/// below 30 or above 220, contrast below 25, 2–3 bad pictures before a ticket) the defaults are stricter, since
/// those count pictures that only look poor at night or in fog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiagnosisConfig {
    /// Pictures in a row that must agree on a class.
    pub agreement: u8,
    /// The same for a black picture, which is hard to mistake.
    pub agreement_black: u8,
    /// Classes that are not judged.
    pub off: Vec<Cause>,
    /// Black: 95 % of the picture is below this luma …
    pub black_luma: f32,
    /// … and between its 5th and 95th percentile lies at most this much.
    pub black_spread: f32,
    /// Too dark: mean luma below this (products publish 30; infrared nights in villages reach 25).
    pub dark_mean: f32,
    /// Too bright: mean luma above this (products publish 220), and hardly anything dark.
    pub bright_mean: f32,
    /// Covered: share of cells without texture above this, in a picture that is dark or flat as a whole.
    pub covered_flat: f32,
    /// Covered: mean luma below this; fog and snow are brighter.
    pub covered_luma: f32,
    /// Blurred: variance of the Laplacian (Pech-Pacheco et al. 2000) over variance of luma below this although
    /// the picture has contrast; sharp scenes have 0.1 to 1 …
    pub blur_acuity: f32,
    /// … or below this share of what the camera usually has by this light, once that is known.
    pub blur_share: f32,
    /// Colour cast: distance of mean chroma from neutral beyond its spread (Gasparini and Schettini 2004).
    pub cast: f32,
    /// Noise: sigma by Immerkær 1996, where the picture is smooth.
    pub noise_sigma: f32,
    /// Noise: or Laplacian variance over luma variance above this.
    pub noise_acuity: f32,
    /// Noise: or both figures above this many times what the camera usually has by this light.
    pub noise_rise: f32,
    /// Stripes: jump in luma steps that an eighth of the lines reach in most of their length.
    pub stripe_jump: f32,
    /// Scene moved: correlation of edge maps with the baseline below this.
    pub moved_correlation: f32,
    /// Scene moved: or by this much less than the camera's pictures usually agree.
    pub moved_fall: f32,
    /// Scene moved: pictures that make a baseline.
    pub baseline_pictures: u16,
    /// Frozen: pictures identical in every bit, the burned-in clock included …
    pub frozen_pictures: u16,
    /// … over at least this time.
    pub frozen_time: Duration,
    /// Frozen while the burned-in clock runs on: pictures identical but for the uppermost and lowest strip …
    pub frozen_pictures_clock: u16,
    /// … over at least this time.
    pub frozen_time_clock: Duration,
}

impl Default for DiagnosisConfig {
    fn default() -> DiagnosisConfig {
        DiagnosisConfig {
            agreement: 3,
            agreement_black: 2,
            off: Vec::new(),
            black_luma: 32.0,
            black_spread: 8.0,
            dark_mean: 24.0,
            bright_mean: 220.0,
            covered_flat: 0.8,
            covered_luma: 90.0,
            blur_acuity: 0.012,
            blur_share: 0.1,
            cast: 14.0,
            noise_sigma: 12.0,
            noise_acuity: 3.0,
            noise_rise: 3.0,
            stripe_jump: 8.0,
            moved_correlation: 0.35,
            moved_fall: 0.3,
            baseline_pictures: 5,
            frozen_pictures: 4,
            frozen_time: Duration::from_secs(30),
            frozen_pictures_clock: 12,
            frozen_time_clock: Duration::from_secs(600),
        }
    }
}

impl DiagnosisConfig {
    /// Pictures in a row that must agree on `cause`.
    pub(super) fn needed(&self, cause: Cause) -> u8 {
        match cause {
            Cause::PictureBlack => self.agreement_black.max(1),
            // Counts its own pictures.
            Cause::PictureFrozen => 1,
            _ => self.agreement.max(1),
        }
    }
}
