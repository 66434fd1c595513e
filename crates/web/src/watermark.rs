//! Who looked, and when, written over a rendering, so that a picture that turns up elsewhere says whose it was.
//!
//! Only renderings are marked: the archived picture is evidence, and nobody alters it. The letters are a dot matrix of
//! five by seven, capitals and figures: enough for the name to sign in with and a time, in any size.

use crate::reports;
use fleet::Wall;
use image::{ImageFormat, ImageReader, Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use std::io::Cursor;

/// Longest name that is written out.
const NAME: usize = 24;
/// Largest picture that is marked, in pixels along a side.
const SIDE: u32 = 16_384;
const QUALITY: u8 = 88;
/// How much of a marked pixel is the mark, in hundredths.
const STRENGTH: u32 = 45;

/// What a mark says: the name, or what stands for one that has other than these letters, and the county's time.
pub(crate) fn text(who: &str, otherwise: &str, at: Wall) -> String {
    let plain = !who.is_empty() && who.len() <= NAME && who.chars().all(|c| glyph(c).is_some());
    let who = if plain { who } else { otherwise };
    format!("{} {}", who.to_ascii_uppercase(), reports::local(at))
}

/// Writes a mark over a JPEG, again and again from edge to edge.
///
/// # Errors
/// Only if the picture is none, or too large.
pub(crate) fn over(jpeg: &[u8], text: &str) -> image::ImageResult<Vec<u8>> {
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE), Some(SIDE));
    let mut reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    reader.limits(limits);
    let mut picture = reader.decode()?.into_rgb8();
    draw(&mut picture, text);
    let mut marked = Vec::with_capacity(jpeg.len());
    JpegEncoder::new_with_quality(&mut marked, QUALITY).encode_image(&picture)?;
    Ok(marked)
}

fn draw(picture: &mut RgbImage, text: &str) {
    for (x, y) in dots(picture.dimensions(), text) {
        let pixel = picture.get_pixel_mut(x, y);
        let Rgb([r, g, b]) = *pixel;
        // Light on dark, dark on light.
        let luma = (u32::from(r) * 3 + u32::from(g) * 6 + u32::from(b)) / 10;
        let ink = if luma < 128 { 255 } else { 0 };
        let mixed = |c: u8| u8::try_from((u32::from(c) * (100 - STRENGTH) + ink * STRENGTH) / 100).unwrap_or(u8::MAX);
        *pixel = Rgb([mixed(r), mixed(g), mixed(b)]);
    }
}

/// Every pixel of a mark on a picture of this size: four lines or more, each second one shifted.
fn dots((width, height): (u32, u32), text: &str) -> Vec<(u32, u32)> {
    let letters: Vec<[u8; 5]> = text.chars().filter_map(glyph).collect();
    let count = u32::try_from(letters.len()).unwrap_or(u32::MAX).max(1);
    let size = (width / 480).min(width / (6 * count)).max(1);
    let (across, down) = ((count + 4) * 6 * size, (height / 4).max(12 * size));
    let mut dots = Vec::new();
    for (line, top) in (2 * size..height).step_by(down as usize).enumerate() {
        let shift = if line % 2 == 1 { across / 2 } else { 0 };
        for left in (0..width + shift).step_by(across as usize) {
            for (n, columns) in (0_u32..).zip(&letters) {
                for (column, bits) in (0_u32..).zip(columns) {
                    for row in (0..7).filter(|row| bits >> row & 1 == 1) {
                        let x = (left + 2 * size + (n * 6 + column) * size).checked_sub(shift);
                        let y = top + row * size;
                        let square = (0..size).flat_map(|dx| (0..size).map(move |dy| (dx, dy)));
                        let there = square.filter_map(|(dx, dy)| Some((x? + dx, y + dy)));
                        dots.extend(there.filter(|(x, y)| *x < width && *y < height));
                    }
                }
            }
        }
    }
    dots
}

/// Five columns of seven dots, the topmost in the lowest bit.
fn glyph(letter: char) -> Option<[u8; 5]> {
    Some(match letter.to_ascii_uppercase() {
        ' ' => [0; 5],
        '-' => [0x08, 0x08, 0x08, 0x08, 0x08],
        '.' => [0x00, 0x60, 0x60, 0x00, 0x00],
        '_' => [0x40, 0x40, 0x40, 0x40, 0x40],
        ':' => [0x00, 0x36, 0x36, 0x00, 0x00],
        '@' => [0x32, 0x49, 0x79, 0x41, 0x3e],
        '0' => [0x3e, 0x51, 0x49, 0x45, 0x3e],
        '1' => [0x00, 0x42, 0x7f, 0x40, 0x00],
        '2' => [0x42, 0x61, 0x51, 0x49, 0x46],
        '3' => [0x21, 0x41, 0x45, 0x4b, 0x31],
        '4' => [0x18, 0x14, 0x12, 0x7f, 0x10],
        '5' => [0x27, 0x45, 0x45, 0x45, 0x39],
        '6' => [0x3c, 0x4a, 0x49, 0x49, 0x30],
        '7' => [0x01, 0x71, 0x09, 0x05, 0x03],
        '8' => [0x36, 0x49, 0x49, 0x49, 0x36],
        '9' => [0x06, 0x49, 0x49, 0x29, 0x1e],
        'A' => [0x7e, 0x11, 0x11, 0x11, 0x7e],
        'B' => [0x7f, 0x49, 0x49, 0x49, 0x36],
        'C' => [0x3e, 0x41, 0x41, 0x41, 0x22],
        'D' => [0x7f, 0x41, 0x41, 0x22, 0x1c],
        'E' => [0x7f, 0x49, 0x49, 0x49, 0x41],
        'F' => [0x7f, 0x09, 0x09, 0x09, 0x01],
        'G' => [0x3e, 0x41, 0x49, 0x49, 0x7a],
        'H' => [0x7f, 0x08, 0x08, 0x08, 0x7f],
        'I' => [0x00, 0x41, 0x7f, 0x41, 0x00],
        'J' => [0x20, 0x40, 0x41, 0x3f, 0x01],
        'K' => [0x7f, 0x08, 0x14, 0x22, 0x41],
        'L' => [0x7f, 0x40, 0x40, 0x40, 0x40],
        'M' => [0x7f, 0x02, 0x0c, 0x02, 0x7f],
        'N' => [0x7f, 0x04, 0x08, 0x10, 0x7f],
        'O' => [0x3e, 0x41, 0x41, 0x41, 0x3e],
        'P' => [0x7f, 0x09, 0x09, 0x09, 0x06],
        'Q' => [0x3e, 0x41, 0x51, 0x21, 0x5e],
        'R' => [0x7f, 0x09, 0x19, 0x29, 0x46],
        'S' => [0x46, 0x49, 0x49, 0x49, 0x31],
        'T' => [0x01, 0x01, 0x7f, 0x01, 0x01],
        'U' => [0x3f, 0x40, 0x40, 0x40, 0x3f],
        'V' => [0x1f, 0x20, 0x40, 0x20, 0x1f],
        'W' => [0x3f, 0x40, 0x38, 0x40, 0x3f],
        'X' => [0x63, 0x14, 0x08, 0x14, 0x63],
        'Y' => [0x07, 0x08, 0x70, 0x08, 0x07],
        'Z' => [0x61, 0x51, 0x49, 0x45, 0x43],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn plain(width: u32, height: u32, luma: u8) -> Vec<u8> {
        let picture = RgbImage::from_pixel(width, height, Rgb([luma; 3]));
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&picture).unwrap();
        jpeg
    }

    fn pixels(jpeg: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8()
    }

    /// Which pixels are far from the picture's own.
    fn seen(jpeg: &[u8], luma: u8) -> BTreeSet<(u32, u32)> {
        let far = |p: &Rgb<u8>| p.0[1].abs_diff(luma) > 24;
        pixels(jpeg).enumerate_pixels().filter(|(.., p)| far(p)).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn the_mark_can_be_read_on_dark_and_on_light_and_nothing_else_is_changed() {
        let said = text("shen", "U7", Wall(1_795_478_400_000));
        assert_eq!(said, "SHEN 2026-11-24 08:00:00");
        for (size, luma) in [((640, 480), 20), ((1920, 1080), 235), ((160, 90), 110), ((1920, 1080), 128)] {
            let marked = seen(&over(&plain(size.0, size.1, luma), &said).unwrap(), luma);
            let wanted: BTreeSet<_> = dots(size, &said).into_iter().collect();
            let read = wanted.intersection(&marked).count();
            assert!(read * 100 >= wanted.len() * 90, "{read} of {} dots are seen at {luma}", wanted.len());
            // JPEG rounds what is beside a dot; nothing is farther away than that.
            let near = |(x, y): &(u32, u32)| {
                let around = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy)));
                around.into_iter().any(|(dx, dy)| {
                    let at = (x.checked_add_signed(dx), y.checked_add_signed(dy));
                    matches!(at, (Some(x), Some(y)) if wanted.contains(&(x, y)))
                })
            };
            assert!(marked.iter().all(near), "something beside the letters was drawn at {luma}");
            assert!(wanted.len() * 20 < size.0 as usize * size.1 as usize * 3, "most of the picture stays as it is");
        }
    }

    #[test]
    fn marks_of_different_people_and_times_differ() {
        let at = Wall(1_795_478_400_000);
        let all = [
            text("shen", "U7", at),
            text("zhao", "U8", at),
            text("shen", "U7", at + std::time::Duration::from_secs(1)),
        ];
        let drawn: BTreeSet<Vec<u8>> = all.iter().map(|said| over(&plain(640, 480, 90), said).unwrap()).collect();
        assert_eq!(drawn.len(), 3);
        assert_eq!(text("沈审", "U7", at), "U7 2026-11-24 08:00:00", "letters that are not in the matrix");
        assert_eq!(text(&"a".repeat(25), "U7", at), "U7 2026-11-24 08:00:00");
    }

    #[test]
    fn what_is_no_picture_is_refused_and_a_tiny_one_is_not() {
        assert!(over(b"\xff\xd8 no JPEG", "A").is_err());
        assert!(over(&plain(1, 1, 5), &"W".repeat(60)).is_ok());
        assert!(over(&plain(64, 48, 5), "").is_ok());
    }
}
