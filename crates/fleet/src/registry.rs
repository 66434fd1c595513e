//! The whole register in memory, with the look-ups that every floor needs.

use crate::{Camera, CameraId, Site, SiteId, Town, TownId, Uplink, UplinkId};
use std::collections::BTreeMap;

/// A consistent, read-only view of the register. Replaced as a whole when the register changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    towns: BTreeMap<TownId, Town>,
    sites: BTreeMap<SiteId, Site>,
    uplinks: BTreeMap<UplinkId, Uplink>,
    cameras: BTreeMap<CameraId, Camera>,
}

impl Registry {
    /// Builds the view from its records.
    #[must_use]
    pub fn new(
        towns: impl IntoIterator<Item = Town>,
        sites: impl IntoIterator<Item = Site>,
        uplinks: impl IntoIterator<Item = Uplink>,
        cameras: impl IntoIterator<Item = Camera>,
    ) -> Registry {
        Registry {
            towns: towns.into_iter().map(|t| (t.id, t)).collect(),
            sites: sites.into_iter().map(|s| (s.id, s)).collect(),
            uplinks: uplinks.into_iter().map(|u| (u.id, u)).collect(),
            cameras: cameras.into_iter().map(|c| (c.id, c)).collect(),
        }
    }

    /// Towns in the order of their ids.
    pub fn towns(&self) -> impl ExactSizeIterator<Item = &Town> {
        self.towns.values()
    }

    /// Sites in the order of their ids.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = &Site> {
        self.sites.values()
    }

    /// Uplinks in the order of their ids.
    pub fn uplinks(&self) -> impl ExactSizeIterator<Item = &Uplink> {
        self.uplinks.values()
    }

    /// Cameras in the order of their ids.
    pub fn cameras(&self) -> impl ExactSizeIterator<Item = &Camera> {
        self.cameras.values()
    }

    /// One town.
    #[must_use]
    pub fn town(&self, id: TownId) -> Option<&Town> {
        self.towns.get(&id)
    }

    /// One site.
    #[must_use]
    pub fn site(&self, id: SiteId) -> Option<&Site> {
        self.sites.get(&id)
    }

    /// One uplink.
    #[must_use]
    pub fn uplink(&self, id: UplinkId) -> Option<&Uplink> {
        self.uplinks.get(&id)
    }

    /// One camera.
    #[must_use]
    pub fn camera(&self, id: CameraId) -> Option<&Camera> {
        self.cameras.get(&id)
    }
}
