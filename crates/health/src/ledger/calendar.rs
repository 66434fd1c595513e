//! Days and months of the county. China has one zone, UTC+8, without summer time: a day has 24 hours, always.

use fleet::Wall;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::{Offset, offset},
};
use std::ops::Range;

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

const ZONE: Offset = offset(8);
const ZONE_MS: i64 = 8 * HOUR_MS;

/// The county's calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calendar;

impl Calendar {
    /// The beginning of the hour that holds an instant.
    #[must_use]
    pub fn hour(at: Wall) -> Wall {
        Wall(at.0.div_euclid(HOUR_MS).saturating_mul(HOUR_MS))
    }

    /// The beginning of the day that holds an instant.
    #[must_use]
    pub fn day(at: Wall) -> Wall {
        Wall(at.0.saturating_add(ZONE_MS).div_euclid(DAY_MS).saturating_mul(DAY_MS).saturating_sub(ZONE_MS))
    }

    /// The beginning of the month that holds an instant.
    #[must_use]
    pub fn month(at: Wall) -> Wall {
        Calendar::begins(Calendar::date(at).first_of_month())
    }

    /// The beginning of the month after the one that holds an instant.
    #[must_use]
    pub fn next_month(at: Wall) -> Wall {
        let first = Calendar::date(at).first_of_month();
        Calendar::begins(first.saturating_add(1.month()))
    }

    /// The beginning of the month before the one that holds an instant.
    #[must_use]
    pub fn month_before(at: Wall) -> Wall {
        Calendar::month(Wall(Calendar::month(at).0 - 1))
    }

    /// The date that holds an instant.
    #[must_use]
    pub fn date(at: Wall) -> Date {
        // What no calendar can hold is as good as its end.
        let at =
            at.0.clamp(Timestamp::MIN.as_millisecond() + 40 * DAY_MS, Timestamp::MAX.as_millisecond() - 40 * DAY_MS);
        Timestamp::from_millisecond(at).map_or(Date::MAX, |t| ZONE.to_datetime(t).date())
    }

    /// When a date begins.
    #[must_use]
    pub fn begins(date: Date) -> Wall {
        Wall(ZONE.to_timestamp(date.to_datetime(Time::midnight())).map_or(i64::MAX, Timestamp::as_millisecond))
    }

    /// A range with its ends moved outwards to whole hours.
    #[must_use]
    pub fn widened(range: &Range<Wall>) -> Range<Wall> {
        let end = Calendar::hour(Wall(range.end.0.saturating_add(HOUR_MS - 1)));
        Calendar::hour(range.start)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_begin_at_midnight_in_china() {
        let noon = Calendar::begins(date(2026, 2, 28)) + std::time::Duration::from_secs(12 * 3600);
        assert_eq!(noon, Wall(1_772_251_200_000), "2026-02-28T04:00Z");
        assert_eq!(Calendar::day(noon), Calendar::begins(date(2026, 2, 28)));
        assert_eq!(Calendar::day(Wall(Calendar::day(noon).0 - 1)), Calendar::begins(date(2026, 2, 27)));
        assert_eq!(Calendar::month(noon), Calendar::begins(date(2026, 2, 1)));
        assert_eq!(Calendar::next_month(noon), Calendar::begins(date(2026, 3, 1)));
        assert_eq!(Calendar::month_before(Calendar::begins(date(2026, 1, 5))), Calendar::begins(date(2025, 12, 1)));
    }

    #[test]
    fn no_instant_is_too_far() {
        for at in [i64::MIN, -1, 0, i64::MAX] {
            let at = Wall(at);
            assert!(Calendar::month(at) <= Calendar::next_month(at));
            let _ = (Calendar::hour(at), Calendar::day(at), Calendar::month_before(Wall(at.0.max(0))));
        }
    }
}
