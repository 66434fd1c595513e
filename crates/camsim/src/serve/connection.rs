//! One RTSP connection: requests in, answers out, and the packets of its session between them.

use super::{
    auth::Verdict,
    camera::{Camera, Cut, Session},
    rtsp::{Answer, Parsed, Request},
    sdp,
    stream::{Stream, Transport},
    worker::Local,
};
use crate::{Fault, Manner};
use rand::{Rng, RngCore};
use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{net::TcpStream, sync::Notify, time::Instant};

/// A connection that asks for nothing ends after this time.
const IDLE: Duration = Duration::from_secs(65);
/// A reader that takes nothing for this time is gone.
const STUCK: Duration = Duration::from_secs(60);
/// What may wait to be written: one big picture and some answers.
const MAX_BACKLOG: usize = 1 << 20;

pub(crate) struct Connection {
    socket: TcpStream,
    /// What the socket did not take yet.
    backlog: RefCell<Vec<u8>>,
    stuck_since: Cell<Option<Instant>>,
    cut: Cell<Option<Cut>>,
    cut_now: Notify,
}

impl Connection {
    pub(crate) fn cut(&self, how: Cut) {
        self.cut.set(Some(how));
        self.cut_now.notify_one();
    }

    /// Writes what the socket takes and keeps the rest.
    pub(crate) fn send(&self, data: &[u8]) {
        if !self.flush() {
            let mut backlog = self.backlog.borrow_mut();
            if backlog.len() + data.len() > MAX_BACKLOG {
                drop(backlog);
                self.cut(Cut::Reset);
            } else {
                backlog.extend_from_slice(data);
            }
            return;
        }
        let sent = self.write(data);
        if sent < data.len() {
            self.backlog.borrow_mut().extend_from_slice(&data[sent..]);
            self.stuck_since.set(Some(Instant::now()));
        }
    }

    /// Whether everything so far was taken, so that more may be sent.
    pub(crate) fn flush(&self) -> bool {
        let mut backlog = self.backlog.borrow_mut();
        if backlog.is_empty() {
            return true;
        }
        let sent = self.write(&backlog);
        backlog.drain(..sent);
        if backlog.is_empty() {
            self.stuck_since.set(None);
        } else if sent > 0 {
            self.stuck_since.set(Some(Instant::now()));
        } else if self.stuck_since.get().is_some_and(|since| since.elapsed() > STUCK) {
            self.cut(Cut::Reset);
        }
        backlog.is_empty()
    }

    fn write(&self, data: &[u8]) -> usize {
        let mut sent = 0;
        while sent < data.len() {
            match self.socket.try_write(&data[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The peer is gone. Nothing more can be sent, so nothing may wait to be sent.
                Err(_) => {
                    self.cut(Cut::Reset);
                    return data.len();
                }
            }
        }
        sent
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve(local: Rc<Local>, camera: Rc<Camera>, socket: TcpStream, peer: SocketAddr) {
    let _ = socket.set_nodelay(true);
    let connection = Rc::new(Connection {
        socket,
        backlog: RefCell::default(),
        stuck_since: Cell::new(None),
        cut: Cell::new(None),
        cut_now: Notify::new(),
    });
    if camera.admit(&connection).is_none() {
        return;
    }
    let mut talk = Talk {
        local,
        camera: Rc::clone(&camera),
        connection: Rc::clone(&connection),
        peer,
        session: None,
        alive: Instant::now(),
    };
    let mut received = Vec::new();
    let mut faults = camera.faults.subscribe();
    let mut deadline = Instant::now() + IDLE;
    loop {
        let silent = faults.borrow_and_update().silent();
        let waiting = !silent && !connection.backlog.borrow().is_empty();
        tokio::select! {
            biased;
            () = connection.cut_now.notified() => break,
            changed = faults.changed() => if changed.is_err() { break },
            () = tokio::time::sleep_until(deadline) => break,
            writable = connection.socket.writable(), if waiting => {
                if writable.is_err() { break }
                connection.flush();
            }
            readable = connection.socket.readable(), if !silent => {
                if readable.is_err() || !read(&connection, &mut received) {
                    break;
                }
                if !talk.answer_all(&mut received).await {
                    break;
                }
                deadline = Instant::now() + talk.patience();
            }
        }
    }
    drop(talk);
    if connection.cut.get() == Some(Cut::Reset) {
        // The peer shall see a reset, not an orderly end.
        let _ = socket2::SockRef::from(&connection.socket).set_linger(Some(Duration::ZERO));
    }
}

/// Reads what is there; false at the end of the connection.
fn read(connection: &Connection, received: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    match connection.socket.try_read(&mut buffer) {
        Ok(0) => false,
        Ok(n) => {
            received.extend_from_slice(&buffer[..n]);
            true
        }
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// What is said on one connection.
struct Talk {
    local: Rc<Local>,
    camera: Rc<Camera>,
    connection: Rc<Connection>,
    peer: SocketAddr,
    session: Option<Session>,
    /// When the peer last said what counts as a sign of life.
    alive: Instant,
}

impl Talk {
    /// How long silence from the peer is borne.
    fn patience(&self) -> Duration {
        match &self.session {
            Some(_) if self.camera.spec.has(Manner::WantsGetParameter) => {
                (self.alive + self.local.behaviour().session_timeout).saturating_duration_since(Instant::now())
            }
            // Interleaved: a peer that reads is there.
            Some(session) if !session.stream.is_udp() => Duration::from_secs(86_400 * 365),
            Some(_) => self.local.behaviour().session_timeout,
            None => IDLE,
        }
    }

    /// Answers every whole request; false if the connection shall end.
    async fn answer_all(&mut self, received: &mut Vec<u8>) -> bool {
        loop {
            if self.camera.has(Fault::Garbage) && !received.is_empty() {
                received.clear();
                let mut garbage = [0; 256];
                rand::rng().fill_bytes(&mut garbage);
                // Never by chance the beginning of an interleaved packet or an answer.
                garbage[0] = 0xff;
                self.connection.send(&garbage);
                return true;
            }
            match Request::parse(received) {
                Parsed::More => return received.len() < 128 * 1024,
                Parsed::Interleaved(length) => {
                    received.drain(..length);
                }
                Parsed::Bad => {
                    self.connection.send(b"RTSP/1.0 400 Bad Request\r\n\r\n");
                    return false;
                }
                Parsed::Request(request, length) => {
                    received.drain(..length);
                    if self.camera.has(Fault::Slow) {
                        let wait = self.local.behaviour().slow_answer;
                        tokio::select! {
                            () = tokio::time::sleep(wait) => {}
                            () = self.connection.cut_now.notified() => return false,
                        }
                    }
                    let playing = self.session.as_ref().is_some_and(|s| s.stream.is_live());
                    if playing && request.method != "TEARDOWN" && self.camera.spec.has(Manner::HangsUpWhenAsked) {
                        return false;
                    }
                    if request.method == "GET_PARAMETER" {
                        self.alive = Instant::now();
                    }
                    let answer = self.answer(&request).await;
                    self.connection.send(&answer.into_bytes());
                    if request.method == "PLAY"
                        && let Some(session) = &self.session
                    {
                        session.stream.start();
                    }
                }
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> Answer {
        if request.header("cseq").is_none() {
            return Answer::new("400 Bad Request", request);
        }
        if request.method == "OPTIONS" {
            return Answer::new("200 OK", request)
                .header("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN");
        }
        if let Some(refusal) = self.refuse(request) {
            return refusal;
        }
        match request.method.as_str() {
            "DESCRIBE" => self.describe(request),
            "SETUP" => self.set_up(request).await,
            "PLAY" => self.play(request).await,
            "GET_PARAMETER" | "SET_PARAMETER" => match self.of_session(request) {
                Ok(id) => Answer::new("200 OK", request).header("Session", id),
                Err(refusal) => refusal,
            },
            "TEARDOWN" => match self.of_session(request) {
                Ok(_) => {
                    self.session = None;
                    Answer::new("200 OK", request)
                }
                Err(refusal) => refusal,
            },
            _ => Answer::new("501 Not Implemented", request),
        }
    }

    /// The answer to somebody who may not view.
    fn refuse(&mut self, request: &Request) -> Option<Answer> {
        let camera = &self.camera;
        if camera.is_locked() {
            return Some(
                Answer::new("403 Forbidden: account locked", request)
                    .header("X-Account-Status", "locked")
                    .body("text/plain", "The account is locked because of too many failed logins.\r\n".into()),
            );
        }
        let wrong = camera.has(Fault::WrongPassword);
        let scheme = camera.spec.account.as_ref().map(|a| a.scheme);
        let verdict = match &camera.spec.account {
            None if wrong && request.header("authorization").is_some() => Verdict::Refused,
            None if wrong => Verdict::Ask,
            None => Verdict::Granted,
            Some(account) => match camera.gate.borrow().judge(account, request) {
                Verdict::Granted if wrong => Verdict::Refused,
                verdict => verdict,
            },
        };
        match verdict {
            Verdict::Granted => {
                camera.forgive();
                return None;
            }
            Verdict::Refused => camera.count_wrong_password(),
            Verdict::Ask => {}
        }
        let challenge = camera.gate.borrow_mut().challenge(scheme.unwrap_or_default());
        Some(Answer::new("401 Unauthorized", request).header("WWW-Authenticate", challenge))
    }

    fn describe(&self, request: &Request) -> Answer {
        let Some(which) = self.camera.which(request.path()).filter(|_| !self.camera.has(Fault::NotFound)) else {
            return Answer::new("404 Stream Not Found", request);
        };
        let address = self.camera.spec.addr.ip();
        let text = if self.camera.has(Fault::NoVideo) {
            sdp::audio_only(address)
        } else {
            sdp::video(self.local.library().kit(self.camera.spec.codec, which), address)
        };
        let base = format!("{}/", request.url.trim_end_matches('/'));
        let base = match base.split_once("://") {
            Some((_, bare)) if self.camera.spec.has(Manner::BareContentBase) => bare.to_owned(),
            _ => base,
        };
        Answer::new("200 OK", request).header("Content-Base", base).body("application/sdp", text)
    }

    async fn set_up(&mut self, request: &Request) -> Answer {
        let Some(which) = self.camera.which(request.path()).filter(|_| !self.camera.has(Fault::NotFound)) else {
            return Answer::new("404 Stream Not Found", request);
        };
        let transport = request.header("transport").unwrap_or_default();
        let spec = &self.camera.spec;
        let chosen = transport.split(',').find_map(|t| Wish::parse(t.trim()));
        let chosen = match chosen {
            Some(Wish::Interleaved(..)) if spec.has(Manner::TcpRefused) => None,
            Some(Wish::Udp(..)) if spec.has(Manner::UdpRefused) => None,
            Some(Wish::Udp(..)) if spec.has(Manner::TcpWhateverAsked) => Some(Wish::Interleaved(0, 1)),
            chosen => chosen,
        };
        let (transport, shown) = match chosen {
            Some(Wish::Interleaved(rtp, rtcp)) => (
                Transport::Interleaved { connection: Rc::clone(&self.connection), rtp, rtcp },
                format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"),
            ),
            Some(Wish::Udp(rtp, rtcp)) => {
                let Ok(transport) = Transport::udp(self.camera.spec.addr.ip(), self.peer.ip(), rtp, rtcp).await else {
                    return Answer::new("500 Internal Server Error", request);
                };
                let (ours, theirs) = transport.ports();
                (transport, format!("RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={ours}-{theirs}"))
            }
            None => return Answer::new("461 Unsupported Transport", request),
        };
        // A second SETUP replaces the first.
        self.session = None;
        let stream = Stream::new(&self.local, &self.camera, which, transport);
        let blank = if self.camera.spec.has(Manner::PaddedSsrc) { " " } else { "" };
        let shown = format!("{shown};ssrc={blank}{:08X}", stream.ssrc());
        let id = format!("{}", rand::rng().random_range(10_000_000..100_000_000u32));
        let Some(session) = Session::open(&self.camera, id, stream) else {
            return Answer::new("453 Not Enough Bandwidth", request);
        };
        let named = self.named(&session);
        self.session = Some(session);
        self.alive = Instant::now();
        Answer::new("200 OK", request).header("Session", named).header("Transport", shown)
    }

    async fn play(&mut self, request: &Request) -> Answer {
        let renamed = || format!("{}", rand::rng().random_range(10_000_000..100_000_000u32));
        if self.camera.spec.has(Manner::FirstNameRefused)
            && let Some(session) = self.session.as_mut().filter(|session| !session.renamed)
        {
            session.renamed = true;
            session.id = renamed();
            let named = session.id.clone();
            return Answer::new("454 Session Not Found", request).header("Session", named);
        }
        if let Err(refusal) = self.of_session(request) {
            return refusal;
        }
        if self.camera.spec.has(Manner::SessionRenamed)
            && let Some(session) = &mut self.session
        {
            session.id = renamed();
        }
        let Some(session) = &self.session else { return Answer::new("454 Session Not Found", request) };
        if let Err(error) = session.stream.prepare().await {
            tracing::warn!(camera = self.camera.spec.id, %error, "nothing to show");
            return Answer::new("500 Internal Server Error", request);
        }
        let (mut seq, mut timestamp) = session.stream.next();
        if self.camera.spec.has(Manner::WrongRtpInfo) {
            (seq, timestamp) = (0, timestamp.wrapping_add(1 << 30));
        }
        let url = request.url.trim_end_matches('/');
        Answer::new("200 OK", request)
            .header("Session", self.named(session))
            .header("Range", "npt=0.000-")
            .header("RTP-Info", format!("url={url}/{};seq={seq};rtptime={timestamp}", sdp::TRACK))
    }

    fn named(&self, session: &Session) -> String {
        format!("{};timeout={}", session.id, self.local.behaviour().session_timeout.as_secs())
    }

    /// The id of the session the request belongs to. Without one, GET_PARAMETER keeps the connection alive.
    fn of_session(&self, request: &Request) -> Result<String, Answer> {
        let given = request.header("session").map(|s| s.split(';').next().unwrap_or_default());
        match (&self.session, given) {
            (Some(session), Some(given)) if session.id == given => Ok(session.id.clone()),
            (None, None) if request.method == "GET_PARAMETER" => Ok(String::new()),
            _ => Err(Answer::new("454 Session Not Found", request)),
        }
    }
}

/// How a client wants its packets.
enum Wish {
    Interleaved(u8, u8),
    Udp(u16, u16),
}

impl Wish {
    fn parse(transport: &str) -> Option<Wish> {
        let mut fields = transport.split(';').map(str::trim);
        let over_tcp = match fields.next()?.to_ascii_uppercase().as_str() {
            "RTP/AVP/TCP" => true,
            "RTP/AVP" | "RTP/AVP/UDP" => false,
            _ => return None,
        };
        let mut pair = None;
        for field in fields {
            match field.split_once('=') {
                Some(("interleaved" | "client_port", value)) => pair = Some(value),
                None if field == "multicast" => return None,
                _ => {}
            }
        }
        let numbers = pair.map(|p| p.split_once('-').unwrap_or((p, "")));
        if over_tcp {
            let (rtp, rtcp) = numbers.unwrap_or(("0", "1"));
            let rtp: u8 = rtp.parse().ok()?;
            Some(Wish::Interleaved(rtp, rtcp.parse().unwrap_or(rtp.wrapping_add(1))))
        } else {
            let (rtp, rtcp) = numbers?;
            let rtp: u16 = rtp.parse().ok()?;
            Some(Wish::Udp(rtp, rtcp.parse().unwrap_or(rtp.wrapping_add(1))))
        }
    }
}
