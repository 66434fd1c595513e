//! What judged pictures say, and the one place where a camera's status changes.

use crate::{
    Effect, Failure, Fleet, PictureVerdict, Scope, StatusChange,
    camera::Link,
    index::CameraIx,
    schedule::{Key, Timer, next_in_phase, phase},
};
use fleet::{Cause, Layer, Status, Wall};
use std::time::Duration;

/// A picture must be judged within this time.
const VERDICT_WITHIN: Duration = Duration::from_secs(30);
/// How often pictures are judged while a fault of theirs is suspected or being cleared.
const ASSESS_CLOSELY: Duration = Duration::from_secs(10);
/// A judged picture is believed for so many times the interval in which pictures are judged.
pub(crate) const PICTURE_HOLDS: u32 = 3;
/// Shifts the phases of pictures against those of snapshots.
const ASSESS_SHIFT: u64 = 1 << 62;

impl Fleet {
    pub(crate) fn picture(&mut self, ix: CameraIx, verdict: PictureVerdict) {
        self.schedule.clear(Key::Camera(ix, Timer::Verdict));
        let camera = &mut self.cameras[ix.at()];
        if !camera.is_running() {
            return;
        }
        let distrusted = self.own.decoder_at_fault();
        let now = self.now.mono;
        match verdict.fault {
            None => {
                camera.last_picture = Some(verdict.received);
                camera.judged = now;
                camera.delivered = true;
                camera.faults.decoded(None);
                self.seen(ix);
            }
            Some(fault) if fault.cause.status() == Status::Unknown => {
                self.video_came(ix);
                self.could_not_judge(ix, fault);
            }
            Some(fault) if distrusted => {
                let detail = fault.detail;
                self.video_came(ix);
                self.could_not_judge(ix, Failure { cause: Cause::OwnDecoder, detail });
            }
            Some(fault) if fault.cause.layer() == Layer::Decode => {
                camera.judged = now;
                camera.faults.undecodable(fault);
                if camera.faults.decode_failed() {
                    self.seen(ix);
                }
            }
            Some(fault) => {
                camera.judged = now;
                camera.faults.decoded(Some(fault));
                self.seen(ix);
            }
        }
        self.schedule_assess(ix);
    }

    /// A keyframe arrived: whatever failed before, the next failure is the first again.
    fn video_came(&mut self, ix: CameraIx) {
        let camera = &mut self.cameras[ix.at()];
        camera.failures = 0;
        camera.failure = None;
        camera.lost = None;
        self.own.losses.found(ix);
    }

    /// A keyframe of the running session was judged: video arrives.
    fn seen(&mut self, ix: CameraIx) {
        self.video_came(ix);
        self.cameras[ix.at()].link = Link::Running { judged: true };
        self.settle(ix);
        let camera = &self.cameras[ix.at()];
        if camera.shared.is_some() || camera.own.is_some() && camera.status == Status::Online && !camera.flapping {
            // Taken over from an earlier run that had not told the end of it.
            let status = camera.status;
            self.incidents_follow(ix, status);
        }
        self.first_snapshot(ix);
    }

    /// We have video but no judge: nothing is known anew, and after a while nothing is known any more.
    fn could_not_judge(&mut self, ix: CameraIx, fault: Failure) {
        let camera = &self.cameras[ix.at()];
        let rests_on_pictures = camera.cause.is_none_or(|c| matches!(c.layer(), Layer::Decode | Layer::Picture));
        match camera.status {
            Status::Offline | Status::Unknown => {
                self.set_verdict(ix, Status::Unknown, Some(fault.cause), fault.detail);
            }
            Status::Online | Status::Impaired if rests_on_pictures && self.picture_is_old(ix) => {
                self.lose_sight(ix, fault);
            }
            _ => {}
        }
    }

    /// The last judged picture says nothing of now.
    fn picture_is_old(&self, ix: CameraIx) -> bool {
        self.now.mono.since(self.cameras[ix.at()].judged) >= self.config.assess_every * PICTURE_HOLDS
    }

    /// Video arrives, and for too long nobody could say what it shows.
    fn lose_sight(&mut self, ix: CameraIx, fault: Failure) {
        let camera = &mut self.cameras[ix.at()];
        // Figures alone do not make it online again.
        camera.link = Link::Running { judged: false };
        let first = !std::mem::replace(&mut camera.blind, true);
        self.own.blind += u32::from(first);
        self.set_verdict(ix, Status::Unknown, Some(fault.cause), fault.detail);
        if self.book.find(&Scope::Own, Cause::OwnDecoder).is_none() {
            self.start_own(Cause::OwnDecoder, 0, Duration::ZERO, "");
        }
    }

    /// The status of a camera whose video arrives follows from its faults.
    pub(crate) fn settle(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        if !camera.is_seen() {
            return;
        }
        match camera.faults.worst() {
            Some(cause) if camera.status == Status::Impaired && camera.cause == Some(cause) => {}
            Some(cause) => {
                let detail = camera.faults.describe(cause);
                self.set_verdict(ix, Status::Impaired, Some(cause), detail);
            }
            None if camera.status == Status::Online => {}
            // What was wrong with the stream is over; whether the picture is good nobody can tell.
            None if self.own.decoder_at_fault() && self.picture_is_old(ix) => {
                let detail = "pictures cannot be judged at present".to_owned();
                self.lose_sight(ix, Failure { cause: Cause::OwnDecoder, detail });
            }
            None => {
                let detail = match &camera.figures {
                    Some(f) => format!("picture decoded, {}x{} at {:.1} fps", f.width, f.height, f.fps),
                    None => "picture decoded".to_owned(),
                };
                self.set_verdict(ix, Status::Online, None, detail);
            }
        }
    }

    /// Asks for the next keyframe to be judged, unless one is being judged.
    pub(crate) fn ask_verdict(&mut self, ix: CameraIx) {
        let key = Key::Camera(ix, Timer::Verdict);
        if self.schedule.due(key).is_some() {
            return;
        }
        let camera = self.cameras[ix.at()].id;
        self.effects.push(Effect::Assess { camera });
        self.schedule.set(key, self.now.mono + VERDICT_WITHIN);
    }

    pub(crate) fn assess_due(&mut self, ix: CameraIx) {
        if self.cameras[ix.at()].is_running() {
            self.ask_verdict(ix);
        }
        self.schedule_assess(ix);
    }

    pub(crate) fn schedule_assess(&mut self, ix: CameraIx) {
        let every = self.config.assess_every;
        let regular = next_in_phase(self.now.mono, phase(ix.0, ASSESS_SHIFT, every), every);
        let at = if self.cameras[ix.at()].faults.wants_pictures() {
            regular.min(self.now.mono + ASSESS_CLOSELY)
        } else {
            regular
        };
        self.schedule.set(Key::Camera(ix, Timer::Assess), at);
    }

    /// The decoder did not answer in time.
    pub(crate) fn verdict_overdue(&mut self, ix: CameraIx) {
        if !self.cameras[ix.at()].is_running() {
            self.turn_overdue(ix);
            return;
        }
        let known = matches!(self.cameras[ix.at()].status, Status::Online | Status::Impaired);
        // No keyframe may have come: what is known stays known, unless it is known that nobody could judge one.
        if !self.slept && (!known || self.own.decoder_at_fault()) {
            let detail = "no verdict on a picture within 30 s".to_owned();
            self.could_not_judge(ix, Failure { cause: Cause::OwnDecoder, detail });
        }
        self.ask_verdict(ix);
    }

    /// Changes the status, if it is a change, and everything that hangs on it: record, counts, slots, incidents.
    pub(crate) fn set_verdict(&mut self, ix: CameraIx, status: Status, cause: Option<Cause>, detail: String) {
        let camera = &self.cameras[ix.at()];
        let first = camera.told == Wall(i64::MIN);
        let same = camera.status == status && camera.cause == cause;
        if same && !first && (status != Status::Paused || *camera.detail == *detail) {
            return;
        }
        debug_assert_eq!(cause.map_or(Status::Online, Cause::status), status, "a cause leads to its own status");
        let video_back = camera.status == Status::Offline && matches!(status, Status::Online | Status::Impaired);
        if video_back {
            // What was about to be told of the group is told while it is still true.
            self.decide_before_return(ix);
        }
        let judged = |s| matches!(s, Status::Online | Status::Impaired | Status::Offline);
        let camera = &mut self.cameras[ix.at()];
        let from = camera.status;
        // Strictly later than the last, whatever somebody does to the wall clock: intervals never run back.
        let at = if first { self.now.wall } else { self.now.wall.max(Wall(camera.told.0 + 1)) };
        if status != from || first {
            camera.since = at;
        }
        camera.status = status;
        camera.cause = cause;
        camera.detail = self.details.share(detail.as_str());
        camera.told = at;
        camera.changed = self.now.mono;
        if judged(from) && judged(status) && from != status {
            camera.changes.note(self.now.mono, self.config.flap_count);
        }
        self.effects.push(Effect::Status(StatusChange {
            camera: camera.id,
            at,
            status,
            from: (!first).then_some(from),
            layer: cause.map(Cause::layer),
            cause,
            detail,
        }));
        *self.count(from) -= 1;
        *self.count(status) += 1;
        if status != Status::Unknown {
            self.regain_sight(ix);
        }
        self.flap_check(ix);
        self.slots_follow(ix, from);
        if video_back {
            self.wake_siblings(ix);
        }
        self.incidents_follow(ix, from);
    }

    /// Whether the camera changes too often to be told each time.
    pub(crate) fn flap_check(&mut self, ix: CameraIx) {
        let (window, count, now) = (self.config.flap_window, self.config.flap_count, self.now.mono);
        let camera = &mut self.cameras[ix.at()];
        let was = camera.flapping;
        camera.flapping = camera.changes.within(window, now) >= count || camera.losses.within(window, now) >= count;
        if camera.flapping {
            let ages = camera.changes.ages(window, now).into_iter().chain(camera.losses.ages(window, now)).min();
            self.schedule.set(Key::Camera(ix, Timer::Flap), ages.expect("who flaps has changed lately"));
        } else if was {
            self.steady_again(ix);
        }
    }
}
