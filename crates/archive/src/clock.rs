//! How far the machine's clock is believed when it says that something is old.
//!
//! A clock that runs wild (a dead battery says 2099, somebody types the wrong year) must not drop a county's pictures:
//! age is reckoned by a time that follows the clock only where it cannot be far off. That goes on from the newest record
//! by the time that has passed since, as the monotonic clock counts it. A clock that is ahead of it is believed after it
//! has stood there for a week; that it is in doubt is told meanwhile. A clock that is behind drops nothing too early.

use fleet::Wall;
use std::time::{Duration, Instant};

const DAY_MS: i64 = 86_400_000;
/// A service may have stood still for so long before its clock is doubted.
const OFF_MS: i64 = 90 * DAY_MS;
/// So far may a clock that was right be set ahead at once.
const SET_MS: i64 = DAY_MS;
/// A clock that stays where it is for so long is right.
const BELIEVED_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// What was believed last, and when.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    wall: Wall,
    at: Instant,
    /// How much ahead the clock may be.
    room: i64,
    doubted_since: Option<Instant>,
}

impl Clock {
    /// `youngest`: of each sealed segment its youngest instant.
    pub(crate) fn new(youngest: impl Iterator<Item = Wall>, now: Wall, at: Instant) -> Clock {
        let (wall, room) = newest(youngest).map_or((now, SET_MS), |newest| (newest, OFF_MS));
        let mut clock = Clock { wall, at, room, doubted_since: None };
        clock.believed(now, at);
        clock
    }

    /// The time that age is reckoned by, while the machine's clock says `now`.
    pub(crate) fn believed(&mut self, now: Wall, at: Instant) -> Wall {
        let passed = at.saturating_duration_since(self.at);
        let expected = Wall(self.wall.0.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)));
        let ahead = now.0.saturating_sub(expected.0);
        if ahead > self.room && at.saturating_duration_since(*self.doubted_since.get_or_insert(at)) < BELIEVED_AFTER {
            return expected;
        }
        self.doubted_since = None;
        if ahead >= 0 {
            (self.wall, self.at, self.room) = (now, at, SET_MS);
        }
        now
    }

    /// Days that the machine's clock is ahead of what is believed, while it is in doubt.
    pub(crate) fn ahead_days(&mut self, now: Wall, at: Instant) -> Option<u32> {
        let believed = self.believed(now, at);
        self.doubted_since.map(|_| u32::try_from(now.millis_since(believed) / DAY_MS).unwrap_or(u32::MAX))
    }
}

/// The newest of some instants that can be believed: what a clock wrote that had run ahead for less than a week is not.
fn newest(youngest: impl Iterator<Item = Wall>) -> Option<Wall> {
    let mut all: Vec<i64> = youngest.map(|at| at.0).collect();
    all.sort_unstable();
    let last = *all.last()?;
    let week = i64::try_from(BELIEVED_AFTER.as_millis()).unwrap_or(i64::MAX);
    let leap = all.windows(2).rev().take_while(|pair| last - pair[0] < week || pair[1] - pair[0] > OFF_MS);
    let before = leap.filter(|pair| pair[1] - pair[0] > OFF_MS && last - pair[1] < week).last();
    Some(Wall(before.map_or(last, |pair| pair[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_795_478_400_000);

    fn days(n: i64) -> Wall {
        Wall(NOW.0 + n * DAY_MS)
    }

    fn later(at: Instant, days: u64) -> Instant {
        at + Duration::from_secs(days * 86_400)
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_nothing_old_until_it_has_stood_there_for_a_week() {
        let at = Instant::now();
        let mut clock = Clock::new([days(-1)].into_iter(), NOW, at);
        assert_eq!(clock.believed(days(3), later(at, 3)), days(3), "it goes on as time does");
        let far = Wall(4_070_908_800_000);
        assert_eq!(clock.believed(far, later(at, 3)), days(3));
        assert_eq!(clock.believed(far, later(at, 5)), days(5), "time passes all the same");
        assert!(clock.ahead_days(far, later(at, 5)).is_some_and(|days| days > 20_000));
        // It steps back, and nothing was lost.
        assert_eq!(clock.believed(days(6), later(at, 6)), days(6));
        assert_eq!(clock.ahead_days(days(6), later(at, 6)), None);
        // One that stays is right after a week.
        assert_eq!(clock.believed(days(200), later(at, 6)), days(6));
        assert_eq!(clock.believed(days(206), later(at, 12)), days(12));
        assert_eq!(clock.believed(days(207), later(at, 13)), days(207));
        assert_eq!(clock.ahead_days(days(208), later(at, 14)), None);
    }

    #[test]
    fn a_clock_that_falls_is_followed_and_may_come_back() {
        let at = Instant::now();
        let mut clock = Clock::new([days(-1)].into_iter(), NOW, at);
        assert_eq!(clock.believed(Wall(0), later(at, 1)), Wall(0), "what is younger than now is never old");
        assert_eq!(clock.believed(days(1), later(at, 1)), days(1));
        // A machine without a battery: 1970 at first, then a time server sets it, after it was off for a month.
        let mut clock = Clock::new([days(-30)].into_iter(), Wall(5_000), at);
        assert_eq!(clock.believed(NOW, at), NOW);
        assert_eq!(clock.ahead_days(NOW, at), None);
    }

    #[test]
    fn what_a_wild_clock_has_written_already_is_no_witness_for_it() {
        let at = Instant::now();
        let far = Wall(4_070_908_800_000);
        let written = [days(-2), days(-1), far, Wall(far.0 + DAY_MS)];
        let mut clock = Clock::new(written.into_iter(), Wall(far.0 + 2 * DAY_MS), at);
        assert_eq!(clock.believed(Wall(far.0 + 2 * DAY_MS), at), days(-1));
        // Unless it has written for more than a week.
        let written = (0..9).map(|day| Wall(far.0 + day * DAY_MS)).chain([days(-1)]);
        let now = Wall(far.0 + 9 * DAY_MS);
        assert_eq!(Clock::new(written, now, at).believed(now, at), now);
        // An old archive that is opened after a long time; and one that is new.
        let mut clock = Clock::new([days(-200)].into_iter(), NOW, at);
        assert_eq!(clock.believed(NOW, at), days(-200));
        assert_eq!(Clock::new(std::iter::empty(), NOW, at).believed(NOW, at), NOW);
    }
}
