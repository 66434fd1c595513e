//! Measures a decoded picture. Pure arithmetic over its planes; judges nothing.
//!
//! Luma is stretched to full range in the results, so that figures of all cameras compare. Full-size luma is read
//! once for sums and checksums, few of its rows for noise, and once for a half-size copy; all else works on
//! sums.

mod grain;
mod half;
mod small;

use crate::{
    Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS,
    planes::{Plane, Planes},
};
use multiversion::multiversion;
use small::Small;

/// Everything in [`Features`]. What goes over many samples exists twice, for processors with AVX2 and for all others; the
/// program takes what the processor can.
pub(crate) fn features(planes: &Planes<'_>) -> Features {
    let range =
        if planes.full_range { Range { black: 0.0, gain: 1.0 } } else { Range { black: 16.0, gain: 255.0 / 219.0 } };
    let luma = &planes.luma;
    let mut features = Features { width: luma.width as u16, height: luma.height as u16, ..Features::default() };
    let small = Small::of(luma);
    let means = small.grid();
    features.luma = means.iter().map(|mean| (range.luma(*mean) * 256.0) as u16).collect();
    features.checks = checks(luma);
    histogram(&small.samples(), range, &mut features);
    chroma(planes, &mut features);
    half::measure(luma, range, &mut features);
    grain::noise(luma, range, &means, &mut features);
    grain::blockiness(luma, range, &mut features);
    small.stripes(range.gain, &mut features);
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

/// Checksum of every cell at full size.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
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
#[inline(always)]
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

#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn chroma(planes: &Planes<'_>, features: &mut Features) {
    features.tint = vec![[0; 2]; GRID_CELLS];
    let Some(chroma) = &planes.chroma else { return };
    let gain = if planes.full_range { 1.0 } else { 255.0 / 224.0 };
    let mut small = [Vec::new(), Vec::new()];
    for (index, plane) in chroma.iter().enumerate() {
        // Every few rows and columns will do: chroma is smooth, and only means are wanted.
        let (down, across) = ((plane.height / 90).max(1), (plane.width / 160).max(1));
        let columns = plane.width.div_ceil(across);
        // The first column of each cell, and the end.
        let first = |cell: usize| (cell * columns).div_ceil(GRID_COLUMNS);
        let firsts: Vec<usize> = (0..=GRID_COLUMNS).map(first).collect();
        let mut cells = vec![(0i32, 0u32); GRID_CELLS];
        for (line, y) in (0..plane.height).step_by(down).enumerate() {
            let start = small[index].len();
            small[index].resize(start + columns, 0);
            let samples = &mut small[index][start..];
            for (small, samples) in samples.iter_mut().zip(plane.row(y).chunks(across)) {
                *small = i16::from(samples[0]) - 128;
            }
            let row = line * GRID_ROWS / plane.height.div_ceil(down);
            for (cell, ends) in cells[row * GRID_COLUMNS..].iter_mut().zip(firsts.windows(2)) {
                for &sample in &samples[ends[0]..ends[1]] {
                    cell.0 += i32::from(sample);
                }
                cell.1 += (ends[1] - ends[0]) as u32;
            }
        }
        for (tint, (sum, count)) in features.tint.iter_mut().zip(cells) {
            tint[index] = (sum as f32 * gain / count.max(1) as f32).round().clamp(-128.0, 127.0) as i8;
        }
        // Fewer than 180 lines of 320 samples: the sums of their squares fit.
        let count = small[index].len().max(1) as f64;
        let sum: i32 = small[index].iter().map(|&s| i32::from(s)).sum();
        let squares: u32 = small[index].iter().map(|&s| i32::from(s).pow(2).cast_unsigned()).sum();
        let mean = f64::from(sum) / count;
        features.chroma[index] = mean as f32 * gain;
        features.chroma_deviation[index] = (f64::from(squares) / count - mean * mean).max(0.0).sqrt() as f32 * gain;
    }
    let count = small[0].len().min(small[1].len()).max(1) as f32;
    // Eight sums side by side.
    let mut lengths = [0.0f32; 8];
    for (blue, red) in small[0].chunks(8).zip(small[1].chunks(8)) {
        for ((length, &b), &r) in lengths.iter_mut().zip(blue).zip(red) {
            *length += ((i32::from(b).pow(2) + i32::from(r).pow(2)) as f32).sqrt();
        }
    }
    features.saturation = lengths.iter().sum::<f32>() * gain / count;
}

/// A figure of a cell as it is kept: eighths of a luma step, at most 255 of them.
fn eighths(value: f32) -> u8 {
    (value * 8.0).round().clamp(0.0, 255.0) as u8
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
            let lengths = [f.luma.len(), f.edges.len(), f.detail.len(), f.grain.len(), f.blocks.len(), f.tint.len()];
            assert_eq!((lengths, f.checks.len()), ([GRID_CELLS; 6], GRID_CELLS));
            assert_eq!((f.row_marks.len(), f.column_marks.len()), (GRID_ROWS, GRID_COLUMNS));
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
    fn figures_do_not_depend_on_how_many_rows_are_read() {
        // Of large pictures fewer rows are. Waves down the picture: a row held against any but its neighbours is rougher.
        let wave = |x: usize, y: usize| {
            let chance = (x * 7919 + y * 104_729) % 31;
            (128.0 + 60.0 * (std::f32::consts::TAU * y as f32 / 24.0).sin()) as u8 + chance as u8 % 8
        };
        let mean = |cells: &[u8]| cells.iter().map(|&cell| f32::from(cell)).sum::<f32>() / cells.len() as f32;
        let small = of(640, 360, wave);
        for (width, height) in [(1280, 720), (1920, 1080), (2560, 1440)] {
            let large = of(width, height, wave);
            for (what, small, large) in [
                ("sharpness", small.sharpness, large.sharpness),
                ("noise", small.noise, large.noise),
                ("detail", mean(&small.detail), mean(&large.detail)),
                ("edges", mean(&small.edges), mean(&large.edges)),
            ] {
                assert!((large / small - 1.0).abs() < 0.06, "{what} at {width}×{height}: {large}, at 640×360 {small}");
            }
        }
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
