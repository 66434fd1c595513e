//! Against GStreamer's RTSP server (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly and
//! -bad for x264enc and x265enc): a peer that is not ours.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use fleet::{Cause, Codec, Layer, Transport};
use health::StreamEvent;
use ingest::{Outcome, climb};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// The server process; ends with the test.
struct Gst {
    child: Child,
    port: u16,
}

impl Gst {
    fn start(account: &[&str]) -> Gst {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gst_server.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args(account)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("this test needs /usr/bin/python3 with GStreamer's RTSP server (see the top of this file)");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect(
            "GStreamer's RTSP server did not start: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 \
             gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly",
        );
        Gst { child, port }
    }

    fn target(&self, path: &str) -> ingest::Target {
        target(url(&format!("rtsp://127.0.0.1:{}/{path}", self.port)))
    }
}

impl Drop for Gst {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn patient() -> ingest::Config {
    // An encoder starts within the answer to DESCRIBE.
    let mut config = hasty();
    config.limits.answer = Duration::from_secs(8);
    config.limits.first_packet = Duration::from_secs(8);
    config.limits.packet_gap = Duration::from_secs(5);
    config.limits.first_keyframe = Duration::from_secs(8);
    config.limits.keyframe_gap = Duration::from_secs(8);
    config
}

/// NAL unit types of an Annex B stream.
fn nal_types(codec: Codec, data: &[u8]) -> Vec<u8> {
    let starts = data.windows(5).filter(|w| w[..4] == [0, 0, 0, 1]);
    starts.map(|w| if codec == Codec::H264 { w[4] & 0x1f } else { (w[4] >> 1) & 0x3f }).collect()
}

async fn keyframe_of(goal: &ingest::Target, codec: Codec, sets: &[u8], keys: &[u8]) -> Arc<ingest::Keyframe> {
    let mut one = One::new(patient(), goal);
    one.open();
    match one.next().await {
        StreamEvent::Opened { .. } => {}
        other => panic!("{other:?}\n{}", one.ingest.transcript(CAMERA).unwrap_or_default()),
    }
    let keyframe = one.ingest.next_keyframe(CAMERA, Duration::from_secs(8)).await.unwrap();
    assert_eq!((keyframe.codec, keyframe.width, keyframe.height), (codec, 320, 240));
    if codec != Codec::Jpeg {
        let types = nal_types(codec, &keyframe.data);
        assert!(types.starts_with(sets), "{types:?}");
        assert!(types.iter().any(|t| keys.contains(t)), "{types:?}");
    }
    let figures = loop {
        match one.next().await {
            StreamEvent::Figures(f) if f.fps > 15.0 => break f,
            StreamEvent::Figures(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(figures.fps < 40.0, "{figures:?}");
    assert!(figures.lost == 0 || goal.transport == Transport::Udp, "{figures:?}");
    one.ingest.shutdown(Duration::from_secs(2)).await;
    keyframe
}

#[tokio::test]
async fn h264_h265_tcp_udp() {
    let server = Gst::start(&[]);
    let h264 = server.target("h264");
    let udp = ingest::Target { transport: Transport::Udp, ..server.target("h264-udp") };
    let h265 = server.target("h265");
    tokio::join!(
        keyframe_of(&h264, Codec::H264, &[7, 8], &[5]),
        keyframe_of(&udp, Codec::H264, &[7, 8], &[5]),
        keyframe_of(&h265, Codec::H265, &[32, 33, 34], &[16, 17, 18, 19, 20, 21]),
    );
}

#[tokio::test]
async fn motion_jpeg_becomes_whole_files() {
    let server = Gst::start(&[]);
    let keyframe = keyframe_of(&server.target("mjpeg"), Codec::Jpeg, &[], &[]).await;
    let picture = image::load_from_memory_with_format(&keyframe.data, image::ImageFormat::Jpeg).unwrap().to_rgb8();
    assert_eq!((picture.width(), picture.height()), (320, 240));
    // The test picture's first bars are white, yellow and cyan.
    let seen: Vec<[bool; 3]> = [20, 65, 115].map(|x| picture.get_pixel(x, 60).0.map(|v| v > 128)).to_vec();
    assert_eq!(seen, [[true, true, true], [true, true, false], [false, true, true]]);
}

#[tokio::test]
async fn digest_right_and_wrong() {
    let server = Gst::start(&["viewer", "right-password"]);
    let mut goal = server.target("h264");
    goal.credentials = Some(account("viewer", "right-password"));
    keyframe_of(&goal, Codec::H264, &[7, 8], &[5]).await;

    goal.credentials = Some(account("viewer", "wrong-password"));
    let mut one = One::new(patient(), &goal);
    one.open();
    let (_, failure) = one.ended().await;
    assert_eq!(failure.cause, Cause::PasswordRefused, "{failure:?}");

    goal.credentials = None;
    let climbed = climb(&goal, &patient(), &mut |_| {}).await;
    assert_eq!(climbed.failure.unwrap().cause, Cause::PasswordRefused);
    assert_eq!(climbed.rungs.last().unwrap().layer, Layer::Auth);
}

#[tokio::test]
async fn the_ladder_is_climbed_to_the_top() {
    let server = Gst::start(&["viewer", "right-password"]);
    let mut goal = server.target("h264");
    goal.credentials = Some(account("viewer", "right-password"));
    let mut heard = Vec::new();
    let climbed = climb(&goal, &patient(), &mut |rung| heard.push(rung.layer)).await;
    assert_eq!(climbed.failure, None, "{}", climbed.transcript);
    assert_eq!(heard, Layer::ALL[..7]);
    let outcome = |layer: Layer| climbed.rungs.iter().find(|r| r.layer == layer).unwrap();
    assert_eq!(outcome(Layer::Network).outcome, Outcome::Skipped, "loopback says nothing");
    assert!(outcome(Layer::Network).evidence.contains("loopback"));
    assert!(climbed.rungs.iter().all(|r| r.layer == Layer::Network || r.outcome == Outcome::Passed));
    assert!(outcome(Layer::Auth).evidence.contains("Digest"));
    assert_eq!(climbed.keyframe.unwrap().codec, Codec::H264);
    assert!(climbed.figures.unwrap().fps > 10.0);
    assert!(climbed.transcript.contains("a=rtpmap:96 H264/90000"), "{}", climbed.transcript);
    assert!(!climbed.transcript.contains("right-password") && !climbed.transcript.contains("response="));

    let missing = climb(&ingest::Target { url: server.target("nothing").url, ..goal }, &patient(), &mut |_| {}).await;
    assert_eq!(missing.failure.unwrap().cause, Cause::StreamNotFound);
    assert_eq!(missing.rungs.last().unwrap().layer, Layer::Rtsp);
}
