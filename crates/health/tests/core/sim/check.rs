//! Questions about a run: what was told, against the truth.

use super::{S, Time, World};
use fleet::{CameraId, Cause, Status};
use health::{Incident, IncidentId, Scope};

impl World {
    /// The camera's status now, as the board shows it.
    pub fn status(&self, camera: usize) -> (Status, Option<Cause>) {
        let row = self.fleet.row(CameraId(camera as u32 + 1)).expect("in the register");
        (row.status, row.cause)
    }

    /// How many have each status now: online, impaired, offline, unknown, paused.
    pub fn counts(&self) -> [u32; 5] {
        let c = self.fleet.board(self.now()).counts;
        [c.online, c.impaired, c.offline, c.unknown, c.paused]
    }

    /// When the camera was first told to have this status after `from`.
    pub fn told(&self, camera: usize, status: Status, from: Time) -> Option<Time> {
        let log = &self.log.statuses[camera];
        log[log.partition_point(|(t, _)| *t < from)..].iter().find(|(_, c)| c.status == status).map(|(t, _)| *t)
    }

    /// Status and cause of every change after `from`.
    pub fn changes(&self, camera: usize, from: Time) -> Vec<(Status, Option<Cause>)> {
        self.log.statuses[camera].iter().filter(|(t, _)| *t >= from).map(|(_, c)| (c.status, c.cause)).collect()
    }

    /// Every incident ever told, as last told.
    pub fn incidents(&self) -> Vec<Incident> {
        self.log.incidents.values().map(|v| v.last().expect("told at least once").1.clone()).collect()
    }

    /// The incidents that were told for themselves, not folded into another.
    pub fn top_level(&self) -> Vec<Incident> {
        self.incidents().into_iter().filter(|i| i.folded_into.is_none()).collect()
    }

    /// The scopes of top-level incidents, in order.
    pub fn scopes(&self) -> Vec<Scope> {
        self.top_level().into_iter().map(|i| i.scope).collect()
    }

    /// The incident in which another was told in the end.
    pub fn root_of(&self, mut id: IncidentId) -> IncidentId {
        while let Some(into) = self.log.incidents.get(&id).and_then(|v| v.last().expect("told").1.folded_into) {
            id = into;
        }
        id
    }

    /// Nothing was told that contradicts itself.
    pub fn assert_sound(&self) {
        self.fleet.check_invariants();
        assert!(self.log.faults.is_empty(), "{:#?}", self.log.faults);
        let wrong = self.slot_faults();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Slots that did not end exactly once, and slots that never came.
    pub fn slot_faults(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for &(camera, slot) in &self.log.asked {
            if !self.log.slots[camera].contains_key(&slot) && !self.recently_asked(camera, slot) {
                wrong.push(format!("camera {camera}: slot {slot:?} was asked for and never ended"));
            }
        }
        for (camera, slots) in self.log.slots.iter().enumerate() {
            for (slot, (at, stored, gaps)) in slots {
                // One that starts on a clock that was set back cannot know what an earlier run has photographed ahead of it.
                let both = self.restarts > 0 && (*stored, *gaps) == (1, 1);
                if stored + gaps != 1 && !both {
                    wrong.push(format!("camera {camera}: slot {slot:?} at {at}: {stored} stored, {gaps} gaps"));
                }
            }
        }
        wrong
    }

    fn recently_asked(&self, _camera: usize, slot: fleet::Wall) -> bool {
        (self.now().wall.0 - slot.0).abs() < 90_000
    }

    /// The longest time between two decided slots of a camera.
    pub fn longest_without_slot(&self, camera: usize) -> Time {
        let mut times: Vec<Time> = self.log.slots[camera].values().map(|(t, _, _)| *t).collect();
        times.sort_unstable();
        times.push(self.t);
        let past = &self.log.past_slots[camera];
        let mut last = past.last;
        times.into_iter().map(|t| t - std::mem::replace(&mut last, t)).max().unwrap_or(0).max(past.longest)
    }

    /// The most sessions opened within any second.
    pub fn busiest_second_of_opens(&self) -> usize {
        let opens = &self.log.opens;
        let mut most = 0;
        let mut first = 0;
        for (i, (t, _)) in opens.iter().enumerate() {
            // A new process knows nothing of what the former opened.
            let restarted = |since: Time| self.log.breaks.iter().any(|&(at, _)| since < at && at <= *t);
            while *t - opens[first].0 >= S || restarted(opens[first].0) {
                first += 1;
            }
            most = most.max(i + 1 - first);
        }
        most
    }
}
