//! Changes of the register that are taken back.

use super::samples::register;
use crate::{ChangeId, ChangeKind, ChangeNote, RegistryChange, Result, Store, StoreError};
use fleet::{Camera, CameraId, LifeCycle, Wall};

fn note(at: i64, kind: ChangeKind) -> ChangeNote {
    ChangeNote { at: Wall(at), by: "admin".into(), kind, detail: "表.csv".into() }
}

fn renamed(camera: &Camera, name: &str) -> RegistryChange {
    RegistryChange { cameras: vec![Camera { name: name.into(), ..camera.clone() }], ..RegistryChange::default() }
}

async fn name(store: &dyn Store) -> String {
    store.registry().await.expect("reads").camera(CameraId(1)).expect("is there").name.clone()
}

/// As somebody who has just looked.
async fn change(store: &dyn Store, change: RegistryChange, note: ChangeNote) -> Result<ChangeId> {
    let seen = change.seen_in(&store.registry().await?);
    store.change_register(change, seen, note).await
}

pub(super) async fn who_saw_an_older_register_changes_nothing(store: &dyn Store) {
    let county = register();
    change(store, county.clone(), note(1, ChangeKind::Import)).await.expect("changes");
    let seen = store.registry().await.expect("reads");
    let uplink = seen.uplinks().next().expect("there is one").clone();
    let edits = [
        renamed(&county.cameras[0], "先"),
        RegistryChange {
            sites: vec![fleet::Site { name: "先".into(), ..county.sites[0].clone() }],
            ..RegistryChange::default()
        },
        RegistryChange { uplinks: vec![fleet::Uplink { name: "先".into(), ..uplink }], ..RegistryChange::default() },
    ];
    for edit in edits {
        let old = edit.seen_in(&seen);
        store.change_register(edit.clone(), old.clone(), note(2, ChangeKind::Edit)).await.expect("changes");
        let late = store.change_register(edit.clone(), old, note(3, ChangeKind::Edit)).await;
        assert!(matches!(late, Err(StoreError::Changed(_))), "{edit:?}: {late:?}");
        let added = store.change_register(edit, RegistryChange::default(), note(4, ChangeKind::Edit)).await;
        assert!(matches!(added, Err(StoreError::Changed(_))), "what is there is not new: {added:?}");
    }
    assert_eq!(store.register_changes().await.expect("reads").len(), 4, "and none of it is on record");
}

pub(super) async fn a_change_is_taken_back_with_accounts_and_all(store: &dyn Store) {
    let county = register();
    let first = change(store, county.clone(), note(1, ChangeKind::Import)).await.expect("changes");
    let full = county.cameras[0].clone();
    let mut edited = renamed(&full, "改名");
    edited.cameras[0].credentials = None;
    edited.sites = vec![fleet::Site { name: "改村".into(), ..county.sites[0].clone() }];
    let second = change(store, edited, note(2, ChangeKind::Edit)).await.expect("changes");
    let log = store.register_changes().await.expect("reads");
    let told: Vec<_> = log.iter().map(|e| (e.id, e.added, e.changed, e.note.kind)).collect();
    assert_eq!(told, [(second, 0, 2, ChangeKind::Edit), (first, 2, 0, ChangeKind::Import)]);

    let early = store.undo_change(first, note(3, ChangeKind::Undo)).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "a later change stands on it: {early:?}");
    let third = store.undo_change(second, note(3, ChangeKind::Undo)).await.expect("takes back");
    let registry = store.registry().await.expect("reads");
    assert_eq!(registry.camera(CameraId(1)), Some(&Camera { changed: Wall(3), ..full }), "the account, too");
    assert_eq!(registry.site(county.sites[0].id), Some(&county.sites[0]));
    let twice = store.undo_change(second, note(4, ChangeKind::Undo)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    let log = store.register_changes().await.expect("reads");
    assert_eq!((log[0].undoes, log[1].undone_by), (Some(second), Some(third)));

    store.undo_change(first, note(5, ChangeKind::Undo)).await.expect("nothing stands on it any more");
    let registry = store.registry().await.expect("reads");
    assert!(registry.cameras().all(|c| c.life_cycle == LifeCycle::Dismantled), "ids and history stay");
    let none = store.undo_change(ChangeId(4_000_000), note(6, ChangeKind::Undo)).await;
    assert!(matches!(none, Err(StoreError::Missing(_))), "{none:?}");
}

pub(super) async fn the_taking_back_is_taken_back(store: &dyn Store) {
    let county = register();
    change(store, county.clone(), note(1, ChangeKind::Import)).await.expect("changes");
    let edit = change(store, renamed(&county.cameras[0], "改名"), note(2, ChangeKind::Edit)).await.expect("changes");
    let undo = store.undo_change(edit, note(3, ChangeKind::Undo)).await.expect("takes back");
    assert_ne!(name(store).await, "改名");
    store.undo_change(undo, note(4, ChangeKind::Undo)).await.expect("takes that back");
    assert_eq!(name(store).await, "改名");
}
