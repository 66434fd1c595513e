//! Evidence packages: they hold for what was archived, say exactly what was altered, and open in any program.
#![allow(clippy::unwrap_used)]

use crate::common::{MIDNIGHT, config, day, forge, gap, manifest_files, signing_key, snapshot};
use archive::{
    Archive, NewSnapshot,
    evidence::{CustodyExtract, CustodyRecord, Label, Purpose, VERIFIER_PAGE, Verdict, verify_package},
};
use fleet::{Codec, Wall};
use sha2::{Digest, Sha256};
use std::{fs, io::Cursor, path::Path, process::Command};

/// A record of the audit log as the store chains it.
fn logged(seq: u64, previous: [u8; 32], object: &str) -> CustodyRecord {
    let mut record = CustodyRecord {
        seq,
        at: Wall(MIDNIGHT + 5),
        who: "shen".into(),
        who_detail: "沈审 · 县公安局".into(),
        address: "10.0.0.7".into(),
        action: "snapshot_viewed".into(),
        object: object.into(),
        reason: "案件核查".into(),
        success: true,
        detail: String::new(),
        previous,
        hash: [0; 32],
    };
    let mut hash = Sha256::new();
    hash.update(b"sharpeyes audit 1\n");
    hash.update(record.previous);
    hash.update(record.seq.to_be_bytes());
    hash.update(record.at.0.to_be_bytes());
    hash.update([1]);
    for text in [&record.who, &record.who_detail, &record.address, &record.action, &record.object, &record.reason] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(0u64.to_be_bytes());
    record.hash = hash.finalize().into();
    record
}

fn purpose() -> Purpose {
    Purpose {
        number: "7".into(),
        by: "shen · 沈审 · 县公安局".into(),
        reason: "案件核查 <script>alert(1)</script>".into(),
        document: "公视调〔2026〕7号".into(),
        approved_by: Some("zhao".into()),
        asked: "camera=1".into(),
    }
}

/// An archive with some snapshots of two days, and a package of `count` of them.
async fn packed(folder: &Path, count: u32, length: usize) -> (Archive, Vec<u8>) {
    let archive = Archive::open(&folder.join("archive"), config()).await.unwrap();
    let mut stored = Vec::new();
    for i in 0..count {
        stored.push(archive.append(snapshot(i, MIDNIGHT - i64::from(i) * 50_000_000, length)).await.unwrap());
    }
    archive.seal().await.unwrap();
    let path = folder.join("package.zip");
    let mut package = archive.package(&path, purpose(), Wall(MIDNIGHT + 10)).unwrap();
    for reference in &stored {
        let (read, proof) = (archive.read(&reference.id).await.unwrap(), archive.proof(&reference.id).await.unwrap());
        let label = Label { name: "东村口 <b>1</b>".into(), place: "东镇 东村".into(), gb_code: None };
        package.add(&read, &proof, label, Some(b"\xff\xd8 as good as a JPEG")).unwrap();
    }
    let first = logged(7, [9; 32], &stored[0].id.to_string());
    let second = logged(8, first.hash, "x");
    let custody = CustodyExtract::new(vec![second, first]);
    let exported = package.finish(&[gap(3, MIDNIGHT)], &[], &custody).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(exported.bytes, bytes.len() as u64);
    assert_eq!(exported.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
    (archive, bytes)
}

fn verify(bytes: &[u8]) -> Verdict {
    verify_package(Cursor::new(bytes), None).unwrap()
}

#[tokio::test]
async fn a_package_says_what_it_holds_and_that_it_is_authentic() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, bytes) = packed(folder.path(), 6, 700).await;
    archive.close().await;
    let verdict = verify(&bytes);
    assert_eq!(verdict.faults, []);
    assert!(verdict.authentic);
    assert_eq!((verdict.snapshots.len(), verdict.gaps, verdict.node.as_str()), (6, 1, "test"));
    assert_eq!(verdict.purpose, Some(purpose()));
    assert_eq!(verdict.snapshots[0].name, "东村口 <b>1</b>");
    assert!(verdict.other_keys.is_empty());
    let key = ed25519_dalek::pkcs8::DecodePublicKey::from_public_key_pem(
        &fs::read_to_string(folder.path().join("archive/node.pub")).unwrap(),
    );
    let key: ed25519_dalek::VerifyingKey = key.unwrap();
    assert_eq!(verdict.key, hex::encode(key.to_bytes()));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(folder.path().join("package.zip")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn other_programs_open_it_and_find_the_pictures_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _) = packed(folder.path(), 3, 700).await;
    archive.close().await;
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nz.extractall(sys.argv[2])\n\
                  print('\\n'.join(z.namelist()))";
    let out = folder.path().join("out");
    let package = folder.path().join("package.zip");
    let output = Command::new("python3").args(["-c", script]).arg(&package).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let original = names.lines().find(|n| n.contains("C00001-") && n.contains("/original.")).unwrap();
    assert!(original.ends_with(".h264"));
    assert_eq!(fs::read(out.join(original)).unwrap(), crate::common::picture(1, MIDNIGHT - 50_000_000, 700));
    assert_eq!(fs::read_to_string(out.join("verify.html")).unwrap(), VERIFIER_PAGE);
    let cover = fs::read_to_string(out.join("cover.html")).unwrap();
    for told in [
        "公视调〔2026〕7号",
        "Approval document",
        "案件核查 &lt;script&gt;",
        "东镇 东村",
        "2026-11-24 08:00:00.000 UTC+8",
    ] {
        assert!(cover.contains(told), "{told}");
    }
    assert!(!cover.contains("<script>") && !cover.contains("<b>1"), "names are text, never markup");
}

#[tokio::test]
async fn a_flipped_bit_in_any_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, bytes) = packed(folder.path(), 1, 64).await;
    archive.close().await;
    assert!(verify(&bytes).authentic);
    let halves: Vec<_> = [0, 1]
        .map(|half| {
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                let mut bad = bytes;
                for at in (half..bad.len()).step_by(2) {
                    bad[at] ^= 1 << (at % 8);
                    assert!(!verify(&bad).authentic, "byte {at} passed");
                    bad[at] ^= 1 << (at % 8);
                }
                for cut in (half..bad.len()).step_by(97) {
                    assert!(!verify(&bad[..cut]).authentic, "cut at {cut}");
                }
            })
        })
        .into();
    for half in halves {
        half.join().unwrap();
    }
}

/// Replaces text in a package and makes the ZIP right again, as somebody would who has tools but not the key.
fn doctored(bytes: &[u8], script: &str, folder: &Path) -> Verdict {
    let (from, to) = (folder.join("from.zip"), folder.join("to.zip"));
    fs::write(&from, bytes).unwrap();
    let program = format!(
        "import sys, zipfile, hashlib, json\n\
         a = zipfile.ZipFile(sys.argv[1])\n\
         files = {{n: a.read(n) for n in a.namelist()}}\n\
         {script}\n\
         with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_STORED) as z:\n\
         \x20 for n, d in files.items():\n\
         \x20   i = zipfile.ZipInfo(n); i.create_system = 3; i.external_attr = 0o100644 << 16\n\
         \x20   z.writestr(i, d)\n"
    );
    let output = Command::new("python3").arg("-c").arg(program).arg(&from).arg(&to).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    verify(&fs::read(&to).unwrap())
}

#[tokio::test]
async fn what_was_altered_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, bytes) = packed(folder.path(), 2, 300).await;
    archive.close().await;
    let said = |script: &str| {
        let verdict = doctored(&bytes, script, folder.path());
        assert!(!verdict.authentic, "{script}");
        verdict.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let original = "n = [x for x in files if '/original.' in x][0]; files[n] = files[n][:-1] + b'!'";
    assert!(said(original).contains("original.h265: was altered: its SHA-256"), "{}", said(original));
    let cover = "files['cover.html'] = files['cover.html'].replace('案件'.encode(), '公事'.encode())";
    assert!(said(cover).starts_with("cover.html: was altered"), "{}", said(cover));
    let gone = "del files['custody.json']";
    assert!(said(gone).contains("the files are not those that were signed"));
    let reason = "files['package.json'] = files['package.json'].replace('案件'.encode(), '公事'.encode())";
    assert!(said(reason).contains("package.sig: the signature does not match"));
    // Hashes put right as well: only the signature cannot be.
    let thorough = "n = 'cover.html'; old = hashlib.sha256(files[n]).hexdigest(); files[n] = files[n].replace(b'Gaps', b'Gap5'); \
                    files['package.json'] = files['package.json'].replace(old.encode(), hashlib.sha256(files[n]).hexdigest().encode())";
    assert!(said(thorough).contains("package.sig: the signature does not match"));
    let more = "files['snapshots/extra.jpg'] = b'x'";
    assert!(!said(more).is_empty());
    for not_a_package in
        [&b""[..], b"PK\x05\x06", &[0; 22], &bytes[1..], b"a long text that is no package at all, whatever it says"]
    {
        assert!(verify(not_a_package).faults[0].what.contains("not an evidence package"));
    }
}

#[tokio::test]
async fn nothing_that_cannot_be_proved_is_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("archive"), config()).await.unwrap();
    let one = archive.append(snapshot(1, MIDNIGHT, 100)).await.unwrap();
    let two = archive.append(snapshot(2, MIDNIGHT, 100)).await.unwrap();
    archive.seal().await.unwrap();
    let path = folder.path().join("p.zip");
    let mut package = archive.package(&path, purpose(), Wall(0)).unwrap();
    let (read, wrong) = (archive.read(&one.id).await.unwrap(), archive.proof(&two.id).await.unwrap());
    assert!(package.add(&read, &wrong, Label::default(), None).is_err());
    assert!(archive.package(&path, purpose(), Wall(0)).is_err(), "never over a file that is there");
    archive.close().await;
}

#[tokio::test]
async fn a_changed_key_is_followed_from_the_old_one_and_a_foreign_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("archive");
    let archive = Archive::open(&root, config()).await.unwrap();
    let old = archive.append(snapshot(1, MIDNIGHT, 900)).await.unwrap();
    archive.seal().await.unwrap();
    // A manifest of a day that is over stays signed with the key of that day.
    archive.close().await;
    forge(&manifest_files(&root)[0], &signing_key(&root), |manifest| manifest["day"] = day(-1).into());
    let [before, after] = Archive::change_key(&root, config()).await.unwrap();
    assert_ne!(before, after);
    let archive = Archive::open(&root, config()).await.unwrap();
    let new = archive.append(snapshot(2, MIDNIGHT, 900)).await.unwrap();
    archive.seal().await.unwrap();
    assert_eq!(archive.check(|_| ()).await.unwrap().damaged, []);
    assert!(archive.examine(&old.id).await.unwrap().holds_throughout());
    let packed = async |name: &str| {
        let path = folder.path().join(name);
        let mut package = archive.package(&path, purpose(), Wall(MIDNIGHT + 10)).unwrap();
        for reference in [&old, &new] {
            let (read, proof) =
                (archive.read(&reference.id).await.unwrap(), archive.proof(&reference.id).await.unwrap());
            package.add(&read, &proof, Label::default(), None).unwrap();
        }
        package.finish(&[], &[], &CustodyExtract::new(vec![])).unwrap();
        fs::read(&path).unwrap()
    };
    let verdict = verify_package(Cursor::new(packed("good.zip").await), None).unwrap();
    assert!(verdict.authentic, "{:?}", verdict.faults);
    assert_eq!(verdict.key, hex::encode(after));
    assert_eq!(verdict.other_keys.iter().collect::<Vec<_>>(), [&hex::encode(before)]);

    // Somebody replaces the key without the old one's word.
    archive.close().await;
    fs::remove_file(root.join("node.key")).unwrap();
    let refused = Archive::open(&root, config()).await.unwrap_err().to_string();
    assert!(refused.contains("node.key is missing") && refused.contains("change-key --lost"), "{refused}");
    assert!(!root.join("node.key").exists(), "no key is made in the place of one that is missing");
    // Unless somebody says that it is lost: the archive goes on, and each check says what that costs.
    Archive::replace_lost_key(&root, config()).await.unwrap();
    assert!(Archive::replace_lost_key(&root, config()).await.is_err(), "it is there now");
    let archive = Archive::open(&root, config()).await.unwrap();
    archive.append(snapshot(3, MIDNIGHT, 900)).await.unwrap();
    let named: Vec<String> = archive.check(|_| ()).await.unwrap().damaged.iter().map(ToString::to_string).collect();
    // Both keys of before, and nothing else.
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named.iter().all(|d| d.contains("neither this node's key nor one that handed over")), "{named:?}");
    let path = folder.path().join("forged.zip");
    let mut package = archive.package(&path, purpose(), Wall(MIDNIGHT + 10)).unwrap();
    let (read, proof) = (archive.read(&old.id).await.unwrap(), archive.proof(&old.id).await.unwrap());
    package.add(&read, &proof, Label::default(), None).unwrap();
    package.finish(&[], &[], &CustodyExtract::new(vec![])).unwrap();
    let verdict = verify_package(Cursor::new(fs::read(&path).unwrap()), None).unwrap();
    assert!(!verdict.authentic && verdict.faults[0].what.contains("did not hand over"), "{:?}", verdict.faults);
    archive.close().await;
}

#[tokio::test]
async fn the_signing_key_lies_sealed_and_follows_a_change_of_the_node_s_key() {
    use archive::Config;
    use vault::{Keyring, Source};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("archive");
    let source = Source::File(folder.path().join("secret.key"));
    // One that lies open from before is sealed at the next start.
    Archive::open(&root, config()).await.unwrap().close().await;
    let public = fs::read(root.join("node.pub")).unwrap();
    let with = |ring| Config { ring: Some(ring), ..config() };
    Archive::open(&root, with(Keyring::open(&source, true).unwrap())).await.unwrap().close().await;
    let sealed = fs::read_to_string(root.join("node.key")).unwrap();
    assert!(sealed.starts_with("sharpeyes sealed signing key") && !sealed.contains("PRIVATE"), "{sealed}");
    let refused = Archive::open(&root, config()).await.unwrap_err().to_string();
    assert!(refused.contains("it is sealed"), "{refused}");
    source.renew().unwrap();
    Archive::open(&root, with(Keyring::open(&source, false).unwrap())).await.unwrap().close().await;
    source.forget_old().unwrap();
    let ring = Keyring::open(&source, false).unwrap();
    Archive::open(&root, with(ring.clone())).await.unwrap().close().await;
    assert_eq!(fs::read(root.join("node.pub")).unwrap(), public, "still the same signing key");
    let (key, next) = (root.join("node.key"), root.join("node.key.next"));
    fs::copy(&key, root.join("kept")).unwrap();
    Archive::change_key(&root, with(ring)).await.unwrap();
    assert!(fs::read_to_string(&key).unwrap().starts_with("sharpeyes sealed"));
    // As if that had been interrupted after its manifest; then the node's key is changed, and the old one forgotten.
    fs::rename(&key, &next).unwrap();
    fs::rename(root.join("kept"), &key).unwrap();
    source.renew().unwrap();
    Archive::open(&root, with(Keyring::open(&source, false).unwrap())).await.unwrap().close().await;
    source.forget_old().unwrap();
    Archive::open(&root, with(Keyring::open(&source, false).unwrap())).await.unwrap().close().await;
    assert_ne!(fs::read(root.join("node.pub")).unwrap(), public, "the change of key has come to its end");
    assert!(!next.exists());
    let other = Source::File(folder.path().join("other.key"));
    let refused = Archive::open(&root, with(Keyring::open(&other, true).unwrap())).await.unwrap_err().to_string();
    assert!(refused.contains("another node's key"), "{refused}");
}

#[tokio::test]
async fn a_converted_picture_says_so_wherever_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("archive"), config()).await.unwrap();
    let (from, codec) = (Some(Codec::H265), Codec::Jpeg);
    let stored =
        archive.append(NewSnapshot { codec, converted_from: from, ..snapshot(1, MIDNIGHT, 700) }).await.unwrap();
    assert_eq!((stored.codec, stored.converted_from), (codec, from));
    archive.seal().await.unwrap();
    let read = archive.read(&stored.id).await.unwrap();
    assert_eq!(read.reference, stored, "index and record agree");
    let path = folder.path().join("package.zip");
    let mut package = archive.package(&path, purpose(), Wall(MIDNIGHT + 10)).unwrap();
    package.add(&read, &archive.proof(&stored.id).await.unwrap(), Label::default(), None).unwrap();
    package.finish(&[], &[], &CustodyExtract::new(Vec::new())).unwrap();
    archive.close().await;
    let bytes = fs::read(&path).unwrap();
    let verdict = verify(&bytes);
    assert!(verdict.authentic, "{:?}", verdict.faults);
    assert_eq!(verdict.snapshots[0].converted_from, from);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"converted_from\": \"h265\"") && text.contains("converted here from H265"));
    // Found again in an index made anew.
    Archive::rebuild(&folder.path().join("archive"), config()).await.unwrap();
    let archive = Archive::open(&folder.path().join("archive"), config()).await.unwrap();
    assert_eq!(archive.read(&stored.id).await.unwrap().reference, stored);
    archive.close().await;
}
