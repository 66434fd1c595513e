//! Shifts handed over.

use crate::{HandoverId, HandoverQuery, NewHandover, Part, Signature, Store, StoreError};
use fleet::{SiteId, TownId, Wall};

fn signed(by: &str, at: i64) -> Signature {
    Signature {
        by: by.into(), by_detail: format!("{by} · 指挥中心"), at: Wall(at), note: "'; 一切正常".into()
    }
}

fn shift(part: &Part, from: i64, until: i64) -> NewHandover {
    NewHandover {
        from: Wall(from),
        until: Wall(until),
        part: part.clone(),
        given: signed("zhang", until),
        report: format!("{{\"until\":{until}}}"),
    }
}

pub(super) async fn follow_each_other_and_are_taken_once(store: &dyn Store) {
    let (county, town) = (Part::default(), Part::new(vec![TownId(3), TownId(1)], vec![SiteId(9)]));
    assert_eq!(town, Part::new(vec![TownId(1), TownId(3), TownId(1)], vec![SiteId(9)]), "whichever order");
    let first = store.add_handover(shift(&county, 0, 100)).await.expect("the first");
    let late = store.add_handover(shift(&county, 50, 120)).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let other = store.add_handover(shift(&town, 50, 120)).await.expect("another part has shifts of its own");
    let second = store.add_handover(shift(&county, 100, 200)).await.expect("the next");

    assert_eq!(first.taken, None);
    let taken = store.take_handover(first.id, signed("li", 105)).await.expect("taken");
    assert_eq!(taken.taken, Some(signed("li", 105)));
    assert!(matches!(store.take_handover(first.id, signed("wu", 106)).await, Err(StoreError::Conflict(_))), "once");
    assert!(matches!(store.take_handover(HandoverId(99), signed("wu", 1)).await, Err(StoreError::Missing(_))));
    assert_eq!(store.handover(first.id).await.expect("read"), Some(taken.clone()));
    assert_eq!(store.handover(HandoverId(u64::MAX)).await.expect("read"), None);

    let all = HandoverQuery { limit: 10, ..HandoverQuery::default() };
    let page = store.handovers(&all).await.expect("all");
    assert_eq!(page.items, [second.clone(), other.clone(), taken.clone()], "newest first, as they were made");
    let ours = HandoverQuery { part: Some(county), limit: 1, cursor: None };
    let page = store.handovers(&ours).await.expect("a page");
    assert_eq!(page.items, [second]);
    let page = store.handovers(&HandoverQuery { cursor: page.next, ..ours }).await.expect("the next");
    assert_eq!((page.items, page.next), (vec![taken], None));
    let theirs = HandoverQuery { part: Some(town), ..all };
    assert_eq!(store.handovers(&theirs).await.expect("theirs").items, [other]);
}
