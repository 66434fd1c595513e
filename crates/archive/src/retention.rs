//! What is dropped when, and what is never dropped. Whole segments only.
//!
//! The policy: nothing younger than `keep_days` is dropped, whatever happens to the disk. Older segments go, oldest
//! first, when `purge_after_days` says so, or when a new segment is due while the disk is above the high-water mark,
//! `max_bytes` is reached, or there is no room. If there is still no room, new snapshots are refused and everything
//! kept stays (so does what a hold protects, however old): the operator sees `Full` and decides. Each purge is on record in the signed manifest before it is done.

use crate::{
    ArchiveError, custody::Purged, error::source_is_full, holds, index::Catalogued, recover::remove_segment,
    writer::Writer,
};
use fleet::Wall;

const DAY_MS: i64 = 86_400_000;

/// Makes room for a new segment with at least `batch` bytes, or says why there is none.
pub(crate) async fn make_room(writer: &mut Writer, now: Wall, batch: u64) -> Result<(), ArchiveError> {
    loop {
        let wanted = writer.config.segment_bytes.max(batch);
        let space = writer.folder.space()?;
        let no_room = space.free < wanted.saturating_add(writer.config.reserve_bytes);
        let too_many = writer.config.max_bytes.is_some_and(|most| writer.bytes().saturating_add(wanted) > most);
        let high = space.used_percent() >= u64::from(writer.config.high_water_percent);
        let far = writer.far.clone();
        let local_most = far.and_then(|far| far.config.local_bytes);
        let spool = local_most.filter(|most| writer.local_bytes().saturating_add(wanted) > *most);
        if !(no_room || too_many || high || spool.is_some()) {
            return Ok(());
        }
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
        if let Some(oldest) = oldest_beyond(writer, now, writer.config.keep_days) {
            let reason = match (no_room, too_many) {
                (true, _) => "no room for new segments",
                (_, true) => "most bytes reached",
                _ => "high-water mark of the disk",
            };
            drop_segment(writer, &oldest, now, reason).await?;
            continue;
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

/// Drops one segment that is older than `purge_after_days`, if there is one.
pub(crate) async fn purge_due(writer: &mut Writer, now: Wall) -> Result<(), ArchiveError> {
    let Some(days) = writer.config.purge_after_days else { return Ok(()) };
    match oldest_beyond(writer, now, days.max(writer.config.keep_days)) {
        Some(due) => drop_segment(writer, &due, now, "purge_after_days").await,
        None => Ok(()),
    }
}

fn oldest_beyond(writer: &Writer, now: Wall, days: u32) -> Option<Catalogued> {
    let before = now.0.saturating_sub(i64::from(days) * DAY_MS);
    let holds = writer.shared.holds();
    let may_go = |c: &&Catalogued| c.kept_from.0 < before && !holds::forbid(&holds, c, now);
    writer.catalog.values().filter(may_go).min_by_key(|c| c.kept_from).cloned()
}

/// Puts the purge on record, unlinks the segment, then forgets its rows: whatever a crash leaves of this is finished
/// at the next start.
async fn drop_segment(writer: &mut Writer, old: &Catalogued, now: Wall, reason: &str) -> Result<(), ArchiveError> {
    let purged = Purged {
        segment: old.number,
        at: now,
        records: old.records,
        oldest: old.oldest,
        newest: old.newest,
        reason: reason.to_owned(),
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
