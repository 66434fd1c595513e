//! The suite that every store must pass, on real files.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use store::Store;
use store_sqlite::SqliteStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_of_a_store() {
    let folders = Mutex::new(Vec::new());
    store::conformance::run(async || {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path()).await.unwrap();
        folders.lock().unwrap().push(folder);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}
