//! Video flowing: SETUP, PLAY, and packet after packet with figures and keyframes.
//!
//! Packets are read, not frames: depacketizing 800 streams to throw the frames away is what this saves. All
//! packets at hand are taken in one go, and the clock and the timer are looked at once per wake-up.

use crate::{
    Config, Target,
    assemble::{Assembler, Found, Packet, Whole},
    exchange::Transcript,
    failure::{Account, Step, failure, stream_failure},
    jpeg::JpegAssembler,
    meter::{Meter, wall},
    nal::Syntax,
};
use fleet::{Cause, Codec, Transport, Wall};
use futures::Stream as _;
use health::{Failure, StreamFigures};
use retina::{
    client::{
        InitialSequenceNumberPolicy, InitialTimestampPolicy, PacketItem, PlayOptions, Playing, Session, SessionGroup,
        SessionOptions, SetupOptions, TcpTransportOptions, UdpTransportOptions,
    },
    codec::{ParametersRef, VideoParametersCodec},
    rtcp::{ReceivedCompoundPacket, TypedPacketRef},
    rtp::ReceivedPacket,
};
use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep_until, timeout},
};

/// A playing stream of one camera. Dropping it sends TEARDOWN in the background, through its session group.
pub(crate) struct Flow {
    session: Session<Playing>,
    codec: Codec,
    tapper: Tapper,
    meter: Meter,
    timer: Pin<Box<Sleep>>,
    first_packet: Option<Instant>,
    played: Instant,
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
    pub(crate) camera_clock: Option<Wall>,
}

/// Somebody who may wait for keyframes.
pub(crate) trait Listener {
    /// Asked at the start of each frame: keep it, should it be a keyframe?
    fn wants(&self) -> bool;
    /// A keyframe that was wanted.
    fn keyframe(&self, tapped: Tapped);
    /// So many that were wanted have come incomplete so far.
    fn incomplete(&self, count: u32);
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

/// How long a camera that cannot bear a second connection is given to forget the first.
const FORGET: Duration = Duration::from_millis(500);

/// Describes, sets up and plays the camera's video. `account` is what is known of the account.
///
/// `knocked` is the connection on which the camera described the stream before. It is kept until the camera has
/// described it again: GStreamer's server takes a stream down when the last who asked for it leaves, and answers
/// 503 meanwhile. Should the camera serve one connection only, it is let go and the camera asked once more.
pub(crate) async fn play(
    target: &Target,
    address: SocketAddr,
    knocked: TcpStream,
    config: &Config,
    group: &Arc<SessionGroup>,
    account: Account,
    transcript: &mut Transcript,
) -> Result<Flow, Failure> {
    let limit = config.limits.answer;
    let mut url = target.url.url().clone();
    // The address that was checked, not the name again.
    let _ = url.set_ip_host(address.ip());
    let describe = || {
        let options = SessionOptions::default()
            .creds(target.credentials.as_ref().map(|c| retina::client::Credentials {
                username: c.username.clone(),
                password: c.password.expose().to_owned(),
            }))
            .user_agent(config.user_agent.clone())
            .session_group(group.clone());
        // Up to two answers: the challenge and the description.
        within(Step::Describe, limit * 2, account, Session::describe(url.clone(), options))
    };
    let mut session = match describe().await {
        Err(Failure {
            cause: Cause::RtspError | Cause::SessionLimit | Cause::ConnectionLost | Cause::PortClosed,
            ..
        }) => {
            drop(knocked);
            tokio::time::sleep(FORGET).await;
            describe().await?
        }
        described => {
            drop(knocked);
            described?
        }
    };
    let (index, codec) = choose(session.streams())?;
    let transport = match target.transport {
        Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
        Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
    };
    let setup = session.setup(index, SetupOptions::default().transport(transport));
    within(Step::Setup, limit, account, setup)
        .await
        .inspect_err(|f| transcript.note(&format!("SETUP: {}", f.detail)))?;
    transcript.note("SETUP: accepted");

    let stream = &session.streams()[index];
    let clock_rate = stream.clock_rate_hz();
    let tapper = match codec {
        Codec::H264 => nal_tapper(Syntax::H264, stream, config),
        Codec::H265 => nal_tapper(Syntax::H265, stream, config),
        Codec::Jpeg => Tapper::Jpeg(JpegAssembler::new(config.keyframe_bytes)),
    };

    // One stream only, so nothing needs its time and sequence number in RTP-Info, which cameras get wrong
    // (Hikvision DS-2CD2032-I, Tapo C320WS: see the policy's documentation in retina).
    let options = PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Ignore)
        .initial_seq(InitialSequenceNumberPolicy::Ignore);
    let session = within(Step::Play, limit, account, session.play(options))
        .await
        .inspect_err(|f| transcript.note(&format!("PLAY: {}", f.detail)))?;
    transcript.note("PLAY: accepted");
    let now = Instant::now();
    Ok(Flow {
        session,
        codec,
        tapper,
        meter: Meter::new(clock_rate, now),
        timer: Box::pin(sleep_until(now.into())),
        first_packet: None,
        played: now,
    })
}

/// An assembler that knows the parameter sets of the description.
fn nal_tapper(syntax: Syntax, stream: &retina::client::Stream, config: &Config) -> Tapper {
    let mut assembler = Assembler::new(syntax, config.keyframe_bytes);
    if let Some(ParametersRef::Video(parameters)) = stream.parameters() {
        match parameters.codec_params() {
            VideoParametersCodec::H264 { sps, pps } => [sps, pps].iter().for_each(|nal| assembler.parameter_set(nal)),
            VideoParametersCodec::H265 { vps, sps, pps } => {
                [vps, sps, pps].iter().for_each(|nal| assembler.parameter_set(nal));
            }
            _ => {}
        }
    }
    Tapper::Nal(assembler)
}

/// One step of the stream library under an absolute limit.
async fn within<T>(
    step: Step,
    limit: Duration,
    account: Account,
    work: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(stream_failure(step, &error, account)),
        Err(_) => Err(failure(
            Cause::RtspNoAnswer,
            format!("{} was not answered within {} s", step.name(), limit.as_secs_f32()),
        )),
    }
}

/// The video we can read among what the camera offers.
fn choose(streams: &[retina::client::Stream]) -> Result<(usize, Codec), Failure> {
    let mut other = None;
    for (index, stream) in streams.iter().enumerate() {
        match (stream.media(), stream.encoding_name()) {
            ("video", "h264") => return Ok((index, Codec::H264)),
            ("video", "h265" | "hevc") => return Ok((index, Codec::H265)),
            ("video" | "image", "jpeg") => return Ok((index, Codec::Jpeg)),
            ("video" | "image", name) => other = other.or(Some(name)),
            _ => {}
        }
    }
    Err(match other {
        Some(name) => failure(Cause::UnsupportedCodec, format!("the camera sends {}", name.to_uppercase())),
        None => {
            let offered: Vec<&str> = streams.iter().take(8).map(retina::client::Stream::media).collect();
            failure(
                Cause::NoVideo,
                format!(
                    "the description offers {}",
                    if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") }
                ),
            )
        }
    })
}

impl Flow {
    /// When PLAY was answered.
    pub(crate) fn played(&self) -> Instant {
        self.played
    }

    pub(crate) fn first_packet(&self) -> Option<Instant> {
        self.first_packet
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
        self.meter.report(self.codec, self.tapper.dimensions(), now)
    }

    /// Takes packets until `until`, the first packet, or the end of the stream.
    pub(crate) async fn run(&mut self, until: Instant, listener: &impl Listener) -> Turn {
        if self.timer.deadline() != until.into() {
            self.timer.as_mut().reset(until.into());
        }
        poll_fn(|cx| self.poll(cx, until, listener)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, until: Instant, listener: &impl Listener) -> Poll<Turn> {
        loop {
            match pin!(&mut self.session).poll_next(cx) {
                Poll::Ready(Some(Ok(PacketItem::Rtp(packet)))) => {
                    let arrived = packet.ctx().received();
                    self.rtp(&packet, arrived, listener);
                    if self.first_packet.is_none() {
                        self.first_packet = Some(arrived);
                        return Poll::Ready(Turn::Began);
                    }
                    // A flood must not hold up what is due.
                    if arrived >= until {
                        return Poll::Ready(Turn::Time);
                    }
                }
                Poll::Ready(Some(Ok(PacketItem::Rtcp(packet)))) => self.rtcp(&packet),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Turn::Ended(stream_failure(Step::Flow, &error, Account::None)));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(Turn::Ended(failure(Cause::StreamEnded, "the camera closed the connection")));
                }
                Poll::Pending => break,
            }
        }
        // Not only the timer: it does not fire while this task has used up its turn on a flood that brings
        // forth no packet.
        if Instant::now() >= until {
            return Poll::Ready(Turn::Time);
        }
        self.timer.as_mut().poll(cx).map(|()| Turn::Time)
    }

    fn rtp(&mut self, packet: &ReceivedPacket, now: Instant, listener: &impl Listener) {
        let (payload, header) = (packet.payload(), packet.header());
        self.meter.packet(packet.raw().len(), payload.len(), packet.loss(), now);
        let found = self.tapper.push(
            Packet { payload, timestamp: header.timestamp(), mark: header.mark(), lost: packet.loss(), arrived: now },
            || listener.wants(),
        );
        if found.missed {
            listener.incomplete(self.tapper.incomplete().0);
        }
        if found.frame {
            self.meter.frame(header.timestamp(), now);
        }
        if found.keyframe {
            self.meter.keyframe(now);
        }
        if let Some(whole) = found.whole {
            let camera_clock = self.meter.camera_clock(whole.timestamp);
            listener.keyframe(Tapped { whole, codec: self.codec, camera_clock });
        }
    }

    fn rtcp(&mut self, packet: &ReceivedCompoundPacket) {
        let arrived = wall(packet.ctx().received_wall().into());
        for part in packet.pkts() {
            if let Ok(Some(TypedPacketRef::SenderReport(report))) = part.as_typed() {
                self.meter.sender_report(report.ntp_timestamp().0, report.rtp_timestamp(), arrived);
            }
        }
    }
}
