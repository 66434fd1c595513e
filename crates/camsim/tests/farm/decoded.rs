//! What a real decoder makes of the streams.

use crate::{MAIN, SUB, address, camera, farm, farm_with, in_h265, with_account};
use camsim::{Behaviour, Fault, Scheme, SimCamera, Target};
use std::{net::SocketAddr, time::Duration};
use tokio::process::Command;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
/// Rows of the line with the clock, and of the band below it.
const LINE: usize = 16;
const BAND: usize = 48;

/// Pictures that FFmpeg decoded (luma only), and what it complained about.
struct Decoded {
    pictures: Vec<Vec<u8>>,
    complaints: String,
}

async fn decode(addr: SocketAddr, path: &str, more: &[&str], pictures: u32) -> Decoded {
    let url = format!("rtsp://admin:Vill%40ge%201@{addr}{path}");
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-threads", "1"])
        .args(more)
        .args(["-i", &url, "-an", "-frames:v", &pictures.to_string()])
        .args(["-vf", "format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-"])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(25), run).await.expect("FFmpeg hangs").unwrap();
    let size = if path == SUB { WIDTH * HEIGHT / 4 } else { WIDTH * HEIGHT };
    Decoded {
        pictures: output.stdout.chunks_exact(size).map(<[u8]>::to_vec).collect(),
        complaints: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const TCP: [&str; 2] = ["-rtsp_transport", "tcp"];
const UDP: [&str; 2] = ["-rtsp_transport", "udp"];
const KEYFRAMES: [&str; 4] = ["-rtsp_transport", "tcp", "-skip_frame", "nokey"];

fn rows(picture: &[u8], from: usize, to: usize) -> &[u8] {
    &picture[from * WIDTH..to * WIDTH]
}

fn mean(samples: &[u8]) -> f64 {
    samples.iter().map(|&s| f64::from(s)).sum::<f64>() / samples.len() as f64
}

fn difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[tokio::test]
async fn ffmpeg_decodes_both_codecs_without_complaint() {
    let _farm = farm(vec![
        with_account(Scheme::DigestMd5, camera(60, 1)),
        in_h265(with_account(Scheme::DigestMd5, camera(60, 2))),
        with_account(Scheme::Basic, camera(60, 3)),
    ])
    .await;
    let (avc, hevc, small, udp) = tokio::join!(
        decode(address(60, 1), MAIN, &TCP, 64),
        decode(address(60, 2), MAIN, &TCP, 64),
        decode(address(60, 3), SUB, &TCP, 34),
        decode(address(60, 1), SUB, &UDP, 34),
    );
    for (name, decoded, pictures) in
        [("H.264", avc, 64), ("H.265", hevc, 64), ("sub stream", small, 34), ("UDP", udp, 34)]
    {
        assert_eq!((decoded.pictures.len(), decoded.complaints.as_str()), (pictures, ""), "{name}");
        assert!(mean(&decoded.pictures[0]) > 60.0, "{name} shows something");
    }
}

#[tokio::test]
async fn cameras_of_one_scene_have_pictures_of_their_own_and_running_clocks() {
    let _farm = farm(vec![camera(61, 1), camera(61, 2), in_h265(camera(61, 3))]).await;
    let (one, other, third) = tokio::join!(
        decode(address(61, 1), MAIN, &KEYFRAMES, 3),
        decode(address(61, 2), MAIN, &KEYFRAMES, 2),
        decode(address(61, 3), MAIN, &KEYFRAMES, 3),
    );
    let (first, last) = (&one.pictures[0], &one.pictures[2]);
    assert!(difference(rows(first, LINE, LINE + BAND), rows(&other.pictures[0], LINE, LINE + BAND)) > 2.0, "skylines");
    for pictures in [&one.pictures, &third.pictures] {
        let (first, last) = (&pictures[0], &pictures[2]);
        assert!(difference(rows(first, 0, LINE), rows(last, 0, LINE)) > 0.3, "the clock stands still");
        assert_eq!(rows(first, LINE, LINE + BAND), rows(last, LINE, LINE + BAND), "the band changed");
    }
    // The same keyframe of the loop: what the cameras share is the same, sample by sample.
    assert_eq!(rows(first, LINE + BAND, HEIGHT), rows(last, LINE + BAND, HEIGHT));
    assert_eq!(rows(first, LINE + BAND, HEIGHT), rows(&other.pictures[0], LINE + BAND, HEIGHT));
}

#[tokio::test]
async fn the_clock_ticks_between_keyframes() {
    let _farm = farm(vec![camera(62, 1)]).await;
    let decoded = decode(address(62, 1), MAIN, &TCP, 30).await;
    let steps = decoded.pictures.windows(2).filter(|w| rows(&w[0], 0, LINE) != rows(&w[1], 0, LINE)).count();
    // Two seconds, of which one tick may fall on the keyframe.
    assert!((1..=2).contains(&steps), "{steps} ticks in a group of pictures");
    let band: Vec<_> = decoded.pictures.iter().map(|p| rows(p, LINE, LINE + BAND)).collect();
    assert!(band.windows(2).all(|w| w[0] == w[1]), "the band is disturbed by its neighbours");
}

#[tokio::test]
async fn picture_faults_look_as_they_are_called() {
    let faults = [
        Fault::Black,
        Fault::TooDark,
        Fault::TooBright,
        Fault::Blurred,
        Fault::Covered,
        Fault::ColourCast,
        Fault::Noise,
        Fault::Stripes,
        Fault::SceneMoved,
    ];
    let mut cameras: Vec<SimCamera> = (1..=faults.len() as u32 + 1).map(|id| camera(63, id)).collect();
    cameras.push(in_h265(camera(63, 20)));
    let farm = farm(cameras).await;
    for (id, fault) in (2..).zip(faults) {
        farm.fault(Target::Camera(id), fault, true).unwrap();
    }
    farm.fault(Target::Camera(20), Fault::Black, true).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let all: Vec<_> = (1..=faults.len() as u32 + 1)
        .map(|id| tokio::spawn(async move { decode(address(63, id), MAIN, &KEYFRAMES, 1).await }))
        .collect();
    let mut seen = Vec::new();
    for one in all {
        let decoded = one.await.unwrap();
        assert_eq!(decoded.complaints, "");
        seen.push(decoded.pictures[0].clone());
    }
    let scene = |i: usize| rows(&seen[i], LINE + BAND, HEIGHT);
    let sharp = |i: usize| {
        let picture = scene(i);
        difference(&picture[1..], &picture[..picture.len() - 1])
    };
    let good = mean(scene(0));
    assert!((70.0..180.0).contains(&good), "{good}");
    assert!(mean(&seen[1]) < 24.0, "black: {}", mean(&seen[1]));
    assert!(mean(scene(2)) < 40.0, "too dark: {}", mean(scene(2)));
    assert!(mean(scene(3)) > 210.0, "too bright: {}", mean(scene(3)));
    assert!(sharp(4) < sharp(0) * 0.4, "blurred: {} of {}", sharp(4), sharp(0));
    assert!(sharp(5) < sharp(0) * 0.25, "covered: {} of {}", sharp(5), sharp(0));
    assert!(difference(scene(6), scene(0)) < 8.0, "a colour cast leaves the light as it is");
    assert!(sharp(7) > sharp(0) * 2.0, "noise: {} of {}", sharp(7), sharp(0));
    assert!(difference(scene(8), scene(0)) > 15.0, "stripes");
    assert!(difference(scene(9), scene(0)) > 10.0, "scene moved");
    let hevc = decode(address(63, 20), MAIN, &KEYFRAMES, 1).await;
    assert!(mean(&hevc.pictures[0]) < 24.0, "black in H.265: {}", mean(&hevc.pictures[0]));
}

#[tokio::test]
async fn a_frozen_picture_stands_still_and_its_clock_as_configured() {
    let frozen = async |network, frozen_clock_runs| {
        let farm = farm_with(vec![camera(network, 1)], Behaviour { frozen_clock_runs, ..Behaviour::default() }).await;
        farm.fault(Target::Camera(1), Fault::Frozen, true).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        decode(address(network, 1), MAIN, &KEYFRAMES, 3).await.pictures
    };
    let (still, clock_runs) = tokio::join!(frozen(64, false), frozen(65, true));
    assert_eq!(still[0], still[2]);
    assert_eq!(rows(&clock_runs[0], LINE, HEIGHT), rows(&clock_runs[2], LINE, HEIGHT));
    assert_ne!(rows(&clock_runs[0], 0, LINE), rows(&clock_runs[2], 0, LINE));
}

#[tokio::test]
async fn a_corrupt_bitstream_makes_decoders_complain() {
    let farm = farm(vec![camera(66, 1), in_h265(camera(66, 2))]).await;
    farm.fault(Target::All, Fault::Corrupt, true).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for id in [1, 2] {
        let decoded = decode(address(66, id), MAIN, &TCP, 20).await;
        assert!(!decoded.complaints.is_empty(), "camera {id} decodes as if nothing were wrong");
    }
}

#[tokio::test]
async fn a_running_session_changes_its_picture_at_the_next_keyframe() {
    let farm = farm(vec![camera(67, 1)]).await;
    let watching = tokio::spawn(async { decode(address(67, 1), MAIN, &TCP, 150).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    farm.fault(Target::Camera(1), Fault::Black, true).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    farm.fault(Target::Camera(1), Fault::Black, false).unwrap();
    let decoded = watching.await.unwrap();
    assert_eq!(decoded.complaints, "");
    let dark: Vec<bool> = decoded.pictures.iter().map(|p| mean(p) < 24.0).collect();
    let changes: Vec<usize> = (1..dark.len()).filter(|&i| dark[i] != dark[i - 1]).collect();
    assert_eq!(changes.len(), 2, "light, dark, light: {changes:?}");
    assert!(changes.iter().all(|c| c % 30 == changes[0] % 30), "changes fall on keyframes: {changes:?}");
}
