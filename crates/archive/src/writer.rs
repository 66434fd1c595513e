//! The one writer: a thread of its own that turns what arrives into batches, and batches into durable records.
//!
//! A batch is written, flushed, indexed, and only then acknowledged, in this order. A failed write or flush gives the
//! segment up, and the batch goes once more into a new one. A failed index transaction leaves the rows as a debt that
//! is paid before anything new is taken: their records are already on the medium, and forgetting them would let a
//! second record take their place.

use crate::{
    ArchiveError, Config, State, Stats,
    clock::Clock,
    command::{Command, Index, Shared, Store},
    custody::Custody,
    error::{full_or_io, same_again, source_is_full},
    folder::{Folder, Lock, hour},
    holds::HoldsHead,
    index::{self, Catalogued},
    keys::Missing,
    merkle::Hash,
    policy::Shelf,
    query::Cursors,
    reader::{Held, Known, Reader, SealedAs},
    record::{self, About, Header},
    recover::{Recovered, recover, remove_segment},
    remote::{Far, hollow_out, is_far, make_skeleton, name_of},
    retained, retention,
    row::{Key, Row},
    seal::Kept,
    segment::{self, Found, OpenSegment},
};
use fleet::Wall;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};

/// Records of one batch at most.
const BATCH_RECORDS: usize = 4096;
/// How often the writer looks after itself when nothing arrives.
const TICK: Duration = Duration::from_millis(500);
/// How often is reckoned how long the room lasts.
const FORECAST: Duration = Duration::from_secs(60);
/// Segments of what comes now and then are by so much smaller, and at least so many bytes.
const RARE: u64 = 8;
const SMALLEST: u64 = 64 << 10;
/// After a failure, how long until the disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Told while nothing is dropped, because the holds are not those that were placed.
pub(crate) const HOLDS_LOST: &str = "holds.json lacks holds that the manifests name, or they were altered: nothing is dropped \
    until it is restored from the backup; if there is none, say `sharpeyes archive accept-holds`";

pub(crate) struct Writer {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: index::Index,
    pub(crate) custody: Custody,
    pub(crate) far: Option<Arc<Far>>,
    pub(crate) catalog: BTreeMap<u64, Catalogued>,
    /// By what age is reckoned, and manifests are dated.
    clock: Clock,
    /// The holds are not those that the manifests name.
    pub(crate) holds_lost: bool,
    /// Could not be sealed yet.
    unsealed: Vec<(Shelf, OpenSegment)>,
    /// Sealed, but the catalog could not take it yet.
    uncatalogued: Vec<Catalogued>,
    /// The segments that are being written, one for each shelf that has had records this hour.
    open: BTreeMap<Shelf, OpenSegment>,
    /// The shelf that could not be written to, while there is one.
    failing: Option<Shelf>,
    next_number: u64,
    /// Position and hash of the last seal.
    head: (u64, Hash),
    /// Rows whose records are durable, but which the index could not take yet.
    debt: Vec<Row>,
    /// Until when nothing is tried after a failure.
    retry_at: Option<Instant>,
    next_tick: Instant,
    next_forecast: Instant,
    buffer: Vec<u8>,
    _lock: Lock,
    #[cfg(test)]
    pub(crate) seal_faults: u32,
    #[cfg(test)]
    pub(crate) faults: Arc<std::sync::atomic::AtomicU32>,
}

impl Writer {
    /// Locks the folder, recovers it, and stands ready.
    pub(crate) async fn open(
        folder: Folder,
        config: Config,
        keep: Index,
        missing: Missing,
    ) -> Result<(Writer, Vec<crate::Damage>), ArchiveError> {
        crate::folder::make_folders(folder.root()).map_err(ArchiveError::io("create", folder.root()))?;
        let lock = Lock::take(&folder)?;
        folder.prepare()?;
        if keep == Index::Remake {
            index::remove_all(&folder)?;
        }
        let holds = crate::holds::read(&folder.holds())?;
        let mut custody = Custody::open(&folder, &config.node, config.ring.as_ref(), missing, Wall::read())?;
        let mut index = index::Index::open(&folder).await?;
        let Recovered { catalog, files, head, next_number, damaged } =
            recover(&folder, &mut index, &mut custody, Wall::read()).await?;
        let days = catalog.values().flat_map(|c| c.days.iter().copied()).collect();
        let far = config.remote.as_ref().map(|remote| Far::open(&folder, remote, &config.node)).transpose()?;
        let far = far.map(Arc::new);
        let held = |(number, path)| {
            let sealed = catalog.get(&number).map(|c: &Catalogued| SealedAs { bytes: c.bytes, root: c.root });
            (number, Held { path, sealed })
        };
        let segments = files.into_iter().map(held).collect();
        let stats = Stats {
            records: catalog.values().map(|c| c.records).sum(),
            segments: catalog.len() as u64,
            last_check: crate::LastCheck::read(&folder),
            remote: far.as_ref().map(|_| crate::RemoteStats::default()),
            ..Stats::default()
        };
        let shared = Arc::new(Shared {
            reader: Reader::new(folder.clone(), Known { days, segments }, far.clone(), Cursors::new(&custody.key())),
            folder: folder.clone(),
            stats: std::sync::Mutex::new(stats),
            holds: std::sync::RwLock::new(holds),
            key: custody.key(),
            node: config.node.clone(),
            closed: watch::channel(false).0,
            retention: config.retention.clone(),
            places: config.places.clone(),
        });
        let holds_lost = custody.holds().is_some_and(|head| !head.agrees(&shared.holds()));
        if holds_lost {
            tracing::error!("{HOLDS_LOST}");
        }
        if custody.holds().is_none() && !shared.holds().is_empty() {
            // From before manifests named them.
            custody.name_holds(HoldsHead::of(&shared.holds()), Wall::read())?;
        }
        let clock = Clock::new(catalog.values().map(|c| c.kept_from), Wall::read(), std::time::Instant::now());
        let mut writer = Writer {
            folder,
            config,
            shared,
            index,
            custody,
            far,
            catalog,
            clock,
            holds_lost,
            unsealed: Vec::new(),
            uncatalogued: Vec::new(),
            open: BTreeMap::new(),
            failing: None,
            next_number,
            head,
            debt: Vec::new(),
            retry_at: None,
            next_tick: Instant::now(),
            next_forecast: Instant::now(),
            buffer: Vec::new(),
            _lock: lock,
            #[cfg(test)]
            seal_faults: 0,
            #[cfg(test)]
            faults: Arc::default(),
        };
        writer.refresh_stats();
        Ok((writer, damaged))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Works until closed, or until nobody holds the archive any more.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut pending = None;
        loop {
            if Instant::now() >= self.next_tick {
                self.tick().await;
                self.next_tick = Instant::now() + TICK;
            }
            let command = match pending.take() {
                Some(command) => command,
                None => match timeout_at(self.next_tick, commands.recv()).await {
                    Err(_) => continue,
                    Ok(Some(command)) => command,
                    Ok(None) => return self.finish().await,
                },
            };
            match command {
                Command::Store(first) => {
                    let (batch, then) = self.collect(first, &mut commands).await;
                    pending = then;
                    self.commit(batch).await;
                }
                Command::Seal(reply) => {
                    let _ = reply.send(self.seal(Wall::read()).await);
                }
                Command::Hold(change, reply) => {
                    let _ = reply.send(self.change_holds(change, Wall::read()));
                }
                Command::Anchor(head, reply) => {
                    let now = self.believed(Wall::read());
                    let _ = reply.send(self.custody.anchor(head, now));
                }
                Command::AcceptHolds(reply) => {
                    let now = self.believed(Wall::read());
                    let accepted = self.custody.name_holds(HoldsHead::of(&self.shared.holds()), now);
                    self.holds_lost = self.holds_lost && accepted.is_err();
                    let _ = reply.send(accepted);
                }
                Command::Retained(reply) => {
                    let _ = reply.send(Ok(retained::report(&self, Wall::read())));
                }
                Command::ChangeKey(reply) => {
                    let now = self.believed(Wall::read());
                    let _ = reply.send(self.custody.change_key(now));
                }
                Command::Close(reply) => {
                    commands.close();
                    while let Some(left) = commands.recv().await {
                        if let Command::Store(first) = left {
                            let (batch, _) = self.collect(first, &mut commands).await;
                            self.commit(batch).await;
                        }
                    }
                    self.finish().await;
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    /// Waits for others to share the flush. Hands back a command that ended the waiting.
    async fn collect(&self, first: Store, commands: &mut mpsc::Receiver<Command>) -> (Vec<Store>, Option<Command>) {
        let until = Instant::now() + self.config.commit_every;
        let mut bytes = first.payload.len();
        let mut batch = vec![first];
        while bytes < self.config.commit_bytes && batch.len() < BATCH_RECORDS {
            match timeout_at(until, commands.recv()).await {
                Ok(Some(Command::Store(store))) => {
                    bytes += store.payload.len();
                    batch.push(store);
                }
                Ok(Some(other)) => return (batch, Some(other)),
                Ok(None) | Err(_) => break,
            }
        }
        (batch, None)
    }

    /// Writes, flushes, indexes and acknowledges a batch, shelf by shelf.
    pub(crate) async fn commit(&mut self, batch: Vec<Store>) {
        let (batch, repeated) = match self.new_among(batch).await {
            Ok(new) => new,
            Err((batch, error)) => return self.refuse(batch.into_iter(), &Arc::new(error)),
        };
        let mut shelves: BTreeMap<Shelf, Vec<Store>> = BTreeMap::new();
        for store in batch {
            shelves.entry(store.shelf.clone()).or_default().push(store);
        }
        let (mut firsts, mut failed) = (HashMap::new(), Vec::new());
        for (shelf, batch) in shelves {
            match self.store(&shelf, &batch).await {
                Ok(rows) => {
                    if !repeated.is_empty() {
                        firsts.extend(rows.iter().map(|row| (row.key(), row.clone())));
                    }
                    self.acknowledge(batch, rows);
                }
                Err(error) => failed.push((shelf, batch, Arc::new(error))),
            }
        }
        for store in repeated {
            let first = firsts.get(&store.key()).cloned();
            let refused = failed.iter().find(|(_, batch, _)| batch.iter().any(|s| s.key() == store.key()));
            let answer = first.ok_or_else(|| refused.map_or(ArchiveError::NotFound, |(.., e)| same_again(e)));
            let _ = store.reply.send(answer);
        }
        // Last, so that a shelf that could be written to does not hide one that could not.
        for (shelf, batch, error) in failed {
            self.failing = Some(shelf);
            self.refuse(batch.into_iter(), &error);
        }
    }

    /// Answers what the index already has. Left are new records, and repetitions within the batch.
    async fn new_among(&mut self, batch: Vec<Store>) -> Result<(Vec<Store>, Vec<Store>), (Vec<Store>, ArchiveError)> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            let error = match &self.shared.stats().state {
                State::Failed(reason) => ArchiveError::Io {
                    doing: "write to",
                    path: self.folder.root().to_owned(),
                    source: io::Error::other(reason.clone()),
                },
                _ => ArchiveError::Full("no space was found a moment ago".to_owned()),
            };
            return Err((batch, error));
        }
        let keys: Vec<Key> = batch.iter().map(Store::key).collect();
        let known = match self.pay_debt().await {
            Ok(()) => self.index.known(&keys).await,
            Err(error) => Err(error),
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => return Err((batch, error)),
        };
        let (mut new, mut repeated) = (Vec::with_capacity(batch.len()), Vec::new());
        // Of each key, whether a snapshot was accepted.
        let mut accepted: HashMap<Key, bool> = HashMap::new();
        for store in batch {
            let (key, is_gap) = (store.key(), matches!(store.about, About::Gap(_)));
            match known.get(&key) {
                Some(first) if is_gap || !first.is_gap() => {
                    let _ = store.reply.send(Ok(first.clone()));
                    continue;
                }
                _ => {}
            }
            match accepted.get(&key) {
                Some(snapshot) if is_gap || *snapshot => repeated.push(store),
                _ => {
                    accepted.insert(key, !is_gap);
                    new.push(store);
                }
            }
        }
        Ok((new, repeated))
    }

    /// Makes records durable and findable. An error means that nobody may be told that they are stored.
    async fn store(&mut self, shelf: &Shelf, batch: &[Store]) -> Result<Vec<Row>, ArchiveError> {
        let rows = match self.write(shelf, batch).await {
            Err(ArchiveError::Io { path, source, .. }) if !source_is_full(&source) => {
                tracing::error!(path = %path.display(), error = %source, "segment given up, the batch goes into a new one");
                self.write(shelf, batch).await?
            }
            written => written?,
        };
        if let Err(error) = self.index.put(&rows).await {
            // Another shelf of this batch may owe rows already.
            self.debt.extend(rows);
            return Err(error);
        }
        let days: Vec<_> = rows.iter().map(|r| crate::folder::Day::of(r.header.slot)).collect();
        self.shared.reader.tell(|known| known.days.extend(days));
        Ok(rows)
    }

    /// Writes a batch into the open segment of its shelf and flushes it.
    async fn write(&mut self, shelf: &Shelf, batch: &[Store]) -> Result<Vec<Row>, ArchiveError> {
        let length: u64 = batch.iter().map(|s| record::length(s.payload.len())).sum();
        self.make_ready(shelf, length, batch.len()).await?;
        let mut open = self.open.remove(shelf).expect("make_ready opens a segment or fails");
        let (mut rows, mut kept) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for store in batch {
            let header = Header {
                segment: open.number,
                offset: open.tail() + buffer.len() as u64,
                camera: store.camera,
                slot: store.slot,
                payload: u32::try_from(store.payload.len()).expect("payloads are limited to 32 MiB"),
                sha256: store.sha256,
                about: store.about.clone(),
            };
            let bytes = header.write(&store.payload, &mut buffer);
            kept.push(Kept { offset: header.offset, header: bytes });
            rows.push(Row { header, detail: store.detail.clone() });
        }
        #[cfg(test)]
        if self.faults.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            self.faults.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            open.fail_next_sync = true;
        }
        let written = open.append(&mut buffer, kept);
        self.buffer = buffer;
        self.buffer.shrink_to(self.config.commit_bytes.saturating_mul(2));
        match written {
            Ok(()) => {
                self.open.insert(shelf.clone(), open);
                Ok(rows)
            }
            Err(error) => {
                let path = open.path.clone();
                // Records of earlier batches in it stay readable; the next start reads and seals it.
                if open.is_empty() {
                    let number = open.number;
                    drop(open);
                    let _ = std::fs::remove_file(&path);
                    self.shared.reader.moved(number, None);
                }
                Err(full_or_io(error, "write", &path))
            }
        }
    }

    /// Sees to it that a segment of a shelf is open with room for a batch.
    async fn make_ready(&mut self, shelf: &Shelf, length: u64, records: usize) -> Result<(), ArchiveError> {
        let now = Wall::read();
        let unfit = |open: &OpenSegment| hour(open.created) != hour(now) || !open.has_room(length, records);
        if self.open.get(shelf).is_some_and(unfit)
            && let Err(error) = self.seal_shelf(shelf, now).await
        {
            tracing::warn!(%error, "sealing is not complete yet");
        }
        if self.open.contains_key(shelf) {
            return Ok(());
        }
        let limit =
            if shelf.is_rare() { (self.config.segment_bytes / RARE).max(SMALLEST) } else { self.config.segment_bytes };
        let believed = self.believed(now);
        retention::make_room(self, believed, limit.max(length)).await?;
        let number = self.next_number;
        let path = self.folder.new_segment(number, now);
        let opening = (self.config.node.as_str(), shelf, self.custody.witness());
        let open = OpenSegment::create(path.clone(), number, now, opening, limit, (length, records));
        let open = open.map_err(|e| full_or_io(e, "create", &path))?;
        self.next_number += 1;
        self.shared.reader.moved(number, Some(Held { path, sealed: None }));
        self.open.insert(shelf.clone(), open);
        Ok(())
    }

    /// Seals what is open, enters it into the catalog and puts it on record.
    pub(crate) async fn seal(&mut self, now: Wall) -> Result<(), ArchiveError> {
        let shelves: Vec<Shelf> = self.open.keys().cloned().collect();
        let mut done = self.seal_left(now).await;
        for shelf in shelves {
            // One that fails keeps none of the others open.
            done = done.and(self.seal_shelf(&shelf, now).await);
        }
        done
    }

    /// The time that age is reckoned by.
    pub(crate) fn believed(&mut self, now: Wall) -> Wall {
        self.clock.believed(now, std::time::Instant::now())
    }

    /// Seals the open segment of a shelf. If the seal cannot be written, that is tried again at the next tick; before
    /// that the segment is as a crash would leave it, and a start would seal it.
    async fn seal_shelf(&mut self, shelf: &Shelf, now: Wall) -> Result<(), ArchiveError> {
        match self.open.remove(shelf) {
            Some(open) => self.seal_one(shelf, open, now).await,
            None => Ok(()),
        }
    }

    /// Seals what could not be sealed before.
    async fn seal_left(&mut self, now: Wall) -> Result<(), ArchiveError> {
        let mut done = Ok(());
        for (shelf, open) in std::mem::take(&mut self.unsealed) {
            done = done.and(self.seal_one(&shelf, open, now).await);
        }
        done
    }

    async fn seal_one(&mut self, shelf: &Shelf, open: OpenSegment, now: Wall) -> Result<(), ArchiveError> {
        let (number, path) = (open.number, open.path.clone());
        if open.is_empty() {
            drop(open);
            self.shared.reader.moved(number, None);
            return remove_segment(&path);
        }
        let headers = open.headers();
        #[cfg(test)]
        let failed = self.seal_faults.checked_sub(1).map(|left| self.seal_faults = left);
        #[cfg(not(test))]
        let failed: Option<()> = None;
        let sealed = match failed {
            Some(()) => Err(rustix::io::Errno::IO.into()),
            None => open.seal(self.head.0 + 1, self.head.1, now),
        };
        let seal = match sealed {
            Ok(seal) => seal,
            Err(error) => {
                tracing::error!(segment = number, %error, "cannot seal; trying again");
                self.unsealed.push((shelf.clone(), open));
                return Err(ArchiveError::io("seal", path)(error));
            }
        };
        self.head = (seal.position, seal.hash());
        let rows: Vec<Row> = headers.into_iter().map(|header| Row { header, detail: String::new() }).collect();
        let sealed = Catalogued::new(self.folder.relative(&path), &seal, &rows, shelf.clone());
        self.uncatalogued.push(sealed);
        self.catalogue(now).await
    }

    /// Enters what was sealed into catalog and manifest; tried again at the next tick if it fails.
    async fn catalogue(&mut self, now: Wall) -> Result<(), ArchiveError> {
        while let Some(sealed) = self.uncatalogued.first() {
            self.index.make_durable(sealed).await?;
            let sealed = self.uncatalogued.remove(0);
            let known = SealedAs { bytes: sealed.bytes, root: sealed.root };
            let path = self.folder.root().join(&sealed.file);
            self.shared.reader.moved(sealed.number, Some(Held { path, sealed: Some(known) }));
            self.catalog.insert(sealed.number, sealed);
        }
        let believed = self.believed(now);
        self.custody.catch_up(self.catalog.values(), believed)?;
        if let Some(far) = &self.far {
            far.wake.notify_one();
        }
        Ok(())
    }

    /// The oldest segment whose pictures are here and, for sure, in the object store too.
    pub(crate) fn oldest_safe(&self) -> Option<u64> {
        let far = self.far.as_ref().filter(|far| far.is_listed())?;
        let may_go = |c: &&Catalogued| !is_far(std::path::Path::new(&c.file)) && far.has(c.number);
        self.catalog.values().filter(may_go).min_by_key(|c| c.kept_from).map(|c| c.number)
    }

    /// Lets the local copy of a segment's pictures go; its skeleton stays.
    pub(crate) async fn let_go(&mut self, number: u64) -> Result<(), ArchiveError> {
        let Some(catalogued) = self.catalog.get(&number) else { return Ok(()) };
        let path = self.folder.root().join(&catalogued.file);
        let look = segment::look(&path, number).map_err(ArchiveError::io("read", &path))?;
        let Found::Sealed(seal, footer) = look else {
            return Err(ArchiveError::Damaged {
                segment: number,
                offset: 0,
                what: "seal or footer damaged".to_owned(),
            });
        };
        if let Some(far) = &self.far {
            far.confirm(number, &name_of(&catalogued.file, &seal.root), seal.file_length()).await?;
        }
        let skeleton = match make_skeleton(&path, &seal, &footer) {
            // Not even room for that: then the segment itself becomes it.
            Err(error) if source_is_full(&error) => hollow_out(&path, &seal, &footer),
            made => made,
        };
        let skeleton = skeleton.map_err(|e| full_or_io(e, "write", &path))?;
        let mut moved = catalogued.clone();
        moved.file = self.folder.relative(&skeleton);
        let sealed = Some(SealedAs { bytes: moved.bytes, root: moved.root });
        self.shared.reader.moved(number, Some(Held { path: skeleton, sealed }));
        self.catalog.insert(number, moved.clone());
        remove_segment(&path)?;
        self.index.make_durable(&moved).await
    }

    /// Lets go what the policy says: what is old enough, and what is too much.
    async fn let_go_due(&mut self, now: Wall) -> Result<(), ArchiveError> {
        let Some(far) = self.far.clone() else { return Ok(()) };
        let before = now.0.saturating_sub(i64::from(far.config.local_days) * 86_400_000);
        // A few at a time: the writer has other work.
        for _ in 0..4 {
            let Some(number) = self.oldest_safe() else { break };
            let old = self.catalog.get(&number).is_some_and(|c| c.kept_from.0 < before);
            let much = far.config.local_bytes.is_some_and(|most| self.local_bytes() > most);
            if !old && !much {
                break;
            }
            self.let_go(number).await?;
        }
        Ok(())
    }

    fn change_holds(&mut self, change: crate::holds::Change, now: Wall) -> Result<crate::Hold, ArchiveError> {
        if let crate::holds::Change::Place(wanted) = &change {
            let (limit, holds) = (self.config.retention.held, self.shared.holds());
            crate::holds::allow(limit, wanted, &holds, self.sealed(), now)?;
        }
        if self.holds_lost {
            return Err(ArchiveError::HoldLimit(HOLDS_LOST.to_owned()));
        }
        let ends = matches!(change, crate::holds::Change::Release { .. });
        let (holds, changed) = crate::holds::changed(self.shared.holds(), change, now)?;
        let (head, believed) = (HoldsHead::of(&holds), self.believed(now));
        if ends {
            // An end that no manifest names is none.
            self.custody.name_holds(head, believed)?;
            crate::holds::write(&self.folder.holds(), &holds)?;
        } else {
            crate::holds::write(&self.folder.holds(), &holds)?;
            if let Err(error) = self.custody.name_holds(head, believed) {
                tracing::error!(%error, "a hold is in force, but no manifest names it yet");
            }
        }
        *self.shared.holds.write().expect("no holder panics") = holds;
        Ok(changed)
    }

    async fn pay_debt(&mut self) -> Result<(), ArchiveError> {
        if !self.debt.is_empty() {
            self.index.put(&self.debt).await?;
            let days: Vec<_> = self.debt.iter().map(|r| crate::folder::Day::of(r.header.slot)).collect();
            self.shared.reader.tell(|known| known.days.extend(days));
            self.shared.stats().records += self.debt.len() as u64;
            self.debt.clear();
        }
        Ok(())
    }

    fn acknowledge(&mut self, batch: Vec<Store>, rows: Vec<Row>) {
        {
            let mut stats = self.shared.stats();
            stats.state = State::Ok;
            stats.records += rows.len() as u64;
            stats.commits += 1;
            stats.last_commit = Some(Wall::read());
            for row in rows.iter().filter(|row| !row.is_gap()) {
                stats.appended += 1;
                stats.appended_bytes += u64::from(row.header.payload);
            }
            if let Some(oldest) = rows.iter().map(|r| r.header.slot).min() {
                stats.oldest = Some(stats.oldest.map_or(oldest, |o| o.min(oldest)));
            }
        }
        self.retry_at = None;
        for (store, row) in batch.into_iter().zip(rows) {
            drop(store.permit);
            let _ = store.reply.send(Ok(row));
        }
    }

    /// Tells everyone of a batch that it is not stored, and waits a while before the disk is tried again.
    fn refuse(&mut self, batch: impl Iterator<Item = Store>, error: &Arc<ArchiveError>) {
        if self.retry_at.is_none_or(|at| Instant::now() >= at) {
            self.fail(error);
        }
        for store in batch {
            let _ = store.reply.send(Err(same_again(error)));
        }
    }

    fn fail(&mut self, error: &ArchiveError) {
        let state = match error {
            ArchiveError::Full(_) => State::Full,
            other => State::Failed(other.to_string()),
        };
        let mut stats = self.shared.stats();
        if stats.state != state {
            tracing::error!(%error, "the archive takes no snapshots");
        }
        stats.state = state;
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// What is due without anyone asking: sealing at the full hour, retention, coming back after a failure.
    async fn tick(&mut self) {
        let now = Wall::read();
        let over = self.open.iter().filter(|(_, open)| hour(open.created) != hour(now));
        let over: Vec<Shelf> = over.map(|(shelf, _)| shelf.clone()).collect();
        for shelf in over {
            if let Err(error) = self.seal_shelf(&shelf, now).await {
                tracing::warn!(%error, "sealing is not complete yet");
            }
        }
        if !self.unsealed.is_empty()
            && let Err(error) = self.seal_left(now).await
        {
            tracing::warn!(%error, "sealing is not complete yet");
        }
        if !self.uncatalogued.is_empty()
            && let Err(error) = self.catalogue(now).await
        {
            tracing::warn!(%error, "sealing is not complete yet");
        }
        let believed = self.believed(now);
        if let Err(error) = retention::purge_due(self, believed).await {
            tracing::warn!(%error, "retention could not drop a segment");
        }
        if let Err(error) = self.let_go_due(believed).await {
            tracing::warn!(%error, "a local copy could not be let go");
        }
        let ill = self.shared.stats().state != State::Ok;
        if ill && self.retry_at.is_none_or(|at| Instant::now() >= at) {
            let well = match self.pay_debt().await {
                Ok(()) => self.make_ready(&self.failing.clone().unwrap_or_default(), 0, 1).await,
                Err(error) => Err(error),
            };
            match well {
                Ok(()) => {
                    tracing::info!("the archive takes snapshots again");
                    self.shared.stats().state = State::Ok;
                    self.retry_at = None;
                    self.failing = None;
                }
                Err(error) => self.fail(&error),
            }
        }
        self.refresh_stats();
    }

    /// Every sealed segment.
    pub(crate) fn sealed(&self) -> impl Iterator<Item = &Catalogued> {
        self.catalog.values().chain(&self.uncatalogued)
    }

    /// Bytes written to the open segment of a shelf, if one is open.
    pub(crate) fn open_bytes(&self, shelf: &Shelf) -> Option<u64> {
        self.open.get(shelf).map(OpenSegment::tail)
    }

    /// When the segments that are open were begun.
    pub(crate) fn began(&self) -> impl Iterator<Item = i64> {
        self.open.values().map(|open| open.created.0)
    }

    /// Bytes of all segments, with what is set aside for the open ones.
    pub(crate) fn bytes(&self) -> u64 {
        self.sealed().map(|c| c.bytes).sum::<u64>() + self.reserved()
    }

    fn reserved(&self) -> u64 {
        self.open.values().chain(self.unsealed.iter().map(|(_, open)| open)).map(OpenSegment::reserved).sum()
    }

    /// Bytes of segments on the local disk, with what is set aside for the open ones.
    pub(crate) fn local_bytes(&self) -> u64 {
        let here = self.sealed().filter(|c| !is_far(std::path::Path::new(&c.file)));
        here.map(|c| c.bytes).sum::<u64>() + self.reserved()
    }

    fn refresh_stats(&mut self) {
        if let Some(far) = self.far.clone() {
            let here = self.local_bytes();
            let sealed = || self.sealed();
            let waiting: Vec<u64> = sealed().filter(|c| !far.has(c.number)).map(|c| c.bytes).collect();
            let away = sealed().filter(|c| is_far(std::path::Path::new(&c.file))).count() as u64;
            let stored = sealed().filter(|c| far.has(c.number)).count() as u64;
            self.shared.remote_stats(|stats| {
                (stats.local_bytes, stats.local_most_bytes) = (here, far.config.local_bytes);
                (stats.stored, stats.far) = (stored, away);
                (stats.waiting, stats.waiting_bytes) = (waiting.len() as u64, waiting.iter().sum());
            });
        }
        let oldest = self.sealed().map(|c| c.oldest).min();
        let (bytes, segments) = (self.bytes(), (self.sealed().count() + self.open.len() + self.unsealed.len()) as u64);
        let ahead = (Instant::now() >= self.next_forecast).then(|| {
            self.next_forecast = Instant::now() + FORECAST;
            retained::ahead(self, Wall::read())
                .and_then(|ahead| crate::forecast::sooner(ahead.pressed_in_days, ahead.refused_in_days))
        });
        let holds_lost = self.holds_lost;
        let ahead_days = self.clock.ahead_days(Wall::read(), std::time::Instant::now());
        let space = self.folder.space();
        let mut stats = self.shared.stats();
        (stats.bytes, stats.segments) = (bytes, segments);
        (stats.clock_ahead_days, stats.holds_lost) = (ahead_days, holds_lost);
        if let Some(oldest) = oldest {
            stats.oldest = Some(stats.oldest.map_or(oldest, |o| o.min(oldest)));
        }
        if let Ok(space) = space {
            stats.free_bytes = space.free;
        }
        if let Some(days) = ahead {
            stats.full_in_days = days;
        }
    }

    pub(crate) async fn finish(mut self) {
        if let Err(error) = self.seal(Wall::read()).await {
            tracing::warn!(%error, "sealing is not complete; the next start completes it");
        }
        self.refresh_stats();
        self.shared.closed.send_replace(true);
        if let Some(far) = &self.far {
            far.closed.send_replace(true);
        }
        self.shared.reader.close().await;
        self.index.close().await;
    }
}

#[cfg(test)]
pub(crate) mod tests;
