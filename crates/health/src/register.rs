//! The register changes, cameras are paused and taken back: who is watched at all.

use crate::{
    Effect, Failure, Fleet,
    camera::{Camera, Link, Pause},
    effect::REGISTER_CHANGED,
    index::CameraIx,
    opener::Class,
    schedule::{Key, Timer},
};
use fleet::{CameraId, Cause, LifeCycle, Registry, Status, Wall};
use std::{sync::Arc, time::Duration};

/// Start-up is shuffled over this span, so that no uplink and no maker's batch of addresses comes first.
const SHUFFLE: Duration = Duration::from_secs(2);
/// A closed session may take this long to say goodbye before the next is opened.
pub(crate) const AFTER_CLOSE: Duration = Duration::from_secs(2);
/// Marks the end of a pause in the detail of its status, so that it outlives a restart.
const UNTIL: &str = "until_ms=";

impl Fleet {
    pub(crate) fn register(&mut self, registry: Arc<Registry>) {
        let former = std::mem::replace(&mut self.registry, registry.clone());
        let gone: Vec<CameraId> = self.by_id.keys().filter(|id| registry.camera(**id).is_none()).copied().collect();
        for id in gone {
            self.remove(id);
        }
        // Doubling would cost a hundred thousand cameras what a third of them need.
        let new = registry.cameras().len().saturating_sub(self.by_id.len() + self.free.len());
        self.cameras.reserve_exact(new);
        self.schedule.expect(self.cameras.len() + new);
        for record in registry.cameras() {
            match self.find(record.id) {
                None => self.add(record),
                Some(ix) => self.change(ix, former.camera(record.id), record),
            }
        }
        self.groups.lay_out(&registry);
        for record in registry.cameras() {
            if let (Some(ix), Some(uplink)) = (self.find(record.id), record.uplink) {
                let budget = registry.uplink(uplink).and_then(|u| u.budget_kbps);
                self.opener.set_budget(self.cameras[ix.at()].group, budget);
            }
        }
        self.adopt_incidents();
    }

    fn add(&mut self, record: &fleet::Camera) {
        let group = self.groups.place(record);
        let camera = Camera::new(record.id, group, self.now.wall, self.details.share(""));
        let ix = match self.free.pop() {
            Some(ix) => {
                self.cameras[ix.at()] = camera;
                ix
            }
            None => {
                self.cameras.push(camera);
                CameraIx(u32::try_from(self.cameras.len() - 1).expect("ids are 32 bits wide"))
            }
        };
        self.by_id.insert(record.id, ix);
        self.groups.get_mut(group).members.insert(ix);
        *self.count(Status::Unknown) += 1;
        self.choose_stream(ix, record);
        let resumed = self.resumed.remove(&record.id);
        let mut pause_left = None;
        if let Some(change) = resumed {
            *self.count(Status::Unknown) -= 1;
            *self.count(change.status) += 1;
            let camera = &mut self.cameras[ix.at()];
            camera.status = change.status;
            camera.cause = change.cause;
            camera.detail = self.details.share(change.detail.as_str());
            camera.since = change.at;
            camera.told = change.at;
            camera.changed = self.now.mono;
            if change.status == Status::Paused && change.cause == Some(Cause::Maintenance) {
                pause_left = pause_end(&change.detail).filter(|&end| end > self.now.wall);
            }
        }
        if let Some(detail) = self.refused.remove(&record.id) {
            let camera = &mut self.cameras[ix.at()];
            camera.parked = true;
            camera.failure = Some(Box::new(Failure { cause: Cause::PasswordRefused, detail }));
        }
        self.own.in_use += 1;
        if record.life_cycle != LifeCycle::InUse {
            self.begin_pause(ix, Pause::Register(record.life_cycle), String::new());
        } else if let Some(end) = pause_left {
            self.cameras[ix.at()].paused = Some(Pause::Person(end));
            self.own.in_use -= 1;
            self.pause_follows(ix);
        } else if let Some(detail) = self.planned(record.id) {
            self.begin_pause(ix, Pause::Window, detail);
        } else {
            self.watch(ix, SHUFFLE);
        }
    }

    fn change(&mut self, ix: CameraIx, former: Option<&fleet::Camera>, record: &fleet::Camera) {
        let group = self.groups.place(record);
        let old_group = self.cameras[ix.at()].group;
        if group != old_group {
            if self.cameras[ix.at()].untold {
                self.decide_now(old_group);
            }
            self.groups.get_mut(old_group).members.remove(&ix);
            self.groups.get_mut(group).members.insert(ix);
            self.cameras[ix.at()].group = group;
        }
        self.choose_stream(ix, record);
        let paused = self.cameras[ix.at()].paused;
        let reached_alike = former.is_some_and(|f| {
            f.main == record.main
                && f.sub == record.sub
                && f.credentials == record.credentials
                && f.transport == record.transport
                && f.device.quirks == record.device.quirks
        });
        let refused = !reached_alike && std::mem::take(&mut self.cameras[ix.at()].parked);
        match (paused, record.life_cycle) {
            (None | Some(Pause::Person(_) | Pause::Window), LifeCycle::InUse) => {}
            (Some(Pause::Register(_)), LifeCycle::InUse) => {
                self.end_pause(ix);
                return;
            }
            (Some(Pause::Register(now)), life) if now == life => return,
            (_, life) => {
                self.begin_pause(ix, Pause::Register(life), String::new());
                return;
            }
        }
        if reached_alike || paused.is_some() {
            return;
        }
        let open = self.end_session(ix);
        let camera = &mut self.cameras[ix.at()];
        camera.delivered &= former.is_some_and(|f| f.main == record.main && f.sub == record.sub);
        camera.failures = 0;
        camera.failure = None;
        camera.lost = None;
        if refused {
            // What was refused is not what would be sent now.
            self.forget_incidents(ix);
            self.set_verdict(ix, Status::Unknown, Some(Cause::NotYetChecked), REGISTER_CHANGED.to_owned());
        }
        let wait = if open { AFTER_CLOSE } else { Duration::ZERO };
        self.schedule.set(Key::Camera(ix, Timer::Retry), self.now.mono + wait);
    }

    fn remove(&mut self, id: CameraId) {
        let Some(ix) = self.by_id.remove(&id) else { return };
        self.end_session(ix);
        self.forget_incidents(ix);
        self.drop_patrol(ix);
        self.drop_slots(ix, Cause::OutOfUse, "taken out of the register");
        self.schedule.clear_camera(ix);
        self.own.forget_camera(ix, self.cameras[ix.at()].clock_bucket.take());
        self.regain_sight(ix);
        let camera = &self.cameras[ix.at()];
        let (status, group, paused) = (camera.status, camera.group, camera.paused);
        *self.count(status) -= 1;
        self.own.in_use -= u32::from(paused.is_none());
        self.groups.get_mut(group).members.remove(&ix);
        self.free.push(ix);
    }

    /// Begins to watch a camera that is in use.
    fn watch(&mut self, ix: CameraIx, shuffle: Duration) {
        self.first_slot(ix);
        self.schedule_assess(ix);
        let refused = self.refused_before(ix);
        let camera = &self.cameras[ix.at()];
        if camera.status == Status::Paused || camera.told == Wall(i64::MIN) {
            self.set_verdict(ix, Status::Unknown, Some(Cause::NotYetChecked), String::new());
        }
        if let Some(detail) = refused {
            // A refused password is not sent again only because a pause ended or we were restarted.
            let camera = &mut self.cameras[ix.at()];
            camera.parked = true;
            camera.failure = Some(Box::new(Failure { cause: Cause::PasswordRefused, detail: detail.clone() }));
            self.set_verdict(ix, Status::Offline, Some(Cause::PasswordRefused), detail);
            return;
        }
        self.request(ix, Class::Routine, shuffle);
    }

    /// The password was refused before this pause or in an earlier run, and the record has not changed since.
    fn refused_before(&self, ix: CameraIx) -> Option<String> {
        let camera = &self.cameras[ix.at()];
        camera.failure.as_ref().filter(|_| camera.parked).map(|failure| failure.detail.clone())
    }

    fn choose_stream(&mut self, ix: CameraIx, record: &fleet::Camera) {
        let stream = match (self.config.continuous, &record.sub) {
            (fleet::StreamChoice::Sub, Some(_)) => fleet::StreamChoice::Sub,
            _ => fleet::StreamChoice::Main,
        };
        let camera = &mut self.cameras[ix.at()];
        if std::mem::replace(&mut camera.stream, stream) != stream {
            camera.format = None;
        }
        // Where the main stream has no room beside it, pictures are of the stream that is pulled: better than none.
        let budget = record.uplink.and_then(|u| self.registry.uplink(u)).and_then(|u| u.budget_kbps);
        let room = budget.is_none_or(|budget| budget >= self.config.main_kbps.saturating_add(self.config.sub_kbps));
        camera.patrolled = camera.stream == fleet::StreamChoice::Sub && record.device.sessions() > 1 && room;
    }

    /// Ends whatever session there is or will be; whether there was one to close.
    pub(crate) fn end_session(&mut self, ix: CameraIx) -> bool {
        self.uncharge(ix);
        let camera = &mut self.cameras[ix.at()];
        let link = std::mem::replace(&mut camera.link, Link::Idle);
        let id = camera.id;
        for timer in [Timer::Retry, Timer::Watch, Timer::Verdict] {
            self.schedule.clear(Key::Camera(ix, timer));
        }
        match link {
            Link::Idle => return false,
            Link::Queued { ticket, group, .. } => {
                self.opener.cancel(ticket, group);
                return false;
            }
            Link::Opening { group, class } => self.opener.release(class, group),
            Link::Running { .. } => {}
        }
        self.effects.push(Effect::Close { camera: id });
        true
    }

    /// A person pauses a camera or takes it back.
    pub(crate) fn pause(&mut self, ix: CameraIx, until: Option<Wall>, by: &str, reason: &str) {
        match until {
            Some(until) if until > self.now.wall => {
                if matches!(self.cameras[ix.at()].paused, Some(Pause::Register(_))) {
                    return;
                }
                let detail = format!("{by}: {reason} ({UNTIL}{})", until.0);
                self.begin_pause(ix, Pause::Person(until), detail);
                self.pause_follows(ix);
            }
            _ => {
                if matches!(self.cameras[ix.at()].paused, Some(Pause::Person(_))) {
                    self.end_pause(ix);
                }
            }
        }
    }

    pub(crate) fn begin_pause(&mut self, ix: CameraIx, why: Pause, detail: String) {
        self.end_session(ix);
        let camera = &mut self.cameras[ix.at()];
        self.own.in_use -= u32::from(camera.paused.is_none());
        camera.paused = Some(why);
        camera.waits_turn = false;
        camera.failures = 0;
        camera.lost = None;
        // A refused password stays refused; anything else is forgotten.
        camera.parked &= camera.failure.as_ref().is_some_and(|f| f.cause == Cause::PasswordRefused);
        camera.failure = camera.failure.take().filter(|_| camera.parked);
        for timer in [Timer::PauseEnd, Timer::Slot, Timer::Assess] {
            self.schedule.clear(Key::Camera(ix, timer));
        }
        self.set_verdict(ix, Status::Paused, Some(why.cause()), detail);
    }

    pub(crate) fn end_pause(&mut self, ix: CameraIx) {
        let camera = &mut self.cameras[ix.at()];
        if camera.paused.take().is_none() {
            return;
        }
        self.own.in_use += 1;
        self.schedule.clear(Key::Camera(ix, Timer::PauseEnd));
        if let Some(detail) = self.planned(self.cameras[ix.at()].id) {
            // One pause gives way to another: nothing in between.
            self.begin_pause(ix, Pause::Window, detail);
            return;
        }
        self.set_verdict(ix, Status::Unknown, Some(Cause::NotYetChecked), String::new());
        self.watch(ix, SHUFFLE);
    }

    /// A paused camera stays paused, for another reason.
    pub(crate) fn retell_pause(&mut self, ix: CameraIx, detail: String) {
        self.set_verdict(ix, Status::Paused, Some(Cause::Maintenance), detail);
    }
}

fn pause_end(detail: &str) -> Option<Wall> {
    let (_, rest) = detail.rsplit_once(UNTIL)?;
    rest.trim_end_matches(')').parse().ok().map(Wall)
}
