//! The life of a decoder process: confine itself, then picture after picture from one pipe to the other.
//!
//! It reads nothing but standard input, writes nothing but standard output, and knows no camera: the parent
//! does not tell which it is. It ends when the pipe closes.

use crate::{
    Features,
    jpeg::{self, Encoder},
    measure,
    planes::{Canvas, Planes},
    sandbox::{self, Limits},
    sys, video,
    wire::{Answer, LENGTH_BYTES, MAX_KEYFRAME, Request},
};
use bytes::Bytes;
use fleet::Codec;
use rustix::{fd::AsFd, io::Errno};
use std::{io, process::ExitCode, time::Duration};

/// What is asked of the pipe at once: most keyframes of sub streams fit.
const FIRST_READ: usize = 64 << 10;
/// JPEG quality of thumbnails.
const THUMBNAIL_QUALITY: i32 = 75;
/// JPEG quality of pictures for people: no fault that a person would see.
const PICTURE_QUALITY: i32 = 85;

/// The whole of `sharpeyes decode-worker`: decodes what its parent sends until the pipe closes.
///
/// Call it from `main` before any thread is started: the sandbox is put around a single thread. Status 0 when
/// the pipe closed in order, 2 if there is no pool at the other end.
#[must_use]
pub fn run_worker() -> ExitCode {
    sandbox::prepare();
    match serve(&io::stdin(), &io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn serve(input: &impl AsFd, output: &impl AsFd) -> io::Result<()> {
    let mut messages = Messages::default();
    let Some(first) = messages.next(input)? else { return Ok(()) };
    let Some(Request::Setup { memory, cpu, picture }) = Request::parse(first) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // Opened before the sandbox closes: libraries are loaded, tables filled.
    let mut coders = match Coders::new() {
        Ok(coders) => coders,
        Err(why) => return write_all(output, &Answer::Refused { cpu: Duration::ZERO, why }.encode()),
    };
    let report = sandbox::confine(&Limits { memory, cpu }, &sandbox::Layer::ALL);
    write_all(output, &Answer::Ready(report).encode())?;
    while let Some(message) = messages.next(input)? {
        sys::kill_me_after(picture)?;
        let begin = sys::cpu_time();
        let spent = || sys::cpu_time().saturating_sub(begin);
        let answer = match Request::parse(message) {
            Some(Request::Assess { codec, thumbnail_width, data }) => {
                match coders.assess(codec, thumbnail_width, data) {
                    Ok(Assessed { width, height, thumbnail, features, measuring }) => {
                        Answer::Assessed { cpu: spent(), measuring, width, height, thumbnail, features }
                    }
                    Err(why) => Answer::Refused { cpu: spent(), why },
                }
            }
            Some(Request::Render { codec, max_width, data }) => match coders.render(codec, max_width, data) {
                Ok(jpeg) => Answer::Rendered { cpu: spent(), jpeg },
                Err(why) => Answer::Refused { cpu: spent(), why },
            },
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        sys::kill_me_after(Duration::ZERO)?;
        write_all(output, &answer.encode())?;
    }
    Ok(())
}

/// All that decodes and encodes, ready before the first picture.
struct Coders {
    h264: video::Decoder,
    h265: video::Decoder,
    jpeg: jpeg::Decoder,
    encoder: Encoder,
}

/// What a keyframe came to.
struct Assessed {
    width: u32,
    height: u32,
    thumbnail: Bytes,
    features: Box<Features>,
    /// CPU time of the measuring alone.
    measuring: Duration,
}

impl Coders {
    fn new() -> Result<Coders, String> {
        Ok(Coders {
            h264: video::Decoder::open(Codec::H264)?,
            h265: video::Decoder::open(Codec::H265)?,
            jpeg: jpeg::Decoder::default(),
            encoder: Encoder::new()?,
        })
    }

    fn decode(&mut self, codec: Codec, data: &[u8]) -> Result<(Planes<'_>, &mut Encoder), String> {
        let planes = match codec {
            Codec::H264 => self.h264.decode(data)?,
            Codec::H265 => self.h265.decode(data)?,
            Codec::Jpeg => self.jpeg.decode(data)?,
        };
        Ok((planes, &mut self.encoder))
    }

    fn assess(&mut self, codec: Codec, width: u32, data: &[u8]) -> Result<Assessed, String> {
        let (planes, encoder) = self.decode(codec, data)?;
        let begin = sys::cpu_time();
        let features = Box::new(measure::features(&planes));
        let measuring = sys::cpu_time().saturating_sub(begin);
        let thumbnail = encoder.encode(&Canvas::new(&planes, width as usize), THUMBNAIL_QUALITY)?.into();
        Ok(Assessed { width: planes.width() as u32, height: planes.height() as u32, thumbnail, features, measuring })
    }

    fn render(&mut self, codec: Codec, max_width: Option<u32>, data: &[u8]) -> Result<Bytes, String> {
        let (planes, encoder) = self.decode(codec, data)?;
        let width = max_width.map_or(usize::MAX, |w| w as usize).max(2);
        Ok(encoder.encode(&Canvas::new(&planes, width), PICTURE_QUALITY)?.into())
    }
}

/// Messages from the pipe, one at a time: the parent sends none before the last was answered.
#[derive(Default)]
struct Messages {
    /// As large as the largest message so far; not cleared in between.
    buffer: Vec<u8>,
}

impl Messages {
    /// The next message, without its length; `None` if the pipe closed between two.
    fn next(&mut self, input: &impl AsFd) -> io::Result<Option<&[u8]>> {
        self.buffer.resize(self.buffer.len().max(FIRST_READ), 0);
        let mut filled = 0;
        while filled < LENGTH_BYTES {
            match read(input, &mut self.buffer[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        let (length, _) = self.buffer.split_first_chunk().expect("its length was read");
        let end = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
        if end > MAX_KEYFRAME + 64 || filled > end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.buffer.resize(self.buffer.len().max(end), 0);
        while filled < end {
            match read(input, &mut self.buffer[filled..end])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(Some(&self.buffer[LENGTH_BYTES..end]))
    }
}

fn read(input: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(input, &mut *buffer) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

fn write_all(output: &impl AsFd, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match rustix::io::write(output, data) {
            Ok(count) => data = &data[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
