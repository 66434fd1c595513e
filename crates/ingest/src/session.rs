//! One camera's session from the first knock to its end.

use crate::{
    Config, Keyframe, Target,
    address::locate,
    description::Video,
    exchange::{Exchange, connect},
    failure::failure,
    flow::{Flow, Listener, Tapped, Turn},
    line::Line,
    live::Viewers,
    play::play,
    tap::Tap,
    tls::Pin,
    transcript::Transcript,
};
use fleet::{CameraId, Cause, Mono, Now, StreamChoice, Transport, Wall};
use health::{Carriage, Failure, StreamEvent};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{Sender, error::TrySendError};
use tokio_util::task::TaskTracker;

/// How soon a short session ends once it has its picture.
const PHOTOGRAPH: Duration = Duration::from_millis(50);

/// Everything before SETUP: address, TCP, DESCRIBE. Returns the conversation still open.
async fn knock(
    target: &Target,
    config: &Config,
    refused_before: bool,
    pin: &Pin,
    leaving: &TaskTracker,
    transcript: &mut Transcript,
) -> Result<(SocketAddr, Exchange, Video), Failure> {
    let address = locate(&target.url, config).await?;
    let stream = connect(address, config.limits.connect).await?;
    let line = Line::of(stream, target, address, config, pin, transcript).await?;
    let mut url = target.url.url().clone();
    // The address that was checked, not the name again.
    let _ = url.set_ip_host(address.ip());
    let mut exchange = Exchange::new(line, config, target.credentials.as_ref(), refused_before, leaving);
    let video = exchange.describe(&url, transcript).await?.video?;
    Ok((address, exchange, video))
}

/// What a session needs to know and whom it tells.
pub(crate) struct Session<'a> {
    pub(crate) camera: CameraId,
    pub(crate) stream: StreamChoice,
    pub(crate) target: &'a Target,
    pub(crate) config: &'a Config,
    /// Counts sessions that take leave.
    pub(crate) leaving: TaskTracker,
    pub(crate) refused_before: bool,
    /// The certificate the camera is held to.
    pub(crate) pin: Pin,
    /// How its packets travelled the last time, if not as registered.
    pub(crate) carriage: Carriage,
    pub(crate) tap: &'a Tap,
    pub(crate) viewers: &'a Viewers,
    pub(crate) events: &'a Sender<(CameraId, StreamEvent)>,
    pub(crate) counters: &'a crate::totals::Counters,
}

impl Session<'_> {
    /// Opens the session and keeps it until it fails.
    /// `record` gets the exchange once it is over, `carried` how packets travel once they do.
    pub(crate) async fn run(
        &self,
        transcript: &mut Transcript,
        record: &impl Fn(&str),
        carried: &impl Fn(&Carriage),
    ) -> Failure {
        let began = Instant::now();
        let opened = {
            let _opening = self.counters.opening();
            // Boxed: what opening needs is gone while the session runs.
            Box::pin(self.open(transcript)).await
        };
        record(transcript.text());
        let (mut flow, carriage) = match opened {
            Ok(opened) => opened,
            Err(failure) => return failure,
        };
        carried(&carriage);
        let _open = self.counters.opened();
        self.viewers.open(flow.codec());
        let took = flow.first_packet().unwrap_or(began).saturating_duration_since(began);
        let opened = StreamEvent::Opened { stream: self.stream, took, carriage };
        let ended = self.keep(&mut flow, opened).await;
        self.counters.add(flow.meter().counts());
        ended
    }

    /// Opens the session for one keyframe that somebody waits for at the tap.
    pub(crate) async fn photograph(&self, transcript: &mut Transcript) -> Failure {
        let opened = {
            let _opening = self.counters.opening();
            Box::pin(self.open(transcript)).await
        };
        let (mut flow, _) = match opened {
            Ok(opened) => opened,
            Err(failure) => return failure,
        };
        let _open = self.counters.opened();
        let limits = &self.config.limits;
        let until = Instant::now() + limits.first_keyframe;
        let ended = loop {
            let now = Instant::now();
            if self.tap.served() {
                break failure(Cause::NotYetChecked, "the picture was taken");
            }
            if now >= flow.meter().last_packet() + limits.packet_gap {
                break failure(Cause::Stalled, "no packet while a keyframe was awaited");
            }
            if now >= until {
                break match flow.incomplete() {
                    (0, _) => failure(
                        Cause::NoKeyframe,
                        format!("no keyframe for {:.1} s while packets arrive", limits.first_keyframe.as_secs_f32()),
                    ),
                    (n, why) => failure(Cause::PacketLoss, format!("{n} keyframes were not whole: {why}")),
                };
            }
            if let Turn::Ended(failure) = flow.run((now + PHOTOGRAPH).min(until), self).await {
                break failure;
            }
        };
        self.counters.add(flow.meter().counts());
        ended
    }

    /// Up to the first packet of video. If none comes by UDP, once more by TCP.
    async fn open(&self, transcript: &mut Transcript) -> Result<(Flow, Carriage), Failure> {
        let mut carriage = self.carriage.clone();
        let limit = self.config.limits.first_packet;
        let mut fell_back = false;
        loop {
            // The session before may still be taking leave.
            let _ = tokio::time::timeout(self.config.teardown, self.leaving.wait()).await;
            let (address, exchange, video) =
                knock(self.target, self.config, self.refused_before, &self.pin, &self.leaving, transcript).await?;
            let mut flow =
                play(exchange, &video, self.target, &mut carriage, address.ip(), self.config, transcript).await?;
            match flow.run(flow.played() + limit, self).await {
                Turn::Began => return Ok((flow, carriage)),
                // Once: a camera that answers TCP with UDP and then sends nothing would lead from one to the other for ever.
                Turn::Time if carriage.transport == Transport::Udp && self.config.transport_fallback && !fell_back => {
                    fell_back = true;
                    let why = format!("by UDP no packet of video came within {} s", limit.as_secs_f32());
                    transcript.note(&format!("({why}; TCP is tried)\n"));
                    carriage = Carriage { transport: Transport::Tcp, fallback: Some(why) };
                }
                Turn::Time => {
                    return Err(failure(
                        Cause::NoRtp,
                        format!("PLAY was accepted, but no packet of video came within {} s", limit.as_secs_f32()),
                    ));
                }
                Turn::Ended(failure) => return Err(failure),
            }
        }
    }

    /// From the first packet to the end.
    async fn keep(&self, flow: &mut Flow, opened: StreamEvent) -> Failure {
        let limits = &self.config.limits;
        let began = flow.first_packet().unwrap_or_else(Instant::now);
        let mut outbox = Outbox::new(self.camera, self.events);
        outbox.put(opened);
        loop {
            // Worked out afresh only when a time has come, not per packet: it can only have moved further away.
            let last_packet = flow.meter().last_packet();
            let (keyframe_from, keyframe_limit) = match flow.meter().last_keyframe() {
                Some(at) => (at, limits.keyframe_gap),
                None => (began, limits.first_keyframe),
            };
            let gap_at = last_packet + limits.packet_gap;
            let keyframe_at = keyframe_from + keyframe_limit;
            let figures_at = flow.meter().window_began() + self.config.figures_every;
            let now = Instant::now();
            if now >= gap_at {
                return failure(Cause::Stalled, format!("no packet for {:.1} s", (now - last_packet).as_secs_f32()));
            }
            if now >= keyframe_at {
                return failure(
                    Cause::NoKeyframe,
                    format!("no keyframe for {:.1} s while packets arrive", (now - keyframe_from).as_secs_f32()),
                );
            }
            if now >= figures_at {
                self.counters.add(flow.meter().counts());
                outbox.put(StreamEvent::Figures(flow.report(now)));
            }
            let next = gap_at.min(keyframe_at).min(flow.meter().window_began() + self.config.figures_every);
            let next = outbox.retry_at(now).map_or(next, |at| at.min(next));
            if let Turn::Ended(failure) = flow.run(next, self).await {
                // `Opened` must come before `Ended`.
                outbox.flush().await;
                return failure;
            }
            outbox.send();
        }
    }
}

impl Listener for Session<'_> {
    fn wants(&self) -> bool {
        self.tap.begin()
    }

    fn keyframe(&self, tapped: Tapped) {
        self.counters.assembled();
        self.tap.deliver(Arc::new(keyframe(self.camera, self.stream, tapped)));
    }

    fn incomplete(&self, count: u32) {
        self.tap.set_incomplete(count);
    }

    fn viewers(&self) -> Option<&Viewers> {
        Some(self.viewers)
    }
}

/// Dates a keyframe back to its first packet.
pub(crate) fn keyframe(camera: CameraId, stream: StreamChoice, tapped: Tapped) -> Keyframe {
    let since = tapped.whole.began.elapsed();
    let now = Now::read();
    let back = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    Keyframe {
        camera,
        stream,
        codec: tapped.codec,
        width: tapped.whole.width,
        height: tapped.whole.height,
        received: Now {
            mono: Mono(now.mono.0.saturating_sub(back(since))),
            wall: Wall(now.wall.0.saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))),
        },
        camera_clock: tapped.camera_clock,
        data: tapped.whole.data,
    }
}

/// Events on their way out. A full channel must not stop the reading of packets: `Opened` is offered again,
/// figures give way to newer ones.
struct Outbox<'a> {
    camera: CameraId,
    events: &'a Sender<(CameraId, StreamEvent)>,
    opened: Option<StreamEvent>,
    figures: Option<StreamEvent>,
}

impl<'a> Outbox<'a> {
    fn new(camera: CameraId, events: &'a Sender<(CameraId, StreamEvent)>) -> Outbox<'a> {
        Outbox { camera, events, opened: None, figures: None }
    }

    fn put(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Opened { .. } => self.opened = Some(event),
            _ => self.figures = Some(event),
        }
        self.send();
    }

    fn send(&mut self) {
        for slot in [&mut self.opened, &mut self.figures] {
            if let Some(event) = slot.take()
                && let Err(TrySendError::Full((_, event))) = self.events.try_send((self.camera, event))
            {
                *slot = Some(event);
                return;
            }
        }
    }

    fn retry_at(&self, now: Instant) -> Option<Instant> {
        (self.opened.is_some() || self.figures.is_some()).then(|| now + Duration::from_millis(100))
    }

    async fn flush(&mut self) {
        for event in [self.opened.take(), self.figures.take()].into_iter().flatten() {
            let _ = self.events.send((self.camera, event)).await;
        }
    }
}
