//! Which cameras a user may know of. What is outside does not exist for him.

use fleet::{Camera, CameraId, Registry, SiteId, TownId, UplinkId};
use health::{Incident, Scope as IncidentScope};
use std::{borrow::Cow, collections::BTreeSet};
use store::User;

/// A user's part of the county: everything, or some towns and sites.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scope {
    towns: BTreeSet<TownId>,
    sites: BTreeSet<SiteId>,
    /// Cameras elsewhere that he is to repair.
    given: BTreeSet<CameraId>,
}

impl Scope {
    pub(crate) fn of(user: &User) -> Scope {
        Scope {
            towns: user.towns.iter().copied().collect(),
            sites: user.sites.iter().copied().collect(),
            given: BTreeSet::new(),
        }
    }

    /// The same, and these cameras wherever they stand: those of the open orders that a technician was given.
    pub(crate) fn with(mut self, given: impl IntoIterator<Item = CameraId>) -> Scope {
        if !self.is_everything() {
            self.given.extend(given);
        }
        self
    }

    /// Whether nothing is hidden.
    pub(crate) fn is_everything(&self) -> bool {
        self.towns.is_empty() && self.sites.is_empty()
    }

    pub(crate) fn sees_site(&self, registry: &Registry, site: SiteId) -> bool {
        self.is_everything()
            || self.sites.contains(&site)
            || registry.site(site).is_some_and(|s| self.towns.contains(&s.town))
    }

    pub(crate) fn sees_camera(&self, registry: &Registry, camera: CameraId) -> bool {
        registry.camera(camera).is_some_and(|c| self.has(registry, c))
    }

    fn has(&self, registry: &Registry, camera: &Camera) -> bool {
        self.given.contains(&camera.id) || self.sees_site(registry, camera.site)
    }

    /// Whether a site's name is told: it is in scope, or a camera there is.
    pub(crate) fn knows_site(&self, registry: &Registry, site: SiteId) -> bool {
        self.sees_site(registry, site) || self.given.iter().any(|c| registry.camera(*c).is_some_and(|c| c.site == site))
    }

    /// A town is known if it or one of its sites is in scope.
    pub(crate) fn sees_town(&self, registry: &Registry, town: TownId) -> bool {
        self.is_everything()
            || self.towns.contains(&town)
            || self.sites.iter().any(|s| registry.site(*s).is_some_and(|s| s.town == town))
            || self
                .given
                .iter()
                .any(|c| registry.camera(*c).and_then(|c| registry.site(c.site)).is_some_and(|s| s.town == town))
    }

    /// The cameras in scope.
    pub(crate) fn cameras(&self, registry: &Registry) -> BTreeSet<CameraId> {
        registry.cameras().filter(|c| self.has(registry, c)).map(|c| c.id).collect()
    }

    /// The uplinks with cameras in scope.
    pub(crate) fn uplinks(&self, registry: &Registry) -> BTreeSet<UplinkId> {
        registry.cameras().filter(|c| self.has(registry, c)).filter_map(|c| c.uplink).collect()
    }

    /// What a user may know of an incident: only members in scope, nothing if there is none.
    /// Faults of our own machine concern everyone.
    pub(crate) fn incident<'a>(&self, registry: &Registry, incident: &'a Incident) -> Option<Cow<'a, Incident>> {
        if self.is_everything() {
            return Some(Cow::Borrowed(incident));
        }
        let mut own = incident.clone();
        own.members.retain(|m| self.sees_camera(registry, m.camera));
        (!own.members.is_empty() || incident.scope == IncidentScope::Own).then_some(Cow::Owned(own))
    }
}
