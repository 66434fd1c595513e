//! From RTP timestamps, which say when a frame is shown, to times of decoding that only grow.

/// Longest plausible time between two frames, in seconds; what is longer is a jump of the camera's clock.
const LONGEST_S: i64 = 10;

/// Times of one stream's frames, in ticks of its clock.
#[derive(Debug)]
pub(crate) struct Timeline {
    longest: i64,
    /// Shown at, unwrapped.
    shown: i64,
    /// Decoded at.
    decoded: i64,
    /// `decoded` less `shown` at the last keyframe; only of use while `reordered`.
    base: i64,
    /// The usual time between two frames.
    interval: i64,
    /// Frames are coded in another order than shown.
    reordered: bool,
}

/// The times of one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) decode_time: u64,
    pub(crate) duration: u32,
    pub(crate) offset: i32,
    /// It was found just now that frames are reordered: times before were wrong, begin with the next keyframe.
    pub(crate) restart: bool,
}

impl Timeline {
    pub(crate) fn new(clock_rate: u32) -> Timeline {
        let rate = i64::from(clock_rate.max(1));
        Timeline {
            longest: rate * LONGEST_S,
            shown: 0,
            decoded: 0,
            base: 0,
            interval: (rate / 25).max(1),
            reordered: false,
        }
    }

    /// The times of the frame with this timestamp, followed by a frame with that one.
    pub(crate) fn stamp(&mut self, timestamp: u32, following: u32, keyframe: bool) -> Stamp {
        let delta = i64::from(following.wrapping_sub(timestamp).cast_signed());
        let jump = delta.abs() > self.longest;
        if self.reordered && keyframe {
            // Whatever the usual interval got wrong is made good here.
            self.decoded = self.decoded.max(self.shown + self.base);
            self.base = self.decoded - self.shown;
        }
        let restart = !self.reordered && delta < 0 && !jump;
        if restart {
            self.reordered = true;
        }
        if !jump && delta != 0 && (self.reordered || delta > 0) {
            // The smallest step is from one frame to the next one shown.
            self.interval = if self.reordered { self.interval.min(delta.abs()) } else { delta };
        }
        let duration = if self.reordered || jump || delta <= 0 { self.interval } else { delta };
        let offset = if self.reordered { self.shown + self.base - self.decoded } else { 0 };
        let stamp = Stamp {
            decode_time: u64::try_from(self.decoded).unwrap_or(0),
            duration: u32::try_from(duration).unwrap_or(1),
            offset: i32::try_from(offset).unwrap_or(0),
            restart,
        };
        self.decoded += duration;
        self.shown += if jump { duration } else { delta };
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(timestamps: &[u32], keyframe_every: usize) -> Vec<(u64, u32, i32, bool)> {
        let mut timeline = Timeline::new(90_000);
        timestamps
            .windows(2)
            .enumerate()
            .map(|(n, pair)| {
                let s = timeline.stamp(pair[0], pair[1], n % keyframe_every == 0);
                (s.decode_time, s.duration, s.offset, s.restart)
            })
            .collect()
    }

    #[test]
    fn frames_in_order_keep_the_cameras_times_over_a_wrap() {
        let start = u32::MAX - 4000;
        let times = [start, start.wrapping_add(3600), start.wrapping_add(7300), start.wrapping_add(10_800)];
        assert_eq!(stamps(&times, 2), [(0, 3600, 0, false), (3600, 3700, 0, false), (7300, 3500, 0, false)]);
    }

    #[test]
    fn a_jump_of_the_clock_goes_by_as_one_frame() {
        let told = stamps(&[0, 3600, 2_000_000_000, 2_000_003_600, 5, 3605], 100);
        let times: Vec<u64> = told.iter().map(|s| s.0).collect();
        assert_eq!(times, [0, 3600, 7200, 10_800, 14_400]);
        assert!(told.iter().all(|s| s.1 == 3600 && s.2 == 0 && !s.3));
    }

    #[test]
    fn reordered_frames_are_found_and_shown_in_their_order() {
        // I P B B, P B B … in frames of 3600 ticks; a keyframe every seven.
        let order = [0, 3, 1, 2, 6, 4, 5, 7, 10, 8, 9, 13, 11, 12, 14, 17, 15, 16, 20, 18, 19, 21];
        let times: Vec<u32> = order.iter().map(|n| n * 3600).collect();
        let told = stamps(&times, 7);
        assert!(told[1].3, "found at the first step back");
        assert_eq!(told.iter().filter(|s| s.3).count(), 1);
        // From the keyframe after that on, what is shown is what the camera said.
        let shown: Vec<i64> = told[14..].iter().map(|s| s.0 as i64 + i64::from(s.2)).collect();
        let expected: Vec<i64> = order[14..21].iter().map(|n| shown[0] + (i64::from(*n) - 14) * 3600).collect();
        assert_eq!(shown, expected);
        assert!(told.windows(2).all(|w| w[1].0 > w[0].0), "decoding times only grow");
    }

    #[test]
    fn a_camera_that_repeats_a_timestamp_still_moves_on() {
        let told = stamps(&[0, 3600, 3600, 7200], 100);
        assert_eq!(told.iter().map(|s| s.0).collect::<Vec<_>>(), [0, 3600, 7200]);
    }
}
