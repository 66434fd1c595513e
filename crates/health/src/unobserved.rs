//! Time in which nothing was looked at, though the process lived on.
//!
//! A verdict outlives it: the camera is looked at again within seconds, and is then what it is found to be. The record
//! must not: nobody knows what was in that time, so the store ends what goes on, puts `unknown` there, and lets it go
//! on afterwards. Time in which no process of ours ran is the store's own to end, see `Store::resume`.

use crate::{Effect, Fleet, OwnPart, Scope, Unobserved, own::cause_of, schedule::Key};
use fleet::{Now, Wall};
use std::time::Duration;

/// Shorter times are within what a check leaves open anyway: a picture is judged once a minute, a loss confirmed in 15 s.
const UNSEEN: Duration = Duration::from_secs(30);

/// A machine is not suspended for longer: that is a clock which was wrong, and no snapshot was due in such a time.
const LONGEST_SLEEP_MS: i64 = 31 * 86_400_000;

/// While anything is watched something is due so often, so that it shows when we do not run.
const PULSE: Duration = Duration::from_secs(10);

impl Fleet {
    pub(crate) fn feel_pulse(&mut self) {
        match (self.own.in_use > 0, self.schedule.due(Key::Pulse)) {
            (true, None) => self.schedule.set(Key::Pulse, self.now.mono + PULSE),
            (false, Some(_)) => self.schedule.clear(Key::Pulse),
            _ => {}
        }
    }

    /// Whether nothing was looked at between `before` and now: because we did not run, or because the wall clock left
    /// time out. `stepped`: by how many milliseconds it ran further than the monotonic clock. Which of the two it was
    /// cannot always be told: Linux's monotonic clock stands still while the machine is suspended.
    pub(crate) fn note_unobserved(&mut self, before: Now, stepped: i64) {
        let ran = self.now.mono.since(before.mono);
        let late = self.schedule.next().map_or(Duration::ZERO, |due| self.now.mono.since(due));
        let unseen = i64::try_from(UNSEEN.as_millis()).unwrap_or(i64::MAX);
        let (from, part, detail) = if late > UNSEEN {
            (before.wall, OwnPart::Machine, format!("nothing of ours ran for {} s", ran.as_secs()))
        } else if stepped > unseen {
            let from = before.wall + ran;
            let s = stepped / 1000;
            (
                from,
                OwnPart::Clock,
                format!("the wall clock went on by {s} s: it was set, or this machine was suspended"),
            )
        } else {
            return;
        };
        let until: Wall = self.now.wall;
        if part == OwnPart::Clock {
            // If it was a suspended machine, what failed around it says nothing.
            self.wake();
            if until.millis_since(from) <= LONGEST_SLEEP_MS {
                self.slots_left_out(from, until);
            }
        }
        let cause = cause_of(part);
        if until.millis_since(from) > 0 {
            self.effects.push(Effect::Unobserved(Unobserved { from, until, cause, detail: detail.clone() }));
        }
        if self.book.find(&Scope::Own, cause).is_none() {
            let since = if part == OwnPart::Machine { ran } else { Duration::ZERO };
            let id = self.start_own(cause, 0, since, &detail);
            self.book.resolve(id, None, self.now);
        }
    }
}
