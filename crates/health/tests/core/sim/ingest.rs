//! The service around the core, in small: sessions, keyframes, the decoder and the archive, with the time
//! limits of the real ones.

use super::{Act, Fault, Happening, MS, S, Time, World, failure};
use fleet::{CameraId, Cause, StreamChoice, Wall};
use health::{Carriage, Event, OwnPart, PictureVerdict, SnapshotOutcome, StreamEvent, StreamFigures};
use rand::Rng;
use std::time::Duration;

/// A session of one camera.
#[derive(Debug)]
pub struct Video {
    pub session: u64,
    pub running: bool,
    /// The camera has forgotten it.
    pub dead: bool,
    pub opened: Time,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A SYN is sent; repeated after 1 s and 3 s.
    Connect(u8),
    Rtsp,
    Play,
    Fail(Cause),
    /// No packet for 5 s?
    Gap,
    Figures,
}

const CONNECT: Time = 4 * S;
const ANSWER: Time = 4 * S;
const FIRST_PACKET: Time = 4 * S;
const PACKET_GAP: Time = 5 * S;

impl World {
    pub(super) fn open(&mut self, camera: usize, by_person: bool) {
        let id = CameraId(camera as u32 + 1);
        if self.cams[camera].video.is_some() {
            self.fault(format!("{id}: a second session was opened"));
        }
        if self.told_paused(camera) {
            self.fault(format!("{id}: opened while paused"));
        }
        let credentials = self.cams[camera].credentials;
        if self.cams[camera].refused_with == Some(credentials) && !by_person {
            self.fault(format!("{id}: a refused password was sent again"));
        }
        self.log.opens.push((self.t, camera));
        self.seq += 1;
        let session = self.seq;
        self.cams[camera].video = Some(Video { session, running: false, dead: false, opened: self.t });
        self.later(camera, session, 0, Step::Connect(0));
    }

    fn later(&mut self, camera: usize, session: u64, wait: Time, step: Step) {
        self.at(self.t + wait, Happening::Session { camera, session, step });
    }

    fn stalled(&self, camera: usize) -> bool {
        !self.reachable(camera) || self.cams[camera].has(Fault::Stall)
    }

    pub(super) fn step(&mut self, camera: usize, session: u64, step: Step) {
        let Some(video) = self.cams[camera].video.as_ref().filter(|v| v.session == session) else { return };
        let (dead, opened) = (video.dead, video.opened);
        match step {
            Step::Connect(n) => {
                if self.reachable(camera) {
                    let wait = self.rng.random_range(5..30) * MS;
                    self.later(camera, session, wait, Step::Rtsp);
                } else {
                    let next = [S, 3 * S].get(usize::from(n));
                    match next {
                        Some(&at) => {
                            self.later(camera, session, (opened + at).saturating_sub(self.t), Step::Connect(n + 1));
                        }
                        None => self.later(
                            camera,
                            session,
                            (opened + CONNECT).saturating_sub(self.t),
                            Step::Fail(Cause::NoAnswer),
                        ),
                    }
                }
            }
            Step::Rtsp => {
                let cam = &self.cams[camera];
                let fail = if !self.reachable(camera) {
                    Some((ANSWER, Cause::RtspNoAnswer))
                } else if cam.has(Fault::PortClosed) {
                    Some((0, Cause::PortClosed))
                } else if cam.has(Fault::Stranger) {
                    Some((10 * MS, Cause::NotRtsp))
                } else if cam.has(Fault::Password) && cam.credentials == 0 {
                    Some((40 * MS, Cause::PasswordRefused))
                } else if cam.has(Fault::Stall) {
                    Some((FIRST_PACKET, Cause::NoRtp))
                } else {
                    None
                };
                match fail {
                    Some((wait, cause)) => self.later(camera, session, wait, Step::Fail(cause)),
                    None => self.later(camera, session, cam.slow_ms * MS, Step::Play),
                }
            }
            Step::Play => {
                if self.cams[camera].has(Fault::PortClosed) && self.reachable(camera) {
                    self.end(camera, Cause::ConnectionLost, "reset by peer");
                } else if self.cams[camera].has(Fault::Stranger) {
                    self.later(camera, session, 10 * MS, Step::Fail(Cause::NotRtsp));
                } else if self.stalled(camera) {
                    self.later(camera, session, FIRST_PACKET, Step::Fail(Cause::NoRtp));
                } else {
                    let video = self.cams[camera].video.as_mut().expect("checked above");
                    video.running = true;
                    let took = Duration::from_nanos(self.t - opened);
                    self.stream(
                        camera,
                        StreamEvent::Opened { stream: StreamChoice::Main, took, carriage: Carriage::default() },
                    );
                    self.later(camera, session, 5 * S, Step::Figures);
                }
            }
            Step::Fail(cause) => {
                if cause == Cause::PasswordRefused {
                    self.cams[camera].refused_with = Some(self.cams[camera].credentials);
                }
                self.end(camera, cause, "as simulated");
            }
            Step::Gap => {
                let silent = self.cams[camera].dark.is_some_and(|since| self.t >= since + PACKET_GAP);
                if dead || silent {
                    self.end(camera, Cause::Stalled, "no packet for 5.0 s");
                }
            }
            Step::Figures => {
                let cam = &self.cams[camera];
                let (loss, slow, clock) = (cam.has(Fault::Loss), cam.has(Fault::SlowFrames), cam.has(Fault::Clock));
                let odd = loss || slow || clock || self.wall_skew_ms != 0;
                let skew = self.wall_skew_ms;
                let wait = if odd || self.rng.random_bool(0.2) { 5 * S } else { 15 * S };
                if !self.stalled(camera) && !dead {
                    self.stream(
                        camera,
                        StreamEvent::Figures(StreamFigures {
                            window: Duration::from_secs(5),
                            packets: 1000,
                            lost: if loss { 80 } else { 0 },
                            fps: if slow { 1.5 } else { 25.0 },
                            keyframes: 2,
                            clock_offset_ms: Some(if clock { 500_000 } else { 200 } - skew),
                            ..StreamFigures::default()
                        }),
                    );
                }
                self.later(camera, session, wait, Step::Figures);
            }
        }
    }

    /// Something changed: sessions that are cut off will notice, those that are forgotten are reset.
    pub(super) fn sessions_notice(&mut self, act: &Act) {
        for camera in 0..self.cams.len() {
            let dark = self.stalled(camera);
            let since = self.cams[camera].dark;
            match (dark, since) {
                (true, None) => self.cams[camera].dark = Some(self.t),
                (false, Some(_)) => self.cams[camera].dark = None,
                _ => {}
            }
            let reset = match act {
                Act::Camera(c, Fault::PowerOff, false) => *c == camera,
                Act::Camera(c, Fault::PortClosed | Fault::Password | Fault::Stranger, true) => *c == camera,
                _ => false,
            };
            let forgets = matches!(act, Act::Camera(c, Fault::PowerOff, true) if *c == camera);
            let Some(video) = self.cams[camera].video.as_mut().filter(|v| v.running) else { continue };
            let session = video.session;
            if forgets {
                video.dead = true;
            }
            if reset && !dark && self.asleep.is_some() {
                // Nobody hears of it before we wake.
                video.dead = true;
                self.later(camera, session, 0, Step::Gap);
            } else if reset && !dark {
                self.end(camera, Cause::ConnectionLost, "reset by peer");
            } else if dark && since.is_none() {
                let wait = PACKET_GAP + self.rng.random_range(0..150) * MS;
                self.later(camera, session, wait, Step::Gap);
            }
        }
    }

    pub(super) fn keyframe(&mut self, camera: usize, session: u64, tries: u8) {
        let alive = self.cams[camera].video.as_ref().is_some_and(|v| v.session == session && v.running && !v.dead);
        if !alive {
            return;
        }
        if self.stalled(camera) {
            if tries < 10 {
                self.at(self.t + S, Happening::Keyframe { camera, session, tries: tries + 1 });
            }
            return;
        }
        let blind = self.is_down(OwnPart::Decoder);
        let cam = &mut self.cams[camera];
        let fault = if blind {
            Some(failure(Cause::OwnDecoder, "no worker"))
        } else if cam.has(Fault::Corrupt) {
            Some(failure(Cause::DecodeFailed, "no frame"))
        } else if cam.has(Fault::Frozen) {
            cam.frozen_seen = cam.frozen_seen.saturating_add(1);
            (cam.frozen_seen >= 3).then(|| failure(Cause::PictureFrozen, "unchanged for 3 pictures"))
        } else {
            None
        };
        let received = self.now().wall;
        let camera = CameraId(camera as u32 + 1);
        self.tell(Event::Picture { camera, verdict: PictureVerdict { received, fault } });
    }

    pub(super) fn photo(&mut self, camera: usize, slot: Wall, session: u64, tries: u8) {
        let alive = self.cams[camera].video.as_ref().is_some_and(|v| v.session == session && v.running && !v.dead);
        let missed = if !alive {
            failure(Cause::Stalled, "no session")
        } else if self.is_down(OwnPart::Disk) {
            failure(Cause::OwnDisk, "write failed")
        } else if self.stalled(camera) {
            if tries < 10 {
                self.at(self.t + S, Happening::Photo { camera, slot, session, tries: tries + 1 });
                return;
            }
            failure(Cause::NoKeyframe, "none within 10 s")
        } else {
            self.at(self.t + 400 * MS, Happening::Stored { camera, slot });
            return;
        };
        let camera = CameraId(camera as u32 + 1);
        self.tell(Event::Snapshot { camera, slot, outcome: SnapshotOutcome::Missed(missed) });
    }
}
