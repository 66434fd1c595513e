//! What sessions report: opened, figures, ended; and when to try again.
//!
//! A lost session is no outage. The camera keeps its status, is tried again within a second, and only when that
//! fails too is it offline. A refused password is the exception: it is believed at once and never sent twice.

use crate::{
    Carriage, Effect, Failure, Fleet, FormatChange, StreamFigures,
    camera::{Link, is_silence, more_telling, parks},
    faults::Faults,
    index::CameraIx,
    opener::Class,
    register::AFTER_CLOSE,
    schedule::{Key, Timer},
};
use fleet::{Cause, Status};
use rand::Rng;
use std::{sync::Arc, time::Duration};

/// How soon a lost camera is tried again: at once, but not all in the same instant.
const CONFIRM_AFTER: std::ops::Range<Duration> = Duration::from_millis(200)..Duration::from_millis(1000);
/// The same for a camera that loses its session again and again: slower, so that it does not keep us busy.
const UNSTEADY_AFTER: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(5);
/// A session without a keyframe for this long is ended: no interval that makes sense is longer.
const KEYFRAME_MISSING: Duration = Duration::from_secs(60);
/// A locked account is left alone this long: the lock of most makers, after which one try is allowed.
const LOCKED: Duration = Duration::from_secs(30 * 60);
/// While we doubt ourselves each camera is re-checked within this time.
const DOUBT_RETRY: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(8);
/// A camera whose try is pulled forward begins anew with short pauses: as after this many failures.
const HASTENED: u16 = 2;
/// When a link returns, the cameras behind it are tried within this time.
const RETURN_WITHIN: Duration = Duration::from_secs(2);

impl Fleet {
    pub(crate) fn opened(&mut self, ix: CameraIx, carriage: Carriage) {
        let camera = &mut self.cameras[ix.at()];
        match camera.link {
            Link::Opening { group, class } => self.opener.release(class, group),
            Link::Running { .. } => {}
            Link::Idle | Link::Queued { .. } => {
                // It was closed while it opened: nobody waits for it.
                let id = camera.id;
                self.effects.push(Effect::Close { camera: id });
                return;
            }
        }
        camera.link = Link::Running { judged: false };
        camera.running_since = self.now.mono;
        camera.waits_turn = false;
        camera.parked = false;
        camera.figures = None;
        camera.carriage = Some(self.carriages.share(carriage));
        if !matches!(camera.status, Status::Online | Status::Impaired) {
            camera.faults = Faults::default();
        }
        self.schedule.clear(Key::Camera(ix, Timer::Watch));
        self.schedule.clear(Key::Camera(ix, Timer::Retry));
        self.schedule.clear(Key::Camera(ix, Timer::Verdict));
        self.ask_verdict(ix);
        self.take_held(ix);
    }

    pub(crate) fn figures(&mut self, ix: CameraIx, figures: StreamFigures) {
        let camera = &self.cameras[ix.at()];
        if !camera.is_running() {
            return;
        }
        self.measured(ix, &figures);
        self.note_format(ix, &figures);
        let camera = &self.cameras[ix.at()];
        if let Some(age) = figures.keyframe_age.filter(|&age| age >= KEYFRAME_MISSING) {
            // Packets alone are no picture. A new session makes most encoders send a keyframe.
            let had_video = camera.is_seen();
            self.end_session(ix);
            let detail = format!("packets arrive, but no keyframe for {} s", age.as_secs());
            self.failed(ix, Failure { cause: Cause::NoKeyframe, detail }, had_video);
            self.schedule_retry(ix, AFTER_CLOSE);
            return;
        }
        if camera.is_seen() {
            let trust = self.read_clock(ix, figures.clock_offset_ms);
            let now = self.now.mono;
            let camera = &mut self.cameras[ix.at()];
            // What we read too late says nothing of what the camera sent.
            if self.own.distrust().is_none() {
                camera.faults.figures(&figures, &self.config, trust, now);
            }
            camera.figures = Some(Arc::new(figures));
            self.settle(ix);
        } else {
            self.cameras[ix.at()].figures = Some(Arc::new(figures));
        }
    }

    /// What the stream is made of is told when it is first seen and when it changes.
    fn note_format(&mut self, ix: CameraIx, figures: &StreamFigures) {
        let camera = &mut self.cameras[ix.at()];
        let Some(format) = figures.format().filter(|format| camera.format != Some(*format)) else { return };
        camera.format = Some(format);
        let (camera, stream) = (camera.id, camera.stream);
        self.effects.push(Effect::Format(FormatChange { camera, stream, at: self.now.wall, format }));
    }

    /// What the stream brings is charged instead of what was expected.
    fn measured(&mut self, ix: CameraIx, figures: &StreamFigures) {
        let kbps = u32::try_from(figures.bitrate / 1000).unwrap_or(u32::MAX);
        let camera = &mut self.cameras[ix.at()];
        if kbps == 0 || kbps.abs_diff(camera.kbps) <= camera.kbps / 8 {
            return;
        }
        camera.kbps = kbps;
        if let Some((group, charged)) = &mut camera.charge {
            let (group, former) = (*group, std::mem::replace(charged, kbps));
            self.opener.recharge(group, former, kbps);
        }
    }

    pub(crate) fn ended(&mut self, ix: CameraIx, failure: Failure) {
        let camera = &mut self.cameras[ix.at()];
        let had_video = camera.is_seen();
        match camera.link {
            Link::Idle | Link::Queued { .. } => return,
            Link::Opening { group, class } => self.opener.release(class, group),
            Link::Running { .. } => {}
        }
        camera.link = Link::Idle;
        for timer in [Timer::Watch, Timer::Verdict] {
            self.schedule.clear(Key::Camera(ix, timer));
        }
        self.failed(ix, failure, had_video);
    }

    /// A session or a try is over: what it means and when to try again.
    fn failed(&mut self, ix: CameraIx, failure: Failure, had_video: bool) {
        let camera = &mut self.cameras[ix.at()];
        self.own.forget_clock(camera.clock_bucket.take());
        if failure.cause.status() == Status::Unknown {
            self.could_not_check(ix, failure);
            return;
        }
        let now = self.now.mono;
        camera.waits_turn = false;
        camera.lost.get_or_insert(now);
        camera.failures = camera.failures.saturating_add(1);
        camera.parked = parks(failure.cause);
        let again = camera.failure.as_ref().is_some_and(|f| f.cause == failure.cause);
        let failure = more_telling(camera.failure.as_deref(), failure);
        camera.failure = Some(Box::new(failure.clone()));
        if had_video {
            camera.losses.note(now, self.config.flap_count);
            self.flap_check(ix);
            self.note_loss(ix);
        }
        self.judge_failure(ix, failure, again);
        self.plan_retry(ix);
        // What will be re-checked at once keeps its place on the uplink until then.
        if self.retry_class(ix) != Class::Confirm || self.cameras[ix.at()].parked {
            self.uncharge(ix);
        }
    }

    /// What a failure does to the verdict.
    fn judge_failure(&mut self, ix: CameraIx, failure: Failure, again: bool) {
        let camera = &self.cameras[ix.at()];
        let confirmed = camera.parked || camera.failures >= 2;
        let doubted = self.doubts(failure.cause);
        match (camera.status, self.own.distrust()) {
            (Status::Paused, _) => {}
            // What is offline stays so; it changes its cause when that has been seen twice.
            (Status::Offline, None) if (again || camera.parked) && camera.cause != Some(failure.cause) => {
                self.set_verdict(ix, Status::Offline, Some(failure.cause), failure.detail);
            }
            // A restart came between the verdict and its incident.
            (Status::Offline, None) if !camera.is_told() => self.incidents_follow(ix, Status::Offline),
            (Status::Offline, None) => {}
            // A refusal is an answer, whatever else we miss; it is on record, so that nobody sends it again.
            (_, Some((cause, detail))) if !camera.parked => {
                self.set_verdict(ix, Status::Unknown, Some(cause), detail);
            }
            (_, None) if doubted => self.doubt_camera(ix),
            (_, _) if confirmed => {
                self.set_verdict(ix, Status::Offline, Some(failure.cause), failure.detail);
            }
            (_, _) => {}
        }
    }

    /// The failure is ours: it says nothing about the camera.
    fn could_not_check(&mut self, ix: CameraIx, failure: Failure) {
        self.uncharge(ix);
        let camera = &mut self.cameras[ix.at()];
        camera.failures = camera.failures.max(1);
        if !matches!(camera.status, Status::Offline | Status::Paused) {
            self.set_verdict(ix, Status::Unknown, Some(failure.cause), failure.detail);
        }
        self.schedule_retry(ix, self.config.retry_longest / 4);
    }

    /// The session neither opened nor ended: ingest lost it. Our fault, not the camera's.
    pub(crate) fn session_silent(&mut self, ix: CameraIx) {
        if self.slept {
            self.schedule.set(Key::Camera(ix, Timer::Watch), self.now.mono + crate::fleet_core::SESSION_ANSWERS);
            return;
        }
        if matches!(self.cameras[ix.at()].link, Link::Opening { .. }) {
            self.end_session(ix);
            let detail = "our session gave no answer within 60 s".to_owned();
            self.could_not_check(ix, Failure { cause: Cause::NotYetChecked, detail });
        }
    }

    fn plan_retry(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        let cause = camera.failure.as_ref().map(|f| f.cause);
        if camera.paused.is_some() {
            return;
        }
        if camera.parked {
            if cause == Some(Cause::AccountLocked) {
                self.schedule.set(Key::Camera(ix, Timer::Retry), self.now.mono + LOCKED);
            }
            return;
        }
        let wait = if camera.status != Status::Offline && camera.failures <= 1 {
            let unsteady = camera.losses.within(self.config.flap_window, self.now.mono) >= self.config.flap_count;
            let after = if unsteady { UNSTEADY_AFTER } else { CONFIRM_AFTER };
            after.start + self.jitter(after.end - after.start)
        } else if cause.is_some_and(|cause| self.doubts(cause)) {
            DOUBT_RETRY.start + self.jitter(DOUBT_RETRY.end - DOUBT_RETRY.start)
        } else {
            let doublings = u32::from(camera.failures).saturating_sub(2).min(16);
            let pause = self.config.retry_first.saturating_mul(1 << doublings).min(self.config.retry_longest);
            pause.mul_f64(self.rng.random_range(0.75..1.0))
        };
        self.schedule_retry(ix, wait);
    }

    fn schedule_retry(&mut self, ix: CameraIx, wait: Duration) {
        self.schedule.set(Key::Camera(ix, Timer::Retry), self.now.mono + wait);
    }

    /// As what a camera whose pause is over stands in line.
    pub(crate) fn retry_class(&self, ix: CameraIx) -> Class {
        let camera = &self.cameras[ix.at()];
        match camera.status {
            Status::Online | Status::Impaired if camera.failures == 1 => Class::Confirm,
            Status::Offline if camera.failures <= HASTENED => Class::Return,
            _ => Class::Routine,
        }
    }

    /// A camera delivers again after an outage: those that fell silent with it are worth a try now.
    pub(crate) fn wake_siblings(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        let mut groups = vec![camera.group];
        if let Some(incident) = camera.shared.and_then(|id| self.book.open(id)) {
            groups.extend(self.groups.under(&incident.scope.clone()));
            groups.dedup();
        }
        for group in groups {
            let members: Vec<CameraIx> = self.groups.get(group).members.iter().copied().collect();
            for sibling in members {
                self.hasten(sibling, RETURN_WITHIN);
            }
        }
    }

    /// Pulls a silent camera's next try forward.
    pub(crate) fn hasten(&mut self, ix: CameraIx, within: Duration) {
        let camera = &self.cameras[ix.at()];
        let silent = camera.failure.as_ref().is_some_and(|f| is_silence(f.cause));
        let key = Key::Camera(ix, Timer::Retry);
        if camera.link != Link::Idle || camera.parked || !silent {
            return;
        }
        let Some(due) = self.schedule.due(key) else { return };
        let soon = self.now.mono + self.jitter(within);
        if soon < due {
            self.cameras[ix.at()].failures = self.cameras[ix.at()].failures.min(HASTENED);
            self.schedule.set(key, soon);
        }
    }

    pub(crate) fn check_now(&mut self, ix: CameraIx) {
        let camera = &mut self.cameras[ix.at()];
        if camera.paused.is_some() {
            return;
        }
        if camera.is_running() {
            self.ask_verdict(ix);
        } else {
            if !matches!(camera.link, Link::Opening { .. }) {
                camera.by_person = true;
            }
            self.request(ix, Class::Person, Duration::ZERO);
        }
    }
}
