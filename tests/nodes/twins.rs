//! Two entries of the register that lead to one device: both cameras are told to show the same picture, and by whom.
#![allow(clippy::unwrap_used)]

use crate::demo::{Demo, Session, state};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(90);

/// The first camera of the demo's register once more: another name, the same device.
fn again() -> String {
    let all = include_str!("../../config/demo/cameras.csv");
    let mut lines = all.lines();
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut cells: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    let column = |name: &str| heading.iter().position(|h| h.trim_start_matches('\u{feff}') == name).unwrap();
    for own in ["gb_code", "place_code", "serial", "mac"] {
        cells[column(own)].clear();
    }
    cells[column("name")] = "县政府广场重复接入".into();
    for url in ["main_url", "sub_url"] {
        cells[column(url)].push_str("?entry=2");
    }
    format!("{}\n{}\n", heading.join(","), cells.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_behind_two_entries_is_told_on_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(&folder.path().join("data"), 4, &["--assess-every", "2s"]);
    let session = Session::administrator(&demo).await;
    let before = session.get("/states").await;
    let ids: Vec<u64> = before["cameras"].as_array().unwrap().iter().map(|c| c["id"].as_u64().unwrap()).collect();
    session.import(&again()).await;
    let after =
        session.until("the entry is there", "/states", WITHIN, |s| s["cameras"].as_array().unwrap().len() == 5).await;
    let new = after["cameras"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_u64().unwrap())
        .find(|id| !ids.contains(id))
        .unwrap();
    let told = |twin: u64| {
        move |p: &Value| {
            let mut findings = p["findings"].as_array().unwrap().iter();
            findings.any(|f| f["cause"] == "same_picture" && f["twin"] == twin)
        }
    };
    let picture =
        session.until("the new entry is told", &format!("/cameras/{new}/picture"), WITHIN, told(ids[0])).await;
    assert_eq!(picture["findings"][0]["areas"], json!([{ "left": 0.0, "top": 0.0, "width": 1.0, "height": 1.0 }]));
    session.until("and the old one", &format!("/cameras/{}/picture", ids[0]), WITHIN, told(new)).await;
    let impaired = |s: &Value| state(s, new)["cause"] == "same_picture" && state(s, new)["status"] == "impaired";
    session.until("it is its status", "/states", WITHIN, impaired).await;
    let incident = |i: &Value| {
        i["items"].as_array().unwrap().iter().any(|i| i["scope"]["kind"] == "camera" && i["scope"]["id"] == new)
    };
    session.until("and an incident", "/incidents?open=true", WITHIN, incident).await;
    // Cameras that look at other places are left alone.
    for other in &ids[1..] {
        assert_eq!(session.get(&format!("/cameras/{other}/picture")).await["findings"], json!([]));
    }
    demo.kill();
}
