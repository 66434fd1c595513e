//! What each moment counts as: intervals cut by excuses and by a range.

use super::{Excuse, Kind, Stretch};
use fleet::{Cause, Status, Wall};
use std::ops::Range;

/// A piece of time of one camera in which everything stays the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive); never before `from`.
    pub until: Wall,
    /// What it counts as.
    pub kind: Kind,
    /// What was seen, whatever it counts as.
    pub status: Status,
    /// Its cause, unless online.
    pub cause: Option<Cause>,
}

impl Piece {
    /// Its length.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.until.0 - self.from.0
    }

    /// Whether video was seen to arrive, excused or not.
    pub(super) fn seen_up(&self) -> bool {
        matches!(self.status, Status::Online | Status::Impaired)
    }

    /// The part of it within a range, if any.
    pub(super) fn within(&self, range: &Range<Wall>) -> Option<Piece> {
        let (from, until) = (self.from.max(range.start), self.until.min(range.end));
        (from < until).then_some(Piece { from, until, ..*self })
    }
}

/// Cuts a camera's history, oldest first, to a range, wherever what it counts as changes (see [`Kind::of`]).
///
/// An open interval lasts to the end of the range. Should intervals overlap, the one that began later holds from then
/// on.
#[must_use]
pub fn pieces(history: &[Stretch], excuses: &[Excuse], range: &Range<Wall>) -> Vec<Piece> {
    let decided = Decided::new(excuses);
    let mut all = Vec::with_capacity(history.len());
    for (i, stretch) in history.iter().enumerate() {
        let next = history.get(i + 1).map_or(range.end, |n| n.from);
        let until = stretch.until.unwrap_or(range.end).min(next).min(range.end);
        let from = stretch.from.max(range.start);
        if from < until {
            decided.cut(stretch, from..until, &mut all);
        }
    }
    all
}

/// What people decided, in order and without overlaps.
struct Decided {
    excused: Vec<Range<Wall>>,
    counted: Vec<Range<Wall>>,
    /// Every instant at which any of it begins or ends, in order.
    edges: Vec<Wall>,
}

impl Decided {
    fn new(excuses: &[Excuse]) -> Decided {
        let (excused, counted) = (merged(excuses, true), merged(excuses, false));
        let mut edges: Vec<Wall> = excused.iter().chain(&counted).flat_map(|r| [r.start, r.end]).collect();
        edges.sort_unstable();
        edges.dedup();
        Decided { excused, counted, edges }
    }

    fn cut(&self, stretch: &Stretch, time: Range<Wall>, all: &mut Vec<Piece>) {
        let begin = all.len();
        let mut from = time.start;
        let first = self.edges.partition_point(|e| *e <= time.start);
        let within = self.edges[first..].iter().copied().take_while(|e| *e < time.end);
        for until in within.chain([time.end]) {
            let kind = Kind::of(stretch.status, stretch.cause, holds(&self.excused, from), holds(&self.counted, from));
            match all[begin..].last_mut() {
                Some(last) if last.kind == kind => last.until = until,
                _ => all.push(Piece { from, until, kind, status: stretch.status, cause: stretch.cause }),
            }
            from = until;
        }
    }
}

/// Whether an instant is in one of these times.
fn holds(times: &[Range<Wall>], at: Wall) -> bool {
    let next = times.partition_point(|t| t.end <= at);
    times.get(next).is_some_and(|t| t.start <= at)
}

/// Times that are excused, or not, in order and without overlaps.
fn merged(excuses: &[Excuse], excused: bool) -> Vec<Range<Wall>> {
    let which = excuses.iter().filter(|e| e.from < e.until && e.kind.excuses() == excused);
    let mut times: Vec<Range<Wall>> = which.map(|e| e.from..e.until).collect();
    times.sort_by_key(|t| t.start);
    let mut merged: Vec<Range<Wall>> = Vec::with_capacity(times.len());
    for time in times {
        match merged.last_mut() {
            Some(last) if time.start <= last.end => last.end = last.end.max(time.end),
            _ => merged.push(time),
        }
    }
    merged
}
