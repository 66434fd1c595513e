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

/// Bits behind the point of a scale: 255 × 64 with as many still fit 32 bits.
const SCALE: u32 = 17;

/// One pass over all of luma. Plain loops throughout: what an iterator hands to a closure is compiled for every processor.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn shrunk(luma: &Plane<'_>) -> Small {
    let (width, height) = (SMALL.0.min(luma.width), SMALL.1.min(luma.height));
    let (across, down) = (borders(luma.width, width), borders(luma.height, height));
    let mut cells = vec![0u16; width * height];
    let mut layers = vec![(vec![0u32; luma.width], 0u32); PARTS];
    // At most 8192 / 180 rows of 255 fit.
    let mut sums = vec![0u16; luma.width];
    // Sums up to each column: what lies between two is one difference.
    let mut totals = vec![0u32; luma.width + 1];
    // What makes a cell's sum its mean ×64: cells have one of two widths and one of two heights.
    let least = luma.height / height;
    let scale = |rows: usize| -> Vec<u32> {
        (0..width).map(|cell| (64 << SCALE) / ((across(cell + 1) - across(cell)) * rows) as u32).collect()
    };
    let scales = [scale(least), scale(least + 1)];
    let edges: Vec<usize> = (1..=width).map(across).collect();
    let mut taken = vec![0u32; width];
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
        let mut left = 0;
        for (taken, &edge) in taken.iter_mut().zip(&edges) {
            let right = totals[edge];
            *taken = right - left;
            left = right;
        }
        let line = cells[band * width..(band + 1) * width].iter_mut();
        for ((cell, &sum), &scale) in line.zip(&taken).zip(&scales[usize::from(count as usize > least)]) {
            *cell = ((sum * scale + (1 << (SCALE - 1))) >> SCALE) as u16;
        }
        let (layer, all) = &mut layers[band * PARTS / height];
        for (total, &sum) in layer.iter_mut().zip(&sums) {
            *total += u32::from(sum);
        }
        *all += count;
    }
    let mut columns = Vec::with_capacity(PARTS);
    for (layer, count) in layers {
        let scale = 64.0 / count.max(1) as f32;
        let mut means = vec![0u16; layer.len()];
        for (mean, &sum) in means.iter_mut().zip(&layer) {
            *mean = (sum as i32 as f32 * scale) as i32 as u16;
        }
        columns.push(means);
    }
    Small { width, height, cells, columns }
}

/// How much the mean of each row (column) jumps against both neighbours in most places at once: interference draws
/// lines across the whole picture, scenes hardly ever do. For each line the second difference that three quarters of
/// its 16 parts reach.
fn line_jumps(lines: usize, mean: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let means: Vec<[f32; PARTS]> = (0..lines).map(|line| std::array::from_fn(|part| mean(line, part))).collect();
    jumps(&means)
}

#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn jumps(means: &[[f32; PARTS]]) -> Vec<f32> {
    let windows: Vec<&[[f32; PARTS]]> = means.windows(5).collect();
    let mut found = Vec::with_capacity(windows.len());
    for some in windows.chunks(LANES) {
        let mut jumps = [[0.0f32; LANES]; PARTS];
        for (lane, window) in some.iter().enumerate() {
            for (part, jump) in jumps.iter_mut().enumerate() {
                jump[lane] = window[2][part] - (window[0][part] + window[4][part]) / 2.0;
            }
        }
        sort(&mut jumps);
        // Most parts must jump the same way: the value that three quarters of them reach.
        let (low, high) = (&jumps[PARTS / 4], &jumps[PARTS - 1 - PARTS / 4]);
        found.extend(low.iter().zip(high).take(some.len()).map(|(low, high)| low.max(-high).max(0.0)));
    }
    found
}

/// Lines that are sorted side by side, as many as the processor compares at a time.
const LANES: usize = 8;

/// Sorts each lane by itself, by the same comparisons whatever the values are (Batcher's odd-even merge sort, 1968).
#[inline(always)]
fn sort(values: &mut [[f32; LANES]; PARTS]) {
    for (low, high) in COMPARED {
        let (a, b) = (values[low], values[high]);
        values[low] = std::array::from_fn(|lane| a[lane].min(b[lane]));
        values[high] = std::array::from_fn(|lane| a[lane].max(b[lane]));
    }
}

/// Which values are compared and put in order, one pair after the other.
const COMPARED: [(usize, usize); 63] = {
    let mut pairs = [(0, 0); 63];
    let (mut count, mut merged) = (0, 1);
    while merged < PARTS {
        let mut apart = merged;
        while apart >= 1 {
            let mut first = apart % merged;
            while first + apart < PARTS {
                let mut i = 0;
                while i < apart && first + i + apart < PARTS {
                    if (first + i) / (merged * 2) == (first + i + apart) / (merged * 2) {
                        pairs[count] = (first + i, first + i + apart);
                        count += 1;
                    }
                    i += 1;
                }
                first += 2 * apart;
            }
            apart /= 2;
        }
        merged *= 2;
    }
    assert!(count == 63);
    pairs
};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sixteen_values_are_put_in_order() {
        // Whatever sorts every row of zeros and ones sorts everything (Knuth, The Art of Computer Programming 3, 5.3.4).
        let rows: Vec<u32> = (0..1 << PARTS).collect();
        for rows in rows.chunks(LANES) {
            let mut values = [[0.0f32; LANES]; PARTS];
            for (part, value) in values.iter_mut().enumerate() {
                for (lane, row) in rows.iter().enumerate() {
                    value[lane] = f32::from(u8::from(row >> part & 1 == 1));
                }
            }
            sort(&mut values);
            assert!((0..LANES).all(|lane| values.windows(2).all(|pair| pair[0][lane] <= pair[1][lane])), "{rows:?}");
        }
    }
}
