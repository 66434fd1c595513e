//! The fault generator: what a fault does to a good picture, in three severities. The clock and the name are burned in
//! afterwards and stay sharp, as cameras do it.
//!
//! | class | slight, middle, severe |
//! |---|---|
//! | black | lens cap (luma 16 to 24 with the sensor's noise), no light at all, a plain blue or grey screen of a lost signal |
//! | too dark | exposed to a mean luma of 21, 14, 7 of 255 |
//! | too bright | overexposed to a mean luma of 228, 236, 245 of 255, clipped |
//! | blurred | Gaussian of 0.4 %, 0.6 %, 1.2 % of the width |
//! | covered | something near and out of focus, dark or bright, before 55 %, 75 %, all of the picture |
//! | frozen | the same coded picture; the burned-in clock stands still, or runs on (from middle) |
//! | colour cast | chroma shifted by 18, 28, 42 in any direction |
//! | noise | Gaussian of 12, 20, 34 luma steps, or snow (single samples black or white) on 3, 8, 20 % |
//! | stripes | bars of 14, 26, 50 luma steps, level or upright; or 30, 50, 80 % of the blocks torn |
//! | moved | the camera looks 15 %, 35 % of the width aside, or at another place |

use crate::frame::{Frame, HEIGHT, WIDTH};
use fleet::Cause;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How strong a fault is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Severity {
    Slight,
    Middle,
    Severe,
}

impl Severity {
    pub(crate) const ALL: [Severity; 3] = [Severity::Slight, Severity::Middle, Severity::Severe];

    pub(crate) fn of<T: Copy>(self, [slight, middle, severe]: [T; 3]) -> T {
        match self {
            Severity::Slight => slight,
            Severity::Middle => middle,
            Severity::Severe => severe,
        }
    }
}

/// Classes that change one picture by itself.
pub(crate) const OF_ONE_PICTURE: [Cause; 8] = [
    Cause::PictureBlack,
    Cause::PictureTooDark,
    Cause::PictureTooBright,
    Cause::PictureBlurred,
    Cause::PictureCovered,
    Cause::PictureColourCast,
    Cause::PictureNoise,
    Cause::PictureStripes,
];

/// Does the fault to a picture. `case` fixes its kind, place and direction, `n` is the picture's number.
pub(crate) fn apply(cause: Cause, severity: Severity, frame: &mut Frame, case: u64, n: u64) {
    let mut kind = ChaCha8Rng::seed_from_u64(case);
    let chance: f32 = kind.random();
    match cause {
        Cause::PictureBlack => match severity {
            Severity::Slight => {
                *frame = Frame::plain(16 + (chance * 8.0) as u8, 128, 128);
                frame.grain(1.0, case ^ n);
            }
            Severity::Middle => *frame = Frame::plain(16, 128, 128),
            Severity::Severe if chance < 0.5 => *frame = Frame::plain(50, 210, 110),
            Severity::Severe => *frame = Frame::plain(126, 128, 128),
        },
        Cause::PictureTooDark => {
            expose(frame, severity.of([21.0, 14.0, 7.0]));
            frame.grain(1.2, case ^ n << 8);
        }
        Cause::PictureTooBright => expose(frame, severity.of([228.0, 236.0, 245.0])),
        Cause::PictureBlurred => {
            frame.blur(severity.of([0.004, 0.006, 0.012]) * WIDTH as f32);
            frame.grain(1.0, case ^ n << 8);
        }
        Cause::PictureCovered => cover(frame, severity.of([0.55, 0.75, 1.2]), &mut kind, case ^ n << 8),
        Cause::PictureColourCast => {
            let (length, angle) = (severity.of([18.0, 28.0, 42.0f32]), chance * std::f32::consts::TAU);
            // Dark parts take less of it.
            for (at, (u, v)) in frame.u.iter_mut().zip(&mut frame.v).enumerate() {
                let y = frame.y[at / (WIDTH / 2) * 2 * WIDTH + at % (WIDTH / 2) * 2];
                let share = (f32::from(y) / 90.0).min(1.0);
                *u = (f32::from(*u) + angle.cos() * length * share).clamp(16.0, 240.0) as u8;
                *v = (f32::from(*v) + angle.sin() * length * share).clamp(16.0, 240.0) as u8;
            }
        }
        Cause::PictureNoise if chance < 0.6 => frame.grain(severity.of([12.0, 20.0, 34.0]), case ^ n << 8),
        Cause::PictureNoise => snow(frame, severity.of([0.03, 0.08, 0.2]), case ^ n << 8),
        Cause::PictureStripes if chance < 0.35 => torn(frame, severity.of([0.3, 0.5, 0.8]), case ^ n << 8),
        Cause::PictureStripes => bars(frame, severity.of([14.0, 26.0, 50.0]), chance < 0.75, n, &mut kind),
        _ => unreachable!("only classes of one picture are asked for"),
    }
}

/// Changes the exposure until the mean luma (full range) is `goal`; what is too bright is clipped.
fn expose(frame: &mut Frame, goal: f32) {
    let (mut low, mut high) = (0.0f32, 60.0f32);
    let exposed = |frame: &Frame, gain: f32| {
        let mut next = frame.clone();
        next.light(|y| (16.0 + (y - 16.0).max(0.0) * gain).min(235.0));
        next
    };
    // Pictures without any light in parts cannot become bright by gain alone: a veil helps.
    if goal > 128.0 {
        frame.light(|y| y + 24.0);
    }
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        if exposed(frame, middle).mean() < goal {
            low = middle;
        } else {
            high = middle;
        }
    }
    *frame = exposed(frame, high);
    frame.colour(if goal > 128.0 { 0.5 } else { high.clamp(0.15, 1.0) });
}

/// A hand, a bag, a leaf, a sheet right before the lens: without texture, soft at its edge, before `share` of the width.
fn cover(frame: &mut Frame, share: f32, kind: &mut ChaCha8Rng, seed: u64) {
    let bright = kind.random_bool(0.2);
    let luma: f32 = if bright { kind.random_range(120.0..165.0) } else { kind.random_range(24.0..75.0) };
    let grey = frame.u.iter().all(|&u| u == 128);
    let tint = if grey { (128, 128) } else { (kind.random_range(112..128), kind.random_range(128..146)) };
    let (from_left, tilt) = (kind.random_bool(0.5), kind.random_range(-0.15..0.15f32));
    for row in 0..HEIGHT {
        let edge = share + (row as f32 / HEIGHT as f32 - 0.5) * tilt;
        for column in 0..WIDTH {
            let x = if from_left { column as f32 } else { (WIDTH - column) as f32 } / WIDTH as f32;
            let here = ((edge - x) * 16.0 + 0.5).clamp(0.0, 1.0);
            if here > 0.0 {
                let shade = luma + 14.0 * x + 8.0 * (row as f32 / HEIGHT as f32);
                frame.mix(column, row, (shade as u8, tint.0, tint.1), here);
            }
        }
    }
    frame.grain(if bright { 1.0 } else { 1.6 }, seed);
}

fn snow(frame: &mut Frame, share: f32, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..(share * frame.y.len() as f32) as usize {
        let at = random.next_u64() as usize;
        let row_length = 1 + at % 2;
        let start = (at >> 8) % (frame.y.len() - 2);
        frame.y[start..start + row_length].fill(if at & 128 == 0 { 16 } else { 235 });
    }
}

/// Bars of a bad power supply or cable, which roll from picture to picture.
fn bars(frame: &mut Frame, strength: f32, level: bool, n: u64, kind: &mut ChaCha8Rng) {
    let period = kind.random_range(10..36);
    let speed = kind.random_range(1..9);
    let length = if level { HEIGHT } else { WIDTH };
    for line in 0..length {
        let up = (line + n as usize * speed) % period < period / 2;
        let step = if up { strength / 2.0 } else { -strength / 2.0 };
        let change = |y: &mut u8| *y = (f32::from(*y) + step).clamp(16.0, 235.0) as u8;
        if level {
            frame.y[line * WIDTH..(line + 1) * WIDTH].iter_mut().for_each(change);
        } else {
            frame.y.iter_mut().skip(line).step_by(WIDTH).for_each(change);
        }
    }
}

/// A damaged bitstream: from some block on, blocks show what belongs elsewhere, or one colour.
fn torn(frame: &mut Frame, share: f32, seed: u64) {
    const BLOCK: usize = 16;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (columns, rows) = (WIDTH / BLOCK, HEIGHT / BLOCK);
    let first = ((1.0 - share) * (columns * rows) as f32) as usize;
    let whole = frame.clone();
    let mut source = random.random_range(0..columns * rows);
    for block in first..columns * rows {
        if random.random_bool(0.4) {
            source = random.random_range(0..columns * rows);
        }
        let step: i32 = random.random_range(-40..40);
        let (x, y) = (block % columns * BLOCK, block / columns * BLOCK);
        let (from_x, from_y) = (source % columns * BLOCK, source / columns * BLOCK);
        for row in 0..BLOCK {
            for column in 0..BLOCK {
                let sample = i32::from(whole.y[(from_y + row) * WIDTH + from_x + column]) + step;
                frame.y[(y + row) * WIDTH + x + column] = sample.clamp(16, 235) as u8;
            }
        }
    }
}
