//! Sharpness, edges and flatness, on luma averaged 2×2.

use super::{Range, borders, eighths};
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, planes::Plane};
use multiversion::multiversion;

/// Rows of cells without the strips in which name and clock are burned in.
const INNER_ROWS: std::ops::Range<usize> = 3..GRID_ROWS - 3;

/// Sharpness, edges and flatness, on luma averaged 2×2: less noise, no chroma siting, a quarter of the work.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn measure(luma: &Plane<'_>, range: Range, features: &mut Features) {
    let (width, height) = (luma.width / 2, luma.height / 2);
    let (across, down) = (borders(width, GRID_COLUMNS), borders(height, GRID_ROWS));
    let mut window: [Vec<i16>; 3] = [vec![0; width], vec![0; width], vec![0; width]];
    let mut cells = vec![CellSums::default(); GRID_CELLS];
    let mut lines = LineSums::new(width);
    let mut row_of_cells = 0;
    // Every other row says enough, of many every fourth: a cell has at least seven.
    let step = if height >= GRID_ROWS * 28 { 4 } else { 2 };
    for y in 0..height {
        // A row is held against the one above it and the one below.
        if y % step != 0 && y % step < step - 2 {
            continue;
        }
        let (upper, lower) = (luma.row(y * 2), luma.row(y * 2 + 1));
        window.rotate_left(1);
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (sample, (up, low)) in window[2].iter_mut().zip(pairs) {
            *sample = i16::from(up[0]) + i16::from(up[1]) + i16::from(low[0]) + i16::from(low[1]);
        }
        if y < 2 || y % step != 0 {
            continue;
        }
        // The middle row of the window is y - 1.
        if row_of_cells + 1 < GRID_ROWS && y > down(row_of_cells + 1) {
            lines.spread(&mut cells[row_of_cells * GRID_COLUMNS..], &across);
            while row_of_cells + 1 < GRID_ROWS && y > down(row_of_cells + 1) {
                row_of_cells += 1;
            }
        }
        lines.add(&window[0], &window[1], &window[2]);
    }
    lines.spread(&mut cells[row_of_cells * GRID_COLUMNS..], &across);
    // Samples are sums of four.
    let gain = range.gain / 4.0;
    features.edges = cells.iter().map(|cell| (cell.gradient() * gain * 16.0).min(255.0) as u8).collect();
    features.detail = cells.iter().map(|cell| eighths(cell.laplacian_variance().sqrt() * gain)).collect();
    let flat = cells.iter().filter(|cell| cell.laplacian_variance() * gain * gain < 1.0).count();
    features.flat = flat as f32 / GRID_CELLS as f32;
    features.sharpness = sharpness(&cells) * gain * gain;
}

/// Median of the better half of 4×3 tiles, without the rows where the name and clock are burned in.
fn sharpness(cells: &[CellSums]) -> f32 {
    const TILES: (usize, usize) = (4, 3);
    let inner = INNER_ROWS;
    let mut tiles = Vec::with_capacity(TILES.0 * TILES.1);
    for tile_row in 0..TILES.1 {
        for tile_column in 0..TILES.0 {
            let mut sums = CellSums::default();
            let rows =
                inner.start + tile_row * inner.len() / TILES.1..inner.start + (tile_row + 1) * inner.len() / TILES.1;
            for row in rows {
                for column in tile_column * GRID_COLUMNS / TILES.0..(tile_column + 1) * GRID_COLUMNS / TILES.0 {
                    sums.merge(&cells[row * GRID_COLUMNS + column]);
                }
            }
            tiles.push(sums.laplacian_variance());
        }
    }
    tiles.sort_by(f32::total_cmp);
    tiles[tiles.len() * 3 / 4]
}

/// Sums over the lines of a row of cells, of each column: all of a line at once, which the processor does many samples
/// at a time.
struct LineSums {
    lines: u64,
    laplacian: Vec<i32>,
    laplacian_squares: Vec<u32>,
    gradient: Vec<u32>,
}

impl LineSums {
    fn new(width: usize) -> LineSums {
        LineSums { lines: 0, laplacian: vec![0; width], laplacian_squares: vec![0; width], gradient: vec![0; width] }
    }

    /// The first and the last sample of a line have no answer.
    #[inline(always)]
    fn add(&mut self, above: &[i16], here: &[i16], below: &[i16]) {
        let Some(count) = here.len().checked_sub(2) else { return };
        self.lines += 1;
        let (above, below) = (&above[1..=count], &below[1..=count]);
        let (left, middle, right) = (&here[..count], &here[1..=count], &here[2..count + 2]);
        let (sums, squares, gradients) =
            (&mut self.laplacian[1..=count], &mut self.laplacian_squares[1..=count], &mut self.gradient[1..=count]);
        for i in 0..count {
            // Sums of four samples are at most 1,020: all of this fits 16 bits. The Laplacian is at most 4,080, and a cell
            // has at most 114 such lines: its squares fit 32.
            let laplacian = left[i] + right[i] + above[i] + below[i] - 4 * middle[i];
            let steps = (right[i] - left[i]).abs() + (below[i] - above[i]).abs();
            sums[i] += i32::from(laplacian);
            squares[i] += (i32::from(laplacian) * i32::from(laplacian)).cast_unsigned();
            gradients[i] += u32::from(steps.cast_unsigned());
        }
    }

    /// Gives the sums to the cells of a row and begins anew.
    fn spread(&mut self, cells: &mut [CellSums], across: &impl Fn(usize) -> usize) {
        let width = self.gradient.len();
        for (column, cell) in cells.iter_mut().take(GRID_COLUMNS).enumerate() {
            let (left, right) = (across(column).max(1), across(column + 1).min(width.saturating_sub(1)));
            if left >= right {
                continue;
            }
            cell.count += self.lines * (right - left) as u64;
            cell.laplacian += self.laplacian[left..right].iter().map(|&s| i64::from(s)).sum::<i64>();
            cell.laplacian_squares += self.laplacian_squares[left..right].iter().map(|&s| u64::from(s)).sum::<u64>();
            cell.gradient += self.gradient[left..right].iter().map(|&s| u64::from(s)).sum::<u64>();
        }
        self.lines = 0;
        self.laplacian.fill(0);
        self.laplacian_squares.fill(0);
        self.gradient.fill(0);
    }
}

#[derive(Clone, Default)]
struct CellSums {
    count: u64,
    laplacian: i64,
    laplacian_squares: u64,
    gradient: u64,
}

impl CellSums {
    fn merge(&mut self, other: &CellSums) {
        self.count += other.count;
        self.laplacian += other.laplacian;
        self.laplacian_squares += other.laplacian_squares;
        self.gradient += other.gradient;
    }

    fn laplacian_variance(&self) -> f32 {
        let count = self.count.max(1) as f64;
        let mean = self.laplacian as f64 / count;
        (self.laplacian_squares as f64 / count - mean * mean).max(0.0) as f32
    }

    /// Mean of |horizontal| + |vertical| difference over two samples.
    fn gradient(&self) -> f32 {
        self.gradient as f32 / self.count.max(1) as f32
    }
}
