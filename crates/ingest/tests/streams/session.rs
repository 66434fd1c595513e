//! A session's life with an honest camera: opening, figures, keyframes, closing, refused accounts.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use fleet::{Cause, Codec, StreamChoice};
use health::StreamEvent;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn an_honest_camera_opens_reports_and_gives_keyframes() {
    let server = Scripted::start(
        |_| Reply::Good,
        |n| {
            let mut steps = honest(n);
            if n == 3 {
                let camera = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
                    as i64
                    - 90_000;
                steps.push(Step::Bytes(sender_report(7, camera, n * 1800)));
            }
            steps
        },
    )
    .await;
    let mut one = One::new(hasty(), &target(server.url()));
    one.open();
    one.open();
    let StreamEvent::Opened { stream, took, .. } = one.next().await else { panic!("first comes Opened") };
    assert_eq!(stream, StreamChoice::Main);
    assert!(took < Duration::from_secs(1));

    let (a, b) = tokio::join!(
        one.ingest.next_keyframe(CAMERA, Duration::from_secs(3)),
        one.ingest.next_keyframe(CAMERA, Duration::from_secs(3))
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(std::sync::Arc::ptr_eq(&a, &b), "everybody who waits gets the same keyframe");
    assert_eq!((a.codec, a.width, a.height), (Codec::H264, 640, 480));
    let start = [0, 0, 0, 1];
    let expected = [&start[..], SPS, &start, PPS, &start, &[0x65, 0x88], &[1; 1000], &[2; 1000], &[3; 500]].concat();
    assert_eq!(a.data, expected);
    let offset = a.camera_clock.expect("a sender report came").at.millis_since(a.received.wall);
    assert!((offset + 90_000).abs() < 500, "camera clock is 90 s behind, found {offset} ms");

    let mut seen = 0;
    while seen < 2 {
        if let StreamEvent::Figures(f) = one.next().await {
            seen += 1;
            assert_eq!((f.lost, f.width, f.height, f.codec), (0, 640, 480, Some(Codec::H264)));
            assert!((10.0..=55.0).contains(&f.fps), "{} frames a second", f.fps);
            assert!(f.keyframes >= 1 && f.keyframe_age.unwrap() < Duration::from_millis(500));
            let offset = f.clock_offset_ms.unwrap();
            assert!((offset + 90_000).abs() < 500, "{offset}");
        }
    }
    let totals = one.ingest.totals();
    assert_eq!((totals.sessions, totals.opened, totals.ended, totals.assembled), (1, 1, 0, 1));
    assert!(totals.packets > 50 && totals.bytes > 10_000 && totals.frames > 10 && totals.keyframes > 1);
    let transcript = one.ingest.transcript(CAMERA).unwrap();
    assert!(transcript.contains("DESCRIBE rtsp://127.0.0.1") && transcript.contains("m=video"), "{transcript}");

    let began = Instant::now();
    one.ingest.shutdown(Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(server.seen.count("TEARDOWN"), 1);
    assert_eq!(server.seen.most_playing.load(Ordering::SeqCst), 1);
    assert_eq!(one.ingest.totals().sessions, 0);
}

#[tokio::test]
async fn a_keyframe_begins_after_the_call() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let mut one = One::new(hasty(), &target(server.url()));
    assert_eq!(one.ingest.next_keyframe(CAMERA, Duration::from_secs(9)).await.unwrap_err().cause, Cause::NotYetChecked);
    one.open();
    one.next().await;
    for _ in 0..3 {
        let asked = fleet::Now::read();
        let keyframe = one.ingest.next_keyframe(CAMERA, Duration::from_secs(3)).await.unwrap();
        assert!(keyframe.received.mono >= asked.mono, "{:?} < {:?}", keyframe.received.mono, asked.mono);
        sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn closing_frees_the_camera_before_it_is_opened_again() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let mut one = One::new(hasty(), &target(server.url()));
    for round in 1..4 {
        one.open();
        loop {
            match one.next().await {
                StreamEvent::Opened { .. } => break,
                StreamEvent::Figures(_) => {}
                StreamEvent::Ended(failure) => panic!("round {round}: {failure:?}"),
            }
        }
        one.ingest.close(CAMERA);
        assert_eq!(
            one.ingest.next_keyframe(CAMERA, Duration::from_secs(9)).await.unwrap_err().cause,
            Cause::NotYetChecked
        );
    }
    one.open();
    while !matches!(one.next().await, StreamEvent::Opened { .. }) {}
    assert_eq!(server.seen.most_playing.load(Ordering::SeqCst), 1, "never two sessions to one camera");
    assert_eq!(server.seen.count("TEARDOWN"), 3);
}

#[tokio::test]
async fn a_refused_account_is_sent_once_and_then_only_if_changed_or_asked_for() {
    let server = Scripted::start(
        |request| match request.method.as_str() {
            "DESCRIBE" => Reply::Text(
                "RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n\r\n".into(),
            ),
            _ => Reply::Good,
        },
        honest,
    )
    .await;
    let mut goal = target(server.url());
    goal.credentials = Some(account("admin", "secret-words"));
    let mut one = One::new(hasty(), &goal);
    one.open();
    let (_, failure) = one.ended().await;
    assert_eq!(failure.cause, Cause::PasswordRefused, "{failure:?}");
    assert_eq!(server.seen.with_account(), 1);
    let connections = server.seen.connections.load(Ordering::SeqCst);
    for _ in 0..3 {
        one.open();
        assert_eq!(one.ended().await.1.cause, Cause::PasswordRefused);
    }
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), connections, "parked: not even connected");

    one.ingest.open(CAMERA, StreamChoice::Main, true);
    assert_eq!(one.ended().await.1.cause, Cause::PasswordRefused);
    assert_eq!(server.seen.with_account(), 2, "a person may try once");

    goal.credentials = Some(account("admin", "other-words"));
    one.register(&goal);
    one.open();
    assert_eq!(one.ended().await.1.cause, Cause::PasswordRefused);
    assert_eq!(server.seen.with_account(), 3, "a changed account is tried");
    let transcript = one.ingest.transcript(CAMERA).unwrap();
    assert!(transcript.contains("Authorization: Digest (removed)"), "{transcript}");
    assert!(!transcript.contains("words") && !transcript.contains("response="), "{transcript}");
}

#[tokio::test]
async fn an_account_is_accepted_by_digest() {
    let server = Scripted::start(
        |request| {
            if request.method == "DESCRIBE" && !request.head.contains("Authorization: Digest") {
                return Reply::Text(
                    "RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n".into(),
                );
            }
            Reply::Good
        },
        honest,
    )
    .await;
    let mut goal = target(server.url());
    goal.credentials = Some(account("admin", "secret-words"));
    let mut one = One::new(hasty(), &goal);
    one.open();
    assert!(matches!(one.next().await, StreamEvent::Opened { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_it_is_opened_and_closed_a_camera_sees_one_session_at_a_time() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let mut one = One::new(hasty(), &target(server.url()));
    let ingest = one.ingest.clone();
    let storm = tokio::spawn(async move {
        for step in 0..120_u64 {
            match step * 7919 % 5 {
                0 | 1 => ingest.open(CAMERA, StreamChoice::Main, false),
                2 => ingest.open(CAMERA, StreamChoice::Main, true),
                _ => ingest.close(CAMERA),
            }
            sleep(Duration::from_millis(step * 104_729 % 23)).await;
        }
        ingest.open(CAMERA, StreamChoice::Main, false);
    });
    while !storm.is_finished() {
        let _ = tokio::time::timeout(Duration::from_millis(50), one.events.recv()).await;
    }
    let keyframe = one.ingest.next_keyframe(CAMERA, Duration::from_secs(5)).await;
    assert!(keyframe.is_ok(), "{keyframe:?}");
    assert_eq!(server.seen.most_playing.load(Ordering::SeqCst), 1);
    assert_eq!(one.ingest.totals().sessions, 1);
}

#[tokio::test]
async fn a_listener_that_is_busy_stops_no_packets_and_misses_no_opening() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let (sender, mut events) = tokio::sync::mpsc::channel(1);
    sender.send((fleet::CameraId(99), StreamEvent::Figures(Default::default()))).await.unwrap();
    let goal = target(server.url());
    let ingest = ingest::Ingest::start(hasty(), sender);
    ingest.set_registry(std::sync::Arc::new(fleet::Registry::new([], [], [], [camera(1, &goal)])));
    ingest.open(CAMERA, StreamChoice::Main, false);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        ingest.next_keyframe(CAMERA, Duration::from_secs(3)).await.expect("video flows while nobody listens");
    }
    assert_eq!(events.recv().await.unwrap().0, fleet::CameraId(99));
    assert!(matches!(events.recv().await.unwrap().1, StreamEvent::Opened { .. }));
    assert!(matches!(events.recv().await.unwrap().1, StreamEvent::Figures(f) if f.packets > 0));
}
