//! What applying a file would do, row by row.

use super::{
    Column, ImportError, MOST_BYTES, MOST_ROWS,
    claims::{self, Claimant},
    export::cell,
    row::{Cells, Read},
    text,
};
use crate::{
    Camera, CameraId, Credentials, LifeCycle, Olt, Registry, Site, SiteId, SiteKind, Town, TownId, Transport, Uplink,
    UplinkId, Wall,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Where cameras go whose row names no town.
const NO_TOWN: &str = "未分乡镇";

/// What is wrong with one cell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// Line as a spreadsheet counts.
    pub line: u64,
    /// English name of the column.
    pub column: &'static str,
    /// The value, cut to 80 characters; `…` where it may hold a password.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

/// What a row would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A new camera.
    Added,
    /// An existing camera with other values.
    Changed {
        /// English names of the columns that change.
        fields: Vec<&'static str>,
    },
    /// An existing camera as it is.
    Unchanged,
    /// Nothing.
    Rejected {
        /// Why.
        faults: Vec<Fault>,
    },
}

/// One row of the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    /// Line as a spreadsheet counts.
    pub line: u64,
    /// Name of the camera, as far as it could be read.
    pub name: String,
    /// What it would do.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What is odd but accepted.
    pub warnings: Vec<String>,
}

impl Row {
    /// The row in one line for a terminal; `None` if there is nothing to tell.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let told = match &self.outcome {
            Outcome::Added => "added".to_owned(),
            Outcome::Changed { fields } => format!("changed: {}", fields.join(", ")),
            Outcome::Unchanged if self.warnings.is_empty() => return None,
            Outcome::Unchanged => "unchanged".to_owned(),
            Outcome::Rejected { faults } => {
                let told = faults.iter().map(|f| format!("{} {:?}: expected {}", f.column, f.value, f.expected));
                format!("rejected: {}", told.collect::<Vec<_>>().join("; "))
            }
        };
        let warnings: String = self.warnings.iter().map(|w| format!(" ({w})")).collect();
        Some(format!("line {}: {}: {told}{warnings}", self.line, self.name))
    }
}

/// How many rows do what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// New cameras.
    pub added: usize,
    /// Changed cameras.
    pub changed: usize,
    /// Cameras that stay as they are.
    pub unchanged: usize,
    /// Rows that cannot be used.
    pub rejected: usize,
}

/// Records to be inserted or replaced by id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Records {
    /// Towns.
    pub towns: Vec<Town>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Uplinks.
    pub uplinks: Vec<Uplink>,
    /// Cameras.
    pub cameras: Vec<Camera>,
}

/// What applying a file would do. Nothing has happened yet.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// Every row of the file in its order.
    pub rows: Vec<Row>,
    /// Headings that mean nothing to us; their columns are ignored.
    pub unknown_columns: Vec<String>,
    records: Records,
}

impl Plan {
    /// How many rows do what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            *match row.outcome {
                Outcome::Added => &mut counts.added,
                Outcome::Changed { .. } => &mut counts.changed,
                Outcome::Unchanged => &mut counts.unchanged,
                Outcome::Rejected { .. } => &mut counts.rejected,
            } += 1;
        }
        counts
    }

    /// The records to be written.
    #[must_use]
    pub fn change(&self) -> Records {
        self.records.clone()
    }

    /// The register as it would be afterwards.
    #[must_use]
    pub fn apply(&self, registry: &Registry) -> Registry {
        // Later records replace earlier ones with the same id.
        let Records { towns, sites, uplinks, cameras } = self.change();
        Registry::new(
            registry.towns().cloned().chain(towns),
            registry.sites().cloned().chain(sites),
            registry.uplinks().cloned().chain(uplinks),
            registry.cameras().cloned().chain(cameras),
        )
    }
}

/// Reads a file against the present register.
///
/// # Errors
/// If the file as a whole is no such table; faulty rows are no error but [`Outcome::Rejected`].
pub fn plan(bytes: &[u8], registry: &Registry, now: Wall) -> Result<Plan, ImportError> {
    if bytes.len() > MOST_BYTES {
        return Err(ImportError::TooLarge);
    }
    let text = text::decode(bytes)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(text::delimiter(&text)).flexible(true).from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|e| broken(&e))?.clone();
    if headings.iter().all(|h| h.trim().is_empty()) {
        return Err(ImportError::Empty);
    }
    let (columns, unknown_columns) = columns(&headings)?;

    let mut drafts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| broken(&e))?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if drafts.len() >= MOST_ROWS {
            return Err(ImportError::TooManyRows);
        }
        let line = record.position().map_or(0, csv::Position::line);
        let cells = columns.iter().filter_map(|(i, column)| Some((*column, record.get(*i)?))).collect();
        let name = record.get(columns.iter().find(|(_, c)| *c == Column::Name).map_or(0, |(i, _)| *i));
        drafts.push(Told::read(&mut Cells { line, cells, faults: Vec::new() }, name.unwrap_or_default()));
    }
    let present = columns.into_iter().map(|(_, column)| column).collect();
    let mut planner = Planner::new(registry, present, now);
    // Which existing camera each row means must be known before addresses are compared: two cameras may have swapped
    // theirs.
    let meant = drafts.iter().map(|d| d.read.as_ref().ok().and_then(|read| planner.existing(read))).collect();
    let rows = planner.rows(drafts, meant);
    Ok(planner.plan(rows, unknown_columns))
}

fn broken(error: &csv::Error) -> ImportError {
    let line = error.position().map_or(1, csv::Position::line);
    ImportError::Broken { line, what: "this line is no CSV".into() }
}

type Columns = Vec<(usize, Column)>;

fn columns(headings: &csv::StringRecord) -> Result<(Columns, Vec<String>), ImportError> {
    let mut columns: Columns = Vec::new();
    let mut unknown = Vec::new();
    for (i, heading) in headings.iter().enumerate() {
        match Column::from_heading(heading) {
            Some(column) if columns.iter().any(|(_, c)| *c == column) => {
                return Err(ImportError::ColumnTwice(column.name()));
            }
            Some(column) => columns.push((i, column)),
            None if heading.trim().is_empty() => {}
            None => unknown.push(heading.trim().chars().filter(|c| !c.is_control()).take(80).collect()),
        }
    }
    for required in [Column::Site, Column::Name, Column::MainUrl] {
        if !columns.iter().any(|(_, c)| *c == required) {
            return Err(ImportError::NoColumn(required.name()));
        }
    }
    Ok((columns, unknown))
}

/// A row that has been read but not yet held against the register.
pub(super) struct Told {
    line: u64,
    name: String,
    read: Result<Read, Vec<Fault>>,
}

impl Told {
    /// Reads the cells of one row; `name` is what its camera is called, whatever is wrong with it.
    pub(super) fn read(cells: &mut Cells<'_>, name: &str) -> Told {
        let read = cells.read();
        Told {
            line: cells.line,
            name: name.trim().chars().filter(|c| !c.is_control()).take(80).collect(),
            read: read.ok_or_else(|| std::mem::take(&mut cells.faults)),
        }
    }
}

/// Records that are new or changed, by id.
#[derive(Default)]
struct New {
    towns: BTreeMap<TownId, Town>,
    sites: BTreeMap<SiteId, Site>,
    uplinks: BTreeMap<UplinkId, Uplink>,
    cameras: BTreeMap<CameraId, Camera>,
}

impl From<New> for Records {
    fn from(new: New) -> Records {
        Records {
            towns: new.towns.into_values().collect(),
            sites: new.sites.into_values().collect(),
            uplinks: new.uplinks.into_values().collect(),
            cameras: new.cameras.into_values().collect(),
        }
    }
}

/// Finds or makes the records that rows speak of. Ids grow from the highest ever given.
pub(super) struct Planner<'a> {
    registry: &'a Registry,
    present: BTreeSet<Column>,
    now: Wall,
    records: New,
    towns: HashMap<String, TownId>,
    sites: HashMap<(TownId, String), SiteId>,
    uplinks: HashMap<String, UplinkId>,
    by_code: HashMap<String, CameraId>,
    by_name: HashMap<(SiteId, String), CameraId>,
    next_town: u32,
    next_site: u32,
    next_uplink: u32,
    next_camera: u32,
}

impl<'a> Planner<'a> {
    pub(super) fn new(registry: &'a Registry, present: BTreeSet<Column>, now: Wall) -> Planner<'a> {
        Planner {
            registry,
            present,
            now,
            records: New::default(),
            towns: registry.towns().map(|t| (t.name.clone(), t.id)).collect(),
            sites: registry.sites().map(|s| ((s.town, s.name.clone()), s.id)).collect(),
            uplinks: registry.uplinks().map(|u| (u.name.clone(), u.id)).collect(),
            by_code: registry.cameras().filter_map(|c| Some((c.gb_code.as_ref()?.0.clone(), c.id))).collect(),
            by_name: registry.cameras().map(|c| ((c.site, c.name.clone()), c.id)).collect(),
            next_town: registry.towns().map(|t| t.id.0).max().unwrap_or(0) + 1,
            next_site: registry.sites().map(|s| s.id.0).max().unwrap_or(0) + 1,
            next_uplink: registry.uplinks().map(|u| u.id.0).max().unwrap_or(0) + 1,
            next_camera: registry.cameras().map(|c| c.id.0).max().unwrap_or(0) + 1,
        }
    }

    /// The plan of all that was settled.
    pub(super) fn plan(self, rows: Vec<Row>, unknown_columns: Vec<String>) -> Plan {
        Plan { rows, unknown_columns, records: self.records.into() }
    }

    /// Settles every row; beside each, the camera of the register it means.
    pub(super) fn rows(&mut self, drafts: Vec<Told>, meant: Vec<Option<CameraId>>) -> Vec<Row> {
        let claimants: Vec<Claimant<'_>> = drafts
            .iter()
            .zip(&meant)
            .filter_map(|(d, existing)| {
                Some(Claimant { line: d.line, read: d.read.as_ref().ok()?, existing: *existing })
            })
            .collect();
        let mut contested = claims::contest(self.registry, &claimants).into_iter();
        drafts
            .into_iter()
            .zip(meant)
            .map(|(draft, existing)| {
                let read = draft.read.and_then(|read| match contested.next() {
                    Some(faults) if !faults.is_empty() => Err(faults),
                    _ => Ok(read),
                });
                let (outcome, warnings) = match read {
                    Ok(mut read) => {
                        let warnings = std::mem::take(&mut read.warnings);
                        (self.settle(read, existing), warnings)
                    }
                    Err(faults) => (Outcome::Rejected { faults }, Vec::new()),
                };
                Row { line: draft.line, name: draft.name, outcome, warnings }
            })
            .collect()
    }

    /// The camera of the register that a row means.
    fn existing(&self, read: &Read) -> Option<CameraId> {
        let by_code = read.gb_code.as_ref().and_then(|code| self.by_code.get(&code.0).copied());
        by_code.or_else(|| self.named(read))
    }

    /// The camera of this name at this site.
    fn named(&self, read: &Read) -> Option<CameraId> {
        let town = self.towns.get(town_name(read))?;
        let site = self.sites.get(&(*town, read.site.clone()))?;
        self.by_name.get(&(*site, read.name.clone())).copied()
    }

    /// Refuses a camera the name that another one, which is not being changed as well, has at its site.
    pub(super) fn alone(&self, told: Told, own: CameraId, changed: &BTreeSet<CameraId>) -> Told {
        let other = told.read.as_ref().ok().and_then(|read| self.named(read)).filter(|id| *id != own);
        match other.filter(|id| !changed.contains(id)) {
            None => told,
            Some(other) => {
                let fault = Fault {
                    line: told.line,
                    column: Column::Name.name(),
                    value: told.name.clone(),
                    expected: format!("a value of its own; camera {other} of this site has the same"),
                };
                Told { read: Err(vec![fault]), ..told }
            }
        }
    }

    /// Makes or changes the records of a good row.
    fn settle(&mut self, read: Read, existing: Option<CameraId>) -> Outcome {
        let site = self.site(&read);
        let uplink = read.uplink.clone().map(|name| self.uplink(name, &read));
        let old = existing.and_then(|id| self.registry.camera(id));
        let id = existing.unwrap_or_else(|| CameraId(take(&mut self.next_camera)));
        let camera = self.camera(id, site, uplink, read, old);
        let Some(old) = old else {
            self.records.cameras.insert(id, camera);
            return Outcome::Added;
        };
        let after = self.place_of(&camera);
        let mut fields: Vec<&'static str> = Column::ALL
            .iter()
            .filter(|(column, ..)| self.present.contains(column))
            .filter(|(column, ..)| cell(self.registry, old, *column) != cell(&after, &camera, *column))
            .map(|(column, ..)| column.name())
            .collect();
        let password = |c: &Camera| c.credentials.as_ref().map(|c| c.password.clone());
        if password(old) != password(&camera) {
            fields.push(Column::Password.name());
        }
        if fields.is_empty() {
            return Outcome::Unchanged;
        }
        self.records.cameras.insert(id, camera);
        Outcome::Changed { fields }
    }

    /// The camera as the row has it; what the file has no column for stays as it was.
    fn camera(&self, id: CameraId, site: SiteId, uplink: Option<UplinkId>, read: Read, old: Option<&Camera>) -> Camera {
        let has = |column: Column| old.is_none() || self.present.contains(&column);
        let mut place = read.place;
        let mut device = read.device;
        let mut upkeep = read.upkeep;
        if let Some(old) = old {
            keep(has(Column::PlaceCode), &mut place.code, &old.place.code);
            keep(has(Column::Address), &mut place.address, &old.place.address);
            keep(has(Column::Longitude), &mut place.coordinates, &old.place.coordinates);
            keep(has(Column::PowerSource), &mut place.power.source, &old.place.power.source);
            keep(has(Column::PowerContact), &mut place.power.contact, &old.place.power.contact);
            keep(has(Column::PowerPhone), &mut place.power.phone, &old.place.power.phone);
            keep(has(Column::OnuSerial), &mut place.onu_serial, &old.place.onu_serial);
            keep(has(Column::Vendor), &mut device.vendor, &old.device.vendor);
            keep(has(Column::Model), &mut device.model, &old.device.model);
            keep(has(Column::Serial), &mut device.serial, &old.device.serial);
            keep(has(Column::Mac), &mut device.mac, &old.device.mac);
            keep(has(Column::Installed), &mut device.installed, &old.device.installed);
            if !has(Column::Sessions) {
                device.sessions = old.device.sessions;
            }
            if !has(Column::Quirks) {
                device.quirks = old.device.quirks;
            }
            keep(has(Column::UpkeepUnit), &mut upkeep.unit, &old.upkeep.unit);
            keep(has(Column::UpkeepPhone), &mut upkeep.phone, &old.upkeep.phone);
        }
        let old_or = |column: Column, new, value: fn(&Camera) -> _| match old {
            Some(old) if !self.present.contains(&column) => value(old),
            _ => new,
        };
        Camera {
            id,
            name: read.name,
            site,
            uplink: if has(Column::Uplink) { uplink } else { old.and_then(|o| o.uplink) },
            gb_code: if has(Column::GbCode) { read.gb_code } else { old.and_then(|o| o.gb_code.clone()) },
            main: read.main,
            sub: if has(Column::SubUrl) { read.sub } else { old.and_then(|o| o.sub.clone()) },
            credentials: credentials(read.credentials, old, has(Column::Username)),
            transport: match old {
                Some(old) if !self.present.contains(&Column::Transport) => old.transport,
                _ => read.transport.unwrap_or(Transport::Tcp),
            },
            life_cycle: old_or(Column::LifeCycle, read.life_cycle.unwrap_or(LifeCycle::InUse), |o| o.life_cycle),
            place,
            device,
            upkeep,
            changed: self.now,
        }
    }

    /// The places of one camera as they will be, for telling what changes.
    fn place_of(&self, camera: &Camera) -> Registry {
        let site = self.records.sites.get(&camera.site).or_else(|| self.registry.site(camera.site));
        let town = site.and_then(|s| self.records.towns.get(&s.town).or_else(|| self.registry.town(s.town)));
        let uplink = camera.uplink.and_then(|u| self.records.uplinks.get(&u).or_else(|| self.registry.uplink(u)));
        Registry::new(town.cloned(), site.cloned(), uplink.cloned(), [])
    }

    fn town(&mut self, name: &str) -> TownId {
        if let Some(id) = self.towns.get(name) {
            return *id;
        }
        let id = TownId(take(&mut self.next_town));
        self.towns.insert(name.to_owned(), id);
        self.records.towns.insert(id, Town { id, name: name.to_owned() });
        id
    }

    fn site(&mut self, read: &Read) -> SiteId {
        let town = self.town(town_name(read));
        let next = &mut self.next_site;
        let id = *self.sites.entry((town, read.site.clone())).or_insert_with(|| SiteId(take(next)));
        let before = self.records.sites.get(&id).or_else(|| self.registry.site(id));
        let site = Site {
            id,
            name: read.site.clone(),
            kind: read.site_kind.or(before.map(|s| s.kind)).unwrap_or(SiteKind::Village),
            town,
            stat_code: read.stat_code.clone().or_else(|| before.and_then(|s| s.stat_code.clone())),
        };
        if before != Some(&site) {
            self.records.sites.insert(id, site);
        }
        id
    }

    fn uplink(&mut self, name: String, read: &Read) -> UplinkId {
        let next = &mut self.next_uplink;
        let id = *self.uplinks.entry(name.clone()).or_insert_with(|| UplinkId(take(next)));
        let before = self.records.uplinks.get(&id).or_else(|| self.registry.uplink(id));
        let uplink = Uplink {
            id,
            name,
            olt: read.olt.clone().map(Olt).or_else(|| before.and_then(|u| u.olt.clone())),
            budget_kbps: read.uplink_kbps.or(before.and_then(|u| u.budget_kbps)),
        };
        if before != Some(&uplink) {
            self.records.uplinks.insert(id, uplink);
        }
        id
    }
}

/// Gives the next number of a row of ids.
fn take(next: &mut u32) -> u32 {
    *next += 1;
    *next - 1
}

fn town_name(read: &Read) -> &str {
    if read.town.is_empty() { NO_TOWN } else { &read.town }
}

fn keep<T: Clone>(has: bool, new: &mut T, old: &T) {
    if !has {
        new.clone_from(old);
    }
}

/// An export holds no passwords: an account without one keeps the password it had, also one that has no name. A file
/// without a column for names changes passwords only.
fn credentials(new: Option<Credentials>, old: Option<&Camera>, has: bool) -> Option<Credentials> {
    let old = old.and_then(|o| o.credentials.clone());
    match (new, old) {
        (Some(new), Some(old)) if new.password.expose().is_empty() && new.username == old.username => Some(old),
        (Some(new), Some(old)) if !has && new.username.is_empty() => {
            Some(Credentials { password: new.password, ..old })
        }
        (None, Some(old)) if !has || old.username.is_empty() => Some(old),
        (new, _) => new,
    }
}
