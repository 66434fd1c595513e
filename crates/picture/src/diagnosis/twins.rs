//! Finds cameras that show the same picture: two entries of the register lead to one device, or two channels
//! are wired to one. An index by perceptual hash; the caller feeds it what it judged anyway.

use crate::{Features, GRID_CELLS};
use fleet::{CameraId, Mono, Now};
use std::{collections::HashMap, time::Duration};

/// Pictures this near in time are compared; in a longer time light and traffic change too much.
const NEAR_IN_TIME: Duration = Duration::from_secs(10);
/// Bits in which the hashes of one scene's pictures may differ (of 64), a few seconds apart.
const NEAR_HASH: u32 = 6;
/// Share of cells whose mean luma must agree, the strips with name and clock included.
const NEAR_CELLS: f32 = 0.97;
/// By how much their mean luma may differ, in luma steps.
const NEAR_LUMA: u16 = 3;
/// Meetings in which two cameras must look the same before it is said.
const MEETINGS: u8 = 4;
/// A picture needs this much contrast to be told from others.
const CONTRAST: f32 = 15.0;

/// The last picture of each camera, and pairs that looked the same. About 1.5 KB a camera.
#[derive(Clone, Debug, Default)]
pub struct Twins {
    last: HashMap<CameraId, Look>,
    pairs: HashMap<(CameraId, CameraId), u8>,
}

#[derive(Clone, Debug)]
struct Look {
    at: Mono,
    hash: u64,
    luma: Box<[u16]>,
}

impl Twins {
    /// Takes in one picture; returns a camera that has shown the same as `camera` in every one of several
    /// meetings. Looks at all cameras seen in the last seconds: a few microseconds for hundreds.
    pub fn meet(&mut self, camera: CameraId, features: &Features, at: Now) -> Option<CameraId> {
        let now = at.mono;
        let plain = features.deviation < CONTRAST || features.luma.len() != GRID_CELLS;
        let mut twin = None;
        if !plain {
            for (&other, look) in &self.last {
                if other == camera || now.since(look.at) > NEAR_IN_TIME {
                    continue;
                }
                let pair = (camera.min(other), camera.max(other));
                let same =
                    (look.hash ^ features.hash).count_ones() <= NEAR_HASH && same_cells(&look.luma, &features.luma);
                if !same {
                    self.pairs.remove(&pair);
                    continue;
                }
                let meetings = self.pairs.entry(pair).or_insert(0);
                *meetings = meetings.saturating_add(1);
                if *meetings >= MEETINGS {
                    twin = Some(other);
                }
            }
            let luma = features.luma.as_slice().into();
            self.last.insert(camera, Look { at: now, hash: features.hash, luma });
        } else {
            self.forget(camera);
        }
        twin
    }

    /// Drops everything known of `camera`.
    pub fn forget(&mut self, camera: CameraId) {
        self.last.remove(&camera);
        self.pairs.retain(|(a, b), _| *a != camera && *b != camera);
    }
}

fn same_cells(a: &[u16], b: &[u16]) -> bool {
    let near = a.iter().zip(b).filter(|(x, y)| x.abs_diff(**y) <= NEAR_LUMA * 256).count();
    near as f32 >= NEAR_CELLS * a.len() as f32
}
