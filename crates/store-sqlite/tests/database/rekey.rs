//! The node's key is changed: everything sealed follows, and nothing else opens it.
#![allow(clippy::unwrap_used)]

use crate::samples::county;
use fleet::{CameraId, Wall};
use std::fs;
use store::{AuditEntry, Store};
use store_sqlite::{KEY_FILE, SqliteStore};
use vault::Source;

fn entry() -> AuditEntry {
    AuditEntry {
        at: Wall(7),
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

async fn sound(store: &SqliteStore) {
    let register = store.registry().await.unwrap();
    let account = register.camera(CameraId(1)).unwrap().credentials.clone().unwrap();
    assert_eq!(account.password.expose(), "Xq7-plain-password");
    assert_eq!(store.verify_audit().await.unwrap(), None);
}

#[tokio::test]
async fn accounts_and_the_head_of_the_audit_log_follow_a_changed_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let store = SqliteStore::open(path).await.unwrap();
    store.change_registry(county()).await.unwrap();
    store.audit(entry()).await.unwrap();
    store.close().await;

    let (old, new) = (Source::File(path.join(KEY_FILE)), Source::File(path.join("elsewhere.key")));
    fs::write(path.join("elsewhere.key"), [7; 32]).unwrap();
    let refused = SqliteStore::open_with(path, &new, None).await.unwrap_err().to_string();
    assert!(refused.contains("is not that of") && refused.contains("--from"), "{refused}");

    let store = SqliteStore::open_with(path, &new, Some(&old)).await.unwrap();
    sound(&store).await;
    store.close().await;
    fs::remove_file(path.join(KEY_FILE)).unwrap();
    let store = SqliteStore::open_with(path, &new, None).await.unwrap();
    sound(&store).await;
    store.audit(entry()).await.unwrap();
    sound(&store).await;
    store.close().await;

    // In place: interrupted after the new key lies there, the next start goes on.
    fs::rename(path.join("elsewhere.key"), path.join(KEY_FILE)).unwrap();
    old.renew().unwrap();
    let store = SqliteStore::open(path).await.unwrap();
    sound(&store).await;
    store.close().await;
    old.forget_old().unwrap();
    let store = SqliteStore::open(path).await.unwrap();
    sound(&store).await;
    store.close().await;
    for file in fs::read_dir(path).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(18).any(|w| w == b"Xq7-plain-password"));
    }
}
