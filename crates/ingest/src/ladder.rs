//! The ladder: one climb from the address to flowing video, with the evidence of every rung.

use crate::{
    Config, Fingerprint, Keyframe,
    address::locate,
    exchange::{Admission, Described, Exchange, connect},
    failure::{failure, printable},
    flow::{Flow, Listener, Tapped, Turn},
    line::Line,
    ping::{Ping, ping},
    play::play,
    session::keyframe,
    tls::Pin,
    transcript::Transcript,
};
use fleet::{Camera, CameraId, Cause, Confidence, Credentials, Layer, Quirks, StreamChoice, StreamUrl, Transport};
use health::{Carriage, Failure, StreamFigures};
use serde::{Deserialize, Serialize};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// What is to be climbed.
#[derive(Clone, Debug)]
pub struct Target {
    /// The stream's address.
    pub url: StreamUrl,
    /// The account, if any.
    pub credentials: Option<Credentials>,
    /// How RTP shall travel.
    pub transport: Transport,
    /// How the camera is treated where it does not keep to the RFCs.
    pub quirks: Quirks,
    /// The certificate that it must show on a climb; any if `None`.
    pub certificate: Option<Fingerprint>,
}

impl Target {
    /// One of a registered camera's streams.
    #[must_use]
    pub fn of(camera: &Camera, stream: StreamChoice) -> Target {
        Target {
            url: camera.stream(stream).clone(),
            credentials: camera.credentials.clone(),
            transport: camera.transport,
            quirks: camera.device.quirks,
            certificate: None,
        }
    }

    /// How packets shall travel before anything else was tried.
    pub(crate) fn carriage(&self) -> Carriage {
        Carriage { transport: self.transport, fallback: None }
    }
}

/// How a rung ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not; the climb ends here.
    Failed,
    /// It could not be tried; the evidence says why. The climb goes on.
    Skipped,
}

/// One rung and what was found there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rung {
    /// Which rung.
    pub layer: Layer,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// How sure that is; nothing of a rung that was skipped.
    pub confidence: Option<Confidence>,
    /// What the outcome rests on: times, status lines, counts. Never a secret.
    pub evidence: String,
}

/// One climb.
#[derive(Clone, Debug)]
pub struct Climb {
    /// The rungs in order, up to and with the first that failed.
    pub rungs: Vec<Rung>,
    /// Why it ended early; `None` if video flows.
    pub failure: Option<Failure>,
    /// The first keyframe, for the rungs above (decode, picture).
    pub keyframe: Option<Keyframe>,
    /// What was counted while video flowed.
    pub figures: Option<StreamFigures>,
    /// The RTSP exchange, secrets removed.
    pub transcript: String,
}

/// Of a rung that was not tried by itself, but below one that was reached.
const UNSPOKEN: &str = "nothing spoke against it";
/// How long video is watched once it flows, so that its figures mean something.
const WATCH: Duration = Duration::from_secs(2);
/// How long after its last packet a stream is still taken to flow.
const FRESH: Duration = Duration::from_millis(500);
/// How long an echo request may take.
const PING: Duration = Duration::from_secs(1);
/// How long a climb may take in all.
const WHOLE: Duration = Duration::from_secs(20);

/// Climbs address, network, port, rtsp, auth, media and flow; decode, picture and clock are the caller's, from
/// the keyframe and figures it gets. Takes about 20 s at most. `on_rung` hears each rung as it is decided.
///
/// Opens a session of its own and ends it: not for a camera whose session runs.
pub async fn climb(target: &Target, config: &Config, on_rung: &mut (dyn FnMut(&Rung) + Send)) -> Climb {
    let mut climber = Climber {
        target,
        config,
        until: Instant::now() + WHOLE,
        since: Instant::now(),
        on_rung,
        rungs: Vec::new(),
        transcript: Transcript::default(),
    };
    let leaving = TaskTracker::new();
    leaving.close();
    let outcome = climber.climb(&leaving).await;
    // The camera may serve one session only: leave it free for whoever comes next.
    let _ = tokio::time::timeout(config.teardown, leaving.wait()).await;
    let Climber { rungs, transcript, .. } = climber;
    let (failure, keyframe, figures) = match outcome {
        Ok((keyframe, figures)) => (None, Some(keyframe), Some(figures)),
        Err((failure, figures)) => (Some(failure), None, figures),
    };
    Climb { rungs, failure, keyframe, figures, transcript: transcript.into_text() }
}

struct Climber<'a> {
    target: &'a Target,
    config: &'a Config,
    until: Instant,
    /// When the rung in hand was begun.
    since: Instant,
    on_rung: &'a mut (dyn FnMut(&Rung) + Send),
    rungs: Vec<Rung>,
    transcript: Transcript,
}

type Fallen = (Failure, Option<StreamFigures>);

impl Climber<'_> {
    async fn climb(&mut self, leaving: &TaskTracker) -> Result<(Keyframe, StreamFigures), Fallen> {
        let config = self.config;
        let address = match locate(&self.target.url, config).await {
            Ok(address) => address,
            Err(failure) => return Err(self.fall(failure, None)),
        };
        self.pass(Layer::Address, format!("{address}"));

        let stream = self.network_and_port(address).await?;
        let mut url = self.target.url.url().clone();
        // The address that was checked, not the name again.
        let _ = url.set_ip_host(address.ip());
        let account = self.target.credentials.as_ref();
        let transcript = &mut self.transcript;
        let pin = Pin::default();
        pin.set(self.target.certificate);
        let securing = Line::of(stream, self.target, address, config, &pin, transcript);
        let line = match in_time(self.until, securing).await {
            Ok(line) => line,
            Err(failure) => return Err(self.fall(failure, None)),
        };
        let mut exchange = Exchange::new(line, config, account, false, leaving);
        let transcript = &mut self.transcript;
        let spoken =
            async { Ok((exchange.options(&url, transcript).await?, exchange.describe(&url, transcript).await?)) };
        let (options, mut described) = match in_time(self.until, spoken).await {
            Ok(spoken) => spoken,
            Err(failure) => return Err(self.fall(failure, None)),
        };
        let video = match std::mem::replace(&mut described.video, Err(failure(Cause::NoVideo, ""))) {
            Ok(video) => video,
            Err(failed) => {
                self.spoken(&options, &described, Some(failed.layer()));
                return Err(self.fall(failed, None));
            }
        };

        // SETUP and PLAY may still show a fault of a lower rung (a full session table is one of RTSP), so these
        // rungs are decided together.
        let mut carriage = self.target.carriage();
        let transcript = &mut self.transcript;
        let playing = play(exchange, &video, self.target, &mut carriage, address.ip(), config, transcript);
        let flow = match in_time(self.until, playing).await {
            Ok(flow) => flow,
            Err(failed) => {
                // The port was open a moment ago.
                let failed =
                    if failed.layer() < Layer::Rtsp { failure(Cause::ConnectionLost, failed.detail) } else { failed };
                self.spoken(&options, &described, Some(failed.layer()));
                return Err(self.fall(failed, None));
            }
        };
        self.spoken(&options, &described, None);
        self.pass(
            Layer::Media,
            format!(
                "{}, {} bytes of SDP; SETUP and PLAY accepted{}",
                flow.codec_name(),
                described.sdp_bytes,
                by(&carriage)
            ),
        );
        self.flow(flow, carriage, (address, leaving)).await
    }

    /// The echo and the TCP connection together: either answer shows that something is there.
    async fn network_and_port(&mut self, address: SocketAddr) -> Result<TcpStream, Fallen> {
        let loopback = address.ip().to_canonical().is_loopback();
        let echo = async { if loopback { None } else { Some(ping(address.ip(), PING).await) } };
        let (echo, stream) = tokio::join!(echo, connect(address, self.config.limits.connect));
        let answered = matches!(echo, Some(Ping::Answered(_)));
        let evidence = match echo {
            None => "not asked: loopback answers for every address".to_owned(),
            Some(Ping::Answered(took)) => format!("ping answered in {:.1} ms", took.as_secs_f64() * 1000.0),
            Some(Ping::Silent) => format!("ping not answered within {} s", PING.as_secs_f32()),
            Some(Ping::NotPermitted(why)) => format!("ping not permitted here ({why})"),
        };
        match stream {
            Ok(stream) => {
                let (outcome, evidence) = if answered || evidence.starts_with("ping not answered") {
                    (Outcome::Passed, format!("{evidence}; TCP answered"))
                } else {
                    (Outcome::Skipped, evidence)
                };
                self.add(Layer::Network, outcome, None, evidence);
                self.pass(Layer::Port, format!("TCP port {} accepts", address.port()));
                Ok(stream)
            }
            Err(failure) if failure.cause.layer() == Layer::Port || answered => {
                // A refusal is an answer; so is a ping, and then silence is the port's.
                let refusal = failure.cause.layer() == Layer::Port;
                self.add(
                    Layer::Network,
                    Outcome::Passed,
                    None,
                    if refusal { format!("{evidence}; TCP was refused") } else { evidence },
                );
                let failure = if refusal {
                    failure
                } else {
                    self::failure(Cause::PortClosed, format!("{} (the host answers ping)", failure.detail))
                };
                Err(self.fall(failure, None))
            }
            Err(failure) => {
                Err(self.fall(self::failure(failure.cause, format!("{}; {evidence}", failure.detail)), None))
            }
        }
    }

    /// Decides the rungs rtsp and auth below `failed`.
    fn spoken(&mut self, options: &str, described: &Described, failed: Option<Layer>) {
        let below = |layer| failed.is_none_or(|failed| layer < failed);
        let took = described.took.as_millis();
        if below(Layer::Rtsp) {
            self.pass(Layer::Rtsp, format!("OPTIONS: {options}; DESCRIBE: {} ({took} ms)", described.status_line));
        }
        if below(Layer::Auth) {
            let evidence = match &described.admission {
                Admission::NotAsked => "the camera asks for no account".to_owned(),
                Admission::Accepted(scheme) => format!("account accepted by {scheme}"),
            };
            self.pass(Layer::Auth, evidence);
        }
    }

    /// First packet, first keyframe, and two seconds of figures.
    async fn flow(
        &mut self,
        mut flow: Flow,
        mut carriage: Carriage,
        again: (SocketAddr, &TaskTracker),
    ) -> Result<(Keyframe, StreamFigures), Fallen> {
        let limits = &self.config.limits;
        let catch = Catch::default();
        let first_by = |flow: &Flow, until: Instant| (flow.played() + limits.first_packet).min(until);
        let mut turn = flow.run(first_by(&flow, self.until), &catch).await;
        let by_udp = carriage.transport == Transport::Udp && self.config.transport_fallback;
        let silent = by_udp && matches!(turn, Turn::Time);
        if silent {
            let waited = flow.played().elapsed().as_secs_f32();
            carriage.transport = Transport::Tcp;
            carriage.fallback = Some(format!("by UDP no packet of video came within {waited:.1} s"));
            drop(flow);
            flow = match self.once_more(&mut carriage, again).await {
                Ok(flow) => flow,
                Err(failed) => return Err(self.fall(of_flow(failed), None)),
            };
            turn = flow.run(first_by(&flow, self.until), &catch).await;
        }
        match turn {
            Turn::Began => {}
            Turn::Time => {
                let waited = flow.played().elapsed().as_secs_f32();
                return Err(self.fall(
                    failure(
                        Cause::NoRtp,
                        format!("PLAY was accepted, but no packet of video came within {waited:.1} s"),
                    ),
                    None,
                ));
            }
            Turn::Ended(failure) => return Err(self.fall(of_flow(failure), None)),
        }
        let mut held = None;
        let began = Instant::now();
        let (watch_until, keyframe_by) = (began + WATCH, (began + limits.first_keyframe).min(self.until));
        loop {
            let now = Instant::now();
            let last = flow.meter().last_packet();
            held = catch.take().or(held);
            if now >= last + limits.packet_gap {
                let detail = format!("no packet for {:.1} s", (now - last).as_secs_f32());
                return Err(self.fall(failure(Cause::Stalled, detail), Some(flow.report(now))));
            }
            // A stream that has just fallen silent is watched until it goes on or has stalled.
            if now >= watch_until
                && now < last + FRESH
                && let Some(tapped) = held.take()
            {
                let figures = flow.report(now);
                let keyframe = keyframe(CameraId(0), StreamChoice::Main, tapped);
                self.pass(
                    Layer::Flow,
                    format!(
                        "{} packets, {} lost, {:.1} frames/s, {} kbit/s; keyframe of {} bytes, {}x{}{}",
                        figures.packets,
                        figures.lost,
                        figures.fps,
                        figures.bitrate / 1000,
                        keyframe.data.len(),
                        keyframe.width,
                        keyframe.height,
                        if silent { by(&carriage) } else { String::new() },
                    ),
                );
                return Ok((keyframe, figures));
            }
            if now >= keyframe_by {
                let packets = flow.meter().counts().packets;
                let failure = match flow.incomplete() {
                    (0, _) => failure(
                        Cause::NoKeyframe,
                        format!("{packets} packets, but no whole keyframe in {:.1} s", (now - began).as_secs_f32()),
                    ),
                    (n, why) => failure(Cause::BadRtp, format!("{n} keyframes were not whole: {why}")),
                };
                return Err(self.fall(failure, Some(flow.report(now))));
            }
            let next = (now + Duration::from_millis(100)).min(keyframe_by);
            if let Turn::Ended(failure) = flow.run(next, &catch).await {
                return Err(self.fall(of_flow(failure), Some(flow.report(Instant::now()))));
            }
        }
    }

    /// Opens the session anew, its packets to travel otherwise.
    async fn once_more(
        &mut self,
        carriage: &mut Carriage,
        (address, leaving): (SocketAddr, &TaskTracker),
    ) -> Result<Flow, Failure> {
        let config = self.config;
        let _ = tokio::time::timeout(config.teardown, leaving.wait()).await;
        let (target, transcript) = (self.target, &mut self.transcript);
        in_time(self.until, async {
            let stream = connect(address, config.limits.connect).await?;
            let pin = Pin::default();
            pin.set(target.certificate);
            let line = Line::of(stream, target, address, config, &pin, transcript).await?;
            let mut exchange = Exchange::new(line, config, target.credentials.as_ref(), false, leaving);
            let mut url = target.url.url().clone();
            let _ = url.set_ip_host(address.ip());
            let video = exchange.describe(&url, transcript).await?.video?;
            play(exchange, &video, target, carriage, address.ip(), config, transcript).await
        })
        .await
    }

    fn pass(&mut self, layer: Layer, evidence: String) {
        self.add(layer, Outcome::Passed, None, evidence);
    }

    /// Adds the rung that failed, after the ones below it that nothing spoke against.
    fn fall(&mut self, failure: Failure, figures: Option<StreamFigures>) -> Fallen {
        for layer in Layer::ALL {
            if layer < failure.layer() && self.rungs.last().is_none_or(|r| r.layer < layer) {
                let evidence = if layer == Layer::Rtsp { "RTSP was answered" } else { UNSPOKEN };
                self.pass(layer, evidence.to_owned());
            }
        }
        self.add(failure.layer(), Outcome::Failed, Some(failure.cause), failure.detail.clone());
        (failure, figures)
    }

    fn add(&mut self, layer: Layer, outcome: Outcome, cause: Option<Cause>, evidence: String) {
        let sure = match (outcome, cause) {
            (Outcome::Skipped, _) => None,
            (Outcome::Passed, _) if evidence == UNSPOKEN => Some(Confidence::Likely),
            (Outcome::Passed, _) => Some(Confidence::Certain),
            // Silence, and no ping to ask with: less is known.
            (Outcome::Failed, Some(Cause::NoAnswer)) if !evidence.contains("ping not answered") => {
                Some(Cause::NoAnswer.confidence().weakened())
            }
            (Outcome::Failed, cause) => cause.map(Cause::confidence),
        };
        let took = self.since.elapsed();
        let rung = Rung { layer, outcome, took, cause, confidence: sure, evidence: printable(&evidence, 400) };
        self.since = Instant::now();
        (self.on_rung)(&rung);
        self.rungs.push(rung);
    }
}

/// How packets travel, as evidence.
fn by(carriage: &Carriage) -> String {
    let transport = carriage.transport.code().to_uppercase();
    match &carriage.fallback {
        None => format!(" by {transport}"),
        Some(why) => format!(" by {transport} instead of {}: {why}", carriage.transport.other().code().to_uppercase()),
    }
}

/// Holds a step to the time of the whole climb.
async fn in_time<T>(until: Instant, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout_at(until.into(), step)
        .await
        .unwrap_or_else(|_| Err(failure(Cause::RtspNoAnswer, "the camera answers too slowly for a check")))
}

/// What ends a flow is a fault of the flow, the rungs below it having been passed.
fn of_flow(failed: Failure) -> Failure {
    if failed.layer() >= Layer::Flow { failed } else { failure(Cause::StreamEnded, failed.detail) }
}

/// Catches keyframes, keeping the newest.
#[derive(Default)]
struct Catch(Mutex<Option<Tapped>>);

impl Catch {
    fn take(&self) -> Option<Tapped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Listener for Catch {
    fn wants(&self) -> bool {
        true
    }

    fn keyframe(&self, tapped: Tapped) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tapped);
    }

    fn incomplete(&self, _: u32) {}
}
