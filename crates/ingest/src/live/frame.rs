//! One frame as it goes to the viewers.

use bytes::Bytes;
use fleet::Codec;
use std::{sync::Arc, time::Instant};

/// A coded frame, whole, in decoding order.
#[derive(Clone, Debug)]
pub struct Frame {
    /// It can be decoded by itself.
    pub keyframe: bool,
    /// When it is decoded, in ticks since the session's first frame for viewers.
    pub decode_time: u64,
    /// Ticks until the next one.
    pub duration: u32,
    /// Ticks from decoding to showing.
    pub offset: i32,
    /// Its NAL units, each after its length in four bytes, parameter sets left out.
    pub data: Bytes,
    /// What it is decoded with; the same `Arc` as long as nothing changes.
    pub sets: Arc<ParameterSets>,
    /// When its first packet arrived.
    pub received: Instant,
}

/// What a decoder must know of a stream before its first frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParameterSets {
    /// How the stream is coded.
    pub codec: Codec,
    /// Ticks a second.
    pub clock_rate: u32,
    /// Picture width in pixels; 0 if unknown.
    pub width: u32,
    /// Picture height in pixels; 0 if unknown.
    pub height: u32,
    /// Video parameter sets (H.265 only).
    pub vps: Vec<Vec<u8>>,
    /// Sequence parameter sets.
    pub sps: Vec<Vec<u8>>,
    /// Picture parameter sets.
    pub pps: Vec<Vec<u8>>,
}

/// Why frames are missing before the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// Packets were lost on the way from the camera; what follows would be damaged up to the next keyframe.
    Loss,
    /// The viewer did not take them in time; he gets keyframes until he keeps up.
    Slow,
}

/// What a viewer gets.
#[derive(Clone, Debug)]
pub enum Watched {
    /// The next frame.
    Frame(Arc<Frame>),
    /// Frames are left out here; a keyframe comes next.
    Skipped(Skip),
}
