//! Taking turns behind an uplink that has not room for all of its cameras: nobody is pulled for ever while another
//! never is.
//!
//! Whoever found no room waits in the order in which it came. When the first of them has waited for long enough, the
//! sessions that have lasted longest are ended, as many as it needs, and their cameras go to the end of the line. A turn
//! lasts at least [`TURN`]; so behind a link with N cameras nobody waits longer than N times that and the time of an
//! opening. A camera keeps its verdict between its turns for as long as a judged picture is believed, and is `unknown`
//! after that; a snapshot that comes due meanwhile is taken in its next turn, or in the place of it the next one due.

use crate::{
    Fleet,
    index::{CameraIx, GroupIx},
    opener::Crowded,
    register::AFTER_CLOSE,
    schedule::{Key, Timer},
    verdict::PICTURE_HOLDS,
};
use fleet::{Cause, Mono, Status};
use std::time::Duration;

/// A continuous session lasts at least so long before it gives way to another.
const TURN: Duration = Duration::from_secs(60);
/// The same, before it gives way to a picture of another camera's main stream: that is over in seconds.
const TURN_FOR_PICTURE: Duration = Duration::from_secs(15);
/// Who is not judged yet, or whose picture is on its way, is left alone, but no longer than this.
const LONGEST_TURN: Duration = Duration::from_secs(120);
/// How often it is asked whether what ends by itself has made room.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Fleet {
    /// Somebody found no room: it waits for its turn.
    pub(crate) fn crowded(&mut self, who: Crowded) {
        if !who.picture {
            let camera = &mut self.cameras[who.camera.at()];
            camera.waits_turn = true;
            if camera.status == Status::Unknown && camera.cause == Some(Cause::NotYetChecked) {
                // No change of status, but whoever looks should see why.
                let detail = self.crowded_detail(who.group);
                self.cameras[who.camera.at()].detail = self.details.share(detail);
            }
        }
        if self.schedule.due(Key::Turn(who.group)).is_none() {
            self.take_turn(who.group);
        }
    }

    fn crowded_detail(&self, group: GroupIx) -> String {
        let budget = self.opener.budget(group).unwrap_or(0);
        format!("waits: the uplink's budget of {budget} kbit/s is in use by its other cameras")
    }

    /// Makes room for the first who waits behind a link, if others have had their turn.
    pub(crate) fn take_turn(&mut self, group: GroupIx) {
        let Some(wanted) = self.opener.wanted(group) else { return };
        let now = self.now.mono;
        let least = if wanted.picture { TURN_FOR_PICTURE } else { TURN };
        // From when each may be ended, and what that frees.
        let mut running: Vec<(Mono, CameraIx, u32)> = Vec::new();
        let mut passing = 0_u32;
        for &ix in &self.groups.get(group).members {
            let camera = &self.cameras[ix.at()];
            passing = passing.saturating_add(camera.patrol_kbps(group));
            let Some((_, kbps)) = camera.charge.filter(|(g, _)| *g == group && ix != wanted.camera) else { continue };
            if camera.is_running() {
                let busy = !camera.is_seen() || !camera.slots.is_empty();
                let turn = if busy { LONGEST_TURN } else { least };
                running.push((camera.running_since + turn, ix, kbps));
            } else {
                passing = passing.saturating_add(kbps);
            }
        }
        running.sort_unstable();
        let mut needed = wanted.free.saturating_sub(passing);
        let mut yielding = Vec::new();
        let mut at = now;
        for (from, ix, kbps) in running {
            if needed == 0 {
                break;
            }
            needed = needed.saturating_sub(kbps);
            at = at.max(from);
            yielding.push(ix);
        }
        if at > now {
            // At the latest then; it may be room before.
            self.schedule.set(Key::Turn(group), at.min(now + LOOK_AGAIN));
            return;
        }
        if needed == 0 {
            for ix in yielding {
                self.give_way(ix);
            }
        }
        self.schedule.set(Key::Turn(group), now + LOOK_AGAIN);
    }

    /// A camera's turn is over: its session ends, and it stands in line again.
    fn give_way(&mut self, ix: CameraIx) {
        self.end_session(ix);
        let camera = &mut self.cameras[ix.at()];
        camera.waits_turn = true;
        self.own.forget_clock(camera.clock_bucket.take());
        let believed = camera.judged + self.config.assess_every * PICTURE_HOLDS;
        self.schedule.set(Key::Camera(ix, Timer::Retry), self.now.mono + AFTER_CLOSE);
        self.schedule.set(Key::Camera(ix, Timer::Verdict), believed.max(self.now.mono));
    }

    /// It waits for its turn, and its last judged picture says nothing of now.
    pub(crate) fn turn_overdue(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        if camera.waits_turn && matches!(camera.status, Status::Online | Status::Impaired) {
            let detail = self.crowded_detail(camera.group);
            self.set_verdict(ix, Status::Unknown, Some(Cause::NotYetChecked), detail);
        }
    }
}
