//! What stands still in a scene.
//!
//! Coordinates are those of a scene of 1920×888; the topmost 24 rows are far woods, into which the skyline above runs.

use super::{Kind, Light, Picture, SceneId, Yuv, far_woods, rgb};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

pub(super) const WIDTH: f32 = 1920.0;
pub(super) const HEIGHT: f32 = 888.0;
/// Where the ground begins.
const HORIZON: f32 = 60.0;

/// Paints in scene coordinates and in the scene's light.
pub(super) struct Brush<'a> {
    pub(super) picture: &'a mut Picture,
    pub(super) light: Light,
    pub(super) scale: f32,
}

impl<'a> Brush<'a> {
    pub(super) fn new(picture: &'a mut Picture, light: Light) -> Brush<'a> {
        let scale = picture.width as f32 / WIDTH;
        Brush { picture, light, scale }
    }

    pub(super) fn rect(&mut self, x: f32, y: f32, w: f32, h: f32, colour: Yuv) {
        let k = self.scale;
        self.picture.rect(x * k, y * k, w * k, h * k, self.light.on(colour));
    }

    pub(super) fn ellipse(&mut self, x: f32, y: f32, rx: f32, ry: f32, colour: Yuv) {
        let k = self.scale;
        self.picture.ellipse(x * k, y * k, rx * k, ry * k, self.light.on(colour));
    }

    pub(super) fn polygon(&mut self, points: &[(f32, f32)], colour: Yuv) {
        let k = self.scale;
        let points: Vec<_> = points.iter().map(|(x, y)| (x * k, y * k)).collect();
        self.picture.polygon(&points, self.light.on(colour));
    }

    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Yuv) {
        let k = self.scale;
        self.picture.line((from.0 * k, from.1 * k), (to.0 * k, to.1 * k), (width * k).max(1.0), self.light.on(colour));
    }

    pub(super) fn gradient(&mut self, y: f32, h: f32, top: Yuv, bottom: Yuv) {
        let k = self.scale;
        self.picture.gradient(y * k, h * k, self.light.on(top), self.light.on(bottom));
    }
}

/// Where the road of a scene runs: its middle and half width at a height.
pub(super) fn road(id: SceneId, y: f32) -> (f32, f32) {
    let far = 700.0 + (id.0 * 173 % 520) as f32;
    let near = 860.0 + (id.0 * 97 % 260) as f32;
    let share = ((y - HORIZON) / (HEIGHT - HORIZON)).clamp(0.0, 1.2);
    (far + (near - far) * share, 14.0 + 430.0 * share)
}

pub(super) fn paint(picture: &mut Picture, id: SceneId) {
    let mut random = id.random(1);
    let light = id.light();
    let mut brush = Brush::new(picture, light);
    let b = &mut brush;
    b.gradient(0.0, HEIGHT, rgb(108, 128, 84), rgb(126, 136, 86));
    match id.kind() {
        Kind::Road => village_road(b, id, &mut random),
        Kind::Square => square(b, &mut random),
        Kind::Bridge => bridge(b, &mut random),
        Kind::School => school(b, &mut random),
        Kind::Field => field(b, &mut random),
    }
    texture(picture, &mut random);
    if light == Light::Infrared {
        lamp(picture);
    }
    // After everything else, so that skyline and scene meet in one colour.
    let (k, width) = (picture.width as f32 / WIDTH, picture.width as f32);
    picture.rect(0.0, 0.0, width, (24.0 * k).max(8.0), far_woods(light));
}

fn village_road(b: &mut Brush<'_>, id: SceneId, random: &mut ChaCha8Rng) {
    fields(b, random);
    let mut edge = |from: f32, to: f32, colour| {
        let (top, bottom) = (road(id, HORIZON), road(id, HEIGHT));
        b.polygon(
            &[
                (top.0 + top.1 * from, HORIZON),
                (top.0 + top.1 * to, HORIZON),
                (bottom.0 + bottom.1 * to, HEIGHT),
                (bottom.0 + bottom.1 * from, HEIGHT),
            ],
            colour,
        );
    };
    edge(-1.25, 1.25, rgb(150, 140, 116));
    edge(-1.0, 1.0, rgb(142, 142, 140));
    edge(-0.96, -0.92, rgb(220, 220, 214));
    edge(0.92, 0.96, rgb(220, 220, 214));
    let mut y = HORIZON + 6.0;
    while y < HEIGHT {
        let (x, half) = road(id, y);
        let long = 4.0 + half * 0.12;
        b.polygon(
            &[(x - half * 0.02, y), (x + half * 0.02, y), (x + half * 0.022, y + long), (x - half * 0.022, y + long)],
            rgb(226, 222, 200),
        );
        y += long * 2.6;
    }
    for step in [0.06, 0.14, 0.28, 0.5f32] {
        let y = HORIZON + step * (HEIGHT - HORIZON);
        let (x, half) = road(id, y);
        let size = 60.0 + 420.0 * step;
        let back = size * random.random_range(1.4..1.9);
        house(b, random, x - half * 1.5 - back, y, size);
        if random.random_bool(0.7) {
            let back = size * random.random_range(0.3..0.8);
            house(b, random, x + half * 1.5 + back, y, size);
        }
    }
    poles(b, random);
    for _ in 0..5 {
        let share = random.random_range(0.1..0.6f32);
        let y = HORIZON + share * (HEIGHT - HORIZON);
        let (x, half) = road(id, y);
        tree(b, x + half * 1.6 + random.random_range(0.0..300.0), y, 60.0 + share * 260.0);
    }
}

fn square(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    b.gradient(HORIZON + 150.0, HEIGHT, rgb(168, 162, 152), rgb(188, 182, 170));
    let middle = random.random_range(760.0..1160.0);
    for i in -14i16..=14 {
        b.line((middle + f32::from(i) * 66.0, 210.0), (middle + f32::from(i) * 260.0, HEIGHT), 3.0, rgb(144, 140, 132));
    }
    for i in 1..12u8 {
        let y = 210.0 + f32::from(i).powf(1.7) * 11.0;
        b.rect(0.0, y, WIDTH, 1.0 + f32::from(i) * 0.3, rgb(146, 142, 134));
    }
    let wide = random.random_range(780.0..1100.0);
    let left = middle - wide / 2.0;
    let wall = rgb(random.random_range(190..228), random.random_range(180..206), 176);
    b.rect(left, 40.0, wide, 190.0, wall);
    b.rect(left - 30.0, 26.0, wide + 60.0, 22.0, rgb(150, 62, 48));
    for i in 0..9u8 {
        let x = left + wide * (f32::from(i) + 0.5) / 9.0 - 22.0;
        b.rect(x, 72.0, 44.0, 52.0, rgb(70, 92, 116));
        b.rect(x, 150.0, 44.0, if i == 4 { 80.0 } else { 52.0 }, rgb(64, 84, 106));
    }
    b.rect(middle - 130.0, 128.0, 260.0, 20.0, rgb(176, 38, 34));
    let pole = left + wide + 90.0;
    b.rect(pole, 20.0, 7.0, 300.0, rgb(206, 208, 210));
    b.rect(pole + 7.0, 30.0, 62.0, 40.0, rgb(206, 30, 32));
    for side in [-1.0, 1.0f32] {
        let x = middle + side * random.random_range(640.0..760.0);
        b.rect(x - 5.0, 240.0, 10.0, 200.0, rgb(90, 92, 96));
        b.rect(x - 44.0, 220.0, 88.0, 56.0, rgb(232, 232, 230));
        for i in 0..3u8 {
            tree(b, x + side * f32::from(i) * 120.0 + 90.0, 300.0 + f32::from(i) * 20.0, 150.0);
        }
    }
    for _ in 0..4 {
        let (x, y) = (random.random_range(80.0..1840.0), random.random_range(420.0..620.0));
        b.rect(x, y, 150.0, 22.0, rgb(124, 92, 62));
        b.rect(x + 12.0, y + 22.0, 12.0, 26.0, rgb(70, 70, 72));
        b.rect(x + 126.0, y + 22.0, 12.0, 26.0, rgb(70, 70, 72));
    }
}

fn bridge(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    fields(b, random);
    b.polygon(&[(700.0, HORIZON), (1180.0, HORIZON), (2100.0, HEIGHT), (-260.0, HEIGHT)], rgb(76, 104, 112));
    for i in 0..60u8 {
        let y = HORIZON + 10.0 + f32::from(i) * 14.0;
        let reach = 240.0 + (y - HORIZON) * 1.1;
        let x = 930.0 + random.random_range(-reach..reach);
        b.rect(x, y, 30.0 + f32::from(i) * 2.0, 2.0 + f32::from(i) * 0.04, rgb(112, 138, 146));
    }
    for i in 0..5u8 {
        let x = 80.0 + f32::from(i) * 440.0;
        b.rect(x, 470.0, 70.0, 330.0, rgb(132, 130, 124));
        b.rect(x + 50.0, 470.0, 20.0, 330.0, rgb(106, 104, 100));
    }
    b.rect(0.0, 360.0, WIDTH, 120.0, rgb(152, 150, 146));
    b.rect(0.0, 466.0, WIDTH, 22.0, rgb(118, 116, 112));
    b.rect(0.0, 414.0, WIDTH, 5.0, rgb(222, 218, 196));
    let rail = rgb(random.random_range(170..214), 196, 200);
    for y in [312.0, 336.0f32] {
        b.rect(0.0, y, WIDTH, 7.0, rail);
    }
    for i in 0..49u8 {
        b.rect(f32::from(i) * 40.0, 306.0, 6.0, 58.0, rail);
    }
    for _ in 0..6 {
        let left = random.random_bool(0.5);
        let x = if left { random.random_range(0.0..480.0) } else { random.random_range(1440.0..1920.0) };
        tree(b, x, random.random_range(220.0..300.0), random.random_range(130.0..220.0));
    }
}

fn school(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    b.gradient(430.0, HEIGHT, rgb(132, 132, 132), rgb(148, 148, 146));
    b.rect(0.0, 404.0, WIDTH, 30.0, rgb(182, 178, 170));
    let brick = rgb(random.random_range(156..196), 108, 86);
    b.rect(0.0, 210.0, WIDTH, 196.0, brick);
    for row in 0..7u8 {
        b.rect(0.0, 210.0 + f32::from(row) * 28.0, WIDTH, 3.0, rgb(126, 88, 72));
    }
    b.rect(0.0, 198.0, WIDTH, 16.0, rgb(204, 198, 186));
    let gate = random.random_range(520.0..900.0);
    b.rect(gate, 200.0, 560.0, 206.0, rgb(150, 150, 150));
    let building = rgb(214, 200, random.random_range(160..190));
    b.rect(gate + 30.0, 60.0, 500.0, 330.0, building);
    for floor in 0..3u8 {
        for window in 0..8u8 {
            b.rect(
                gate + 50.0 + f32::from(window) * 60.0,
                84.0 + f32::from(floor) * 84.0,
                38.0,
                44.0,
                rgb(88, 116, 142),
            );
        }
    }
    for i in 0..24u8 {
        let x = gate + f32::from(i) * 24.0;
        b.rect(x, 300.0, 5.0, 104.0, rgb(210, 212, 214));
        b.line((x, 300.0), (x + 24.0, 400.0), 4.0, rgb(190, 192, 194));
    }
    for x in [gate - 60.0, gate + 560.0] {
        b.rect(x, 130.0, 60.0, 276.0, rgb(196, 186, 168));
        b.rect(x - 8.0, 116.0, 76.0, 18.0, rgb(160, 60, 48));
    }
    b.rect(gate - 46.0, 180.0, 32.0, 190.0, rgb(236, 232, 220));
    b.rect(gate - 340.0, 250.0, 220.0, 90.0, rgb(184, 40, 36));
    for i in 0..9u8 {
        b.rect(gate + f32::from(i) * 66.0 - 10.0, 520.0, 40.0, 250.0, rgb(228, 228, 224));
    }
    for _ in 0..4 {
        tree(b, random.random_range(0.0..gate - 400.0), 230.0, random.random_range(120.0..180.0));
        tree(b, random.random_range(gate + 680.0..1960.0), 230.0, random.random_range(120.0..180.0));
    }
}

fn field(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    fields(b, random);
    let vanish = random.random_range(500.0..1400.0);
    for i in -30i16..=30 {
        let green = if i % 2 == 0 { rgb(92, 134, 60) } else { rgb(132, 122, 78) };
        let (top, bottom) = (f32::from(i) * 16.0, f32::from(i) * 120.0);
        b.polygon(
            &[
                (vanish + top, 300.0),
                (vanish + top + 16.0, 300.0),
                (960.0 + bottom + 120.0, HEIGHT),
                (960.0 + bottom, HEIGHT),
            ],
            green,
        );
    }
    b.ellipse(random.random_range(300.0..600.0), 220.0, 260.0, 44.0, rgb(104, 138, 150));
    for i in 0..4u8 {
        let x = 1080.0 + f32::from(i) * 210.0;
        b.ellipse(x, 270.0, 96.0, 70.0, rgb(222, 228, 230));
        b.rect(x - 100.0, 270.0, 200.0, 74.0, rgb(128, 130, 84));
    }
    b.rect(0.0, 356.0, WIDTH, 46.0, rgb(158, 140, 106));
    poles(b, random);
    for _ in 0..6 {
        tree(b, random.random_range(0.0..1920.0), random.random_range(150.0..200.0), random.random_range(70.0..110.0));
    }
}

/// Patches of fields behind everything.
fn fields(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    for row in 0..6u8 {
        let (y, h) = (30.0 + f32::from(row) * 52.0, 54.0);
        let mut x = random.random_range(-200.0..0.0f32);
        while x < WIDTH {
            let wide = random.random_range(160.0..480.0);
            let green = rgb(random.random_range(96..160), random.random_range(120..158), random.random_range(56..100));
            b.polygon(&[(x, y), (x + wide, y), (x + wide + 40.0, y + h), (x - 20.0, y + h)], green);
            x += wide;
        }
    }
}

fn house(b: &mut Brush<'_>, random: &mut ChaCha8Rng, x: f32, ground: f32, size: f32) {
    let tall = size * 0.75;
    let wall = rgb(random.random_range(196..240), random.random_range(190..232), random.random_range(180..226));
    b.rect(x, ground - tall, size, tall, wall);
    b.rect(x + size * 0.82, ground - tall, size * 0.18, tall, wall.shade(0.84));
    let roof = rgb(random.random_range(96..170), random.random_range(66..96), 66);
    let eaves = ground - tall;
    b.polygon(
        &[
            (x - size * 0.08, eaves),
            (x + size * 0.14, eaves - size * 0.28),
            (x + size * 0.86, eaves - size * 0.28),
            (x + size * 1.08, eaves),
        ],
        roof,
    );
    for floor in [0.16, 0.55f32] {
        for window in [0.1, 0.55f32] {
            b.rect(x + size * window, ground - tall * (1.0 - floor), size * 0.2, tall * 0.24, rgb(80, 100, 118));
        }
    }
    b.rect(x + size * 0.36, ground - tall * 0.44, size * 0.14, tall * 0.44, rgb(134, 70, 50));
}

fn tree(b: &mut Brush<'_>, x: f32, ground: f32, size: f32) {
    b.rect(x - size * 0.05, ground - size * 0.5, size * 0.1, size * 0.5, rgb(92, 72, 52));
    for (dx, dy, r) in [(-0.2, 0.6, 0.26), (0.2, 0.62, 0.25), (0.0, 0.84, 0.28), (0.04, 0.62, 0.2f32)] {
        let green = rgb(62 + (dx * 60.0 + 14.0) as u8, 104, 56);
        b.ellipse(x + dx * size, ground - dy * size, r * size, r * size * 0.9, green);
    }
}

fn poles(b: &mut Brush<'_>, random: &mut ChaCha8Rng) {
    let mut before: Option<(f32, f32)> = None;
    let lean = random.random_range(-0.2..0.2f32);
    for i in 0..5u8 {
        let near = f32::from(i).powf(1.6) / 9.2;
        let (x, ground, tall) = (300.0 - near * 260.0 + lean * 100.0, 130.0 + near * 640.0, 90.0 + near * 560.0);
        let top = (ground - tall).max(34.0);
        b.rect(x, top, 5.0 + near * 14.0, ground - top, rgb(150, 146, 138));
        if let Some(from) = before {
            b.line(from, (x, top + 8.0), 2.0, rgb(50, 52, 54));
        }
        before = Some((x, top + 8.0));
    }
}

/// Uneven ground: without it everything would be as smooth as paper.
fn texture(picture: &mut Picture, random: &mut ChaCha8Rng) {
    let cell = (picture.width / 160).max(2);
    let across = picture.width / cell + 2;
    let mut pool = vec![0u8; across * (picture.height / cell + 2)];
    random.fill_bytes(&mut pool);
    let mut fine = vec![0u8; 16_384];
    random.fill_bytes(&mut fine);
    for row in 0..picture.height {
        // Stronger near the camera.
        let strength = 3 + (row * 9 / picture.height) as i32;
        for column in 0..picture.width {
            let coarse = i32::from(pool[row / cell * across + column / cell]) - 128;
            let detail = i32::from(fine[(row / 2 * 131 + column / 2 * 7) % fine.len()]) - 128;
            let sample = &mut picture.y[row * picture.width + column];
            *sample = (i32::from(*sample) + coarse * strength / 160 + detail * strength / 110).clamp(17, 234) as u8;
        }
    }
}

/// The camera's own lamp: bright in the middle, dark at the edges.
fn lamp(picture: &mut Picture) {
    let (width, height) = (picture.width as f32, picture.height as f32);
    for row in 0..picture.height {
        for column in 0..picture.width {
            let (dx, dy) = (column as f32 / width - 0.5, row as f32 / height - 0.62);
            let light = (1.4 - (dx * dx * 2.2 + dy * dy * 1.7) * 2.0).clamp(0.5, 1.4);
            let sample = &mut picture.y[row * picture.width + column];
            *sample = (16.0 + (f32::from(*sample) - 16.0) * light).clamp(16.0, 235.0) as u8;
        }
    }
}
