//! The register: towns, sites, uplinks, cameras and their encrypted accounts.

use crate::{
    error::{Fault, number, word},
    vault::Vault,
};
use fleet::{
    Camera, CameraId, Coordinates, Device, GbCode, LifeCycle, Olt, Place, Power, Registry, Site, SiteId, SiteKind,
    StreamUrl, Town, TownId, Transport, Upkeep, Uplink, UplinkId, Wall,
};
use sqlx::{SqliteConnection, SqlitePool};
use store::{RegistryChange, StoreError};

/// The whole register, in one reading transaction.
pub(crate) async fn read(pool: &SqlitePool, vault: &Vault) -> Result<Registry, Fault> {
    let mut tx = pool.begin().await?;
    let towns = sqlx::query!("SELECT id, name FROM town")
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|r| Ok(Town { id: TownId(number(r.id)?), name: r.name }))
        .collect::<Result<Vec<_>, Fault>>()?;
    let sites = sqlx::query!("SELECT id, name, kind, town, stat_code FROM site")
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|r| {
            Ok(Site {
                id: SiteId(number(r.id)?),
                name: r.name,
                kind: word(&r.kind, SiteKind::from_code)?,
                town: TownId(number(r.town)?),
                stat_code: r.stat_code,
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let uplinks = sqlx::query!("SELECT id, name, olt, budget_kbps FROM uplink")
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|r| {
            Ok(Uplink {
                id: UplinkId(number(r.id)?),
                name: r.name,
                olt: r.olt.map(Olt),
                budget_kbps: r.budget_kbps.map(number).transpose()?,
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let cameras = sqlx::query_as!(CameraRow, "SELECT * FROM camera")
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|row| row.camera(vault))
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Registry::new(towns, sites, uplinks, cameras))
}

pub(crate) async fn town(tx: &mut SqliteConnection, id: TownId) -> Result<Option<Town>, Fault> {
    let row = sqlx::query!("SELECT name FROM town WHERE id = ?", id.0).fetch_optional(tx).await?;
    Ok(row.map(|r| Town { id, name: r.name }))
}

pub(crate) async fn site(tx: &mut SqliteConnection, id: SiteId) -> Result<Option<Site>, Fault> {
    let row =
        sqlx::query!("SELECT name, kind, town, stat_code FROM site WHERE id = ?", id.0).fetch_optional(tx).await?;
    row.map(|r| {
        Ok(Site {
            id,
            name: r.name,
            kind: word(&r.kind, SiteKind::from_code)?,
            town: TownId(number(r.town)?),
            stat_code: r.stat_code,
        })
    })
    .transpose()
}

pub(crate) async fn uplink(tx: &mut SqliteConnection, id: UplinkId) -> Result<Option<Uplink>, Fault> {
    let row = sqlx::query!("SELECT name, olt, budget_kbps FROM uplink WHERE id = ?", id.0).fetch_optional(tx).await?;
    row.map(|r| {
        Ok(Uplink { id, name: r.name, olt: r.olt.map(Olt), budget_kbps: r.budget_kbps.map(number).transpose()? })
    })
    .transpose()
}

pub(crate) async fn camera(tx: &mut SqliteConnection, vault: &Vault, id: CameraId) -> Result<Option<Camera>, Fault> {
    let row = sqlx::query_as!(CameraRow, "SELECT * FROM camera WHERE id = ?", id.0).fetch_optional(tx).await?;
    row.map(|row| row.camera(vault)).transpose()
}

/// Inserts or replaces records by id.
pub(crate) async fn change(tx: &mut SqliteConnection, vault: &Vault, change: &RegistryChange) -> Result<(), Fault> {
    for town in &change.towns {
        let id = i64::from(town.id.0);
        sqlx::query!(
            "INSERT INTO town (id, name) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            id,
            town.name
        )
        .execute(&mut *tx)
        .await?;
    }
    for site in &change.sites {
        put_site(tx, site)
            .await
            .map_err(|e| dangling(e, || format!("the town {} of the site {}", site.town, site.id)))?;
    }
    for uplink in &change.uplinks {
        put_uplink(tx, uplink).await?;
    }
    for camera in &change.cameras {
        put_camera(tx, vault, camera)
            .await
            .map_err(|e| dangling(e, || format!("the site or uplink of the camera {}", camera.id)))?;
    }
    Ok(())
}

async fn put_site(tx: &mut SqliteConnection, site: &Site) -> Result<(), Fault> {
    let (id, kind, town) = (i64::from(site.id.0), site.kind.code(), i64::from(site.town.0));
    sqlx::query!(
        "INSERT INTO site (id, name, kind, town, stat_code) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, kind = excluded.kind, town = excluded.town, stat_code = excluded.stat_code",
        id,
        site.name,
        kind,
        town,
        site.stat_code
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_uplink(tx: &mut SqliteConnection, uplink: &Uplink) -> Result<(), Fault> {
    let (id, olt) = (i64::from(uplink.id.0), uplink.olt.as_ref().map(|o| o.0.as_str()));
    let budget = uplink.budget_kbps.map(i64::from);
    sqlx::query!(
        "INSERT INTO uplink (id, name, olt, budget_kbps) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, olt = excluded.olt, budget_kbps = excluded.budget_kbps",
        id,
        uplink.name,
        olt,
        budget
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_camera(tx: &mut SqliteConnection, vault: &Vault, camera: &Camera) -> Result<(), Fault> {
    let id = i64::from(camera.id.0);
    let site = i64::from(camera.site.0);
    let uplink = camera.uplink.map(|u| i64::from(u.0));
    let gb_code = camera.gb_code.as_ref().map(|c| c.0.as_str());
    let main_url = camera.main.as_str();
    let sub_url = camera.sub.as_ref().map(StreamUrl::as_str);
    let account = camera.credentials.as_ref().map(|a| vault.seal_account(camera.id, a)).transpose()?;
    let transport = camera.transport.code();
    let life_cycle = camera.life_cycle.code();
    let Place { code, address, coordinates, power, onu_serial } = &camera.place;
    let longitude = coordinates.as_ref().map(|c| c.longitude);
    let latitude = coordinates.as_ref().map(|c| c.latitude);
    let coordinates_source = coordinates.as_ref().and_then(|c| c.source.as_deref());
    let Device { vendor, model, serial, mac, installed, sessions, quirks } = &camera.device;
    let quirks = quirks.to_string();
    let Upkeep { unit, phone } = &camera.upkeep;
    let changed = camera.changed.0;
    sqlx::query!(
        "INSERT INTO camera (
             id, name, site, uplink, gb_code, main_url, sub_url, account, transport, life_cycle,
             place_code, address, longitude, latitude, coordinates_source,
             power_source, power_contact, power_phone, onu_serial,
             vendor, model, serial, mac, installed, sessions, quirks, upkeep_unit, upkeep_phone, changed_ms
         ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, site = excluded.site, uplink = excluded.uplink, gb_code = excluded.gb_code,
             main_url = excluded.main_url, sub_url = excluded.sub_url, account = excluded.account,
             transport = excluded.transport, life_cycle = excluded.life_cycle,
             place_code = excluded.place_code, address = excluded.address,
             longitude = excluded.longitude, latitude = excluded.latitude,
             coordinates_source = excluded.coordinates_source,
             power_source = excluded.power_source, power_contact = excluded.power_contact,
             power_phone = excluded.power_phone, onu_serial = excluded.onu_serial,
             vendor = excluded.vendor, model = excluded.model, serial = excluded.serial, mac = excluded.mac,
             installed = excluded.installed, sessions = excluded.sessions, quirks = excluded.quirks, upkeep_unit = excluded.upkeep_unit,
             upkeep_phone = excluded.upkeep_phone, changed_ms = excluded.changed_ms",
        id,
        camera.name,
        site,
        uplink,
        gb_code,
        main_url,
        sub_url,
        account,
        transport,
        life_cycle,
        code,
        address,
        longitude,
        latitude,
        coordinates_source,
        power.source,
        power.contact,
        power.phone,
        onu_serial,
        vendor,
        model,
        serial,
        mac,
        installed,
        sessions,
        quirks,
        unit,
        phone,
        changed
    )
    .execute(&mut *tx)
    .await?;
    // What was refused may not be what is sent now.
    sqlx::query!("DELETE FROM refusal WHERE camera = ?", id).execute(tx).await?;
    Ok(())
}

/// A reference to something that is not there is the caller's mistake, not the database's.
fn dangling(fault: Fault, what: impl Fn() -> String) -> Fault {
    match fault {
        Fault::Sql(sqlx::Error::Database(e)) if e.is_foreign_key_violation() => StoreError::Missing(what()).into(),
        other => other,
    }
}

/// The table's columns.
struct CameraRow {
    id: i64,
    name: String,
    site: i64,
    uplink: Option<i64>,
    gb_code: Option<String>,
    main_url: String,
    sub_url: Option<String>,
    account: Option<Vec<u8>>,
    transport: String,
    life_cycle: String,
    place_code: Option<String>,
    address: Option<String>,
    longitude: Option<f64>,
    latitude: Option<f64>,
    coordinates_source: Option<String>,
    power_source: Option<String>,
    power_contact: Option<String>,
    power_phone: Option<String>,
    onu_serial: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    mac: Option<String>,
    installed: Option<String>,
    sessions: Option<i64>,
    quirks: String,
    upkeep_unit: Option<String>,
    upkeep_phone: Option<String>,
    changed_ms: i64,
}

impl CameraRow {
    fn camera(self, vault: &Vault) -> Result<Camera, Fault> {
        let id = CameraId(number(self.id)?);
        let credentials = self.account.and_then(|sealed| {
            let account = vault.open_account(id, &sealed);
            if account.is_none() {
                // One damaged account must not keep the whole county dark.
                tracing::error!(camera = %id, "the stored account cannot be decrypted: import it again");
            }
            account
        });
        Ok(Camera {
            id,
            name: self.name,
            site: SiteId(number(self.site)?),
            uplink: self.uplink.map(number).transpose()?.map(UplinkId),
            gb_code: self.gb_code.map(GbCode),
            main: url(&self.main_url)?,
            sub: self.sub_url.as_deref().map(url).transpose()?,
            credentials,
            transport: word(&self.transport, Transport::from_code)?,
            life_cycle: word(&self.life_cycle, LifeCycle::from_code)?,
            place: Place {
                code: self.place_code,
                address: self.address,
                coordinates: self.longitude.zip(self.latitude).map(|(longitude, latitude)| Coordinates {
                    longitude,
                    latitude,
                    source: self.coordinates_source,
                }),
                power: Power { source: self.power_source, contact: self.power_contact, phone: self.power_phone },
                onu_serial: self.onu_serial,
            },
            device: Device {
                vendor: self.vendor,
                model: self.model,
                serial: self.serial,
                mac: self.mac,
                installed: self.installed,
                sessions: self
                    .sessions
                    .map(|n| u8::try_from(n).map_err(|_| Fault::Damaged("a number is out of range")))
                    .transpose()?,
                quirks: self.quirks.parse().map_err(|_| Fault::Damaged("an unknown policy of a camera"))?,
            },
            upkeep: Upkeep { unit: self.upkeep_unit, phone: self.upkeep_phone },
            changed: Wall(self.changed_ms),
        })
    }
}

fn url(text: &str) -> Result<StreamUrl, Fault> {
    StreamUrl::parse(text).map(|(url, _)| url).map_err(|_| Fault::Damaged("an unusable stream address"))
}
