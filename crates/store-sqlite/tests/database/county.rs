//! The sample county on its way from the file to the disk and back.
#![allow(clippy::unwrap_used)]

use fleet::{Registry, Wall, import};
use store::{RegistryChange, Store};
use store_sqlite::SqliteStore;

const COUNTY: &[u8] = include_bytes!("../../../../config/demo/cameras.csv");

#[tokio::test]
async fn the_sample_county_is_stored_whole_and_imports_again_as_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let plan = import::plan(COUNTY, &Registry::default(), Wall(1)).unwrap();
    store.change_registry(RegistryChange::from(plan.change())).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(folder.path()).await.unwrap();
    let stored = store.registry().await.unwrap();
    assert_eq!(stored, plan.apply(&Registry::default()));
    let again = import::plan(COUNTY, &stored, Wall(2)).unwrap();
    assert_eq!(again.counts(), import::Counts { unchanged: 800, ..import::Counts::default() });
    assert_eq!(RegistryChange::from(again.change()), RegistryChange::default());
    store.close().await;
}
