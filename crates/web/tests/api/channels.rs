//! Channels of notification: kept without showing their secrets, tried out, logged.

use crate::support::{County, code};
use axum::{Router, extract::State, http::StatusCode};
use fleet::Wall;
use health::desk::ChannelId;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use store::{Role, Telling};

fn route() -> Value {
    json!({
        "least": "major", "towns": [], "sites": [], "own": true, "settle_s": 30, "hours": [480, 1200],
        "digest_minutes": 0, "per_hour": 20, "resolved": true
    })
}

fn input(target: &Value) -> Value {
    json!({ "name": "值班群", "enabled": true, "language": "zh-CN", "route": route(), "target": target })
}

/// A server that counts and answers 200.
async fn counting() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let handle = async |State(count): State<Arc<AtomicUsize>>| {
        count.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK
    };
    let router = Router::new().fallback(handle).with_state(Arc::clone(&count));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, count)
}

#[tokio::test]
async fn a_channels_secrets_go_in_and_never_come_out() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let (url, count) = counting().await;
    let target =
        json!({ "kind": "webhook", "url": format!("{url}/hook/TOKEN-IN-PATH"), "secret": "a-very-secret-secret" });
    let made = admin.post("/api/v1/channels", &input(&target)).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["kind"], &made["shown"]), (&json!("webhook"), &json!(url)));
    let path = format!("/api/v1/channels/{}", made["id"]);
    let trial: Value = admin.post(&format!("{path}/test"), &json!({})).await.json().await.unwrap();
    assert_eq!(trial, json!({ "delivered": true, "error": null }));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // Changed without naming the target again: it is as before.
    let mut change = input(&Value::Null);
    change["name"] = json!("夜班");
    let changed = admin.request(Method::PUT, &path).json(&change).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let trial: Value = admin.post(&format!("{path}/test"), &json!({})).await.json().await.unwrap();
    assert_eq!((trial["delivered"].as_bool(), count.load(Ordering::SeqCst)), (Some(true), 2));
    let shown = admin.get("/api/v1/channels").await.text().await.unwrap();
    let audited = admin.get("/api/v1/audit?limit=100").await.text().await.unwrap();
    for text in [&shown, &audited] {
        assert!(text.contains("夜班"), "{text}");
        assert!(!text.contains("TOKEN-IN-PATH") && !text.contains("a-very-secret-secret"), "{text}");
    }
    for action in ["channel_added", "channel_changed", "channel_tested"] {
        assert!(audited.contains(action), "{action}");
    }
    let gone = admin.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(admin.post(&format!("{path}/test"), &json!({})).await.status(), 404);
}

#[tokio::test]
async fn what_cannot_work_is_refused_without_repeating_it() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let good = json!({ "kind": "wecom", "url": "http://10.0.0.9/send?key=SECRET" });
    let refused = async |body: Value| {
        let response = admin.post("/api/v1/channels", &body).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 400, "{body}: {text}");
        assert!(!text.contains("SECRET"), "{text}");
    };
    for target in [
        json!(null),
        json!({ "kind": "pigeon", "url": "SECRET" }),
        json!({ "kind": "wecom" }),
        json!({ "kind": "wecom", "url": 7 }),
        json!({ "kind": "wecom", "url": "ftp://10.0.0.9/SECRET" }),
        json!({ "kind": "webhook", "url": "http://10.0.0.9/", "secret": "SECRET" }),
        json!({ "kind": "wecom", "url": "http://10.0.0.9/", "more": "SECRET" }),
    ] {
        refused(input(&target)).await;
    }
    for (key, value) in [
        ("hours", json!([480, 480])),
        ("hours", json!([9999, 1])),
        ("per_hour", json!(0)),
        ("digest_minutes", json!(5000)),
        ("towns", json!([99])),
        ("least", json!("urgent")),
    ] {
        let mut body = input(&good);
        body["route"][key] = value;
        refused(body).await;
    }
    let mut nameless = input(&good);
    nameless["name"] = json!("  ");
    refused(nameless).await;
    let made: Value = admin.post("/api/v1/channels", &input(&good)).await.json().await.unwrap();
    // 10.0.0.9 is no permitted network of this node: the same rule as for cameras.
    let trial: Value =
        admin.post(&format!("/api/v1/channels/{}/test", made["id"]), &json!({})).await.json().await.unwrap();
    assert_eq!(trial["delivered"], false);
    assert!(trial["error"].as_str().unwrap().contains("not in a permitted network"), "{trial}");
}

#[tokio::test]
async fn the_log_says_what_arrived_and_what_did_not() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let target = json!({ "kind": "wecom", "url": "http://10.0.0.9/send" });
    let made: Value = admin.post("/api/v1/channels", &input(&target)).await.json().await.unwrap();
    let channel = ChannelId(u32::try_from(made["id"].as_u64().unwrap()).unwrap());
    let letter = notify::Letter::trial("node-1", notify::Language::Chinese, Wall(5));
    let body = serde_json::to_string(&letter).unwrap();
    let store = &county.services.store;
    store.enqueue(&[Telling { channel, at: Wall(5), parts: vec![body], marks: Vec::new() }]).await.unwrap();
    let due = store.due(Wall(10)).await.unwrap()[0].id;
    store.begin_try(due).await.unwrap();
    store.end_try(due, Wall(11), &store::Tried::Failed("refused".into(), Some(Wall(99)))).await.unwrap();
    let log = admin.json("/api/v1/channels/deliveries").await;
    let row = &log["items"][0];
    assert_eq!(
        (&row["state"], &row["attempts"], &row["error"], &row["next"]),
        (&json!("waiting"), &json!(1), &json!("refused"), &json!(99))
    );
    assert_eq!(row["title"], "雪亮视频运维：通道测试");
    // Refused for good: aside, with the reason and when it is tried again.
    assert!(store.begin_try(due).await.unwrap());
    let refused = store::Tried::Refused("code 430104: inappropriate content".into(), Some(Wall(999)));
    store.end_try(due, Wall(12), &refused).await.unwrap();
    let row = admin.json("/api/v1/channels/deliveries").await["items"][0].clone();
    assert_eq!(
        (&row["state"], &row["error"], &row["next"], &row["ended"]),
        (&json!("refused"), &json!("code 430104: inappropriate content"), &json!(999), &Value::Null)
    );
    let wrong = admin.get("/api/v1/channels/deliveries?cursor=x").await;
    assert_eq!(code(wrong).await, (400, "invalid".into()));
}
