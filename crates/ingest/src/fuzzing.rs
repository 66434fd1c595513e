//! What of ours parses a camera's bytes, behind one door per parser: for fuzzers, and for a short run with seeded
//! mutations in the tests. Each door panics if what must hold of any input does not.
//!
//! Longer: `cd crates/ingest/fuzz && cargo +nightly fuzz run TARGET`, TARGET being one of [`DOORS`].

use crate::{
    assemble::{Assembler, Packet},
    description,
    jpeg::JpegAssembler,
    message::{Interlude, interlude, parse_head},
    nal::Syntax,
    rtp::{Rtp, reports},
    sequence::{Order, Sequence},
};
use std::time::Instant;
use url::Url;

/// Largest keyframe while fuzzing, in bytes.
const LIMIT: usize = 64 << 10;

/// A parser's door.
type Door = fn(&[u8]);

/// Every door by its name.
pub const DOORS: [(&str, Door); 5] =
    [("description", description), ("message", message), ("rtp", rtp), ("keyframe", keyframe), ("jpeg", jpeg)];

/// An SDP as the body of an answer to DESCRIBE: video, or a cause.
pub fn description(data: &[u8]) {
    let mut answer = parse_head(b"RTSP/1.0 200 OK\r\n\r\n").expect("a good head");
    answer.body = data.to_vec();
    let asked = Url::parse("rtsp://10.0.0.1/a").expect("a good address");
    match description::video(&answer, &asked) {
        Ok(video) => {
            assert!(video.clock_rate > 0);
            assert!(video.parameter_sets.len() <= 16);
        }
        Err(failure) => assert!(failure.detail.chars().count() <= 301),
    }
}

/// What stands between the packets of a connection: never used beyond what came, always getting on.
pub fn message(data: &[u8]) {
    let _ = parse_head(data);
    let mut rest = data;
    while !rest.is_empty() {
        match interlude(rest) {
            Ok(Interlude::Skip(n) | Interlude::Answer(_, n)) => {
                assert!(n > 0 && n <= rest.len());
                rest = &rest[n..];
            }
            Ok(Interlude::More) | Err(_) => return,
        }
    }
}

/// RTP and RTCP headers, and the order of packets: the payload lies within the packet.
pub fn rtp(data: &[u8]) {
    let mut sequence = Sequence::default();
    for chunk in data.chunks(40) {
        reports(chunk, |_| {});
        if let Ok(rtp) = Rtp::parse(chunk) {
            assert!(rtp.payload.len() + 12 <= chunk.len());
            if let Order::Next(lost) = sequence.place(rtp.ssrc, rtp.sequence) {
                assert!(lost < 3000);
            }
        }
    }
}

/// Payloads of H.264 and H.265 that somebody waits for: a keyframe begins with a start code and is not too large.
pub fn keyframe(data: &[u8]) {
    for syntax in [Syntax::H264, Syntax::H265] {
        let mut assembler = Assembler::new(syntax, LIMIT);
        for packet in packets(data) {
            if let Some(whole) = assembler.push(packet, || true).whole {
                assert!(whole.data.starts_with(&[0, 0, 0, 1]));
                assert!(whole.data.len() <= LIMIT + 48 * 4100 + 70_000, "{}", whole.data.len());
            }
        }
    }
}

/// The same for Motion JPEG: a picture is a JPEG file.
pub fn jpeg(data: &[u8]) {
    let mut assembler = JpegAssembler::new(LIMIT);
    for packet in packets(data) {
        if let Some(whole) = assembler.push(packet, || true).whole {
            assert!(whole.data.starts_with(&[0xff, 0xd8]) && whole.data.ends_with(&[0xff, 0xd9]));
            assert!(whole.data.len() <= LIMIT + 70_000);
        }
    }
}

/// Cuts bytes into packets: each begins with its length, whether it ends a frame, and how many are lost before it.
fn packets(mut data: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let (mut timestamp, mut marked) = (0_u32, false);
    let arrived = Instant::now();
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first_chunk::<3>()?;
        let (payload, tail) = rest.split_at(usize::from(u16::from_be_bytes([head[0] & 0x07, head[1]])).min(rest.len()));
        data = tail;
        timestamp = timestamp.wrapping_add(u32::from(marked) * 3600);
        marked = head[2] & 0x80 != 0;
        Some(Packet { payload, timestamp, mark: marked, lost: u16::from(head[2] & 0x07 == 7), arrived })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    /// Inputs from which mutations begin, one or more for each door.
    fn seeds(door: &str) -> Vec<Vec<u8>> {
        let packet = |mark: u8, payload: &[u8]| {
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&length[..], &[mark], payload].concat()
        };
        match door {
            "description" => vec![
                b"v=0\r\no=- 0 0 IN IP4 1.2.3.4\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAHg==,aM48gA==\r\na=control:trackID=1\r\n".to_vec(),
                b"v=0\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-vps=QAEMAf//;sprop-sps=QgEB;sprop-pps=RAHA\r\na=control:rtsp://1.2.3.4/t\r\n".to_vec(),
                b"v=0\r\nm=video 0 RTP/AVP 26\r\na=control:t\r\n".to_vec(),
            ],
            "message" => vec![
                b"\r\nRTSP/1.0 200 OK\r\nCSeq: 7\r\nPublic: OPTIONS, GET_PARAMETER\r\nContent-Length: 4\r\n\r\nabcdANNOUNCE rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec(),
            ],
            "rtp" => vec![
                (0..20_u8).flat_map(|n| [&[0xb1, 0xe0, 0, n, 0, 0, 0, n, 0, 0, 0, 7, 1, 1, 1, 1, 0xbe, 0xde, 0, 1, 5, 5, 5, 5][..], &[0x65, 0x88, 0, 0, 3], &[0; 11]].concat()).collect(),
                [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[9; 20], &[0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, 0, 0]].concat(),
            ],
            "keyframe" => vec![
                [
                    packet(0, &[0x67, 0x42, 0, 0x1e, 0xac]),
                    packet(0, &[0x68, 0xce, 0x3c, 0x80]),
                    packet(0, &[&[0x7c, 0x85, 0x88][..], &[1; 300]].concat()),
                    packet(0x80, &[&[0x7c, 0x45][..], &[2; 300]].concat()),
                    packet(0x80, &[0x41, 0x9a, 1, 2]),
                    packet(0x80, &[0x78, 0, 2, 0x41, 0x9a, 0, 1, 0x06]),
                ]
                .concat(),
                [
                    packet(0, &[0x60, 1, 0, 3, 0x40, 1, 1, 0, 4, 0x42, 1, 1, 1, 0, 3, 0x44, 1, 1]),
                    packet(0, &[&[0x62, 1, 0x93, 0x80][..], &[1; 200]].concat()),
                    packet(0x80, &[&[0x62, 1, 0x53][..], &[2; 200]].concat()),
                    packet(0x80, &[0x02, 1, 0x80, 3]),
                ]
                .concat(),
            ],
            _ => vec![
                [
                    packet(0, &[&[0, 0, 0, 0, 1, 255, 4, 4, 0, 0, 0, 128][..], &[3; 128], &[7; 200]].concat()),
                    packet(0x80, &[&[0, 0, 0, 200, 1, 255, 4, 4][..], &[8; 200]].concat()),
                    packet(0x80, &[&[0, 0, 0, 0, 65, 80, 4, 4, 0, 9, 0xff, 0xff][..], &[9; 100]].concat()),
                    packet(0x80, &[&[0, 0, 0, 0, 1, 80, 4, 4][..], &[9; 100]].concat()),
                ]
                .concat(),
            ],
        }
    }

    /// One to eight small changes: bits, bytes of note, pieces left out, doubled or swapped.
    fn mutate(data: &mut Vec<u8>, rng: &mut StdRng) {
        for _ in 0..rng.random_range(1..=8) {
            if data.is_empty() {
                data.push(rng.random());
            }
            let at = rng.random_range(0..data.len());
            match rng.random_range(0..6) {
                0 => data[at] ^= 1 << rng.random_range(0..8),
                1 => data[at] = [0, 1, 0x7f, 0x80, 0xff, b'\r', b'\n', b'=', b';', b'/'][rng.random_range(0..10)],
                2 => data[at] = rng.random(),
                3 => {
                    let end = (at + rng.random_range(1..20)).min(data.len());
                    data.drain(at..end);
                }
                4 => {
                    let end = (at + rng.random_range(1..200)).min(data.len());
                    let piece = data[at..end].to_vec();
                    let to = rng.random_range(0..=data.len());
                    data.splice(to..to, piece);
                }
                _ => data.truncate(at),
            }
        }
    }

    #[test]
    fn twenty_thousand_mutations_of_each_input_break_nothing() {
        for (name, door) in DOORS {
            for (number, seed) in (0..).zip(seeds(name)) {
                door(&seed);
                let mut rng = StdRng::seed_from_u64(number);
                let mut data = seed.clone();
                for _ in 0..20_000 {
                    if rng.random_bool(0.2) || data.len() > 8 << 10 {
                        data.clone_from(&seed);
                    }
                    mutate(&mut data, &mut rng);
                    door(&data);
                }
            }
        }
    }
}
