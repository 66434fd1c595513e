//! What a camera usually shows, in colour (day) and in grey (infrared night) apart. Learned from pictures
//! without a fault; adapts over days, so that a slow change of season is followed and a turned camera is not.

use super::{
    DiagnosisConfig,
    compare::{INNER, correlation},
};
use crate::{Features, GRID_CELLS};
use fleet::Mono;
use std::time::Duration;

/// Below this mean saturation a picture is grey: the camera works by infrared.
const GREY: f32 = 3.0;
/// The newest picture counts at least this much once the baseline is learned.
const SLOWEST: f32 = 1.0 / 64.0;
/// A baseline that is held against the scene takes at most one picture in this time: it gets to know hours and weathers,
/// and 64 pictures are a day and more.
const PACE: Duration = Duration::from_secs(1200);

/// Whether a picture was taken by infrared light.
pub(super) fn is_grey(features: &Features) -> bool {
    features.saturation < GREY
}

/// By day and by night.
#[derive(Clone, Debug, Default)]
pub(super) struct Baselines {
    pub(super) colour: Option<Box<Baseline>>,
    pub(super) grey: Option<Box<Baseline>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// Pictures that made it, counted up to a limit.
    pub(super) count: u16,
    pub(super) acuity: f32,
    pub(super) noise: f32,
    pub(super) flat: f32,
    pub(super) deviation: f32,
    /// Mean correlation of a picture's edges with those of the pictures before.
    pub(super) agreement: f32,
    pub(super) chroma: [f32; 2],
    pub(super) row_stripes: f32,
    pub(super) column_stripes: f32,
    /// Mean of the edge maps, ×256.
    pub(super) edges: Vec<u16>,
    /// Means of the cells' luma, detail and blocks, as [`Features`] has them, luma in whole steps.
    pub(super) luma: Vec<f32>,
    pub(super) detail: Vec<f32>,
    pub(super) blocks: Vec<f32>,
    pub(super) tint: Vec<[f32; 2]>,
    pub(super) last: Option<Mono>,
}

impl Baselines {
    /// The one that goes with this picture's kind of light, if any picture of the kind was seen. One that is
    /// still being learned is of use for figures, not for the scene.
    pub(super) fn get(&self, features: &Features) -> Option<&Baseline> {
        let one = if is_grey(features) { &self.grey } else { &self.colour };
        one.as_deref().filter(|b| b.count >= 3)
    }

    /// Takes in a picture without a fault; whether it changed anything.
    pub(super) fn learn(&mut self, features: &Features, at: Mono, config: &DiagnosisConfig) -> bool {
        let one = if is_grey(features) { &mut self.grey } else { &mut self.colour };
        one.get_or_insert_default().learn(features, at, config)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.colour.is_none() && self.grey.is_none()
    }
}

impl Baseline {
    pub(super) fn is_learned(&self, config: &DiagnosisConfig) -> bool {
        self.count >= config.baseline_pictures
    }

    /// Whether it was learned over hours, not from one light and one weather.
    pub(super) fn is_settled(&self, config: &DiagnosisConfig) -> bool {
        self.count >= config.baseline_settled
    }

    /// The edge map as pictures have it.
    pub(super) fn edges_now(&self) -> Vec<u8> {
        self.edges.iter().map(|&e| (e >> 8) as u8).collect()
    }

    /// Mean luma without the strips of text.
    pub(super) fn mean(&self) -> f32 {
        let cells = self.luma.get(INNER).unwrap_or_default();
        cells.iter().sum::<f32>() / cells.len().max(1) as f32
    }

    /// By how much the mean luma of these cells usually differs from one to the other: standard deviation.
    pub(super) fn shades(&self, cells: &[usize]) -> f32 {
        let luma = |cell: &usize| self.luma.get(*cell).copied().unwrap_or_default();
        let count = cells.len().max(1) as f32;
        let mean = cells.iter().map(luma).sum::<f32>() / count;
        (cells.iter().map(|cell| (luma(cell) - mean).powi(2)).sum::<f32>() / count).sqrt()
    }

    fn learn(&mut self, f: &Features, at: Mono, config: &DiagnosisConfig) -> bool {
        if self.is_learned(config) && self.last.is_some_and(|last| at.since(last) < PACE) {
            return false;
        }
        self.last = Some(at);
        self.count = self.count.saturating_add(1);
        let share = (1.0 / f32::from(self.count)).max(SLOWEST);
        let follow = |old: &mut f32, new: f32| *old += (new - *old) * share;
        follow(&mut self.acuity, f.acuity());
        follow(&mut self.noise, f.noise);
        follow(&mut self.flat, f.flat);
        follow(&mut self.deviation, f.deviation);
        if self.count > 1 {
            let share = (1.0 / f32::from(self.count - 1)).max(SLOWEST);
            self.agreement += (correlation(&f.edges, &self.edges_now()) - self.agreement) * share;
        }
        follow(&mut self.chroma[0], f.chroma[0]);
        follow(&mut self.chroma[1], f.chroma[1]);
        follow(&mut self.row_stripes, f.row_stripes);
        follow(&mut self.column_stripes, f.column_stripes);
        self.edges.resize(GRID_CELLS, 0);
        for (old, &new) in self.edges.iter_mut().zip(&f.edges) {
            let mut value = f32::from(*old);
            follow(&mut value, f32::from(new) * 256.0);
            *old = value as u16;
        }
        let cells = |old: &mut Vec<f32>, new: &mut dyn Iterator<Item = f32>| {
            old.resize(GRID_CELLS, 0.0);
            old.iter_mut().zip(new).for_each(|(old, new)| follow(old, new));
        };
        cells(&mut self.luma, &mut f.luma.iter().map(|l| f32::from(*l) / 256.0));
        cells(&mut self.detail, &mut f.detail.iter().map(|d| f32::from(*d)));
        cells(&mut self.blocks, &mut f.blocks.iter().map(|b| f32::from(*b)));
        self.tint.resize(GRID_CELLS, [0.0; 2]);
        for (old, new) in self.tint.iter_mut().zip(&f.tint) {
            for (old, new) in old.iter_mut().zip(new) {
                follow(old, f32::from(*new));
            }
        }
        true
    }
}
