//! Reading everything again: is each byte as it was written, and do index, chain and manifests agree?
//!
//! Nothing is changed here. What does not fit is named with file and place, and the check goes on.

use crate::{
    ArchiveError, CheckReport, Damage, Progress,
    archive::blocking,
    custody::{Manifest, Sealed, manifest_hash},
    folder::{Day, Folder},
    keys::lengthen,
    mark::{MARK, Mark},
    merkle::{self, Hash},
    reader::Reader,
    record::{Fault, Header},
    recover::damage,
    remote::{Away, Far, far_path, is_far, name_of},
    row::Row,
    seal::{Footer, OPENING, Seal},
    segment::{self, Found},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{self, Read as _},
    num::NonZeroU64,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;

/// Most damages that are named; a disk that lost more is told by the first ones.
const NAMED_MAX: usize = 10_000;

/// Bytes that a thread reads from a disk at once: they fit into its processor's cache.
const GROUP: u64 = 512 << 10;
/// Groups that the disk is asked ahead.
const AHEAD: usize = 8;
/// Bytes that a thread asks of an object store at once: each question costs a way there and back.
const FAR_GROUP: u64 = 4 << 20;
/// An object store that was away for so many segments one after another is not asked for more.
const AWAY_MOST: u32 = 3;
/// More than that between two records is no marks.
const MARKS_MOST: u64 = 4096;
/// A segment has its opening so long after its file at the latest.
const BEING_MADE: Duration = Duration::from_millis(300);
/// A segment is read again so often while it ends before where it ended.
const SEALED_MEANWHILE: usize = 3;
/// A manifest names a segment so long after it was sealed at the latest.
const BEING_NAMED: Duration = Duration::from_secs(5);
/// Threads that verify at most.
const VERIFIERS: usize = 4;

/// A check on its way.
struct Run {
    folder: Folder,
    far: Option<Arc<Far>>,
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    began_with: BTreeSet<u64>,
    progress: Progress,
    report: CheckReport,
    /// By position: the hash of each seal found, and what it says came before.
    chain: BTreeMap<u64, (String, Hash, Hash)>,
    /// What manifests say was sealed, less what they say was purged.
    on_record: BTreeMap<u64, Sealed>,
    /// Segments one after another that the object store did not give.
    away: u32,
    /// The segment that was just read, if it is not sealed.
    open: Option<PathBuf>,
}

/// What one step did.
enum Checked {
    Segment(SegmentRead),
    End,
}

/// Where a segment's bytes come from.
enum Source {
    Here(File),
    Far(Arc<Far>, String, Handle),
}

impl Source {
    fn group(&self) -> u64 {
        match self {
            Source::Here(_) => GROUP,
            Source::Far(..) => FAR_GROUP,
        }
    }

    /// Tells the disk that a range will soon be read. That is a hint: what becomes of it is no matter.
    fn ahead(&self, range: Range<u64>) {
        if let (Source::Here(file), length) = (self, NonZeroU64::new(range.end - range.start)) {
            let _ = rustix::fs::fadvise(file, range.start, length, rustix::fs::Advice::WillNeed);
        }
    }

    fn read(&self, range: Range<u64>, into: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Source::Here(file) => {
                into.resize(usize::try_from(range.end - range.start).map_err(io::Error::other)?, 0);
                segment::read_exact(file, into, range.start)
            }
            Source::Far(far, name, runtime) => {
                *into = runtime.block_on(far.store.read(name, range)).map_err(io::Error::from)?.into();
                Ok(())
            }
        }
    }
}

/// A segment's records as they are, to be compared with the index.
struct SegmentRead {
    number: u64,
    days: BTreeSet<Day>,
    file: String,
    headers: Vec<Header>,
    /// It is not sealed: more may have come since it was read.
    open: Option<PathBuf>,
}

impl SegmentRead {
    /// Compares what the segment holds with what the index says of it: what does not fit, and the records that the index
    /// has no row for.
    fn compare(&self, rows: Vec<Row>) -> (Vec<Damage>, Vec<&Header>) {
        let mut rows: HashMap<u64, Row> = rows.into_iter().map(|r| (r.header.offset, r)).collect();
        let (mut damages, mut lacking) = (Vec::new(), Vec::new());
        for header in &self.headers {
            match rows.remove(&header.offset) {
                Some(row) if row.header != *header => damages.push(self.damage(header, "the index says otherwise")),
                Some(_) => {}
                None => lacking.push(header),
            }
        }
        if self.open.is_some() {
            // A record is on the disk before the index knows it.
            lacking.clear();
        }
        let strangers = rows.into_values().filter(|row| !self.came_since(row));
        damages.extend(strangers.map(|r| self.damage(&r.header, "the index has a record here, the segment has none")));
        (damages, lacking)
    }

    /// Whether a row is of a record that was written after the segment was read.
    fn came_since(&self, row: &Row) -> bool {
        let Some(file) = self.open.as_ref().and_then(|path| File::open(path).ok()) else { return false };
        let (number, at) = row.place();
        let read = segment::read_record(&file, number, at, row.header.payload);
        matches!(read, Ok(Ok((header, _))) if header == row.header)
    }

    /// Names a record that the index lacks.
    fn lacks(&self, header: &Header) -> Damage {
        self.damage(header, "the index lacks this record")
    }

    fn damage(&self, header: &Header, what: &str) -> Damage {
        damage(self.file.clone(), header.offset, Some(header), what.to_owned())
    }
}

/// Reads everything, and compares it with the index. `told` is awaited before each segment.
pub(crate) async fn through<W: Future<Output = ()>>(
    reader: &Reader,
    folder: &Folder,
    key: [u8; 32],
    mut told: impl FnMut(Progress) -> W,
) -> Result<CheckReport, ArchiveError> {
    let (named, far) = (folder.clone(), reader.far());
    let mut run = blocking(move || Run::begin(&named, far, key)).await??;
    let mut last = None;
    loop {
        told(run.progress()).await;
        let reading = blocking(move || {
            let more = run.next();
            (run, more)
        });
        // The index is asked about one segment while the next is read.
        let (next, damages) = tokio::join!(reading, compare_with_index(reader, last.take()));
        let (back, more) = next?;
        run = back;
        run.add(damages);
        match more {
            Checked::Segment(read) => last = Some(read),
            Checked::End => break,
        }
    }
    let damages = rows_without_segment(reader, folder, run.began_with()).await;
    run.add(damages);
    Ok(run.report())
}

async fn compare_with_index(reader: &Reader, read: Option<SegmentRead>) -> Vec<Damage> {
    let Some(read) = read else { return Vec::new() };
    let rows = match reader.rows_of(read.number, &read.days).await {
        Ok(rows) => rows,
        Err(error) => return vec![index_fails(&error)],
    };
    // Retention may have dropped the segment while it was read.
    if !reader.has_segment(read.number) {
        return Vec::new();
    }
    let (mut damages, lacking) = read.compare(rows);
    for header in lacking {
        // Another record has the slot: a snapshot in place of this gap, or the same one written again elsewhere.
        match reader.row(header.camera, header.slot).await {
            Ok(Some(_)) => {}
            Ok(None) => damages.push(read.lacks(header)),
            Err(error) => {
                damages.push(index_fails(&error));
                break;
            }
        }
    }
    damages
}

/// Rows of the index that speak of segments which were not there when the check began, nor came since.
async fn rows_without_segment(reader: &Reader, folder: &Folder, there: &BTreeSet<u64>) -> Vec<Damage> {
    let mut damages = Vec::new();
    for day in reader.days(Day(0), Day(i32::MAX)) {
        let counted = match reader.rows_by_segment(day).await {
            Ok(counted) => counted,
            Err(error) => {
                damages.push(index_fails(&error));
                continue;
            }
        };
        let strange = counted.into_iter().filter(|(s, _)| !there.contains(s) && !reader.has_segment(*s));
        let file = folder.relative(&folder.day_index(day));
        damages.extend(strange.map(|(segment, rows)| without_segment(file.clone(), segment, rows)));
    }
    damages
}

/// Names an index that cannot be read.
fn index_fails(error: &ArchiveError) -> Damage {
    damage("index".to_owned(), 0, None, error.to_string())
}

/// Names rows of a day's index whose segment is not there.
fn without_segment(file: String, segment: u64, rows: u64) -> Damage {
    let what = format!("the index has {rows} records of segment {segment}, which is not there");
    damage(file, 0, None, what)
}

impl Run {
    /// Lists what there is and verifies the manifests.
    fn begin(folder: &Folder, far: Option<Arc<Far>>, key: [u8; 32]) -> Result<Run, ArchiveError> {
        let mut run = Run::of(folder, far, folder.segments()?.into_iter().collect());
        run.manifests(key)?;
        Ok(run)
    }

    fn of(folder: &Folder, far: Option<Arc<Far>>, segments: Vec<(u64, PathBuf)>) -> Run {
        let sizes = segments.iter().filter_map(|(_, path)| fs::metadata(path).ok()).map(|m| m.len());
        let progress = Progress { of_segments: segments.len() as u64, of_bytes: sizes.sum(), ..Progress::default() };
        Run {
            folder: folder.clone(),
            far,
            began_with: segments.iter().map(|(number, _)| *number).collect(),
            segments: segments.into_iter(),
            progress,
            report: CheckReport::default(),
            chain: BTreeMap::new(),
            on_record: BTreeMap::new(),
            away: 0,
            open: None,
        }
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    /// Reads one segment.
    fn next(&mut self) -> Checked {
        let Some((number, path)) = self.segments.next() else {
            self.end();
            return Checked::End;
        };
        let file = self.folder.relative(&path);
        let bytes = fs::metadata(&path).map_or(0, |m| m.len());
        let (damaged, records) = (self.report.damaged.len(), self.report.records);
        let mut read = self.segment(number, &path, &file);
        for _ in 0..SEALED_MEANWHILE {
            // A service that seals it cuts off what was set aside: an end that was there is not.
            if !read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
                break;
            }
            self.report.damaged.truncate(damaged);
            self.report.records = records;
            std::thread::sleep(BEING_MADE);
            read = self.segment(number, &path, &file);
        }
        self.progress.segments += 1;
        self.progress.bytes += bytes;
        self.report.segments += 1;
        self.report.bytes += bytes;
        let headers = read.unwrap_or_else(|error| {
            // Retention may have dropped it in the meantime.
            if let Some(why) = away(&error) {
                self.unread(why);
            } else if error.kind() != io::ErrorKind::NotFound {
                self.name(&file, 0, None, format!("cannot be read: {error}"));
            }
            Vec::new()
        });
        let days = headers.iter().map(|h| Day::of(h.slot)).collect();
        let open = self.open.take();
        Checked::Segment(SegmentRead { number, days, file, headers, open })
    }

    fn report(self) -> CheckReport {
        self.report
    }

    /// Adds what was found wrong elsewhere.
    fn add(&mut self, damages: Vec<Damage>) {
        let room = NAMED_MAX.saturating_sub(self.report.damaged.len());
        self.report.damaged.extend(damages.into_iter().take(room));
    }

    /// The segments that were on the disk when the check began, and are not any more or were read.
    fn began_with(&self) -> &BTreeSet<u64> {
        &self.began_with
    }

    fn segment(&mut self, number: u64, path: &Path, file: &str) -> io::Result<Vec<Header>> {
        let mut opens = segment::opens_as(path, number)?;
        if !opens && is_blank(path)? {
            // It is being made.
            std::thread::sleep(BEING_MADE);
            opens = segment::opens_as(path, number)?;
        }
        if !opens {
            self.name(file, 0, None, "the opening block is damaged".to_owned());
        }
        match segment::look(path, number)? {
            Found::Sealed(seal, footer) => {
                self.seal(&seal, path, file);
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
                    (true, Some(_)) if self.away >= AWAY_MOST => {
                        return Err(Away::Store("it was away, and was not asked again".to_owned()).into());
                    }
                    (true, Some(far)) => Source::Far(Arc::clone(far), name_of(file, &seal.root), Handle::current()),
                    (true, None) => {
                        return Err(Away::Store("it is in the object store, and none is configured".to_owned()).into());
                    }
                };
                match self.records(&source, &headers, &footer, seal.footer_at, file) {
                    Err(error) if missing(&error) => {
                        let what = format!("the object store has lost it, with {} records", headers.len());
                        self.name(file, 0, None, what);
                    }
                    read => {
                        read?;
                        if is_far(path) {
                            self.away = 0;
                        }
                    }
                }
                Ok(headers)
            }
            Found::Open if self.on_record.contains_key(&number) => {
                self.name(file, 0, None, "seal or footer damaged".to_owned());
                self.on_record.remove(&number);
                self.one_by_one(number, path, file, false)
            }
            // Given up after a disk error, or being written: whole records are all that can be asked of it.
            Found::Open => {
                self.open = Some(path.to_owned());
                self.one_by_one(number, path, file, true)
            }
        }
    }

    /// `grows`: what lies behind the last whole record is being written. If it was acknowledged, the index knows it.
    fn one_by_one(&mut self, number: u64, path: &Path, file: &str, grows: bool) -> io::Result<Vec<Header>> {
        let mut headers = Vec::new();
        let mut seen = segment::scan(path, number)?.seen;
        if grows {
            let whole = seen.iter().rposition(|seen| seen.whole.is_ok()).map_or(0, |last| last + 1);
            seen.truncate(whole);
        }
        for seen in seen {
            match seen.whole {
                Ok(()) => self.report.records += 1,
                Err(fault) => self.name(file, seen.header.offset, Some(&seen.header), fault.to_string()),
            }
            headers.push(seen.header);
        }
        Ok(headers)
    }

    /// Reads and verifies the records of a sealed segment. Each thread hashes what it has just read, while that is still
    /// in its processor's cache, and the disk is asked ahead of all of them.
    fn records(
        &mut self,
        source: &Source,
        headers: &[Header],
        footer: &Footer,
        until: u64,
        file: &str,
    ) -> io::Result<()> {
        let groups = groups(headers, source.group());
        // With what lies behind the last record of a group, if that is no more than marks.
        let range = |group: &Range<usize>| {
            let last = end(&headers[group.end - 1]);
            let next = headers.get(group.end).map_or(until, |header| header.offset);
            headers[group.start].offset..if next.saturating_sub(last) <= MARKS_MOST { next } else { last }
        };
        let next = AtomicUsize::new(0);
        let damaged_marks = Mutex::new(Vec::new());
        let verify = || -> io::Result<Vec<_>> {
            let (mut bytes, mut faults) = (Vec::new(), Vec::new());
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(group) = groups.get(at) else { return Ok(faults) };
                if let Some(later) = groups.get(at + AHEAD) {
                    source.ahead(range(later));
                }
                source.read(range(group), &mut bytes)?;
                let start = headers[group.start].offset;
                let of = |header: &Header| &bytes[usize::try_from(header.offset - start).expect("in the group")..];
                faults.extend(faulty(&headers[group.clone()], of));
                let marks = unmarked(&headers[group.clone()], footer, range(group), &bytes);
                damaged_marks.lock().expect("no holder panics").extend(marks);
            }
        };
        let verifiers = std::thread::available_parallelism().map_or(1, usize::from).min(VERIFIERS);
        let found = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..verifiers).map(|_| scope.spawn(verify)).collect();
            let mut found = vec![verify()];
            found.extend(threads.into_iter().map(|t| t.join().expect("verifying does not panic")));
            found
        });
        let mut faults = Vec::new();
        for found in found {
            match found {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof || segment::is_bad_sector(&e) => {
                    return self.one_after_another(source, headers, file);
                }
                found => faults.extend(found?),
            }
        }
        faults.sort_unstable_by_key(|(header, _)| header.offset);
        self.report.records += (headers.len() - faults.len()) as u64;
        for (header, what) in faults {
            self.name(file, header.offset, Some(header), what);
        }
        for at in damaged_marks.into_inner().expect("no holder panics") {
            self.name(file, at, None, "what stands between records is not as it was written".to_owned());
        }
        Ok(())
    }

    /// The file ends before its footer says, or the disk cannot read some of it: record by record.
    fn one_after_another(&mut self, source: &Source, headers: &[Header], file: &str) -> io::Result<()> {
        for header in headers {
            let mut bytes = Vec::new();
            match source.read(header.offset..end(header), &mut bytes) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => bytes.clear(),
                Err(e) if segment::is_bad_sector(&e) => {
                    self.name(file, header.offset, Some(header), Fault::Unreadable.to_string());
                    continue;
                }
                read => read?,
            }
            match faulty(std::slice::from_ref(header), |_| &bytes).pop() {
                Some((header, what)) => self.name(file, header.offset, Some(header), what),
                None => self.report.records += 1,
            }
        }
        Ok(())
    }

    /// A segment of which only the object store has the pictures, and that is away: nothing can be said of it.
    fn unread(&mut self, why: String) {
        self.away += 1;
        self.report.unread += 1;
        self.report.unread_because.get_or_insert(why);
    }

    fn seal(&mut self, seal: &Seal, path: &Path, file: &str) {
        let at = seal.file_length();
        let on_record = self.on_record.remove(&seal.number);
        // Or in the meantime.
        if let Some(sealed) = on_record.or_else(|| self.sealed_since(seal.number, path)) {
            if sealed.seal != seal.hash() {
                self.name(file, at, None, "the manifest names another seal for this segment".to_owned());
            }
            if let Some([from, _]) = sealed.unvouched.first() {
                let what = "records that this node does not know to have written, as the manifest says: not provable";
                self.name(file, *from, None, what.to_owned());
            }
            self.chain.insert(seal.position, (file.to_owned(), seal.hash(), seal.previous));
        } else {
            self.name(file, at, None, "no manifest names this segment".to_owned());
        }
    }

    /// Every manifest: its signature, that it follows the one before, from the first ever on, and that this node's own key
    /// or one that led to it has signed.
    fn manifests(&mut self, ours: [u8; 32]) -> Result<(), ArchiveError> {
        let mut aside = BTreeSet::new();
        let folder = self.folder.manifests();
        for entry in fs::read_dir(&folder).map_err(ArchiveError::io("list", &folder))? {
            let path = entry.map_err(ArchiveError::io("list", &folder))?.path();
            if path.extension().is_some_and(|e| e == "damaged") {
                let file = self.folder.relative(&path);
                aside.extend(fs::read(&path).ok().map(|text| manifest_hash(&String::from_utf8_lossy(&text))));
                self.name(&file, 0, None, "manifest damaged, found at an earlier start".to_owned());
            }
        }
        let mut purged = BTreeSet::new();
        let mut previous: Option<Hash> = None;
        let mut believed = Vec::new();
        for day in Folder::days(&folder, "txt")? {
            let path = self.folder.manifest(day);
            let file = self.folder.relative(&path);
            let text = fs::read(&path).map_err(ArchiveError::io("read", &path))?;
            let text = String::from_utf8_lossy(&text);
            match Manifest::of_day(&text, day) {
                Ok(manifest) => {
                    if previous.is_some_and(|p| p != manifest.previous) {
                        self.name(&file, 0, None, "it does not follow the manifest before it".to_owned());
                    }
                    let first = previous.is_none() && manifest.previous != [0; 32];
                    if first && !aside.contains(&manifest.previous) {
                        self.name(&file, 0, None, "the manifests before it are missing".to_owned());
                    }
                    believed.push((file.clone(), manifest.key, manifest.handovers));
                    self.on_record.extend(manifest.sealed.into_iter().map(|s| (s.segment, s)));
                    purged.extend(manifest.purged.into_iter().map(|p| p.segment));
                }
                Err(fault) => self.name(&file, 0, None, fault.to_string()),
            }
            previous = Some(manifest_hash(&text));
        }
        self.on_record.retain(|number, _| !purged.contains(number));
        // Each key of somebody else's is named once, at the newest that it signed.
        let (mut line, mut strangers) = (BTreeSet::from([ours]), BTreeSet::new());
        for (file, key, handovers) in believed.into_iter().rev() {
            if line.contains(&key) {
                lengthen(&mut line, &handovers);
            } else if strangers.insert(key) {
                let what = "is neither this node's key nor one that handed over to it";
                self.name(&file, 0, None, format!("it is signed with {}, which {what}", hex::encode(key)));
            }
        }
        Ok(())
    }

    /// What can only be said when all segments were seen.
    fn end(&mut self) {
        for sealed in std::mem::take(&mut self.on_record).into_values() {
            // Retention may have dropped it while the check ran.
            let path = self.folder.root().join(&sealed.file);
            // Or its pictures went into the object store.
            let there = path.exists() || far_path(&path).exists();
            if !there && !self.purged_since(sealed.segment) {
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
        self.newest_manifests().any(|m| m.purged.iter().any(|p| p.segment == segment))
    }

    /// What a manifest says by now of a segment that none named when the check began. One that was sealed this very moment
    /// is named a moment later.
    fn sealed_since(&self, segment: u64, path: &Path) -> Option<Sealed> {
        let named = || self.newest_manifests().flat_map(|m| m.sealed).find(|sealed| sealed.segment == segment);
        let young = || {
            let changed = fs::metadata(path).and_then(|file| file.modified()).ok()?;
            changed.elapsed().ok().filter(|age| *age < BEING_NAMED)
        };
        loop {
            let found = named();
            if found.is_some() || !self.folder.manifests().is_dir() || young().is_none() {
                return found;
            }
            std::thread::sleep(BEING_MADE);
        }
    }

    /// What is on record by now of the last two days.
    fn newest_manifests(&self) -> impl Iterator<Item = Manifest> {
        let days = Folder::days(&self.folder.manifests(), "txt").unwrap_or_default();
        let folder = self.folder.clone();
        days.into_iter().rev().take(2).filter_map(move |day| {
            let text = fs::read_to_string(folder.manifest(day)).ok()?;
            Manifest::of_day(&text, day).ok()
        })
    }

    fn name(&mut self, file: &str, offset: u64, header: Option<&Header>, what: String) {
        if self.report.damaged.len() < NAMED_MAX {
            self.report.damaged.push(damage(file.to_owned(), offset, header, what));
        }
    }
}

/// Why the object store did not give something, if that was it.
fn away(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<Away>().map(Away::to_string)
}

/// Whether the object store answers that it has no such object.
fn missing(error: &io::Error) -> bool {
    matches!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(Away::Missing(_)))
}

/// Where something between the records of a group is no mark, although the footer does not say that it is nothing.
fn unmarked(headers: &[Header], footer: &Footer, range: Range<u64>, bytes: &[u8]) -> Vec<u64> {
    let start = range.start;
    let begins = headers.iter().skip(1).map(|header| header.offset).chain([range.end]);
    let between = headers.iter().zip(begins).map(|(header, next)| end(header)..next);
    let nothing = |gap: &Range<u64>| footer.skipped.iter().any(|s| s.start <= gap.start && gap.end <= s.end);
    let marks = between.filter(|gap| gap.start < gap.end && !nothing(gap)).flat_map(|gap| {
        let places = gap.clone().step_by(MARK);
        places.filter(move |at| {
            let from = usize::try_from(*at - start).unwrap_or(usize::MAX);
            let mark = bytes.get(from..).and_then(|rest| rest.first_chunk::<MARK>());
            *at + MARK as u64 > gap.end || mark.is_none_or(|mark| Mark::decode(mark, *at).is_none())
        })
    });
    marks.take(1).collect()
}

/// Whether a file has nothing yet where its opening belongs.
fn is_blank(path: &Path) -> io::Result<bool> {
    let mut bytes = Vec::new();
    File::open(path)?.take(OPENING as u64).read_to_end(&mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

/// Where a record ends.
fn end(header: &Header) -> u64 {
    header.offset + header.record_length()
}

/// Consecutive records that are read at once.
fn groups(headers: &[Header], most: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, header) in headers.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if end(header).saturating_sub(headers[group.start].offset) <= most => group.end = at + 1,
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

/// One file as the check reads it, by itself: for fuzzers.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_through(path: &Path, number: u64) -> io::Result<()> {
    let root = path.parent().unwrap_or(Path::new("/"));
    let mut run = Run::of(&Folder::new(root), None, vec![(number, path.to_owned())]);
    run.segment(number, path, "fuzzed").map(drop)
}

/// A whole folder as the check reads it, without index: for the tests.
#[cfg(test)]
pub(crate) fn folder_alone(folder: &Folder, key: [u8; 32]) -> Result<CheckReport, ArchiveError> {
    let mut run = Run::begin(folder, None, key)?;
    while let Checked::Segment(_) = run.next() {}
    Ok(run.report())
}
