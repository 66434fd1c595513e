//! Exports: a queue of one, carried out by one task, packages kept in one folder until they expire.
//!
//! What was asked and what became of it is in the store, so a restart continues where it was: an export that was being
//! written begins anew. Only progress is kept in memory. Every snapshot that leaves is in the audit log before its
//! package can be downloaded.

use crate::{
    app::{App, Shared},
    audit::{Action, Deed},
    disk::Disk,
    problem::{Problem, Result},
    watermark,
};
use archive::{
    Archive, ArchiveError, Entry, Gap, SnapshotId, SnapshotQuery, SnapshotRef,
    evidence::{CustodyExtract, CustodyRecord, Label, LeftOut, Package, Purpose},
};
use bytes::Bytes;
use fleet::{CameraId, Cause, Registry, Status, Wall};
use health::SnapshotClass;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};
use store::{AuditLink, Export, ExportId, ExportQuery, ExportState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Exports that may wait or run at once.
pub(crate) const UNFINISHED: usize = 50;
/// How often the folder is looked through for packages whose time is over.
const SWEEP: Duration = Duration::from_secs(600);
/// Audit entries written together.
const AUDITED_TOGETHER: usize = 200;
/// Most records of the audit log in one package, some ten megabytes: the newest, and how many there are beside them.
const CUSTODY_MOST: usize = 20_000;
/// Room that no export may take: the disk may be the archive's, or the database's.
const SPARE_BYTES: u64 = 512 << 20;
/// A rendering is about three times as large as the coded keyframe (27 KB against 87 KB at 1080p).
const RENDERED: u64 = 4;

/// What an export is to hold, as kept in the store.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// These snapshots …
    pub(crate) snapshots: Vec<SnapshotId>,
    /// … or those of these cameras (all if `None`) in a range.
    pub(crate) cameras: Option<Vec<u32>>,
    pub(crate) from: Option<Wall>,
    pub(crate) until: Option<Wall>,
    pub(crate) class: Option<SnapshotClass>,
    pub(crate) status: Option<Status>,
    pub(crate) cause: Option<Cause>,
    /// In words, for the cover.
    pub(crate) words: String,
}

/// Snapshots done, of how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) done: usize,
    pub(crate) total: usize,
}

/// What handlers and the worker share.
#[derive(Default)]
pub(crate) struct Exports {
    /// Changes of an export's state happen one after the other.
    pub(crate) changing: tokio::sync::Mutex<()>,
    wake: Notify,
    running: Mutex<HashMap<ExportId, (Progress, CancellationToken)>>,
}

impl Exports {
    /// There is something to do.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn progress(&self, id: ExportId) -> Option<Progress> {
        self.running.lock().get(&id).map(|(progress, _)| *progress)
    }

    /// Gives up what is being written.
    pub(crate) fn cancel(&self, id: ExportId) {
        if let Some((_, cancel)) = self.running.lock().get(&id) {
            cancel.cancel();
        }
    }

    fn tell(&self, id: ExportId, progress: Progress) {
        if let Some((told, _)) = self.running.lock().get_mut(&id) {
            *told = progress;
        }
    }
}

/// The package of an export that is done.
pub(crate) fn file(folder: &Path, id: ExportId) -> PathBuf {
    folder.join(format!("export-{}.zip", id.0))
}

fn draft(folder: &Path, id: ExportId) -> PathBuf {
    folder.join(format!("export-{}.part", id.0))
}

/// Removes the files of an export, whatever there is of them.
pub(crate) fn remove(folder: &Path, id: ExportId) {
    for path in [file(folder, id), draft(folder, id)] {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                tracing::error!(path = %path.display(), error = %e, "a package cannot be removed");
            }
            _ => {}
        }
    }
}

/// What an export would hold, or why it holds too much or nothing.
pub(crate) async fn find(app: &App, asked: &Asked) -> Result<(Vec<SnapshotRef>, Vec<Gap>)> {
    let config = &app.services.config;
    let archive = &app.services.archive;
    let (mut snapshots, mut gaps, mut bytes) = (Vec::new(), Vec::new(), 0u64);
    let mut take = |entry: Entry| {
        match entry {
            Entry::Snapshot(s) => {
                bytes += u64::from(s.bytes);
                snapshots.push(s);
            }
            Entry::Gap(g) => gaps.push(g),
        }
        let too_many = snapshots.len() > config.export_snapshots || gaps.len() > 4 * config.export_snapshots;
        if too_many || bytes > config.export_bytes {
            return Err(Problem::new(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "export_too_large",
                format!(
                    "an export holds at most {} snapshots and {} MiB of pictures: choose fewer cameras or a shorter time",
                    config.export_snapshots,
                    config.export_bytes >> 20
                ),
            ));
        }
        Ok(())
    };
    let problem = crate::pictures::archive_problem;
    if asked.snapshots.is_empty() {
        let mut query = SnapshotQuery {
            cameras: asked.cameras.as_ref().map(|ids| ids.iter().map(|id| CameraId(*id)).collect()),
            from: asked.from,
            until: asked.until,
            class: asked.class,
            status: asked.status,
            cause: asked.cause,
            limit: SnapshotQuery::LIMIT_MAX,
            ..SnapshotQuery::default()
        };
        loop {
            let page = archive.search(&query).await.map_err(problem)?;
            page.entries.into_iter().try_for_each(&mut take)?;
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
    } else {
        for id in &asked.snapshots {
            let query = SnapshotQuery {
                cameras: Some(vec![id.camera()]),
                from: Some(id.slot()),
                until: Some(Wall(id.slot().0.saturating_add(1))),
                ..SnapshotQuery::default()
            };
            let page = archive.search(&query).await.map_err(problem)?;
            let found = page.entries.into_iter().find(|e| matches!(e, Entry::Snapshot(s) if s.id == *id));
            take(found.ok_or_else(Problem::not_found)?)?;
        }
    }
    // As a story is told: oldest first.
    snapshots.sort_by_key(|s| (s.slot, s.camera));
    gaps.sort_by_key(|g| (g.slot, g.camera));
    Ok((snapshots, gaps))
}

/// Carries exports out until the service stops.
///
/// Holds on to the service only while it works: whoever drops the service ends this too.
pub(crate) async fn run(shared: Weak<Shared>, exports: Arc<Exports>, stop: CancellationToken) {
    let mut folder_is_made = false;
    while let Some(app) = shared.upgrade().map(App) {
        let folder = app.services.config.exports_folder.clone();
        if !folder_is_made {
            match make_folder(&folder) {
                Ok(()) => {
                    folder_is_made = true;
                    remove_orphans(&app, &folder).await;
                }
                Err(error) => tracing::error!(folder = %folder.display(), %error, "exports have no folder"),
            }
        }
        match next(&app).await {
            Ok(Some(export)) => {
                carry_out(&app, export, &stop).await;
                if stop.is_cancelled() {
                    return;
                }
                continue;
            }
            Ok(None) => {
                anchor(&app).await;
                sweep(&app, &folder).await;
            }
            Err(problem) => tracing::warn!(?problem, "exports wait: the store does not answer"),
        }
        drop(app);
        tokio::select! {
            () = stop.cancelled() => return,
            () = exports.wake.notified() => {}
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Names the head of the audit log in the day's signed manifest: whoever shortens the log afterwards, or writes it
/// anew, contradicts every copy of a manifest that was kept outside.
async fn anchor(app: &App) {
    match app.services.store.audit_head().await {
        Ok(Some((seq, hash))) => {
            if let Err(error) = app.services.archive.anchor_audit(seq, hash).await {
                tracing::warn!(%error, "the audit log could not be anchored in the manifest");
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the audit log could not be read"),
    }
}

/// Packages are for those who may have them: nobody else on this machine looks into the folder.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The oldest export that is to be made; one that a stop interrupted first.
async fn next(app: &App) -> Result<Option<Export>> {
    let _changing = app.exports.changing.lock().await;
    for state in [ExportState::Running, ExportState::Queued] {
        let query = ExportQuery { state: Some(state), limit: 1000, ..ExportQuery::default() };
        if let Some(mut export) = app.services.store.exports(&query).await?.items.pop() {
            set(&mut export, ExportState::Running);
            app.services.store.update_export(&export).await?;
            app.exports.running.lock().insert(export.id, (Progress::default(), CancellationToken::new()));
            return Ok(Some(export));
        }
    }
    Ok(None)
}

pub(crate) fn set(export: &mut Export, state: ExportState) {
    export.state = state;
    export.changed = Wall::read();
}

async fn carry_out(app: &App, mut export: Export, stop: &CancellationToken) {
    let id = export.id;
    let cancel = app.exports.running.lock().get(&id).map(|(_, c)| c.clone()).unwrap_or_default();
    let folder = app.services.config.exports_folder.clone();
    let made = tokio::select! {
        made = make(app, &mut export, &folder) => made,
        () = cancel.cancelled() => Err("given up".to_owned()),
        // Begins anew at the next start.
        () = stop.cancelled() => return,
    };
    let _changing = app.exports.changing.lock().await;
    app.exports.running.lock().remove(&id);
    let cancelled = match app.services.store.export(id).await {
        Ok(Some(now)) => now.state == ExportState::Cancelled,
        _ => false,
    };
    if cancelled {
        remove(&folder, id);
        return;
    }
    match made {
        Ok(()) => set(&mut export, ExportState::Done),
        Err(why) => {
            tracing::warn!(export = id.0, why, "an export failed");
            remove(&folder, id);
            export.error = why;
            set(&mut export, ExportState::Failed);
        }
    }
    if let Err(error) = app.services.store.update_export(&export).await {
        // Stays `running` in the store and is made again.
        tracing::error!(export = id.0, %error, "what became of an export could not be written down");
    }
}

/// Writes the package. An error is told to whoever asked.
async fn make(app: &App, export: &mut Export, folder: &Path) -> std::result::Result<(), String> {
    let asked: Asked = serde_json::from_str(&export.asked).map_err(|e| e.to_string())?;
    let (snapshots, gaps) = find(app, &asked).await.map_err(|p| p.detail().to_owned())?;
    if snapshots.is_empty() {
        return Err("there is no snapshot in this range any more".to_owned());
    }
    let pictures: u64 = snapshots.iter().map(|s| u64::from(s.bytes)).sum();
    // Where packages lie, which need not be where the archive is.
    let room = Disk::at(folder).ok_or_else(|| internal(&"the folder for packages cannot be looked at"))?.free_bytes;
    if room < pictures.saturating_mul(1 + RENDERED).saturating_add(SPARE_BYTES) {
        return Err("there is not enough room on the disk for this package".to_owned());
    }
    remove(folder, export.id);
    let path = draft(folder, export.id);
    let by = crate::audit::named(&[&export.who, &export.who_detail]);
    let purpose = Purpose {
        number: export.id.0.to_string(),
        by,
        reason: export.reason.clone(),
        document: export.document.clone(),
        approved_by: export.decided_by.clone(),
        asked: asked.words.clone(),
    };
    let archive = &app.services.archive;
    let mut package = archive.package(&path, purpose, Wall::read()).map_err(|e| internal(&e))?;
    let registry = app.services.registry.load_full();
    let number = format!("E{}", export.id.0);
    let mark = app.services.config.watermark.then(|| watermark::text(&export.who, &number, Wall::read()));
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    let total = snapshots.len();
    let mut sealed = false;
    for (done, snapshot) in snapshots.into_iter().enumerate() {
        app.exports.tell(export.id, Progress { done, total });
        let label = label(&registry, snapshot.camera);
        match one(app, archive, &mut sealed, package, &snapshot, label, mark.clone()).await? {
            (back, None) => {
                package = back;
                taken.push(snapshot.id);
            }
            (back, Some(why)) => {
                package = back;
                left_out.push(LeftOut { id: snapshot.id, why });
            }
        }
    }
    if taken.is_empty() {
        return Err(format!("none of the snapshots can be proved: {}", left_out[0].why));
    }
    let detail = format!("export {} · {}", export.id.0, export.document);
    for some in taken.chunks(AUDITED_TOGETHER) {
        let deeds = some
            .iter()
            .map(|id| app.audit(Deed::for_export(export, Action::SnapshotExported).on(id).detail(detail.as_str())));
        for told in futures::future::join_all(deeds).await {
            told.map_err(|_| "the audit log cannot be written".to_owned())?;
        }
    }
    let custody = custody(app, &taken, export.id).await.map_err(|p| p.detail().to_owned())?;
    (export.snapshots, export.gaps, export.left_out) =
        (taken.len() as u64, gaps.iter().map(|gap| u64::from(gap.slots)).sum(), left_out.len() as u64);
    let finished = tokio::task::spawn_blocking(move || package.finish(&gaps, &left_out, &custody));
    let exported = finished.await.map_err(|e| internal(&e))?.map_err(|e| internal(&e))?;
    // Not in the other thread, which goes on when this is given up: then nothing may be there any more.
    std::fs::rename(&path, file(folder, export.id)).map_err(|e| internal(&e))?;
    let folder = folder.to_owned();
    let flushed = tokio::task::spawn_blocking(move || std::fs::File::open(folder).and_then(|f| f.sync_all()));
    flushed.await.map_err(|e| internal(&e))?.map_err(|e| internal(&e))?;
    (export.bytes, export.sha256) = (exported.bytes, hex::encode(exported.sha256));
    let detail = format!("{} snapshots · sha256 {}", export.snapshots, export.sha256);
    let deed = Deed::for_export(export, Action::ExportMade).on(object(export.id)).detail(detail);
    app.audit(deed).await.map_err(|_| "the audit log cannot be written".to_owned())
}

/// How the audit log names an export.
pub(crate) fn object(id: ExportId) -> String {
    format!("export {}", id.0)
}

fn internal(error: &impl std::fmt::Display) -> String {
    tracing::error!(%error, "an export failed");
    "something failed here; the log says what".to_owned()
}

/// Adds one snapshot; or says why it is left out.
async fn one(
    app: &App,
    archive: &Archive,
    sealed: &mut bool,
    mut package: Package,
    snapshot: &SnapshotRef,
    label: Label,
    mark: Option<String>,
) -> std::result::Result<(Package, Option<String>), String> {
    let proof = match archive.proof(&snapshot.id).await {
        Err(ArchiveError::NotSealed) if !*sealed => {
            // Once for the whole export: what was stored by now can be proved.
            archive.seal().await.map_err(|e| internal(&e))?;
            *sealed = true;
            archive.proof(&snapshot.id).await
        }
        proof => proof,
    };
    let read = archive.read(&snapshot.id).await;
    let (proof, read) = match (proof, read) {
        (Ok(proof), Ok(read)) => (proof, read),
        (Err(e), _) | (_, Err(e)) => match e {
            ArchiveError::NotFound => return Ok((package, Some("its time was over and it was dropped".to_owned()))),
            ArchiveError::Damaged { what, .. } => return Ok((package, Some(format!("damaged: {what}")))),
            // One that cannot be proved does not keep the others.
            ArchiveError::NotSealed => {
                return Ok((package, Some("damaged: no manifest names its segment, so there is no proof".to_owned())));
            }
            away @ ArchiveError::Away(_) => {
                tracing::warn!(error = %away, "an export waits for the object store");
                return Err(
                    "pictures of it are in the object store, which does not answer: export again later".to_owned()
                );
            }
            other => return Err(internal(&other)),
        },
    };
    let rendering = match (render(app, &read).await, mark) {
        (Some(jpeg), Some(mark)) => {
            let marked = app.pictures.marked(jpeg, mark).await;
            Some(marked.map_err(|problem| problem.detail().to_owned())?)
        }
        (rendering, _) => rendering,
    };
    let added = tokio::task::spawn_blocking(move || {
        let added = package.add(&read, &proof, label, rendering.as_deref());
        (package, added)
    });
    let (package, added) = added.await.map_err(|e| internal(&e))?;
    match added {
        Ok(()) => Ok((package, None)),
        Err(ArchiveError::Damaged { what, .. }) => Ok((package, Some(format!("damaged: {what}")))),
        Err(other) => Err(internal(&other)),
    }
}

/// The picture for the eye. Without one the original still is evidence.
async fn render(app: &App, snapshot: &archive::Snapshot) -> Option<Bytes> {
    let camera = snapshot.reference.id.camera();
    for wait in [50, 200, 1000, 3000] {
        match app.services.pool.render(camera, snapshot.reference.codec, snapshot.data.clone(), None).await {
            Ok(jpeg) => return Some(jpeg),
            // Judging cameras comes first; an export can wait.
            Err(picture::PictureError::Busy) => tokio::time::sleep(Duration::from_millis(wait)).await,
            Err(_) => return None,
        }
    }
    None
}

fn label(registry: &Registry, camera: CameraId) -> Label {
    let Some(camera) = registry.camera(camera) else { return Label::default() };
    let site = registry.site(camera.site);
    let town = site.and_then(|s| registry.town(s.town));
    let place = [town.map(|t| t.name.as_str()), site.map(|s| s.name.as_str())];
    Label {
        name: camera.name.clone(),
        place: place.into_iter().flatten().collect::<Vec<_>>().join(" "),
        gb_code: camera.gb_code.as_ref().map(ToString::to_string),
    }
}

/// What the audit log says of these snapshots and this export.
async fn custody(app: &App, taken: &[SnapshotId], id: ExportId) -> Result<CustodyExtract> {
    let mut objects: Vec<String> = taken.iter().map(ToString::to_string).collect();
    objects.push(object(id));
    let mut newest = Newest::of(CUSTODY_MOST);
    for some in objects.chunks(100) {
        let mut before = None;
        loop {
            let links = app.services.store.audit_of(some, before, 1000).await?;
            let Some(last) = links.last() else { break };
            before = Some(last.record.seq);
            links.into_iter().for_each(|link| newest.take(link));
        }
    }
    let records = newest.links.into_values().map(|link| {
        let (e, seq, hash) = (link.record.entry, link.record.seq, link.record.hash);
        CustodyRecord {
            seq,
            at: e.at,
            who: e.who,
            who_detail: e.who_detail,
            address: e.address,
            action: e.action,
            object: e.object,
            reason: e.reason,
            success: e.success,
            detail: e.detail,
            previous: link.previous,
            hash,
        }
    });
    Ok(CustodyExtract::new(records.collect()).cut(newest.left_out))
}

/// The newest records of a log, and how many older ones there were.
struct Newest {
    most: usize,
    links: BTreeMap<u64, AuditLink>,
    left_out: u64,
}

impl Newest {
    fn of(most: usize) -> Newest {
        Newest { most, links: BTreeMap::new(), left_out: 0 }
    }

    fn take(&mut self, link: AuditLink) {
        self.links.insert(link.record.seq, link);
        if self.links.len() > self.most {
            self.links.pop_first();
            self.left_out += 1;
        }
    }
}

/// Removes files that a crash left of exports that were given up, failed or ran out; nothing is being written meanwhile.
async fn remove_orphans(app: &App, folder: &Path) {
    let _changing = app.exports.changing.lock().await;
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return tracing::warn!(folder = %folder.display(), %error, "packages cannot be looked through"),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix("export-")).and_then(|name| name.split_once('.'));
        // What is not named as ours is not ours.
        let Some((Ok(number), ending @ ("zip" | "part"))) = name.map(|(number, ending)| (number.parse(), ending))
        else {
            continue;
        };
        let Ok(export) = app.services.store.export(ExportId(number)).await else { return };
        if ending == "part" || export.is_none_or(|export| export.state != ExportState::Done) {
            tracing::info!(path = %entry.path().display(), "a file that belongs to no package is removed");
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::error!(path = %entry.path().display(), %error, "it cannot be removed");
            }
        }
    }
}

/// Removes packages whose time is over, and files that belong to no export.
async fn sweep(app: &App, folder: &Path) {
    remove_orphans(app, folder).await;
    let kept = i64::try_from(app.services.config.exports_kept.as_millis()).unwrap_or(i64::MAX);
    let before = Wall(Wall::read().0.saturating_sub(kept));
    let _changing = app.exports.changing.lock().await;
    let mut query = ExportQuery { state: Some(ExportState::Done), limit: 1000, ..ExportQuery::default() };
    loop {
        let Ok(page) = app.services.store.exports(&query).await else { return };
        for mut export in page.items.into_iter().filter(|e| e.changed < before) {
            remove(folder, export.id);
            set(&mut export, ExportState::Expired);
            if let Err(error) = app.services.store.update_export(&export).await {
                tracing::warn!(%error, "an export's end could not be written down");
            }
        }
        let Some(next) = page.next else { return };
        query.cursor = Some(next);
    }
}
