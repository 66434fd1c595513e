//! Seals, manifests and proofs: they hold for what was stored, and for nothing else.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, picture, segments, snapshot};
use archive::{Archive, ArchiveError, Config, Link, Outcome, Proof, ProofFault, Retention};
use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
};

/// Three segments with twenty snapshots each.
async fn sealed(folder: &Path) -> (Archive, Vec<archive::SnapshotRef>) {
    let archive = Archive::open(folder, config()).await.unwrap();
    let mut stored = Vec::new();
    for segment in 0..3 {
        for i in 0..20 {
            stored.push(archive.append(snapshot(i, MIDNIGHT + segment, 500)).await.unwrap());
        }
        assert!(matches!(archive.proof(&stored.last().unwrap().id).await, Err(ArchiveError::NotSealed)));
        archive.seal().await.unwrap();
    }
    (archive, stored)
}

#[tokio::test]
async fn every_snapshot_can_be_proved_and_no_altered_one() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, stored) = sealed(folder.path()).await;
    let public = fs::read_to_string(folder.path().join("node.pub")).unwrap();
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"));
    for reference in &stored {
        let proof = archive.proof(&reference.id).await.unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        let proof: Proof = serde_json::from_str(&text).unwrap();
        let data = picture(reference.camera.0, reference.slot.0, 500);
        let proven = proof.verify(&data).unwrap();
        assert_eq!((proven.id, proven.captured), (reference.id, reference.captured));
        assert_eq!(proven.node, "test");
        let other = picture(77, reference.slot.0, 500);
        assert_eq!(proof.verify(&other), Err(ProofFault::Picture));
    }
    archive.close().await;
}

#[tokio::test]
async fn an_auditor_sees_which_link_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, stored) = sealed(folder.path()).await;
    let id = stored[25].id;
    let seen = archive.examine(&id).await.unwrap();
    assert!(seen.holds_throughout(), "{:?}", seen.steps);
    assert_eq!(seen.segment.map(|(_, records)| records), Some(20));
    let broken = async || {
        let seen = archive.examine(&id).await.unwrap();
        let broken = seen.steps.iter().find(|s| s.outcome == Outcome::Fails).map(|s| s.link);
        let later = seen.steps.iter().skip_while(|s| s.outcome != Outcome::Fails).skip(1);
        assert!(later.into_iter().all(|s| s.outcome == Outcome::NotReached));
        broken
    };
    // One byte of the picture itself.
    let path = &segments(folder.path())[1];
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let data = picture(stored[25].camera.0, stored[25].slot.0, 500);
    let at = fs::read(path).unwrap().windows(500).position(|w| w == data).unwrap() as u64;
    file.write_all_at(&[data[0] ^ 1], at).unwrap();
    assert_eq!(broken().await, Some(Link::Picture));
    file.write_all_at(&data[..1], at).unwrap();
    assert_eq!(broken().await, None);
    archive.close().await;
}

#[tokio::test]
async fn any_altered_part_of_a_proof_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, stored) = sealed(folder.path()).await;
    let reference = &stored[25];
    let data = picture(reference.camera.0, reference.slot.0, 500);
    let proof = archive.proof(&reference.id).await.unwrap();
    let proven = proof.verify(&data).unwrap();
    let refused = |what: String, altered: Proof| {
        assert!(altered.verify(&data).is_err(), "{what} passed");
    };
    for at in 0..proof.header.len() {
        let mut altered = proof.clone();
        altered.header[at] ^= 4;
        refused(format!("header byte {at}"), altered);
    }
    for at in 0..proof.seal.len() {
        let mut altered = proof.clone();
        altered.seal[at] ^= 4;
        refused(format!("seal byte {at}"), altered);
    }
    for at in 0..proof.manifest.len() {
        let mut bytes = proof.manifest.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(manifest) = String::from_utf8(bytes) {
            refused(format!("manifest byte {at}"), Proof { manifest, ..proof.clone() });
        }
    }
    for at in 0..proof.path.len() {
        let mut altered = proof.clone();
        altered.path[at] = "00".repeat(32);
        refused(format!("hash {at}"), altered);
        let mut altered = proof.clone();
        altered.path.remove(at);
        refused(format!("no hash {at}"), altered);
    }
    refused("leaf".to_owned(), Proof { leaf: proof.leaf + 1, ..proof.clone() });
    let other = archive.proof(&stored[50].id).await.unwrap();
    refused("another segment's seal".to_owned(), Proof { seal: other.seal, ..proof.clone() });
    // A signature by another key is a valid one, which is why the proof says whose it is.
    let elsewhere = tempfile::tempdir().unwrap();
    let (forger, forged) = sealed(elsewhere.path()).await;
    let forged_proof = forger.proof(&forged[25].id).await.unwrap();
    assert_ne!(forged_proof.verify(&data).unwrap().key, proven.key);
    forger.close().await;
    archive.close().await;
}

#[tokio::test]
async fn tampering_with_files_is_found_by_the_check() {
    type Tamper = fn(&Path);
    let cases: [(&str, Tamper); 5] = [
        ("missing", |root| fs::remove_file(&segments(root)[1]).unwrap()),
        ("signature does not match", |root| {
            let path = fs::read_dir(root.join("manifests")).unwrap().next().unwrap().unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replacen("\"records\":20", "\"records\":19", 1)).unwrap();
        }),
        ("SHA-256 does not match", |root| {
            let path = &segments(root)[2];
            fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
            fs::File::options().write(true).open(path).unwrap().write_all_at(b"forged", 128 + 192 + 10).unwrap();
        }),
        ("no manifest names this segment", |root| {
            let path = fs::read_dir(root.join("manifests")).unwrap().next().unwrap().unwrap().path();
            fs::remove_file(path).unwrap();
        }),
        ("opening block", |root| {
            // One segment's file in place of another's.
            let all = segments(root);
            fs::copy(&all[0], all[1].with_extension("tmp")).unwrap();
            fs::rename(all[1].with_extension("tmp"), &all[1]).unwrap();
        }),
    ];
    for (expected, tamper) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (archive, _) = sealed(folder.path()).await;
        assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
        tamper(folder.path());
        let named: Vec<String> = archive.check(|_| ()).await.unwrap().damaged.iter().map(ToString::to_string).collect();
        assert!(named.iter().any(|d| d.contains(expected)), "{expected}: {named:?}");
        archive.close().await;
    }
}

#[tokio::test]
async fn the_key_is_made_once_and_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    Archive::open(folder.path(), config()).await.unwrap().close().await;
    let path = folder.path().join("node.key");
    let key = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    Archive::open(folder.path(), config()).await.unwrap().close().await;
    assert_eq!(fs::read(&path).unwrap(), key);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Archive::open(folder.path(), config()).await.unwrap_err().to_string();
    assert!(error.contains("node.key") && error.contains("0600"), "{error}");
}

/// As after a crash between the record of a purge and the purge itself.
#[tokio::test]
async fn a_purge_that_was_interrupted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let old = fleet::Wall::read().0 - 60 * 86_400_000;
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    archive.append(snapshot(1, old, 100)).await.unwrap();
    archive.close().await;
    let manifests = folder.path().join("manifests");
    let keep = tempfile::tempdir().unwrap();
    let (segment, index) = (segments(folder.path()).remove(0), folder.path().join("index"));
    fs::copy(&segment, keep.path().join("segment")).unwrap();
    for file in fs::read_dir(&index).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, keep.path().join(path.file_name().unwrap())).unwrap();
    }
    let settings = Config { retention: Retention::days(40), ..config() };
    let archive = Archive::open(folder.path(), settings).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
    while segment.exists() || archive.stats().records > 0 {
        assert!(std::time::Instant::now() < deadline, "not purged");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    archive.close().await;
    assert!(fs::read_dir(&manifests).unwrap().count() > 0);
    // Segment and index are back, the record of the purge stands.
    for file in fs::read_dir(keep.path()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap();
        let to = if name == "segment" { segment.clone() } else { index.join(name) };
        fs::copy(&path, to).unwrap();
    }
    let archive = Archive::open(folder.path(), config()).await.unwrap();
    assert!(!segment.exists());
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    assert_eq!(archive.stats().records, 0);
    archive.close().await;
}

#[tokio::test]
async fn the_chain_goes_on_over_restarts_and_purges() {
    let folder = tempfile::tempdir().unwrap();
    let day = 86_400_000;
    let settings = Config { keep_days: 30, retention: Retention::days(40), ..config() };
    for start in 0..4 {
        let archive = Archive::open(folder.path(), settings.clone()).await.unwrap();
        let old = fleet::Wall::read().0 - (60 - start) * day;
        archive.append(snapshot(1, old, 100)).await.unwrap();
        archive.append(snapshot(2, old - day, 100)).await.unwrap();
        archive.seal().await.unwrap();
        // Due at once; the next look drops it.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
        while archive.stats().records > 0 {
            assert!(std::time::Instant::now() < deadline, "not purged: {:?}", archive.stats());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(segments(folder.path()), Vec::<std::path::PathBuf>::new());
        assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
        archive.close().await;
    }
    let manifest = fs::read_dir(folder.path().join("manifests")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(manifest).unwrap();
    assert_eq!(text.matches("\"reason\":\"days\"").count(), 4, "{text}");
    assert_eq!(text.matches("\"position\":").count(), 4, "{text}");
    assert!(!folder.path().join("index").read_dir().unwrap().any(|e| {
        let name = e.unwrap().file_name().to_string_lossy().into_owned();
        name.starts_with("20")
    }));
}
