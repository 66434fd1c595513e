//! What is found in the folder at the start, good and bad, and what the operator is told.
#![allow(clippy::unwrap_used)]

use crate::samples::county;
use fleet::{CameraId, StreamUrl, Wall};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{fs, path::Path};
use store::{AuditEntry, Store, StoreError};
use store_sqlite::SqliteStore;

/// Runs SQL on the closed database, as somebody with a database tool would.
async fn meddle(folder: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(folder.join("sharpeyes.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(folder.path()).await.unwrap().close().await;
    folder
}

/// What the operator is told; the folder must be left as it was.
async fn refusal(folder: &Path) -> String {
    let before = fs::read(folder.join("sharpeyes.db")).ok();
    match SqliteStore::open(folder).await.unwrap_err() {
        StoreError::Unusable(what) => {
            assert_eq!(fs::read(folder.join("sharpeyes.db")).ok(), before, "written into what is not ours");
            what
        }
        other => panic!("expected an explanation, got {other:?}"),
    }
}

fn entry(at: i64) -> AuditEntry {
    AuditEntry {
        at: Wall(at),
        who: "zhang".into(),
        who_detail: String::new(),
        address: "10.0.0.9".into(),
        action: "snapshot_viewed".into(),
        object: "C00001".into(),
        reason: "复核".into(),
        success: true,
        detail: String::new(),
    }
}

#[tokio::test]
async fn a_new_folder_is_made_and_what_was_stored_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("not/yet/there");
    let store = SqliteStore::open(&deep).await.unwrap();
    store.change_registry(county()).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&deep).await.unwrap();
    let camera = store.registry().await.unwrap().camera(CameraId(1)).cloned();
    assert_eq!(camera, county().cameras.pop());
    store.close().await;
    for name in ["sharpeyes.db", "secret.key"] {
        let bytes = fs::read(deep.join(name)).unwrap();
        for secret in [&b"Xq7-plain-password"[..], b"watcher"] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret), "an account in plain text in {name}");
        }
    }
}

#[tokio::test]
async fn two_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(folder.path()).await.unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("in use by another process"), "{told}");
    first.close().await;
    drop(first);
    SqliteStore::open(folder.path()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let folder = made().await;
    meddle(
        folder.path(),
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         VALUES (9000, 'from the future', 0, 1, x'00', 0)",
    )
    .await;
    let before = fs::read(folder.path().join("sharpeyes.db")).unwrap();
    let refused = SqliteStore::open(folder.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 9000, known: 1..9000 }), "{refused:?}");
    assert!(refused.to_string().contains("use the newer program"), "{refused}");
    assert_eq!(fs::read(folder.path().join("sharpeyes.db")).unwrap(), before);
}

#[tokio::test]
async fn a_folder_that_is_none_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let told = refusal(&path).await;
        assert!(told.contains("cannot use the folder") && told.contains("choose another"), "{told}");
    }
    let told = refusal(Path::new("/proc/no-such-place")).await;
    assert!(told.contains("cannot use the folder"), "{told}");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sharpeyes.db"), "just a text\n".repeat(1000)).unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("cannot use the database") && told.contains("restore"), "{told}");
    assert!(!folder.path().join("secret.key").exists(), "a key was made for nothing");

    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("sharpeyes.db")).create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("not one of ours"), "{told}");
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sharpeyes.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    fs::write(folder.path().join("secret.key"), [3; 32]).unwrap();
    assert!(fs::metadata(&file).unwrap().len() > 0);
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.change_registry(county()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_damaged_database_is_told_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    for at in 0..200 {
        store.audit(entry(at)).await.unwrap();
    }
    store.close().await;
    drop(store);
    let file = folder.path().join("sharpeyes.db");
    let mut bytes = fs::read(&file).unwrap();
    // Every page after the schema's first loses its header.
    for page in bytes.chunks_mut(4096).skip(8) {
        page[..16].fill(0xa5);
    }
    fs::write(&file, bytes).unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("restore it from the backup"), "{told}");
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_told_and_nothing_is_overwritten() {
    let folder = made().await;
    let key = folder.path().join("secret.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, [7; 32]).unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("is not that of"), "{told}");
    fs::remove_file(&key).unwrap();
    let told = refusal(folder.path()).await;
    assert!(told.contains("there is no key") && told.contains("restore it"), "{told}");
    assert!(!key.exists(), "a new key was made behind the old database");
    fs::write(&key, right).unwrap();
    SqliteStore::open(folder.path()).await.unwrap().close().await;
}

#[tokio::test]
async fn an_account_moved_to_another_camera_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let mut two = county();
    let mut second = two.cameras[0].clone();
    second.id = CameraId(2);
    second.main = StreamUrl::parse("rtsp://10.66.6.6/main").unwrap().0;
    second.credentials = None;
    two.cameras.push(second);
    store.change_registry(two).await.unwrap();
    store.close().await;
    drop(store);
    meddle(folder.path(), "UPDATE camera SET account = (SELECT account FROM camera WHERE id = 1) WHERE id = 2").await;
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert!(registry.camera(CameraId(1)).unwrap().credentials.is_some());
    assert!(registry.camera(CameraId(2)).unwrap().credentials.is_none());
}

/// Somebody with a database tool changes the closed log; says what the next start finds.
async fn tampered(sql: &str) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    for at in 1..=20 {
        store.audit(entry(at)).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), None);
    store.close().await;
    drop(store);
    let unguarded = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted;";
    meddle(folder.path(), &format!("{unguarded} {sql}")).await;
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let found = store.verify_audit().await.unwrap();
    store.close().await;
    found
}

#[tokio::test]
async fn tampering_with_the_audit_log_shows() {
    let ways = [
        ("", None),
        ("UPDATE audit SET reason = '好奇' WHERE seq = 7", Some(7)),
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 1", Some(1)),
        ("UPDATE audit SET success = 0 WHERE seq = 20", Some(20)),
        ("UPDATE audit SET who_detail = who, who = '' WHERE seq = 9", Some(9)),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 3) WHERE seq = 4", Some(4)),
        ("DELETE FROM audit WHERE seq = 1", Some(1)),
        ("DELETE FROM audit WHERE seq = 12", Some(12)),
        ("DELETE FROM audit WHERE seq = 12; UPDATE audit SET seq = seq - 1 WHERE seq > 12", Some(12)),
        // The end cut off leaves a sound chain, but not the one that was sealed.
        ("DELETE FROM audit WHERE seq = 20", Some(20)),
        ("DELETE FROM audit WHERE seq > 5", Some(6)),
        ("DELETE FROM audit", Some(1)),
        ("DELETE FROM audit; DELETE FROM audit_head", None),
        ("DELETE FROM audit WHERE seq > 5; UPDATE audit_head SET seq = 5", Some(5)),
        ("DELETE FROM audit_head", Some(1)),
    ];
    for (sql, expected) in ways {
        assert_eq!(tampered(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.audit(entry(1)).await.unwrap();
    store.close().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("sharpeyes.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for sql in ["UPDATE audit SET who = 'x'", "DELETE FROM audit"] {
        let refused = sqlx::query(sql).execute(&mut connection).await.unwrap_err().to_string();
        assert!(refused.contains("the audit log cannot be"), "{refused}");
    }
}
