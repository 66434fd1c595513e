//! Exports, and the audit log by what it is about.

use super::samples::entry;
use crate::{Export, ExportId, ExportQuery, ExportState, Store};
use fleet::Wall;

fn export(who: &str, at: i64) -> Export {
    Export {
        id: ExportId(999),
        created: Wall(at),
        who: who.into(),
        who_detail: "沈审 · 县公安局".into(),
        address: "10.0.0.7".into(),
        reason: "案件核查".into(),
        document: "公视调〔2026〕7号".into(),
        asked: "{}".into(),
        state: ExportState::Queued,
        decided_by: None,
        decision: String::new(),
        changed: Wall(at),
        snapshots: 0,
        gaps: 0,
        left_out: 0,
        bytes: 0,
        sha256: String::new(),
        error: String::new(),
    }
}

pub(super) async fn exports_are_numbered_changed_and_found(store: &dyn Store) {
    let mut added = Vec::new();
    for n in 0..7 {
        added.push(store.add_export(export(if n % 2 == 0 { "shen" } else { "an" }, n)).await.expect("adds"));
    }
    assert_eq!(added.iter().map(|e| e.id.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    added[2].state = ExportState::Done;
    added[2].bytes = 5;
    store.update_export(&added[2]).await.expect("changes");
    assert_eq!(store.export(ExportId(3)).await.expect("reads"), Some(added[2].clone()));
    assert_eq!(store.export(ExportId(8)).await.expect("reads"), None);
    assert!(store.update_export(&export("shen", 1)).await.is_err(), "there is no export 999");
    let ways = [
        (ExportQuery::default(), vec![7, 6, 5, 4, 3, 2, 1]),
        (ExportQuery { who: Some("an".into()), ..ExportQuery::default() }, vec![6, 4, 2]),
        (ExportQuery { state: Some(ExportState::Done), ..ExportQuery::default() }, vec![3]),
        (
            ExportQuery { who: Some("shen".into()), state: Some(ExportState::Queued), ..ExportQuery::default() },
            vec![7, 5, 1],
        ),
    ];
    for (way, expected) in ways {
        for limit in [1, 2, 100] {
            let mut query = ExportQuery { limit, ..way.clone() };
            let mut read = Vec::new();
            loop {
                let page = store.exports(&query).await.expect("reads");
                read.extend(page.items.iter().map(|e| e.id.0));
                let Some(next) = page.next else { break };
                query.cursor = Some(next);
            }
            assert_eq!(read, expected, "{query:?}");
        }
    }
}

pub(super) async fn the_log_is_found_by_what_it_is_about(store: &dyn Store) {
    assert_eq!(store.audit_head().await.expect("reads"), None);
    let mut records = Vec::new();
    for at in 0..6 {
        let mut entry = entry(at, "zhang", "snapshot_viewed");
        entry.object = format!("picture {}", at % 2);
        records.push(store.audit(entry).await.expect("appends"));
    }
    let links = store.audit_of(&["picture 1".into(), "nothing".into()], None, 100).await.expect("reads");
    assert_eq!(links.iter().map(|l| l.record.seq).collect::<Vec<_>>(), [6, 4, 2]);
    let older = store.audit_of(&["picture 1".into()], Some(6), 1).await.expect("reads");
    assert_eq!(older, links[1..2]);
    for link in &links {
        assert_eq!(Some(link.previous), store.audit_hash(link.record.seq - 1).await.expect("reads"));
    }
    assert_eq!(store.audit_of(&["picture 0".into()], Some(2), 1).await.expect("reads")[0].previous, [0; 32]);
    assert_eq!(store.audit_head().await.expect("reads"), Some((6, records[5].hash)));
    assert_eq!(store.audit_hash(99).await.expect("reads"), None);
}
