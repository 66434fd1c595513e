//! Planned maintenance.

use crate::{
    SqliteStore,
    error::{Fault, limited, number},
    incidents,
};
use fleet::{CameraId, Wall};
use health::{NewWindow, Scope, Window, WindowId};
use sqlx::{SqliteConnection, SqlitePool};
use std::ops::Range;
use store::{MOST_WINDOWS, Result, StoreError, WindowStore};

#[async_trait::async_trait]
impl WindowStore for SqliteStore {
    async fn add_window(&self, window: NewWindow) -> Result<Window> {
        self.writer.write(move |tx| Box::pin(add(tx, window))).await
    }

    async fn end_window(&self, id: WindowId, at: Wall, by: &str) -> Result<Window> {
        let by = by.to_owned();
        self.writer.write(move |tx| Box::pin(end(tx, id, at, by))).await
    }

    async fn windows(&self, range: Range<Wall>) -> Result<Vec<Window>> {
        limited(within(&self.reader, range)).await
    }
}

async fn add(tx: &mut SqliteConnection, window: NewWindow) -> std::result::Result<Window, Fault> {
    let created = window.created.0;
    let planned =
        sqlx::query_scalar!("SELECT count(*) FROM maintenance_window WHERE coalesce(ended_ms, until_ms) > ?", created)
            .fetch_one(&mut *tx)
            .await?;
    if planned >= MOST_WINDOWS as i64 {
        return Err(StoreError::Invalid(format!("{MOST_WINDOWS} windows are planned already; end some first")).into());
    }
    let (kind, scope_id) = incidents::scope(&window.scope);
    let (from, until) = (window.from.0, window.until.0);
    let added = sqlx::query!(
        "INSERT INTO maintenance_window (scope_kind, scope_id, from_ms, until_ms, reason, by_name, excused, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        kind,
        scope_id,
        from,
        until,
        window.reason,
        window.by,
        window.excused,
        created
    )
    .execute(tx)
    .await?;
    let NewWindow { scope, from, until, reason, by, excused, created } = window;
    let id =
        WindowId(u64::try_from(added.last_insert_rowid()).map_err(|_| Fault::Damaged("a number is out of range"))?);
    Ok(Window { id, scope, from, until, reason, by, excused, created, ended: None, ended_by: None })
}

async fn end(tx: &mut SqliteConnection, id: WindowId, at: Wall, by: String) -> std::result::Result<Window, Fault> {
    let missing = || StoreError::Missing(format!("the window {id}"));
    let key = i64::try_from(id.0).map_err(|_| missing())?;
    let row = sqlx::query_as!(Row, "SELECT * FROM maintenance_window WHERE id = ?", key)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(missing)?;
    let window = row.window()?;
    if window.ended.is_some() || window.until <= at {
        return Err(StoreError::Invalid(format!("the window {id} is over already")).into());
    }
    let at_ms = at.0;
    sqlx::query!("UPDATE maintenance_window SET ended_ms = ?, ended_by = ? WHERE id = ?", at_ms, by, key)
        .execute(tx)
        .await?;
    Ok(Window { ended: Some(at), ended_by: Some(by), ..window })
}

/// Windows that have begun and of which the ledger does not know all yet, and up to when it does.
pub(crate) async fn uncounted(
    tx: &mut SqliteConnection,
    now: Wall,
) -> std::result::Result<Vec<(Window, Option<Wall>)>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM maintenance_window
         WHERE from_ms <= ? AND (counted_ms IS NULL OR counted_ms < coalesce(min(ended_ms, until_ms), until_ms))
         ORDER BY id",
        now.0
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let counted = row.counted_ms.map(Wall);
            Ok((row.window()?, counted))
        })
        .collect()
}

/// The ledger knows a window up to now.
pub(crate) async fn count(tx: &mut SqliteConnection, id: WindowId, now: Wall) -> std::result::Result<(), Fault> {
    let id = i64::try_from(id.0).map_err(|_| Fault::Damaged("a number is out of range"))?;
    sqlx::query!("UPDATE maintenance_window SET counted_ms = ? WHERE id = ?", now.0, id).execute(tx).await?;
    Ok(())
}

/// The cameras that a scope covers, by the register: as `Scope::covers` says it.
pub(crate) async fn cameras(tx: &mut SqliteConnection, scope: &Scope) -> std::result::Result<Vec<CameraId>, Fault> {
    let (kind, id) = incidents::scope(scope);
    let found = sqlx::query_scalar!(
        r#"SELECT camera.id AS "id!: i64" FROM camera
           JOIN site ON site.id = camera.site LEFT JOIN uplink ON uplink.id = camera.uplink
           WHERE CASE ?1
               WHEN 'camera' THEN camera.id = CAST(?2 AS INTEGER)
               WHEN 'uplink' THEN camera.uplink = CAST(?2 AS INTEGER)
               WHEN 'site' THEN camera.site = CAST(?2 AS INTEGER)
               WHEN 'olt' THEN uplink.olt = ?2
               WHEN 'town' THEN site.town = CAST(?2 AS INTEGER)
               WHEN 'county' THEN 1
               ELSE 0 END
           ORDER BY camera.id"#,
        kind,
        id
    )
    .fetch_all(tx)
    .await?;
    found.into_iter().map(|id| number(id).map(CameraId)).collect()
}

async fn within(pool: &SqlitePool, range: Range<Wall>) -> std::result::Result<Vec<Window>, Fault> {
    let (from, until) = (range.start.0, range.end.0);
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM maintenance_window WHERE until_ms > ? AND from_ms < ? ORDER BY from_ms, id",
        from,
        until
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::window).collect()
}

/// The table's columns.
struct Row {
    id: i64,
    scope_kind: String,
    scope_id: String,
    from_ms: i64,
    until_ms: i64,
    ended_ms: Option<i64>,
    ended_by: Option<String>,
    reason: String,
    by_name: String,
    excused: i64,
    created_ms: i64,
    counted_ms: Option<i64>,
}

impl Row {
    fn window(self) -> std::result::Result<Window, Fault> {
        Ok(Window {
            id: WindowId(u64::try_from(self.id).map_err(|_| Fault::Damaged("a number is out of range"))?),
            scope: incidents::scope_of(&self.scope_kind, &self.scope_id)?,
            from: Wall(self.from_ms),
            until: Wall(self.until_ms),
            reason: self.reason,
            by: self.by_name,
            excused: self.excused != 0,
            created: Wall(self.created_ms),
            ended: self.ended_ms.map(Wall),
            ended_by: self.ended_by,
        })
    }
}
