//! What waits for the database: in order, bounded, and honest about what it could not keep.
//!
//! While the database is away facts wait here. When there is no more room, of each camera and incident only the newest
//! is kept, and the time in between is recorded as `unknown`: the ledger must not go on with what was last known.
//! Pure: [`recorder`](super::recorder) moves what is here into the store.

use fleet::{CameraId, Cause, Status, Wall};
use health::{Incident, IncidentId, StatusChange, Unobserved};
use std::collections::{BTreeMap, VecDeque};
use store::Fact;

/// Times in which nobody looked that are kept beyond the limit.
const MOST_UNOBSERVED: usize = 1_000;

/// Facts on their way.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Fact>,
    most: usize,
    /// What came when there was no more room.
    late: Late,
    /// When we last judged; everything that was judged until then is here or in the store.
    alive: Option<Wall>,
}

#[derive(Debug, Default)]
struct Late {
    /// Since when, and the newest.
    statuses: BTreeMap<CameraId, (Wall, StatusChange)>,
    incidents: BTreeMap<IncidentId, Incident>,
    unobserved: Vec<Unobserved>,
}

/// Facts to be written together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) facts: Vec<Fact>,
    /// How many of them are still in the backlog.
    taken: usize,
}

impl Backlog {
    /// Keeps at most so many facts in full.
    pub(super) fn new(most: usize) -> Backlog {
        Backlog { most, ..Backlog::default() }
    }

    /// Takes in a fact. `false` if it, or one before it, cannot be kept in full.
    pub(super) fn push(&mut self, fact: Fact) -> bool {
        if self.waiting.len() < self.most && self.late.is_empty() {
            self.waiting.push_back(fact);
            return true;
        }
        self.late.push(fact);
        false
    }

    pub(super) fn alive(&mut self, at: Wall) {
        self.alive = Some(at);
    }

    /// The next facts to be written, at most so many; with a sign of life, if it is due and nothing else waits.
    pub(super) fn batch(&mut self, most: usize, alive_is_due: bool) -> Batch {
        if self.waiting.is_empty() {
            self.waiting.extend(std::mem::take(&mut self.late).facts());
        }
        let mut facts: Vec<Fact> = self.waiting.iter().take(most).cloned().collect();
        let taken = facts.len();
        if alive_is_due && taken == self.waiting.len() {
            facts.extend(self.alive.map(Fact::Alive));
        }
        Batch { facts, taken }
    }

    /// A batch is on the disk.
    pub(super) fn written(&mut self, batch: &Batch) {
        self.waiting.drain(..batch.taken);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.late.statuses.len() + self.late.incidents.len() + self.late.unobserved.len()
    }
}

impl Late {
    fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.incidents.is_empty() && self.unobserved.is_empty()
    }

    fn push(&mut self, fact: Fact) {
        match fact {
            Fact::Status(change) => {
                let (_, newest) = self.statuses.entry(change.camera).or_insert_with(|| (change.at, change.clone()));
                *newest = change;
            }
            Fact::Incident(incident) => {
                self.incidents.insert(incident.id, incident);
            }
            Fact::Unobserved(gap) => {
                if self.unobserved.len() < MOST_UNOBSERVED {
                    self.unobserved.push(gap);
                } else if let Some(last) = self.unobserved.last_mut() {
                    last.until = last.until.max(gap.until);
                }
            }
            // Seen again in the next run, or with the next picture.
            Fact::Format(_) | Fact::Finding(_) | Fact::Alive(_) => {}
        }
    }

    /// What is left of it, as facts.
    fn facts(self) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        // First, so that they fall into what held before.
        facts.extend(self.unobserved.into_iter().map(Fact::Unobserved));
        for (camera, (since, newest)) in self.statuses {
            if since < newest.at {
                facts.push(Fact::Status(StatusChange {
                    camera,
                    at: since,
                    status: Status::Unknown,
                    from: None,
                    layer: Some(Cause::OwnDatabase.layer()),
                    cause: Some(Cause::OwnDatabase),
                    detail: "the database was away for too long: what happened meanwhile is not on record".into(),
                }));
            }
            facts.push(Fact::Status(newest));
        }
        facts.extend(self.incidents.into_values().map(Fact::Incident));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::{Evidence, LikelyCause, Scope, Severity};

    fn change(camera: u32, at: i64, status: Status) -> Fact {
        let cause = (status != Status::Online).then_some(Cause::NoAnswer);
        Fact::Status(StatusChange {
            camera: CameraId(camera),
            at: Wall(at),
            status,
            from: None,
            layer: cause.map(Cause::layer),
            cause,
            detail: String::new(),
        })
    }

    fn incident(id: u64, resolved: Option<i64>) -> Fact {
        Fact::Incident(Incident {
            id: IncidentId(id),
            scope: Scope::Camera(CameraId(1)),
            opened: Wall(1),
            resolved: resolved.map(Wall),
            severity: Severity::Major,
            cause: Cause::NoAnswer,
            likely: LikelyCause::Camera,
            confidence: 50,
            evidence: Vec::<Evidence>::new(),
            members: Vec::new(),
            acknowledged: None,
            folded_into: None,
            reopened: Vec::new(),
        })
    }

    /// Everything, in batches of two.
    fn drain(backlog: &mut Backlog) -> Vec<Fact> {
        let mut all = Vec::new();
        loop {
            let batch = backlog.batch(2, false);
            if batch.facts.is_empty() {
                return all;
            }
            backlog.written(&batch);
            all.extend(batch.facts);
        }
    }

    #[test]
    fn facts_leave_in_order_and_only_when_they_are_written() {
        let mut backlog = Backlog::new(10);
        let facts = [change(1, 5, Status::Online), incident(1, None), change(1, 9, Status::Offline)];
        assert!(facts.iter().all(|f| backlog.push(f.clone())));
        assert_eq!(backlog.batch(2, false).facts, facts[..2]);
        assert_eq!(backlog.batch(2, false).facts, facts[..2], "not written: again");
        assert_eq!(drain(&mut backlog), facts);
        assert_eq!(backlog.len(), 0);
    }

    #[test]
    fn a_sign_of_life_is_given_once_everything_before_it_is_on_its_way() {
        let mut backlog = Backlog::new(10);
        assert!(backlog.batch(2, true).facts.is_empty(), "nothing was judged yet");
        for at in 1..=3 {
            backlog.push(change(1, at, Status::Online));
        }
        backlog.alive(Wall(3));
        let first = backlog.batch(2, true);
        assert_eq!(first.facts.len(), 2, "one more waits");
        backlog.written(&first);
        let last = backlog.batch(2, true);
        assert_eq!(last.facts, [change(1, 3, Status::Online), Fact::Alive(Wall(3))]);
        backlog.written(&last);
        assert_eq!(backlog.len(), 0);
        assert_eq!(backlog.batch(2, true).facts, [Fact::Alive(Wall(3))]);
    }

    #[test]
    fn what_there_is_no_room_for_becomes_unknown_and_the_newest_is_kept() {
        let mut backlog = Backlog::new(2);
        backlog.push(change(1, 10, Status::Online));
        backlog.push(change(2, 10, Status::Online));
        assert!(!backlog.push(change(1, 20, Status::Offline)));
        for at in [30, 40, 50] {
            backlog.push(change(1, at, Status::Online));
            backlog.push(change(1, at + 5, Status::Offline));
        }
        backlog.push(incident(7, None));
        backlog.push(incident(7, Some(55)));
        let gap = Unobserved { from: Wall(60), until: Wall(70), cause: Cause::OwnMachine, detail: String::new() };
        backlog.push(Fact::Unobserved(gap.clone()));
        backlog.push(change(3, 80, Status::Online));
        let told = drain(&mut backlog);
        let unknown = |fact: &Fact| match fact {
            Fact::Status(c) => (c.camera.0, c.at.0, c.status, c.cause == Some(Cause::OwnDatabase)),
            _ => (0, 0, Status::Paused, false),
        };
        let brief: Vec<_> = told.iter().map(unknown).collect();
        assert_eq!(told[2], Fact::Unobserved(gap));
        assert_eq!(
            brief[3..6],
            [(1, 20, Status::Unknown, true), (1, 55, Status::Offline, false), (3, 80, Status::Online, false)]
        );
        assert_eq!(told[6], incident(7, Some(55)));
        assert_eq!(told.len(), 7);
        assert!(backlog.push(change(1, 90, Status::Online)), "there is room again");
    }
}
