//! Keyframes made by the ffmpeg program, and damage done to them.

use bytes::Bytes;
use fleet::Codec;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::HashMap,
    io::Write,
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

/// A picture in memory, 4:2:0, limited range: what a camera's encoder gets.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

/// Size of drawn scenes.
pub(crate) const WIDTH: usize = 640;
/// Size of drawn scenes.
pub(crate) const HEIGHT: usize = 368;

/// A place drawn from its number: sky, ground, houses with windows, trees; with the sensor's noise of picture
/// `n`, somebody who walks through, and the clock of picture `n` burned in on top.
pub(crate) fn scene(place: u64, n: u64) -> Frame {
    let mut frame = place_without_life(place);
    let walker = 20 + (n as usize * 53) % 560;
    rectangle(&mut frame, walker, 230, 22, 60, (90, 120, 140));
    let mut random = ChaCha8Rng::seed_from_u64(n << 8 | 1);
    let mut pool = vec![0i8; 8192 + WIDTH];
    random.fill(&mut pool[..]);
    for row in frame.y.chunks_exact_mut(WIDTH) {
        let start = random.random_range(0..8192);
        for (sample, noise) in row.iter_mut().zip(&pool[start..]) {
            *sample = sample.saturating_add_signed(noise / 32);
        }
    }
    frame
}

/// Burns a clock in; after the faults, as cameras do.
pub(crate) fn with_clock(mut frame: Frame, n: u64) -> Frame {
    for digit in 0..12 {
        let lit = (n * 7919 + digit * 31) % 10;
        rectangle(&mut frame, 20 + digit as usize * 16, 8, 4 + lit as usize, 16, (235, 128, 128));
    }
    frame
}

fn place_without_life(place: u64) -> Frame {
    let mut random = ChaCha8Rng::seed_from_u64(place);
    let mut frame =
        Frame { y: vec![0; WIDTH * HEIGHT], u: vec![128; WIDTH * HEIGHT / 4], v: vec![128; WIDTH * HEIGHT / 4] };
    for (row, samples) in frame.y.chunks_exact_mut(WIDTH).enumerate() {
        samples.fill(if row < 140 { 190 - row as u8 / 4 } else { 95 });
    }
    rectangle(&mut frame, 0, 0, WIDTH, 140, (185, 138, 120));
    for _ in 0..7 {
        let (x, w) = (random.random_range(0..560), random.random_range(60..120));
        let (h, wall) = (random.random_range(50..120), random.random_range(110..200));
        let colour = (wall, random.random_range(118..130), random.random_range(126..140));
        rectangle(&mut frame, x, 200 - h, w, h, colour);
        for window in 0..(w / 24) * (h / 30) {
            let (column, row) = (window % (w / 24), window / (w / 24));
            rectangle(&mut frame, x + 6 + column * 24, 206 - h + row * 30, 12, 18, (40, 130, 126));
        }
    }
    for _ in 0..14 {
        let (x, y) = (random.random_range(0..600), random.random_range(170..330));
        for _ in 0..40 {
            let (dx, dy) = (random.random_range(0..36), random.random_range(0..36));
            let green = (random.random_range(45..110), 118, 120);
            rectangle(&mut frame, x + dx, y + dy, random.random_range(2..7), random.random_range(2..7), green);
        }
    }
    frame
}

fn rectangle(frame: &mut Frame, x: usize, y: usize, w: usize, h: usize, (luma, u, v): (u8, u8, u8)) {
    for row in y..(y + h).min(HEIGHT) {
        for column in x..(x + w).min(WIDTH) {
            frame.y[row * WIDTH + column] = luma;
            let at = row / 2 * (WIDTH / 2) + column / 2;
            (frame.u[at], frame.v[at]) = (u, v);
        }
    }
}

/// Every frame as a keyframe of its own, coded by x264 like a camera of 2 Mbit/s.
pub(crate) fn coded(frames: &[Frame]) -> Vec<Bytes> {
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut encoder = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", "1", "-i", "-"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-g", "1", "-threads", "1"])
        .args(["-x264-params", "aud=1:repeat-headers=1", "-f", "h264", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the ffmpeg program is installed");
    let mut input = encoder.stdin.take().unwrap();
    let raw: Vec<u8> = frames.iter().flat_map(|f| [&f.y[..], &f.u, &f.v].concat()).collect();
    let writer = std::thread::spawn(move || input.write_all(&raw));
    let stream = encoder.wait_with_output().unwrap().stdout;
    writer.join().unwrap().unwrap();
    let starts: Vec<usize> =
        stream.windows(5).enumerate().filter(|(_, w)| *w == [0, 0, 0, 1, 9]).map(|(at, _)| at).collect();
    assert_eq!(starts.len(), frames.len());
    let end = |i: usize| starts.get(i + 1).copied().unwrap_or(stream.len());
    starts.iter().enumerate().map(|(i, &start)| Bytes::copy_from_slice(&stream[start..end(i)])).collect()
}
