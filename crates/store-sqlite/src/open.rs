//! Opening: lock, key, database, schema; nothing is written into what is not ours.

use crate::{SqliteStore, folder, rekey, vault::Vault, writer::Writer};
use sqlx::{
    Connection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, sync::Arc, time::Duration};
use store::StoreError;
use vault::{Source, With};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// What the key vouches for in every database.
const KEY_CHECK: &[u8] = b"sharpeyes key check";
/// Connections for reading: more than one machine's worth of pages at once, few enough to keep caches warm.
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

/// Opens with the key from `source`; what the key `before` sealed is sealed anew.
pub(crate) async fn open(folder: &Path, source: &Source, before: Option<&Source>) -> Result<SqliteStore, StoreError> {
    let lock = folder::claim(folder)?;
    let file = folder.join("sharpeyes.db");
    let first_start = std::fs::metadata(&file).map_or(true, |m| m.len() == 0);
    let options = SqliteConnectOptions::new().filename(&file).foreign_keys(true).busy_timeout(BUSY);
    if !first_start {
        inspect(&options, &file).await?;
    }
    let vault = Vault::open(source, before, first_start)?;
    let writing = options
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .thread_name(|_| "store-writer".into());
    let mut connection = SqliteConnection::connect_with(&writing).await.map_err(|e| damaged(&file, &e))?;
    MIGRATIONS.run(&mut connection).await.map_err(|e| migration(&file, e))?;
    check_key(&mut connection, &vault, source, &file).await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY)
        .connect_lazy_with(options.pragma("query_only", "ON").thread_name(|n| format!("store-reader-{n}")));
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut connection)
        .await
        .map_err(|e| damaged(&file, &e))?;
    let writer = Writer::start(connection, lock);
    Ok(SqliteStore { reader, writer, vault: Arc::new(vault), file, engine: format!("SQLite {version}") })
}

/// Looks at a database that is there already, without changing it.
async fn inspect(options: &SqliteConnectOptions, file: &Path) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::connect_with(options).await.map_err(|e| damaged(file, &e))?;
    let sound: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(|e| damaged(file, &e))?;
    if sound != "ok" {
        return Err(damaged(file, &sound));
    }
    let (tables, ours): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(sum(name = '_sqlx_migrations'), 0) FROM sqlite_schema")
            .fetch_one(&mut connection)
            .await
            .map_err(|e| damaged(file, &e))?;
    if tables == 0 {
        // We were stopped in the middle of the first start.
        return Ok(());
    }
    if ours == 0 {
        return Err(StoreError::Unusable(format!(
            "{} is a database, but not one of ours: use another folder",
            file.display()
        )));
    }
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await
        .map_err(|e| damaged(file, &e))?;
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or_default();
    let _ = connection.close().await;
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

async fn check_key(
    connection: &mut SqliteConnection,
    vault: &Vault,
    source: &Source,
    file: &Path,
) -> Result<(), StoreError> {
    let failed = |e: sqlx::Error| damaged(file, &e);
    let proof = sqlx::query_scalar!("SELECT seal FROM key_check").fetch_optional(&mut *connection).await;
    match proof.map_err(failed)? {
        Some(proof) => match vault.vouched_with(&proof, KEY_CHECK) {
            Some(With::Current) => Ok(()),
            Some(With::Previous) => rekey::seal_anew(connection, vault, KEY_CHECK).await.map_err(StoreError::from),
            None => Err(StoreError::Unusable(format!(
                "the key in {source} is not that of {}: restore the key of this database from the backup, or name the \
                 one before with `sharpeyes secret rotate --from`",
                file.display()
            ))),
        },
        None => {
            let proof = vault.vouch(KEY_CHECK)?;
            sqlx::query!("INSERT INTO key_check (id, seal) VALUES (1, ?)", proof)
                .execute(connection)
                .await
                .map_err(failed)?;
            Ok(())
        }
    }
}

fn damaged(file: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable(format!(
        "cannot use the database {}: {error}; restore it from the backup, or use another folder",
        file.display()
    ))
}

fn migration(file: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMismatch(version) => StoreError::Unusable(format!(
            "step {version} of the database {} was made by a development version: use another folder",
            file.display()
        )),
        other => damaged(file, &other),
    }
}
