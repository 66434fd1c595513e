//! The skyline above the scene: clouds, hills and masts that only one camera has.

use super::{Light, Picture, far_woods, rgb, sky_top};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) fn paint(picture: &mut Picture, light: Light, own: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(own);
    let (width, height) = (picture.width as f32, picture.height as f32);
    let horizon = light.on(match light {
        Light::Day => rgb(196, 214, 226),
        Light::Dusk => rgb(255, 196, 140),
        Light::Infrared => rgb(62, 62, 62),
    });
    picture.gradient(0.0, height, sky_top(light), horizon);
    if light != Light::Infrared {
        let cloud = light.on(rgb(226, 230, 236));
        for _ in 0..random.random_range(3..8) {
            let (x, y) = (random.random_range(0.0..width), random.random_range(0.1..0.5) * height);
            for _ in 0..5 {
                let (dx, r) = (random.random_range(-0.05..0.05) * width, random.random_range(0.012..0.035) * width);
                picture.ellipse(x + dx, y + random.random_range(-0.06..0.06) * height, r, r * 0.22, cloud);
            }
        }
    }
    // Ranges of hills, the farther the paler.
    for range in 0..3u8 {
        let near = f32::from(range + 1) / 3.0;
        let colour = horizon.mix(light.on(rgb(78, 104, 98)), 0.35 + near * 0.5);
        let waves: Vec<(f32, f32, f32)> = (0..5u8)
            .map(|i| {
                let fine = f32::from(i + 1);
                (random.random_range(0.5..1.6) * fine, random.random_range(0.0..6.3), 1.0 / fine)
            })
            .collect();
        let base = 0.42 + near * 0.24 + random.random_range(-0.06..0.06);
        let tops: Vec<usize> = (0..picture.width)
            .map(|x| {
                let at = x as f32 / width * 6.3;
                let wave: f32 = waves.iter().map(|(f, phase, size)| (at * f + phase).sin() * size).sum();
                ((base - wave * 0.075) * height).max(0.0) as usize
            })
            .collect();
        hills(picture, &tops, colour);
    }
    let steel = light.on(rgb(72, 76, 80));
    for _ in 0..random.random_range(1..4) {
        let (x, tall) = (random.random_range(0.02..0.98) * width, random.random_range(0.35..0.6) * height);
        let thick = (width / 640.0).max(1.0);
        picture.rect(x, height - tall, thick, tall, steel);
        for arm in 0..3u8 {
            let y = height - tall + f32::from(arm) * tall * 0.12;
            picture.rect(x - tall * 0.14, y, tall * 0.28 + thick, thick, steel);
        }
    }
    // The far houses of this place.
    for _ in 0..random.random_range(2..7) {
        let (x, w) = (random.random_range(0.0..width), random.random_range(0.012..0.03) * width);
        let h = random.random_range(0.10..0.2) * height;
        let wall = light.on(rgb(random.random_range(150..220), random.random_range(150..210), 180));
        picture.rect(x, height * 0.92 - h, w, h, wall);
        let roof = light.on(rgb(120, 72, 60));
        let eaves = height * 0.92 - h;
        picture.polygon(&[(x - w * 0.1, eaves), (x + w * 0.5, eaves - h * 0.5), (x + w * 1.1, eaves)], roof);
    }
    let woods = far_woods(light);
    for i in 0..64u8 {
        let x = (f32::from(i) + random.random_range(0.0..1.0)) * width / 64.0;
        picture.ellipse(x, height, width / 70.0, random.random_range(0.08..0.2) * height, woods);
    }
    picture.rect(0.0, height * 0.94, width, height * 0.06 + 1.0, woods);
}

/// Fills each column from its top down.
fn hills(picture: &mut Picture, tops: &[usize], colour: super::Yuv) {
    let half = picture.width / 2;
    for row in tops.iter().copied().min().unwrap_or(0)..picture.height {
        let samples = &mut picture.y[row * picture.width..(row + 1) * picture.width];
        for (sample, _) in samples.iter_mut().zip(tops).filter(|(_, top)| **top <= row) {
            *sample = colour.0;
        }
        if row.is_multiple_of(2) {
            for at in (0..half).filter(|at| tops[at * 2] <= row) {
                picture.u[row / 2 * half + at] = colour.1;
                picture.v[row / 2 * half + at] = colour.2;
            }
        }
    }
}
