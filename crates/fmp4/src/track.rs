//! One video track: its initialization segment and the media segment of each frame.

use crate::{
    boxes::{boxed, full, u16s, u32s},
    h264, h265,
};

/// The track's number in the file.
const TRACK: u32 = 1;
/// Most parameter sets of one kind (the field of `avcC` for the SPS has five bits).
const SETS: usize = 31;
/// The unity matrix: the picture is neither turned nor scaled.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// A stream's coding with its parameter sets, each a NAL unit with its header and without start code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Coding {
    /// H.264.
    H264 {
        /// Sequence parameter sets.
        sps: Vec<Vec<u8>>,
        /// Picture parameter sets.
        pps: Vec<Vec<u8>>,
    },
    /// H.265.
    H265 {
        /// Video parameter sets.
        vps: Vec<Vec<u8>>,
        /// Sequence parameter sets.
        sps: Vec<Vec<u8>>,
        /// Picture parameter sets.
        pps: Vec<Vec<u8>>,
    },
}

/// Why a stream cannot become a track.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrackError {
    /// A kind of parameter set is missing, there are too many, or one is too long.
    #[error("the parameter sets are missing, too many or too long")]
    Sets,
    /// The sequence parameter set makes no sense.
    #[error("the sequence parameter set cannot be read")]
    Profile,
}

/// One coded frame.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// When it is decoded, in ticks of the track's clock.
    pub decode_time: u64,
    /// Until the next one, in ticks.
    pub duration: u32,
    /// From decoding to showing, in ticks; not 0 only where frames are coded in another order than shown.
    pub offset: i32,
    /// It can be decoded by itself.
    pub keyframe: bool,
    /// Its NAL units, each after its length in four bytes.
    pub data: &'a [u8],
}

/// A video track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Track {
    coding: Coding,
    profile: Profile,
    width: u16,
    height: u16,
    clock_rate: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Profile {
    H264([u8; 3]),
    H265(h265::Profile),
}

impl Track {
    /// A track of pictures of this size, timed in ticks of `clock_rate` a second.
    ///
    /// # Errors
    /// Parameter sets that are missing or cannot be read.
    pub fn new(coding: Coding, width: u16, height: u16, clock_rate: u32) -> Result<Track, TrackError> {
        let good = |sets: &[Vec<u8>]| {
            (1..=SETS).contains(&sets.len()) && sets.iter().all(|s| (4..=usize::from(u16::MAX)).contains(&s.len()))
        };
        let profile = match &coding {
            Coding::H264 { sps, pps } if good(sps) && pps_good(pps) => {
                Profile::H264(h264::profile(&sps[0]).ok_or(TrackError::Profile)?)
            }
            Coding::H265 { vps, sps, pps } if good(vps) && good(sps) && pps_good(pps) => {
                Profile::H265(h265::profile(&sps[0]).ok_or(TrackError::Profile)?)
            }
            _ => return Err(TrackError::Sets),
        };
        Ok(Track { coding, profile, width, height, clock_rate: clock_rate.max(1) })
    }

    /// What the browser is asked whether it can play: `video/mp4; codecs="…"`.
    #[must_use]
    pub fn mime(&self) -> String {
        let codec = match &self.profile {
            Profile::H264(profile) => h264::codec(*profile),
            Profile::H265(profile) => h265::codec(profile),
        };
        format!("video/mp4; codecs=\"{codec}\"")
    }

    /// Ticks of its clock a second.
    #[must_use]
    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The initialization segment: `ftyp` and `moov`.
    #[must_use]
    pub fn init(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        boxed(&mut out, b"ftyp", |out| {
            out.extend_from_slice(b"iso6");
            u32s(out, &[1]);
            out.extend_from_slice(b"iso6mp41");
        });
        boxed(&mut out, b"moov", |out| {
            full(out, b"mvhd", 0, 0, |out| {
                u32s(out, &[0, 0, self.clock_rate, 0, 0x1_0000]);
                u16s(out, &[0x100, 0]);
                u32s(out, &[0, 0]);
                u32s(out, &UPRIGHT);
                u32s(out, &[0; 6]);
                u32s(out, &[TRACK + 1]);
            });
            boxed(out, b"trak", |out| self.trak(out));
            boxed(out, b"mvex", |out| full(out, b"trex", 0, 0, |out| u32s(out, &[TRACK, 1, 0, 0, 0])));
        });
        out
    }

    fn trak(&self, out: &mut Vec<u8>) {
        full(out, b"tkhd", 0, 3, |out| {
            u32s(out, &[0, 0, TRACK, 0, 0, 0, 0]);
            u16s(out, &[0; 4]); // layer, group, volume, reserved
            u32s(out, &UPRIGHT);
            u32s(out, &[u32::from(self.width) << 16, u32::from(self.height) << 16]);
        });
        boxed(out, b"mdia", |out| {
            full(out, b"mdhd", 0, 0, |out| {
                u32s(out, &[0, 0, self.clock_rate, 0]);
                u16s(out, &[0x55c4, 0]); // language "und"
            });
            full(out, b"hdlr", 0, 0, |out| {
                u32s(out, &[0]);
                out.extend_from_slice(b"vide");
                u32s(out, &[0; 3]);
                out.push(0);
            });
            boxed(out, b"minf", |out| {
                full(out, b"vmhd", 0, 1, |out| u16s(out, &[0; 4]));
                boxed(out, b"dinf", |out| {
                    full(out, b"dref", 0, 0, |out| {
                        u32s(out, &[1]);
                        full(out, b"url ", 0, 1, |_| ());
                    });
                });
                boxed(out, b"stbl", |out| {
                    full(out, b"stsd", 0, 0, |out| {
                        u32s(out, &[1]);
                        self.sample_entry(out);
                    });
                    full(out, b"stts", 0, 0, |out| u32s(out, &[0]));
                    full(out, b"stsc", 0, 0, |out| u32s(out, &[0]));
                    full(out, b"stsz", 0, 0, |out| u32s(out, &[0, 0]));
                    full(out, b"stco", 0, 0, |out| u32s(out, &[0]));
                });
            });
        });
    }

    fn sample_entry(&self, out: &mut Vec<u8>) {
        let kind = match self.profile {
            Profile::H264(_) => b"avc1",
            Profile::H265(_) => b"hvc1",
        };
        boxed(out, kind, |out| {
            u16s(out, &[0, 0, 0, 1, 0, 0]); // reserved, data reference, pre-defined, reserved
            u32s(out, &[0; 3]);
            u16s(out, &[self.width, self.height]);
            u32s(out, &[0x48_0000, 0x48_0000, 0]); // 72 dpi
            u16s(out, &[1]); // frames a sample
            out.extend_from_slice(&[0; 32]); // name of the encoder
            u16s(out, &[0x18, 0xffff]);
            match (&self.coding, &self.profile) {
                (Coding::H264 { sps, pps }, Profile::H264(profile)) => {
                    boxed(out, b"avcC", |out| h264::record(out, *profile, sps, pps));
                }
                (Coding::H265 { vps, sps, pps }, Profile::H265(profile)) => {
                    boxed(out, b"hvcC", |out| h265::record(out, profile, [(32, vps), (33, sps), (34, pps)]));
                }
                _ => unreachable!("the profile was read from the coding's own sets"),
            }
        });
    }

    /// The media segment of one frame. `sequence` grows with each segment.
    #[must_use]
    pub fn fragment(&self, sequence: u32, sample: &Sample<'_>) -> Vec<u8> {
        let size = u32::try_from(sample.data.len()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(sample.data.len() + 128);
        let mut offset_at = 0;
        boxed(&mut out, b"moof", |out| {
            full(out, b"mfhd", 0, 0, |out| u32s(out, &[sequence]));
            boxed(out, b"traf", |out| {
                // The data's place is counted from this moof.
                full(out, b"tfhd", 0, 0x02_0000, |out| u32s(out, &[TRACK]));
                full(out, b"tfdt", 1, 0, |out| out.extend_from_slice(&sample.decode_time.to_be_bytes()));
                // Data offset; of the sample: duration, size, flags, composition offset (signed in version 1).
                full(out, b"trun", 1, 0xf01, |out| {
                    u32s(out, &[1]);
                    offset_at = out.len();
                    let flags = if sample.keyframe { 0x0200_0000 } else { 0x0101_0000 };
                    u32s(out, &[0, sample.duration, size, flags, sample.offset.cast_unsigned()]);
                });
            });
        });
        let data_at = u32::try_from(out.len() + 8).expect("a moof of one sample is some hundred bytes");
        out[offset_at..offset_at + 4].copy_from_slice(&data_at.to_be_bytes());
        boxed(&mut out, b"mdat", |out| out.extend_from_slice(sample.data));
        out
    }
}

/// Picture parameter sets may be as short as two bytes.
fn pps_good(sets: &[Vec<u8>]) -> bool {
    (1..=SETS).contains(&sets.len()) && sets.iter().all(|s| (2..=usize::from(u16::MAX)).contains(&s.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stream_without_its_sets_is_no_track() {
        let coding = Coding::H264 { sps: vec![vec![0x67, 0x64, 0, 0x1e]], pps: vec![] };
        assert_eq!(Track::new(coding, 640, 480, 90_000).unwrap_err(), TrackError::Sets);
        let coding = Coding::H265 { vps: vec![vec![0; 8]], sps: vec![vec![0x42, 1, 1, 2]], pps: vec![vec![0x44, 1]] };
        assert_eq!(Track::new(coding, 640, 480, 90_000).unwrap_err(), TrackError::Profile);
    }

    #[test]
    fn the_codec_is_named_as_browsers_know_it() {
        let sps = vec![0x67, 0x64, 0x00, 0x1e, 0xac];
        let track = Track::new(Coding::H264 { sps: vec![sps], pps: vec![vec![0x68, 0xee]] }, 640, 480, 90_000).unwrap();
        assert_eq!(track.mime(), "video/mp4; codecs=\"avc1.64001e\"");
    }

    proptest! {
        #[test]
        fn any_sets_are_taken_or_refused(sets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..4)) {
            for coding in [
                Coding::H264 { sps: sets.clone(), pps: sets.clone() },
                Coding::H265 { vps: sets.clone(), sps: sets.clone(), pps: sets.clone() },
            ] {
                if let Ok(track) = Track::new(coding, 1, 1, 1) {
                    let init = track.init();
                    let first = u32::from_be_bytes(init[..4].try_into().unwrap()) as usize;
                    let second = u32::from_be_bytes(init[first..first + 4].try_into().unwrap()) as usize;
                    prop_assert_eq!(first + second, init.len());
                }
            }
        }
    }
}
