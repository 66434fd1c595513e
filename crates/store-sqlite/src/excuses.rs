//! Excuses handed in after the fact.

use crate::{
    SqliteStore,
    error::{Fault, limited, word},
    incidents,
    ledger::decided,
};
use fleet::Wall;
use health::{
    desk::{ExcuseDecision, ExcuseId, ExcuseRequest, NewExcuseRequest},
    ledger::ExcuseKind,
};
use sqlx::{SqliteConnection, SqlitePool};
use std::ops::Range;
use store::{ExcuseStore, MOST_EXCUSE_REQUESTS, Result, StoreError};

#[async_trait::async_trait]
impl ExcuseStore for SqliteStore {
    async fn ask_excuse(&self, request: NewExcuseRequest) -> Result<ExcuseRequest> {
        self.writer.write(move |tx| Box::pin(ask(tx, request))).await
    }

    async fn decide_excuse(&self, id: ExcuseId, decision: ExcuseDecision) -> Result<ExcuseRequest> {
        self.writer.write(move |tx| Box::pin(decide(tx, id, decision))).await
    }

    async fn excuse_requests(&self, range: Range<Wall>) -> Result<Vec<ExcuseRequest>> {
        limited(within(&self.reader, range)).await
    }
}

async fn ask(tx: &mut SqliteConnection, request: NewExcuseRequest) -> std::result::Result<ExcuseRequest, Fault> {
    decided::not_frozen(&mut *tx, request.from).await?;
    let open =
        sqlx::query_scalar!("SELECT count(*) FROM excuse_request WHERE granted IS NULL").fetch_one(&mut *tx).await?;
    if open >= MOST_EXCUSE_REQUESTS as i64 {
        let full = format!("{MOST_EXCUSE_REQUESTS} requests wait for a decision already; decide some first");
        return Err(StoreError::Invalid(full).into());
    }
    let (scope_kind, scope_id) = incidents::scope(&request.scope);
    let (from, until, at, kind) = (request.from.0, request.until.0, request.at.0, request.kind.code());
    let added = sqlx::query!(
        "INSERT INTO excuse_request (scope_kind, scope_id, from_ms, until_ms, kind, reason, by_name, at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        scope_kind,
        scope_id,
        from,
        until,
        kind,
        request.reason,
        request.by,
        at
    )
    .execute(tx)
    .await?;
    let id =
        ExcuseId(u64::try_from(added.last_insert_rowid()).map_err(|_| Fault::Damaged("a number is out of range"))?);
    let NewExcuseRequest { scope, from, until, kind, reason, by, at } = request;
    Ok(ExcuseRequest { id, scope, from, until, kind, reason, by, at, decision: None })
}

async fn decide(
    tx: &mut SqliteConnection,
    id: ExcuseId,
    decision: ExcuseDecision,
) -> std::result::Result<ExcuseRequest, Fault> {
    let missing = || StoreError::Missing(format!("the request {id}"));
    let key = i64::try_from(id.0).map_err(|_| missing())?;
    let request = sqlx::query_as!(Row, "SELECT * FROM excuse_request WHERE id = ?", key)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(missing)?
        .request()?;
    if request.decision.is_some() {
        return Err(StoreError::Invalid(format!("the request {id} was decided already")).into());
    }
    if request.by == decision.by {
        return Err(StoreError::Invalid("another person than who asked must decide".into()).into());
    }
    if decision.granted {
        decided::not_frozen(&mut *tx, request.from).await?;
        decided::grant(&mut *tx, &request, &decision).await?;
    }
    let at = decision.at.0;
    sqlx::query!(
        "UPDATE excuse_request SET granted = ?, decided_by = ?, decided_ms = ?, note = ? WHERE id = ?",
        decision.granted,
        decision.by,
        at,
        decision.note,
        key
    )
    .execute(tx)
    .await?;
    Ok(ExcuseRequest { decision: Some(decision), ..request })
}

async fn within(pool: &SqlitePool, range: Range<Wall>) -> std::result::Result<Vec<ExcuseRequest>, Fault> {
    let (from, until) = (range.start.0, range.end.0);
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM excuse_request WHERE until_ms > ? AND from_ms < ? ORDER BY id DESC LIMIT 10000",
        from,
        until
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::request).collect()
}

/// The table's columns.
struct Row {
    id: i64,
    scope_kind: String,
    scope_id: String,
    from_ms: i64,
    until_ms: i64,
    kind: String,
    reason: String,
    by_name: String,
    at_ms: i64,
    granted: Option<i64>,
    decided_by: Option<String>,
    decided_ms: Option<i64>,
    note: Option<String>,
}

impl Row {
    fn request(self) -> std::result::Result<ExcuseRequest, Fault> {
        let decision = match (self.granted, self.decided_by, self.decided_ms) {
            (Some(granted), Some(by), Some(at)) => {
                Some(ExcuseDecision { granted: granted != 0, by, at: Wall(at), note: self.note.unwrap_or_default() })
            }
            _ => None,
        };
        Ok(ExcuseRequest {
            id: ExcuseId(u64::try_from(self.id).map_err(|_| Fault::Damaged("a number is out of range"))?),
            scope: incidents::scope_of(&self.scope_kind, &self.scope_id)?,
            from: Wall(self.from_ms),
            until: Wall(self.until_ms),
            kind: word(&self.kind, ExcuseKind::from_code)?,
            reason: self.reason,
            by: self.by_name,
            at: Wall(self.at_ms),
            decision,
        })
    }
}
