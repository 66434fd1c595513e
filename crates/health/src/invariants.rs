//! What must hold between any two events, written down so that simulations can check it.

use crate::{
    Fleet,
    camera::{Link, Patrol, is_silence},
    schedule::{Key, Timer},
};
use fleet::Status;

impl Fleet {
    /// Checks every invariant of the whole state. Costs a walk over all cameras: for tests and simulations.
    ///
    /// # Panics
    /// If one does not hold, naming the camera.
    pub fn check_invariants(&self) {
        let mut counts = crate::Counts::default();
        let mut in_use = 0;
        let mut charged = std::collections::BTreeMap::new();
        for (&id, &ix) in &self.by_id {
            let camera = &self.cameras[ix.at()];
            let set = |timer| self.schedule.due(Key::Camera(ix, timer)).is_some();
            assert_eq!(camera.id, id);
            assert!(self.groups.get(camera.group).members.contains(&ix), "{id} stands in its group");
            match camera.status {
                Status::Online => counts.online += 1,
                Status::Impaired => counts.impaired += 1,
                Status::Offline => counts.offline += 1,
                Status::Unknown => counts.unknown += 1,
                Status::Paused => counts.paused += 1,
            }
            assert_eq!(camera.cause.map_or(Status::Online, fleet::Cause::status), camera.status, "{id}");
            if camera.paused.is_some() {
                assert_eq!(camera.status, Status::Paused, "{id}");
                assert_eq!(camera.link, Link::Idle, "{id} is paused and has no session");
                assert!(!set(Timer::Slot) && !set(Timer::Retry), "{id} is paused and nothing is due");
            } else {
                in_use += 1;
                assert_ne!(camera.status, Status::Paused, "{id}");
                assert!(set(Timer::Slot) && set(Timer::Assess), "{id} has its next slot and check");
                match camera.link {
                    Link::Idle => assert!(camera.parked || set(Timer::Retry), "{id} is never forgotten"),
                    Link::Opening { .. } => assert!(set(Timer::Watch), "{id} is waited for with a limit"),
                    Link::Queued { .. } | Link::Running { .. } => assert!(!set(Timer::Retry), "{id}"),
                }
            }
            assert!(camera.slots.is_empty() || set(Timer::Answer), "{id}: slots end");
            match camera.patrol {
                Patrol::Idle => assert!(!camera.slots.any_queued(), "{id}: what waits stands in line"),
                Patrol::Queued { .. } => assert!(camera.slots.any_queued(), "{id}: nobody stands in line for nothing"),
                Patrol::Open { group, kbps } => {
                    assert!(camera.slots.any_pending(), "{id}: a session for pictures that nobody waits for");
                    *charged.entry(group).or_insert(0) += kbps;
                }
            }
            if let Some((group, kbps)) = camera.charge {
                *charged.entry(group).or_insert(0) += kbps;
            }
            if matches!(camera.link, Link::Opening { .. } | Link::Running { .. }) {
                assert!(camera.charge.is_some(), "{id}: its session is charged");
            }
            if camera.untold {
                assert!(camera.cause.is_some_and(is_silence) && camera.silent.is_some(), "{id}");
                assert!(self.schedule.due(Key::Group(camera.group)).is_some(), "{id} will be told");
            }
            for incident in camera.own.iter().chain(&camera.shared) {
                let open = self.book.open(*incident);
                let member = open.and_then(|i| i.members.iter().find(|m| m.camera == id));
                assert!(member.is_some_and(|m| m.left.is_none()), "{id} is a member of {incident}");
            }
            if camera.status == Status::Offline && camera.failures > 0 && self.own.distrust().is_none() {
                assert!(camera.is_told(), "{id} is told somewhere");
            }
        }
        assert_eq!(counts, self.counts, "the counts are those of the cameras");
        assert_eq!(in_use, self.own.in_use);
        for (group, kbps) in charged {
            assert_eq!(self.opener.charged(group), kbps, "what is charged is what its cameras were charged with");
        }
        for incident in self.book.all_open() {
            for member in incident.members.iter().filter(|m| m.left.is_none()) {
                let camera = self.find(member.camera).map(|ix| &self.cameras[ix.at()]);
                let knows = camera.is_some_and(|c| c.own == Some(incident.id) || c.shared == Some(incident.id));
                assert!(knows || self.book.began(incident.id).is_none(), "{} of {}", member.camera, incident.id);
            }
        }
    }
}
