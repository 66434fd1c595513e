//! Text that cameras burn into their pictures: the clock and the name of the place.

use super::{Layout, Picture};
use ab_glyph::{Font as _, FontVec, ScaleFont as _};

/// Fonts with Chinese characters, as distributions place them, and which face of the collection is Simplified Chinese.
const PLACES: [(&str, u32); 6] = [
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Medium.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
];

/// The font of the burned-in text.
pub(crate) enum Font {
    /// One of the system's.
    System(Box<FontVec>),
    /// Ours: digits, capital letters and little more, five by seven dots. Everything else is a box.
    Dots,
}

impl Font {
    /// The first usable font of this machine.
    pub(crate) fn find() -> Font {
        let load = |(path, index): &(&str, u32)| {
            let bytes = std::fs::read(path).ok()?;
            FontVec::try_from_vec_and_index(bytes, *index).ok()
        };
        PLACES.iter().find_map(load).map_or(Font::Dots, |font| Font::System(Box::new(font)))
    }

    /// How wide a text is, in pixels.
    fn width(&self, text: &str, size: f32) -> f32 {
        match self {
            Font::System(font) => {
                let font = font.as_scaled(size);
                text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
            }
            Font::Dots => text.chars().count() as f32 * size * 0.6,
        }
    }

    /// How much of each pixel a text covers, 0 to 255; its top left corner is at (`x`, `y`).
    fn cover(&self, mask: &mut Mask, text: &str, x: f32, y: f32, size: f32) {
        match self {
            Font::System(font) => {
                let scaled = font.as_scaled(size);
                let mut at = ab_glyph::point(x, y + scaled.ascent());
                for c in text.chars() {
                    let glyph = scaled.glyph_id(c);
                    let advance = scaled.h_advance(glyph);
                    if let Some(outline) = font.outline_glyph(glyph.with_scale_and_position(size, at)) {
                        let bounds = outline.px_bounds();
                        outline.draw(|px, py, c| {
                            mask.set(
                                bounds.min.x as i32 + px as i32,
                                bounds.min.y as i32 + py as i32,
                                (c * 255.0) as u8,
                            );
                        });
                    }
                    at.x += advance;
                }
            }
            Font::Dots => {
                let dot = (size / 9.0).max(1.0);
                for (i, c) in text.chars().enumerate() {
                    let left = x + i as f32 * size * 0.6;
                    for (row, bits) in dots(c).into_iter().enumerate() {
                        for column in (0..5u8).filter(|column| bits >> (4 - column) & 1 == 1) {
                            mask.square(left + f32::from(column) * dot, y + size * 0.1 + row as f32 * dot, dot);
                        }
                    }
                }
            }
        }
    }
}

/// Writes the clock into its line.
pub(crate) fn clock_line(font: &Font, picture: &mut Picture, text: &str) {
    let size = picture.height as f32 * 0.82;
    let x = picture.width as f32 * 0.02;
    write(font, picture, text, x, picture.height as f32 * 0.06, size);
}

/// Writes the name of the place into the band, at its right end, clear of the band's edges.
pub(crate) fn name_on_band(font: &Font, picture: &mut Picture, layout: Layout, name: &str) {
    let size = (layout.line as f32 * 0.82).max(13.0);
    let name: String = name.chars().filter(|c| !c.is_control()).take(48).collect();
    let x = (picture.width as f32 * 0.98 - font.width(&name, size)).max(picture.width as f32 * 0.02);
    write(font, picture, &name, x, (picture.height as f32 * 0.06).min(8.0), size);
}

/// White letters with a dark edge, readable on any ground.
fn write(font: &Font, picture: &mut Picture, text: &str, x: f32, y: f32, size: f32) {
    let thick = if size > 24.0 { 2 } else { 1 };
    // Only where the text is: letters reach a little over their line.
    let left = (x as usize).saturating_sub(8) & !1;
    let right = ((x + font.width(text, size)) as usize + 10).min(picture.width);
    if left >= right {
        return;
    }
    let mut mask = Mask::new(right - left, picture.height);
    font.cover(&mut mask, text, x - left as f32, y, size);
    let edge = mask.grown(thick);
    for row in 0..picture.height {
        let samples = &mut picture.y[row * picture.width + left..row * picture.width + right];
        let at = row * mask.width..(row + 1) * mask.width;
        for ((sample, &letter), &edge) in samples.iter_mut().zip(&mask.cover[at.clone()]).zip(&edge[at]) {
            if edge > 0 {
                let (letter, edge) = (u32::from(letter), u32::from(edge));
                let dark = (u32::from(*sample) * (255 - edge) + 24 * edge) / 255;
                *sample = ((dark * (255 - letter) + 232 * letter) / 255) as u8;
            }
        }
    }
    // Letters have no colour.
    for row in 0..picture.height / 2 {
        for column in (0..mask.width / 2).filter(|column| mask.cover[row * 2 * mask.width + column * 2] > 96) {
            let at = row * (picture.width / 2) + left / 2 + column;
            picture.u[at] = 128;
            picture.v[at] = 128;
        }
    }
}

/// How much of each pixel the letters cover.
struct Mask {
    width: usize,
    height: usize,
    cover: Vec<u8>,
}

impl Mask {
    fn new(width: usize, height: usize) -> Mask {
        Mask { width, height, cover: vec![0; width * height] }
    }

    fn set(&mut self, x: i32, y: i32, cover: u8) {
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < self.width
            && y < self.height
        {
            let at = &mut self.cover[y * self.width + x];
            *at = (*at).max(cover);
        }
    }

    fn square(&mut self, x: f32, y: f32, size: f32) {
        for row in y as i32..(y + size).ceil() as i32 {
            for column in x as i32..(x + size).ceil() as i32 {
                self.set(column, row, 255);
            }
        }
    }

    /// The same, thicker by so many pixels.
    fn grown(&self, by: usize) -> Vec<u8> {
        let mut grown = self.cover.clone();
        for y in 0..self.height {
            for x in 0..self.width {
                let cover = self.cover[y * self.width + x];
                if cover > 0 {
                    for row in y.saturating_sub(by)..(y + by + 1).min(self.height) {
                        let from = row * self.width + x.saturating_sub(by);
                        let to = row * self.width + (x + by + 1).min(self.width);
                        for at in &mut grown[from..to] {
                            *at = (*at).max(cover);
                        }
                    }
                }
            }
        }
        grown
    }
}

/// Seven rows of five dots.
fn dots(c: char) -> [u8; 7] {
    match c {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        '-' => [0, 0, 0, 31, 0, 0, 0],
        ':' => [0, 12, 12, 0, 12, 12, 0],
        '.' => [0, 0, 0, 0, 0, 12, 12],
        ' ' => [0; 7],
        'A'..='Z' | 'a'..='z' => letter(c.to_ascii_uppercase()),
        _ => [31, 17, 17, 17, 17, 17, 31],
    }
}

fn letter(c: char) -> [u8; 7] {
    const LETTERS: [[u8; 7]; 26] = [
        [14, 17, 17, 31, 17, 17, 17],
        [30, 17, 17, 30, 17, 17, 30],
        [14, 17, 16, 16, 16, 17, 14],
        [30, 17, 17, 17, 17, 17, 30],
        [31, 16, 16, 30, 16, 16, 31],
        [31, 16, 16, 30, 16, 16, 16],
        [14, 17, 16, 23, 17, 17, 15],
        [17, 17, 17, 31, 17, 17, 17],
        [14, 4, 4, 4, 4, 4, 14],
        [7, 2, 2, 2, 2, 18, 12],
        [17, 18, 20, 24, 20, 18, 17],
        [16, 16, 16, 16, 16, 16, 31],
        [17, 27, 21, 21, 17, 17, 17],
        [17, 17, 25, 21, 19, 17, 17],
        [14, 17, 17, 17, 17, 17, 14],
        [30, 17, 17, 30, 16, 16, 16],
        [14, 17, 17, 17, 21, 18, 13],
        [30, 17, 17, 30, 20, 18, 17],
        [15, 16, 16, 14, 1, 1, 30],
        [31, 4, 4, 4, 4, 4, 4],
        [17, 17, 17, 17, 17, 17, 14],
        [17, 17, 17, 17, 17, 10, 4],
        [17, 17, 17, 21, 21, 21, 10],
        [17, 17, 10, 4, 10, 17, 17],
        [17, 17, 17, 10, 4, 4, 4],
        [31, 1, 2, 4, 8, 16, 31],
    ];
    LETTERS.get((c as usize).wrapping_sub('A' as usize)).copied().unwrap_or([0; 7])
}
