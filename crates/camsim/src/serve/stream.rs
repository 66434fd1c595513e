//! The packets of one session: which picture is next, put together and sent.

use super::{camera::Camera, connection::Connection, worker::Local};
use crate::{
    Fault, Manner, SimError,
    clip::{Clip, Which},
    code::{FPS, GOP, PictureHead, Slice},
    library::ClipKey,
    rtp::{self, Assembly, Packets},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    cell::{Cell, RefCell},
    io,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::net::UdpSocket;

/// Ticks between two sender reports: 5 s.
const REPORT_EVERY: u32 = 5 * FPS;
/// Halves of the even ports offered for RTP over UDP: 20000 to 59998.
const FIRST_PAIR: u16 = 10_000;
const LAST_PAIR: u16 = 29_999;
/// Pairs tried before a session is refused.
const PAIRS_TRIED: usize = 16;

/// How packets travel.
pub(crate) enum Transport {
    Interleaved { connection: Rc<Connection>, rtp: u8, rtcp: u8 },
    Udp { rtp: UdpSocket, rtcp: UdpSocket },
}

impl Transport {
    /// A pair of sockets between two hosts: an even port of ours for RTP and the next for RTCP (RFC 3550 §11), on
    /// which clients insist.
    pub(crate) async fn udp(ours: IpAddr, theirs: IpAddr, rtp: u16, rtcp: u16) -> io::Result<Transport> {
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..PAIRS_TRIED {
            let even = rand::rng().random_range(FIRST_PAIR..=LAST_PAIR) * 2;
            match (UdpSocket::bind((ours, even)).await, UdpSocket::bind((ours, even + 1)).await) {
                (Ok(first), Ok(second)) => {
                    first.connect((theirs, rtp)).await?;
                    second.connect((theirs, rtcp)).await?;
                    return Ok(Transport::Udp { rtp: first, rtcp: second });
                }
                (Err(error), _) | (_, Err(error)) => last = error,
            }
        }
        Err(last)
    }

    /// Our ports; zero when interleaved.
    pub(crate) fn ports(&self) -> (u16, u16) {
        let port = |socket: &UdpSocket| socket.local_addr().map_or(0, |a| a.port());
        match self {
            Transport::Interleaved { .. } => (0, 0),
            Transport::Udp { rtp, rtcp } => (port(rtp), port(rtcp)),
        }
    }
}

/// What a session shows: a loop and the camera's own band.
#[derive(Clone)]
struct Show {
    clip: Arc<Clip>,
    band: Arc<Slice>,
    fault: Option<Fault>,
}

pub(crate) struct Stream {
    local: Rc<Local>,
    camera: Rc<Camera>,
    which: Which,
    transport: Transport,
    ssrc: u32,
    live: Cell<bool>,
    /// A variant is being made for it.
    making: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    show: Option<Show>,
    /// Made while running; shown from the next keyframe on.
    next_show: Option<Show>,
    /// Position in the loop.
    at: usize,
    seq: u16,
    timestamp: u32,
    ticks: u32,
    packets: u32,
    octets: u32,
    /// Pictures were dropped: nothing decodes until the next keyframe.
    broken: bool,
    /// The second that the clock shows.
    shown: i64,
    /// The line that shows it: a frozen picture keeps it to the last bit.
    line: Option<(i64, Option<Fault>, Arc<Slice>)>,
    dice: ChaCha8Rng,
}

impl Stream {
    pub(crate) fn new(local: &Rc<Local>, camera: &Rc<Camera>, which: Which, transport: Transport) -> Rc<Stream> {
        let mut dice = ChaCha8Rng::from_rng(&mut rand::rng());
        Rc::new(Stream {
            local: Rc::clone(local),
            camera: Rc::clone(camera),
            which,
            transport,
            ssrc: dice.random(),
            live: Cell::new(false),
            making: Cell::new(false),
            state: RefCell::new(State {
                show: None,
                next_show: None,
                at: 0,
                seq: dice.random(),
                timestamp: dice.random(),
                ticks: 0,
                packets: 0,
                octets: 0,
                broken: false,
                shown: 0,
                line: None,
                dice,
            }),
        })
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn is_udp(&self) -> bool {
        matches!(self.transport, Transport::Udp { .. })
    }

    /// Sequence number and timestamp of the first packet.
    pub(crate) fn next(&self) -> (u16, u32) {
        let state = self.state.borrow();
        (state.seq, state.timestamp)
    }

    /// Makes ready what is shown first.
    pub(crate) async fn prepare(&self) -> Result<(), SimError> {
        // Not in one expression: what is borrowed must not stay borrowed while we wait.
        let fault = self.camera.now().picture();
        let show = self.make(fault).await?;
        let mut state = self.state.borrow_mut();
        let frames = show.clip.frames.len();
        // The first picture is a keyframe; cameras of one scene are not in step, sessions of one camera are, to the
        // keyframe: they show what it sees at this moment.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let keyframes = (now * u64::from(FPS) / u64::from(GOP)) as usize % frames.max(1);
        let first = (self.camera.spec.id as usize + keyframes) * GOP as usize % frames.max(1);
        state.at = (first + frames).saturating_sub(1) % frames.max(1);
        state.show = Some(show);
        Ok(())
    }

    /// Begins to send.
    pub(crate) fn start(self: &Rc<Self>) {
        if !self.live.replace(true) {
            self.local.add(self, self.camera.spec.id);
        }
    }

    pub(crate) fn end(&self) {
        self.live.set(false);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.get()
    }

    fn key(&self) -> ClipKey {
        self.local.library().key(&self.camera.spec, self.which)
    }

    async fn make(&self, fault: Option<Fault>) -> Result<Show, SimError> {
        let (library, spec, which, key) =
            (Arc::clone(self.local.library()), self.camera.spec.clone(), self.which, self.key());
        let made = tokio::task::spawn_blocking(move || {
            let clip = match fault {
                None => library.clip(key, None).ok_or_else(|| SimError::Encode(format!("{key:?} was not made")))?,
                Some(fault) => library.make_clip(key, fault)?,
            };
            Ok(Show { clip, band: library.band(&spec, which, fault)?, fault })
        });
        made.await.map_err(|e| SimError::Encode(e.to_string()))?
    }

    /// Has another variant made if the camera's faults ask for it.
    fn follow_faults(self: &Rc<Self>, showing: Option<Fault>, next: Option<Option<Fault>>) {
        let wanted = self.camera.now().picture();
        if self.making.get() || next.map_or(showing == wanted, |next| next == wanted) {
            return;
        }
        self.making.set(true);
        let stream = Rc::clone(self);
        tokio::task::spawn_local(async move {
            match stream.make(wanted).await {
                Ok(show) => stream.state.borrow_mut().next_show = Some(show),
                Err(error) => tracing::warn!(camera = stream.camera.spec.id, %error, "a variant was not made"),
            }
            stream.making.set(false);
        });
    }

    /// One tick of 1/15 s: sends the next picture, if there is one to send.
    pub(crate) fn tick(self: &Rc<Self>, buffer: &mut Buffers) {
        let faults = self.camera.now();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.timestamp = state.timestamp.wrapping_add(rtp::CLOCK / FPS);
        state.ticks = state.ticks.wrapping_add(1);
        let showing = state.show.as_ref().and_then(|s| s.fault);
        self.follow_faults(showing, state.next_show.as_ref().map(|s| s.fault));
        state.advance();
        let Some(show) = state.show.clone() else { return };
        if faults.silent() || faults.has(Fault::Stall) || faults.has(Fault::NoRtp) {
            state.broken = true;
            return;
        }
        let Some(Some(frame)) = show.clip.frames.get(state.at) else { return };
        if frame.key && faults.has(Fault::NoKeyframe) {
            return;
        }
        // A reader that lags misses pictures, and a camera does not send what cannot be decoded.
        if let Transport::Interleaved { connection, .. } = &self.transport
            && !connection.flush()
        {
            state.broken = true;
            return;
        }
        if state.broken && !frame.key && !faults.has(Fault::NoKeyframe) {
            return;
        }
        state.broken = false;

        buffer.picture.clear();
        if self.assemble(state, &show, frame, &mut buffer.picture).is_err() {
            return;
        }
        let channel = if let Transport::Interleaved { rtp, .. } = &self.transport { *rtp } else { 0 };
        buffer.picture.patch(channel, &mut state.seq, state.timestamp, self.ssrc);
        state.packets = state.packets.wrapping_add(buffer.picture.marks.len() as u32);
        let octets: usize = buffer.picture.marks.iter().map(|m| m.payload).sum();
        state.octets = state.octets.wrapping_add(octets as u32);
        if state.ticks % REPORT_EVERY == 1 {
            self.report(state);
        }
        self.send(state, buffer, faults.has(Fault::PacketLoss));
    }

    /// Puts together parameter sets, clock, band and scene.
    fn assemble(
        &self,
        state: &mut State,
        show: &Show,
        frame: &crate::clip::Frame,
        out: &mut Assembly,
    ) -> Result<(), SimError> {
        let library = self.local.library();
        let key = self.key();
        let kit = library.kit(key.codec, self.which);
        let frozen = show.fault == Some(Fault::Frozen) && !self.local.behaviour().frozen_clock_runs;
        let clock = self.camera.clock(self.local.behaviour().clock_error_ms);
        let second = if frozen && state.shown != 0 {
            state.shown
        } else {
            clock.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
        };
        let line = match &state.line {
            Some((of, fault, line)) if (*of, *fault) == (second, show.fault) => Arc::clone(line),
            _ => {
                let line = library.line(key, show.fault, second)?;
                state.line = Some((second, show.fault, Arc::clone(&line)));
                line
            }
        };
        let one = |slice: &Slice, head: &PictureHead, row: u32| {
            let unit = kit.placer.place(slice, head, row);
            Packets::cut(key.codec, [unit.as_slice()])
        };
        if frame.key {
            kit.packets.append_to(out);
            one(&line, &frame.head, 0).append_to(out);
            one(&show.band, &frame.head, kit.layout.band_row()).append_to(out);
        } else if second == state.shown {
            frame.still.append_to(out);
        } else {
            one(&line, &frame.head, 0).append_to(out);
            frame.band_still.append_to(out);
        }
        frame.scene.append_to(out);
        state.shown = second;
        Ok(())
    }

    /// Tells what the camera's clock shows now.
    fn report(&self, state: &State) {
        let clock = if self.camera.spec.has(Manner::ClockSincePowerOn) {
            UNIX_EPOCH
        } else {
            self.camera.clock(self.local.behaviour().clock_error_ms)
        };
        let report = rtp::sender_report(self.ssrc, clock, state.timestamp, state.packets, state.octets);
        match &self.transport {
            Transport::Interleaved { connection, rtcp, .. } => {
                let mut framed = [0; 32];
                framed[..4].copy_from_slice(&[b'$', *rtcp, 0, 28]);
                framed[4..].copy_from_slice(&report);
                connection.send(&framed);
            }
            Transport::Udp { rtcp, .. } => {
                let _ = rtcp.try_send(&report);
            }
        }
    }

    fn send(&self, state: &mut State, buffer: &mut Buffers, lossy: bool) {
        let percent = self.local.behaviour().loss_percent;
        if let Transport::Interleaved { connection, .. } = &self.transport
            && self.camera.spec.has(Manner::StrayChannel)
        {
            let mut audio = [0xd5; 4 + 12 + 160];
            audio[..16].copy_from_slice(&[b'$', 2, 0, 172, 0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9]);
            connection.send(&audio);
        }
        if matches!(self.transport, Transport::Udp { .. }) && self.camera.spec.has(Manner::UdpSwallowed) {
            return;
        }
        let mut lost = || lossy && state.dice.random_range(0..100) < percent;
        let picture = &buffer.picture;
        match &self.transport {
            Transport::Udp { rtp, .. } => {
                for &mark in &picture.marks {
                    if !lost() {
                        // A full socket buffer loses packets, as a full link does.
                        let _ = rtp.try_send(picture.datagram(mark));
                    }
                }
            }
            Transport::Interleaved { connection, .. } if lossy => {
                buffer.rest.clear();
                for &mark in &picture.marks {
                    if !lost() {
                        buffer.rest.extend_from_slice(picture.interleaved(mark));
                    }
                }
                connection.send(&buffer.rest);
            }
            Transport::Interleaved { connection, .. } => connection.send(&picture.data),
        }
    }
}

impl State {
    /// Goes on by one picture; another show begins where a group of pictures does.
    fn advance(&mut self) {
        let Some(show) = &self.show else { return };
        self.at = (self.at + 1) % show.clip.frames.len().max(1);
        if self.at.is_multiple_of(GOP as usize)
            && let Some(next) = self.next_show.take()
        {
            self.at = 0;
            self.show = Some(next);
        }
    }
}

/// What a worker puts pictures together in.
#[derive(Default)]
pub(crate) struct Buffers {
    picture: Assembly,
    rest: Vec<u8>,
}
