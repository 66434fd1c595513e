//! Who shares what: cameras behind one uplink (or of one site, where no uplink is known), uplinks behind one
//! line terminal.

use crate::{
    IncidentId, Scope,
    index::{CameraIx, GroupIx, OltIx},
};
use fleet::{Camera, Mono, Olt, Registry};
use std::collections::{BTreeMap, BTreeSet};

/// Cameras that fail together.
#[derive(Debug)]
pub(crate) struct Group {
    /// `Scope::Uplink` or `Scope::Site`.
    pub(crate) scope: Scope,
    pub(crate) olt: Option<OltIx>,
    pub(crate) members: BTreeSet<CameraIx>,
    /// The shared incident it was last part of; may be over.
    pub(crate) incident: Option<IncidentId>,
    /// When the first of the failures not yet told became known.
    pub(crate) first_sign: Option<Mono>,
}

/// Links that fail together.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) name: Olt,
    pub(crate) groups: BTreeSet<GroupIx>,
}

/// All groups. They stay when their last member leaves: there are only as many as uplinks and sites.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    terminals: Vec<Terminal>,
    by_scope: BTreeMap<Scope, GroupIx>,
    by_olt: BTreeMap<Olt, OltIx>,
}

impl Groups {
    /// The group a camera belongs to, made if it is new, under its line terminal as now registered.
    pub(crate) fn place(&mut self, camera: &Camera, registry: &Registry) -> GroupIx {
        let scope = camera.uplink.map_or(Scope::Site(camera.site), Scope::Uplink);
        let olt = camera.uplink.and_then(|u| registry.uplink(u)).and_then(|u| u.olt.clone());
        let olt = olt.map(|name| self.terminal(name));
        let ix = *self.by_scope.entry(scope.clone()).or_insert_with(|| {
            let ix = GroupIx(u32::try_from(self.groups.len()).expect("fewer groups than cameras"));
            self.groups.push(Group { scope, olt: None, members: BTreeSet::new(), incident: None, first_sign: None });
            ix
        });
        let former = std::mem::replace(&mut self.groups[ix.at()].olt, olt);
        if former != olt {
            if let Some(former) = former {
                self.terminals[former.at()].groups.remove(&ix);
            }
            if let Some(olt) = olt {
                self.terminals[olt.at()].groups.insert(ix);
            }
        }
        ix
    }

    pub(crate) fn get(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.at()]
    }

    pub(crate) fn get_mut(&mut self, ix: GroupIx) -> &mut Group {
        &mut self.groups[ix.at()]
    }

    pub(crate) fn terminal_of(&self, ix: GroupIx) -> Option<&Terminal> {
        self.groups[ix.at()].olt.map(|olt| &self.terminals[olt.at()])
    }

    /// The groups that an incident of this scope is about.
    pub(crate) fn under(&self, scope: &Scope) -> Vec<GroupIx> {
        match scope {
            Scope::Olt(name) => self
                .by_olt
                .get(name)
                .map(|o| self.terminals[o.at()].groups.iter().copied().collect())
                .unwrap_or_default(),
            scope => self.by_scope.get(scope).copied().into_iter().collect(),
        }
    }

    fn terminal(&mut self, name: Olt) -> OltIx {
        *self.by_olt.entry(name.clone()).or_insert_with(|| {
            let ix = OltIx(u32::try_from(self.terminals.len()).expect("fewer terminals than cameras"));
            self.terminals.push(Terminal { name, groups: BTreeSet::new() });
            ix
        })
    }
}
