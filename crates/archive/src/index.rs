//! The index: one SQLite file per UTC day, and a catalog of the sealed segments they cover.
//!
//! The index is a cache: everything in it can be made from the segments again. Why it may still be trusted after a
//! crash although its commits are not flushed one by one:
//! * The files are in WAL mode with `synchronous=NORMAL`: a power cut may take the last transactions, but leaves an
//!   intact database that ends at a transaction's end.
//! * What was lost can only concern segments that are not in the catalog: before a sealed segment enters the catalog,
//!   [`Index::make_durable`] commits once with `synchronous=FULL` in every day file that the segment touches, which
//!   flushes all earlier commits of that file too, and then the catalog row itself is committed the same way.
//! * On open every segment that is not in the catalog is read again and its rows are put in where they lack.
//!
//! So a snapshot is acknowledged when its bytes are flushed and its row is committed, and after any crash it is either
//! in the index or read from its segment before the archive opens.

use crate::{
    ArchiveError,
    folder::{Day, Folder, NUMBER_MAX},
    merkle::Hash,
    policy::Shelf,
    row::{self, Key, Row, WIDTH},
    seal::Seal,
};
use fleet::Wall;
use sqlx::{
    ConnectOptions as _, Connection as _, QueryBuilder, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::Duration,
};

/// Version of the tables. An index of another one is made anew from the segments.
const VERSION: i64 = 5;
/// Rows of one statement: few enough for SQLite's limit of 32,766 values.
const ROWS_AT_ONCE: usize = 32_766 / WIDTH / 4;
/// Day files that the writer keeps open: today's, and those around midnight and of late records.
const OPEN_DAYS: usize = 4;

const DAY_TABLES: &str = "CREATE TABLE IF NOT EXISTS entry (
    slot INTEGER NOT NULL, camera INTEGER NOT NULL, kind INTEGER NOT NULL, class INTEGER, status INTEGER, cause TEXT,
    stream INTEGER, captured INTEGER, captured_mono INTEGER, camera_clock INTEGER, clock_within INTEGER, codec INTEGER,
    width INTEGER, height INTEGER, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL, segment INTEGER NOT NULL, at INTEGER NOT NULL,
    detail TEXT, slots INTEGER, every INTEGER, last INTEGER,
    PRIMARY KEY (slot, camera)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS durable (segment INTEGER PRIMARY KEY) STRICT;
-- Ways in other than by time: one camera, and what is rare. What is common needs none: by time a page soon is full.
CREATE INDEX IF NOT EXISTS entry_camera_kind ON entry (camera, kind, slot);
CREATE INDEX IF NOT EXISTS entry_segment ON entry (segment);
CREATE INDEX IF NOT EXISTS entry_gap ON entry (slot) WHERE kind = 2;
CREATE INDEX IF NOT EXISTS entry_class ON entry (class, slot) WHERE class > 1;
CREATE INDEX IF NOT EXISTS entry_status ON entry (status, slot) WHERE status > 1;
CREATE INDEX IF NOT EXISTS entry_cause ON entry (cause, slot) WHERE cause IS NOT NULL;";

const CATALOG_TABLES: &str = "CREATE TABLE IF NOT EXISTS segment (
    number INTEGER PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER NOT NULL, records INTEGER NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL, kept_from INTEGER NOT NULL, days TEXT NOT NULL,
    position INTEGER NOT NULL, root BLOB NOT NULL, seal BLOB NOT NULL
) STRICT;
-- Which records a segment may hold. One that lacks here is older than this and may hold anything.
CREATE TABLE IF NOT EXISTS shelf (
    number INTEGER PRIMARY KEY, classes INTEGER NOT NULL, place TEXT NOT NULL
) STRICT;";

/// One sealed segment as the catalog knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Catalogued {
    pub(crate) number: u64,
    /// Relative to the archive's folder.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    /// Oldest and newest slot in it.
    pub(crate) oldest: Wall,
    pub(crate) newest: Wall,
    /// The youngest instant in it, by any clock of ours: retention counts from here.
    pub(crate) kept_from: Wall,
    /// Days whose index has rows of it.
    pub(crate) days: BTreeSet<Day>,
    pub(crate) position: u64,
    pub(crate) root: Hash,
    /// [`Seal::hash`].
    pub(crate) seal: Hash,
    /// Which records it may hold: what it is kept by.
    pub(crate) shelf: Shelf,
}

impl Catalogued {
    /// Describes a sealed segment by its rows.
    pub(crate) fn new(file: String, seal: &Seal, rows: &[Row], shelf: Shelf) -> Catalogued {
        let slots = || rows.iter().map(|r| r.header.slot);
        // When it arrived; of several missed slots the last.
        let captured = rows.iter().map(|r| match &r.header.about {
            crate::record::About::Snapshot(taken) => taken.captured,
            crate::record::About::Gap(missed) => missed.last(r.header.slot),
        });
        let last = rows.iter().filter_map(|r| match &r.header.about {
            crate::record::About::Snapshot(_) => None,
            crate::record::About::Gap(missed) => Some(missed.last(r.header.slot)),
        });
        Catalogued {
            number: seal.number,
            file,
            bytes: seal.file_length(),
            records: rows.len() as u64,
            oldest: slots().min().unwrap_or(seal.sealed),
            newest: slots().chain(last).max().unwrap_or(seal.sealed),
            kept_from: slots().chain(captured).max().unwrap_or(seal.sealed),
            days: slots().map(Day::of).collect(),
            position: seal.position,
            root: seal.root,
            seal: seal.hash(),
            shelf,
        }
    }
}

/// The writer's side of the index.
///
/// A connection on which anything failed is not used again: a commit that failed (on a full disk, say) may have left
/// its transaction open. The next use opens the file anew, which rolls back what was not committed.
pub(crate) struct Index {
    folder: Folder,
    catalog: Option<SqliteConnection>,
    /// Most recently used last.
    days: Vec<(Day, SqliteConnection)>,
}

impl Index {
    /// Opens the catalog. One that is damaged or of another version is thrown away with all days: everything is read again
    /// then.
    pub(crate) async fn open(folder: &Folder) -> Result<Index, ArchiveError> {
        let path = folder.catalog();
        let catalog = match open_database(&path, CATALOG_TABLES).await {
            Err(error) if is_damage(&error) => {
                tracing::warn!(%error, "the archive's catalog is unusable and is made anew");
                remove_all(folder)?;
                open_database(&path, CATALOG_TABLES).await
            }
            opened => opened,
        };
        let catalog = catalog.map_err(|e| index_error(&path, &e))?;
        Ok(Index { folder: folder.clone(), catalog: Some(catalog), days: Vec::new() })
    }

    /// Takes a day's connection out; whoever is done with it without an error gives it back.
    async fn take(&mut self, day: Day) -> Result<SqliteConnection, ArchiveError> {
        if let Some(at) = self.days.iter().position(|(d, _)| *d == day) {
            return Ok(self.days.remove(at).1);
        }
        let path = self.folder.day_index(day);
        open_database(&path, DAY_TABLES).await.map_err(|e| index_error(&path, &e))
    }

    async fn give_back(&mut self, day: Day, connection: SqliteConnection) {
        self.days.push((day, connection));
        if self.days.len() > OPEN_DAYS {
            let (_, oldest) = self.days.remove(0);
            let _ = oldest.close().await;
        }
    }

    async fn take_catalog(&mut self) -> Result<SqliteConnection, ArchiveError> {
        match self.catalog.take() {
            Some(connection) => Ok(connection),
            None => {
                let path = self.folder.catalog();
                open_database(&path, CATALOG_TABLES).await.map_err(|e| index_error(&path, &e))
            }
        }
    }

    /// Whether a day's file is there and sound. Throws away one that is not.
    pub(crate) async fn day_is_sound(&mut self, day: Day) -> Result<bool, ArchiveError> {
        let path = self.folder.day_index(day);
        if !path.exists() {
            return Ok(false);
        }
        let sound = match open_database(&path, DAY_TABLES).await {
            Ok(mut connection) => {
                let answer = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
                let _ = connection.close().await;
                answer.is_ok_and(|a| a == "ok")
            }
            Err(error) if is_damage(&error) => false,
            Err(error) => return Err(index_error(&path, &error)),
        };
        if !sound {
            tracing::warn!(%day, "the index of this day is damaged and is made anew");
            remove_database(&path)?;
        }
        Ok(sound)
    }

    /// The rows that the index has for these keys.
    pub(crate) async fn known(&mut self, keys: &[Key]) -> Result<HashMap<Key, Row>, ArchiveError> {
        let mut found = HashMap::new();
        for (day, keys) in by_day(keys, |k| k.0) {
            let path = self.folder.day_index(day);
            let mut connection = self.take(day).await?;
            for some in keys.chunks(ROWS_AT_ONCE) {
                let mut query = QueryBuilder::new("WITH wanted (s, c) AS (");
                query.push_values(some, |mut values, key| {
                    values.push_bind(key.0).push_bind(i64::from(key.1));
                });
                query.push(") SELECT ").push(row::COLUMNS);
                query.push(" FROM wanted CROSS JOIN entry ON entry.slot = wanted.s AND entry.camera = wanted.c");
                let rows = query.build().persistent(false).fetch_all(&mut connection).await;
                let rows = rows.map_err(|e| index_error(&path, &e))?;
                found.extend(rows.iter().filter_map(Row::read).map(|row| (row.key(), row)));
            }
            self.give_back(day, connection).await;
        }
        Ok(found)
    }

    /// The rows that the index of some days has for records of one segment.
    pub(crate) async fn rows_of(&mut self, segment: u64, days: &BTreeSet<Day>) -> Result<Vec<Row>, ArchiveError> {
        let mut found = Vec::new();
        for &day in days {
            let path = self.folder.day_index(day);
            if !path.exists() {
                continue;
            }
            let mut query = QueryBuilder::new("SELECT ");
            query.push(row::COLUMNS).push(" FROM entry WHERE segment = ").push_bind(segment.cast_signed());
            let mut connection = self.take(day).await?;
            let rows = query.build().persistent(false).fetch_all(&mut connection).await;
            found.extend(rows.map_err(|e| index_error(&path, &e))?.iter().filter_map(Row::read));
            self.give_back(day, connection).await;
        }
        Ok(found)
    }

    /// Puts rows in, each day in one transaction. Doing it again changes nothing.
    pub(crate) async fn put(&mut self, rows: &[Row]) -> Result<(), ArchiveError> {
        for (day, rows) in by_day(rows, |r| r.header.slot.0) {
            let path = self.folder.day_index(day);
            let mut connection = self.take(day).await?;
            put_day(&mut connection, &rows).await.map_err(|e| index_error(&path, &e))?;
            self.give_back(day, connection).await;
        }
        Ok(())
    }

    /// Flushes everything committed so far for a sealed segment, and enters the segment into the catalog.
    pub(crate) async fn make_durable(&mut self, sealed: &Catalogued) -> Result<(), ArchiveError> {
        let number = sealed.number.cast_signed();
        for &day in &sealed.days {
            let path = self.folder.day_index(day);
            let mut connection = self.take(day).await?;
            flushed(&mut connection, sqlx::query("INSERT OR REPLACE INTO durable VALUES (?)").bind(number))
                .await
                .map_err(|e| index_error(&path, &e))?;
            self.give_back(day, connection).await;
        }
        let folder = self.folder.index();
        crate::folder::sync_folder(&folder).map_err(ArchiveError::io("flush", &folder))?;
        let days = sealed.days.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let insert = sqlx::query("INSERT OR REPLACE INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(number)
            .bind(sealed.file.clone())
            .bind(sealed.bytes.cast_signed())
            .bind(sealed.records.cast_signed())
            .bind(sealed.oldest.0)
            .bind(sealed.newest.0)
            .bind(sealed.kept_from.0)
            .bind(days)
            .bind(sealed.position.cast_signed())
            .bind(sealed.root.to_vec())
            .bind(sealed.seal.to_vec());
        let shelf = sqlx::query("INSERT OR REPLACE INTO shelf VALUES (?, ?, ?)")
            .bind(number)
            .bind(i64::from(sealed.shelf.mask()))
            .bind(sealed.shelf.place().to_owned());
        let mut catalog = self.take_catalog().await?;
        // Before the segment: whoever finds that finds this.
        shelf.execute(&mut catalog).await.map_err(|e| index_error(&self.folder.catalog(), &e))?;
        flushed(&mut catalog, insert).await.map_err(|e| index_error(&self.folder.catalog(), &e))?;
        self.catalog = Some(catalog);
        Ok(())
    }

    /// All sealed segments that the day files cover.
    pub(crate) async fn catalog(&mut self) -> Result<Vec<Catalogued>, ArchiveError> {
        let select = "SELECT number, file, bytes, records, oldest, newest, kept_from, days, position, root, seal, \
                      ifnull(classes, 0), ifnull(place, '') \
                      FROM segment LEFT JOIN shelf USING (number) ORDER BY number";
        let mut catalog = self.take_catalog().await?;
        let rows = sqlx::query(select).fetch_all(&mut catalog).await;
        let rows = rows.map_err(|e| index_error(&self.folder.catalog(), &e))?;
        self.catalog = Some(catalog);
        let read = |row: &sqlx::sqlite::SqliteRow| -> Option<Catalogued> {
            let number = |at: usize| row.try_get::<i64, _>(at).ok();
            Some(Catalogued {
                number: number(0).map(i64::cast_unsigned).filter(|number| *number <= NUMBER_MAX)?,
                file: row.try_get(1).ok()?,
                bytes: number(2)?.cast_unsigned(),
                records: number(3)?.cast_unsigned(),
                oldest: Wall(number(4)?),
                newest: Wall(number(5)?),
                kept_from: Wall(number(6)?),
                days: row.try_get::<String, _>(7).ok()?.split_whitespace().map(Day::parse).collect::<Option<_>>()?,
                position: number(8)?.cast_unsigned(),
                root: row.try_get::<Vec<u8>, _>(9).ok()?.try_into().ok()?,
                seal: row.try_get::<Vec<u8>, _>(10).ok()?.try_into().ok()?,
                shelf: Shelf::stored(number(11)?.try_into().ok()?, &row.try_get::<String, _>(12).ok()?)?,
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Forgets a segment: its rows, its place in the catalog, and day files that nothing is left in. Says which days
    /// are gone.
    pub(crate) async fn forget(&mut self, segment: &Catalogued) -> Result<Vec<Day>, ArchiveError> {
        let mut gone = Vec::new();
        let number = segment.number.cast_signed();
        for &day in &segment.days {
            let path = self.folder.day_index(day);
            let mut connection = self.take(day).await?;
            let left = async {
                sqlx::query("DELETE FROM entry WHERE segment = ?").bind(number).execute(&mut connection).await?;
                let left = "SELECT EXISTS (SELECT 1 FROM entry)";
                sqlx::query_scalar::<_, bool>(left).fetch_one(&mut connection).await
            };
            if left.await.map_err(|e| index_error(&path, &e))? {
                self.give_back(day, connection).await;
            } else {
                let _ = connection.close().await;
                remove_database(&path)?;
                gone.push(day);
            }
        }
        let mut catalog = self.take_catalog().await?;
        for forget in ["DELETE FROM segment WHERE number = ?", "DELETE FROM shelf WHERE number = ?"] {
            let done = sqlx::query(forget).bind(number).execute(&mut catalog).await;
            done.map_err(|e| index_error(&self.folder.catalog(), &e))?;
        }
        self.catalog = Some(catalog);
        Ok(gone)
    }

    /// Closes all files, so that nothing is left in their logs.
    pub(crate) async fn close(self) {
        for (_, connection) in self.days {
            let _ = connection.close().await;
        }
        if let Some(catalog) = self.catalog {
            let _ = catalog.close().await;
        }
    }
}

async fn put_day(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for some in rows.chunks(ROWS_AT_ONCE) {
        row::insert(some).build().persistent(false).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Runs one statement whose commit is flushed to the medium.
async fn flushed(
    connection: &mut SqliteConnection,
    query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
    let done = query.execute(&mut *connection).await;
    sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
    done.map(drop)
}

fn by_day<T: Clone>(all: &[T], slot: impl Fn(&T) -> i64) -> Vec<(Day, Vec<T>)> {
    let mut days: Vec<(Day, Vec<T>)> = Vec::new();
    for one in all {
        let day = Day::of(Wall(slot(one)));
        match days.iter_mut().find(|(d, _)| *d == day) {
            Some((_, list)) => list.push(one.clone()),
            None => days.push((day, vec![one.clone()])),
        }
    }
    days
}

async fn open_database(path: &Path, tables: &'static str) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await?;
    if version == 0 {
        sqlx::raw_sql(tables).execute(&mut connection).await?;
        sqlx::raw_sql("PRAGMA user_version = 5").execute(&mut connection).await?;
    } else if version != VERSION {
        let _ = connection.close().await;
        return Err(sqlx::Error::Protocol(format!("tables of version {version}")));
    }
    Ok(connection)
}

/// Whether the file's content is at fault, so that making it anew helps.
fn is_damage(error: &sqlx::Error) -> bool {
    match error {
        // SQLITE_CORRUPT and SQLITE_NOTADB, with their extended codes.
        sqlx::Error::Database(e) => {
            e.code().and_then(|c| c.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
        }
        sqlx::Error::Protocol(_) | sqlx::Error::ColumnDecode { .. } => true,
        _ => false,
    }
}

/// Whether the disk had no room for the index.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    // SQLITE_FULL
    matches!(error, sqlx::Error::Database(e) if e.code().is_some_and(|c| c == "13"))
}

pub(crate) fn index_error(path: &Path, error: &sqlx::Error) -> ArchiveError {
    if is_full(error) {
        return ArchiveError::Full("no room for the index".to_owned());
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ArchiveError::Index { file, what: error.to_string() }
}

/// Throws the whole index away. The caller holds the folder's lock.
pub(crate) fn remove_all(folder: &Folder) -> Result<(), ArchiveError> {
    for day in Folder::days(&folder.index(), "db")? {
        remove_database(&folder.day_index(day))?;
    }
    remove_database(&folder.catalog())
}

fn remove_database(path: &Path) -> Result<(), ArchiveError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(ArchiveError::io("remove", name)(e)),
            _ => {}
        }
    }
    Ok(())
}
