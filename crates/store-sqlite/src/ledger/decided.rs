//! What people decided about time: excuses that were handed in, maintenance windows, third-party holds of work orders.
//!
//! Whatever it comes from, it ends up as lines of one table, and a line that comes, goes or changes lowers the marks of
//! its camera in the same transaction. Frozen months are left as they are.

use super::{frozen_until, reopen};
use crate::{
    error::{Fault, number, word},
    windows,
};
use fleet::{CameraId, Wall};
use health::{
    Window,
    desk::{ExcuseDecision, ExcuseRequest, Order},
    ledger::{Excuse, ExcuseKind},
};
use sqlx::{SqliteConnection, SqlitePool};
use std::{collections::HashMap, ops::Range};
use store::StoreError;

const MOST_EXCUSES: i64 = 10_000;

/// Takes in excuses that somebody hands in.
pub(super) async fn hand_in(tx: &mut SqliteConnection, excuses: &[Excuse]) -> Result<(), Fault> {
    for e in excuses {
        if e.from >= e.until {
            return Err(StoreError::Invalid("an excuse must end after it begins".into()).into());
        }
        not_frozen(&mut *tx, e.from).await?;
        put(&mut *tx, e, "").await?;
    }
    Ok(())
}

/// Nothing is decided any more about a month that is frozen.
pub(crate) async fn not_frozen(tx: &mut SqliteConnection, from: Wall) -> Result<(), Fault> {
    let frozen = frozen_until(tx).await?.unwrap_or(i64::MIN);
    if from.0 < frozen {
        return Err(StoreError::Invalid("this month is frozen: its figures cannot change any more".into()).into());
    }
    Ok(())
}

/// A request was granted: its time is out of the figures of the cameras that its scope covers.
pub(crate) async fn grant(
    tx: &mut SqliteConnection,
    request: &ExcuseRequest,
    decision: &ExcuseDecision,
) -> Result<(), Fault> {
    let source = request.id.to_string();
    for camera in windows::cameras(&mut *tx, &request.scope).await? {
        let excuse = Excuse {
            camera,
            from: request.from,
            until: request.until,
            kind: request.kind,
            by: format!("{} → {}", request.by, decision.by),
            reason: format!("{}（{}）", request.reason, request.id),
            recorded: decision.at,
        };
        put(&mut *tx, &excuse, &source).await?;
    }
    Ok(())
}

/// A work order changed: the ledger leaves out what it says now, and only that.
pub(crate) async fn order_changed(tx: &mut SqliteConnection, order: &Order) -> Result<(), Fault> {
    let source = order.id.to_string();
    let frozen = frozen_until(&mut *tx).await?.unwrap_or(i64::MIN);
    let wanted = order.excuses();
    let mut kept = lines_of(&mut *tx, &source).await?;
    for excuse in wanted {
        let from = Wall(excuse.from.0.max(frozen));
        if from >= excuse.until {
            continue;
        }
        let excuse = Excuse { from, ..excuse };
        let known = kept.iter().position(|k| k.camera == excuse.camera && (k.from, k.until) == (from, excuse.until));
        match known {
            Some(at) => {
                kept.swap_remove(at);
            }
            None => put(&mut *tx, &excuse, &source).await?,
        }
    }
    for gone in kept.into_iter().filter(|k| k.until.0 > frozen) {
        // What reached into a month that is frozen by now stays there.
        move_end(&mut *tx, &gone, gone.from.max(Wall(frozen)), &source).await?;
    }
    Ok(())
}

/// Takes in what maintenance windows say by now: of those that have begun, and of ended ones a last time.
///
/// A window counts from when it was planned, whatever it says: nobody plans the past. A camera that comes into its
/// scope, or leaves it, is in it from, or until, the turn at which that is seen.
pub(super) async fn windows_by(tx: &mut SqliteConnection, now: Wall) -> Result<(), Fault> {
    let frozen = frozen_until(&mut *tx).await?.unwrap_or(i64::MIN);
    for (window, counted) in windows::uncounted(&mut *tx, now).await? {
        let cameras = windows::cameras(&mut *tx, &window.scope).await?;
        follow(&mut *tx, &window, counted, &cameras, now, frozen).await?;
        windows::count(&mut *tx, window.id, now).await?;
    }
    Ok(())
}

async fn follow(
    tx: &mut SqliteConnection,
    window: &Window,
    counted: Option<Wall>,
    cameras: &[CameraId],
    now: Wall,
    frozen: i64,
) -> Result<(), Fault> {
    let source = window.id.to_string();
    let begin = window.from.max(window.created);
    let since = counted.map_or(begin, |counted| counted.max(begin));
    let end = window.end();
    // The line of each camera that still ran when we looked last.
    let mut running: HashMap<CameraId, Excuse> = HashMap::new();
    for line in lines_of(&mut *tx, &source).await? {
        if counted.is_none_or(|counted| line.until > counted) {
            running.insert(line.camera, line);
        }
    }
    for &camera in cameras {
        match running.remove(&camera) {
            Some(line) if line.until != end => move_end(&mut *tx, &line, end.max(Wall(frozen)), &source).await?,
            Some(_) => {}
            None => {
                let from = Wall(since.0.max(frozen));
                if from < end {
                    let kind = if window.excused { ExcuseKind::Planned } else { ExcuseKind::Counted };
                    let excuse = Excuse {
                        camera,
                        from,
                        until: end,
                        kind,
                        by: window.by.clone(),
                        reason: format!("{}（{}）", window.reason, window.id),
                        recorded: window.created,
                    };
                    put(&mut *tx, &excuse, &source).await?;
                }
            }
        }
    }
    for line in running.into_values() {
        move_end(&mut *tx, &line, end.min(now).max(Wall(frozen)), &source).await?;
    }
    Ok(())
}

/// Writes a line.
async fn put(tx: &mut SqliteConnection, e: &Excuse, source: &str) -> Result<(), Fault> {
    let (camera, kind) = (i64::from(e.camera.0), e.kind.code());
    sqlx::query!(
        "INSERT OR IGNORE INTO excuse (camera, from_ms, until_ms, kind, by_whom, reason, recorded_ms, source)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        camera,
        e.from.0,
        e.until.0,
        kind,
        e.by,
        e.reason,
        e.recorded.0,
        source
    )
    .execute(&mut *tx)
    .await?;
    reopen(tx, camera, e.from.0).await
}

/// Ends a line at another time; at or before its beginning means that it goes.
async fn move_end(tx: &mut SqliteConnection, line: &Excuse, end: Wall, source: &str) -> Result<(), Fault> {
    let (camera, kind) = (i64::from(line.camera.0), line.kind.code());
    let (from, until) = (line.from.0, line.until.0);
    sqlx::query!(
        "DELETE FROM excuse WHERE camera = ? AND from_ms = ? AND until_ms = ? AND kind = ? AND source = ?",
        camera,
        from,
        until,
        kind,
        source
    )
    .execute(&mut *tx)
    .await?;
    if end > line.from {
        put(&mut *tx, &Excuse { until: end, ..line.clone() }, source).await?;
    }
    reopen(tx, camera, line.until.min(end).max(line.from).0).await
}

async fn lines_of(tx: &mut SqliteConnection, source: &str) -> Result<Vec<Excuse>, Fault> {
    let rows = sqlx::query_as!(
        ExcuseRow,
        "SELECT camera, from_ms, until_ms, kind, by_whom, reason, recorded_ms FROM excuse WHERE source = ?",
        source
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(ExcuseRow::excuse).collect()
}

/// Lines that overlap a range, of one camera or all.
pub(super) async fn within(
    pool: &SqlitePool,
    camera: Option<CameraId>,
    range: &Range<Wall>,
) -> Result<Vec<Excuse>, Fault> {
    let camera = camera.map(|c| i64::from(c.0));
    let rows = sqlx::query_as!(
        ExcuseRow,
        r#"SELECT camera AS "camera!", from_ms AS "from_ms!", until_ms AS "until_ms!", kind AS "kind!",
               by_whom AS "by_whom!", reason AS "reason!", recorded_ms AS "recorded_ms!" FROM excuse
         WHERE until_ms > ?1 AND from_ms < ?2 AND (?3 IS NULL OR camera = ?3)
         ORDER BY from_ms, camera LIMIT ?4"#,
        range.start.0,
        range.end.0,
        camera,
        MOST_EXCUSES
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(ExcuseRow::excuse).collect()
}

/// Lines within a day that is rolled up, by camera.
pub(super) async fn of_day(
    tx: &mut SqliteConnection,
    from: i64,
    until: i64,
) -> Result<HashMap<i64, Vec<Excuse>>, Fault> {
    let rows = sqlx::query_as!(
        ExcuseRow,
        r#"SELECT camera AS "camera!", from_ms AS "from_ms!", until_ms AS "until_ms!", kind AS "kind!",
               by_whom AS "by_whom!", reason AS "reason!", recorded_ms AS "recorded_ms!" FROM excuse
         WHERE until_ms > ? AND from_ms < ?"#,
        from,
        until
    )
    .fetch_all(tx)
    .await?;
    let mut found: HashMap<i64, Vec<Excuse>> = HashMap::new();
    for row in rows {
        found.entry(row.camera).or_default().push(row.excuse()?);
    }
    Ok(found)
}

struct ExcuseRow {
    camera: i64,
    from_ms: i64,
    until_ms: i64,
    kind: String,
    by_whom: String,
    reason: String,
    recorded_ms: i64,
}

impl ExcuseRow {
    fn excuse(self) -> Result<Excuse, Fault> {
        Ok(Excuse {
            camera: CameraId(number(self.camera)?),
            from: Wall(self.from_ms),
            until: Wall(self.until_ms),
            kind: word(&self.kind, ExcuseKind::from_code)?,
            by: self.by_whom,
            reason: self.reason,
            recorded: Wall(self.recorded_ms),
        })
    }
}
