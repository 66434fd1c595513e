//! Our own machine too busy to read the streams: cameras become `unknown`, one incident of our own says why, and
//! nobody is sent to a pole.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::demo::{Demo, Session};
use serde_json::json;
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

const CAMERAS: u32 = 100;
/// Long enough for every limit of a session to pass.
const STARVED: Duration = Duration::from_secs(30);

/// Programs that take every bit of processor time they get. Ended when dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Hogs {
        let count = std::thread::available_parallelism().unwrap().get() * 16;
        let hog = || Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        Hogs((0..count).map(|_| hog()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// From now on everything else goes before this process.
fn renice(pid: u32) {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let ids: Vec<String> = threads.map(|t| t.file_name().into_string().unwrap()).collect();
    let status = Command::new("renice").args(["-n", "19", "-p"]).args(ids).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_time_for_us_blames_no_camera() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    let all_online = |s: &serde_json::Value| s["counts"]["online"] == CAMERAS && s["own_faults"] == json!([]);
    session.until("all online", "/states", Duration::from_secs(90), all_online).await;

    renice(demo.pid());
    let hogs = Hogs::start();
    // Too little for it to answer us either: what it thought of all this is read afterwards.
    tokio::time::sleep(STARVED).await;
    drop(hogs);
    // The first answer may still be what it published before it had no time: its own word is awaited before the fleet's.
    let own = |i: &serde_json::Value| i["items"].as_array().unwrap().iter().any(|i| i["cause"] == "own_machine");
    session.until("its own fault is told", "/incidents?limit=200", Duration::from_secs(120), own).await;
    session.until("all online again", "/states", Duration::from_secs(120), all_online).await;
    let told = session.get("/incidents?limit=200").await;
    let told: Vec<_> = told["items"].as_array().unwrap().iter().map(|i| (&i["scope"]["kind"], &i["cause"])).collect();
    // What was read too slowly before the overload was certain may pass for a slow camera, never for a dead one.
    let slow = [json!("low_frame_rate"), json!("packet_loss")];
    let blamed = told.iter().filter(|(scope, cause)| *scope != "own" && !slow.contains(cause)).count();
    assert_eq!(blamed, 0, "a camera was called offline: {told:?}");
}
