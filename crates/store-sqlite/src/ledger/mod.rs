//! The availability ledger: roll-ups of status intervals, what people decided about time, frozen months.
//!
//! Each camera has a mark: up to there its roll-ups are made. Whoever changes a camera's past lowers its mark in the
//! same transaction ([`reopen`]), and a roll-up writes its rows and moves the mark in one. So whatever stops us and
//! when, roll-ups are what the intervals say up to the mark, and what lies behind it is made again.

pub(crate) mod decided;
mod freeze;
mod read;
mod roll;
mod rows;
mod segments;

use crate::{
    SqliteStore,
    error::{Fault, limited},
};
use fleet::{CameraId, Wall};
use health::ledger::{Excuse, Tally};
use sqlx::SqliteConnection;
use std::ops::Range;
use store::{Ledger, LedgerHistory, LedgerStore, Result, RollUp, RolledUp, Step};

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
        self.writer.write(move |tx| Box::pin(async move { decided::hand_in(tx, &excuses).await })).await
    }

    async fn excuses(&self, range: Range<Wall>) -> Result<Vec<Excuse>> {
        limited(decided::within(&self.reader, None, &range)).await
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

/// Until when months are frozen.
async fn frozen_until(tx: &mut SqliteConnection) -> std::result::Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar!(r#"SELECT max(until_ms) AS "until: i64" FROM ledger_frozen"#).fetch_one(tx).await?)
}

/// Numbers as the JSON list that `json_each` reads.
fn json_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|n| n.to_string()).collect();
    format!("[{}]", numbers.join(","))
}
