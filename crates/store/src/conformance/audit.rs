//! The audit log, and cursors of every list.

use super::samples::entry;
use crate::{AuditQuery, HistoryQuery, IncidentQuery, Store, StoreError};
use fleet::{CameraId, Wall};
use std::{future::Future, pin::Pin, task::Poll};

pub(super) async fn records_are_numbered_and_chained(store: &dyn Store) {
    assert_eq!(store.verify_audit().await.expect("verifies"), None, "an empty log is sound");
    let mut records = Vec::new();
    for at in 0..5 {
        records.push(store.audit(entry(at, "zhang", "sign_in")).await.expect("appends"));
    }
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let again = store.audit(entry(0, "zhang", "sign_in")).await.expect("appends");
    assert_ne!(again.hash, records[0].hash, "equal entries at different places have different hashes");
    records.push(again);
    records.reverse();
    let log = store.audit_log(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.expect("reads");
    assert_eq!((log.items, log.next), (records, None));
    assert_eq!(store.verify_audit().await.expect("verifies"), None);
}

pub(super) async fn records_are_found_by_each_filter(store: &dyn Store) {
    for at in 0..30 {
        let who = if at % 3 == 0 { "an" } else { "zhang" };
        let action = if at % 2 == 0 { "sign_in" } else { "user_added" };
        store.audit(entry(at, who, action)).await.expect("appends");
    }
    let who = Some("an".to_owned());
    let action = Some("sign_in".to_owned());
    let any = AuditQuery::default;
    let ways = [
        (any(), (0..30).collect::<Vec<i64>>()),
        (AuditQuery { who: who.clone(), ..any() }, (0..30).filter(|a| a % 3 == 0).collect()),
        (AuditQuery { action: action.clone(), ..any() }, (0..30).filter(|a| a % 2 == 0).collect()),
        (AuditQuery { who: who.clone(), action, ..any() }, (0..30).filter(|a| a % 6 == 0).collect()),
        (AuditQuery { from: Some(Wall(10)), until: Some(Wall(12)), ..any() }, vec![10, 11]),
        (AuditQuery { who, until: Some(Wall(4)), ..any() }, vec![0, 3]),
        (AuditQuery { who: Some("nobody".into()), ..any() }, vec![]),
    ];
    for (way, mut expected) in ways {
        expected.reverse();
        for limit in [1, 4, 100] {
            let mut query = AuditQuery { limit, ..way.clone() };
            let mut read = Vec::new();
            loop {
                let page = store.audit_log(&query).await.expect("reads");
                read.extend(page.items.iter().map(|r| r.entry.at.0));
                let Some(next) = page.next else { break };
                query.cursor = Some(next);
            }
            assert_eq!(read, expected, "{query:?}");
        }
    }
}

pub(super) async fn many_at_once_make_one_chain(store: &dyn Store) {
    let appends: Vec<_> = (0..50).map(|at| store.audit(entry(at, "zhang", "sign_in"))).collect();
    let mut numbers: Vec<u64> =
        together(appends).await.into_iter().map(|record| record.expect("appends").seq).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>(), "no hole, none twice");
    assert_eq!(store.verify_audit().await.expect("verifies"), None);
}

pub(super) async fn hostile_cursors_are_refused(store: &dyn Store) {
    store.audit(entry(1, "zhang", "sign_in")).await.expect("appends");
    for text in ["", "0", "x", "1_", "_1", "1_2_3", "' OR 1=1 --", "99999999999999999999_1", "\0", "一_二"] {
        let cursor = Some(text.to_owned());
        let camera = Some(CameraId(1));
        let answers = [
            store.audit_log(&AuditQuery { cursor: cursor.clone(), limit: 5, ..AuditQuery::default() }).await.err(),
            store.history(&HistoryQuery { cursor: cursor.clone(), limit: 5, ..HistoryQuery::default() }).await.err(),
            store.history(&HistoryQuery { cursor: cursor.clone(), camera, ..HistoryQuery::default() }).await.err(),
            store.incidents(&IncidentQuery { cursor, limit: 5, ..IncidentQuery::default() }).await.err(),
        ];
        for answer in answers {
            assert!(matches!(answer, Some(StoreError::Invalid(_))), "the cursor {text:?} gave {answer:?}");
        }
    }
}

/// Waits for futures together.
async fn together<T, F: Future<Output = T>>(futures: Vec<F>) -> Vec<T> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Ready(value) => {
                done.push(value);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done
}
