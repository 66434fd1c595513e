//! Finds cameras that show the same picture: two entries of the register lead to one device, or two channels
//! are wired to one. An index by perceptual hash, fed with every judged picture.
//!
//! Cameras are judged about a minute apart, too long for an alike picture to be the same one. Two that look alike are
//! therefore suspects: both are looked at again at once, and only pictures of the same seconds count.

use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS};
use fleet::{CameraId, Mono, Now};
use std::{collections::HashMap, time::Duration};

/// Pictures this near in time are compared for being the same.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Pictures this near in time make a suspicion: a round of checks and a little more.
const IN_A_ROUND: Duration = Duration::from_secs(75);
/// Two that looked alike and were not the same are left alone for so long.
const REST: Duration = Duration::from_secs(3600);
/// Bits in which the hashes of one scene's pictures may differ (of 64), a few seconds apart.
const NEAR_HASH: u32 = 6;
/// Share of cells whose mean luma must agree.
const NEAR_CELLS: f32 = 0.97;
/// Rows of cells at the top and at the bottom in which name and clock are burned in.
const STRIPS: [std::ops::Range<usize>; 2] = [0..4, GRID_ROWS - 3..GRID_ROWS];
/// Cells of these strips that may differ: the clock goes on. Two places may look alike, but they have two names.
const STRIP_CELLS: usize = 3;
/// By how much their mean luma may differ, in luma steps.
const NEAR_LUMA: u16 = 3;
/// Meetings in which two cameras must look the same before it is said.
const MEETINGS: u8 = 4;
/// Meetings of the same seconds in a row in which they differ before a suspicion is given up. One picture may be odd,
/// of the turn of the minute, when more of the clock changes, or of a vehicle that passed; it is met twice.
const DOUBTS: u8 = 3;
/// And before two that are told to be the same no longer are.
const PARTINGS: u8 = 5;
/// A picture needs this much contrast to be told from others.
const CONTRAST: f32 = 15.0;
/// Suspects kept at most: a fleet of one picture must not fill the memory.
const MOST_PAIRS: usize = 4096;

/// The last picture of each camera, and pairs that looked the same. About 1.5 KB a camera.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    last: HashMap<CameraId, Look>,
    pairs: HashMap<(CameraId, CameraId), Pair>,
}

#[derive(Clone, Debug)]
struct Look {
    at: Mono,
    hash: u64,
    luma: Box<[u16]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    /// Meetings in a row in which they looked the same.
    same: u8,
    /// And in which they did not, since.
    apart: u8,
    /// Of the last meeting.
    at: Mono,
    /// Found different: no suspicion until then.
    rest: Option<Mono>,
}

/// What a picture says of a camera's twins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Meeting {
    /// A camera that shows the same.
    pub(super) twin: Option<CameraId>,
    /// A camera that looks alike: both should be looked at again, at once.
    pub(super) suspect: Option<CameraId>,
}

impl Twins {
    /// Takes in one picture. Looks at all cameras seen in the last minute: a few microseconds for hundreds.
    pub(super) fn meet(&mut self, camera: CameraId, features: &Features, at: Now) -> Meeting {
        let now = at.mono;
        if features.deviation < CONTRAST || features.luma.len() != GRID_CELLS {
            self.forget(camera);
            return Meeting::default();
        }
        let mut meeting = Meeting::default();
        for (&other, look) in &self.last {
            let apart = now.since(look.at);
            if other == camera || apart > IN_A_ROUND {
                continue;
            }
            let key = (camera.min(other), camera.max(other));
            let near_hash = (look.hash ^ features.hash).count_ones() <= NEAR_HASH;
            let same = near_hash && same_cells(&look.luma, &features.luma);
            if !same && !self.pairs.contains_key(&key) {
                continue;
            }
            if !self.pairs.contains_key(&key) && self.pairs.len() >= MOST_PAIRS {
                continue;
            }
            let pair = self.pairs.entry(key).or_default();
            match (same, apart <= AT_ONCE) {
                (true, true) => {
                    let told = pair.same >= MEETINGS;
                    *pair = Pair { same: pair.same.saturating_add(1), apart: 0, at: now, rest: None };
                    // The meeting that settles it looks once more too: the other one is told at its own picture.
                    if !told {
                        meeting.suspect = Some(other);
                    }
                }
                (true, false) if pair.same < MEETINGS && pair.rest.is_none_or(|rest| now > rest) => {
                    pair.at = now;
                    meeting.suspect = Some(other);
                }
                (false, true) => {
                    pair.apart += 1;
                    pair.at = now;
                    let enough = if pair.same < MEETINGS { DOUBTS } else { PARTINGS };
                    if pair.apart >= enough {
                        *pair = Pair { at: now, rest: Some(now + REST), ..Pair::default() };
                    } else if pair.rest.is_none_or(|rest| now > rest) {
                        meeting.suspect = Some(other);
                    }
                }
                // Told as the same, and no longer alike: look whether that is so.
                (false, false) if pair.same >= MEETINGS => meeting.suspect = Some(other),
                _ => {}
            }
        }
        let luma = features.luma.as_slice().into();
        self.last.insert(camera, Look { at: now, hash: features.hash, luma });
        // What nobody saw for a while is no longer so.
        self.pairs.retain(|_, pair| now.since(pair.at) < REST || pair.rest.is_some_and(|rest| now < rest));
        meeting.twin = self.twin(camera);
        meeting
    }

    /// The first camera, by number, that shows the same as this one.
    fn twin(&self, camera: CameraId) -> Option<CameraId> {
        let of = |(&(a, b), pair): (&(CameraId, CameraId), &Pair)| {
            let told = pair.same >= MEETINGS && (a == camera || b == camera);
            told.then_some(if a == camera { b } else { a })
        };
        self.pairs.iter().filter_map(of).min()
    }

    /// Drops everything known of `camera`.
    pub(super) fn forget(&mut self, camera: CameraId) {
        self.last.remove(&camera);
        self.pairs.retain(|(a, b), _| *a != camera && *b != camera);
    }
}

fn same_cells(a: &[u16], b: &[u16]) -> bool {
    let near = |cell: &usize| a[*cell].abs_diff(b[*cell]) <= NEAR_LUMA * 256;
    let strips = STRIPS.into_iter().flat_map(|rows| rows.start * GRID_COLUMNS..rows.end * GRID_COLUMNS);
    strips.filter(|cell| !near(cell)).count() <= STRIP_CELLS
        && (0..GRID_CELLS).filter(near).count() as f32 >= NEAR_CELLS * GRID_CELLS as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet::Wall;

    fn shows(scene: u64) -> Features {
        let luma = (0..GRID_CELLS as u64).map(|cell| ((cell * 7919 + scene * 104_729) % 251 * 256) as u16).collect();
        Features { deviation: 60.0, hash: scene.wrapping_mul(0x9e37_79b9_7f4a_7c15), luma, ..Features::default() }
    }

    #[test]
    fn two_places_that_look_alike_have_two_names() {
        let one = shows(1);
        let differing = |cells: &[usize]| {
            let mut other = one.luma.clone();
            cells.iter().for_each(|cell| other[*cell] ^= 0x2000);
            same_cells(&one.luma, &other)
        };
        let name: Vec<usize> = (GRID_COLUMNS + 3..GRID_COLUMNS + 7).collect();
        let below: Vec<usize> = (GRID_CELLS - 8..GRID_CELLS - 4).collect();
        let vehicle: Vec<usize> = (9 * GRID_COLUMNS..9 * GRID_COLUMNS + 12).collect();
        assert!(!differing(&name) && !differing(&below));
        assert!(differing(&name[..3]), "a clock that went on");
        assert!(differing(&vehicle), "what moves in the scene");
    }

    fn at(seconds: u64) -> Now {
        Now { mono: Mono::default() + Duration::from_secs(1000 + seconds), wall: Wall(0) }
    }

    #[test]
    fn only_pictures_of_the_same_seconds_count() {
        let (one, two) = (CameraId(1), CameraId(2));
        let mut twins = Twins::default();
        assert_eq!(twins.meet(one, &shows(1), at(0)), Meeting::default());
        // Half a minute apart: a suspicion, for ever, but never more.
        for round in 0..5 {
            let meeting = twins.meet(two, &shows(1), at(30 + round * 60));
            assert_eq!((meeting.twin, meeting.suspect), (None, Some(one)), "round {round}");
            twins.meet(one, &shows(1), at(60 + round * 60));
        }
        // At once, four times.
        for (camera, second, twin) in
            [(two, 400, None), (one, 402, None), (two, 408, None), (one, 410, None), (two, 416, Some(one))]
        {
            let meeting = twins.meet(camera, &shows(1), at(second));
            assert_eq!(meeting.twin, twin, "second {second}");
            // Also at the one that settles it: the other camera is to be told as well, and soon.
            assert!(meeting.suspect.is_some() || second == 400, "second {second}");
        }
        assert_eq!(twins.meet(one, &shows(1), at(440)).twin, Some(two), "both are told");
        assert_eq!(twins.meet(two, &shows(1), at(450)).twin, Some(one));
        // Different pictures of the same seconds, several in a row, end it.
        for second in 452..456 {
            assert_eq!(twins.meet(one, &shows(5), at(second)).twin, Some(two));
        }
        assert_eq!(twins.meet(one, &shows(5), at(456)).twin, None);
    }

    #[test]
    fn one_difference_among_pictures_of_one_device_is_nothing() {
        let (one, two) = (CameraId(1), CameraId(2));
        let mut twins = Twins::default();
        twins.meet(one, &shows(1), at(0));
        let other = |round: u64| if round == 2 || round == 9 { 9 } else { 1 };
        for round in 1..12 {
            let meeting = twins.meet(two, &shows(other(round)), at(round * 6));
            assert_eq!(meeting.twin.is_some(), round > 3, "round {round}");
            twins.meet(one, &shows(1), at(round * 6 + 1));
        }
    }

    #[test]
    fn a_suspicion_that_was_wrong_rests() {
        let (one, two) = (CameraId(1), CameraId(2));
        let mut twins = Twins::default();
        twins.meet(one, &shows(1), at(0));
        assert_eq!(twins.meet(two, &shows(1), at(30)).suspect, Some(one));
        twins.meet(one, &shows(1), at(60));
        assert_eq!(twins.meet(two, &shows(9), at(62)).suspect, Some(one), "looked at once more");
        assert_eq!(twins.meet(one, &shows(1), at(66)).suspect, Some(two));
        assert_eq!(twins.meet(two, &shows(9), at(67)).suspect, None);
        twins.meet(two, &shows(1), at(100));
        assert_eq!(twins.meet(one, &shows(1), at(130)).suspect, None, "left alone for an hour");
        twins.meet(two, &shows(1), at(4000));
        assert_eq!(twins.meet(one, &shows(1), at(4030)).suspect, Some(two));
    }
}
