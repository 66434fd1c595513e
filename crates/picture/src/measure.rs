//! Measures a decoded picture. Pure arithmetic over its planes; judges nothing.
//!
//! Luma is stretched to full range in the results, so that figures of all cameras compare. Full-size luma is read
//! once for sums and checksums, an eighth of its rows for noise, and once for a half-size copy; all else works on
//! sums.

use crate::{
    Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS,
    planes::{Plane, Planes},
};

/// Rows of cells without the strips in which name and clock are burned in.
const INNER_ROWS: std::ops::Range<usize> = 3..GRID_ROWS - 3;
/// Bands and columns of the small sums: histogram, grid and stripes are made from them.
const SMALL: (usize, usize) = (320, 180);

/// Everything in [`Features`].
pub(crate) fn features(planes: &Planes<'_>) -> Features {
    let range =
        if planes.full_range { Range { black: 0.0, gain: 1.0 } } else { Range { black: 16.0, gain: 255.0 / 219.0 } };
    let luma = &planes.luma;
    let mut features = Features::default();
    let small = Small::of(luma);
    let means = small.grid();
    features.luma = means.iter().map(|mean| (range.luma(*mean) * 256.0) as u16).collect();
    features.checks = checks(luma);
    histogram(&small.samples(), range, &mut features);
    chroma(planes, &mut features);
    half_size(luma, range, &mut features);
    features.noise = noise(luma, range, &means);
    features.blockiness = blockiness(luma, range);
    features.row_stripes = small.row_stripes() * range.gain;
    features.column_stripes = small.column_stripes() * range.gain;
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

/// Cell borders along one side, the last one included. In a table: a division for each cell and row would cost as
/// much as reading its samples.
fn borders(length: usize, cells: usize) -> impl Fn(usize) -> usize {
    let table: Vec<usize> = (0..=cells).map(|i| i * length / cells).collect();
    move |i| table[i]
}

/// Mean luma ×64 of [`SMALL`] cells (fewer if the picture is smaller), and of full-width columns for the stripes.
struct Small {
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
    fn of(luma: &Plane<'_>) -> Small {
        let (width, height) = (SMALL.0.min(luma.width), SMALL.1.min(luma.height));
        let (across, down) = (borders(luma.width, width), borders(luma.height, height));
        let mut cells = Vec::with_capacity(width * height);
        let mut layers = vec![(vec![0u32; luma.width], 0u32); PARTS];
        // At most 8192 / 180 rows of 255 fit.
        let mut sums = vec![0u16; luma.width];
        for band in 0..height {
            let rows = down(band)..down(band + 1);
            let count = rows.len() as u32;
            sums.fill(0);
            for y in rows {
                for (sum, &sample) in sums.iter_mut().zip(luma.row(y)) {
                    *sum += u16::from(sample);
                }
            }
            for column in 0..width {
                let piece = &sums[across(column)..across(column + 1)];
                let sum: u32 = piece.iter().map(|&s| u32::from(s)).sum();
                cells.push((sum as f32 * 64.0 / (piece.len() as f32 * count as f32)) as u16);
            }
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

    fn samples(&self) -> Vec<u8> {
        self.cells.iter().map(|&cell| (cell / 64) as u8).collect()
    }

    /// Mean luma of the cells of the grid.
    fn grid(&self) -> Vec<f32> {
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

    fn row_stripes(&self) -> f32 {
        let part = borders(self.width, PARTS);
        let mean = |line: usize, index: usize| {
            let cells = &self.cells[line * self.width + part(index)..line * self.width + part(index + 1)];
            cells.iter().map(|&c| u32::from(c)).sum::<u32>() as f32 / 64.0 / cells.len().max(1) as f32
        };
        stripe_strength(self.height, mean)
    }

    fn column_stripes(&self) -> f32 {
        // Averaged to a fixed number of lines, so that figures do not depend on the resolution.
        let full = self.columns[0].len();
        let lines = SMALL.0.min(full);
        let line_of = borders(full, lines);
        let mean = |line: usize, index: usize| {
            let columns = &self.columns[index][line_of(line)..line_of(line + 1)];
            columns.iter().map(|&c| u32::from(c)).sum::<u32>() as f32 / 64.0 / columns.len().max(1) as f32
        };
        stripe_strength(lines, mean)
    }
}

/// Checksum of every cell at full size.
fn checks(luma: &Plane<'_>) -> Vec<u32> {
    let (across, down) = (borders(luma.width, GRID_COLUMNS), borders(luma.height, GRID_ROWS));
    let mut checks = Vec::with_capacity(GRID_CELLS);
    for row in 0..GRID_ROWS {
        let mut states = [0xcbf2_9ce4_8422_2325u64; GRID_COLUMNS];
        for y in down(row)..down(row + 1) {
            let samples = luma.row(y);
            for (column, state) in states.iter_mut().enumerate() {
                *state = checksum(*state, &samples[across(column)..across(column + 1)]);
            }
        }
        checks.extend(states.iter().map(|state| (state ^ (state >> 32)) as u32));
    }
    checks
}

/// Folds `samples` into `state`, eight at a time (multiply and rotate, as FxHash does). Finds chance, not malice.
fn checksum(mut state: u64, samples: &[u8]) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut chunks = samples.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        state = (state.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }
    if !chunks.remainder().is_empty() {
        // The last eight again as one word: quicker than sample by sample, and nothing is left out.
        let word = match samples.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => chunks.remainder().iter().fold(0, |word, &s| (word << 8) | u64::from(s)),
        };
        state = (state.rotate_left(5) ^ word).wrapping_mul(FACTOR);
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

/// Immerkær, "Fast Noise Variance Estimation", CVIU 64(2), 1996: the mask (1 −2 1; −2 4 −2; 1 −2 1) removes
/// what is smooth or a straight edge; the mean of its absolute answer gives sigma. Every eighth row is enough.
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
fn stripe_strength(lines: usize, mean: impl Fn(usize, usize) -> f32) -> f32 {
    if lines < 16 {
        return 0.0;
    }
    let means: Vec<[f32; PARTS]> = (0..lines).map(|line| std::array::from_fn(|part| mean(line, part))).collect();
    let mut strengths: Vec<f32> = Vec::with_capacity(lines);
    for window in means.windows(5) {
        let mut jumps: [f32; PARTS] =
            std::array::from_fn(|part| window[2][part] - (window[0][part] + window[4][part]) / 2.0);
        jumps.sort_by(f32::total_cmp);
        // Most parts must jump the same way: the value that three quarters of them reach.
        let (low, high) = (jumps[PARTS / 4], jumps[PARTS - 1 - PARTS / 4]);
        strengths.push(low.max(-high).max(0.0));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: usize, height: usize, sample: impl Fn(usize, usize) -> u8) -> Features {
        let luma: Vec<u8> = (0..width * height).map(|i| sample(i % width, i / width)).collect();
        let luma = Plane::new(&luma, width, width, height).unwrap();
        features(&Planes { luma, chroma: None, full_range: true, bt709: false })
    }

    #[test]
    fn every_accepted_size_is_measured() {
        for (width, height) in [(16, 16), (17, 31), (31, 17), (100, 40), (8192, 16), (16, 8192), (333, 777)] {
            let f = of(width, height, |_, _| 100);
            assert!((f.mean - 100.0).abs() < 0.5 && f.deviation < 0.5, "{width}×{height}: {f:?}");
            assert!(f.luma.iter().all(|&cell| cell.abs_diff(100 * 256) < 256), "{width}×{height}");
            assert_eq!((f.luma.len(), f.edges.len(), f.checks.len()), (GRID_CELLS, GRID_CELLS, GRID_CELLS));
        }
    }

    #[test]
    fn figures_of_a_known_picture() {
        // Left half black, right half white, for 640×360.
        let f = of(640, 360, |x, _| if x < 320 { 0 } else { 255 });
        assert!((f.mean - 127.5).abs() < 1.0 && (f.deviation - 127.5).abs() < 1.0);
        assert_eq!((f.percentiles[1], f.percentiles[5]), (0, 255));
        assert!((f.dark - 0.5).abs() < 0.01 && (f.bright - 0.5).abs() < 0.01);
        assert!(f.flat > 0.9 && f.noise == 0.0 && f.row_stripes == 0.0);
    }

    #[test]
    fn noise_is_measured_in_luma_steps() {
        let mut state = 1u32;
        let noise: Vec<u8> = (0..640 * 360)
            .map(|_| {
                // The sum of four uniform numbers of 0 to 15 has a standard deviation of 9.2.
                let mut sum = 0;
                for _ in 0..4 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    sum += (state >> 28) as u8;
                }
                90 + sum
            })
            .collect();
        let f = of(640, 360, |x, y| noise[y * 640 + x]);
        assert!((f.noise - 9.2).abs() < 1.0, "{}", f.noise);
        assert!(f.acuity() > 8.0, "{}", f.acuity());
    }

    #[test]
    fn stripes_have_a_direction() {
        let rows = of(640, 360, |_, y| if y % 20 < 10 { 80 } else { 140 });
        assert!(rows.row_stripes > 20.0 && rows.column_stripes < 1.0, "{} {}", rows.row_stripes, rows.column_stripes);
        let columns = of(640, 360, |x, _| if x % 20 < 10 { 80 } else { 140 });
        assert!(columns.column_stripes > 20.0 && columns.row_stripes < 1.0);
        let board = of(640, 360, |x, y| if (x / 10 + y / 10) % 2 == 0 { 80 } else { 140 });
        assert!(
            board.row_stripes < 8.0 && board.column_stripes < 8.0,
            "{} {}",
            board.row_stripes,
            board.column_stripes
        );
    }

    #[test]
    fn one_changed_sample_changes_its_cell_alone() {
        let before = of(640, 360, |x, y| (x * 3 + y * 7) as u8);
        let after = of(640, 360, |x, y| ((x * 3 + y * 7) as u8) ^ u8::from((x, y) == (333, 222)));
        let differ: Vec<usize> = (0..GRID_CELLS).filter(|&i| before.checks[i] != after.checks[i]).collect();
        assert_eq!(differ, [222 / 20 * GRID_COLUMNS + 333 / 20]);
    }
}
