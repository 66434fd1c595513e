//! Frozen months: what was reported, kept as it was, each hash over the one before.

use super::{
    frozen_until, read,
    rows::{MONTHS, camera as camera_of, cause},
};
use crate::error::{Fault, number};
use fleet::{CameraId, Wall};
use health::ledger::{Calendar, DAY_MS, Rules};
use sha2::{Digest, Sha256};
use sqlx::{Row as _, SqliteConnection};
use std::collections::HashMap;
use store::{FREEZE_AFTER_DAYS, Frozen, FrozenPlace, LedgerLine, RollUp};

/// Freezes the oldest month that is ripe: over for long enough, and rolled up.
pub(super) async fn ripe(tx: &mut SqliteConnection, work: &RollUp, upto: Option<i64>) -> Result<(), Fault> {
    let month = match frozen_until(&mut *tx).await? {
        Some(until) => until,
        None => {
            let first = sqlx::query_scalar!(r#"SELECT min(start_ms) AS "start: i64" FROM ledger_roll WHERE level = 2"#)
                .fetch_one(&mut *tx)
                .await?;
            let Some(first) = first else { return Ok(()) };
            first
        }
    };
    let until = Calendar::next_month(Wall(month)).0;
    let over = until.saturating_add(FREEZE_AFTER_DAYS * DAY_MS) <= work.now.0;
    if !over || upto.is_none_or(|u| u < until) {
        return Ok(());
    }
    let mut lines = read::level_lines(&mut *tx, MONTHS, month, until).await?;
    let kinds = read::kinds_at(&mut *tx, until - 1).await?;
    let mut places = places(&mut *tx).await?;
    let mut all = Vec::with_capacity(lines.len());
    for (camera, tally) in std::mem::take(&mut lines) {
        all.push(LedgerLine { camera, tally, last: kinds.get(&camera).copied(), place: places.remove(&camera) });
    }
    let body = serde_json::to_string(&all)?;
    let rules = serde_json::to_string(&work.rules)?;
    let hash = hash(before(&mut *tx, month).await?.as_deref(), month, &rules, &body).to_vec();
    sqlx::query!(
        "INSERT INTO ledger_frozen (month_ms, until_ms, frozen_ms, rules, body, hash) VALUES (?, ?, ?, ?, ?, ?)",
        month,
        until,
        work.now.0,
        rules,
        body,
        hash
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A frozen month, if it is frozen and as it was written.
pub(super) async fn read(
    tx: &mut SqliteConnection,
    month: i64,
    until: i64,
) -> Result<Option<(Frozen, Vec<LedgerLine>)>, Fault> {
    let row = sqlx::query!(
        "SELECT frozen_ms, rules, body, hash FROM ledger_frozen WHERE month_ms = ? AND until_ms = ?",
        month,
        until
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let hash = hash(before(&mut *tx, month).await?.as_deref(), month, &row.rules, &row.body);
    if row.hash != hash {
        return Err(Fault::Damaged("a frozen month is not as it was written"));
    }
    let rules: Rules = serde_json::from_str(&row.rules)?;
    let frozen = Frozen { at: Wall(row.frozen_ms), rules, hash };
    Ok(Some((frozen, serde_json::from_str(&row.body)?)))
}

async fn before(tx: &mut SqliteConnection, month: i64) -> Result<Option<Vec<u8>>, Fault> {
    Ok(sqlx::query_scalar!("SELECT hash FROM ledger_frozen WHERE month_ms < ? ORDER BY month_ms DESC LIMIT 1", month)
        .fetch_optional(tx)
        .await?)
}

fn hash(before: Option<&[u8]>, month: i64, rules: &str, body: &str) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(before.unwrap_or(&[0; 32]));
    sha.update(month.to_be_bytes());
    for text in [rules, body] {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text);
    }
    sha.finalize().into()
}

/// Where each camera belongs now.
async fn places(tx: &mut SqliteConnection) -> Result<HashMap<CameraId, FrozenPlace>, Fault> {
    let rows = sqlx::query(
        "SELECT camera.id, camera.name, site.id, site.name, town.id, town.name, camera.upkeep_unit
         FROM camera JOIN site ON site.id = camera.site JOIN town ON town.id = site.town",
    )
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let place = FrozenPlace {
                name: row.try_get(1)?,
                site: number(row.try_get(2)?)?,
                site_name: row.try_get(3)?,
                town: number(row.try_get(4)?)?,
                town_name: row.try_get(5)?,
                contractor: row.try_get(6)?,
            };
            Ok((camera_of(row, 0)?, place))
        })
        .collect()
}

/// Faults of pictures of one level within a time.
pub(super) async fn pictures(
    tx: &mut SqliteConnection,
    level: i64,
    from: i64,
    until: i64,
) -> Result<Vec<(CameraId, fleet::Cause, i64)>, Fault> {
    let rows = sqlx::query(
        "SELECT camera, cause, sum(millis) FROM ledger_picture
         WHERE level = ? AND start_ms >= ? AND start_ms < ? GROUP BY camera, cause",
    )
    .bind(level)
    .bind(from)
    .bind(until)
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| Ok((camera_of(row, 0)?, cause(row, 1)?, row.try_get(2)?))).collect()
}
