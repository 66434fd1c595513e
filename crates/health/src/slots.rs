//! Scheduled snapshots: every slot of every camera ends as exactly one stored picture or one recorded gap.
//!
//! Where the sub stream is pulled continuously, pictures are taken of the main stream: a short session that stands in
//! line and is charged like any other. There is one at a time for a camera; slots that come meanwhile share the next.

use crate::{
    Effect, Failure, Fleet, SnapshotClass, SnapshotOutcome,
    camera::{Link, Patrol, Undecided},
    index::CameraIx,
    opener::Class,
    schedule::{Key, Timer, next_in_phase, phase},
};
use fleet::{Cause, Mono, Status, StreamChoice, Wall};
use std::time::Duration;

/// The archive must have answered within this time, and a held slot be decided.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// More than this many unanswered snapshots of one camera mean that the archive does not keep up.
const MOST_PENDING: usize = 4;
/// Why a picture of the main stream was not even tried.
const BUSY: &str = "its turn for a session of the main stream did not come in time: the uplink is in use";
/// A slot so long before another one that has a name already may be of a time that comes again: it is named apart.
const AGAIN_MS: i64 = 1_000;
/// What is told of slots in a time in which nothing of ours ran.
const STOOD_STILL: &str = "our service did not run at this time";

impl Fleet {
    pub(crate) fn first_slot(&mut self, ix: CameraIx) {
        let every = self.config.snapshot_every;
        let at = next_in_phase(self.now.mono, phase(ix.0, 0, every), every);
        self.schedule.set(Key::Camera(ix, Timer::Slot), at);
    }

    pub(crate) fn slot_due(&mut self, ix: CameraIx, at: Mono) {
        let every = self.config.snapshot_every.max(Duration::from_millis(1));
        let missed = self.now.mono.since(at).as_nanos() / every.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        if missed > 0 {
            let first = self.name_slot(ix, at);
            self.gaps(ix, first, missed, every);
        }
        let at = at + every.saturating_mul(missed);
        let slot = self.name_slot(ix, at);
        self.schedule.set(Key::Camera(ix, Timer::Slot), at + every);
        self.take(ix, slot, SnapshotClass::Routine);
    }

    /// Slots between two instants of the wall clock between which there was no now, because it left that time out.
    pub(crate) fn slots_left_out(&mut self, from: Wall, until: Wall) {
        let every = self.config.snapshot_every.max(Duration::from_millis(1));
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        self.steps = self.steps.wrapping_add(1);
        // Where the clock was set back before, that time has been lived through once.
        let lived = self.named;
        for ix in self.watched() {
            let Some(due) = self.schedule.due(Key::Camera(ix, Timer::Slot)) else { continue };
            let mut first = from + due.since(self.now.mono);
            if first <= lived {
                let again = lived.millis_since(first) / every_ms.max(1) + 1;
                first = Wall(first.0.saturating_add(again.saturating_mul(every_ms)));
            }
            let left = until.millis_since(first);
            if left > 0 {
                let slots = u32::try_from((left - 1) / every_ms + 1).unwrap_or(u32::MAX);
                self.gaps(ix, first, slots, every);
            }
        }
    }

    fn gaps(&mut self, ix: CameraIx, slot: Wall, slots: u32, every: Duration) {
        let failure = Failure { cause: Cause::NotRunning, detail: STOOD_STILL.to_owned() };
        let camera = &mut self.cameras[ix.at()];
        camera.last_slot = slot + every.saturating_mul(slots.saturating_sub(1));
        self.named = self.named.max(camera.last_slot);
        self.effects.push(Effect::Gaps { camera: camera.id, slot, slots, every, failure });
    }

    /// Takes the picture of a slot now, or decides what becomes of it.
    fn take(&mut self, ix: CameraIx, slot: Wall, class: SnapshotClass) {
        let camera = &self.cameras[ix.at()];
        let undecided = match camera.status {
            Status::Online | Status::Impaired => true,
            Status::Unknown => camera.cause == Some(Cause::NotYetChecked) && camera.failures == 0,
            Status::Offline | Status::Paused => false,
        };
        if let Some(detail) = self.own.disk_fault() {
            self.gap(ix, slot, Cause::OwnDisk, &detail);
        } else if matches!(camera.link, Link::Running { .. }) {
            self.ask_snapshot(ix, slot, class);
        } else if undecided {
            if let Some(former) = self.cameras[ix.at()].slots.change(|s| s.held.replace(slot)) {
                self.gap(ix, former, Cause::NotYetChecked, "not decided before the next was due");
            }
            self.expect_answer(ix);
        } else {
            self.gap_by_status(ix, slot);
        }
    }

    fn ask_snapshot(&mut self, ix: CameraIx, slot: Wall, class: SnapshotClass) {
        let camera = &mut self.cameras[ix.at()];
        camera.photographed = true;
        if camera.patrolled {
            let late = camera.slots.change(|s| {
                s.queued.push((slot, class));
                (s.queued.len() > MOST_PENDING).then(|| s.queued.remove(0).0)
            });
            if let Some(late) = late {
                self.gap(ix, late, Cause::NotYetChecked, BUSY);
            }
            self.queue_patrol(ix);
        } else {
            let stream = camera.stream;
            self.emit_snapshot(ix, slot, class, stream);
        }
        self.expect_answer(ix);
    }

    fn emit_snapshot(&mut self, ix: CameraIx, slot: Wall, class: SnapshotClass, stream: StreamChoice) {
        let camera = &mut self.cameras[ix.at()];
        let late = camera.slots.change(|s| {
            s.pending.push(slot);
            (s.pending.len() > MOST_PENDING).then(|| s.pending.remove(0))
        });
        self.effects.push(Effect::Snapshot { camera: camera.id, stream, slot, class });
        if let Some(late) = late {
            self.gap(ix, late, Cause::OwnDisk, "the archive did not answer before four more were due");
        }
    }

    /// Stands in line for a session of the main stream, unless one is there or on its way.
    fn queue_patrol(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        if camera.patrol != Patrol::Idle || !camera.slots.any_queued() {
            return;
        }
        let group = camera.group;
        let kbps = self.config.main_kbps;
        let ticket = self.opener.request(ix, group, Class::Picture, kbps, self.now.mono, Duration::ZERO);
        self.cameras[ix.at()].patrol = Patrol::Queued { ticket, group };
    }

    /// Its turn has come: the pictures of the slots that wait.
    pub(crate) fn take_queued(&mut self, ix: CameraIx, kbps: u32) {
        let camera = &mut self.cameras[ix.at()];
        let Patrol::Queued { group, .. } = camera.patrol else { unreachable!("only who stands in line is admitted") };
        camera.patrol = Patrol::Open { group, kbps };
        let running = camera.is_running();
        for (slot, class) in camera.slots.change(|s| std::mem::take(&mut s.queued)) {
            if running {
                self.emit_snapshot(ix, slot, class, StreamChoice::Main);
            } else {
                self.gap(ix, slot, Cause::NotYetChecked, "its session was lost before its turn came");
            }
        }
        if running {
            // However long they waited for their turn, the archive has its time.
            self.expect_answer(ix);
        } else {
            self.drop_patrol(ix);
        }
    }

    /// The session of the main stream is over, or not wanted any more. Slots that wait are left as they are.
    pub(crate) fn drop_patrol(&mut self, ix: CameraIx) {
        match std::mem::replace(&mut self.cameras[ix.at()].patrol, Patrol::Idle) {
            Patrol::Idle => {}
            Patrol::Queued { ticket, group } => self.opener.cancel(ticket, group),
            Patrol::Open { group, kbps } => {
                self.opener.release(Class::Picture, group);
                self.opener.uncharge(group, kbps);
            }
        }
        if self.cameras[ix.at()].slots.is_empty() {
            self.schedule.clear(Key::Camera(ix, Timer::Answer));
        }
    }

    /// The latest slot sets the limit: there are at most [`MOST_PENDING`] before it.
    fn expect_answer(&mut self, ix: CameraIx) {
        self.schedule.set(Key::Camera(ix, Timer::Answer), self.now.mono + ANSWER_WITHIN);
    }

    /// The first picture of a camera in this run, at once; one more whenever it comes back.
    pub(crate) fn first_snapshot(&mut self, ix: CameraIx) {
        if !std::mem::replace(&mut self.cameras[ix.at()].photographed, true) {
            let slot = self.name_slot(ix, self.now.mono);
            self.take(ix, slot, SnapshotClass::Routine);
        }
    }

    /// A session stands: a slot that waited for it gets its picture.
    pub(crate) fn take_held(&mut self, ix: CameraIx) {
        if let Some(slot) = self.cameras[ix.at()].slots.take_held() {
            self.take(ix, slot, SnapshotClass::Routine);
        }
    }

    pub(crate) fn slot_answered(&mut self, ix: CameraIx, slot: Wall, outcome: SnapshotOutcome) {
        let camera = &mut self.cameras[ix.at()];
        let answered = |s: &mut Undecided| s.pending.iter().position(|&p| p == slot).map(|at| s.pending.remove(at));
        if camera.slots.is_empty() || camera.slots.change(answered).is_none() {
            return;
        }
        let over = !camera.slots.any_pending() && matches!(camera.patrol, Patrol::Open { .. });
        let id = camera.id;
        match outcome {
            SnapshotOutcome::Stored => camera.last_snapshot = Some(self.now.wall),
            SnapshotOutcome::Missed(failure) => self.effects.push(Effect::Gap { camera: id, slot, failure }),
        }
        if over {
            self.drop_patrol(ix);
            self.queue_patrol(ix);
        } else if self.cameras[ix.at()].slots.is_empty() {
            self.schedule.clear(Key::Camera(ix, Timer::Answer));
        }
    }

    /// Neither the archive nor a verdict has answered in time.
    pub(crate) fn slots_overdue(&mut self, ix: CameraIx) {
        if self.slept {
            self.expect_answer(ix);
            return;
        }
        for slot in self.cameras[ix.at()].slots.change(|s| std::mem::take(&mut s.pending)) {
            self.gap(ix, slot, Cause::OwnDisk, "the archive did not answer within 60 s");
        }
        if !self.cameras[ix.at()].waits_turn
            && let Some(slot) = self.cameras[ix.at()].slots.take_held()
        {
            self.gap(ix, slot, Cause::NotYetChecked, "no session within 60 s");
        }
        for (slot, _) in self.cameras[ix.at()].slots.change(|s| std::mem::take(&mut s.queued)) {
            self.gap(ix, slot, Cause::NotYetChecked, BUSY);
        }
        self.drop_patrol(ix);
        if !self.cameras[ix.at()].slots.is_empty() {
            // It is taken when the camera's turn comes.
            self.expect_answer(ix);
        }
    }

    /// A verdict was reached: a slot that waited for it is decided, and a return is photographed.
    pub(crate) fn slots_follow(&mut self, ix: CameraIx, from: Status) {
        let camera = &self.cameras[ix.at()];
        let status = camera.status;
        if matches!(status, Status::Offline | Status::Unknown | Status::Paused) {
            if !camera.waits_turn
                && let Some(slot) = self.cameras[ix.at()].slots.take_held()
            {
                self.gap_by_status(ix, slot);
            }
            for (slot, _) in self.cameras[ix.at()].slots.change(|s| std::mem::take(&mut s.queued)) {
                self.gap_by_status(ix, slot);
            }
            if matches!(self.cameras[ix.at()].patrol, Patrol::Queued { .. }) {
                self.drop_patrol(ix);
            }
        }
        let camera = &self.cameras[ix.at()];
        if from == Status::Offline && status == Status::Online && camera.photographed {
            let slot = self.name_slot(ix, self.now.mono);
            self.take(ix, slot, SnapshotClass::StatusChange);
        }
    }

    /// The camera goes: what was still due of it is a gap.
    pub(crate) fn drop_slots(&mut self, ix: CameraIx, cause: Cause, detail: &str) {
        let camera = &mut self.cameras[ix.at()];
        let slots = camera.slots.change(std::mem::take);
        let slots = slots.pending.into_iter().chain(slots.queued.into_iter().map(|(slot, _)| slot)).chain(slots.held);
        for slot in slots {
            self.gap(ix, slot, cause, detail);
        }
    }

    fn gap_by_status(&mut self, ix: CameraIx, slot: Wall) {
        let camera = &self.cameras[ix.at()];
        let (cause, detail) = (camera.cause.unwrap_or(Cause::NotYetChecked), camera.detail.clone());
        self.gap(ix, slot, cause, &detail);
    }

    fn gap(&mut self, ix: CameraIx, slot: Wall, cause: Cause, detail: &str) {
        let camera = self.cameras[ix.at()].id;
        self.effects.push(Effect::Gap { camera, slot, failure: Failure { cause, detail: detail.to_owned() } });
    }

    /// The wall time of a slot; no two slots of a camera share one, wherever the wall clock is set.
    fn name_slot(&mut self, ix: CameraIx, at: Mono) -> Wall {
        let wall = self.wall_at(at);
        let camera = &mut self.cameras[ix.at()];
        let near = camera.last_slot.0.abs_diff(wall.0) < 1_000;
        // After a step back the same time comes again, and with it the names.
        let again = self.named.millis_since(wall) > AGAIN_MS;
        let taken = near || camera.slots.get().is_some_and(|s| s.has(wall));
        let slot = match (taken, again) {
            (true, _) => Wall(camera.last_slot.0.max(wall.0) + 1),
            (false, true) => Wall(wall.0 + 1 + i64::from(self.steps % 900)),
            (false, false) => wall,
        };
        camera.last_slot = slot;
        self.named = self.named.max(slot);
        slot
    }
}
