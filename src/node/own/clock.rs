//! Whether this machine's wall clock can be believed: it was just set, the machine slept, or nobody keeps it right.
//!
//! Timers do not care, they run on the monotonic clock. But evidence, reports and cameras' clocks are read against the
//! wall clock, so a doubt about it is told, and no camera's clock is called wrong meanwhile.

use fleet::Wall;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The wall clock ran so much faster or slower between two looks: somebody set it. The core draws the same line.
const STEP: Duration = Duration::from_secs(2);
/// How long a step is told.
const TOLD: Duration = Duration::from_secs(60);
/// How long the kernel must call the clock unsynchronised: after a start a time server needs some minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// One reading of every clock there is.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Stands still while the machine sleeps.
    awake: Instant,
    /// Goes on while it sleeps; `None` where the kernel does not tell.
    running: Option<Duration>,
    wall: Wall,
    /// Whether a time server keeps the clock; `None` where the kernel does not tell.
    kept: Option<bool>,
}

/// Watches over the readings.
pub(super) struct Clock {
    /// A time server is expected to keep the clock.
    expect_kept: bool,
    last: Option<Reading>,
    stepped: Option<(Instant, String)>,
    adrift: Option<Instant>,
}

impl Clock {
    pub(super) fn new(expect_kept: bool) -> Clock {
        Clock { expect_kept, last: None, stepped: None, adrift: None }
    }

    /// Reads the clocks and says what is wrong with ours.
    pub(super) fn look(&mut self) -> Option<String> {
        let kept = self.expect_kept.then(read).flatten().map(|state| state.kept);
        self.take(Reading { awake: Instant::now(), running: uptime(), wall: Wall::read(), kept })
    }

    fn take(&mut self, now: Reading) -> Option<String> {
        if let Some(before) = self.last.replace(now)
            && let Some(what) = step(&before, &now)
        {
            self.stepped = Some((now.awake, what));
        }
        self.stepped.take_if(|(at, _)| now.awake.saturating_duration_since(*at) >= TOLD);
        match now.kept {
            Some(false) => {
                self.adrift.get_or_insert(now.awake);
            }
            Some(true) | None => self.adrift = None,
        }
        if let Some((_, what)) = &self.stepped {
            return Some(what.clone());
        }
        let adrift = self.adrift.is_some_and(|since| now.awake.saturating_duration_since(since) >= PATIENCE);
        adrift.then(|| {
            "no time server keeps this machine's clock (the kernel calls it unsynchronised); check chrony, ntpd or \
             systemd-timesyncd, or set node.clock_is_kept"
                .to_owned()
        })
    }
}

/// What happened to the wall clock between two readings, if anything.
fn step(before: &Reading, now: &Reading) -> Option<String> {
    let limit = millis(STEP);
    let awake = millis(now.awake.saturating_duration_since(before.awake));
    let ran = now.running.zip(before.running).map_or(awake, |(n, b)| millis(n.saturating_sub(b)).max(awake));
    let slept = ran - awake;
    let set = now.wall.millis_since(before.wall) - ran;
    let seconds = |ms: i64| format!("{}.{} s", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000 / 100);
    match (slept > limit, set.abs() > limit) {
        (false, false) => None,
        (true, false) => Some(format!("this machine was suspended for {}", seconds(slept))),
        (_, true) => {
            let way = if set > 0 { "forward" } else { "back" };
            Some(format!("the wall clock was set {way} by {}", seconds(set)))
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Since the start of the machine, its sleep included (proc(5): the clock is CLOCK_BOOTTIME).
fn uptime() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// What the kernel says of its clock (adjtimex(2)): what `timedatectl` and `chronyc` read too.
#[allow(unsafe_code)]
pub(in crate::node) fn read() -> Option<web::ClockState> {
    // SAFETY: `timex` is plain numbers, for which zero is a value; with `modes` zero the call only writes into the
    // struct that it is given, which lives until it returns.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&raw mut timex);
        (state, timex)
    };
    let nanoseconds = timex.status & libc::STA_NANO != 0;
    // Some containers forbid the question.
    (state >= 0).then_some(web::ClockState {
        kept: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        offset_us: if nanoseconds { timex.offset / 1000 } else { timex.offset },
        within_us: timex.maxerror,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    struct Machine {
        clock: Clock,
        now: Reading,
    }

    impl Machine {
        fn new() -> Machine {
            let now = Reading {
                awake: Instant::now(),
                running: Some(Duration::from_secs(1000)),
                wall: Wall(1_760_000_000_000),
                kept: Some(true),
            };
            Machine { clock: Clock::new(true), now }
        }

        /// A second passes, in which the machine sleeps and the wall clock is set by so much.
        fn second(&mut self, slept: Duration, set: i64) -> Option<String> {
            let second = Duration::from_secs(1);
            self.now.awake += second;
            self.now.running = self.now.running.map(|r| r + second + slept);
            self.now.wall = Wall(self.now.wall.0 + 1000 + millis(slept) + set);
            self.clock.take(self.now)
        }

        fn told(&mut self, seconds: u32) -> Vec<bool> {
            (0..seconds).map(|_| self.second(Duration::ZERO, 0).is_some()).collect()
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_is_told_for_a_minute_and_a_suspended_machine_is_told_apart() {
        for (slept, set, told) in [
            (0, HOUR, "the wall clock was set forward by 3600.0 s"),
            (0, -HOUR, "the wall clock was set back by 3600.0 s"),
            (0, 24 * HOUR, "the wall clock was set forward by 86400.0 s"),
            (0, -24 * HOUR, "the wall clock was set back by 86400.0 s"),
            (8 * 3600, 0, "this machine was suspended for 28800.0 s"),
            (8 * 3600, -HOUR, "the wall clock was set back by 3600.0 s"),
        ] {
            let mut machine = Machine::new();
            assert!(!machine.told(20).contains(&true), "nothing is wrong");
            assert_eq!(machine.second(Duration::from_secs(slept), set).as_deref(), Some(told));
            let after = machine.told(80);
            assert!(after[..58].iter().all(|t| *t) && !after[60..].contains(&true), "{told}: {after:?}");
        }
    }

    #[test]
    fn small_corrections_are_nothing() {
        let mut machine = Machine::new();
        assert!(machine.second(Duration::ZERO, 0).is_none());
        for set in [900, -900, 1900, -1900] {
            assert!(machine.second(Duration::ZERO, set).is_none(), "{set} ms");
        }
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_told_after_a_while() {
        let mut machine = Machine::new();
        machine.now.kept = Some(false);
        let told = machine.told(700);
        assert_eq!(told.iter().position(|t| *t), Some(600));
        machine.now.kept = Some(true);
        assert!(machine.second(Duration::ZERO, 0).is_none(), "kept again");
        machine.now.kept = None;
        assert!(!machine.told(1000).contains(&true), "a kernel that does not tell accuses nobody");
    }

    #[test]
    fn the_kernel_is_asked() {
        assert!(uptime().is_some_and(|up| up > Duration::ZERO));
        // Whatever it answers here, it answers without harm, and a clock that is not watched is never accused.
        let _ = read();
        assert_eq!(Clock::new(false).look(), None);
    }
}
