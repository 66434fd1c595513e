//! Watching a running session: every frame, played by ffmpeg; one pull for all; a slow viewer slows nobody.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use camsim::{Farm, SimCamera, SimCodec};
use fleet::{CameraId, Codec, Registry, StreamChoice};
use ingest::{Frame, Ingest, Skip, Watch, Watched};
use serde_json::Value;
use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

const WITHIN: Duration = Duration::from_secs(15);

/// Two cameras, in a network of their own per test and process.
async fn farm(net: u8) -> Farm {
    let process = 40 + (std::process::id() % 100) as u8;
    let config = camsim::Config {
        cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("scenes-live-{net}")),
        scenes: 2,
        size: camsim::Size::Small,
        loop_gops: 2,
        workers: 1,
        cameras: [(1, SimCodec::H264), (2, SimCodec::H265)]
            .map(|(id, codec)| SimCamera {
                id,
                name: format!("村口 {id}"),
                site: 1,
                addr: ([127, process, net, id as u8], 8554).into(),
                codec,
                ..SimCamera::default()
            })
            .into(),
        ..camsim::Config::default()
    };
    Farm::start(config).await.unwrap()
}

/// Two cameras being pulled.
async fn pulled(farm: &Farm) -> Ingest {
    let cameras = [1, 2].map(|id| camera(id, &target(url(&format!("rtsp://{}/main", farm.addr(id).unwrap())))));
    let (events, mut told) = mpsc::channel(64);
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let ingest = Ingest::start(hasty(), events);
    ingest.set_registry(Arc::new(Registry::new([], [], [], cameras)));
    for id in [1, 2] {
        ingest.open(CameraId(id), StreamChoice::Main, false);
    }
    ingest
}

async fn next(watch: &mut Watch) -> Watched {
    timeout(WITHIN, watch.next()).await.expect("a frame in time").unwrap()
}

/// Frames up to the third keyframe.
async fn two_groups(watch: &mut Watch) -> Vec<Arc<Frame>> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    loop {
        let Watched::Frame(frame) = next(watch).await else { panic!("frames are missing") };
        if frame.keyframe && frames.iter().filter(|f| f.keyframe).count() == 2 {
            return frames;
        }
        frames.push(frame);
    }
}

/// How many frames ffmpeg decodes, without a complaint.
fn played(frames: &[Arc<Frame>]) -> usize {
    let sets = &frames[0].sets;
    let (vps, sps, pps) = (sets.vps.clone(), sets.sps.clone(), sets.pps.clone());
    let coding = match sets.codec {
        Codec::H264 => fmp4::Coding::H264 { sps, pps },
        _ => fmp4::Coding::H265 { vps, sps, pps },
    };
    let track = fmp4::Track::new(coding, sets.width as u16, sets.height as u16, sets.clock_rate).unwrap();
    let mut file = track.init();
    for (n, f) in frames.iter().enumerate() {
        file.extend(track.fragment(
            n as u32 + 1,
            &fmp4::Sample {
                decode_time: f.decode_time,
                duration: f.duration,
                offset: f.offset,
                keyframe: f.keyframe,
                data: &f.data,
            },
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.mp4");
    std::fs::write(&path, file).unwrap();
    let probed = Command::new("ffprobe")
        .args(["-v", "warning", "-count_frames", "-show_streams", "-of", "json"])
        .arg(&path)
        .output()
        .expect("ffmpeg is installed by ./task setup");
    assert!(probed.stderr.is_empty(), "{}", String::from_utf8_lossy(&probed.stderr));
    let probed: Value = serde_json::from_slice(&probed.stdout).unwrap();
    probed["streams"][0]["nb_read_frames"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_viewers_share_one_session_and_see_every_frame() {
    let farm = farm(9).await;
    let ingest = pulled(&farm).await;
    assert_eq!(ingest.viewing(CameraId(3)).unwrap_err().cause, fleet::Cause::NotYetChecked, "no such session");
    for (id, codec) in [(1, Codec::H264), (2, Codec::H265)] {
        let viewing = ingest.viewing(CameraId(id)).unwrap();
        assert_eq!(timeout(WITHIN, viewing.codec()).await.unwrap().unwrap(), codec);
        let (mut one, mut other) = (viewing.join().unwrap(), viewing.join().unwrap());
        let (frames, same) = tokio::join!(two_groups(&mut one), two_groups(&mut other));
        assert!(frames.len() > 10 && frames[0].keyframe, "{} frames", frames.len());
        assert!(frames.iter().zip(&same).all(|(a, b)| Arc::ptr_eq(a, b)), "shared, not copied");
        assert!(frames.windows(2).all(|w| w[1].decode_time == w[0].decode_time + u64::from(w[0].duration)));
        assert_eq!(played(&frames), frames.len());

        // A newcomer begins with a keyframe at once, whatever the time to the next one.
        let mut late = viewing.join().unwrap();
        let first = futures::FutureExt::now_or_never(late.next()).expect("kept frames wait for him").unwrap();
        assert!(matches!(first, Watched::Frame(frame) if frame.keyframe));
    }
    assert_eq!(ingest.totals().opened, 2, "no camera was pulled twice");

    // The end of a session is told to those who watch.
    let mut watch = ingest.viewing(CameraId(1)).unwrap().join().unwrap();
    ingest.close(CameraId(1));
    let ended = async { while watch.next().await.is_ok() {} };
    timeout(WITHIN, ended).await.expect("the end is told");
    ingest.shutdown(Duration::from_secs(3)).await;
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_who_takes_nothing_slows_neither_the_session_nor_another() {
    let farm = farm(10).await;
    let ingest = pulled(&farm).await;
    let viewing = ingest.viewing(CameraId(1)).unwrap();
    let (mut slow, mut quick) = (viewing.join().unwrap(), viewing.join().unwrap());
    // Long enough for the slow one to be found out and for one more keyframe.
    let (mut before, mut keyframes, mut span) = (None::<Arc<Frame>>, 0, 0.0);
    while span < 6.0 || keyframes < 4 {
        let Watched::Frame(frame) = next(&mut quick).await else { panic!("the quick one misses frames") };
        if let Some(before) = before {
            assert_eq!(frame.decode_time, before.decode_time + u64::from(before.duration));
        }
        keyframes += u32::from(frame.keyframe);
        span += f64::from(frame.duration) / f64::from(frame.sets.clock_rate);
        before = Some(frame);
    }
    let newest = before.unwrap();
    assert!(matches!(next(&mut slow).await, Watched::Skipped(Skip::Slow)));
    let Watched::Frame(frame) = next(&mut slow).await else { panic!("a keyframe comes next") };
    assert!(frame.keyframe);
    let late = (newest.decode_time - frame.decode_time) as f64 / f64::from(frame.sets.clock_rate);
    assert!(late < 4.0, "the newest keyframe, not an old one: {late} s");
    // He keeps up from here on.
    let again = two_groups(&mut slow).await;
    assert!(again.len() > 10);
    assert_eq!(ingest.totals().ended, 0);
    ingest.shutdown(Duration::from_secs(3)).await;
    farm.shutdown().await;
}
