//! RTP and RTCP packets (RFC 3550): their headers, read in place.
//!
//! Never fails on any bytes but with a word on what is wrong; allocates nothing.

/// One RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rtp<'a> {
    pub(crate) mark: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Reads a packet, or says why it is none.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Rtp<'a>, &'static str> {
        let Some((head, mut rest)) = data.split_first_chunk::<12>() else { return Err("shorter than an RTP header") };
        if head[0] >> 6 != 2 {
            return Err("not RTP version 2");
        }
        let sources = usize::from(head[0] & 0x0f) * 4;
        rest = rest.get(sources..).ok_or("its list of sources goes beyond it")?;
        if head[0] & 0x10 != 0 {
            let Some((extension, tail)) = rest.split_first_chunk::<4>() else {
                return Err("its extension goes beyond it");
            };
            let length = usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
            rest = tail.get(length..).ok_or("its extension goes beyond it")?;
        }
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or("its padding goes beyond it")?);
            let length = rest.len().checked_sub(padding).filter(|_| padding > 0);
            rest = &rest[..length.ok_or("its padding goes beyond it")?];
        }
        Ok(Rtp {
            mark: head[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest,
        })
    }
}

/// A sender report, as far as clocks care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SenderReport {
    pub(crate) ssrc: u32,
    /// The sender's clock, 64-bit NTP.
    pub(crate) ntp: u64,
    /// The same instant on the stream's clock.
    pub(crate) rtp: u32,
}

/// What an RTCP packet says that matters here. What cannot be read ends the walk.
pub(crate) fn reports(mut data: &[u8], mut each: impl FnMut(SenderReport)) {
    while let Some((head, _)) = data.split_first_chunk::<4>() {
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        if head[0] >> 6 != 2 || length > data.len() {
            return;
        }
        let (part, rest) = data.split_at(length);
        data = rest;
        if head[1] == 200
            && let Some(body) = part.get(4..).and_then(|b| b.first_chunk::<16>())
        {
            let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
            each(SenderReport { ssrc: word(0), ntp: (u64::from(word(4)) << 32) | u64::from(word(8)), rtp: word(12) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_read_past_sources_extension_and_padding() {
        let mut packet = vec![0xb1, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([1, 1, 1, 1]);
        packet.extend([0xbe, 0xde, 0, 1, 5, 5, 5, 5]);
        packet.extend([0x65, 0x88, 0, 0, 3]);
        let rtp = Rtp::parse(&packet).unwrap();
        assert_eq!((rtp.mark, rtp.sequence, rtp.timestamp, rtp.ssrc), (true, 0x1234, 9, 7));
        assert_eq!(rtp.payload, [0x65, 0x88]);
    }

    #[test]
    fn what_is_no_packet_is_named() {
        let head = |first: u8| [&[first, 96, 0, 1][..], &[0; 8]].concat();
        assert_eq!(Rtp::parse(&[0x80; 11]), Err("shorter than an RTP header"));
        assert_eq!(Rtp::parse(&head(0x40)), Err("not RTP version 2"));
        assert_eq!(Rtp::parse(&head(0x8f)), Err("its list of sources goes beyond it"));
        assert_eq!(Rtp::parse(&head(0x90)), Err("its extension goes beyond it"));
        assert_eq!(Rtp::parse(&head(0xa0)), Err("its padding goes beyond it"));
        assert_eq!(Rtp::parse(&[head(0xa0), vec![0]].concat()), Err("its padding goes beyond it"));
        assert_eq!(Rtp::parse(&head(0x80)).unwrap().payload, []);
    }

    #[test]
    fn sender_reports_are_found_among_others() {
        let mut data = vec![0x81, 201, 0, 1, 0, 0, 0, 7];
        data.extend([0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 5]);
        data.extend([0; 8]);
        data.extend([0x81, 202, 0]);
        let mut found = Vec::new();
        reports(&data, |r| found.push(r));
        assert_eq!(found, [SenderReport { ssrc: 7, ntp: 0x1_8000_0000, rtp: 5 }]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_their_bounds(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(rtp) = Rtp::parse(&data) {
                prop_assert!(rtp.payload.len() + 12 <= data.len());
            }
            reports(&data, |_| {});
        }
    }
}
