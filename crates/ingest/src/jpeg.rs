//! Motion JPEG over RTP (RFC 2435): every frame is a keyframe; a wanted one becomes a whole JPEG file.
//!
//! The payload carries the scan only. Frame header, quantisation and Huffman tables are put back as the RFC says:
//! its tables for qualities up to 99, tables from the packet for those from 128 on.

use crate::assemble::{Found, Packet, Whole};
use std::time::Instant;

/// RFC 2435 appendix A, zig-zag order.
const LUMA_QUANTIZER: [u8; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
];
const CHROMA_QUANTIZER: [u8; 64] = [
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99,
];

/// A Huffman table as in a DHT segment: codes per length, then values (ITU-T T.81 annex K.3).
struct Huffman {
    id: u8,
    lengths: [u8; 16],
    values: &'static [u8],
}

const HUFFMAN: [Huffman; 4] = [
    Huffman {
        id: 0x00,
        lengths: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        values: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    },
    Huffman {
        id: 0x10,
        lengths: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
        values: &[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
            0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
            0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
            0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
            0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
            0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
            0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
            0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
            0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    },
    Huffman {
        id: 0x01,
        lengths: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        values: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    },
    Huffman {
        id: 0x11,
        lengths: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        values: &[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
            0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
            0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
            0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
            0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
            0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
            0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
            0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
            0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
        ],
    },
];

/// Puts JPEG files together from one Motion JPEG stream.
#[derive(Debug)]
pub(crate) struct JpegAssembler {
    limit: usize,
    timestamp: Option<u32>,
    marked: bool,
    dimensions: (u32, u32),
    /// The last tables that came with a packet, and their quality: a camera need not repeat them.
    tables: Option<(u8, Tables)>,
    unit: Option<Unit>,
    incomplete: (u32, &'static str),
}

#[derive(Debug)]
struct Unit {
    began: Instant,
    /// Headers and scan; empty before the first fragment.
    file: Vec<u8>,
    /// Where the scan begins in `file`.
    scan: usize,
}

/// Quantisation tables as DQT segments carry them: whether each has 16-bit values, and its values.
#[derive(Clone, Debug)]
struct Tables(Vec<(bool, Vec<u8>)>);

/// The headers of a fragment.
struct Fragment<'a> {
    offset: usize,
    kind: u8,
    quality: u8,
    width: u16,
    height: u16,
    restart: Option<u16>,
    tables: Option<Tables>,
    scan: &'a [u8],
}

impl JpegAssembler {
    pub(crate) fn new(limit: usize) -> JpegAssembler {
        JpegAssembler {
            limit,
            timestamp: None,
            marked: false,
            dimensions: (0, 0),
            tables: None,
            unit: None,
            incomplete: (0, ""),
        }
    }

    pub(crate) fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    pub(crate) fn incomplete(&self) -> (u32, &'static str) {
        self.incomplete
    }

    /// As [`Assembler::push`](crate::assemble::Assembler::push); every frame is a keyframe.
    pub(crate) fn push(&mut self, packet: Packet<'_>, wanted: impl FnOnce() -> bool) -> Found {
        let mut found = Found::default();
        let incomplete = self.incomplete.0;
        if self.timestamp != Some(packet.timestamp) {
            let intact = packet.lost == 0 || self.marked;
            found.whole = self.finish(intact);
            found.frame = true;
            found.keyframe = true;
            self.timestamp = Some(packet.timestamp);
            if packet.lost == 0 && wanted() {
                self.unit = Some(Unit { began: packet.arrived, file: Vec::new(), scan: 0 });
            }
        } else if packet.lost > 0 {
            self.drop_unit("packets were lost");
        }
        self.marked = packet.mark;
        match parse(packet.payload) {
            Some(fragment) => {
                if let Err(why) = self.add(fragment) {
                    self.drop_unit(why);
                }
            }
            None => self.drop_unit("a packet is malformed"),
        }
        found.missed = self.incomplete.0 != incomplete;
        found
    }

    fn add(&mut self, mut fragment: Fragment<'_>) -> Result<(), &'static str> {
        if fragment.offset == 0 {
            self.dimensions = (u32::from(fragment.width), u32::from(fragment.height));
            if let Some(tables) = fragment.tables.take() {
                self.tables = Some((fragment.quality, tables));
            }
        }
        let Some(unit) = &mut self.unit else { return Ok(()) };
        if unit.file.is_empty() {
            if fragment.offset != 0 {
                return Err("its first fragment is missing");
            }
            if fragment.width == 0 || fragment.height == 0 {
                return Err("its size is not told");
            }
            let tables = match fragment.quality {
                1..=99 => scaled(fragment.quality),
                quality => match &self.tables {
                    Some((known, tables)) if *known == quality => tables.clone(),
                    _ => return Err("its quantisation tables are missing"),
                },
            };
            unit.file = head(&fragment, &tables).ok_or("its type is unknown")?;
            unit.scan = unit.file.len();
        }
        if fragment.offset != unit.file.len() - unit.scan {
            return Err("a fragment is missing");
        }
        if unit.file.len() + fragment.scan.len() > self.limit {
            return Err("it is larger than the limit");
        }
        unit.file.extend_from_slice(fragment.scan);
        Ok(())
    }

    fn finish(&mut self, intact: bool) -> Option<Whole> {
        let timestamp = self.timestamp?;
        let Unit { began, mut file, .. } = self.unit.take().filter(|u| !u.file.is_empty())?;
        if !intact {
            self.incomplete = (self.incomplete.0.saturating_add(1), "packets were lost");
            return None;
        }
        if !file.ends_with(&[0xff, 0xd9]) {
            file.extend_from_slice(&[0xff, 0xd9]);
        }
        let (width, height) = self.dimensions;
        Some(Whole { data: file.into(), timestamp, width, height, began })
    }

    fn drop_unit(&mut self, why: &'static str) {
        if self.unit.take().is_some() {
            self.incomplete = (self.incomplete.0.saturating_add(1), why);
        }
    }
}

/// RFC 2435 §3.1.
fn parse(payload: &[u8]) -> Option<Fragment<'_>> {
    let (main, mut rest) = payload.split_first_chunk::<8>()?;
    let [_, o2, o1, o0, kind, quality, width, height] = *main;
    let offset = usize::try_from(u32::from_be_bytes([0, o2, o1, o0])).ok()?;
    let mut restart = None;
    if kind & 0xc0 == 0x40 {
        let (header, tail) = rest.split_first_chunk::<4>()?;
        restart = Some(u16::from_be_bytes([header[0], header[1]]));
        rest = tail;
    }
    let mut tables = None;
    if offset == 0 && quality >= 128 {
        let (header, tail) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (mut data, tail) = (tail.get(..length)?, tail.get(length..)?);
        let mut found = Vec::new();
        for index in 0..4 {
            let wide = (header[1] >> index) & 1 == 1;
            let size = if wide { 128 } else { 64 };
            if data.len() < size {
                break;
            }
            found.push((wide, data[..size].to_vec()));
            data = &data[size..];
        }
        tables = (!found.is_empty()).then_some(Tables(found));
        rest = tail;
    }
    Some(Fragment {
        offset,
        kind,
        quality,
        width: u16::from(width) * 8,
        height: u16::from(height) * 8,
        restart,
        tables,
        scan: rest,
    })
}

/// The RFC's tables at a quality of 1 to 99.
fn scaled(quality: u8) -> Tables {
    let quality = u32::from(quality);
    let factor = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
    let scale =
        |table: &[u8; 64]| table.iter().map(|v| ((u32::from(*v) * factor + 50) / 100).clamp(1, 255) as u8).collect();
    Tables(vec![(false, scale(&LUMA_QUANTIZER)), (false, scale(&CHROMA_QUANTIZER))])
}

/// Everything before the scan; `None` for a type the RFC does not define.
fn head(fragment: &Fragment<'_>, Tables(tables): &Tables) -> Option<Vec<u8>> {
    let sampling = match fragment.kind & 0x3f {
        0 => 0x21,
        1 => 0x22,
        _ => return None,
    };
    let mut out = vec![0xff, 0xd8];
    for (index, (wide, values)) in (0_u8..).zip(tables) {
        segment(&mut out, 0xdb, &[&[u8::from(*wide) << 4 | index], values]);
    }
    if let Some(interval) = fragment.restart {
        segment(&mut out, 0xdd, &[&interval.to_be_bytes()]);
    }
    let chroma = u8::from(tables.len() > 1);
    let components = [3, 1, sampling, 0, 2, 0x11, chroma, 3, 0x11, chroma];
    segment(&mut out, 0xc0, &[&[8], &fragment.height.to_be_bytes(), &fragment.width.to_be_bytes(), &components]);
    for table in &HUFFMAN {
        segment(&mut out, 0xc4, &[&[table.id], &table.lengths, table.values]);
    }
    segment(&mut out, 0xda, &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]]);
    Some(out)
}

fn segment(out: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|p| p.len()).sum::<usize>() + 2;
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&u16::try_from(length).expect("tables and headers are far below 64 KiB").to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(payload: &[u8], timestamp: u32, lost: u16) -> Packet<'_> {
        Packet { payload, timestamp, mark: false, lost, arrived: Instant::now() }
    }

    fn fragment(offset: u8, data: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, offset, 1, 50, 2, 2][..], data].concat()
    }

    #[test]
    fn fragments_become_a_file() {
        let mut jpeg = JpegAssembler::new(10_000);
        assert!(jpeg.push(packet(&fragment(0, &[1, 2, 3]), 1, 0), || true).keyframe);
        assert!(!jpeg.push(packet(&fragment(3, &[4, 5]), 1, 0), || true).keyframe);
        let whole = jpeg.push(packet(&fragment(0, &[9]), 2, 0), || true).whole.unwrap();
        assert_eq!((whole.width, whole.height), (16, 16));
        assert!(whole.data.starts_with(&[0xff, 0xd8, 0xff, 0xdb]));
        assert!(whole.data.ends_with(&[1, 2, 3, 4, 5, 0xff, 0xd9]));
    }

    #[test]
    fn a_gap_makes_no_file() {
        let mut jpeg = JpegAssembler::new(10_000);
        jpeg.push(packet(&fragment(0, &[1, 2, 3]), 1, 0), || true);
        jpeg.push(packet(&fragment(4, &[4, 5]), 1, 0), || true);
        assert_eq!(jpeg.incomplete(), (1, "a fragment is missing"));
        assert!(jpeg.push(packet(&fragment(0, &[9]), 2, 0), || true).whole.is_none());
        assert!(jpeg.push(packet(&fragment(0, &[9]), 3, 1), || true).whole.is_none());
    }

    #[test]
    fn tables_are_as_long_as_they_say() {
        for table in &HUFFMAN {
            let codes: usize = table.lengths.iter().map(|n| usize::from(*n)).sum();
            assert_eq!(codes, table.values.len(), "{:#x}", table.id);
        }
    }

    proptest! {
        #[test]
        fn any_packets_stay_within_bounds(
            packets in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..300), 0_u32..4, 0_u16..2), 0..100,
            ),
        ) {
            let mut jpeg = JpegAssembler::new(2000);
            for (payload, timestamp, lost) in &packets {
                let found = jpeg.push(packet(payload, *timestamp, *lost), || true);
                prop_assert!(found.whole.is_none_or(|w| w.data.len() <= 2002));
            }
        }
    }
}
