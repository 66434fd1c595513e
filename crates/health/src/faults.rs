//! Faults of a camera whose video arrives: each is set after two bad readings in a row and cleared after two
//! good ones, so that one bad window is no fault and one good one no repair.

use crate::{Config, Failure, StreamFigures};
use fleet::{Cause, Layer, Mono};
use std::time::Duration;

/// A clock fault is confirmed only this long after the first bad reading: by then every other camera has
/// reported too, and it shows whether the camera's clock is wrong or ours.
pub(crate) const CLOCK_CONFIRM: Duration = Duration::from_secs(15);

/// Shorter windows say nothing about loss and rate.
const SHORTEST_WINDOW: Duration = Duration::from_secs(2);
/// Windows with fewer packets say nothing about loss.
const FEWEST_PACKETS: u64 = 20;

/// Two bad readings set it, two good ones clear it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Streak {
    run: u8,
    on: bool,
}

impl Streak {
    /// Takes in one reading.
    pub(crate) fn feed(&mut self, bad: bool) {
        if bad == self.on {
            self.run = 0;
        } else {
            self.run += 1;
            if self.run >= 2 {
                *self = Streak { run: 0, on: bad };
            }
        }
    }

    /// The fault is confirmed.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// One reading contradicts the present verdict.
    fn wavers(self) -> bool {
        self.run > 0
    }
}

/// The faults of one camera that delivers video.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Faults {
    loss: Streak,
    rate: Streak,
    decode: Streak,
    clock: Streak,
    clock_bad_since: Option<Mono>,
    picture: Option<Box<Failure>>,
    picture_good: u8,
    undecodable: Option<Box<Failure>>,
    lost: (u64, u64),
    fps: f32,
    offset_ms: i64,
}

impl Faults {
    /// Takes in the figures of a window.
    pub(crate) fn figures(&mut self, figures: &StreamFigures, config: &Config, clocks: ClockTrust, now: Mono) {
        let total = figures.packets + figures.lost;
        // The fewer pictures a second, the fewer packets: of those a rate needs none but one.
        if figures.window >= SHORTEST_WINDOW && total > 0 {
            let slow = figures.fps < config.lowest_fps;
            if slow {
                self.fps = figures.fps;
            }
            self.rate.feed(slow);
        }
        if figures.window >= SHORTEST_WINDOW && total >= FEWEST_PACKETS {
            let bad = figures.lost * 1000 >= u64::from(config.loss_permille.max(1)) * total;
            if bad {
                self.lost = (figures.lost, total);
            }
            self.loss.feed(bad);
        }
        if clocks == ClockTrust::Doubted {
            // A confirmed fault stays, a suspicion starts anew: nothing read now counts.
            self.clock_bad_since = self.clock_bad_since.filter(|_| self.clock.is_on());
        } else if let Some(offset) = figures.clock_offset_ms {
            let bad = offset.saturating_abs() > config.clock_tolerance_ms;
            if bad {
                self.offset_ms = offset;
                let since = *self.clock_bad_since.get_or_insert(now);
                if self.clock.is_on() || now.since(since) >= CLOCK_CONFIRM {
                    self.clock.feed(true);
                }
            } else {
                self.clock_bad_since = None;
                self.clock.feed(false);
            }
        }
    }

    /// A keyframe decoded. `fault` is what its picture showed.
    pub(crate) fn decoded(&mut self, fault: Option<Failure>) {
        self.decode.feed(false);
        match fault {
            Some(fault) => {
                self.picture = Some(Box::new(fault));
                self.picture_good = 0;
            }
            None if self.picture.is_some() => {
                self.picture_good += 1;
                if self.picture_good >= 2 {
                    self.picture = None;
                    self.picture_good = 0;
                }
            }
            None => {}
        }
    }

    /// A keyframe did not decode.
    pub(crate) fn undecodable(&mut self, failure: Failure) {
        self.decode.feed(true);
        self.undecodable = Some(Box::new(failure));
    }

    /// At least two keyframes in a row did not decode.
    pub(crate) fn decode_failed(&self) -> bool {
        self.decode.is_on()
    }

    /// Pictures should be judged soon again: a fault of theirs is suspected or being cleared. One that stands is looked at
    /// as often as a good picture.
    pub(crate) fn wants_pictures(&self) -> bool {
        self.picture_good > 0 || self.decode.wavers()
    }

    /// Something is being confirmed.
    pub(crate) fn wavers(&self) -> bool {
        self.loss.wavers()
            || self.rate.wavers()
            || self.decode.wavers()
            || self.picture_good > 0
            || (self.clock_bad_since.is_some() != self.clock.is_on())
    }

    /// The confirmed fault that is told first. What is seen in a picture comes before the loss of packets, which would
    /// hide it: a covered lens stays covered when the link is mended. Only what loss itself does to pictures comes after
    /// it.
    pub(crate) fn worst(&self) -> Option<Cause> {
        self.confirmed().next()
    }

    /// Confirmed faults besides the one that is told first.
    pub(crate) fn besides(&self) -> Vec<Cause> {
        self.confirmed().skip(1).collect()
    }

    fn confirmed(&self) -> impl Iterator<Item = Cause> {
        let loss = self.loss.is_on();
        let decode =
            self.decode.is_on().then(|| self.undecodable.as_ref().map_or(Cause::DecodeFailed, |failure| failure.cause));
        let picture = self.picture.as_ref().map(|failure| failure.cause);
        // Blocks that do not fit are what lost packets leave behind.
        let by_loss = |cause: &Cause| loss && *cause == Cause::PictureStripes;
        [
            decode.filter(|_| !loss),
            picture.filter(|cause| !by_loss(cause)),
            loss.then_some(Cause::PacketLoss),
            self.rate.is_on().then_some(Cause::LowFrameRate),
            decode.filter(|_| loss),
            picture.filter(by_loss),
            self.clock.is_on().then_some(Cause::ClockWrong),
        ]
        .into_iter()
        .flatten()
    }

    /// What a confirmed fault rests on.
    pub(crate) fn describe(&self, cause: Cause) -> String {
        match cause {
            Cause::PacketLoss => {
                let (lost, total) = self.lost;
                #[allow(clippy::cast_precision_loss)] // packets of one window
                let percent = lost as f64 * 100.0 / total.max(1) as f64;
                format!("{lost} of {total} packets lost ({percent:.1} %) in two windows running")
            }
            Cause::LowFrameRate => format!("{:.1} frames per second in two windows running", self.fps),
            Cause::ClockWrong => {
                #[allow(clippy::cast_precision_loss)] // shown with one decimal
                let seconds = self.offset_ms as f64 / 1000.0;
                format!("camera clock {seconds:+.1} s from ours")
            }
            _ => {
                let source = if cause.layer() == Layer::Decode { &self.undecodable } else { &self.picture };
                source.as_ref().map_or_else(String::new, |f| f.detail.clone())
            }
        }
    }
}

/// Whether offsets of camera clocks may be judged at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClockTrust {
    /// Our clock is as good as we know.
    Trusted,
    /// Our clock was just set, or most cameras agree that it is wrong.
    Doubted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(packets: u64, lost: u64, fps: f32, offset: Option<i64>) -> StreamFigures {
        StreamFigures {
            window: Duration::from_secs(5),
            packets,
            lost,
            fps,
            clock_offset_ms: offset,
            ..StreamFigures::default()
        }
    }

    fn after(windows: &[StreamFigures]) -> Option<Cause> {
        let mut faults = Faults::default();
        for (i, w) in windows.iter().enumerate() {
            let now = Mono(i as u64 * 5_000_000_000);
            faults.figures(w, &Config::default(), ClockTrust::Trusted, now);
        }
        faults.worst()
    }

    #[test]
    fn two_bad_windows_make_a_fault_and_two_good_ones_clear_it() {
        let good = || window(1000, 0, 25.0, None);
        let lossy = || window(950, 50, 25.0, None);
        let slow = || window(100, 0, 2.0, None);
        assert_eq!(after(&[lossy()]), None);
        assert_eq!(after(&[lossy(), good(), lossy(), good()]), None);
        assert_eq!(after(&[lossy(), lossy()]), Some(Cause::PacketLoss));
        assert_eq!(after(&[lossy(), lossy(), good()]), Some(Cause::PacketLoss));
        assert_eq!(after(&[lossy(), lossy(), good(), good()]), None);
        assert_eq!(after(&[slow(), slow()]), Some(Cause::LowFrameRate));
    }

    #[test]
    fn a_fault_that_stands_is_looked_at_no_more_often_than_a_good_picture() {
        let fault = || Some(Failure { cause: Cause::PictureBlack, detail: String::new() });
        let mut faults = Faults::default();
        let wants = |faults: &mut Faults, shown: Option<Failure>| {
            faults.decoded(shown);
            faults.wants_pictures()
        };
        assert_eq!([fault(), fault(), fault()].map(|f| wants(&mut faults, f)), [false; 3]);
        assert!(wants(&mut faults, None), "it may be over");
        assert!(!wants(&mut faults, fault()), "it is not");
        assert_eq!([None, None].map(|f| wants(&mut faults, f)), [true, false], "it is");
        let torn = || Failure { cause: Cause::DecodeFailed, detail: String::new() };
        let undecodable = [torn(), torn(), torn()].map(|f| {
            faults.undecodable(f);
            faults.wants_pictures()
        });
        assert_eq!(undecodable, [true, false, false], "suspected, then it stands");
    }

    #[test]
    fn a_window_too_small_to_tell_is_not_judged() {
        let tiny = || window(3, 3, 25.0, None);
        assert_eq!(after(&[tiny(), tiny(), tiny()]), None);
        let short = || StreamFigures { window: Duration::from_secs(1), ..window(300, 90, 1.0, None) };
        assert_eq!(after(&[short(), short(), short()]), None);
        // A small stream with a picture a second has few packets, and that is just what is wrong with it.
        let slow = || window(12, 0, 1.0, None);
        assert_eq!(after(&[slow(), slow()]), Some(Cause::LowFrameRate));
    }

    #[test]
    fn a_wrong_clock_is_confirmed_only_when_the_others_have_spoken() {
        let wrong = || window(1000, 0, 25.0, Some(-3_600_000));
        assert_eq!(after(&[wrong(), wrong()]), None);
        assert_eq!(after(&[wrong(), wrong(), wrong(), wrong(), wrong()]), Some(Cause::ClockWrong));
    }

    #[test]
    fn a_fault_of_the_picture_and_one_of_the_link_are_both_told() {
        let mut faults = Faults::default();
        let lossy = window(950, 50, 25.0, None);
        for i in 0..2 {
            faults.figures(&lossy, &Config::default(), ClockTrust::Trusted, Mono(i));
        }
        let covered = Failure { cause: Cause::PictureCovered, detail: "80 %".into() };
        faults.decoded(Some(covered));
        assert_eq!((faults.worst(), faults.besides()), (Some(Cause::PictureCovered), vec![Cause::PacketLoss]));
        let stripes = Failure { cause: Cause::PictureStripes, detail: "20 %".into() };
        faults.decoded(Some(stripes));
        assert_eq!((faults.worst(), faults.besides()), (Some(Cause::PacketLoss), vec![Cause::PictureStripes]));
    }

    #[test]
    fn the_lowest_rung_is_told_first() {
        let mut faults = Faults::default();
        let black = Failure { cause: Cause::PictureBlack, detail: "mean luma 3".into() };
        faults.decoded(Some(black));
        assert_eq!(faults.worst(), Some(Cause::PictureBlack));
        let broken = Failure { cause: Cause::DecodeFailed, detail: "no frame".into() };
        faults.undecodable(broken.clone());
        assert_eq!(faults.worst(), Some(Cause::PictureBlack));
        faults.undecodable(broken);
        assert_eq!(faults.worst(), Some(Cause::DecodeFailed));
        assert_eq!(faults.describe(Cause::DecodeFailed), "no frame");
        faults.decoded(None);
        faults.decoded(None);
        assert_eq!(faults.worst(), None);
    }
}
