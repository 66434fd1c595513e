//! Counting a camera's pieces of time.

use super::{Calendar, DAY_MS, Excuse, HOUR_MS, Kind, Piece, Stretch, Tally, pieces, tally::index};
use fleet::{Layer, Status, Wall};
use serde::{Deserialize, Serialize};
use std::{ops::Range, time::Duration};

/// What an assessment agrees on beforehand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rules {
    /// An outage is repaired in time if it was offline for at most so long; excused, paused and unknown time stops
    /// this clock.
    pub repair_within: Duration,
    /// An outage repeats the one before if it begins at most so long after the camera came back.
    pub repeat_within: Duration,
}

impl Default for Rules {
    /// A day to repair, a week in which a fault repeats. Contracts differ: a proposal, not a standard.
    fn default() -> Rules {
        Rules { repair_within: Duration::from_secs(24 * 3600), repeat_within: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// What the time before says about a camera: all that counting needs of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Carry {
    /// The outage that lasts.
    pub outage: Option<OpenOutage>,
    /// When the last outage ended.
    pub last_end: Option<Wall>,
}

/// An outage that lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenOutage {
    /// When it began.
    pub since: Wall,
    /// How long it was offline so far.
    pub down_ms: i64,
}

/// Counts everything within any range, with the whole history given, oldest first. Slow and plain: roll-ups do it
/// hour by hour with [`hours`].
#[must_use]
pub fn total(history: &[Stretch], excuses: &[Excuse], range: &Range<Wall>, rules: &Rules) -> Tally {
    let mut carry = Carry::default();
    let all = pieces(history, excuses, &(Wall(i64::MIN)..range.end));
    carry.count(&all, &(Wall(i64::MIN)..range.start), rules);
    let mut sum = Tally::default();
    let mut from = range.start;
    while from < range.end {
        let until = Wall(Calendar::day(from).0 + DAY_MS).min(range.end);
        let mut day = carry.count(&all, &(from..until), rules);
        day.judge_day();
        sum.follow(&day);
        from = until;
    }
    sum
}

/// Counts one day hour by hour, up to `until` at most, and carries on.
#[must_use]
pub fn hours(pieces: &[Piece], day: Wall, until: Wall, carry: &mut Carry, rules: &Rules) -> Vec<(Wall, Tally)> {
    (0..24)
        .map(|h| Wall(day.0 + h * HOUR_MS))
        .take_while(|hour| *hour < until)
        .map(|hour| (hour, carry.count(pieces, &(hour..Wall(hour.0 + HOUR_MS).min(until)), rules)))
        .collect()
}

impl Carry {
    /// Counts the pieces within a range, which must begin where the last one ended.
    pub fn count(&mut self, pieces: &[Piece], range: &Range<Wall>, rules: &Rules) -> Tally {
        let mut tally = Tally { standing: u32::from(self.outage.is_some()), ..Tally::default() };
        let first = pieces.partition_point(|p| p.until <= range.start);
        for piece in pieces[first..].iter().map_while(|p| p.within(range)) {
            tally.millis[index(piece.kind)] += piece.millis();
            if piece.kind == Kind::Impaired
                && let Some(cause) = piece.cause
                && matches!(cause.layer(), Layer::Decode | Layer::Picture)
            {
                *tally.picture.entry(cause).or_default() += piece.millis();
            }
            tally.samples[index(piece.kind)] += full_hours(&piece);
            self.outages(&piece, rules, &mut tally);
        }
        tally
    }

    /// Begins, lengthens or ends the outage. Time that we do not know or do not judge does none of these: who comes
    /// back from it offline was never seen to come back.
    fn outages(&mut self, piece: &Piece, rules: &Rules, tally: &mut Tally) {
        let limit = i64::try_from(rules.repair_within.as_millis()).unwrap_or(i64::MAX);
        let again = i64::try_from(rules.repeat_within.as_millis()).unwrap_or(i64::MAX);
        // Planned work that is not excused counts as time without video, but nothing failed.
        if piece.kind == Kind::Offline && piece.status == Status::Offline {
            let outage = self.outage.get_or_insert_with(|| {
                tally.began += 1;
                tally.repeats += u32::from(self.last_end.is_some_and(|end| piece.from.millis_since(end) <= again));
                OpenOutage { since: piece.from, down_ms: 0 }
            });
            let before = outage.down_ms;
            outage.down_ms += piece.millis();
            tally.due += u32::from(before <= limit && limit < outage.down_ms);
        } else if piece.seen_up()
            && let Some(outage) = self.outage.take()
        {
            tally.ended += 1;
            tally.repair_ms += outage.down_ms;
            if outage.down_ms <= limit {
                tally.due += 1;
                tally.in_time += 1;
            }
            self.last_end = Some(piece.from);
        }
    }
}

/// How many full hours fall into a piece.
fn full_hours(piece: &Piece) -> u32 {
    let up_to = |at: Wall| at.0.saturating_sub(1).div_euclid(HOUR_MS);
    u32::try_from(up_to(piece.until) - up_to(piece.from)).unwrap_or(u32::MAX)
}
