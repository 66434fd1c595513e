//! A small scripted RTSP camera, for misbehaviours that no honest server offers, and helpers around `Ingest`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod churn;
pub mod desk;

use fleet::{Camera, CameraId, Credentials, Registry, Secret, SiteId, StreamChoice, StreamUrl, Transport, Wall};
use health::{Failure, StreamEvent};
use ingest::{Config, Ingest, Limits, Target};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

/// One request as the scripted camera got it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub head: String,
    pub cseq: String,
}

/// What the scripted camera does upon a request.
pub enum Reply {
    /// The answer an honest camera gives.
    Good,
    /// These bytes; `{cseq}` is replaced.
    Text(String),
    /// These bytes, and then the stream.
    Play(Vec<u8>),
    Bytes(Vec<u8>),
    Silence,
    Close,
    Reset,
    /// One byte each 50 ms.
    Trickle(String),
    /// This again and again, until the client hangs up.
    Endless(String),
}

/// What the scripted camera does next after PLAY.
pub enum Step {
    Bytes(Vec<u8>),
    Pause(Duration),
    Silence,
    Close,
    Reset,
}

type Answers = dyn Fn(&Request) -> Reply + Send + Sync;
type Media = dyn Fn(u32) -> Vec<Step> + Send + Sync;

/// A scripted camera on a port of its own.
pub struct Scripted {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

/// What a scripted camera saw.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    pub playing: AtomicUsize,
    pub most_playing: AtomicUsize,
    pub requests: Mutex<Vec<Request>>,
}

impl Seen {
    pub fn count(&self, method: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|r| r.method == method).count()
    }

    pub fn with_account(&self) -> usize {
        self.requests.lock().unwrap().iter().filter(|r| r.head.contains("Authorization:")).count()
    }
}

impl Scripted {
    pub async fn start(
        answers: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        media: impl Fn(u32) -> Vec<Step> + Send + Sync + 'static,
    ) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (answers, media): (Arc<Answers>, Arc<Media>) = (Arc::new(answers), Arc::new(media));
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answers.clone(), media.clone(), counted.clone()));
            }
        });
        Scripted { address, seen }
    }

    pub fn url(&self) -> StreamUrl {
        url(&format!("rtsp://{}/cam", self.address))
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, media: Arc<Media>, seen: Arc<Seen>) {
    let mut buffer = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut buffer).await {
        seen.requests.lock().unwrap().push(request.clone());
        let reply = match answers(&request) {
            Reply::Good if request.method == "PLAY" => Reply::Play(good(&request).into_bytes()),
            reply => reply,
        };
        match reply {
            Reply::Good => {
                if stream.write_all(good(&request).as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Play(answer) => {
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                let now = seen.playing.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most_playing.fetch_max(now, Ordering::SeqCst);
                play(&mut stream, &mut buffer, &answers, &*media, &seen).await;
                seen.playing.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            Reply::Text(text) => {
                let _ = stream.write_all(text.replace("{cseq}", &request.cseq).as_bytes()).await;
            }
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Reply::Silence => {}
            Reply::Close => return,
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::Trickle(text) => {
                for byte in text.replace("{cseq}", &request.cseq).bytes() {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
            Reply::Endless(text) => {
                let chunk = text.repeat(4096 / text.len().max(1) + 1);
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                return;
            }
        }
    }
}

/// Sends media while answering keepalives and TEARDOWN.
async fn play(stream: &mut TcpStream, buffer: &mut Vec<u8>, answers: &Arc<Answers>, media: &Media, seen: &Arc<Seen>) {
    for frame in 0.. {
        for step in media(frame) {
            match step {
                Step::Bytes(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Pause(time) => {
                    if let Ok(request) = timeout(time, next_request(stream, buffer)).await {
                        let Some(request) = request else { return };
                        seen.requests.lock().unwrap().push(request.clone());
                        let answer = match answers(&request) {
                            Reply::Good => good(&request),
                            Reply::Text(text) => text.replace("{cseq}", &request.cseq),
                            _ => String::new(),
                        };
                        let _ = stream.write_all(answer.as_bytes()).await;
                        if request.method == "TEARDOWN" {
                            return;
                        }
                    }
                }
                Step::Silence => {
                    while let Some(request) = next_request(stream, buffer).await {
                        seen.requests.lock().unwrap().push(request.clone());
                    }
                    return;
                }
                Step::Close => return,
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

async fn next_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            let method = head.split(' ').next().unwrap_or_default().to_owned();
            let cseq = head
                .lines()
                .find_map(|l| l.strip_prefix("CSeq:").or(l.strip_prefix("cseq:")))
                .unwrap_or("0")
                .trim()
                .to_owned();
            return Some(Request { method, head, cseq });
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}

/// The description of an honest camera.
pub const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n";

/// The answer of an honest camera.
pub fn good(request: &Request) -> String {
    let cseq = &request.cseq;
    match request.method.as_str() {
        "DESCRIBE" => described(cseq, SDP),
        "SETUP" => format!(
            "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 42;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
        ),
        "PLAY" => format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 42\r\n\r\n"),
        _ => format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"),
    }
}

pub fn described(cseq: &str, sdp: &str) -> String {
    format!(
        "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

pub fn status(line: &str) -> Reply {
    Reply::Text(format!("RTSP/1.0 {line}\r\nCSeq: {{cseq}}\r\n\r\n"))
}

/// One RTP packet in an interleaved frame on channel 0.
pub fn rtp(sequence: u16, timestamp: u32, ssrc: u32, mark: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96 | (u8::from(mark) << 7)];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    interleaved(0, &packet)
}

pub fn interleaved(channel: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![b'$', channel];
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

/// A sender report telling this Unix time in milliseconds.
pub fn sender_report(ssrc: u32, unix_ms: i64, rtp: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(u32::try_from((unix_ms / 1000 + 2_208_988_800) & 0xffff_ffff).unwrap().to_be_bytes());
    packet.extend(u32::try_from(((unix_ms % 1000) << 32) / 1000).unwrap().to_be_bytes());
    packet.extend(rtp.to_be_bytes());
    packet.extend([0; 8]);
    interleaved(1, &packet)
}

pub const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x3d, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00,
    0x32, 0x0f, 0x16, 0x2d, 0x96,
];
pub const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// Five packets a frame; every tenth frame is a keyframe.
pub const PER_FRAME: u16 = 5;

/// The packets of an honest stream's frame.
pub fn frame(number: u32) -> Vec<Vec<u8>> {
    let first = u16::try_from(number % 10_000).unwrap().wrapping_mul(PER_FRAME);
    let timestamp = number.wrapping_mul(1800);
    let payloads: [Vec<u8>; 5] = if number.is_multiple_of(10) {
        [
            SPS.to_vec(),
            PPS.to_vec(),
            [&[0x7c, 0x85, 0x88][..], &[1; 1000]].concat(),
            [&[0x7c, 0x05][..], &[2; 1000]].concat(),
            [&[0x7c, 0x45][..], &[3; 500]].concat(),
        ]
    } else {
        std::array::from_fn(|i| [&[0x41, if i == 0 { 0x9a } else { 0x1a }][..], &[i as u8; 200]].concat())
    };
    (0..).zip(payloads).map(|(i, p)| rtp(first.wrapping_add(i), timestamp, 7, i == 4, &p)).collect()
}

/// An honest stream of 50 frames a second.
pub fn honest(number: u32) -> Vec<Step> {
    let mut steps: Vec<Step> = frame(number).into_iter().map(Step::Bytes).collect();
    steps.push(Step::Pause(Duration::from_millis(20)));
    steps
}

/// Short limits, so that a table of failures runs in seconds.
pub fn hasty() -> Config {
    Config {
        allow_loopback: true,
        figures_every: Duration::from_millis(500),
        limits: Limits {
            resolve: Duration::from_secs(2),
            connect: Duration::from_millis(1200),
            answer: Duration::from_millis(1200),
            first_packet: Duration::from_millis(1200),
            packet_gap: Duration::from_millis(1200),
            first_keyframe: Duration::from_millis(2500),
            keyframe_gap: Duration::from_millis(2500),
        },
        ..Config::default()
    }
}

pub fn url(text: &str) -> StreamUrl {
    StreamUrl::parse(text).unwrap().0
}

pub fn account(user: &str, password: &str) -> Credentials {
    Credentials { username: user.into(), password: Secret::new(password) }
}

pub fn target(url: StreamUrl) -> Target {
    Target { url, credentials: None, transport: Transport::Tcp, quirks: Default::default(), certificate: None }
}

pub fn camera(id: u32, target: &Target) -> Camera {
    Camera {
        id: CameraId(id),
        name: format!("camera {id}"),
        site: SiteId(1),
        uplink: None,
        gb_code: None,
        main: target.url.clone(),
        sub: None,
        credentials: target.credentials.clone(),
        transport: target.transport,
        life_cycle: Default::default(),
        place: Default::default(),
        device: fleet::Device { quirks: target.quirks, ..Default::default() },
        upkeep: Default::default(),
        changed: Wall(0),
    }
}

pub const CAMERA: CameraId = CameraId(1);

/// One camera's ingest and its events.
pub struct One {
    pub ingest: Ingest,
    pub events: mpsc::Receiver<(CameraId, StreamEvent)>,
}

impl One {
    pub fn new(config: Config, target: &Target) -> One {
        let (sender, events) = mpsc::channel(64);
        let one = One { ingest: Ingest::start(config, sender), events };
        one.register(target);
        one
    }

    pub fn register(&self, target: &Target) {
        self.ingest.set_registry(Arc::new(Registry::new([], [], [], [camera(CAMERA.0, target)])));
    }

    pub fn open(&self) {
        self.ingest.open(CAMERA, StreamChoice::Main, false);
    }

    pub async fn next(&mut self) -> StreamEvent {
        timeout(Duration::from_secs(30), self.events.recv())
            .await
            .expect("an event within 30 s")
            .expect("events go on")
            .1
    }

    /// Until the session ends; whether it had opened, and why it ended.
    pub async fn ended(&mut self) -> (bool, Failure) {
        let mut opened = false;
        loop {
            match self.next().await {
                StreamEvent::Opened { .. } => opened = true,
                StreamEvent::Figures(_) => {}
                StreamEvent::Ended(failure) => return (opened, failure),
            }
        }
    }
}
