//! Against the simulated county: every fault that shows on the wire, with its cause, and recovery.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use camsim::{Farm, Fault, Scheme, SimCamera, SimCodec};
use fleet::{CameraId, Cause, Codec, Layer, Registry, StreamChoice};
use health::{StreamEvent, StreamFigures};
use ingest::{Config, Ingest, Limits, Outcome, Target, climb};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// What a fault must lead to.
enum Expected {
    /// The session ends (or cannot be opened) with this cause.
    Ends(Cause),
    /// It runs on, and its figures tell.
    Runs(fn(&StreamFigures) -> bool),
}
use Expected::{Ends, Runs};

/// The specification: fault, whether it strikes a running session, and what must come of it.
fn table() -> Vec<(Fault, bool, Expected)> {
    vec![
        (Fault::PowerOff, false, Ends(Cause::NoAnswer)),
        (Fault::BlackHole, false, Ends(Cause::NoAnswer)),
        (Fault::PortClosed, false, Ends(Cause::PortClosed)),
        (Fault::Slow, false, Ends(Cause::RtspNoAnswer)),
        (Fault::Garbage, false, Ends(Cause::NotRtsp)),
        (Fault::WrongPassword, false, Ends(Cause::PasswordRefused)),
        (Fault::AccountLocked, false, Ends(Cause::AccountLocked)),
        (Fault::NotFound, false, Ends(Cause::StreamNotFound)),
        (Fault::SessionLimit, false, Ends(Cause::SessionLimit)),
        (Fault::NoVideo, false, Ends(Cause::NoVideo)),
        (Fault::NoRtp, false, Ends(Cause::NoRtp)),
        (Fault::NoKeyframe, false, Ends(Cause::NoKeyframe)),
        (Fault::PowerOff, true, Ends(Cause::Stalled)),
        (Fault::BlackHole, true, Ends(Cause::Stalled)),
        (Fault::Stall, true, Ends(Cause::Stalled)),
        (Fault::NoKeyframe, true, Ends(Cause::NoKeyframe)),
        // Faults of the stream service: it restarts, as cameras do, and shows them when it is asked again.
        (Fault::Slow, true, Ends(Cause::StreamEnded)),
        (Fault::Garbage, true, Ends(Cause::StreamEnded)),
        (Fault::WrongPassword, true, Ends(Cause::StreamEnded)),
        (Fault::AccountLocked, true, Ends(Cause::StreamEnded)),
        (Fault::NotFound, true, Ends(Cause::StreamEnded)),
        (Fault::SessionLimit, true, Ends(Cause::StreamEnded)),
        (Fault::NoVideo, true, Ends(Cause::StreamEnded)),
        (Fault::NoRtp, true, Ends(Cause::StreamEnded)),
        (Fault::PortClosed, true, Ends(Cause::ConnectionLost)),
        (Fault::PacketLoss, true, Runs(|f| f.lost > 0 && f.packets > 0)),
        (Fault::LowFrameRate, true, Runs(|f| f.fps > 0.0 && f.fps < 5.0)),
        (Fault::WrongClock, true, Runs(|f| f.clock_offset_ms.is_some_and(|o| (o - 3_600_000).abs() < 5_000))),
        (Fault::Frozen, true, Runs(untroubled)),
        (Fault::Corrupt, true, Runs(untroubled)),
        (Fault::Black, true, Runs(untroubled)),
        (Fault::TooDark, true, Runs(untroubled)),
        (Fault::TooBright, true, Runs(untroubled)),
        (Fault::Blurred, true, Runs(untroubled)),
        (Fault::Covered, true, Runs(untroubled)),
        (Fault::ColourCast, true, Runs(untroubled)),
        (Fault::Noise, true, Runs(untroubled)),
        (Fault::Stripes, true, Runs(untroubled)),
        (Fault::SceneMoved, true, Runs(untroubled)),
    ]
}

/// Faults of the picture do not show on the wire: what they are called is in tests/nodes/end_to_end.rs.
fn untroubled(f: &StreamFigures) -> bool {
    f.lost == 0 && f.fps > 5.0
}

/// A county of `cameras`, in a network of its own per test and process (the tests of `web` run beside: theirs lie above).
async fn farm(test: u8, cameras: u8) -> Farm {
    let process = 40 + (std::process::id() % 100) as u8;
    let config = camsim::Config {
        cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("scenes-{test}")),
        scenes: 4,
        size: camsim::Size::Small,
        loop_gops: 2,
        workers: 1,
        cameras: (1..=cameras)
            .map(|n| (n, u32::from(n)))
            .map(|(n, id)| SimCamera {
                id,
                name: format!("村口 {id}"),
                site: 1,
                addr: ([127, process, test, n], 8554).into(),
                codec: if id % 4 == 0 { SimCodec::H265 } else { SimCodec::H264 },
                account: Some(camsim::Account {
                    username: "viewer".into(),
                    password: "right-password".into(),
                    scheme: [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256][id as usize % 3],
                }),
                ..SimCamera::default()
            })
            .collect(),
        ..camsim::Config::default()
    };
    Farm::start(config).await.unwrap()
}

fn goal(farm: &Farm, id: u32) -> Target {
    let mut goal = target(url(&format!("rtsp://{}/main", farm.addr(id).unwrap())));
    goal.credentials = Some(account("viewer", "right-password"));
    goal
}

fn limits() -> Config {
    Config {
        limits: Limits {
            connect: Duration::from_millis(1500),
            answer: Duration::from_millis(3500),
            first_packet: Duration::from_millis(1500),
            packet_gap: Duration::from_millis(2000),
            first_keyframe: Duration::from_millis(5000),
            keyframe_gap: Duration::from_millis(5000),
            ..Limits::default()
        },
        figures_every: Duration::from_secs(2),
        ..hasty()
    }
}

/// Waits until the camera's door is as the fault wants it.
async fn settled(farm: &Farm, id: u32, fault: Fault) {
    let address = farm.addr(id).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let met = match (timeout(Duration::from_millis(300), TcpStream::connect(address)).await, fault) {
            (Err(_), Fault::PowerOff | Fault::BlackHole) => return,
            (Ok(Err(_)), Fault::PortClosed) => return,
            (Ok(Ok(_)), Fault::PowerOff | Fault::BlackHole | Fault::PortClosed) => false,
            // Open, and not shut again at once.
            (Ok(Ok(mut stream)), _) => timeout(Duration::from_millis(200), stream.read_u8()).await.is_err(),
            _ => false,
        };
        if met {
            return;
        }
    }
    panic!("camera {id} does not take on {fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_shows_as_what_it_is_and_passes() {
    let table = table();
    assert!(table.len() >= 30, "the specification has {} rows", table.len());
    assert!(Fault::ALL.iter().all(|fault| table.iter().any(|row| row.0 == *fault)), "a fault has no row");
    let farm = farm(1, table.len() as u8 + 1).await;
    let honest = CameraId(table.len() as u32 + 1);
    let (sender, mut events) = mpsc::channel(256);
    let ingest = Ingest::start(limits(), sender);
    let cameras: Vec<_> = (1..=honest.0).map(|id| camera(id, &goal(&farm, id))).collect();
    ingest.set_registry(Arc::new(Registry::new([], [], [], cameras)));

    let mut waiting: HashMap<CameraId, &(Fault, bool, Expected)> = HashMap::new();
    for (id, row) in (1..).zip(&table) {
        waiting.insert(CameraId(id), row);
        if !row.1 {
            farm.fault(camsim::Target::Camera(id), row.0, true).unwrap();
        }
    }
    for (id, row) in (1..).zip(&table).filter(|(_, row)| !row.1) {
        settled(&farm, id, row.0).await;
    }
    for id in 1..=honest.0 {
        ingest.open(CameraId(id), StreamChoice::Main, false);
    }
    let began = Instant::now();
    let mut wrong = Vec::new();
    while !waiting.is_empty() {
        let left = Duration::from_secs(35).saturating_sub(began.elapsed());
        let Ok(Some((id, event))) = timeout(left, events.recv()).await else { break };
        if id == honest {
            assert!(!matches!(event, StreamEvent::Ended(_)), "the honest camera: {event:?}");
            continue;
        }
        let Some((fault, strikes_later, expected)) = waiting.get(&id) else { continue };
        match (event, expected) {
            (StreamEvent::Opened { .. }, _) if *strikes_later => {
                farm.fault(camsim::Target::Camera(id.0), *fault, true).unwrap();
            }
            (StreamEvent::Figures(figures), Runs(holds)) if holds(&figures) => {
                waiting.remove(&id);
            }
            (StreamEvent::Ended(failure), expected) => {
                if !matches!(expected, Ends(cause) if *cause == failure.cause) {
                    wrong.push(format!("{fault:?}: {failure:?}"));
                }
                waiting.remove(&id);
            }
            _ => {}
        }
    }
    wrong.extend(waiting.values().map(|(fault, later, _)| format!("{fault:?} (later: {later}): never showed")));
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Everything passes, and every camera comes back; an account that was refused only because a person asks.
    for (id, row) in (1..).zip(&table) {
        farm.fault(camsim::Target::Camera(id), row.0, false).unwrap();
    }
    let until = Instant::now() + Duration::from_secs(25);
    let back = futures::future::join_all((1..=honest.0).map(|id| {
        let (ingest, id) = (&ingest, CameraId(id));
        async move {
            loop {
                ingest.open(id, StreamChoice::Main, true);
                match ingest.next_keyframe(id, Duration::from_secs(5)).await {
                    Ok(keyframe) => {
                        let codec = if id.0.is_multiple_of(4) { Codec::H265 } else { Codec::H264 };
                        assert_eq!(keyframe.codec, codec);
                        assert!(keyframe.width >= 320, "{keyframe:?}");
                        return None;
                    }
                    Err(failure) if Instant::now() > until => return Some((id, failure)),
                    Err(_) => sleep(Duration::from_millis(200)).await,
                }
            }
        }
    }));
    let drained = async { while events.recv().await.is_some() {} };
    tokio::select! {
        () = drained => unreachable!("the ingest keeps its sender"),
        back = back => {
            let missing: Vec<_> = back.into_iter().flatten().collect();
            assert!(missing.is_empty(), "{missing:#?}");
        }
    }
    ingest.shutdown(Duration::from_secs(3)).await;
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ladder_stops_at_the_right_rung() {
    let rows: Vec<(Fault, Cause)> = table()
        .into_iter()
        .filter_map(|(fault, later, expected)| match expected {
            Ends(cause) if !later => Some((fault, cause)),
            _ => None,
        })
        .collect();
    let farm = farm(2, rows.len() as u8 + 1).await;
    let climbs = (1..).zip(&rows).map(|(id, (fault, cause))| {
        farm.fault(camsim::Target::Camera(id), *fault, true).unwrap();
        let (goal, farm) = (goal(&farm, id), &farm);
        async move {
            settled(farm, id, *fault).await;
            let climbed = climb(&goal, &limits(), &mut |_| {}).await;
            let failure = climbed.failure.expect("a fault is on");
            assert_eq!(failure.cause, *cause, "{fault:?}: {failure:?}\n{}", climbed.transcript);
            let failed: Vec<Layer> =
                climbed.rungs.iter().filter(|r| r.outcome == Outcome::Failed).map(|r| r.layer).collect();
            assert_eq!(failed, [cause.layer()], "{fault:?}");
            assert!(!climbed.transcript.contains("right-password"));
        }
    });
    futures::future::join_all(climbs).await;

    let healthy = climb(&goal(&farm, rows.len() as u32 + 1), &limits(), &mut |_| {}).await;
    assert_eq!(healthy.failure, None, "{}", healthy.transcript);
    assert!(healthy.keyframe.is_some() && healthy.figures.unwrap().clock_offset_ms.is_some_and(|o| o.abs() < 1000));
    farm.shutdown().await;
}
