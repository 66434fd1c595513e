//! Finding and reading: many callers at once, beside the writer, never in its way.
//!
//! Reading goes through the index to the segment; what is handed out was verified against the record's own SHA-256
//! and against the row that led there. A row can be wrong (the index is a cache); then nothing is served.
//!
//! What the page cache holds is read at once, on the caller's thread; only what must come from the disk goes to another.

use crate::{
    ArchiveError, Entry, Kind, Page, Snapshot, SnapshotId, SnapshotQuery, SnapshotRef,
    folder::{Day, Folder},
    index::index_error,
    merkle::Hash,
    query::Cursors,
    record::{self, HEADER, HOUR_MS, PAYLOAD_MAX},
    remote::{Far, far_path, is_far, name_of},
    row::{self, Row},
};
use bytes::Bytes;
use fleet::{CameraId, Status, Wall};
use health::SnapshotClass;
use sqlx::{
    ConnectOptions as _, QueryBuilder, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, IoSliceMut},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, RwLock},
    time::{Duration, Instant},
};

/// Segment files that stay open for reading.
const OPEN_SEGMENTS: usize = 64;
/// A picture up to this many bytes is verified on the caller's thread.
const VERIFIED_HERE: usize = 1 << 20;
/// Longest wait for the object store.
const FAR_WITHIN: Duration = Duration::from_secs(25);
/// Day files that stay open for reading.
const OPEN_DAYS: usize = 16;
/// Snapshots on each side of an instant of which the nearest is looked for: some are captured long after their slot.
const NEIGHBOURS: i64 = 16;
/// Readers of one day at once.
const READERS: u32 = 4;
/// A search that has looked this long hands out what it has, at the end of a day.
const PAUSE_AFTER: Duration = Duration::from_secs(2);

/// What the writer tells readers.
#[derive(Default)]
pub(crate) struct Known {
    /// Days that have an index.
    pub(crate) days: BTreeSet<Day>,
    /// Where each segment is.
    pub(crate) segments: BTreeMap<u64, Held>,
}

/// One segment as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its file, or its skeleton.
    pub(crate) path: PathBuf,
    /// What is known of it once it is sealed.
    pub(crate) sealed: Option<SealedAs>,
}

#[derive(Clone, Debug)]
pub(crate) struct SealedAs {
    pub(crate) bytes: u64,
    pub(crate) root: Hash,
}

pub(crate) struct Reader {
    folder: Folder,
    known: RwLock<Known>,
    pools: Mutex<Vec<(Day, SqlitePool)>>,
    /// Most recently used last.
    files: Mutex<Vec<(u64, Arc<File>)>>,
    far: Option<Arc<Far>>,
    cursors: Cursors,
    /// Nobody tells what is new.
    looks: bool,
}

impl Reader {
    pub(crate) fn new(folder: Folder, known: Known, far: Option<Arc<Far>>, cursors: Cursors) -> Reader {
        Reader {
            folder,
            known: RwLock::new(known),
            pools: Mutex::default(),
            files: Mutex::default(),
            far,
            cursors,
            looks: false,
        }
    }

    /// Reads beside a process that has the archive open: what there is, is looked up on the disk.
    pub(crate) fn beside(folder: Folder, far: Option<Arc<Far>>) -> Result<Reader, ArchiveError> {
        let days = Folder::days(&folder.index(), "db")?.into_iter().collect();
        let held = |(number, path)| (number, Held { path, sealed: None });
        let segments = folder.segments()?.into_iter().map(held).collect();
        // No cursor is given out or taken.
        let cursors = Cursors::new(&ed25519_dalek::SigningKey::from_bytes(&[0; 32]));
        Ok(Reader { looks: true, ..Reader::new(folder, Known { days, segments }, far, cursors) })
    }

    /// Whether a segment is there, by now.
    pub(crate) fn has_segment(&self, number: u64) -> bool {
        let known = self.segment(number);
        if !self.looks {
            return known.is_some();
        }
        if known.is_some_and(|path| path.exists() || far_path(&path).exists()) {
            return true;
        }
        // It may have come since.
        self.folder.segments().is_ok_and(|there| there.contains_key(&number))
    }

    /// Lets the writer tell what is new.
    pub(crate) fn tell(&self, news: impl FnOnce(&mut Known)) {
        news(&mut self.known.write().expect("no holder panics"));
    }

    /// A segment is elsewhere now, or nowhere: what is open of it would hold its space.
    pub(crate) fn moved(&self, number: u64, to: Option<Held>) {
        self.tell(|known| match to {
            Some(held) => drop(known.segments.insert(number, held)),
            None => drop(known.segments.remove(&number)),
        });
        self.files().retain(|(open, _)| *open != number);
    }

    pub(crate) fn far(&self) -> Option<Arc<Far>> {
        self.far.clone()
    }

    /// Every segment.
    pub(crate) fn held(&self) -> BTreeMap<u64, Held> {
        self.known.read().expect("no holder panics").segments.clone()
    }

    fn files(&self) -> MutexGuard<'_, Vec<(u64, Arc<File>)>> {
        self.files.lock().expect("no holder panics")
    }

    /// Closes what is open of a day that is being dropped.
    pub(crate) fn forget_day(&self, day: Day) {
        self.tell(|known| {
            known.days.remove(&day);
        });
        self.pools().retain(|(d, _)| *d != day);
    }

    /// Closes everything.
    pub(crate) async fn close(&self) {
        self.files().clear();
        let pools = std::mem::take(&mut *self.pools());
        for (_, pool) in pools {
            pool.close().await;
        }
    }

    fn pools(&self) -> MutexGuard<'_, Vec<(Day, SqlitePool)>> {
        self.pools.lock().expect("no holder panics")
    }

    fn pool(&self, day: Day) -> SqlitePool {
        let mut pools = self.pools();
        if let Some(at) = pools.iter().position(|(d, _)| *d == day) {
            let used = pools.remove(at);
            let pool = used.1.clone();
            pools.push(used);
            return pool;
        }
        if pools.len() >= OPEN_DAYS {
            pools.remove(0);
        }
        let options = SqliteConnectOptions::new()
            .filename(self.folder.day_index(day))
            .read_only(true)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(options);
        pools.push((day, pool.clone()));
        pool
    }

    /// Rows of one day's index by a query. A day that retention has dropped in the meantime has none.
    async fn rows(&self, day: Day, mut query: QueryBuilder<Sqlite>) -> Result<Vec<Row>, ArchiveError> {
        self.rows_by(day, query.build().persistent(false)).await
    }

    async fn rows_by(
        &self,
        day: Day,
        query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Vec<Row>, ArchiveError> {
        let fetched = query.fetch_all(&self.pool(day)).await;
        let rows = match fetched {
            Ok(rows) => rows,
            Err(_) if !self.has_day(day) || !self.folder.day_index(day).exists() => return Ok(Vec::new()),
            Err(e) => return Err(index_error(&self.folder.day_index(day), &e)),
        };
        let damaged = || ArchiveError::Index {
            file: format!("{day}.db"),
            what: "a row has a value that this program does not write; rebuild the index".to_owned(),
        };
        rows.iter().map(|row| Row::read(row).ok_or_else(damaged)).collect()
    }

    fn has_day(&self, day: Day) -> bool {
        self.known.read().expect("no holder panics").days.contains(&day)
    }

    /// Days with an index between two, newest first.
    pub(crate) fn days(&self, first: Day, last: Day) -> Vec<Day> {
        if first > last {
            return Vec::new();
        }
        self.known.read().expect("no holder panics").days.range(first..=last).rev().copied().collect()
    }

    pub(crate) async fn search(&self, query: &SnapshotQuery) -> Result<Page, ArchiveError> {
        query.validate()?;
        self.cursors.check(query)?;
        let started = Instant::now();
        let wanted = query.page_size();
        let cameras = query.cameras.as_ref().map(|list| {
            let ids: Vec<String> = list.iter().map(|c| c.0.to_string()).collect();
            format!("[{}]", ids.join(","))
        });
        let last = query.until.map_or(Day(i32::MAX), |until| Day::of(Wall(until.0.saturating_sub(1))));
        let last = query.after.map_or(last, |after| last.min(Day::of(Wall(after.slot))));
        let first = query.from.map_or(Day(0), Day::of);
        let mut page = Page::default();
        for day in self.days(first, last) {
            // One more than wanted tells whether there is a next page.
            let room = i64::try_from(wanted + 1 - page.entries.len()).unwrap_or(i64::MAX);
            let select = select(query, cameras.as_deref(), room);
            page.entries.extend(self.rows(day, select).await?.into_iter().map(Row::entry));
            if page.entries.len() > wanted {
                page.entries.truncate(wanted);
                let end = page.entries.last();
                page.next = end.map(|e| self.cursors.give(query, e.slot().0, i64::from(e.camera().0)));
                break;
            }
            if started.elapsed() > PAUSE_AFTER && day > first {
                // Before every camera of the day's first instant: the next page begins with the day before.
                page.next = Some(self.cursors.give(query, day.start().0, -1));
                break;
            }
        }
        Ok(page)
    }

    /// The snapshot of a camera whose capture is nearest to an instant.
    pub(crate) async fn nearest(&self, camera: CameraId, at: Wall) -> Result<Option<SnapshotRef>, ArchiveError> {
        let here = Day::of(at);
        let mut best: Option<SnapshotRef> = None;
        let mut before = self.days(Day(0), here);
        let mut after = self.days(here, Day(i32::MAX));
        after.reverse();
        for (days, earlier) in [(&mut before, true), (&mut after, false)] {
            for &mut day in days {
                // A day further away than what was found already cannot hold a nearer one.
                let edge = if earlier { Day(day.0.saturating_add(1)).start() } else { day.start() };
                if day != here && best.as_ref().is_some_and(|b| distance(b.captured, at) <= distance(edge, at)) {
                    break;
                }
                let mut query = QueryBuilder::new("SELECT ");
                query
                    .push(row::COLUMNS)
                    .push(" FROM entry WHERE kind = 1 AND camera = ")
                    .push_bind(i64::from(camera.0));
                if earlier {
                    query.push(" AND slot <= ").push_bind(at.0).push(" ORDER BY slot DESC LIMIT ");
                } else {
                    query.push(" AND slot > ").push_bind(at.0).push(" ORDER BY slot LIMIT ");
                }
                query.push_bind(NEIGHBOURS);
                let rows = self.rows(day, query).await?;
                let enough = !rows.is_empty();
                for entry in rows.into_iter().map(Row::entry) {
                    let Entry::Snapshot(found) = entry else { continue };
                    if best.as_ref().is_none_or(|b| distance(found.captured, at) < distance(b.captured, at)) {
                        best = Some(found);
                    }
                }
                if enough {
                    break;
                }
            }
        }
        Ok(best)
    }

    /// The row that an id names.
    pub(crate) async fn find(&self, id: &SnapshotId) -> Result<Row, ArchiveError> {
        let row = self.row(id.camera(), id.slot()).await?.ok_or(ArchiveError::NotFound)?;
        let same = SnapshotId::new(row.header.camera, row.header.slot, &row.header.sha256) == *id;
        if same && !row.is_gap() { Ok(row) } else { Err(ArchiveError::NotFound) }
    }

    /// The row of a camera and slot.
    pub(crate) async fn row(&self, camera: CameraId, slot: Wall) -> Result<Option<Row>, ArchiveError> {
        let day = Day::of(slot);
        if !self.has_day(day) {
            return Ok(None);
        }
        let mut query = QueryBuilder::new("SELECT ");
        query.push(row::COLUMNS).push(" FROM entry WHERE slot = ").push_bind(slot.0);
        query.push(" AND camera = ").push_bind(i64::from(camera.0));
        // Asked for each picture: the statement is kept.
        Ok(self.rows_by(day, query.build().persistent(true)).await?.pop())
    }

    /// The rows of one segment in some days.
    pub(crate) async fn rows_of(&self, segment: u64, days: &BTreeSet<Day>) -> Result<Vec<Row>, ArchiveError> {
        let mut found = Vec::new();
        for &day in days.iter().filter(|&&day| self.has_day(day)) {
            let mut query = QueryBuilder::new("SELECT ");
            query.push(row::COLUMNS).push(" FROM entry WHERE segment = ").push_bind(segment.cast_signed());
            found.extend(self.rows(day, query).await?);
        }
        Ok(found)
    }

    /// How many rows of a day each segment has.
    pub(crate) async fn rows_by_segment(&self, day: Day) -> Result<Vec<(u64, u64)>, ArchiveError> {
        let counted = sqlx::query_as::<_, (i64, i64)>("SELECT segment, count(*) FROM entry GROUP BY segment")
            .persistent(false)
            .fetch_all(&self.pool(day))
            .await;
        match counted {
            Ok(counted) => Ok(counted.into_iter().map(|(s, n)| (s.cast_unsigned(), n.cast_unsigned())).collect()),
            Err(_) if !self.has_day(day) || !self.folder.day_index(day).exists() => Ok(Vec::new()),
            Err(e) => Err(index_error(&self.folder.day_index(day), &e)),
        }
    }

    pub(crate) async fn read(&self, id: &SnapshotId) -> Result<Snapshot, ArchiveError> {
        let row = self.find(id).await?;
        let (segment, offset) = row.place();
        if row.header.payload as usize > PAYLOAD_MAX {
            let what = "the index names an impossible length".to_owned();
            return Err(ArchiveError::Damaged { segment, offset, what });
        }
        loop {
            let held = self.known.read().expect("no holder panics").segments.get(&segment).cloned();
            let held = held.ok_or(ArchiveError::NotFound)?;
            if is_far(&held.path) {
                return self.read_far(&held, row).await;
            }
            match self.read_here(&held.path, &row).await {
                // It went into the object store since we looked.
                Err(ArchiveError::NotFound) if self.segment(segment).is_some_and(|path| path != held.path) => {}
                bytes => return picture(row, bytes?).await,
            }
        }
    }

    async fn read_here(&self, path: &Path, row: &Row) -> Result<Vec<u8>, ArchiveError> {
        let (segment, offset) = row.place();
        let length = usize::try_from(row.header.record_length()).expect("payloads are limited to 32 MiB");
        let file = match self.opened(segment) {
            Some(file) => file,
            None => self.open(segment, path).await?,
        };
        let mut bytes = vec![0; length];
        if cached(&file, &mut bytes, offset) {
            return Ok(bytes);
        }
        let read = tokio::task::spawn_blocking(move || file.read_exact_at(&mut bytes, offset).map(|()| bytes));
        match read.await.map_err(|_| ArchiveError::Closed)? {
            // A record cut short is damage, and told as that.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
            read => read.map_err(ArchiveError::io("read", path)),
        }
    }

    fn opened(&self, number: u64) -> Option<Arc<File>> {
        let mut files = self.files();
        let at = files.iter().position(|(n, _)| *n == number)?;
        let used = files.remove(at);
        let file = Arc::clone(&used.1);
        files.push(used);
        Some(file)
    }

    async fn open(&self, number: u64, path: &Path) -> Result<Arc<File>, ArchiveError> {
        let named = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || File::open(named)).await.map_err(|_| ArchiveError::Closed)?;
        let file = match opened {
            // Retention may have dropped it since the index was asked.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(ArchiveError::NotFound),
            file => Arc::new(file.map_err(ArchiveError::io("open", path))?),
        };
        let mut files = self.files();
        // Only if it still is where it was: nobody would close it again.
        if self.segment(number).as_deref() == Some(path) {
            if files.len() >= OPEN_SEGMENTS {
                files.remove(0);
            }
            files.push((number, Arc::clone(&file)));
        }
        Ok(file)
    }

    /// Reads a picture of which only the object store has the bytes.
    async fn read_far(&self, held: &Held, row: Row) -> Result<Snapshot, ArchiveError> {
        let (Some(far), Some(sealed)) = (&self.far, &held.sealed) else {
            return Err(ArchiveError::Away("none is configured".to_owned()));
        };
        let name = name_of(&self.folder.relative(&held.path), &sealed.root);
        let from = row.header.offset;
        let read = far.store.read(&name, from..from + row.header.record_length());
        let read = tokio::time::timeout(FAR_WITHIN, read).await;
        let bytes = read.map_err(|_| ArchiveError::Away(format!("no answer within {} s", FAR_WITHIN.as_secs())))??;
        picture(row, bytes.into()).await
    }

    /// Where a segment's file is.
    pub(crate) fn segment(&self, number: u64) -> Option<PathBuf> {
        self.known.read().expect("no holder panics").segments.get(&number).map(|held| held.path.clone())
    }
}

fn distance(a: Wall, b: Wall) -> u64 {
    a.0.abs_diff(b.0)
}

/// Cameras whose rows of a day are few enough to be looked up and sorted.
const FEW_CAMERAS: usize = 16;
/// Cameras whose rows of a day are few enough to be sorted, if that takes the index alone.
const SOME_CAMERAS: usize = 100;

/// How a day's rows are reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The index by camera and kind tells which rows; only those of the page are looked up.
    Cameras,
    /// The rows of a few cameras, or rare rows, are looked up, and sorted.
    Few,
    /// In the order of time, until the page is full.
    Time,
}

fn way(query: &SnapshotQuery) -> Way {
    let plain = query.class.is_none() && query.status.is_none() && query.cause.is_none();
    match query.cameras.as_ref().map(Vec::len) {
        Some(n) if n <= SOME_CAMERAS && plain => Way::Cameras,
        Some(n) if n <= FEW_CAMERAS => Way::Few,
        _ => Way::Time,
    }
}

fn select(query: &SnapshotQuery, cameras: Option<&str>, most: i64) -> QueryBuilder<Sqlite> {
    let way = way(query);
    let mut select = QueryBuilder::new("SELECT ");
    select.push(row::COLUMNS).push(" FROM ");
    if way == Way::Cameras {
        select.push("(SELECT slot AS s, camera AS c FROM ");
    }
    select.push("entry WHERE slot >= ");
    conditions(&mut select, query, cameras, way);
    // The plus keeps SQLite from walking the whole day in its order when the cameras lead to few rows.
    let by = if way == Way::Time { ["slot", "camera"] } else { ["+slot", "+camera"] };
    select.push(format!(" ORDER BY {} DESC, {} DESC LIMIT ", by[0], by[1])).push_bind(most);
    if way == Way::Cameras {
        select.push(") CROSS JOIN entry ON entry.slot = s AND entry.camera = c ORDER BY s DESC, c DESC");
    }
    select
}

fn conditions(select: &mut QueryBuilder<Sqlite>, query: &SnapshotQuery, cameras: Option<&str>, way: Way) {
    match query.from {
        // A gap of several slots may reach into the range; its slots are of one hour.
        Some(from) if query.kind != Kind::Snapshot => {
            select.push_bind(from.0.saturating_sub(HOUR_MS));
            select.push(" AND (slot >= ").push_bind(from.0);
            select.push(" OR kind = 2 AND last >= ").push_bind(from.0).push(")");
        }
        from => drop(select.push_bind(from.map_or(0, |f| f.0))),
    }
    if let Some(until) = query.until {
        select.push(" AND slot < ").push_bind(until.0);
    }
    if let Some(after) = query.after {
        select.push(" AND (slot, camera) < (").push_bind(after.slot).push(", ").push_bind(after.camera).push(")");
    }
    if let Some(cameras) = cameras {
        select.push(if way == Way::Time { " AND +camera IN " } else { " AND camera IN " });
        select.push("(SELECT value FROM json_each(").push_bind(cameras.to_owned()).push("))");
    }
    match query.kind {
        // The word of the index, so that it applies.
        Kind::All if way == Way::Cameras => drop(select.push(" AND kind IN (1, 2)")),
        Kind::All => {}
        Kind::Snapshot => drop(select.push(" AND kind = 1")),
        Kind::Gap => drop(select.push(" AND kind = 2")),
    }
    if let Some(class) = query.class {
        // The words of the partial indexes, so that they apply.
        if class != SnapshotClass::Routine {
            select.push(" AND class > 1");
        }
        select.push(" AND class = ").push_bind(i64::from(crate::record::class_number(class)));
    }
    if let Some(status) = query.status {
        if status != Status::Online {
            select.push(" AND status > 1");
        }
        select.push(" AND status = ").push_bind(i64::from(crate::record::status_number(status)));
    }
    if let Some(cause) = query.cause {
        select.push(" AND cause = ").push_bind(cause.code());
    }
}

/// Fills `bytes` if the page cache has all of it; says whether it has.
fn cached(file: &File, bytes: &mut [u8], offset: u64) -> bool {
    let wanted = bytes.len();
    let read = rustix::io::preadv2(file, &mut [IoSliceMut::new(bytes)], offset, rustix::io::ReadWriteFlags::NOWAIT);
    read.is_ok_and(|read| read == wanted)
}

/// The picture in a record's bytes, verified against the record's hash and the row that led there.
async fn picture(row: Row, bytes: Vec<u8>) -> Result<Snapshot, ArchiveError> {
    if bytes.len() <= VERIFIED_HERE {
        return verified(row, bytes);
    }
    tokio::task::spawn_blocking(move || verified(row, bytes)).await.map_err(|_| ArchiveError::Closed)?
}

fn verified(row: Row, bytes: Vec<u8>) -> Result<Snapshot, ArchiveError> {
    let (segment, offset) = row.place();
    let damaged = |what: String| ArchiveError::Damaged { segment, offset, what };
    let length = match record::parse(&bytes, segment, offset) {
        Err(fault) => return Err(damaged(fault.to_string())),
        Ok((header, _)) if header != row.header => {
            return Err(damaged("the record is not the one that the index names".to_owned()));
        }
        Ok((_, payload)) => payload.len(),
    };
    match row.entry() {
        Entry::Snapshot(reference) => {
            Ok(Snapshot { reference, data: Bytes::from(bytes).slice(HEADER..HEADER + length) })
        }
        Entry::Gap(_) => Err(ArchiveError::NotFound),
    }
}
