//! What a running session counts: packets, loss, bytes, frames, keyframes, jitter, the camera's clock.
//!
//! A few additions per packet, no allocation, no clock reading of its own.

use fleet::{Codec, Wall};
use health::StreamFigures;
use std::time::Instant;

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// 2000-01-01 in Unix milliseconds: no camera of ours is older, so what is before it is no date.
const YEAR_2000_MS: i64 = 946_684_800_000;
/// How far ahead of ours, in milliseconds, a clock is still taken for one: five years.
const FUTURE_MS: i64 = 5 * 366 * 86_400_000;

/// Counts of one session since the last report, and what spans reports.
#[derive(Debug)]
pub(crate) struct Meter {
    clock_rate: f64,
    began: Instant,
    counts: Counts,
    last_packet: Instant,
    last_keyframe: Option<Instant>,
    /// Arrival and RTP timestamp of the last frame's first packet.
    last_frame: Option<(Instant, u32)>,
    /// RFC 3550 §6.4.1, in seconds.
    jitter: f64,
    report: Option<SenderReport>,
}

/// Sums of one reporting window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) lost: u64,
    pub(crate) frames: u64,
    pub(crate) keyframes: u64,
    /// Came after a later one.
    pub(crate) late: u64,
    /// Came twice.
    pub(crate) twice: u64,
    /// Of another source, or far out of order.
    pub(crate) stray: u64,
}

/// The newest pair of camera time and RTP time.
#[derive(Clone, Copy, Debug)]
struct SenderReport {
    camera: Wall,
    rtp: u32,
    offset_ms: i64,
}

impl Meter {
    pub(crate) fn new(clock_rate: u32, now: Instant) -> Meter {
        Meter {
            clock_rate: f64::from(clock_rate.max(1)),
            began: now,
            counts: Counts::default(),
            last_packet: now,
            last_keyframe: None,
            last_frame: None,
            jitter: 0.0,
            report: None,
        }
    }

    /// Counts one RTP packet of `bytes` in all.
    pub(crate) fn packet(&mut self, bytes: usize, payload: usize, lost: u16, now: Instant) {
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
        self.counts.payload_bytes += payload as u64;
        self.counts.lost += u64::from(lost);
        self.last_packet = now;
    }

    /// Counts a packet that had been counted as lost.
    pub(crate) fn late(&mut self, bytes: usize, payload: usize, now: Instant) {
        self.packet(bytes, payload, 0, now);
        self.counts.lost = self.counts.lost.saturating_sub(1);
        self.counts.late += 1;
    }

    /// Counts a packet that came before.
    pub(crate) fn twice(&mut self) {
        self.counts.twice += 1;
    }

    /// Counts a packet that belongs to no stream of ours.
    pub(crate) fn stray(&mut self) {
        self.counts.stray += 1;
    }

    /// Counts a frame at its first packet. Jitter is taken here only: the packets of one frame share a
    /// timestamp, and how a camera paces them within the frame says nothing about the network.
    pub(crate) fn frame(&mut self, timestamp: u32, now: Instant) {
        self.counts.frames += 1;
        if let Some((arrived, stamped)) = self.last_frame {
            let sent = f64::from(timestamp.wrapping_sub(stamped).cast_signed()) / self.clock_rate;
            let took = now.saturating_duration_since(arrived).as_secs_f64();
            // A jump of the timestamp is no jitter.
            if sent.abs() < 60.0 {
                self.jitter += ((took - sent).abs() - self.jitter) / 16.0;
            }
        }
        self.last_frame = Some((now, timestamp));
    }

    pub(crate) fn keyframe(&mut self, now: Instant) {
        self.counts.keyframes += 1;
        self.last_keyframe = Some(now);
    }

    /// Takes a sender report: the camera's NTP time, its RTP time, and our time at arrival.
    pub(crate) fn sender_report(&mut self, ntp: u64, rtp: u32, arrived: Wall) {
        self.report = camera_time(ntp, arrived).map(|camera| SenderReport {
            camera,
            rtp,
            offset_ms: camera.millis_since(arrived),
        });
    }

    /// The camera's clock at an RTP timestamp.
    pub(crate) fn camera_clock(&self, timestamp: u32) -> Option<Wall> {
        let report = self.report?;
        let since = f64::from(timestamp.wrapping_sub(report.rtp).cast_signed()) / self.clock_rate * 1000.0;
        // Longer than any pause between reports: the stream's timestamps have jumped.
        (since.abs() < 120_000.0).then(|| Wall(report.camera.0.saturating_add(since.round() as i64)))
    }

    pub(crate) fn last_packet(&self) -> Instant {
        self.last_packet
    }

    pub(crate) fn last_keyframe(&self) -> Option<Instant> {
        self.last_keyframe
    }

    /// When the running window began.
    pub(crate) fn window_began(&self) -> Instant {
        self.began
    }

    /// Sums of the running window.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Ends the window.
    pub(crate) fn report(&mut self, codec: Codec, (width, height): (u32, u32), now: Instant) -> StreamFigures {
        let counts = std::mem::take(&mut self.counts);
        let window = now.saturating_duration_since(self.began);
        self.began = now;
        let seconds = window.as_secs_f64().max(0.001);
        StreamFigures {
            window,
            codec: Some(codec),
            width,
            height,
            packets: counts.packets,
            lost: counts.lost,
            bitrate: (counts.payload_bytes as f64 * 8.0 / seconds) as u64,
            fps: (counts.frames as f64 / seconds) as f32,
            keyframes: u32::try_from(counts.keyframes).unwrap_or(u32::MAX),
            keyframe_age: self.last_keyframe.map(|at| now.saturating_duration_since(at)),
            jitter_ms: (self.jitter * 1000.0) as f32,
            clock_offset_ms: self.report.map(|r| r.offset_ms),
        }
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
    use std::time::Duration;

    /// 2026-03-01 00:00:00 UTC.
    const NOW: Wall = Wall(1_772_323_200_000);

    fn ntp(unix_ms: i64) -> u64 {
        let seconds = (unix_ms.div_euclid(1000) + NTP_TO_UNIX) as u64 & 0xffff_ffff;
        (seconds << 32) | (((unix_ms.rem_euclid(1000) as u64) << 32) / 1000)
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
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_its_real_frame_rate() {
        let start = Instant::now();
        let mut meter = Meter::new(90_000, start);
        for i in 0..50_u32 {
            let now = start + Duration::from_millis(40) * i;
            meter.packet(1012, 1000, u16::from(i == 7), now);
            meter.packet(512, 500, 0, now);
            meter.frame((u32::MAX - 50_000).wrapping_add(i * 3600), now);
        }
        meter.keyframe(start);
        let figures = meter.report(Codec::H264, (640, 480), start + Duration::from_secs(2));
        assert_eq!((figures.packets, figures.lost, figures.keyframes), (100, 1, 1));
        assert_eq!(figures.bitrate, 50 * 1500 * 8 / 2);
        assert!((figures.fps - 25.0).abs() < 0.01, "{}", figures.fps);
        assert!(figures.jitter_ms < 0.01, "{}", figures.jitter_ms);
        assert_eq!(figures.keyframe_age, Some(Duration::from_secs(2)));
        assert_eq!(meter.report(Codec::H264, (640, 480), start + Duration::from_secs(3)).packets, 0);
    }

    #[test]
    fn the_clock_at_a_frame_is_carried_on_from_the_last_report() {
        let mut meter = Meter::new(90_000, Instant::now());
        assert_eq!(meter.camera_clock(1), None);
        meter.sender_report(ntp(NOW.0), 90_000, Wall(NOW.0 + 250));
        assert_eq!(meter.camera_clock(180_000), Some(Wall(NOW.0 + 1000)));
        assert_eq!(meter.camera_clock(45_000), Some(Wall(NOW.0 - 500)));
        assert_eq!(meter.camera_clock(2_000_000_000), None, "the timestamps have jumped");
        assert_eq!(meter.report(Codec::H264, (0, 0), Instant::now()).clock_offset_ms, Some(-250));
    }
}
