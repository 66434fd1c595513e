//! The verdict on a picture and what people say of it: confirmed, a false alarm with its end, a new normal.

use crate::{
    snapshots::{recent, store_one},
    support::{County, code},
};
use fleet::{CameraId, Cause, Wall};
use health::{
    IncidentId, Severity,
    desk::{Act, Actor, Assignee, Desk, NewOrder, OrderState},
};
use picture::{Finding, Learned, Level, NotAccepted, Region};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use store::Role;
use web::{Command, Held, Judged, PictureOrder};

const PATH: &str = "/api/v1/cameras/3/picture";

fn held(cause: Cause, since: i64) -> Held {
    let finding = Finding {
        cause,
        level: Level::Severe,
        confidence: 0.9,
        measured: 0.004,
        threshold: 0.012,
        region: Region::of(|cell| cell % 32 < 16),
        twin: None,
        detail: "sharpness 0.004 (limit 0.012)".into(),
    };
    Held { finding, since: Wall(since) }
}

/// A county in which camera 3 is blurred, and an order about cameras 2 and 3 is given to whoever repairs.
async fn county() -> County {
    let county = County::start().await;
    let order = NewOrder {
        incident: IncidentId(1),
        cameras: vec![CameraId(2), CameraId(3)],
        town: None,
        severity: Severity::Minor,
        by: "desk".into(),
        at: Wall::read(),
        state: OrderState::Confirmed,
        note: String::new(),
    };
    let order = county.services.store.add_order(order).await.unwrap();
    let given = Act::Assign(Assignee::Contractor("某单位".into()), None);
    let order = Desk::default().act(&order, Actor::Desk, "desk", given, Wall::read()).unwrap();
    county.services.store.update_order(&order).await.unwrap();
    let judged = Judged {
        at: Some(Wall::read()),
        findings: vec![held(Cause::PictureBlurred, 1000)],
        learned: Learned { day: 7, needed: 5, settled: 24, ..Learned::default() },
        ..Judged::default()
    };
    county.services.verdicts.put(CameraId(3), judged);
    county
}

fn in_a_day() -> i64 {
    Wall::read().0 + 86_400_000
}

#[tokio::test]
async fn a_verdict_comes_with_its_figures() {
    let county = county().await;
    let technician = county.signed_in(Role::Technician).await;
    let picture = technician.json(PATH).await;
    assert_eq!(picture["level"], "severe", "{picture:#}");
    let finding = &picture["findings"][0];
    assert_eq!((finding["cause"].as_str(), finding["since"].as_i64()), (Some("picture_blurred"), Some(1000)));
    assert!(finding["measured"].as_f64() < finding["threshold"].as_f64() && finding["excepted"] == false);
    assert_eq!(picture["baseline"]["day"], 7);
    // A camera that was not judged yet is not called normal.
    let unseen = technician.json("/api/v1/cameras/2/picture").await;
    assert_eq!((&unseen["judged"], &unseen["level"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_technician_confirms_and_does_no_more() {
    let county = county().await;
    let technician = county.signed_in(Role::Technician).await;
    let confirm = json!({ "cause": "picture_blurred" });
    assert_eq!(technician.post(&format!("{PATH}/confirm"), &confirm).await.status(), StatusCode::NO_CONTENT);
    let picture = technician.json(PATH).await;
    assert_eq!(picture["findings"][0]["said"], "confirmed");
    assert_eq!(picture["words"][0]["who"], "technician1");
    let alarm = json!({ "cause": "picture_blurred", "reason": "雾", "until": in_a_day() });
    for (path, body) in [("false-alarm", alarm), ("baseline", json!({ "action": "reset", "reason": "x" }))] {
        let refused = technician.post(&format!("{PATH}/{path}"), &body).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
    }
    // Once or often: it is one verdict.
    technician.post(&format!("{PATH}/confirm"), &confirm).await;
    let own = county.signed_in(Role::Operator).await.json("/api/v1/self").await;
    assert_eq!(own["verdicts"]["confirmed"], 1, "{own:#}");
    assert_eq!(own["verdicts"]["confirmed_share"], 1.0);
}

#[tokio::test]
async fn a_false_alarm_is_not_told_until_its_end() {
    let county = county().await;
    let operator = county.signed_in(Role::Operator).await;
    let until = in_a_day();
    let alarm = |until: i64| json!({ "cause": "picture_blurred", "reason": "清晨大雾", "until": until });
    let path = format!("{PATH}/false-alarm");
    for bad in [
        alarm(5),
        alarm(i64::MAX),
        json!({ "cause": "picture_blurred", "reason": " ", "until": until }),
        json!({ "cause": "no_answer", "reason": "x", "until": until }),
        json!({ "cause": "nonsense", "reason": "x", "until": until }),
    ] {
        assert_eq!(operator.post(&path, &bad).await.status(), StatusCode::BAD_REQUEST, "{bad}");
    }
    let absent = json!({ "cause": "scene_moved", "reason": "x", "until": until });
    assert_eq!(code(operator.post(&path, &absent).await).await, (409, "no_such_verdict".into()));
    assert!(county.command().is_none());

    assert_eq!(operator.post(&path, &alarm(until)).await.status(), StatusCode::NO_CONTENT);
    let Some(Command::Picture(PictureOrder::Except { camera, cause, until: told })) = county.command() else {
        panic!("the node was not told")
    };
    assert_eq!((camera, cause, told), (CameraId(3), Cause::PictureBlurred, Wall(until)));
    let picture = operator.json(PATH).await;
    let exception = &picture["exceptions"][0];
    assert_eq!((exception["who"].as_str(), exception["until"].as_i64()), (Some("operator1"), Some(until)));
    assert_eq!(exception["reason"], "清晨大雾");
    assert_eq!(operator.json("/api/v1/self").await["verdicts"]["confirmed_share"], 0.0);

    let end = |cause: &str| operator.request(Method::DELETE, &format!("{PATH}/exceptions/{cause}")).send();
    assert_eq!(end("picture_blurred").await.unwrap().status(), StatusCode::NO_CONTENT);
    let Some(Command::Picture(PictureOrder::Except { until, .. })) = county.command() else { panic!("not told") };
    assert!(until <= Wall::read());
    assert_eq!(operator.json(PATH).await["exceptions"], json!([]));
    for gone in ["picture_blurred", "nonsense"] {
        assert_eq!(end(gone).await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    let actions: Vec<String> = county.audited().await.into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["sign_in", "verdict_false_alarm", "exception_ended"]);
}

#[tokio::test]
async fn the_present_picture_becomes_the_new_normal() {
    let county = county().await;
    let operator = county.signed_in(Role::Operator).await;
    let path = format!("{PATH}/baseline");
    let stored = store_one(&county, 3, recent()).await;
    let accept = |seen: Value| json!({ "action": "accept", "reason": "转向集市", "seen": seen });
    let elsewhere = store_one(&county, 1, recent()).await;
    for unknown in [json!(format!("{:08x}{:016x}{:08x}", 3, 1, 2)), json!(elsewhere.id.to_string()), Value::Null] {
        let bad = operator.post(&path, &accept(unknown.clone())).await;
        assert_eq!(bad.status(), StatusCode::BAD_REQUEST, "{unknown}: nobody saw it");
    }
    let seen = accept(json!(stored.id.to_string()));
    let unseen = operator.post("/api/v1/cameras/2/picture/baseline", &seen).await;
    assert_eq!(code(unseen).await, (409, "no_such_verdict".into()));

    let told = async || {
        loop {
            match county.command() {
                Some(Command::Picture(order)) => return order,
                Some(other) => panic!("{other:?}"),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    for (why, expected) in [
        (NotAccepted::OtherLight, "other_light"),
        (NotAccepted::Changed, "picture_changed"),
        (NotAccepted::Fault(Cause::PictureBlack), "picture_faulty"),
        (NotAccepted::NotJudged, "no_such_verdict"),
    ] {
        let node = async {
            let PictureOrder::Accept { refused, features, .. } = told().await else { panic!("something else") };
            assert_eq!(features.size(), (64, 48), "what was measured on the snapshot");
            refused.send(why).unwrap();
        };
        let (answer, ()) = tokio::join!(operator.post(&path, &seen), node);
        assert_eq!(code(answer).await, (409, expected.to_owned()));
    }
    for body in [seen, json!({ "action": "reset", "reason": "转向集市" })] {
        // The answer comes when the node says that it is stored, not before.
        let node = async {
            let done = match told().await {
                PictureOrder::Accept { by, seen, done, .. } => {
                    assert_eq!((by.as_str(), seen), ("operator1", stored.id.to_string()));
                    done
                }
                PictureOrder::Reset { done, .. } => done,
                other => panic!("{other:?}"),
            };
            done.send(()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(operator.post(&path, &body), node);
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{body}");
    }
    let actions: Vec<String> = county.audited().await.into_iter().map(|(action, ..)| action).collect();
    // What was tried is on record, and that it was refused.
    let accepted = actions.iter().filter(|a| *a == "baseline_accepted").count();
    assert_eq!((accepted, actions.last().map(String::as_str)), (2 * 4 + 1, Some("baseline_reset")));
}

#[tokio::test]
async fn cameras_out_of_scope_have_no_picture() {
    let county = county().await;
    county.user("east", Role::Operator, &[2], &[]).await;
    let east = county.browser("east").await;
    assert_eq!(east.get(PATH).await.status(), StatusCode::NOT_FOUND);
    let confirm = json!({ "cause": "picture_blurred" });
    assert_eq!(east.post(&format!("{PATH}/confirm"), &confirm).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_pictures_show_is_told_in_words_only_to_those_who_may_see_them() {
    let county = County::start().await;
    county.publish(&[(1, Cause::PictureBlurred), (2, Cause::SamePicture), (3, Cause::NoAnswer)]);
    county.user("west", Role::Operator, &[1], &[]).await;
    let (operator, technician) = (county.signed_in(Role::Operator).await, county.signed_in(Role::Technician).await);
    let west = county.browser("west").await;
    // The test's rows say the code of their cause.
    let rung = async |browser: &crate::support::Browser<'_>, camera: u32| {
        let ladder = browser.json(&format!("/api/v1/cameras/{camera}/ladder")).await;
        let rungs = ladder["rungs"].as_array().unwrap().clone();
        rungs.into_iter().find(|r| r["cause"].is_string()).unwrap()["evidence"].as_str().unwrap().to_owned()
    };
    assert_eq!(rung(&operator, 1).await, "picture_blurred");
    assert_eq!(rung(&operator, 2).await, "same_picture");
    assert_eq!(rung(&technician, 1).await, "", "he has no order for it");
    assert_eq!(rung(&technician, 3).await, "no_answer", "what is no picture he is told");
    assert_eq!(rung(&west, 1).await, "picture_blurred");
    assert_eq!(rung(&west, 2).await, "", "the other camera may be outside his part of the county");
    for browser in [&operator, &technician] {
        let states = browser.json("/api/v1/states").await;
        let told: Vec<&str> =
            states["cameras"].as_array().unwrap().iter().map(|c| c["detail"].as_str().unwrap()).collect();
        assert_eq!(told, ["", "", "no_answer", "", ""]);
    }
}
