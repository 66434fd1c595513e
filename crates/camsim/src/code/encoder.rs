//! x264 and x265 through FFmpeg: one picture in, one coded picture out.

use crate::{SimCodec, SimError, scene::Picture};
use ffmpeg_next as ffmpeg;

use super::{FPS, GOP, Units};

/// How much is spent on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rate {
    /// Bits a second on average.
    Average(u32),
    /// Constant quality; lower is better.
    Quality(u32),
}

/// What to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recipe {
    pub(crate) codec: SimCodec,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rate: Rate,
}

/// A running encoder without any delay.
pub(crate) struct Encoder {
    recipe: Recipe,
    inner: ffmpeg::encoder::video::Encoder,
    next: i64,
}

impl Encoder {
    pub(crate) fn open(recipe: Recipe) -> Result<Encoder, SimError> {
        let failed = |what: &str, error: ffmpeg::Error| SimError::Encode(format!("{what}: {error}"));
        ffmpeg::init().map_err(|e| failed("FFmpeg", e))?;
        ffmpeg::log::set_level(ffmpeg::log::Level::Fatal);
        let name = match recipe.codec {
            SimCodec::H264 => "libx264",
            SimCodec::H265 => "libx265",
        };
        let codec = ffmpeg::encoder::find_by_name(name).ok_or_else(|| {
            SimError::Encode(format!(
                "this machine's FFmpeg has no {name}; install a libavcodec that has it (Debian: libavcodec59)"
            ))
        })?;
        let mut context =
            ffmpeg::codec::context::Context::new_with_codec(codec).encoder().video().map_err(|e| failed(name, e))?;
        context.set_width(recipe.width);
        context.set_height(recipe.height);
        context.set_format(ffmpeg::format::Pixel::YUV420P);
        context.set_time_base((1, i32::try_from(FPS).unwrap_or(15)));
        context.set_frame_rate(Some((i32::try_from(FPS).unwrap_or(15), 1)));
        context.set_gop(GOP);
        context.set_max_b_frames(0);
        if let Rate::Average(bits) = recipe.rate {
            context.set_bit_rate(bits as usize);
        }
        let inner = context.open_with(recipe.options()).map_err(|e| failed(name, e))?;
        Ok(Encoder { recipe, inner, next: 0 })
    }

    /// Encodes the next picture; a keyframe if asked, else what depends on the one before.
    pub(crate) fn encode(&mut self, picture: &Picture, key: bool) -> Result<Units, SimError> {
        let failed = |error: ffmpeg::Error| SimError::Encode(error.to_string());
        let (width, height) = (self.recipe.width as usize, self.recipe.height as usize);
        let mut frame =
            ffmpeg::frame::Video::new(ffmpeg::format::Pixel::YUV420P, self.recipe.width, self.recipe.height);
        let planes =
            [(&picture.y, width, height), (&picture.u, width / 2, height / 2), (&picture.v, width / 2, height / 2)];
        for (i, (samples, width, height)) in planes.into_iter().enumerate() {
            let stride = frame.stride(i);
            let rows = frame.data_mut(i).chunks_mut(stride).zip(samples.chunks_exact(width)).take(height);
            for (to, from) in rows {
                to[..width].copy_from_slice(from);
            }
        }
        frame.set_pts(Some(self.next));
        frame.set_kind(if key { ffmpeg::picture::Type::I } else { ffmpeg::picture::Type::P });
        self.next += 1;
        self.inner.send_frame(&frame).map_err(failed)?;
        let mut packet = ffmpeg::Packet::empty();
        self.inner.receive_packet(&mut packet).map_err(failed)?;
        Units::sort(self.recipe.codec, packet.data().unwrap_or_default())
    }
}

impl Recipe {
    /// The preset, and the settings that differ from it.
    fn words(self) -> (&'static str, &'static str, String) {
        let quality = match self.rate {
            // A tight buffer: loops are too short for the average to settle by itself.
            Rate::Average(bits) => format!("vbv-maxrate={0}:vbv-bufsize={0}:vbv-init=0.5", bits / 1000),
            Rate::Quality(crf) => format!("crf={crf}"),
        };
        match self.codec {
            SimCodec::H264 => (
                "superfast",
                "x264-params",
                format!(
                    "stitchable=1:slices=1:threads=1:sliced-threads=0:weightp=0:ref=1:trellis=0:subme=1:\
                     me=dia:scenecut=0:keyint={GOP}:min-keyint={GOP}:mvrange=64:{quality}"
                ),
            ),
            SimCodec::H265 => (
                "ultrafast",
                "x265-params",
                format!(
                    "log-level=none:pools=none:frame-threads=1:wpp=0:slices=1:ctu=16:min-cu-size=8:ref=1:bframes=0:\
                     weightp=0:scenecut=0:open-gop=0:keyint={GOP}:min-keyint={GOP}:temporal-mvp=0:repeat-headers=1:\
                     info=0:aq-mode=1:aq-strength=0.8:{quality}"
                ),
            ),
        }
    }

    /// How it is encoded, in words: what is encoded differently is described differently.
    pub(crate) fn settings(self) -> String {
        format!("{:?}", self.words())
    }

    fn options(self) -> ffmpeg::Dictionary<'static> {
        let (preset, name, settings) = self.words();
        let mut options = ffmpeg::Dictionary::new();
        options.set("preset", preset);
        options.set("tune", "zerolatency");
        options.set("forced-idr", "1");
        options.set(name, &settings);
        options
    }
}
