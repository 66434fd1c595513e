//! What is dropped when, and what is never dropped. Whole segments only.
//!
//! The policy: nothing younger than `keep_days` is dropped, whatever happens to the disk. Older segments go when their
//! [`Limit`](crate::Limit) says so, or when a new segment is due while the disk is above the high-water mark,
//! `max_bytes` is reached, or there is no room: then first what has outlived the largest share of its days. If there is
//! still no room, new snapshots are refused and everything kept stays (so does what a hold protects, however old): the
//! operator sees `Full` and decides. Age is reckoned by a time that a wild clock does not move: see `clock`. Each purge is on record in the signed manifest before it is done.

use crate::{
    ArchiveError,
    custody::Purged,
    error::source_is_full,
    holds,
    index::Catalogued,
    policy::{Limit, Shelf},
    recover::remove_segment,
    writer::Writer,
};
use fleet::Wall;
use std::collections::BTreeMap;

const DAY_MS: i64 = 86_400_000;
/// Segments that may go before one new segment: whoever stores waits meanwhile. The rest goes before the next ones.
const AT_ONCE: u32 = 8;

/// Why a segment is dropped, as manifests say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    /// Its days are over.
    Days,
    /// Its class has more bytes than it may.
    ClassBytes,
    /// The archive has as many bytes as it may.
    MostBytes,
    /// The disk is above its high-water mark.
    HighWater,
    /// No room for a new segment.
    NoRoom,
}

impl Why {
    fn code(self) -> &'static str {
        match self {
            Why::Days => "days",
            Why::ClassBytes => "class_bytes",
            Why::MostBytes => "most_bytes",
            Why::HighWater => "high_water",
            Why::NoRoom => "no_room",
        }
    }
}

/// Makes room for a new segment of so many bytes, or says why there is none.
pub(crate) async fn make_room(writer: &mut Writer, now: Wall, wanted: u64) -> Result<(), ArchiveError> {
    let mut gone = 0;
    loop {
        let space = writer.folder.space()?;
        let no_room = space.free < wanted.saturating_add(writer.config.reserve_bytes);
        let too_many = writer.config.max_bytes.is_some_and(|most| writer.bytes().saturating_add(wanted) > most);
        let high = space.used_percent() >= u64::from(writer.config.high_water_percent);
        let far = writer.far.clone();
        let local_most = far.and_then(|far| far.config.local_bytes);
        let spool = local_most.filter(|most| writer.local_bytes().saturating_add(wanted) > *most);
        if !(no_room || too_many || high || spool.is_some()) || (gone >= AT_ONCE && !no_room) {
            return Ok(());
        }
        gone += 1;
        if (no_room || high || spool.is_some())
            && let Some(number) = writer.oldest_safe()
        {
            writer.let_go(number).await?;
            continue;
        }
        if let (Some(most), false) = (spool, no_room || too_many) {
            return Err(ArchiveError::Full(format!(
                "the object store does not take what is sealed, and {} MiB wait here, the most that local_gib allows; \
                 see to the store (its state is on the page Self-health)",
                most >> 20
            )));
        }
        if let Some(first) = most_outlived(writer, now) {
            let why = match (no_room, too_many) {
                (true, _) => Why::NoRoom,
                (_, true) => Why::MostBytes,
                _ => Why::HighWater,
            };
            drop_segment(writer, &first, now, why).await?;
            continue;
        }
        if writer.holds_lost && (no_room || too_many) {
            return Err(ArchiveError::Full(crate::writer::HOLDS_LOST.to_owned()));
        }
        let days = writer.config.keep_days;
        return match (no_room, too_many) {
            (true, _) => Err(ArchiveError::Full(format!(
                "{} MiB free, {} MiB needed for a segment and {} MiB held in reserve, and nothing is older than \
                 {days} days; free disk space or enlarge the disk",
                space.free >> 20,
                wanted >> 20,
                writer.config.reserve_bytes >> 20,
            ))),
            (_, true) => Err(ArchiveError::Full(format!(
                "max_bytes is reached and nothing is older than {days} days; raise max_bytes"
            ))),
            // The mark asks for dropping what may go; it is no reason to refuse while there is room.
            _ => Ok(()),
        };
    }
}

/// Drops one segment whose days are over, and one of a class that has more bytes than it may, if there are such.
pub(crate) async fn purge_due(writer: &mut Writer, now: Wall) -> Result<(), ArchiveError> {
    let limits = limits(writer);
    if limits.values().all(|limit| *limit == Limit::default()) {
        return Ok(());
    }
    let over = |c: &Catalogued| due(writer, &limits, c).is_some_and(|at| at <= now);
    if let Some(due) = droppable(writer, now).filter(|c| over(c)).min_by_key(|c| c.kept_from).cloned() {
        drop_segment(writer, &due, now, Why::Days).await?;
    }
    for (shelf, limit) in limits {
        let Some(most) = limit.bytes else { continue };
        let taken = |c: &&Catalogued| c.shelf == shelf;
        if writer.catalog.values().filter(taken).map(|c| c.bytes).sum::<u64>() > most
            && let Some(oldest) = droppable(writer, now).filter(taken).min_by_key(|c| c.kept_from).cloned()
        {
            drop_segment(writer, &oldest, now, Why::ClassBytes).await?;
        }
    }
    Ok(())
}

/// What holds for each shelf that has segments.
fn limits(writer: &Writer) -> BTreeMap<Shelf, Limit> {
    let mut limits = BTreeMap::new();
    for sealed in writer.catalog.values() {
        if !limits.contains_key(&sealed.shelf) {
            limits.insert(sealed.shelf.clone(), writer.config.retention.limit(&sealed.shelf));
        }
    }
    limits
}

fn due(writer: &Writer, limits: &BTreeMap<Shelf, Limit>, sealed: &Catalogued) -> Option<Wall> {
    let days = limits.get(&sealed.shelf)?.days?.max(writer.config.keep_days);
    Some(Wall(sealed.kept_from.0.saturating_add(i64::from(days) * DAY_MS)))
}

/// When a segment's days are over, if ever.
pub(crate) fn due_at(writer: &Writer, sealed: &Catalogued) -> Option<Wall> {
    let limits = BTreeMap::from([(sealed.shelf.clone(), writer.config.retention.limit(&sealed.shelf))]);
    due(writer, &limits, sealed)
}

/// Segments that may be dropped: older than the legal minimum, and not held.
fn droppable(writer: &Writer, now: Wall) -> impl Iterator<Item = &Catalogued> {
    let before = now.0.saturating_sub(i64::from(writer.config.keep_days) * DAY_MS);
    let holds = writer.shared.holds();
    // Who knows what is held, if some holds are gone?
    let none = writer.holds_lost;
    writer.catalog.values().filter(move |c| !none && c.kept_from.0 < before && !holds::forbid(&holds, c, now))
}

/// Of what may be dropped, what has outlived the largest share of its days; the oldest, if all are kept alike.
fn most_outlived(writer: &Writer, now: Wall) -> Option<Catalogued> {
    let mut terms: BTreeMap<&Shelf, u32> = BTreeMap::new();
    for shelf in writer.catalog.values().map(|c| &c.shelf) {
        terms.entry(shelf).or_insert_with(|| writer.config.retention.term(shelf, writer.config.keep_days));
    }
    let share = |c: &&Catalogued| {
        let term = terms.get(&c.shelf).map_or(1, |days| i128::from(*days));
        // In millionths, so that the order within one shelf is that of age.
        i128::from(now.millis_since(c.kept_from)) * 1_000_000 / term
    };
    droppable(writer, now).max_by_key(share).cloned()
}

/// Puts the purge on record, unlinks the segment, then forgets its rows: whatever a crash leaves of this is finished
/// at the next start.
async fn drop_segment(writer: &mut Writer, old: &Catalogued, now: Wall, why: Why) -> Result<(), ArchiveError> {
    let reason = why.code();
    let purged = Purged {
        segment: old.number,
        at: now,
        records: old.records,
        bytes: Some(old.bytes),
        oldest: old.oldest,
        newest: old.newest,
        reason: reason.to_owned(),
        classes: old.shelf.classes(),
        place: Some(old.shelf.place().to_owned()).filter(|place| !place.is_empty()),
    };
    let file = writer.shared.reader.segment(old.number).unwrap_or_else(|| writer.folder.root().join(&old.file));
    match writer.custody.purge(purged.clone()) {
        // Not even room for the manifest: only then the purge comes first.
        Err(ArchiveError::Io { source, .. }) if source_is_full(&source) => {
            remove_segment(&file)?;
            writer.custody.purge(purged)?;
        }
        recorded => {
            recorded?;
            remove_segment(&file)?;
        }
    }
    writer.shared.reader.moved(old.number, None);
    if let Some(far) = &writer.far {
        far.purge(old.number, &old.file, &old.root);
    }
    for day in writer.index.forget(old).await? {
        writer.shared.reader.forget_day(day);
    }
    writer.catalog.remove(&old.number);
    {
        let mut stats = writer.shared.stats();
        stats.records = stats.records.saturating_sub(old.records);
        stats.oldest = None;
    }
    tracing::info!(segment = old.number, records = old.records, reason, "segment dropped");
    Ok(())
}
