//! Somebody who can write in the archive's folder, but has not its key, puts segments there: they are well-formed, and
//! nothing in them is ever proved as what this node archived.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, forge, manifest_files, picture, segments, signing_key, snapshot};
use archive::{Archive, ArchiveError, Outcome, ProofFault, SnapshotRef};
use sha2::{Digest, Sha256};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const SEAL: usize = 256;

/// The archive of somebody else, and a real one, each with so many segments of one snapshot, which are sealed.
async fn two(folder: &Path, own: i64, other: i64) -> (Vec<SnapshotRef>, Vec<SnapshotRef>) {
    let mut stored = (Vec::new(), Vec::new());
    for (name, count, list) in [("own", own, &mut stored.0), ("other", other, &mut stored.1)] {
        let archive = Archive::open(&folder.join(name), config()).await.unwrap();
        for at in 0..count {
            // Of another camera, at other instants.
            let camera = u32::from(name == "other") + 1;
            list.push(archive.append(snapshot(camera, MIDNIGHT + at * 1000, 500)).await.unwrap());
            archive.seal().await.unwrap();
        }
        archive.close().await;
    }
    stored
}

/// Copies one archive's segment over another's, or into its place.
fn plant(from: &Path, to: &Path, root: &Path, bytes: Option<usize>) {
    let to = root.join("segments").join(from.strip_prefix(to.join("segments")).unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let mut data = fs::read(from).unwrap();
    data.truncate(bytes.unwrap_or(data.len()));
    let _ = fs::remove_file(&to);
    fs::write(to, data).unwrap();
}

/// Where the footer of a sealed segment begins.
fn footer_at(segment: &Path) -> usize {
    let data = fs::read(segment).unwrap();
    let seal = &data[data.len() - SEAL..];
    usize::try_from(u64::from_le_bytes(seal[48..56].try_into().unwrap())).unwrap()
}

async fn named(archive: &Archive) -> Vec<String> {
    archive.check(|_| ()).await.unwrap().damaged.iter().map(ToString::to_string).collect()
}

/// As the archive's folder is at this moment: what a crash would leave.
fn crashed(root: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").arg(root).arg(to).status().unwrap().success());
}

#[tokio::test]
async fn a_planted_segment_is_never_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let (mine, planted) = two(folder.path(), 1, 2).await;
    // Number 2 comes next. Sealed, by somebody else's key.
    plant(&segments(&other)[1], &other, &own, None);
    let archive = Archive::open(&own, config()).await.unwrap();
    // Time goes by, more is sealed and signed.
    let later = archive.append(snapshot(1, MIDNIGHT + 9000, 500)).await.unwrap();
    archive.seal().await.unwrap();
    assert!(matches!(archive.proof(&planted[1].id).await, Err(ArchiveError::NotSealed)));
    for reference in mine.iter().chain([&later]) {
        assert!(archive.examine(&reference.id).await.unwrap().holds_throughout());
    }
    let told = named(&archive).await;
    assert!(told.iter().any(|d| d.contains("no manifest names this segment")), "{told:?}");
    archive.close().await;
    // Nor at any later start.
    let archive = Archive::open(&own, config()).await.unwrap();
    assert!(matches!(archive.proof(&planted[1].id).await, Err(ArchiveError::NotSealed)));
    archive.close().await;
    let report = Archive::rebuild(&own, config()).await.unwrap();
    assert!(report.damaged.iter().any(|d| d.what.contains("this node has not sealed it")), "{:?}", report.damaged);
    let archive = Archive::open(&own, config()).await.unwrap();
    assert!(matches!(archive.proof(&planted[1].id).await, Err(ArchiveError::NotSealed)));
    assert!(archive.examine(&later.id).await.unwrap().holds_throughout());
    archive.close().await;
}

#[tokio::test]
async fn a_planted_segment_as_a_crash_would_leave_it_is_seen_and_not_proved() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let (mine, planted) = two(folder.path(), 1, 2).await;
    let segment = &segments(&other)[1];
    // With the marks of somebody else's key; and once as a program without marks wrote it.
    for marks in [true, false] {
        let root = folder.path().join(format!("own-{marks}"));
        crashed(&own, &root);
        plant(segment, &other, &root, Some(footer_at(segment)));
        if !marks {
            let path = &segments(&root)[1];
            let mut data = fs::read(path).unwrap();
            data[11] = 0;
            let crc = crc32c::crc32c(&data[..124]);
            data[124..128].copy_from_slice(&crc.to_le_bytes());
            fs::write(path, data).unwrap();
        }
        let archive = Archive::open(&root, config()).await.unwrap();
        archive.append(snapshot(1, MIDNIGHT + 9000, 500)).await.unwrap();
        archive.seal().await.unwrap();
        if marks {
            assert!(matches!(archive.read(&planted[1].id).await, Err(ArchiveError::NotFound)), "it never counted");
            assert_eq!(named(&archive).await, Vec::<String>::new());
        } else {
            // Perhaps an older program's: it stays to be seen, and the manifest says what is not known of it.
            assert!(archive.read(&planted[1].id).await.is_ok());
            let proof = archive.proof(&planted[1].id).await.unwrap();
            let picture = picture(2, MIDNIGHT + 1000, 500);
            assert_eq!(proof.verify(&picture), Err(ProofFault::Unvouched));
            let seen = archive.examine(&planted[1].id).await.unwrap();
            assert!(seen.steps.iter().any(|step| step.outcome == Outcome::Fails), "{:?}", seen.steps);
            let told = named(&archive).await;
            assert!(told.len() == 1 && told[0].contains("does not know to have written"), "{told:?}");
        }
        assert!(archive.examine(&mine[0].id).await.unwrap().holds_throughout());
        archive.close().await;
    }
}

#[tokio::test]
async fn what_a_crash_left_open_is_proved_as_far_as_this_node_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = Vec::new();
    // The same cameras and instants in both, other pictures: records of the same places and lengths.
    for name in ["own", "other"] {
        let archive = Archive::open(&folder.path().join(name), config()).await.unwrap();
        let mut stored = Vec::new();
        for at in 0..3 {
            let mut one = snapshot(1, MIDNIGHT + at, 500);
            if name == "other" {
                one.data = picture(99, at, 500);
            }
            stored.push(archive.append(one).await.unwrap());
        }
        crashed(&folder.path().join(name), &folder.path().join(format!("{name}-crashed")));
        open.push(stored);
        archive.close().await;
    }
    let (own, other) = (folder.path().join("own-crashed"), folder.path().join("other-crashed"));
    let altered = folder.path().join("altered");
    crashed(&own, &altered);
    // Untouched, everything is proved.
    let archive = Archive::open(&own, config()).await.unwrap();
    for reference in &open[0] {
        assert!(archive.examine(&reference.id).await.unwrap().holds_throughout());
    }
    assert_eq!(named(&archive).await, Vec::<String>::new());
    archive.close().await;
    // One of the three replaced by another picture of the same camera and instant.
    let (from, to) = (&segments(&other)[0], &segments(&altered)[0]);
    let (foreign, mut data) = (fs::read(from).unwrap(), fs::read(to).unwrap());
    let record = 192 + 504 + 8;
    let second = 128 + record + 64;
    data[second..second + record].copy_from_slice(&foreign[second..second + record]);
    fs::write(to, data).unwrap();
    let archive = Archive::open(&altered, config()).await.unwrap();
    assert!(archive.read(&open[0][1].id).await.is_err(), "the real one is gone");
    assert!(archive.examine(&open[0][0].id).await.unwrap().holds_throughout(), "the one before");
    assert!(archive.examine(&open[0][2].id).await.unwrap().holds_throughout(), "the one after");
    if let Ok(proof) = archive.proof(&open[1][1].id).await {
        assert_eq!(proof.verify(&picture(99, 1, 500)), Err(ProofFault::Unvouched));
    }
    let told = named(&archive).await;
    assert!(told.iter().any(|d| d.contains("does not know to have written")), "{told:?}");
    archive.close().await;
}

#[tokio::test]
async fn the_index_is_no_witness_for_what_no_manifest_names() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let (mine, planted) = two(folder.path(), 2, 2).await;
    // The manifest is lost. What this node has sealed itself is put on record again.
    fs::remove_file(&manifest_files(&own)[0]).unwrap();
    let archive = Archive::open(&own, config()).await.unwrap();
    assert_eq!(named(&archive).await, Vec::<String>::new());
    assert!(archive.examine(&mine[1].id).await.unwrap().holds_throughout());
    archive.close().await;
    // And what somebody else put in its place is not, though the catalog has a segment of that number.
    fs::remove_file(&manifest_files(&own)[0]).unwrap();
    fs::set_permissions(&segments(&own)[1], fs::Permissions::from_mode(0o640)).unwrap();
    plant(&segments(&other)[1], &other, &own, None);
    let archive = Archive::open(&own, config()).await.unwrap();
    let told = named(&archive).await;
    assert!(told.iter().any(|d| d.contains("no manifest names this segment")), "{told:?}");
    assert!(archive.proof(&planted[1].id).await.is_err());
    assert!(archive.examine(&mine[0].id).await.unwrap().holds_throughout());
    archive.close().await;
}

#[tokio::test]
async fn an_archive_from_before_there_were_marks_opens_and_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, _) = two(folder.path(), 1, 0).await;
    let own = folder.path().join("own");
    let path = &segments(&own)[0];
    let mut data = fs::read(path).unwrap();
    let at = data.len() - SEAL;
    data[at + 160..at + 192].fill(0);
    let crc = crc32c::crc32c(&data[at..data.len() - 4]);
    let end = data.len();
    data[end - 4..].copy_from_slice(&crc.to_le_bytes());
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(path, &data).unwrap();
    let seal = hex::encode(Sha256::digest(&data[at..]));
    forge(&manifest_files(&own)[0], &signing_key(&own), |manifest| manifest["sealed"][0]["seal"] = seal.into());
    Archive::rebuild(&own, config()).await.unwrap();
    let archive = Archive::open(&own, config()).await.unwrap();
    assert_eq!(named(&archive).await, Vec::<String>::new());
    assert!(archive.examine(&mine[0].id).await.unwrap().holds_throughout());
    archive.close().await;
}
