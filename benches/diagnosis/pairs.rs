//! Two cameras at a time: two entries of the register that lead to one camera, which must be found, and two cameras of
//! one model whose places look alike, which must not.

use crate::{
    camera::{self, Condition},
    frame::{Frame, WIDTH},
    run::Way,
    scenes::Place,
};
use fleet::{CameraId, Cause};
use picture::{Diagnosis, DiagnosisConfig};
use std::collections::BTreeMap;

/// What two cameras have to do with each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Pair {
    /// One camera, twice in the register.
    Twins,
    /// The same, while something large passes.
    TwinsInTraffic,
    /// Two of one model on neighbouring poles, each with its name in the picture.
    Alike,
    /// The same without names or clocks in their pictures.
    AlikeUnnamed,
}

const PAIRS: [Pair; 4] = [Pair::Twins, Pair::TwinsInTraffic, Pair::Alike, Pair::AlikeUnnamed];
const LIGHTS: [Condition; 3] = [Condition::Day, Condition::Infrared, Condition::StreetLit];
/// When which of the two is looked at, in seconds: each once a minute, and as the service does once they look alike,
/// both at once.
const LOOKS: [(u32, u64); 16] = [
    (1, 0),
    (2, 30),
    (1, 35),
    (2, 36),
    (1, 41),
    (2, 42),
    (1, 47),
    (2, 48),
    (1, 53),
    (2, 54),
    (1, 59),
    (2, 60),
    (1, 65),
    (2, 66),
    (1, 71),
    (2, 72),
];
/// By how many pixels neighbours see the same otherwise: the same field, the same road.
const ASIDE: usize = 5;

/// How many of each were told as the same picture.
#[derive(Default)]
pub(crate) struct Pairs(BTreeMap<(Pair, Condition), (u32, u32)>);

impl Pairs {
    pub(crate) fn add(&mut self, other: Pairs) {
        for (key, (told, all)) in other.0 {
            let sum = self.0.entry(key).or_default();
            *sum = (sum.0 + told, sum.1 + all);
        }
    }

    /// Prints them; true if two different cameras were told as one, or fewer than nine in ten of those that are one.
    pub(crate) fn print(&self) -> bool {
        println!("\nsame picture (told of all; by day, under infrared, in the light of street lamps)");
        let (mut found, mut wrong, mut same) = (0, 0, 0);
        for pair in PAIRS {
            let (text, is_one) = match pair {
                Pair::Twins => ("one camera twice in the register", true),
                Pair::TwinsInTraffic => ("the same, something large passes", true),
                Pair::Alike => ("two neighbours of one model, with names", false),
                Pair::AlikeUnnamed => ("the same, without names and clocks", false),
            };
            let figures = LIGHTS.map(|light| self.0.get(&(pair, light)).copied().unwrap_or_default());
            println!("  {text:<42} {}", figures.map(|(told, all)| format!("{told} of {all}")).join(", "));
            for (told, all) in figures {
                if is_one {
                    same += all;
                    found += told;
                } else {
                    wrong += told;
                }
            }
        }
        wrong > 0 || found * 10 < same * 9
    }
}

impl Way {
    /// Every pair under every light at one place.
    pub(crate) async fn pairs(&mut self, place: &Place, pairs: &mut Pairs) {
        let wanted: Vec<(Pair, Condition)> = PAIRS.iter().flat_map(|pair| LIGHTS.map(|light| (*pair, light))).collect();
        let looks = wanted.iter().flat_map(|&(pair, light)| LOOKS.map(|(which, second)| (pair, light, which, second)));
        let frames: Vec<Frame> =
            looks.map(|(pair, light, which, second)| look(place, pair, light, which, second)).collect();
        let mut features = self.measure(frames.into_iter()).await.into_iter();
        for key in wanted {
            let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
            let (mut suspected, mut told) = (false, [false; 2]);
            for ((which, second), features) in LOOKS.into_iter().zip(features.by_ref()) {
                let verdict = self.judge_of(&mut diagnosis, CameraId(which), &features, 3600 + second);
                suspected |= verdict.look_also_at.is_some();
                told[which as usize - 1] = verdict.findings.iter().any(|f| f.cause == Cause::SamePicture);
            }
            let sum = pairs.0.entry(key).or_default();
            // Unless they are suspected after a round of checks, nobody looks at both at once.
            *sum = (sum.0 + u32::from(suspected && told == [true; 2]), sum.1 + 1);
        }
    }
}

/// What one of the two sees at a second. Light and weather stay for ten of them, noise is another each time.
fn look(place: &Place, pair: Pair, light: Condition, which: u32, second: u64) -> Frame {
    let other = which == 2 && matches!(pair, Pair::Alike | Pair::AlikeUnnamed);
    let camera = if other { place.seed ^ 0x5eed } else { place.seed };
    let mut still = place.stills[0].clone();
    if other {
        still.y.rotate_right(ASIDE / 2 * WIDTH + ASIDE);
        for plane in [&mut still.u, &mut still.v] {
            plane.rotate_right(ASIDE / 4 * (WIDTH / 2) + ASIDE / 2);
        }
    }
    let mut frame = camera::picture(&still, light, camera, second / 10);
    if pair == Pair::TwinsInTraffic {
        // Across the picture in ten seconds.
        let x = (second as i32 - 40) * 80 - 150;
        frame.rectangle(x, 210, 150, 80, (70, 120, 140), 1.0);
    }
    frame.grain(1.5, camera << 20 ^ second << 2 ^ u64::from(which));
    if pair != Pair::AlikeUnnamed {
        frame.text(second, camera);
    }
    frame
}
