//! What real cameras do against the letter of the RFCs and yet deliver video: each row is a quirk with which a session
//! must run on, deliver whole keyframes after it and never end.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use fleet::{CameraId, Registry, StreamChoice};
use health::StreamEvent;
use ingest::Ingest;
use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

type Answers = Box<dyn Fn(&Request) -> Reply + Send + Sync>;
type Media = Box<dyn Fn(u32) -> Vec<Step> + Send + Sync>;

struct Quirk {
    name: &'static str,
    answers: Answers,
    media: Media,
}

fn says(
    name: &'static str,
    method: &'static str,
    answer: impl Fn(&Request) -> String + Send + Sync + 'static,
) -> Quirk {
    let answers = move |r: &Request| match r.method.as_str() {
        "PLAY" if method == "PLAY" => Reply::Play(answer(r).into_bytes()),
        other if other == method => Reply::Text(answer(r)),
        _ => Reply::Good,
    };
    Quirk { name, answers: Box::new(answers), media: Box::new(honest) }
}

fn sends(name: &'static str, media: impl Fn(u32) -> Vec<Step> + Send + Sync + 'static) -> Quirk {
    Quirk { name, answers: Box::new(|_| Reply::Good), media: Box::new(media) }
}

fn sdp(name: &'static str, text: impl Into<String>) -> Quirk {
    let text = text.into();
    says(name, "DESCRIBE", move |r| described(&r.cseq, &text))
}

/// An honest stream with these bytes before each frame from the tenth on.
fn between(name: &'static str, bytes: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Quirk {
    sends(name, move |n| {
        let mut steps = honest(n);
        if n >= 10 {
            steps.insert(0, Step::Bytes(bytes(n)));
        }
        steps
    })
}

/// An honest frame with its packets changed; each starts with the 4 bytes of its interleaved frame.
fn altered(name: &'static str, alter: impl Fn(u32, &mut Vec<Vec<u8>>) + Send + Sync + 'static) -> Quirk {
    sends(name, move |n| {
        let mut packets = frame(n);
        alter(n, &mut packets);
        let mut steps: Vec<Step> = packets.into_iter().map(Step::Bytes).collect();
        steps.push(Step::Pause(Duration::from_millis(20)));
        steps
    })
}

/// Puts a value into the big-endian field at `at` of an RTP packet.
fn put<const N: usize>(packet: &mut [u8], at: usize, value: [u8; N]) {
    packet[4 + at..4 + at + N].copy_from_slice(&value);
}

/// An honest answer with another line.
fn with(answer: String, line: &str) -> String {
    answer.replacen("\r\n", &format!("\r\n{line}\r\n"), 1)
}

fn quirks() -> Vec<Quirk> {
    let fmtp = |value: &str| SDP.replace("a=control", &format!("a=fmtp:96 {value}\r\na=control"));
    vec![
        // The description.
        sdp("sprop with bad base64", fmtp("sprop-parameter-sets=????,%%%")),
        sdp("sprop without padding and with start codes", fmtp("sprop-parameter-sets=AAAAAWdCAB4")),
        sdp("an SPS of 65535x65535 in the description", fmtp("sprop-parameter-sets=Z2QAM6wspAAAH//4AAB//+A=,aOvjyyLA")),
        sdp("fmtp without value (Ubiquiti)", SDP.replace("a=control", "a=fmtp:96\r\na=control")),
        sdp("a blank behind rtpmap", SDP.replace("H264/90000", "H264/90000 ")),
        sdp("bare line feeds", SDP.replace("\r\n", "\n")),
        sdp("no origin and no name", SDP.replace("o=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\n", "")),
        sdp("an unknown line", SDP.replace("t=0 0", "t=0 0\r\nq=what")),
        sdp(
            "audio and metadata beside the video",
            format!(
                "{SDP}m=audio 0 RTP/AVP 8\r\na=control:track2\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
            ),
        ),
        sdp(
            "a stream that cannot be read before the video",
            SDP.replace("m=video", "m=video 0 RTP/AVP 300\r\nm=video"),
        ),
        sdp(
            "an absolute control address of another host",
            SDP.replace("control:track1", "control:rtsp://192.168.1.9:5541/in/track1"),
        ),
        sdp("no control address", SDP.replace("a=control:track1\r\n", "")),
        says("Content-Base without scheme (Anjvision)", "DESCRIBE", |r| {
            with(described(&r.cseq, SDP), "Content-Base: 127.0.0.1/cam/")
        }),
        says("Content-Base of nonsense", "DESCRIBE", |r| with(described(&r.cseq, SDP), "Content-Base: ::::")),
        says("no Content-Type", "DESCRIBE", |r| {
            described(&r.cseq, SDP).replace("Content-Type: application/sdp\r\n", "")
        }),
        says("header names in odd case", "DESCRIBE", |r| {
            described(&r.cseq, SDP).replace("CSeq", "cseq").replace("Content-Length", "content-LENGTH")
        }),
        says("line breaks before the answer", "DESCRIBE", |r| format!("\r\n\r\n{}", described(&r.cseq, SDP))),
        says("an answer to an earlier request first", "DESCRIBE", |r| {
            format!("RTSP/1.0 200 OK\r\nCSeq: 0\r\n\r\n{}", described(&r.cseq, SDP))
        }),
        // SETUP and PLAY.
        says("a session with blanks and a timeout of zero", "SETUP", |r| {
            good(r).replace("42;timeout=60", " 42 ; timeout=0")
        }),
        says("a session timeout that is no number", "SETUP", |r| good(r).replace("timeout=60", "timeout=soon")),
        says("one channel instead of two", "SETUP", |r| good(r).replace("0-1", "0")),
        says("a short SSRC in the transport (Rubetek)", "SETUP", |r| good(r).replace("0-1", "0-1;ssrc=0x6f7c")),
        says("another session in the answer to PLAY", "PLAY", |r| good(r).replace("42", "4711")),
        says("an RTP-Info that is wrong (Hikvision)", "PLAY", |r| {
            with(good(r), "RTP-Info: url=rtsp://nowhere/x;seq=1;rtptime=0")
        }),
        says("an RTP-Info that cannot be read (Reolink)", "PLAY", |r| with(good(r), "RTP-Info: ;;;=,url,seq=x")),
        Quirk {
            name: "packets before the answer to PLAY",
            answers: Box::new(|r| match r.method.as_str() {
                "PLAY" => {
                    Reply::Play([interleaved(0, &[0x80; 700]), interleaved(1, &[]), good(r).into_bytes()].concat())
                }
                _ => Reply::Good,
            }),
            media: Box::new(honest),
        },
        // Beside the stream.
        between("packets on channels that nobody set up (Reolink)", |_| interleaved(2, &[0x80; 60])),
        between("packets of an older session's source (live555)", |n| rtp(n as u16, n, 99, true, &[0x65, 0x88, 1])),
        between("line breaks between packets", |_| b"\r\n".to_vec()),
        between("requests of the camera", |n| format!("OPTIONS rtsp://x RTSP/1.0\r\nCSeq: {n}\r\n\r\n").into_bytes()),
        between("answers nobody asked for", |n| {
            format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\nContent-Length: 3\r\n\r\nabc", n + 900).into_bytes()
        }),
        between("RTCP of noise", |_| interleaved(1, &[0xff; 33])),
        between("sender reports of absurd times", |n| {
            sender_report(7, if n % 2 == 0 { 1000 } else { 4_000_000_000_000 }, n)
        }),
        between("packets without payload", |_| interleaved(0, &[0x80, 96, 0xff, 0xf0, 0, 0, 0, 1, 0, 0, 0, 9])),
        between("empty interleaved frames", |_| interleaved(3, &[])),
        // The stream.
        altered("never a marker bit", |_, packets| packets.iter_mut().for_each(|p| p[5] &= 0x7f)),
        altered("a marker bit with each packet", |_, packets| packets.iter_mut().for_each(|p| p[5] |= 0x80)),
        altered("another payload type than described", |_, packets| {
            packets.iter_mut().for_each(|p| p[5] = p[5] & 0x80 | 33);
        }),
        altered("each packet twice", |_, packets| {
            *packets = packets.iter().flat_map(|p| [p.clone(), p.clone()]).collect();
        }),
        altered("timestamps that jump", |n, packets| {
            packets
                .iter_mut()
                .for_each(|p| put(p, 4, (n / 30).wrapping_mul(1 << 30).wrapping_add(n * 1800).to_be_bytes()));
        }),
        altered("timestamps that go back", |n, packets| {
            packets.iter_mut().for_each(|p| put(p, 4, 0xffff_0000_u32.wrapping_sub(n * 1800).to_be_bytes()));
        }),
        altered("sequence numbers that jump each second", |n, packets| {
            for packet in packets {
                let number = u16::from_be_bytes([packet[6], packet[7]]);
                put(packet, 2, number.wrapping_add((n / 50 * 9_999) as u16).to_be_bytes());
            }
        }),
        altered("another source each second", |n, packets| {
            packets.iter_mut().for_each(|p| put(p, 8, (7 + n / 50).to_be_bytes()));
        }),
        altered("header extensions and padding", |_, packets| {
            for packet in packets {
                let (head, payload) = packet[4..].split_at(12);
                let mut rtp = [head, &[0xbe, 0xde, 0, 1, 1, 2, 3, 4], payload, &[0, 0, 3]].concat();
                rtp[0] = 0xb0;
                *packet = interleaved(0, &rtp);
            }
        }),
        sends("packets in pieces of a few bytes", |n| {
            let bytes = frame(n).concat();
            let mut steps: Vec<Step> = bytes.chunks(300).map(|c| Step::Bytes(c.to_vec())).collect();
            steps.push(Step::Pause(Duration::from_millis(20)));
            steps
        }),
        // Keepalives: a session of two seconds has us ask each second.
        Quirk {
            name: "keepalives ignored",
            answers: Box::new(|r| match r.method.as_str() {
                "SETUP" => Reply::Text(good(r).replace("timeout=60", "timeout=2")),
                "OPTIONS" | "GET_PARAMETER" => Reply::Silence,
                _ => Reply::Good,
            }),
            media: Box::new(honest),
        },
        Quirk {
            name: "keepalives refused",
            answers: Box::new(|r| match r.method.as_str() {
                "SETUP" => Reply::Text(good(r).replace("timeout=60", "timeout=2")),
                "OPTIONS" | "GET_PARAMETER" => status("501 Not Implemented"),
                _ => Reply::Good,
            }),
            media: Box::new(honest),
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_each_quirk_the_video_goes_on() {
    let mut names = Vec::new();
    let (mut cameras, mut servers) = (Vec::new(), Vec::new());
    for (id, quirk) in (1..).zip(quirks()) {
        let server = Scripted::start(quirk.answers, quirk.media).await;
        cameras.push(camera(id, &target(server.url())));
        servers.push(server);
        names.push(quirk.name);
    }
    let (sender, mut events) = mpsc::channel(1024);
    let mut config = hasty();
    // What jumps may cost a keyframe or two.
    config.limits.keyframe_gap = Duration::from_secs(5);
    let ingest = Ingest::start(config, sender);
    ingest.set_registry(Arc::new(Registry::new([], [], [], cameras)));
    let ids: Vec<CameraId> = (1..=names.len() as u32).map(CameraId).collect();
    ids.iter().for_each(|id| ingest.open(*id, StreamChoice::Main, false));

    let began = Instant::now();
    let keyframes = futures::future::join_all(ids.iter().zip(&names).map(|(id, name)| {
        let ingest = &ingest;
        async move {
            // Long enough for every quirk to have shown itself, and then a whole keyframe.
            tokio::time::sleep(Duration::from_millis(3500)).await;
            match ingest.next_keyframe(*id, Duration::from_secs(5)).await {
                Ok(keyframe) if keyframe.data.len() > 2500 && keyframe.width == 640 => None,
                other => Some(format!("{name}: {other:?}\n{}", ingest.transcript(*id).unwrap_or_default())),
            }
        }
    }));
    let ended = AtomicUsize::new(0);
    let listen = async {
        while let Some((id, event)) = events.recv().await {
            if let StreamEvent::Ended(failure) = event {
                ended.fetch_add(1, Ordering::Relaxed);
                eprintln!("{}: {failure:?}", names[id.0 as usize - 1]);
            }
        }
    };
    tokio::select! {
        () = listen => unreachable!("the ingest keeps its sender"),
        wrong = keyframes => {
            let wrong: Vec<String> = wrong.into_iter().flatten().collect();
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
    assert_eq!(ended.load(Ordering::Relaxed), 0, "no session ends");
    assert!(began.elapsed() < Duration::from_secs(10));
    ingest.shutdown(Duration::from_secs(2)).await;
}
