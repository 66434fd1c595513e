use super::*;
use crate::{
    assemble::Assembler,
    live::{Watched, queue::Queue},
};

const SPS: &[u8] = &[0x67, 66, 0, 31, 0xda, 0x01, 0x40, 0x16, 0xec];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const KEY: &[u8] = &[0x65, 0x88, 1];
const SLICE: &[u8] = &[0x41, 0x9a, 2];

struct Feed {
    assembler: Assembler,
    frames: Frames,
    viewers: Viewers,
    timestamp: u32,
}

impl Feed {
    fn new() -> Feed {
        let (assembler, frames) = (Assembler::new(Syntax::H264, 10_000), Frames::new(Syntax::H264, 90_000, 10_000));
        Feed { assembler, frames, viewers: Viewers::default(), timestamp: 0 }
    }

    /// A new frame's packets, the last one marked.
    fn frame(&mut self, packets: &[(&[u8], u16)]) {
        self.timestamp += 3600;
        let last = packets.len() - 1;
        for (i, (payload, lost)) in packets.iter().enumerate() {
            let arrived = Instant::now();
            let packet = Packet { payload, timestamp: self.timestamp, mark: i == last, lost: *lost, arrived };
            self.frames.take(&packet, self.assembler.sets(), &self.viewers);
            self.assembler.push(packet, || false);
        }
    }
}

/// What is in line: whether a keyframe and its bytes, or why some are left out.
fn taken(queue: &Queue) -> Vec<Result<(bool, Vec<u8>), Skip>> {
    let mut out = Vec::new();
    while let Some(Ok(watched)) = futures::FutureExt::now_or_never(queue.next()) {
        out.push(match watched {
            Watched::Frame(frame) => Ok((frame.keyframe, frame.data.to_vec())),
            Watched::Skipped(why) => Err(why),
        });
    }
    out
}

fn sized(nal: &[u8]) -> Vec<u8> {
    [&(nal.len() as u32).to_be_bytes(), nal].concat()
}

#[test]
fn a_viewer_begins_with_the_next_keyframe_and_gets_every_frame_whole() {
    let mut feed = Feed::new();
    feed.frame(&[(SPS, 0), (PPS, 0), (KEY, 0)]);
    let queue = feed.viewers.join().unwrap();
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(&[0x06, 5, 1], 0), (&[0x7c, 0x85, 0x88, 1], 0), (&[0x7c, 0x05, 2], 0), (&[0x7c, 0x45, 3], 0)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(SLICE, 0)]);
    let key = [sized(&[0x06, 5, 1]), sized(&[0x65, 0x88, 1, 2, 3])].concat();
    assert_eq!(taken(&queue), [Ok((true, key)), Ok((false, sized(SLICE)))]);
}

#[test]
fn after_a_lost_packet_nothing_comes_until_the_next_keyframe() {
    let mut feed = Feed::new();
    feed.frame(&[(SPS, 0), (PPS, 0), (KEY, 0)]);
    let queue = feed.viewers.join().unwrap();
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(KEY, 0)]);
    feed.frame(&[(SLICE, 1)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(KEY, 0)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(SLICE, 0)]);
    let (key, slice) = (Ok((true, sized(KEY))), Ok((false, sized(SLICE))));
    assert_eq!(taken(&queue), [key.clone(), Err(Skip::Loss), key, slice]);
}

#[test]
fn who_comes_later_begins_with_the_frames_since_the_last_keyframe() {
    let mut feed = Feed::new();
    feed.frame(&[(SPS, 0), (PPS, 0), (KEY, 0)]);
    feed.viewers.warm();
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(KEY, 0)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(SLICE, 0)]);
    feed.frame(&[(SLICE, 0)]);
    let queue = feed.viewers.join().unwrap();
    let slice = Ok((false, sized(SLICE)));
    assert_eq!(taken(&queue), [Ok((true, sized(KEY))), slice.clone(), slice]);
}

#[test]
fn when_the_last_viewer_is_gone_nothing_is_put_together_any_more() {
    let mut feed = Feed::new();
    feed.frame(&[(SPS, 0), (PPS, 0), (KEY, 0)]);
    let queue = feed.viewers.join().unwrap();
    drop(queue);
    for _ in 0..3 {
        feed.frame(&[(KEY, 0)]);
    }
    assert!(!feed.viewers.watched());
    let queue = feed.viewers.join().unwrap();
    assert!(taken(&queue).is_empty(), "nothing old is shown as new");
}

#[test]
fn a_frame_beyond_the_limit_is_left_out() {
    let mut feed = Feed::new();
    feed.frame(&[(SPS, 0), (PPS, 0), (KEY, 0)]);
    let queue = feed.viewers.join().unwrap();
    feed.frame(&[(SLICE, 0)]);
    let large = [KEY, &[7; 11_000]].concat();
    feed.frame(&[(&large, 0)]);
    feed.frame(&[(KEY, 0)]);
    feed.frame(&[(SLICE, 0)]);
    assert_eq!(taken(&queue), [Ok((true, sized(KEY)))]);
}
