//! Where on the picture a fault shows: a set of cells of the grid, told as boxes.

use crate::{GRID_CELLS, GRID_COLUMNS, GRID_ROWS};
use serde::{Deserialize, Serialize};

/// Cells of the grid of [`GRID_COLUMNS`]×[`GRID_ROWS`] that lie over a picture, whatever its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Region([u32; GRID_ROWS]);

/// A box of a [`Region`]: shares of the picture's width and height, 0 to 1, from its upper left corner.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Area {
    /// Left border.
    pub left: f32,
    /// Upper border.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// More boxes than these say nothing to the eye.
const MOST_BOXES: usize = 4;
/// Parts of so few cells are left out beside larger ones: half a hundredth of the picture.
const SPECK: usize = 3;

impl Region {
    /// The whole picture.
    pub const ALL: Region = Region([u32::MAX; GRID_ROWS]);

    /// The cells, numbered row by row, for which `holds`.
    #[must_use]
    pub fn of(holds: impl Fn(usize) -> bool) -> Region {
        let mut region = Region::default();
        for cell in (0..GRID_CELLS).filter(|&cell| holds(cell)) {
            region.0[cell / GRID_COLUMNS] |= 1 << (cell % GRID_COLUMNS);
        }
        region
    }

    /// Share of the picture, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f32 {
        self.0.iter().map(|row| row.count_ones()).sum::<u32>() as f32 / GRID_CELLS as f32
    }

    /// This region, or the whole picture if it has no cell: a fault without a place is everywhere.
    #[must_use]
    pub(super) fn or_all(self) -> Region {
        if self == Region::default() { Region::ALL } else { self }
    }

    /// The region as a person takes it in: a few boxes about its cells, gaps of a cell or two closed, single cells left
    /// out beside larger parts. At most four, the uppermost first.
    #[must_use]
    pub fn areas(&self) -> Vec<Area> {
        let mut boxes = self.closed().runs();
        // Joined while that marks little that was not found, and then until there are few.
        while let Some((waste, first, second)) = cheapest(&boxes)
            && (waste * 3 <= boxes[first].with(boxes[second]).cells() || boxes.len() > MOST_BOXES * 4)
        {
            join(&mut boxes, first, second);
        }
        let count = |boxes: &[Cells]| boxes.iter().map(|b| b.cells()).sum::<usize>();
        let larger: Vec<Cells> = boxes.iter().copied().filter(|b| b.cells() > SPECK).collect();
        if count(&larger) * 5 > count(&boxes) * 4 {
            boxes = larger;
        }
        while let Some((_, first, second)) = cheapest(&boxes)
            && boxes.len() > MOST_BOXES
        {
            join(&mut boxes, first, second);
        }
        if count(&boxes) * 10 >= GRID_CELLS * 9 {
            boxes = vec![Cells { left: 0, top: 0, right: GRID_COLUMNS, bottom: GRID_ROWS }];
        }
        boxes.sort_unstable_by_key(|b| (b.top, b.left));
        boxes.into_iter().map(Cells::area).collect()
    }

    /// With gaps of up to two cells between its cells filled: dilated, then eroded, over squares of three cells.
    fn closed(&self) -> Region {
        // With a border of one cell, into which the region spreads, too.
        let mut wide = [0u64; GRID_ROWS + 2];
        for (row, &bits) in self.0.iter().enumerate() {
            let bits = u64::from(bits);
            let spread = bits | (bits << 1) | (bits << 2);
            wide[row..row + 3].iter_mut().for_each(|line| *line |= spread);
        }
        Region(std::array::from_fn(|row| {
            let common = wide[row] & wide[row + 1] & wide[row + 2];
            // The lower half is the grid again.
            (common & (common >> 1) & (common >> 2)) as u32
        }))
    }

    /// The cells as boxes: runs along the rows, joined downwards where they are alike.
    fn runs(&self) -> Vec<Cells> {
        let mut open: Vec<Cells> = Vec::new();
        let mut done = Vec::new();
        for (row, &bits) in self.0.iter().enumerate() {
            let mut next = Vec::new();
            let mut left = 0;
            while left < GRID_COLUMNS {
                let width = (bits >> left).trailing_ones() as usize;
                if width > 0 {
                    let right = left + width;
                    let above = open.iter().position(|b| (b.left, b.right) == (left, right));
                    let top = above.map_or(row, |index| open.swap_remove(index).top);
                    next.push(Cells { left, top, right, bottom: row + 1 });
                }
                left += width.max(1);
            }
            done.append(&mut open);
            open = next;
        }
        done.append(&mut open);
        done
    }

    /// As stored: each row's cells as four bytes, little endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|row| row.to_le_bytes()).collect()
    }

    /// What [`to_bytes`](Self::to_bytes) gave; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Region> {
        let rows = bytes.as_chunks::<4>().0.iter().map(|row| u32::from_le_bytes(*row)).collect::<Vec<_>>();
        (bytes.len() == GRID_ROWS * 4).then(|| rows.try_into().ok().map(Region)).flatten()
    }
}

/// A box of cells; right and bottom are the first beyond it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cells {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Cells {
    fn cells(self) -> usize {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// The box about both.
    fn with(self, other: Cells) -> Cells {
        Cells {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn area(self) -> Area {
        Area {
            left: self.left as f32 / GRID_COLUMNS as f32,
            top: self.top as f32 / GRID_ROWS as f32,
            width: (self.right - self.left) as f32 / GRID_COLUMNS as f32,
            height: (self.bottom - self.top) as f32 / GRID_ROWS as f32,
        }
    }
}

/// The two boxes about which one box takes in the fewest further cells, with how many those are.
fn cheapest(boxes: &[Cells]) -> Option<(usize, usize, usize)> {
    let pairs = (0..boxes.len()).flat_map(|first| (first + 1..boxes.len()).map(move |second| (first, second)));
    let waste = |(first, second): (usize, usize)| {
        let (a, b) = (boxes[first], boxes[second]);
        (a.with(b).cells().saturating_sub(a.cells() + b.cells()), first, second)
    };
    pairs.map(waste).min()
}

fn join(boxes: &mut Vec<Cells>, first: usize, second: usize) {
    let other = boxes.swap_remove(second);
    boxes[first] = boxes[first].with(other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_become_few_boxes() {
        assert_eq!(Region::ALL.areas(), [Area { left: 0.0, top: 0.0, width: 1.0, height: 1.0 }]);
        assert_eq!(Region::default().areas(), []);
        let left_half = Region::of(|cell| cell % GRID_COLUMNS < 16 && cell / GRID_COLUMNS >= 9);
        assert_eq!(left_half.areas(), [Area { left: 0.0, top: 0.5, width: 0.5, height: 0.5 }]);
        assert!((left_half.share() - 0.25).abs() < 0.001);
        let board = Region::of(|cell| (cell + cell / GRID_COLUMNS).is_multiple_of(2));
        assert_eq!(board.areas(), Region::ALL.areas());
    }

    #[test]
    fn what_is_scattered_is_legible() {
        // An uneven patch with holes, and a lone cell far from it.
        let patch = |cell: usize| {
            let (row, column) = (cell / GRID_COLUMNS, cell % GRID_COLUMNS);
            ((4..10).contains(&row) && (10..20).contains(&column) && !(row * 7 + column * 3).is_multiple_of(5))
                || (row, column) == (16, 30)
        };
        let areas = Region::of(patch).areas();
        assert_eq!(areas.len(), 1, "{areas:?}");
        let Area { left, top, width, height } = areas[0];
        let whole = (10.0 / 32.0, 4.0 / 18.0, 10.0 / 32.0, 6.0 / 18.0);
        assert!((left - whole.0).abs() < 0.04 && (top - whole.1).abs() < 0.06, "{areas:?}");
        assert!((width - whole.2).abs() < 0.04 && (height - whole.3).abs() < 0.06, "{areas:?}");
        // Two parts stay two.
        let sides = Region::of(|cell| !(4..28).contains(&(cell % GRID_COLUMNS)));
        assert_eq!(sides.areas().len(), 2, "{:?}", sides.areas());
    }

    proptest! {
        #[test]
        fn boxes_are_few_and_hold_what_was_found(cells in proptest::collection::vec(0..GRID_CELLS, 1..400)) {
            let region = Region::of(|cell| cells.contains(&cell));
            let areas = region.areas();
            prop_assert!((1..=MOST_BOXES).contains(&areas.len()), "{:?}", areas);
            let marked = |cell: usize| {
                let x = ((cell % GRID_COLUMNS) as f32 + 0.5) / GRID_COLUMNS as f32;
                let y = ((cell / GRID_COLUMNS) as f32 + 0.5) / GRID_ROWS as f32;
                areas.iter().any(|a| {
                    (a.left..a.left + a.width).contains(&x) && (a.top..a.top + a.height).contains(&y)
                })
            };
            // All but specks.
            let missed = cells.iter().filter(|c| !marked(**c)).count();
            prop_assert!(missed * 2 <= cells.len(), "{missed} of {}", cells.len());
        }
    }

    #[test]
    fn what_was_stored_is_read() {
        let region = Region::of(|cell| cell % 7 == 3);
        assert_eq!(Region::from_bytes(&region.to_bytes()), Some(region));
        assert_eq!(Region::from_bytes(&[0; 71]), None);
        assert_eq!(Region::from_bytes(&[]), None);
    }
}
