//! Noise and torn blocks, on full-size luma, an eighth of its rows or fewer.

use super::{Range, borders, eighths};
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, planes::Plane};
use multiversion::multiversion;

/// Immerkær, "Fast Noise Variance Estimation", CVIU 64(2), 1996: the mask (1 −2 1; −2 4 −2; 1 −2 1) removes
/// what is smooth or a straight edge; the mean of its absolute answer gives sigma. Every eighth row is enough, of many every sixteenth.
/// Texture still answers, so it is taken per cell and the quieter quarter of the cells counts; cells that are
/// black or white are left out since clipping hides noise.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn noise(luma: &Plane<'_>, range: Range, means: &[f32], features: &mut Features) {
    features.grain = vec![0; GRID_CELLS];
    if luma.width < GRID_COLUMNS * 4 || luma.height < GRID_ROWS * 4 {
        return;
    }
    let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
    let mut sigmas = Vec::with_capacity(GRID_CELLS);
    let mut sums = vec![0u32; luma.width];
    let step = if luma.height >= GRID_ROWS * 56 { 16 } else { 8 };
    for row in 0..GRID_ROWS {
        sums.fill(0);
        let mut rows = 0u64;
        for y in (down(row).max(1)..down(row + 1).min(luma.height - 1)).step_by(step) {
            rows += 1;
            noise_row(luma.row(y - 1), luma.row(y), luma.row(y + 1), &mut sums);
        }
        for column in 0..GRID_COLUMNS {
            let cell = across(column)..across(column + 1);
            let mean = range.luma(means[row * GRID_COLUMNS + column]);
            let count = rows * cell.len() as u64;
            let sum: u64 = sums[cell].iter().map(|&s| u64::from(s)).sum();
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

/// Adds the mask's answer around each sample of `here` to its sum; the first and the last have none.
#[inline(always)]
fn noise_row(above: &[u8], here: &[u8], below: &[u8], sums: &mut [u32]) {
    let count = here.len() - 2;
    let (above, here, below, sums) =
        (&above[..count + 2], &here[..count + 2], &below[..count + 2], &mut sums[1..=count]);
    for i in 0..count {
        let [a0, a1, a2] = [above[i], above[i + 1], above[i + 2]].map(i16::from);
        let [h0, h1, h2] = [here[i], here[i + 1], here[i + 2]].map(i16::from);
        let [b0, b1, b2] = [below[i], below[i + 1], below[i + 2]].map(i16::from);
        let answer = a0 - 2 * a1 + a2 - 2 * h0 + 4 * h1 - 2 * h2 + b0 - 2 * b1 + b2;
        sums[i] += u32::from(answer.unsigned_abs());
    }
}

/// Steps across vertical 8-pixel borders against steps elsewhere (Wang, Bovik, Evans 2000), every eighth row.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
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
    // Steps from each sample to the next, of all lines of a row of cells.
    let mut steps = vec![0u32; luma.width];
    let (mut row, mut lines) = (0, 0u32);
    let mut y = 4;
    while y < luma.height {
        while row + 1 < GRID_ROWS && y >= down(row + 1) {
            row += 1;
        }
        let line = luma.row(y);
        for (step, pair) in steps.iter_mut().zip(line.windows(2)) {
            *step += u32::from(pair[0].abs_diff(pair[1]));
        }
        lines += 1;
        y += 8;
        if y < luma.height && (row + 1 == GRID_ROWS || y < down(row + 1)) {
            continue;
        }
        for (block, &column) in steps.chunks_exact(8).zip(&columns) {
            let cell = &mut cells[row * GRID_COLUMNS + column];
            cell.inside += block[..7].iter().sum::<u32>();
            cell.at_border += block[7];
            cell.borders += lines;
        }
        steps.fill(0);
        lines = 0;
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
