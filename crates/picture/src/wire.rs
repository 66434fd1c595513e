//! The words between the pool and its workers: length-prefixed binary messages over two pipes.
//!
//! Neither side trusts the other's lengths. The parent treats every answer as hostile: a worker may have been
//! taken over by the picture it decoded.

use crate::{Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS, SandboxReport};
use bytes::Bytes;
use fleet::Codec;
use std::time::Duration;

/// Largest keyframe that is sent to a worker. A 4K intra picture at the best quality stays well below.
pub(crate) const MAX_KEYFRAME: usize = 16 << 20;
/// Largest answer that is read from a worker: a JPEG of the largest picture at quality 85.
pub(crate) const MAX_ANSWER: usize = 32 << 20;
/// Bytes before every message: its length without these, little-endian.
pub(crate) const LENGTH_BYTES: usize = 4;
/// Longest text that is taken from a worker.
const MAX_TEXT: usize = 400;

/// Parent to worker.
#[derive(Debug, PartialEq)]
pub(crate) enum Request<'a> {
    /// First message: how to confine itself.
    Setup {
        /// Bytes beyond what the ready process holds.
        memory: u64,
        /// CPU time for the whole life of the process.
        cpu: Duration,
        /// Real time for each picture, after which it ends itself (should the parent have died).
        picture: Duration,
    },
    /// Decode, make a thumbnail, measure.
    Assess { codec: Codec, thumbnail_width: u32, data: &'a [u8] },
    /// Decode to a JPEG.
    Render { codec: Codec, max_width: Option<u32>, data: &'a [u8] },
}

/// Worker to parent.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// After `Setup`: confined and ready.
    Ready(SandboxReport),
    /// To `Assess`.
    Assessed { cpu: Duration, measuring: Duration, width: u32, height: u32, thumbnail: Bytes, features: Box<Features> },
    /// To `Render`.
    Rendered { cpu: Duration, jpeg: Bytes },
    /// The keyframe does not decode, and why.
    Refused { cpu: Duration, why: String },
}

impl Request<'_> {
    /// All bytes before the keyframe itself, the length prefix first; the keyframe follows unchanged.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(32);
        let data = match *self {
            Request::Setup { memory, cpu, picture } => {
                body.push(1);
                body.extend(memory.to_le_bytes());
                body.extend(millis(cpu).to_le_bytes());
                body.extend(millis(picture).to_le_bytes());
                0
            }
            Request::Assess { codec, thumbnail_width, data } => {
                body.extend([2, codec_byte(codec)]);
                body.extend(thumbnail_width.to_le_bytes());
                data.len()
            }
            Request::Render { codec, max_width, data } => {
                body.extend([3, codec_byte(codec)]);
                body.extend(max_width.unwrap_or(0).to_le_bytes());
                data.len()
            }
        };
        let length = u32::try_from(body.len() + data).expect("keyframes are bounded by MAX_KEYFRAME");
        let mut head = Vec::with_capacity(LENGTH_BYTES + body.len());
        head.extend(length.to_le_bytes());
        head.extend(body);
        head
    }

    /// A message without its length prefix.
    pub(crate) fn parse(body: &[u8]) -> Option<Request<'_>> {
        let mut read = Reader(body);
        let request = match read.u8()? {
            1 => Request::Setup {
                memory: read.u64()?,
                cpu: Duration::from_millis(read.u64()?),
                picture: Duration::from_millis(read.u64()?),
            },
            2 => Request::Assess { codec: codec(read.u8()?)?, thumbnail_width: read.u32()?, data: read.rest() },
            3 => {
                let codec = codec(read.u8()?)?;
                let width = read.u32()?;
                Request::Render { codec, max_width: (width > 0).then_some(width), data: read.rest() }
            }
            _ => return None,
        };
        read.0.is_empty().then_some(request)
    }
}

impl Answer {
    /// The whole message, the length prefix first.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; LENGTH_BYTES];
        match self {
            Answer::Ready(report) => {
                out.push(1);
                out.extend(serde_json::to_vec(report).expect("a report of plain strings serializes"));
            }
            Answer::Assessed { cpu, measuring, width, height, thumbnail, features } => {
                out.push(2);
                out.extend(millionths(*cpu).to_le_bytes());
                out.extend(millionths(*measuring).to_le_bytes());
                out.extend(width.to_le_bytes());
                out.extend(height.to_le_bytes());
                features_out(features, &mut out);
                out.extend(thumbnail);
            }
            Answer::Rendered { cpu, jpeg } => {
                out.push(3);
                out.extend(millionths(*cpu).to_le_bytes());
                out.extend(jpeg);
            }
            Answer::Refused { cpu, why } => {
                out.push(4);
                out.extend(millionths(*cpu).to_le_bytes());
                out.extend(why.as_bytes());
            }
        }
        let length = u32::try_from(out.len() - LENGTH_BYTES).expect("pictures are bounded");
        out[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        out
    }

    /// A message without its length prefix; `None` if it is not one.
    pub(crate) fn parse(body: &Bytes) -> Option<Answer> {
        let mut read = Reader(body);
        match read.u8()? {
            1 => serde_json::from_slice(read.rest()).ok().map(Answer::Ready),
            2 => {
                let cpu = Duration::from_micros(read.u64()?);
                let measuring = Duration::from_micros(read.u64()?);
                let (width, height) = (read.u32()?, read.u32()?);
                let features = Box::new(features_in(&mut read)?);
                Some(Answer::Assessed {
                    cpu,
                    measuring,
                    width,
                    height,
                    thumbnail: body.slice_ref(read.rest()),
                    features,
                })
            }
            3 => {
                let cpu = Duration::from_micros(read.u64()?);
                Some(Answer::Rendered { cpu, jpeg: body.slice_ref(read.rest()) })
            }
            4 => {
                let cpu = Duration::from_micros(read.u64()?);
                let text = String::from_utf8_lossy(read.rest());
                let why = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
                Some(Answer::Refused { cpu, why })
            }
            _ => None,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn millionths(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn codec_byte(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 1,
        Codec::H265 => 2,
        Codec::Jpeg => 3,
    }
}

fn codec(byte: u8) -> Option<Codec> {
    match byte {
        1 => Some(Codec::H264),
        2 => Some(Codec::H265),
        3 => Some(Codec::Jpeg),
        _ => None,
    }
}

/// The single figures of [`Features`], in the order in which they are sent.
fn figures(f: &Features) -> [f32; 15] {
    [
        f.mean,
        f.deviation,
        f.dark,
        f.bright,
        f.sharpness,
        f.noise,
        f.chroma[0],
        f.chroma[1],
        f.chroma_deviation[0],
        f.chroma_deviation[1],
        f.saturation,
        f.row_stripes,
        f.column_stripes,
        f.flat,
        f.blockiness,
    ]
}

fn features_out(f: &Features, out: &mut Vec<u8>) {
    debug_assert!(f.luma.len() == GRID_CELLS && f.tint.len() == GRID_CELLS && f.checks.len() == GRID_CELLS);
    out.extend(f.width.to_le_bytes());
    out.extend(f.height.to_le_bytes());
    for figure in figures(f) {
        out.extend(figure.to_le_bytes());
    }
    out.extend(f.percentiles);
    out.extend(f.hash.to_le_bytes());
    for cell in &f.luma {
        out.extend(cell.to_le_bytes());
    }
    for cells in [&f.edges, &f.detail, &f.grain, &f.blocks] {
        out.extend(cells);
    }
    out.extend(f.tint.iter().flatten().map(|t| t.cast_unsigned()));
    out.extend(&f.row_marks);
    out.extend(&f.column_marks);
    for cell in &f.checks {
        out.extend(cell.to_le_bytes());
    }
}

fn features_in(read: &mut Reader<'_>) -> Option<Features> {
    let (width, height) = (u16::from_le_bytes(read.array()?), u16::from_le_bytes(read.array()?));
    let mut figures = [0.0f32; 15];
    for figure in &mut figures {
        *figure = f32::from_le_bytes(read.array()?);
        if !figure.is_finite() {
            return None;
        }
    }
    let [
        mean,
        deviation,
        dark,
        bright,
        sharpness,
        noise,
        cb,
        cr,
        cb_dev,
        cr_dev,
        saturation,
        rows,
        columns,
        flat,
        blocks,
    ] = figures;
    Some(Features {
        width,
        height,
        mean,
        deviation,
        dark,
        bright,
        sharpness,
        noise,
        chroma: [cb, cr],
        chroma_deviation: [cb_dev, cr_dev],
        saturation,
        row_stripes: rows,
        column_stripes: columns,
        flat,
        blockiness: blocks,
        percentiles: read.array()?,
        hash: read.u64()?,
        luma: (0..GRID_CELLS).map(|_| read.array().map(u16::from_le_bytes)).collect::<Option<_>>()?,
        edges: read.take(GRID_CELLS)?.to_vec(),
        detail: read.take(GRID_CELLS)?.to_vec(),
        grain: read.take(GRID_CELLS)?.to_vec(),
        blocks: read.take(GRID_CELLS)?.to_vec(),
        tint: read.take(GRID_CELLS * 2)?.as_chunks::<2>().0.iter().map(|t| t.map(u8::cast_signed)).collect(),
        row_marks: read.take(GRID_ROWS)?.to_vec(),
        column_marks: read.take(GRID_COLUMNS)?.to_vec(),
        checks: (0..GRID_CELLS).map(|_| read.u32()).collect::<Option<_>>()?,
    })
}

/// Takes fields from the front; `None` once the message is too short.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Features {
        Features {
            width: 640,
            height: 360,
            mean: 12.5,
            blockiness: 3.0,
            percentiles: [1, 2, 3, 4, 5, 6, 7],
            hash: 0xfeed,
            luma: (0..GRID_CELLS as u16).collect(),
            edges: vec![7; GRID_CELLS],
            detail: vec![8; GRID_CELLS],
            grain: vec![9; GRID_CELLS],
            blocks: vec![10; GRID_CELLS],
            tint: vec![[-3, 4]; GRID_CELLS],
            row_marks: vec![11; GRID_ROWS],
            column_marks: vec![12; GRID_COLUMNS],
            checks: (0..GRID_CELLS as u32).collect(),
            ..Features::default()
        }
    }

    #[test]
    fn answers_come_back_as_sent() {
        let cpu = Duration::from_micros(1234);
        for answer in [
            Answer::Ready(SandboxReport::default()),
            Answer::Assessed {
                cpu,
                measuring: Duration::from_micros(99),
                width: 640,
                height: 360,
                thumbnail: Bytes::from_static(b"jpeg"),
                features: Box::new(sample()),
            },
            Answer::Rendered { cpu, jpeg: Bytes::from_static(b"jpeg") },
            Answer::Refused { cpu, why: "no picture".to_owned() },
        ] {
            let message = Bytes::from(answer.encode());
            let length = u32::from_le_bytes(message[..LENGTH_BYTES].try_into().unwrap()) as usize;
            assert_eq!(length, message.len() - LENGTH_BYTES);
            assert_eq!(Answer::parse(&message.slice(LENGTH_BYTES..)), Some(answer));
        }
    }

    #[test]
    fn requests_come_back_as_sent() {
        let data: &[u8] = b"\0\0\0\x01abc";
        for request in [
            Request::Setup { memory: 1 << 40, cpu: Duration::from_secs(9), picture: Duration::from_millis(3) },
            Request::Assess { codec: Codec::H265, thumbnail_width: 320, data },
            Request::Render { codec: Codec::Jpeg, max_width: None, data },
            Request::Render { codec: Codec::H264, max_width: Some(640), data },
        ] {
            let mut message = request.head();
            if !matches!(request, Request::Setup { .. }) {
                message.extend(data);
            }
            assert_eq!(Request::parse(&message[LENGTH_BYTES..]), Some(request));
        }
    }

    #[test]
    fn figures_that_are_not_numbers_are_refused() {
        let features = Box::new(Features { mean: f32::NAN, ..sample() });
        let answer = Answer::Assessed {
            cpu: Duration::ZERO,
            measuring: Duration::ZERO,
            width: 1,
            height: 1,
            thumbnail: Bytes::new(),
            features,
        };
        assert_eq!(Answer::parse(&Bytes::from(answer.encode()).slice(LENGTH_BYTES..)), None);
    }

    proptest! {
        #[test]
        fn hostile_messages_are_parsed_or_refused(body in proptest::collection::vec(any::<u8>(), 0..9000), kind in 0u8..6) {
            let mut body = body;
            if let Some(first) = body.first_mut() { *first = kind; }
            let _ = Request::parse(&body);
            let _ = Answer::parse(&Bytes::from(body));
        }
    }
}
