//! Work orders.

use crate::{
    NewOrderPicture, OrderQuery, PictureKind, Store, StoreError,
    orders::{LARGEST_PICTURE, MOST_PICTURES},
};
use fleet::{CameraId, TownId, Wall};
use health::{
    IncidentId, LikelyCause, Severity,
    desk::{Act, Actor, Assignee, Desk, NewOrder, Order, OrderId, OrderState},
};

fn new(incident: u64, at: i64) -> NewOrder {
    NewOrder {
        incident: IncidentId(incident),
        cameras: vec![CameraId(1), CameraId(2)],
        town: Some(TownId(1)),
        severity: Severity::Major,
        by: "op".into(),
        at: Wall(at),
        state: OrderState::Confirmed,
        note: "整村中断".into(),
    }
}

async fn act(store: &dyn Store, order: &Order, actor: Actor, act: Act, at: i64) -> Order {
    let next = Desk::default().act(order, actor, "x", act, Wall(at)).expect("allowed");
    store.update_order(&next).await.expect("updated");
    next
}

pub(super) async fn change_one_version_at_a_time(store: &dyn Store) {
    let order = store.add_order(new(7, 100)).await.expect("added");
    assert_eq!(order.version, 1);
    let twice = store.add_order(new(7, 101)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "one open order an incident: {twice:?}");
    let given = act(store, &order, Actor::Desk, Act::Assign(Assignee::Technician(4), None), 200).await;
    assert_eq!(store.order(order.id).await.expect("order").as_ref(), Some(&given));
    let late = Desk::default().act(&order, Actor::Desk, "y", Act::Note("x".into()), Wall(201)).expect("allowed");
    assert!(matches!(store.update_order(&late).await, Err(StoreError::Conflict(_))), "somebody was quicker");
    assert_eq!(store.order(order.id).await.expect("order"), Some(given.clone()), "nothing of it was written");
    let done = act(store, &given, Actor::Desk, Act::FalseAlarm("误报".into()), 300).await;
    assert!(!done.is_open());
    let again = store.add_order(new(7, 400)).await.expect("a closed order makes room for another");
    let of: Vec<OrderId> = store.orders_of(IncidentId(7)).await.expect("orders").iter().map(|o| o.id).collect();
    assert_eq!(of, [order.id, again.id]);
    assert_eq!(store.order(OrderId(u64::MAX)).await.expect("no order"), None);
}

pub(super) async fn are_found_by_each_filter(store: &dyn Store) {
    let mut made = Vec::new();
    for n in 1..=5 {
        made.push(store.add_order(new(n, 100 * n as i64)).await.expect("added"));
    }
    let unit = Assignee::Contractor("电信'; --".into());
    act(store, &made[0], Actor::Desk, Act::Assign(Assignee::Technician(4), None), 600).await;
    act(store, &made[1], Actor::Desk, Act::Assign(unit.clone(), None), 600).await;
    act(store, &made[2], Actor::Desk, Act::FalseAlarm("x".into()), 600).await;
    let ask = |query: OrderQuery| async move {
        let page = store.orders(&query).await.expect("orders");
        (page.items.iter().map(|o| o.incident.0).collect::<Vec<_>>(), page.next)
    };
    let all = OrderQuery { limit: 100, ..OrderQuery::default() };
    assert_eq!(ask(all.clone()).await.0, [5, 4, 3, 2, 1]);
    assert_eq!(ask(OrderQuery { open: Some(true), ..all.clone() }).await.0, [5, 4, 2, 1]);
    assert_eq!(ask(OrderQuery { open: Some(false), ..all.clone() }).await.0, [3]);
    assert_eq!(ask(OrderQuery { state: Some(OrderState::Assigned), ..all.clone() }).await.0, [2, 1]);
    let mine = |who: Vec<Assignee>| OrderQuery { assignees: who, ..all.clone() };
    assert_eq!(ask(mine(vec![Assignee::Technician(4)])).await.0, [1]);
    assert_eq!(ask(mine(vec![Assignee::Technician(4), unit])).await.0, [2, 1]);
    assert_eq!(ask(mine(vec![Assignee::Technician(9)])).await.0, [0; 0]);
    let within = OrderQuery { from: Some(Wall(200)), until: Some(Wall(400)), ..all.clone() };
    assert_eq!(ask(within).await.0, [3, 2]);
    let (first, next) = ask(OrderQuery { limit: 2, ..all.clone() }).await;
    let (second, _) = ask(OrderQuery { limit: 2, cursor: next, ..all.clone() }).await;
    assert_eq!([first, second].concat(), [5, 4, 3, 2]);
    let open: Vec<u64> = store.open_orders().await.expect("open").iter().map(|o| o.incident.0).collect();
    assert_eq!(open, [1, 2, 4, 5]);
}

pub(super) async fn pictures_are_kept_with_their_order(store: &dyn Store) {
    let order = store.add_order(new(7, 100)).await.expect("added").id;
    let other = store.add_order(new(8, 100)).await.expect("added").id;
    let picture = |jpeg: Vec<u8>| NewOrderPicture {
        order,
        kind: PictureKind::Photo,
        camera: Some(CameraId(2)),
        at: Wall(5),
        by: "tech".into(),
        note: "箱门被盗".into(),
        jpeg,
    };
    let kept = store.add_order_picture(picture(vec![1, 2, 3])).await.expect("kept");
    assert_eq!((kept.kind, kept.camera, kept.note.as_str()), (PictureKind::Photo, Some(CameraId(2)), "箱门被盗"));
    assert_eq!(store.order_pictures(order).await.expect("pictures"), vec![kept.clone()]);
    assert_eq!(store.order_picture(order, kept.id).await.expect("bytes"), Some(vec![1, 2, 3]));
    assert_eq!(store.order_picture(other, kept.id).await.expect("bytes"), None, "only through its own order");
    let large = store.add_order_picture(picture(vec![0; LARGEST_PICTURE + 1])).await;
    assert!(matches!(large, Err(StoreError::Invalid(_))));
    for _ in 1..MOST_PICTURES {
        store.add_order_picture(picture(vec![1])).await.expect("kept");
    }
    let over = store.add_order_picture(picture(vec![1])).await;
    assert!(matches!(over, Err(StoreError::Invalid(_))));
    let none = store.add_order_picture(NewOrderPicture { order: OrderId(99), ..picture(vec![1]) }).await;
    assert!(matches!(none, Err(StoreError::Missing(_))));
}

pub(super) async fn what_was_found_is_kept_on_the_incident(store: &dyn Store) {
    let found = |found| Act::Diagnose(found, LikelyCause::PowerOrFibre, "跳线松动".into());
    for (incident, cause) in [(1, LikelyCause::Camera), (2, LikelyCause::PowerOrFibre), (3, LikelyCause::Camera)] {
        let order = store.add_order(new(incident, 100)).await.expect("added");
        let order = act(store, &order, Actor::Desk, found(LikelyCause::Lens), 150).await;
        act(store, &order, Actor::Desk, found(cause), 100 + 100 * incident as i64).await;
    }
    let told = store.confirmed_cause(IncidentId(1)).await.expect("asked").expect("found");
    assert_eq!(
        (told.found, told.suggested, told.note.as_str()),
        (LikelyCause::Camera, LikelyCause::PowerOrFibre, "跳线松动")
    );
    assert_eq!(store.confirmed_cause(IncidentId(9)).await.expect("asked"), None);
}
