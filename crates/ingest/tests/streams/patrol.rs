//! Pictures of a stream that is not pulled continuously, and a county that the core lets the ingest pull.
#![allow(clippy::unwrap_used)]

use crate::common::{churn::Churn, desk::Desk, *};
use camsim::{Farm, Fault, SimCamera};
use fleet::{Camera, CameraId, Cause, Registry, StreamChoice, Uplink, UplinkId};
use ingest::Ingest;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::mpsc;

/// A camera with a main and a sub stream that serves so many sessions.
fn two_streams(id: u32, address: std::net::SocketAddr, sessions: Option<u8>) -> Camera {
    let mut record = camera(id, &target(url(&format!("rtsp://{address}/main"))));
    record.sub = Some(url(&format!("rtsp://{address}/sub")));
    record.device.sessions = sessions;
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_the_main_stream_is_taken_beside_the_sub_stream() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let (sender, mut events) = mpsc::channel(64);
    let ingest = Ingest::start(hasty(), sender);
    ingest.set_registry(Arc::new(Registry::new([], [], [], [two_streams(1, server.address, None)])));
    ingest.open(CAMERA, StreamChoice::Sub, false);
    assert!(matches!(events.recv().await.unwrap().1, health::StreamEvent::Opened { stream: StreamChoice::Sub, .. }));

    let limit = Duration::from_secs(5);
    let both = [ingest.picture(CAMERA, StreamChoice::Main, limit), ingest.picture(CAMERA, StreamChoice::Main, limit)];
    let both = futures::future::join_all(both).await;
    let [Ok(a), Ok(b)] = &both[..] else { panic!("{both:?}") };
    assert!(Arc::ptr_eq(a, b), "whoever wants the same stream shares the session");
    assert_eq!(a.stream, StreamChoice::Main);
    let sub = ingest.picture(CAMERA, StreamChoice::Sub, limit).await.unwrap();
    assert_eq!(sub.stream, StreamChoice::Sub);
    assert_eq!(server.seen.count("PLAY"), 2, "one continuous session and one for the picture");
    assert_eq!(server.seen.most_playing.load(Ordering::SeqCst), 2);
    let until = tokio::time::Instant::now() + limit;
    while server.seen.playing.load(Ordering::SeqCst) > 1 {
        assert!(tokio::time::Instant::now() < until, "the session for the picture ends with it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.seen.count("TEARDOWN"), 1);
    ingest.picture(CAMERA, StreamChoice::Main, limit).await.expect("and again");
    ingest.shutdown(Duration::from_secs(2)).await;
    assert_eq!(server.seen.count("TEARDOWN"), 3);
}

#[tokio::test]
async fn a_camera_that_serves_one_session_is_not_asked_for_a_second() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let (sender, mut events) = mpsc::channel(64);
    let ingest = Ingest::start(hasty(), sender);
    ingest.set_registry(Arc::new(Registry::new([], [], [], [two_streams(1, server.address, Some(1))])));
    ingest.open(CAMERA, StreamChoice::Sub, false);
    events.recv().await.unwrap();
    let refused = ingest.picture(CAMERA, StreamChoice::Main, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(refused.cause, Cause::SessionLimit, "{refused:?}");
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_picture_that_cannot_be_had_says_why() {
    let server = Scripted::start(
        |r| if r.method == "DESCRIBE" && r.head.contains("/main") { status("404 Not Found") } else { Reply::Good },
        honest,
    )
    .await;
    let (sender, mut events) = mpsc::channel(64);
    let ingest = Ingest::start(hasty(), sender);
    ingest.set_registry(Arc::new(Registry::new([], [], [], [two_streams(1, server.address, None)])));
    ingest.open(CAMERA, StreamChoice::Sub, false);
    events.recv().await.unwrap();
    let missing = ingest.picture(CAMERA, StreamChoice::Main, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(missing.cause, Cause::StreamNotFound, "{missing:?}");
    assert!(ingest.next_keyframe(CAMERA, Duration::from_secs(3)).await.is_ok(), "the sub stream goes on");
}

/// A county of simulated cameras, three behind each uplink, in a network of its own.
async fn county(test: u8, cameras: u32) -> (Farm, Registry) {
    let process = 40 + (std::process::id() % 100) as u8;
    let address = move |id: u32| std::net::SocketAddr::from(([127, process, test, id as u8], 8554));
    let farm = Farm::start(camsim::Config {
        cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("scenes-{test}")),
        scenes: 4,
        size: camsim::Size::Small,
        loop_gops: 2,
        workers: 1,
        cameras: (1..=cameras)
            .map(|id| SimCamera {
                id,
                name: format!("村口 {id}"),
                site: 1,
                addr: address(id),
                main: "/main".into(),
                sub: Some("/sub".into()),
                ..SimCamera::default()
            })
            .collect(),
        ..camsim::Config::default()
    })
    .await
    .unwrap();
    let uplinks = (0..cameras.div_ceil(3)).map(|n| Uplink {
        id: UplinkId(n + 1),
        name: format!("link {n}"),
        olt: None,
        budget_kbps: Some(8_000),
    });
    let records = (1..=cameras).map(|id| {
        let mut record = two_streams(id, address(id), None);
        record.uplink = Some(UplinkId((id - 1) / 3 + 1));
        record
    });
    (farm, Registry::new([], [], uplinks, records))
}

fn core() -> health::Config {
    health::Config {
        continuous: StreamChoice::Sub,
        snapshot_every: Duration::from_secs(6),
        assess_every: Duration::from_secs(2),
        retry_longest: Duration::from_secs(3),
        ..health::Config::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_county_that_returns_at_once_is_online_again_and_photographed() {
    let (farm, registry) = county(3, 45).await;
    let mut desk = Desk::start(registry, core(), hasty());
    let all = |fleet: &health::Fleet| fleet.board(fleet::Now::read()).counts.online == 45;
    assert!(desk.run(Duration::from_secs(20), all).await, "{} online after start-up", desk.online());
    for id in 1..=45 {
        farm.fault(camsim::Target::Camera(id), Fault::PowerOff, true).unwrap();
    }
    let none = |fleet: &health::Fleet| fleet.board(fleet::Now::read()).counts.online == 0;
    assert!(desk.run(Duration::from_secs(20), none).await, "{} online in the dark", desk.online());
    for id in 1..=45 {
        farm.fault(camsim::Target::Camera(id), Fault::PowerOff, false).unwrap();
    }
    assert!(desk.run(Duration::from_secs(25), all).await, "{} online after the return", desk.online());
    let stored = desk.stored;
    desk.run(Duration::from_secs(8), |_| false).await;
    assert!(desk.stored >= stored + 45, "{} pictures of main streams in 8 s", desk.stored - stored);
    desk.fleet.check_invariants();
    assert_eq!(desk.fleet.row(CameraId(1)).unwrap().status, fleet::Status::Online);
    desk.ingest.shutdown(Duration::from_secs(3)).await;
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_much_coming_and_going_every_status_is_right() {
    let (farm, registry) = county(4, 30).await;
    // Of shorter windows the core does not judge loss and frame rate.
    let config = ingest::Config { figures_every: Duration::from_secs(2), ..hasty() };
    let mut desk = Desk::start(registry, core(), config);
    let all = |fleet: &health::Fleet| fleet.board(fleet::Now::read()).counts.online == 30;
    assert!(desk.run(Duration::from_secs(20), all).await, "{} online after start-up", desk.online());
    let plan = Churn {
        cameras: 30,
        span: Duration::from_secs(16),
        every: Duration::from_secs(4),
        percent: 20,
        settle: Duration::from_secs(40),
        seed: 3,
    };
    let report = crate::common::churn::run(&mut desk, plan, |id, fault, on| {
        farm.fault(camsim::Target::Camera(id), fault, on).unwrap();
    })
    .await;
    assert!(report.wrong.is_empty(), "{:#?}\n{report:?}", report.wrong);
    assert!(report.files.1 <= report.files.0 + 60, "{report:?}");
    desk.ingest.shutdown(Duration::from_secs(3)).await;
    farm.shutdown().await;
}
