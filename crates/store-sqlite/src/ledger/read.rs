//! Reading figures: a range is made of whole months, days and hours (see [`segments`](super::segments)).

use super::{
    decided, freeze, json_list,
    rows::{self, DAYS, HOURS, MONTHS, sums},
    segments::segments,
};
use crate::{
    error::{Fault, number, word},
    status::Row,
};
use fleet::{CameraId, Cause, Status, Wall};
use health::ledger::{Calendar, Carry, DAY_MS, Kind, OpenOutage, Tally};
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};
use store::{Ledger, LedgerHistory, LedgerLine, SnapshotCount, Step, StoreError};

/// Intervals of one camera that are handed out at once.
const MOST_INTERVALS: i64 = 200_000;

pub(super) async fn ledger(pool: &SqlitePool, range: Range<Wall>) -> Result<Ledger, Fault> {
    let mut tx = pool.begin().await?;
    let upto =
        sqlx::query_scalar!(r#"SELECT min(upto_ms) AS "upto: i64" FROM ledger_mark"#).fetch_one(&mut *tx).await?;
    if let Some((frozen, lines)) = freeze::read(&mut tx, range.start.0, range.end.0).await? {
        return Ok(Ledger { range, upto: upto.map(Wall), lines, rules: frozen.rules, frozen: Some(frozen) });
    }
    let rules = sqlx::query_scalar!("SELECT body FROM ledger_rules").fetch_optional(&mut *tx).await?;
    let rules = rules.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
    let range = countable(&mut tx, &range).await?;
    let mut all: BTreeMap<CameraId, Tally> = BTreeMap::new();
    for segment in segments(&range) {
        let mut lines = level_lines(&mut tx, segment.level, segment.rows.start, segment.rows.end).await?;
        if let Some(without) = &segment.without {
            let rest = level_lines(&mut tx, segment.level - 1, without.rows.start, without.rows.end).await?;
            for (camera, tally) in &rest {
                if let Some(whole) = lines.get_mut(camera) {
                    whole.subtract(tally, without.side);
                }
            }
        }
        for (camera, mut tally) in lines {
            if segment.is_part_of_a_day() {
                tally.judge_part_of_day();
            }
            all.entry(camera).or_default().follow(&tally);
        }
    }
    let last = upto.map_or(range.end.0, |u| u.min(range.end.0)).saturating_sub(1);
    let kinds = kinds_at(&mut tx, last).await?;
    let lines = all
        .into_iter()
        .filter(|(_, tally)| !tally.is_empty())
        .map(|(camera, tally)| LedgerLine { camera, tally, last: kinds.get(&camera).copied(), place: None })
        .collect();
    Ok(Ledger { range, upto: upto.map(Wall), lines, rules, frozen: None })
}

/// A range with its ends at full hours, or at full days where hours are not kept any more.
async fn countable(tx: &mut SqliteConnection, range: &Range<Wall>) -> Result<Range<Wall>, Fault> {
    let kept = sqlx::query_scalar!(r#"SELECT min(start_ms) AS "start: i64" FROM ledger_roll WHERE level = 0"#)
        .fetch_one(tx)
        .await?
        .unwrap_or(i64::MAX);
    let Range { mut start, mut end } = Calendar::widened(range);
    if start.0 < kept {
        start = Calendar::day(start);
    }
    if end.0 <= kept {
        end = Calendar::day(Wall(end.0.saturating_add(DAY_MS - 1)));
    }
    Ok(start..end.max(start))
}

/// The sums of each camera over the rows of one level.
pub(super) async fn level_lines(
    tx: &mut SqliteConnection,
    level: i64,
    from: i64,
    until: i64,
) -> Result<BTreeMap<CameraId, Tally>, Fault> {
    const BY_CAMERA: &str = concat!(
        "SELECT camera, ",
        sums!("sum(CASE WHEN start_ms = ?2 THEN standing ELSE 0 END)"),
        " FROM ledger_roll WHERE level = ?1 AND start_ms >= ?2 AND start_ms < ?3 GROUP BY camera"
    );
    let found = sqlx::query(BY_CAMERA).bind(level).bind(from).bind(until).fetch_all(&mut *tx).await?;
    let mut lines = found
        .iter()
        .map(|row| Ok((rows::camera(row, 0)?, rows::tally(row, 1)?)))
        .collect::<Result<BTreeMap<_, _>, Fault>>()?;
    for (camera, cause, millis) in freeze::pictures(tx, level, from, until).await? {
        if let Some(tally) = lines.get_mut(&camera) {
            *tally.picture.entry(cause).or_default() += millis;
        }
    }
    Ok(lines)
}

/// What each camera counted as at an instant.
pub(super) async fn kinds_at(tx: &mut SqliteConnection, at: i64) -> Result<HashMap<CameraId, Kind>, Fault> {
    let found = sqlx::query!(
        r#"SELECT held.camera AS "camera!: u32", held.status AS "status!: String", held.cause AS "cause: String",
               EXISTS (SELECT 1 FROM excuse WHERE excuse.camera = held.camera AND excuse.kind <> 'counted'
                       AND excuse.from_ms <= ?1 AND excuse.until_ms > ?1) AS "excused!: bool",
               EXISTS (SELECT 1 FROM excuse WHERE excuse.camera = held.camera AND excuse.kind = 'counted'
                       AND excuse.from_ms <= ?1 AND excuse.until_ms > ?1) AS "counted!: bool"
           FROM ledger_mark AS one
           JOIN status_interval AS held ON held.camera = one.camera AND held.from_ms = (
               SELECT max(from_ms) FROM status_interval WHERE camera = one.camera AND from_ms <= ?1
           )
           WHERE held.until_ms IS NULL OR held.until_ms > ?1"#,
        at
    )
    .fetch_all(tx)
    .await?;
    found
        .into_iter()
        .map(|row| {
            let status = word(&row.status, Status::from_code)?;
            let cause = row.cause.map(|c| word(&c, Cause::from_code)).transpose()?;
            Ok((CameraId(row.camera), Kind::of(status, cause, row.excused, row.counted)))
        })
        .collect()
}

pub(super) async fn trend(
    pool: &SqlitePool,
    range: Range<Wall>,
    step: Step,
    cameras: Option<&[CameraId]>,
) -> Result<Vec<(Wall, Tally)>, Fault> {
    const BY_TIME: &str = concat!(
        "SELECT start_ms, ",
        sums!("sum(standing)"),
        " FROM ledger_roll WHERE level = ?1 AND start_ms >= ?2 AND start_ms < ?3
           AND (?4 IS NULL OR camera IN (SELECT value FROM json_each(?4))) GROUP BY start_ms ORDER BY start_ms"
    );
    let level = match step {
        Step::Hour => HOURS,
        Step::Day => DAYS,
        Step::Month => MONTHS,
    };
    let cameras = cameras.map(|c| json_list(c.iter().map(|c| i64::from(c.0))));
    let found = sqlx::query(BY_TIME)
        .bind(level)
        .bind(range.start.0)
        .bind(range.end.0)
        .bind(cameras.as_deref())
        .fetch_all(pool)
        .await?;
    let mut steps =
        found.iter().map(|row| Ok((Wall(row.try_get(0)?), rows::tally(row, 1)?))).collect::<Result<Vec<_>, Fault>>()?;
    let faults = sqlx::query(
        "SELECT start_ms, cause, sum(millis) FROM ledger_picture WHERE level = ?1 AND start_ms >= ?2 AND start_ms < ?3
           AND (?4 IS NULL OR camera IN (SELECT value FROM json_each(?4))) GROUP BY start_ms, cause",
    )
    .bind(level)
    .bind(range.start.0)
    .bind(range.end.0)
    .bind(cameras)
    .fetch_all(pool)
    .await?;
    for row in &faults {
        let start = Wall(row.try_get(0)?);
        if let Ok(at) = steps.binary_search_by_key(&start, |s| s.0) {
            *steps[at].1.picture.entry(rows::cause(row, 1)?).or_default() += row.try_get::<i64, _>(2)?;
        }
    }
    Ok(steps)
}

pub(super) async fn history(pool: &SqlitePool, camera: CameraId, range: Range<Wall>) -> Result<LedgerHistory, Fault> {
    let from = Calendar::day(range.start);
    let (id, begin, end, before) = (i64::from(camera.0), from.0, range.end.0, from.0 - DAY_MS);
    let most = MOST_INTERVALS + 1;
    let intervals = sqlx::query_as!(
        Row,
        "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
         WHERE camera = ?1 AND from_ms < ?3 AND from_ms >= coalesce(
             (SELECT max(from_ms) FROM status_interval WHERE camera = ?1 AND from_ms <= ?2), ?2)
           AND (until_ms IS NULL OR until_ms > ?2)
         ORDER BY from_ms LIMIT ?4",
        id,
        begin,
        end,
        most
    )
    .fetch_all(pool)
    .await?;
    if intervals.len() as i64 > MOST_INTERVALS {
        return Err(StoreError::Invalid("this range holds too many changes: choose a shorter one".into()).into());
    }
    let snapshots = sqlx::query!(
        "SELECT hour_ms, stored, gaps FROM ledger_snapshots WHERE camera = ? AND hour_ms >= ? AND hour_ms < ?
         ORDER BY hour_ms",
        id,
        begin,
        end
    )
    .fetch_all(pool)
    .await?;
    let snapshots = snapshots
        .into_iter()
        .map(|r| Ok(SnapshotCount { hour: Wall(r.hour_ms), camera, stored: number(r.stored)?, gaps: number(r.gaps)? }))
        .collect::<Result<Vec<_>, Fault>>()?;
    let carry = sqlx::query!(
        "SELECT outage_since, outage_down, last_end FROM ledger_roll WHERE level = 1 AND start_ms = ? AND camera = ?",
        before,
        id
    )
    .fetch_optional(pool)
    .await?;
    let carry = carry.map_or_else(Carry::default, |c| Carry {
        outage: c.outage_since.zip(c.outage_down).map(|(since, down_ms)| OpenOutage { since: Wall(since), down_ms }),
        last_end: c.last_end.map(Wall),
    });
    Ok(LedgerHistory {
        from,
        carry,
        intervals: intervals.into_iter().map(Row::interval).collect::<Result<Vec<_>, _>>()?,
        excuses: decided::within(pool, Some(camera), &(from..range.end)).await?,
        snapshots,
    })
}
