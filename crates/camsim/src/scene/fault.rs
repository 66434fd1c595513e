//! Picture faults, as they look behind the sensor. Text that the camera burns in later stays sharp.

use super::Picture;
use crate::Fault;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Does to picture number `n` what the fault does to it. Faults that are not of the sensor change nothing.
pub(super) fn apply(fault: Fault, picture: &mut Picture, n: u32, seed: u32) {
    match fault {
        Fault::Black => {
            picture.y.fill(16);
            picture.u.fill(128);
            picture.v.fill(128);
        }
        Fault::TooDark => {
            map(&mut picture.y, |y| 16.0 + (y - 16.0) * 0.10);
            map(&mut picture.u, |u| 128.0 + (u - 128.0) * 0.3);
            map(&mut picture.v, |v| 128.0 + (v - 128.0) * 0.3);
        }
        Fault::TooBright => {
            map(&mut picture.y, |y| 235.0 - (235.0 - y) * 0.10);
            map(&mut picture.u, |u| 128.0 + (u - 128.0) * 0.3);
            map(&mut picture.v, |v| 128.0 + (v - 128.0) * 0.3);
        }
        Fault::Blurred => {
            let radius = picture.width / 110;
            for _ in 0..2 {
                blur(&mut picture.y, picture.width, radius);
            }
        }
        Fault::Covered => covered(picture),
        Fault::ColourCast => {
            map(&mut picture.u, |u| u - 18.0);
            map(&mut picture.v, |v| v + 48.0);
        }
        Fault::Noise => noise(picture, n, seed),
        Fault::Stripes => stripes(picture, n),
        _ => {}
    }
}

fn map(samples: &mut [u8], f: impl Fn(f32) -> f32) {
    let mut table = [0u8; 256];
    for (value, to) in table.iter_mut().enumerate() {
        *to = f(value as f32).clamp(0.0, 255.0) as u8;
    }
    for sample in samples {
        *sample = table[*sample as usize];
    }
}

/// A box blur along rows, then along columns.
fn blur(samples: &mut [u8], width: usize, radius: usize) {
    if radius == 0 || width == 0 {
        return;
    }
    let height = samples.len() / width;
    let mut sums = Vec::new();
    let mut smooth = |samples: &mut [u8], start: usize, step: usize, count: usize| {
        sums.clear();
        sums.push(0u32);
        for i in 0..count {
            sums.push(sums[i] + u32::from(samples[start + i * step]));
        }
        for i in 0..count {
            let (from, to) = (i.saturating_sub(radius), (i + radius + 1).min(count));
            samples[start + i * step] = ((sums[to] - sums[from]) / (to - from) as u32) as u8;
        }
    };
    for row in 0..height {
        smooth(samples, row * width, 1, width);
    }
    for column in 0..width {
        smooth(samples, column, width, height);
    }
}

/// Something dark and smooth hangs right before the lens; a corner of the scene is left, out of focus.
fn covered(picture: &mut Picture) {
    let (width, height) = (picture.width, picture.height);
    blur(&mut picture.y, width, width / 60);
    for row in 0..height {
        for column in 0..width {
            let free = column as f32 / width as f32 - 0.93 - row as f32 / height as f32 * 0.05;
            let cover = (1.0 - free * 25.0).clamp(0.0, 1.0);
            let y = &mut picture.y[row * width + column];
            *y = (f32::from(*y) * (1.0 - cover) + (44.0 + column as f32 / width as f32 * 14.0) * cover) as u8;
        }
    }
    picture.u.fill(124);
    picture.v.fill(134);
}

/// Snow in grains of a 320th of the picture's width: fine enough for noise, coarse enough to outlive the making of the
/// sub stream, as the snow of a bad sensor or line does.
fn noise(picture: &mut Picture, n: u32, seed: u32) {
    let mut random = ChaCha8Rng::seed_from_u64(u64::from(seed) << 32 | u64::from(n));
    let mut pool = vec![0u8; 65_536];
    random.fill_bytes(&mut pool);
    let grain = (picture.width / 320).max(1);
    let chroma = (grain / 2).max(1);
    let width = picture.width;
    let planes =
        [(&mut picture.y, width, grain), (&mut picture.u, width / 2, chroma), (&mut picture.v, width / 2, chroma)];
    for (plane, width, size) in planes {
        let across = width.div_ceil(size);
        let first = random.random_range(0..pool.len());
        for (row, samples) in plane.chunks_exact_mut(width).enumerate() {
            let at = first + row / size * across;
            for (column, sample) in samples.iter_mut().enumerate() {
                let grain = i16::from(pool[(at + column / size) % pool.len()]) - 128;
                *sample = (i16::from(*sample) + grain * 3 / 4).clamp(16, 235) as u8;
            }
        }
    }
}

/// Bars that roll through the picture, as from a bad power supply.
fn stripes(picture: &mut Picture, n: u32) {
    let width = picture.width;
    let period = (picture.width / 32).max(8);
    for (row, samples) in picture.y.chunks_exact_mut(width).enumerate() {
        if (row + n as usize * 3) % period < period / 2 {
            map(samples, |y| 235.0 - (y - 16.0) * 0.45);
        }
    }
}
