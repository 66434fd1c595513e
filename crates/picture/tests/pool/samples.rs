//! Keyframes made by the ffmpeg program, and damage done to them.

use bytes::Bytes;
use fleet::Codec;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::HashMap,
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
};

pub(crate) const CODECS: [Codec; 3] = [Codec::H264, Codec::H265, Codec::Jpeg];

/// One coded picture of an FFmpeg source (`lavfi`), made once.
pub(crate) fn keyframe(codec: Codec, source: &str, extra: &[&str]) -> Bytes {
    static MADE: OnceLock<Mutex<HashMap<String, Bytes>>> = OnceLock::new();
    let key = format!("{} {source} {extra:?}", codec.code());
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
    made.entry(key).or_insert_with(|| make(codec, source, extra)).clone()
}

fn make(codec: Codec, source: &str, extra: &[&str]) -> Bytes {
    let coding: &[&str] = match codec {
        Codec::H264 => &["-c:v", "libx264", "-preset", "veryfast", "-f", "h264"],
        Codec::H265 => &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-f", "hevc"],
        Codec::Jpeg => &["-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg"],
    };
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1", "-threads", "1"])
        .args(if extra.contains(&"-pix_fmt") { &[] } else { &["-pix_fmt", "yuv420p"][..] })
        .args(&coding[..coding.len() - 2])
        .args(extra)
        .args(&coding[coding.len() - 2..])
        .arg("-")
        .stdin(Stdio::null())
        .output()
        .expect("the ffmpeg program is installed");
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.into()
}

/// A lively test picture with noise, so that it has slices worth damaging.
pub(crate) fn lively(codec: Codec, size: &str) -> Bytes {
    keyframe(codec, &format!("testsrc2=size={size}:rate=1,noise=alls=12:allf=t:all_seed=7"), &[])
}

/// `data` with a few bytes changed, cut out, doubled or cut off, after the first `spare` bytes.
pub(crate) fn mutated(data: &[u8], seed: u64, spare: usize) -> Bytes {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut out = data.to_vec();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(spare.min(out.len() - 1)..out.len());
        match random.random_range(0..6) {
            0 => out[at] ^= 1 << random.random_range(0..8),
            1 => out[at] = random.random(),
            2 => {
                let end = (at + random.random_range(1..64)).min(out.len());
                random.fill(&mut out[at..end]);
            }
            3 => {
                let end = (at + random.random_range(1..200)).min(out.len());
                out.drain(at..end);
            }
            4 => {
                let end = (at + random.random_range(1..200)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            _ => out.truncate(at.max(8)),
        }
        if out.is_empty() {
            out.push(0);
        }
    }
    out.into()
}
