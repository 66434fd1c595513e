//! Noise and torn blocks, on full-size luma, an eighth of its rows.

use super::{Range, borders, eighths};
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, planes::Plane};

/// Immerkær, "Fast Noise Variance Estimation", CVIU 64(2), 1996: the mask (1 −2 1; −2 4 −2; 1 −2 1) removes
/// what is smooth or a straight edge; the mean of its absolute answer gives sigma. Every eighth row is enough.
/// Texture still answers, so it is taken per cell and the quieter quarter of the cells counts; cells that are
/// black or white are left out since clipping hides noise.
pub(super) fn noise(luma: &Plane<'_>, range: Range, means: &[f32], features: &mut Features) {
    features.grain = vec![0; GRID_CELLS];
    if luma.width < GRID_COLUMNS * 4 || luma.height < GRID_ROWS * 4 {
        return;
    }
    let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
    let mut sigmas = Vec::with_capacity(GRID_CELLS);
    for row in 0..GRID_ROWS {
        let mut sums = [0u64; GRID_COLUMNS];
        let mut rows = 0u64;
        for y in (down(row).max(1)..down(row + 1).min(luma.height - 1)).step_by(8) {
            let (above, here, below) = (luma.row(y - 1), luma.row(y), luma.row(y + 1));
            rows += 1;
            for (column, sum) in sums.iter_mut().enumerate() {
                let (left, right) = (across(column).max(1) - 1, (across(column + 1) + 1).min(luma.width));
                *sum += u64::from(noise_row(&above[left..right], &here[left..right], &below[left..right]));
            }
        }
        for (column, &sum) in sums.iter().enumerate() {
            let mean = range.luma(means[row * GRID_COLUMNS + column]);
            let count = rows * (across(column + 1) - across(column)) as u64;
            let sigma = std::f32::consts::FRAC_PI_2.sqrt() / 6.0 * sum as f32 / count.max(1) as f32;
            features.grain[row * GRID_COLUMNS + column] = eighths(sigma * range.gain);
            if count > 0 && (12.0..243.0).contains(&mean) {
                sigmas.push(sigma);
            }
        }
    }
    if sigmas.len() < GRID_CELLS / 16 {
        return;
    }
    sigmas.sort_by(f32::total_cmp);
    features.noise = sigmas[sigmas.len() / 4] * range.gain;
}

fn noise_row(above: &[u8], here: &[u8], below: &[u8]) -> u32 {
    let mut sum = 0u32;
    for ((a, h), b) in above.windows(3).zip(here.windows(3)).zip(below.windows(3)) {
        let [a0, a1, a2] = [a[0], a[1], a[2]].map(i16::from);
        let [h0, h1, h2] = [h[0], h[1], h[2]].map(i16::from);
        let [b0, b1, b2] = [b[0], b[1], b[2]].map(i16::from);
        let answer = a0 - 2 * a1 + a2 - 2 * h0 + 4 * h1 - 2 * h2 + b0 - 2 * b1 + b2;
        sum += u32::from(answer.unsigned_abs());
    }
    sum
}

/// Steps across vertical 8-pixel borders against steps elsewhere (Wang, Bovik, Evans 2000), every eighth row.
pub(super) fn blockiness(luma: &Plane<'_>, range: Range, features: &mut Features) {
    let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
    // The cell that the border after each block is in.
    let mut column = 0;
    let columns: Vec<usize> = (0..luma.width.saturating_sub(1) / 8)
        .map(|block| {
            while column + 1 < GRID_COLUMNS && block * 8 + 8 >= across(column + 1) {
                column += 1;
            }
            column
        })
        .collect();
    let mut cells = [Steps::default(); GRID_CELLS];
    let mut row = 0;
    for y in (4..luma.height).step_by(8) {
        while row + 1 < GRID_ROWS && y >= down(row + 1) {
            row += 1;
        }
        for (block, &column) in luma.row(y).windows(9).step_by(8).zip(&columns) {
            let inner: u32 = block[..8].windows(2).map(|p| u32::from(p[0].abs_diff(p[1]))).sum();
            let cell = &mut cells[row * GRID_COLUMNS + column];
            cell.inside += inner;
            cell.at_border += u32::from(block[7].abs_diff(block[8]));
            cell.borders += 1;
        }
    }
    let all = cells.iter().fold(Steps::default(), |all, cell| Steps {
        at_border: all.at_border + cell.at_border,
        inside: all.inside + cell.inside,
        borders: all.borders + cell.borders,
    });
    features.blockiness = all.excess() * range.gain;
    features.blocks = cells.iter().map(|cell| eighths(cell.excess() * range.gain)).collect();
}

/// Sums of luma steps; at most a million pixels of a plane are read, so that they fit.
#[derive(Clone, Copy, Default)]
struct Steps {
    at_border: u32,
    inside: u32,
    borders: u32,
}

impl Steps {
    fn excess(self) -> f32 {
        let borders = self.borders.max(1) as f32;
        self.at_border as f32 / borders - self.inside as f32 / (borders * 7.0)
    }
}
