//! The whole county of 800 cameras on this machine: all come online, each has its snapshot, none is called anything
//! else while nothing is wrong, and the stop is quick. The main streams are pulled, which is harder than what is usual:
//! 800 times 2 Mbit/s. What it costs is measured by `cargo bench --bench county`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::demo::{Demo, Session};
use std::time::{Duration, Instant};

const CAMERAS: u32 = 800;
/// Aimed at are 30 s with an optimized build on a machine of its own.
const START_WITHIN: Duration = Duration::from_secs(90);
const QUIET: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn eight_hundred_cameras_come_online_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut demo = Demo::start(&data, CAMERAS, &["--stream", "main"]);
    let started = Instant::now();
    let session = Session::administrator(&demo).await;
    session
        .until("all online, each with its snapshot", "/states", START_WITHIN, |states| {
            states["counts"]["online"] == CAMERAS
                && states["cameras"].as_array().unwrap().iter().all(|c| c["last_snapshot"].is_i64())
        })
        .await;
    println!("all online with a snapshot after {:.1} s", started.elapsed().as_secs_f64());

    let calm = Instant::now();
    while calm.elapsed() < QUIET {
        let states = session.get("/states").await;
        let wrong: Vec<_> = states["cameras"].as_array().unwrap().iter().filter(|c| c["status"] != "online").collect();
        assert!(wrong.is_empty(), "nothing is wrong with these: {wrong:#?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    let (status, took) = demo.stop();
    assert!(status.success(), "stopped with {status}");
    assert!(took < Duration::from_secs(3), "the stop took {took:?}");
}
