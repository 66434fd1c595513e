//! The limits that hold for one camera: those of the config, but for what a person set for this camera.

use super::DiagnosisConfig;
use fleet::{Cause, Layer};
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, time::Duration};

/// What a person set for one camera's picture.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CameraSettings {
    /// Classes that are not judged on it, beside those that are off for all.
    pub off: Vec<Cause>,
    /// Limits that hold as they are, whatever the camera usually shows; at most one a class.
    pub limits: Vec<(Cause, f32)>,
}

/// Every class, worst first. Frozen comes late: a picture that is also black or torn is named by what a person
/// sees; that it stands still follows from it.
pub const CLASSES: [Cause; 11] = [
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
    Cause::SamePicture,
];

impl CameraSettings {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.off.is_empty() && self.limits.is_empty()
    }

    /// What of it cannot be: the class, and the limits that can be set if it is about a limit.
    #[must_use]
    pub fn fault(&self) -> Option<(Cause, Option<RangeInclusive<f32>>)> {
        let off = self.off.iter().find(|c| c.layer() != Layer::Picture || !CLASSES.contains(c));
        let double = |cause: Cause| self.limits.iter().filter(|(c, _)| *c == cause).count() > 1;
        let limit =
            self.limits.iter().find(|(c, l)| double(*c) || !settable(*c).is_some_and(|range| range.contains(l)));
        off.map(|c| (*c, None)).or_else(|| limit.map(|(c, _)| (*c, settable(*c))))
    }
}

/// Which limits a person may set for a class: luma, shares, seconds, as the class is measured. `None`: the class has
/// none of its own.
#[must_use]
pub fn settable(cause: Cause) -> Option<RangeInclusive<f32>> {
    Some(match cause {
        Cause::PictureBlack => 0.0..=80.0,
        Cause::PictureTooDark => 0.0..=120.0,
        Cause::PictureTooBright => 120.0..=255.0,
        Cause::PictureBlurred => 0.0..=1.0,
        Cause::PictureCovered => 0.1..=1.0,
        Cause::PictureColourCast | Cause::PictureStripes => 2.0..=128.0,
        Cause::PictureNoise => 1.0..=100.0,
        Cause::SceneMoved => -1.0..=1.0,
        Cause::PictureFrozen => 10.0..=86_400.0,
        _ => return None,
    })
}

/// The config as it holds for one camera.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) config: &'a DiagnosisConfig,
    own: Option<&'a CameraSettings>,
}

impl<'a> Limits<'a> {
    pub(super) fn new(config: &'a DiagnosisConfig, own: Option<&'a CameraSettings>) -> Limits<'a> {
        Limits { config, own }
    }

    /// Whether the class is judged.
    pub(super) fn wants(self, cause: Cause) -> bool {
        !self.config.off.contains(&cause) && !self.own.is_some_and(|own| own.off.contains(&cause))
    }

    /// What a person set for this camera.
    pub(super) fn set(self, cause: Cause) -> Option<f32> {
        self.own?.limits.iter().find(|(c, _)| *c == cause).map(|(_, limit)| *limit)
    }

    /// What a person set for this camera, else `usual`.
    pub(super) fn of(self, cause: Cause, usual: f32) -> f32 {
        self.set(cause).unwrap_or(usual)
    }

    pub(super) fn frozen_time(self) -> Duration {
        self.set(Cause::PictureFrozen).map_or(self.config.frozen_time, Duration::from_secs_f32)
    }
}

impl DiagnosisConfig {
    /// The limit of a class before anything is known of a camera and nothing was set for it.
    #[must_use]
    pub fn limit(&self, cause: Cause) -> Option<f32> {
        Some(match cause {
            Cause::PictureBlack => self.black_luma,
            Cause::PictureTooDark => self.dark_mean,
            Cause::PictureTooBright => self.bright_mean,
            Cause::PictureBlurred => self.blur_acuity,
            Cause::PictureCovered => self.covered_share,
            Cause::PictureColourCast => self.cast,
            Cause::PictureStripes => self.stripe_jump,
            Cause::PictureNoise => self.noise_sigma,
            Cause::SceneMoved => self.moved_correlation,
            Cause::PictureFrozen => self.frozen_time.as_secs_f32(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_set_is_named() {
        let config = DiagnosisConfig::default();
        for cause in CLASSES {
            match (settable(cause), config.limit(cause)) {
                (Some(range), Some(limit)) => assert!(range.contains(&limit), "{cause}"),
                (None, None) => assert_eq!(cause, Cause::SamePicture),
                other => panic!("{cause}: {other:?}"),
            }
        }
        let set =
            |off: &[Cause], limits: &[(Cause, f32)]| CameraSettings { off: off.to_vec(), limits: limits.to_vec() };
        assert_eq!(set(&[Cause::PictureBlurred], &[(Cause::PictureTooDark, 40.0)]).fault(), None);
        assert_eq!(set(&[Cause::NoRtp], &[]).fault(), Some((Cause::NoRtp, None)));
        let dark = set(&[], &[(Cause::PictureTooDark, f32::NAN)]).fault().unwrap();
        assert_eq!(dark, (Cause::PictureTooDark, Some(0.0..=120.0)));
        assert!(set(&[], &[(Cause::SamePicture, 1.0)]).fault().is_some());
        assert!(set(&[], &[(Cause::PictureBlack, 1.0), (Cause::PictureBlack, 2.0)]).fault().is_some());
    }
}
