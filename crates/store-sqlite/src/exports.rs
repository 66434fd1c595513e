//! Exports of evidence: the whole as JSON, with the columns that find it.

use crate::{
    cursor::{Cursor, limit, page},
    error::Fault,
};
use sqlx::{SqliteConnection, SqlitePool};
use store::{Export, ExportId, ExportQuery, Page, StoreError};

pub(crate) async fn add(tx: &mut SqliteConnection, mut export: Export) -> Result<Export, Fault> {
    let (created, state) = (export.created.0, export.state.code());
    let id = sqlx::query!(
        "INSERT INTO export (created_ms, who, state, body) VALUES (?, ?, ?, '')",
        created,
        export.who,
        state
    )
    .execute(&mut *tx)
    .await?
    .last_insert_rowid();
    export.id = ExportId(u32::try_from(id).map_err(|_| Fault::Damaged("an export's number is too large"))?);
    update(tx, &export).await?;
    Ok(export)
}

pub(crate) async fn update(tx: &mut SqliteConnection, export: &Export) -> Result<(), Fault> {
    let (state, body) = (export.state.code(), serde_json::to_string(export)?);
    let done = sqlx::query!("UPDATE export SET state = ?, body = ? WHERE id = ?", state, body, export.id.0)
        .execute(tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Fault::Store(StoreError::Missing("the export".into())));
    }
    Ok(())
}

pub(crate) async fn one(pool: &SqlitePool, id: ExportId) -> Result<Option<Export>, Fault> {
    let body = sqlx::query_scalar!("SELECT body FROM export WHERE id = ?", id.0).fetch_optional(pool).await?;
    body.map(|b| Ok(serde_json::from_str(&b)?)).transpose()
}

pub(crate) async fn list(pool: &SqlitePool, query: &ExportQuery) -> Result<Page<Export>, Fault> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let before = Cursor::parse(query.cursor.as_deref())?.major;
    let state = query.state.map(store::ExportState::code);
    let bodies = match (&query.who, state) {
        (Some(who), state) => {
            sqlx::query_scalar!(
                "SELECT body FROM export WHERE who = ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3)
                 ORDER BY id DESC LIMIT ?4",
                who,
                before,
                state,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, Some(state)) => {
            sqlx::query_scalar!(
                "SELECT body FROM export WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                state,
                before,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, None) => {
            sqlx::query_scalar!("SELECT body FROM export WHERE id < ?1 ORDER BY id DESC LIMIT ?2", before, read)
                .fetch_all(pool)
                .await?
        }
    };
    let exports = bodies.iter().map(|b| Ok(serde_json::from_str(b)?)).collect::<Result<Vec<Export>, Fault>>()?;
    Ok(page(exports, limit, |e| Cursor { major: i64::from(e.id.0), minor: 0 }))
}
