//! Baselines of pictures, and people's words on verdicts.

use crate::error::{Fault, number, word};
use fleet::{CameraId, Cause, Wall};
use sqlx::{SqliteConnection, SqlitePool};
use store::{BaselineChange, BaselineRecord, Said, Word, WordCount};

pub(crate) async fn baselines(pool: &SqlitePool) -> Result<Vec<BaselineRecord>, Fault> {
    let rows = sqlx::query!(
        "SELECT camera, saved_ms, data, reference_day, reference_dark, reference_infrared, accepted_by, accepted_ms
         FROM picture_baseline ORDER BY camera"
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(BaselineRecord {
                camera: CameraId(number(row.camera)?),
                saved: Wall(row.saved_ms),
                data: row.data,
                references: [row.reference_day, row.reference_dark, row.reference_infrared],
                accepted: row.accepted_by.zip(row.accepted_ms.map(Wall)),
            })
        })
        .collect()
}

pub(crate) async fn change_baselines(tx: &mut SqliteConnection, changes: Vec<BaselineChange>) -> Result<(), Fault> {
    for change in changes {
        match change {
            BaselineChange::Put(BaselineRecord { camera, saved, data, references, accepted }) => {
                let [day, dark, infrared] = references;
                let (by, at) = accepted.map_or((None, None), |(by, at)| (Some(by), Some(at.0)));
                sqlx::query!(
                    "INSERT INTO picture_baseline (camera, saved_ms, data, reference_day, reference_dark,
                         reference_infrared, accepted_by, accepted_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (camera) DO UPDATE SET saved_ms = excluded.saved_ms, data = excluded.data,
                         reference_day = excluded.reference_day, reference_dark = excluded.reference_dark,
                         reference_infrared = excluded.reference_infrared, accepted_by = excluded.accepted_by,
                         accepted_ms = excluded.accepted_ms",
                    camera.0,
                    saved.0,
                    data,
                    day,
                    dark,
                    infrared,
                    by,
                    at
                )
                .execute(&mut *tx)
                .await?;
            }
            BaselineChange::Drop(camera) => {
                sqlx::query!("DELETE FROM picture_baseline WHERE camera = ?", camera.0).execute(&mut *tx).await?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn say(tx: &mut SqliteConnection, said: &Word) -> Result<(), Fault> {
    end_exception(tx, said.camera, said.cause, said.at).await?;
    let (cause, what, until) = (said.cause.code(), said.said.code(), said.until.map(|t| t.0));
    sqlx::query!(
        "INSERT OR REPLACE INTO picture_word (camera, cause, since_ms, said, at_ms, who, who_detail, reason, until_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        said.camera.0,
        cause,
        said.since.0,
        what,
        said.at.0,
        said.who,
        said.who_detail,
        said.reason,
        until
    )
    .execute(tx)
    .await?;
    Ok(())
}

struct Row {
    camera: i64,
    cause: String,
    since_ms: i64,
    said: String,
    at_ms: i64,
    who: String,
    who_detail: String,
    reason: String,
    until_ms: Option<i64>,
}

impl Row {
    fn word(self) -> Result<Word, Fault> {
        Ok(Word {
            camera: CameraId(number(self.camera)?),
            cause: word(&self.cause, Cause::from_code)?,
            since: Wall(self.since_ms),
            said: word(&self.said, Said::from_code)?,
            at: Wall(self.at_ms),
            who: self.who,
            who_detail: self.who_detail,
            reason: self.reason,
            until: self.until_ms.map(Wall),
        })
    }
}

pub(crate) async fn words_on(pool: &SqlitePool, camera: CameraId, most: u32) -> Result<Vec<Word>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT camera, cause, since_ms, said, at_ms, who, who_detail, reason, until_ms FROM picture_word
         WHERE camera = ? ORDER BY at_ms DESC, since_ms DESC LIMIT ?",
        camera.0,
        most
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::word).collect()
}

pub(crate) async fn exceptions(pool: &SqlitePool, now: Wall) -> Result<Vec<Word>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT camera, cause, since_ms, said, at_ms, who, who_detail, reason, until_ms FROM picture_word
         WHERE until_ms IS NOT NULL AND until_ms > ? AND said = 'false_alarm' ORDER BY camera, cause, since_ms",
        now.0
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::word).collect()
}

pub(crate) async fn end_exception(
    tx: &mut SqliteConnection,
    camera: CameraId,
    cause: Cause,
    now: Wall,
) -> Result<bool, Fault> {
    let code = cause.code();
    let ended = sqlx::query!(
        "UPDATE picture_word SET until_ms = ?1 WHERE camera = ?2 AND cause = ?3 AND until_ms > ?1",
        now.0,
        camera.0,
        code
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected() > 0)
}

pub(crate) async fn count_words(pool: &SqlitePool, since: Wall) -> Result<Vec<WordCount>, Fault> {
    let rows = sqlx::query!(
        r#"SELECT cause, sum(said = 'confirmed') AS "confirmed!: i64", count(*) AS "all!: i64"
           FROM picture_word WHERE at_ms >= ? GROUP BY cause"#,
        since.0
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(WordCount {
                cause: word(&row.cause, Cause::from_code)?,
                confirmed: row.confirmed.unsigned_abs(),
                false_alarms: (row.all - row.confirmed).unsigned_abs(),
            })
        })
        .collect()
}
