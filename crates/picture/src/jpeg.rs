//! JPEG in and out by libjpeg-turbo. Never reads or writes files.

use crate::planes::{Canvas, Plane, Planes};
use turbojpeg::{Compressor, Decompressor, OutputBuf, Subsamp, YuvImage};

/// Largest side of a picture in pixels: panoramic cameras reach 7,680.
pub(crate) const MAX_SIDE: usize = 8192;
/// Largest picture in pixels (4096×4096); decoding needs a few bytes of memory for each.
pub(crate) const MAX_PIXELS: usize = 4096 * 4096;
/// Scans of a progressive JPEG that are decoded: real ones have about ten, hostile ones thousands.
const MAX_SCANS: u32 = 64;

/// Why `width`×`height` is refused, if it is.
pub(crate) fn size_fault(width: usize, height: usize) -> Option<String> {
    let possible =
        (16..=MAX_SIDE).contains(&width) && (16..=MAX_SIDE).contains(&height) && width * height <= MAX_PIXELS;
    (!possible).then(|| format!("its size of {width}×{height} is not accepted"))
}

/// Writes JPEGs, reusing its tables.
pub(crate) struct Encoder(Compressor);

impl Encoder {
    pub(crate) fn new() -> Result<Encoder, String> {
        Compressor::new().map(Encoder).map_err(|e| e.to_string())
    }

    /// `quality` 1 to 100.
    pub(crate) fn encode(&mut self, canvas: &Canvas, quality: i32) -> Result<Vec<u8>, String> {
        let image = YuvImage {
            pixels: &canvas.data[..],
            width: canvas.width,
            align: 1,
            height: canvas.height,
            subsamp: Subsamp::Sub2x2,
        };
        let mut out = OutputBuf::new_owned();
        self.0.set_quality(quality).and_then(|()| self.0.compress_yuv(image, &mut out)).map_err(|e| e.to_string())?;
        Ok(out.to_vec())
    }
}

/// Reads JPEGs of motion-JPEG cameras, reusing its buffer.
#[derive(Default)]
pub(crate) struct Decoder {
    pixels: Vec<u8>,
}

impl Decoder {
    /// # Errors
    /// In plain words, if the picture is damaged (a picture cut short counts, even though most of it may be
    /// there) or of a size or layout that is not accepted.
    pub(crate) fn decode(&mut self, data: &[u8]) -> Result<Planes<'_>, String> {
        // A new one for each picture: it would complete a picture without tables with the former one's.
        let mut turbo = Decompressor::new().map_err(|e| e.to_string())?;
        turbo.set_scan_limit(MAX_SCANS).map_err(|e| e.to_string())?;
        let header = turbo.read_header(data).map_err(|e| e.to_string())?;
        let (width, height) = (header.width, header.height);
        if let Some(fault) = size_fault(width, height) {
            return Err(fault);
        }
        if header.is_lossless {
            return Err("lossless JPEG is not accepted".to_owned());
        }
        // Samples of one chroma plane per picture, across and down.
        let (across, down) = match header.subsamp {
            Subsamp::None => (1, 1),
            Subsamp::Sub2x1 => (2, 1),
            Subsamp::Sub2x2 => (2, 2),
            Subsamp::Sub1x2 => (1, 2),
            Subsamp::Sub4x1 => (4, 1),
            Subsamp::Sub1x4 => (1, 4),
            Subsamp::Gray => (1, 1),
            _ => return Err("its chroma layout is not accepted".to_owned()),
        };
        let needed = turbojpeg::yuv_pixels_len(width, 1, height, header.subsamp).map_err(|e| e.to_string())?;
        self.pixels.clear();
        self.pixels.resize(needed, 0);
        let target = YuvImage { pixels: &mut self.pixels[..], width, align: 1, height, subsamp: header.subsamp };
        if let Err(error) = turbo.decompress_to_yuv(data, target) {
            let text = error.to_string();
            // A warning about bytes between segments, which several cameras write; the picture is whole.
            if !text.contains("extraneous bytes before marker") {
                return Err(text);
            }
        }
        // Planes are padded to whole chroma samples (TurboJPEG, "YUV Image Format Notes").
        let (luma_width, luma_height) = (width.next_multiple_of(across), height.next_multiple_of(down));
        let (chroma_width, chroma_height) = (luma_width / across, luma_height / down);
        let odd = || "its planes do not fit".to_owned();
        let (luma, rest) = self.pixels.split_at_checked(luma_width * luma_height).ok_or_else(odd)?;
        let luma = Plane::new(luma, luma_width, width, height).ok_or_else(odd)?;
        let chroma = if header.subsamp == Subsamp::Gray {
            None
        } else {
            let (cb, cr) = rest.split_at_checked(chroma_width * chroma_height).ok_or_else(odd)?;
            let plane = |data| Plane::new(data, chroma_width, chroma_width, chroma_height).ok_or_else(odd);
            Some([plane(cb)?, plane(cr)?])
        };
        Ok(Planes { luma, chroma, full_range: true, bt709: false })
    }
}
