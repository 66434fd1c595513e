//! The FFmpeg boundary: H.264 and H.265 keyframes to planes. Runs in worker processes only.
//!
//! One thread, decoders reused with a flush between pictures (177 against 140 pictures per CPU-second with a
//! fresh one each, 1080p). Never shows a picture that the decoder had to guess: concealed or missing parts are
//! a fault, since a person would take them for the scene.
#![allow(unsafe_code)]
// The type of FFmpeg's va_list has another name on every platform.
#![allow(clippy::missing_transmute_annotations)]

use crate::{
    bitstream::essentials,
    jpeg::{MAX_PIXELS, size_fault},
    planes::{Plane, Planes},
};
use ffmpeg_next::{self as ffmpeg, codec, color, ffi, format::Pixel, frame};
use fleet::Codec;
use parking_lot::Mutex;
use std::ffi::{c_char, c_int, c_void};

/// One decoder, for one codec.
pub(crate) struct Decoder {
    codec: Codec,
    video: codec::decoder::Video,
    frame: frame::Video,
    /// Planes of pictures that have more than 8 bits.
    narrowed: [Vec<u8>; 3],
}

impl Decoder {
    /// # Errors
    /// In plain words, if the system's FFmpeg has no such decoder.
    pub(crate) fn open(codec: Codec) -> Result<Decoder, String> {
        let id = match codec {
            Codec::H264 => codec::Id::H264,
            Codec::H265 => codec::Id::HEVC,
            Codec::Jpeg => codec::Id::MJPEG,
        };
        listen_to_ffmpeg();
        let found = codec::decoder::find(id).ok_or_else(|| format!("FFmpeg has no decoder for {}", codec.code()))?;
        let mut context = codec::Context::new_with_codec(found);
        // SAFETY: `context` owns a live AVCodecContext that is not open yet; these are plain fields that FFmpeg
        // documents as "set by user before avcodec_open2". `painted_buffer` has the type get_buffer2 asks for
        // and keeps its contract (see there).
        unsafe {
            let raw = &mut *context.as_mut_ptr();
            raw.thread_count = 1;
            raw.max_pixels = MAX_PIXELS as i64;
            raw.flags |= (ffi::AV_CODEC_FLAG_LOW_DELAY | ffi::AV_CODEC_FLAG_OUTPUT_CORRUPT).cast_signed();
            raw.flags2 |= ffi::AV_CODEC_FLAG2_SHOW_ALL;
            raw.get_buffer2 = Some(painted_buffer);
            if codec == Codec::H265 {
                // Without it the H.265 decoder passes over broken slices in silence. The H.264 decoder says
                // so in decode_error_flags, and with it would refuse harmless faults of cameras' parameter sets.
                raw.err_recognition |= ffi::AV_EF_EXPLODE;
            }
        }
        let video =
            context.decoder().open_as(found).and_then(codec::decoder::Opened::video).map_err(|e| e.to_string())?;
        Ok(Decoder { codec, video, frame: frame::Video::empty(), narrowed: Default::default() })
    }

    /// Decodes one access unit (Annex B) that holds one whole picture and its parameter sets.
    ///
    /// # Errors
    /// In plain words, if no whole picture comes out.
    pub(crate) fn decode(&mut self, unit: &[u8]) -> Result<Planes<'_>, String> {
        let unit = essentials(self.codec, unit)?;
        FIRST_ERROR.lock().clear();
        let outcome = self.decode_one(&unit);
        self.video.flush();
        if let Err(error) = outcome {
            let logged = std::mem::take(&mut *FIRST_ERROR.lock());
            return Err(if logged.is_empty() { error } else { logged });
        }
        self.planes()
    }

    fn decode_one(&mut self, unit: &[u8]) -> Result<(), String> {
        let packet = ffmpeg::Packet::copy(unit);
        self.video.send_packet(&packet).map_err(|e| e.to_string())?;
        self.video.send_eof().map_err(|e| e.to_string())?;
        // Drops the former picture's buffers.
        self.frame = frame::Video::empty();
        self.video.receive_frame(&mut self.frame).map_err(|e| match e {
            ffmpeg::Error::Eof => "no picture comes out".to_owned(),
            other => other.to_string(),
        })?;
        let (width, height) = (self.frame.width() as usize, self.frame.height() as usize);
        if let Some(fault) = size_fault(width, height) {
            return Err(fault);
        }
        // SAFETY: `frame` holds a live AVFrame filled by receive_frame; plain field reads.
        let flags = unsafe { (*self.frame.as_ptr()).decode_error_flags };
        if flags != 0 {
            return Err("parts of the picture are damaged".to_owned());
        }
        match untouched_blocks(&self.frame) {
            0 => Ok(()),
            missing => Err(format!("{missing} blocks of the picture are missing")),
        }
    }

    /// The decoded picture as 8-bit planes.
    fn planes(&mut self) -> Result<Planes<'_>, String> {
        let format = self.frame.format();
        let (across, down, bits) =
            layout(format).ok_or_else(|| format!("its pixel format {format:?} is not accepted"))?;
        let (width, height) = (self.frame.width() as usize, self.frame.height() as usize);
        let full_range = self.frame.color_range() == color::Range::JPEG
            || matches!(format, Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P);
        let bt709 = match self.frame.color_space() {
            color::Space::BT709 => true,
            // What decoders and browsers assume when a camera does not say.
            color::Space::Unspecified => height >= 720,
            _ => false,
        };
        let size = |index: usize| match index {
            0 => (width, height),
            _ => (width.div_ceil(across), height.div_ceil(down)),
        };
        let count = if across == 0 { 1 } else { 3 };
        if bits > 8 {
            for (index, narrowed) in self.narrowed.iter_mut().enumerate().take(count) {
                let (plane_width, plane_height) = size(index);
                let (data, stride) = (self.frame.data(index), self.frame.stride(index));
                narrowed.clear();
                for row in data.chunks(stride).take(plane_height) {
                    let samples = row.chunks_exact(2).take(plane_width);
                    narrowed.extend(samples.map(|s| (u16::from_le_bytes([s[0], s[1]]) >> (bits - 8)).min(255) as u8));
                }
            }
        }
        let plane = |index: usize| {
            let (plane_width, plane_height) = size(index);
            let (data, stride) = match bits {
                8 => (self.frame.data(index), self.frame.stride(index)),
                _ => (&self.narrowed[index][..], plane_width),
            };
            Plane::new(data, stride, plane_width, plane_height).ok_or_else(|| "its planes do not fit".to_owned())
        };
        let luma = plane(0)?;
        let chroma = if count == 3 { Some([plane(1)?, plane(2)?]) } else { None };
        Ok(Planes { luma, chroma, full_range, bt709 })
    }
}

/// How many luma samples one chroma sample covers across and down (0 if there is no chroma), and bits a sample.
fn layout(format: Pixel) -> Option<(usize, usize, u32)> {
    match format {
        Pixel::YUV420P | Pixel::YUVJ420P => Some((2, 2, 8)),
        Pixel::YUV422P | Pixel::YUVJ422P => Some((2, 1, 8)),
        Pixel::YUV444P | Pixel::YUVJ444P => Some((1, 1, 8)),
        Pixel::GRAY8 => Some((0, 0, 8)),
        Pixel::YUV420P10LE => Some((2, 2, 10)),
        Pixel::YUV422P10LE => Some((2, 1, 10)),
        Pixel::YUV444P10LE => Some((1, 1, 10)),
        Pixel::GRAY10LE => Some((0, 0, 10)),
        _ => None,
    }
}

/// What luma is painted with before decoding; unlike any scene.
const PAINT: [u8; 64] = [
    0xa7, 0x13, 0xe4, 0x5c, 0x08, 0xd9, 0x36, 0xf1, 0x6b, 0x92, 0x2d, 0xc0, 0x47, 0xfe, 0x81, 0x1a, 0xb5, 0x64, 0x0f,
    0xd2, 0x79, 0x3e, 0xeb, 0x50, 0x95, 0x24, 0xc7, 0x02, 0x68, 0xbd, 0x31, 0xf6, 0x8a, 0x5f, 0x1c, 0xe9, 0x43, 0xa0,
    0x7e, 0x27, 0xdb, 0x04, 0xb8, 0x6d, 0x12, 0xcf, 0x99, 0x3a, 0xe5, 0x70, 0x56, 0x0b, 0xac, 0xf3, 0x2e, 0x85, 0x41,
    0xd6, 0x1b, 0x98, 0x6f, 0xc2, 0x34, 0xfd,
];

/// Where in [`PAINT`] a row begins.
fn paint_offset(row: usize) -> usize {
    row * 29 % PAINT.len()
}

/// FFmpeg's own buffers, luma painted: the H.265 decoder does not tell when slices are missing, and its pooled
/// buffers would then show part of another camera's picture.
///
/// # Safety
/// Called by FFmpeg only, with a live context and a frame whose size and format are set (get_buffer2's contract).
unsafe extern "C" fn painted_buffer(
    context: *mut ffi::AVCodecContext,
    frame: *mut ffi::AVFrame,
    flags: c_int,
) -> c_int {
    // SAFETY: both pointers are passed on as FFmpeg gave them.
    let result = unsafe { ffi::avcodec_default_get_buffer2(context, frame, flags) };
    if result < 0 {
        return result;
    }
    // SAFETY: after success `frame` is live, and data[0] points to at least height × linesize[0] writable bytes
    // (frames are allocated with their height rounded up); nobody else refers to them yet.
    let luma = unsafe {
        let frame = &*frame;
        match (usize::try_from(frame.linesize[0]), usize::try_from(frame.height)) {
            (Ok(stride), Ok(height)) if stride > 0 && height > 0 && !frame.data[0].is_null() => {
                (std::slice::from_raw_parts_mut(frame.data[0], stride * height), stride)
            }
            _ => return result,
        }
    };
    let (data, stride) = luma;
    let pattern: Vec<u8> = PAINT.iter().copied().cycle().take(stride + PAINT.len()).collect();
    for (row, samples) in data.chunks_exact_mut(stride).enumerate() {
        let offset = paint_offset(row);
        samples.copy_from_slice(&pattern[offset..offset + stride]);
    }
    result
}

/// 16×16 blocks whose middle still shows the paint.
fn untouched_blocks(frame: &frame::Video) -> usize {
    let Some((_, _, bits)) = layout(frame.format()) else { return 0 };
    let (data, stride) = (frame.data(0), frame.stride(0));
    let bytes = if bits > 8 { 2 } else { 1 };
    // Cropping at the left or top moves data[0] into the buffer; such frames are rare, and not looked at.
    // SAFETY: `frame` holds a live AVFrame with its buffer; pointers are compared, never followed.
    let moved = unsafe {
        let raw = &*frame.as_ptr();
        raw.buf[0].is_null() || raw.crop_left != 0 || raw.crop_top != 0
    };
    if moved {
        return 0;
    }
    let mut untouched = 0;
    for y in (8..frame.height() as usize).step_by(16) {
        let Some(row) = data.get(y * stride..(y + 1) * stride) else { break };
        for x in (4..(frame.width() as usize).saturating_sub(8)).step_by(16) {
            let at = x * bytes;
            let offset = paint_offset(y) + at;
            if (0..8).all(|i| row[at + i] == PAINT[(offset + i) % PAINT.len()]) {
                untouched += 1;
            }
        }
    }
    untouched
}

/// The first error FFmpeg logged for the present picture: better evidence than its error codes.
static FIRST_ERROR: Mutex<String> = Mutex::new(String::new());

/// FFmpeg's log callback with its `va_list` as an opaque pointer, which is how it is passed on every platform
/// FFmpeg runs on here (x86-64 and AArch64 ABI: an array or large aggregate goes by reference).
type LogCallback = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *mut c_void);
type LogFormatter =
    unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *mut c_void, *mut c_char, c_int, *mut c_int) -> c_int;

fn listen_to_ffmpeg() {
    // SAFETY: only the name of the last parameter's pointee differs; see LogCallback.
    unsafe {
        ffi::av_log_set_callback(Some(std::mem::transmute::<LogCallback, _>(keep_first_error)));
    }
}

/// # Safety
/// Called by FFmpeg only, with a format and the arguments that go with it.
unsafe extern "C" fn keep_first_error(
    source: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: *mut c_void,
) {
    if level > ffi::AV_LOG_ERROR {
        return;
    }
    let mut first = FIRST_ERROR.lock();
    if !first.is_empty() {
        return;
    }
    let mut line = [0u8; 200];
    let mut prefix: c_int = 0;
    let formatter: unsafe extern "C" fn(_, _, _, _, _, _, _) -> _ = ffi::av_log_format_line2;
    // SAFETY: only the name of the fourth parameter's pointee differs; see LogCallback.
    let formatter = unsafe { std::mem::transmute::<_, LogFormatter>(formatter) };
    // SAFETY: source, level, format and arguments are FFmpeg's own; `line` is writable and its length is told.
    unsafe {
        formatter(source, level, format, arguments, line.as_mut_ptr().cast(), line.len() as c_int, &raw mut prefix);
    }
    let length = line.iter().position(|&b| b == 0).unwrap_or(line.len());
    first.push_str(String::from_utf8_lossy(&line[..length]).trim_end());
}
