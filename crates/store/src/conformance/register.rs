//! The register.

use super::samples;
use crate::{RegistryChange, Store, StoreError};
use fleet::{Registry, SiteId};

pub(super) async fn starts_empty_and_keeps_what_it_was_given(store: &dyn Store) {
    assert_eq!(store.registry().await.expect("reads"), Registry::default());
    let given = samples::register();
    store.change_registry(given.clone()).await.expect("takes a register");
    let RegistryChange { towns, sites, uplinks, cameras } = given;
    assert_eq!(store.registry().await.expect("reads"), Registry::new(towns, sites, uplinks, cameras));
}

pub(super) async fn replaces_by_id_and_takes_all_or_nothing(store: &dyn Store) {
    let mut given = samples::register();
    store.change_registry(given.clone()).await.expect("takes a register");
    let camera = &mut given.cameras[0];
    camera.name = "renamed".into();
    camera.credentials = None;
    camera.uplink = None;
    camera.place.coordinates = None;
    let only = RegistryChange { cameras: vec![camera.clone()], ..RegistryChange::default() };
    store.change_registry(only).await.expect("replaces one record");
    let RegistryChange { towns, sites, uplinks, cameras } = given.clone();
    let whole = Registry::new(towns, sites, uplinks, cameras);
    assert_eq!(store.registry().await.expect("reads"), whole);

    // The second camera of this change stands nowhere: nothing of the change may stay.
    given.cameras[0].name = "half a change".into();
    given.cameras[1].site = SiteId(999);
    let refused = store.change_registry(given).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))), "a dangling reference gave {refused:?}");
    assert_eq!(store.registry().await.expect("reads"), whole);
}
