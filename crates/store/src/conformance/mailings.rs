//! Mailings, and each report that was due.

use crate::{DeliveryState, Every, Mailing, MailingId, MailingPlan, Store, StoreError, Tried};
use fleet::Wall;
use health::desk::ChannelId;

fn mailing(name: &str) -> Mailing {
    Mailing {
        id: MailingId(0),
        name: name.into(),
        enabled: true,
        plan: MailingPlan {
            every: Every::Week,
            weekday: 1,
            day: 1,
            minute: 480,
            group: "town".into(),
            town: Some(3),
            site: None,
            contractor: Some("电信".into()),
            channel: ChannelId(4),
            to: vec!["chief@county.example".into()],
            language: "zh-CN".into(),
        },
        changed: Wall(7),
    }
}

pub(super) async fn mailings_come_change_and_go(store: &dyn Store) {
    let made = store.add_mailing(mailing("周报")).await.expect("added");
    let other = store.add_mailing(mailing("b")).await.expect("added");
    assert_eq!(store.mailings().await.expect("mailings"), [made.clone(), other.clone()]);
    let changed = Mailing { enabled: false, changed: Wall(9), ..made.clone() };
    store.update_mailing(&changed, &made).await.expect("changed");
    assert_eq!(store.mailings().await.expect("mailings")[0], changed);
    let late = store.update_mailing(&Mailing { name: "late".into(), ..made.clone() }, &made).await;
    assert!(matches!(late, Err(StoreError::Changed(_))), "whoever saw an older one is refused: {late:?}");
    let nobody = Mailing { id: MailingId(99), ..made.clone() };
    assert!(matches!(store.update_mailing(&nobody, &nobody).await, Err(StoreError::Missing(_))));
    assert!(store.begin_sending(made.id, Wall(0)..Wall(5), Wall(6)).await.expect("begun"));
    store.remove_mailing(made.id).await.expect("removed");
    assert_eq!(store.mailings().await.expect("mailings"), [other]);
    assert_eq!(store.sendings(None, 10, None).await.expect("log").items, [], "nobody waits for it any more");
    assert!(matches!(store.remove_mailing(made.id).await, Err(StoreError::Missing(_))));
    assert!(!store.begin_sending(made.id, Wall(0)..Wall(5), Wall(6)).await.expect("answered"), "of nothing");
    assert!(store.add_mailing(mailing("c")).await.expect("added").id > made.id, "a number is never given twice");
}

pub(super) async fn who_was_left_out_is_tried_again_and_told_at_the_end(store: &dyn Store) {
    let a = store.add_mailing(mailing("a")).await.expect("added");
    assert!(store.begin_sending(a.id, Wall(0)..Wall(10), Wall(12)).await.expect("begun"));
    let first = store.due_sendings(Wall(12)).await.expect("due").remove(0);
    assert_eq!(first.left_out, [""; 0], "it is for everybody");
    let left_out = ["b@county.example".to_owned()];
    let failed = Tried::Failed("b is not taken".into(), Some(Wall(20)));
    store.end_sending_try(first.id, Wall(13), &failed, &left_out).await.expect("ended");
    let again = store.due_sendings(Wall(20)).await.expect("due").remove(0);
    assert_eq!((again.id, &again.left_out[..]), (first.id, &left_out[..]));
    store.end_sending_try(first.id, Wall(21), &Tried::Partly("b is not taken".into()), &[]).await.expect("ended");
    let log = store.sendings(None, 10, None).await.expect("log").items;
    let told = (log[0].state, log[0].error.as_str(), log[0].ended);
    assert_eq!(told, (DeliveryState::Delivered, "b is not taken", Some(Wall(21))));
    assert_eq!(store.due_sendings(Wall(100)).await.expect("due"), []);
    assert_eq!(store.troubled_sendings().await.expect("troubled"), log, "somebody has it not");
}

pub(super) async fn a_period_is_sent_once_and_tried_until_it_arrives(store: &dyn Store) {
    let a = store.add_mailing(mailing("a")).await.expect("added");
    let b = store.add_mailing(mailing("b")).await.expect("added");
    let begin = async |of, from: i64| store.begin_sending(of, Wall(from)..Wall(from + 10), Wall(from + 12)).await;
    assert!(begin(a.id, 0).await.expect("begun"));
    assert!(!begin(a.id, 0).await.expect("known"), "the same period is due once");
    assert!(begin(b.id, 0).await.expect("begun"), "each mailing by itself");
    let due = async |now: i64| store.due_sendings(Wall(now)).await.expect("due");
    assert_eq!(due(11).await, []);
    let both = due(12).await;
    assert_eq!(both.iter().map(|s| s.mailing).collect::<Vec<_>>(), [a.id, b.id]);
    let first = &both[0];
    assert_eq!((first.range.clone(), first.state, first.attempts), (Wall(0)..Wall(10), DeliveryState::Waiting, 0));
    store.begin_sending_try(first.id).await.expect("begun");
    store
        .end_sending_try(first.id, Wall(13), &Tried::Failed("refused".into(), Some(Wall(100))), &[])
        .await
        .expect("ended");
    assert_eq!(due(50).await.len(), 1, "it waits, and holds back nobody else's");
    let troubled = store.troubled_sendings().await.expect("troubled");
    assert_eq!(troubled.iter().map(|s| (s.mailing, s.error.as_str())).collect::<Vec<_>>(), [(a.id, "refused")]);
    // A crash within a try leaves it to be tried again.
    store.begin_sending_try(first.id).await.expect("begun");
    let again = due(100).await[0].clone();
    assert_eq!((again.id, again.state, again.attempts), (first.id, DeliveryState::Trying, 2));
    store.end_sending_try(first.id, Wall(101), &Tried::Delivered, &[]).await.expect("ended");
    assert_eq!(store.troubled_sendings().await.expect("troubled"), []);
    assert!(!begin(a.id, 0).await.expect("known"), "what arrived is never sent again");
    // Given up, and told of until the next period arrives.
    assert!(begin(a.id, 10).await.expect("begun"));
    let second = due(200).await.into_iter().find(|s| s.mailing == a.id).expect("due");
    store.begin_sending_try(second.id).await.expect("begun");
    store.end_sending_try(second.id, Wall(201), &Tried::Failed("for ever".into(), None), &[]).await.expect("ended");
    assert_eq!(store.troubled_sendings().await.expect("troubled").len(), 1);
    // One that is off neither sends nor troubles.
    store.update_mailing(&Mailing { enabled: false, ..b.clone() }, &b).await.expect("off");
    assert_eq!(due(300).await, []);
    let log = store.sendings(Some(a.id), 10, None).await.expect("log").items;
    let told: Vec<_> = log.iter().map(|s| (s.state, s.error.as_str(), s.ended)).collect();
    assert_eq!(
        told,
        [(DeliveryState::Failed, "for ever", Some(Wall(201))), (DeliveryState::Delivered, "", Some(Wall(101)))]
    );
    let page = store.sendings(None, 2, None).await.expect("log");
    let rest = store.sendings(None, 2, page.next.as_deref()).await.expect("log");
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (2, 1, None));
    store.prune_sendings(Wall(1000)).await.expect("pruned");
    assert_eq!(store.sendings(Some(a.id), 10, None).await.expect("log").items.len(), 1, "the newest stays");
    assert!(!begin(a.id, 10).await.expect("known"));
}
