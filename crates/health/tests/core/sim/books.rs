//! The record as the service keeps it: what the recorder has on its way to a database that may be away, and what the
//! store makes of it. A small twin of both; that the store does the same is what its own tests show.

use super::{S, Time, World};
use fleet::{CameraId, Cause, Status, Wall};
use health::{
    Incident, IncidentId, StatusChange, Unobserved,
    ledger::{Kind, Rules, Stretch, Tally, total},
};
use std::collections::{BTreeMap, VecDeque};

/// How often it is noted that we are alive.
const ALIVE_EVERY: Time = 5 * S;

/// What must survive.
#[derive(Clone, Debug)]
pub enum Fact {
    Status(StatusChange),
    Incident(Incident),
    Unobserved(Unobserved),
}

/// What is on record, and what is on its way there.
#[derive(Debug, Default)]
pub struct Books {
    /// The changes of each camera, with the times under which they stand in the store.
    pub statuses: Vec<Vec<StatusChange>>,
    /// Cameras that refused their password, since when, and what that rested on.
    pub refusals: BTreeMap<CameraId, (Wall, String)>,
    /// Every incident as last recorded.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// The newest change of all.
    newest: Option<Wall>,
    /// Waits for the database.
    waiting: VecDeque<Fact>,
    pub database_down: bool,
    /// The last sign of life, by both clocks.
    pub alive: Option<(Wall, Time)>,
    /// When all that had happened was on record.
    pub known: Time,
}

impl Books {
    /// Of so many cameras.
    pub fn of(cameras: usize) -> Books {
        Books { statuses: vec![Vec::new(); cameras], ..Books::default() }
    }

    /// With incidents that are on record already.
    pub fn with_past(mut self, past: Vec<Incident>) -> Books {
        self.incidents.extend(past.into_iter().map(|i| (i.id, i)));
        self
    }

    pub fn record(&mut self, fact: Fact, t: Time) {
        self.waiting.push_back(fact);
        if !self.database_down {
            self.write();
            self.known = t;
        }
    }

    /// Writes what waits, if the database takes it.
    pub fn write(&mut self) {
        while !self.database_down
            && let Some(fact) = self.waiting.pop_front()
        {
            match fact {
                Fact::Status(change) => self.append(change),
                Fact::Incident(incident) => {
                    self.incidents.insert(incident.id, incident);
                }
                Fact::Unobserved(gap) => {
                    for camera in 0..self.statuses.len() {
                        self.split(camera, &gap);
                    }
                }
            }
        }
    }

    /// We judge, and everything until now is on record.
    pub fn live(&mut self, wall: Wall, t: Time) {
        if !self.database_down && self.alive.is_none_or(|(_, at)| t >= at + ALIVE_EVERY) {
            self.alive = Some((wall, t));
        }
    }

    fn append(&mut self, mut change: StatusChange) {
        let history = &mut self.statuses[change.camera.0 as usize - 1];
        if let Some(last) = history.last() {
            change.at = change.at.max(Wall(last.at.0 + 1));
        }
        if change.is_refusal() {
            self.refusals.insert(change.camera, (change.at, change.detail.clone()));
        } else if change.ends_refusal() {
            self.refusals.remove(&change.camera);
        }
        self.newest = self.newest.max(Some(change.at));
        history.push(change);
    }

    fn split(&mut self, camera: usize, gap: &Unobserved) {
        let Some(last) = self.statuses[camera].last().cloned() else { return };
        if matches!(last.status, Status::Unknown | Status::Paused) || last.at >= gap.until {
            return;
        }
        self.append(unknown(last.camera, gap.from, gap.cause));
        self.append(StatusChange { at: gap.until, ..last });
    }

    /// The process is gone: what waited is lost, and what nobody watched any more ends as of the last sign of life.
    pub fn resume(&mut self, now: Wall) -> Vec<Fact> {
        let lost = std::mem::take(&mut self.waiting).into();
        let Some(last) = self.alive.map(|(wall, _)| wall).max(self.newest) else { return lost };
        for camera in 0..self.statuses.len() {
            let Some(open) = self.statuses[camera].last() else { continue };
            if !matches!(open.status, Status::Unknown | Status::Paused) {
                let gone = unknown(open.camera, last.min(now), Cause::NotYetChecked);
                self.append(gone);
            }
        }
        lost
    }

    /// The newest of each camera, as the store hands it to the core.
    pub fn newest(&self) -> Vec<StatusChange> {
        let newest = |history: &Vec<StatusChange>| {
            let from = history.len().checked_sub(2).map(|i| history[i].status);
            history.last().map(|last| StatusChange { from, ..last.clone() })
        };
        self.statuses.iter().filter_map(newest).collect()
    }

    /// What the availability ledger counts from.
    pub fn stretches(&self, camera: usize) -> Vec<Stretch> {
        let history = &self.statuses[camera];
        let until = |i: usize| history.get(i + 1).map(|next| next.at);
        let stretch =
            |(i, c): (usize, &StatusChange)| Stretch { from: c.at, until: until(i), status: c.status, cause: c.cause };
        history.iter().enumerate().map(stretch).collect()
    }

    pub fn tally(&self, camera: usize, from: Wall, until: Wall) -> Tally {
        total(&self.stretches(camera), &[], &(from..until), &Rules::default())
    }
}

fn unknown(camera: CameraId, at: Wall, cause: Cause) -> StatusChange {
    StatusChange {
        camera,
        at,
        status: Status::Unknown,
        from: None,
        layer: Some(cause.layer()),
        cause: Some(cause),
        detail: "not watched".into(),
    }
}

impl World {
    /// Milliseconds in the ledger that claim to know how a camera was, between two instants of the world.
    pub fn claimed(&self, camera: usize, from: Time, until: Time) -> i64 {
        claimed(&self.books.stretches(camera), self.wall_of(from), self.wall_of(until))
    }
}

/// Milliseconds between two instants in which somebody claims to know how a camera was.
pub fn claimed(history: &[Stretch], from: Wall, until: Wall) -> i64 {
    let first = history.partition_point(|s| s.until.is_some_and(|end| end <= from));
    let within = history[first..].iter().take_while(|s| s.from < until);
    let known = within.filter(|s| Kind::from(s.status).is_judged());
    known.map(|s| s.until.unwrap_or(until).min(until).millis_since(s.from.max(from))).sum()
}
