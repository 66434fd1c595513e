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
    let mut message = Vec::new();
    if !read_message(input, &mut message)? {
        return Ok(());
    }
    let Some(Request::Setup { memory, cpu, picture }) = Request::parse(&message) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // Opened before the sandbox closes: libraries are loaded, tables filled.
    let mut coders = match Coders::new() {
        Ok(coders) => coders,
        Err(why) => return write_all(output, &Answer::Refused { cpu: Duration::ZERO, why }.encode()),
    };
    let report = sandbox::confine(&Limits { memory, cpu }, &sandbox::Layer::ALL);
    write_all(output, &Answer::Ready(report).encode())?;
    while read_message(input, &mut message)? {
        sys::kill_me_after(picture)?;
        let begin = sys::cpu_time();
        let spent = || sys::cpu_time().saturating_sub(begin);
        let answer = match Request::parse(&message) {
            Some(Request::Assess { codec, thumbnail_width, data }) => {
                match coders.assess(codec, thumbnail_width, data) {
                    Ok((width, height, thumbnail, features)) => {
                        Answer::Assessed { cpu: spent(), width, height, thumbnail, features }
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

    fn assess(&mut self, codec: Codec, width: u32, data: &[u8]) -> Result<(u32, u32, Bytes, Features), String> {
        let (planes, encoder) = self.decode(codec, data)?;
        let features = measure::features(&planes);
        let thumbnail = encoder.encode(&Canvas::new(&planes, width as usize), THUMBNAIL_QUALITY)?;
        Ok((planes.width() as u32, planes.height() as u32, thumbnail.into(), features))
    }

    fn render(&mut self, codec: Codec, max_width: Option<u32>, data: &[u8]) -> Result<Bytes, String> {
        let (planes, encoder) = self.decode(codec, data)?;
        let width = max_width.map_or(usize::MAX, |w| w as usize).max(2);
        Ok(encoder.encode(&Canvas::new(&planes, width), PICTURE_QUALITY)?.into())
    }
}

/// Reads one message into `message`; `false` if the pipe closed between two.
fn read_message(input: &impl AsFd, message: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; LENGTH_BYTES];
    if !fill(input, &mut length)? {
        return Ok(false);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_KEYFRAME + 64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.clear();
    message.resize(length, 0);
    if fill(input, message)? { Ok(true) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Fills `buffer`; `false` if the pipe closed before its first byte.
fn fill(input: &impl AsFd, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::read(input, &mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{hint::black_box, process::Command};

    /// Run by hand: `cargo test --release -p sharpeyes-picture cost -- --ignored --nocapture`.
    #[test]
    #[ignore = "measures, checks nothing"]
    #[allow(clippy::print_stdout)]
    fn cost_of_each_step_in_process() {
        let mut coders = Coders::new().unwrap();
        for (codec, coding) in
            [(Codec::H264, "libx264 -f h264"), (Codec::H265, "libx265 -f hevc"), (Codec::Jpeg, "mjpeg -f mjpeg")]
        {
            let source = "testsrc2=size=1920x1080:rate=1";
            let data = Command::new("ffmpeg")
                .args(["-v", "quiet", "-f", "lavfi", "-i", source, "-frames:v", "1", "-pix_fmt", "yuv420p", "-c:v"])
                .args(coding.split(' '))
                .arg("-")
                .output()
                .unwrap()
                .stdout;
            let time = |what: &mut dyn FnMut()| {
                let begin = sys::cpu_time();
                (0..60).for_each(|_| what());
                (sys::cpu_time().saturating_sub(begin)).as_secs_f64() * 1000.0 / 60.0
            };
            let decode = time(&mut || {
                black_box(coders.decode(codec, &data).unwrap().0.luma.width);
            });
            let assess = time(&mut || drop(black_box(coders.assess(codec, 320, &data).unwrap())));
            let render = time(&mut || drop(black_box(coders.render(codec, None, &data).unwrap())));
            let (planes, encoder) = coders.decode(codec, &data).unwrap();
            let features = time(&mut || drop(black_box(measure::features(&planes))));
            let thumbnail =
                time(&mut || drop(black_box(encoder.encode(&Canvas::new(&planes, 320), THUMBNAIL_QUALITY))));
            println!(
                "1080p {} of {} KB, ms of CPU: decode {decode:.2}, features {features:.2}, thumbnail {thumbnail:.2}, \
                 assess {assess:.2}, render {render:.2}",
                codec.code(),
                data.len() / 1024
            );
        }
    }
}
