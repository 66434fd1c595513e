//! What falls silent at the same hour of the day, day after day: power that is borrowed from a house or a shop 借电.
//!
//! Of each camera and link only the last few beginnings are kept; those of earlier days come back after a restart with
//! the incidents that were resolved lately.

use crate::{Scope, camera::is_silence};
use fleet::{Cause, Wall};
use std::collections::BTreeMap;

const DAY_MS: i64 = 24 * 3_600_000;
/// Days looked back.
const DAYS: i64 = 3;
/// Two beginnings so close to each other in the day are at the same hour.
const SAME_MS: i64 = 20 * 60_000;
/// Beginnings kept of one scope: one a day, and some that are no habit.
const KEPT: usize = 8;
/// Scopes kept; what has not been silent for longest goes first.
const MOST: usize = 20_000;

/// When incidents of silence began, by scope.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    begun: BTreeMap<Scope, Vec<Wall>>,
}

impl Habits {
    /// An incident began.
    pub(crate) fn note(&mut self, scope: &Scope, cause: Cause, at: Wall) {
        if !is_silence(cause) || *scope == Scope::Own {
            return;
        }
        let times = self.begun.entry(scope.clone()).or_default();
        if !times.contains(&at) {
            times.push(at);
            times.sort_unstable();
        }
        times.retain(|t| at.millis_since(*t) <= (DAYS + 1) * DAY_MS);
        let surplus = times.len().saturating_sub(KEPT);
        times.drain(..surplus);
        if self.begun.len() > MOST {
            self.begun.retain(|_, times| times.last().is_some_and(|t| at.millis_since(*t) <= (DAYS + 1) * DAY_MS));
            // Whoever is left is recent; the county is larger than anything that was measured.
            while self.begun.len() > MOST {
                self.begun.pop_first();
            }
        }
    }

    /// On how many of the days before it began at the same hour.
    pub(crate) fn same_hour(&self, scope: &Scope, at: Wall) -> u32 {
        let Some(times) = self.begun.get(scope) else { return 0 };
        let same = |day: &i64| {
            let then = at.0 - day * DAY_MS;
            times.iter().any(|t| (t.0 - then).abs() <= SAME_MS)
        };
        u32::try_from((1..=DAYS).filter(same).count()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet::UplinkId;

    fn at(day: i64, hour: i64, minute: i64) -> Wall {
        Wall((20_000 + day) * DAY_MS + hour * 3_600_000 + minute * 60_000)
    }

    #[test]
    fn the_same_hour_on_two_of_three_days_is_a_habit() {
        let (link, other) = (Scope::Uplink(UplinkId(1)), Scope::Uplink(UplinkId(2)));
        let mut habits = Habits::default();
        habits.note(&link, Cause::NoAnswer, at(0, 23, 50));
        habits.note(&other, Cause::NoAnswer, at(0, 12, 0));
        assert_eq!(habits.same_hour(&link, at(1, 23, 55)), 1);
        habits.note(&link, Cause::NoAnswer, at(1, 23, 55));
        assert_eq!(habits.same_hour(&link, at(3, 0, 5)), 2, "a little past midnight too");
        assert_eq!(habits.same_hour(&link, at(2, 22, 0)), 0, "another hour");
        assert_eq!(habits.same_hour(&other, at(2, 12, 0)), 1, "once is no habit");
        assert_eq!(habits.same_hour(&link, at(6, 23, 50)), 0, "long ago");
    }

    #[test]
    fn what_is_no_silence_is_no_habit_and_little_is_kept() {
        let link = Scope::Uplink(UplinkId(1));
        let mut habits = Habits::default();
        for day in 0..3 {
            habits.note(&link, Cause::PasswordRefused, at(day, 1, 0));
        }
        assert_eq!(habits.same_hour(&link, at(3, 1, 0)), 0);
        for minute in 0..1000 {
            habits.note(&link, Cause::NoAnswer, at(0, 0, minute));
        }
        assert!(habits.begun[&link].len() <= KEPT);
    }
}
