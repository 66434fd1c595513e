//! Making coded pictures out of parts that were coded apart.
//!
//! A camera's picture has three parts, top to bottom: the *line* with the clock, the *band* with its name and its own
//! skyline, and the *scene*, which it shares with other cameras. Each part is coded by a real encoder as if it were a
//! whole picture, and becomes one slice of the camera's picture: its entropy-coded data stays as it is, only the slice
//! header is written anew. That works because no part may look at another: slices are predicted apart, loop filters
//! stop at their edges, and nothing moves along the edges of the parts.
//!
//! So a clock and a name of its own cost each camera a few hundred bytes of copying, not an encoder.

pub(crate) mod bits;
mod encoder;
mod h264;
mod h265;

pub(crate) use encoder::{Encoder, Rate, Recipe};

use crate::{SimCodec, SimError};
use bits::Short;

/// Pictures a second of every clip.
pub(crate) const FPS: u32 = 15;
/// Pictures of a group: 2 s.
pub(crate) const GOP: u32 = 30;

/// What all slices of one coded picture have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PictureHead {
    H264(h264::PictureHead),
    H265(h265::PictureHead),
}

/// One part of a picture, ready to be placed into a bigger picture.
#[derive(Clone, Debug)]
pub(crate) enum Slice {
    H264(h264::Slice),
    H265(h265::Slice),
}

/// Places slices into pictures of one size.
#[derive(Clone, Debug)]
pub(crate) enum Placer {
    H264(h264::Placer),
    H265(h265::Placer),
}

/// What an encoder gave for one picture, sorted.
pub(crate) struct Units {
    /// VPS (H.265 only), SPS, PPS; empty but for keyframes.
    pub(crate) params: Vec<Vec<u8>>,
    /// The one slice.
    pub(crate) slice: Vec<u8>,
}

impl Units {
    /// Sorts the NAL units of one coded picture.
    pub(crate) fn sort(codec: SimCodec, annex_b: &[u8]) -> Result<Units, SimError> {
        let (mut params, mut slices) = (Vec::new(), Vec::new());
        for unit in bits::split_annex_b(annex_b) {
            let class = match codec {
                SimCodec::H264 => h264::class(&unit),
                SimCodec::H265 => h265::class(&unit),
            };
            match class {
                Class::Params => params.push(unit),
                Class::Slice => slices.push(unit),
                Class::Other => {}
            }
        }
        match <[_; 1]>::try_from(slices) {
            Ok([slice]) => Ok(Units { params, slice }),
            Err(slices) => Err(SimError::Encode(format!("expected one slice a picture, got {}", slices.len()))),
        }
    }
}

/// What a NAL unit is to us.
pub(crate) enum Class {
    Params,
    Slice,
    Other,
}

impl Placer {
    /// Reads the parameter sets of the whole picture.
    pub(crate) fn new(codec: SimCodec, params: &[Vec<u8>]) -> Result<Placer, SimError> {
        let placer = match codec {
            SimCodec::H264 => h264::Placer::new(params).map(Placer::H264),
            SimCodec::H265 => h265::Placer::new(params).map(Placer::H265),
        };
        placer.map_err(|fault| SimError::Encode(format!("parameter sets of {codec:?}: {fault}")))
    }

    /// Takes a slice that was coded as a picture of its own, with parameter sets that differ from ours in size only.
    pub(crate) fn take(&self, unit: &[u8]) -> Result<(PictureHead, Slice), SimError> {
        let taken = match self {
            Placer::H264(placer) => placer.take(unit).map(|(h, s)| (PictureHead::H264(h), Slice::H264(s))),
            Placer::H265(placer) => placer.take(unit).map(|(h, s)| (PictureHead::H265(h), Slice::H265(s))),
        };
        taken.map_err(|fault| SimError::Encode(format!("slice header: {fault}")))
    }

    /// The NAL unit of a slice of the picture `head`, beginning so many rows of 16 pixels below its top.
    pub(crate) fn place(&self, slice: &Slice, head: &PictureHead, row: u32) -> Vec<u8> {
        match (self, slice, head) {
            (Placer::H264(placer), Slice::H264(slice), PictureHead::H264(head)) => placer.place(slice, head, row),
            (Placer::H265(placer), Slice::H265(slice), PictureHead::H265(head)) => placer.place(slice, head, row),
            _ => Vec::new(),
        }
    }
}

/// Why coded data of an encoder cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Short(#[from] Short),
    #[error("{0} is not provided for")]
    Unexpected(&'static str),
}

fn expect(holds: bool, what: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Unexpected(what)) }
}
