//! Who may not be decoded for a while: cameras whose pictures kill workers, and pictures that did so before.
//! Pure bookkeeping; time is handed in.

use fleet::CameraId;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// Kills older than this are forgiven.
const MEMORY: Duration = Duration::from_secs(3600);
/// A picture that killed this many workers is not tried again: one might have been chance.
const PICTURE_KILLS: u32 = 2;
/// Most entries of each kind; the oldest are forgotten.
const MOST: usize = 4096;

pub(super) struct Parking {
    camera_kills: u32,
    parking: Duration,
    cameras: HashMap<CameraId, Record>,
    /// By a keyed hash of the bytes.
    pictures: HashMap<u64, Record>,
    hasher: RandomState,
}

struct Record {
    kills: u32,
    last: Instant,
    until: Option<Instant>,
}

impl Parking {
    pub(super) fn new(camera_kills: u32, parking: Duration) -> Parking {
        Parking { camera_kills, parking, cameras: HashMap::new(), pictures: HashMap::new(), hasher: RandomState::new() }
    }

    /// How long this camera or picture stays parked, if it is.
    pub(super) fn refuses(&self, camera: CameraId, data: &[u8], now: Instant) -> Option<Duration> {
        let left = |record: &Record| record.until.and_then(|until| until.checked_duration_since(now));
        let by_camera = self.cameras.get(&camera).and_then(left);
        if by_camera.is_some() || self.pictures.is_empty() {
            return by_camera;
        }
        self.pictures.get(&self.hasher.hash_one(data)).and_then(left)
    }

    /// This picture killed a worker.
    pub(super) fn killed(&mut self, camera: CameraId, data: &[u8], now: Instant) {
        note(&mut self.cameras, camera, self.camera_kills, self.parking, now);
        note(&mut self.pictures, self.hasher.hash_one(data), PICTURE_KILLS, self.parking, now);
    }

    /// Cameras parked at `now`.
    pub(super) fn parked(&self, now: Instant) -> usize {
        self.cameras.values().filter(|r| r.until.is_some_and(|until| until > now)).count()
    }
}

fn note<K: std::hash::Hash + Eq + Copy>(
    records: &mut HashMap<K, Record>,
    key: K,
    most_kills: u32,
    parking: Duration,
    now: Instant,
) {
    records.retain(|_, r| r.until.is_some_and(|until| until > now) || now.duration_since(r.last) < MEMORY);
    if records.len() >= MOST
        && !records.contains_key(&key)
        && let Some(oldest) = records.iter().min_by_key(|(_, r)| r.last).map(|(key, _)| *key)
    {
        records.remove(&oldest);
    }
    let record = records.entry(key).or_insert(Record { kills: 0, last: now, until: None });
    record.kills += 1;
    record.last = now;
    if record.kills >= most_kills {
        // After its time it gets one more try, and is parked again at once if that kills too.
        record.until = Some(now + parking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: CameraId = CameraId(7);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_camera_is_parked_after_repeated_kills_and_comes_back() {
        let begin = Instant::now();
        let mut parking = Parking::new(3, 15 * MINUTE);
        for kill in 0u32..3 {
            assert_eq!(parking.refuses(CAMERA, b"new", begin), None, "after {kill} kills");
            parking.killed(CAMERA, &kill.to_le_bytes(), begin);
        }
        assert_eq!(parking.refuses(CAMERA, b"new", begin + MINUTE), Some(14 * MINUTE));
        assert_eq!(parking.refuses(CameraId(8), b"new", begin), None);
        assert_eq!(parking.parked(begin), 1);
        assert_eq!(parking.refuses(CAMERA, b"new", begin + 16 * MINUTE), None);
        parking.killed(CAMERA, b"again", begin + 16 * MINUTE);
        assert!(parking.refuses(CAMERA, b"new", begin + 17 * MINUTE).is_some(), "one more kill is enough");
    }

    #[test]
    fn old_kills_are_forgiven() {
        let begin = Instant::now();
        let mut parking = Parking::new(2, MINUTE);
        parking.killed(CAMERA, b"a", begin);
        parking.killed(CAMERA, b"b", begin + 2 * MEMORY);
        assert_eq!(parking.refuses(CAMERA, b"c", begin + 2 * MEMORY), None);
    }

    #[test]
    fn a_picture_is_parked_whoever_sends_it() {
        let begin = Instant::now();
        let mut parking = Parking::new(9, MINUTE);
        parking.killed(CAMERA, b"evil", begin);
        assert_eq!(parking.refuses(CameraId(98), b"evil", begin), None);
        parking.killed(CameraId(98), b"evil", begin);
        assert_eq!(parking.refuses(CameraId(99), b"evil", begin), Some(MINUTE));
        assert_eq!(parking.refuses(CameraId(99), b"good", begin), None);
    }

    #[test]
    fn memory_is_bounded() {
        let begin = Instant::now();
        let mut parking = Parking::new(3, MINUTE);
        for index in 0..2 * MOST as u32 {
            parking.killed(CameraId(index), &index.to_le_bytes(), begin);
        }
        assert!(parking.cameras.len() <= MOST && parking.pictures.len() <= MOST);
    }
}
