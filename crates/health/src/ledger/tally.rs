//! Sums that add up: of hours to days, of cameras to a county.

use super::Kind;
use fleet::Cause;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// At which end of a longer time a shorter one lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// At its beginning.
    Before,
    /// At its end.
    After,
}

/// What was counted in some time of one or many cameras. Only sums, so that tallies can be added.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Milliseconds of each kind, in the order of [`Kind::ALL`]. Time before a camera's first record is in none.
    pub millis: [i64; 6],
    /// Milliseconds of each fault of the picture (layers decode and picture).
    pub picture: BTreeMap<Cause, i64>,
    /// Samples, one at each full hour, of each kind.
    pub samples: [u32; 6],
    /// Samples of complete days: online and impaired.
    pub day_up: u32,
    /// Samples of complete days: online, impaired and offline.
    pub day_judged: u32,
    /// Camera-days of which no sample was missing or unknown.
    pub days_complete: u32,
    /// Camera-days of which one was: in no sampled rate.
    pub days_incomplete: u32,
    /// Outages that lasted already when the time began.
    pub standing: u32,
    /// Outages that began.
    pub began: u32,
    /// Of those, outages of a camera that had come back from another not long before.
    pub repeats: u32,
    /// Outages that ended.
    pub ended: u32,
    /// Offline time of the outages that ended, from their beginning on.
    pub repair_ms: i64,
    /// Outages whose repair became due or was done.
    pub due: u32,
    /// Of those, the ones that were repaired in time.
    pub in_time: u32,
    /// Scheduled snapshots that were stored.
    pub stored: u32,
    /// Scheduled snapshots that are missing, but for those of paused cameras.
    pub gaps: u32,
}

impl Tally {
    /// Milliseconds of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> i64 {
        self.millis[index(kind)]
    }

    /// Milliseconds of every kind: all recorded time.
    #[must_use]
    pub fn recorded(&self) -> i64 {
        self.millis.iter().sum()
    }

    /// Milliseconds in the denominators of the rates.
    #[must_use]
    pub fn judged(&self) -> i64 {
        self.sum(Kind::is_judged)
    }

    /// Milliseconds in which video arrived.
    #[must_use]
    pub fn up(&self) -> i64 {
        self.sum(Kind::is_up)
    }

    /// Nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Tally::default()
    }

    /// Adds another tally: of a time after this one's, or of another camera.
    pub fn add(&mut self, other: &Tally) {
        self.standing += other.standing;
        self.add_time(other);
    }

    /// Adds the tally of the time right after: an outage that stood at its beginning is no other one.
    pub fn follow(&mut self, next: &Tally) {
        if self.is_empty() {
            self.standing = next.standing;
        }
        self.add_time(next);
    }

    fn add_time(&mut self, other: &Tally) {
        self.millis.iter_mut().zip(other.millis).for_each(|(a, b)| *a += b);
        self.samples.iter_mut().zip(other.samples).for_each(|(a, b)| *a += b);
        for (cause, millis) in &other.picture {
            *self.picture.entry(*cause).or_default() += millis;
        }
        self.day_up += other.day_up;
        self.day_judged += other.day_judged;
        self.days_complete += other.days_complete;
        self.days_incomplete += other.days_incomplete;
        self.began += other.began;
        self.repeats += other.repeats;
        self.ended += other.ended;
        self.repair_ms += other.repair_ms;
        self.due += other.due;
        self.in_time += other.in_time;
        self.stored += other.stored;
        self.gaps += other.gaps;
    }

    /// Takes away the tally of a part of this one's time, at one of its ends.
    ///
    /// What is left is the tally of the rest, but for the judgement of days of which only a part is left.
    pub fn subtract(&mut self, part: &Tally, side: Side) {
        if side == Side::Before {
            // What stands where the rest begins: what stood, and began, and did not end.
            self.standing = (self.standing + part.began).saturating_sub(part.ended);
        }
        self.millis.iter_mut().zip(part.millis).for_each(|(a, b)| *a -= b);
        self.samples.iter_mut().zip(part.samples).for_each(|(a, b)| *a = a.saturating_sub(b));
        for (cause, millis) in &part.picture {
            if let Some(left) = self.picture.get_mut(cause) {
                *left -= millis;
            }
        }
        self.picture.retain(|_, millis| *millis > 0);
        for (sum, less) in [
            (&mut self.day_up, part.day_up),
            (&mut self.day_judged, part.day_judged),
            (&mut self.days_complete, part.days_complete),
            (&mut self.days_incomplete, part.days_incomplete),
            (&mut self.began, part.began),
            (&mut self.repeats, part.repeats),
            (&mut self.ended, part.ended),
            (&mut self.due, part.due),
            (&mut self.in_time, part.in_time),
            (&mut self.stored, part.stored),
            (&mut self.gaps, part.gaps),
        ] {
            *sum = sum.saturating_sub(less);
        }
        self.repair_ms -= part.repair_ms;
    }

    /// As [`judge_day`](Self::judge_day), for a part of a day, whatever was judged of the whole of it.
    pub fn judge_part_of_day(&mut self) {
        (self.day_up, self.day_judged, self.days_complete, self.days_incomplete) = (0, 0, 0, 0);
        self.judge_day();
    }

    /// Judges the samples of one camera-day: complete if each of its 24 hours has one that we could take.
    /// A day that was paused or excused throughout is neither complete nor incomplete.
    pub fn judge_day(&mut self) {
        let judged = self.count(Kind::is_judged);
        let taken = judged + self.count(|k| matches!(k, Kind::Paused | Kind::Excused));
        let unknown = self.samples[index(Kind::Unknown)];
        (self.day_up, self.day_judged, self.days_complete, self.days_incomplete) = match (taken, judged) {
            (0, _) if unknown == 0 => (0, 0, 0, 0),
            (24, 0) => (0, 0, 0, 0),
            (24, _) => (self.count(Kind::is_up), judged, 1, 0),
            _ => (0, 0, 0, 1),
        };
    }

    /// Milliseconds in which a fault of the picture was seen.
    #[must_use]
    pub fn picture_faults(&self) -> i64 {
        self.picture.values().sum()
    }

    fn sum(&self, which: impl Fn(Kind) -> bool) -> i64 {
        Kind::ALL.into_iter().filter(|k| which(*k)).map(|k| self.of(k)).sum()
    }

    fn count(&self, which: impl Fn(Kind) -> bool) -> u32 {
        Kind::ALL.into_iter().filter(|k| which(*k)).map(|k| self.samples[index(k)]).sum()
    }
}

pub(super) fn index(kind: Kind) -> usize {
    match kind {
        Kind::Online => 0,
        Kind::Impaired => 1,
        Kind::Offline => 2,
        Kind::Unknown => 3,
        Kind::Paused => 4,
        Kind::Excused => 5,
    }
}
