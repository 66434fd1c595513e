//! The disk of a running node is filled to the last byte, archive and database alike: cameras are judged on, nothing is
//! blamed on them, everybody is told, and once there is room again everything goes on by itself with nothing lost.
#![allow(clippy::unwrap_used)]

use crate::demo::{Demo, Session, in_own_space, state};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const CAMERAS: u64 = 12;
const WITHIN: Duration = Duration::from_secs(120);
/// What the archive keeps free for others, a segment, and room for a database.
const MEBIBYTES: u32 = 256 + 256 + 128;

fn small_disk(at: &Path) {
    std::fs::create_dir(at).unwrap();
    let size = format!("size={MEBIBYTES}m,mode=0755");
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status().unwrap();
    assert!(status.success(), "a small tmpfs can be mounted");
}

fn wall() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn at_fault(states: &Value, part: &str) -> bool {
    states["own_faults"].as_array().unwrap().iter().any(|f| f["part"] == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_archive_and_nothing_else() {
    if !in_own_space("full_disk::a_full_disk_stops_the_archive_and_nothing_else") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_disk(&data);
    let mut demo = Demo::start(&data, CAMERAS as u32, &["--snapshot-every", "2s"]);
    let session = Session::administrator(&demo).await;
    let well = |s: &Value| s["counts"]["online"] == CAMERAS && s["own_faults"] == json!([]);
    session.until("all online", "/states", WITHIN, well).await;
    let snapshots = |from: i64| format!("/snapshots?kind=snapshot&limit=500&from={from}");
    let some = |page: &Value| page["items"].as_array().unwrap().len() as u64 >= 2 * CAMERAS;
    let before = session.until("snapshots", &snapshots(0), WITHIN, some).await;

    // Somebody else fills the disk, and keeps it full whatever is tidied up.
    let ballast = data.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    let mut fill = move || while file.write_all(&[1; 4096]).is_ok() {};
    // A camera dies at this very moment: that it is offline is found out later.
    session.fault("camera", 3, "power_off", true).await;
    fill();
    let full = wall();
    let told = |s: &Value| at_fault(s, "disk") && at_fault(s, "database");
    session.until("the faults of disk and database are told", "/states", WITHIN, told).await;
    fill();
    // Cameras are judged on: those that are well stay so, the one that died is offline.
    let one_offline = |s: &Value| state(s, 3)["status"] == "offline" && s["counts"]["online"] == CAMERAS - 1;
    session.until("an outage while the disk is full", "/states", WITHIN, one_offline).await;
    // What cannot be put on record is not done, and why is told.
    let fault = json!({"target": {"kind": "camera", "id": 5}, "fault": "power_off", "on": true});
    let (status, problem) = session.try_post("/demo/fault", fault).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("own_database")), "{problem:#}");
    let health = session.get("/self").await;
    assert_eq!(health["archive"]["state"]["state"], "full", "{health:#}");
    // The wall goes on; an archived picture is shown to nobody whose look cannot be put on record.
    assert_eq!(session.bytes("/cameras/1/thumbnail").await.0, 200);
    let id = before["items"][0]["id"].as_str().unwrap();
    let (status, problem) = session.bytes(&format!("/snapshots/{id}/original")).await;
    let problem: Value = serde_json::from_slice(&problem).unwrap();
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("own_database")), "{problem:#}");

    let room = wall();
    drop(fill);
    std::fs::remove_file(&ballast).unwrap();
    let resumed = |s: &Value| s["own_faults"] == json!([]);
    session.until("the disk is well again", "/states", WITHIN, resumed).await;
    session.until("snapshots again", &snapshots(room), WITHIN, some).await;
    assert_eq!(session.bytes(&format!("/snapshots/{id}/original")).await.0, 200, "what was archived is there");

    // On record: the outage at its true time, our own incident, a gap of our own for each picture that was not kept.
    let outage = |h: &Value| {
        let offline = |i: &Value| i["status"] == "offline" && (full..room).contains(&i["from"].as_i64().unwrap());
        h["items"].as_array().unwrap().iter().any(offline)
    };
    session.until("the outage on record", "/cameras/3/history?limit=100", WITHIN, outage).await;
    let own = |page: &Value| page["items"].as_array().unwrap().iter().any(|i| i["cause"] == "own_disk");
    session.until("our own incident", "/incidents?limit=100", WITHIN, own).await;
    let gaps = format!("/snapshots?kind=gap&limit=500&from={full}");
    let ours = |page: &Value| {
        let of_disk = |g: &&Value| g["cause"] == "own_disk" && g["camera"] != 3;
        page["items"].as_array().unwrap().iter().filter(of_disk).count() as u64 >= CAMERAS
    };
    session.until("gaps of our own", &gaps, WITHIN, ours).await;
    for camera in (1..=CAMERAS).filter(|&c| c != 3) {
        let history = session.get(&format!("/cameras/{camera}/history?limit=100")).await;
        let blamed = history["items"].as_array().unwrap().iter().any(|i| i["status"] == "offline");
        assert!(!blamed, "camera {camera} is blamed: {history:#}");
    }
    assert!(demo.stop().0.success());
    let config = folder.path().join("sharpeyes.toml");
    std::fs::write(&config, format!("[node]\ndata = {:?}\n", data.to_str().unwrap())).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
        .args(["archive", "check", "--json", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(report["damaged"], json!([]), "{report:#}");
    assert!(Command::new("umount").arg("-l").arg(&data).status().unwrap().success());
}
