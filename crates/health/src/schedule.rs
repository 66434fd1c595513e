//! Every deadline of the fleet in one heap, on the monotonic clock.
//!
//! A deadline is moved by setting it again: the old entry stays in the heap and is recognised as stale because
//! the time kept beside its key differs. It never polls: what is not in the heap does not happen.

use crate::index::{CameraIx, GroupIx};
use fleet::Mono;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// What a camera can wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Timer {
    /// The next try to open its session.
    Retry,
    /// The session was asked for and must answer.
    Watch,
    /// A scheduled snapshot.
    Slot,
    /// The archive must have answered, or a held slot be decided.
    Answer,
    /// The next judged picture.
    Assess,
    /// The decoder must have answered; or, while it waits for its turn, its last picture says nothing of now.
    Verdict,
    /// A planned pause ends.
    PauseEnd,
    /// The flapping may be over.
    Flap,
}

const ALL_TIMERS: [Timer; 8] = [
    Timer::Retry,
    Timer::Watch,
    Timer::Slot,
    Timer::Answer,
    Timer::Assess,
    Timer::Verdict,
    Timer::PauseEnd,
    Timer::Flap,
];
const TIMERS: usize = ALL_TIMERS.len();
const NEVER: Mono = Mono(u64::MAX);

/// Whose deadline it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Key {
    /// The opener may start another session.
    Ramp,
    /// A camera's.
    Camera(CameraIx, Timer),
    /// Failures behind one uplink are to be told.
    Group(GroupIx),
    /// The members left in an incident whose link returned are to be looked at.
    Incident(u64),
    /// Doubt about ourselves ends.
    Doubt,
    /// Changed incidents are to be told.
    Flush,
    /// A planned window begins or ends.
    Windows,
    /// An acknowledgement runs out.
    Acknowledgements,
    /// Nothing is due, but that we run is to be seen.
    Pulse,
    /// Somebody waits for room behind an uplink.
    Turn(GroupIx),
}

impl Key {
    /// The place of its kind in their order.
    fn kind(self) -> usize {
        match self {
            Key::Ramp => 0,
            Key::Camera(..) => CAMERA,
            Key::Group(_) => GROUP,
            Key::Incident(_) => INCIDENT,
            Key::Doubt => 4,
            Key::Flush => 5,
            Key::Windows => 6,
            Key::Acknowledgements => 7,
            Key::Pulse => 8,
            Key::Turn(_) => TURN,
        }
    }
}

/// A key in eight bytes, in the same order: there are several in the heap for each camera. The first says of which kind
/// it is, the others whose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Packed(u64);

/// Enough for the number of any incident.
const WHOSE: u64 = (1 << 56) - 1;
/// The kinds of which there is one, by their order.
const KINDS: [Option<Key>; 10] = [
    Some(Key::Ramp),
    None,
    None,
    None,
    Some(Key::Doubt),
    Some(Key::Flush),
    Some(Key::Windows),
    Some(Key::Acknowledgements),
    Some(Key::Pulse),
    None,
];
const CAMERA: usize = 1;
const GROUP: usize = 2;
const INCIDENT: usize = 3;
const TURN: usize = 9;

impl From<Key> for Packed {
    fn from(key: Key) -> Packed {
        let whose = match key {
            Key::Camera(ix, timer) => u64::from(ix.0) << 8 | timer as u64,
            Key::Group(ix) | Key::Turn(ix) => u64::from(ix.0),
            Key::Incident(id) => id,
            _ => 0,
        };
        assert!(whose <= WHOSE, "no node ever sees so many incidents");
        Packed((key.kind() as u64) << 56 | whose)
    }
}

impl From<Packed> for Key {
    fn from(packed: Packed) -> Key {
        let (kind, whose) = ((packed.0 >> 56) as usize, packed.0 & WHOSE);
        match kind {
            CAMERA => Key::Camera(CameraIx((whose >> 8) as u32), ALL_TIMERS[(whose & 0xFF) as usize]),
            GROUP => Key::Group(GroupIx(whose as u32)),
            INCIDENT => Key::Incident(whose),
            TURN => Key::Turn(GroupIx(whose as u32)),
            single => KINDS[single].expect("made of a key"),
        }
    }
}

/// The heap and, per key, the time that counts.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Reverse<(Mono, Packed)>>,
    cameras: Vec<[Mono; TIMERS]>,
    groups: Vec<Mono>,
    incidents: BTreeMap<u64, Mono>,
    turns: BTreeMap<GroupIx, Mono>,
    single: [Option<Mono>; KINDS.len()],
    live: usize,
}

impl Schedule {
    /// Makes room for so many cameras, and no more.
    pub(crate) fn expect(&mut self, cameras: usize) {
        self.cameras.reserve_exact(cameras.saturating_sub(self.cameras.len()));
    }

    /// Entries at most, stale ones included, for so many deadlines.
    fn most(live: usize) -> usize {
        64 + live + live / 2
    }

    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, key: Key, at: Mono) {
        let former = self.replace(key, Some(at));
        if former == Some(at) {
            return;
        }
        self.live += usize::from(former.is_none());
        self.heap.push(Reverse((at, key.into())));
        if self.heap.len() > Self::most(self.live) {
            self.rebuild();
        }
        self.prune();
    }

    /// Forgets a deadline.
    pub(crate) fn clear(&mut self, key: Key) {
        if self.replace(key, None).is_some() {
            self.live -= 1;
            self.prune();
        }
    }

    /// When it is due, if it is set.
    pub(crate) fn due(&self, key: Key) -> Option<Mono> {
        match key {
            Key::Camera(ix, timer) => self.cameras.get(ix.at()).map(|t| t[timer as usize]).filter(|&at| at != NEVER),
            Key::Group(ix) => self.groups.get(ix.at()).copied().filter(|&at| at != NEVER),
            Key::Incident(id) => self.incidents.get(&id).copied(),
            Key::Turn(ix) => self.turns.get(&ix).copied(),
            single => self.single[single.kind()],
        }
    }

    /// Forgets every deadline of a camera.
    pub(crate) fn clear_camera(&mut self, ix: CameraIx) {
        for timer in ALL_TIMERS {
            self.clear(Key::Camera(ix, timer));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the earliest deadline that is not after `now`.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<(Key, Mono)> {
        let Reverse((at, key)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        let key = Key::from(key);
        debug_assert_eq!(self.due(key), Some(at), "the top of the heap is never stale");
        self.clear(key);
        Some((key, at))
    }

    fn replace(&mut self, key: Key, at: Option<Mono>) -> Option<Mono> {
        let former = self.due(key);
        let value = at.unwrap_or(NEVER);
        match key {
            Key::Camera(ix, timer) => {
                if self.cameras.len() <= ix.at() {
                    self.cameras.resize(ix.at() + 1, [NEVER; TIMERS]);
                }
                self.cameras[ix.at()][timer as usize] = value;
            }
            Key::Group(ix) => {
                if self.groups.len() <= ix.at() {
                    self.groups.resize(ix.at() + 1, NEVER);
                }
                self.groups[ix.at()] = value;
            }
            Key::Incident(id) => {
                match at {
                    Some(at) => self.incidents.insert(id, at),
                    None => self.incidents.remove(&id),
                };
            }
            Key::Turn(ix) => {
                match at {
                    Some(at) => self.turns.insert(ix, at),
                    None => self.turns.remove(&ix),
                };
            }
            single => self.single[single.kind()] = at,
        }
        former
    }

    /// Drops stale entries from the top, so that [`next`](Self::next) tells the truth.
    fn prune(&mut self) {
        while let Some(&Reverse((at, key))) = self.heap.peek() {
            if self.due(key.into()) == Some(at) {
                break;
            }
            self.heap.pop();
        }
    }

    /// Keeps stale entries from piling up: each rebuild costs as much as the sets since the last one.
    fn rebuild(&mut self) {
        let entries = std::mem::take(&mut self.heap).into_vec();
        let mut fresh: Vec<_> =
            entries.into_iter().filter(|Reverse((at, key))| self.due(Key::from(*key)) == Some(*at)).collect();
        fresh.sort_unstable();
        fresh.dedup();
        // It never grows beyond this before it is rebuilt again.
        fresh.shrink_to(Self::most(fresh.len()) + 1);
        self.heap = BinaryHeap::from(fresh);
    }
}

/// The phase of member `index` within `period`, by the golden ratio: however many members there are, any
/// stretch of the period holds nearly its share of them.
pub(crate) fn phase(index: u32, shift: u64, period: std::time::Duration) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let fraction = u64::from(index).wrapping_mul(GOLDEN).wrapping_add(shift);
    let period = u128::from(u64::try_from(period.as_nanos()).unwrap_or(u64::MAX));
    u64::try_from((u128::from(fraction) * period) >> 64).expect("a fraction of a u64 fits a u64")
}

/// The first instant after `now` with this phase.
pub(crate) fn next_in_phase(now: Mono, phase: u64, period: std::time::Duration) -> Mono {
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    let into = now.0 % period;
    let wait = if phase > into { phase - into } else { period - into + phase };
    Mono(now.0.saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moved_deadline_fires_once_at_its_new_time() {
        let mut s = Schedule::default();
        let key = Key::Camera(CameraIx(3), Timer::Retry);
        s.set(key, Mono(10));
        s.set(key, Mono(5));
        s.set(key, Mono(20));
        assert_eq!(s.next(), Some(Mono(20)));
        assert_eq!(s.pop(Mono(19)), None);
        assert_eq!(s.pop(Mono(20)), Some((key, Mono(20))));
        assert_eq!(s.pop(Mono(99)), None);
    }

    #[test]
    fn a_packed_key_is_the_same_key() {
        let cameras = ALL_TIMERS.into_iter().map(|timer| Key::Camera(CameraIx(u32::MAX), timer));
        let others = [Key::Group(GroupIx(u32::MAX)), Key::Group(GroupIx(0)), Key::Incident(0), Key::Incident(WHOSE)];
        let mut keys: Vec<Key> = KINDS.into_iter().flatten().chain(cameras).chain(others).collect();
        for key in &keys {
            assert_eq!(Key::from(Packed::from(*key)), *key);
        }
        keys.sort_unstable();
        assert!(keys.is_sorted_by_key(|key| Packed::from(*key)), "in the same order");
        assert_eq!(size_of::<(Mono, Packed)>(), 16);
    }

    #[test]
    fn stale_entries_do_not_pile_up() {
        let mut s = Schedule::default();
        for i in 0..10_000 {
            s.set(Key::Camera(CameraIx(0), Timer::Assess), Mono(1_000_000 - i));
            s.set(Key::Group(GroupIx(1)), Mono(2_000_000 + i));
        }
        assert!(s.heap.len() < 200, "{} entries for two deadlines", s.heap.len());
    }

    #[test]
    fn the_busiest_second_holds_at_most_one_and_a_half_times_the_mean() {
        for cameras in [800u32, 3_000, 20_000] {
            let period = Duration::from_secs(300);
            let mut seconds = vec![0u32; 300];
            for i in 0..cameras {
                seconds[(phase(i, 0, period) / 1_000_000_000) as usize] += 1;
            }
            let busiest = f64::from(*seconds.iter().max().unwrap());
            let mean = f64::from(cameras) / 300.0;
            assert!(busiest <= 1.5 * mean, "{cameras} cameras: busiest {busiest}, mean {mean}");
        }
    }

    #[test]
    fn the_next_instant_in_phase_is_after_now_and_within_one_period() {
        let period = Duration::from_nanos(100);
        for now in 0..250 {
            let next = next_in_phase(Mono(now), 30, period).0;
            assert!(next > now && next <= now + 100 && next % 100 == 30);
        }
    }
}
