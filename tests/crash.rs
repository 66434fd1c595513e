//! `kill -9` while snapshots are being taken, and restart: nothing acknowledged is lost, nothing is told twice.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod demo;

use demo::{Demo, Session};
use serde_json::Value;
use std::{collections::BTreeSet, process::Command, time::Duration};

const CAMERAS: u32 = 24;

/// Every snapshot that a client can see, by id, with its hash.
async fn visible(session: &Session) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = session.get(&format!("/snapshots?kind=snapshot&limit=500{cursor}")).await;
        for entry in page["items"].as_array().unwrap() {
            let new =
                seen.insert((entry["id"].as_str().unwrap().to_owned(), entry["sha256"].as_str().unwrap().to_owned()));
            assert!(new, "a snapshot is listed twice: {entry:#}");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_loses_nothing_it_showed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let options = ["--snapshot-every", "1s"];
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut first_password = None;
    for round in 0..4u32 {
        let mut demo = Demo::start(&data, CAMERAS, &options);
        // The one-time password is only told at the first start.
        first_password = first_password.or(demo.first_password.take());
        if round == 0 {
            demo.first_password.clone_from(&first_password);
        }
        let session = Session::administrator(&demo).await;
        let after_restart = visible(&session).await;
        assert!(known.is_subset(&after_restart), "round {round}: snapshots that were shown are gone");

        let enough = known.len() + 60 + 17 * round as usize;
        let states = |s: &Value| s["counts"]["online"] == CAMERAS;
        session.until("all online", "/states", Duration::from_secs(60), states).await;
        loop {
            known = visible(&session).await;
            if known.len() >= enough {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("round {round}: killed with {} snapshots shown", known.len());
        demo.kill();
    }

    // Whole and undamaged, by the program's own check of every record.
    let config = folder.path().join("sharpeyes.toml");
    std::fs::write(&config, format!("[node]\ndata = {:?}\n", data.to_str().unwrap())).unwrap();
    let check = |action: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
            .args(["archive", action, "--json", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let report = check("check");
    assert_eq!(report["damaged"], Value::Array(vec![]));
    assert!(report["records"].as_u64().unwrap() >= known.len() as u64, "{report}");

    // The index can be made anew from the segments alone: the same snapshots are there.
    check("rebuild");
    let demo = Demo::start(&data, CAMERAS, &options);
    let session = Session::administrator(&demo).await;
    assert!(known.is_subset(&visible(&session).await), "a rebuilt index lacks snapshots");

    // Each camera has one open status interval, and intervals neither overlap nor leave holes.
    for camera in [1, 2, 3] {
        let history = session.get(&format!("/cameras/{camera}/history?limit=1000")).await;
        let items = history["items"].as_array().unwrap();
        assert!(items.len() >= 4, "each restart is told: {history:#}");
        assert!(items[0]["until"].is_null(), "{history:#}");
        for pair in items.windows(2) {
            assert_eq!(pair[1]["until"], pair[0]["from"], "{history:#}");
        }
    }
}
