//! Whether the picture stands still. A live sensor never gives the same bits twice; an encoder that hangs does.
//!
//! Two cases. The whole picture repeats, clock and all: certain after a few pictures. Or everything repeats but
//! the strips where the clock is burned in, which runs on: then a still scene under strong noise reduction
//! must be ruled out, so it takes many pictures, at varying distances in time.

use super::{DiagnosisConfig, Level, classes::Sign, compare::INNER, limits::Limits, region::Region};
use crate::{Features, GRID_CELLS};
use fleet::{Cause, Mono};
use std::time::Duration;

/// By how much (in 1/256 luma steps) the cells' mean luma may differ, on average, from the first picture of the
/// run, where a cell has [`SAMPLES`]: the encoder rounds the same picture anew. Over minutes, light alone moves a live
/// scene by more; so does sensor noise, unless the camera removes it. Both average out with the root of a cell's samples,
/// so the limits shrink with it.
const REPEAT: f32 = 6.0;
/// Samples of a cell for which [`REPEAT`] and [`NEAR`] hold: a picture of 640×360.
const SAMPLES: f32 = 400.0;
/// By how much they may differ when the encoder changes its quantiser: such a picture counts for nothing, and breaks no
/// run as long as it stays one among [`BREAK`]. Live scenes, the stillest ones too, differ by 40 and more.
const NEAR: f32 = 32.0;
/// See [`NEAR`].
const BREAK: u16 = 4;
/// Share of the picture without texture above which there is nothing that could stand still.
const BLANK: f32 = 0.9;
/// Different distances in time that a run must contain.
const DISTANCES: usize = 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Stillness {
    checks: Box<[u32]>,
    /// Of the first picture of the run.
    luma: Box<[u16]>,
    last: Mono,
    whole: Run,
    inner: Run,
    /// Pictures of the inner run that were near only.
    near: u16,
    distances: [u64; DISTANCES],
}

/// Repeats in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    pictures: u16,
    since: Mono,
}

impl Run {
    fn next(self, repeats: bool, at: Mono) -> Run {
        match self {
            Run { pictures: 1.., since } if repeats => Run { pictures: self.pictures.saturating_add(1), since },
            _ => Run { pictures: 1, since: at },
        }
    }
}

/// How long the picture has stood still.
pub(super) struct Still {
    whole: (u16, Duration),
    inner: (u16, Duration),
    varied: bool,
}

impl Stillness {
    /// Compares with the picture before.
    pub(super) fn take(&mut self, features: &Features, at: Mono) -> Still {
        let whole = *self.checks == *features.checks && !features.checks.is_empty();
        let apart = self.apart(features);
        let scale = scale(features);
        let inner = whole || apart.is_some_and(|apart| apart <= REPEAT * scale);
        // Only a run that is under way can be broken.
        let near = !inner && self.inner.pictures > 1 && apart.is_some_and(|apart| apart <= NEAR * scale);
        let near = near && (self.near + 1) * BREAK <= self.inner.pictures + BREAK;
        self.whole = self.whole.next(whole, at);
        if near {
            self.near += 1;
            self.luma = features.luma.as_slice().into();
        } else {
            self.inner = self.inner.next(inner, at);
        }
        if inner {
            let distance = at.since(self.last).as_secs();
            if !self.distances.iter().any(|&d| d.abs_diff(distance) < 2)
                && let Some(free) = self.distances.iter_mut().find(|d| **d == 0)
            {
                *free = distance.max(1);
            }
        } else if !near {
            self.near = 0;
            self.distances = [0; DISTANCES];
            self.luma = features.luma.as_slice().into();
        }
        self.last = at;
        self.checks = features.checks.as_slice().into();
        let lasting = |run: Run| (run.pictures, at.since(run.since));
        Still { whole: lasting(self.whole), inner: lasting(self.inner), varied: self.distances.iter().all(|&d| d > 0) }
    }

    /// By how much the cells' mean luma differs from that of the run, on average, in 1/256 luma steps.
    fn apart(&self, features: &Features) -> Option<f32> {
        let (first, now) = (self.luma.get(INNER)?, features.luma.get(INNER)?);
        let sum: u32 = first.iter().zip(now).map(|(b, n)| u32::from(b.abs_diff(*n))).sum();
        Some(sum as f32 / first.len() as f32)
    }
}

/// By what the limits shrink or grow for pictures of this size.
fn scale(features: &Features) -> f32 {
    let samples = f32::from(features.width) * f32::from(features.height) / GRID_CELLS as f32;
    if samples > 0.0 { (SAMPLES / samples).sqrt().clamp(0.1, 2.0) } else { 1.0 }
}

impl Still {
    pub(super) fn sign(&self, features: &Features, limits: Limits<'_>) -> Option<Sign> {
        let config = limits.config;
        // Nothing to see, nothing to freeze: a blank picture has its own classes.
        if features.flat > BLANK {
            return None;
        }
        let (pictures, time) = self.whole;
        let (measured, threshold, time, what, region) =
            if pictures >= config.frozen_pictures && time >= limits.frozen_time() {
                (pictures, config.frozen_pictures, time, "identical in every bit", Region::ALL)
            } else {
                let (pictures, time) = self.inner;
                if pictures < config.frozen_pictures_clock || time < config.frozen_time_clock || !self.varied {
                    return None;
                }
                let inner = Region::of(|cell| INNER.contains(&cell));
                (pictures, config.frozen_pictures_clock, time, "identical but for the strip with the clock", inner)
            };
        Some(Sign {
            cause: Cause::PictureFrozen,
            level: Level::Severe,
            measured: f32::from(measured),
            threshold: f32::from(threshold),
            region,
            twin: None,
            margin: (f32::from(measured - threshold) / 6.0).min(1.0),
            detail: format!("{measured} pictures over {} s are {what}", time.as_secs()),
        })
    }

    /// Whether it stands still, and some pictures more would help to say so. Once there are enough of them only time is
    /// lacking, which the regular ones bring.
    pub(super) fn suspicious(&self, features: &Features, config: &DiagnosisConfig) -> bool {
        features.flat <= BLANK
            && ((2..=2 * config.frozen_pictures).contains(&self.whole.0)
                || (2..=config.frozen_pictures_clock).contains(&self.inner.0))
    }
}
