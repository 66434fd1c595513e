//! What cameras usually show, and what people said of verdicts, outlive `kill -9`; what was found on a picture is no
//! verdict on a camera that shows none.
#![allow(clippy::unwrap_used)]

use crate::demo::{Demo, Session, state};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const WITHIN: Duration = Duration::from_secs(60);

fn learned(picture: &Value) -> u64 {
    ["day", "dark", "infrared"].into_iter().map(|light| picture["baseline"][light].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn baselines_and_words_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let options = ["--snapshot-every", "1s", "--assess-every", "2s"];
    let mut demo = Demo::start(&data, 6, &options);
    let session = Session::administrator(&demo).await;
    let states = session.get("/states").await;
    let ids: Vec<u64> = states["cameras"].as_array().unwrap().iter().map(|c| c["id"].as_u64().unwrap()).collect();
    let paths: Vec<String> = ids.iter().map(|id| format!("/cameras/{id}/picture")).collect();

    // One camera is learned by itself, one is accepted by a person, one is called a false alarm.
    let usual = |p: &Value| learned(p) >= 5 && p["baseline"]["reference"]["id"].is_string() && p["level"].is_null();
    let by_itself = session.until("learned by itself", &paths[0], WITHIN, usual).await;
    let before = session.until("learned, too", &paths[1], WITHIN, usual).await;

    session.fault("camera", ids[2], "black", true).await;
    let found = |p: &Value| p["findings"][0]["cause"] == "picture_black" && p["level"] == "severe";
    session.until("a fault is found", &paths[2], WITHIN, found).await;
    let told = |s: &Value| state(s, ids[2])["cause"] == "picture_black";
    session.until("and told", "/states", WITHIN, told).await;
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 + 3_600_000;
    let alarm = json!({ "cause": "picture_black", "reason": "夜间停用补光", "until": until });
    session.post(&format!("{}/false-alarm", paths[2]), alarm).await;
    let quiet = |s: &Value| state(s, ids[2])["status"] == "online";
    session.until("a false alarm is not told", "/states", WITHIN, quiet).await;

    let seen = before["present"]["id"].as_str().unwrap();
    let accept = json!({ "action": "accept", "reason": "转向集市", "seen": seen });
    session.post(&format!("{}/baseline", paths[1]), accept).await;

    demo.kill();
    drop(demo);
    let mut demo = Demo::start(&data, 6, &options);
    let session = Session::administrator(&demo).await;
    let again = session.get(&paths[0]).await;
    assert!(learned(&again) >= 5, "learned anew: {again:#}");
    assert_eq!(again["baseline"]["reference"], by_itself["baseline"]["reference"]);
    let accepted = session.get(&paths[1]).await;
    assert_eq!(accepted["baseline"]["accepted_by"], "admin", "{accepted:#}");
    let named = |p: &Value| p["baseline"]["reference"]["id"] == seen;
    session.until("the accepted reference is shown", &paths[1], WITHIN, named).await;
    assert!(learned(&accepted) >= 1);
    // The simulated fault ended with the demo; the exception did not.
    session.fault("camera", ids[2], "black", true).await;
    let excepted = |p: &Value| p["findings"][0]["cause"] == "picture_black" && p["findings"][0]["excepted"] == true;
    let shown = session.until("the exception holds", &paths[2], WITHIN, excepted).await;
    assert_eq!((&shown["level"], &shown["exceptions"][0]["who"]), (&Value::Null, &json!("admin")));
    // Neither this class nor one that follows from it is told, however many pictures agree.
    let mut judged = shown["judged"].clone();
    for _ in 0..5 {
        let next = session.until("a further picture", &paths[2], WITHIN, |p| p["judged"] != judged).await;
        assert_eq!(next["level"], Value::Null, "{next:#}");
        judged = next["judged"].clone();
    }
    assert_eq!(state(&session.get("/states").await, ids[2])["status"], "online");
    let own = session.get("/self").await;
    assert_eq!((&own["verdicts"]["false_alarms"], &own["verdicts"]["exceptions"]), (&json!(1), &json!(1)));
    demo.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_not_current_while_the_camera_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut demo = Demo::start(&data, 6, &["--snapshot-every", "1s", "--assess-every", "2s"]);
    let session = Session::administrator(&demo).await;
    let states = session.get("/states").await;
    let id = states["cameras"][1]["id"].as_u64().unwrap();
    let picture = format!("/cameras/{id}/picture");
    session.until("judged", &picture, WITHIN, |p| p["outcome"] == "normal").await;
    session.fault("camera", id, "black", true).await;
    let found = |p: &Value| p["outcome"] == "severe" && p["findings"][0]["cause"] == "picture_black";
    let first = session.until("a fault is found", &picture, WITHIN, found).await;
    assert_eq!(first["unchecked_since"], Value::Null);
    let since = first["findings"][0]["since"].as_i64().unwrap();
    let after = |p: &Value| p["present"]["captured"].as_i64().is_some_and(|at| at > since);
    let seen = session.until("a snapshot of it", &picture, WITHIN, after).await;
    let findings = format!("/snapshots/{}/findings", seen["present"]["id"].as_str().unwrap());
    let lasts = |f: &Value| f[0]["cause"] == "picture_black" && f[0]["until"].is_null();
    session.until("what was found lasts", &findings, WITHIN, lasts).await;
    let captured = seen["present"]["captured"].as_i64().unwrap();
    let judged_since = |p: &Value| p["judged"].as_i64().is_some_and(|at| at > captured);
    session.until("it is still found after the snapshot", &picture, WITHIN, judged_since).await;

    // Nobody knows whether the picture still is black.
    session.fault("camera", id, "power_off", true).await;
    let away = session.until("it is away", &picture, WITHIN, |p| p["outcome"] == "no_stream").await;
    assert_eq!((&away["level"], &away["unchecked_since"]), (&Value::Null, &away["judged"]), "{away:#}");
    assert_eq!(
        (&away["findings"][0]["cause"], &away["findings"][0]["since"]),
        (&json!("picture_black"), &json!(since))
    );
    let ended = |f: &Value| f[0]["until"] == away["judged"];
    session.until("on record until it was last seen", &findings, WITHIN, ended).await;
    let (_, csv) = session.bytes("/diagnosis/results/file?format=csv&language=en").await;
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains(",no stream,") && !csv.contains(",severe,"), "{csv}");

    // It returns, still black: the same finding goes on.
    session.fault("camera", id, "power_off", false).await;
    let again = session.until("found again", &picture, WITHIN, found).await;
    assert_eq!((&again["unchecked_since"], &again["findings"][0]["since"]), (&Value::Null, &json!(since)), "{again:#}");
    session.until("and lasts again", &findings, WITHIN, lasts).await;
    session.fault("camera", id, "black", false).await;
    let good = session.until("good again", &picture, WITHIN, |p| p["outcome"] == "normal").await;
    assert_eq!(good["findings"], json!([]));
    demo.kill();
}
