//! Puts every frame together while somebody watches.
//!
//! A frame is given out when the next one begins, because only then its duration is known. After a lost packet
//! nothing is given out until the next keyframe: decoders paint over what they lack, and a viewer would take smears
//! for the picture.

use super::{Frame, ParameterSets, Skip, Viewers, timeline::Timeline};
use crate::{
    assemble::{Packet, ParameterSets as Sets},
    nal::{Kind, Piece, Syntax},
};
use bytes::Bytes;
use fleet::Codec;
use std::{sync::Arc, time::Instant};

/// The frames of one stream.
#[derive(Debug)]
pub(crate) struct Frames {
    syntax: Syntax,
    clock_rate: u32,
    limit: usize,
    timeline: Timeline,
    sets: Option<Arc<ParameterSets>>,
    unit: Option<Unit>,
    timestamp: Option<u32>,
    marked: bool,
    /// A keyframe was given out and nothing has been missed since.
    synced: bool,
}

/// The frame being put together.
#[derive(Debug)]
struct Unit {
    data: Vec<u8>,
    began: Instant,
    picture: bool,
    keyframe: bool,
    /// Where the length of the NAL unit stands whose fragments are coming.
    open: Option<usize>,
    damaged: bool,
}

impl Frames {
    pub(crate) fn new(syntax: Syntax, clock_rate: u32, limit: usize) -> Frames {
        Frames {
            syntax,
            clock_rate,
            limit,
            timeline: Timeline::new(clock_rate),
            sets: None,
            unit: None,
            timestamp: None,
            marked: false,
            synced: false,
        }
    }

    /// Takes the next packet; `sets` are the newest parameter sets before it.
    pub(crate) fn take(&mut self, packet: &Packet<'_>, sets: &Sets, viewers: &Viewers) {
        if !viewers.watched() {
            // Nothing but two words: this is every packet of every camera nobody watches.
            self.timestamp = None;
            self.synced = false;
            return;
        }
        if self.timestamp != Some(packet.timestamp) {
            let intact = packet.lost == 0 || self.marked;
            if let (Some(unit), Some(timestamp)) = (self.unit.take(), self.timestamp) {
                self.finish(unit, intact, (timestamp, packet.timestamp), sets, viewers);
            }
            if packet.lost > 0 {
                self.lose(viewers);
            }
            // The first packet we see may be in the middle of a frame.
            self.unit = (self.timestamp.is_some() && packet.lost == 0).then(|| Unit::new(packet.arrived));
            self.timestamp = Some(packet.timestamp);
        } else if packet.lost > 0
            && let Some(unit) = &mut self.unit
        {
            unit.damaged = true;
        }
        self.marked = packet.mark;
        if let Some(unit) = &mut self.unit {
            self.syntax.pieces(packet.payload, |piece| unit.add(piece));
            if unit.data.len() > self.limit {
                unit.data = Vec::new();
                unit.damaged = true;
            }
        }
    }

    fn finish(&mut self, unit: Unit, intact: bool, times: (u32, u32), sets: &Sets, viewers: &Viewers) {
        let keyframe = unit.keyframe;
        let stamp = self.timeline.stamp(times.0, times.1, keyframe);
        if !intact || unit.damaged || unit.open.is_some() || stamp.restart {
            return self.lose(viewers);
        }
        if !unit.picture {
            return;
        }
        if keyframe {
            self.synced = self.learn(sets);
        }
        let Some(sets) = self.sets.as_ref().filter(|_| self.synced) else { return };
        viewers.push(Arc::new(Frame {
            keyframe,
            decode_time: stamp.decode_time,
            duration: stamp.duration,
            offset: stamp.offset,
            data: Bytes::from(unit.data),
            sets: Arc::clone(sets),
            received: unit.began,
        }));
    }

    /// Nothing more until the next keyframe.
    fn lose(&mut self, viewers: &Viewers) {
        if std::mem::take(&mut self.synced) {
            viewers.skip(Skip::Loss);
        }
    }

    /// Takes over the parameter sets of a keyframe; false if a decoder would lack some.
    fn learn(&mut self, sets: &Sets) -> bool {
        if !sets.complete(self.syntax) {
            return false;
        }
        let of = |kind| sets.of(kind).map(<[u8]>::to_vec).collect();
        let (width, height) = sets.dimensions();
        let fresh = ParameterSets {
            codec: match self.syntax {
                Syntax::H264 => Codec::H264,
                Syntax::H265 => Codec::H265,
            },
            clock_rate: self.clock_rate,
            width,
            height,
            vps: of(Kind::Vps),
            sps: of(Kind::Sps),
            pps: of(Kind::Pps),
        };
        if self.sets.as_deref() != Some(&fresh) {
            self.sets = Some(Arc::new(fresh));
        }
        true
    }
}

impl Unit {
    fn new(began: Instant) -> Unit {
        Unit { data: Vec::new(), began, picture: false, keyframe: false, open: None, damaged: false }
    }

    fn add(&mut self, piece: Piece<'_>) {
        if self.damaged {
            return;
        }
        match piece {
            // Parameter sets travel apart; delimiters say nothing that the container does not.
            Piece::Whole(Kind::Vps | Kind::Sps | Kind::Pps | Kind::Delimiter, _) => {}
            Piece::Whole(kind, nal) if self.open.is_none() => {
                self.note(kind);
                self.begin(&[nal]);
            }
            Piece::First(kind, header, bytes) if self.open.is_none() => {
                self.note(kind);
                self.open = Some(self.begin(&[header.as_slice(), bytes]));
            }
            Piece::More(_, bytes, last) => match self.open {
                Some(at) => {
                    self.data.extend_from_slice(bytes);
                    if last {
                        self.close(at);
                        self.open = None;
                    }
                }
                None => self.damaged = true,
            },
            Piece::Whole(..) | Piece::First(..) | Piece::Malformed => self.damaged = true,
        }
    }

    fn note(&mut self, kind: Kind) {
        self.keyframe |= kind == Kind::Key;
        self.picture |= matches!(kind, Kind::Key | Kind::Slice);
    }

    /// Appends a NAL unit after its length; gives the place of the length.
    fn begin(&mut self, parts: &[&[u8]]) -> usize {
        let at = self.data.len();
        self.data.extend_from_slice(&[0; 4]);
        parts.iter().for_each(|part| self.data.extend_from_slice(part));
        self.close(at);
        at
    }

    /// Writes the length of the NAL unit that began at this place and goes up to here.
    fn close(&mut self, at: usize) {
        // Frames are bounded far below 4 GiB.
        let length = u32::try_from(self.data.len() - at - 4).unwrap_or(u32::MAX);
        self.data[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
