//! What is set for one camera's diagnosis, what was found when a snapshot was taken, the results as a file.

use crate::{
    snapshots::{recent, store_one},
    support::County,
};
use fleet::{CameraId, Cause, Wall};
use picture::{CameraSettings, Finding, Level, Region};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{Fact, FaultLevel, FindingRecord, Role};
use web::{Command, Held, Judged, PictureOrder};

const CLASSES: &str = "/api/v1/cameras/3/picture/classes";

fn held(cause: Cause) -> Held {
    let finding = Finding {
        cause,
        level: Level::Severe,
        confidence: 0.9,
        measured: 0.6,
        threshold: 0.35,
        region: Region::of(|cell| cell % 32 < 16),
        twin: None,
        detail: "60 % has no texture".into(),
    };
    Held { finding, since: Wall(1000) }
}

#[tokio::test]
async fn classes_and_limits_of_one_camera_are_set_by_an_administrator() {
    let county = County::start().await;
    let administrator = county.signed_in(Role::Administrator).await;
    let set = |body: Value| administrator.request(Method::PUT, CLASSES).json(&body).send();
    let classes = json!([
        { "cause": "picture_blurred", "on": false, "limit": null },
        { "cause": "picture_too_dark", "on": true, "limit": 15.5 },
        { "cause": "picture_noise", "on": true, "limit": null },
    ]);
    for (bad, named) in [
        (json!({ "classes": [{ "cause": "picture_too_dark", "on": true, "limit": 999 }], "reason": "x" }), "0 to 120"),
        (json!({ "classes": [{ "cause": "same_picture", "on": true, "limit": 1 }], "reason": "x" }), "same_picture"),
        (json!({ "classes": [{ "cause": "no_rtp", "on": false }], "reason": "x" }), "no_rtp"),
        (json!({ "classes": classes, "reason": " " }), "reason"),
        (
            json!({ "classes": [{ "cause": "scene_moved", "on": true }, { "cause": "scene_moved", "on": false }], "reason": "x" }),
            "twice",
        ),
    ] {
        let refused = set(bad.clone()).await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad}");
        let text = refused.text().await.unwrap();
        assert!(text.contains(named), "{text}");
    }
    assert!(county.command().is_none());
    let good = json!({ "classes": classes, "reason": "面向河面，夜间偏暗" });
    assert_eq!(set(good.clone()).await.unwrap().status(), StatusCode::NO_CONTENT);
    let Some(Command::Picture(PictureOrder::Set { camera, settings })) = county.command() else { panic!("not told") };
    let limits = vec![(Cause::PictureTooDark, 15.5)];
    assert_eq!((camera, &settings), (CameraId(3), &CameraSettings { off: vec![Cause::PictureBlurred], limits }));
    let stored = county.services.store.diagnosis_settings().await.unwrap();
    assert_eq!((stored.len(), stored[0].classes.len(), stored[0].who.as_str()), (1, 2, "administrator1"));
    // The page shows what holds, with what can be set.
    county.services.verdicts.put(CameraId(3), Judged { settings, ..Judged::default() });
    let picture = administrator.json("/api/v1/cameras/3/picture").await;
    let class =
        |cause: &str| picture["classes"].as_array().unwrap().iter().find(|c| c["cause"] == cause).unwrap().clone();
    assert_eq!(class("picture_blurred")["on"], false);
    assert_eq!(
        (&class("picture_too_dark")["limit"], &class("picture_too_dark")["usual"]),
        (&json!(15.5), &json!(24.0))
    );
    assert_eq!((&class("same_picture")["lowest"], &class("same_picture")["on"]), (&Value::Null, &json!(true)));
    for role in [Role::Operator, Role::Technician, Role::Auditor] {
        let other = county.signed_in(role).await;
        let refused = other.request(Method::PUT, CLASSES).json(&good).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{role:?}");
    }
    let audited = county.audited().await;
    assert!(audited.iter().any(|(action, ..)| action == "diagnosis_set"), "{audited:?}");
}

#[tokio::test]
async fn a_snapshot_comes_with_what_was_found_when_it_was_taken() {
    let county = County::start().await;
    let captured = recent();
    let one = store_one(&county, 1, captured).await;
    let finding = |cause, since: i64, until: Option<i64>| {
        Fact::Finding(FindingRecord {
            camera: CameraId(1),
            cause,
            since: Wall(captured + since),
            until: until.map(|t| Wall(captured + t)),
            level: FaultLevel::Severe,
            confidence: 0.9,
            measured: 0.6,
            threshold: 0.35,
            region: Region::of(|cell| cell % 32 < 16).to_bytes(),
            twin: None,
            detail: "60 %".into(),
        })
    };
    let facts = [
        finding(Cause::PictureCovered, -60_000, None),
        finding(Cause::PictureBlurred, -90_000, Some(-60_000)),
        finding(Cause::PictureBlack, 60_000, None),
    ];
    county.services.store.record(&facts).await.unwrap();
    let operator = county.signed_in(Role::Operator).await;
    let found = operator.json(&format!("/api/v1/snapshots/{}/findings", one.id)).await;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!((&found[0]["cause"], &found[0]["level"]), (&json!("picture_covered"), &json!("severe")));
    assert_eq!(found[0]["areas"], json!([{ "left": 0.0, "top": 0.0, "width": 0.5, "height": 1.0 }]));
    for gone in ["nonsense", &format!("{:08x}{:016x}{:08x}", 1, 1, 2)] {
        let missing = operator.get(&format!("/api/v1/snapshots/{gone}/findings")).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{gone}");
    }
    county.user("east", Role::Operator, &[2], &[]).await;
    let east = county.browser("east").await;
    assert_eq!(east.get(&format!("/api/v1/snapshots/{}/findings", one.id)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn results_are_a_file_in_the_words_of_the_field() {
    let county = County::start().await;
    county.publish(&[(1, Cause::PasswordRefused), (2, Cause::NoRtp), (3, Cause::PictureCovered)]);
    let judged = |findings| Judged { at: Some(Wall::read()), findings, ..Judged::default() };
    county.services.verdicts.put(CameraId(3), judged(vec![held(Cause::PictureCovered)]));
    let settings = CameraSettings { off: vec![Cause::PictureNoise], limits: Vec::new() };
    county.services.verdicts.put(CameraId(4), Judged { settings, ..judged(Vec::new()) });
    // What a camera showed before it went offline is no result of today.
    county.services.verdicts.put(CameraId(2), judged(vec![held(Cause::PictureBlack)]));
    let auditor = county.signed_in(Role::Auditor).await;
    let csv = auditor.get("/api/v1/diagnosis/results/file?format=csv").await.text().await.unwrap();
    assert!(
        csv.contains("诊断结果") && csv.contains("视频遮挡") && csv.contains("雪花噪声") && csv.contains("场景变换"),
        "{csv}"
    );
    let line = |id: u32| {
        let found = csv.lines().find(|l| l.contains(&format!(",村口{id},")));
        found.unwrap_or_else(|| panic!("{id}: {csv}")).to_owned()
    };
    assert!(line(1).contains("登录失败") && !line(1).contains("正常"), "{}", line(1));
    assert!(line(2).contains("无视频流") && !line(2).contains("严重"), "{}", line(2));
    assert!(line(3).contains("严重") && line(3).contains("60 % has no texture"), "{}", line(3));
    assert!(line(4).contains("正常") && line(4).matches("未检测").count() == 1, "{}", line(4));
    let english = auditor.get("/api/v1/diagnosis/results/file?format=csv&language=en").await.text().await.unwrap();
    assert!(english.contains("login failed") && english.contains("occlusion"), "{english}");
    let xlsx = auditor.get("/api/v1/diagnosis/results/file?format=xlsx").await;
    assert_eq!(&xlsx.bytes().await.unwrap()[..2], b"PK");
    assert_eq!(auditor.get("/api/v1/diagnosis/results/file?format=pdf").await.status(), StatusCode::BAD_REQUEST);
    county.user("east", Role::Operator, &[2], &[]).await;
    let east =
        county.browser("east").await.get("/api/v1/diagnosis/results/file?format=csv").await.text().await.unwrap();
    assert!(east.contains(",村口4,") && !east.contains(",村口1,"), "only what one may see: {east}");
}

#[tokio::test]
async fn a_camera_without_a_picture_has_an_outcome_of_its_own_and_no_fault_of_the_picture() {
    let county = County::start().await;
    let judged = |findings| Judged { at: Some(Wall(5000)), findings, ..Judged::default() };
    for id in 1..=5 {
        county.services.verdicts.put(CameraId(id), judged(vec![held(Cause::PictureBlack)]));
    }
    let operator = county.signed_in(Role::Operator).await;
    county.publish(&[(1, Cause::PictureBlack)]);
    let now = operator.json("/api/v1/cameras/1/picture").await;
    assert_eq!((&now["outcome"], &now["level"]), (&json!("severe"), &json!("severe")), "{now:#}");
    assert_eq!(now["unchecked_since"], Value::Null);
    county.publish(&[
        (1, Cause::PasswordRefused),
        (2, Cause::NoRtp),
        (3, Cause::DecodeFailed),
        (4, Cause::Maintenance),
    ]);
    for (id, outcome) in [(1, "login_failed"), (2, "no_stream"), (3, "not_decoded"), (4, "not_checked")] {
        let picture = operator.json(&format!("/api/v1/cameras/{id}/picture")).await;
        assert_eq!((&picture["outcome"], &picture["level"]), (&json!(outcome), &Value::Null), "{picture:#}");
        assert_eq!(picture["unchecked_since"], 5000, "{picture:#}");
        // What was found last is still told, as of then.
        assert_eq!((&picture["judged"], &picture["findings"][0]["cause"]), (&json!(5000), &json!("picture_black")));
    }
    // Never judged since the start, though it is online.
    county.services.verdicts.put(CameraId(5), Judged::default());
    let fresh = operator.json("/api/v1/cameras/5/picture").await;
    assert_eq!((&fresh["outcome"], &fresh["unchecked_since"]), (&json!("not_checked"), &Value::Null), "{fresh:#}");
}
