//! A repair from the order to its acceptance, on real video: an order is closed by a fresh climb of the ladder with
//! pictures from before and after, and a time in which all was well; never by a recovery alone.
#![allow(clippy::unwrap_used)]

use crate::demo::{Demo, Session, in_own_space};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(60);

async fn act(session: &Session, id: &Value, act: &str) -> (StatusCode, Value) {
    let version = session.get(&format!("/orders/{id}")).await["order"]["version"].clone();
    session.try_post(&format!("/orders/{id}/act"), json!({ "act": act, "version": version })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_is_accepted_on_a_climb_of_the_real_camera() {
    if !in_own_space("repair::a_repair_is_accepted_on_a_climb_of_the_real_camera") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let options = ["--snapshot-every", "2s", "--assess-every", "2s", "--stable", "3s"];
    let mut demo = Demo::start(&data, 6, &options);
    let session = Session::administrator(&demo).await;
    let all_online = |s: &Value| s["cameras"].as_array().unwrap().iter().all(|c| c["status"] == "online");
    let states = session.until("all online", "/states", WITHIN, all_online).await;
    let camera = states["cameras"][0]["id"].as_u64().unwrap();
    let photographed = |s: &Value| crate::demo::state(s, camera)["last_snapshot"].is_i64();
    session.until("a picture is archived", "/states", WITHIN, photographed).await;

    session.fault("camera", camera, "power_off", true).await;
    let told = format!("/incidents?open=true&camera={camera}");
    let some = |i: &Value| i["items"].as_array().is_some_and(|items| !items.is_empty());
    let incident = session.until("told", &told, WITHIN, some).await["items"][0].clone();
    let order = session.post("/orders", json!({ "incident": incident["id"] })).await;
    let id = order["id"].clone();
    let path = format!("/orders/{id}");
    let page = session.get(&path).await;
    let before = &page["pictures"][0];
    assert_eq!((&before["kind"], &before["camera"]), (&json!("before"), &json!(camera)), "{page:#}");
    assert!(before["at"].as_i64().unwrap() < incident["opened"].as_i64().unwrap(), "{page:#}");

    // Broken as it is the climb fails, and nothing is accepted.
    let verify = format!("{path}/verify");
    let failed = session.post(&verify, json!({ "camera": camera })).await;
    assert_eq!(failed["order"]["verifications"][0]["passed"], false, "{failed:#}");
    let (status, refused) = act(&session, &id, "accept_repair").await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused:#}");

    // Mended: recovery alone closes nothing.
    session.fault("camera", camera, "power_off", false).await;
    let recovered = |p: &Value| p["order"]["recovered"].is_i64();
    let page = session.until("recovered", &path, WITHIN, recovered).await;
    assert_ne!(page["order"]["state"], "closed");
    let (status, refused) = act(&session, &id, "accept_repair").await;
    assert_eq!(status, StatusCode::CONFLICT, "the climb was before the repair: {refused:#}");
    for camera in page["order"]["to_verify"].as_array().unwrap() {
        let climbed = session.post(&verify, json!({ "camera": camera })).await;
        assert_eq!(climbed["ladder"]["layer"], Value::Null, "every rung is passed: {climbed:#}");
    }
    let end = tokio::time::Instant::now() + WITHIN;
    let closed = loop {
        let (status, answer) = act(&session, &id, "accept_repair").await;
        if status.is_success() {
            break answer;
        }
        assert!(answer["code"] == "not_stable" && tokio::time::Instant::now() < end, "{answer:#}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("accepted")));
    let page = session.get(&path).await;
    let kinds: Vec<&Value> = page["pictures"].as_array().unwrap().iter().map(|p| &p["kind"]).collect();
    assert!(kinds.contains(&&json!("before")) && kinds.contains(&&json!("after")), "{page:#}");
    demo.kill();
}
