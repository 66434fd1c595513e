//! Channels, marks and deliveries.

use crate::{Channel, DeliveryState, NewDelivery, Store, StoreError, Tried};
use fleet::{Secret, Wall};
use health::{
    IncidentId, Severity,
    desk::{Assignee, ChannelId, Dispatch, Mark, OrderId, Route},
};

fn channel(name: &str) -> Channel {
    Channel {
        id: ChannelId(0),
        name: name.into(),
        kind: "webhook".into(),
        enabled: true,
        route: Route {
            per_hour: 7,
            orders: true,
            assignees: [Assignee::Technician(4), Assignee::Contractor("电信".into())].into(),
            ..Route::default()
        },
        shown: "10.0.0.9".into(),
        target: Secret::new("{\"token\":\"口令\"}"),
    }
}

fn message(channel: ChannelId, at: i64) -> NewDelivery {
    NewDelivery { channel, at: Wall(at), body: format!("at {at}") }
}

const MARK: Mark = Mark { severity: Severity::Major, over: false, acknowledged: false };

pub(super) async fn channels_come_change_and_go(store: &dyn Store) {
    let made = store.add_channel(channel("值班群")).await.expect("added");
    let other = store.add_channel(channel("b")).await.expect("added");
    assert_eq!(store.channels().await.expect("channels"), [made.clone(), other.clone()]);
    let changed = Channel { enabled: false, target: Secret::new("other"), ..made.clone() };
    store.update_channel(&changed, &made).await.expect("changed");
    assert_eq!(store.channels().await.expect("channels")[0], changed);
    let late = store.update_channel(&Channel { target: Secret::new("late"), ..made.clone() }, &made).await;
    assert!(matches!(late, Err(StoreError::Changed(_))), "whoever saw an older one is refused: {late:?}");
    let nobody = Channel { id: ChannelId(99), ..made.clone() };
    assert!(matches!(store.update_channel(&nobody, &nobody).await, Err(StoreError::Missing(_))));
    store.enqueue(&[message(made.id, 1)], &[(made.id, IncidentId(1), MARK)]).await.expect("kept");
    store.remove_channel(made.id).await.expect("removed");
    assert_eq!(store.channels().await.expect("channels"), [other]);
    assert_eq!(store.marks().await.expect("marks"), []);
    assert!(matches!(store.remove_channel(made.id).await, Err(StoreError::Missing(_))));
    let again = store.add_channel(channel("c")).await.expect("added");
    assert!(again.id > made.id, "a number is never given twice");
}

pub(super) async fn what_was_told_of_orders_is_kept_with_its_messages(store: &dyn Store) {
    let a = store.add_channel(channel("a")).await.expect("added").id;
    let b = store.add_channel(channel("b")).await.expect("added").id;
    let told = |channel, at| Dispatch { channel, orders: vec![(OrderId(1), Wall(at)), (OrderId(2), Wall(5))] };
    store.enqueue_dispatches(&[message(a, 9), message(b, 9)], &[told(a, 7), told(b, 8)]).await.expect("kept");
    store.enqueue_dispatches(&[message(a, 20)], &[told(a, 19)]).await.expect("kept");
    let mut marks = store.order_marks().await.expect("marks");
    marks.sort();
    let one = |channel, order, at| (channel, OrderId(order), Wall(at));
    assert_eq!(marks, [one(a, 1, 19), one(a, 2, 5), one(b, 1, 8), one(b, 2, 5)]);
    assert_eq!(store.deliveries(Some(a), 10, None).await.expect("log").items.len(), 2);
    store.remove_channel(a).await.expect("removed");
    assert_eq!(store.order_marks().await.expect("marks").len(), 2);
}

pub(super) async fn messages_and_marks_are_kept_together_and_in_order(store: &dyn Store) {
    let a = store.add_channel(channel("a")).await.expect("added").id;
    let b = store.add_channel(channel("b")).await.expect("added").id;
    let marks = [(a, IncidentId(1), MARK), (b, IncidentId(1), Mark { over: true, ..MARK })];
    store.enqueue(&[message(a, 1), message(a, 2), message(b, 3)], &marks).await.expect("kept");
    assert_eq!(store.marks().await.expect("marks"), marks);
    assert_eq!(store.sent_since(Wall(2)).await.expect("sent"), [(a, Wall(2)), (b, Wall(3))]);
    let due = async |now: i64| -> Vec<String> {
        store.due(Wall(now)).await.expect("due").into_iter().map(|d| d.body).collect()
    };
    assert_eq!(due(10).await, ["at 1", "at 3"], "the oldest of each channel");
    let first = store.due(Wall(10)).await.expect("due")[0].clone();
    assert_eq!((first.state, first.attempts), (DeliveryState::Waiting, 0));
    store.begin_try(first.id).await.expect("begun");
    store.end_try(first.id, Wall(11), &Tried::Failed("refused".into(), Some(Wall(100)))).await.expect("ended");
    assert_eq!(due(50).await, ["at 3"], "what waits holds back what comes after it");
    assert_eq!(due(100).await, ["at 1", "at 3"]);
    store.begin_try(first.id).await.expect("begun");
    // A crash between the two leaves it to be tried again.
    let again = store.due(Wall(100)).await.expect("due")[0].clone();
    assert_eq!((again.id, again.state, again.attempts), (first.id, DeliveryState::Trying, 2));
    store.end_try(first.id, Wall(101), &Tried::Delivered).await.expect("ended");
    assert_eq!(due(102).await, ["at 2", "at 3"]);
    let second = store.due(Wall(102)).await.expect("due")[0].id;
    store.begin_try(second).await.expect("begun");
    store.end_try(second, Wall(103), &Tried::Failed("for ever".into(), None)).await.expect("ended");
    let on = Channel { id: b, ..channel("b") };
    let off = Channel { enabled: false, ..on.clone() };
    store.update_channel(&off, &on).await.expect("off");
    assert_eq!(due(104).await, [""; 0], "a channel that is off waits");
    let log = store.deliveries(Some(a), 10, None).await.expect("log");
    let told: Vec<_> = log.items.iter().map(|d| (d.state, d.attempts, d.error.as_str(), d.ended)).collect();
    assert_eq!(
        told,
        [(DeliveryState::Failed, 1, "for ever", Some(Wall(103))), (DeliveryState::Delivered, 2, "", Some(Wall(101))),]
    );
    let page = store.deliveries(None, 2, None).await.expect("log");
    let rest = store.deliveries(None, 2, page.next.as_deref()).await.expect("log");
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (2, 1, None));
    store.prune_notices(Wall(102)).await.expect("pruned");
    assert_eq!(store.deliveries(None, 10, None).await.expect("log").items.len(), 2);
}
