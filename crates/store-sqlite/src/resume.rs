//! Continuing after a stop, expected or not.

use crate::{
    error::{Fault, number, word},
    incidents, status,
};
use fleet::{CameraId, Cause, Layer, Status, Wall};
use health::{IncidentId, Resumed, StatusChange};
use sqlx::SqliteConnection;

/// Incidents resolved before this are over for good: longer than any time within which one may be re-opened, and as
/// far back as the core looks for what falls silent at the same hour each day.
const LATELY_MS: i64 = 4 * 24 * 3_600_000;

/// A clock that was set back by less is a clock that was corrected.
const AHEAD_MS: i64 = 60_000;

/// Notes that we were alive and judging. If that was later once, our clock was ahead: what it entered into times to come
/// is put right.
pub(crate) async fn alive(tx: &mut SqliteConnection, at: Wall) -> Result<(), Fault> {
    let before = sqlx::query_scalar!("SELECT at_ms FROM alive").fetch_optional(&mut *tx).await?;
    if before.is_some_and(|before| before > at.0.saturating_add(AHEAD_MS)) {
        status::put_right(&mut *tx, at).await?;
    }
    sqlx::query!(
        "INSERT INTO alive (id, at_ms) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms",
        at.0
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends what nobody watched any more as of when we were last alive, and says what the core needs.
///
/// A pause stays: it holds whether we watch or not, and the core reads its end from it.
pub(crate) async fn resume(tx: &mut SqliteConnection, now: Wall) -> Result<Resumed, Fault> {
    let refused = refused(tx).await?;
    if let Some(last) = last_alive(tx, now).await? {
        for camera in watched(tx).await? {
            let gone = StatusChange {
                camera,
                at: last,
                status: Status::Unknown,
                from: None,
                layer: Some(Cause::NotYetChecked.layer()),
                cause: Some(Cause::NotYetChecked),
                detail: "not watched since".into(),
            };
            status::append(tx, &gone).await?;
        }
    }
    let last_incident = sqlx::query_scalar!(r#"SELECT max(id) AS "id: i64" FROM incident"#).fetch_one(&mut *tx).await?;
    Ok(Resumed {
        statuses: newest(tx).await?,
        incidents: incidents::open(tx).await?,
        resolved: incidents::resolved_since(tx, Wall(now.0.saturating_sub(LATELY_MS))).await?,
        last_incident: last_incident.and_then(|id| u64::try_from(id).ok()).map(IncidentId),
        refused,
    })
}

/// The last instant at which we are known to have judged: the last sign of life, or a later change of status.
async fn last_alive(tx: &mut SqliteConnection, now: Wall) -> Result<Option<Wall>, Fault> {
    let alive = sqlx::query_scalar!("SELECT at_ms FROM alive").fetch_optional(&mut *tx).await?;
    let changed = sqlx::query_scalar!(r#"SELECT max(from_ms) AS "at: i64" FROM status_interval"#).fetch_one(tx).await?;
    // Not after now: our clock may have been ahead.
    Ok(alive.max(changed).map(|at| Wall(at.min(now.0))))
}

/// Cameras of which the newest record claims more than it can: that we know how they are.
async fn watched(tx: &mut SqliteConnection) -> Result<Vec<CameraId>, Fault> {
    let (unknown, paused) = (Status::Unknown.code(), Status::Paused.code());
    let cameras = sqlx::query_scalar!(
        "SELECT camera FROM status_interval WHERE until_ms IS NULL AND status <> ? AND status <> ?",
        unknown,
        paused
    )
    .fetch_all(tx)
    .await?;
    cameras.into_iter().map(|c| number(c).map(CameraId)).collect()
}

/// Cameras that refused their password when they were last judged, however often we stopped or they were paused since.
async fn refused(tx: &mut SqliteConnection) -> Result<Vec<(CameraId, Wall, String)>, Fault> {
    let rows = sqlx::query!("SELECT camera, since_ms, detail FROM refusal ORDER BY camera").fetch_all(tx).await?;
    rows.into_iter().map(|r| Ok((CameraId(number(r.camera)?), Wall(r.since_ms), r.detail))).collect()
}

async fn newest(tx: &mut SqliteConnection) -> Result<Vec<StatusChange>, Fault> {
    let rows = sqlx::query!(
        r#"SELECT camera, from_ms AS "from_ms!", status, layer, cause, detail,
               (SELECT before.status FROM status_interval AS before
                WHERE before.camera = now.camera AND before.from_ms < now.from_ms
                ORDER BY before.from_ms DESC LIMIT 1) AS "before: String"
           FROM status_interval AS now WHERE until_ms IS NULL ORDER BY camera"#
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StatusChange {
                camera: CameraId(number(row.camera)?),
                at: Wall(row.from_ms),
                status: word(&row.status, Status::from_code)?,
                from: row.before.map(|s| word(&s, Status::from_code)).transpose()?,
                layer: row.layer.map(|l| word(&l, Layer::from_code)).transpose()?,
                cause: row.cause.map(|c| word(&c, Cause::from_code)).transpose()?,
                detail: row.detail,
            })
        })
        .collect()
}
