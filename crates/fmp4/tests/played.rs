//! What we make is played by somebody else: ffmpeg decodes every frame without a complaint, at the times we gave.
#![allow(clippy::unwrap_used)]

use fmp4::{Coding, Sample, Track};
use serde_json::Value;
use std::{path::Path, process::Command};

const FRAMES: usize = 50;
const TICK: u32 = 3600;

/// The NAL units of an Annex B stream that an encoder made.
fn encoded(folder: &Path, encoder: &str, options: &[&str], format: &str) -> Vec<Vec<u8>> {
    let file = folder.join("stream.bin");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=352x288:rate=25", "-frames:v", "50"])
        .args(["-pix_fmt", "yuv420p", "-c:v", encoder])
        .args(options)
        .args(["-f", format])
        .arg(&file)
        .output()
        .expect("ffmpeg is installed by ./task setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(&file).unwrap();
    let mut starts: Vec<usize> =
        (0..bytes.len() - 3).filter(|at| bytes[*at..*at + 3] == [0, 0, 1]).map(|at| at + 3).collect();
    starts.push(bytes.len() + 3);
    starts
        .windows(2)
        .map(|pair| {
            let mut nal = bytes[pair[0]..pair[1] - 3].to_vec();
            while nal.last() == Some(&0) {
                nal.pop();
            }
            nal
        })
        .collect()
}

/// A frame: whether it is a keyframe, and its NAL units with their lengths.
struct Frame {
    key: bool,
    data: Vec<u8>,
}

fn push(frames: &mut Vec<Frame>, begins: bool, key: bool, nal: &[u8]) {
    if begins {
        frames.push(Frame { key, data: Vec::new() });
    }
    let frame = frames.last_mut().unwrap();
    frame.data.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
    frame.data.extend_from_slice(nal);
}

fn play(folder: &Path, track: &Track, frames: &[Frame], order: &[i64]) {
    assert_eq!(frames.len(), FRAMES);
    let mut file = track.init();
    for (n, frame) in frames.iter().enumerate() {
        let decode_time = 90_000 + n as u64 * u64::from(TICK);
        let offset = i32::try_from((order[n] - n as i64) * i64::from(TICK)).unwrap();
        let sample = Sample { decode_time, duration: TICK, offset, keyframe: frame.key, data: &frame.data };
        file.extend(track.fragment(n as u32 + 1, &sample));
    }
    let path = folder.join("played.mp4");
    std::fs::write(&path, file).unwrap();

    let decoded =
        Command::new("ffmpeg").args(["-v", "warning", "-i"]).arg(&path).args(["-f", "null", "-"]).output().unwrap();
    let complaints = String::from_utf8_lossy(&decoded.stderr);
    assert!(decoded.status.success() && complaints.trim().is_empty(), "ffmpeg complains: {complaints}");

    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_streams", "-show_frames", "-of", "json"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(probed.stderr.is_empty(), "{}", String::from_utf8_lossy(&probed.stderr));
    let probed: Value = serde_json::from_slice(&probed.stdout).unwrap();
    let stream = &probed["streams"][0];
    assert_eq!((stream["width"].as_u64(), stream["height"].as_u64()), (Some(352), Some(288)));
    assert_eq!(stream["nb_read_frames"], FRAMES.to_string());
    assert_eq!(stream["time_base"], "1/90000");
    let shown: Vec<i64> = probed["frames"].as_array().unwrap().iter().map(|f| f["pts"].as_i64().unwrap()).collect();
    // ffmpeg counts from the first decoding time, which it puts before the first picture where frames are reordered.
    let reordered = order.windows(2).any(|pair| pair[1] < pair[0]);
    let first = 90_000 + if reordered { i64::from(TICK) } else { 0 };
    let expected: Vec<i64> = (0..FRAMES as i64).map(|n| first + n * i64::from(TICK)).collect();
    assert_eq!(shown, expected);
}

#[test]
fn h264_is_played_frame_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let nals = encoded(folder.path(), "libx264", &["-g", "25", "-bf", "0", "-preset", "ultrafast"], "h264");
    let of = |kind: u8| nals.iter().filter(|n| n[0] & 0x1f == kind).take(1).cloned().collect::<Vec<_>>();
    let track = Track::new(Coding::H264 { sps: of(7), pps: of(8) }, 352, 288, 90_000).unwrap();
    let mut frames = Vec::new();
    for nal in nals.iter().filter(|n| matches!(n[0] & 0x1f, 1 | 5)) {
        push(&mut frames, nal[1] & 0x80 != 0, nal[0] & 0x1f == 5, nal);
    }
    let order: Vec<i64> = (0..FRAMES as i64).collect();
    play(folder.path(), &track, &frames, &order);
}

#[test]
fn frames_coded_out_of_order_are_shown_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-g", "50", "-bf", "2", "-preset", "ultrafast", "-x264-params", "b-adapt=0:b-pyramid=0:scenecut=0"];
    let nals = encoded(folder.path(), "libx264", &options, "h264");
    let of = |kind: u8| nals.iter().filter(|n| n[0] & 0x1f == kind).take(1).cloned().collect::<Vec<_>>();
    let track = Track::new(Coding::H264 { sps: of(7), pps: of(8) }, 352, 288, 90_000).unwrap();
    let mut frames = Vec::new();
    for nal in nals.iter().filter(|n| matches!(n[0] & 0x1f, 1 | 5)) {
        push(&mut frames, nal[1] & 0x80 != 0, nal[0] & 0x1f == 5, nal);
    }
    // I, then groups of P and the two B before it; the last frame is a P of its own.
    let mut order = vec![0_i64];
    let mut next = 1;
    while order.len() < FRAMES {
        let left = FRAMES - order.len();
        if left >= 3 {
            order.extend([next + 2, next, next + 1]);
            next += 3;
        } else {
            order.extend(std::iter::once(next + left as i64 - 1).chain(next..next + left as i64 - 1));
        }
    }
    play(folder.path(), &track, &frames, &order);
}

#[test]
fn h265_is_played_frame_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        ["-g", "25", "-bf", "0", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=1:keyint=25:bframes=0"];
    let nals = encoded(folder.path(), "libx265", &options, "hevc");
    let kind = |n: &[u8]| (n[0] >> 1) & 0x3f;
    let of = |wanted: u8| nals.iter().filter(|n| kind(n) == wanted).take(1).cloned().collect::<Vec<_>>();
    let track = Track::new(Coding::H265 { vps: of(32), sps: of(33), pps: of(34) }, 352, 288, 90_000).unwrap();
    assert!(track.mime().starts_with("video/mp4; codecs=\"hvc1.1.6."), "{}", track.mime());
    let mut frames = Vec::new();
    for nal in nals.iter().filter(|n| kind(n) < 32) {
        push(&mut frames, nal[2] & 0x80 != 0, kind(nal) >= 16, nal);
    }
    let order: Vec<i64> = (0..FRAMES as i64).collect();
    play(folder.path(), &track, &frames, &order);
}
