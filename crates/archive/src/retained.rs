//! What is kept under which rule, and what becomes of it: the answer to "how long do we still have this?".

use crate::{
    ArchiveError, Forecast, Limit,
    custody::Manifest,
    folder::{Day, Folder},
    forecast::{Filling, Room, Spool, There, forecast, sooner},
    holds,
    index::Catalogued,
    policy::Shelf,
    remote::{RemoteState, is_far},
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
    let holds = writer.shared.holds();
    // In days from now.
    let held = |c: &Catalogued| match holds::kept_until(&holds, c, now) {
        // Nothing is dropped while holds are lost.
        _ if writer.holds_lost => f64::INFINITY,
        None => 0.0,
        Some(None) => f64::INFINITY,
        Some(Some(end)) => end.millis_since(now) as f64 / DAY_MS as f64,
    };
    let age = |at: Wall| f64::from(u32::try_from(now.millis_since(at).max(0) / DAY_MS).unwrap_or(u32::MAX));
    let mut shelves = config.retention.shelves();
    shelves.extend(writer.sealed().map(|c| c.shelf.clone()));
    let mut fillings = Vec::with_capacity(shelves.len() + 1);
    for shelf in &shelves {
        let limit = config.retention.limit(shelf);
        let open = There { age: 0.0, bytes: writer.open_bytes(shelf).unwrap_or(0), held: 0.0 };
        let there = writer.sealed().filter(|c| c.shelf == *shelf);
        let there = there.map(|c| There { age: age(c.kept_from), bytes: c.bytes, held: held(c) });
        fillings.push(Filling {
            daily: daily(writer, shelf, now)?,
            days: limit.days.map(|days| days.max(config.keep_days)),
            most: limit.bytes,
            there: by_day(there.chain([open])),
        });
    }
    // Of the archive's own limit, where its pictures may lie.
    let most = Room { pressed: config.max_bytes, refused: config.max_bytes };
    let mut told = forecast(&fillings, most, config.keep_days);
    let longest = fillings.iter().map(|f| f.days).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten();
    let daily: f64 = fillings.iter().map(|f| f.daily).sum();
    let index = index(writer, longest, now);
    let Ok(space) = writer.folder.space() else { return Some(told) };
    let left = space.free.saturating_sub(config.reserve_bytes);
    match &writer.far {
        // What the object store takes does not fill this disk, but for its frames and the index.
        Some(far) => {
            let here = |c: &&Catalogued| !is_far(std::path::Path::new(&c.file));
            let stored = bytes_of(writer.sealed().filter(here).filter(|c| far.has(c.number)));
            let away = writer.shared.stats().remote.as_ref().is_some_and(|r| r.state == RemoteState::Away);
            let per_record = if daily > 0.0 { frames_daily(writer, now) } else { 0.0 };
            let frames = writer.sealed().filter(|c| !here(c));
            let frames = frames.map(|c| There { age: age(c.kept_from), bytes: c.records * FRAME, held: held(c) });
            let spool = Spool {
                daily,
                frames: Filling {
                    daily: index.daily + per_record,
                    days: longest,
                    most: None,
                    there: by_day(frames.chain(index.there)),
                },
                waiting: bytes_of(writer.sealed().filter(|c| !far.has(c.number))),
                most: far.config.local_bytes,
                left: left.saturating_add(stored),
                away,
            };
            told.refused_in_days = sooner(told.refused_in_days, spool.refused_in_days());
            told.store_away = away;
        }
        None => {
            let taken = writer.bytes() + index.there.iter().map(|there| there.bytes).sum::<u64>();
            let mark = (space.free + space.used) / 100 * u64::from(config.high_water_percent);
            let to_mark = mark.saturating_sub(space.used).min(left);
            fillings.push(index);
            let room = Room { pressed: Some(taken + to_mark), refused: Some(taken + left) };
            let disk = forecast(&fillings, room, config.keep_days);
            told.pressed_in_days = sooner(told.pressed_in_days, disk.pressed_in_days);
            told.refused_in_days = sooner(told.refused_in_days, disk.refused_in_days);
        }
    }
    Some(told)
}

fn bytes_of<'c>(segments: impl Iterator<Item = &'c Catalogued>) -> u64 {
    segments.map(|c| c.bytes).sum()
}

/// What stays here of a record whose picture is in the object store: its header and its place, in the footer.
const FRAME: u64 = 200;

/// Bytes of frames that a day brings.
fn frames_daily(writer: &Writer, now: Wall) -> f64 {
    let since = now.0 - RATE_DAYS * DAY_MS;
    let fresh = || writer.sealed().filter(|c| c.kept_from.0 >= since);
    let span = fresh().map(|c| now.0 - c.oldest.0).max().unwrap_or(0).clamp(HOUR_MS, RATE_DAYS * DAY_MS);
    fresh().map(|c| c.records * FRAME).sum::<u64>() as f64 * DAY_MS as f64 / span as f64
}

/// The index: a file a day, dropped with the last of that day's segments.
fn index(writer: &Writer, days: Option<u32>, now: Wall) -> Filling {
    let folder = &writer.folder;
    let size = |day: &Day| fs::metadata(folder.day_index(*day)).map_or(0, |file| file.len());
    let all = Folder::days(&folder.index(), "db").unwrap_or_default();
    let today = Day::of(now);
    // Whole days only; the first day of an archive stands for itself.
    let whole: Vec<u64> = all.iter().rev().filter(|day| **day < today).take(RATE_DAYS as usize).map(size).collect();
    let daily = match whole.len() {
        0 => 0.0,
        n => whole.iter().sum::<u64>() as f64 / n as f64,
    };
    let age = |day: &Day| f64::from(u32::try_from(today.0.saturating_sub(day.0).max(0)).unwrap_or(0));
    let there = all.iter().map(|day| There { age: age(day), bytes: size(day), held: 0.0 }).collect();
    Filling { daily, days, most: None, there }
}

/// By whole days: the years ahead are gone through day by day.
fn by_day(there: impl Iterator<Item = There>) -> Vec<There> {
    let mut days: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for There { age, bytes, held } in there {
        *days.entry((age.to_bits(), held.ceil().to_bits())).or_default() += bytes;
    }
    let day = |((age, held), bytes)| There { age: f64::from_bits(age), bytes, held: f64::from_bits(held) };
    days.into_iter().map(day).collect()
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
