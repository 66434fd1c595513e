//! Cameras that do not keep to the RFCs: each manner of the simulator gives its video under the automatic policies, a
//! policy does what it says, and a transport that is refused is replaced by the other one, which is told.
#![allow(clippy::unwrap_used)]

use crate::common::{account, camera, hasty, target};
use camsim::{Behaviour, Farm, Manner, Scheme, SimCamera};
use fleet::{CameraId, Cause, Quirks, Registry, StreamChoice, Transport};
use health::{Carriage, StreamEvent, StreamFigures};
use ingest::{Config, Ingest, Target, climb};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// A camera's manners, what the register says of it, and the name that the row goes by.
struct Row {
    name: &'static str,
    main: &'static str,
    manners: &'static [Manner],
    transport: Transport,
    quirks: &'static str,
    scheme: Option<Scheme>,
}

fn row(name: &'static str, main: &'static str, manners: &'static [Manner]) -> Row {
    Row { name, main, manners, transport: Transport::Tcp, quirks: "", scheme: Some(Scheme::DigestMd5) }
}

async fn farm(test: u8, rows: &[Row]) -> Farm {
    let process = 40 + (std::process::id() % 100) as u8;
    let cameras = (1u32..).zip(rows).map(|(id, row)| SimCamera {
        id,
        name: row.name.into(),
        addr: ([127, process, test, id as u8], 8554).into(),
        main: row.main.into(),
        manners: row.manners.to_vec(),
        account: row.scheme.map(|scheme| camsim::Account {
            username: "viewer".into(),
            password: "right-password".into(),
            scheme,
        }),
        ..SimCamera::default()
    });
    let config = camsim::Config {
        cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scenes-manners"),
        scenes: 1,
        size: camsim::Size::Small,
        loop_gops: 2,
        workers: 1,
        cameras: cameras.collect(),
        behaviour: Behaviour { session_timeout: Duration::from_secs(2), ..Behaviour::default() },
        ..camsim::Config::default()
    };
    Farm::start(config).await.unwrap()
}

fn goal(farm: &Farm, id: u32, row: &Row) -> Target {
    let (address, in_path) =
        fleet::StreamUrl::parse(&format!("rtsp://{}{}", farm.addr(id).unwrap(), row.main)).unwrap();
    let mut goal = target(address);
    goal.credentials = in_path.or(row.scheme.map(|_| account("viewer", "right-password")));
    goal.transport = row.transport;
    goal.quirks = row.quirks.parse::<Quirks>().unwrap();
    goal
}

/// What became of one camera within the time.
#[derive(Default, Debug)]
struct Seen {
    carriage: Option<Carriage>,
    figures: Vec<StreamFigures>,
    ended: Option<health::Failure>,
}

async fn watch(farm: &Farm, rows: &[Row], config: Config, span: Duration) -> (Ingest, Vec<Seen>) {
    let (sender, mut events) = mpsc::channel(1024);
    let ingest = Ingest::start(config, sender);
    let cameras: Vec<_> = (1..).zip(rows).map(|(id, row)| camera(id, &goal(farm, id, row))).collect();
    ingest.set_registry(Arc::new(Registry::new([], [], [], cameras)));
    for id in 1..=rows.len() as u32 {
        ingest.open(CameraId(id), StreamChoice::Main, false);
    }
    let mut seen: BTreeMap<CameraId, Seen> = BTreeMap::new();
    let _ = timeout(span, async {
        while let Some((id, event)) = events.recv().await {
            let seen = seen.entry(id).or_default();
            match event {
                StreamEvent::Opened { carriage, .. } => seen.carriage = Some(carriage),
                StreamEvent::Figures(figures) => seen.figures.push(figures),
                StreamEvent::Ended(failure) => seen.ended = Some(failure),
            }
        }
    })
    .await;
    let seen = (1..=rows.len() as u32).map(|id| seen.remove(&CameraId(id)).unwrap_or_default()).collect();
    (ingest, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_manner_gives_its_video_by_itself() {
    use Manner::*;
    let by = |transport, row| Row { transport, ..row };
    let under = |quirks, row| Row { quirks, ..row };
    let asks = |scheme, row| Row { scheme: Some(scheme), ..row };
    let rows = [
        // The address and what is known of each maker.
        row("Hikvision", "/Streaming/Channels/101", &[WrongRtpInfo, PaddedSsrc]),
        row("Dahua", "/cam/realmonitor?channel=1&subtype=0", &[]),
        row("Uniview", "/media/video1", &[]),
        row("Tiandy", "/1/1", &[]),
        row("Reolink", "/h264Preview_01_main", &[StrayChannel, WrongRtpInfo]),
        Row {
            scheme: None,
            ..row("XM", "/user=viewer&password=right-password&channel=1&stream=0.sdp?real_stream", &[ClockSincePowerOn])
        },
        row("Anjvision", "/stream1", &[BareContentBase]),
        // Each manner that a policy is for.
        row("renames its session", "/main", &[SessionRenamed]),
        row("refuses the first name", "/main", &[FirstNameRefused]),
        under("session_id=latest", row("renames its session, so told", "/main", &[SessionRenamed])),
        row("reports that are no date", "/main", &[ClockSincePowerOn]),
        under("timestamps=ignore", row("reports that are not looked at", "/main", &[])),
        under("keepalive=none", row("hangs up when asked", "/main", &[HangsUpWhenAsked])),
        under("keepalive=get_parameter", row("wants GET_PARAMETER", "/main", &[WantsGetParameter])),
        row("wants GET_PARAMETER, unknown to us", "/main", &[WantsGetParameter]),
        // Accounts.
        asks(Scheme::Basic, row("Basic", "/main", &[])),
        asks(Scheme::DigestSha256, row("SHA-256", "/main", &[])),
        asks(Scheme::DigestSha512Trunc256, row("SHA-512-256", "/main", &[])),
        // Transports.
        by(Transport::Udp, row("UDP as asked", "/main", &[])),
        by(Transport::Udp, row("UDP refused", "/main", &[UdpRefused])),
        by(Transport::Udp, row("TCP whatever is asked", "/main", &[TcpWhateverAsked])),
        by(Transport::Udp, row("UDP swallowed on the way", "/main", &[UdpSwallowed])),
        row("TCP refused", "/main", &[TcpRefused]),
    ];
    let farm = farm(1, &rows).await;
    // Long enough for a few signs of life in sessions of two seconds.
    let (ingest, seen) = watch(&farm, &rows, hasty(), Duration::from_secs(9)).await;
    let mut wrong = Vec::new();
    for (row, seen) in rows.iter().zip(&seen) {
        let fine = seen.ended.is_none() && seen.figures.len() >= 4 && seen.figures.iter().all(|f| f.packets > 0);
        let absurd = row.manners.contains(&ClockSincePowerOn);
        let unread = row.quirks.contains("timestamps");
        let clock = seen.figures.last().is_some_and(|f| {
            f.clock_absurd == absurd
                && f.clock_offset_ms.is_some_and(|o| o.abs() < 1000) == (!absurd && !unread)
                && f.clock_uncertainty_ms.is_some() == f.clock_offset_ms.is_some()
        });
        let expected = match row.name {
            "UDP refused" => Some((Transport::Tcp, "461")),
            "TCP whatever is asked" => Some((Transport::Tcp, "the camera wants TCP")),
            "UDP swallowed on the way" => Some((Transport::Tcp, "by UDP no packet of video came")),
            "TCP refused" => Some((Transport::Udp, "461")),
            _ => None,
        };
        let carriage = seen.carriage.as_ref().is_some_and(|c| match (&c.fallback, expected) {
            (None, None) => c.transport == row.transport,
            (Some(why), Some((transport, expected))) => c.transport == transport && why.contains(expected),
            _ => false,
        });
        if !(fine && clock && carriage) {
            wrong.push(format!("{}: {:?} {:?} {:?}", row.name, seen.carriage, seen.ended, seen.figures.last()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for id in 1..=rows.len() as u32 {
        let transcript = ingest.transcript(CameraId(id)).unwrap();
        assert!(transcript.contains("PLAY") && !transcript.contains("right-password"), "{transcript}");
    }

    // What did not work is not tried each time, and still told.
    let id = rows.iter().position(|r| r.name == "UDP swallowed on the way").unwrap();
    let swallowed = CameraId(id as u32 + 1);
    ingest.close(swallowed);
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        // The session before takes leave first.
        ingest.open(swallowed, StreamChoice::Main, false);
        match ingest.next_keyframe(swallowed, Duration::from_secs(5)).await {
            Ok(keyframe) => break assert_eq!(keyframe.width, 640),
            Err(failure) => assert!(tokio::time::Instant::now() < until, "{failure:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let transcript = ingest.transcript(swallowed).unwrap();
    assert!(transcript.contains("RTP/AVP/TCP") && !transcript.contains("client_port"), "{transcript}");

    // The ladder says the same.
    let climbed = climb(&goal(&farm, swallowed.0, &rows[id]), &hasty(), &mut |_| {}).await;
    assert_eq!(climbed.failure, None, "{}", climbed.transcript);
    let evidence: String = climbed.rungs.iter().map(|r| r.evidence.as_str()).collect::<Vec<_>>().join("\n");
    assert!(evidence.contains("by TCP instead of UDP: by UDP no packet of video came"), "{evidence}");
    ingest.shutdown(Duration::from_secs(2)).await;
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_does_what_it_says() {
    let rows = [
        Row { quirks: "channels=refuse", ..row("stray packets refused", "/main", &[Manner::StrayChannel]) },
        Row { quirks: "session_id=first", ..row("only the first name", "/main", &[Manner::FirstNameRefused]) },
        Row { quirks: "keepalive=options", ..row("OPTIONS alone", "/main", &[Manner::WantsGetParameter]) },
        row("asked although it hangs up", "/main", &[Manner::HangsUpWhenAsked]),
        Row { transport: Transport::Udp, ..row("no fallback when refused", "/main", &[Manner::UdpRefused]) },
        Row { transport: Transport::Udp, ..row("no fallback when swallowed", "/main", &[Manner::UdpSwallowed]) },
    ];
    let causes =
        [Cause::BadRtp, Cause::PlayRefused, Cause::StreamEnded, Cause::StreamEnded, Cause::SetupRefused, Cause::NoRtp];
    let farm = farm(2, &rows).await;
    let config = Config { transport_fallback: false, ..hasty() };
    let (ingest, seen) = watch(&farm, &rows, config, Duration::from_secs(8)).await;
    for ((row, seen), cause) in rows.iter().zip(&seen).zip(causes) {
        assert_eq!(seen.ended.as_ref().map(|f| f.cause), Some(cause), "{}: {seen:?}", row.name);
    }
    ingest.shutdown(Duration::from_secs(2)).await;
    farm.shutdown().await;
}
