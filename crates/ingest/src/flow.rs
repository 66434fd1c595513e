//! Video flowing: packet after packet with figures and keyframes.
//!
//! Packets are read, not frames: depacketizing 800 streams to throw the frames away is what this saves. What a wake-up
//! finds is read into one buffer per thread and looked at in place; only a packet that is not yet whole is kept with
//! its session. The clock and the timer are looked at once per wake-up, and nothing is allocated per packet.

use crate::{
    Config,
    assemble::{Assembler, Found, Packet, Whole},
    description::Video,
    exchange::Exchange,
    failure::{Step, failure, io_failure},
    jpeg::JpegAssembler,
    live::{Frames, Viewers},
    message::{Answer, Interlude, interlude},
    meter::{Made, Meter},
    nal::Syntax,
    ports::Ports,
    rtp::{Rtp, reports},
    sequence::{Order, Sequence},
};
use fleet::{CameraClock, Cause, Channels, Codec, Keepalive as Policy, Now, Quirks, Timestamps};
use health::{Failure, Profile, StreamFigures};
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWrite,
    time::{Sleep, sleep_until},
};

/// Longest interleaved packet: its length has 16 bits, its frame four bytes.
const PACKET_BYTES: usize = 4 + 65_535;
/// How much is read in one go.
const READ_BYTES: usize = 64 << 10;
/// Reads in one go before others have their turn.
const READS: usize = 8;
/// Room that is kept for a packet that is not yet whole.
const REST_BYTES: usize = 4 << 10;

thread_local! {
    /// What was read and is looked at: one buffer for all sessions of a thread, warm in its cache.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PACKET_BYTES + READ_BYTES].into());
}

/// How packets come.
pub(crate) enum Media {
    /// In the RTSP connection.
    Interleaved {
        /// RTP's channel; RTCP's is the one above.
        channel: u8,
    },
    /// On ports of their own.
    Udp(Box<Ports>),
}

/// A playing stream of one camera. Dropping it sends TEARDOWN in the background.
pub(crate) struct Flow {
    exchange: Exchange,
    media: Media,
    /// A packet that is not yet whole.
    rest: Vec<u8>,
    sequence: Sequence,
    codec: Codec,
    tapper: Tapper,
    frames: Option<Frames>,
    meter: Meter,
    quirks: Quirks,
    keepalive: Keepalive,
    timer: Pin<Box<Sleep>>,
    first_packet: Option<Instant>,
    played: Instant,
}

/// Signs of life from us. Whether they are answered does not matter while video flows: cameras are known that ignore
/// them.
struct Keepalive {
    every: Duration,
    next: Instant,
    /// What of the last one is not yet written.
    outgoing: Vec<u8>,
    /// The camera said that it knows GET_PARAMETER.
    get_parameter: bool,
}

/// Finds keyframes, by codec.
enum Tapper {
    Nal(Assembler),
    Jpeg(JpegAssembler),
}

impl Tapper {
    fn push(&mut self, packet: Packet<'_>, wanted: impl FnOnce() -> bool) -> Found {
        match self {
            Tapper::Nal(assembler) => assembler.push(packet, wanted),
            Tapper::Jpeg(assembler) => assembler.push(packet, wanted),
        }
    }

    fn dimensions(&self) -> (u32, u32) {
        match self {
            Tapper::Nal(assembler) => assembler.dimensions(),
            Tapper::Jpeg(assembler) => assembler.dimensions(),
        }
    }

    fn profile(&self) -> Option<Profile> {
        match self {
            Tapper::Nal(assembler) => assembler.profile(),
            Tapper::Jpeg(_) => None,
        }
    }

    fn incomplete(&self) -> (u32, &'static str) {
        match self {
            Tapper::Nal(assembler) => assembler.incomplete(),
            Tapper::Jpeg(assembler) => assembler.incomplete(),
        }
    }
}

/// A whole keyframe and what the camera's clock said.
pub(crate) struct Tapped {
    pub(crate) whole: Whole,
    pub(crate) codec: Codec,
    pub(crate) camera_clock: Option<CameraClock>,
}

/// Somebody who may wait for keyframes.
pub(crate) trait Listener {
    /// Asked at the start of each frame: keep it, should it be a keyframe?
    fn wants(&self) -> bool;
    /// A keyframe that was wanted.
    fn keyframe(&self, tapped: Tapped);
    /// So many that were wanted have come incomplete so far.
    fn incomplete(&self, count: u32);
    /// Those who may watch every frame.
    fn viewers(&self) -> Option<&Viewers> {
        None
    }
}

/// Why [`Flow::run`] came back.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The first packet of video arrived.
    Began,
    /// The time asked for has come.
    Time,
    /// The stream is over.
    Ended(Failure),
}

impl Flow {
    /// A stream whose PLAY was just granted, in a session that `lasts` so long without a sign of life.
    pub(crate) fn new(
        mut exchange: Exchange,
        media: Media,
        video: &Video,
        lasts: Duration,
        quirks: Quirks,
        config: &Config,
    ) -> Flow {
        let tapper = match video.codec {
            Codec::H264 => nal_tapper(Syntax::H264, video, config),
            Codec::H265 => nal_tapper(Syntax::H265, video, config),
            Codec::Jpeg => Tapper::Jpeg(JpegAssembler::new(config.keyframe_bytes)),
        };
        let frames = match video.codec {
            Codec::H264 => Some(Frames::new(Syntax::H264, video.clock_rate, config.keyframe_bytes)),
            Codec::H265 => Some(Frames::new(Syntax::H265, video.clock_rate, config.keyframe_bytes)),
            Codec::Jpeg => None,
        };
        let now = Instant::now();
        let every = (lasts / 2).max(Duration::from_secs(1));
        Flow {
            rest: exchange.take_rest(),
            exchange,
            media,
            sequence: Sequence::default(),
            codec: video.codec,
            tapper,
            frames,
            meter: Meter::new(video.clock_rate, now),
            quirks,
            // The first one sooner: its answer tells what the camera knows, and the second must still be in time.
            keepalive: Keepalive { every, next: now + every / 2, outgoing: Vec::new(), get_parameter: false },
            timer: Box::pin(sleep_until(now.into())),
            first_packet: None,
            played: now,
        }
    }

    /// When PLAY was answered.
    pub(crate) fn played(&self) -> Instant {
        self.played
    }

    pub(crate) fn first_packet(&self) -> Option<Instant> {
        self.first_packet
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    pub(crate) fn codec_name(&self) -> &'static str {
        match self.codec {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Jpeg => "JPEG",
        }
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) fn incomplete(&self) -> (u32, &'static str) {
        self.tapper.incomplete()
    }

    /// Ends the reporting window.
    pub(crate) fn report(&mut self, now: Instant) -> StreamFigures {
        let made = Made { codec: self.codec, profile: self.tapper.profile(), dimensions: self.tapper.dimensions() };
        self.meter.report(made, self.exchange.round_trip(), now)
    }

    /// Takes packets until `until`, the first packet, or the end of the stream.
    pub(crate) async fn run(&mut self, until: Instant, listener: &impl Listener) -> Turn {
        poll_fn(|cx| self.poll(cx, until, listener)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, until: Instant, listener: &impl Listener) -> Poll<Turn> {
        loop {
            let now = Instant::now();
            let before = self.first_packet;
            let read = SCRATCH.with_borrow_mut(|scratch| self.read(cx, scratch, now, listener));
            if let Err(failed) = read {
                self.exchange.gone();
                return Poll::Ready(Turn::Ended(failed));
            }
            if before.is_none() && self.first_packet.is_some() {
                return Poll::Ready(Turn::Began);
            }
            // Not only the timer: it does not fire while this task has used up its turn on a flood.
            if now >= until {
                return Poll::Ready(Turn::Time);
            }
            if now >= self.keepalive.next {
                self.keep_alive(now);
            }
            if !self.keepalive.outgoing.is_empty() {
                self.write(cx);
            }
            let next = until.min(self.keepalive.next);
            if self.timer.deadline() != next.into() {
                self.timer.as_mut().reset(next.into());
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads what is at hand and looks at it.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        now: Instant,
        listener: &impl Listener,
    ) -> Result<(), Failure> {
        if let Media::Udp(_) = self.media {
            self.datagrams(cx, scratch, now, listener)?;
        }
        let mut have = self.rest.len();
        scratch[..have].copy_from_slice(&self.rest);
        for turn in 0.. {
            let got = match self.exchange.line().poll_bytes(cx, &mut scratch[have..have + READ_BYTES]) {
                Poll::Ready(got) => got,
                Poll::Pending => break,
            };
            match got {
                Ok(0) => return Err(failure(Cause::StreamEnded, "the camera closed the connection")),
                Ok(n) => have += n,
                Err(error) => return Err(io_failure(Step::Flow, &error)),
            }
            let used = self.take(&scratch[..have], now, listener)?;
            scratch.copy_within(used..have, 0);
            have -= used;
            if turn >= READS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        self.rest.clear();
        self.rest.shrink_to(REST_BYTES);
        self.rest.extend_from_slice(&scratch[..have]);
        Ok(())
    }

    /// Reads what came on the stream's own ports. Anybody can send there: what is no RTP is passed over.
    fn datagrams(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        now: Instant,
        listener: &impl Listener,
    ) -> Result<(), Failure> {
        for turn in 0.. {
            let Media::Udp(ports) = &self.media else { break };
            match ports.poll_packet(cx, scratch) {
                Poll::Pending => break,
                Poll::Ready(Ok((true, n))) => self.rtcp(&scratch[..n]),
                Poll::Ready(Ok((false, n))) => {
                    if let Ok(rtp) = Rtp::parse(&scratch[..n]) {
                        self.rtp(n, rtp, now, listener);
                    }
                }
                // What the camera's host says by ICMP is told by the packets that fail to come.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Poll::Ready(Err(error)) => return Err(io_failure(Step::Flow, &error)),
            }
            if turn >= 16 * READS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        Ok(())
    }

    /// Takes every whole packet and message from the bytes: how many were used.
    fn take(&mut self, bytes: &[u8], now: Instant, listener: &impl Listener) -> Result<usize, Failure> {
        let mut used = 0;
        loop {
            match &bytes[used..] {
                [b'$', channel, high, low, rest @ ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let Some(data) = rest.get(..length) else { return Ok(used) };
                    used += 4 + length;
                    self.interleaved(*channel, data, now, listener)?;
                }
                [] | [b'$', ..] => return Ok(used),
                other => match interlude(other).map_err(|why| failure(Cause::BadRtp, why))? {
                    Interlude::More => return Ok(used),
                    Interlude::Skip(n) => used += n,
                    Interlude::Answer(answer, n) => {
                        used += n;
                        self.answered(&answer);
                    }
                },
            }
        }
    }

    /// One packet of the connection. Those on channels that were not asked for are passed over unless the camera's
    /// policy says otherwise.
    fn interleaved(&mut self, channel: u8, data: &[u8], now: Instant, listener: &impl Listener) -> Result<(), Failure> {
        let Media::Interleaved { channel: own } = self.media else { return Ok(()) };
        if channel == own {
            let rtp = Rtp::parse(data).map_err(|why| failure(Cause::BadRtp, format!("a packet is {why}")))?;
            self.rtp(data.len(), rtp, now, listener);
        } else if Some(channel) == own.checked_add(1) {
            self.rtcp(data);
        } else if self.quirks.channels == Channels::Refuse {
            let what = format!("a packet on channel {channel}, which nobody set up: an older session may still run");
            return Err(failure(Cause::BadRtp, what));
        }
        Ok(())
    }

    fn rtp(&mut self, bytes: usize, rtp: Rtp<'_>, now: Instant, listener: &impl Listener) {
        let (missing, lost) = match self.sequence.place(rtp.ssrc, rtp.sequence) {
            Order::Next(lost) => (lost, lost),
            // What it had begun is not completed by this, but nothing is known to be lost.
            Order::Anew => (0, 1),
            // Late packets come over UDP only; the frame they belong to is given up.
            Order::Late => return self.meter.late(bytes, rtp.payload.len(), now),
            Order::Twice => return self.meter.twice(),
            Order::Stray => return self.meter.stray(),
        };
        if self.first_packet.is_none() {
            self.first_packet = Some(now);
        }
        self.meter.packet(bytes, rtp.payload.len(), missing, now);
        let packet = Packet { payload: rtp.payload, timestamp: rtp.timestamp, mark: rtp.mark, lost, arrived: now };
        if let (Some(frames), Tapper::Nal(assembler), Some(viewers)) =
            (&mut self.frames, &self.tapper, listener.viewers())
        {
            frames.take(&packet, assembler.sets(), viewers);
        }
        let found = self.tapper.push(packet, || listener.wants());
        if found.missed {
            listener.incomplete(self.tapper.incomplete().0);
        }
        if found.frame {
            self.meter.frame(rtp.timestamp, now);
        }
        if found.keyframe {
            self.meter.keyframe(now);
        }
        if let Some(whole) = found.whole {
            let camera_clock = self.meter.camera_clock(whole.timestamp, self.exchange.round_trip());
            listener.keyframe(Tapped { whole, codec: self.codec, camera_clock });
        }
    }

    fn rtcp(&mut self, data: &[u8]) {
        if self.quirks.timestamps == Timestamps::Ignore {
            return;
        }
        reports(data, |report| {
            if self.sequence.is_source(report.ssrc) {
                self.meter.sender_report(report.ntp, report.rtp, Now::read());
            }
        });
    }

    /// An answer to a keepalive.
    fn answered(&mut self, answer: &Answer) {
        self.keepalive.get_parameter |=
            answer.header("Public").any(|methods| methods.split(',').any(|m| m.trim() == "GET_PARAMETER"));
        self.exchange.answered(answer);
    }

    /// OPTIONS first, which every camera knows; then what it prefers.
    fn keep_alive(&mut self, now: Instant) {
        self.keepalive.next = now + self.keepalive.every;
        // One that the camera has not even read: its own affair, while video flows.
        if self.keepalive.outgoing.is_empty() {
            let method = match (self.quirks.keepalive, self.keepalive.get_parameter) {
                (Policy::None, _) => return,
                (Policy::GetParameter, _) | (Policy::Auto, true) => "GET_PARAMETER",
                (Policy::Options, _) | (Policy::Auto, false) => "OPTIONS",
            };
            self.keepalive.outgoing = self.exchange.keepalive(method).unwrap_or_default().into_bytes();
        }
    }

    /// Writes on. An error shows when reading.
    fn write(&mut self, cx: &mut Context<'_>) {
        while !self.keepalive.outgoing.is_empty() {
            match Pin::new(self.exchange.line()).poll_write(cx, &self.keepalive.outgoing) {
                Poll::Ready(Ok(n @ 1..)) => drop(self.keepalive.outgoing.drain(..n)),
                Poll::Ready(_) => self.keepalive.outgoing.clear(),
                Poll::Pending => return,
            }
        }
        self.keepalive.outgoing = Vec::new();
        let _ = Pin::new(self.exchange.line()).poll_flush(cx);
    }
}

/// An assembler that knows the parameter sets of the description.
fn nal_tapper(syntax: Syntax, video: &Video, config: &Config) -> Tapper {
    let mut assembler = Assembler::new(syntax, config.keyframe_bytes);
    video.parameter_sets.iter().for_each(|nal| assembler.parameter_set(nal));
    Tapper::Nal(assembler)
}
