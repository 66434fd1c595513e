//! A node records what it judges by, and the recording gives the same again, whole or cut off.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

fn sharpeyes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sharpeyes")).args(args).output().unwrap()
}

/// Three cameras behind ports where nobody listens.
fn prepare(folder: &Path) -> String {
    let config = folder.join("sharpeyes.toml");
    let text = format!(
        "[node]\ndata = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\n[picture]\nsandbox = \"prefer\"\nworkers = 1\n\
         [ingest]\nallow_loopback = true\n[log]\njson = true\nfield_mib = 8\n",
        folder.join("data").to_str().unwrap()
    );
    std::fs::write(&config, text).unwrap();
    let csv = folder.join("cameras.csv");
    let row = |n: u32| format!("柳溪镇,河东村,村口{n},rtsp://127.0.0.1:{n}/main\n");
    std::fs::write(&csv, format!("town,site,name,main_url\n{}{}{}", row(1), row(2), row(3))).unwrap();
    let config = config.to_str().unwrap().to_owned();
    let done = sharpeyes(&["import", csv.to_str().unwrap(), "--config", &config]);
    assert!(done.status.success(), "{done:?}");
    config
}

/// Runs the node until each camera was told offline, and stops it.
fn run(config: &str) {
    let mut node = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
        .args(["serve", "--config", config])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, lines) = mpsc::channel();
    let stderr = BufReader::new(node.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let end = Instant::now() + Duration::from_secs(90);
    let mut offline = 0;
    while offline < 3 {
        let line = lines.recv_timeout(end.saturating_duration_since(Instant::now())).expect("cameras go offline");
        offline += usize::from(line.contains("status changed") && line.contains("offline"));
    }
    let id = node.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(node.wait().unwrap().success());
}

fn log(folder: &Path) -> PathBuf {
    let logs: Vec<_> = std::fs::read_dir(folder.join("data/field-log")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(logs.len(), 1);
    logs[0].clone()
}

#[test]
fn what_a_node_recorded_is_played_again_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = prepare(folder.path());
    run(&config);
    let log = log(folder.path());
    let play = |file: &Path| {
        let played = sharpeyes(&["replay", file.to_str().unwrap(), "--json"]);
        assert!(played.status.success(), "{played:?}");
        serde_json::from_slice::<Value>(&played.stdout).unwrap()
    };
    let whole = play(&log);
    assert_eq!((&whole["offline"], &whole["online"], &whole["cut"]), (&3.into(), &0.into(), &false.into()), "{whole}");
    assert!(whole["status_changes"].as_u64().unwrap() >= 6 && whole["incidents"].as_u64().unwrap() >= 1, "{whole}");
    let told = String::from_utf8(sharpeyes(&["replay", log.to_str().unwrap()]).stdout).unwrap();
    assert!(told.contains("C00002 offline port_closed") && told.contains("as recorded"), "{told}");

    // Killed, so that the end is missing.
    let bytes = std::fs::read(&log).unwrap();
    let cut = folder.path().join("cut.jsonl.gz");
    std::fs::write(&cut, &bytes[..bytes.len() - 40]).unwrap();
    let cut = play(&cut);
    assert!(cut["cut"] == true && cut["lines"].as_u64() <= whole["lines"].as_u64(), "{cut}");

    // Mistakes are one line with the file's name: exit status 2.
    for file in [config.as_str(), "/nowhere.gz"] {
        let said = sharpeyes(&["replay", file]);
        assert_eq!(said.status.code(), Some(2), "{said:?}");
        assert!(String::from_utf8(said.stderr).unwrap().contains(file));
    }
}
