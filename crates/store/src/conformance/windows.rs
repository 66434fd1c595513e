//! Planned maintenance.

use crate::{MOST_WINDOWS, Store, StoreError};
use fleet::{CameraId, Olt, SiteId, TownId, UplinkId, Wall};
use health::{NewWindow, Scope, Window, WindowId};

fn window(scope: Scope, from: i64, until: i64) -> NewWindow {
    NewWindow {
        scope,
        from: Wall(from),
        until: Wall(until),
        reason: "换杆; '--".into(),
        by: "zhang".into(),
        excused: until % 2 == 0,
        created: Wall(1),
    }
}

async fn ids(store: &dyn Store, from: i64, until: i64) -> Vec<u64> {
    let found = store.windows(Wall(from)..Wall(until)).await.expect("windows");
    found.iter().map(|w| w.id.0).collect()
}

pub(super) async fn are_found_by_when_they_hold_and_ended_once(store: &dyn Store) {
    let scopes = [
        Scope::Camera(CameraId(7)),
        Scope::Uplink(UplinkId(5)),
        Scope::Site(SiteId(3)),
        Scope::Olt(Olt("O \"1\"".into())),
        Scope::Town(TownId(2)),
        Scope::County,
    ];
    let mut added: Vec<Window> = Vec::new();
    for (scope, n) in scopes.into_iter().zip(1..) {
        let new = window(scope, n * 100, n * 100 + 150);
        let made = store.add_window(new.clone()).await.expect("added");
        assert_eq!((&made.scope, made.from, made.until, made.excused), (&new.scope, new.from, new.until, new.excused));
        added.push(made);
    }
    assert_eq!(store.windows(Wall(0)..Wall(10_000)).await.expect("all"), added, "all, as they were made");
    let [first, second, third] = [added[0].id, added[1].id, added[2].id];
    assert_eq!(ids(store, 0, 100).await, [0; 0], "until is exclusive");
    assert_eq!(ids(store, 249, 250).await, [first.0, second.0], "one ends, one goes on");
    assert_eq!(ids(store, 250, 251).await, [second.0]);
    let ended = store.end_window(third, Wall(320), "li").await.expect("ended");
    assert_eq!((ended.end(), ended.ended_by.as_deref()), (Wall(320), Some("li")));
    let off = store.end_window(second, Wall(150), "li").await.expect("called off");
    assert!(!off.holds(Wall(210)));
    assert!(matches!(store.end_window(third, Wall(330), "x").await, Err(StoreError::Invalid(_))), "only once");
    assert!(matches!(store.end_window(first, Wall(250), "x").await, Err(StoreError::Invalid(_))), "it is over");
    assert!(matches!(store.end_window(WindowId(99), Wall(1), "x").await, Err(StoreError::Missing(_))));
    let all = store.windows(Wall(300)..Wall(330)).await.expect("windows");
    assert_eq!(
        all.iter().map(|w| (w.id, w.ended)).collect::<Vec<_>>()[..2],
        [(second, Some(Wall(150))), (third, Some(Wall(320))),]
    );
}

pub(super) async fn have_a_limit(store: &dyn Store) {
    for _ in 0..MOST_WINDOWS {
        store.add_window(window(Scope::County, 100, 200)).await.expect("added");
    }
    let over = store.add_window(window(Scope::County, 100, 200)).await;
    assert!(matches!(over, Err(StoreError::Invalid(_))), "{over:?}");
    let later = NewWindow { created: Wall(200), ..window(Scope::County, 300, 400) };
    store.add_window(later).await.expect("those that are over do not count");
}
