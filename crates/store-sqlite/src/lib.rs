//! Durable facts in one SQLite file, for one machine: nothing to install, nothing to run beside us.
//!
//! The folder holds `sharpeyes.db` and `secret.key`, the key under which camera accounts and second factors are encrypted; a backup
//! needs both. One writer task owns the only connection that writes and commits what waits together; readers see
//! what was committed. An acknowledged write survives `kill -9` and the loss of power (WAL, `synchronous=FULL`).
//!
//! Never on a network share: SQLite's WAL needs the memory of one machine. Never two processes: the folder is locked.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accounts;
mod audit;
mod changes;
mod cursor;
mod error;
mod excuses;
mod exports;
mod findings;
mod folder;
mod handovers;
mod incidents;
mod ledger;
mod mailings;
mod notices;
mod open;
mod orders;
mod pictures;
mod register;
mod rekey;
mod resume;
mod sessions;
mod status;
mod streams;
mod users;
mod vault;
mod windows;
mod writer;

use crate::vault::Vault;
use ::vault::Source;
use error::{Fault, limited};
use fleet::{CameraId, Cause, Registry, Wall};
use health::{FormatChange, Incident, IncidentId, Resumed};
use sqlx::SqlitePool;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    AuditEntry, AuditLink, AuditQuery, AuditRecord, BaselineChange, BaselineRecord, CertificateRecord, Condition,
    Export, ExportId, ExportQuery, Fact, HistoryQuery, IncidentQuery, NewUser, Page, RegistryChange, Result,
    SessionRecord, StatusInterval, StatusSeconds, Store, StoreError, User, UserId, Word, WordCount,
};

/// The file beside the database that holds the node's key, unless it comes from elsewhere.
pub const KEY_FILE: &str = "secret.key";
use writer::Writer;

/// The store in a folder of this machine.
pub struct SqliteStore {
    reader: SqlitePool,
    writer: Writer,
    vault: Arc<Vault>,
    /// The database.
    file: PathBuf,
    /// What keeps it, with its version.
    engine: String,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in `folder`, making it at the first start, and brings an older database up to date.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if the folder cannot be used, is in use by another process, or holds something else
    /// than an intact database and its key; [`StoreError::Newer`] if a newer version wrote it. Each says what to do.
    pub async fn open(folder: &Path) -> Result<SqliteStore> {
        open::open(folder, &Source::File(folder.join(KEY_FILE)), None).await
    }

    /// The same with the node's key from elsewhere. What the key `before` sealed is sealed anew, all or nothing.
    ///
    /// # Errors
    /// As [`open`](SqliteStore::open).
    pub async fn open_with(folder: &Path, key: &Source, before: Option<&Source>) -> Result<SqliteStore> {
        open::open(folder, key, before).await
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn registry(&self) -> Result<Registry> {
        limited(register::read(&self.reader, &self.vault)).await
    }

    async fn change_registry(&self, change: RegistryChange) -> Result<()> {
        let vault = Arc::clone(&self.vault);
        self.writer.write(move |tx| Box::pin(async move { register::change(tx, &vault, &change).await })).await
    }

    async fn record(&self, facts: &[Fact]) -> Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        let facts = facts.to_vec();
        self.writer.write(move |tx| Box::pin(async move { record(tx, &facts).await })).await
    }

    async fn resume(&self, now: Wall) -> Result<Resumed> {
        self.writer.write(move |tx| Box::pin(resume::resume(tx, now))).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Page<StatusInterval>> {
        limited(status::history(&self.reader, query)).await
    }

    async fn status_seconds(&self, range: Range<Wall>) -> Result<Vec<StatusSeconds>> {
        limited(status::seconds(&self.reader, range)).await
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>> {
        limited(incidents::list(&self.reader, query)).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        limited(incidents::one(&self.reader, id)).await
    }

    async fn status_at(&self, camera: CameraId, at: Wall) -> Result<Option<StatusInterval>> {
        limited(status::at(&self.reader, camera, at)).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        limited(users::all(&self.reader)).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>> {
        limited(users::by_name(&self.reader, name)).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        limited(users::one(&self.reader, id)).await
    }

    async fn add_user(&self, user: NewUser) -> Result<User> {
        self.writer.write(move |tx| Box::pin(users::add(tx, user))).await
    }

    async fn update_user(&self, user: &User, seen: &User) -> Result<()> {
        let (user, seen) = (user.clone(), seen.clone());
        self.writer.write(move |tx| Box::pin(async move { users::update(tx, &user, &seen).await })).await
    }

    async fn add_session(&self, session: &SessionRecord) -> Result<()> {
        let session = session.clone();
        self.writer.write(move |tx| Box::pin(async move { sessions::add(tx, &session).await })).await
    }

    async fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRecord>> {
        limited(sessions::one(&self.reader, token_hash)).await
    }

    async fn touch_session(&self, token_hash: &[u8; 32], at: Wall) -> Result<()> {
        let token = *token_hash;
        self.writer.write(move |tx| Box::pin(sessions::touch(tx, token, at))).await
    }

    async fn end_session(&self, token_hash: &[u8; 32]) -> Result<()> {
        let token = *token_hash;
        self.writer.write(move |tx| Box::pin(sessions::end(tx, token))).await
    }

    async fn sessions_of(&self, user: UserId) -> Result<Vec<SessionRecord>> {
        limited(sessions::of(&self.reader, user)).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<AuditRecord> {
        let vault = Arc::clone(&self.vault);
        self.writer.write(move |tx| Box::pin(async move { audit::append(tx, &vault, entry).await })).await
    }

    async fn audit_log(&self, query: &AuditQuery) -> Result<Page<AuditRecord>> {
        limited(audit::list(&self.reader, query)).await
    }

    async fn verify_audit(&self) -> Result<Option<u64>> {
        // The one read that may take long: it goes over the whole log.
        audit::verify(&self.reader, &self.vault).await.map_err(StoreError::from)
    }

    fn condition(&self) -> Condition {
        let log = self.file.with_extension("db-wal");
        let bytes = |file: &Path| std::fs::metadata(file).map_or(0, |m| m.len());
        Condition {
            engine: self.engine.clone(),
            bytes: bytes(&self.file),
            log_bytes: bytes(&log),
            waiting: self.writer.waiting(),
            last_write: self.writer.last(),
        }
    }

    async fn close(&self) {
        // The writer last: its connection then folds the log into the database and leaves one file behind.
        self.reader.close().await;
        self.writer.close().await;
    }
}

#[async_trait::async_trait]
impl store::Exports for SqliteStore {
    async fn add_export(&self, export: Export) -> Result<Export> {
        self.writer.write(move |tx| Box::pin(exports::add(tx, export))).await
    }

    async fn update_export(&self, export: &Export) -> Result<()> {
        let export = export.clone();
        self.writer.write(move |tx| Box::pin(async move { exports::update(tx, &export).await })).await
    }

    async fn export(&self, id: ExportId) -> Result<Option<Export>> {
        limited(exports::one(&self.reader, id)).await
    }

    async fn exports(&self, query: &ExportQuery) -> Result<Page<Export>> {
        limited(exports::list(&self.reader, query)).await
    }

    async fn audit_of(&self, objects: &[String], before: Option<u64>, most: u32) -> Result<Vec<AuditLink>> {
        limited(audit::of(&self.reader, objects, before, most)).await
    }

    async fn audit_head(&self) -> Result<Option<(u64, [u8; 32])>> {
        limited(audit::head(&self.reader)).await
    }

    async fn audit_hash(&self, seq: u64) -> Result<Option<[u8; 32]>> {
        limited(async {
            let mut connection = self.reader.acquire().await?;
            audit::hash(&mut connection, seq).await
        })
        .await
    }
}

#[async_trait::async_trait]
impl store::Pictures for SqliteStore {
    async fn baselines(&self) -> Result<Vec<BaselineRecord>> {
        limited(pictures::baselines(&self.reader)).await
    }

    async fn change_baselines(&self, changes: Vec<BaselineChange>) -> Result<()> {
        self.writer.write(move |tx| Box::pin(pictures::change_baselines(tx, changes))).await
    }

    async fn say(&self, word: &Word) -> Result<()> {
        let word = word.clone();
        self.writer.write(move |tx| Box::pin(async move { pictures::say(tx, &word).await })).await
    }

    async fn words_on(&self, camera: CameraId, most: u32) -> Result<Vec<Word>> {
        limited(pictures::words_on(&self.reader, camera, most)).await
    }

    async fn exceptions(&self, now: Wall) -> Result<Vec<Word>> {
        limited(pictures::exceptions(&self.reader, now)).await
    }

    async fn end_exception(&self, camera: CameraId, cause: Cause, now: Wall) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(pictures::end_exception(tx, camera, cause, now))).await
    }

    async fn count_words(&self, since: Wall) -> Result<Vec<WordCount>> {
        limited(pictures::count_words(&self.reader, since)).await
    }
}

#[async_trait::async_trait]
impl store::Streams for SqliteStore {
    async fn formats(&self, camera: CameraId, most: u32) -> Result<Vec<FormatChange>> {
        limited(streams::formats(&self.reader, camera, most)).await
    }

    async fn certificates(&self) -> Result<Vec<CertificateRecord>> {
        limited(streams::certificates(&self.reader)).await
    }

    async fn certificate(&self, camera: CameraId) -> Result<Option<CertificateRecord>> {
        limited(streams::certificate(&self.reader, camera)).await
    }

    async fn hold_to_certificate(&self, certificate: CertificateRecord) -> Result<()> {
        self.writer.write(move |tx| Box::pin(streams::hold(tx, certificate))).await
    }

    async fn forget_certificate(&self, camera: CameraId) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(streams::forget(tx, camera))).await
    }
}

#[async_trait::async_trait]
impl store::FindingStore for SqliteStore {
    async fn findings_at(&self, camera: CameraId, at: Wall) -> Result<Vec<store::FindingRecord>> {
        limited(findings::at(&self.reader, camera, at)).await
    }

    async fn open_findings(&self) -> Result<Vec<store::FindingRecord>> {
        limited(findings::open(&self.reader)).await
    }

    async fn diagnosis_settings(&self) -> Result<Vec<store::DiagnosisSetting>> {
        limited(findings::settings(&self.reader)).await
    }

    async fn set_diagnosis(&self, setting: &store::DiagnosisSetting) -> Result<()> {
        let setting = setting.clone();
        self.writer.write(move |tx| Box::pin(async move { findings::set(tx, &setting).await })).await
    }
}

/// Facts in their order.
async fn record(tx: &mut sqlx::SqliteConnection, facts: &[Fact]) -> std::result::Result<(), Fault> {
    for fact in facts {
        match fact {
            Fact::Status(change) => status::append(tx, change).await?,
            Fact::Incident(incident) => incidents::put(tx, incident).await?,
            Fact::Format(change) => streams::note(tx, change).await?,
            Fact::Finding(finding) => findings::put(tx, finding).await?,
            Fact::Unobserved(gap) => status::unobserved(tx, gap).await?,
            Fact::Alive(at) => resume::alive(tx, *at).await?,
        }
    }
    Ok(())
}
