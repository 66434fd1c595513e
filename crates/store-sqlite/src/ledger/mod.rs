//! The availability ledger: roll-ups of status intervals, excuses, frozen months.
//!
//! Each camera has a mark: up to there its roll-ups are made. Whoever changes a camera's past lowers its mark in the
//! same transaction ([`reopen`]), and a roll-up writes its rows and moves the mark in one. So whatever stops us and
//! when, roll-ups are what the intervals say up to the mark, and what lies behind it is made again.

mod freeze;
mod read;
mod roll;
mod rows;

use crate::{
    SqliteStore,
    error::{Fault, limited, number, word},
};
use fleet::{CameraId, Wall};
use health::ledger::{Excuse, ExcuseKind, Tally};
use sqlx::{SqliteConnection, SqlitePool};
use std::ops::Range;
use store::{Ledger, LedgerHistory, LedgerStore, Result, RollUp, RolledUp, Step, StoreError};

#[async_trait::async_trait]
impl LedgerStore for SqliteStore {
    async fn roll_up(&self, work: &RollUp) -> Result<RolledUp> {
        let work = work.clone();
        self.writer.write(move |tx| Box::pin(async move { roll::roll_up(tx, &work).await })).await
    }

    async fn forget_roll_ups(&self, from: Wall) -> Result<()> {
        self.writer.write(move |tx| Box::pin(reopen_all(tx, from.0))).await
    }

    async fn excuse(&self, excuses: &[Excuse]) -> Result<()> {
        let excuses = excuses.to_vec();
        self.writer.write(move |tx| Box::pin(async move { excuse(tx, &excuses).await })).await
    }

    async fn excuses(&self, range: Range<Wall>) -> Result<Vec<Excuse>> {
        limited(excuses(&self.reader, None, &range)).await
    }

    async fn ledger(&self, range: Range<Wall>) -> Result<Ledger> {
        limited(read::ledger(&self.reader, range)).await
    }

    async fn ledger_trend(
        &self,
        range: Range<Wall>,
        step: Step,
        cameras: Option<&[CameraId]>,
    ) -> Result<Vec<(Wall, Tally)>> {
        limited(read::trend(&self.reader, range, step, cameras)).await
    }

    async fn ledger_history(&self, camera: CameraId, range: Range<Wall>) -> Result<LedgerHistory> {
        limited(read::history(&self.reader, camera, range)).await
    }
}

/// A camera's past changed from an instant on: its roll-ups are made again from there. Frozen months stay.
pub(crate) async fn reopen(tx: &mut SqliteConnection, camera: i64, from: i64) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "UPDATE ledger_mark SET upto_ms = max(?1, (SELECT coalesce(max(until_ms), ?1) FROM ledger_frozen))
         WHERE camera = ?2 AND upto_ms > ?1",
        from,
        camera
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// As [`reopen`], for every camera.
async fn reopen_all(tx: &mut SqliteConnection, from: i64) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "UPDATE ledger_mark SET upto_ms = max(?1, (SELECT coalesce(max(until_ms), ?1) FROM ledger_frozen),
             coalesce((SELECT min(from_ms) FROM status_interval WHERE camera = ledger_mark.camera), ?1))
         WHERE upto_ms > ?1",
        from
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes time out of the figures.
async fn excuse(tx: &mut SqliteConnection, excuses: &[Excuse]) -> std::result::Result<(), Fault> {
    let frozen = frozen_until(&mut *tx).await?.unwrap_or(i64::MIN);
    for e in excuses {
        if e.from >= e.until {
            return Err(StoreError::Invalid("an excuse must end after it begins".into()).into());
        }
        if e.from.0 < frozen {
            return Err(StoreError::Invalid("this month is frozen: its figures cannot change any more".into()).into());
        }
        let (camera, kind) = (i64::from(e.camera.0), e.kind.code());
        sqlx::query!(
            "INSERT OR IGNORE INTO excuse (camera, from_ms, until_ms, kind, by_whom, reason, recorded_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            camera,
            e.from.0,
            e.until.0,
            kind,
            e.by,
            e.reason,
            e.recorded.0
        )
        .execute(&mut *tx)
        .await?;
        reopen(&mut *tx, camera, e.from.0).await?;
    }
    Ok(())
}

/// Until when months are frozen.
async fn frozen_until(tx: &mut SqliteConnection) -> std::result::Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar!(r#"SELECT max(until_ms) AS "until: i64" FROM ledger_frozen"#).fetch_one(tx).await?)
}

const MOST_EXCUSES: i64 = 10_000;

/// Excuses that overlap a range, of one camera or all.
async fn excuses(
    pool: &SqlitePool,
    camera: Option<CameraId>,
    range: &Range<Wall>,
) -> std::result::Result<Vec<Excuse>, Fault> {
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
    fn excuse(self) -> std::result::Result<Excuse, Fault> {
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

/// Numbers as the JSON list that `json_each` reads.
fn json_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|n| n.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
