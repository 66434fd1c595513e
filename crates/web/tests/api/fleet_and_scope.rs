//! What a user sees of the county, and that the rest does not exist for him.

use crate::support::{County, code};
use bytes::Bytes;
use fleet::{CameraId, Cause, SiteId, UplinkId, Wall};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::Role;
use web::DemoTarget;

fn ids(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_whole_county_is_named_and_stated() {
    let county = County::start().await;
    county.publish(&[(1, Cause::NoAnswer), (4, Cause::PictureBlack)]);
    let operator = county.signed_in(Role::Operator).await;
    let fleet = operator.json("/api/v1/fleet").await;
    assert_eq!(ids(&fleet["cameras"]), [1, 2, 3, 4, 5]);
    assert_eq!(fleet["sites"][2]["kind"], "village");
    let states = operator.json("/api/v1/states").await;
    assert_eq!(states["counts"], json!({ "online": 3, "impaired": 1, "offline": 1, "unknown": 0, "paused": 0 }));
    assert_eq!(states["cameras"][0]["cause"], "no_answer");
    assert_eq!(states["cameras"][0]["layer"], "network");
    assert_eq!(states["cameras"][3]["status"], "impaired");
    assert!(states["seq"].as_u64().unwrap() < 1 << 53, "JavaScript can count so far");
    let overview = operator.json("/api/v1/overview").await;
    assert_eq!(overview["total"], 5);
    assert_eq!(overview["online_rate"], 0.8);
    assert_eq!(overview["intact_rate"], 0.6);
    assert_eq!(overview["worst_sites"][0]["site"], 1);
    assert_eq!(overview["archive"]["state"], "ok");
}

#[tokio::test]
async fn an_unchanged_fleet_is_not_sent_again() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let etag = operator.get("/api/v1/fleet").await.headers()["etag"].clone();
    let again = operator.request(Method::GET, "/api/v1/fleet").header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn outside_a_users_scope_there_is_nothing() {
    let demo = std::sync::Arc::new(crate::support::ToyDemo::default());
    let county = County::with(|s| s.demo = Some(demo.clone())).await;
    for target in [DemoTarget::Camera(CameraId(4)), DemoTarget::Site(SiteId(1)), DemoTarget::Uplink(UplinkId(2))] {
        web::Demo::set(demo.as_ref(), target, "power_off", true).await.unwrap();
    }
    let far = crate::incidents::outage(7, &[4, 5]);
    let mixed = crate::incidents::outage(8, &[1, 4]);
    county.publish_with(&[(4, Cause::NoAnswer)], vec![far, mixed]);
    for camera in 1..=5 {
        county.services.gallery.put(CameraId(camera), Bytes::from_static(b"jpeg"), Wall::read());
    }
    county.user("zhang", Role::Operator, &[1], &[]).await;
    county.user("zhao", Role::Operator, &[], &[2]).await;
    let zhang = county.browser("zhang").await;
    let fleet = zhang.json("/api/v1/fleet").await;
    assert_eq!((ids(&fleet["towns"]), ids(&fleet["sites"])), (vec![1], vec![1, 2]));
    assert_eq!((ids(&fleet["uplinks"]), ids(&fleet["cameras"])), (vec![1], vec![1, 2, 3]));
    let states = zhang.json("/api/v1/states").await;
    assert_eq!(ids(&states["cameras"]), [1, 2, 3]);
    assert_eq!(states["counts"]["offline"], 0);
    assert_eq!(zhang.json("/api/v1/overview").await["total"], 3);
    for path in ["", "/ladder", "/history", "/thumbnail"] {
        assert_eq!(code(zhang.get(&format!("/api/v1/cameras/4{path}")).await).await, (404, "not_found".into()));
        if path != "/history" {
            assert_eq!(zhang.get(&format!("/api/v1/cameras/3{path}")).await.status(), StatusCode::OK, "{path}");
        }
    }
    for (path, body) in [
        ("/api/v1/cameras/4/check", json!({})),
        ("/api/v1/cameras/4/probe", json!({})),
        ("/api/v1/cameras/4/pause", json!({ "until": null, "reason": "x" })),
        ("/api/v1/incidents/7/acknowledge", json!({ "reason": "x", "until": null })),
        ("/api/v1/demo/fault", json!({ "target": { "kind": "camera", "id": 4 }, "fault": "power_off", "on": true })),
        ("/api/v1/demo/fault", json!({ "target": { "kind": "site", "id": 3 }, "fault": "power_off", "on": true })),
        ("/api/v1/demo/fault", json!({ "target": { "kind": "uplink", "id": 2 }, "fault": "power_off", "on": true })),
    ] {
        assert_eq!(code(zhang.post(path, &body).await).await, (404, "not_found".into()), "{path} {body}");
    }
    let all = json!({ "target": { "kind": "all" }, "fault": "power_off", "on": true });
    assert_eq!(zhang.post("/api/v1/demo/fault", &all).await.status(), StatusCode::BAD_REQUEST);
    assert!(county.command().is_none(), "nothing reached the core");
    let causes = zhang.json("/api/v1/demo").await;
    assert_eq!(causes["active"], json!([{ "target": { "kind": "site", "id": 1 }, "fault": "power_off" }]));
    let incidents = zhang.json("/api/v1/incidents?open=true").await;
    assert_eq!(ids(&incidents["items"]), [8]);
    assert_eq!(incidents["items"][0]["members"].as_array().unwrap().len(), 1, "members of others are not told");
    assert_eq!(zhang.get("/api/v1/incidents/7").await.status(), StatusCode::NOT_FOUND);
    let zhao = county.browser("zhao").await;
    assert_eq!(ids(&zhao.json("/api/v1/fleet").await["cameras"]), [3]);
    assert_eq!(ids(&zhao.json("/api/v1/fleet").await["towns"]), [1]);
}

#[tokio::test]
async fn a_cameras_account_never_leaves_the_service() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let page = admin.json("/api/v1/cameras/1").await;
    assert_eq!(page["camera"]["has_credentials"], true);
    assert_eq!(page["camera"]["main_url"], "rtsp://10.9.0.1/main");
    for path in ["/api/v1/cameras/1", "/api/v1/fleet", "/api/v1/cameras/1/ladder", "/api/v1/self"] {
        let text = admin.get(path).await.text().await.unwrap();
        assert!(!text.contains("camera-secret-42") && !text.contains("viewer"), "{path}");
    }
}

#[tokio::test]
async fn thumbnails_are_the_newest_and_kept_by_version() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let path = "/api/v1/cameras/2/thumbnail";
    assert_eq!(operator.get(path).await.status(), StatusCode::NOT_FOUND, "no placeholder");
    let version = county.services.gallery.put(CameraId(2), Bytes::from_static(b"first"), Wall(1_600_000_000_000));
    let state = operator.json("/api/v1/cameras/2").await;
    assert_eq!(state["state"]["thumb"], version);
    let picture = operator.get(&format!("{path}?v={version}")).await;
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    assert!(picture.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(picture.headers()["last-modified"], "Sun, 13 Sep 2020 12:26:40 GMT");
    let etag = picture.headers()["etag"].clone();
    assert_eq!(picture.bytes().await.unwrap(), "first");
    let again = operator.request(Method::GET, path).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    county.services.gallery.put(CameraId(2), Bytes::from_static(b"second"), Wall(1_600_000_001_000));
    let stale = operator.get(&format!("{path}?v={version}")).await;
    assert!(!stale.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(stale.bytes().await.unwrap(), "second");
}

#[tokio::test]
async fn the_ladder_says_where_a_camera_fails() {
    let county = County::start().await;
    county.publish(&[(1, Cause::PasswordRefused)]);
    let operator = county.signed_in(Role::Operator).await;
    let ladder = operator.json("/api/v1/cameras/1/ladder").await;
    assert_eq!((&ladder["layer"], &ladder["source"]), (&json!("auth"), &json!("session")));
    let outcomes: Vec<&str> =
        ladder["rungs"].as_array().unwrap().iter().map(|r| r["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["passed", "passed", "passed", "passed", "failed", "skipped", "skipped", "skipped", "skipped", "skipped"]
    );
    assert_eq!(ladder["rungs"][4]["cause"], "password_refused");
}

#[tokio::test]
async fn who_sees_a_part_of_the_county_reads_his_own_deeds_alone() {
    let county = County::start().await;
    county.user("east", Role::Auditor, &[1], &[]).await;
    let admin = county.signed_in(Role::Administrator).await;
    assert_eq!(admin.post("/api/v1/cameras/4/check", &json!({})).await.status(), StatusCode::ACCEPTED);
    let east = county.browser("east").await;
    let told = east.json("/api/v1/audit").await;
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!((&told["items"][0]["who"], &told["items"][0]["action"]), (&json!("east"), &json!("sign_in")));
    assert_eq!(east.json("/api/v1/audit?who=administrator1").await["items"], json!([]));
    let file = east.get("/api/v1/audit/file").await.text().await.unwrap();
    assert!(file.contains("east") && !file.contains("administrator1"), "{file}");
    assert_eq!(admin.json("/api/v1/audit").await["items"].as_array().unwrap().len(), 4);
}
