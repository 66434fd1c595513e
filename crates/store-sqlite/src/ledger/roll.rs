//! Rolling up: one day at a time, from the intervals to the rows of its hours, itself and its month.

use super::{
    decided, freeze, frozen_until, json_list, reopen_all,
    rows::{self, DAYS, HOURS, MONTHS, Rolled, sums},
};
use crate::error::{Fault, number, word};
use fleet::{Cause, Status, Wall};
use health::ledger::{Calendar, Carry, DAY_MS, HOUR_MS, OpenOutage, Rules, Stretch, Tally, hours, pieces};
use sqlx::SqliteConnection;
use std::collections::HashMap;
use store::{HOURS_KEPT_DAYS, RollUp, RolledUp, SnapshotCount};

/// A camera and how far it is rolled up.
type Mark = (i64, i64);

pub(super) async fn roll_up(tx: &mut SqliteConnection, work: &RollUp) -> Result<RolledUp, Fault> {
    // What was not on record when we last gave a sign of life may still come: it is counted with the next one.
    let alive = sqlx::query_scalar!("SELECT at_ms FROM alive").fetch_optional(&mut *tx).await?;
    let now = alive.map_or(work.now.0, |alive| alive.min(work.now.0));
    go_by(&mut *tx, &work.rules).await?;
    let frozen = frozen_until(&mut *tx).await?.unwrap_or(i64::MIN);
    count_snapshots(&mut *tx, &work.snapshots).await?;
    begin_marks(&mut *tx, frozen).await?;
    decided::windows_by(&mut *tx, work.now).await?;
    let mut marks = marks(&mut *tx).await?;
    if let Some(day) = marks.iter().filter(|m| m.1 < now).map(|m| Calendar::day(Wall(m.1)).0).min() {
        let due: Vec<Mark> = marks.iter().copied().filter(|m| m.1 < now && Calendar::day(Wall(m.1)).0 == day).collect();
        roll_day(&mut *tx, day, now, &due, &work.rules).await?;
        let upto = (day + DAY_MS).min(now);
        for mark in &mut marks {
            if due.binary_search_by_key(&mark.0, |d| d.0).is_ok() {
                mark.1 = upto;
            }
        }
    }
    let upto = marks.iter().map(|m| m.1).min();
    if work.for_good {
        freeze::ripe(&mut *tx, work, upto).await?;
        let kept_from = Calendar::day(Wall(now.saturating_sub(HOURS_KEPT_DAYS * DAY_MS))).0;
        sqlx::query!("DELETE FROM ledger_roll WHERE level = 0 AND start_ms < ?", kept_from).execute(&mut *tx).await?;
        sqlx::query!("DELETE FROM ledger_picture WHERE level = 0 AND start_ms < ?", kept_from)
            .execute(&mut *tx)
            .await?;
    }
    // A clock that was ahead may have counted hours to come.
    let snapshots_upto = sqlx::query_scalar!(
        r#"SELECT max(hour_ms) AS "hour: i64" FROM ledger_snapshots WHERE hour_ms <= ?"#,
        work.now.0
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(RolledUp {
        upto: upto.map(Wall),
        caught_up: upto.is_none_or(|u| u >= now),
        snapshots_upto: snapshots_upto.map(Wall),
    })
}

/// Goes by these rules from now on. If others held, everything that is not frozen is made again.
async fn go_by(tx: &mut SqliteConnection, rules: &Rules) -> Result<(), Fault> {
    let body = serde_json::to_string(rules)?;
    let before = sqlx::query_scalar!("SELECT body FROM ledger_rules").fetch_optional(&mut *tx).await?;
    if before.as_ref() == Some(&body) {
        return Ok(());
    }
    if before.is_some() {
        reopen_all(&mut *tx, i64::MIN).await?;
    }
    sqlx::query!("INSERT OR REPLACE INTO ledger_rules (id, body) VALUES (1, ?)", body).execute(tx).await?;
    Ok(())
}

/// Takes in counts of snapshots; where they differ from before, the camera is rolled up again from that hour on.
async fn count_snapshots(tx: &mut SqliteConnection, counts: &[SnapshotCount]) -> Result<(), Fault> {
    for count in counts {
        let camera = i64::from(count.camera.0);
        let written = sqlx::query!(
            "INSERT INTO ledger_snapshots (hour_ms, camera, stored, gaps) VALUES (?, ?, ?, ?)
             ON CONFLICT (hour_ms, camera) DO UPDATE SET stored = excluded.stored, gaps = excluded.gaps
             WHERE stored <> excluded.stored OR gaps <> excluded.gaps",
            count.hour.0,
            camera,
            count.stored,
            count.gaps
        )
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() > 0 {
            super::reopen(&mut *tx, camera, count.hour.0).await?;
        }
    }
    Ok(())
}

/// Cameras with a history of which nothing is rolled up yet begin with its first day.
async fn begin_marks(tx: &mut SqliteConnection, frozen: i64) -> Result<(), Fault> {
    sqlx::query!(
        "INSERT INTO ledger_mark (camera, upto_ms)
         SELECT camera, max(?, (SELECT min(from_ms) FROM status_interval AS first WHERE first.camera = now.camera))
         FROM status_interval AS now
         WHERE until_ms IS NULL AND camera NOT IN (SELECT camera FROM ledger_mark)",
        frozen
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn marks(tx: &mut SqliteConnection) -> Result<Vec<Mark>, Fault> {
    let rows = sqlx::query!("SELECT camera, upto_ms FROM ledger_mark ORDER BY camera").fetch_all(tx).await?;
    Ok(rows.into_iter().map(|r| (r.camera, r.upto_ms)).collect())
}

/// Counts one day of some cameras and writes what came out.
async fn roll_day(tx: &mut SqliteConnection, day: i64, now: i64, due: &[Mark], rules: &Rules) -> Result<(), Fault> {
    let until = (day + DAY_MS).min(now);
    let cameras = json_list(due.iter().map(|d| d.0));
    let mut histories = stretches(&mut *tx, day, until, &cameras).await?;
    let mut excuses = decided::of_day(&mut *tx, day, until).await?;
    let snapshots = snapshots(&mut *tx, day).await?;
    let carries = carries(&mut *tx, day - DAY_MS).await?;
    let keeps_hours = day >= Calendar::day(Wall(now.saturating_sub(HOURS_KEPT_DAYS * DAY_MS))).0;
    let range = Wall(day)..Wall(until);
    let mut rows = Vec::with_capacity(due.len() * 3);
    for &(camera, mark) in due {
        let history = histories.remove(&camera).unwrap_or_default();
        let pieces = pieces(&history, &excuses.remove(&camera).unwrap_or_default(), &range);
        let mut carry = carries.get(&camera).copied().unwrap_or_default();
        let mut whole = Tally::default();
        for (hour, mut tally) in hours(&pieces, range.start, range.end, &mut carry, rules) {
            if let Some((stored, gaps)) = snapshots.get(&(hour.0, camera)) {
                (tally.stored, tally.gaps) = (*stored, *gaps);
            }
            whole.follow(&tally);
            // Hours before the mark are written already; faults of pictures are written anew for the whole day.
            let wanted = hour.0 + HOUR_MS > mark || !tally.picture.is_empty();
            if keeps_hours && wanted && !tally.is_empty() {
                rows.push(Rolled { level: HOURS, start: hour.0, camera, tally, carry: None });
            }
        }
        whole.judge_day();
        rows.push(Rolled { level: DAYS, start: day, camera, tally: whole, carry: Some(carry) });
    }
    let end = day + DAY_MS;
    sqlx::query!(
        "DELETE FROM ledger_picture WHERE level IN (0, 1) AND start_ms >= ?1 AND start_ms < ?2
           AND camera IN (SELECT value FROM json_each(?3))",
        day,
        end,
        cameras
    )
    .execute(&mut *tx)
    .await?;
    rows::put(&mut *tx, &rows).await?;
    roll_month(&mut *tx, day, &cameras).await?;
    sqlx::query!("UPDATE ledger_mark SET upto_ms = ? WHERE camera IN (SELECT value FROM json_each(?))", until, cameras)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds up the days of a month.
async fn roll_month(tx: &mut SqliteConnection, day: i64, cameras: &str) -> Result<(), Fault> {
    const SUM: &str = concat!(
        "INSERT OR REPLACE INTO ledger_roll SELECT ?1, ?2, camera, ",
        sums!("sum(CASE WHEN start_ms = ?2 THEN standing ELSE 0 END)"),
        ", NULL, NULL, NULL FROM ledger_roll WHERE level = ?3 AND start_ms >= ?2 AND start_ms < ?4
         AND camera IN (SELECT value FROM json_each(?5)) GROUP BY camera"
    );
    let month = Calendar::month(Wall(day)).0;
    let next = Calendar::next_month(Wall(day)).0;
    sqlx::query(SUM).bind(MONTHS).bind(month).bind(DAYS).bind(next).bind(cameras).execute(&mut *tx).await?;
    sqlx::query!(
        "DELETE FROM ledger_picture
         WHERE level = 2 AND start_ms = ? AND camera IN (SELECT value FROM json_each(?))",
        month,
        cameras
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO ledger_picture (level, start_ms, camera, cause, millis)
         SELECT 2, ?1, camera, cause, sum(millis) FROM ledger_picture
         WHERE level = 1 AND start_ms >= ?1 AND start_ms < ?2 AND camera IN (SELECT value FROM json_each(?3))
         GROUP BY camera, cause",
        month,
        next,
        cameras
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What held within a time, by camera, oldest first.
async fn stretches(
    tx: &mut SqliteConnection,
    from: i64,
    until: i64,
    cameras: &str,
) -> Result<HashMap<i64, Vec<Stretch>>, Fault> {
    let rows = sqlx::query!(
        r#"SELECT camera AS "camera!: i64", from_ms AS "from_ms!: i64", until_ms AS "until_ms: i64",
               status AS "status!: String", cause AS "cause: String" FROM (
               SELECT camera, from_ms, until_ms, status, cause
               FROM status_interval WHERE from_ms >= ?1 AND from_ms < ?2
               UNION ALL
               SELECT held.camera, held.from_ms, held.until_ms, held.status, held.cause
               FROM json_each(?3) AS one
               JOIN status_interval AS held ON held.camera = one.value AND held.from_ms = (
                   SELECT max(from_ms) FROM status_interval WHERE camera = one.value AND from_ms < ?1
               )
               WHERE held.until_ms IS NULL OR held.until_ms > ?1
           ) ORDER BY camera, from_ms"#,
        from,
        until,
        cameras
    )
    .fetch_all(tx)
    .await?;
    let mut found: HashMap<i64, Vec<Stretch>> = HashMap::new();
    for row in rows {
        found.entry(row.camera).or_default().push(Stretch {
            from: Wall(row.from_ms),
            until: row.until_ms.map(Wall),
            status: word(&row.status, Status::from_code)?,
            cause: row.cause.map(|c| word(&c, Cause::from_code)).transpose()?,
        });
    }
    Ok(found)
}

async fn snapshots(tx: &mut SqliteConnection, day: i64) -> Result<HashMap<(i64, i64), (u32, u32)>, Fault> {
    let end = day + DAY_MS;
    let rows = sqlx::query!(
        "SELECT hour_ms, camera, stored, gaps FROM ledger_snapshots WHERE hour_ms >= ? AND hour_ms < ?",
        day,
        end
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(|r| Ok(((r.hour_ms, r.camera), (number(r.stored)?, number(r.gaps)?)))).collect()
}

/// What the day before says.
pub(super) async fn carries(tx: &mut SqliteConnection, day: i64) -> Result<HashMap<i64, Carry>, Fault> {
    let rows = sqlx::query!(
        "SELECT camera, outage_since, outage_down, last_end FROM ledger_roll WHERE level = 1 AND start_ms = ?",
        day
    )
    .fetch_all(tx)
    .await?;
    let carry = |since: Option<i64>, down: Option<i64>, last_end: Option<i64>| Carry {
        outage: since.zip(down).map(|(since, down_ms)| OpenOutage { since: Wall(since), down_ms }),
        last_end: last_end.map(Wall),
    };
    Ok(rows.into_iter().map(|r| (r.camera, carry(r.outage_since, r.outage_down, r.last_end))).collect())
}
