//! A scene's loop, coded and cut into RTP packets once for all cameras that show it.

use crate::{
    Fault, SimCodec, SimError,
    code::{Encoder, FPS, PictureHead, Placer, Rate, Recipe, Slice, Units},
    rtp::Packets,
    scene::{Layout, Picture, Stage, rgb},
};

/// Which of a camera's streams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Which {
    Main,
    Sub,
}

/// What all pictures of one codec and size share.
pub(crate) struct Kit {
    pub(crate) codec: SimCodec,
    pub(crate) layout: Layout,
    /// VPS (H.265 only), SPS, PPS of the whole picture.
    pub(crate) sets: Vec<Vec<u8>>,
    /// The same as RTP packets.
    pub(crate) packets: Packets,
    pub(crate) placer: Placer,
    /// "As in the picture before", for line and band together and for the band alone.
    still: Slice,
    band_still: Slice,
}

impl Kit {
    pub(crate) fn new(codec: SimCodec, layout: Layout) -> Result<Kit, SimError> {
        let flat = |height: u32| Picture::new(layout.width as usize, height as usize, rgb(90, 90, 90));
        let recipe = |height, rate| Recipe { codec, width: layout.width, height, rate };
        let whole =
            Encoder::open(recipe(layout.height, Rate::Average(layout.bitrate)))?.encode(&flat(layout.height), true)?;
        let sets = whole.params;
        let placer = Placer::new(codec, &sets)?;
        let still = |height: u32| -> Result<Slice, SimError> {
            let mut encoder = Encoder::open(recipe(height, Rate::Quality(30)))?;
            let picture = flat(height);
            encoder.encode(&picture, true)?;
            Ok(placer.take(&encoder.encode(&picture, false)?.slice)?.1)
        };
        let packets = Packets::cut(codec, sets.iter().map(Vec::as_slice));
        Ok(Kit {
            codec,
            layout,
            packets,
            still: still(layout.line + layout.band)?,
            band_still: still(layout.band)?,
            placer,
            sets,
        })
    }

    /// An encoder for the line or the band.
    pub(crate) fn strip_encoder(&self, height: u32) -> Result<Encoder, SimError> {
        Encoder::open(Recipe { codec: self.codec, width: self.layout.width, height, rate: Rate::Quality(27) })
    }

    /// Encodes the line or the band, to be placed into pictures of any kind.
    pub(crate) fn strip(&self, encoder: &mut Encoder, picture: &Picture) -> Result<Slice, SimError> {
        let units = encoder.encode(picture, true)?;
        self.check(&units)?;
        Ok(self.placer.take(&units.slice)?.1)
    }

    /// An encoder for the scene.
    pub(crate) fn scene_encoder(&self) -> Result<Encoder, SimError> {
        Encoder::open(self.scene_recipe())
    }

    fn scene_recipe(&self) -> Recipe {
        Recipe {
            codec: self.codec,
            width: self.layout.width,
            height: self.layout.scene(),
            rate: Rate::Average(match self.codec {
                SimCodec::H264 => self.layout.bitrate,
                // x265 stays that much below what it is given.
                SimCodec::H265 => self.layout.bitrate / 100 * 107,
            }),
        }
    }

    /// How scenes are encoded, in words.
    pub(crate) fn settings(&self) -> String {
        self.scene_recipe().settings()
    }

    /// Parts fit together only if their picture parameter sets are the same.
    pub(crate) fn check(&self, units: &Units) -> Result<(), SimError> {
        match (units.params.last(), self.sets.last()) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(SimError::Encode(format!(
                "{:?}: the parts of a picture are coded with different parameters",
                self.codec
            ))),
            _ => Ok(()),
        }
    }
}

/// The scene part of a loop as the encoder gave it: what the cache keeps.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Take {
    /// One entry a tick of 1/15 s; `None` where no picture is sent.
    pub(crate) pictures: Vec<Option<CodedPicture>>,
}

/// One coded picture of the scene.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CodedPicture {
    pub(crate) key: bool,
    pub(crate) slice: Vec<u8>,
}

impl Take {
    /// Encodes a variant of a scene.
    pub(crate) fn record(
        kit: &Kit,
        stage: &Stage,
        ticks: u32,
        gop: u32,
        fault: Option<Fault>,
    ) -> Result<Take, SimError> {
        let mut recorder = Recorder::new(kit)?;
        for tick in 0..ticks {
            if fault == Some(Fault::LowFrameRate) && !tick.is_multiple_of(FPS / 3) {
                recorder.skip();
                continue;
            }
            let mut picture = stage.draw(tick);
            if kit.layout.shrink > 1 {
                picture = picture.shrunk(kit.layout.shrink as usize);
            }
            recorder.add(&picture, tick.is_multiple_of(gop))?;
        }
        Ok(recorder.take)
    }
}

/// Encodes a scene picture by picture.
pub(crate) struct Recorder<'a> {
    kit: &'a Kit,
    encoder: Encoder,
    take: Take,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(kit: &'a Kit) -> Result<Recorder<'a>, SimError> {
        Ok(Recorder { kit, encoder: kit.scene_encoder()?, take: Take::default() })
    }

    pub(crate) fn add(&mut self, picture: &Picture, key: bool) -> Result<(), SimError> {
        let units = self.encoder.encode(picture, key)?;
        self.kit.check(&units)?;
        self.take.pictures.push(Some(CodedPicture { key, slice: units.slice }));
        Ok(())
    }

    fn skip(&mut self) {
        self.take.pictures.push(None);
    }

    pub(crate) fn finish(self) -> Take {
        self.take
    }
}

/// A loop ready to send.
pub(crate) struct Clip {
    /// One entry a tick of 1/15 s.
    pub(crate) frames: Vec<Option<Frame>>,
}

/// One picture ready to send but for line and band.
pub(crate) struct Frame {
    pub(crate) key: bool,
    pub(crate) head: PictureHead,
    pub(crate) scene: Packets,
    /// Line and band as before; empty for keyframes.
    pub(crate) still: Packets,
    /// The band as before; empty for keyframes.
    pub(crate) band_still: Packets,
}

impl Clip {
    /// Cuts a take into packets. `corrupt`: with damaged keyframes.
    pub(crate) fn assemble(kit: &Kit, take: &Take, corrupt: bool) -> Result<Clip, SimError> {
        let one = |slice: &Slice, head: &PictureHead, row: u32| {
            let unit = kit.placer.place(slice, head, row);
            Packets::cut(kit.codec, [unit.as_slice()])
        };
        let frame = |picture: &CodedPicture| -> Result<Frame, SimError> {
            let (head, slice) = kit.placer.take(&picture.slice)?;
            let mut unit = kit.placer.place(&slice, &head, kit.layout.scene_row());
            let (mut still, mut band_still) = (Packets::default(), Packets::default());
            if picture.key {
                if corrupt {
                    damage(&mut unit, kit.codec);
                }
            } else {
                still = one(&kit.still, &head, 0);
                band_still = one(&kit.band_still, &head, kit.layout.band_row());
            }
            Ok(Frame { key: picture.key, scene: Packets::cut(kit.codec, [unit.as_slice()]), still, band_still, head })
        };
        let frames = take.pictures.iter().map(|p| p.as_ref().map(frame).transpose()).collect::<Result<_, _>>()?;
        Ok(Clip { frames })
    }
}

/// Flips bits all over a slice and cuts off its end, so that no decoder takes it for whole.
///
/// FFmpeg's H.265 decoder takes any bits for a picture as long as the slice's head is in order, so there the head names
/// a parameter set that was never sent: after the first two flags (H.265 §7.3.6.1) five zero bits and a one begin a
/// `slice_pic_parameter_set_id` of 31 or more.
fn damage(unit: &mut Vec<u8>, codec: SimCodec) {
    let length = unit.len();
    unit.truncate((length * 3 / 5).max(length.min(24)));
    for byte in unit.iter_mut().skip(24).step_by(97) {
        *byte ^= 0x5a;
    }
    if codec == SimCodec::H265
        && let Some(head) = unit.get_mut(2)
    {
        *head = (*head & 0xc0) | 0x01;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Size,
        code::GOP,
        scene::{SceneId, Yuv},
    };
    use ffmpeg_next as ffmpeg;

    /// Decodes pictures one by one; gives their luma.
    struct Decoder(ffmpeg::decoder::Video);

    impl Decoder {
        fn open(codec: SimCodec) -> Decoder {
            let id = match codec {
                SimCodec::H264 => ffmpeg::codec::Id::H264,
                SimCodec::H265 => ffmpeg::codec::Id::HEVC,
            };
            let codec = ffmpeg::decoder::find(id).unwrap();
            let mut context = ffmpeg::codec::Context::new_with_codec(codec);
            context.set_flags(ffmpeg::codec::Flags::LOW_DELAY);
            Decoder(context.decoder().video().unwrap())
        }

        fn decode(&mut self, units: &[&[u8]]) -> Vec<Vec<u8>> {
            let annex_b: Vec<u8> = units.iter().flat_map(|u| [&[0, 0, 0, 1], *u].concat()).collect();
            self.0.send_packet(&ffmpeg::Packet::copy(&annex_b)).unwrap();
            let mut frame = ffmpeg::frame::Video::empty();
            self.0.receive_frame(&mut frame).unwrap();
            let rows = frame.data(0).chunks(frame.stride(0)).take(frame.height() as usize);
            rows.map(|row| row[..frame.width() as usize].to_vec()).collect()
        }
    }

    /// Codes a loop once as pictures of its own and once as part of bigger ones: the decoder must see the same.
    fn same_alone_and_as_a_part(codec: SimCodec, layout: Layout, scene: SceneId) {
        let kit = Kit::new(codec, layout).unwrap();
        let main = Layout::main(Size::Small);
        let stage = Stage::new(scene, None, main, GOP);
        let flat = |height: u32, luma| Picture::new(layout.width as usize, height as usize, Yuv(luma, 90, 160));
        let strip =
            |height: u32, luma| kit.strip(&mut kit.strip_encoder(height).unwrap(), &flat(height, luma)).unwrap();
        let (line, band) = (strip(layout.line, 200), strip(layout.band, 40));
        let mut encoder = kit.scene_encoder().unwrap();
        let (mut alone, mut whole) = (Decoder::open(codec), Decoder::open(codec));
        for n in 0..10 {
            let mut picture = stage.draw(n * 3);
            if layout.shrink > 1 {
                picture = picture.shrunk(layout.shrink as usize);
            }
            let units = encoder.encode(&picture, n == 0).unwrap();
            kit.check(&units).unwrap();
            let mut parts: Vec<&[u8]> = units.params.iter().map(Vec::as_slice).collect();
            parts.push(&units.slice);
            let expected = alone.decode(&parts);

            let (head, slice) = kit.placer.take(&units.slice).unwrap();
            let scene = kit.placer.place(&slice, &head, layout.scene_row());
            // The clock changes in the middle of the group of pictures, too.
            let above = match n {
                0 | 5 => vec![
                    kit.placer.place(&line, &head, 0),
                    if n == 0 {
                        kit.placer.place(&band, &head, layout.band_row())
                    } else {
                        kit.placer.place(&kit.band_still, &head, layout.band_row())
                    },
                ],
                _ => vec![kit.placer.place(&kit.still, &head, 0)],
            };
            let mut parts: Vec<&[u8]> = Vec::new();
            if n == 0 {
                parts.extend(kit.sets.iter().map(Vec::as_slice));
            }
            parts.extend(above.iter().map(Vec::as_slice));
            parts.push(&scene);
            let seen = whole.decode(&parts);
            let split = (layout.line + layout.band) as usize;
            assert_eq!(seen.len(), layout.height as usize);
            assert!(seen[split..] == expected[..], "{codec:?} {layout:?}: the scene of picture {n} differs");
            for (row, samples) in seen[..split].iter().enumerate() {
                let wanted = if row < layout.line as usize { 200u8 } else { 40 };
                assert!(samples.iter().all(|s| s.abs_diff(wanted) < 4), "picture {n}, row {row}: {:?}", &samples[..8]);
            }
        }
    }

    #[test]
    fn a_scene_decodes_the_same_alone_and_as_a_part() {
        for codec in [SimCodec::H264, SimCodec::H265] {
            for layout in [Layout::main(Size::Small), Layout::sub(Size::Small)] {
                for scene in [0, 2, 18] {
                    same_alone_and_as_a_part(codec, layout, SceneId(scene));
                }
            }
        }
    }
}
