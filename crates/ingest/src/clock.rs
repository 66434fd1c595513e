//! The camera's clock as its sender reports tell it: how far it is off, how fast it runs away, and how sure that is.
//!
//! The offset is what the newest report says at its arrival; it is too small by the time the report took to come, which
//! is less than the fastest answer of the camera. The drift is the slope of a line through readings spread over the
//! whole session, against our monotonic clock, so that setting our own clock does not look like a drift of the
//! camera's. Memory is bounded: when it is full every second reading is dropped, and from then on every second is kept.
//!
//! What the clock showed at a picture is carried on from the newest report by the picture's RTP timestamp. What is not
//! known of it adds up:
//!
//! | part | why |
//! |---|---|
//! | the fastest answer of the camera | so long a report or a picture was on its way at most, when nothing was in its way |
//! | twice the scatter of the reports | what the network and the camera's own pace did to that |
//! | twice what NTP and RTP time of two reports disagree by, as often as the picture is older or younger than they are apart | a camera whose stream does not go by its clock |
//! | [`SLEW`] of the time between report and picture | a clock that is being kept is corrected so fast |
//! | the step, if the newest report shows that the clock was set | until the next one agrees with it |
//! | 1 ms | is rounded away |
//!
//! A clock that is set between the newest report and the picture is not seen. On-screen time is not read at all.

use fleet::{CameraClock, Now, Wall};
use health::Drift;
use std::time::Duration;

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// 2000-01-01 in Unix milliseconds: no camera of ours is older, so what is before it is no date.
const YEAR_2000_MS: i64 = 946_684_800_000;
/// How far ahead of ours, in milliseconds, a clock is still taken for one: five years.
const FUTURE_MS: i64 = 5 * 366 * 86_400_000;
/// Readings that are kept.
const KEPT: usize = 16;
/// Fewest readings, and shortest time in seconds, that say something of a drift.
const FEWEST: usize = 6;
const SHORTEST: f32 = 50.0;
/// A reading that is off the line by more, in milliseconds, is a clock that was set.
const STEP_MS: f32 = 1000.0;
/// The fastest that NTP slews a clock: 500 millionths.
const SLEW: f64 = 0.0005;

/// What is known of a camera's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    newest: Option<Reading>,
    absurd: bool,
    /// Monotonic milliseconds of the first reading, and the camera's clock less them.
    origin: Option<(i64, i64)>,
    /// Seconds since the first reading, and milliseconds gained since.
    readings: Vec<(f32, f32)>,
    /// One of so many readings is kept, and how many have passed since.
    every: u16,
    passed: u16,
    /// Scatter of the latest readings around each other, in milliseconds.
    scatter: f32,
    /// By how many milliseconds the stream's clock and the camera's disagree from one report to the next.
    slip: f32,
    /// By how many milliseconds the newest report was off what was expected, if so much that the clock was set.
    stepped: f32,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    camera: Wall,
    rtp: u32,
    offset_ms: i64,
    /// RTP time since the report before, in milliseconds; 0 for the first.
    apart: f64,
}

impl Clock {
    /// Takes a sender report: the camera's NTP time, its RTP time in so many ticks a second, and our time at its arrival.
    pub(crate) fn report(&mut self, ntp: u64, rtp: u32, clock_rate: f64, arrived: Now) {
        let Some(camera) = camera_time(ntp, arrived.wall) else {
            *self = Clock { absurd: true, ..Clock::default() };
            return;
        };
        self.absurd = false;
        self.stepped = 0.0;
        let mut apart = 0.0;
        if let Some(before) = self.newest {
            let streamed = millis(rtp, before.rtp, clock_rate);
            let slip = (camera.millis_since(before.camera) as f64 - streamed).abs() as f32;
            // More is a clock that was set, or timestamps that jumped: seen below, or at the picture.
            if slip <= STEP_MS {
                apart = streamed.abs();
                self.slip += (slip - self.slip) / if self.slip < slip { 1.0 } else { 8.0 };
            }
        }
        self.newest = Some(Reading { camera, rtp, offset_ms: camera.millis_since(arrived.wall), apart });
        let ours = i64::try_from(arrived.mono.0 / 1_000_000).unwrap_or(i64::MAX);
        let ahead = camera.0.saturating_sub(ours);
        let (began, first) = *self.origin.get_or_insert((ours, ahead));
        let reading = (ours.saturating_sub(began) as f32 / 1000.0, ahead.saturating_sub(first) as f32);
        if let Some(&(_, before)) = self.readings.last() {
            let expected = self.line().map_or(before, |line| line.at(reading.0));
            let off = (reading.1 - expected).abs();
            if off > STEP_MS {
                *self = Clock { newest: self.newest, stepped: off, ..Clock::default() };
                return self.keep((ours, ahead), (0.0, 0.0));
            }
            self.scatter += (off - self.scatter) / 8.0;
        }
        self.keep((began, first), reading);
    }

    fn keep(&mut self, origin: (i64, i64), reading: (f32, f32)) {
        self.origin = Some(origin);
        self.passed += 1;
        if self.passed < self.every {
            return;
        }
        self.passed = 0;
        if self.readings.len() == KEPT {
            let mut kept = false;
            self.readings.retain(|_| {
                kept = !kept;
                kept
            });
            self.every = self.every.max(1).saturating_mul(2);
        }
        self.readings.push(reading);
    }

    /// Camera's clock minus ours, in milliseconds.
    pub(crate) fn offset_ms(&self) -> Option<i64> {
        self.newest.map(|r| r.offset_ms)
    }

    /// Half of the interval in which the offset lies, if an answer of the camera took `round_trip` at least.
    pub(crate) fn uncertainty_ms(&self, round_trip: Duration) -> Option<u32> {
        self.newest?;
        let way = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
        // Twice the scatter, and the millisecond that is rounded away.
        Some(way.saturating_add((self.scatter * 2.0).ceil() as u32).saturating_add(1))
    }

    /// Its reports tell times that are no date.
    pub(crate) fn is_absurd(&self) -> bool {
        self.absurd
    }

    /// How fast it gains on our monotonic clock.
    pub(crate) fn drift(&self) -> Option<Drift> {
        let line = self.line()?;
        Some(Drift { ppm: line.slope * 1000.0, uncertainty_ppm: line.error * 1000.0 })
    }

    /// The camera's clock at an RTP timestamp, and how sure that is, if an answer of the camera took `round_trip` at least.
    pub(crate) fn at(&self, timestamp: u32, clock_rate: f64, round_trip: Duration) -> Option<CameraClock> {
        let newest = self.newest?;
        let since = millis(timestamp, newest.rtp, clock_rate);
        // Longer than any pause between reports: the stream's timestamps have jumped.
        if since.abs() >= 120_000.0 {
            return None;
        }
        let reports = if newest.apart > 0.0 { (since.abs() / newest.apart).max(1.0) } else { 1.0 };
        let carried = 2.0 * f64::from(self.slip) * reports + since.abs() * SLEW + f64::from(self.stepped);
        Some(CameraClock {
            at: Wall(newest.camera.0.saturating_add(since.round() as i64)),
            uncertainty_ms: self.uncertainty_ms(round_trip)?.saturating_add(carried.ceil() as u32),
        })
    }

    /// The line of least squares through the readings, once they reach far enough.
    fn line(&self) -> Option<Line> {
        let (first, last) = (self.readings.first()?, self.readings.last()?);
        if self.readings.len() < FEWEST || last.0 - first.0 < SHORTEST {
            return None;
        }
        let n = self.readings.len() as f32;
        let (x, y) = self.readings.iter().fold((0.0, 0.0), |(x, y), r| (x + r.0 / n, y + r.1 / n));
        let (xx, xy) = self
            .readings
            .iter()
            .fold((0.0, 0.0), |(xx, xy), r| (xx + (r.0 - x) * (r.0 - x), xy + (r.0 - x) * (r.1 - y)));
        let slope = xy / xx;
        let rest: f32 = self.readings.iter().map(|r| (r.1 - y - slope * (r.0 - x)).powi(2)).sum();
        // Readings are whole milliseconds: they are never surer than that. Twice the standard error.
        let scatter = (rest / (n - 2.0)).max(1.0 / 12.0);
        Some(Line { x, y, slope, error: 2.0 * (scatter / xx).sqrt() })
    }
}

/// Milliseconds from one RTP timestamp to another.
fn millis(to: u32, from: u32, clock_rate: f64) -> f64 {
    f64::from(to.wrapping_sub(from).cast_signed()) / clock_rate * 1000.0
}

/// Milliseconds over seconds, through a point.
struct Line {
    x: f32,
    y: f32,
    slope: f32,
    error: f32,
}

impl Line {
    fn at(&self, x: f32) -> f32 {
        self.y + self.slope * (x - self.x)
    }
}

/// The camera's time from a 64-bit NTP timestamp; `None` if it is no date.
///
/// NTP seconds wrap in 2036, so they are read in the era nearest to our clock. Cameras whose sender reports
/// count from power-on or from 1970 instead of telling the time thereby come out before 2000 or years ahead
/// and are recognised.
fn camera_time(ntp: u64, ours: Wall) -> Option<Wall> {
    let seconds = (ntp >> 32) as u32;
    let millis = ((ntp & 0xffff_ffff) * 1000) >> 32;
    let our_seconds = ours.0.div_euclid(1000) + NTP_TO_UNIX;
    let ahead = seconds.wrapping_sub(our_seconds as u32).cast_signed();
    let camera = Wall((our_seconds + i64::from(ahead) - NTP_TO_UNIX) * 1000 + millis as i64);
    (ntp != 0 && camera.0 >= YEAR_2000_MS && camera.millis_since(ours) <= FUTURE_MS).then_some(camera)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet::Mono;

    /// 2026-03-01 00:00:00 UTC.
    const NOW: Wall = Wall(1_772_323_200_000);
    const RATE: f64 = 90_000.0;

    fn ntp(unix_ms: i64) -> u64 {
        let seconds = (unix_ms.div_euclid(1000) + NTP_TO_UNIX) as u64 & 0xffff_ffff;
        (seconds << 32) | ((((unix_ms.rem_euclid(1000) as u64) << 32) / 1000) + 1)
    }

    /// So many milliseconds after the start, by our clocks.
    fn after(ms: i64) -> Now {
        Now { mono: Mono(5_000_000_000 + ms as u64 * 1_000_000), wall: Wall(NOW.0 + ms) }
    }

    #[test]
    fn the_cameras_clock_is_read_from_sender_reports() {
        for offset in [0, -1500, 3_600_000, -86_400_000 * 365] {
            let got = camera_time(ntp(NOW.0 + offset), NOW).unwrap();
            assert!((got.0 - (NOW.0 + offset)).abs() <= 1, "offset {offset}: {got:?}");
        }
        let after_2036 = Wall(2_100_000_000_000);
        assert!((camera_time(ntp(after_2036.0 + 5000), after_2036).unwrap().0 - after_2036.0 - 5000).abs() <= 1);
    }

    #[test]
    fn times_that_are_no_date_are_recognised() {
        assert_eq!(camera_time(0, NOW), None);
        assert_eq!(camera_time(5000 << 32, NOW), None, "seconds since power-on");
        assert_eq!(camera_time(ntp(1000), NOW), None, "1970");
        assert_eq!(camera_time(u64::MAX, NOW), None);
        let mut clock = Clock::default();
        clock.report(5000 << 32, 0, RATE, after(0));
        assert!(clock.is_absurd());
        assert_eq!((clock.offset_ms(), clock.uncertainty_ms(Duration::ZERO), clock.drift()), (None, None, None));
        clock.report(ntp(NOW.0), 0, RATE, after(5));
        assert!(!clock.is_absurd(), "it has been set");
    }

    #[test]
    fn the_clock_at_a_frame_is_carried_on_from_the_last_report() {
        let mut clock = Clock::default();
        let at = |clock: &Clock, timestamp| clock.at(timestamp, RATE, Duration::ZERO).map(|seen| seen.at);
        assert_eq!(at(&clock, 1), None);
        clock.report(ntp(NOW.0), 90_000, RATE, after(250));
        assert_eq!(at(&clock, 180_000), Some(Wall(NOW.0 + 1000)));
        assert_eq!(at(&clock, 45_000), Some(Wall(NOW.0 - 500)));
        assert_eq!(at(&clock, 2_000_000_000), None, "the timestamps have jumped");
        assert_eq!(clock.offset_ms(), Some(-250));
        assert_eq!(clock.uncertainty_ms(Duration::from_millis(40)), Some(41));
    }

    /// A clock that gains so many millionths, read every 5 s for so long, each report up to `late` ms late.
    fn watched(ppm: f64, seconds: i64, late: i64) -> Clock {
        let mut clock = Clock::default();
        for (n, at) in (0..seconds).step_by(5).enumerate() {
            let camera = NOW.0 + 7000 + at * 1000 + (at as f64 * ppm / 1000.0) as i64;
            clock.report(ntp(camera), (at * 90_000) as u32, RATE, after(at * 1000 + (n as i64 * 7919) % (late + 1)));
        }
        clock
    }

    #[test]
    fn a_drift_is_told_with_how_sure_it_is() {
        assert_eq!(watched(0.0, 40, 0).drift(), None, "too short to say");
        for (ppm, seconds, late) in [(200.0, 600, 5), (-80.0, 3600, 20), (0.0, 3600, 20), (15_000.0, 120, 3)] {
            let drift = watched(ppm, seconds, late).drift().unwrap();
            assert!((f64::from(drift.ppm) - ppm).abs() <= f64::from(drift.uncertainty_ppm) * 2.0, "{ppm}: {drift:?}");
            assert!(drift.uncertainty_ppm < 60.0, "{drift:?}");
        }
        let short = watched(0.0, 120, 20).drift().unwrap();
        let long = watched(0.0, 7200, 20).drift().unwrap();
        assert!(long.uncertainty_ppm < short.uncertainty_ppm / 10.0, "{long:?} {short:?}");
        assert!(watched(0.0, 86_400, 20).readings.len() <= KEPT);
    }

    #[test]
    fn a_clock_that_is_set_is_no_drift() {
        let mut clock = watched(0.0, 600, 2);
        for at in (600..700).step_by(5) {
            clock.report(ntp(NOW.0 + at * 1000), (at * 90_000) as u32, RATE, after(at * 1000));
        }
        assert_eq!(clock.offset_ms(), Some(0));
        assert!(clock.drift().unwrap().ppm.abs() < 30.0, "{:?}", clock.drift());
        // Setting our own wall clock moves the offset, not the drift.
        let mut clock = watched(0.0, 600, 2);
        let mut late = after(605_000);
        late.wall = Wall(late.wall.0 - 3_600_000);
        clock.report(ntp(NOW.0 + 7000 + 605_000), 605 * 90_000, RATE, late);
        assert_eq!(clock.offset_ms(), Some(7000 + 3_600_000));
        assert!(clock.drift().unwrap().ppm.abs() < 30.0, "{:?}", clock.drift());
    }

    #[test]
    fn what_is_not_known_of_the_clock_at_a_frame_adds_up() {
        let sure = |clock: &Clock, ms: i64, way| {
            let seen = clock.at((ms * 90) as u32, RATE, Duration::from_millis(way)).unwrap();
            seen.uncertainty_ms
        };
        // Reports every 5 s until 600 s, none of them late: only rounding is left, and what a clock may be slewed by.
        let good = watched(0.0, 605, 0);
        assert!(sure(&good, 600_000, 0) <= 3, "{}", sure(&good, 600_000, 0));
        assert_eq!(sure(&good, 600_000, 40), sure(&good, 600_000, 0) + 40, "the way");
        assert_eq!(sure(&good, 640_000, 0), sure(&good, 600_000, 0) + 20, "forty seconds at 500 millionths");
        assert_eq!(sure(&good, 580_000, 0), sure(&good, 600_000, 0) + 10, "before the report as well");
        // Reports that came up to 60 ms late.
        assert!(sure(&watched(0.0, 605, 60), 600_000, 0) >= 30);
        // A stream whose clock runs 1 % faster than the camera's: 50 ms from one report to the next.
        let mut odd = Clock::default();
        for at in (0..600).step_by(5) {
            odd.report(ntp(NOW.0 + at * 1000), (at * 90_900) as u32, RATE, after(at * 1000));
        }
        let newest = 595 * 1010;
        assert!(sure(&odd, newest, 0) >= 100, "{}", sure(&odd, newest, 0));
        assert!(sure(&odd, newest + 10_000, 0) >= 200, "twice as long as reports are apart");
        // What was carried on wrongly is within what was said: 10 s later the camera's clock has gone 10 / 1.01 s on.
        let seen = odd.at(((newest + 10_100) * 90) as u32, RATE, Duration::ZERO).unwrap();
        let true_ms = NOW.0 + 595_000 + 10_000;
        assert!(seen.at.millis_since(Wall(true_ms)).unsigned_abs() <= u64::from(seen.uncertainty_ms), "{seen:?}");
    }

    #[test]
    fn a_clock_that_was_set_is_unsure_until_the_next_report_agrees() {
        let mut clock = watched(0.0, 600, 0);
        let sure = |clock: &Clock, s: i64| clock.at((s * 90_000) as u32, RATE, Duration::ZERO).unwrap().uncertainty_ms;
        let before = sure(&clock, 595);
        // Set on by an hour.
        clock.report(ntp(NOW.0 + 7000 + 3_600_000 + 600_000), 600 * 90_000, RATE, after(600_000));
        assert!(sure(&clock, 600) >= 3_599_000, "{}", sure(&clock, 600));
        clock.report(ntp(NOW.0 + 7000 + 3_600_000 + 605_000), 605 * 90_000, RATE, after(605_000));
        assert!(sure(&clock, 605) <= before + 3, "{}", sure(&clock, 605));
    }
}
