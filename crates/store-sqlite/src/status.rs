//! Status intervals: appended and ended; rewritten only where our clock had been ahead ([`put_right`]).
//!
//! A camera with any history has exactly one open interval, its newest, and none of its intervals overlap or leave a
//! hole. Its recorded time never runs back: a change that claims an instant not after the newest one (our clock was
//! set back, or two changes fell into one millisecond) is recorded one millisecond after it, with what it claimed
//! beside it, by which a repetition is recognised.

use crate::{
    cursor::{Cursor, limit, page},
    error::{Fault, number, word},
    ledger,
};
use fleet::{CameraId, Cause, Layer, Status, Wall};
use health::{StatusChange, Unobserved};
use sqlx::{SqliteConnection, SqlitePool};
use std::{collections::BTreeMap, ops::Range};
use store::{HistoryQuery, Page, StatusInterval, StatusSeconds};

/// Ends the camera's open interval and begins the next. Repeating it changes nothing.
pub(crate) async fn append(tx: &mut SqliteConnection, change: &StatusChange) -> Result<(), Fault> {
    let camera = i64::from(change.camera.0);
    let told = change.at.0;
    let (status, detail) = (change.status.code(), change.detail.as_str());
    let (layer, cause) = (change.layer.map(Layer::code), change.cause.map(Cause::code));
    let open = sqlx::query_scalar!(
        r#"SELECT from_ms AS "from_ms!" FROM status_interval WHERE camera = ? AND until_ms IS NULL"#,
        camera
    )
    .fetch_optional(&mut *tx)
    .await?;
    let mut from = told;
    if let Some(open) = open {
        if told <= open {
            let known = sqlx::query_scalar!(
                "SELECT count(*) FROM status_interval
                 WHERE camera = ?1 AND from_ms >= ?2 AND coalesce(told_ms, from_ms) = ?2
                   AND status = ?3 AND layer IS ?4 AND cause IS ?5 AND detail = ?6",
                camera,
                told,
                status,
                layer,
                cause,
                detail
            )
            .fetch_one(&mut *tx)
            .await?;
            if known > 0 {
                return Ok(());
            }
            from = open.saturating_add(1);
        }
        ledger::reopen(&mut *tx, camera, from).await?;
        sqlx::query!("UPDATE status_interval SET until_ms = ? WHERE from_ms = ? AND camera = ?", from, open, camera)
            .execute(&mut *tx)
            .await?;
    }
    let told = (told != from).then_some(told);
    sqlx::query!(
        "INSERT INTO status_interval (from_ms, camera, told_ms, status, layer, cause, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        from,
        camera,
        told,
        status,
        layer,
        cause,
        detail
    )
    .execute(&mut *tx)
    .await?;
    refusal(tx, change, from).await
}

/// Keeps in mind that a camera refused its password, until something else is known of it.
async fn refusal(tx: &mut SqliteConnection, change: &StatusChange, from: i64) -> Result<(), Fault> {
    let camera = i64::from(change.camera.0);
    if change.is_refusal() {
        let detail = change.detail.as_str();
        sqlx::query!(
            "INSERT INTO refusal (camera, since_ms, detail) VALUES (?, ?, ?)
             ON CONFLICT (camera) DO UPDATE SET since_ms = excluded.since_ms, detail = excluded.detail",
            camera,
            from,
            detail
        )
        .execute(tx)
        .await?;
    } else if change.ends_refusal() {
        sqlx::query!("DELETE FROM refusal WHERE camera = ?", camera).execute(tx).await?;
    }
    Ok(())
}

/// Puts `unknown` where nobody looked into what goes on. Repeating it changes nothing.
pub(crate) async fn unobserved(tx: &mut SqliteConnection, gap: &Unobserved) -> Result<(), Fault> {
    let (unknown, paused) = (Status::Unknown.code(), Status::Paused.code());
    let rows = sqlx::query_as!(
        Row,
        "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
         WHERE until_ms IS NULL AND status <> ? AND status <> ? AND from_ms < ?",
        unknown,
        paused,
        gap.until.0
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        let held = row.interval()?;
        let nobody_looked = StatusChange {
            camera: held.camera,
            at: gap.from,
            status: Status::Unknown,
            from: None,
            layer: Some(gap.cause.layer()),
            cause: Some(gap.cause),
            detail: gap.detail.clone(),
        };
        append(&mut *tx, &nobody_looked).await?;
        let StatusInterval { camera, status, layer, cause, detail, .. } = held;
        append(&mut *tx, &StatusChange { camera, at: gap.until, status, from: None, layer, cause, detail }).await?;
    }
    Ok(())
}

/// Our clock was ahead and is right again: what was entered into times to come leaves them. What holds of a camera holds
/// from now on, and what went on when the clock was set goes on until now: `unknown`, as nobody knows how long which
/// status lasted meanwhile.
pub(crate) async fn put_right(tx: &mut SqliteConnection, now: Wall) -> Result<(), Fault> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
         WHERE until_ms IS NULL AND from_ms > ?",
        now.0
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        let (camera, ahead) = (row.camera, row.from_ms);
        sqlx::query!("DELETE FROM status_interval WHERE camera = ? AND from_ms >= ?", camera, now.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("UPDATE status_interval SET until_ms = ?1 WHERE camera = ?2 AND until_ms > ?1", now.0, camera)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "INSERT INTO status_interval (from_ms, camera, told_ms, status, layer, cause, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            now.0,
            camera,
            ahead,
            row.status,
            row.layer,
            row.cause,
            row.detail
        )
        .execute(&mut *tx)
        .await?;
        ledger::reopen(&mut *tx, camera, now.0).await?;
    }
    Ok(())
}

/// A page of intervals, newest first.
pub(crate) async fn history(pool: &SqlitePool, query: &HistoryQuery) -> Result<Page<StatusInterval>, Fault> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let after = Cursor::parse(query.cursor.as_deref())?;
    let from = query.from.map_or(i64::MIN, |w| w.0);
    let until = query.until.map_or(i64::MAX, |w| w.0);
    let rows = match query.camera {
        Some(camera) => {
            let camera = i64::from(camera.0);
            sqlx::query_as!(
                Row,
                "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
                 WHERE camera = ?1 AND from_ms >= ?2 AND from_ms < ?3 AND from_ms < ?4
                 ORDER BY from_ms DESC LIMIT ?5",
                camera,
                from,
                until,
                after.major,
                read
            )
            .fetch_all(pool)
            .await?
        }
        None => {
            sqlx::query_as!(
                Row,
                "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
                 WHERE from_ms >= ?1 AND from_ms < ?2 AND (from_ms, camera) < (?3, ?4)
                 ORDER BY from_ms DESC, camera DESC LIMIT ?5",
                from,
                until,
                after.major,
                after.minor,
                read
            )
            .fetch_all(pool)
            .await?
        }
    };
    let rows = rows.into_iter().map(Row::interval).collect::<Result<Vec<_>, _>>()?;
    Ok(page(rows, limit, |i| Cursor { major: i.from.0, minor: i64::from(i.camera.0) }))
}

/// The interval that began last before or at an instant.
pub(crate) async fn at(pool: &SqlitePool, camera: CameraId, at: Wall) -> Result<Option<StatusInterval>, Fault> {
    let (camera, at) = (i64::from(camera.0), at.0);
    sqlx::query_as!(
        Row,
        "SELECT from_ms, camera, until_ms, status, layer, cause, detail FROM status_interval
         WHERE camera = ? AND from_ms <= ? ORDER BY from_ms DESC LIMIT 1",
        camera,
        at
    )
    .fetch_optional(pool)
    .await?
    .map(Row::interval)
    .transpose()
}

/// How long each camera had each status within a range.
pub(crate) async fn seconds(pool: &SqlitePool, range: Range<Wall>) -> Result<Vec<StatusSeconds>, Fault> {
    let (from, until) = (range.start.0, range.end.0);
    if from >= until {
        return Ok(Vec::new());
    }
    // What began within the range, by the primary key; and for each camera what held when it began, by the index
    // of its history. Every camera with a history has an open interval, so those name the cameras.
    let sums = sqlx::query!(
        r#"SELECT camera AS "camera!: i64", status AS "status!: String", sum(millis) AS "millis!: i64" FROM (
               SELECT camera, status, min(coalesce(until_ms, ?2), ?2) - from_ms AS millis
               FROM status_interval WHERE from_ms >= ?1 AND from_ms < ?2
               UNION ALL
               SELECT held.camera, held.status, min(coalesce(held.until_ms, ?2), ?2) - ?1
               FROM status_interval AS now
               JOIN status_interval AS held ON held.camera = now.camera AND held.from_ms = (
                   SELECT max(from_ms) FROM status_interval WHERE camera = now.camera AND from_ms < ?1
               )
               WHERE now.until_ms IS NULL AND (held.until_ms IS NULL OR held.until_ms > ?1)
           ) GROUP BY camera, status"#,
        from,
        until
    )
    .fetch_all(pool)
    .await?;
    let mut table: BTreeMap<CameraId, [i64; 5]> = BTreeMap::new();
    for sum in sums {
        let status = word(&sum.status, Status::from_code)?;
        let at = Status::ALL.iter().position(|s| *s == status).expect("ALL holds every status");
        table.entry(CameraId(number(sum.camera)?)).or_default()[at] += sum.millis;
    }
    Ok(table.into_iter().map(|(camera, millis)| StatusSeconds { camera, millis }).collect())
}

pub(crate) struct Row {
    pub(crate) from_ms: i64,
    pub(crate) camera: i64,
    pub(crate) until_ms: Option<i64>,
    pub(crate) status: String,
    pub(crate) layer: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) detail: String,
}

impl Row {
    pub(crate) fn interval(self) -> Result<StatusInterval, Fault> {
        Ok(StatusInterval {
            camera: CameraId(number(self.camera)?),
            from: Wall(self.from_ms),
            until: self.until_ms.map(Wall),
            status: word(&self.status, Status::from_code)?,
            layer: self.layer.map(|l| word(&l, Layer::from_code)).transpose()?,
            cause: self.cause.map(|c| word(&c, Cause::from_code)).transpose()?,
            detail: self.detail,
        })
    }
}
