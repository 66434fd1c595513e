//! Hostile and broken cameras: each row is a misbehaviour, the cause it must be given and the time that may take.
//! All rows run at once against one ingest with short limits, beside an honest camera that must not notice.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use fleet::{CameraId, Cause, Registry, StreamChoice};
use health::StreamEvent;
use ingest::{Ingest, climb};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

type Answers = Box<dyn Fn(&Request) -> Reply + Send + Sync>;
type Media = Box<dyn Fn(u32) -> Vec<Step> + Send + Sync>;

struct Row {
    name: &'static str,
    cause: &'static [Cause],
    answers: Answers,
    media: Media,
}

fn upon(method: &'static str, reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Answers {
    Box::new(move |request| if request.method == method { reply(request) } else { Reply::Good })
}

fn row(name: &'static str, cause: &'static [Cause], answers: Answers) -> Row {
    Row { name, cause, answers, media: Box::new(honest) }
}

fn plays(name: &'static str, cause: &'static [Cause], media: impl Fn(u32) -> Vec<Step> + Send + Sync + 'static) -> Row {
    Row { name, cause, answers: Box::new(|_| Reply::Good), media: Box::new(media) }
}

fn says(name: &'static str, cause: &'static [Cause], method: &'static str, line: &'static str) -> Row {
    row(name, cause, upon(method, move |_| status(line)))
}

fn sdp(name: &'static str, cause: &'static [Cause], text: impl Into<String>) -> Row {
    let text = text.into();
    row(name, cause, upon("DESCRIBE", move |r| Reply::Text(described(&r.cseq, &text))))
}

/// An honest stream up to frame `n`, then these steps.
fn then(
    n: u32,
    steps: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> impl Fn(u32) -> Vec<Step> + Send + Sync + 'static {
    move |frame| if frame < n { honest(frame) } else { steps() }
}

const HEAD: &str = "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n";

fn rows() -> Vec<Row> {
    let text = |t: String| move |_: &Request| Reply::Text(t.clone());
    vec![
        // The answer to DESCRIBE.
        row("never answers", &[Cause::RtspNoAnswer], upon("DESCRIBE", |_| Reply::Silence)),
        row(
            "one byte at a time",
            &[Cause::RtspNoAnswer],
            upon("DESCRIBE", |r| Reply::Trickle(described(&r.cseq, SDP))),
        ),
        row(
            "endless headers",
            &[Cause::RtspError],
            upon("DESCRIBE", |r| Reply::Endless(format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\nX: y\r\n", r.cseq))),
        ),
        row(
            "one endless header",
            &[Cause::RtspError],
            upon("DESCRIBE", |_| Reply::Endless("RTSP/1.0 200 OK X".into())),
        ),
        row("endless line breaks", &[Cause::RtspNoAnswer], upon("DESCRIBE", |_| Reply::Endless("\r\n".into()))),
        row(
            "2 GB announced",
            &[Cause::SdpMalformed],
            upon("DESCRIBE", text(format!("{HEAD}Content-Length: 2147483648\r\n\r\n"))),
        ),
        row(
            "negative length",
            &[Cause::SdpMalformed],
            upon("DESCRIBE", text(format!("{HEAD}Content-Length: -1\r\n\r\n"))),
        ),
        row(
            "length beyond numbers",
            &[Cause::SdpMalformed],
            upon("DESCRIBE", text(format!("{HEAD}Content-Length: 99999999999999999999999\r\n\r\n"))),
        ),
        row(
            "body never ends",
            &[Cause::RtspNoAnswer],
            upon("DESCRIBE", text(format!("{HEAD}Content-Length: 5000\r\n\r\nv=0\r\n"))),
        ),
        row(
            "binary noise",
            &[Cause::NotRtsp],
            upon("DESCRIBE", |_| {
                Reply::Bytes((0..2000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect())
            }),
        ),
        row("a web server", &[Cause::NotRtsp], upon("DESCRIBE", text("HTTP/1.1 400 Bad Request\r\n\r\n".into()))),
        row("an SSH server", &[Cause::NotRtsp], upon("DESCRIBE", text("SSH-2.0-dropbear\r\n".into()))),
        row(
            "a packet instead of an answer",
            &[Cause::RtspNoAnswer],
            upon("DESCRIBE", |_| Reply::Bytes(interleaved(9, &[0; 100]))),
        ),
        row(
            "a status without number",
            &[Cause::NotRtsp],
            upon("DESCRIBE", text("RTSP/1.0 OK OK\r\nCSeq: {cseq}\r\n\r\n".into())),
        ),
        row(
            "a status of 9999",
            &[Cause::NotRtsp],
            upon("DESCRIBE", text("RTSP/1.0 9999 OK\r\nCSeq: {cseq}\r\n\r\n".into())),
        ),
        row("wrong CSeq", &[Cause::RtspError], upon("DESCRIBE", text("RTSP/1.0 200 OK\r\nCSeq: 4711\r\n\r\n".into()))),
        row("no CSeq", &[Cause::RtspError], upon("DESCRIBE", text("RTSP/1.0 200 OK\r\n\r\n".into()))),
        row(
            "CSeq of letters",
            &[Cause::RtspError],
            upon("DESCRIBE", text("RTSP/1.0 200 OK\r\nCSeq: one\r\n\r\n".into())),
        ),
        row("no body", &[Cause::SdpMalformed], upon("DESCRIBE", text(format!("{HEAD}\r\n")))),
        row("closes upon DESCRIBE", &[Cause::ConnectionLost], upon("DESCRIBE", |_| Reply::Close)),
        row("resets upon DESCRIBE", &[Cause::ConnectionLost], upon("DESCRIBE", |_| Reply::Reset)),
        row(
            "redirect to itself",
            &[Cause::RedirectRefused],
            upon("DESCRIBE", text("RTSP/1.0 302 Moved\r\nCSeq: {cseq}\r\nLocation: rtsp://127.0.0.1/x\r\n\r\n".into())),
        ),
        row(
            "redirect to metadata",
            &[Cause::RedirectRefused],
            upon(
                "DESCRIBE",
                text("RTSP/1.0 301 Moved\r\nCSeq: {cseq}\r\nLocation: http://169.254.169.254/latest\r\n\r\n".into()),
            ),
        ),
        row(
            "redirect to nowhere",
            &[Cause::RedirectRefused],
            upon("DESCRIBE", text("RTSP/1.0 305 Use Proxy\r\nCSeq: {cseq}\r\n\r\n".into())),
        ),
        says("not found", &[Cause::StreamNotFound], "DESCRIBE", "404 Not Found"),
        says("forbidden", &[Cause::AccessForbidden], "DESCRIBE", "403 Forbidden"),
        says("locked by 403", &[Cause::AccountLocked], "DESCRIBE", "403 Account Locked"),
        says("locked by 401", &[Cause::AccountLocked], "DESCRIBE", "401 User is locked"),
        says("asks for an account", &[Cause::PasswordRefused], "DESCRIBE", "401 Unauthorized"),
        says("server error", &[Cause::RtspError], "DESCRIBE", "500 Internal Server Error"),
        says("not RTSP 1.0", &[Cause::RtspError], "DESCRIBE", "505 RTSP Version Not Supported"),
        // The description.
        sdp("SDP of noise", &[Cause::SdpMalformed], "\u{1}\u{2}garbage\u{7f}"),
        sdp("an SDP of nothing but media", &[Cause::SdpMalformed], &SDP[SDP.find("m=").unwrap()..]),
        sdp("SDP whose port is no number", &[Cause::SdpMalformed], SDP.replace("video 0", "video x")),
        sdp("SDP whose time is no number", &[Cause::SdpMalformed], SDP.replace("t=0 0", "t=a b")),
        sdp("SDP over no RTP", &[Cause::NoVideo], SDP.replace("RTP/AVP", "raw/udp")),
        sdp("SDP of another version", &[Cause::SdpMalformed], SDP.replace("v=0", "v=7")),
        sdp("SDP without media", &[Cause::NoVideo], &SDP[..SDP.find("m=").unwrap()]),
        sdp("audio only", &[Cause::NoVideo], SDP.replace("m=video", "m=audio").replace("H264/90000", "PCMU/8000")),
        sdp("MPEG-4 part 2", &[Cause::UnsupportedCodec], SDP.replace("H264", "MP4V-ES")),
        sdp("VP8", &[Cause::UnsupportedCodec], SDP.replace("H264", "VP8")),
        sdp("payload type of letters", &[Cause::NoVideo, Cause::SdpMalformed], SDP.replace("AVP 96", "AVP xx")),
        sdp("payload type of 300", &[Cause::NoVideo, Cause::SdpMalformed], SDP.replace("AVP 96", "AVP 300")),
        sdp("rtpmap without clock", &[Cause::NoVideo, Cause::SdpMalformed], SDP.replace("H264/90000", "H264")),
        sdp(
            "clock rate of zero",
            &[Cause::NoVideo, Cause::SdpMalformed, Cause::PlayRefused],
            SDP.replace("90000", "0"),
        ),
        sdp("clock rate beyond numbers", &[Cause::NoVideo, Cause::SdpMalformed], SDP.replace("90000", "99999999999")),
        // SETUP and PLAY.
        says("session limit", &[Cause::SessionLimit], "SETUP", "453 Not Enough Bandwidth"),
        says("transport refused", &[Cause::SetupRefused], "SETUP", "461 Unsupported Transport"),
        says("aggregate refused", &[Cause::SetupRefused], "SETUP", "459 Aggregate Operation Not Allowed"),
        row(
            "SETUP without session",
            &[Cause::SetupRefused],
            upon("SETUP", text(format!("{HEAD}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"))),
        ),
        row(
            "SETUP without channels",
            &[Cause::SetupRefused],
            upon("SETUP", text(format!("{HEAD}Session: 1\r\nTransport: RTP/AVP/TCP;unicast\r\n\r\n"))),
        ),
        row(
            "SETUP with channel 999",
            &[Cause::SetupRefused],
            upon("SETUP", text(format!("{HEAD}Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=999-1000\r\n\r\n"))),
        ),
        row(
            "SETUP grants UDP, and nothing comes by it",
            &[Cause::NoRtp],
            upon("SETUP", text(format!("{HEAD}Session: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n\r\n"))),
        ),
        row(
            "a session name that would split our requests",
            &[Cause::SetupRefused],
            upon("SETUP", text(format!("{HEAD}Session: 1\rX: y\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"))),
        ),
        row("SETUP never answered", &[Cause::RtspNoAnswer], upon("SETUP", |_| Reply::Silence)),
        row("SETUP one byte at a time", &[Cause::RtspNoAnswer], upon("SETUP", |r| Reply::Trickle(good(r)))),
        row("resets upon SETUP", &[Cause::ConnectionLost], upon("SETUP", |_| Reply::Reset)),
        row("closes upon SETUP", &[Cause::ConnectionLost], upon("SETUP", |_| Reply::Close)),
        row("binary noise upon SETUP", &[Cause::RtspError], upon("SETUP", |_| Reply::Bytes(vec![0xff; 3000]))),
        row(
            "wrong CSeq upon SETUP",
            &[Cause::RtspError],
            upon("SETUP", text("RTSP/1.0 200 OK\r\nCSeq: 4711\r\n\r\n".into())),
        ),
        says("play refused", &[Cause::PlayRefused], "PLAY", "455 Method Not Valid In This State"),
        says("session forgotten", &[Cause::PlayRefused], "PLAY", "454 Session Not Found"),
        row("PLAY never answered", &[Cause::RtspNoAnswer], upon("PLAY", |_| Reply::Silence)),
        row("closes upon PLAY", &[Cause::ConnectionLost], upon("PLAY", |_| Reply::Close)),
        row("binary noise upon PLAY", &[Cause::RtspError], upon("PLAY", |_| Reply::Bytes(vec![0xfe; 3000]))),
        row("resets upon PLAY", &[Cause::ConnectionLost], upon("PLAY", |_| Reply::Reset)),
        row(
            "response splitting",
            &[Cause::RtspError, Cause::BadRtp, Cause::SetupRefused],
            upon("SETUP", |r| Reply::Text(format!("{}RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n", good(r)))),
        ),
        // The flow.
        plays("no RTP", &[Cause::NoRtp], |_| vec![Step::Silence]),
        plays("closes after PLAY", &[Cause::StreamEnded], |_| vec![Step::Close]),
        plays("stalls", &[Cause::Stalled], then(20, || vec![Step::Silence])),
        plays("ends", &[Cause::StreamEnded], then(20, || vec![Step::Close])),
        plays("resets mid-stream", &[Cause::ConnectionLost], then(20, || vec![Step::Reset])),
        plays(
            "ends within a packet",
            &[Cause::StreamEnded],
            then(20, || vec![Step::Bytes(vec![b'$', 0, 5, 0, 1]), Step::Close]),
        ),
        plays(
            "a length that lies long",
            &[Cause::Stalled],
            then(20, || vec![Step::Bytes(vec![b'$', 0, 255, 255, 0x80]), Step::Silence]),
        ),
        plays(
            "a length that lies short",
            &[Cause::BadRtp],
            then(20, || {
                let mut lying = frame(20).remove(0);
                lying[3] = 13;
                vec![Step::Bytes(lying), Step::Silence]
            }),
        ),
        plays(
            "RTP version 1",
            &[Cause::BadRtp],
            then(20, || vec![Step::Bytes(interleaved(0, &[0x40; 40])), Step::Silence]),
        ),
        plays(
            "RTP too short",
            &[Cause::BadRtp],
            then(20, || vec![Step::Bytes(interleaved(0, &[0x80; 4])), Step::Silence]),
        ),
        plays(
            "RTP extension beyond the packet",
            &[Cause::BadRtp],
            then(20, || {
                vec![Step::Bytes(interleaved(0, &[[0x90, 96, 0, 100].as_slice(), &[0xff; 12]].concat())), Step::Silence]
            }),
        ),
        plays(
            "RTP padding beyond the packet",
            &[Cause::BadRtp],
            then(20, || {
                vec![Step::Bytes(interleaved(0, &[[0xa0, 96, 0, 100].as_slice(), &[0xff; 12]].concat())), Step::Silence]
            }),
        ),
        plays(
            "one packet of another source, then silence",
            &[Cause::Stalled],
            then(20, || vec![Step::Bytes(rtp(100, 36_000, 8, true, &[0x41, 0x9a])), Step::Silence]),
        ),
        plays(
            "one packet from long ago, then silence",
            &[Cause::Stalled],
            then(20, || vec![Step::Bytes(rtp(3, 36_000, 7, true, &[0x41, 0x9a])), Step::Silence]),
        ),
        // Each packet of another source: no stream at all.
        plays("a new source with each packet", &[Cause::NoRtp, Cause::Stalled], |n| {
            vec![Step::Bytes(rtp(5, 0, n, true, &[0x41, 0x9a])), Step::Pause(Duration::from_millis(5))]
        }),
        plays("one access unit without end", &[Cause::NoKeyframe], |n| {
            let sequence = u16::try_from(n % 65_536).unwrap();
            let payload = [&[0x65, if n == 0 { 0x88 } else { 0x08 }][..], &[7; 1200]].concat();
            vec![Step::Bytes(rtp(sequence, 5, 7, false, &payload)), Step::Pause(Duration::from_millis(1))]
        }),
        plays("an access unit of endless tiny NAL units", &[Cause::NoKeyframe], |n| {
            let sequence = u16::try_from(n % 65_536).unwrap();
            let payload = [&[0x78][..], &[0, 2, 0x06, 0x05].repeat(300)].concat();
            vec![Step::Bytes(rtp(sequence, 5, 7, false, &payload)), Step::Pause(Duration::from_millis(1))]
        }),
        plays("never a keyframe", &[Cause::NoKeyframe], |n| {
            let mut steps: Vec<Step> = (0..3)
                .map(|i| {
                    Step::Bytes(rtp(
                        u16::try_from(n * 3 % 65_536).unwrap().wrapping_add(i),
                        n * 1800,
                        7,
                        i == 2,
                        &[0x41, 0x9a, 1],
                    ))
                })
                .collect();
            steps.push(Step::Pause(Duration::from_millis(20)));
            steps
        }),
        plays("keyframes cease", &[Cause::NoKeyframe], |n| {
            let mut steps: Vec<Step> =
                if n < 10 { frame(n) } else { frame(n - n % 10 + 1 + n % 9) }.into_iter().map(Step::Bytes).collect();
            if n >= 10 {
                steps = (0..PER_FRAME)
                    .map(|i| {
                        Step::Bytes(rtp(
                            u16::try_from(n % 10_000).unwrap() * PER_FRAME + i,
                            n * 1800,
                            7,
                            i == 4,
                            &[0x41, 0x9a],
                        ))
                    })
                    .collect();
            }
            steps.push(Step::Pause(Duration::from_millis(20)));
            steps
        }),
        plays("a flood on a channel of nobody", &[Cause::NoRtp], |_| vec![Step::Bytes(interleaved(7, &[1; 1400]))]),
        plays(
            "a flood after honest frames",
            &[Cause::Stalled],
            then(5, || vec![Step::Bytes(interleaved(7, &[1; 1400]))]),
        ),
        plays(
            "an answer nobody asked for, then silence",
            &[Cause::Stalled],
            then(20, || vec![Step::Bytes(b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n".to_vec()), Step::Silence]),
        ),
        plays(
            "2 GB announced while playing",
            &[Cause::BadRtp],
            then(5, || {
                vec![
                    Step::Bytes(b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: 2147483648\r\n\r\n".to_vec()),
                    Step::Silence,
                ]
            }),
        ),
        plays(
            "a message without end while playing",
            &[Cause::BadRtp],
            then(20, || vec![Step::Bytes(b"RTSP/1.0 200 OK\r\nX: ".to_vec()), Step::Bytes(vec![b'y'; 70_000])]),
        ),
        plays("noise while playing", &[Cause::BadRtp], then(20, || vec![Step::Bytes(vec![0xff; 5000]), Step::Silence])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_misbehaviour_gets_its_cause_in_time_and_hurts_nobody_else() {
    let rows = rows();
    let honest_id = CameraId(1000);
    let honest_camera = Scripted::start(|_| Reply::Good, honest).await;
    let mut cameras = vec![camera(honest_id.0, &target(honest_camera.url()))];
    let mut expected = HashMap::new();
    let mut servers = Vec::new();
    for (id, row) in (1..).zip(rows) {
        let server = Scripted::start(row.answers, row.media).await;
        cameras.push(camera(id, &target(server.url())));
        servers.push(server);
        expected.insert(CameraId(id), (row.name, row.cause));
    }
    let (sender, mut events) = mpsc::channel(64);
    let ingest = Ingest::start(hasty(), sender);
    ingest.set_registry(Arc::new(Registry::new([], [], [], cameras)));
    ingest.open(honest_id, StreamChoice::Main, false);
    for id in expected.keys() {
        ingest.open(*id, StreamChoice::Main, false);
    }

    let began = Instant::now();
    let before = resident();
    let mut most = before;
    let mut wrong = Vec::new();
    let mut healthy = 0;
    while !expected.is_empty() {
        let left = Duration::from_secs(15).saturating_sub(began.elapsed());
        let Ok(event) = tokio::time::timeout(left, events.recv()).await else { break };
        let (id, event) = event.unwrap();
        most = most.max(resident());
        match event {
            StreamEvent::Ended(failure) if id == honest_id => wrong.push(format!("the honest camera: {failure:?}")),
            StreamEvent::Figures(f) if id == honest_id => {
                healthy += 1;
                assert_eq!(f.lost, 0);
            }
            StreamEvent::Ended(failure) => {
                let (name, causes) = expected.remove(&id).expect("Ended comes once");
                if !causes.contains(&failure.cause) {
                    wrong.push(format!("{name}: expected {causes:?}, found {failure:?}"));
                }
                assert!(failure.detail.chars().count() <= 301 && !failure.detail.contains(char::is_control), "{name}");
            }
            _ => {}
        }
    }
    wrong.extend(expected.values().map(|(name, _)| format!("{name}: no verdict")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(healthy >= 3, "the honest camera reported {healthy} times");
    // Both ends of every connection live in this process. What a peer can make us keep is a head of 64 KB, a body of
    // 256 KB or a keyframe of 4 MB; nobody waits for keyframes here.
    let grown = most.saturating_sub(before);
    assert!(grown < 64 << 20, "memory grew by {} KB", grown >> 10);
    ingest.shutdown(Duration::from_secs(2)).await;
}

/// Bytes of memory this process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ladder_names_the_same_causes() {
    let climbs = rows().into_iter().map(|row| async move {
        let server = Scripted::start(row.answers, row.media).await;
        let began = Instant::now();
        let climbed = climb(&target(server.url()), &hasty(), &mut |_| {}).await;
        let took = began.elapsed();
        let last = climbed.rungs.last().unwrap();
        let Some(failure) = climbed.failure else { return format!("{}: climbed to the top", row.name) };
        assert_eq!((last.layer, last.cause), (failure.layer(), Some(failure.cause)), "{}", row.name);
        assert!(climbed.rungs.windows(2).all(|w| w[0].layer < w[1].layer), "{}: {:?}", row.name, climbed.rungs);
        // What a climb sees while it watches for two seconds it may name after the flow, not the connection.
        let accepted = row.cause.contains(&failure.cause)
            || (row.cause.contains(&Cause::ConnectionLost) && failure.cause == Cause::StreamEnded);
        if !accepted || took > Duration::from_secs(12) {
            return format!("{}: expected {:?}, found {failure:?} after {took:?}", row.name, row.cause);
        }
        String::new()
    });
    let wrong: Vec<String> = futures::future::join_all(climbs).await.into_iter().filter(|w| !w.is_empty()).collect();
    // One stream is good enough for the two seconds a climb watches.
    let wrong: Vec<&String> = wrong.iter().filter(|w| !w.starts_with("keyframes cease")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_is_not_there_has_its_cause() {
    let plain = Scripted::start(|_| Reply::Good, honest).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // A full accept queue drops what comes after, as a host without power does.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let dark = full.local_addr().unwrap().as_socket().unwrap();
    let _held: Vec<_> = (0..4)
        .map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&dark.into());
            socket
        })
        .collect();
    for (text, cause) in [
        (format!("rtsp://{closed}/x"), Cause::PortClosed),
        (format!("rtsp://{dark}/x"), Cause::NoAnswer),
        ("rtsp://no-such-camera.invalid/x".into(), Cause::NameUnresolved),
        ("rtsp://169.254.169.254/x".into(), Cause::AddressForbidden),
        (format!("rtsps://{closed}/x"), Cause::PortClosed),
        // A camera that does not speak TLS.
        (format!("rtsps://{}/x", plain.address), Cause::TlsFailed),
    ] {
        let goal = target(url(&text));
        let mut one = One::new(hasty(), &goal);
        one.open();
        let (opened, failure) = one.ended().await;
        assert_eq!((opened, failure.cause), (false, cause), "{text}: {failure:?}");
    }
    let barred = ingest::Config { allow_loopback: false, ..hasty() };
    let mut one = One::new(barred, &target(url(&format!("rtsp://{closed}/x"))));
    one.open();
    assert_eq!(one.ended().await.1.cause, Cause::AddressForbidden);
    one.ingest.open(CameraId(77), StreamChoice::Main, false);
    assert_eq!(one.ended().await.1.cause, Cause::AddressInvalid, "not in the register");
}
