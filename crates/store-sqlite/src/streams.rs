//! Formats of streams, and the certificates that cameras are held to.

use crate::error::{Fault, number, word};
use fleet::{CameraId, Codec, StreamChoice, Wall};
use health::{FormatChange, Profile, StreamFormat};
use sqlx::{SqliteConnection, SqlitePool};
use store::CertificateRecord;

/// Adds a format unless it is the one that holds already.
pub(crate) async fn note(tx: &mut SqliteConnection, change: &FormatChange) -> Result<(), Fault> {
    let FormatChange { camera, stream, at, format } = change;
    let (stream, codec) = (stream.code(), format.codec.code());
    let (profile, level) = format.profile.map_or((None, None), |p| (Some(p.idc), Some(p.level)));
    // What holds at that instant: a repeated batch meets its own rows.
    sqlx::query!(
        "INSERT OR IGNORE INTO stream_format (camera, stream, from_ms, codec, profile, level, width, height)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (
             SELECT 1 FROM (
                 SELECT codec, profile, level, width, height FROM stream_format
                 WHERE camera = ?1 AND stream = ?2 AND from_ms <= ?3 ORDER BY from_ms DESC LIMIT 1
             ) WHERE codec = ?4 AND profile IS ?5 AND level IS ?6 AND width = ?7 AND height = ?8
         )",
        camera.0,
        stream,
        at.0,
        codec,
        profile,
        level,
        format.width,
        format.height
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn formats(pool: &SqlitePool, camera: CameraId, most: u32) -> Result<Vec<FormatChange>, Fault> {
    let rows = sqlx::query!(
        "SELECT stream, from_ms, codec, profile, level, width, height FROM stream_format
         WHERE camera = ? ORDER BY from_ms DESC, stream LIMIT ?",
        camera.0,
        most
    )
    .fetch_all(pool)
    .await?;
    let byte = |n: i64| u8::try_from(n).map_err(|_| Fault::Damaged("a number is out of range"));
    rows.into_iter()
        .map(|row| {
            let profile = match row.profile.zip(row.level) {
                Some((idc, level)) => Some(Profile { idc: byte(idc)?, level: byte(level)? }),
                None => None,
            };
            Ok(FormatChange {
                camera,
                stream: word(&row.stream, StreamChoice::from_code)?,
                at: Wall(row.from_ms),
                format: StreamFormat {
                    codec: word(&row.codec, Codec::from_code)?,
                    profile,
                    width: number(row.width)?,
                    height: number(row.height)?,
                },
            })
        })
        .collect()
}

struct Row {
    camera: i64,
    sha256: Vec<u8>,
    seen_ms: i64,
}

impl Row {
    fn record(self) -> Result<CertificateRecord, Fault> {
        Ok(CertificateRecord {
            camera: CameraId(number(self.camera)?),
            sha256: self.sha256.try_into().map_err(|_| Fault::Damaged("a fingerprint is not of 32 bytes"))?,
            seen: Wall(self.seen_ms),
        })
    }
}

pub(crate) async fn certificates(pool: &SqlitePool) -> Result<Vec<CertificateRecord>, Fault> {
    let rows = sqlx::query_as!(Row, "SELECT camera, sha256, seen_ms FROM camera_certificate ORDER BY camera")
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn certificate(pool: &SqlitePool, camera: CameraId) -> Result<Option<CertificateRecord>, Fault> {
    let row = sqlx::query_as!(Row, "SELECT camera, sha256, seen_ms FROM camera_certificate WHERE camera = ?", camera.0)
        .fetch_optional(pool)
        .await?;
    row.map(Row::record).transpose()
}

pub(crate) async fn hold(tx: &mut SqliteConnection, record: CertificateRecord) -> Result<(), Fault> {
    let sha256 = record.sha256.as_slice();
    sqlx::query!(
        "INSERT INTO camera_certificate (camera, sha256, seen_ms) VALUES (?, ?, ?)
         ON CONFLICT (camera) DO UPDATE SET sha256 = excluded.sha256, seen_ms = excluded.seen_ms
         WHERE sha256 <> excluded.sha256",
        record.camera.0,
        sha256,
        record.seen.0
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(crate) async fn forget(tx: &mut SqliteConnection, camera: CameraId) -> Result<bool, Fault> {
    let gone = sqlx::query!("DELETE FROM camera_certificate WHERE camera = ?", camera.0).execute(tx).await?;
    Ok(gone.rows_affected() > 0)
}
