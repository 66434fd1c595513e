//! Reading everything again: is each byte as it was written, and do index, chain and manifests agree?
//!
//! Nothing is changed here. What does not fit is named with file and place, and the check goes on.

use crate::{
    ArchiveError, CheckReport, Progress,
    custody::{Manifest, Sealed, manifest_hash},
    folder::{Day, Folder},
    keys::line_of,
    merkle::{self, Hash},
    record::Header,
    recover::damage,
    remote::{Far, is_far, name_of},
    row::Row,
    seal::Seal,
    segment::{self, Found},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};
use tokio::runtime::Handle;

/// Most damages that are named; a disk that lost more is told by the first ones.
const NAMED_MAX: usize = 10_000;

/// Bytes read at once, while those before are being verified.
const GROUP: u64 = 4 << 20;
/// Threads that verify at most.
const VERIFIERS: usize = 4;

/// A check on its way.
pub(crate) struct Run {
    folder: Folder,
    far: Option<Arc<Far>>,
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
    /// The object store does not give what only it has: nothing can be said.
    Away(String),
    End,
}

/// Where a segment's bytes come from.
enum Source {
    Here(File),
    Far(Arc<Far>, String, Handle),
}

impl Source {
    fn read(&self, range: Range<u64>, into: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Source::Here(file) => {
                into.resize(usize::try_from(range.end - range.start).map_err(io::Error::other)?, 0);
                file.read_exact_at(into, range.start)
            }
            Source::Far(far, name, runtime) => {
                *into = runtime.block_on(far.store.read(name, range)).map_err(io::Error::other)?.into();
                Ok(())
            }
        }
    }
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
    pub(crate) fn begin(folder: &Folder, far: Option<Arc<Far>>) -> Result<Run, ArchiveError> {
        let segments: Vec<(u64, PathBuf)> = folder.segments()?.into_iter().collect();
        let sizes = segments.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|m| m.len());
        let progress = Progress { of_segments: segments.len() as u64, of_bytes: sizes.sum(), ..Progress::default() };
        let mut run = Run {
            folder: folder.clone(),
            far,
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
        if let (Err(error), true) = (&read, is_far(&path)) {
            return Checked::Away(error.to_string());
        }
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
                let mut headers = Vec::with_capacity(footer.kept.len());
                for kept in &footer.kept {
                    match Header::decode(&kept.header, number, kept.offset) {
                        Ok(header) => headers.push(header),
                        Err(fault) => self.name(file, kept.offset, None, fault.to_string()),
                    }
                }
                let source = match (is_far(path), &self.far) {
                    (false, _) => Source::Here(File::open(path)?),
                    (true, Some(far)) => Source::Far(Arc::clone(far), name_of(file, &seal.root), Handle::current()),
                    (true, None) => return Err(io::Error::other("it is in the object store, and none is configured")),
                };
                self.records(&source, &headers, file)?;
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

    /// Reads and verifies the records of a sealed segment: one thread reads ahead, the others hash.
    fn records(&mut self, source: &Source, headers: &[Header], file: &str) -> io::Result<()> {
        let groups = groups(headers);
        let verifiers = std::thread::available_parallelism().map_or(1, usize::from).min(VERIFIERS);
        let faults = std::thread::scope(|scope| {
            let (full, ready) = mpsc::sync_channel::<io::Result<(Range<usize>, Vec<u8>)>>(1);
            let (back, empty) = mpsc::channel::<Vec<u8>>();
            scope.spawn(move || {
                for group in groups {
                    let range = headers[group.start].offset..end(&headers[group.end - 1]);
                    let mut bytes = empty.try_recv().unwrap_or_default();
                    let read = source.read(range, &mut bytes).map(|()| (group, bytes));
                    if full.send(read).is_err() {
                        return;
                    }
                }
            });
            let mut faults = Vec::new();
            for read in ready {
                let (group, bytes) = match read {
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    read => read?,
                };
                let (headers, start) = (&headers[group.clone()], headers[group.start].offset);
                let bytes_of =
                    |header: &Header| &bytes[usize::try_from(header.offset - start).expect("in the group")..];
                let share = headers.len().div_ceil(verifiers);
                std::thread::scope(|scope| {
                    let rest: Vec<_> =
                        headers.chunks(share).skip(1).map(|some| scope.spawn(move || faulty(some, bytes_of))).collect();
                    let first = headers.chunks(share).next().map(|some| faulty(some, bytes_of));
                    faults.extend(first.into_iter().flatten());
                    rest.into_iter().for_each(|thread| faults.extend(thread.join().expect("verifying does not panic")));
                });
                // The reader takes it back; if it has ended, nothing is lost.
                let _ = back.send(bytes);
            }
            Ok::<_, io::Error>(Some(faults))
        })?;
        let Some(faults) = faults else { return self.short(source, headers, file) };
        self.report.records += (headers.len() - faults.len()) as u64;
        for (header, what) in faults {
            self.name(file, header.offset, Some(header), what);
        }
        Ok(())
    }

    /// The file ends before its footer says: record by record.
    fn short(&mut self, source: &Source, headers: &[Header], file: &str) -> io::Result<()> {
        for header in headers {
            let mut bytes = Vec::new();
            match source.read(header.offset..end(header), &mut bytes) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => bytes.clear(),
                read => read?,
            }
            match faulty(std::slice::from_ref(header), |_| &bytes).pop() {
                Some((header, what)) => self.name(file, header.offset, Some(header), what),
                None => self.report.records += 1,
            }
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
        let mut key: Option<[u8; 32]> = None;
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
                    if key.is_some_and(|k| !line_of(manifest.key, &manifest.handovers).contains(&k)) {
                        let what = "it is signed with another key, and the key before did not hand over to that";
                        self.name(&file, 0, None, what.to_owned());
                    }
                    key = Some(manifest.key);
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

/// Where a record ends.
fn end(header: &Header) -> u64 {
    header.offset + header.record_length()
}

/// Consecutive records that are read at once.
fn groups(headers: &[Header]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, header) in headers.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if end(header).saturating_sub(headers[group.start].offset) <= GROUP => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// Those of some records that are not as they were written, and why.
fn faulty<'h, 'b>(headers: &'h [Header], bytes_of: impl Fn(&Header) -> &'b [u8]) -> Vec<(&'h Header, String)> {
    let fault = |header: &Header| match crate::record::parse(bytes_of(header), header.segment, header.offset) {
        Ok((stored, _)) if stored == *header => None,
        Ok(_) => Some("the footer speaks of another record".to_owned()),
        Err(fault) => Some(fault.to_string()),
    };
    headers.iter().filter_map(|header| fault(header).map(|what| (header, what))).collect()
}
