//! A camera that looks at a place: light by the hour, weather, whatever moves, the sensor. Everything here is as it
//! should be: what this draws is no fault.

use crate::frame::{Frame, HEIGHT, WIDTH};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::OnceLock;

/// What a picture is taken in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Condition {
    Day,
    /// Shadows with hard edges that move with the sun.
    Shadows,
    Overcast,
    Dusk,
    /// Under the camera's own infrared lamp: grey.
    Infrared,
    Fog,
    Rain,
    Snow,
    Wind,
    /// Vehicles that come towards the camera at night.
    Headlights,
    /// Insects before the lens at night.
    Insects,
    /// Rain under the infrared lamp: bright streaks.
    RainAtNight,
    /// A night in colour: street lamps, and a sensor that needs no infrared.
    StreetLit,
    /// A day so grey that hardly any colour is left.
    GreyDay,
}

impl Condition {
    pub(crate) const ALL: [Condition; 14] = [
        Condition::Day,
        Condition::Shadows,
        Condition::Overcast,
        Condition::Dusk,
        Condition::Infrared,
        Condition::Fog,
        Condition::Rain,
        Condition::Snow,
        Condition::Wind,
        Condition::Headlights,
        Condition::Insects,
        Condition::RainAtNight,
        Condition::StreetLit,
        Condition::GreyDay,
    ];

    pub(crate) fn is_night(self) -> bool {
        self.is_infrared() || self == Condition::StreetLit
    }

    fn is_infrared(self) -> bool {
        matches!(self, Condition::Infrared | Condition::Headlights | Condition::Insects | Condition::RainAtNight)
    }

    /// By the clock, and by a weather that lasts hours and follows from the camera and the day. Every fourth camera sees
    /// its nights in colour.
    pub(crate) fn at(camera: u64, minute: u64) -> Condition {
        let (day, hour) = (minute / 1440, minute % 1440 / 60);
        let mut weather = ChaCha8Rng::seed_from_u64(camera << 20 | day << 4 | (hour / 4));
        let chance: f32 = weather.random();
        match hour {
            6..=16 => match chance {
                0.0..0.30 => Condition::Day,
                0.30..0.48 => Condition::Shadows,
                0.48..0.62 => Condition::Overcast,
                0.62..0.74 => Condition::Wind,
                0.74..0.86 => Condition::Rain,
                0.86..0.92 => Condition::Fog,
                0.92..0.96 => Condition::GreyDay,
                _ => Condition::Snow,
            },
            17 | 18 => Condition::Dusk,
            _ if camera.is_multiple_of(4) => Condition::StreetLit,
            _ => match chance {
                0.0..0.45 => Condition::Infrared,
                0.45..0.70 => Condition::Headlights,
                0.70..0.85 => Condition::Insects,
                _ => Condition::RainAtNight,
            },
        }
    }
}

/// The picture of a place in the course of its days. On top of [`picture`]: light that changes by the hour and with the
/// clouds, automatic exposure, what is parked for hours, a pole that gives in the wind.
pub(crate) fn life(still: &Frame, camera: u64, second: u64) -> Frame {
    let condition = Condition::at(camera, second / 60);
    let mut frame = still.clone();
    parked(&mut frame, camera, second);
    if condition.is_infrared() {
        let mut lamp = ChaCha8Rng::seed_from_u64((camera << 24) ^ (second / 7200) ^ 0x1a);
        let gain = lamp.random_range(0.75..1.1);
        frame.light(|y| 16.0 + (y - 16.0) * gain);
    } else if !condition.is_night() {
        daylight(&mut frame, condition, camera, second);
    }
    give(&mut frame, condition, camera, second);
    picture(&frame, condition, camera, second)
}

/// Vehicles, stalls and heaps that stand for two hours.
fn parked(frame: &mut Frame, camera: u64, second: u64) {
    let mut random = ChaCha8Rng::seed_from_u64((camera << 28) ^ (second / 7200) ^ 0x9a);
    for _ in 0..random.random_range(0..4) {
        let (x, y) = (random.random_range(-30..WIDTH as i32), random.random_range(150..340));
        let (w, h) = (random.random_range(30..110), random.random_range(20..60));
        let paint = (random.random_range(35..215), random.random_range(100..156), random.random_range(100..156));
        frame.rectangle(x, y - h, w, h, paint, 1.0);
        frame.rectangle(x + w / 6, y - h * 4 / 3, w * 2 / 3, h / 3, (60, 130, 126), 1.0);
        frame.rectangle(x, y, w, 4, (30, 128, 128), 0.7);
    }
}

/// Light from another side every hour, shadows of clouds that move on, and what the camera makes of it: its exposure
/// follows, its curve lifts or lowers what is dark.
fn daylight(frame: &mut Frame, condition: Condition, camera: u64, second: u64) {
    let hour = second as f32 / 3600.0 % 24.0;
    let mut block = ChaCha8Rng::seed_from_u64((camera << 26) ^ (second / 5400) ^ 0x3c);
    let (curve, cover): (f32, f32) = (block.random_range(0.65..1.5), block.random_range(0.0..0.5));
    let exposure: f32 = block.random_range(0.8..1.1) * ((hour - 5.0) / 3.0).min((19.5 - hour) / 3.0).clamp(0.6, 1.0);
    let table: [u8; 256] = std::array::from_fn(|y| {
        let y = ((y as f32 - 16.0) / 219.0).clamp(0.0, 1.0).powf(curve);
        (16.0 + y * exposure * 219.0).clamp(16.0, 235.0) as u8
    });
    // Where the sky is covered there are no shadows of single clouds, nor a side the light comes from.
    let clear = matches!(condition, Condition::Day | Condition::Wind | Condition::Shadows);
    let (cover, side) = if clear { (cover, (12.0 - hour) * 0.05) } else { (cover * 0.3, 0.0) };
    let (t, phase) = (second as f32, (camera % 17) as f32);
    let gain = |x: f32, y: f32| {
        let cloud =
            (x / 150.0 + t / 700.0 + phase).sin() + (y / 110.0 - t / 900.0).sin() + ((x + y) / 220.0 + t / 400.0).sin();
        let here = ((cloud + 0.6) / 1.6).clamp(0.0, 1.0);
        (1.0 - cover * here * here * (3.0 - 2.0 * here)) * (1.0 + side * (x - 320.0) / 320.0)
    };
    const KNOT: usize = 40;
    for (row, line) in frame.y.chunks_exact_mut(WIDTH).enumerate() {
        let mut left = gain(0.0, row as f32);
        for (knot, piece) in line.chunks_exact_mut(KNOT).enumerate() {
            let right = gain(((knot + 1) * KNOT) as f32, row as f32);
            let step = (right - left) / KNOT as f32;
            let mut here = left;
            for y in piece {
                *y = (16.5 + (f32::from(table[usize::from(*y)]) - 16.0) * here).min(235.0) as u8;
                here += step;
            }
            left = right;
        }
    }
}

/// The pole gives a little: in wind in most pictures, else now and then.
fn give(frame: &mut Frame, condition: Condition, camera: u64, second: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(camera << 30 ^ second ^ 0x77);
    if random.random_bool(if condition == Condition::Wind { 0.7 } else { 0.2 }) {
        let (right, down) = (random.random_range(0..3usize), random.random_range(0..3usize));
        frame.y.rotate_right(down * WIDTH + right);
        for plane in [&mut frame.u, &mut frame.v] {
            plane.rotate_right(down / 2 * (WIDTH / 2) + right / 2);
        }
    }
}

/// The picture of a place at an instant. `still` is the place by day; `camera` and `second` make it one of a kind.
pub(crate) fn picture(still: &Frame, condition: Condition, camera: u64, second: u64) -> Frame {
    let mut random = ChaCha8Rng::seed_from_u64(camera.wrapping_mul(0x9e37_79b9) ^ second << 8 ^ 0x51);
    let mut frame = still.clone();
    if condition == Condition::Wind {
        sway(&mut frame, second);
    }
    movers(&mut frame, camera, &mut random);
    let sigma = match condition {
        Condition::Shadows => {
            shadows(&mut frame, camera, second);
            1.2
        }
        Condition::Day | Condition::Wind => {
            // Thin clouds pass: the automatic exposure follows with a delay.
            let gain = random.random_range(0.9..1.06);
            frame.light(|y| 16.0 + (y - 16.0) * gain);
            1.2
        }
        Condition::Overcast => {
            frame.light(|y| 20.0 + (y - 16.0) * 0.72);
            frame.colour(0.8);
            1.6
        }
        Condition::Dusk => {
            let gain = random.random_range(0.42..0.5);
            frame.light(|y| 20.0 + (y - 16.0) * gain);
            super::frame::map(&mut frame.u, |u| 128.0 + (u - 128.0) * 0.8 - 4.0);
            super::frame::map(&mut frame.v, |v| 128.0 + (v - 128.0) * 0.8 + 5.0);
            3.0
        }
        Condition::Fog => {
            fog(&mut frame, random.random_range(0.45..0.8));
            1.4
        }
        Condition::Rain => {
            frame.light(|y| 38.0 + (y - 16.0) * 0.62);
            frame.colour(0.7);
            streaks(&mut frame, &mut random, 120, 190, 0.3);
            1.8
        }
        Condition::Snow => {
            frame.light(|y| 70.0 + (y - 16.0) * 0.55);
            frame.colour(0.5);
            flakes(&mut frame, &mut random, 260);
            1.6
        }
        Condition::StreetLit => {
            street_lamps(&mut frame, camera);
            if random.random_bool(0.15) {
                headlights(&mut frame, &mut random);
            }
            3.0
        }
        Condition::GreyDay => {
            frame.light(|y| 58.0 + (y - 16.0) * 0.6);
            frame.colour(0.1);
            1.5
        }
        Condition::Infrared | Condition::Headlights | Condition::Insects | Condition::RainAtNight => {
            infrared(&mut frame, camera);
            3.2
        }
    };
    match condition {
        Condition::Headlights => headlights(&mut frame, &mut random),
        Condition::Insects => insects(&mut frame, &mut random),
        Condition::RainAtNight => streaks(&mut frame, &mut random, 160, 225, 0.45),
        _ => {}
    }
    if condition.is_infrared() {
        frame.u.fill(128);
        frame.v.fill(128);
    }
    frame.grain(sigma * random.random_range(0.8..1.25), random.random());
    frame
}

/// People and vehicles, somewhere else in every picture.
fn movers(frame: &mut Frame, camera: u64, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(0..3) {
        let (x, y) = (random.random_range(-20..WIDTH as i32), random.random_range(170..320));
        let size = 14 + (y - 170) / 4;
        let coat = (random.random_range(30..210), random.random_range(110..150), random.random_range(110..150));
        frame.rectangle(x, y - size * 2, size * 2 / 3, size * 2, coat, 1.0);
        frame.rectangle(x + size / 5, y - size * 5 / 2, size / 3, size / 2, (150, 118, 142), 1.0);
    }
    if random.random_bool(0.25) {
        let (x, y) = (random.random_range(-100..WIDTH as i32), 230 + (camera % 5) as i32 * 14);
        let paint = (random.random_range(30..220), random.random_range(100..156), random.random_range(100..156));
        frame.rectangle(x, y - 34, 96, 34, paint, 1.0);
        frame.rectangle(x + 18, y - 54, 56, 22, (60, 130, 126), 1.0);
        frame.rectangle(x + 10, y - 6, 16, 12, (24, 128, 128), 1.0);
        frame.rectangle(x + 68, y - 6, 16, 12, (24, 128, 128), 1.0);
    }
}

/// Leaves and branches move by a few pixels: bands of the upper half are shifted.
fn sway(frame: &mut Frame, second: u64) {
    for row in 20..HEIGHT * 2 / 3 {
        let phase = row as f32 / 23.0 + second as f32 * 1.7;
        let shift = (phase.sin() * 2.4 + (phase * 0.37).sin() * 1.6).round() as i32;
        let line = &mut frame.y[row * WIDTH..(row + 1) * WIDTH];
        if shift > 0 {
            line.rotate_right(shift.unsigned_abs() as usize);
        } else {
            line.rotate_left(shift.unsigned_abs() as usize);
        }
    }
}

/// The shadow of a roof and of poles, where the sun puts them at this hour.
fn shadows(frame: &mut Frame, camera: u64, second: u64) {
    let hour = second as f32 / 3600.0 % 24.0;
    let slant = (hour - 12.0) * 0.35 + (camera % 7) as f32 * 0.1;
    let edge = 120.0 + (camera % 11) as f32 * 30.0 + (hour - 12.0) * 40.0;
    let dim = |y: &mut u8| *y = (16.0 + (f32::from(*y) - 16.0) * 0.5) as u8;
    for row in 60..HEIGHT {
        let roof = edge + (row as f32 - 180.0) * slant;
        let line = &mut frame.y[row * WIDTH..(row + 1) * WIDTH];
        line[..roof.ceil().clamp(0.0, WIDTH as f32) as usize].iter_mut().for_each(dim);
        let mut pole = roof + 170.0;
        while pole < WIDTH as f32 {
            let (from, to) = (pole.max(0.0).ceil() as usize, (pole + 16.0).clamp(0.0, WIDTH as f32) as usize);
            line[from.min(to)..to].iter_mut().for_each(dim);
            pole += 210.0;
        }
    }
}

/// Far things fade: the higher in the picture, the more (Koschmieder 1924: contrast falls with e to the distance).
fn fog(frame: &mut Frame, density: f32) {
    for row in 0..HEIGHT {
        let distance = 1.0 + 2.2 * (1.0 - row as f32 / HEIGHT as f32);
        let clear = (-density * distance).exp();
        for y in &mut frame.y[row * WIDTH..(row + 1) * WIDTH] {
            *y = (f32::from(*y) * clear + 178.0 * (1.0 - clear)) as u8;
        }
        if row.is_multiple_of(2) {
            let line = row / 2 * (WIDTH / 2)..(row / 2 + 1) * (WIDTH / 2);
            for plane in [&mut frame.u, &mut frame.v] {
                for sample in &mut plane[line.clone()] {
                    *sample = (128.0 + (f32::from(*sample) - 128.0) * clear) as u8;
                }
            }
        }
    }
}

fn streaks(frame: &mut Frame, random: &mut ChaCha8Rng, count: u32, light: u8, share: f32) {
    for _ in 0..count {
        let (x, y, length) =
            (random.random_range(0..WIDTH as i32), random.random_range(0..HEIGHT as i32), random.random_range(8..34));
        for step in 0..length {
            frame.rectangle(x + step / 7, y + step, 1, 1, (light, 128, 128), share);
        }
    }
}

fn flakes(frame: &mut Frame, random: &mut ChaCha8Rng, count: u32) {
    for _ in 0..count {
        let (x, y) = (random.random_range(0.0..WIDTH as f32), random.random_range(0.0..HEIGHT as f32));
        frame.glow(x, y, random.random_range(1.5..5.0), (232, 128, 128), 0.8);
    }
}

/// Grey, lit from the camera: bright in the middle and near, dark in the corners and far away.
fn infrared(frame: &mut Frame, camera: u64) {
    // Gain ×256, by where the lamp points.
    static LAMPS: [OnceLock<Vec<u16>>; 9] = [const { OnceLock::new() }; 9];
    let aim = camera % 9;
    let lamp = LAMPS[aim as usize].get_or_init(|| {
        let centre = 280.0 + aim as f32 * 10.0;
        let gain = |at: usize| {
            let (dx, dy) = (((at % WIDTH) as f32 - centre) / 380.0, ((at / WIDTH) as f32 - 230.0) / 260.0);
            ((0.16 + 0.62 * (-(dx * dx + dy * dy) * 0.9).exp()) * 256.0) as u16
        };
        (0..WIDTH * HEIGHT).map(gain).collect()
    });
    for (y, gain) in frame.y.iter_mut().zip(lamp) {
        *y = (18 + ((u16::from((*y).max(16) - 16) * gain) >> 8)) as u8;
    }
}

/// Sodium lamps along the road: light about each of them, all of it orange, hardly any between.
fn street_lamps(frame: &mut Frame, camera: u64) {
    let lamps: [(f32, f32); 3] = std::array::from_fn(|lamp| {
        let lamp = lamp as f32;
        (90.0 + lamp * 220.0 + (camera % 7) as f32 * 12.0, 120.0 + lamp * 40.0)
    });
    let share = |x: usize, y: usize| {
        let light = lamps.iter().map(|(lamp_x, lamp_y)| {
            let (dx, dy) = ((x as f32 - lamp_x) / 130.0, (y as f32 - lamp_y - 70.0) / 120.0);
            (-(dx * dx + dy * dy)).exp()
        });
        0.1 + 0.5 * light.fold(0.0f32, f32::max)
    };
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let y = &mut frame.y[row * WIDTH + column];
            *y = (17.0 + (f32::from(*y) - 16.0).max(0.0) * share(column, row)) as u8;
        }
    }
    super::frame::map(&mut frame.u, |u| 128.0 + (u - 128.0) * 0.4 - 20.0);
    super::frame::map(&mut frame.v, |v| 128.0 + (v - 128.0) * 0.4 + 15.0);
    for (x, y) in lamps {
        frame.glow(x, y, 9.0, (235, 112, 140), 1.0);
    }
}

fn headlights(frame: &mut Frame, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..4) {
        let (x, y) = (random.random_range(40.0..600.0), random.random_range(150.0..300.0));
        let near = (y - 130.0) / 170.0;
        for side in [-1.0, 1.0f32] {
            let lamp = x + side * 26.0 * near;
            frame.glow(lamp, y, 46.0 * near + 14.0, (220, 128, 128), 0.55);
            frame.glow(lamp, y, 9.0 * near + 4.0, (235, 128, 128), 1.0);
        }
        // Light on the road, and the automatic exposure goes down.
        frame.glow(x, y + 40.0 * near, 90.0 * near + 20.0, (170, 128, 128), 0.3);
    }
    let gain = random.random_range(0.7..1.0);
    frame.light(|y| if y > 200.0 { y } else { 16.0 + (y - 16.0) * gain });
}

fn insects(frame: &mut Frame, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..5) {
        let (mut x, mut y) = (random.random_range(0.0..WIDTH as f32), random.random_range(0.0..HEIGHT as f32));
        let (dx, dy) = (random.random_range(-9.0..9.0f32), random.random_range(-5.0..5.0f32));
        let size = random.random_range(4.0..16.0);
        for _ in 0..random.random_range(1..9) {
            frame.glow(x, y, size, (228, 128, 128), 0.5);
            x += dx;
            y += dy;
        }
    }
    // Now and then one sits on the dome.
    if random.random_bool(0.1) {
        frame.glow(
            random.random_range(0.0..WIDTH as f32),
            random.random_range(0.0..HEIGHT as f32),
            60.0,
            (205, 128, 128),
            0.85,
        );
    }
}
