//! The register by hand: one or many cameras, sites, uplinks, an address tried, changes taken back.

use crate::support::{Browser, County, code};
use fleet::{CameraId, LifeCycle, SiteId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::Role;

async fn edit(admin: &Browser<'_>, cameras: &[u32], cells: Value) -> Value {
    let body = json!({ "cameras": cameras, "cells": cells, "dry_run": false });
    let response = admin.post("/api/v1/register/cameras", &body).await;
    let status = response.status();
    let report: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

async fn put(admin: &Browser<'_>, path: &str, body: Value) -> reqwest::Response {
    admin.request(Method::PUT, path).json(&body).send().await.unwrap()
}

#[tokio::test]
async fn one_camera_is_changed_seen_at_once_and_changed_back() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let record = admin.json("/api/v1/register/cameras/1").await;
    assert_eq!((&record["cells"]["name"], &record["cells"]["username"]), (&json!("村口1"), &json!("viewer")));
    assert!(record["cells"].get("password").is_none() && !record.to_string().contains("camera-secret-42"));

    let dry = json!({ "cameras": [1], "cells": { "name": "新名" } });
    let dry: Value = admin.post("/api/v1/register/cameras", &dry).await.json().await.unwrap();
    assert_eq!((&dry["applied"], &dry["counts"]["changed"]), (&json!(false), &json!(1)), "a dry run by default");
    assert!(county.command().is_none());
    let done = edit(&admin, &[1], json!({ "name": "新名", "main_url": "rtsp://10.9.7.7/main" })).await;
    assert_eq!((&done["applied"], &done["rows"][0]["fields"]), (&json!(true), &json!(["name", "main_url"])));
    let Some(web::Command::Registry(told)) = county.command() else { panic!("the node was not told") };
    let camera = told.camera(CameraId(1)).unwrap();
    assert_eq!(camera.credentials.as_ref().unwrap().password.expose(), "camera-secret-42", "left out: kept");
    assert_eq!(admin.json("/api/v1/cameras/1").await["camera"]["name"], "新名");

    let refused = edit(&admin, &[1], json!({ "main_url": "rtsp://10.9.0.2/main" })).await;
    assert_eq!((&refused["applied"], &refused["rows"][0]["faults"][0]["column"]), (&json!(false), &json!("main_url")));
    for (cameras, cells, expected) in [
        (json!([1]), json!({ "nonsense": "x" }), 400),
        (json!([1]), json!({}), 400),
        (json!([]), json!({ "name": "x" }), 400),
        (json!([1, 1]), json!({ "vendor": "x" }), 400),
        (json!([4242]), json!({ "name": "x" }), 404),
    ] {
        let body = json!({ "cameras": cameras, "cells": cells, "dry_run": false });
        assert_eq!(admin.post("/api/v1/register/cameras", &body).await.status(), expected, "{body}");
    }

    let changes = admin.json("/api/v1/register/changes").await;
    assert_eq!((&changes["items"][0]["kind"], &changes["items"][0]["changed"]), (&json!("edit"), &json!(1)));
    let undo = format!("/api/v1/register/changes/{}/undo", changes["items"][0]["id"]);
    assert_eq!(admin.post(&undo, &json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(admin.json("/api/v1/cameras/1").await["camera"]["main_url"], "rtsp://10.9.0.1/main");
    assert_eq!(code(admin.post(&undo, &json!({})).await).await, (409, "conflict".into()));
    let log = county.audited().await;
    for action in ["register_changed", "register_change_undone"] {
        assert!(log.contains(&(action.into(), "administrator1".into(), true)), "{action}");
    }
}

#[tokio::test]
async fn many_cameras_are_changed_together_or_not_at_all() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let done = edit(&admin, &[1, 2, 4], json!({ "upkeep_unit": "甲公司", "life_cycle": "repair" })).await;
    assert_eq!(done["counts"]["changed"], 3);
    let registry = county.services.store.registry().await.unwrap();
    let of = |id| registry.camera(CameraId(id)).unwrap().clone();
    assert_eq!((of(2).upkeep.unit.as_deref(), of(4).life_cycle), (Some("甲公司"), LifeCycle::Repair));
    assert_eq!((of(3).upkeep.unit, of(3).life_cycle), (None, LifeCycle::InUse), "the others stay");
    let refused = edit(&admin, &[1, 2], json!({ "main_url": "rtsp://10.9.8.8/main" })).await;
    assert_eq!(refused["applied"], false, "one address for two");
    let file = admin.get("/api/v1/register/file").await;
    assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"cameras.csv\"");
    let file = file.text().await.unwrap();
    assert!(file.contains("甲公司") && !file.contains("camera-secret-42"));
}

#[tokio::test]
async fn sites_and_uplinks_are_renamed_and_names_stay_their_own() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let site = json!({ "name": "东新村", "kind": "central_area", "town": 2, "stat_code": "430000000001" });
    assert_eq!(put(&admin, "/api/v1/register/sites/1", site.clone()).await.status(), StatusCode::OK);
    assert_eq!(admin.json("/api/v1/register/sites/1").await["name"], "东新村");
    let registry = county.services.store.registry().await.unwrap();
    assert_eq!(registry.site(SiteId(1)).unwrap().town, fleet::TownId(2));
    let taken = json!({ "name": "西村", "kind": "village", "town": 2, "stat_code": null });
    assert_eq!(code(put(&admin, "/api/v1/register/sites/1", taken).await).await, (409, "conflict".into()));
    for (field, bad) in [("name", json!(" ")), ("town", json!(99)), ("kind", json!("city"))] {
        let mut body = site.clone();
        body[field] = bad;
        assert_eq!(put(&admin, "/api/v1/register/sites/1", body).await.status(), 400, "{field}");
    }
    assert_eq!(put(&admin, "/api/v1/register/sites/99", site).await.status(), 404);

    let uplink = json!({ "name": "东村主链路", "olt": "OLT-1", "budget_kbps": 20_000 });
    let changed: Value = put(&admin, "/api/v1/register/uplinks/1", uplink).await.json().await.unwrap();
    assert_eq!((&changed["olt"], &changed["cameras"]), (&json!("OLT-1"), &json!(2)));
    assert_eq!(admin.json("/api/v1/register/uplinks/1").await, changed);
    let free = json!({ "name": "东村主链路", "olt": null, "budget_kbps": 0 });
    assert_eq!(put(&admin, "/api/v1/register/uplinks/1", free).await.status(), 400);
    let taken = json!({ "name": "西村链路", "olt": null, "budget_kbps": null });
    assert_eq!(code(put(&admin, "/api/v1/register/uplinks/1", taken).await).await, (409, "conflict".into()));
}

#[tokio::test]
async fn an_address_is_tried_before_it_is_saved() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let bad = json!({ "camera": null, "main_url": "http://10.9.0.1/" });
    assert_eq!(code(admin.post("/api/v1/register/trial", &bad).await).await, (400, "invalid".into()));
    // This machine is no camera's network here, so the very first rung says so, and nothing is sent anywhere.
    let trial = json!({ "camera": 1, "main_url": "rtsp://127.0.0.1:9/main", "username": "viewer" });
    let ladder: Value = admin.post("/api/v1/register/trial", &trial).await.json().await.unwrap();
    assert_eq!((&ladder["layer"], &ladder["cause"]), (&json!("address"), &json!("address_forbidden")));
    assert!(!ladder.to_string().contains("camera-secret-42"));
    assert_eq!(admin.json("/api/v1/cameras/1").await["camera"]["main_url"], "rtsp://10.9.0.1/main", "nothing saved");
}

#[tokio::test]
async fn a_workbook_is_imported_like_a_table_and_taken_back() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    let rows = [["乡镇", "点位所属", "摄像机名称", "主码流地址"], ["东镇", "北村", "桥头", "rtsp://10.9.5.5/main"]];
    for (line, row) in (0..).zip(rows) {
        for (column, text) in (0..).zip(row) {
            page.write_string(line, column, text).unwrap();
        }
    }
    let file = book.save_to_buffer().unwrap();
    let send = |file: Vec<u8>| {
        admin
            .request(Method::POST, "/api/v1/import?dry_run=false")
            .header("content-type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
            .body(file)
            .send()
    };
    let report: Value = send(file).await.unwrap().json().await.unwrap();
    assert_eq!((&report["applied"], &report["counts"]["added"]), (&json!(true), &json!(1)));
    let Some(web::Command::Registry(told)) = county.command() else { panic!("the node was not told") };
    let added = told.cameras().find(|c| c.name == "桥头").unwrap().id;
    let changes = admin.json("/api/v1/register/changes").await;
    assert_eq!((&changes["items"][0]["kind"], &changes["items"][0]["added"]), (&json!("import"), &json!(1)));
    let undo = format!("/api/v1/register/changes/{}/undo", changes["items"][0]["id"]);
    assert_eq!(admin.post(&undo, &json!({})).await.status(), StatusCode::NO_CONTENT);
    let registry = county.services.store.registry().await.unwrap();
    assert_eq!(registry.camera(added).unwrap().life_cycle, LifeCycle::Dismantled);
    assert_eq!(code(send(b"PK no workbook".to_vec()).await.unwrap()).await, (400, "invalid".into()));
}
