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
    /// Time over which they must agree at least: a lorry that waits, the focus that is found again after the switch to
    /// infrared and a moth on the dome are gone by then. Of a black picture 20 s will do, if this is not shorter: nothing
    /// that passes takes all light, and a camera that restarts or switches its filter is back by then.
    pub agreement_time: Duration,
    /// Classes that are not judged.
    pub off: Vec<Cause>,
    /// Black: 95 % of the picture is below this luma …
    pub black_luma: f32,
    /// … and between its 5th and 95th percentile lies at most this much.
    pub black_spread: f32,
    /// … and its cells differ from one to the other by less than this.
    pub black_shades: f32,
    /// Too dark: mean luma below this (products publish 30; infrared nights in villages reach 25).
    pub dark_mean: f32,
    /// … or, where the picture is dark as a rule, below this share of the usual.
    pub dark_share: f32,
    /// Too bright: mean luma above this (products publish 220), and hardly anything dark.
    pub bright_mean: f32,
    /// Covered: share of what usually has texture and now has none above this …
    pub covered_share: f32,
    /// … with a mean luma below this there: fog and snow are brighter …
    pub covered_luma: f32,
    /// … and of one shade: its deviation there is below this, or below half the usual.
    pub covered_shades: f32,
    /// … and, if all of it lost its texture, the correlation of the cells' luma with the usual is below this.
    pub covered_coarse: f32,
    /// … and the steps of luma there do not correlate with the usual ones above this: a shadow is no cover.
    pub covered_shadow: f32,
    /// Blurred: variance of the Laplacian (Pech-Pacheco et al. 2000) over variance of luma below this although
    /// the picture has contrast; sharp scenes have 0.1 to 1 …
    pub blur_acuity: f32,
    /// … or below this share of what the camera usually has by this light, once that is known.
    pub blur_share: f32,
    /// Colour cast: distance of mean chroma from neutral beyond its spread (Gasparini and Schettini 2004).
    pub cast: f32,
    /// Noise: sigma by Immerkær 1996, where the picture is smooth, above this …
    pub noise_sigma: f32,
    /// … or, once the usual is known, above this many times the usual …
    pub noise_rise: f32,
    /// … and so many luma steps.
    pub noise_step: f32,
    /// … all that, with less light than usual, times the share of the light that is missing, at most this many times.
    pub noise_gain: f32,
    /// Noise: or Laplacian variance over luma variance above this.
    pub noise_acuity: f32,
    /// Stripes: jump in luma steps that an eighth of the lines reach in most of their length.
    pub stripe_jump: f32,
    /// Stripes: or share of the picture in which blocks do not fit their neighbours …
    pub torn_share: f32,
    /// … by so many luma steps more than one and a half times the usual.
    pub torn_step: f32,
    /// Scene moved: correlation of edge maps with the baseline below this …
    pub moved_correlation: f32,
    /// … and that of the cells' luma below this.
    pub moved_coarse: f32,
    /// Scene moved: or edges agree this well once they are shifted …
    pub moved_turned: f32,
    /// … and by so much better than unshifted.
    pub moved_gain: f32,
    /// A picture with this many times the usual contrast shows no cast, and no other scene unless the cells' luma says so,
    /// too: the usual was learned in fog.
    pub clearer: f32,
    /// Scene moved: while the usual is known from a few hours only, below this share of that limit.
    pub moved_young: f32,
    /// Scene moved: pictures that make a baseline.
    pub baseline_pictures: u16,
    /// Pictures after which a baseline knows the camera's hours and weathers. Once there are
    /// [`baseline_pictures`](Self::baseline_pictures), at most one in twenty minutes counts.
    pub baseline_settled: u16,
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
            agreement_time: Duration::from_secs(90),
            off: Vec::new(),
            black_luma: 32.0,
            black_spread: 8.0,
            black_shades: 1.2,
            dark_mean: 24.0,
            dark_share: 0.5,
            bright_mean: 220.0,
            covered_share: 0.35,
            covered_luma: 165.0,
            covered_shades: 14.0,
            covered_coarse: 0.5,
            covered_shadow: 0.5,
            blur_acuity: 0.012,
            blur_share: 0.1,
            cast: 14.0,
            noise_sigma: 12.0,
            noise_rise: 2.0,
            noise_step: 2.0,
            noise_gain: 2.5,
            noise_acuity: 5.0,
            stripe_jump: 8.0,
            torn_share: 0.12,
            torn_step: 4.0,
            moved_correlation: 0.35,
            moved_coarse: 0.75,
            moved_turned: 0.6,
            moved_gain: 0.2,
            clearer: 1.5,
            moved_young: 0.65,
            baseline_pictures: 5,
            baseline_settled: 24,
            frozen_pictures: 4,
            frozen_time: Duration::from_secs(30),
            frozen_pictures_clock: 12,
            frozen_time_clock: Duration::from_secs(600),
        }
    }
}

/// What [`DiagnosisConfig::agreement_time`] is for a black picture, at most.
const BLACK_TIME: Duration = Duration::from_secs(20);

impl DiagnosisConfig {
    /// The same for whoever has one picture only: what needs several is not found.
    #[must_use]
    pub fn at_once(self) -> DiagnosisConfig {
        DiagnosisConfig { agreement: 1, agreement_black: 1, agreement_time: Duration::ZERO, ..self }
    }

    /// Time over which pictures must agree on `cause`.
    pub(super) fn span(&self, cause: Cause) -> Duration {
        match cause {
            Cause::PictureBlack => self.agreement_time.min(BLACK_TIME),
            // Count their own time.
            Cause::PictureFrozen | Cause::SamePicture => Duration::ZERO,
            _ => self.agreement_time,
        }
    }

    /// Pictures in a row that must agree on `cause`.
    pub(super) fn needed(&self, cause: Cause) -> u8 {
        match cause {
            Cause::PictureBlack => self.agreement_black.max(1),
            // Count their own pictures.
            Cause::PictureFrozen | Cause::SamePicture => 1,
            _ => self.agreement.max(1),
        }
    }
}
