//! Who shares what: cameras behind one uplink (or of one site, where no uplink is known), and the places that several
//! uplinks share: a line terminal, a site with more than one, a town.

use crate::{
    IncidentId, Scope,
    index::{CameraIx, GroupIx, PlaceIx},
};
use fleet::{Camera, Mono, Registry, SiteId, TownId};
use std::collections::{BTreeMap, BTreeSet};

/// Cameras that fail together.
#[derive(Debug)]
pub(crate) struct Group {
    /// `Scope::Uplink` or `Scope::Site`.
    pub(crate) scope: Scope,
    pub(crate) members: BTreeSet<CameraIx>,
    /// The wider places it belongs to, the narrowest first.
    pub(crate) places: Vec<PlaceIx>,
    /// The shared incident it was last part of; may be over.
    pub(crate) incident: Option<IncidentId>,
    /// When the first of the failures not yet told became known.
    pub(crate) first_sign: Option<Mono>,
}

/// Links that fail together: those of a site, a line terminal or a town.
#[derive(Debug)]
pub(crate) struct Place {
    /// `Scope::Site`, `Scope::Olt` or `Scope::Town`.
    pub(crate) scope: Scope,
    pub(crate) groups: BTreeSet<GroupIx>,
}

/// All groups. They stay when their last member leaves: there are only as many as uplinks and sites.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    by_scope: BTreeMap<Scope, GroupIx>,
    places: Vec<Place>,
    by_place: BTreeMap<Scope, PlaceIx>,
}

impl Groups {
    /// The group a camera belongs to, made if it is new.
    pub(crate) fn place(&mut self, camera: &Camera) -> GroupIx {
        let scope = camera.uplink.map_or(Scope::Site(camera.site), Scope::Uplink);
        *self.by_scope.entry(scope.clone()).or_insert_with(|| {
            let ix = GroupIx(u32::try_from(self.groups.len()).expect("fewer groups than cameras"));
            let members = BTreeSet::new();
            self.groups.push(Group { scope, members, places: Vec::new(), incident: None, first_sign: None });
            ix
        })
    }

    /// Lays the wider places out anew, as the register has them now: who shares a line terminal, a site, a town. A link
    /// that serves several sites, or towns, is of none.
    pub(crate) fn lay_out(&mut self, registry: &Registry) {
        let mut served: BTreeMap<GroupIx, (BTreeSet<SiteId>, BTreeSet<TownId>)> = BTreeMap::new();
        for camera in registry.cameras() {
            let (sites, towns) = served.entry(self.place(camera)).or_default();
            sites.insert(camera.site);
            towns.extend(registry.site(camera.site).map(|s| s.town));
        }
        self.places.clear();
        self.by_place.clear();
        self.groups.iter_mut().for_each(|group| group.places.clear());
        let mut of: Vec<(Scope, GroupIx)> = Vec::new();
        for (ix, (sites, towns)) in &served {
            if let (Some(site), 1) = (sites.first(), sites.len()) {
                of.push((Scope::Site(*site), *ix));
            }
            if let Scope::Uplink(uplink) = self.groups[ix.at()].scope
                && let Some(olt) = registry.uplink(uplink).and_then(|u| u.olt.clone())
            {
                of.push((Scope::Olt(olt), *ix));
            }
            if let (Some(town), 1) = (towns.first(), towns.len()) {
                of.push((Scope::Town(*town), *ix));
            }
        }
        // In the order of scopes: a site is narrower than a line terminal, that than a town.
        of.sort();
        for (scope, ix) in of {
            let place = *self.by_place.entry(scope.clone()).or_insert_with(|| {
                let place = PlaceIx(u32::try_from(self.places.len()).expect("fewer places than links"));
                self.places.push(Place { scope, groups: BTreeSet::new() });
                place
            });
            self.places[place.at()].groups.insert(ix);
            self.groups[ix.at()].places.push(place);
        }
    }

    pub(crate) fn get(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.at()]
    }

    pub(crate) fn get_mut(&mut self, ix: GroupIx) -> &mut Group {
        &mut self.groups[ix.at()]
    }

    /// The wider places of a group, the narrowest first.
    pub(crate) fn around(&self, ix: GroupIx) -> impl Iterator<Item = &Place> {
        self.groups[ix.at()].places.iter().map(|place| &self.places[place.at()])
    }

    /// The line terminal of a group, if it is known.
    pub(crate) fn terminal_of(&self, ix: GroupIx) -> Option<&Place> {
        self.around(ix).find(|place| matches!(place.scope, Scope::Olt(_)))
    }

    /// The groups that an incident of this scope is about.
    pub(crate) fn under(&self, scope: &Scope) -> Vec<GroupIx> {
        let wider = self.by_place.get(scope).into_iter().flat_map(|place| &self.places[place.at()].groups);
        let mut all: Vec<GroupIx> = wider.chain(self.by_scope.get(scope)).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
