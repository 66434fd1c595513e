//! Opening: brings index, catalog and manifests in line with the segments that are really there.
//!
//! Sealed segments that the catalog has are believed; everything else is read. What a crash left open is read from
//! its first byte: whole records are kept, a torn tail is cut, and the segment is sealed, never appended to. Two things
//! tell a torn tail from damage: records after it, and the index, which knows a record only after it was flushed.
//! What is damaged keeps its row, so it is named and never silently missing.

use crate::{
    ArchiveError, Damage,
    custody::{Custody, History, history},
    folder::{Day, Folder, sync_folder},
    index::{Catalogued, Index},
    mark::{Witness, joined},
    merkle::Hash,
    record::{About, Header},
    remote::{far_path, is_far},
    row::Row,
    seal::{self, Footer, Kept, OPENING, Seal},
    segment::{self, Found, Seen},
};
use fleet::Wall;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    ops::Range,
    path::{Path, PathBuf},
};

/// The archive as found, and made whole.
pub(crate) struct Recovered {
    pub(crate) catalog: BTreeMap<u64, Catalogued>,
    pub(crate) files: BTreeMap<u64, PathBuf>,
    /// Position and hash of the last seal.
    pub(crate) head: (u64, Hash),
    pub(crate) next_number: u64,
    /// What could not be read on the way. Segments that the catalog has are not read here: `check` does that.
    pub(crate) damaged: Vec<Damage>,
}

/// Days whose index is verified at every start. Older ones are no longer written, and are verified by `check`.
const VERIFIED_DAYS: usize = 2;

pub(crate) async fn recover(
    folder: &Folder,
    index: &mut Index,
    custody: &mut Custody,
    now: Wall,
) -> Result<Recovered, ArchiveError> {
    let files = folder.segments()?;
    for path in files.values().filter(|path| !is_far(path) && far_path(path).exists()) {
        // A crash came between making the skeleton and removing the segment.
        remove_segment(&far_path(path))?;
    }
    let catalog = index.catalog().await?.into_iter().map(|mut c| {
        if let Some(path) = files.get(&c.number) {
            c.file = folder.relative(path);
        }
        (c.number, c)
    });
    let catalog: BTreeMap<u64, Catalogued> = catalog.collect();
    // What the index has is not signed because it has it: see `vouch_for_what_is_not_on_record`.
    let interrupted = custody.newest_purges().any(|number| files.contains_key(&number));
    let agree = files.keys().eq(catalog.keys()) && !interrupted;
    let head = custody.head();
    let mut recovery = Recovery {
        folder,
        history: if agree { History::default() } else { history(folder, &custody.key())? },
        known_days: Folder::days(&folder.index(), "db")?.into_iter().collect(),
        witness: custody.witness(),
        custody,
        index,
        found: Recovered { head, next_number: 0, catalog, files, damaged: Vec::new() },
        now,
        recovered: BTreeSet::new(),
    };
    recovery.finish_purges().await?;
    let stale = recovery.days_to_remake().await?;
    for (number, path) in recovery.found.files.clone() {
        let catalogued = recovery.found.catalog.get(&number);
        if catalogued.is_none_or(|c| !c.days.is_disjoint(&stale)) {
            recovery.segment(number, &path).await?;
        }
    }
    recovery.vouch_for_what_is_not_on_record()?;
    let Recovery { mut found, custody, .. } = recovery;
    custody.catch_up(found.catalog.values(), now)?;
    found.head = custody.head();
    let highest = found.files.keys().chain(found.catalog.keys()).max().copied().unwrap_or(0);
    found.next_number = highest.max(custody.highest()).saturating_add(1);
    Ok(found)
}

struct Recovery<'a> {
    folder: &'a Folder,
    index: &'a mut Index,
    history: History,
    custody: &'a mut Custody,
    witness: Witness,
    known_days: BTreeSet<Day>,
    found: Recovered,
    now: Wall,
    /// Segments that were sealed just now.
    recovered: BTreeSet<u64>,
}

impl Recovery<'_> {
    /// Finishes what retention had begun, and names segments that are missing.
    async fn finish_purges(&mut self) -> Result<(), ArchiveError> {
        for &number in self.history.purged.keys() {
            if let Some(path) = self.found.files.remove(&number) {
                remove_segment(&path)?;
            }
            if let Some(catalogued) = self.found.catalog.remove(&number) {
                self.index.forget(&catalogued).await?;
            }
        }
        for (number, catalogued) in &self.found.catalog {
            if !self.found.files.contains_key(number) {
                let what = format!("the segment is missing, with {} records", catalogued.records);
                self.found.damaged.push(damage(catalogued.file.clone(), 0, None, what));
            }
        }
        Ok(())
    }

    /// Days whose index is missing or damaged, although the catalog counts on it.
    async fn days_to_remake(&mut self) -> Result<BTreeSet<Day>, ArchiveError> {
        let days: BTreeSet<Day> = self.found.catalog.values().flat_map(|c| c.days.iter().copied()).collect();
        let mut stale = days.difference(&self.known_days).copied().collect::<BTreeSet<Day>>();
        let newest: Vec<Day> = self.known_days.iter().rev().take(VERIFIED_DAYS).copied().collect();
        for day in newest {
            if !self.index.day_is_sound(day).await? {
                stale.insert(day);
            }
        }
        Ok(stale)
    }

    /// Reads a segment that the index does not (fully) have.
    async fn segment(&mut self, number: u64, path: &Path) -> Result<(), ArchiveError> {
        let look = segment::look(path, number).map_err(ArchiveError::io("read", path))?;
        if let Found::Sealed(seal, footer) = look {
            let rows = self.rows(number, path, &footer)?;
            self.know(&seal, path);
            return self.enter(&seal, rows).await;
        }
        let was_sealed = self.found.catalog.contains_key(&number) || self.history.sealed.contains_key(&number);
        if was_sealed { self.unsealed_by_damage(number, path).await } else { self.left_open(number, path).await }
    }

    /// Whether a seal is on record or this node's own. Any other is left out of the chain and of every manifest.
    fn know(&mut self, seal: &Seal, path: &Path) {
        let on_record = self.history.sealed.get(&seal.number).is_some_and(|sealed| sealed.seal == seal.hash());
        let catalogued = self.found.catalog.get(&seal.number).is_some_and(|c| c.position <= self.found.head.0);
        if !(on_record || catalogued || seal.is_vouched(&self.witness)) {
            self.custody.leave_out(seal.number);
            let what = "no manifest names this segment and this node has not sealed it: nothing in it can be proved";
            self.name(path, 0, None, what.to_owned());
        }
    }

    /// What the catalog has and no manifest: the seal in the segment itself must say that this node has sealed it.
    fn vouch_for_what_is_not_on_record(&mut self) -> Result<(), ArchiveError> {
        let new = self.found.catalog.values().filter(|c| c.position > self.found.head.0);
        let new: Vec<(u64, Hash)> = new.map(|c| (c.number, c.seal)).collect();
        for (number, seal) in new {
            if self.custody.leaves_out(number) || self.recovered.contains(&number) {
                continue;
            }
            let Some(path) = self.found.files.get(&number).cloned() else {
                self.custody.leave_out(number);
                continue;
            };
            match segment::look(&path, number).map_err(ArchiveError::io("read", &path))? {
                Found::Sealed(found, _) if found.hash() == seal && found.is_vouched(&self.witness) => {}
                _ => {
                    self.custody.leave_out(number);
                    let what = "the index has this segment, no manifest names it, and this node has not sealed it";
                    self.name(&path, 0, None, what.to_owned());
                }
            }
        }
        Ok(())
    }

    /// The rows of a sealed segment. A header that this program cannot read is named.
    fn rows(&mut self, number: u64, path: &Path, footer: &Footer) -> Result<Vec<Row>, ArchiveError> {
        let file = File::open(path).map_err(ArchiveError::io("open", path))?;
        let mut rows = Vec::with_capacity(footer.kept.len());
        for kept in &footer.kept {
            match Header::decode(&kept.header, number, kept.offset) {
                Ok(header) => {
                    let detail = detail(&file, &header).map_err(ArchiveError::io("read", path))?;
                    rows.push(Row { header, detail });
                }
                Err(fault) => self.name(path, kept.offset, None, fault.to_string()),
            }
        }
        Ok(rows)
    }

    async fn enter(&mut self, seal: &Seal, rows: Vec<Row>) -> Result<(), ArchiveError> {
        self.index.put(&rows).await?;
        let path = &self.found.files[&seal.number];
        let shelf = segment::shelf(path, seal.number).map_err(ArchiveError::io("read", path))?;
        let catalogued = Catalogued::new(self.folder.relative(path), seal, &rows, shelf);
        self.index.make_durable(&catalogued).await?;
        self.found.catalog.insert(seal.number, catalogued);
        Ok(())
    }

    /// A segment that was sealed, but whose seal or footer is no longer right: its bytes are evidence and stay as they
    /// are; its records still speak for themselves.
    async fn unsealed_by_damage(&mut self, number: u64, path: &Path) -> Result<(), ArchiveError> {
        self.name(path, 0, None, "seal or footer damaged; the records were read one by one".to_owned());
        let scan = segment::scan(path, number).map_err(ArchiveError::io("read", path))?;
        let mut rows = Vec::new();
        for seen in scan.seen {
            if let Err(fault) = seen.whole {
                self.name(path, seen.header.offset, Some(&seen.header), fault.to_string());
            }
            rows.push(Row { header: seen.header, detail: seen.detail });
        }
        self.index.put(&rows).await?;
        if !self.found.catalog.contains_key(&number)
            && let Some(sealed) = self.history.sealed.get(&number)
        {
            let seal = Seal {
                number,
                position: sealed.position,
                sealed: self.now,
                records: 0,
                skipped: 0,
                footer_at: 0,
                root: sealed.root,
                footer_sha256: [0; 32],
                previous: [0; 32],
                word: [0; 32],
            };
            let shelf = segment::shelf(path, number).map_err(ArchiveError::io("read", path))?;
            let mut catalogued = Catalogued::new(self.folder.relative(path), &seal, &rows, shelf);
            (catalogued.seal, catalogued.bytes) = (sealed.seal, sealed.bytes);
            self.index.make_durable(&catalogued).await?;
            self.found.catalog.insert(number, catalogued);
        }
        Ok(())
    }

    /// A segment that a crash left open.
    async fn left_open(&mut self, number: u64, path: &Path) -> Result<(), ArchiveError> {
        let scan = segment::scan(path, number).map_err(ArchiveError::io("read", path))?;
        if !segment::opens_as(path, number).map_err(ArchiveError::io("read", path))? && !scan.seen.is_empty() {
            self.name(path, 0, None, "the opening block is damaged".to_owned());
        }
        let opening = segment::opening(path).map_err(ArchiveError::io("read", path))?.unwrap_or([0; OPENING]);
        let (written, last) = self.witness.written(&opening, &scan);
        // Behind the last mark lies what was cut off before it counted.
        let counted = if seal::has_marks(&opening) { 0..last } else { 0..u64::MAX };
        let (kept, rows) = self.keep(number, path, scan.seen, &counted).await?;
        let Some(tail) = rows.iter().map(|r| r.header.offset + r.header.record_length()).max() else {
            self.found.files.remove(&number);
            return remove_segment(path);
        };
        let footer = Footer { skipped: between(&rows), kept };
        let (position, previous) = self.chain();
        let strange = rows.iter().filter(|row| !written.contains(&row.header.offset));
        let strange = joined(strange.map(|row| row.header.offset..row.header.offset + row.header.record_length()));
        let witness = strange.is_empty().then_some(&self.witness);
        let sealed = segment::seal_recovered(path, number, tail, &footer, (position + 1, previous), self.now, witness);
        let seal = match sealed {
            Err(error) if segment::is_bad_sector(&error) => {
                self.name(path, tail, None, format!("cannot be sealed: {error}; tried again at the next start"));
                return self.index.put(&rows).await;
            }
            sealed => sealed.map_err(ArchiveError::io("seal", path))?,
        };
        if !strange.is_empty() {
            let what = "records of a segment that was left open, and this node does not know to have written them: \
                        they can be seen, and not be proved";
            self.name(path, strange[0][0], None, what.to_owned());
            self.custody.do_not_vouch(number, strange);
        }
        tracing::info!(segment = number, records = rows.len(), "recovered a segment that was not closed");
        self.recovered.insert(number);
        self.enter(&seal, rows).await
    }

    /// Decides which records of an unsealed segment stay.
    async fn keep(
        &mut self,
        number: u64,
        path: &Path,
        seen: Vec<Seen>,
        counted: &Range<u64>,
    ) -> Result<(Vec<Kept>, Vec<Row>), ArchiveError> {
        let keys: Vec<_> = seen.iter().map(|s| (s.header.slot.0, s.header.camera.0)).collect();
        let known = self.index.known(&keys).await?;
        let mut rows = Vec::new();
        for seen in seen {
            let row = Row { header: seen.header, detail: seen.detail };
            let indexed = known.get(&row.key());
            let acknowledged = indexed.is_some_and(|known| known.place() == row.place());
            let stays = match seen.whole {
                // The same record in another segment: this one's batch failed and was written again there.
                Ok(()) => {
                    let first = indexed.is_none_or(|known| known.is_gap() && !row.is_gap());
                    acknowledged || first && counted.contains(&row.header.offset)
                }
                Err(_) => acknowledged,
            };
            if let (true, Err(fault)) = (stays, &seen.whole) {
                self.name(path, row.header.offset, Some(&row.header), fault.to_string());
            }
            if stays {
                rows.push(row);
            }
        }
        // Rows whose records are so damaged that the scan saw nothing there.
        let mut days: BTreeSet<Day> = rows.iter().map(|r| Day::of(r.header.slot)).collect();
        days.extend(self.known_days.iter().rev().take(VERIFIED_DAYS));
        let there: BTreeSet<u64> = rows.iter().map(|r| r.header.offset).collect();
        for row in self.index.rows_of(number, &days).await? {
            if !there.contains(&row.header.offset) {
                self.name(path, row.header.offset, Some(&row.header), "the record is unreadable".to_owned());
                rows.push(row);
            }
        }
        rows.sort_unstable_by_key(|r| r.header.offset);
        let kept = rows.iter().map(|r| Kept { offset: r.header.offset, header: r.header.encode() }).collect();
        Ok((kept, rows))
    }

    /// Position and hash of the last seal, on record or not.
    fn chain(&self) -> (u64, Hash) {
        let own = self.found.catalog.values().filter(|c| !self.custody.leaves_out(c.number));
        let last = own.max_by_key(|c| c.position).map(|c| (c.position, c.seal));
        last.into_iter().chain([self.found.head]).max_by_key(|(position, _)| *position).unwrap_or(self.found.head)
    }

    fn name(&mut self, path: &Path, offset: u64, header: Option<&Header>, what: String) {
        let damage = damage(self.folder.relative(path), offset, header, what);
        tracing::error!(%damage, "archive damaged");
        self.found.damaged.push(damage);
    }
}

pub(crate) fn damage(file: String, offset: u64, header: Option<&Header>, what: String) -> Damage {
    Damage { file, offset, camera: header.map(|h| h.camera), slot: header.map(|h| h.slot), what }
}

/// Ranges of a segment that hold no kept record.
fn between(rows: &[Row]) -> Vec<Range<u64>> {
    let mut skipped = Vec::new();
    let mut at = OPENING as u64;
    for row in rows {
        if row.header.offset > at {
            skipped.push(at..row.header.offset);
        }
        at = at.max(row.header.offset + row.header.record_length());
    }
    skipped
}

/// A gap's detail. If its bytes are damaged, the gap stands without it.
pub(crate) fn detail(file: &File, header: &Header) -> io::Result<String> {
    if !matches!(header.about, About::Gap(_)) {
        return Ok(String::new());
    }
    let read = segment::read_record(file, header.segment, header.offset, header.payload)?;
    Ok(read.map_or_else(|_| String::new(), |(_, text)| String::from_utf8_lossy(&text).into_owned()))
}

/// Unlinks a segment for good.
pub(crate) fn remove_segment(path: &Path) -> Result<(), ArchiveError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(ArchiveError::io("remove", path)(e)),
        _ => {}
    }
    match path.parent() {
        Some(parent) if parent.is_dir() => sync_folder(parent).map_err(ArchiveError::io("flush", parent)),
        _ => Ok(()),
    }
}
