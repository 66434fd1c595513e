//! Changes of the register that can be taken back: beside each, the records as they were before.

use crate::{
    SqliteStore,
    error::{Fault, limited, number, word},
    register,
    vault::Vault,
};
use fleet::{Camera, CameraId, LifeCycle, Site, SiteId, Town, Uplink, UplinkId, Wall};
use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqlitePool};
use std::{collections::BTreeSet, sync::Arc};
use store::{
    ChangeEntry, ChangeId, ChangeKind, ChangeNote, KEPT_CHANGES, RegisterStore, RegistryChange, Result, StoreError,
};

/// What a change replaced.
#[derive(Default, Serialize, Deserialize)]
struct Before {
    towns: Vec<Town>,
    sites: Vec<Site>,
    uplinks: Vec<Uplink>,
    cameras: Vec<Kept>,
    /// Cameras that were not there.
    added: Vec<CameraId>,
}

/// A camera with its account as the vault sealed it.
#[derive(Serialize, Deserialize)]
struct Kept {
    camera: Camera,
    account: Option<String>,
}

impl Before {
    fn changed(&self) -> usize {
        self.towns.len() + self.sites.len() + self.uplinks.len() + self.cameras.len()
    }

    /// Whether it is what somebody saw.
    fn is(&self, seen: &RegistryChange) -> bool {
        self.towns == seen.towns
            && self.sites == seen.sites
            && self.uplinks == seen.uplinks
            && self.cameras.iter().map(|kept| &kept.camera).eq(&seen.cameras)
    }

    /// Whether both speak of the same record.
    fn meets(&self, other: &Before) -> bool {
        let cameras = |b: &Before| -> BTreeSet<CameraId> {
            b.cameras.iter().map(|k| k.camera.id).chain(b.added.iter().copied()).collect()
        };
        let sites = |b: &Before| -> BTreeSet<SiteId> { b.sites.iter().map(|s| s.id).collect() };
        let uplinks = |b: &Before| -> BTreeSet<UplinkId> { b.uplinks.iter().map(|u| u.id).collect() };
        !cameras(self).is_disjoint(&cameras(other))
            || !sites(self).is_disjoint(&sites(other))
            || !uplinks(self).is_disjoint(&uplinks(other))
    }
}

#[async_trait::async_trait]
impl RegisterStore for SqliteStore {
    async fn change_register(
        &self,
        change: RegistryChange,
        seen: RegistryChange,
        note: ChangeNote,
    ) -> Result<ChangeId> {
        let vault = Arc::clone(&self.vault);
        self.writer
            .write(move |tx| {
                Box::pin(async move {
                    let before = before(tx, &vault, &change).await?;
                    if !before.is(&seen) {
                        return Err(StoreError::Changed("a record of the register".into()).into());
                    }
                    make(tx, &vault, &change, before, &note, None).await
                })
            })
            .await
    }

    async fn register_changes(&self) -> Result<Vec<ChangeEntry>> {
        limited(entries(&self.reader)).await
    }

    async fn undo_change(&self, id: ChangeId, note: ChangeNote) -> Result<ChangeId> {
        let vault = Arc::clone(&self.vault);
        self.writer.write(move |tx| Box::pin(async move { undo(tx, &vault, id, &note).await })).await
    }
}

async fn make(
    tx: &mut SqliteConnection,
    vault: &Vault,
    change: &RegistryChange,
    before: Before,
    note: &ChangeNote,
    undoes: Option<ChangeId>,
) -> std::result::Result<ChangeId, Fault> {
    register::change(tx, vault, change).await?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (added, changed) = (count(before.added.len()), count(before.changed()));
    let (kind, undoes) = (note.kind.code(), undoes.map(|u| i64::from(u.0)));
    let before = serde_json::to_string(&before)?;
    let made = sqlx::query!(
        "INSERT INTO register_change (at_ms, by_name, kind, detail, added, changed, undoes, before)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        note.at.0,
        note.by,
        kind,
        note.detail,
        added,
        changed,
        undoes,
        before
    )
    .execute(&mut *tx)
    .await?;
    let id = made.last_insert_rowid();
    let oldest = id - i64::from(KEPT_CHANGES);
    sqlx::query!("DELETE FROM register_change WHERE id <= ?", oldest).execute(tx).await?;
    Ok(ChangeId(number(id)?))
}

/// The records that a change will replace, as they are.
async fn before(
    tx: &mut SqliteConnection,
    vault: &Vault,
    change: &RegistryChange,
) -> std::result::Result<Before, Fault> {
    let mut before = Before::default();
    for town in &change.towns {
        before.towns.extend(register::town(tx, town.id).await?);
    }
    for site in &change.sites {
        before.sites.extend(register::site(tx, site.id).await?);
    }
    for uplink in &change.uplinks {
        before.uplinks.extend(register::uplink(tx, uplink.id).await?);
    }
    for camera in &change.cameras {
        match register::camera(tx, vault, camera.id).await? {
            Some(camera) => {
                let account = camera.credentials.as_ref().map(|a| vault.seal_account(camera.id, a)).transpose()?;
                before.cameras.push(Kept { camera, account: account.map(hex::encode) });
            }
            None => before.added.push(camera.id),
        }
    }
    Ok(before)
}

async fn undo(
    tx: &mut SqliteConnection,
    vault: &Vault,
    id: ChangeId,
    note: &ChangeNote,
) -> std::result::Result<ChangeId, Fault> {
    let rows = sqlx::query!("SELECT id, undoes, before FROM register_change WHERE id >= ? ORDER BY id", id.0)
        .fetch_all(&mut *tx)
        .await?;
    let undone: BTreeSet<i64> = rows.iter().filter_map(|r| r.undoes).collect();
    let key = i64::from(id.0);
    let own = rows.iter().find(|r| r.id == key).ok_or_else(|| StoreError::Missing(format!("the change {}", id.0)))?;
    if undone.contains(&key) {
        return Err(StoreError::Conflict(format!("an undo of change {}", id.0)).into());
    }
    let old: Before = serde_json::from_str(&own.before)?;
    for later in rows.iter().filter(|r| r.id > key && !undone.contains(&r.id)) {
        // Taking back a change that was itself taken back leaves nothing of either.
        if later.undoes.is_none_or(|of| of < key) && old.meets(&serde_json::from_str(&later.before)?) {
            return Err(StoreError::Conflict(format!("a later change of the same records ({})", later.id)).into());
        }
    }
    let mut change = RegistryChange { towns: old.towns, sites: old.sites, uplinks: old.uplinks, cameras: Vec::new() };
    for Kept { camera, account } in old.cameras {
        let credentials = account
            .map(|sealed| {
                let sealed = hex::decode(sealed).ok();
                sealed.and_then(|s| vault.open_account(camera.id, &s)).ok_or(Fault::Damaged("an account is unreadable"))
            })
            .transpose()?;
        change.cameras.push(Camera { credentials, changed: note.at, ..camera });
    }
    for id in old.added {
        let camera = register::camera(tx, vault, id).await?.ok_or(Fault::Damaged("a camera is gone"))?;
        change.cameras.push(Camera { life_cycle: LifeCycle::Dismantled, changed: note.at, ..camera });
    }
    let before = before(tx, vault, &change).await?;
    make(tx, vault, &change, before, note, Some(id)).await
}

async fn entries(pool: &SqlitePool) -> std::result::Result<Vec<ChangeEntry>, Fault> {
    let rows = sqlx::query!(
        "SELECT id, at_ms, by_name, kind, detail, added, changed, undoes,
                (SELECT u.id FROM register_change AS u WHERE u.undoes = c.id) AS undone_by
         FROM register_change AS c ORDER BY id DESC"
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(ChangeEntry {
                id: ChangeId(number(r.id)?),
                note: ChangeNote {
                    at: Wall(r.at_ms),
                    by: r.by_name,
                    kind: word(&r.kind, ChangeKind::from_code)?,
                    detail: r.detail,
                },
                added: number(r.added)?,
                changed: number(r.changed)?,
                undoes: r.undoes.map(number).transpose()?.map(ChangeId),
                undone_by: r.undone_by.map(number).transpose()?.map(ChangeId),
            })
        })
        .collect()
}
