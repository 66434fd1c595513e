//! What is kept under which rule, and what becomes of it: the answer to "how long do we still have this?".

use crate::{
    ArchiveError, Forecast, Limit,
    custody::Manifest,
    folder::{Day, Folder},
    forecast::{Filling, Room, forecast},
    holds,
    index::Catalogued,
    policy::Shelf,
    retention,
    writer::Writer,
};
use fleet::Wall;
use health::SnapshotClass;
use serde::Serialize;
use std::{collections::BTreeMap, fs};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// The rate is that of so many days.
const RATE_DAYS: i64 = 7;
/// Manifests that are read in search of purges.
const MANIFESTS: usize = 400;

/// What is kept, under which rule, and how long the room lasts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Retained {
    /// The legal minimum in days.
    pub keep_days: u32,
    /// Most bytes of the whole archive, if set.
    pub most_bytes: Option<u64>,
    /// Share of the disk in use from which old pictures make room.
    pub high_water_percent: u8,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// Each group that is kept alike.
    pub kept: Vec<Kept>,
    /// What holds keep.
    pub held: Held,
    /// Rules for places: name, and the towns and sites they are for.
    pub places: Vec<(String, Vec<String>)>,
    /// What to expect; `None` while there is less than an hour to go by.
    pub forecast: Option<Forecast>,
}

/// What is kept alike: some classes, of one place or of everywhere else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Kept {
    /// Which classes.
    pub classes: Vec<SnapshotClass>,
    /// Name of the rule for a place, if it is one's.
    pub place: Option<String>,
    /// What holds for it.
    pub limit: Limit,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Its segments.
    pub segments: u64,
    /// Snapshots and gaps in sealed segments.
    pub records: u64,
    /// Bytes that come each day, by the last days.
    pub daily_bytes: Option<u64>,
    /// Oldest slot of sealed segments.
    pub oldest: Option<Wall>,
    /// When its oldest segment is dropped for its age, unless it is held or room runs out before.
    pub next_purge: Option<Wall>,
    /// It has more bytes than it may, because the legal minimum or a hold wants them kept.
    pub over: bool,
}

/// What holds keep.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Held {
    /// Longest time for a new hold in days, and the most bytes of all in force.
    pub limit: Limit,
    /// Holds in force.
    pub holds: u64,
    /// Segments that they keep.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those, bytes that retention would have dropped already.
    pub overdue_bytes: u64,
}

/// A segment that was dropped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Purge {
    /// Number of the segment.
    pub segment: u64,
    /// When.
    pub at: Wall,
    /// Snapshots and gaps in it.
    pub records: u64,
    /// Its bytes, if they were written down.
    pub bytes: Option<u64>,
    /// Oldest slot in it.
    pub oldest: Wall,
    /// Newest slot in it.
    pub newest: Wall,
    /// `days`, `class_bytes`, `most_bytes`, `high_water` or `no_room`.
    pub reason: String,
    /// Which classes were in it, if that was written down.
    pub classes: Vec<SnapshotClass>,
    /// Whose rule it was under, if that of a place.
    pub place: Option<String>,
}

pub(crate) fn report(writer: &Writer, now: Wall) -> Retained {
    let config = &writer.config;
    let mut groups: BTreeMap<Shelf, Vec<&Catalogued>> =
        config.retention.shelves().into_iter().map(|shelf| (shelf, Vec::new())).collect();
    for sealed in writer.sealed() {
        groups.entry(sealed.shelf.clone()).or_default().push(sealed);
    }
    let kept = groups.iter().map(|(shelf, segments)| {
        let limit = config.retention.limit(shelf);
        let open = writer.open_bytes(shelf);
        let bytes = segments.iter().map(|c| c.bytes).sum::<u64>() + open.unwrap_or(0);
        let first = segments.iter().min_by_key(|c| c.kept_from);
        Kept {
            classes: shelf.classes(),
            place: Some(shelf.place().to_owned()).filter(|place| !place.is_empty()),
            limit,
            bytes,
            segments: segments.len() as u64 + u64::from(open.is_some()),
            records: segments.iter().map(|c| c.records).sum(),
            daily_bytes: daily(writer, shelf, now).map(|bytes| bytes as u64),
            oldest: segments.iter().map(|c| c.oldest).min(),
            next_purge: first.and_then(|c| retention::due_at(writer, c)),
            over: limit.bytes.is_some_and(|most| bytes > most),
        }
    });
    let kept = kept.collect();
    Retained {
        keep_days: config.keep_days,
        most_bytes: config.max_bytes,
        high_water_percent: config.high_water_percent,
        bytes: writer.bytes(),
        free_bytes: writer.folder.space().map_or(0, |space| space.free),
        kept,
        held: held(writer, now),
        places: config.retention.places.iter().map(|(name, rule)| (name.clone(), rule.covers.clone())).collect(),
        forecast: ahead(writer, now),
    }
}

fn held(writer: &Writer, now: Wall) -> Held {
    let holds = writer.shared.holds();
    let mut held = Held {
        limit: writer.config.retention.held,
        holds: holds.iter().filter(|hold| hold.holds(now)).count() as u64,
        ..Held::default()
    };
    for sealed in writer.sealed().filter(|c| holds::forbid(&holds, c, now)) {
        held.segments += 1;
        held.bytes += sealed.bytes;
        if retention::due_at(writer, sealed).is_some_and(|at| at <= now) {
            held.overdue_bytes += sealed.bytes;
        }
    }
    held
}

/// Bytes that came to a shelf each day of the last week, or since there is an archive; `None` in its first hour.
fn daily(writer: &Writer, shelf: &Shelf, now: Wall) -> Option<f64> {
    let began = writer.sealed().map(|c| c.oldest.0).chain(writer.began()).min()?;
    let span = (now.0 - began).min(RATE_DAYS * DAY_MS);
    if span < HOUR_MS {
        return None;
    }
    let since = now.0 - span;
    let fresh = writer.sealed().filter(|c| c.shelf == *shelf && c.kept_from.0 >= since).map(|c| c.bytes).sum::<u64>();
    let bytes = fresh + writer.open_bytes(shelf).unwrap_or(0);
    Some(bytes as f64 * DAY_MS as f64 / span as f64)
}

/// What to expect of the room there is.
pub(crate) fn ahead(writer: &Writer, now: Wall) -> Option<Forecast> {
    let config = &writer.config;
    let mut shelves = config.retention.shelves();
    shelves.extend(writer.sealed().map(|c| c.shelf.clone()));
    let mut fillings = Vec::with_capacity(shelves.len());
    for shelf in &shelves {
        let limit = config.retention.limit(shelf);
        let there = writer.sealed().filter(|c| c.shelf == *shelf);
        // By whole days: the years ahead are gone through day by day.
        let mut by_age: BTreeMap<u32, u64> = BTreeMap::from([(0, writer.open_bytes(shelf).unwrap_or(0))]);
        for (age, bytes) in there.map(|c| (now.millis_since(c.kept_from) / DAY_MS, c.bytes)) {
            *by_age.entry(u32::try_from(age.max(0)).unwrap_or(u32::MAX)).or_default() += bytes;
        }
        fillings.push(Filling {
            daily: daily(writer, shelf, now)?,
            days: limit.days.map(|days| days.max(config.keep_days)),
            most: limit.bytes,
            there: by_age.into_iter().map(|(age, bytes)| (f64::from(age), bytes)).collect(),
        });
    }
    let space = writer.folder.space().ok().filter(|_| writer.far.is_none());
    let taken = writer.bytes();
    // What the object store takes does not fill this disk.
    let room = |left: u64| taken.saturating_add(left);
    let to_mark = space.map(|s| {
        let mark = (s.free + s.used) / 100 * u64::from(config.high_water_percent);
        room(mark.saturating_sub(s.used).min(s.free.saturating_sub(config.reserve_bytes)))
    });
    let to_end = space.map(|s| room(s.free.saturating_sub(config.reserve_bytes)));
    let least = |disk: Option<u64>| disk.into_iter().chain(config.max_bytes).min();
    let room = Room { pressed: least(to_mark), refused: least(to_end) };
    Some(forecast(&fillings, room, config.keep_days))
}

/// The newest purges on record, newest first.
pub(crate) fn purges(folder: &Folder, most: usize) -> Result<Vec<Purge>, ArchiveError> {
    let mut found = Vec::new();
    for day in Folder::days(&folder.manifests(), "txt")?.into_iter().rev().take(MANIFESTS) {
        found.extend(purges_of(folder, day)?);
        if found.len() >= most {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

fn purges_of(folder: &Folder, day: Day) -> Result<Vec<Purge>, ArchiveError> {
    let path = folder.manifest(day);
    let text = fs::read_to_string(&path).map_err(ArchiveError::io("read", &path))?;
    // One that cannot be believed is named by the check.
    let Ok(manifest) = Manifest::of_day(&text, day) else { return Ok(Vec::new()) };
    let purge = |p: crate::custody::Purged| Purge {
        segment: p.segment,
        at: p.at,
        records: p.records,
        bytes: p.bytes,
        oldest: p.oldest,
        newest: p.newest,
        reason: p.reason,
        classes: p.classes,
        place: p.place,
    };
    Ok(manifest.purged.into_iter().rev().map(purge).collect())
}
