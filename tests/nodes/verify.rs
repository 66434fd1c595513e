//! `sharpeyes verify` as somebody uses it who has nothing but the file.
#![allow(clippy::unwrap_used)]

use archive::evidence::{CustodyExtract, Label, Purpose};
use fleet::{CameraId, Codec, Now, Status, StreamChoice, Wall};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn verify(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_sharpeyes")).arg("verify").args(args).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

async fn package(folder: &Path) {
    let archive = archive::Archive::open(&folder.join("archive"), archive::Config::default()).await.unwrap();
    let snapshot = archive::NewSnapshot {
        camera: CameraId(7),
        stream: StreamChoice::Main,
        slot: Wall(1_795_478_400_000),
        class: health::SnapshotClass::Routine,
        captured: Now::read(),
        camera_clock: None,
        codec: Codec::Jpeg,
        converted_from: None,
        width: 64,
        height: 48,
        status: Status::Online,
        cause: None,
        data: b"the picture".as_slice().into(),
    };
    let stored = archive.append(snapshot).await.unwrap();
    archive.seal().await.unwrap();
    let purpose = Purpose { by: "沈审".into(), reason: "案件\u{1b}[31m".into(), ..Purpose::default() };
    let mut package = archive.package(&folder.join("p.zip"), purpose, Wall::read()).unwrap();
    let (read, proof) = (archive.read(&stored.id).await.unwrap(), archive.proof(&stored.id).await.unwrap());
    package.add(&read, &proof, Label::default(), None).unwrap();
    package.finish(&[], &[], &CustodyExtract::new(Vec::new())).unwrap();
    archive.close().await;
}

#[tokio::test]
async fn a_package_is_judged_by_its_exit_status_and_in_words() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path()).await;
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, key) = (path("p.zip"), path("archive/node.pub"));

    let (status, said) = verify(&[&file]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("authentic, if that key is the node's") && said.contains("1 snapshots hold"), "{said}");
    assert!(!said.contains('\u{1b}'), "nothing of a package steers the terminal");
    assert_eq!(verify(&[&file, "--key", &key]).0, 0);
    let (status, said) = verify(&[&file, "--key", &"ab".repeat(32)]);
    assert!(status == 1 && said.contains("NOT authentic"), "{said}");
    let (status, said) = verify(&[&file, "--json"]);
    assert!(status == 0 && said.starts_with("{\"authentic\":true"), "{said}");

    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(11).position(|w| w == b"the picture").unwrap();
    bytes[at] ^= 1;
    fs::write(path("bad.zip"), &bytes).unwrap();
    let (status, said) = verify(&[&path("bad.zip")]);
    assert!(status == 1 && said.contains("original.jpg: was altered"), "{said}");

    for (args, told) in [
        (vec![path("none.zip")], "none.zip"),
        (vec![file.clone(), "--key".into(), path("none.pub")], "--key"),
        (vec![file.clone(), "--key".into(), path("p.zip")], "--key"),
    ] {
        let (status, said) = verify(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(status == 2 && said.contains(told) && said.lines().count() == 1, "{said}");
    }
}

#[tokio::test]
async fn manifests_are_printed_and_copies_compared() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path()).await;
    let config = folder.path().join("sharpeyes.toml");
    let text = format!("[archive]\nfolder = {:?}\n", folder.path().join("archive").to_str().unwrap());
    fs::write(&config, text).unwrap();
    let archive = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
            .arg("archive")
            .args(args)
            .args(["--config", config.to_str().unwrap()])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (status, printed) = archive(&["manifests"]);
    assert!(status == 0 && printed.lines().count() == 2 && printed.contains("\ned25519 "), "{printed}");
    let (_, hashes) = archive(&["manifests", "--hashes"]);
    assert_eq!(hashes.trim().len(), "2026-11-24 ".len() + 64, "{hashes}");
    assert_eq!(archive(&["manifests", "--since", "9999-01-01"]), (0, String::new()));
    let copy = folder.path().join("copy.txt");
    fs::write(&copy, &printed).unwrap();
    let (status, said) = archive(&["compare", copy.to_str().unwrap()]);
    assert!(status == 0 && said.contains("goes on from there"), "{said}");
    fs::write(&copy, printed.replace("\"records\":1", "\"records\":9")).unwrap();
    let (status, said) = archive(&["compare", copy.to_str().unwrap()]);
    assert!(status == 2 && said.contains("altered"), "{said}");
    let manifest = fs::read_dir(folder.path().join("archive/manifests")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(manifest).unwrap();
    fs::write(&copy, &printed).unwrap();
    let (status, said) = archive(&["compare", copy.to_str().unwrap()]);
    assert!(status == 1 && said.contains("no manifest of"), "{said}");
}
