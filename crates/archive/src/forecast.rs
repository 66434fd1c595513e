//! How long the room lasts, if everything goes on as in the last days. Pure: figures in, figures out.

use serde::Serialize;

/// As far as anybody looks ahead.
const DAYS: u32 = 3650;

/// What is expected, in whole days from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Forecast {
    /// Days until pictures older than the legal minimum must go to make room, sooner than their time; `None`: not
    /// within ten years.
    pub pressed_in_days: Option<u32>,
    /// Days until new snapshots are refused because not even the legal minimum has room; `None`: not within ten years.
    pub refused_in_days: Option<u32>,
    /// Bytes that the archive takes in the end, if room allows; `None` while something is kept without an end.
    pub settled_bytes: Option<u64>,
    /// The object store is away: until it is back everything stays on this disk, and the days above say how long that goes.
    pub store_away: bool,
}

/// What fills, and how.
pub(crate) struct Filling {
    /// Bytes that come each day.
    pub(crate) daily: f64,
    /// Age in days at which it is dropped.
    pub(crate) days: Option<u32>,
    /// Most bytes, as far as the legal minimum allows.
    pub(crate) most: Option<u64>,
    /// What is there.
    pub(crate) there: Vec<There>,
}

/// Bytes of one age.
#[derive(Clone, Copy)]
pub(crate) struct There {
    /// In days.
    pub(crate) age: f64,
    pub(crate) bytes: u64,
    /// So many days from now a hold keeps it, whatever its age.
    pub(crate) held: f64,
}

/// Room in bytes for the whole archive.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// From where on old pictures make room.
    pub(crate) pressed: Option<u64>,
    /// From where on nothing more is taken.
    pub(crate) refused: Option<u64>,
}

impl Filling {
    /// Bytes in so many days, if all is dropped at some age.
    fn kept(&self, ahead: u32, days: Option<u32>) -> f64 {
        let ahead = f64::from(ahead);
        match days.map(f64::from) {
            None => self.there.iter().map(|there| there.bytes as f64).sum::<f64>() + self.daily * ahead,
            Some(days) => {
                let left = self.there.iter().filter(|there| there.age + ahead <= days || ahead < there.held);
                left.map(|there| there.bytes as f64).sum::<f64>() + self.daily * ahead.min(days)
            }
        }
    }

    fn wanted(&self, ahead: u32, keep_days: u32) -> f64 {
        let kept = self.kept(ahead, self.days);
        match self.most {
            Some(most) => kept.min((most as f64).max(self.kept(ahead, Some(keep_days)))),
            None => kept,
        }
    }
}

pub(crate) fn forecast(fillings: &[Filling], room: Room, keep_days: u32) -> Forecast {
    let all = |bytes: &dyn Fn(&Filling) -> f64| fillings.iter().map(bytes).sum::<f64>();
    let first = |room: Option<u64>, bytes: &dyn Fn(&Filling, u32) -> f64| {
        let room = room? as f64;
        (0..=DAYS).find(|ahead| all(&|f| bytes(f, *ahead)) > room)
    };
    let ends = fillings.iter().all(|f| f.days.is_some() || f.most.is_some() || f.daily <= 0.0);
    Forecast {
        pressed_in_days: first(room.pressed, &|f, ahead| f.wanted(ahead, keep_days)),
        refused_in_days: first(room.refused, &|f, ahead| f.kept(ahead, Some(keep_days))),
        settled_bytes: ends.then(|| all(&|f| f.wanted(DAYS, keep_days)) as u64),
        store_away: false,
    }
}

/// The local disk of an archive whose pictures go into an object store.
pub(crate) struct Spool {
    /// Bytes that come each day, pictures and all.
    pub(crate) daily: f64,
    /// What stays here of what has gone, and the index.
    pub(crate) frames: Filling,
    /// Bytes that the store does not have yet.
    pub(crate) waiting: u64,
    /// The most of those that the settings allow.
    pub(crate) most: Option<u64>,
    /// What the disk can still take, and what can be let go for it because the store has it.
    pub(crate) left: u64,
    /// The store takes nothing now.
    pub(crate) away: bool,
}

impl Spool {
    /// Days until this disk takes nothing any more.
    pub(crate) fn refused_in_days(&self) -> Option<u32> {
        let waits = |ahead: u32| if self.away { self.daily * f64::from(ahead) } else { 0.0 };
        let now = self.frames.kept(0, self.frames.days);
        (0..=DAYS).find(|&ahead| {
            let more = waits(ahead) + (self.frames.kept(ahead, self.frames.days) - now).max(0.0);
            more > self.left as f64 || self.most.is_some_and(|most| self.waiting as f64 + waits(ahead) > most as f64)
        })
    }
}

/// The sooner of two.
pub(crate) fn sooner(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling(days: Option<u32>, most: Option<u64>) -> Filling {
        // Ten days at 100 bytes.
        Filling {
            daily: 100.0,
            days,
            most,
            there: (0..10).map(|age| There { age: f64::from(age), bytes: 100, held: 0.0 }).collect(),
        }
    }

    fn room(bytes: u64) -> Room {
        Room { pressed: Some(bytes), refused: Some(bytes) }
    }

    #[test]
    fn without_an_end_the_room_lasts_until_it_is_full() {
        let told = forecast(&[filling(None, None)], room(5_000), 30);
        assert_eq!(told.pressed_in_days, Some(41));
        assert_eq!(told.refused_in_days, None, "3,000 bytes hold the legal minimum");
        assert_eq!(told.settled_bytes, None);
    }

    #[test]
    fn what_is_dropped_in_time_never_fills_a_disk_that_is_large_enough() {
        let told = forecast(&[filling(Some(40), None)], room(5_000), 30);
        assert_eq!((told.pressed_in_days, told.refused_in_days, told.settled_bytes), (None, None, Some(4_000)));
        let told = forecast(&[filling(Some(40), None), filling(Some(40), None)], room(5_000), 30);
        assert_eq!(told.pressed_in_days, Some(16));
        assert_eq!(told.refused_in_days, Some(16), "not even 30 days of both fit into 5,000 bytes");
    }

    #[test]
    fn a_limit_in_bytes_gives_way_to_the_legal_minimum() {
        let told = forecast(&[filling(None, Some(500))], room(10_000), 30);
        assert_eq!(told.settled_bytes, Some(3_000));
        let told = forecast(&[filling(None, Some(4_500))], room(10_000), 30);
        assert_eq!((told.settled_bytes, told.pressed_in_days), (Some(4_500), None));
    }

    #[test]
    fn a_disk_of_which_nothing_is_known_is_never_full() {
        let none = Room { pressed: None, refused: None };
        assert_eq!(forecast(&[filling(None, None)], none, 30).pressed_in_days, None);
        assert_eq!(forecast(&[], room(1), 30).settled_bytes, Some(0));
    }

    #[test]
    fn what_a_hold_keeps_stays_until_the_hold_ends() {
        let held = |days: f64| {
            let mut filling = filling(Some(40), None);
            filling.there.iter_mut().for_each(|there| there.held = days);
            filling
        };
        // Ten days are kept beside the forty that come: 5,000 bytes instead of 4,000.
        assert_eq!(forecast(&[held(f64::INFINITY)], room(4_500), 30).pressed_in_days, Some(36));
        assert_eq!(forecast(&[held(f64::INFINITY)], room(4_500), 40).refused_in_days, Some(36));
        assert_eq!(forecast(&[held(f64::INFINITY)], room(4_500), 30).settled_bytes, Some(5_000));
        // One that ends in time changes nothing.
        let told = forecast(&[held(30.0)], room(4_500), 30);
        assert_eq!((told.pressed_in_days, told.settled_bytes), (None, Some(4_000)));
    }

    #[test]
    fn a_disk_before_an_object_store_fills_while_that_is_away_and_with_what_stays_here() {
        let frames = |daily| Filling { daily, days: Some(100), most: None, there: Vec::new() };
        let spool =
            |away, most, daily| Spool { daily: 100.0, frames: frames(daily), waiting: 50, most, left: 1_000, away };
        assert_eq!(spool(false, None, 0.0).refused_in_days(), None);
        assert_eq!(spool(true, None, 0.0).refused_in_days(), Some(11));
        assert_eq!(spool(true, Some(550), 0.0).refused_in_days(), Some(6));
        assert_eq!(spool(false, Some(550), 0.0).refused_in_days(), None);
        assert_eq!(spool(false, None, 5.0).refused_in_days(), None, "100 days of frames have room");
        assert_eq!(spool(false, None, 20.0).refused_in_days(), Some(51));
        assert_eq!(spool(true, None, 20.0).refused_in_days(), Some(9));
    }
}
