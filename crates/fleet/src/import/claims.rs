//! Who holds which address, code and name, so that no two cameras end up with the same.

use super::{Column, Fault, row::Read};
use crate::{Camera, CameraId, LifeCycle, Registry};
use std::collections::{BTreeMap, BTreeSet};

/// A good row and the camera of the register that it means.
pub(super) struct Claimant<'a> {
    pub(super) line: u64,
    pub(super) read: &'a Read,
    pub(super) existing: Option<CameraId>,
}

/// What is wrong with each row, in their order; empty for those that may have what they ask for.
///
/// Rows are served in the order of the file, except that cameras may swap what they hold: what an existing camera gives
/// up is free for other rows. If its row is then refused it keeps what it had, and whoever took that is refused too.
pub(super) fn contest(registry: &Registry, rows: &[Claimant<'_>]) -> Vec<Vec<Fault>> {
    let mut contest = Contest::new(registry, rows);
    for row in 0..rows.len() {
        contest.serve(row);
    }
    contest.take_back();
    contest.faults
}

/// Who holds something.
#[derive(Clone, Copy)]
enum Holder {
    /// A camera of the register as it is.
    Camera(CameraId),
    /// A row, by its index.
    Row(usize),
}

struct Contest<'a> {
    registry: &'a Registry,
    rows: &'a [Claimant<'a>],
    faults: Vec<Vec<Fault>>,
    addresses: BTreeMap<String, Holder>,
    codes: BTreeMap<String, Holder>,
    cameras: BTreeMap<CameraId, usize>,
    names: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Contest<'a> {
    fn new(registry: &'a Registry, rows: &'a [Claimant<'a>]) -> Contest<'a> {
        let meant: BTreeSet<CameraId> = rows.iter().filter_map(|r| r.existing).collect();
        let mut contest = Contest {
            registry,
            rows,
            faults: rows.iter().map(|_| Vec::new()).collect(),
            addresses: BTreeMap::new(),
            codes: BTreeMap::new(),
            cameras: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        for camera in registry.cameras().filter(|c| !meant.contains(&c.id)) {
            contest.keep(camera);
        }
        contest
    }

    /// Lets a camera hold what it has. Dismantled ones hold nothing.
    fn keep(&mut self, camera: &Camera) {
        if camera.life_cycle == LifeCycle::Dismantled {
            return;
        }
        self.addresses.insert(camera.main.to_string(), Holder::Camera(camera.id));
        if let Some(code) = &camera.gb_code {
            self.codes.insert(code.0.clone(), Holder::Camera(camera.id));
        }
    }

    /// Gives a row what it asks for, or notes who has it.
    fn serve(&mut self, row: usize) {
        let Claimant { read, existing, .. } = &self.rows[row];
        let address = read.main.to_string();
        let code = read.gb_code.as_ref().map(|c| c.0.clone());
        let name = (read.town.as_str(), read.site.as_str(), read.name.as_str());
        let mut faults = Vec::new();
        if let Some(holder) = self.addresses.get(&address) {
            faults.push(self.fault(row, Column::MainUrl, &address, *holder));
        }
        if let Some((code, holder)) = code.as_ref().and_then(|c| Some((c, self.codes.get(c)?))) {
            faults.push(self.fault(row, Column::GbCode, code, *holder));
        }
        let twice = existing.and_then(|id| self.cameras.get(&id)).or_else(|| self.names.get(&name));
        if let (Some(other), true) = (twice, faults.is_empty()) {
            faults.push(self.fault(row, Column::Name, &read.name, Holder::Row(*other)));
        }
        if !faults.is_empty() {
            self.faults[row] = faults;
            return;
        }
        self.addresses.insert(address, Holder::Row(row));
        self.codes.extend(code.map(|c| (c, Holder::Row(row))));
        self.cameras.extend(existing.map(|id| (id, row)));
        self.names.insert(name, row);
    }

    /// Cameras whose rows were refused keep what they had; rows that took it are refused in turn. Each row is refused
    /// at most once, so this ends.
    fn take_back(&mut self) {
        let registry = self.registry;
        let refused = |contest: &Self, row: usize| !contest.faults[row].is_empty();
        let mut waiting: Vec<CameraId> =
            (0..self.rows.len()).filter(|row| refused(self, *row)).filter_map(|row| self.rows[row].existing).collect();
        while let Some(id) = waiting.pop() {
            // Another row of the same camera may have been good.
            if self.cameras.contains_key(&id) {
                continue;
            }
            let Some(camera) = registry.camera(id) else { continue };
            let address = camera.main.to_string();
            let code = camera.gb_code.as_ref().map(|c| c.0.clone());
            let taken = [
                (Column::MainUrl, Some(&address), self.addresses.get(&address).copied()),
                (Column::GbCode, code.as_ref(), code.as_ref().and_then(|c| self.codes.get(c).copied())),
            ];
            for (column, value, holder) in taken {
                if let (Some(value), Some(Holder::Row(row))) = (value, holder)
                    && !refused(self, row)
                {
                    let fault = self.fault(row, column, value, Holder::Camera(id));
                    self.faults[row].push(fault);
                    self.release(row);
                    waiting.extend(self.rows[row].existing);
                }
            }
            self.keep(camera);
        }
    }

    fn release(&mut self, row: usize) {
        let read = self.rows[row].read;
        self.addresses.remove(read.main.as_str());
        if let Some(code) = &read.gb_code {
            self.codes.remove(&code.0);
        }
        if let Some(id) = self.rows[row].existing {
            self.cameras.remove(&id);
        }
    }

    fn fault(&self, row: usize, column: Column, value: &str, holder: Holder) -> Fault {
        let other = match holder {
            Holder::Row(other) => format!("line {}", self.rows[other].line),
            Holder::Camera(id) => {
                format!("camera {id} {}", self.registry.camera(id).map_or("", |c| c.name.as_str()))
            }
        };
        Fault {
            line: self.rows[row].line,
            column: column.name(),
            value: value.chars().take(80).collect(),
            expected: format!("a value of its own; {other} has the same"),
        }
    }
}
