//! Facts about the fleet.

use fleet::{Camera, CameraId, Cause, Layer, Registry, Site, Status, Town, Uplink, Wall};
use health::{FormatChange, Incident, Scope, StatusChange, Unobserved};
use serde::{Deserialize, Serialize};

/// Something that happened and must survive.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// A camera's status changed: ends its open interval and begins a new one.
    Status(StatusChange),
    /// An incident as it now is; replaces the record with its id.
    Incident(Incident),
    /// A stream was seen to be made of something; kept if it is not what it was before.
    Format(FormatChange),
    /// What was found on a camera's picture, as it now is; replaces the record of that class and begin.
    Finding(crate::FindingRecord),
    /// Nobody looked for a while: of every camera that is on record as anything but `unknown` or paused, that time is
    /// `unknown`, and what holds goes on after it. A camera whose newest interval begins later is left as it is.
    Unobserved(Unobserved),
    /// We were alive and judging at this instant, and everything until then is on record (written every few seconds).
    Alive(Wall),
}

/// Records to insert or replace by id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RegistryChange {
    /// Towns.
    pub towns: Vec<Town>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Uplinks.
    pub uplinks: Vec<Uplink>,
    /// Cameras.
    pub cameras: Vec<Camera>,
}

impl RegistryChange {
    /// The records that this replaces, as somebody saw them; those that were not there are new.
    #[must_use]
    pub fn seen_in(&self, registry: &Registry) -> RegistryChange {
        RegistryChange {
            towns: self.towns.iter().filter_map(|t| registry.town(t.id)).cloned().collect(),
            sites: self.sites.iter().filter_map(|s| registry.site(s.id)).cloned().collect(),
            uplinks: self.uplinks.iter().filter_map(|u| registry.uplink(u.id)).cloned().collect(),
            cameras: self.cameras.iter().filter_map(|c| registry.camera(c.id)).cloned().collect(),
        }
    }
}

/// One interval of one camera's status.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatusInterval {
    /// Which camera.
    pub camera: CameraId,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive); `None` while it lasts.
    pub until: Option<Wall>,
    /// The status.
    pub status: Status,
    /// The failing rung, unless online.
    pub layer: Option<Layer>,
    /// The cause, unless online.
    pub cause: Option<Cause>,
    /// What it rests on.
    pub detail: String,
}

/// Which intervals; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HistoryQuery {
    /// Only this camera; all if `None`.
    pub camera: Option<CameraId>,
    /// Only intervals that begin at or after.
    pub from: Option<Wall>,
    /// Only intervals that begin before.
    pub until: Option<Wall>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}

/// Which incidents; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct IncidentQuery {
    /// Only open (`true`) or resolved ones.
    pub open: Option<bool>,
    /// Only of this scope.
    pub scope: Option<Scope>,
    /// Only with this camera among its members.
    pub camera: Option<CameraId>,
    /// Only opened at or after.
    pub from: Option<Wall>,
    /// Only opened before.
    pub until: Option<Wall>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}

/// A page of a longer list, by keyset.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Ask again with this to continue; `None` at the end.
    pub next: Option<String>,
}

/// How long one camera had each status within a range, in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StatusSeconds {
    /// Which camera.
    pub camera: CameraId,
    /// By status, in the order of [`Status::ALL`].
    pub millis: [i64; 5],
}

impl From<fleet::import::Records> for RegistryChange {
    fn from(records: fleet::import::Records) -> RegistryChange {
        let fleet::import::Records { towns, sites, uplinks, cameras } = records;
        RegistryChange { towns, sites, uplinks, cameras }
    }
}
