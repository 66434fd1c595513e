//! The whole program against simulated cameras: what an operator would see, from a healthy fleet through every fault
//! and back.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::demo::{Demo, Session, state};
use serde_json::Value;
use std::time::{Duration, Instant};

const CAMERAS: u32 = 120;

/// What each fault of the simulator must be called. This table is the specification.
const VERDICTS: &[(&str, &str, &str, &str)] = &[
    // fault, status, layer, cause
    ("power_off", "offline", "network", "no_answer"),
    ("black_hole", "offline", "network", "no_answer"),
    ("port_closed", "offline", "port", "port_closed"),
    ("slow", "offline", "rtsp", "rtsp_no_answer"),
    ("garbage", "offline", "rtsp", "not_rtsp"),
    ("not_found", "offline", "rtsp", "stream_not_found"),
    ("session_limit", "offline", "rtsp", "session_limit"),
    ("wrong_password", "offline", "auth", "password_refused"),
    ("account_locked", "offline", "auth", "account_locked"),
    ("no_video", "offline", "media", "no_video"),
    ("no_rtp", "offline", "flow", "no_rtp"),
    // It stalls, and when it is asked again nothing comes at all: that is what is told, with the stall as what was before.
    ("stall", "offline", "flow", "no_rtp"),
    ("packet_loss", "impaired", "flow", "packet_loss"),
    ("low_frame_rate", "impaired", "flow", "low_frame_rate"),
    ("no_keyframe", "offline", "flow", "no_keyframe"),
    ("corrupt", "impaired", "decode", "decode_failed"),
    ("black", "impaired", "picture", "picture_black"),
    ("frozen", "impaired", "picture", "picture_frozen"),
    ("too_dark", "impaired", "picture", "picture_too_dark"),
    ("too_bright", "impaired", "picture", "picture_too_bright"),
    ("blurred", "impaired", "picture", "picture_blurred"),
    ("covered", "impaired", "picture", "picture_covered"),
    ("colour_cast", "impaired", "picture", "picture_colour_cast"),
    ("stripes", "impaired", "picture", "picture_stripes"),
    ("noise", "impaired", "picture", "picture_noise"),
    ("scene_moved", "impaired", "picture", "scene_moved"),
    ("wrong_clock", "impaired", "clock", "clock_wrong"),
];

#[test]
fn every_fault_has_one_row() {
    let mut rows: Vec<&str> = VERDICTS.iter().map(|(fault, ..)| *fault).collect();
    let mut faults: Vec<&str> = camsim::Fault::ALL.iter().map(|f| f.code()).collect();
    rows.sort_unstable();
    faults.sort_unstable();
    assert_eq!(rows, faults);
    for (fault, status, layer, cause) in VERDICTS {
        let told = fleet::Cause::ALL.iter().find(|c| c.code() == *cause).unwrap();
        assert_eq!((told.layer().code(), told.status().code()), (*layer, *status), "{fault}");
    }
}

/// Pictures from which a scene is learned.
fn learned(picture: &Value) -> bool {
    ["day", "dark", "infrared"].into_iter().any(|light| picture["baseline"][light].as_u64().unwrap() >= 5)
}

fn all_online(states: &Value) -> bool {
    states["counts"]["online"] == CAMERAS
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named_and_every_camera_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut demo = Demo::start(&data, CAMERAS, &["--snapshot-every", "30s", "--assess-every", "5s"]);
    let session = Session::administrator(&demo).await;

    // Healthy: everything online, with a picture and a first snapshot.
    let healthy = session.until("all online", "/states", Duration::from_secs(60), all_online).await;
    let ids: Vec<u64> = healthy["cameras"].as_array().unwrap().iter().map(|c| c["id"].as_u64().unwrap()).collect();
    session
        .until("first snapshots", "/states", Duration::from_secs(60), |s| {
            s["cameras"].as_array().unwrap().iter().all(|c| c["last_snapshot"].is_i64() && c["thumb"] != 0)
        })
        .await;
    let (status, jpeg) = session.bytes(&format!("/cameras/{}/thumbnail", ids[0])).await;
    assert!(status.is_success() && jpeg.starts_with(&[0xff, 0xd8]), "no thumbnail: {status}");

    // One camera per fault, all at once; taken from different places, so that no place goes dark as a whole.
    let victims: Vec<u64> = ids.iter().copied().step_by(ids.len() / VERDICTS.len()).take(VERDICTS.len()).collect();
    // A moved scene is one that is not what it was: it must be known before.
    for camera in &victims {
        session
            .until("its scene is learned", &format!("/cameras/{camera}/picture"), Duration::from_secs(90), learned)
            .await;
    }
    for (camera, (fault, ..)) in victims.iter().zip(VERDICTS) {
        session.fault("camera", *camera, fault, true).await;
    }
    let caused = Instant::now();
    for (camera, (fault, status, layer, cause)) in victims.iter().zip(VERDICTS) {
        session
            .until(fault, "/states", Duration::from_secs(90), |states| {
                let state = state(states, *camera);
                state["status"] == *status && state["layer"] == *layer && state["cause"] == *cause
            })
            .await;
        println!("{fault}: {status} {cause} after at most {:?}", caused.elapsed());
    }
    // A camera that misbehaves hurts only itself.
    let states = session.get("/states").await;
    for id in ids.iter().filter(|id| !victims.contains(id)) {
        assert_eq!(state(&states, *id)["status"], "online", "{:#}", state(&states, *id));
    }
    let open = session.get("/incidents?open=true&limit=200").await;
    for camera in &victims {
        let told = open["items"].as_array().unwrap().iter().filter(|incident| {
            incident["members"].as_array().unwrap().iter().any(|m| m["camera"] == *camera && m["left"].is_null())
        });
        assert_eq!(told.count(), 1, "camera {camera} belongs to exactly one open incident: {open:#}");
    }

    // Lifted: all recover; a refused password needs a person, as the rule says.
    for (camera, (fault, ..)) in victims.iter().zip(VERDICTS) {
        session.fault("camera", *camera, fault, false).await;
    }
    for (camera, (fault, ..)) in victims.iter().zip(VERDICTS) {
        if matches!(*fault, "wrong_password" | "account_locked") {
            session.post(&format!("/cameras/{camera}/check"), Value::Null).await;
        }
    }
    session.until("all recovered", "/states", Duration::from_secs(150), all_online).await;
    session
        .until("incidents resolved", "/incidents?open=true", Duration::from_secs(60), |i| {
            i["items"].as_array().unwrap().is_empty()
        })
        .await;

    // Snapshots were searched and found, gaps were recorded with their cause.
    let found = session.get(&format!("/snapshots?camera={}&limit=50", ids[1])).await;
    let snapshot = found["items"].as_array().unwrap().iter().find(|e| e["kind"] == "snapshot").expect("a snapshot");
    let (status, jpeg) = session.bytes(&format!("/snapshots/{}/picture", snapshot["id"].as_str().unwrap())).await;
    assert!(status.is_success() && jpeg.starts_with(&[0xff, 0xd8]), "no picture: {status}");
    let gaps = session.get("/snapshots?kind=gap&limit=200").await;
    let named = |cause: &str| gaps["items"].as_array().unwrap().iter().any(|g| g["cause"] == cause);
    assert!(named("no_answer") && named("password_refused"), "{gaps:#}");

    let (status, took) = demo.stop();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(3), "stopping took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_village_is_one_incident() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    session.until("all online", "/states", Duration::from_secs(60), all_online).await;
    // An uplink with at least two cameras, none of which others share a line terminal's fate with.
    let fleet = session.get("/fleet").await;
    let cameras = fleet["cameras"].as_array().unwrap();
    let behind = |uplink: &Value| cameras.iter().filter(|c| c["uplink"] == *uplink).count();
    let uplink = fleet["uplinks"].as_array().unwrap().iter().find(|u| (2..=3).contains(&behind(&u["id"]))).unwrap();
    let (id, members) = (uplink["id"].as_u64().unwrap(), behind(&uplink["id"]));

    session.fault("uplink", id, "power_off", true).await;
    let open = session
        .until("one incident", "/incidents?open=true", Duration::from_secs(45), |i| {
            i["items"].as_array().unwrap().iter().any(|i| i["members"].as_array().unwrap().len() == members)
        })
        .await;
    let items = open["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{open:#}");
    assert_eq!(items[0]["scope"]["kind"], "uplink");
    assert_eq!(items[0]["likely"], "power_or_fibre");

    session.fault("uplink", id, "power_off", false).await;
    session
        .until("resolved", "/incidents?open=true", Duration::from_secs(120), |i| {
            i["items"].as_array().unwrap().is_empty()
        })
        .await;
    session.until("all online again", "/states", Duration::from_secs(30), all_online).await;
}
