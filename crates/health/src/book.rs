//! The book of incidents: opens, joins, leaves, folds, resolves, re-opens, and tells what changed.
//!
//! What is opened, resolved, folded or acknowledged is told at once; members that come and go are told at most
//! once a second, so that a county's return is not eight hundred copies of one list.

use crate::{
    Acknowledgement, Effect, Incident, IncidentId, MOST_REOPENED, Member, Scope, Severity, camera::is_silence,
    habits::Habits, rules::Conclusion,
};
use fleet::{CameraId, Cause, Mono, Now, Wall};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Of so many cameras that are left in an incident each is looked at alone: villages have one to three.
const VILLAGE: usize = 2;

/// An incident to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) scope: Scope,
    pub(crate) opened: Wall,
    pub(crate) severity: Severity,
    pub(crate) cause: Cause,
    pub(crate) conclusion: Conclusion,
}

/// What became of an incident when a member left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// Most are still in.
    Most,
    /// So many have left that whoever stays may have a fault of his own: half, or of a village with its two or three
    /// cameras any.
    Few,
    /// Nobody is left.
    Nobody,
}

#[derive(Debug)]
struct Entry {
    incident: Arc<Incident>,
    seats: BTreeMap<CameraId, usize>,
    live: usize,
    /// When it was resolved, on our clock; `None` while open.
    over: Option<Mono>,
    /// When it was opened, on our clock; `None` if by an earlier run.
    began: Option<Mono>,
}

/// All open incidents, and those resolved so recently that they may be re-opened.
#[derive(Debug)]
pub(crate) struct Book {
    last: u64,
    reopen_within: Duration,
    entries: BTreeMap<IncidentId, Entry>,
    /// Of each scope, in order; all but the open one are remembered only for as long as they may be re-opened.
    of: BTreeMap<(Scope, Option<Cause>), Vec<IncidentId>>,
    ageing: VecDeque<(Mono, IncidentId)>,
    urgent: BTreeSet<IncidentId>,
    later: BTreeSet<IncidentId>,
    habits: Habits,
}

impl Book {
    /// Continues from the incidents still open.
    pub(crate) fn new(open: Vec<Incident>, last: Option<IncidentId>, reopen_within: Duration) -> Book {
        let highest = open.iter().map(|i| i.id).max().max(last).map_or(0, |id| id.0);
        let mut book = Book {
            last: highest,
            reopen_within,
            entries: BTreeMap::new(),
            of: BTreeMap::new(),
            ageing: VecDeque::new(),
            urgent: BTreeSet::new(),
            later: BTreeSet::new(),
            habits: Habits::default(),
        };
        for incident in open.into_iter().filter(Incident::is_open) {
            let seats = incident.members.iter().enumerate().map(|(i, m)| (m.camera, i)).collect();
            let live = incident.members.iter().filter(|m| m.left.is_none()).count();
            book.of.entry(slot(&incident.scope, incident.cause)).or_default().push(incident.id);
            book.habits.note(&incident.scope, incident.cause, incident.opened);
            let incident = Arc::new(incident);
            book.entries.insert(incident.id, Entry { incident, seats, live, over: None, began: None });
        }
        book
    }

    /// Remembers incidents that an earlier run resolved so recently that they may be re-opened, oldest first.
    pub(crate) fn with_resolved(mut self, resolved: Vec<Incident>, now: Now) -> Book {
        for incident in resolved {
            let Some(at) = incident.resolved else { continue };
            if incident.folded_into.is_none() {
                self.habits.note(&incident.scope, incident.cause, incident.opened);
            }
            // By the wall clock, as nothing else outlives a restart; a clock that was set back makes it just now.
            let ago = Duration::from_millis(u64::try_from(now.wall.millis_since(at)).unwrap_or(0));
            let key = slot(&incident.scope, incident.cause);
            if ago >= self.reopen_within || self.entries.contains_key(&incident.id) {
                continue;
            }
            let over = Mono(now.mono.0.saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX)));
            self.of.entry(key).or_default().push(incident.id);
            self.ageing.push_back((over + self.reopen_within, incident.id));
            let seats = incident.members.iter().enumerate().map(|(i, m)| (m.camera, i)).collect();
            let id = incident.id;
            let entry = Entry { incident: Arc::new(incident), seats, live: 0, over: Some(over), began: None };
            self.entries.insert(id, entry);
        }
        self
    }

    /// When what fell silent on the last days.
    pub(crate) fn habits(&self) -> &Habits {
        &self.habits
    }

    /// The incident, if it is open.
    pub(crate) fn open(&self, id: IncidentId) -> Option<&Incident> {
        self.entries.get(&id).filter(|e| e.over.is_none()).map(|e| &*e.incident)
    }

    /// When an open incident began on our clock; `None` if it was opened by an earlier run.
    pub(crate) fn began(&self, id: IncidentId) -> Option<Mono> {
        self.entries.get(&id).filter(|e| e.over.is_none()).and_then(|e| e.began)
    }

    /// The open incident of this scope (and cause, for our own machine).
    pub(crate) fn find(&self, scope: &Scope, cause: Cause) -> Option<IncidentId> {
        let of = self.of.get(&slot(scope, cause))?;
        of.iter().copied().find(|&id| self.open(id).is_some())
    }

    /// Every open incident, newest first.
    pub(crate) fn all_open(&self) -> impl Iterator<Item = &Arc<Incident>> {
        self.entries.values().rev().filter(|e| e.over.is_none()).map(|e| &e.incident)
    }

    /// Opens an incident: the one of this scope that is open already, the one that was resolved a moment ago,
    /// or a new one.
    pub(crate) fn start(&mut self, draft: Draft, now: Now) -> IncidentId {
        self.forget_old(now.mono);
        let key = slot(&draft.scope, draft.cause);
        let known = self.of.get(&key).map_or(&[][..], |of| of);
        let again = |id: &&IncidentId| {
            self.entries.get(id).is_some_and(|e| {
                let recent = |over| over + self.reopen_within > now.mono && alike(e.incident.cause, draft.cause);
                e.incident.folded_into.is_none() && e.over.is_some_and(recent)
            })
        };
        let same = self.find(&draft.scope, draft.cause).or_else(|| known.iter().rev().find(again).copied());
        if let Some(entry) = same.and_then(|id| self.entries.get_mut(&id)) {
            let incident = Arc::make_mut(&mut entry.incident);
            if entry.over.take().is_some() {
                incident.resolved = None;
                incident.reopened.push(now.wall);
                let surplus = incident.reopened.len().saturating_sub(MOST_REOPENED);
                incident.reopened.drain(..surplus);
                entry.began = Some(now.mono);
                // Whoever had seen it said until when that holds.
                let over = |a: &Acknowledgement| a.until.is_some_and(|until| until <= now.wall);
                incident.acknowledged = incident.acknowledged.take().filter(|a| !over(a));
            }
            incident.severity = incident.severity.max(draft.severity);
            incident.cause = draft.cause;
            incident.likely = draft.conclusion.likely;
            incident.confidence = draft.conclusion.confidence;
            incident.evidence = draft.conclusion.evidence;
            let id = incident.id;
            self.urgent.insert(id);
            return id;
        }
        self.last += 1;
        let id = IncidentId(self.last);
        self.habits.note(&draft.scope, draft.cause, draft.opened);
        let incident = Incident {
            id,
            scope: draft.scope,
            opened: draft.opened,
            resolved: None,
            severity: draft.severity,
            cause: draft.cause,
            likely: draft.conclusion.likely,
            confidence: draft.conclusion.confidence,
            evidence: draft.conclusion.evidence,
            members: Vec::new(),
            acknowledged: None,
            folded_into: None,
            reopened: Vec::new(),
        };
        let entry =
            Entry { incident: Arc::new(incident), seats: BTreeMap::new(), live: 0, over: None, began: Some(now.mono) };
        self.entries.insert(id, entry);
        self.of.entry(key).or_default().push(id);
        self.urgent.insert(id);
        id
    }

    /// Changes what an open incident says; keeps its members.
    pub(crate) fn revise(&mut self, id: IncidentId, severity: Severity, cause: Cause, conclusion: Conclusion) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let incident = Arc::make_mut(&mut entry.incident);
        incident.severity = severity;
        incident.cause = cause;
        incident.likely = conclusion.likely;
        incident.confidence = conclusion.confidence;
        incident.evidence = conclusion.evidence;
        if let [member] = incident.members.as_mut_slice() {
            member.cause = cause;
        }
        self.urgent.insert(id);
    }

    /// A camera joins, or comes back to, an open incident.
    pub(crate) fn join(&mut self, id: IncidentId, camera: CameraId, cause: Cause, at: Wall) -> Rest {
        let entry = self.entries.get_mut(&id).expect("only incidents in the book are joined");
        let incident = Arc::make_mut(&mut entry.incident);
        match entry.seats.get(&camera) {
            Some(&seat) => {
                let member = &mut incident.members[seat];
                if member.left.take().is_some() {
                    entry.live += 1;
                }
                member.cause = cause;
            }
            None => {
                entry.seats.insert(camera, incident.members.len());
                incident.members.push(Member { camera, joined: at.max(incident.opened), left: None, cause });
                entry.live += 1;
            }
        }
        self.later.insert(id);
        entry.rest()
    }

    /// A camera has recovered or is told elsewhere.
    pub(crate) fn leave(&mut self, id: IncidentId, camera: CameraId, at: Wall) -> Rest {
        let Some(entry) = self.entries.get_mut(&id) else { return Rest::Nobody };
        if let Some(&seat) = entry.seats.get(&camera) {
            let member = &mut Arc::make_mut(&mut entry.incident).members[seat];
            if member.left.is_none() {
                member.left = Some(at.max(member.joined));
                entry.live -= 1;
                self.later.insert(id);
            }
        }
        entry.rest()
    }

    /// The incident is over, or told within another.
    pub(crate) fn resolve(&mut self, id: IncidentId, folded_into: Option<IncidentId>, now: Now) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.over.is_some() {
            return;
        }
        let incident = Arc::make_mut(&mut entry.incident);
        let at = now.wall.max(incident.opened);
        incident.resolved = Some(at);
        incident.folded_into = folded_into;
        for member in incident.members.iter_mut().filter(|m| m.left.is_none()) {
            member.left = Some(at.max(member.joined));
        }
        entry.live = 0;
        entry.over = Some(now.mono);
        self.ageing.push_back((now.mono + self.reopen_within, id));
        self.urgent.insert(id);
    }

    /// Somebody has seen it. `false` if no such incident is open.
    pub(crate) fn acknowledge(&mut self, id: IncidentId, acknowledgement: Acknowledgement) -> bool {
        let Some(entry) = self.entries.get_mut(&id).filter(|e| e.over.is_none()) else { return false };
        Arc::make_mut(&mut entry.incident).acknowledged = Some(acknowledgement);
        self.urgent.insert(id);
        true
    }

    /// Takes back acknowledgements that have run out, so that their incidents are looked at again. Says when the next
    /// one runs out.
    pub(crate) fn expire_acknowledgements(&mut self, now: Wall) -> Option<Wall> {
        let mut next = None;
        for (id, entry) in &mut self.entries {
            let Some(until) = entry.incident.acknowledged.as_ref().and_then(|a| a.until) else { continue };
            if until > now {
                // Also of one that is over: it may be re-opened before.
                next = Some(next.map_or(until, |n: Wall| n.min(until)));
            } else if entry.over.is_none() {
                Arc::make_mut(&mut entry.incident).acknowledged = None;
                self.urgent.insert(*id);
            }
        }
        next
    }

    /// Who is still in an open incident.
    pub(crate) fn rest(&self, id: IncidentId) -> Rest {
        self.entries.get(&id).filter(|e| e.over.is_none()).map_or(Rest::Nobody, Entry::rest)
    }

    /// Tells what must be told at once.
    pub(crate) fn tell(&mut self, effects: &mut Vec<Effect>) {
        for id in std::mem::take(&mut self.urgent) {
            self.later.remove(&id);
            if let Some(entry) = self.entries.get(&id) {
                effects.push(Effect::Incident((*entry.incident).clone()));
            }
        }
    }

    /// Tells everything that changed.
    pub(crate) fn tell_all(&mut self, effects: &mut Vec<Effect>) {
        self.urgent.append(&mut self.later);
        self.tell(effects);
    }

    /// Something waits to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.later.is_empty()
    }

    fn forget_old(&mut self, now: Mono) {
        while let Some(&(at, id)) = self.ageing.front() {
            if at > now {
                break;
            }
            self.ageing.pop_front();
            let gone = self.entries.get(&id).is_some_and(|e| e.over.is_some_and(|o| o + self.reopen_within <= now));
            if gone && (self.later.contains(&id) || self.urgent.contains(&id)) {
                self.ageing.push_back((now + Duration::from_secs(1), id));
            } else if gone {
                let entry = self.entries.remove(&id).expect("just seen");
                let key = slot(&entry.incident.scope, entry.incident.cause);
                if let Some(of) = self.of.get_mut(&key) {
                    of.retain(|other| *other != id);
                    if of.is_empty() {
                        self.of.remove(&key);
                    }
                }
            }
        }
    }
}

impl Entry {
    fn rest(&self) -> Rest {
        match self.live {
            0 => Rest::Nobody,
            live if live * 2 <= self.seats.len() || (live <= VILLAGE && live < self.seats.len()) => Rest::Few,
            _ => Rest::Most,
        }
    }
}

/// Our own faults share one scope and are told apart by their cause.
fn slot(scope: &Scope, cause: Cause) -> (Scope, Option<Cause>) {
    (scope.clone(), (*scope == Scope::Own).then_some(cause))
}

/// Two causes that one fault may show in turn.
fn alike(a: Cause, b: Cause) -> bool {
    a == b || (is_silence(a) && is_silence(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LikelyCause;

    fn draft(scope: Scope, cause: Cause) -> Draft {
        let conclusion = Conclusion { likely: LikelyCause::Camera, confidence: 50, evidence: Vec::new() };
        Draft { scope, opened: Wall(1000), severity: Severity::Major, cause, conclusion }
    }

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(seconds as i64 * 1000) }
    }

    fn camera() -> Scope {
        Scope::Camera(CameraId(7))
    }

    #[test]
    fn a_fault_that_returns_soon_reopens_its_incident_and_a_late_or_other_one_does_not() {
        let mut book = Book::new(Vec::new(), Some(IncidentId(41)), Duration::from_secs(300));
        let first = book.start(draft(camera(), Cause::NoAnswer), at(10));
        assert_eq!(first, IncidentId(42));
        book.resolve(first, None, at(20));
        assert_eq!(book.start(draft(camera(), Cause::PortClosed), at(300)), first);
        assert!(book.open(first).unwrap().is_open());
        book.resolve(first, None, at(310));
        let other = book.start(draft(camera(), Cause::PictureBlack), at(320));
        assert_ne!(other, first);
        book.resolve(other, None, at(330));
        let late = book.start(draft(camera(), Cause::PictureBlack), at(631));
        assert_ne!(late, other);
    }

    #[test]
    fn another_fault_in_between_does_not_keep_an_incident_from_being_reopened() {
        let mut book = Book::new(Vec::new(), None, Duration::from_secs(300));
        let silent = book.start(draft(camera(), Cause::NoAnswer), at(10));
        book.resolve(silent, None, at(20));
        let black = book.start(draft(camera(), Cause::PictureBlack), at(30));
        book.resolve(black, None, at(40));
        assert_eq!(book.start(draft(camera(), Cause::NoAnswer), at(60)), silent);
        // An earlier run's too.
        let past = [silent, black].map(|id| (*book.entries[&id].incident).clone());
        book.resolve(silent, None, at(70));
        let resolved = past.map(|i| Incident { resolved: Some(Wall(70_000)), ..i }).to_vec();
        let mut next = Book::new(Vec::new(), None, Duration::from_secs(300)).with_resolved(resolved, at(80));
        assert_eq!(next.start(draft(camera(), Cause::NoAnswer), at(90)), silent);
    }

    #[test]
    fn a_folded_incident_is_never_reopened() {
        let mut book = Book::new(Vec::new(), None, Duration::from_secs(300));
        let own = book.start(draft(camera(), Cause::NoAnswer), at(10));
        book.resolve(own, Some(IncidentId(99)), at(11));
        assert_ne!(book.start(draft(camera(), Cause::NoAnswer), at(12)), own);
    }

    #[test]
    fn members_leave_come_back_and_are_counted() {
        let mut book = Book::new(Vec::new(), None, Duration::from_secs(300));
        let id = book.start(draft(Scope::County, Cause::NoAnswer), at(10));
        for i in 0..4 {
            assert_eq!(book.join(id, CameraId(i), Cause::NoAnswer, Wall(1)), Rest::Most);
        }
        assert_eq!(book.leave(id, CameraId(0), Wall(2)), Rest::Most);
        assert_eq!(book.leave(id, CameraId(1), Wall(2)), Rest::Few);
        assert_eq!(book.join(id, CameraId(1), Cause::NoAnswer, Wall(3)), Rest::Most);
        for i in 1..4 {
            book.leave(id, CameraId(i), Wall(4));
        }
        assert_eq!(book.leave(id, CameraId(9), Wall(4)), Rest::Nobody);
        assert_eq!(book.open(id).unwrap().members.len(), 4);
    }

    #[test]
    fn news_of_members_waits_and_news_of_incidents_does_not() {
        let mut book = Book::new(Vec::new(), None, Duration::from_secs(300));
        let mut told = Vec::new();
        let id = book.start(draft(camera(), Cause::NoAnswer), at(10));
        book.tell(&mut told);
        assert_eq!(told.len(), 1);
        book.join(id, CameraId(7), Cause::NoAnswer, Wall(1));
        book.tell(&mut told);
        assert_eq!(told.len(), 1);
        assert!(book.has_news());
        book.tell_all(&mut told);
        assert_eq!(told.len(), 2);
        assert!(!book.has_news());
    }

    #[test]
    fn what_an_earlier_run_resolved_lately_is_reopened_and_what_it_resolved_long_ago_is_not() {
        let mut earlier = Book::new(Vec::new(), None, Duration::from_secs(300));
        let id = earlier.start(draft(camera(), Cause::NoAnswer), at(1000));
        earlier.resolve(id, None, at(1100));
        let resolved = (*earlier.entries[&id].incident).clone();
        // The new process counts its time from somewhere else.
        let now = |wall: u64| Now { mono: Mono(7_000_000_000_000), wall: Wall(wall as i64 * 1000) };
        let again = |wall| {
            let book = Book::new(Vec::new(), Some(id), Duration::from_secs(300));
            let mut book = book.with_resolved(vec![resolved.clone()], now(wall));
            book.start(draft(camera(), Cause::NoAnswer), now(wall))
        };
        assert_eq!(again(1390), id);
        assert_ne!(again(1400), id);
        // And in the new process's own time.
        let book = Book::new(Vec::new(), Some(id), Duration::from_secs(300));
        let mut book = book.with_resolved(vec![resolved.clone()], now(1200));
        let later = Now { mono: now(0).mono + Duration::from_secs(250), wall: Wall(0) };
        assert_ne!(book.start(draft(camera(), Cause::NoAnswer), later), id);
        // One that is open already is not pushed aside.
        let mut open = resolved.clone();
        (open.id, open.resolved) = (IncidentId(9), None);
        let mut book = Book::new(vec![open], Some(IncidentId(9)), Duration::from_secs(300))
            .with_resolved(vec![resolved], now(1101));
        assert_eq!(book.start(draft(camera(), Cause::NoAnswer), now(1101)), IncidentId(9));
    }

    #[test]
    fn open_incidents_of_an_earlier_run_continue() {
        let mut earlier = Book::new(Vec::new(), None, Duration::from_secs(300));
        let id = earlier.start(draft(camera(), Cause::NoAnswer), at(10));
        earlier.join(id, CameraId(7), Cause::NoAnswer, Wall(1));
        let incident = earlier.open(id).unwrap().clone();
        let mut book = Book::new(vec![incident], Some(id), Duration::from_secs(300));
        assert_eq!(book.find(&camera(), Cause::PortClosed), Some(id));
        assert_eq!(book.start(draft(camera(), Cause::PortClosed), at(5)), id);
        assert_eq!(book.leave(id, CameraId(7), Wall(9)), Rest::Nobody);
    }
}
