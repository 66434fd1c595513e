//! Which time a report is about.

use crate::problem::{Problem, Result};
use fleet::Wall;
use health::ledger::{Calendar, DAY_MS};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use utoipa::ToSchema;

/// Longest range of a report: two leap years.
const LONGEST_MS: i64 = 732 * DAY_MS;

/// What kind of report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Period {
    /// 日报.
    Day,
    /// 周报, Monday to Sunday.
    Week,
    /// 月报.
    Month,
    /// Any range.
    Range,
}

/// A report's time and the one it is compared with.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Span {
    pub(crate) period: Period,
    pub(crate) range: Range<Wall>,
    pub(crate) before: Range<Wall>,
}

impl Span {
    /// The period that holds a date of the county, `YYYY-MM-DD`.
    pub(crate) fn of_date(period: Period, date: &str) -> Result<Span> {
        let invalid = || Problem::invalid("date: expected a day such as 2026-01-31, from 1971 on");
        let date: Date = if date.len() == 10 { date.parse().map_err(|_| invalid())? } else { return Err(invalid()) };
        if !(1971..=9000).contains(&date.year()) {
            return Err(invalid());
        }
        let day = Calendar::begins(date);
        let (range, before) = match period {
            Period::Day => (day..later(day, DAY_MS), later(day, -DAY_MS)..day),
            Period::Week => {
                let monday = later(day, -DAY_MS * i64::from(date.weekday().to_monday_zero_offset()));
                (monday..later(monday, 7 * DAY_MS), later(monday, -7 * DAY_MS)..monday)
            }
            Period::Month => {
                let first = Calendar::month(day);
                (first..Calendar::next_month(day), Calendar::month_before(day)..first)
            }
            Period::Range => return Err(Problem::invalid("period: a range is given by from and until")),
        };
        Ok(Span { period, range, before })
    }

    /// Any range; compared with the time of the same length before.
    pub(crate) fn of_range(from: i64, until: i64) -> Result<Span> {
        let fits = 0 <= from && from < until && until < 250_000_000_000_000 && until - from <= LONGEST_MS;
        if !fits {
            return Err(Problem::invalid(
                "from, until: expected a range that ends after it begins, of at most two years",
            ));
        }
        let range = Calendar::widened(&(Wall(from)..Wall(until)));
        let before = later(range.start, range.start.0 - range.end.0)..range.start;
        Ok(Span { period: Period::Range, range, before })
    }
}

fn later(at: Wall, millis: i64) -> Wall {
    Wall(at.0.saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(span: &Span) -> [String; 4] {
        let Span { range, before, .. } = span;
        [before.start, before.end, range.start, range.end].map(|at| Calendar::date(at).to_string())
    }

    #[test]
    fn periods_hold_their_date() {
        let day = Span::of_date(Period::Day, "2026-03-01").unwrap();
        assert_eq!(dates(&day), ["2026-02-28", "2026-03-01", "2026-03-01", "2026-03-02"]);
        let week = Span::of_date(Period::Week, "2026-03-01").unwrap();
        assert_eq!(dates(&week), ["2026-02-16", "2026-02-23", "2026-02-23", "2026-03-02"], "a Sunday ends its week");
        let month = Span::of_date(Period::Month, "2026-01-31").unwrap();
        assert_eq!(dates(&month), ["2025-12-01", "2026-01-01", "2026-01-01", "2026-02-01"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for date in ["", "2026-02-30", "2026-2-3", "20260203", "9999-99-99", "-00001-01", "1969-12-31", "今天今天"]
        {
            assert!(Span::of_date(Period::Day, date).is_err(), "{date}");
        }
        for (from, until) in [(5, 5), (9, 2), (-1, 5), (0, i64::MAX), (i64::MIN, i64::MAX), (0, 733 * DAY_MS)] {
            assert!(Span::of_range(from, until).is_err(), "{from} {until}");
        }
        let hours = Span::of_range(3_600_000 * 5 + 1, 3_600_000 * 7 - 1).unwrap();
        assert_eq!(hours.range, Wall(3_600_000 * 5)..Wall(3_600_000 * 7));
        assert_eq!(hours.before, Wall(3_600_000 * 3)..Wall(3_600_000 * 5));
    }
}
