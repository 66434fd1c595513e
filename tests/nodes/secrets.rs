//! Secrets on the disk: sealed, changed, and never told.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const SECRET: &str = "s3-secret-Zk41-never-to-be-seen";

fn sharpeyes(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn done(arguments: &[&str], input: &str) -> String {
    let output = sharpeyes(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn complaint(arguments: &[&str], input: &str) -> String {
    let output = sharpeyes(arguments, input);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains(SECRET) && !String::from_utf8_lossy(&output.stdout).contains(SECRET), "{text}");
    text
}

fn config(folder: &Path, more: &str) -> String {
    let path = folder.join("sharpeyes.toml");
    let data = folder.join("data");
    std::fs::write(&path, format!("[node]\ndata = {data:?}\n{more}")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn with_store(folder: &Path, sealed: &str) -> String {
    let text = "[s3]\nendpoint = \"http://127.0.0.1:9\"\naccess_key = \"a\"\nlocal_gib = 8\n";
    config(folder, &format!("{text}secret_key = {sealed:?}\n"))
}

#[test]
fn secrets_lie_sealed_and_follow_a_change_of_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), "");
    let with = ["--config", path.as_str()];
    let missing = complaint(&["secret", "seal", with[0], with[1]], SECRET);
    assert!(missing.contains("there is no key"), "{missing}");
    done(&["user", "add", "lin", "--role", "operator", with[0], with[1]], "");
    let sealed = done(&["secret", "seal", with[0], with[1]], &format!("{SECRET}\n"));
    assert!(sealed.starts_with("sealed:") && !sealed.contains(SECRET));
    assert!(complaint(&["secret", "seal", with[0], with[1]], "\n").contains("nothing to seal"));

    // The object store is away; the archive opens with its account all the same.
    with_store(folder.path(), sealed.trim());
    done(&["archive", "check", with[0], with[1]], "");
    let key = folder.path().join("data/archive/node.key");
    assert!(std::fs::read_to_string(&key).unwrap().starts_with("sharpeyes sealed signing key"));
    with_store(folder.path(), SECRET);
    let open = complaint(&["archive", "check", with[0], with[1]], "");
    assert!(open.contains("s3.secret_key is not sealed"), "{open}");
    config(folder.path(), "[s3]\nendpoint = \"http://127.0.0.1:9\"\naccess_key = \"a\"\n");
    let none = complaint(&["archive", "check", with[0], with[1]], "");
    assert!(none.contains("SHARPEYES_S3_SECRET_KEY"), "{none}");

    with_store(folder.path(), sealed.trim());
    let rotated = done(&["secret", "rotate", with[0], with[1]], "");
    let again = rotated.lines().find(|l| l.starts_with("sealed:")).unwrap().to_owned();
    assert!(complaint(&["archive", "check", with[0], with[1]], "").contains("not sealed with this node's key"));
    with_store(folder.path(), &again);
    done(&["archive", "check", with[0], with[1]], "");
    assert!(!folder.path().join("data/store/secret.key.old").exists());
    assert!(done(&["user", "list", with[0], with[1]], "").contains("lin"));

    // From the file to the environment.
    let stays = std::fs::read(folder.path().join("data/store/secret.key")).unwrap();
    std::fs::write(folder.path().join("old.key"), &stays).unwrap();
    let next = folder.path().join("next.key");
    std::fs::write(&next, "0b".repeat(32)).unwrap();
    config(folder.path(), &format!("key = \"file:{}\"\n", next.display()));
    assert!(complaint(&["user", "list", with[0], with[1]], "").contains("--from"));
    let from = format!("file:{}", folder.path().join("old.key").display());
    done(&["secret", "rotate", "--from", &from, with[0], with[1]], "");
    assert!(done(&["user", "list", with[0], with[1]], "").contains("lin"));
    done(&["archive", "check", with[0], with[1]], "");

    let changed = done(&["archive", "change-key", with[0], with[1]], "");
    assert!(changed.contains("signs from now on with"), "{changed}");
    config(folder.path(), "key = \"secret.key\"\n");
    assert!(complaint(&["user", "list", with[0], with[1]], "").contains("node.key"));
}
