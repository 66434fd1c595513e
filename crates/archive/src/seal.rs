//! What frames a segment: the block it begins with, and the footer and seal it ends with once it is sealed.
//!
//! ```text
//! opening 128 bytes | records … | footer: a copy of every header with its offset, skipped ranges | seal 256 bytes
//! ```
//!
//! The footer is the index of the segment in itself, and doubles every header. The seal fits a whole segment into 256
//! bytes: Merkle root, SHA-256 of the footer, and the SHA-256 of the seal before it, so that seals of one node are a
//! chain from which none can be taken out unseen.

use crate::{
    mark::Witness,
    merkle::{self, Hash},
    policy::Shelf,
    record::{self, HEADER, HeaderBytes, PAYLOAD_AT, PAYLOAD_MAX, array_at, i64_at, u32_at},
};
use fleet::Wall;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Bytes of the opening block: where the first record begins.
pub(crate) const OPENING: usize = 128;
/// Bytes of a seal.
pub(crate) const SEAL: usize = 256;
/// Most records of one segment, so that its footer stays small enough to hold in memory.
pub(crate) const RECORDS_MAX: usize = 1 << 16;
/// Most skipped ranges that a footer lists.
const SKIPPED_MAX: usize = 1 << 16;

const OPENING_MAGIC: [u8; 8] = *b"\xa5SEopen\n";
const SEAL_MAGIC: [u8; 8] = *b"\xa5SEseal\n";
const VERSION: u16 = 1;
/// SHA-256 with RFC 6962 prefixes. Other numbers are for algorithms to come (SM3 may be demanded one day).
const SHA_256: u8 = 1;
const ENTRY: usize = 8 + HEADER;
/// Where in the opening the name of a place stands, after its length.
const PLACE_AT: usize = 97;
/// Where in the opening stands that batches end with marks, and what.
const MARKS_AT: usize = 11;
const MARKS: u8 = 1;

/// Length in bytes of footer and seal for so many records.
pub(crate) fn ending_length(records: usize, skipped: usize) -> u64 {
    (records * ENTRY + skipped * 16 + SEAL) as u64
}

/// The block that a segment begins with.
pub(crate) fn opening(number: u64, created: Wall, node: &str, shelf: &Shelf) -> [u8; OPENING] {
    let mut out = [0; OPENING];
    out[..8].copy_from_slice(&OPENING_MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    out[10] = shelf.mask();
    out[MARKS_AT] = MARKS;
    out[16..24].copy_from_slice(&number.to_le_bytes());
    out[24..32].copy_from_slice(&created.0.to_le_bytes());
    let node = &node.as_bytes()[..node.len().min(64)];
    out[32] = u8::try_from(node.len()).expect("at most 64");
    out[33..33 + node.len()].copy_from_slice(node);
    let place = shelf.place().as_bytes();
    out[PLACE_AT] = u8::try_from(place.len()).expect("at most 24");
    out[PLACE_AT + 1..=PLACE_AT + place.len()].copy_from_slice(place);
    let crc = crc32c::crc32c(&out[..OPENING - 4]);
    out[OPENING - 4..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Whether this is the opening of segment `number`.
pub(crate) fn is_opening(bytes: &[u8; OPENING], number: u64) -> bool {
    bytes[..8] == OPENING_MAGIC
        && u32_at(bytes, OPENING - 4) == crc32c::crc32c(&bytes[..OPENING - 4])
        && bytes[16..24] == number.to_le_bytes()
}

/// Whether this opening says that its batches end with marks.
pub(crate) fn has_marks(bytes: &[u8; OPENING]) -> bool {
    bytes[MARKS_AT] == MARKS
}

/// Which records a segment may hold, as its opening says. One that cannot be read may hold anything.
pub(crate) fn shelf(bytes: &[u8; OPENING], number: u64) -> Shelf {
    let place = bytes[PLACE_AT + 1..].get(..usize::from(bytes[PLACE_AT]));
    let place = place.and_then(|place| std::str::from_utf8(place).ok());
    let said = place.filter(|_| is_opening(bytes, number)).and_then(|place| Shelf::stored(bytes[10], place));
    said.unwrap_or_default()
}

/// One record in a footer: where it begins and its header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) offset: u64,
    pub(crate) header: HeaderBytes,
}

/// The index that a sealed segment carries.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Footer {
    pub(crate) kept: Vec<Kept>,
    /// Bytes that hold no record: found unreadable when the segment was recovered after a crash, or never acknowledged.
    pub(crate) skipped: Vec<Range<u64>>,
}

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.kept.len() * ENTRY + self.skipped.len() * 16 + SEAL);
        for kept in &self.kept {
            out.extend_from_slice(&kept.offset.to_le_bytes());
            out.extend_from_slice(&kept.header);
        }
        for range in &self.skipped {
            out.extend_from_slice(&range.start.to_le_bytes());
            out.extend_from_slice(&range.end.to_le_bytes());
        }
        out
    }

    /// Reads the footer that `seal` speaks of; `None` if these are not its bytes, or if it speaks of records that cannot
    /// lie as it says: one behind the other, between opening and footer.
    pub(crate) fn decode(bytes: &[u8], seal: &Seal) -> Option<Footer> {
        if <[u8; 32]>::from(Sha256::digest(bytes)) != seal.footer_sha256 {
            return None;
        }
        let (kept, skipped) = bytes.split_at_checked(seal.records as usize * ENTRY)?;
        let kept = kept.chunks_exact(ENTRY);
        let skipped = skipped.chunks_exact(16);
        if skipped.len() != seal.skipped as usize || !skipped.remainder().is_empty() {
            return None;
        }
        let number = |bytes: &[u8], at| u64::from_le_bytes(array_at(bytes, at));
        let footer = Footer {
            kept: kept.map(|e| Kept { offset: number(e, 0), header: array_at(e, 8) }).collect(),
            skipped: skipped.map(|e| number(e, 0)..number(e, 8)).collect(),
        };
        footer.lies_in(OPENING as u64..seal.footer_at).then_some(footer)
    }

    fn lies_in(&self, records: Range<u64>) -> bool {
        let mut at = records.start;
        let in_order = self.kept.iter().all(|kept| {
            let payload = (u32_at(&kept.header, PAYLOAD_AT) as usize).min(PAYLOAD_MAX);
            let begins = kept.offset >= at;
            at = kept.offset.saturating_add(record::length(payload));
            begins && at <= records.end
        });
        in_order && self.skipped.iter().all(|s| records.start <= s.start && s.start < s.end && s.end <= records.end)
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.kept.iter().map(|k| merkle::leaf(&k.header)).collect()
    }
}

/// A whole segment in 256 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seal {
    pub(crate) number: u64,
    /// Place in the node's chain of seals, from 1. Segments are not always sealed in the order of their numbers.
    pub(crate) position: u64,
    pub(crate) sealed: Wall,
    pub(crate) records: u32,
    pub(crate) skipped: u32,
    /// Where the records end and the footer begins.
    pub(crate) footer_at: u64,
    pub(crate) root: Hash,
    pub(crate) footer_sha256: Hash,
    /// [`hash`](Seal::hash) of the seal before; zeros for the first.
    pub(crate) previous: Hash,
    /// This node's word for all of it; zeros if it was not there when the records were written.
    pub(crate) word: Hash,
}

/// Where in a seal the hash of the footer stands.
pub(crate) const FOOTER_SHA256_AT: usize = 96;
/// Bytes of a seal that its word is over.
const SAID: usize = 160;

impl Seal {
    pub(crate) fn encode(&self) -> [u8; SEAL] {
        let mut out = [0; SEAL];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &SEAL_MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &[SHA_256]);
        put(16, &self.number.to_le_bytes());
        put(24, &self.position.to_le_bytes());
        put(32, &self.sealed.0.to_le_bytes());
        put(40, &self.records.to_le_bytes());
        put(44, &self.skipped.to_le_bytes());
        put(48, &self.footer_at.to_le_bytes());
        put(64, &self.root);
        put(FOOTER_SHA256_AT, &self.footer_sha256);
        put(128, &self.previous);
        put(SAID, &self.word);
        let crc = crc32c::crc32c(&out[..SEAL - 4]);
        out[SEAL - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a seal; `None` if these bytes are not one that this program knows.
    pub(crate) fn decode(bytes: &[u8; SEAL]) -> Option<Seal> {
        let right = bytes[..8] == SEAL_MAGIC
            && u32_at(bytes, SEAL - 4) == crc32c::crc32c(&bytes[..SEAL - 4])
            && bytes[8..10] == VERSION.to_le_bytes()
            && bytes[10] == SHA_256;
        let seal = Seal {
            number: u64::from_le_bytes(array_at(bytes, 16)),
            position: u64::from_le_bytes(array_at(bytes, 24)),
            sealed: Wall(i64_at(bytes, 32)),
            records: u32_at(bytes, 40),
            skipped: u32_at(bytes, 44),
            footer_at: u64::from_le_bytes(array_at(bytes, 48)),
            root: array_at(bytes, 64),
            footer_sha256: array_at(bytes, FOOTER_SHA256_AT),
            previous: array_at(bytes, 128),
            word: array_at(bytes, SAID),
        };
        let bounded = seal.records as usize <= RECORDS_MAX && seal.skipped as usize <= SKIPPED_MAX;
        // Nothing of it may lie where no field is.
        (right && bounded && seal.encode() == *bytes).then_some(seal)
    }

    /// With this node's word for it.
    pub(crate) fn vouched(mut self, witness: &Witness) -> Seal {
        self.word = witness.seal(&self.encode()[..SAID]);
        self
    }

    /// Whether this node has sealed it, and wrote what is in it.
    pub(crate) fn is_vouched(&self, witness: &Witness) -> bool {
        self.word == witness.seal(&self.encode()[..SAID])
    }

    /// What the next seal of the node refers to.
    pub(crate) fn hash(&self) -> Hash {
        Sha256::digest(self.encode()).into()
    }

    /// Length in bytes of the whole segment file.
    pub(crate) fn file_length(&self) -> u64 {
        self.footer_at.saturating_add(ending_length(self.records as usize, self.skipped as usize))
    }
}
