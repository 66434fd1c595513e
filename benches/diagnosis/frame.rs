//! A picture in memory as a camera's encoder gets it, and the few things that are done to one.

use bytes::Bytes;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    io::Write,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Size of every picture: a camera's sub stream, which is what the service judges.
pub(crate) const WIDTH: usize = 640;
/// See [`WIDTH`].
pub(crate) const HEIGHT: usize = 360;

/// 4:2:0, BT.601, limited range.
#[derive(Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

impl Frame {
    /// One colour.
    pub(crate) fn plain(y: u8, u: u8, v: u8) -> Frame {
        Frame { y: vec![y; WIDTH * HEIGHT], u: vec![u; WIDTH * HEIGHT / 4], v: vec![v; WIDTH * HEIGHT / 4] }
    }

    /// A window of a larger picture in RGB, scaled to size by area.
    pub(crate) fn of_rgb(rgb: &image::RgbImage, window: (u32, u32, u32, u32)) -> Frame {
        let (x, y, w, h) = window;
        let view = image::imageops::crop_imm(rgb, x, y, w, h).to_image();
        let small = if w as usize > 2 * WIDTH {
            image::imageops::thumbnail(&view, WIDTH as u32, HEIGHT as u32)
        } else {
            image::imageops::resize(&view, WIDTH as u32, HEIGHT as u32, image::imageops::FilterType::CatmullRom)
        };
        let mut frame = Frame::plain(0, 128, 128);
        let mut chroma = vec![[0i32; 2]; WIDTH * HEIGHT / 4];
        for (at, pixel) in small.pixels().enumerate() {
            let [r, g, b] = pixel.0.map(i32::from);
            frame.y[at] = (16 + (66 * r + 129 * g + 25 * b + 128) / 256) as u8;
            let cell = &mut chroma[at / WIDTH / 2 * (WIDTH / 2) + at % WIDTH / 2];
            cell[0] += -38 * r - 74 * g + 112 * b;
            cell[1] += 112 * r - 94 * g - 18 * b;
        }
        for (at, [u, v]) in chroma.into_iter().enumerate() {
            frame.u[at] = (128 + u / 1024).clamp(0, 255) as u8;
            frame.v[at] = (128 + v / 1024).clamp(0, 255) as u8;
        }
        frame
    }

    /// Mean luma, full range.
    pub(crate) fn mean(&self) -> f32 {
        let sum: u64 = self.y.iter().map(|&y| u64::from(y)).sum();
        (sum as f32 / self.y.len() as f32 - 16.0) * 255.0 / 219.0
    }

    /// Changes every luma sample by a table.
    pub(crate) fn light(&mut self, to: impl Fn(f32) -> f32) {
        map(&mut self.y, to);
    }

    /// Scales colour about grey.
    pub(crate) fn colour(&mut self, share: f32) {
        map(&mut self.u, |u| 128.0 + (u - 128.0) * share);
        map(&mut self.v, |v| 128.0 + (v - 128.0) * share);
    }

    /// Gaussian blur by three box blurs (Wells 1986); `sigma` in pixels.
    pub(crate) fn blur(&mut self, sigma: f32) {
        for _ in 0..3 {
            box_blur(&mut self.y, WIDTH, sigma);
            box_blur(&mut self.u, WIDTH / 2, sigma / 2.0);
            box_blur(&mut self.v, WIDTH / 2, sigma / 2.0);
        }
    }

    /// Sensor noise of this deviation in luma steps; a third of it in colour if the picture has any.
    pub(crate) fn grain(&mut self, sigma: f32, seed: u64) {
        let pool = gaussian();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut add = |plane: &mut [u8], width: usize, sigma: f32| {
            let gain = (sigma * 64.0) as i32;
            for row in plane.chunks_exact_mut(width) {
                let start = random.next_u32() as usize % (pool.len() - width);
                for (sample, noise) in row.iter_mut().zip(&pool[start..]) {
                    let value = i32::from(*sample) * 64 * 32 + gain * i32::from(*noise);
                    *sample = ((value + 1024) >> 11).clamp(0, 255) as u8;
                }
            }
        };
        add(&mut self.y, WIDTH, sigma);
        if self.u.iter().any(|&u| u != 128) {
            add(&mut self.u, WIDTH / 2, sigma / 3.0);
            add(&mut self.v, WIDTH / 2, sigma / 3.0);
        }
    }

    /// Mixes a colour into pixels of a rectangle; whatever lies outside is cut.
    pub(crate) fn rectangle(&mut self, x: i32, y: i32, w: i32, h: i32, colour: (u8, u8, u8), share: f32) {
        let (left, right) = (x.clamp(0, WIDTH as i32) as usize, (x + w).clamp(0, WIDTH as i32) as usize);
        for row in y.clamp(0, HEIGHT as i32) as usize..(y + h).clamp(0, HEIGHT as i32) as usize {
            for column in left..right {
                self.mix(column, row, colour, share);
            }
        }
    }

    /// A soft disc: `share` of the colour in the middle, nothing at the rim.
    pub(crate) fn glow(&mut self, x: f32, y: f32, radius: f32, colour: (u8, u8, u8), share: f32) {
        let top = (y - radius).max(0.0) as usize;
        for row in top..((y + radius).max(0.0) as usize).min(HEIGHT) {
            let left = (x - radius).max(0.0) as usize;
            for column in left..((x + radius).max(0.0) as usize).min(WIDTH) {
                let distance = (column as f32 - x).hypot(row as f32 - y) / radius;
                if distance < 1.0 {
                    self.mix(column, row, colour, share * (1.0 - distance * distance));
                }
            }
        }
    }

    pub(crate) fn mix(&mut self, column: usize, row: usize, (y, u, v): (u8, u8, u8), share: f32) {
        let blend =
            |sample: &mut u8, to: u8| *sample = (f32::from(*sample) * (1.0 - share) + f32::from(to) * share) as u8;
        blend(&mut self.y[row * WIDTH + column], y);
        if row.is_multiple_of(2) && column.is_multiple_of(2) {
            let at = row / 2 * (WIDTH / 2) + column / 2;
            blend(&mut self.u[at], u);
            blend(&mut self.v[at], v);
        }
    }

    /// Burns in a clock that shows `second` and a name: after all faults, as cameras do.
    pub(crate) fn text(&mut self, second: u64, name: u64) {
        let digits = [
            second / 36_000 % 3,
            second / 3600 % 10,
            10,
            second / 600 % 6,
            second / 60 % 10,
            10,
            second / 10 % 6,
            second % 10,
        ];
        for (place, digit) in digits.into_iter().enumerate() {
            self.glyph(16 + place as i32 * 12, 8, digit + 100);
        }
        for place in 0..6 {
            self.glyph(
                540 + place * 14,
                336,
                name.wrapping_mul(31).wrapping_add(place.unsigned_abs().into()) % 97 + 200,
            );
        }
    }

    /// A character of five by seven dots; which dots follows from its number.
    fn glyph(&mut self, x: i32, y: i32, number: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let dots = random.next_u64();
        for dot in 0..35 {
            let (dx, dy) = (dot % 5 * 2, dot / 5 * 2);
            self.rectangle(x + dx - 1, y + dy - 1, 4, 4, (16, 128, 128), if dots >> dot & 1 == 1 { 0.7 } else { 0.0 });
        }
        for dot in 0..35 {
            let (dx, dy) = (dot % 5 * 2, dot / 5 * 2);
            if dots >> dot & 1 == 1 {
                self.rectangle(x + dx, y + dy, 2, 2, (235, 128, 128), 1.0);
            }
        }
    }
}

/// Gaussian numbers ×32.
fn gaussian() -> &'static [i16] {
    static POOL: OnceLock<Vec<i16>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut normal = || {
            // Box and Muller 1958.
            let (a, b): (f32, f32) = (random.random_range(1e-6..1.0), random.random());
            (-2.0 * a.ln()).sqrt() * (b * std::f32::consts::TAU).cos()
        };
        (0..1 << 17).map(|_| (normal() * 32.0).clamp(-160.0, 160.0) as i16).collect()
    })
}

pub(crate) fn map(samples: &mut [u8], to: impl Fn(f32) -> f32) {
    let table: [u8; 256] = std::array::from_fn(|value| to(value as f32).round().clamp(0.0, 255.0) as u8);
    for sample in samples {
        *sample = table[usize::from(*sample)];
    }
}

/// One of the three box blurs that make a Gaussian of `sigma`; the box has a fractional edge.
fn box_blur(samples: &mut [u8], width: usize, sigma: f32) {
    let height = samples.len() / width;
    // Three boxes of half width r have the variance of r·(r+1).
    let half = (((1.0 + 4.0 * sigma * sigma).sqrt() - 1.0) / 2.0).max(0.0);
    let (whole, part) = (half as usize, half.fract());
    if half < 0.02 {
        return;
    }
    let scale = 1.0 / (2.0 * half + 1.0);
    let mut old = vec![0f32; width.max(height)];
    let mut pass = |samples: &mut [u8], start: usize, step: usize, count: usize| {
        for i in 0..count {
            old[i] = f32::from(samples[start + i * step]);
        }
        let at = |i: isize| old[i.clamp(0, count as isize - 1) as usize];
        let reach = whole as isize;
        let mut sum: f32 = (-reach..=reach).map(at).sum();
        for i in 0..count as isize {
            let value = sum + part * (at(i - reach - 1) + at(i + reach + 1));
            samples[start + i as usize * step] = (value * scale + 0.5) as u8;
            sum += at(i + reach + 1) - at(i - reach);
        }
    };
    for row in 0..height {
        pass(samples, row * width, 1, width);
    }
    for column in 0..width {
        pass(samples, column, width, height);
    }
}

/// Every frame as an H.264 keyframe of its own, at about the quality of a camera's sub stream. Blocks.
pub(crate) fn coded(frames: impl Iterator<Item = Frame> + Send) -> Vec<Bytes> {
    let mut frames = frames.peekable();
    if frames.peek().is_none() {
        return Vec::new();
    }
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut encoder = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", "1", "-i", "-"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-crf", "25", "-g", "1", "-threads", "1"])
        .args(["-x264-params", "aud=1:repeat-headers=1", "-f", "h264", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the ffmpeg program is installed");
    let mut input = encoder.stdin.take().expect("it was asked for");
    let (stream, count) = std::thread::scope(|scope| {
        let sent = scope.spawn(move || {
            let mut count = 0;
            for frame in frames {
                for plane in [&frame.y, &frame.u, &frame.v] {
                    input.write_all(plane).expect("ffmpeg takes every picture");
                }
                count += 1;
            }
            count
        });
        let stream = encoder.wait_with_output().expect("ffmpeg runs").stdout;
        (stream, sent.join().expect("every picture was drawn"))
    });
    let starts: Vec<usize> =
        stream.windows(5).enumerate().filter(|(_, w)| *w == [0, 0, 0, 1, 9]).map(|(at, _)| at).collect();
    assert_eq!(starts.len(), count, "ffmpeg coded every picture");
    let end = |i: usize| starts.get(i + 1).copied().unwrap_or(stream.len());
    starts.iter().enumerate().map(|(i, &start)| Bytes::copy_from_slice(&stream[start..end(i)])).collect()
}
