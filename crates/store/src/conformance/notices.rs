//! Channels, marks and deliveries.

use crate::{Channel, DeliveryState, Store, StoreError, Telling, Tried};
use fleet::{Secret, Wall};
use health::{
    IncidentId, Severity,
    desk::{Assignee, ChannelId, Dispatch, Learnt, Mark, OrderId, Route},
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

fn message(channel: ChannelId, at: i64) -> Telling {
    Telling { channel, at: Wall(at), parts: vec![format!("at {at}")], marks: Vec::new() }
}

fn learnt(incident: u64, before: Option<Mark>, after: Mark) -> Learnt {
    Learnt { incident: IncidentId(incident), before, after }
}

const MARK: Mark = Mark { severity: Severity::Major, over: false, acknowledged: false, waits: false };
const OVER: Mark = Mark { over: true, ..MARK };

async fn due(store: &dyn Store, now: i64) -> Vec<String> {
    store.due(Wall(now)).await.expect("due").into_iter().map(|d| d.body).collect()
}

/// Tries what is due first.
async fn tried(store: &dyn Store, now: i64, tried: Tried) {
    let first = store.due(Wall(now)).await.expect("due")[0].id;
    assert!(store.begin_try(first).await.expect("begun"));
    store.end_try(first, Wall(now), &tried).await.expect("ended");
}

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
    let telling = Telling { marks: vec![learnt(1, None, MARK)], ..message(made.id, 1) };
    assert!(store.enqueue(std::slice::from_ref(&telling)).await.expect("kept"));
    store.remove_channel(made.id).await.expect("removed");
    assert!(!store.enqueue(&[telling]).await.expect("left out"), "nobody is there to be told");
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
    let text = || vec!["told".to_owned()];
    store.enqueue_dispatches(Wall(9), &[(told(a, 7), text()), (told(b, 8), text())]).await.expect("kept");
    let later = Dispatch { channel: a, orders: vec![(OrderId(1), Wall(19))] };
    store.enqueue_dispatches(Wall(20), &[(later.clone(), text())]).await.expect("kept");
    store.enqueue_dispatches(Wall(30), &[(later, text())]).await.expect("left out");
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
    let told = [
        Telling { marks: vec![learnt(1, None, MARK)], ..message(a, 1) },
        message(a, 2),
        Telling { marks: vec![learnt(1, None, OVER)], ..message(b, 3) },
    ];
    assert!(store.enqueue(&told).await.expect("kept"));
    assert_eq!(store.marks().await.expect("marks"), [(a, IncidentId(1), MARK), (b, IncidentId(1), OVER)]);
    assert_eq!(store.sent_since(Wall(2)).await.expect("sent"), [(a, Wall(2)), (b, Wall(3))]);
    let due = async |now: i64| due(store, now).await;
    assert_eq!(due(10).await, ["at 1", "at 3"], "the oldest of each channel");
    let first = store.due(Wall(10)).await.expect("due")[0].clone();
    assert_eq!((first.state, first.attempts), (DeliveryState::Waiting, 0));
    assert!(store.begin_try(first.id).await.expect("begun"));
    store.end_try(first.id, Wall(11), &Tried::Failed("refused".into(), Some(Wall(100)))).await.expect("ended");
    assert_eq!(due(50).await, ["at 3"], "what waits holds back what comes after it");
    assert_eq!(due(100).await, ["at 1", "at 3"]);
    store.begin_try(first.id).await.expect("begun");
    // A crash between the two leaves it to be tried again.
    let again = store.due(Wall(100)).await.expect("due")[0].clone();
    assert_eq!((again.id, again.state, again.attempts), (first.id, DeliveryState::Trying, 2));
    store.end_try(first.id, Wall(101), &Tried::Delivered).await.expect("ended");
    assert!(!store.begin_try(first.id).await.expect("asked"), "what has arrived is not sent again");
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

pub(super) async fn what_was_told_already_is_not_kept_again(store: &dyn Store) {
    let a = store.add_channel(channel("a")).await.expect("added").id;
    let opened = Telling { marks: vec![learnt(1, None, MARK), learnt(2, None, MARK)], ..message(a, 1) };
    assert!(store.enqueue(std::slice::from_ref(&opened)).await.expect("kept"));
    let other = Telling { marks: vec![learnt(3, None, MARK)], ..message(a, 2) };
    let again = Telling { at: Wall(3), parts: vec!["again".into()], marks: opened.marks[1..].to_vec(), ..opened };
    assert!(!store.enqueue(&[again, other]).await.expect("one of them"));
    let over = Telling { parts: Vec::new(), marks: vec![learnt(1, Some(MARK), OVER)], ..message(a, 4) };
    assert!(store.enqueue(&[over]).await.expect("kept"));
    let bodies: Vec<_> =
        store.deliveries(None, 10, None).await.expect("log").items.into_iter().map(|d| d.body).collect();
    assert_eq!(bodies, ["at 2", "at 1"]);
    let marks = store.marks().await.expect("marks");
    assert_eq!(marks, [(a, IncidentId(1), OVER), (a, IncidentId(2), MARK), (a, IncidentId(3), MARK)]);
}

pub(super) async fn parts_go_one_after_the_other_and_count_once(store: &dyn Store) {
    let a = store.add_channel(channel("a")).await.expect("added").id;
    let parts = ["one", "two", "three"].map(str::to_owned).to_vec();
    store.enqueue(&[Telling { parts, ..message(a, 5) }]).await.expect("kept");
    assert_eq!(store.sent_since(Wall(0)).await.expect("sent"), [(a, Wall(5))]);
    for part in ["one", "two", "three"] {
        assert_eq!(due(store, 10).await, [part]);
        tried(store, 10, Tried::Delivered).await;
    }
}

pub(super) async fn what_is_refused_for_good_steps_aside(store: &dyn Store) {
    let made = store.add_channel(channel("a")).await.expect("added");
    let refused = |next: i64| Tried::Refused("inappropriate content".into(), Some(Wall(next)));
    store.enqueue(&[1, 2, 3, 4].map(|at| message(made.id, at))).await.expect("kept");
    tried(store, 10, refused(500)).await;
    assert_eq!(due(store, 11).await, ["at 2"], "the next one has its turn");
    tried(store, 11, Tried::Failed("busy".into(), Some(Wall(100)))).await;
    assert_eq!(due(store, 50).await, [""; 0], "what may pass later keeps its place");
    tried(store, 100, refused(600)).await;
    tried(store, 101, Tried::Delivered).await;
    assert_eq!(due(store, 700).await, ["at 4"], "what waits in line goes first");
    tried(store, 700, Tried::Delivered).await;
    assert_eq!(due(store, 499).await, [""; 0]);
    assert_eq!(due(store, 700).await, ["at 1"], "tried again now and then, in its order");
    let first = store.due(Wall(700)).await.expect("due")[0].clone();
    assert_eq!(
        (first.state, first.refusals, first.error.as_str()),
        (DeliveryState::Refused, 1, "inappropriate content")
    );
    // A crash during the try, and a failure that may pass: it stays aside.
    store.begin_try(first.id).await.expect("begun");
    store.enqueue(&[message(made.id, 5)]).await.expect("kept");
    assert_eq!(due(store, 700).await, ["at 5"]);
    tried(store, 700, Tried::Delivered).await;
    tried(store, 700, Tried::Failed("busy".into(), Some(Wall(800)))).await;
    assert_eq!(due(store, 700).await, ["at 2"]);
    // Somebody mends the channel: all stand in line again.
    let mended = Channel { target: Secret::new("mended"), ..made.clone() };
    let renamed = Channel { name: "b".into(), ..made.clone() };
    store.update_channel(&renamed, &made).await.expect("renamed");
    assert_eq!(due(store, 20).await, [""; 0], "a new name mends nothing");
    store.update_channel(&mended, &renamed).await.expect("mended");
    assert_eq!(due(store, 20).await, ["at 1"]);
    tried(store, 20, Tried::Delivered).await;
    assert_eq!(due(store, 20).await, ["at 2"]);
    tried(store, 20, Tried::Refused("still".into(), None)).await;
    let last = store.deliveries(None, 10, None).await.expect("log").items[3].clone();
    assert_eq!((last.state, last.error.as_str(), last.ended), (DeliveryState::Failed, "still", Some(Wall(20))));
}

pub(super) async fn a_clock_that_is_set_holds_back_no_message(store: &dyn Store) {
    const DAY: i64 = 24 * 3_600_000;
    let a = store.add_channel(channel("a")).await.expect("added").id;
    let b = store.add_channel(channel("b")).await.expect("added").id;
    store.enqueue(&[message(a, 5 * DAY), message(b, 5 * DAY)]).await.expect("kept");
    assert_eq!(due(store, 4 * DAY).await, ["at 432000000"; 2], "made before the clock was set back");
    tried(store, 5 * DAY, Tried::Failed("busy".into(), Some(Wall(5 * DAY + 900_000)))).await;
    tried(store, 5 * DAY, Tried::Refused("no".into(), Some(Wall(5 * DAY + 900_000)))).await;
    assert_eq!(due(store, 5 * DAY + 1000).await, [""; 0]);
    assert_eq!(due(store, 4 * DAY).await, ["at 432000000"; 2]);
    assert_eq!(due(store, 5 * DAY - 3_600_000).await, ["at 432000000"], "what was refused has time");
    assert_eq!(due(store, 6 * DAY).await, ["at 432000000"; 2]);
}

pub(super) async fn a_crash_during_a_try_repeats_it_once(store: &dyn Store) {
    let a = store.add_channel(channel("a")).await.expect("added").id;
    store.enqueue(&[message(a, 1), message(a, 2)]).await.expect("kept");
    let first = store.due(Wall(10)).await.expect("due")[0].id;
    assert_eq!(store.interrupted(Wall(11)).await.expect("none"), [], "it was not tried yet");
    store.begin_try(first).await.expect("begun");
    assert_eq!(store.interrupted(Wall(12)).await.expect("the first"), []);
    assert_eq!(store.interrupted(Wall(13)).await.expect("the same"), [], "a crash counts once");
    assert_eq!(due(store, 13).await, ["at 1"]);
    store.begin_try(first).await.expect("begun");
    for _ in 0..2 {
        let again: Vec<u64> = store.interrupted(Wall(14)).await.expect("again").into_iter().map(|d| d.id).collect();
        assert_eq!(again, [first], "until somebody decides");
    }
    store.end_try(first, Wall(15), &Tried::Failed("unknown".into(), None)).await.expect("ended");
    assert_eq!(store.interrupted(Wall(16)).await.expect("none"), []);
    assert_eq!(due(store, 16).await, ["at 2"]);
}
