//! How long what is kept, and in which segments it therefore lies.
//!
//! Only whole segments are dropped, so what is kept differently must not share one. What is kept alike does share: each
//! further segment that is being written costs a flush of its own.

use crate::{ConfigFault, record::class_number};
use fleet::CameraId;
use health::SnapshotClass;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

const CLASSES: [SnapshotClass; 3] = [SnapshotClass::Routine, SnapshotClass::StatusChange, SnapshotClass::Incident];
/// Every class, as a segment's opening says it.
const ALL: u8 = 0b111;

/// How much of something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Limit {
    /// Dropped at this age in days, though there is room; `None` for as long as there is.
    pub days: Option<u32>,
    /// Above so many bytes the oldest is dropped, as far as it is older than the legal minimum.
    pub bytes: Option<u64>,
}

/// A limit for each class of snapshots. Gaps are kept as routine snapshots are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Of those taken on schedule.
    pub routine: Limit,
    /// Of those taken because a camera's status changed.
    pub status_change: Limit,
    /// Of those taken because of an incident.
    pub incident: Limit,
}

/// A rule of its own for some places.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlaceRule {
    /// Names of the towns and sites that it is for, to be told to people.
    pub covers: Vec<String>,
    /// What it says; a class without a limit here is kept as everywhere.
    pub limits: Limits,
}

/// What is kept how long. The default keeps everything as long as there is room.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// By class, everywhere.
    pub classes: Limits,
    /// Of holds: the longest time one may be placed for, and the most bytes that all in force may keep together.
    pub held: Limit,
    /// Rules of their own for some places, by name.
    pub places: BTreeMap<String, PlaceRule>,
}

/// Which camera belongs to which of [`Retention::places`], asked for each record.
#[derive(Clone, Default)]
pub struct Places(Option<Arc<PlaceOf>>);

type PlaceOf = dyn Fn(CameraId) -> Option<String> + Send + Sync;

impl Places {
    /// Asks a function, which must be quick.
    pub fn new(of: impl Fn(CameraId) -> Option<String> + Send + Sync + 'static) -> Places {
        Places(Some(Arc::new(of)))
    }

    pub(crate) fn of(&self, camera: CameraId) -> Option<String> {
        self.0.as_ref().and_then(|of| of(camera))
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Places(of a register)" } else { "Places(none)" })
    }
}

impl Limit {
    fn is_set(self) -> bool {
        self != Limit::default()
    }
}

impl Limits {
    /// The limit of a class.
    #[must_use]
    pub fn of(&self, class: SnapshotClass) -> Limit {
        match class {
            SnapshotClass::Routine => self.routine,
            SnapshotClass::StatusChange => self.status_change,
            SnapshotClass::Incident => self.incident,
        }
    }

    /// The same for every class.
    #[must_use]
    pub fn all(limit: Limit) -> Limits {
        Limits { routine: limit, status_change: limit, incident: limit }
    }
}

/// What shares segments: records of some classes, of one place or of everywhere else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Shelf {
    classes: u8,
    place: String,
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf { classes: ALL, place: String::new() }
    }
}

impl Shelf {
    /// Longest name of a place in bytes: it stands in the opening of each segment.
    pub(crate) const PLACE_MAX: usize = 24;

    /// As stored. Segments of before there were shelves say 0 and hold anything.
    pub(crate) fn stored(classes: u8, place: &str) -> Option<Shelf> {
        let classes = if classes == 0 { ALL } else { classes };
        (classes <= ALL && place.len() <= Shelf::PLACE_MAX).then(|| Shelf { classes, place: place.to_owned() })
    }

    pub(crate) fn mask(&self) -> u8 {
        self.classes
    }

    /// Empty for everywhere.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn classes(&self) -> Vec<SnapshotClass> {
        CLASSES.into_iter().filter(|class| self.classes & bit(*class) != 0).collect()
    }

    /// Whether it only fills now and then.
    pub(crate) fn is_rare(&self) -> bool {
        self.classes & bit(SnapshotClass::Routine) == 0
    }
}

fn bit(class: SnapshotClass) -> u8 {
    1 << (class_number(class) - 1)
}

impl Retention {
    /// Everything is dropped at this age in days.
    #[must_use]
    pub fn days(days: u32) -> Retention {
        Retention { classes: Limits::all(Limit { days: Some(days), bytes: None }), ..Retention::default() }
    }

    /// The shelf of a record; gaps have no class.
    pub(crate) fn shelf(&self, class: Option<SnapshotClass>, place: Option<&str>) -> Shelf {
        let class = class.unwrap_or(SnapshotClass::Routine);
        let ruled = place.and_then(|name| Some((name, self.places.get(name)?)));
        let (limits, place) = match ruled.filter(|(_, rule)| rule.limits.of(class).is_set()) {
            Some((name, rule)) => (&rule.limits, name),
            None => (&self.classes, ""),
        };
        let limit = limits.of(class);
        // Bytes are counted by class, so such a class is alone.
        let alike = |other: &SnapshotClass| limit.bytes.is_none() && limits.of(*other) == limit;
        let classes = CLASSES.iter().filter(|other| **other == class || alike(other)).fold(0, |m, c| m | bit(*c));
        Shelf { classes, place: place.to_owned() }
    }

    /// Every shelf that records may go to.
    pub(crate) fn shelves(&self) -> BTreeSet<Shelf> {
        let places = self.places.keys().map(|name| Some(name.as_str())).chain([None]);
        places.flat_map(|place| CLASSES.map(|class| self.shelf(Some(class), place))).collect()
    }

    /// What holds for a shelf. One from before the settings were changed is kept as the longest-kept of its classes.
    pub(crate) fn limit(&self, shelf: &Shelf) -> Limit {
        let ruled = self.places.get(&shelf.place);
        let of = |class| {
            let own = ruled.map(|rule| rule.limits.of(class)).filter(|limit| limit.is_set());
            own.unwrap_or_else(|| self.classes.of(class))
        };
        let limits: Vec<Limit> = shelf.classes().into_iter().map(of).collect();
        match limits[..] {
            [one] => one,
            _ => {
                let days = limits.iter().map(|l| l.days).collect::<Option<Vec<u32>>>();
                Limit { days: days.and_then(|days| days.into_iter().max()), bytes: None }
            }
        }
    }

    /// Days that a shelf is meant to be kept, at least: when room runs out, what has outlived the largest share of this
    /// goes first.
    pub(crate) fn term(&self, shelf: &Shelf, keep_days: u32) -> u32 {
        let alone = shelf.classes().into_iter().map(|class| {
            let one = Shelf { classes: bit(class), place: shelf.place.clone() };
            self.limit(&one).days.unwrap_or(keep_days)
        });
        alone.max().unwrap_or(keep_days).max(keep_days).max(1)
    }

    pub(crate) fn validate(&self, keep_days: u32) -> Result<(), ConfigFault> {
        let fault = |key, expected| Err(ConfigFault { key, expected });
        let short = |limits: &Limits| CLASSES.iter().any(|c| limits.of(*c).days.is_some_and(|days| days < keep_days));
        if short(&self.classes) || self.places.values().any(|rule| short(&rule.limits)) {
            return fault("retention days", "at least keep_days, the legal minimum");
        }
        if self.places.len() > Retention::PLACES_MAX {
            return fault("retention places", "at most 8");
        }
        let good = |name: &String| (1..=Shelf::PLACE_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
        if !self.places.keys().all(good) {
            return fault("retention place", "a name of 1 to 24 bytes (8 Chinese characters)");
        }
        Ok(())
    }

    /// Most rules for places: each may mean three more segments that are being written.
    pub const PLACES_MAX: usize = 8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use SnapshotClass::{Incident, Routine, StatusChange};

    fn days(days: u32) -> Limit {
        Limit { days: Some(days), bytes: None }
    }

    #[test]
    fn what_is_kept_alike_shares_segments_and_nothing_else_does() {
        let plain = Retention::default();
        assert_eq!(plain.shelves(), BTreeSet::from([Shelf::default()]));
        let mut policy = Retention::default();
        policy.classes.incident = days(365);
        assert_eq!(policy.shelf(None, None).classes(), [Routine, StatusChange]);
        assert_eq!(policy.shelf(Some(Incident), Some("elsewhere")).classes(), [Incident]);
        policy.classes = Limits { routine: days(40), status_change: days(90), incident: days(90) };
        assert_eq!(policy.shelf(Some(Incident), None), policy.shelf(Some(StatusChange), None));
        policy.classes.incident.bytes = Some(5);
        assert_ne!(policy.shelf(Some(Incident), None), policy.shelf(Some(StatusChange), None));
        let rule = PlaceRule { limits: Limits { routine: days(180), ..Limits::default() }, ..PlaceRule::default() };
        policy.places.insert("水库".to_owned(), rule);
        let there = policy.shelf(Some(Routine), Some("水库"));
        assert_eq!((there.place(), there.classes()), ("水库", vec![Routine]));
        assert_eq!(policy.shelf(Some(Incident), Some("水库")).place(), "", "it says nothing of incidents");
        assert_eq!(policy.shelves().len(), 4);
        assert_eq!(policy.limit(&there), days(180));
    }

    #[test]
    fn segments_of_other_settings_are_kept_as_the_longest_of_what_they_hold() {
        let mut policy = Retention::days(40);
        policy.classes.incident = days(400);
        let mixed = Shelf::stored(0, "").unwrap();
        assert_eq!(policy.limit(&mixed), days(400));
        assert_eq!(policy.term(&mixed, 30), 400);
        // The rule of a place is gone: as everywhere.
        assert_eq!(policy.limit(&Shelf::stored(1, "水库").unwrap()), days(40));
        policy.classes.status_change = Limit::default();
        assert_eq!(policy.limit(&mixed).days, None);
        assert_eq!(policy.term(&mixed, 30), 400);
        assert_eq!(policy.term(&policy.shelf(Some(StatusChange), None), 30), 30);
        assert_eq!(Shelf::stored(8, ""), None, "no class that we know");
    }

    #[test]
    fn nothing_may_be_kept_shorter_than_the_legal_minimum() {
        assert!(Retention::days(30).validate(30).is_ok());
        assert_eq!(Retention::days(29).validate(30).unwrap_err().key, "retention days");
        let mut policy = Retention::default();
        let rule = PlaceRule { limits: Limits::all(days(7)), ..PlaceRule::default() };
        policy.places.insert("水库".to_owned(), rule.clone());
        assert!(policy.validate(30).is_err());
        policy.places = BTreeMap::from([("九个汉字太长了放不下".to_owned(), PlaceRule::default())]);
        assert_eq!(policy.validate(30).unwrap_err().key, "retention place");
        policy.places = (0..9).map(|n| (n.to_string(), PlaceRule::default())).collect();
        assert_eq!(policy.validate(30).unwrap_err().key, "retention places");
    }
}
