//! Which rows make up a range: whole months, and days and hours at its ends; fewest rows first.
//!
//! Of a month of which most is wanted, the month is read and the rest of its days taken away again, and so with days
//! and hours: a year of 800 cameras with ragged ends is then at most 40,000 rows instead of 85,000.

use super::rows::{DAYS, HOURS, MONTHS};
use fleet::Wall;
use health::ledger::{Calendar, DAY_MS, Side};
use std::ops::Range;

/// Rows of one level that follow each other, less some of the level below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) level: i64,
    /// Beginnings of the rows, in milliseconds.
    pub(super) rows: Range<i64>,
    pub(super) without: Option<Without>,
}

/// What is taken away again of a single row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Without {
    pub(super) rows: Range<i64>,
    /// At which end of the row it lies.
    pub(super) side: Side,
}

impl Segment {
    /// Its samples are incomplete.
    pub(super) fn is_part_of_a_day(&self) -> bool {
        self.level == HOURS || self.level == DAYS && self.without.is_some()
    }
}

/// The rows that make up a range of whole hours.
pub(super) fn segments(range: &Range<Wall>) -> Vec<Segment> {
    let mut found: Vec<Segment> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let month = Calendar::month(at)..Calendar::next_month(at);
        let day = Calendar::day(at)..Wall(Calendar::day(at).0.saturating_add(DAY_MS));
        let next = if at == month.start && month.end <= range.end {
            Segment { level: MONTHS, rows: at.0..month.end.0, without: None }
        } else if at == day.start && day.end <= range.end {
            part(MONTHS, &month, at..month.end.min(Calendar::day(range.end)))
        } else {
            part(DAYS, &day, at..day.end.min(range.end))
        };
        at = next.until();
        match found.last_mut() {
            Some(last) if last.level == MONTHS && last.without.is_none() && next.is_whole(MONTHS) => {
                last.rows.end = next.rows.end;
            }
            _ => found.push(next),
        }
    }
    found
}

impl Segment {
    fn is_whole(&self, level: i64) -> bool {
        self.level == level && self.without.is_none()
    }

    /// Where the time that it stands for ends.
    fn until(&self) -> Wall {
        match &self.without {
            Some(Without { rows, side: Side::After }) => Wall(rows.start),
            _ => Wall(self.rows.end),
        }
    }
}

/// Part of a row of `level`: by rows of the level below, or by the row less those that are not wanted.
fn part(level: i64, whole: &Range<Wall>, wanted: Range<Wall>) -> Segment {
    let (before, after) = (wanted.start.0 - whole.start.0, whole.end.0 - wanted.end.0);
    let without = if before == 0 {
        Without { rows: wanted.end.0..whole.end.0, side: Side::After }
    } else {
        Without { rows: whole.start.0..wanted.start.0, side: Side::Before }
    };
    let length = wanted.end.0 - wanted.start.0;
    if (before == 0 || after == 0) && before + after < length {
        Segment { level, rows: whole.start.0..whole.end.0, without: Some(without) }
    } else {
        Segment { level: level - 1, rows: wanted.start.0..wanted.end.0, without: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::ledger::HOUR_MS;
    use proptest::prelude::*;

    proptest! {
        /// The segments of a range meet and cover it, and their rows are few.
        #[test]
        fn segments_cover_a_range(start in 400_000_i64..500_000, hours in 0_i64..20_000) {
            let range = Wall(start * HOUR_MS)..Wall((start + hours) * HOUR_MS);
            let found = segments(&range);
            let mut at = range.start.0;
            let mut rows = 0;
            for segment in &found {
                let mut time = segment.rows.clone();
                match &segment.without {
                    Some(Without { rows, side: Side::Before }) => {
                        prop_assert_eq!(rows.start, time.start);
                        time.start = rows.end;
                    }
                    Some(Without { rows, side: Side::After }) => {
                        prop_assert_eq!(rows.end, time.end);
                        time.end = rows.start;
                    }
                    None => {}
                }
                prop_assert_eq!(time.start, at);
                prop_assert!(time.end > time.start);
                prop_assert_eq!(time.end, segment.until().0);
                let day = |t: i64| Calendar::day(Wall(t)).0 == t;
                let month = |t: i64| Calendar::month(Wall(t)).0 == t;
                let below = segment.without.as_ref().map(|w| &w.rows);
                let fits = match segment.level {
                    MONTHS => {
                        month(segment.rows.start) && month(segment.rows.end)
                            && below.is_none_or(|b| day(b.start) && day(b.end) && !b.is_empty())
                    }
                    DAYS => day(segment.rows.start) && day(segment.rows.end) && below.is_none_or(|b| !b.is_empty()),
                    _ => segment.without.is_none(),
                };
                prop_assert!(fits, "{segment:?}");
                rows += match (segment.level, below) {
                    (MONTHS, Some(below)) => 1 + (below.end - below.start) / DAY_MS,
                    (MONTHS, None) => (segment.rows.end - segment.rows.start) / (28 * DAY_MS),
                    (DAYS, Some(below)) => 1 + (below.end - below.start) / HOUR_MS,
                    (DAYS, None) => (segment.rows.end - segment.rows.start) / DAY_MS,
                    _ => (segment.rows.end - segment.rows.start) / HOUR_MS,
                };
                at = time.end;
            }
            prop_assert_eq!(at, range.end.0);
            prop_assert!(found.len() <= 5);
            let months = hours / 24 / 28;
            prop_assert!(rows <= months + 2 * (16 + 13) + 24, "{rows} rows: {found:?}");
        }
    }
}
