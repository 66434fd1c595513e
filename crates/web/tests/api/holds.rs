//! Holds, the nearest snapshot, and the audit log held against the signed manifests.

use crate::{
    snapshots::{recent, store_one},
    support::{County, code, until},
};
use fleet::Wall;
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::Role;

#[tokio::test]
async fn a_hold_is_placed_listed_and_ended_with_reasons_in_the_log() {
    let county = County::start().await;
    let auditor = county.signed_in(Role::Auditor).await;
    let now = Wall::read().0;
    let body = json!({ "kind": "legal", "site": 1, "from": now - 1000, "until": now, "reason": "案件核查",
        "document": "调证〔2026〕3号" });
    let placed = auditor.post("/api/v1/holds", &body).await;
    assert_eq!(placed.status(), StatusCode::CREATED);
    let placed: Value = placed.json().await.unwrap();
    assert_eq!((&placed["cameras"], &placed["holds"]), (&json!([1, 2]), &json!(true)));
    let with = |change: Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (change, expected) in [
        (json!({ "kind": "whim" }), (400, "invalid")),
        (json!({ "reason": "" }), (400, "invalid")),
        (json!({ "document": " " }), (400, "invalid")),
        (json!({ "until": now - 1000 }), (400, "invalid")),
        (json!({ "expires": now - 1 }), (400, "invalid")),
        (json!({ "site": 99 }), (404, "not_found")),
    ] {
        let refused = auditor.post("/api/v1/holds", &with(change.clone())).await;
        assert_eq!(code(refused).await, (expected.0, expected.1.to_owned()), "{change}");
    }
    county.user("shen", Role::Auditor, &[2], &[]).await;
    let shen = county.browser("shen").await;
    assert_eq!(shen.json("/api/v1/holds").await["items"], json!([]));
    let release = format!("/api/v1/holds/{}/release", placed["id"]);
    let why = json!({ "reason": "结案" });
    assert_eq!(code(shen.post(&release, &why).await).await, (404, "not_found".into()));
    let ended: Value = auditor.post(&release, &why).await.json().await.unwrap();
    assert_eq!((&ended["holds"], &ended["release_reason"]), (&json!(false), &json!("结案")));
    assert_eq!(code(auditor.post(&release, &why).await).await, (400, "invalid".into()));
    let log = county.audited().await;
    assert!(log.iter().any(|(a, ..)| a == "hold_placed") && log.iter().any(|(a, ..)| a == "hold_released"));
}

#[tokio::test]
async fn the_nearest_snapshot_is_found_within_the_scope() {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    let slot = recent();
    let (early, late) = (store_one(&county, 1, slot - 60_000).await, store_one(&county, 1, slot).await);
    county.user("an", Role::Operator, &[1], &[]).await;
    let operator = county.browser("an").await;
    for (at, expected) in [(slot - 50_000, &early), (slot - 10_000, &late), (0, &early), (i64::MAX, &late)] {
        let found = operator.json(&format!("/api/v1/snapshots/nearest?camera=1&at={at}")).await;
        assert_eq!(found["id"], expected.id.to_string(), "{at}");
    }
    for nothing in ["camera=2&at=5", "camera=4&at=5", "camera=99&at=5"] {
        let path = format!("/api/v1/snapshots/nearest?{nothing}");
        assert_eq!(code(operator.get(&path).await).await, (404, "not_found".into()), "{nothing}");
    }
    assert_eq!(code(operator.get("/api/v1/snapshots/nearest?camera=1").await).await, (400, "invalid".into()));
}

#[tokio::test]
async fn the_log_is_anchored_in_the_signed_manifests() {
    let county = County::start().await;
    let auditor = county.signed_in(Role::Auditor).await;
    // What starts the anchoring here is an export; else it happens every ten minutes.
    let one = store_one(&county, 1, recent()).await;
    let asked = json!({ "snapshots": [one.id], "reason": "案件核查", "document": "7" });
    auditor.post("/api/v1/exports", &asked).await;
    let path = "/api/v1/audit/verification";
    until("an anchor", || async { auditor.json(path).await["anchored_to"].as_u64().is_some_and(|seq| seq >= 4) }).await;
    let seen = auditor.json(path).await;
    assert_eq!((&seen["first_wrong"], &seen["anchors"], &seen["anchors_wrong"]), (&Value::Null, &json!(1), &json!([])));
    // The manifest names another hash than the log has: one of the two was written anew.
    county.services.archive.anchor_audit(1_000_000, [7; 32]).await.unwrap();
    let seen = auditor.json(path).await;
    assert_eq!(seen["anchors_wrong"].as_array().unwrap().len(), 1, "{seen}");
}

#[tokio::test]
async fn retention_tells_the_rules_what_they_take_and_what_was_dropped() {
    use archive::{Limit, Limits, PlaceRule, Retention};
    let folder = tempfile::tempdir().unwrap();
    let limit = |days| Limit { days: Some(days), bytes: Some(5 << 30) };
    let rule = |name: &str| PlaceRule {
        covers: vec![name.to_owned(), "不在册的村".to_owned()],
        limits: Limits { routine: limit(180), ..Limits::default() },
    };
    let mut retention = Retention::days(40);
    retention.classes.incident = limit(365);
    retention.held = Limit { days: Some(90), bytes: None };
    let plain = County::start().await;
    let site = plain.services.registry.load().sites().next().unwrap().name.clone();
    retention.places.insert("水库".to_owned(), rule(&site));
    let settings = archive::Config { retention, ..archive::Config::default() };
    let archive = archive::Archive::open(folder.path(), settings).await.unwrap();
    let county = County::with(|s| s.archive = archive).await;
    let admin = county.signed_in(Role::Administrator).await;
    let entry = store::AuditEntry {
        at: Wall(Wall::read().0 - 4 * 366 * 86_400_000),
        who: "an".into(),
        who_detail: "安 · 甲单位".into(),
        address: "10.0.0.1".into(),
        action: "snapshot_viewed".into(),
        object: "000000010000019a00000000deadbeef".into(),
        reason: "案件核查".into(),
        success: true,
        detail: String::new(),
    };
    county.services.store.audit(entry).await.unwrap();
    // Fifty days old: its time is over at once.
    store_one(&county, 1, Wall::read().0 - 50 * 86_400_000).await;
    county.services.archive.seal().await.unwrap();
    until("the purge", || async { !admin.json("/api/v1/retention").await["purges"].as_array().unwrap().is_empty() })
        .await;
    let told = admin.json("/api/v1/retention").await;
    // The pictures are gone, what was done with them stays on record, four years old as it is.
    let of_an = store::AuditQuery { who: Some("an".into()), limit: 10, ..store::AuditQuery::default() };
    assert_eq!(county.services.store.audit_log(&of_an).await.unwrap().items.len(), 1);
    assert_eq!(county.services.store.verify_audit().await.unwrap(), None);
    assert_eq!((&told["keep_days"], &told["purges"][0]["reason"]), (&json!(30), &json!("days")), "{told}");
    assert_eq!(told["purges"][0]["classes"], json!(["routine", "status_change"]));
    let kept = told["kept"].as_array().unwrap();
    let of = |classes: Value, place: Value| {
        kept.iter().find(|k| k["classes"] == classes && k["place"] == place).unwrap_or_else(|| panic!("{told}"))
    };
    assert_eq!(of(json!(["routine", "status_change"]), Value::Null)["days"], 40);
    assert_eq!(of(json!(["incident"]), Value::Null)["most_bytes"], 5u64 << 30);
    assert_eq!(of(json!(["routine"]), json!("水库"))["days"], 180);
    assert_eq!(told["places"], json!([{ "name": "水库", "covers": [site, "不在册的村"], "unknown": ["不在册的村"] }]));
    // A hold beyond what the settings allow is refused in words.
    let now = Wall::read().0;
    let body =
        json!({ "kind": "legal", "site": 1, "from": now - 1000, "until": now, "reason": "案件核查", "document": "3" });
    assert_eq!(code(admin.post("/api/v1/holds", &body).await).await, (409, "hold_limit".into()));
}

#[tokio::test]
async fn the_log_says_of_a_hold_its_number_its_cameras_and_whether_it_came_to_be() {
    use archive::{Limit, Retention};
    let folder = tempfile::tempdir().unwrap();
    let mut retention = Retention::days(40);
    retention.held = Limit { days: Some(90), bytes: None };
    let settings = archive::Config { retention, ..archive::Config::default() };
    let archive = archive::Archive::open(folder.path(), settings).await.unwrap();
    let county = County::with(|s| s.archive = archive).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let now = Wall::read().0;
    let body = |expires: Value| {
        json!({ "kind": "legal", "site": 1, "from": now - 1000, "until": now, "reason": "案件核查",
            "document": "调证〔2026〕3号", "expires": expires })
    };
    // Without an end it is longer than the settings allow.
    assert_eq!(code(auditor.post("/api/v1/holds", &body(Value::Null)).await).await, (409, "hold_limit".into()));
    let placed: Value = auditor.post("/api/v1/holds", &body(json!(now + 86_400_000))).await.json().await.unwrap();
    let release = format!("/api/v1/holds/{}/release", placed["id"]);
    let why = json!({ "reason": "结案" });
    assert_eq!(auditor.post(&release, &why).await.status(), StatusCode::OK);
    assert_eq!(code(auditor.post(&release, &why).await).await, (400, "invalid".into()));
    let log = auditor.json("/api/v1/audit?limit=100").await;
    let told: Vec<(String, String, bool)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["action"].as_str().unwrap().starts_with("hold_"))
        .map(|r| {
            let detail = r["detail"].as_str().unwrap();
            assert!(detail.contains("2 cameras: C00001 C00002"), "{detail}");
            assert!(detail.contains("调证〔2026〕3号"), "{detail}");
            let text = |key: &str| r[key].as_str().unwrap().to_owned();
            (text("action"), text("object"), r["success"].as_bool().unwrap())
        })
        .collect();
    let number = format!("hold {}", placed["id"]);
    let expected = [
        ("hold_released", number.as_str(), false),
        ("hold_released", number.as_str(), true),
        ("hold_placed", number.as_str(), true),
        ("hold_placed", "", false),
    ];
    assert_eq!(told, expected.map(|(a, o, s)| (a.to_owned(), o.to_owned(), s)));
}
