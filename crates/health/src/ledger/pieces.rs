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

/// Cuts a camera's history, oldest first, to a range.
///
/// An open interval lasts to the end of the range. A pause counts as a pause, excused or not; anything else within
/// an excuse is excused. Should intervals overlap, the one that began later holds from then on.
#[must_use]
pub fn pieces(history: &[Stretch], excuses: &[Excuse], range: &Range<Wall>) -> Vec<Piece> {
    let excused = merged(excuses);
    let mut all = Vec::with_capacity(history.len());
    for (i, stretch) in history.iter().enumerate() {
        let next = history.get(i + 1).map_or(range.end, |n| n.from);
        let until = stretch.until.unwrap_or(range.end).min(next).min(range.end);
        let from = stretch.from.max(range.start);
        if from >= until {
            continue;
        }
        let whole = Piece { from, until, kind: stretch.status.into(), status: stretch.status, cause: stretch.cause };
        if stretch.status == Status::Paused {
            all.push(whole);
        } else {
            cut(whole, &excused, &mut all);
        }
    }
    all
}

/// Cuts a piece where excuses begin and end.
fn cut(whole: Piece, excused: &[Range<Wall>], all: &mut Vec<Piece>) {
    let mut at = whole.from;
    let first = excused.partition_point(|e| e.end <= whole.from);
    for excuse in &excused[first..] {
        if excuse.start >= whole.until {
            break;
        }
        let (from, until) = (excuse.start.max(at), excuse.end.min(whole.until));
        if at < from {
            all.push(Piece { from: at, until: from, ..whole });
        }
        all.push(Piece { from, until, kind: Kind::Excused, ..whole });
        at = until;
    }
    if at < whole.until {
        all.push(Piece { from: at, ..whole });
    }
}

/// Excused times, in order and without overlaps.
fn merged(excuses: &[Excuse]) -> Vec<Range<Wall>> {
    let mut times: Vec<Range<Wall>> = excuses.iter().filter(|e| e.from < e.until).map(|e| e.from..e.until).collect();
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
