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
}

/// What fills, and how.
pub(crate) struct Filling {
    /// Bytes that come each day.
    pub(crate) daily: f64,
    /// Age in days at which it is dropped.
    pub(crate) days: Option<u32>,
    /// Most bytes, as far as the legal minimum allows.
    pub(crate) most: Option<u64>,
    /// What is there: age in days, and bytes.
    pub(crate) there: Vec<(f64, u64)>,
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
            None => self.there.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() + self.daily * ahead,
            Some(days) => {
                let left = self.there.iter().filter(|(age, _)| age + ahead <= days);
                left.map(|(_, bytes)| *bytes as f64).sum::<f64>() + self.daily * ahead.min(days)
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling(days: Option<u32>, most: Option<u64>) -> Filling {
        // Ten days at 100 bytes.
        Filling { daily: 100.0, days, most, there: (0..10).map(|age| (f64::from(age), 100)).collect() }
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
}
