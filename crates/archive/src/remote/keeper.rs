//! Keeps the store in line with what is sealed and what is purged here: one thing after another, for as long as the
//! archive is open. While the store is away it tries again, ever less often, and everything waits where it is.

use super::{Away, Far, RemoteState, name_of};
use crate::{
    ArchiveError,
    command::Shared,
    custody::{self, Manifest},
    folder::{Day, Folder},
    reader::Held,
    record::Header,
    remote::is_far,
    seal::{Footer, Seal},
    segment::{self, Found},
};
use fleet::Wall;
use rand::Rng as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// First and longest pause after a failure.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Looks for work at least so often.
const LOOK: Duration = Duration::from_secs(30);
/// What the store has is listed again so often.
const LIST_EVERY: Duration = Duration::from_secs(6 * 3600);
/// An object that the store did not delete is tried again so much later.
const DELETE_AGAIN: Duration = Duration::from_secs(600);
/// Bytes read back at once.
const GROUP: u64 = 8 << 20;

/// Runs until the archive closes.
pub(crate) async fn run(shared: Arc<Shared>, far: Arc<Far>) {
    let mut closed = far.closed.subscribe();
    let mut keeper = Keeper {
        shared,
        far: Arc::clone(&far),
        listed: BTreeMap::new(),
        listed_at: None,
        manifests: BTreeMap::new(),
        stamps: BTreeMap::new(),
        refused: BTreeSet::new(),
        lacking: None,
        undeleted: BTreeMap::new(),
        untaken: None,
    };
    let mut pause = RETRY.0;
    loop {
        // An upload that is cut off here is no object; the next start takes its parts back.
        let turn = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            turn = keeper.turn() => turn,
        };
        let wait = match turn {
            Ok(true) => Duration::ZERO,
            Ok(false) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "the object store does not take what is sealed; trying again");
                let jitter = rand::rng().random_range(0.5..1.0);
                let wait = pause.mul_f64(jitter);
                pause = (pause * 2).min(RETRY.1);
                keeper.tell(RemoteState::Away, error.to_string());
                wait
            }
        };
        if wait <= LOOK && !matches!(keeper.state(), RemoteState::Away) {
            pause = RETRY.0;
        }
        let away = matches!(keeper.state(), RemoteState::Away);
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => return,
            () = tokio::time::sleep(wait) => {}
            () = far.wake.notified(), if !away && !wait.is_zero() => {}
        }
    }
}

struct Keeper {
    shared: Arc<Shared>,
    far: Arc<Far>,
    /// Objects of segments by name, with their sizes, as last listed and changed since.
    listed: BTreeMap<String, u64>,
    listed_at: Option<Instant>,
    /// What was put there of each day's manifest: its hash.
    manifests: BTreeMap<Day, crate::merkle::Hash>,
    /// The time stamps that were put there since the start, as they were last changed here.
    stamps: BTreeMap<Day, std::time::SystemTime>,
    /// Segments that are damaged here: they are not put there, and stay.
    refused: BTreeSet<u64>,
    /// What the store should have and has not.
    lacking: Option<String>,
    /// Objects that it does not delete, when that was last tried, and why.
    undeleted: BTreeMap<String, (Instant, String)>,
    /// A manifest that it does not take, and why.
    untaken: Option<String>,
}

impl Keeper {
    /// Does the next thing there is to do; says whether there was one.
    async fn turn(&mut self) -> Result<bool, Away> {
        if self.listed_at.is_none_or(|at| at.elapsed() >= LIST_EVERY) || !self.far.is_listed() {
            self.reconcile().await?;
        }
        if let Err(error) = self.take_back().await {
            // Not for this alone does everything else wait: an account may lack just this right.
            tracing::warn!(%error, "an upload that was cut off could not be taken back; trying again");
        }
        let mut more = self.delete_one().await;
        // A store may refuse one thing and take others: a bucket with object lock deletes nothing, and some overwrite
        // nothing. That is told, and what is sealed goes there all the same.
        self.untaken = self.put_manifests().await.err().map(|error| error.to_string());
        let next = self.waiting().into_iter().find(|(number, _)| !self.refused.contains(number));
        if let Some((number, held)) = next {
            self.place(number, &held).await?;
            more = true;
        } else if !more && self.trouble().is_some() {
            // Nothing was taken at all: is it there?
            self.far.store.list("manifests").await?;
        }
        let told = [self.lacking.clone(), self.trouble()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        self.tell(if told.is_empty() { RemoteState::Ok } else { RemoteState::Lacking }, told);
        Ok(more)
    }

    /// Deletes an object whose segment was purged; says whether there was one. What the store does not delete is tried
    /// again later.
    async fn delete_one(&mut self) -> bool {
        let due = |(at, _): &(Instant, String)| at.elapsed() >= DELETE_AGAIN;
        let next = self.far.purged().iter().find(|name| self.undeleted.get(*name).is_none_or(due)).cloned();
        let Some(name) = next else { return false };
        match self.far.store.delete(&name).await {
            Ok(()) => {
                self.listed.remove(&name);
                self.undeleted.remove(&name);
                self.far.purged().retain(|other| *other != name);
            }
            Err(error) => {
                tracing::warn!(object = name, %error, "the object store does not delete what was purged; trying again");
                self.undeleted.insert(name, (Instant::now(), error.to_string()));
            }
        }
        true
    }

    /// What the store does not do of what it should.
    fn trouble(&self) -> Option<String> {
        let deletes = self
            .undeleted
            .values()
            .next()
            .map(|(_, why)| format!("{} objects of purged segments are not deleted: {why}", self.undeleted.len()));
        let manifests = self.untaken.as_ref().map(|why| format!("manifests are not taken: {why}"));
        let told: Vec<String> = deletes.into_iter().chain(manifests).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Aborts uploads that a crash, a stop or an outage cut off.
    async fn take_back(&self) -> Result<(), Away> {
        for upload in self.far.left_over() {
            self.far.store.abort(&upload).await?;
            self.far.ended(&upload)?;
        }
        Ok(())
    }

    /// Sealed segments with their pictures here that the store does not have for sure.
    fn waiting(&self) -> Vec<(u64, Held)> {
        let safe = self.far.safe().clone();
        let held = self.shared.reader.held();
        held.into_iter().filter(|(n, h)| h.sealed.is_some() && !is_far(&h.path) && !safe.contains(n)).collect()
    }

    /// Lists what the store has: what a crash left to be deleted is deleted, what is missing is put there or told.
    async fn reconcile(&mut self) -> Result<(), Away> {
        self.listed = self.far.store.list("segments").await?;
        self.listed_at = Some(Instant::now());
        let folder = self.shared.folder.clone();
        let key = self.shared.key.clone();
        let history =
            blocking(move || custody::history(&folder, &key)).await?.map_err(|e| Away::Store(e.to_string()))?;
        for number in history.purged.keys() {
            if let Some(sealed) = history.sealed.get(number) {
                let name = name_of(&sealed.file, &sealed.root);
                if self.listed.contains_key(&name) && !self.far.purged().contains(&name) {
                    self.far.purged().push(name);
                }
            }
        }
        let mut lost = Vec::new();
        for (number, held) in self.shared.reader.held() {
            let Some(sealed) = &held.sealed else { continue };
            let name = name_of(&self.shared.folder.relative(&held.path), &sealed.root);
            if self.listed.get(&name) == Some(&sealed.bytes) {
                continue;
            }
            if is_far(&held.path) {
                tracing::error!(segment = number, object = name, "the object store has lost a segment");
                lost.push(name);
            } else if self.far.has(number) {
                // Put there again.
                self.keep(number, false);
            }
        }
        self.far.set_listed(true);
        self.lacking = lost.first().map(|first| format!("{} segments are missing, first {first}", lost.len()));
        Ok(())
    }

    /// Puts the newest manifests there, and those that are not there yet.
    async fn put_manifests(&mut self) -> Result<(), Away> {
        let folder = self.shared.folder.clone();
        let first = self.manifests.is_empty();
        let known = self.manifests.clone();
        let changed = blocking(move || {
            let days = Folder::days(&folder.manifests(), "txt").unwrap_or_default();
            let days = days.into_iter().rev().take(if first { usize::MAX } else { 2 });
            let texts = days.filter_map(|day| Some((day, std::fs::read_to_string(folder.manifest(day)).ok()?)));
            let hashed = texts.map(|(day, text)| (day, custody::manifest_hash(&text), text));
            hashed.filter(|(day, hash, _)| known.get(day) != Some(hash)).collect::<Vec<_>>()
        })
        .await?;
        let there =
            if first && !changed.is_empty() { self.far.store.list("manifests").await? } else { BTreeMap::new() };
        for (nth, (day, hash, text)) in changed.into_iter().enumerate() {
            let Ok(manifest) = Manifest::parse(&text) else { continue };
            // Another key is another history, even under this node's name: neither overwrites the other.
            let name = format!("manifests/{}/{day}.txt", hex::encode(&manifest.key[..8]));
            // Days that are over do not change.
            if nth < 2 || !there.contains_key(&name) {
                self.far.store.put(&name, text.into_bytes()).await?;
            }
            self.manifests.insert(day, hash);
        }
        self.put_stamps().await
    }

    /// Puts the authority's time stamps beside their manifests.
    async fn put_stamps(&mut self) -> Result<(), Away> {
        let (folder, known) = (self.shared.folder.clone(), self.stamps.clone());
        let new = blocking(move || {
            let days = Folder::days(&folder.manifests(), "tst").unwrap_or_default();
            let changed = |day: &Day| {
                let at = std::fs::metadata(folder.stamp(*day)).and_then(|m| m.modified()).ok();
                at.filter(|at| known.get(day) != Some(at))
            };
            let days = days.into_iter().filter_map(|day| Some((day, changed(&day)?)));
            let read = days.filter_map(|(day, at)| {
                let manifest = std::fs::read_to_string(folder.manifest(day)).ok()?;
                let key = Manifest::of_day(&manifest, day).ok()?.key;
                Some((day, at, key, std::fs::read(folder.stamp(day)).ok()?))
            });
            read.collect::<Vec<_>>()
        })
        .await?;
        for (day, at, key, token) in new {
            self.far.store.put(&format!("manifests/{}/{day}.tst", hex::encode(&key[..8])), token).await?;
            self.stamps.insert(day, at);
        }
        Ok(())
    }

    /// Puts a sealed segment there and reads it back.
    async fn place(&mut self, number: u64, held: &Held) -> Result<(), Away> {
        let path = held.path.clone();
        let (seal, footer) = match blocking(move || segment::look(&path, number)).await? {
            Ok(Found::Sealed(seal, footer)) => (seal, Arc::new(footer)),
            // Purged or damaged meanwhile; the check names damage.
            Ok(Found::Open) | Err(_) => {
                self.refused.insert(number);
                return Ok(());
            }
        };
        let name = name_of(&self.shared.folder.relative(&held.path), &seal.root);
        let bytes = seal.file_length();
        if self.listed.get(&name) != Some(&bytes) {
            let far = &self.far;
            let done = far.store.put_file(&name, &held.path, bytes, |upload| far.begun(upload)).await?;
            if let Some(upload) = done {
                far.ended(&upload)?;
            }
            self.listed.insert(name.clone(), bytes);
        }
        match self.verify(&name, &held.path, &seal, &footer).await? {
            Copy::Whole => {
                self.keep(number, true);
                self.shared.remote_stats(|stats| stats.last_stored = Some(Wall::read()));
                tracing::info!(
                    segment = number,
                    object = name,
                    bytes,
                    "segment put into the object store and verified"
                );
                Ok(())
            }
            Copy::DamagedHere => {
                tracing::error!(segment = number, "the segment is damaged; it stays here, run `archive check`");
                self.refused.insert(number);
                Ok(())
            }
            Copy::DamagedThere => {
                self.listed.remove(&name);
                Err(Away::Store(format!("the object store gave other bytes than it was given for {name}")))
            }
        }
    }

    /// Reads an object back: every record by its own hash, and the rest against the file here.
    async fn verify(&self, name: &str, path: &Path, seal: &Seal, footer: &Arc<Footer>) -> Result<Copy, Away> {
        let path = path.to_path_buf();
        let (from, to) = (seal.footer_at, seal.file_length());
        let here = path.clone();
        let tail = blocking(move || read(&here, from, to)).await??;
        if self.far.store.read(name, from..to).await? != tail {
            return Ok(Copy::DamagedThere);
        }
        let mut at = 0;
        while at < footer.kept.len() {
            let start = footer.kept[at].offset;
            let end_of = |n: usize| footer.kept.get(n).map_or(seal.footer_at, |k| k.offset);
            let mut end = at + 1;
            while end < footer.kept.len() && end_of(end + 1) - start <= GROUP {
                end += 1;
            }
            let bytes = self.far.store.read(name, start..end_of(end)).await?;
            let (footer, number, path) = (Arc::clone(footer), seal.number, path.clone());
            let copy = blocking(move || {
                let whole = |bytes: &[u8]| {
                    footer.kept[at..end].iter().all(|kept| {
                        let record = bytes.get(usize::try_from(kept.offset - start).unwrap_or(usize::MAX)..);
                        let header = Header::decode(&kept.header, number, kept.offset);
                        matches!((record, header), (Some(record), Ok(header)) if record.starts_with(&kept.header) && header.payload(record).is_ok())
                    })
                };
                if whole(&bytes) {
                    return Copy::Whole;
                }
                let here = read(&path, start, start + bytes.len() as u64);
                if here.is_ok_and(|here| whole(&here)) { Copy::DamagedThere } else { Copy::DamagedHere }
            })
            .await?;
            if copy != Copy::Whole {
                return Ok(copy);
            }
            at = end;
        }
        Ok(Copy::Whole)
    }

    fn keep(&self, number: u64, has: bool) {
        if let Err(error) = self.far.keep(number, has) {
            tracing::warn!(%error, "cannot write down what the object store has; it will be read back again");
        }
    }

    fn state(&self) -> RemoteState {
        self.shared.stats().remote.as_ref().map_or(RemoteState::Starting, |r| r.state)
    }

    fn tell(&self, state: RemoteState, detail: String) {
        self.shared.remote_stats(|stats| (stats.state, stats.detail) = (state, detail));
    }
}

/// What reading back showed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    Whole,
    DamagedHere,
    DamagedThere,
}

fn read(path: &Path, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(to - from).map_err(std::io::Error::other)?];
    File::open(path)?.read_exact_at(&mut bytes, from).map(|()| bytes)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Away> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Away::Store("the service is stopping".to_owned()))
}

impl From<Away> for ArchiveError {
    fn from(away: Away) -> ArchiveError {
        ArchiveError::Away(away.to_string())
    }
}
