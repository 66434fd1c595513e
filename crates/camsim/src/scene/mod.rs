//! What simulated cameras see: places drawn from a seed, by day, at dusk and under infrared light.
//!
//! Pure drawing: nothing here encodes, caches or knows a camera.

mod fault;
mod life;
mod osd;
mod picture;
mod place;
mod sky;

pub(crate) use osd::{Font, clock_line, name_on_band};
pub(crate) use picture::{Picture, Yuv, rgb};

use crate::{Fault, Size};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The sizes of one stream's picture and its parts, in pixels. All parts but the last are whole rows of 16.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Layout {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Height of the line with the clock.
    pub(crate) line: u32,
    /// Height of the band with name and skyline.
    pub(crate) band: u32,
    /// Bits a second of the scene.
    pub(crate) bitrate: u32,
    /// By how much it is smaller than the main stream.
    pub(crate) shrink: u32,
}

impl Layout {
    pub(crate) fn main(size: Size) -> Layout {
        match size {
            Size::Full => Layout { width: 1920, height: 1080, line: 48, band: 144, bitrate: 1_970_000, shrink: 1 },
            Size::Small => Layout { width: 640, height: 360, line: 16, band: 48, bitrate: 300_000, shrink: 1 },
        }
    }

    pub(crate) fn sub(size: Size) -> Layout {
        match size {
            Size::Full => Layout { width: 640, height: 360, line: 16, band: 48, bitrate: 240_000, shrink: 3 },
            Size::Small => Layout { width: 320, height: 180, line: 16, band: 16, bitrate: 100_000, shrink: 2 },
        }
    }

    pub(crate) fn scene(self) -> u32 {
        self.height - self.line - self.band
    }

    /// The row of 16 pixels in which the band begins.
    pub(crate) fn band_row(self) -> u32 {
        self.line / 16
    }

    /// The row of 16 pixels in which the scene begins.
    pub(crate) fn scene_row(self) -> u32 {
        (self.line + self.band) / 16
    }
}

/// What kind of place a camera looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Road,
    Square,
    Bridge,
    School,
    Field,
}

/// The light it sees by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Light {
    Day,
    Dusk,
    /// Night under the camera's own infrared lamp: grey.
    Infrared,
}

impl Light {
    /// How a colour of day looks in this light.
    fn on(self, colour: Yuv) -> Yuv {
        let Yuv(y, u, v) = colour;
        let tint = |c: u8, share: f32, add: f32| (128.0 + (f32::from(c) - 128.0) * share + add) as u8;
        match self {
            Light::Day => colour,
            Light::Dusk => Yuv(dim(y, 0.55, 20.0), tint(u, 0.8, -5.0), tint(v, 0.8, 7.0)),
            Light::Infrared => Yuv(dim(y, 0.62, 18.0), 128, 128),
        }
    }
}

fn dim(y: u8, by: f32, floor: f32) -> u8 {
    (floor + (f32::from(y) - 16.0) * by) as u8
}

/// Which scene: everything about it follows from its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SceneId(pub(crate) u32);

impl SceneId {
    pub(crate) fn kind(self) -> Kind {
        [Kind::Road, Kind::Square, Kind::Bridge, Kind::School, Kind::Field][self.0 as usize % 5]
    }

    pub(crate) fn light(self) -> Light {
        // Of fifteen scenes, nine by day, three at dusk, three at night.
        match self.0 / 5 % 5 {
            1 => Light::Dusk,
            3 => Light::Infrared,
            _ => Light::Day,
        }
    }

    /// Of every four scenes one is also made in H.265.
    pub(crate) fn in_h265(self) -> bool {
        self.0.is_multiple_of(4)
    }

    /// Where the camera looks after somebody has turned it.
    pub(crate) fn turned(self) -> SceneId {
        SceneId(self.0 + 1_000_000)
    }

    fn random(self, purpose: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(u64::from(self.0) << 8 | purpose)
    }
}

/// A scene that is drawn picture by picture.
pub(crate) struct Stage {
    id: SceneId,
    fault: Option<Fault>,
    still: Picture,
    life: life::Life,
    grain: Vec<i8>,
    pictures: u32,
}

impl Stage {
    /// Sets up the scene part of the main stream. `pictures` is the length of the loop.
    pub(crate) fn new(id: SceneId, fault: Option<Fault>, layout: Layout, pictures: u32) -> Stage {
        let id = if fault == Some(Fault::SceneMoved) { id.turned() } else { id };
        let (width, height) = (layout.width as usize, layout.scene() as usize);
        let mut still = Picture::new(width, height, rgb(90, 110, 80));
        place::paint(&mut still, id);
        let mut random = id.random(9);
        let strength: i8 = if id.light() == Light::Day { 2 } else { 4 };
        // A few rows more than one picture needs, so that each picture can begin elsewhere.
        let grain = (0..width * 64 + 8192).map(|_| random.random_range(-strength..=strength)).collect();
        Stage { id, fault, still, life: life::Life::new(id), grain, pictures }
    }

    /// Picture number `n` of the loop.
    pub(crate) fn draw(&self, n: u32) -> Picture {
        let n = match self.fault {
            Some(Fault::Frozen) => 0,
            _ => n % self.pictures,
        };
        let mut picture = self.still.clone();
        self.life.paint(&mut picture, n as f32 / self.pictures as f32, self.id);
        self.add_grain(&mut picture, n);
        if let Some(fault) = self.fault {
            fault::apply(fault, &mut picture, n, self.id.0);
        }
        picture
    }

    /// Sensor noise, but not in the topmost rows: what is near another part must not tempt the encoder to look there.
    fn add_grain(&self, picture: &mut Picture, n: u32) {
        let width = picture.width;
        for (row, samples) in picture.y.chunks_exact_mut(width).enumerate().skip(24) {
            let start = (row * 61 + n as usize * 37) % 63 * width + (n as usize * 2711 + row * 977) % 8000;
            for (sample, grain) in samples.iter_mut().zip(&self.grain[start..start + width]) {
                *sample = sample.saturating_add_signed(*grain);
            }
        }
    }
}

/// A place by day without any text on it, 640×360, 4:2:0, BT.601 in limited range.
#[derive(Clone, PartialEq, Eq)]
pub struct Scenery {
    /// Luma, row by row.
    pub y: Vec<u8>,
    /// Cb, row by row, half the size.
    pub u: Vec<u8>,
    /// Cr, row by row, half the size.
    pub v: Vec<u8>,
}

/// Draws place number `place` as cameras of the simulation see it by day; `moment` (0 to 99) is where in their loop
/// people, vehicles and leaves are. For whoever measures pictures without a farm.
#[must_use]
pub fn scenery(place: u32, moment: u32) -> Scenery {
    // Of five rows of five places the first, third and fifth are by day.
    let id = SceneId(place / 15 * 25 + [0, 10, 20][place as usize / 5 % 3] + place % 5);
    let layout = Layout::main(Size::Full);
    let mut sky = Picture::new(layout.width as usize, (layout.line + layout.band) as usize, sky_top(id.light()));
    sky::paint(&mut sky, id.light(), u64::from(place));
    let scene = Stage::new(id, None, layout, 100).draw(moment);
    let (sky, scene) = (sky.shrunk(3), scene.shrunk(3));
    let joined = |above: Vec<u8>, below: Vec<u8>| [above, below].concat();
    Scenery { y: joined(sky.y, scene.y), u: joined(sky.u, scene.u), v: joined(sky.v, scene.v) }
}

/// The colour in which every sky begins, under the clock.
pub(crate) fn sky_top(light: Light) -> Yuv {
    light.on(match light {
        Light::Infrared => rgb(38, 38, 38),
        _ => rgb(112, 158, 206),
    })
}

/// The colour of far woods, in which every band ends and every scene begins.
fn far_woods(light: Light) -> Yuv {
    light.on(rgb(84, 112, 92))
}

/// The band of one camera: its own skyline and its name.
pub(crate) fn band(font: &Font, layout: Layout, id: SceneId, own: u64, fault: Option<Fault>, name: &str) -> Picture {
    let own = if fault == Some(Fault::SceneMoved) { own ^ 0x5ca1_ab1e } else { own };
    let mut picture = Picture::new(layout.width as usize, layout.band as usize, sky_top(id.light()));
    sky::paint(&mut picture, id.light(), own);
    if let Some(fault) = fault {
        fault::apply(fault, &mut picture, 0, id.0);
    }
    name_on_band(font, &mut picture, layout, name);
    picture
}

/// The line with the clock, as it looks under a fault.
pub(crate) fn line(font: &Font, layout: Layout, light: Light, fault: Option<Fault>, text: &str) -> Picture {
    let mut picture = Picture::new(layout.width as usize, layout.line as usize, sky_top(light));
    if let Some(fault) = fault {
        fault::apply(fault, &mut picture, 0, 0);
    }
    clock_line(font, &mut picture, text);
    picture
}
