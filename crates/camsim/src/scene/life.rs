//! What moves in a scene. All motion closes after one loop, so that the loop has no seam.

use super::{
    Kind, Light, Picture, SceneId, Yuv,
    place::{Brush, HEIGHT, WIDTH, road},
    rgb,
};
use rand::Rng;
use std::f32::consts::TAU;

pub(super) struct Life {
    vehicles: Vec<Mover>,
    people: Vec<Mover>,
    trees: Vec<(f32, f32, f32, f32)>,
}

/// Something that crosses the scene once a loop.
struct Mover {
    /// Where in the loop it begins.
    phase: f32,
    lane: f32,
    colour: Yuv,
    backwards: bool,
    large: bool,
}

impl Life {
    pub(super) fn new(id: SceneId) -> Life {
        let mut random = id.random(2);
        let (vehicles, people) = match id.kind() {
            Kind::Road => (2, 2),
            Kind::Square => (1, 5),
            Kind::Bridge => (3, 1),
            Kind::School => (1, 4),
            Kind::Field => (1, 1),
        };
        let mut movers = |count: u32| -> Vec<Mover> {
            (0..count)
                .map(|i| Mover {
                    phase: i as f32 / count as f32 + random.random_range(0.0..0.2),
                    lane: random.random_range(0.0..1.0),
                    colour: rgb(
                        random.random_range(30..240),
                        random.random_range(30..200),
                        random.random_range(30..220),
                    ),
                    backwards: random.random_bool(0.5),
                    large: random.random_bool(0.3),
                })
                .collect()
        };
        let (vehicles, people) = (movers(vehicles), movers(people));
        let trees = (0..3u8)
            .map(|i| {
                let x = if i == 1 { random.random_range(1500.0..1900.0) } else { random.random_range(20.0..420.0) };
                (x, random.random_range(520.0..860.0), random.random_range(240.0..380.0), random.random_range(0.0..TAU))
            })
            .collect();
        Life { vehicles, people, trees }
    }

    /// Paints what moves at `at` (0 to 1) of the loop.
    pub(super) fn paint(&self, picture: &mut Picture, at: f32, id: SceneId) {
        let light = id.light();
        let mut brush = Brush::new(picture, light);
        for person in &self.people {
            let along = (at + person.phase).fract();
            let along = if person.backwards { 1.0 - along } else { along };
            let y = 470.0 + person.lane * 260.0;
            walker(&mut brush, -40.0 + along * (WIDTH + 80.0), y, 60.0 + (y - 400.0) * 0.32, person.colour, at);
        }
        for vehicle in &self.vehicles {
            let along = (at + vehicle.phase).fract();
            let along = if vehicle.backwards { 1.0 - along } else { along };
            if id.kind() == Kind::Road {
                oncoming(&mut brush, id, along, vehicle);
            } else {
                let (y, size) = match id.kind() {
                    Kind::Bridge => (408.0 + if vehicle.backwards { 0.0 } else { 44.0 }, 210.0),
                    Kind::Field => (392.0, 200.0),
                    Kind::Square => (400.0, 180.0),
                    _ => (600.0 + vehicle.lane * 160.0, 380.0),
                };
                passing(&mut brush, -500.0 + along * (WIDTH + 1000.0), y, size, vehicle);
            }
        }
        for &(x, ground, size, phase) in &self.trees {
            sway(&mut brush, x, ground, size, (at * TAU * 2.0 + phase).sin() + 0.4 * (at * TAU * 5.0 + phase).sin());
        }
    }
}

/// Comes along the road towards the camera, or goes away from it.
fn oncoming(b: &mut Brush<'_>, id: SceneId, along: f32, vehicle: &Mover) {
    let near = along * along * 1.15;
    let y = 84.0 + near * (HEIGHT - 60.0);
    let (middle, half) = road(id, y);
    let x = middle + half * if vehicle.backwards { 0.45 } else { -0.45 };
    let w = half * if vehicle.large { 0.72 } else { 0.56 };
    let h = w * if vehicle.large { 1.1 } else { 0.72 };
    // Nothing may reach the topmost rows.
    let top = (y - h).max(36.0);
    b.ellipse(x, y, w * 0.6, w * 0.09, rgb(60, 60, 60));
    b.rect(x - w / 2.0, top + (y - top) * 0.4, w, (y - top) * 0.5, vehicle.colour);
    b.rect(x - w * 0.4, top, w * 0.8, (y - top) * 0.45, vehicle.colour.shade(0.86));
    b.rect(x - w * 0.34, top + (y - top) * 0.08, w * 0.68, (y - top) * 0.3, rgb(60, 76, 88));
    for side in [-1.0, 1.0f32] {
        b.rect(x + side * w * 0.36 - w * 0.08, y - h * 0.16, w * 0.16, h * 0.16, rgb(30, 30, 30));
        let lamp = if vehicle.backwards { rgb(220, 40, 40) } else { rgb(255, 250, 220) };
        let r = if b.light == Light::Day { 0.05 } else { 0.1 };
        b.ellipse(x + side * w * 0.4, top + (y - top) * 0.6, w * r, w * r, lamp);
    }
}

/// Passes from side to side.
fn passing(b: &mut Brush<'_>, x: f32, y: f32, size: f32, vehicle: &Mover) {
    let h = size * if vehicle.large { 0.5 } else { 0.36 };
    b.ellipse(x + size / 2.0, y, size * 0.54, size * 0.05, rgb(64, 64, 64));
    b.rect(x, y - h * 0.62, size, h * 0.5, vehicle.colour);
    b.polygon(
        &[
            (x + size * 0.14, y - h * 0.6),
            (x + size * 0.26, y - h),
            (x + size * 0.74, y - h),
            (x + size * 0.9, y - h * 0.6),
        ],
        vehicle.colour.shade(0.9),
    );
    b.rect(x + size * 0.28, y - h * 0.92, size * 0.2, h * 0.28, rgb(64, 80, 92));
    b.rect(x + size * 0.52, y - h * 0.92, size * 0.2, h * 0.28, rgb(64, 80, 92));
    for wheel in [0.2, 0.8f32] {
        b.ellipse(x + size * wheel, y - h * 0.1, size * 0.085, size * 0.085, rgb(30, 30, 30));
        b.ellipse(x + size * wheel, y - h * 0.1, size * 0.04, size * 0.04, rgb(150, 150, 150));
    }
}

fn walker(b: &mut Brush<'_>, x: f32, ground: f32, size: f32, coat: Yuv, at: f32) {
    let swing = (at * TAU * 12.0).sin() * size * 0.14;
    for side in [-1.0, 1.0f32] {
        b.line((x, ground - size * 0.46), (x + side * swing, ground), size * 0.09, rgb(48, 52, 66));
        b.line((x, ground - size * 0.78), (x - side * swing * 0.8, ground - size * 0.45), size * 0.06, coat.shade(0.8));
    }
    b.rect(x - size * 0.11, ground - size * 0.82, size * 0.22, size * 0.4, coat);
    b.ellipse(x, ground - size * 0.9, size * 0.085, size * 0.1, rgb(214, 172, 142));
}

fn sway(b: &mut Brush<'_>, x: f32, ground: f32, size: f32, wind: f32) {
    let top = x + wind * size * 0.018;
    b.line((x, ground), (top, ground - size * 0.6), size * 0.07, rgb(88, 70, 52));
    for (dx, dy, r, give) in
        [(-0.2, 0.62, 0.22, 0.8), (0.21, 0.64, 0.21, 0.9), (0.0, 0.8, 0.24, 1.3), (0.02, 0.6, 0.2, 0.6f32)]
    {
        let crown = (ground - dy * size).max(40.0 + r * size);
        let green = rgb(70, 110 + (give * 14.0) as u8, 58);
        b.ellipse(x + dx * size + wind * size * 0.03 * give, crown, r * size, r * size * 0.85, green);
    }
}
