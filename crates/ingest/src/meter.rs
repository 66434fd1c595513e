//! What a running session counts: packets, loss, bytes, frames, keyframes, jitter, the camera's clock.
//!
//! A few additions per packet, no allocation, no clock reading of its own.

use crate::clock::Clock;
use fleet::{CameraClock, Codec, Now};
use health::{Profile, StreamFigures};
use std::time::{Duration, Instant};

/// Counts of one session since the last report, and what spans reports.
#[derive(Debug)]
pub(crate) struct Meter {
    clock_rate: f64,
    began: Instant,
    counts: Counts,
    last_packet: Instant,
    longest_gap: Duration,
    last_keyframe: Option<Instant>,
    keyframe_interval: Option<Duration>,
    first_keyframe: Option<Duration>,
    /// When PLAY was answered.
    played: Instant,
    /// Arrival and RTP timestamp of the last frame's first packet.
    last_frame: Option<(Instant, u32)>,
    /// A window has been reported.
    reported: bool,
    /// RFC 3550 §6.4.1, in seconds.
    jitter: f64,
    clock: Clock,
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

/// What a stream is made of, as far as its parameter sets tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) codec: Codec,
    pub(crate) profile: Option<Profile>,
    pub(crate) dimensions: (u32, u32),
}

impl Meter {
    pub(crate) fn new(clock_rate: u32, now: Instant) -> Meter {
        Meter {
            clock_rate: f64::from(clock_rate.max(1)),
            began: now,
            counts: Counts::default(),
            last_packet: now,
            longest_gap: Duration::ZERO,
            last_keyframe: None,
            keyframe_interval: None,
            first_keyframe: None,
            played: now,
            last_frame: None,
            reported: false,
            jitter: 0.0,
            clock: Clock::default(),
        }
    }

    /// Counts one RTP packet of `bytes` in all.
    pub(crate) fn packet(&mut self, bytes: usize, payload: usize, lost: u16, now: Instant) {
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
        self.counts.payload_bytes += payload as u64;
        self.counts.lost += u64::from(lost);
        // What one wake-up brings came at one time.
        if now > self.last_packet {
            if self.counts.packets > 1 || self.reported {
                self.longest_gap = self.longest_gap.max(now - self.last_packet);
            }
            self.last_packet = now;
        }
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
        self.keyframe_interval = self.last_keyframe.map(|last| now.saturating_duration_since(last));
        self.first_keyframe = self.first_keyframe.or_else(|| Some(now.saturating_duration_since(self.played)));
        self.last_keyframe = Some(now);
    }

    /// Takes a sender report: the camera's NTP time and its RTP time.
    pub(crate) fn sender_report(&mut self, ntp: u64, rtp: u32, arrived: Now) {
        self.clock.report(ntp, rtp, self.clock_rate, arrived);
    }

    /// The camera's clock at an RTP timestamp, if an answer of the camera took `round_trip` at least.
    pub(crate) fn camera_clock(&self, timestamp: u32, round_trip: Duration) -> Option<CameraClock> {
        self.clock.at(timestamp, self.clock_rate, round_trip)
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
    pub(crate) fn report(&mut self, made: Made, round_trip: Duration, now: Instant) -> StreamFigures {
        let counts = std::mem::take(&mut self.counts);
        self.reported = true;
        let window = now.saturating_duration_since(self.began);
        self.began = now;
        let seconds = window.as_secs_f64().max(0.001);
        StreamFigures {
            window,
            codec: Some(made.codec),
            profile: made.profile,
            width: made.dimensions.0,
            height: made.dimensions.1,
            packets: counts.packets,
            lost: counts.lost,
            reordered: counts.late,
            duplicates: counts.twice,
            longest_gap: std::mem::take(&mut self.longest_gap),
            bitrate: (counts.payload_bytes as f64 * 8.0 / seconds) as u64,
            fps: (counts.frames as f64 / seconds) as f32,
            keyframes: u32::try_from(counts.keyframes).unwrap_or(u32::MAX),
            keyframe_age: self.last_keyframe.map(|at| now.saturating_duration_since(at)),
            keyframe_interval: self.keyframe_interval,
            first_keyframe: self.first_keyframe,
            jitter_ms: (self.jitter * 1000.0) as f32,
            clock_offset_ms: self.clock.offset_ms(),
            clock_uncertainty_ms: self.clock.uncertainty_ms(round_trip),
            clock_drift: self.clock.drift(),
            clock_absurd: self.clock.is_absurd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Made = Made { codec: Codec::H264, profile: None, dimensions: (640, 480) };

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
        let figures = meter.report(MADE, Duration::ZERO, start + Duration::from_secs(2));
        assert_eq!((figures.packets, figures.lost, figures.keyframes), (100, 1, 1));
        assert_eq!(figures.bitrate, 50 * 1500 * 8 / 2);
        assert!((figures.fps - 25.0).abs() < 0.01, "{}", figures.fps);
        assert!(figures.jitter_ms < 0.01, "{}", figures.jitter_ms);
        assert_eq!(figures.keyframe_age, Some(Duration::from_secs(2)));
        assert_eq!(meter.report(MADE, Duration::ZERO, start + Duration::from_secs(3)).packets, 0);
    }
}
