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

    /// The cells as boxes: runs along the rows, joined downwards where they are alike. At most half the cells.
    #[must_use]
    pub fn areas(&self) -> Vec<Area> {
        // Left, width, first row, rows.
        let mut open: Vec<(usize, usize, usize, usize)> = Vec::new();
        let mut done = Vec::new();
        for (row, &bits) in self.0.iter().enumerate() {
            let mut next = Vec::new();
            let mut column = 0;
            while column < GRID_COLUMNS {
                let width = (bits >> column).trailing_ones() as usize;
                if width > 0 {
                    let above = open.iter().position(|&(left, w, ..)| (left, w) == (column, width));
                    next.push(match above.map(|index| open.swap_remove(index)) {
                        Some((left, w, first, rows)) => (left, w, first, rows + 1),
                        None => (column, width, row, 1),
                    });
                }
                column += width.max(1);
            }
            done.append(&mut open);
            open = next;
        }
        done.append(&mut open);
        done.sort_unstable_by_key(|&(left, _, first, _)| (first, left));
        let area = |(left, width, first, rows): (usize, usize, usize, usize)| Area {
            left: left as f32 / GRID_COLUMNS as f32,
            top: first as f32 / GRID_ROWS as f32,
            width: width as f32 / GRID_COLUMNS as f32,
            height: rows as f32 / GRID_ROWS as f32,
        };
        done.into_iter().map(area).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_few_boxes() {
        assert_eq!(Region::ALL.areas(), [Area { left: 0.0, top: 0.0, width: 1.0, height: 1.0 }]);
        assert_eq!(Region::default().areas(), []);
        let left_half = Region::of(|cell| cell % GRID_COLUMNS < 16 && cell / GRID_COLUMNS >= 9);
        assert_eq!(left_half.areas(), [Area { left: 0.0, top: 0.5, width: 0.5, height: 0.5 }]);
        assert!((left_half.share() - 0.25).abs() < 0.001);
        let board = Region::of(|cell| (cell + cell / GRID_COLUMNS).is_multiple_of(2));
        assert_eq!(board.areas().len(), GRID_CELLS / 2);
    }

    #[test]
    fn what_was_stored_is_read() {
        let region = Region::of(|cell| cell % 7 == 3);
        assert_eq!(Region::from_bytes(&region.to_bytes()), Some(region));
        assert_eq!(Region::from_bytes(&[0; 71]), None);
        assert_eq!(Region::from_bytes(&[]), None);
    }
}
