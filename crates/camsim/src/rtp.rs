//! RTP: coded units cut into packets (RFC 6184, RFC 7798), and RTCP sender reports (RFC 3550).

use crate::SimCodec;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks of the RTP clock a second.
pub(crate) const CLOCK: u32 = 90_000;
/// Payload of one packet; with all headers it fits an Ethernet frame.
const MAX_PAYLOAD: usize = 1400;
/// Room before each payload for the interleaving header and the RTP header.
pub(crate) const ROOM: usize = 4 + 12;
/// Payload type of the video.
pub(crate) const VIDEO: u8 = 96;

/// Packets without their headers: one buffer, ready to be copied and patched.
#[derive(Default, Clone)]
pub(crate) struct Packets {
    data: Vec<u8>,
    /// Where the room before each payload begins, and how long the payload is.
    marks: Vec<Mark>,
}

/// One packet in a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) payload: usize,
}

impl Packets {
    /// Cuts NAL units into packets.
    pub(crate) fn cut<'a>(codec: SimCodec, units: impl IntoIterator<Item = &'a [u8]>) -> Packets {
        let mut packets = Packets::default();
        for unit in units {
            packets.add_unit(codec, unit);
        }
        packets
    }

    fn add_unit(&mut self, codec: SimCodec, unit: &[u8]) {
        if unit.len() <= MAX_PAYLOAD {
            self.add(&[], unit);
            return;
        }
        let (mut head, body) = match codec {
            SimCodec::H264 => (vec![unit[0] & 0x60 | 28, unit[0] & 0x1f], &unit[1..]),
            SimCodec::H265 => (vec![unit[0] & 0x81 | 49 << 1, unit[1], unit[0] >> 1 & 0x3f], &unit[2..]),
        };
        let kind = head.len() - 1;
        let mut pieces = body.chunks(MAX_PAYLOAD - head.len()).peekable();
        let mut first = true;
        while let Some(piece) = pieces.next() {
            head[kind] =
                head[kind] & 0x3f | if first { 0x80 } else { 0 } | if pieces.peek().is_none() { 0x40 } else { 0 };
            self.add(&head, piece);
            first = false;
        }
    }

    fn add(&mut self, head: &[u8], body: &[u8]) {
        self.marks.push(Mark { at: self.data.len(), payload: head.len() + body.len() });
        self.data.extend_from_slice(&[0; ROOM]);
        self.data.extend_from_slice(head);
        self.data.extend_from_slice(body);
    }

    /// Appends them to a picture that is being put together.
    pub(crate) fn append_to(&self, assembly: &mut Assembly) {
        let base = assembly.data.len();
        assembly.data.extend_from_slice(&self.data);
        assembly.marks.extend(self.marks.iter().map(|m| Mark { at: base + m.at, payload: m.payload }));
    }
}

/// The packets of one picture for one session.
#[derive(Default)]
pub(crate) struct Assembly {
    pub(crate) data: Vec<u8>,
    pub(crate) marks: Vec<Mark>,
}

impl Assembly {
    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.marks.clear();
    }

    /// Writes interleaving and RTP headers. The last packet ends the picture.
    pub(crate) fn patch(&mut self, channel: u8, seq: &mut u16, timestamp: u32, ssrc: u32) {
        let last = self.marks.len().saturating_sub(1);
        for (i, mark) in self.marks.iter().enumerate() {
            let room = &mut self.data[mark.at..mark.at + ROOM];
            room[0] = b'$';
            room[1] = channel;
            room[2..4].copy_from_slice(&((mark.payload + 12) as u16).to_be_bytes());
            room[4] = 0x80;
            room[5] = VIDEO | if i == last { 0x80 } else { 0 };
            room[6..8].copy_from_slice(&seq.to_be_bytes());
            room[8..12].copy_from_slice(&timestamp.to_be_bytes());
            room[12..16].copy_from_slice(&ssrc.to_be_bytes());
            *seq = seq.wrapping_add(1);
        }
    }

    /// One packet with its interleaving header.
    pub(crate) fn interleaved(&self, mark: Mark) -> &[u8] {
        &self.data[mark.at..mark.at + ROOM + mark.payload]
    }

    /// One packet as a datagram.
    pub(crate) fn datagram(&self, mark: Mark) -> &[u8] {
        &self.data[mark.at + 4..mark.at + ROOM + mark.payload]
    }
}

/// A sender report: at `clock` the RTP clock shows `timestamp`.
pub(crate) fn sender_report(ssrc: u32, clock: SystemTime, timestamp: u32, packets: u32, octets: u32) -> [u8; 28] {
    // Seconds from 1900 to 1970.
    const ERA: u64 = 2_208_988_800;
    let since = clock.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = (since.as_secs() + ERA) as u32;
    let fraction = ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000) as u32;
    let mut report = [0; 28];
    report[..4].copy_from_slice(&[0x80, 200, 0, 6]);
    for (at, value) in [ssrc, seconds, fraction, timestamp, packets, octets].into_iter().enumerate() {
        report[4 + at * 4..8 + at * 4].copy_from_slice(&value.to_be_bytes());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_units_are_cut_and_come_together_again() {
        let unit: Vec<u8> = std::iter::once(0x65).chain((0..5000).map(|i| i as u8)).collect();
        let packets = Packets::cut(SimCodec::H264, [unit.as_slice()]);
        let mut whole = vec![0x65];
        for (i, mark) in packets.marks.iter().enumerate() {
            let payload = &packets.data[mark.at + ROOM..mark.at + ROOM + mark.payload];
            assert!(payload.len() <= MAX_PAYLOAD);
            assert_eq!(payload[0], 0x7c);
            assert_eq!(payload[1] & 0x80 != 0, i == 0);
            assert_eq!(payload[1] & 0x40 != 0, i + 1 == packets.marks.len());
            assert_eq!(payload[1] & 0x1f, 5);
            whole.extend_from_slice(&payload[2..]);
        }
        assert_eq!(whole, unit);
    }

    #[test]
    fn headers_count_up_and_mark_the_end() {
        let packets = Packets::cut(SimCodec::H265, [[1u8, 2, 3].as_slice(), &[4, 5]]);
        let mut assembly = Assembly::default();
        packets.append_to(&mut assembly);
        let mut seq = u16::MAX;
        assembly.patch(2, &mut seq, 9, 7);
        assert_eq!(seq, 1);
        assert_eq!(assembly.interleaved(assembly.marks[0])[..8], [b'$', 2, 0, 15, 0x80, 96, 255, 255]);
        assert_eq!(assembly.datagram(assembly.marks[1]), [0x80, 224, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7, 4, 5]);
    }
}
