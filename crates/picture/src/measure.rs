//! Measures a decoded picture. Pure arithmetic over its planes; judges nothing.
//!
//! Luma is stretched to full range in the results, so that figures of all cameras compare. Cost: one pass over
//! full-size luma for grid, checksums and profiles, one over a quarter of its rows for noise, and the rest on
//! half-size or 320×180 copies.

use crate::{
    Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS,
    planes::{Plane, Planes, resize},
};

/// Rows of cells without the strips in which name and clock are burned in.
const INNER_ROWS: std::ops::Range<usize> = 3..GRID_ROWS - 3;
/// Size of the small copy for histogram and chroma, in pixels.
const SMALL: (usize, usize) = (320, 180);

/// Everything in [`Features`].
pub(crate) fn features(planes: &Planes<'_>) -> Features {
    let range =
        if planes.full_range { Range { black: 0.0, gain: 1.0 } } else { Range { black: 16.0, gain: 255.0 / 219.0 } };
    let mut features = Features::default();
    let grid = Grid::of(&planes.luma);
    features.luma = grid.means.iter().map(|mean| (range.luma(*mean) * 256.0) as u16).collect();
    features.checks = grid.checks;
    let mut small = Vec::with_capacity(SMALL.0 * SMALL.1);
    resize(&planes.luma, SMALL.0.min(planes.luma.width), SMALL.1.min(planes.luma.height), &mut small);
    histogram(&small, range, &mut features);
    chroma(planes, &mut features);
    half_size(&planes.luma, range, &mut features);
    features.noise = noise(&planes.luma, range, &grid.means);
    features.blockiness = blockiness(&planes.luma, range);
    stripes(&planes.luma, range, &mut features);
    features.hash = hash(&features.luma);
    features
}

/// Where black is and how much luma is stretched.
#[derive(Clone, Copy)]
struct Range {
    black: f32,
    gain: f32,
}

impl Range {
    fn luma(self, value: f32) -> f32 {
        ((value - self.black) * self.gain).clamp(0.0, 255.0)
    }
}

/// Cell borders along one side.
fn borders(length: usize, cells: usize) -> impl Fn(usize) -> usize {
    move |i| i * length / cells
}

struct Grid {
    means: Vec<f32>,
    checks: Vec<u32>,
}

impl Grid {
    fn of(luma: &Plane<'_>) -> Grid {
        let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
        let mut means = vec![0.0; GRID_CELLS];
        let mut checks = vec![0; GRID_CELLS];
        // Pictures smaller than the grid leave some cells empty; they copy their neighbour's row or column.
        for row in 0..GRID_ROWS {
            let (top, bottom) = (down(row), down(row + 1).max(down(row) + 1).min(luma.height));
            let mut sums = [0u64; GRID_COLUMNS];
            let mut states = [0xcbf2_9ce4_8422_2325u64; GRID_COLUMNS];
            for y in top..bottom {
                let samples = luma.row(y);
                for column in 0..GRID_COLUMNS {
                    let (left, right) = (across(column), across(column + 1));
                    let cell = &samples[left..right];
                    sums[column] += u64::from(cell.iter().map(|&s| u32::from(s)).sum::<u32>());
                    states[column] = checksum(states[column], cell);
                }
            }
            for column in 0..GRID_COLUMNS {
                let area = (across(column + 1) - across(column)) * (bottom - top);
                let cell = row * GRID_COLUMNS + column;
                means[cell] = if area > 0 { sums[column] as f32 / area as f32 } else { 0.0 };
                checks[cell] = (states[column] ^ (states[column] >> 32)) as u32;
            }
        }
        Grid { means, checks }
    }
}

/// Folds `samples` into `state`, eight at a time (multiply and rotate, as FxHash does). Finds chance, not malice.
fn checksum(mut state: u64, samples: &[u8]) -> u64 {
    let mut chunks = samples.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        state = (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    for &sample in chunks.remainder() {
        state = (state.rotate_left(5) ^ u64::from(sample)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    state
}

fn histogram(small: &[u8], range: Range, features: &mut Features) {
    let mut counts = [0u32; 256];
    for &sample in small {
        counts[usize::from(sample)] += 1;
    }
    let all = small.len().max(1) as f32;
    let (mut sum, mut squares, mut dark, mut bright) = (0.0f64, 0.0f64, 0u32, 0u32);
    for (value, &count) in counts.iter().enumerate() {
        let luma = range.luma(value as f32);
        sum += f64::from(luma) * f64::from(count);
        squares += f64::from(luma) * f64::from(luma) * f64::from(count);
        if luma < 30.0 {
            dark += count;
        }
        if luma > 225.0 {
            bright += count;
        }
    }
    let mean = sum / f64::from(all);
    features.mean = mean as f32;
    features.deviation = (squares / f64::from(all) - mean * mean).max(0.0).sqrt() as f32;
    features.dark = dark as f32 / all;
    features.bright = bright as f32 / all;
    for (percentile, share) in features.percentiles.iter_mut().zip([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]) {
        let goal = (share * all) as u32;
        let mut seen = 0;
        let value = counts.iter().position(|&count| {
            seen += count;
            seen > goal
        });
        *percentile = range.luma(value.unwrap_or(255) as f32) as u8;
    }
}

fn chroma(planes: &Planes<'_>, features: &mut Features) {
    let Some(chroma) = &planes.chroma else { return };
    let gain = if planes.full_range { 1.0 } else { 255.0 / 224.0 };
    let mut small = [Vec::new(), Vec::new()];
    for (index, plane) in chroma.iter().enumerate() {
        // Every few rows and columns will do: chroma is smooth, and only means are wanted.
        let step = (plane.height / 90).max(1);
        let across = (plane.width / 160).max(1);
        for y in (0..plane.height).step_by(step) {
            small[index].extend(plane.row(y).iter().step_by(across).map(|&s| (f32::from(s) - 128.0) * gain));
        }
        let count = small[index].len().max(1) as f32;
        let mean = small[index].iter().sum::<f32>() / count;
        let variance = small[index].iter().map(|s| (s - mean) * (s - mean)).sum::<f32>() / count;
        features.chroma[index] = mean;
        features.chroma_deviation[index] = variance.sqrt();
    }
    let count = small[0].len().max(1) as f32;
    features.saturation = small[0].iter().zip(&small[1]).map(|(b, r)| b.hypot(*r)).sum::<f32>() / count;
}

/// Sharpness, edges and flatness, on luma averaged 2×2: less noise, no chroma siting, a quarter of the work.
fn half_size(luma: &Plane<'_>, range: Range, features: &mut Features) {
    let (width, height) = (luma.width / 2, luma.height / 2);
    let (across, down) = (borders(width, GRID_COLUMNS), borders(height, GRID_ROWS));
    let mut window: [Vec<i16>; 3] = [vec![0; width], vec![0; width], vec![0; width]];
    let mut cells = vec![CellSums::default(); GRID_CELLS];
    let mut row_of_cells = 0;
    for y in 0..height {
        let (upper, lower) = (luma.row(y * 2), luma.row(y * 2 + 1));
        window.rotate_left(1);
        for (x, sample) in window[2].iter_mut().enumerate() {
            let sum = u16::from(upper[x * 2])
                + u16::from(upper[x * 2 + 1])
                + u16::from(lower[x * 2])
                + u16::from(lower[x * 2 + 1]);
            *sample = sum as i16;
        }
        if y < 2 {
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
        let (mut sum, mut squares, mut gradient) = (0i32, 0u64, 0u32);
        for ((neighbours, &up), &down) in here.windows(3).zip(above).zip(below) {
            let [left, middle, right] = [neighbours[0], neighbours[1], neighbours[2]].map(i32::from);
            let (up, down) = (i32::from(up), i32::from(down));
            let laplacian = left + right + up + down - 4 * middle;
            sum += laplacian;
            squares += u64::from((laplacian * laplacian).cast_unsigned());
            let (across, along) = (right - left, down - up);
            gradient += (across.abs() + along.abs()).cast_unsigned();
        }
        self.count += above.len() as u64;
        self.laplacian += i64::from(sum);
        self.laplacian_squares += squares;
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

/// Immerkær, "Fast Noise Variance Estimation", CVIU 64(2), 1996: the mask (1 −2 1; −2 4 −2; 1 −2 1) removes
/// what is smooth or a straight edge; the mean of its absolute answer gives sigma. Every fourth row is enough.
/// Texture still answers, so it is taken per cell and the quieter quarter of the cells counts; cells that are
/// black or white are left out since clipping hides noise.
fn noise(luma: &Plane<'_>, range: Range, means: &[f32]) -> f32 {
    if luma.width < GRID_COLUMNS * 4 || luma.height < GRID_ROWS * 4 {
        return 0.0;
    }
    let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
    let mut sigmas = Vec::with_capacity(GRID_CELLS);
    for row in 0..GRID_ROWS {
        let mut sums = [0u64; GRID_COLUMNS];
        let mut rows = 0u64;
        for y in (down(row).max(1)..down(row + 1).min(luma.height - 1)).step_by(4) {
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
            if count > 0 && (12.0..243.0).contains(&mean) {
                sigmas.push((std::f32::consts::FRAC_PI_2).sqrt() / 6.0 * sum as f32 / count as f32);
            }
        }
    }
    if sigmas.len() < GRID_CELLS / 16 {
        return 0.0;
    }
    sigmas.sort_by(f32::total_cmp);
    sigmas[sigmas.len() / 4] * range.gain
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
fn blockiness(luma: &Plane<'_>, range: Range) -> f32 {
    let (mut at_border, mut elsewhere, mut borders, mut others) = (0u64, 0u64, 0u64, 0u64);
    for y in (4..luma.height).step_by(8) {
        let row = luma.row(y);
        for block in row.windows(9).step_by(8) {
            let inner: u32 = block[..8].windows(2).map(|p| u32::from(p[0].abs_diff(p[1]))).sum();
            elsewhere += u64::from(inner);
            at_border += u64::from(block[7].abs_diff(block[8]));
            borders += 1;
            others += 7;
        }
    }
    let mean = |sum: u64, count: u64| sum as f32 / count.max(1) as f32;
    (mean(at_border, borders) - mean(elsewhere, others)) * range.gain
}

/// Rows (columns) whose mean jumps against both neighbours in most places at once: interference draws lines
/// across the whole picture, scenes hardly ever do. For each row the second difference that three quarters of its 16
/// parts reach; the strength is what an eighth of the rows reach, so that a railing or a horizon, strong but few rows,
/// counts for nothing.
fn stripes(luma: &Plane<'_>, range: Range, features: &mut Features) {
    const PARTS: usize = 16;
    // Averaged to a fixed size first, so that figures do not depend on the resolution.
    let mut small = Vec::new();
    let (width, height) = (PARTS, 270.min(luma.height));
    resize(luma, width, height, &mut small);
    let rows: Vec<&[u8]> = small.chunks_exact(width).collect();
    features.row_stripes = stripe_strength(height, |line, part| rows[line][part]) * range.gain;
    let mut small = Vec::new();
    let (width, height) = (480.min(luma.width), PARTS);
    resize(luma, width, height, &mut small);
    features.column_stripes = stripe_strength(width, |line, part| small[part * width + line]) * range.gain;
}

fn stripe_strength(lines: usize, sample: impl Fn(usize, usize) -> u8) -> f32 {
    const PARTS: usize = 16;
    if lines < 16 {
        return 0.0;
    }
    let mut strengths: Vec<f32> = Vec::with_capacity(lines);
    for line in 2..lines - 2 {
        let mut jumps = [0i32; PARTS];
        for (part, jump) in jumps.iter_mut().enumerate() {
            let at = |offset: usize| i32::from(sample(line + offset - 2, part));
            *jump = 2 * at(2) - at(0) - at(4);
        }
        jumps.sort_unstable();
        // Most parts must jump the same way: the value that three quarters of them reach.
        let (low, high) = (jumps[PARTS / 4], jumps[PARTS - 1 - PARTS / 4]);
        let agreed = if low > 0 {
            low
        } else if high < 0 {
            -high
        } else {
            0
        };
        strengths.push(agreed as f32 / 2.0);
    }
    strengths.sort_by(|a, b| b.total_cmp(a));
    strengths[strengths.len() / 8]
}

/// Whether brightness rises from each cell of an 8×8 reduction to the next to its right (difference hash, Krawetz 2013).
fn hash(luma: &[u16]) -> u64 {
    let cell = |row: usize, column: usize| -> u32 {
        let rows = row * GRID_ROWS / 8..(row + 1) * GRID_ROWS / 8;
        let columns = column * GRID_COLUMNS / 9..(column + 1) * GRID_COLUMNS / 9;
        let (mut sum, mut count) = (0u32, 0u32);
        for y in rows {
            for x in columns.clone() {
                sum += u32::from(luma[y * GRID_COLUMNS + x]);
                count += 1;
            }
        }
        sum / count.max(1)
    };
    let mut bits = 0u64;
    for row in 0..8 {
        for column in 0..8 {
            bits = (bits << 1) | u64::from(cell(row, column) < cell(row, column + 1));
        }
    }
    bits
}
