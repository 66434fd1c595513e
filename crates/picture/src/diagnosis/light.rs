//! By which light a picture was taken: each light has a usual of its own.
//!
//! A camera shows its place in three ways: by day; in colour in the dark (street lamps, a sensor for the dark, a white
//! lamp of its own); and grey by infrared. Saturation alone does not tell them apart: fog and snow take the colour
//! from a day, and a street in sodium light has more of it than noon. Nor does brightness alone: a cover darkens a day.
//! So a picture may have been taken by one of two lights, the likelier first, and is taken to be of the other only if
//! it shows a fault by the first and none by the other.
//!
//! | picture | light |
//! |---|---|
//! | grey (saturation below [`GREY`]), not bright | infrared |
//! | grey and bright | the day if days are known and nights are much darker; else what came before |
//! | colour, bright | day; after a night, and not as bright as [`SURELY_DAY`], perhaps still the dark |
//! | colour, dark | what came before; the dark if it is a first picture of a camera without infrared, or shows no fault but the colours of lamps |
//!
//! Dark is below [`DARK`] and below [`DARK_SHARE`] of the usual day. A light once entered is left only beyond the second
//! figure of each pair, and only on a picture without a fault: what a cover darkens by day stays a fault of the day.

use super::{DiagnosisConfig, baseline::Baselines, compare::shades};
use crate::Features;
use serde::{Deserialize, Serialize};

/// Saturation below which a picture is grey, and up to which it still is after a grey one.
const GREY: (f32, f32) = (3.0, 4.5);
/// Below this a picture has no colour at all: the camera switched it off.
const NO_COLOUR: f32 = 0.5;
/// Mean luma from which a grey picture may be a day without colour.
const GREY_LIGHT: f32 = 105.0;
/// By how much such a day is brighter than the usual infrared night.
const BRIGHTER: f32 = 1.4;
/// Mean luma below which a colour picture is dark, and up to which it still is after a dark one.
const DARK: (f32, f32) = (60.0, 90.0);
/// And below this share of the usual day.
const DARK_SHARE: f32 = 0.6;
/// In the dark of lamps a camera may show a picture as bright as this.
const SURELY_DAY: f32 = 130.0;
/// A dark picture this bright may still be of the dusk or dawn of a day.
const DUSK: f32 = 45.0;

/// By which light a camera sees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// 白天: daylight.
    #[default]
    Day,
    /// 夜间彩色: colour in the dark, by lamps or by a sensor for the dark.
    Dark,
    /// 红外: grey, by infrared.
    Infrared,
}

impl Light {
    /// Every light.
    pub const ALL: [Light; 3] = [Light::Day, Light::Dark, Light::Infrared];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Light::Day => "day",
            Light::Dark => "dark",
            Light::Infrared => "infrared",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// Whether a picture has no colour to speak of.
pub(super) fn is_grey(features: &Features) -> bool {
    features.saturation < GREY.0
}

/// The lights by which a picture may have been taken, the likelier first; `last` is that of the last good one.
pub(super) fn likely(
    f: &Features,
    last: Option<Light>,
    usual: &Baselines,
    config: &DiagnosisConfig,
) -> (Light, Option<Light>) {
    let (mean, _) = shades(f);
    let learned = |light| usual.of(light).filter(|b| b.is_learned(config));
    let (day, infrared) = (learned(Light::Day), learned(Light::Infrared));
    let dark = usual.of(Light::Dark).is_some_and(|b| b.is_settled(config));
    let grey = f.saturation < if last == Some(Light::Infrared) { GREY.1 } else { GREY.0 };
    if grey && mean < GREY_LIGHT {
        return (Light::Infrared, None);
    }
    if grey {
        let as_by_day = infrared.map_or(f.saturation >= NO_COLOUR, |b| mean > BRIGHTER * b.mean());
        return match (last, day) {
            (Some(Light::Infrared), Some(_)) if !as_by_day => (Light::Infrared, Some(Light::Day)),
            (_, Some(_)) if as_by_day => (Light::Day, infrared.map(|_| Light::Infrared)),
            // A lamp on something near, or thick fog: who has never seen the one or the other cannot say.
            (_, Some(_)) => (Light::Day, Some(Light::Infrared)),
            (_, None) if as_by_day => (Light::Day, None),
            (_, None) => (Light::Infrared, None),
        };
    }
    match last {
        Some(Light::Dark) if mean < DARK.1 => (Light::Dark, day.filter(|_| mean >= DUSK).map(|_| Light::Day)),
        Some(Light::Dark) if mean < SURELY_DAY && day.is_some() => (Light::Day, Some(Light::Dark)),
        None if is_dark(f, usual, config) && infrared.is_none() => {
            (Light::Dark, day.filter(|_| mean >= DUSK).map(|_| Light::Day))
        }
        _ => (Light::Day, (dark && mean < SURELY_DAY).then_some(Light::Dark)),
    }
}

/// The light of a good picture that was held against the usual of `light`: dusk ends a day.
pub(super) fn settled(f: &Features, light: Light, usual: &Baselines, config: &DiagnosisConfig) -> Light {
    if light == Light::Day && is_dark(f, usual, config) { Light::Dark } else { light }
}

/// Whether a picture has colours and is so dark that it is none of the day.
pub(super) fn is_dark(f: &Features, usual: &Baselines, config: &DiagnosisConfig) -> bool {
    let mean = shades(f).0;
    let day = usual.of(Light::Day).filter(|b| b.is_learned(config));
    !is_grey(f) && mean < day.map_or(DARK.0, |b| (DARK_SHARE * b.mean()).min(DARK.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GRID_CELLS, diagnosis::baseline::Baseline};

    fn seen(luma: u16, saturation: f32) -> Features {
        Features { luma: vec![luma * 256; GRID_CELLS], saturation, ..Features::default() }
    }

    fn usual(day: u16, dark: u16, infrared: u16) -> Baselines {
        let mut all = Baselines::default();
        for (light, luma, count) in
            [(Light::Day, 110.0, day), (Light::Dark, 40.0, dark), (Light::Infrared, 60.0, infrared)]
        {
            if count > 0 {
                let one = Baseline { count, luma: vec![luma; GRID_CELLS], ..Baseline::default() };
                *all.entry(light) = Some(Box::new(one));
            }
        }
        all
    }

    #[test]
    fn each_light_is_told_from_the_others() {
        use Light::{Dark, Day, Infrared};
        let config = DiagnosisConfig::default();
        let (colour, nights, new) = (usual(30, 30, 0), usual(30, 0, 30), Baselines::default());
        for (what, picture, last, usual, expected) in [
            ("noon", seen(110, 20.0), Some(Day), &colour, (Day, Some(Dark))),
            ("infrared", seen(60, 0.0), Some(Day), &nights, (Infrared, None)),
            ("a street in lamp light", seen(40, 25.0), Some(Dark), &colour, (Dark, None)),
            ("dusk", seen(50, 12.0), Some(Dark), &colour, (Dark, Some(Day))),
            ("a cover by day, or the lamps are on", seen(40, 12.0), Some(Day), &colour, (Day, Some(Dark))),
            ("a cover by day where nights are infrared", seen(40, 12.0), Some(Day), &nights, (Day, None)),
            ("dawn after an infrared night", seen(40, 12.0), Some(Infrared), &nights, (Day, None)),
            ("a white lamp by night", seen(100, 12.0), Some(Dark), &colour, (Day, Some(Dark))),
            ("a grey day after an infrared night", seen(140, 1.0), Some(Infrared), &nights, (Day, Some(Infrared))),
            ("thick fog without any colour", seen(150, 0.0), Some(Day), &nights, (Day, Some(Infrared))),
            ("a wall in the infrared lamp", seen(106, 0.0), Some(Infrared), &usual(30, 0, 30), (Day, Some(Infrared))),
            ("a first picture by night", seen(40, 20.0), None, &new, (Dark, None)),
            ("after a restart at dusk, nights are infrared", seen(40, 20.0), None, &nights, (Day, None)),
            ("the first day is one of fog", seen(150, 1.5), None, &new, (Day, None)),
            ("a little colour after infrared", seen(70, 4.0), Some(Infrared), &nights, (Infrared, None)),
        ] {
            assert_eq!(likely(&picture, last, usual, &config), expected, "{what}");
        }
        assert_eq!(settled(&seen(50, 12.0), Day, &colour, &config), Dark, "dusk ends a day");
        assert_eq!(settled(&seen(80, 12.0), Day, &colour, &config), Day);
        // A place that is dark by day has its own measure.
        let mut shady = usual(30, 0, 0);
        shady.entry(Day).as_mut().unwrap().luma.fill(62.0);
        assert_eq!(settled(&seen(50, 12.0), Day, &shady, &config), Day);
    }
}
