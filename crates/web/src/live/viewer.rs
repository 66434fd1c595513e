//! One viewer's connection.

use super::{
    message::{Acknowledged, Kind, Said},
    source::{Given, Source},
};
use crate::{
    app::App,
    audit::{Action, Deed},
    caller::Caller,
};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use fleet::{CameraId, Codec};
use fmp4::{Coding, Sample, Track};
use ingest::{Frame, ParameterSets, Skip, Watched};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast,
    time::{Instant, timeout},
};

/// Bytes on the way to a viewer that he has not acknowledged; more wait in his queue, where they are dropped when
/// they become old. Large enough for a second of a good stream, small enough that nobody watches the past.
const ON_THE_WAY: usize = 512 << 10;
/// A viewer who acknowledges or takes nothing for so long is gone.
const SILENT: Duration = Duration::from_secs(30);
/// The session ended or the viewer may not see this camera any more.
const CLOSE_REVOKED: u16 = 4401;
/// The service stops.
const CLOSE_STOPPING: u16 = 1001;

/// Why a live view ended.
enum End {
    Gone,
    Revoked,
    Stopping,
}

/// Serves one viewer until he goes, his session ends or the node stops.
pub(super) async fn serve(
    app: App,
    caller: Caller,
    camera: CameraId,
    h265: bool,
    socket: WebSocket,
    revoked: broadcast::Receiver<()>,
) {
    let began = Instant::now();
    let mut viewer = Viewer {
        camera,
        socket,
        revoked,
        track: None,
        sequence: 0,
        sent: 0,
        on_the_way: VecDeque::new(),
        bytes: 0,
        heard: Instant::now(),
        caller,
        app,
    };
    let end = viewer.run(h265).await;
    let code = match end {
        End::Gone => None,
        End::Revoked => Some((CLOSE_REVOKED, "session ended")),
        End::Stopping => Some((CLOSE_STOPPING, "stopping")),
    };
    let Viewer { app, caller, mut socket, .. } = viewer;
    if let Some((code, reason)) = code {
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = timeout(Duration::from_secs(1), socket.send(close)).await;
    }
    drop(socket);
    let deed = Deed::of(&caller, Action::LiveClosed).on(camera).detail(format!("{} s", began.elapsed().as_secs()));
    if app.audit(deed).await.is_err() {
        tracing::warn!(%camera, "the end of a live view could not be written into the audit log");
    }
}

struct Viewer {
    app: App,
    caller: Caller,
    camera: CameraId,
    socket: WebSocket,
    revoked: broadcast::Receiver<()>,
    /// What the frames are wrapped with, and the sets it was made of.
    track: Option<(Arc<ParameterSets>, Track)>,
    sequence: u32,
    /// Binary messages so far.
    sent: u64,
    /// Sizes of those not acknowledged yet.
    on_the_way: VecDeque<usize>,
    bytes: usize,
    /// When the viewer was last heard of.
    heard: Instant,
}

impl Viewer {
    async fn run(&mut self, h265: bool) -> End {
        match self.follow(h265).await {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn follow(&mut self, h265: bool) -> Result<std::convert::Infallible, End> {
        self.still_allowed().await?;
        let stop = self.app.stopping();
        let mut source = Source::new(self.app.clone(), self.camera, h265);
        let mut heartbeat = tokio::time::interval(self.app.services.config.heartbeat);
        loop {
            let room = self.bytes < ON_THE_WAY;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Stopping),
                // Falling behind here only means that there were many revocations.
                _ = self.revoked.recv() => self.still_allowed().await?,
                heard = self.socket.recv() => self.hear(heard)?,
                _ = heartbeat.tick() => {
                    self.still_allowed().await?;
                    if self.heard.elapsed() > SILENT {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Bytes::new())).await?;
                }
                given = source.next(), if room => self.give(given).await?,
            }
        }
    }

    /// What the viewer says.
    fn hear(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match heard {
            Some(Ok(Message::Text(text))) => {
                let Ok(Acknowledged { got }) = serde_json::from_str(&text) else { return Err(End::Gone) };
                let open = self.sent.checked_sub(got).and_then(|n| usize::try_from(n).ok()).ok_or(End::Gone)?;
                while self.on_the_way.len() > open {
                    self.bytes -= self.on_the_way.pop_front().unwrap_or(0);
                }
            }
            Some(Ok(Message::Pong(_) | Message::Ping(_))) => {}
            Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        }
        self.heard = Instant::now();
        Ok(())
    }

    async fn give(&mut self, given: Given) -> Result<(), End> {
        match given {
            Given::Waiting => self.say(&Said::Waiting).await,
            Given::Pictures(codec) => {
                let codec = match codec {
                    Codec::H264 => "h264",
                    Codec::H265 => "h265",
                    Codec::Jpeg => "jpeg",
                };
                self.say(&Said::Pictures { codec }).await
            }
            Given::Picture(jpeg) => self.show(Kind::Picture, &jpeg).await,
            Given::NoStream => {
                self.track = None;
                let cause = self.app.services.board.load().camera(self.camera).and_then(|row| row.cause);
                self.say(&Said::NoStream { cause: cause.map(fleet::Cause::code) }).await
            }
            Given::Watched(Watched::Skipped(why)) => {
                let why = match why {
                    Skip::Loss => "loss",
                    Skip::Slow => "slow",
                };
                self.say(&Said::Skipped { why }).await
            }
            Given::Watched(Watched::Frame(frame)) => self.frame(&frame).await,
        }
    }

    async fn frame(&mut self, frame: &Frame) -> Result<(), End> {
        let same = self.track.as_ref().is_some_and(|(sets, _)| Arc::ptr_eq(sets, &frame.sets));
        if !same {
            let Some(track) = track(&frame.sets) else {
                // Parameter sets that name no profile: nothing a browser could play.
                return self.say(&Said::Waiting).await;
            };
            let (mime, init) = (track.mime(), track.init());
            self.track = Some((Arc::clone(&frame.sets), track));
            self.say(&Said::Stream { mime, width: frame.sets.width, height: frame.sets.height }).await?;
            self.show(Kind::Init, &init).await?;
        }
        let Some((_, track)) = &self.track else { return Ok(()) };
        self.sequence = self.sequence.wrapping_add(1);
        let fragment = track.fragment(
            self.sequence,
            &Sample {
                decode_time: frame.decode_time,
                duration: frame.duration,
                offset: frame.offset,
                keyframe: frame.keyframe,
                data: &frame.data,
            },
        );
        self.show(Kind::Fragment, &fragment).await
    }

    async fn say(&mut self, said: &Said) -> Result<(), End> {
        let text = serde_json::to_string(said).expect("strings and numbers always serialize");
        self.send(Message::Text(text.into())).await
    }

    async fn show(&mut self, kind: Kind, content: &[u8]) -> Result<(), End> {
        self.sent += 1;
        self.on_the_way.push_back(content.len());
        self.bytes += content.len();
        self.send(Message::Binary(kind.message(content))).await
    }

    /// Sends, and gives up at once when the viewer may not see it any more.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let (app, caller, camera) = (&self.app, &self.caller, self.camera);
        let stop = app.stopping();
        let sent = timeout(SILENT, self.socket.send(message));
        tokio::pin!(sent);
        loop {
            tokio::select! {
                sent = &mut sent => return match sent {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) | Err(_) => Err(End::Gone),
                },
                () = stop.cancelled() => return Err(End::Stopping),
                _ = self.revoked.recv() => allowed(app, caller, camera).await?,
            }
        }
    }

    async fn still_allowed(&mut self) -> Result<(), End> {
        allowed(&self.app, &self.caller, self.camera).await
    }
}

/// The session holds, for the same role and scope as at the beginning, and the camera is still within it; a technician
/// still has its order.
async fn allowed(app: &App, caller: &Caller, camera: CameraId) -> Result<(), End> {
    let sees = caller.camera(&app.services.registry.load_full(), camera.0).is_ok();
    if sees && app.still_holds(caller).await && app.watches(caller, camera).await.is_ok() {
        Ok(())
    } else {
        Err(End::Revoked)
    }
}

fn track(sets: &ParameterSets) -> Option<Track> {
    let ParameterSets { vps, sps, pps, .. } = sets.clone();
    let coding = match sets.codec {
        Codec::H264 => Coding::H264 { sps, pps },
        Codec::H265 => Coding::H265 { vps, sps, pps },
        Codec::Jpeg => return None,
    };
    // The sizes come from sequence parameter sets, which end at 16,888.
    let size = |n: u32| u16::try_from(n).unwrap_or(0);
    Track::new(coding, size(sets.width), size(sets.height), sets.clock_rate).ok()
}
