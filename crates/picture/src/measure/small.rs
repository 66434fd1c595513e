//! Luma averaged to a small picture, and the stripes that show on it.

use super::{borders, eighths};
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, planes::Plane};
use multiversion::multiversion;

/// Bands and columns of the small sums: histogram, grid and stripes are made from them.
const SMALL: (usize, usize) = (320, 180);

/// Mean luma ×64 of [`SMALL`] cells (fewer if the picture is smaller), and of full-width columns for the stripes.
pub(super) struct Small {
    width: usize,
    height: usize,
    /// Row by row.
    cells: Vec<u16>,
    /// Mean luma ×64 of each column in each of [`PARTS`] layers from top to bottom.
    columns: Vec<Vec<u16>>,
}

/// Parts of a line that must agree before it counts as a stripe.
const PARTS: usize = 16;

impl Small {
    pub(super) fn of(luma: &Plane<'_>) -> Small {
        shrunk(luma)
    }

    pub(super) fn samples(&self) -> Vec<u8> {
        self.cells.iter().map(|&cell| (cell / 64) as u8).collect()
    }

    /// Mean luma of the cells of the grid.
    pub(super) fn grid(&self) -> Vec<f32> {
        let (across, down) = (borders(self.width, GRID_COLUMNS), borders(self.height, GRID_ROWS));
        let mut means = Vec::with_capacity(GRID_CELLS);
        for row in 0..GRID_ROWS {
            // Pictures with fewer rows or columns than the grid show some of them twice.
            let rows = down(row).min(self.height - 1)..down(row + 1).max(down(row) + 1).min(self.height);
            for column in 0..GRID_COLUMNS {
                let columns =
                    across(column).min(self.width - 1)..across(column + 1).max(across(column) + 1).min(self.width);
                let mut sum = 0u32;
                for y in rows.clone() {
                    let line = &self.cells[y * self.width..(y + 1) * self.width];
                    sum += line[columns.clone()].iter().map(|&c| u32::from(c)).sum::<u32>();
                }
                means.push(sum as f32 / 64.0 / (rows.len() * columns.len()).max(1) as f32);
            }
        }
        means
    }

    /// Stripes in both directions, luma scaled by `gain`.
    pub(super) fn stripes(&self, gain: f32, features: &mut Features) {
        let (rows, columns) = (self.row_stripes(), self.column_stripes());
        features.row_stripes = strength(&rows) * gain;
        features.column_stripes = strength(&columns) * gain;
        features.row_marks = marks(&rows, GRID_ROWS, gain);
        features.column_marks = marks(&columns, GRID_COLUMNS, gain);
    }

    fn row_stripes(&self) -> Vec<f32> {
        let part = borders(self.width, PARTS);
        let mean = |line: usize, index: usize| {
            let cells = &self.cells[line * self.width + part(index)..line * self.width + part(index + 1)];
            cells.iter().map(|&c| u32::from(c)).sum::<u32>() as f32 / 64.0 / cells.len().max(1) as f32
        };
        line_jumps(self.height, mean)
    }

    fn column_stripes(&self) -> Vec<f32> {
        // Averaged to a fixed number of lines, so that figures do not depend on the resolution.
        let full = self.columns[0].len();
        let lines = SMALL.0.min(full);
        let line_of = borders(full, lines);
        let mean = |line: usize, index: usize| {
            let columns = &self.columns[index][line_of(line)..line_of(line + 1)];
            columns.iter().map(|&c| u32::from(c)).sum::<u32>() as f32 / 64.0 / columns.len().max(1) as f32
        };
        line_jumps(lines, mean)
    }
}

/// One pass over all of luma.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn shrunk(luma: &Plane<'_>) -> Small {
    let (width, height) = (SMALL.0.min(luma.width), SMALL.1.min(luma.height));
    let (across, down) = (borders(luma.width, width), borders(luma.height, height));
    let mut cells = Vec::with_capacity(width * height);
    let mut layers = vec![(vec![0u32; luma.width], 0u32); PARTS];
    // At most 8192 / 180 rows of 255 fit.
    let mut sums = vec![0u16; luma.width];
    // Sums up to each column: what lies between two is one difference.
    let mut totals = vec![0u32; luma.width + 1];
    let edges: Vec<usize> = (0..=width).map(across).collect();
    let scales: Vec<f32> = edges.windows(2).map(|edge| 64.0 / (edge[1] - edge[0]) as f32).collect();
    for band in 0..height {
        let rows = down(band)..down(band + 1);
        let count = rows.len() as u32;
        sums.fill(0);
        for y in rows {
            for (sum, &sample) in sums.iter_mut().zip(luma.row(y)) {
                *sum += u16::from(sample);
            }
        }
        let mut so_far = 0;
        for (total, &sum) in totals[1..].iter_mut().zip(&sums) {
            so_far += u32::from(sum);
            *total = so_far;
        }
        let part = 1.0 / count as f32;
        cells.extend(edges.windows(2).zip(&scales).map(|(edge, scale)| {
            let sum = totals[edge[1]] - totals[edge[0]];
            (sum as f32 * (scale * part) + 0.5) as u16
        }));
        let (layer, all) = &mut layers[band * PARTS / height];
        for (total, &sum) in layer.iter_mut().zip(&sums) {
            *total += u32::from(sum);
        }
        *all += count;
    }
    let mean = |(layer, count): (Vec<u32>, u32)| {
        layer.into_iter().map(|sum| (sum as f32 * 64.0 / count.max(1) as f32) as u16).collect()
    };
    Small { width, height, cells, columns: layers.into_iter().map(mean).collect() }
}

/// How much the mean of each row (column) jumps against both neighbours in most places at once: interference draws
/// lines across the whole picture, scenes hardly ever do. For each line the second difference that three quarters of
/// its 16 parts reach.
fn line_jumps(lines: usize, mean: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let means: Vec<[f32; PARTS]> = (0..lines).map(|line| std::array::from_fn(|part| mean(line, part))).collect();
    let jump = |window: &[[f32; PARTS]]| {
        let mut jumps: [f32; PARTS] =
            std::array::from_fn(|part| window[2][part] - (window[0][part] + window[4][part]) / 2.0);
        jumps.sort_unstable_by(f32::total_cmp);
        // Most parts must jump the same way: the value that three quarters of them reach.
        let (low, high) = (jumps[PARTS / 4], jumps[PARTS - 1 - PARTS / 4]);
        low.max(-high).max(0.0)
    };
    means.windows(5).map(jump).collect()
}

/// What an eighth of the lines reach, so that a railing or a horizon, strong but few lines, counts for nothing.
fn strength(jumps: &[f32]) -> f32 {
    if jumps.len() < 12 {
        return 0.0;
    }
    let mut sorted = jumps.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted[sorted.len() / 8]
}

/// The strongest jump in each of `cells` equal parts of the picture.
fn marks(jumps: &[f32], cells: usize, gain: f32) -> Vec<u8> {
    let mut marks = vec![0; cells];
    for (line, jump) in jumps.iter().enumerate() {
        let mark = &mut marks[(line + 2) * cells / (jumps.len() + 4)];
        *mark = (*mark).max(eighths(jump * gain));
    }
    marks
}
