//! Shifts handed over.

use crate::{
    SqliteStore,
    cursor::{Cursor, limit, page},
    error::{Fault, limited},
};
use fleet::Wall;
use sqlx::{SqliteConnection, SqlitePool};
use store::{Handover, HandoverId, HandoverQuery, HandoverStore, NewHandover, Page, Result, Signature, StoreError};

#[async_trait::async_trait]
impl HandoverStore for SqliteStore {
    async fn add_handover(&self, handover: NewHandover) -> Result<Handover> {
        self.writer.write(move |tx| Box::pin(add(tx, handover))).await
    }

    async fn take_handover(&self, id: HandoverId, taken: Signature) -> Result<Handover> {
        self.writer.write(move |tx| Box::pin(take(tx, id, taken))).await
    }

    async fn handover(&self, id: HandoverId) -> Result<Option<Handover>> {
        limited(one(&self.reader, id)).await
    }

    async fn handovers(&self, query: &HandoverQuery) -> Result<Page<Handover>> {
        limited(list(&self.reader, query)).await
    }
}

async fn add(tx: &mut SqliteConnection, new: NewHandover) -> std::result::Result<Handover, Fault> {
    let (part, given) = (serde_json::to_string(&new.part)?, serde_json::to_string(&new.given)?);
    let (from, until) = (new.from.0, new.until.0);
    let last = sqlx::query_scalar!("SELECT until_ms FROM handover WHERE part = ? ORDER BY id DESC LIMIT 1", part)
        .fetch_optional(&mut *tx)
        .await?;
    if last.is_some_and(|last| last > from) {
        return Err(StoreError::Conflict("a later handover".into()).into());
    }
    let added = sqlx::query!(
        "INSERT INTO handover (from_ms, until_ms, part, given, report) VALUES (?, ?, ?, ?, ?)",
        from,
        until,
        part,
        given,
        new.report
    )
    .execute(tx)
    .await?;
    let NewHandover { from, until, part, given, report } = new;
    Ok(Handover { id: number(added.last_insert_rowid())?, from, until, part, given, taken: None, report })
}

async fn take(tx: &mut SqliteConnection, id: HandoverId, taken: Signature) -> std::result::Result<Handover, Fault> {
    let missing = || StoreError::Missing("the handover".into());
    let key = i64::try_from(id.0).map_err(|_| missing())?;
    let row = sqlx::query_as!(Row, "SELECT * FROM handover WHERE id = ?", key)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(missing)?;
    let handover = row.handover()?;
    if handover.taken.is_some() {
        return Err(StoreError::Conflict("the signature of whoever took this shift over".into()).into());
    }
    let text = serde_json::to_string(&taken)?;
    sqlx::query!("UPDATE handover SET taken = ? WHERE id = ?", text, key).execute(tx).await?;
    Ok(Handover { taken: Some(taken), ..handover })
}

async fn one(pool: &SqlitePool, id: HandoverId) -> std::result::Result<Option<Handover>, Fault> {
    let Ok(key) = i64::try_from(id.0) else { return Ok(None) };
    let row = sqlx::query_as!(Row, "SELECT * FROM handover WHERE id = ?", key).fetch_optional(pool).await?;
    row.map(Row::handover).transpose()
}

async fn list(pool: &SqlitePool, query: &HandoverQuery) -> std::result::Result<Page<Handover>, Fault> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let before = Cursor::parse(query.cursor.as_deref())?.major;
    let rows = match &query.part {
        Some(part) => {
            let part = serde_json::to_string(part)?;
            sqlx::query_as!(
                Row,
                "SELECT * FROM handover WHERE part = ? AND id < ? ORDER BY id DESC LIMIT ?",
                part,
                before,
                read
            )
            .fetch_all(pool)
            .await?
        }
        None => {
            sqlx::query_as!(Row, "SELECT * FROM handover WHERE id < ? ORDER BY id DESC LIMIT ?", before, read)
                .fetch_all(pool)
                .await?
        }
    };
    let rows = rows.into_iter().map(Row::handover).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(page(rows, limit, |h| Cursor { major: i64::try_from(h.id.0).unwrap_or(i64::MAX), minor: 0 }))
}

fn number(id: i64) -> std::result::Result<HandoverId, Fault> {
    u64::try_from(id).map(HandoverId).map_err(|_| Fault::Damaged("a number is out of range"))
}

/// The table's columns.
struct Row {
    id: i64,
    from_ms: i64,
    until_ms: i64,
    part: String,
    given: String,
    taken: Option<String>,
    report: String,
}

impl Row {
    fn handover(self) -> std::result::Result<Handover, Fault> {
        Ok(Handover {
            id: number(self.id)?,
            from: Wall(self.from_ms),
            until: Wall(self.until_ms),
            part: serde_json::from_str(&self.part)?,
            given: serde_json::from_str(&self.given)?,
            taken: self.taken.map(|t| serde_json::from_str(&t)).transpose()?,
            report: self.report,
        })
    }
}
