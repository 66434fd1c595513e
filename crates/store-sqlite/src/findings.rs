//! What was found on pictures, and what people set for one camera's diagnosis.

use crate::error::{Fault, number, word};
use fleet::{CameraId, Cause, Wall};
use sqlx::{SqliteConnection, SqlitePool};
use store::{ClassSetting, DiagnosisSetting, FaultLevel, FindingRecord};

/// Records a finding as it now is. Repeating it changes nothing.
pub(crate) async fn put(tx: &mut SqliteConnection, finding: &FindingRecord) -> Result<(), Fault> {
    let (cause, level, until) = (finding.cause.code(), finding.level.code(), finding.until.map(|t| t.0));
    let twin = finding.twin.map(|t| t.0);
    sqlx::query!(
        "INSERT OR REPLACE INTO picture_finding
             (camera, cause, since_ms, until_ms, level, confidence, measured, threshold, region, twin, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        finding.camera.0,
        cause,
        finding.since.0,
        until,
        level,
        finding.confidence,
        finding.measured,
        finding.threshold,
        finding.region,
        twin,
        finding.detail
    )
    .execute(tx)
    .await?;
    Ok(())
}

struct Row {
    camera: i64,
    cause: String,
    since_ms: i64,
    until_ms: Option<i64>,
    level: String,
    confidence: f64,
    measured: f64,
    threshold: f64,
    region: Vec<u8>,
    twin: Option<i64>,
    detail: String,
}

impl Row {
    fn record(self) -> Result<FindingRecord, Fault> {
        Ok(FindingRecord {
            camera: CameraId(number(self.camera)?),
            cause: word(&self.cause, Cause::from_code)?,
            since: Wall(self.since_ms),
            until: self.until_ms.map(Wall),
            level: word(&self.level, FaultLevel::from_code)?,
            confidence: self.confidence as f32,
            measured: self.measured as f32,
            threshold: self.threshold as f32,
            region: self.region,
            twin: self.twin.map(number).transpose()?.map(CameraId),
            detail: self.detail,
        })
    }
}

pub(crate) async fn at(pool: &SqlitePool, camera: CameraId, at: Wall) -> Result<Vec<FindingRecord>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT camera, cause, since_ms, until_ms, level, confidence, measured, threshold, region, twin, detail
         FROM picture_finding WHERE camera = ?1 AND since_ms <= ?2 AND (until_ms IS NULL OR until_ms > ?2)
         ORDER BY since_ms, cause",
        camera.0,
        at.0
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn open(pool: &SqlitePool) -> Result<Vec<FindingRecord>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT camera AS "camera!: i64", cause AS "cause!", since_ms AS "since_ms!: i64",
                max(since_ms + 1, coalesce((SELECT at_ms FROM alive), since_ms + 1)) AS "until_ms?: i64",
                level AS "level!", confidence AS "confidence!: f64", measured AS "measured!: f64",
                threshold AS "threshold!: f64", region AS "region!", twin, detail AS "detail!"
           FROM picture_finding WHERE until_ms IS NULL ORDER BY camera, since_ms, cause"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn settings(pool: &SqlitePool) -> Result<Vec<DiagnosisSetting>, Fault> {
    let rows = sqlx::query!(
        r#"SELECT camera, cause, off AS "off: bool", "limit" AS "limit: f64", who, at_ms
           FROM picture_setting ORDER BY camera, cause"#
    )
    .fetch_all(pool)
    .await?;
    let mut all: Vec<DiagnosisSetting> = Vec::new();
    for row in rows {
        let camera = CameraId(number(row.camera)?);
        if all.last().is_none_or(|last| last.camera != camera) {
            all.push(DiagnosisSetting { camera, classes: Vec::new(), who: row.who, at: Wall(row.at_ms) });
        }
        let limit = row.limit.map(|l| l as f32);
        let class = ClassSetting { cause: word(&row.cause, Cause::from_code)?, off: row.off, limit };
        if let Some(last) = all.last_mut() {
            last.classes.push(class);
        }
    }
    Ok(all)
}

pub(crate) async fn set(tx: &mut SqliteConnection, setting: &DiagnosisSetting) -> Result<(), Fault> {
    sqlx::query!("DELETE FROM picture_setting WHERE camera = ?", setting.camera.0).execute(&mut *tx).await?;
    for class in &setting.classes {
        let cause = class.cause.code();
        sqlx::query!(
            r#"INSERT INTO picture_setting (camera, cause, off, "limit", who, at_ms) VALUES (?, ?, ?, ?, ?, ?)"#,
            setting.camera.0,
            cause,
            class.off,
            class.limit,
            setting.who,
            setting.at.0
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
