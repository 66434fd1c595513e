//! What a camera usually shows, by each light apart. Learned from pictures without a fault; adapts over days, so that a
//! slow change of season is followed and a turned camera is not. What it showed when it was learned is kept beside as
//! an anchor, which follows over months only: a fault that comes slowly enough to be learned is found against it.

use super::{
    DiagnosisConfig, Light,
    compare::{INNER, correlation},
};
use crate::{Features, GRID_CELLS};
use fleet::Mono;
use std::time::Duration;

/// The newest picture counts at least this much once the baseline is learned.
const SLOWEST: f32 = 1.0 / 64.0;
/// A baseline that is held against the scene takes at most one picture in this time: it gets to know hours and weathers,
/// and 64 pictures are a day and more.
const PACE: Duration = Duration::from_secs(1200);
/// Pictures whose mean becomes the anchor: a day and more.
const ANCHOR_PICTURES: u16 = 64;
/// The newest picture counts this much in the anchor: two months at [`PACE`], so that seasons are followed.
const ANCHOR_SHARE: f32 = 1.0 / 4096.0;
/// Pictures of another size in a row before what is usual is learned anew.
const RESIZED: u8 = 3;

/// One for each light.
#[derive(Clone, Debug, Default)]
pub(super) struct Baselines([Option<Box<Baseline>>; 3]);

#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// Pictures that made it, counted up to a limit.
    pub(super) count: u16,
    /// Width and height of the pictures that made it: sharpness, noise and stripes depend on them.
    pub(super) size: (u16, u16),
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
    /// As it was when it was learned; without blocks, tint and an anchor of its own.
    pub(super) anchor: Option<Box<Baseline>>,
    /// Pictures of another size in a row.
    pub(super) resized: u8,
}

impl Baselines {
    pub(super) fn of(&self, light: Light) -> Option<&Baseline> {
        self.0[light.index()].as_deref()
    }

    pub(super) fn entry(&mut self, light: Light) -> &mut Option<Box<Baseline>> {
        &mut self.0[light.index()]
    }

    /// The one that goes with this light and size of picture, if enough was seen. One that is still being learned is of
    /// use for figures, not for the scene. Lamps and headlights differ so much from hour to hour that a usual of the
    /// dark says nothing before it knows the night.
    pub(super) fn get(&self, light: Light, features: &Features, config: &DiagnosisConfig) -> Option<&Baseline> {
        let enough = if light == Light::Dark { config.baseline_settled } else { 3 };
        self.of(light).filter(|b| b.count >= enough && b.size == features.size())
    }

    /// Takes in a picture without a fault; whether it changed anything.
    pub(super) fn learn(&mut self, light: Light, features: &Features, at: Mono, config: &DiagnosisConfig) -> bool {
        self.entry(light).get_or_insert_default().learn(features, at, config)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
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
        if self.count > 0 && self.size != f.size() {
            // One odd picture is no new stream.
            self.resized += 1;
            if self.resized < RESIZED {
                return false;
            }
            *self = Baseline::default();
        }
        self.resized = 0;
        if self.is_learned(config) && self.last.is_some_and(|last| at.since(last) < PACE) {
            return false;
        }
        self.last = Some(at);
        self.size = f.size();
        self.count = self.count.saturating_add(1);
        if self.count > 1 {
            let share = (1.0 / f32::from(self.count - 1)).max(SLOWEST);
            self.agreement += (correlation(&f.edges, &self.edges_now()) - self.agreement) * share;
        }
        self.follow(f, (1.0 / f32::from(self.count)).max(SLOWEST));
        self.blocks.resize(GRID_CELLS, 0.0);
        let share = (1.0 / f32::from(self.count)).max(SLOWEST);
        self.blocks.iter_mut().zip(&f.blocks).for_each(|(old, new)| *old += (f32::from(*new) - *old) * share);
        self.tint.resize(GRID_CELLS, [0.0; 2]);
        for (old, new) in self.tint.iter_mut().zip(&f.tint) {
            for (old, new) in old.iter_mut().zip(new) {
                *old += (f32::from(*new) - *old) * share;
            }
        }
        if let Some(anchor) = &mut self.anchor {
            anchor.follow(f, ANCHOR_SHARE);
        } else if self.count >= ANCHOR_PICTURES.max(config.baseline_settled) {
            // With this count it is held against the scene as one that is young: only what is plain is told.
            let count = config.baseline_pictures;
            self.anchor = Some(Box::new(Baseline { count, blocks: Vec::new(), tint: Vec::new(), ..self.clone() }));
        }
        true
    }

    /// Everything but blocks and tint.
    fn follow(&mut self, f: &Features, share: f32) {
        let follow = |old: &mut f32, new: f32| *old += (new - *old) * share;
        follow(&mut self.acuity, f.acuity());
        follow(&mut self.noise, f.noise);
        follow(&mut self.flat, f.flat);
        follow(&mut self.deviation, f.deviation);
        follow(&mut self.chroma[0], f.chroma[0]);
        follow(&mut self.chroma[1], f.chroma[1]);
        follow(&mut self.row_stripes, f.row_stripes);
        follow(&mut self.column_stripes, f.column_stripes);
        self.edges.resize(GRID_CELLS, 0);
        for (old, &new) in self.edges.iter_mut().zip(&f.edges) {
            let mut value = f32::from(*old);
            follow(&mut value, f32::from(new) * 256.0);
            // Rounded: cut off, a share this small would always lead down.
            *old = value.round() as u16;
        }
        let cells = |old: &mut Vec<f32>, new: &mut dyn Iterator<Item = f32>| {
            old.resize(GRID_CELLS, 0.0);
            old.iter_mut().zip(new).for_each(|(old, new)| follow(old, new));
        };
        cells(&mut self.luma, &mut f.luma.iter().map(|l| f32::from(*l) / 256.0));
        cells(&mut self.detail, &mut f.detail.iter().map(|d| f32::from(*d)));
    }
}
