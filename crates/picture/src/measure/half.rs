//! Sharpness, edges and flatness, on luma averaged 2×2.

use super::{Range, borders, eighths};
use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, planes::Plane};

/// Rows of cells without the strips in which name and clock are burned in.
const INNER_ROWS: std::ops::Range<usize> = 3..GRID_ROWS - 3;

/// Sharpness, edges and flatness, on luma averaged 2×2: less noise, no chroma siting, a quarter of the work.
pub(super) fn measure(luma: &Plane<'_>, range: Range, features: &mut Features) {
    let (width, height) = (luma.width / 2, luma.height / 2);
    let (across, down) = (borders(width, GRID_COLUMNS), borders(height, GRID_ROWS));
    let mut window: [Vec<i16>; 3] = [vec![0; width], vec![0; width], vec![0; width]];
    let mut cells = vec![CellSums::default(); GRID_CELLS];
    let mut row_of_cells = 0;
    for y in 0..height {
        let (upper, lower) = (luma.row(y * 2), luma.row(y * 2 + 1));
        window.rotate_left(1);
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (sample, (up, low)) in window[2].iter_mut().zip(pairs) {
            *sample = i16::from(up[0]) + i16::from(up[1]) + i16::from(low[0]) + i16::from(low[1]);
        }
        // Every other row says enough.
        if y < 2 || y % 2 == 1 {
            continue;
        }
        // The middle row of the window is y - 1.
        while row_of_cells + 1 < GRID_ROWS && y > down(row_of_cells + 1) {
            row_of_cells += 1;
        }
        for column in 0..GRID_COLUMNS {
            let (left, right) = (across(column).max(1), across(column + 1).min(width - 1));
            if left >= right {
                continue;
            }
            let (above, here, below) = (&window[0][left..right], &window[1][left - 1..=right], &window[2][left..right]);
            cells[row_of_cells * GRID_COLUMNS + column].add(above, here, below);
        }
    }
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

#[derive(Clone, Default)]
struct CellSums {
    count: u64,
    laplacian: i64,
    laplacian_squares: u64,
    gradient: u64,
}

impl CellSums {
    /// `here` reaches one sample further on both sides.
    fn add(&mut self, above: &[i16], here: &[i16], below: &[i16]) {
        // A cell is at most 128 samples wide and the Laplacian at most 4,080: the squares of one row fit.
        let (mut sum, mut squares, mut gradient) = (0i32, 0u32, 0u32);
        let count = above.len();
        let (left, middle, right) = (&here[..count], &here[1..=count], &here[2..count + 2]);
        let below = &below[..count];
        for i in 0..count {
            // Sums of four samples are at most 1,020: all of this fits 16 bits, of which the processor does eight at once.
            let laplacian = left[i] + right[i] + above[i] + below[i] - 4 * middle[i];
            let steps = (right[i] - left[i]).abs() + (below[i] - above[i]).abs();
            sum += i32::from(laplacian);
            squares = squares.wrapping_add((i32::from(laplacian) * i32::from(laplacian)).cast_unsigned());
            gradient += u32::from(steps.cast_unsigned());
        }
        self.count += above.len() as u64;
        self.laplacian += i64::from(sum);
        self.laplacian_squares += u64::from(squares);
        self.gradient += u64::from(gradient);
    }

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
