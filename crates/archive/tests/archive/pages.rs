//! Pages of a search while others append: each entry that was there is seen, none twice.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, gap, snapshot};
use archive::{Archive, Entry, SnapshotQuery};
use fleet::{CameraId, Wall};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What is appended: camera, slot in steps that cross midnight, snapshot or gap.
fn record() -> impl Strategy<Value = (u32, i64, bool)> {
    (0u32..4, -6i64..6, any::<bool>())
        .prop_map(|(camera, step, is_gap)| (camera, MIDNIGHT + step * 3_600_000 * 7 + i64::from(camera % 2), is_gap))
}

async fn put(archive: &Archive, (camera, slot, is_gap): (u32, i64, bool)) {
    if is_gap {
        archive.record_gap(gap(camera, slot)).await.unwrap();
    } else {
        archive.append(snapshot(camera, slot, 20)).await.unwrap();
    }
}

fn key(entry: &Entry) -> (Wall, CameraId) {
    (entry.slot(), entry.camera())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn pages_are_complete_and_without_doubles(
        before in prop::collection::vec(record(), 0..40),
        meanwhile in prop::collection::vec(prop::collection::vec(record(), 0..6), 1..10),
        limit in 1u32..7,
        cameras in prop::option::of(prop::collection::vec((0u32..5).prop_map(CameraId), 0..4)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let archive = Archive::open(folder.path(), config()).await.unwrap();
            let wanted = |camera: u32| cameras.as_ref().is_none_or(|list| list.contains(&CameraId(camera)));
            let mut model: BTreeMap<(Wall, CameraId), bool> = BTreeMap::new();
            for record in before {
                put(&archive, record).await;
                let is_gap = model.entry((Wall(record.1), CameraId(record.0))).or_insert(record.2);
                *is_gap &= record.2;
            }
            let there: BTreeSet<_> = model.keys().filter(|(_, c)| wanted(c.0)).copied().collect();
            let mut query = SnapshotQuery { cameras: cameras.clone(), limit, ..SnapshotQuery::default() };
            let (mut seen, mut meanwhile) = (Vec::new(), meanwhile.into_iter());
            loop {
                let page = archive.search(&query).await.unwrap();
                assert!(page.entries.len() <= limit as usize);
                for entry in &page.entries {
                    assert!(wanted(entry.camera().0));
                    if let Some(is_gap) = model.get(&key(entry)) {
                        assert!(*is_gap || matches!(entry, Entry::Snapshot(_)), "no snapshot turns into a gap");
                    }
                }
                seen.extend(page.entries.iter().map(key));
                let Some(next) = page.next else { break };
                query.after = Some(next.to_string().parse().unwrap());
                for record in meanwhile.next().unwrap_or_default() {
                    put(&archive, record).await;
                }
            }
            assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice: {seen:?}");
            let seen: BTreeSet<_> = seen.into_iter().collect();
            assert!(seen.is_superset(&there), "lost: {:?}", there.difference(&seen).collect::<Vec<_>>());
            archive.close().await;
        });
    }
}
