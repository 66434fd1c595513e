use super::*;
use proptest::prelude::*;

const SPS: &[u8] = &[0x67, 66, 0, 31, 0xda, 0x01, 0x40, 0x16, 0xec];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

struct Feed {
    assembler: Assembler,
    timestamp: u32,
}

impl Feed {
    fn h264() -> Feed {
        Feed { assembler: Assembler::new(Syntax::H264, 10_000), timestamp: 0 }
    }

    /// A new frame's packets, the last one marked.
    fn frame(&mut self, wanted: bool, packets: &[(&[u8], u16)]) -> Vec<Found> {
        self.timestamp += 3000;
        let last = packets.len() - 1;
        let began = Instant::now();
        packets
            .iter()
            .enumerate()
            .map(|(i, (payload, lost))| {
                let packet =
                    Packet { payload, timestamp: self.timestamp, mark: i == last, lost: *lost, arrived: began };
                self.assembler.push(packet, || wanted)
            })
            .collect()
    }
}

fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter().flat_map(|n| [&START_CODE[..], n].concat()).collect()
}

#[test]
fn a_fragmented_keyframe_is_put_together_behind_its_parameter_sets() {
    let mut feed = Feed::h264();
    feed.frame(
        true,
        &[
            (SPS, 0),
            (PPS, 0),
            (&[0x06, 5, 1], 0),
            (&[0x7c, 0x85, 0x88, 1], 0),
            (&[0x7c, 0x05, 2], 0),
            (&[0x7c, 0x45, 3], 0),
        ],
    );
    let next = feed.frame(true, &[(&[0x41, 0x9a], 0)]);
    let whole = next[0].whole.as_ref().expect("the keyframe is whole once the next frame begins");
    assert_eq!(whole.data, annex_b(&[SPS, PPS, &[0x06, 5, 1], &[0x65, 0x88, 1, 2, 3]]));
    assert_eq!(whole.timestamp, 3000);
    assert_eq!((whole.width, whole.height), feed.assembler.dimensions());
}

#[test]
fn keyframes_are_counted_once_and_not_kept_when_nobody_waits() {
    let mut feed = Feed::h264();
    let found = feed.frame(false, &[(SPS, 0), (PPS, 0), (&[0x65, 0x88], 0), (&[0x65, 0x08], 0)]);
    assert_eq!(found.iter().filter(|f| f.keyframe).count(), 1);
    assert_eq!(found.iter().filter(|f| f.frame).count(), 1);
    assert!(feed.frame(true, &[(&[0x41, 0x9a], 0)])[0].whole.is_none());
}

#[test]
fn a_keyframe_that_misses_a_packet_is_never_given_out() {
    for hole in 1..4_usize {
        let mut feed = Feed::h264();
        feed.assembler.parameter_set(SPS);
        feed.assembler.parameter_set(PPS);
        let packets: [&[u8]; 4] = [&[0x7c, 0x85, 0x88, 1], &[0x7c, 0x05, 2], &[0x7c, 0x05, 3], &[0x7c, 0x45, 4]];
        let sent: Vec<(&[u8], u16)> = packets.iter().enumerate().map(|(i, p)| (*p, u16::from(i == hole))).collect();
        feed.frame(true, &sent);
        assert!(feed.frame(true, &[(&[0x41, 0x9a], 0)])[0].whole.is_none(), "hole before packet {hole}");
        assert_eq!(feed.assembler.incomplete().0, 1);
    }
}

#[test]
fn loss_after_the_marked_packet_does_not_spoil_the_keyframe_before_it() {
    let mut feed = Feed::h264();
    feed.frame(true, &[(SPS, 0), (PPS, 0), (&[0x65, 0x88], 0)]);
    assert!(feed.frame(true, &[(&[0x41, 0x9a], 3)])[0].whole.is_some());
}

#[test]
fn a_stream_entered_amid_a_keyframe_waits_for_the_next() {
    let mut feed = Feed::h264();
    feed.assembler.parameter_set(SPS);
    feed.assembler.parameter_set(PPS);
    feed.frame(true, &[(&[0x65, 0x08, 1], 0)]);
    assert!(feed.frame(true, &[(&[0x7c, 0x05, 0x88], 0), (&[0x7c, 0x45, 1], 0)])[0].whole.is_none());
    assert!(feed.frame(true, &[(&[0x65, 0x88, 1], 0)])[0].whole.is_none());
    assert!(feed.frame(true, &[(&[0x41, 0x9a], 0)])[0].whole.is_some());
}

#[test]
fn the_newest_parameter_sets_win() {
    let mut feed = Feed::h264();
    feed.assembler.parameter_set(&[0x67, 66, 0, 30, 0xda, 0x01]);
    feed.assembler.parameter_set(PPS);
    feed.frame(true, &[(SPS, 0), (&[0x65, 0x88], 0)]);
    let next = feed.frame(false, &[(&[0x41, 0x9a], 0)]);
    assert_eq!(next[0].whole.as_ref().unwrap().data, annex_b(&[SPS, PPS, &[0x65, 0x88]]));
}

#[test]
fn without_parameter_sets_nothing_is_given_out() {
    let mut feed = Feed::h264();
    feed.frame(true, &[(&[0x65, 0x88], 0)]);
    assert!(feed.frame(true, &[(&[0x41, 0x9a], 0)])[0].whole.is_none());
    assert_eq!(feed.assembler.incomplete(), (1, "no parameter sets were sent"));
}

#[test]
fn a_frame_that_never_ends_is_bounded() {
    let mut feed = Feed::h264();
    feed.assembler.parameter_set(SPS);
    feed.assembler.parameter_set(PPS);
    let chunk = [[0x7c, 0x05].as_slice(), &[7; 1400]].concat();
    let mut sent: Vec<(&[u8], u16)> = vec![(&[0x7c, 0x85, 0x88], 0)];
    sent.extend(std::iter::repeat_n((&chunk[..], 0), 1000));
    feed.frame(true, &sent);
    assert!(feed.assembler.unit.as_ref().unwrap().data.capacity() <= 2 * 10_000 + 1400);
    assert!(feed.frame(true, &[(&[0x41, 0x9a], 0)])[0].whole.is_none());
}

#[test]
fn an_h265_keyframe_is_put_together() {
    let (vps, sps, pps): (&[u8], &[u8], &[u8]) = (&[0x40, 1, 0x0c], &[0x42, 1, 1], &[0x44, 1, 0xc0]);
    let mut feed = Feed { assembler: Assembler::new(Syntax::H265, 10_000), timestamp: 0 };
    let aggregate = [&[0x60, 1, 0, 3][..], vps, &[0, 3], sps, &[0, 3], pps].concat();
    feed.frame(true, &[(&aggregate, 0), (&[0x62, 1, 0x93, 0xaf, 1], 0), (&[0x62, 1, 0x53, 2], 0)]);
    let next = feed.frame(true, &[(&[0x02, 1, 0xd0], 0)]);
    assert_eq!(next[0].whole.as_ref().unwrap().data, annex_b(&[vps, sps, pps, &[0x26, 1, 0xaf, 1, 2]]));
}

proptest! {
    #[test]
    fn any_packets_stay_within_bounds(
        packets in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..300), 0_u32..4, any::<bool>(), 0_u16..2),
            0..200,
        ),
        h265: bool,
    ) {
        let syntax = if h265 { Syntax::H265 } else { Syntax::H264 };
        let mut assembler = Assembler::new(syntax, 1000);
        for (payload, timestamp, mark, lost) in &packets {
            let found = assembler.push(
                Packet { payload, timestamp: *timestamp, mark: *mark, lost: *lost, arrived: Instant::now() },
                || true,
            );
            if let Some(whole) = found.whole {
                prop_assert!(whole.data.len() <= 1000 + 400 + assembler.sets.bytes());
                prop_assert!(whole.data.starts_with(&START_CODE));
            }
            prop_assert!(assembler.unit.as_ref().is_none_or(|u| u.data.len() <= 1000));
            prop_assert!(assembler.sets.sets.len() <= SETS);
        }
    }
}
