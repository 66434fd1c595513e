//! Finds keyframes in the packets of a stream and puts one together when somebody waits for it.
//!
//! Frames and keyframes are always counted, which costs a look at the first bytes of each packet. Bytes are kept
//! only from the start of an access unit that begins while somebody waits, and only up to a limit. A keyframe is
//! given out only if none of its packets is missing. No allocation per packet while nobody waits.

use crate::{
    nal::{Kind, Piece, Syntax},
    sps,
};
use bytes::Bytes;
use health::Profile;
use std::time::Instant;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Longest parameter set that is kept.
const SET_BYTES: usize = 4096;
/// Most parameter sets that are kept.
const SETS: usize = 48;

/// One packet, as far as assembly cares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) timestamp: u32,
    pub(crate) mark: bool,
    /// Packets missing before this one.
    pub(crate) lost: u16,
    pub(crate) arrived: Instant,
}

/// What a packet brought to light.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// It begins a frame.
    pub(crate) frame: bool,
    /// It is the first packet seen of a keyframe.
    pub(crate) keyframe: bool,
    /// The frame before it was a keyframe somebody waited for, and is whole.
    pub(crate) whole: Option<Whole>,
    /// A keyframe somebody waited for turned out not to be whole.
    pub(crate) missed: bool,
}

/// A whole keyframe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) data: Bytes,
    /// RTP timestamp.
    pub(crate) timestamp: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// When its first packet arrived.
    pub(crate) began: Instant,
}

/// Finds and assembles keyframes of one H.264 or H.265 stream.
#[derive(Debug)]
pub(crate) struct Assembler {
    syntax: Syntax,
    sets: ParameterSets,
    limit: usize,
    timestamp: Option<u32>,
    marked: bool,
    keyframe: bool,
    unit: Option<Unit>,
    /// Keyframes somebody waited for that were not whole, and why the last one was not.
    incomplete: (u32, &'static str),
}

/// The access unit being put together.
#[derive(Debug)]
struct Unit {
    data: Vec<u8>,
    began: Instant,
    state: State,
    /// Within a fragmented NAL unit.
    open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No slice yet: delimiter, parameter sets, SEI.
    Prefix,
    Key,
    /// Another frame, or damaged: not kept.
    Dropped,
}

impl Assembler {
    pub(crate) fn new(syntax: Syntax, limit: usize) -> Assembler {
        Assembler {
            syntax,
            sets: ParameterSets::default(),
            limit,
            timestamp: None,
            marked: false,
            keyframe: false,
            unit: None,
            incomplete: (0, ""),
        }
    }

    /// Adds a parameter set that came with the description of the stream.
    pub(crate) fn parameter_set(&mut self, nal: &[u8]) {
        if let Some(header) = nal.first() {
            self.sets.put(self.syntax, self.syntax.kind(*header), nal);
        }
    }

    /// The newest parameter sets.
    pub(crate) fn sets(&self) -> &ParameterSets {
        &self.sets
    }

    /// Picture size by the newest parameter set; zeros if unknown.
    pub(crate) fn dimensions(&self) -> (u32, u32) {
        self.sets.dimensions
    }

    /// Profile and level by the newest parameter set.
    pub(crate) fn profile(&self) -> Option<Profile> {
        self.sets.profile
    }

    /// Keyframes that were waited for but not whole, and why the last one was not.
    pub(crate) fn incomplete(&self) -> (u32, &'static str) {
        self.incomplete
    }

    /// Takes the next packet. `wanted` is asked only at the start of a frame: whether somebody waits.
    pub(crate) fn push(&mut self, packet: Packet<'_>, wanted: impl FnOnce() -> bool) -> Found {
        let mut found = Found::default();
        let incomplete = self.incomplete.0;
        if self.timestamp != Some(packet.timestamp) {
            // Packets lost between a marked packet and this one belong to later frames.
            let intact = packet.lost == 0 || self.marked;
            found.whole = self.finish(intact);
            found.frame = true;
            self.timestamp = Some(packet.timestamp);
            self.keyframe = false;
            // Without its first packet a frame cannot become whole.
            if packet.lost == 0 && wanted() {
                self.unit = Some(Unit { data: Vec::new(), began: packet.arrived, state: State::Prefix, open: false });
            }
        } else if packet.lost > 0 {
            self.drop_unit("packets were lost");
        }
        self.marked = packet.mark;

        let (syntax, sets, keyframe) = (self.syntax, &mut self.sets, &mut self.keyframe);
        let mut unit = self.unit.as_mut().filter(|u| u.state != State::Dropped);
        let mut damage = None;
        syntax.pieces(packet.payload, |piece| {
            match piece {
                Piece::Whole(kind @ (Kind::Vps | Kind::Sps | Kind::Pps), nal) => sets.put(syntax, kind, nal),
                Piece::Whole(Kind::Key, _) | Piece::First(Kind::Key, ..) | Piece::More(Kind::Key, ..) if !*keyframe => {
                    *keyframe = true;
                    found.keyframe = true;
                }
                _ => {}
            }
            if let Some(unit) = &mut unit
                && let Err(why) = unit.add(syntax, piece, self.limit)
            {
                damage = Some(why);
            }
        });
        if let Some(why) = damage {
            self.drop_unit(why);
        }
        found.missed = self.incomplete.0 != incomplete;
        found
    }

    /// Ends the access unit in hand.
    fn finish(&mut self, intact: bool) -> Option<Whole> {
        let timestamp = self.timestamp?;
        let unit = self.unit.take().filter(|u| u.state == State::Key)?;
        if !intact {
            self.missed("packets were lost");
        } else if unit.open {
            self.missed("its last fragment is missing");
        } else if !self.sets.complete(self.syntax) {
            self.missed("no parameter sets were sent");
        } else {
            let mut data = Vec::with_capacity(self.sets.bytes() + unit.data.len());
            self.sets.write(&mut data);
            data.extend_from_slice(&unit.data);
            let (width, height) = self.sets.dimensions;
            return Some(Whole { data: data.into(), timestamp, width, height, began: unit.began });
        }
        None
    }

    fn drop_unit(&mut self, why: &'static str) {
        let Some(unit) = &mut self.unit else { return };
        let was = std::mem::replace(&mut unit.state, State::Dropped);
        unit.data = Vec::new();
        if was == State::Key {
            self.missed(why);
        }
    }

    fn missed(&mut self, why: &'static str) {
        self.incomplete = (self.incomplete.0.saturating_add(1), why);
    }
}

impl Unit {
    /// Adds a piece; an error says why the unit cannot become whole. A frame that turns out not to be a
    /// keyframe is dropped without an error.
    fn add(&mut self, syntax: Syntax, piece: Piece<'_>, limit: usize) -> Result<(), &'static str> {
        match piece {
            Piece::Whole(..) | Piece::First(..) if self.open => return Err("its last fragment is missing"),
            Piece::Whole(Kind::Vps | Kind::Sps | Kind::Pps | Kind::Delimiter, _) => {}
            Piece::Whole(kind, nal) => self.begin(kind, syntax.begins_picture(nal), &[nal])?,
            Piece::First(kind, header, bytes) => {
                self.open = true;
                self.begin(kind, bytes.first().is_some_and(|b| b & 0x80 != 0), &[header.as_slice(), bytes])?;
            }
            Piece::More(..) if !self.open => return Err("its first fragment is missing"),
            Piece::More(_, bytes, last) => {
                self.open = !last;
                self.data.extend_from_slice(bytes);
            }
            Piece::Malformed => return Err("a packet is malformed"),
        }
        if self.data.len() > limit { Err("it is larger than the limit") } else { Ok(()) }
    }

    /// Begins a NAL unit. The first slice decides what the unit is.
    fn begin(&mut self, kind: Kind, begins_picture: bool, bytes: &[&[u8]]) -> Result<(), &'static str> {
        match (self.state, kind) {
            (State::Prefix, Kind::Key) => {
                self.state = State::Key;
                if !begins_picture {
                    return Err("its first slice is missing");
                }
            }
            (State::Prefix, Kind::Slice) => {
                self.state = State::Dropped;
                self.data = Vec::new();
            }
            _ => {}
        }
        if self.state != State::Dropped {
            self.data.extend_from_slice(&START_CODE);
            bytes.iter().for_each(|b| self.data.extend_from_slice(b));
        }
        Ok(())
    }
}

/// The newest parameter sets of a stream, by kind and id.
#[derive(Debug, Default)]
pub(crate) struct ParameterSets {
    sets: Vec<(Kind, u32, Box<[u8]>)>,
    dimensions: (u32, u32),
    profile: Option<Profile>,
}

impl ParameterSets {
    /// Keeps a set; the newest of a kind and id wins. Allocates only when it is new or has changed.
    fn put(&mut self, syntax: Syntax, kind: Kind, nal: &[u8]) {
        if nal.len() > SET_BYTES || self.sets.iter().any(|(k, _, known)| *k == kind && **known == *nal) {
            return;
        }
        if !matches!(kind, Kind::Vps | Kind::Sps | Kind::Pps) {
            return;
        }
        let id = sps::id(syntax, nal);
        let count = self.sets.len();
        match self.sets.iter_mut().find(|(k, i, _)| *k == kind && *i == id) {
            Some((_, _, known)) => *known = nal.into(),
            None if count < SETS => self.sets.push((kind, id, nal.into())),
            None => return,
        }
        if kind == Kind::Sps {
            self.dimensions = sps::dimensions(syntax, nal).unwrap_or_default();
            self.profile = sps::profile(syntax, nal);
        }
    }

    /// Those of one kind, each a NAL unit with its header.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.sets.iter().filter(move |(k, ..)| *k == kind).map(|(_, _, nal)| &**nal)
    }

    pub(crate) fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    /// Whether a decoder has all it needs.
    pub(crate) fn complete(&self, syntax: Syntax) -> bool {
        let has = |kind| self.sets.iter().any(|(k, ..)| *k == kind);
        has(Kind::Sps) && has(Kind::Pps) && (syntax == Syntax::H264 || has(Kind::Vps))
    }

    fn bytes(&self) -> usize {
        self.sets.iter().map(|(_, _, nal)| nal.len() + START_CODE.len()).sum()
    }

    /// In the order decoders need: VPS, SPS, PPS.
    fn write(&self, out: &mut Vec<u8>) {
        for kind in [Kind::Vps, Kind::Sps, Kind::Pps] {
            for (_, _, nal) in self.sets.iter().filter(|(k, ..)| *k == kind) {
                out.extend_from_slice(&START_CODE);
                out.extend_from_slice(nal);
            }
        }
    }
}

#[cfg(test)]
mod tests;
