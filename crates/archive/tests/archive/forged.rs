//! Somebody with the files, and a key of his own, puts manifests there: nothing of them is signed as the node's, nothing
//! is done as they say, and it is told.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, day, forge, manifest_files, segments, signing_key, snapshot};
use archive::{Archive, Link, Outcome, SnapshotRef, compare_manifest};
use ed25519_dalek::SigningKey;
use std::{fs, path::Path};

/// Two days: a manifest of yesterday, and one of today, each with a sealed segment.
async fn two_days(root: &Path) -> Vec<SnapshotRef> {
    let mut stored = Vec::new();
    for at in 0..2 {
        let archive = Archive::open(root, config()).await.unwrap();
        stored.push(archive.append(snapshot(1, MIDNIGHT + at, 500)).await.unwrap());
        archive.close().await;
        if at == 0 {
            forge(&manifest_files(root)[0], &signing_key(root), |manifest| manifest["day"] = day(-1).into());
        }
    }
    stored
}

fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[77; 32])
}

async fn named(archive: &Archive) -> Vec<String> {
    archive.check(|_| ()).await.unwrap().damaged.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_forged_newest_manifest_is_refused_and_nothing_is_done_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let stored = two_days(folder.path()).await;
    let (newest, before) = (manifest_files(folder.path()).pop().unwrap(), segments(folder.path()));
    let original = fs::read(&newest).unwrap();
    let purge = serde_json::json!({
        "segment": 1, "at": 5, "records": 1, "oldest": 1, "newest": 2, "reason": "days",
    });
    forge(&newest, &stranger(), |manifest| manifest["purged"] = serde_json::json!([purge]));
    let refused = Archive::open(folder.path(), config()).await.unwrap_err();
    let said = refused.to_string();
    for word in ["manifests/", "this node signs with", "Restore", "node.pub"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(segments(folder.path()), before, "nothing was purged");
    assert!(Archive::rebuild(folder.path(), config()).await.is_err());
    // Restored, all is well again.
    fs::write(&newest, original).unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    assert_eq!(named(&archive).await, Vec::<String>::new());
    assert!(archive.read(&stored[0].id).await.is_ok());
    archive.close().await;
}

#[tokio::test]
async fn a_forged_older_manifest_purges_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let stored = two_days(folder.path()).await;
    let before = segments(folder.path());
    let purge = serde_json::json!({
        "segment": 1, "at": 5, "records": 1, "oldest": 1, "newest": 2, "reason": "days",
    });
    forge(&manifest_files(folder.path())[0], &stranger(), |manifest| manifest["purged"] = serde_json::json!([purge]));
    // The index is gone, so the whole history is read.
    let report = Archive::rebuild(folder.path(), config()).await.unwrap();
    assert_eq!((segments(folder.path()), report.records), (before, 2));
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let told = named(&archive).await;
    assert!(told.iter().any(|d| d.contains("neither this node's key")), "{told:?}");
    let seen = archive.examine(&stored[0].id).await.unwrap();
    let broken = seen.steps.iter().find(|s| s.outcome == Outcome::Fails).map(|s| s.link);
    assert_eq!(broken, Some(Link::Signature), "{:?}", seen.steps);
    archive.close().await;
}

#[tokio::test]
async fn another_day_s_manifest_under_a_name_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    two_days(folder.path()).await;
    let files = manifest_files(folder.path());
    fs::copy(&files[0], &files[1]).unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let told = named(&archive).await;
    assert!(told.iter().any(|d| d.contains(".damaged")), "it lies aside: {told:?}");
    archive.close().await;
}

#[tokio::test]
async fn cutting_off_the_oldest_manifests_is_found_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    two_days(folder.path()).await;
    fs::remove_file(&manifest_files(folder.path())[0]).unwrap();
    // With the segment, its rows and its place in the catalog, as somebody thorough would do.
    let oldest = &segments(folder.path())[0];
    fs::remove_file(oldest).unwrap();
    Archive::rebuild(folder.path(), config()).await.unwrap();
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let told = named(&archive).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the manifests before it are missing"), "{told:?}");
    archive.close().await;
}

#[tokio::test]
async fn a_whole_history_signed_with_another_key_is_held_against_the_node_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let stored = two_days(folder.path()).await;
    let copies: Vec<String> =
        manifest_files(folder.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    // While it runs: so nothing is refused at a start.
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    let mut previous = None;
    for path in manifest_files(folder.path()) {
        previous = Some(forge(&path, &stranger(), |manifest| {
            if let Some(hash) = previous.take() {
                manifest["previous"] = serde_json::Value::from(hash);
            }
        }));
    }
    let told = named(&archive).await;
    assert_eq!(told.len(), 1, "once, not for each manifest: {told:?}");
    assert!(told[0].contains("neither this node's key"), "{told:?}");
    for reference in &stored {
        let seen = archive.examine(&reference.id).await.unwrap();
        let broken = seen.steps.iter().find(|s| s.outcome == Outcome::Fails).map(|s| s.link);
        assert_eq!(broken, Some(Link::Signature), "{:?}", seen.steps);
    }
    archive.close().await;
    let differences = compare_manifest(folder.path(), &copies[0]).unwrap();
    assert!(differences.iter().any(|d| d.contains("another key")), "{differences:?}");
}

#[tokio::test]
async fn a_copy_is_compared_along_the_line_of_keys() {
    let folder = tempfile::tempdir().unwrap();
    two_days(folder.path()).await;
    let copies: Vec<String> =
        manifest_files(folder.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    // The key is changed on the day of the newest copy: that is no difference.
    Archive::change_key(folder.path(), config()).await.unwrap();
    for copy in &copies {
        assert_eq!(compare_manifest(folder.path(), copy).unwrap(), Vec::<String>::new());
    }
    // The newest manifest, with all that it says, by a key that nobody handed over to.
    forge(&manifest_files(folder.path())[1], &stranger(), |_| ());
    for copy in &copies {
        let differences = compare_manifest(folder.path(), copy).unwrap();
        assert!(differences.iter().any(|d| d.contains("another key")), "{differences:?}");
    }
    // A purge that the copy names and the archive does not any more.
    let copy = copies[1].clone();
    let key = signing_key(folder.path());
    let path = folder.path().join("copy/x.txt");
    fs::create_dir(folder.path().join("copy")).unwrap();
    fs::write(&path, copy).unwrap();
    forge(&path, &key, |manifest| {
        manifest["purged"] = serde_json::json!([{
            "segment": 9, "at": 5, "records": 1, "oldest": 1, "newest": 2, "reason": "days",
        }]);
    });
    let copy = fs::read_to_string(folder.path().join("copy").join(format!("{}.txt", day(0)))).unwrap();
    let differences = compare_manifest(folder.path(), &copy).unwrap();
    assert!(differences.iter().any(|d| d.contains("segment 9 was dropped")), "{differences:?}");
}
