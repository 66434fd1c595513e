//! What the core keeps of one camera, and the questions that can be answered from it alone.

use crate::{
    CameraRow, Carriage, Failure, IncidentId, SnapshotClass, StreamFigures, StreamFormat,
    faults::Faults,
    index::GroupIx,
    opener::{Class, Ticket},
};
use fleet::{CameraId, Cause, LifeCycle, Mono, Status, StreamChoice, Wall};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Where its session is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Link {
    /// No session, none asked for.
    Idle,
    /// In the opener's line.
    Queued {
        /// To leave the line.
        ticket: Ticket,
        /// As which it stands there.
        group: GroupIx,
        /// Why.
        class: Class,
    },
    /// Being opened.
    Opening {
        /// Whose budget it uses.
        group: GroupIx,
        /// Which budget it uses.
        class: Class,
    },
    /// Video arrives.
    Running {
        /// A keyframe of this session was judged (or could not be decoded, twice).
        judged: bool,
    },
}

/// A session of its own for pictures of a stream that is not pulled continuously.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Patrol {
    /// None is wanted.
    Idle,
    /// In the opener's line.
    Queued {
        /// To leave the line.
        ticket: Ticket,
        /// As which it stands there.
        group: GroupIx,
    },
    /// Asked for; ends when the pictures are answered.
    Open {
        /// Whose budget it uses.
        group: GroupIx,
        /// What is charged there, in kbit/s.
        kbps: u32,
    },
}

/// Why it is paused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pause {
    /// The register says so.
    Register(LifeCycle),
    /// A person planned it, for this camera, until this time.
    Person(Wall),
    /// A planned window covers it.
    Window,
}

impl Pause {
    pub(crate) fn cause(self) -> Cause {
        match self {
            Pause::Register(LifeCycle::OutOfUse | LifeCycle::Dismantled) => Cause::OutOfUse,
            Pause::Register(LifeCycle::InUse | LifeCycle::Repair) | Pause::Person(_) | Pause::Window => {
                Cause::Maintenance
            }
        }
    }
}

/// Slots of a camera that are due and not decided.
#[derive(Debug, Default)]
pub(crate) struct Undecided {
    /// Waits for the verdict.
    pub(crate) held: Option<Wall>,
    /// Asked for and not answered.
    pub(crate) pending: Vec<Wall>,
    /// Wait for a session of the main stream.
    pub(crate) queued: Vec<(Wall, SnapshotClass)>,
}

impl Undecided {
    fn is_empty(&self) -> bool {
        self.held.is_none() && self.pending.is_empty() && self.queued.is_empty()
    }

    /// Whether a slot of this name is among them.
    pub(crate) fn has(&self, slot: Wall) -> bool {
        self.held == Some(slot) || self.pending.contains(&slot) || self.queued.iter().any(|(s, _)| *s == slot)
    }
}

/// A camera's undecided slots. Most of the time there are none, and then it costs a pointer.
#[derive(Debug, Default)]
pub(crate) struct Slots(Option<Box<Undecided>>);

impl Slots {
    pub(crate) fn get(&self) -> Option<&Undecided> {
        self.0.as_deref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A session of the main stream is wanted for some.
    pub(crate) fn any_queued(&self) -> bool {
        self.get().is_some_and(|s| !s.queued.is_empty())
    }

    /// Some were asked for.
    pub(crate) fn any_pending(&self) -> bool {
        self.get().is_some_and(|s| !s.pending.is_empty())
    }

    /// Takes the one that waits for the verdict.
    pub(crate) fn take_held(&mut self) -> Option<Wall> {
        self.0.as_ref()?;
        self.change(|s| s.held.take())
    }

    /// Changes them, and keeps no room if none is left.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Undecided) -> R) -> R {
        let slots = self.0.get_or_insert_default();
        let result = change(slots);
        if slots.is_empty() {
            self.0 = None;
        }
        result
    }
}

/// One camera.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) id: CameraId,
    pub(crate) group: GroupIx,
    pub(crate) stream: StreamChoice,

    // the verdict
    pub(crate) status: Status,
    pub(crate) cause: Option<Cause>,
    pub(crate) detail: Arc<str>,
    /// When the status began.
    pub(crate) since: Wall,
    /// The time given to the last change told; the next is later.
    pub(crate) told: Wall,
    /// When the verdict last changed.
    pub(crate) changed: Mono,
    pub(crate) paused: Option<Pause>,

    // the session
    pub(crate) link: Link,
    /// Tries and sessions in a row that ended without a judged keyframe.
    pub(crate) failures: u16,
    /// The latest, most telling failure since the last judged keyframe.
    pub(crate) failure: Option<Box<Failure>>,
    /// When the video was lost, or the first try failed.
    pub(crate) lost: Option<Mono>,
    /// No try is made before the credentials change or a person asks.
    pub(crate) parked: bool,
    /// The next try is a person's.
    pub(crate) by_person: bool,
    /// What its session is charged with, and where, in kbit/s.
    pub(crate) charge: Option<(GroupIx, u32)>,
    /// What its continuous stream brought lately, in kbit/s; 0 if not known.
    pub(crate) kbps: u32,
    /// Since when its session runs, if it does.
    pub(crate) running_since: Mono,
    /// There was no room for its session behind its uplink: it waits for its turn.
    pub(crate) waits_turn: bool,

    // what the video shows
    pub(crate) faults: Faults,
    pub(crate) figures: Option<Arc<StreamFigures>>,
    pub(crate) carriage: Option<Arc<Carriage>>,
    /// What the stream was last seen to be made of, in this run.
    pub(crate) format: Option<StreamFormat>,
    /// Bucket of its clock's error in the fleet's histogram.
    pub(crate) clock_bucket: Option<i64>,
    pub(crate) last_picture: Option<Wall>,
    /// When a picture of it was last judged, good or not.
    pub(crate) judged: Mono,
    /// It is `unknown` because that was too long ago.
    pub(crate) blind: bool,
    /// The registered address has delivered its video.
    pub(crate) delivered: bool,

    // snapshots
    pub(crate) last_snapshot: Option<Wall>,
    pub(crate) photographed: bool,
    /// Those that are due and not decided.
    pub(crate) slots: Slots,
    /// Its pictures come from the main stream by sessions of their own.
    pub(crate) patrolled: bool,
    pub(crate) patrol: Patrol,
    pub(crate) last_slot: Wall,

    // steadiness
    pub(crate) changes: Recent,
    pub(crate) losses: Recent,
    pub(crate) flapping: bool,

    // incidents
    /// When it fell silent, while it is offline for a reason that siblings may share.
    pub(crate) silent: Option<Mono>,
    /// Silent, and not yet told in any incident.
    pub(crate) untold: bool,
    /// Its own incident, if open.
    pub(crate) own: Option<IncidentId>,
    /// The shared incident it is a member of, if open.
    pub(crate) shared: Option<IncidentId>,
}

impl Camera {
    /// A camera of which nothing is known yet, and `nothing` is said.
    pub(crate) fn new(id: CameraId, group: GroupIx, at: Wall, nothing: Arc<str>) -> Camera {
        Camera {
            id,
            group,
            stream: StreamChoice::Main,
            status: Status::Unknown,
            cause: Some(Cause::NotYetChecked),
            detail: nothing,
            since: at,
            told: Wall(i64::MIN),
            changed: Mono(0),
            paused: None,
            link: Link::Idle,
            failures: 0,
            failure: None,
            lost: None,
            parked: false,
            by_person: false,
            charge: None,
            kbps: 0,
            running_since: Mono(0),
            waits_turn: false,
            faults: Faults::default(),
            figures: None,
            carriage: None,
            format: None,
            clock_bucket: None,
            last_picture: None,
            judged: Mono(0),
            blind: false,
            delivered: false,
            last_snapshot: None,
            photographed: false,
            slots: Slots::default(),
            patrolled: false,
            patrol: Patrol::Idle,
            last_slot: Wall(i64::MIN),
            changes: Recent::default(),
            losses: Recent::default(),
            flapping: false,
            silent: None,
            untold: false,
            own: None,
            shared: None,
        }
    }

    /// Video arrives and was judged.
    pub(crate) fn is_seen(&self) -> bool {
        self.link == Link::Running { judged: true }
    }

    /// Video arrives.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.link, Link::Running { .. })
    }

    /// What its session for pictures is charged with behind this uplink, in kbit/s.
    pub(crate) fn patrol_kbps(&self, behind: GroupIx) -> u32 {
        match self.patrol {
            Patrol::Open { group, kbps } if group == behind => kbps,
            Patrol::Open { .. } | Patrol::Queued { .. } | Patrol::Idle => 0,
        }
    }

    /// It is in an incident, or will soon be.
    pub(crate) fn is_told(&self) -> bool {
        self.untold || self.own.is_some() || self.shared.is_some()
    }

    /// A change is suspected and being confirmed.
    pub(crate) fn confirming(&self) -> bool {
        match self.status {
            Status::Online | Status::Impaired => self.failures > 0 || self.faults.wavers(),
            Status::Unknown => self.failures > 0 && self.cause == Some(Cause::NotYetChecked),
            Status::Offline | Status::Paused => false,
        }
    }

    /// Its row on the board. `next_try` is computed by the owner of the deadlines.
    pub(crate) fn row(&self, next_try: Option<Wall>) -> CameraRow {
        CameraRow {
            camera: self.id,
            status: self.status,
            since: self.since,
            layer: self.cause.map(Cause::layer),
            cause: self.cause,
            besides: if self.status == Status::Impaired { self.faults.besides() } else { Vec::new() },
            detail: self.detail.clone(),
            confirming: self.confirming(),
            flapping: self.flapping,
            last_picture: self.last_picture,
            last_snapshot: self.last_snapshot,
            next_try,
            stream: self.stream,
            carriage: if self.is_running() { self.carriage.clone() } else { None },
            figures: if self.is_running() { self.figures.clone() } else { None },
        }
    }
}

/// Causes that everything behind one broken link shows alike. What answers above the port has a link.
pub(crate) fn is_silence(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NoAnswer | Cause::HostUnreachable | Cause::PortClosed | Cause::Stalled | Cause::ConnectionLost
    )
}

/// Something was there, but its answer did not come in time.
pub(crate) fn is_late(cause: Cause) -> bool {
    matches!(cause, Cause::RtspNoAnswer | Cause::NoRtp | Cause::NoKeyframe)
}

/// After which no further try may be made by ourselves: another refused password may lock the account.
pub(crate) fn parks(cause: Cause) -> bool {
    matches!(cause, Cause::PasswordRefused | Cause::AccountLocked)
}

/// Which of two failures in a row says more.
pub(crate) fn more_telling(former: Option<&Failure>, latest: Failure) -> Failure {
    match former {
        // Our own lost session may still count at the camera: its limit is not what went wrong.
        Some(former) if latest.cause == Cause::SessionLimit && is_silence(former.cause) => {
            Failure { cause: former.cause, detail: format!("{}; then {}", former.detail, latest.detail) }
        }
        Some(former) if former.cause != latest.cause && !former.detail.contains("; before: ") => Failure {
            cause: latest.cause,
            detail: format!("{}; before: {} ({})", latest.detail, former.cause, former.detail),
        },
        _ => latest,
    }
}

/// The last few instants of something that should be rare.
#[derive(Clone, PartialEq, Debug, Default)]
// Most cameras never have any, and then it is to cost a pointer.
#[allow(clippy::box_collection)]
pub(crate) struct Recent(Option<Box<VecDeque<Mono>>>);

impl Recent {
    /// Notes one; at most `keep` are remembered.
    pub(crate) fn note(&mut self, at: Mono, keep: u32) {
        let all = self.0.get_or_insert_default();
        while all.len() >= keep.max(1) as usize {
            all.pop_front();
        }
        all.push_back(at);
    }

    /// How many lie within `window` before `now`.
    pub(crate) fn within(&self, window: Duration, now: Mono) -> u32 {
        u32::try_from(self.all().filter(|at| now.since(*at) < window).count()).unwrap_or(u32::MAX)
    }

    /// When the oldest that counts ceases to count.
    pub(crate) fn ages(&self, window: Duration, now: Mono) -> Option<Mono> {
        self.all().find(|at| now.since(*at) < window).map(|at| at + window)
    }

    fn all(&self) -> impl Iterator<Item = Mono> + '_ {
        self.0.iter().flat_map(|all| all.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause, detail: &str) -> Failure {
        Failure { cause, detail: detail.into() }
    }

    #[test]
    fn the_latest_failure_is_told_with_the_one_before() {
        let told = more_telling(Some(&failure(Cause::Stalled, "5.0 s")), failure(Cause::NoAnswer, "4 s"));
        assert_eq!(told, failure(Cause::NoAnswer, "4 s; before: stalled (5.0 s)"));
        let again = more_telling(Some(&told), failure(Cause::PortClosed, "refused"));
        assert_eq!(again.detail, "refused");
    }

    #[test]
    fn a_camera_stays_small() {
        let size = size_of::<Camera>();
        assert!(size <= 512, "{size} bytes");
    }

    #[test]
    fn our_own_dead_session_is_no_session_limit() {
        let told = more_telling(Some(&failure(Cause::Stalled, "5.0 s")), failure(Cause::SessionLimit, "453"));
        assert_eq!(told.cause, Cause::Stalled);
    }
}
