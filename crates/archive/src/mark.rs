//! The node's word for what it writes, as it writes it: so that what lies in the folder at a start is not taken for its
//! own because it is well-formed.
//!
//! Each batch of records ends with a mark, 64 bytes that are no record: an HMAC-SHA256 over the headers of the batch and
//! the mark before it, beginning with one over the segment's opening. Each seal carries one over itself. Their key is made
//! from the key that signs. What a start finds without them is kept and read, but never signed as this node's.
//!
//! What this cannot show: that the last batches of a segment that was never sealed were cut off.

use crate::{
    merkle::Hash,
    record::{HeaderBytes, array_at, u32_at},
    seal::OPENING,
    segment::Scan,
};
use ed25519_dalek::SigningKey;
use ring::hmac;
use std::{collections::BTreeSet, ops::Range};

/// Bytes of a mark.
pub(crate) const MARK: usize = 64;
pub(crate) const MAGIC: [u8; 8] = *b"\xa5SEmark\n";

/// The end of a batch as found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// Where its batch begins.
    pub(crate) from: u64,
    /// Where it stands itself.
    pub(crate) at: u64,
    word: Hash,
}

impl Mark {
    pub(crate) fn encode(from: u64, word: &Hash) -> [u8; MARK] {
        let mut out = [0; MARK];
        out[..8].copy_from_slice(&MAGIC);
        out[8..16].copy_from_slice(&from.to_le_bytes());
        out[16..48].copy_from_slice(word);
        let crc = crc32c::crc32c(&out[..MARK - 4]);
        out[MARK - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; MARK], at: u64) -> Option<Mark> {
        let whole = bytes[..8] == MAGIC && u32_at(bytes, MARK - 4) == crc32c::crc32c(&bytes[..MARK - 4]);
        let from = u64::from_le_bytes(array_at(bytes, 8));
        (whole && from <= at).then(|| Mark { from, at, word: array_at(bytes, 16) })
    }
}

/// Gives the word, and knows it again.
#[derive(Clone)]
pub(crate) struct Witness(hmac::Key);

impl Witness {
    pub(crate) fn new(key: &SigningKey) -> Witness {
        let with = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let made = hmac::sign(&with, b"sharpeyes marks of segments 1");
        Witness(hmac::Key::new(hmac::HMAC_SHA256, made.as_ref()))
    }

    fn word(&self, of: u8, parts: &[&[u8]]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&[of]);
        parts.iter().for_each(|part| context.update(part));
        array_at(context.sign().as_ref(), 0)
    }

    /// What the first mark of a segment refers to.
    pub(crate) fn opening(&self, opening: &[u8; OPENING]) -> Hash {
        self.word(1, &[opening])
    }

    /// The word for a batch that begins at `from`.
    pub(crate) fn batch<'a>(&self, before: &Hash, from: u64, headers: impl Iterator<Item = &'a HeaderBytes>) -> Hash {
        let begins = from.to_le_bytes();
        let said: Vec<&HeaderBytes> = headers.collect();
        let mut parts: Vec<&[u8]> = vec![before, &begins];
        parts.extend(said.iter().map(|header| &header[..]));
        self.word(2, &parts)
    }

    /// The word for a seal, over all that it says.
    pub(crate) fn seal(&self, said: &[u8]) -> Hash {
        self.word(3, &[said])
    }

    /// Where the records begin that a scan found and this node wrote; and where the last of its marks stands.
    pub(crate) fn written(&self, opening: &[u8; OPENING], scan: &Scan) -> (BTreeSet<u64>, u64) {
        let (mut written, mut last) = (BTreeSet::new(), 0);
        let mut before = self.opening(opening);
        for mark in &scan.marks {
            let batch = || scan.seen.iter().filter(|s| (mark.from..mark.at).contains(&s.header.offset));
            let headers: Vec<HeaderBytes> = batch().map(|seen| seen.header.encode()).collect();
            if self.batch(&before, mark.from, headers.iter()) == mark.word {
                written.extend(batch().map(|seen| seen.header.offset));
                last = mark.at;
            }
            // Even if a header of its batch is damaged: the next one speaks of this mark.
            before = mark.word;
        }
        (written, last)
    }
}

/// Neighbours among ranges become one.
pub(crate) fn joined(ranges: impl Iterator<Item = Range<u64>>) -> Vec<[u64; 2]> {
    let mut joined: Vec<[u64; 2]> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last[1].saturating_add(MARK as u64) => last[1] = last[1].max(range.end),
            _ => joined.push([range.start, range.end]),
        }
    }
    joined
}
