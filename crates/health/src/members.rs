//! Who is in which incident: joining and leaving shared ones, a camera's own, what an earlier run left open.

use crate::{
    Fleet, IncidentId, Scope, Severity,
    book::{Draft, Rest},
    camera::{is_late, is_silence},
    index::{CameraIx, GroupIx},
    rules::{Facts, RuleScope, conclude},
    schedule::Key,
};
use fleet::{CameraId, Cause, Status};
use std::{collections::BTreeSet, time::Duration};

/// Who is still silent this long after others of its incident came back has a fault of its own.
const AFTER_RETURN: Duration = Duration::from_secs(180);

impl Fleet {
    /// The camera joins a shared incident.
    pub(crate) fn share(&mut self, ix: CameraIx, id: IncidentId, cause: Cause) {
        let at = self.wall_at(self.cameras[ix.at()].lost.unwrap_or(self.now.mono));
        let camera = &mut self.cameras[ix.at()];
        camera.shared = Some(id);
        if self.book.join(id, camera.id, cause, at) == Rest::Most {
            self.schedule.clear(Key::Incident(id.0));
        }
    }

    /// The camera leaves its shared incident, which ends with the last.
    pub(crate) fn unshare(&mut self, ix: CameraIx) {
        if let Some(id) = self.cameras[ix.at()].shared {
            self.part(ix, id, None);
        }
    }

    pub(crate) fn part(&mut self, ix: CameraIx, id: IncidentId, into: Option<IncidentId>) {
        let camera = &mut self.cameras[ix.at()];
        camera.shared = None;
        let rest = self.book.leave(id, camera.id, self.now.wall);
        if self.left_doubt(id, into) {
            return;
        }
        match rest {
            Rest::Most => {}
            Rest::Few => {
                if self.schedule.due(Key::Incident(id.0)).is_none() {
                    self.schedule.set(Key::Incident(id.0), self.now.mono + AFTER_RETURN);
                }
            }
            Rest::Nobody => {
                self.schedule.clear(Key::Incident(id.0));
                self.book.resolve(id, into, self.now);
            }
        }
    }

    /// Others of a shared incident came back a while ago: who did not has a fault of its own.
    pub(crate) fn look_after_return(&mut self, id: IncidentId) {
        let Some(incident) = self.book.open(id) else { return };
        // A site's may be of several links.
        let one_link = match &incident.scope {
            Scope::Uplink(_) => true,
            Scope::Site(_) => self.groups.under(&incident.scope).len() < 2,
            _ => false,
        };
        let left: Vec<CameraId> = incident.members.iter().filter(|m| m.left.is_none()).map(|m| m.camera).collect();
        let left: Vec<CameraIx> = left.into_iter().filter_map(|id| self.find(id)).collect();
        let groups: BTreeSet<GroupIx> = left.iter().map(|ix| self.cameras[ix.at()].group).collect();
        // Who left may have been paused or taken out of the register: that proves nothing about the link.
        let alive = |group: &GroupIx| self.tally(*group, self.now.mono).alive > 0;
        if one_link && !groups.iter().any(alive) {
            return;
        }
        for &ix in &left {
            self.unshare(ix);
        }
        for group in groups {
            let members: Vec<CameraIx> = left
                .iter()
                .copied()
                .filter(|ix| self.cameras[ix.at()].group == group && self.cameras[ix.at()].status == Status::Offline)
                .collect();
            let newest = members.iter().filter_map(|ix| self.cameras[ix.at()].silent).max().unwrap_or(self.now.mono);
            let tally = self.tally(group, newest);
            if !one_link {
                self.tell_link(group, &tally);
            }
            for ix in members {
                if self.cameras[ix.at()].shared.is_none() {
                    self.cameras[ix.at()].silent = None;
                    self.tell_camera(ix, true);
                }
            }
        }
        self.book.resolve(id, None, self.now);
    }

    /// Opens or revises a camera's own incident from its present verdict.
    pub(crate) fn tell_camera(&mut self, ix: CameraIx, after_return: bool) {
        let camera = &self.cameras[ix.at()];
        let Some(cause) = camera.cause else { return };
        let severity = if camera.status == Status::Offline { Severity::Major } else { Severity::Minor };
        let began = camera.lost.unwrap_or(self.now.mono);
        let tally = self.tally(camera.group, began);
        let facts = Facts {
            scope: RuleScope::Camera,
            cause,
            n: 1,
            total: tally.total,
            alive: tally.alive - u32::from(camera.is_seen() && camera.status != Status::Offline).min(tally.alive),
            links: 1,
            spread_s: 0.0,
            place: String::new(),
            after_return,
            same_hour: self.book.habits().same_hour(&Scope::Camera(camera.id), self.wall_at(began)),
            delivered: camera.delivered,
        };
        let conclusion = conclude(&facts);
        if let Some(id) = camera.own.filter(|&id| self.book.open(id).is_some()) {
            self.book.revise(id, severity, cause, conclusion);
            return;
        }
        let draft = Draft { scope: Scope::Camera(camera.id), opened: self.wall_at(began), severity, cause, conclusion };
        let id = self.book.start(draft, self.now);
        let camera = &mut self.cameras[ix.at()];
        camera.own = Some(id);
        self.book.join(id, camera.id, cause, self.wall_at(began));
    }

    pub(crate) fn close_own(&mut self, ix: CameraIx, into: Option<IncidentId>) {
        let camera = &mut self.cameras[ix.at()];
        if let Some(id) = camera.own.take() {
            let camera = camera.id;
            self.book.leave(id, camera, self.now.wall);
            self.book.resolve(id, into, self.now);
        }
    }

    /// It no longer flaps: what was kept open only for that is over.
    pub(crate) fn steady_again(&mut self, ix: CameraIx) {
        if self.cameras[ix.at()].status == Status::Online {
            self.close_own(ix, None);
        }
    }

    /// The camera is no longer watched: it leaves every incident.
    pub(crate) fn forget_incidents(&mut self, ix: CameraIx) {
        let camera = &mut self.cameras[ix.at()];
        camera.silent = None;
        camera.untold = false;
        self.unshare(ix);
        self.close_own(ix, None);
    }

    /// What was told of its silence was our own fault.
    pub(crate) fn forget_incidents_of_silence(&mut self, ix: CameraIx, own: IncidentId) {
        if let Some(id) = self.cameras[ix.at()].shared {
            self.part(ix, id, Some(own));
        }
        let silence = |id| self.book.open(id).is_some_and(|i| is_silence(i.cause) || is_late(i.cause));
        if self.cameras[ix.at()].own.is_some_and(silence) {
            self.close_own(ix, Some(own));
        }
    }

    /// Incidents of an earlier run find their cameras again; those nobody can end any more are ended.
    pub(crate) fn adopt_incidents(&mut self) {
        let open: Vec<(IncidentId, Scope, Cause, Vec<CameraId>)> = self
            .book
            .all_open()
            .filter(|i| self.book.began(i.id).is_none())
            .map(|i| {
                let members = i.members.iter().filter(|m| m.left.is_none()).map(|m| m.camera).collect();
                (i.id, i.scope.clone(), i.cause, members)
            })
            .collect();
        for (id, scope, cause, members) in open {
            if scope == Scope::Own {
                if !self.own.faults().any(|(part, _)| crate::own::cause_of(part) == cause) {
                    self.book.resolve(id, None, self.now);
                }
                continue;
            }
            let mut adopted = false;
            for camera in members {
                let Some(ix) = self.find(camera).filter(|ix| self.cameras[ix.at()].paused.is_none()) else {
                    self.book.leave(id, camera, self.now.wall);
                    continue;
                };
                adopted = true;
                match scope {
                    Scope::Camera(_) => self.cameras[ix.at()].own = Some(id),
                    _ => self.cameras[ix.at()].shared = Some(id),
                }
            }
            if !adopted {
                self.book.resolve(id, None, self.now);
                continue;
            }
            for group in self.groups.under(&scope) {
                self.groups.get_mut(group).incident.get_or_insert(id);
            }
            if !matches!(scope, Scope::Camera(_)) && self.book.rest(id) == Rest::Few {
                self.schedule.set(Key::Incident(id.0), self.now.mono + AFTER_RETURN);
            }
        }
    }
}
