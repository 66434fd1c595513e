//! What all sessions together have done since start.

use crate::meter::Counts;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts over all sessions since start. Packets are added when a session reports its figures and when it ends,
/// so they lag by up to `figures_every`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Sessions with video flowing now.
    pub sessions: u64,
    /// Sessions being opened now.
    pub opening: u64,
    /// Sessions that reached their first RTP packet of video.
    pub opened: u64,
    /// Sessions that failed or ended by themselves.
    pub ended: u64,
    /// RTP packets of video.
    pub packets: u64,
    /// Bytes of RTP packets of video, RTP headers included.
    pub bytes: u64,
    /// Packets missing by sequence number.
    pub lost: u64,
    /// Frames by distinct RTP timestamps.
    pub frames: u64,
    /// Keyframes seen.
    pub keyframes: u64,
    /// Keyframes assembled for somebody.
    pub assembled: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    sessions: AtomicU64,
    opening: AtomicU64,
    opened: AtomicU64,
    ended: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    frames: AtomicU64,
    keyframes: AtomicU64,
    assembled: AtomicU64,
}

/// Counts one while it lives.
pub(crate) struct Gauge<'a>(&'a AtomicU64);

impl<'a> Gauge<'a> {
    fn new(count: &'a AtomicU64) -> Gauge<'a> {
        count.fetch_add(1, Relaxed);
        Gauge(count)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    pub(crate) fn opening(&self) -> Gauge<'_> {
        Gauge::new(&self.opening)
    }

    pub(crate) fn opened(&self) -> Gauge<'_> {
        self.opened.fetch_add(1, Relaxed);
        Gauge::new(&self.sessions)
    }

    pub(crate) fn ended(&self) {
        self.ended.fetch_add(1, Relaxed);
    }

    pub(crate) fn assembled(&self) {
        self.assembled.fetch_add(1, Relaxed);
    }

    pub(crate) fn add(&self, counts: Counts) {
        self.packets.fetch_add(counts.packets, Relaxed);
        self.bytes.fetch_add(counts.bytes, Relaxed);
        self.lost.fetch_add(counts.lost, Relaxed);
        self.frames.fetch_add(counts.frames, Relaxed);
        self.keyframes.fetch_add(counts.keyframes, Relaxed);
    }

    pub(crate) fn read(&self) -> Totals {
        Totals {
            sessions: self.sessions.load(Relaxed),
            opening: self.opening.load(Relaxed),
            opened: self.opened.load(Relaxed),
            ended: self.ended.load(Relaxed),
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            lost: self.lost.load(Relaxed),
            frames: self.frames.load(Relaxed),
            keyframes: self.keyframes.load(Relaxed),
            assembled: self.assembled.load(Relaxed),
        }
    }
}
