//! Incidents: the whole as JSON, with the columns that find it.

use crate::{
    cursor::{Cursor, limit, page},
    error::Fault,
};
use fleet::{CameraId, Olt, SiteId, TownId, UplinkId, Wall};
use health::{Incident, IncidentId, Scope};
use sqlx::{SqliteConnection, SqlitePool};
use store::{IncidentQuery, Page, StoreError};

/// Inserts or replaces an incident by its number.
pub(crate) async fn put(tx: &mut SqliteConnection, incident: &Incident) -> Result<(), Fault> {
    let id = key(incident.id)?;
    let (opened, resolved) = (incident.opened.0, incident.resolved.map(|w| w.0));
    let (scope_kind, scope_id) = scope(&incident.scope);
    let body = serde_json::to_string(incident)?;
    sqlx::query!(
        "INSERT INTO incident (id, opened_ms, resolved_ms, scope_kind, scope_id, body) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
             opened_ms = excluded.opened_ms, resolved_ms = excluded.resolved_ms,
             scope_kind = excluded.scope_kind, scope_id = excluded.scope_id, body = excluded.body",
        id,
        opened,
        resolved,
        scope_kind,
        scope_id,
        body
    )
    .execute(&mut *tx)
    .await?;
    // Only what differs is written: an incident of a whole town is recorded again for each camera that recovers.
    let members: Vec<u32> = incident.members.iter().map(|m| m.camera.0).collect();
    let members = serde_json::to_string(&members)?;
    sqlx::query!(
        "DELETE FROM incident_member WHERE incident = ? AND camera NOT IN (SELECT value FROM json_each(?))",
        id,
        members
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT OR IGNORE INTO incident_member (camera, incident) SELECT value, ? FROM json_each(?)",
        id,
        members
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Every open incident, oldest first.
pub(crate) async fn open(tx: &mut SqliteConnection) -> Result<Vec<Incident>, Fault> {
    let bodies = sqlx::query_scalar!("SELECT body FROM incident WHERE resolved_ms IS NULL ORDER BY opened_ms, id")
        .fetch_all(tx)
        .await?;
    bodies.iter().map(|b| Ok(serde_json::from_str(b)?)).collect()
}

/// Incidents resolved at or after an instant, oldest end first; the newest ten thousand of them.
pub(crate) async fn resolved_since(tx: &mut SqliteConnection, since: Wall) -> Result<Vec<Incident>, Fault> {
    let bodies = sqlx::query_scalar!(
        "SELECT body FROM incident WHERE resolved_ms >= ? ORDER BY resolved_ms DESC, id DESC LIMIT 10000",
        since.0
    )
    .fetch_all(tx)
    .await?;
    bodies.iter().rev().map(|b| Ok(serde_json::from_str(b)?)).collect()
}

/// One incident.
pub(crate) async fn one(pool: &SqlitePool, id: IncidentId) -> Result<Option<Incident>, Fault> {
    let Ok(id) = key(id) else { return Ok(None) };
    let body = sqlx::query_scalar!("SELECT body FROM incident WHERE id = ?", id).fetch_optional(pool).await?;
    Ok(body.as_deref().map(serde_json::from_str).transpose()?)
}

/// A page of incidents, newest first.
pub(crate) async fn list(pool: &SqlitePool, query: &IncidentQuery) -> Result<Page<Incident>, Fault> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let after = Cursor::parse(query.cursor.as_deref())?;
    let from = query.from.map_or(i64::MIN, |w| w.0);
    let until = query.until.map_or(i64::MAX, |w| w.0);
    let (kind, scope_id) = query.scope.as_ref().map(scope).unzip();
    // One statement for each way in, so that each walks its own index newest first.
    let bodies = match (query.camera, &kind, query.open) {
        (Some(camera), ..) => {
            let camera = i64::from(camera.0);
            sqlx::query_scalar!(
                "SELECT body FROM incident_member JOIN incident ON incident.id = incident_member.incident
                 WHERE incident_member.camera = ?1 AND opened_ms >= ?2 AND opened_ms < ?3
                   AND (opened_ms, id) < (?4, ?5)
                   AND (?6 IS NULL OR (resolved_ms IS NULL) = ?6)
                   AND (?7 IS NULL OR (scope_kind = ?7 AND scope_id = ?8))
                 ORDER BY opened_ms DESC, id DESC LIMIT ?9",
                camera,
                from,
                until,
                after.major,
                after.minor,
                query.open,
                kind,
                scope_id,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, Some(_), open) => {
            sqlx::query_scalar!(
                "SELECT body FROM incident
                 WHERE scope_kind = ?1 AND scope_id = ?2 AND opened_ms >= ?3 AND opened_ms < ?4
                   AND (opened_ms, id) < (?5, ?6) AND (?7 IS NULL OR (resolved_ms IS NULL) = ?7)
                 ORDER BY opened_ms DESC, id DESC LIMIT ?8",
                kind,
                scope_id,
                from,
                until,
                after.major,
                after.minor,
                open,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, None, Some(true)) => {
            sqlx::query_scalar!(
                "SELECT body FROM incident
                 WHERE resolved_ms IS NULL AND opened_ms >= ?1 AND opened_ms < ?2 AND (opened_ms, id) < (?3, ?4)
                 ORDER BY opened_ms DESC, id DESC LIMIT ?5",
                from,
                until,
                after.major,
                after.minor,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, None, open) => {
            sqlx::query_scalar!(
                "SELECT body FROM incident
                 WHERE opened_ms >= ?1 AND opened_ms < ?2 AND (opened_ms, id) < (?3, ?4)
                   AND (?5 IS NULL OR (resolved_ms IS NULL) = ?5)
                 ORDER BY opened_ms DESC, id DESC LIMIT ?6",
                from,
                until,
                after.major,
                after.minor,
                open,
                read
            )
            .fetch_all(pool)
            .await?
        }
    };
    let incidents = bodies.iter().map(|b| Ok(serde_json::from_str(b)?)).collect::<Result<Vec<Incident>, Fault>>()?;
    Ok(page(incidents, limit, |i| Cursor { major: i.opened.0, minor: key(i.id).unwrap_or(i64::MAX) }))
}

pub(crate) fn key(id: IncidentId) -> Result<i64, Fault> {
    i64::try_from(id.0).map_err(|_| StoreError::Invalid(format!("{id} is no number of an incident")).into())
}

/// What an incident is about, as two columns.
pub(crate) fn scope(scope: &Scope) -> (&'static str, String) {
    match scope {
        Scope::Camera(id) => ("camera", id.0.to_string()),
        Scope::Uplink(id) => ("uplink", id.0.to_string()),
        Scope::Site(id) => ("site", id.0.to_string()),
        Scope::Olt(olt) => ("olt", olt.0.clone()),
        Scope::Town(id) => ("town", id.0.to_string()),
        Scope::County => ("county", String::new()),
        Scope::Own => ("own", String::new()),
    }
}

/// What those two columns say.
pub(crate) fn scope_of(kind: &str, id: &str) -> Result<Scope, Fault> {
    let number = || id.parse::<u32>().map_err(|_| Fault::Damaged("a scope's number cannot be read"));
    Ok(match kind {
        "camera" => Scope::Camera(CameraId(number()?)),
        "uplink" => Scope::Uplink(UplinkId(number()?)),
        "site" => Scope::Site(SiteId(number()?)),
        "olt" => Scope::Olt(Olt(id.to_owned())),
        "town" => Scope::Town(TownId(number()?)),
        "county" => Scope::County,
        "own" => Scope::Own,
        _ => return Err(Fault::Damaged("an unknown kind of scope")),
    })
}
