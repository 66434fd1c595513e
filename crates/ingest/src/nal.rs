//! NAL units in RTP payloads: what a packet carries, seen without copying it.
//!
//! H.264 by RFC 6184 (single NAL unit, STAP-A, FU-A), H.265 by RFC 7798 (single, AP, FU without DONL). The
//! interleaved modes, which no camera uses, are carried through as [`Kind::Other`]. Never fails on any bytes:
//! what makes no sense yields nothing.

/// The two codecs that are made of NAL units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syntax {
    H264,
    H265,
}

/// What a NAL unit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A slice of a picture that can be decoded by itself (IDR; in H.265 any IRAP).
    Key,
    /// A slice of another picture.
    Slice,
    Vps,
    Sps,
    Pps,
    /// Access unit delimiter.
    Delimiter,
    Other,
}

/// A part of an access unit, in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    /// A whole NAL unit, header first.
    Whole(Kind, &'a [u8]),
    /// The first fragment: the NAL unit's header, rebuilt, and the bytes behind it.
    First(Kind, Header, &'a [u8]),
    /// A further fragment, and whether it is the last.
    More(Kind, &'a [u8], bool),
    /// Bytes that are no NAL unit.
    Malformed,
}

/// The header of a fragmented NAL unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    bytes: [u8; 2],
    len: u8,
}

impl Header {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Syntax {
    /// What the NAL unit with this header (its first byte) is for.
    pub(crate) fn kind(self, header: u8) -> Kind {
        match self {
            Syntax::H264 => match header & 0x1f {
                5 => Kind::Key,
                1..=4 => Kind::Slice,
                7 => Kind::Sps,
                8 => Kind::Pps,
                9 => Kind::Delimiter,
                _ => Kind::Other,
            },
            Syntax::H265 => match (header >> 1) & 0x3f {
                16..=21 => Kind::Key,
                0..=31 => Kind::Slice,
                32 => Kind::Vps,
                33 => Kind::Sps,
                34 => Kind::Pps,
                35 => Kind::Delimiter,
                _ => Kind::Other,
            },
        }
    }

    /// Length of a NAL unit's header.
    fn header_len(self) -> usize {
        match self {
            Syntax::H264 => 1,
            Syntax::H265 => 2,
        }
    }

    /// Whether this slice (header included) says that it is the first of its picture: `first_mb_in_slice` is 0,
    /// coded as a single 1 bit, or `first_slice_segment_in_pic_flag` is set. Both are the first bit.
    pub(crate) fn begins_picture(self, nal: &[u8]) -> bool {
        nal.get(self.header_len()).is_some_and(|b| b & 0x80 != 0)
    }

    /// Walks through the parts of a payload.
    pub(crate) fn pieces<'a>(self, payload: &'a [u8], mut each: impl FnMut(Piece<'a>)) {
        match self {
            Syntax::H264 => h264(payload, &mut each),
            Syntax::H265 => h265(payload, &mut each),
        }
    }
}

fn h264<'a>(payload: &'a [u8], each: &mut impl FnMut(Piece<'a>)) {
    let Some(&header) = payload.first() else { return each(Piece::Malformed) };
    match header & 0x1f {
        // STAP-A, RFC 6184 §5.7.1.
        24 => aggregate(Syntax::H264, &payload[1..], each),
        // FU-A, RFC 6184 §5.8: indicator (F, NRI), then S, E, R and the type.
        28 => match payload {
            [indicator, fu, data @ ..] => {
                let rebuilt = (indicator & 0xe0) | (fu & 0x1f);
                let kind = Syntax::H264.kind(rebuilt);
                each(if fu & 0x80 != 0 {
                    Piece::First(kind, Header { bytes: [rebuilt, 0], len: 1 }, data)
                } else {
                    Piece::More(kind, data, fu & 0x40 != 0)
                });
            }
            _ => each(Piece::Malformed),
        },
        1..=23 => each(Piece::Whole(Syntax::H264.kind(header), payload)),
        _ => each(Piece::Malformed),
    }
}

fn h265<'a>(payload: &'a [u8], each: &mut impl FnMut(Piece<'a>)) {
    let [first, second, rest @ ..] = payload else { return each(Piece::Malformed) };
    match (first >> 1) & 0x3f {
        // Aggregation packet, RFC 7798 §4.4.2.
        48 => aggregate(Syntax::H265, rest, each),
        // Fragmentation unit, RFC 7798 §4.4.3: payload header, then S, E and the type.
        49 => match rest {
            [fu, data @ ..] => {
                let rebuilt = (first & 0x81) | ((fu & 0x3f) << 1);
                let kind = Syntax::H265.kind(rebuilt);
                each(if fu & 0x80 != 0 {
                    Piece::First(kind, Header { bytes: [rebuilt, *second], len: 2 }, data)
                } else {
                    Piece::More(kind, data, fu & 0x40 != 0)
                });
            }
            _ => each(Piece::Malformed),
        },
        0..=47 => each(Piece::Whole(Syntax::H265.kind(*first), payload)),
        _ => each(Piece::Malformed),
    }
}

/// NAL units one after another, each behind its length in two bytes.
fn aggregate<'a>(syntax: Syntax, mut rest: &'a [u8], each: &mut impl FnMut(Piece<'a>)) {
    while !rest.is_empty() {
        let Some((length, tail)) = rest.split_first_chunk::<2>() else { return each(Piece::Malformed) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < syntax.header_len() || length > tail.len() {
            return each(Piece::Malformed);
        }
        let (nal, tail) = tail.split_at(length);
        each(Piece::Whole(syntax.kind(nal[0]), nal));
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(syntax: Syntax, payload: &[u8]) -> Vec<Piece<'_>> {
        let mut found = Vec::new();
        syntax.pieces(payload, |p| found.push(p));
        found
    }

    #[test]
    fn h264_payloads_are_told_apart() {
        assert_eq!(walk(Syntax::H264, &[0x65, 0x88]), [Piece::Whole(Kind::Key, &[0x65, 0x88])]);
        assert_eq!(
            walk(Syntax::H264, &[0x78, 0, 2, 0x67, 1, 0, 1, 0x68]),
            [Piece::Whole(Kind::Sps, &[0x67, 1]), Piece::Whole(Kind::Pps, &[0x68])]
        );
        assert_eq!(
            walk(Syntax::H264, &[0x7c, 0x85, 9]),
            [Piece::First(Kind::Key, Header { bytes: [0x65, 0], len: 1 }, &[9])]
        );
        assert_eq!(walk(Syntax::H264, &[0x7c, 0x45, 9]), [Piece::More(Kind::Key, &[9], true)]);
        assert_eq!(walk(Syntax::H264, &[0x78, 0, 9, 0x67]), [Piece::Malformed], "a length beyond the packet");
    }

    #[test]
    fn h265_payloads_are_told_apart() {
        assert_eq!(walk(Syntax::H265, &[0x26, 1, 0x80]), [Piece::Whole(Kind::Key, &[0x26, 1, 0x80])]);
        assert_eq!(
            walk(Syntax::H265, &[0x60, 1, 0, 2, 0x40, 1, 0, 3, 0x42, 1, 7]),
            [Piece::Whole(Kind::Vps, &[0x40, 1]), Piece::Whole(Kind::Sps, &[0x42, 1, 7])]
        );
        assert_eq!(
            walk(Syntax::H265, &[0x62, 1, 0x93, 9]),
            [Piece::First(Kind::Key, Header { bytes: [0x26, 1], len: 2 }, &[9])]
        );
        assert_eq!(walk(Syntax::H265, &[0x62, 1, 0x01, 9]), [Piece::More(Kind::Slice, &[9], false)]);
    }

    proptest! {
        #[test]
        fn any_payload_is_walked_within_its_bounds(payload in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for syntax in [Syntax::H264, Syntax::H265] {
                let total: usize = walk(syntax, &payload)
                    .iter()
                    .map(|p| match p {
                        Piece::Whole(_, b) | Piece::First(_, _, b) | Piece::More(_, b, _) => b.len(),
                        Piece::Malformed => 0,
                    })
                    .sum();
                prop_assert!(total <= payload.len());
            }
        }
    }
}
