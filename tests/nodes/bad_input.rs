//! Mistakes of the person who sets it up: one clear line with what to do, exit status 2, nothing half-written.
#![allow(clippy::unwrap_used)]

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};
use store::{ChangeKind, ChangeNote, RegisterStore, Store};
use store_sqlite::SqliteStore;

fn sharpeyes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sharpeyes")).args(args).output().unwrap()
}

/// The one line that a failed command says.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one line was expected:\n{text}");
    text.trim().to_owned()
}

/// Writes a config with this data folder and more text; gives its path.
fn config(folder: &Path, data: &Path, more: &str) -> String {
    let path = folder.join("sharpeyes.toml");
    let text = format!(
        "[node]\ndata = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\n[picture]\nsandbox = \"prefer\"\n{more}",
        data.to_str().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_missing_or_mistyped_config_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = complaint(&sharpeyes(&["serve", "--config", "/nowhere/sharpeyes.toml"]));
    assert!(said.contains("/nowhere/sharpeyes.toml") && said.contains("--config"), "{said}");

    let path = config(folder.path(), &folder.path().join("data"), "[helth]\n");
    let said = complaint(&sharpeyes(&["serve", "--config", &path]));
    assert!(said.contains("\"helth\"; did you mean \"health\"?"), "{said}");
    assert!(!folder.path().join("data").exists(), "nothing is written before the config is right");
}

#[test]
fn a_port_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.path().join("sharpeyes.toml");
    let text =
        format!("[node]\ndata = {:?}\n[web]\nlisten = \"{address}\"\n", folder.path().join("data").to_str().unwrap());
    std::fs::write(&path, text).unwrap();
    let said = complaint(&sharpeyes(&["serve", "--config", path.to_str().unwrap()]));
    assert!(said.contains(&address) && said.contains("web.listen"), "{said}");
}

#[test]
fn a_data_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: not even root can create a folder below it.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let path = config(folder.path(), &file.join("data"), "");
    let said = complaint(&sharpeyes(&["serve", "--config", &path]));
    assert!(said.contains(file.to_str().unwrap()), "{said}");
}

#[test]
fn a_register_that_is_no_table_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), &folder.path().join("data"), "");
    let csv = folder.path().join("cameras.csv");
    std::fs::write(&csv, [0u8, 159, 146, 150, 0xff]).unwrap();
    let said = complaint(&sharpeyes(&["import", csv.to_str().unwrap(), "--config", &path]));
    assert!(said.contains("cameras.csv"), "{said}");
    complaint(&sharpeyes(&["import", "/nowhere.csv", "--config", &path]));
}

#[test]
fn rejected_rows_name_line_column_and_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), &folder.path().join("data"), "");
    let csv = folder.path().join("cameras.csv");
    let rows = "town,site,name,main_url\n柳溪镇,河东村,村口,rtsp://10.1.1.1/1\n柳溪镇,河东村,桥头,http://10.1.1.2/1\n";
    std::fs::write(&csv, rows).unwrap();
    let import = |more: &[&str]| {
        let args = [&["import", csv.to_str().unwrap(), "--config", &path, "--json"], more].concat();
        let output = sharpeyes(&args);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (status, report) = import(&["--all-or-nothing"]);
    assert_eq!((status, &report["applied"]), (Some(2), &false.into()));
    let fault = &report["rows"][1]["faults"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&3.into(), &"main_url".into()), "{report:#}");
    let (_, report) = import(&["--dry-run"]);
    assert_eq!((&report["applied"], &report["counts"]["added"]), (&false.into(), &1.into()));
    let (_, report) = import(&[]);
    assert_eq!((&report["applied"], &report["counts"]["added"]), (&true.into(), &1.into()));
    let (_, report) = import(&[]);
    assert_eq!((&report["applied"], &report["counts"]["unchanged"]), (&false.into(), &1.into()));
    // What the command imported is on record and can be taken back, like what the dashboard did.
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open(&folder.path().join("data/store")).await.unwrap();
        let changes = store.register_changes().await.unwrap();
        assert_eq!(changes.len(), 1, "a file that changed nothing is no change");
        assert_eq!((changes[0].note.kind, changes[0].added), (ChangeKind::Import, 1));
        assert!(changes[0].note.detail.starts_with("cameras.csv: 1 added"), "{}", changes[0].note.detail);
        let note = ChangeNote { kind: ChangeKind::Undo, by: "admin".into(), ..changes[0].note.clone() };
        store.undo_change(changes[0].id, note).await.unwrap();
        let registry = store.registry().await.unwrap();
        assert!(registry.cameras().all(|c| c.life_cycle == fleet::LifeCycle::Dismantled));
        store.close().await;
    });
}

#[test]
fn an_impossible_address_is_told_without_its_password() {
    for url in ["http://admin:geheim@10.0.0.1/", "rtsp://", "not an address geheim"] {
        let said = complaint(&sharpeyes(&["probe", url]));
        assert!(said.contains("rtsp://"), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[test]
fn a_probe_of_nothing_answers_as_a_nagios_plugin_would() {
    // A port that was free a moment ago: connections are refused.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = sharpeyes(&["probe", "--json", &format!("rtsp://{free}/main")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["status"], "offline");
    assert_eq!(report["layer"], "port");
    assert_eq!(report["cause"], "port_closed");
    let last = report["rungs"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["layer"], &last["outcome"]), (&"port".into(), &"failed".into()));
    assert!(last["ms"].is_u64() && last["evidence"].is_string());
}

#[test]
fn secrets_on_disk_are_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = config(folder.path(), &data, "");
    let output = sharpeyes(&["user", "add", "lin", "--role", "operator", "--config", &path, "--json"]);
    assert!(output.status.success(), "{output:?}");
    let key = data.join("store/secret.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let said = complaint(&sharpeyes(&["user", "add", "lin", "--role", "operator", "--config", &path]));
    assert!(said.contains("lin"), "{said}");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = config(folder.path(), &data, "");
    let output = sharpeyes(&["user", "--config", &config, "list"]);
    assert!(output.status.success(), "{output:?}");
    let database = data.join("store/sharpeyes.db");
    let newer = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(\"insert into _sqlx_migrations \
                 values (9000, 'later', current_timestamp, 1, x'00', 1)\"); db.commit()";
    let changed = Command::new("python3").args(["-c", newer]).arg(&database).status().unwrap();
    assert!(changed.success());
    let said = complaint(&sharpeyes(&["serve", "--config", &config]));
    assert!(said.contains("newer"), "{said}");
}

#[test]
fn cameras_cannot_be_simulated_without_an_encoder_and_the_one_line_says_which() {
    const SHIM: &str = r#"
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <string.h>
        const void *avcodec_find_encoder_by_name(const char *name) {
            const void *(*real)(const char *) =
                (const void *(*)(const char *))dlsym(RTLD_NEXT, "avcodec_find_encoder_by_name");
            return strcmp(name, "libx265") == 0 ? 0 : real(name);
        }
    "#;
    let folder = tempfile::tempdir().unwrap();
    let (source, shim) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    let output = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
        .args(["demo", "--cameras", "1", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .env("LD_PRELOAD", &shim)
        .output()
        .unwrap();
    let said = complaint(&output);
    assert!(said.contains("libx265") && said.contains("install"), "{said}");
}
