//! One record of a segment, as bytes: a fixed header, the payload, padding, a trailer.
//!
//! A record describes itself completely, so that segments alone are enough to make the index. It knows the segment
//! and the offset it was written for: bytes of another file or another place never pass for it. Nothing here reads
//! or writes files, and nothing here trusts a byte before its checksum was right.
//!
//! ```text
//! header 192 bytes, little-endian, ends with the CRC32C of the bytes before
//! payload: the coded picture, or a gap's detail as UTF-8
//! padding with zeros to a multiple of 8
//! trailer: length of the whole record (u32), the header's CRC32C again (u32)
//! ```

use fleet::{CameraClock, CameraId, Cause, Codec, Status, StreamChoice, Wall};
use health::SnapshotClass;
use sha2::{Digest, Sha256};

/// First bytes of every record. Not text, and nothing that Annex B or JPEG data may begin with at rest.
pub(crate) const MAGIC: [u8; 8] = *b"\xa5SErec\r\n";
/// Bytes of a header.
pub(crate) const HEADER: usize = 192;
/// Bytes of a trailer.
pub(crate) const TRAILER: usize = 8;
/// Largest payload. A keyframe of an 8-megapixel camera is one or two MiB.
pub(crate) const PAYLOAD_MAX: usize = 32 << 20;
/// Slots are instants of the years 1970 to 9999.
pub(crate) const SLOT_MAX: i64 = 253_402_300_799_999;

/// Where in a header the length of the payload stands.
pub(crate) const PAYLOAD_AT: usize = 20;

/// 2 says how sure the camera's clock is, and for how many slots a gap stands.
const VERSION: u16 = 2;
const SHA_256: u8 = 1;
const CRC_AT: usize = HEADER - 4;

/// A header's bytes; proofs are made over them.
pub(crate) type HeaderBytes = [u8; HEADER];

/// What a record says before its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// The segment it was written to. What is kept differently is written to several at once, but each start of the
    /// service begins with new numbers, and offsets grow: so numbers order the runs, within a run
    /// [`Taken::captured_mono`] orders what arrived, whatever the wall clock did.
    pub(crate) segment: u64,
    /// Where in that segment it begins.
    pub(crate) offset: u64,
    pub(crate) camera: CameraId,
    pub(crate) slot: Wall,
    pub(crate) payload: u32,
    pub(crate) sha256: [u8; 32],
    pub(crate) about: About,
}

/// What kind of record it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum About {
    Snapshot(Taken),
    Gap(Missed),
}

/// What a gap's header adds: why, and how many slots it stands for, one each so many milliseconds. They are of one hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Missed {
    pub(crate) cause: Cause,
    pub(crate) slots: u32,
    pub(crate) every_ms: u32,
}

/// Slots of one gap lie within one of these, counted from 1970: so they are never of two days or two hours.
pub(crate) const HOUR_MS: i64 = 3_600_000;

impl Missed {
    /// One slot.
    pub(crate) fn one(cause: Cause) -> Missed {
        Missed { cause, slots: 1, every_ms: 0 }
    }

    /// The last of its slots, if `slot` is the first.
    pub(crate) fn last(self, slot: Wall) -> Wall {
        let span = i64::from(self.slots.saturating_sub(1)).saturating_mul(i64::from(self.every_ms));
        Wall(slot.0.saturating_add(span))
    }

    fn is_sound(self, slot: Wall) -> bool {
        let alone = self.slots == 1 && self.every_ms == 0;
        let many = self.slots > 1 && self.every_ms > 0;
        (alone || many) && self.last(slot).0.div_euclid(HOUR_MS) == slot.0.div_euclid(HOUR_MS)
    }
}

/// What a snapshot's header adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) class: SnapshotClass,
    pub(crate) stream: StreamChoice,
    pub(crate) captured: Wall,
    /// The monotonic clock at capture, nanoseconds; comparable within one run of the process.
    pub(crate) captured_mono: u64,
    pub(crate) camera_clock: Option<CameraClock>,
    pub(crate) codec: Codec,
    /// What the camera had sent, if not this: it was decoded and coded anew here before it was stored.
    pub(crate) converted_from: Option<Codec>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) status: Status,
    pub(crate) cause: Option<Cause>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no record begins here")]
    NoMagic,
    #[error("the file ends within the record")]
    Short,
    #[error("the header's checksum is wrong")]
    HeaderChecksum,
    #[error("the record is of version {0}, which this program does not read")]
    Version(u16),
    #[error("the record belongs to another place")]
    Misplaced,
    #[error("the header has a value that this program does not know")]
    UnknownWord,
    #[error("the trailer does not match the header")]
    Trailer,
    #[error("the SHA-256 does not match")]
    Sha256,
    #[error("the disk does not give it (input/output error)")]
    Unreadable,
}

/// Length in bytes of a record with this payload.
pub(crate) fn length(payload: usize) -> u64 {
    (HEADER + payload.next_multiple_of(8) + TRAILER) as u64
}

/// SHA-256 of a payload.
pub(crate) fn sha256(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

impl Header {
    /// Length in bytes of the whole record.
    pub(crate) fn record_length(&self) -> u64 {
        length(self.payload as usize)
    }

    pub(crate) fn encode(&self) -> HeaderBytes {
        let mut out = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(PAYLOAD_AT, &self.payload.to_le_bytes());
        put(32, &self.slot.0.to_le_bytes());
        put(64, &self.camera.0.to_le_bytes());
        put(80, &self.segment.to_le_bytes());
        put(88, &self.offset.to_le_bytes());
        put(96, &self.sha256);
        let cause = match &self.about {
            About::Snapshot(taken) => {
                let clock = taken.camera_clock;
                put(
                    10,
                    &[
                        1,
                        class_number(taken.class),
                        status_number(taken.status),
                        codec_number(taken.codec),
                        stream_number(taken.stream),
                        u8::from(clock.is_some()),
                    ],
                );
                put(17, &[taken.converted_from.map_or(0, codec_number)]);
                put(40, &taken.captured.0.to_le_bytes());
                put(48, &taken.captured_mono.to_le_bytes());
                put(24, &clock.map_or(0, |c| c.uncertainty_ms).to_le_bytes());
                put(56, &clock.map_or(0, |c| c.at.0).to_le_bytes());
                put(68, &taken.width.to_le_bytes());
                put(72, &taken.height.to_le_bytes());
                taken.cause
            }
            About::Gap(missed) => {
                put(10, &[2]);
                put(68, &missed.slots.to_le_bytes());
                put(72, &missed.every_ms.to_le_bytes());
                Some(missed.cause)
            }
        };
        put(16, &[SHA_256]);
        if let Some(cause) = cause {
            // Codes of causes are short identifiers: at most 31 bytes by a test over all of them.
            let code = cause.code().as_bytes();
            put(128, &[u8::try_from(code.len()).expect("a cause's code is short")]);
            put(129, code);
        }
        let crc = crc32c::crc32c(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header that was written for `segment` at `offset`.
    pub(crate) fn decode(bytes: &HeaderBytes, segment: u64, offset: u64) -> Result<Header, Fault> {
        if bytes[..8] != MAGIC {
            return Err(Fault::NoMagic);
        }
        if crc32c::crc32c(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) {
            return Err(Fault::HeaderChecksum);
        }
        let version = u16::from_le_bytes(array_at(bytes, 8));
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let header = Header {
            segment: u64::from_le_bytes(array_at(bytes, 80)),
            offset: u64::from_le_bytes(array_at(bytes, 88)),
            camera: CameraId(u32_at(bytes, 64)),
            slot: Wall(i64_at(bytes, 32)),
            payload: u32_at(bytes, PAYLOAD_AT),
            sha256: array_at(bytes, 96),
            about: about(bytes)?,
        };
        if (header.segment, header.offset) != (segment, offset) {
            return Err(Fault::Misplaced);
        }
        if let About::Gap(missed) = header.about
            && !missed.is_sound(header.slot)
        {
            return Err(Fault::UnknownWord);
        }
        if header.payload as usize > PAYLOAD_MAX || !(0..=SLOT_MAX).contains(&header.slot.0) || bytes[16] != SHA_256 {
            return Err(Fault::UnknownWord);
        }
        Ok(header)
    }

    /// Appends the record of this header and payload to `out`, and hands the header's bytes back.
    pub(crate) fn write(&self, payload: &[u8], out: &mut Vec<u8>) -> HeaderBytes {
        let header = self.encode();
        let length = self.record_length();
        out.extend_from_slice(&header);
        out.extend_from_slice(payload);
        out.resize(out.len() + payload.len().next_multiple_of(8) - payload.len(), 0);
        out.extend_from_slice(&u32::try_from(length).expect("payloads are limited to 32 MiB").to_le_bytes());
        out.extend_from_slice(&header[CRC_AT..]);
        header
    }

    /// The payload of a whole record (`record` begins with this header's bytes), verified.
    pub(crate) fn payload<'a>(&self, record: &'a [u8]) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.record_length()).map_err(|_| Fault::Short)?;
        let record = record.get(..length).ok_or(Fault::Short)?;
        let (body, trailer) = record.split_at(length - TRAILER);
        let (payload, padding) = body[HEADER..].split_at(self.payload as usize);
        let header: HeaderBytes = array_at(record, 0);
        if u64::from(u32_at(trailer, 0)) != self.record_length()
            || trailer[4..] != header[CRC_AT..]
            || padding.iter().any(|&b| b != 0)
        {
            return Err(Fault::Trailer);
        }
        if sha256(payload) != self.sha256 {
            return Err(Fault::Sha256);
        }
        Ok(payload)
    }
}

/// Reads and verifies the record at the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8], segment: u64, offset: u64) -> Result<(Header, &[u8]), Fault> {
    let header = bytes.first_chunk::<HEADER>().ok_or(Fault::Short)?;
    let header = Header::decode(header, segment, offset)?;
    let payload = header.payload(bytes)?;
    Ok((header, payload))
}

fn about(bytes: &HeaderBytes) -> Result<About, Fault> {
    let code = bytes[129..].get(..usize::from(bytes[128])).ok_or(Fault::UnknownWord)?;
    let code = std::str::from_utf8(code).map_err(|_| Fault::UnknownWord)?;
    let cause = match code {
        "" => None,
        code => Some(Cause::from_code(code).ok_or(Fault::UnknownWord)?),
    };
    match bytes[10] {
        1 => Ok(About::Snapshot(Taken {
            class: class_of(bytes[11]).ok_or(Fault::UnknownWord)?,
            status: status_of(bytes[12]).ok_or(Fault::UnknownWord)?,
            codec: codec_of(bytes[13]).ok_or(Fault::UnknownWord)?,
            converted_from: match bytes[17] {
                0 => None,
                from => Some(codec_of(from).ok_or(Fault::UnknownWord)?),
            },
            stream: stream_of(bytes[14]).ok_or(Fault::UnknownWord)?,
            captured: Wall(i64_at(bytes, 40)),
            captured_mono: u64::from_le_bytes(array_at(bytes, 48)),
            camera_clock: match bytes[15] {
                0 => None,
                1 => Some(CameraClock { at: Wall(i64_at(bytes, 56)), uncertainty_ms: u32_at(bytes, 24) }),
                _ => return Err(Fault::UnknownWord),
            },
            width: u32_at(bytes, 68),
            height: u32_at(bytes, 72),
            cause,
        })),
        2 => Ok(About::Gap(Missed {
            cause: cause.ok_or(Fault::UnknownWord)?,
            slots: u32_at(bytes, 68),
            every_ms: u32_at(bytes, 72),
        })),
        _ => Err(Fault::UnknownWord),
    }
}

/// `N` bytes from `at`; the caller's slice is known to be long enough.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("fields lie within their block")
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array_at(bytes, at))
}

/// Numbers of words in records and index rows. They are stored: new words get new numbers, old ones keep theirs.
macro_rules! numbers {
    ($to:ident, $from:ident, $type:ident: $($word:ident = $number:literal),*) => {
        pub(crate) fn $to(word: $type) -> u8 {
            match word { $($type::$word => $number,)* }
        }
        pub(crate) fn $from(number: u8) -> Option<$type> {
            match number { $($number => Some($type::$word),)* _ => None }
        }
    };
}

numbers!(class_number, class_of, SnapshotClass: Routine = 1, StatusChange = 2, Incident = 3);
numbers!(status_number, status_of, Status: Online = 1, Impaired = 2, Offline = 3, Unknown = 4, Paused = 5);
numbers!(codec_number, codec_of, Codec: H264 = 1, H265 = 2, Jpeg = 3);
numbers!(stream_number, stream_of, StreamChoice: Main = 1, Sub = 2);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_header() -> impl Strategy<Value = Header> {
        let word = any::<(u8, u8, u8, u8, u8, bool)>();
        let numbers = any::<(u64, u64, u32, i64, u64, i64, u32, u32)>();
        (word, numbers, 0..=SLOT_MAX).prop_map(|(word, numbers, slot)| {
            let causes = Cause::ALL;
            let cause = causes[usize::from(word.4) % causes.len()];
            let about = if word.5 {
                // As many as the hour has left, one a second.
                let most = u32::try_from((HOUR_MS - 1 - slot % HOUR_MS) / 1000).unwrap();
                match numbers.6 % (most + 1) {
                    0 => About::Gap(Missed::one(cause)),
                    more => About::Gap(Missed { cause, slots: more + 1, every_ms: 1000 }),
                }
            } else {
                About::Snapshot(Taken {
                    class: class_of(word.0 % 3 + 1).unwrap(),
                    stream: stream_of(word.1 % 2 + 1).unwrap(),
                    captured: Wall(numbers.3),
                    captured_mono: numbers.4,
                    camera_clock: word
                        .4
                        .is_multiple_of(2)
                        .then_some(CameraClock { at: Wall(numbers.5), uncertainty_ms: numbers.2 }),
                    codec: codec_of(word.2 % 3 + 1).unwrap(),
                    converted_from: codec_of(word.2 / 3 % 4),
                    width: numbers.6,
                    height: numbers.7,
                    status: status_of(word.3 % 5 + 1).unwrap(),
                    cause: word.4.is_multiple_of(3).then_some(cause),
                })
            };
            Header {
                segment: numbers.0,
                offset: numbers.1,
                camera: CameraId(numbers.2),
                slot: Wall(slot),
                payload: 0,
                sha256: [0; 32],
                about,
            }
        })
    }

    fn written(mut header: Header, payload: &[u8]) -> (Header, Vec<u8>) {
        header.payload = u32::try_from(payload.len()).unwrap();
        header.sha256 = sha256(payload);
        let mut out = Vec::new();
        header.write(payload, &mut out);
        assert_eq!(out.len() as u64, header.record_length());
        (header, out)
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was_written(header in any_header(), payload: Vec<u8>) {
            let (header, bytes) = written(header, &payload);
            let (back, data) = parse(&bytes, header.segment, header.offset).unwrap();
            prop_assert_eq!(&back, &header);
            prop_assert_eq!(data, &payload[..]);
            prop_assert_eq!(parse(&bytes, header.segment ^ 1, header.offset), Err(Fault::Misplaced));
            prop_assert_eq!(parse(&bytes, header.segment, header.offset ^ 8), Err(Fault::Misplaced));
        }

        #[test]
        fn any_flipped_bit_is_seen(header in any_header(), payload in prop::collection::vec(any::<u8>(), 0..100), place: prop::sample::Index, bit in 0u8..8) {
            let (header, mut bytes) = written(header, &payload);
            let place = place.index(bytes.len());
            bytes[place] ^= 1u8 << bit;
            prop_assert!(parse(&bytes, header.segment, header.offset).is_err(), "byte {} passed", place);
        }

        #[test]
        fn a_record_cut_short_is_seen(header in any_header(), payload in prop::collection::vec(any::<u8>(), 0..100), end: prop::sample::Index) {
            let (header, bytes) = written(header, &payload);
            prop_assert!(parse(&bytes[..end.index(bytes.len())], header.segment, header.offset).is_err());
        }

        #[test]
        fn arbitrary_bytes_are_no_record(mut bytes in prop::collection::vec(any::<u8>(), 0..400), sign: bool) {
            // With the magic and a right checksum in place, so that the fields behind them are reached too.
            if sign && bytes.len() >= HEADER {
                bytes[..8].copy_from_slice(&MAGIC);
                bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
                let crc = crc32c::crc32c(&bytes[..CRC_AT]);
                bytes[CRC_AT..HEADER].copy_from_slice(&crc.to_le_bytes());
            }
            prop_assert!(parse(&bytes, 7, 64).is_err());
        }
    }

    #[test]
    fn a_gap_of_slots_in_two_hours_is_no_record() {
        let header = |slots, every_ms| Header {
            segment: 7,
            offset: 64,
            camera: CameraId(1),
            slot: Wall(HOUR_MS - 600_000),
            payload: 0,
            sha256: sha256(b""),
            about: About::Gap(Missed { cause: Cause::NotRunning, slots, every_ms }),
        };
        for (slots, every_ms, sound) in [
            (1, 0, true),
            (2, 599_999, true),
            (2, 600_000, false),
            (0, 0, false),
            (1, 5, false),
            (2, 0, false),
            (u32::MAX, u32::MAX, false),
        ] {
            let read = Header::decode(&header(slots, every_ms).encode(), 7, 64);
            assert_eq!(read.is_ok(), sound, "{slots} slots, one each {every_ms} ms: {read:?}");
        }
    }

    #[test]
    fn every_cause_fits_its_field() {
        for cause in Cause::ALL {
            assert!(cause.code().len() <= 31, "{cause}");
        }
    }
}
