//! A picture cell by cell against what the camera usually shows: what lost its texture, where the edges went.

use super::baseline::Baseline;
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS};

/// Rows of the grid without the strips in which names and clocks are burned in.
pub(super) const INNER_ROWS: std::ops::Range<usize> = 2..GRID_ROWS - 2;
/// The cells of [`INNER_ROWS`].
pub(super) const INNER: std::ops::Range<usize> = INNER_ROWS.start * GRID_COLUMNS..INNER_ROWS.end * GRID_COLUMNS;
/// Fewer cells with texture than this say nothing.
const ENOUGH_TEXTURE: usize = 60;
/// How far a turned camera is looked for, in cells.
const TURN: (isize, isize) = (13, 6);

/// Which cells usually have texture, and how much of it each has left.
pub(super) struct Texture {
    /// Left over, 0 to 1 and more; `None` where there usually is none.
    left: Vec<Option<f32>>,
    cells: usize,
}

impl Texture {
    /// `None` if the camera usually shows too little texture.
    pub(super) fn of(f: &Features, baseline: &Baseline) -> Option<Texture> {
        let now = |cell: &usize| f.detail.get(*cell).map_or(0.0, |d| f32::from(*d));
        let then = |cell: &usize| baseline.detail.get(*cell).copied().unwrap_or_default();
        let floor_now = floor(f.noise, INNER.map(|cell| now(&cell)).collect());
        let floor_then = floor(baseline.noise, INNER.map(|cell| then(&cell)).collect());
        let mut left = vec![None; GRID_CELLS];
        let mut cells = 0;
        for cell in INNER {
            let (now, then) = (now(&cell), then(&cell));
            if then > 2.0 * floor_then {
                // Noise adds by its square.
                let real = (now * now - floor_now * floor_now).max(0.0).sqrt();
                left[cell] = Some(real / then);
                cells += 1;
            }
        }
        (cells >= ENOUGH_TEXTURE).then_some(Texture { left, cells })
    }

    /// What the cells that keep most of their texture keep: light and weather take it from all alike.
    pub(super) fn kept(&self) -> f32 {
        let mut all: Vec<f32> = self.left.iter().flatten().copied().collect();
        all.sort_by(f32::total_cmp);
        all[all.len() * 4 / 5].min(1.0)
    }

    /// Cells that lost nearly all of their texture although others kept theirs.
    pub(super) fn lost(&self) -> impl Fn(usize) -> bool + Copy {
        let limit = 0.3 * self.kept().max(0.35);
        move |cell| self.left[cell].is_some_and(|left| left < limit)
    }

    /// How many cells have texture.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }
}

/// The detail of a cell without texture: what noise alone gives (on half-size luma half the sigma, times the root of
/// the mask's squares, 20), or less where the encoder smoothed it, as the plainest cells show.
fn floor(noise: f32, mut detail: Vec<f32>) -> f32 {
    detail.sort_by(f32::total_cmp);
    (8.0 + noise * 8.0 * 0.5 * 4.5).min(detail[detail.len() / 10].max(8.0))
}

/// An edge map as it is compared: against its surroundings, so that neither the lamp's circle at night nor fog far away
/// counts as a likeness. Square roots, since a few hard edges must not outweigh the many others.
fn relative(edges: &[u8]) -> Vec<f32> {
    const REACH: usize = 3;
    let roots: Vec<f32> = edges.iter().map(|&e| f32::from(e).sqrt()).collect();
    if roots.len() != GRID_CELLS {
        return vec![0.0; GRID_CELLS];
    }
    let around =
        |at: usize, end: std::ops::Range<usize>| at.saturating_sub(REACH).max(end.start)..(at + REACH + 1).min(end.end);
    (0..GRID_CELLS)
        .map(|cell| {
            let (row, column) = (cell / GRID_COLUMNS, cell % GRID_COLUMNS);
            if !INNER_ROWS.contains(&row) {
                return 0.0;
            }
            let (rows, columns) = (around(row, INNER_ROWS), around(column, 0..GRID_COLUMNS));
            let count = (rows.len() * columns.len()) as f32;
            let sum: f32 = rows.map(|r| roots[r * GRID_COLUMNS..][columns.clone()].iter().sum::<f32>()).sum();
            roots[cell] - sum / count
        })
        .collect()
}

/// How many edges a picture has.
pub(super) fn edge_mass(edges: &[u8]) -> f32 {
    edges.get(INNER).unwrap_or_default().iter().map(|&e| f32::from(e).sqrt()).sum()
}

/// Pearson's correlation of two edge maps.
pub(super) fn correlation(a: &[u8], b: &[u8]) -> f32 {
    let (a, b) = (relative(a), relative(b));
    pearson(INNER.map(|cell| (a[cell], b[cell])))
}

/// Pearson's correlation of the cells' mean luma: the coarse picture, which fog, dusk and blur leave as it is.
pub(super) fn coarse(f: &Features, baseline: &Baseline) -> f32 {
    let now = f.luma.get(INNER).unwrap_or_default();
    let then = baseline.luma.get(INNER).unwrap_or_default();
    pearson(now.iter().map(|&l| f32::from(l) / 256.0).zip(then.iter().copied()))
}

/// Mean luma without the strips of text, and by how much it differs from cell to cell: noise averages out, a scene
/// does not.
pub(super) fn shades(f: &Features) -> (f32, f32) {
    let cells = f.luma.get(INNER).unwrap_or_default();
    let count = cells.len().max(1) as f32;
    let mean = cells.iter().map(|&l| f32::from(l) / 256.0).sum::<f32>() / count;
    let variance = cells.iter().map(|&l| (f32::from(l) / 256.0 - mean).powi(2)).sum::<f32>() / count;
    (mean, variance.sqrt())
}

/// How well the steps of luma from cell to cell within `cells` agree with the usual ones, −1 to 1: a shadow dims a scene
/// and leaves its steps, a thing before the lens has its own.
pub(super) fn shows_through(f: &Features, baseline: &Baseline, cells: &[usize]) -> f32 {
    let inside = |cell: usize| cells.binary_search(&cell).is_ok();
    let now = |cell: usize| f.luma.get(cell).map_or(0.0, |l| f32::from(*l) / 256.0);
    let then = |cell: usize| baseline.luma.get(cell).copied().unwrap_or_default();
    let beside = cells.iter().map(|&cell| (cell, cell + 1)).filter(|(_, next)| next % GRID_COLUMNS != 0);
    let below = cells.iter().map(|&cell| (cell, cell + GRID_COLUMNS));
    let pairs = beside.chain(below).filter(|(_, next)| inside(*next));
    pearson(pairs.map(|(cell, next)| (now(next) - now(cell), then(next) - then(cell))))
}

/// Cells but for the share whose luma lies farthest from the median.
pub(super) fn plain(f: &Features, but: f32) -> Vec<usize> {
    let luma = |cell: usize| f.luma.get(cell).copied().unwrap_or_default();
    let mut cells: Vec<usize> = INNER.collect();
    cells.sort_unstable_by_key(|&cell| luma(cell));
    let median = luma(cells[cells.len() / 2]);
    cells.sort_by_key(|&cell| luma(cell).abs_diff(median));
    cells.truncate(cells.len() - (cells.len() as f32 * but) as usize);
    cells
}

/// How well two pictures show the same scene: by their edges and by their coarse luma, the better of both, −1 to 1.
pub(super) fn alike(a: &Features, b: &Features) -> f32 {
    let cells = |f: &Features| f.luma.get(INNER).unwrap_or_default().iter().map(|l| f32::from(*l) / 256.0).collect();
    let (one, other): (Vec<f32>, Vec<f32>) = (cells(a), cells(b));
    correlation(&a.edges, &b.edges).max(pearson(one.into_iter().zip(other)))
}

/// Mean luma of some cells, and by how much it differs from one to the other.
pub(super) fn shade(f: &Features, cells: &[usize]) -> (f32, f32) {
    let luma = |cell: &usize| f.luma.get(*cell).map_or(0.0, |l| f32::from(*l) / 256.0);
    let count = cells.len().max(1) as f32;
    let mean = cells.iter().map(luma).sum::<f32>() / count;
    (mean, (cells.iter().map(|cell| (luma(cell) - mean).powi(2)).sum::<f32>() / count).sqrt())
}

/// The largest part of the picture that has one shade where there usually are many, with less detail than usual while
/// the rest kept its own; and its luma.
pub(super) fn one_shade(f: &Features, baseline: &Baseline) -> Option<(Vec<usize>, f32)> {
    /// Half the width of a shade in luma steps.
    const SHADE: f32 = 10.0;
    let luma = |cell: usize| f.luma.get(cell).map_or(0.0, |l| f32::from(*l) / 256.0);
    let within = |middle: f32| INNER.filter(move |&cell| (luma(cell) - middle).abs() <= SHADE);
    let middle = (0..64).map(|step| step as f32 * 4.0).max_by_key(|&middle| within(middle).count())?;
    let cells: Vec<usize> = within(middle).collect();
    let (there, spread) = shade(f, &cells);
    let usual = baseline.shades(&cells);
    if usual < 10.0 || spread > 0.5 * usual {
        return None;
    }
    let ratio = |cells: &mut dyn Iterator<Item = usize>| {
        let (mut now, mut then) = (0.0f32, 1.0f32);
        for cell in cells {
            now += f.detail.get(cell).map_or(0.0, |d| f32::from(*d));
            then += baseline.detail.get(cell).copied().unwrap_or_default();
        }
        now / then
    };
    let inside = ratio(&mut cells.iter().copied());
    let rest = INNER.len() - cells.len();
    if rest < INNER.len() / 6 {
        // Nothing is left to compare with, and dusk takes half of the detail.
        return (inside < 0.4).then_some((cells, there));
    }
    let outside = ratio(&mut INNER.filter(|cell| !cells.contains(cell)));
    (outside > 0.6 && inside < 0.6 * outside.min(1.0)).then_some((cells, there))
}

/// The best correlation of the edges with those of the usual scene seen from a turned camera, and by how many cells
/// across and down it was turned.
pub(super) fn turned(now: &[u8], then: &[u8]) -> (f32, (isize, isize)) {
    let (now, then) = (relative(now), relative(then));
    let mut best = (-1.0, (0, 0));
    for down in -TURN.1..=TURN.1 {
        for across in -TURN.0..=TURN.0 {
            // What both see must be large enough to be no chance.
            let rows = (INNER_ROWS.start as isize).max(INNER_ROWS.start as isize - down)
                ..(INNER_ROWS.end as isize).min(INNER_ROWS.end as isize - down);
            let columns = 0.max(-across)..(GRID_COLUMNS as isize).min(GRID_COLUMNS as isize - across);
            let pairs = rows.flat_map(|row| {
                let (at, from) = (row * GRID_COLUMNS as isize, (row + down) * GRID_COLUMNS as isize + across);
                columns.clone().map(move |column| ((at + column) as usize, (from + column) as usize))
            });
            let value = pearson(pairs.map(|(a, b)| (now[a], then[b])));
            if value > best.0 {
                best = (value, (across, down));
            }
        }
    }
    best
}

fn pearson(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut n, mut a, mut b, mut aa, mut bb, mut ab) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for (x, y) in pairs {
        n += 1.0;
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let scale = ((aa - a * a / n) * (bb - b * b / n)).sqrt();
    if scale > 0.0 { (ab - a * b / n) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_camera_is_found_where_it_looks_now() {
        // A number that looks like chance for each cell of a scene wider than the picture.
        let scene = |row: usize, column: usize| {
            let number = ((row * 64 + column) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as u8
        };
        let view = |right: usize| -> Vec<u8> {
            (0..GRID_CELLS).map(|cell| scene(cell / GRID_COLUMNS, cell % GRID_COLUMNS + right)).collect()
        };
        let (value, turn) = turned(&view(5), &view(0));
        assert!(value > 0.99, "{value}");
        assert_eq!(turn, (5, 0));
        assert!(correlation(&view(5), &view(0)) < 0.3);
        assert_eq!(turned(&view(0), &view(0)).1, (0, 0));
    }
}
