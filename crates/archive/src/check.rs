//! Reading everything again: is each byte as it was written, and do index, chain and manifests agree?
//!
//! Nothing is changed here. What does not fit is named with file and place, and the check goes on.

use crate::{
    ArchiveError, CheckReport, Progress,
    custody::{Manifest, Sealed, manifest_hash},
    folder::{Day, Folder},
    merkle::{self, Hash},
    record::Header,
    recover::damage,
    row::Row,
    seal::Seal,
    segment::{self, Found},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Most damages that are named; a disk that lost more is told by the first ones.
const NAMED_MAX: usize = 10_000;

/// A check on its way.
pub(crate) struct Run {
    folder: Folder,
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    progress: Progress,
    report: CheckReport,
    /// By position: the hash of each seal found, and what it says came before.
    chain: BTreeMap<u64, (String, Hash, Hash)>,
    /// What manifests say was sealed, less what they say was purged.
    on_record: BTreeMap<u64, Sealed>,
}

/// What one step did.
pub(crate) enum Checked {
    Segment(SegmentRead),
    End,
}

/// A segment's records as they are, to be compared with the index.
pub(crate) struct SegmentRead {
    pub(crate) number: u64,
    pub(crate) days: BTreeSet<Day>,
    file: String,
    headers: Vec<Header>,
}

impl Run {
    /// Lists what there is and verifies the manifests.
    pub(crate) fn begin(folder: &Folder) -> Result<Run, ArchiveError> {
        let segments: Vec<(u64, PathBuf)> = folder.segments()?.into_iter().collect();
        let sizes = segments.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|m| m.len());
        let progress = Progress { of_segments: segments.len() as u64, of_bytes: sizes.sum(), ..Progress::default() };
        let mut run = Run {
            folder: folder.clone(),
            segments: segments.into_iter(),
            progress,
            report: CheckReport::default(),
            chain: BTreeMap::new(),
            on_record: BTreeMap::new(),
        };
        run.manifests()?;
        Ok(run)
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Reads one segment.
    pub(crate) fn next(&mut self) -> Checked {
        let Some((number, path)) = self.segments.next() else {
            self.end();
            return Checked::End;
        };
        let file = self.folder.relative(&path);
        let bytes = fs::metadata(&path).map_or(0, |m| m.len());
        let read = self.segment(number, &path, &file);
        self.progress.segments += 1;
        self.progress.bytes += bytes;
        self.report.segments += 1;
        self.report.bytes += bytes;
        let headers = read.unwrap_or_else(|error| {
            // Retention may have dropped it in the meantime.
            if error.kind() != io::ErrorKind::NotFound {
                self.name(&file, 0, None, format!("cannot be read: {error}"));
            }
            Vec::new()
        });
        let days = headers.iter().map(|h| Day::of(h.slot)).collect();
        Checked::Segment(SegmentRead { number, days, file, headers })
    }

    pub(crate) fn report(self) -> CheckReport {
        self.report
    }

    /// Compares what a segment holds with what the index says of it. Hands back the records that it has no row for.
    pub(crate) fn compare(&mut self, read: &SegmentRead, rows: Vec<Row>) -> Vec<Header> {
        let mut rows: HashMap<u64, Row> = rows.into_iter().map(|r| (r.header.offset, r)).collect();
        let mut lacking = Vec::new();
        for header in &read.headers {
            match rows.remove(&header.offset) {
                Some(row) if row.header != *header => {
                    self.name(&read.file, header.offset, Some(header), "the index says otherwise".to_owned());
                }
                Some(_) => {}
                None => lacking.push(header.clone()),
            }
        }
        for row in rows.into_values() {
            let what = "the index has a record here, the segment has none".to_owned();
            self.name(&read.file, row.header.offset, Some(&row.header), what);
        }
        lacking
    }

    /// Names a record that the index lacks.
    pub(crate) fn lacks(&mut self, read: &SegmentRead, header: &Header) {
        self.name(&read.file, header.offset, Some(header), "the index lacks this record".to_owned());
    }

    /// Names an index that cannot be read.
    pub(crate) fn index_fails(&mut self, error: &ArchiveError) {
        self.name("index", 0, None, error.to_string());
    }

    fn segment(&mut self, number: u64, path: &Path, file: &str) -> io::Result<Vec<Header>> {
        if !segment::opens_as(path, number)? {
            self.name(file, 0, None, "the opening block is damaged".to_owned());
        }
        match segment::look(path, number)? {
            Found::Sealed(seal, footer) => {
                self.seal(&seal, file);
                if merkle::root(&footer.leaves()) != seal.root {
                    self.name(file, seal.footer_at, None, "the Merkle root is not that of the records".to_owned());
                }
                let handle = File::open(path)?;
                let mut headers = Vec::with_capacity(footer.kept.len());
                for kept in &footer.kept {
                    match Header::decode(&kept.header, number, kept.offset) {
                        Ok(header) => {
                            self.record(&handle, &header, file)?;
                            headers.push(header);
                        }
                        Err(fault) => self.name(file, kept.offset, None, fault.to_string()),
                    }
                }
                Ok(headers)
            }
            Found::Open if self.on_record.contains_key(&number) => {
                self.name(file, 0, None, "seal or footer damaged".to_owned());
                self.on_record.remove(&number);
                self.one_by_one(number, path, file)
            }
            // Given up after a disk error, or being written: whole records are all that can be asked of it.
            Found::Open => self.one_by_one(number, path, file),
        }
    }

    fn one_by_one(&mut self, number: u64, path: &Path, file: &str) -> io::Result<Vec<Header>> {
        let mut headers = Vec::new();
        for seen in segment::scan(path, number)?.seen {
            match seen.whole {
                Ok(()) => self.report.records += 1,
                Err(fault) => self.name(file, seen.header.offset, Some(&seen.header), fault.to_string()),
            }
            headers.push(seen.header);
        }
        Ok(headers)
    }

    fn record(&mut self, handle: &File, header: &Header, file: &str) -> io::Result<()> {
        match segment::read_record(handle, header.segment, header.offset, header.payload)? {
            Ok((stored, _)) if stored == *header => self.report.records += 1,
            Ok(_) => self.name(file, header.offset, Some(header), "the footer speaks of another record".to_owned()),
            Err(fault) => self.name(file, header.offset, Some(header), fault.to_string()),
        }
        Ok(())
    }

    fn seal(&mut self, seal: &Seal, file: &str) {
        let at = seal.file_length();
        if let Some(sealed) = self.on_record.remove(&seal.number) {
            if sealed.seal != seal.hash() {
                self.name(file, at, None, "the manifest names another seal for this segment".to_owned());
            }
        } else {
            self.name(file, at, None, "no manifest names this segment".to_owned());
        }
        self.chain.insert(seal.position, (file.to_owned(), seal.hash(), seal.previous));
    }

    fn manifests(&mut self) -> Result<(), ArchiveError> {
        let folder = self.folder.manifests();
        for entry in fs::read_dir(&folder).map_err(ArchiveError::io("list", &folder))? {
            let path = entry.map_err(ArchiveError::io("list", &folder))?.path();
            if path.extension().is_some_and(|e| e == "damaged") {
                let file = self.folder.relative(&path);
                self.name(&file, 0, None, "manifest damaged, found at an earlier start".to_owned());
            }
        }
        let mut purged = BTreeSet::new();
        let mut previous: Option<Hash> = None;
        for day in Folder::days(&folder, "txt")? {
            let path = self.folder.manifest(day);
            let file = self.folder.relative(&path);
            let text = fs::read(&path).map_err(ArchiveError::io("read", &path))?;
            let text = String::from_utf8_lossy(&text);
            match Manifest::parse(&text) {
                Ok(manifest) => {
                    if previous.is_some_and(|p| p != manifest.previous) {
                        self.name(&file, 0, None, "it does not follow the manifest before it".to_owned());
                    }
                    self.on_record.extend(manifest.sealed.into_iter().map(|s| (s.segment, s)));
                    purged.extend(manifest.purged.into_iter().map(|p| p.segment));
                }
                Err(fault) => self.name(&file, 0, None, fault.to_string()),
            }
            previous = Some(manifest_hash(&text));
        }
        self.on_record.retain(|number, _| !purged.contains(number));
        Ok(())
    }

    /// What can only be said when all segments were seen.
    fn end(&mut self) {
        for sealed in std::mem::take(&mut self.on_record).into_values() {
            // Retention may have dropped it while the check ran.
            let path = self.folder.root().join(&sealed.file);
            if !path.exists() && !self.purged_since(sealed.segment) {
                let what = format!("the segment is missing, with {} records", sealed.records);
                self.name(&sealed.file, 0, None, what);
            }
        }
        let chain = std::mem::take(&mut self.chain);
        let mut before: Option<(u64, Hash)> = None;
        for (position, (file, hash, previous)) in chain {
            if before.is_some_and(|(place, seal)| place + 1 == position && seal != previous) {
                self.name(&file, 0, None, "its seal does not follow the seal before it".to_owned());
            }
            before = Some((position, hash));
        }
    }

    fn purged_since(&self, segment: u64) -> bool {
        let Ok(days) = Folder::days(&self.folder.manifests(), "txt") else { return false };
        days.into_iter().rev().take(2).any(|day| {
            let text = fs::read_to_string(self.folder.manifest(day)).unwrap_or_default();
            Manifest::parse(&text).is_ok_and(|m| m.purged.iter().any(|p| p.segment == segment))
        })
    }

    fn name(&mut self, file: &str, offset: u64, header: Option<&Header>, what: String) {
        if self.report.damaged.len() < NAMED_MAX {
            self.report.damaged.push(damage(file.to_owned(), offset, header, what));
        }
    }
}
