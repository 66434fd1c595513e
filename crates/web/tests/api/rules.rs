//! What every route keeps to, also one that is added tomorrow: its errors are problems, its answers have validators,
//! its lists have pages, its records are not changed unseen.

use crate::{
    incidents::outage,
    support::{Browser, County, code},
};
use fleet::{Cause, Wall};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::Role;

/// Lists that cannot grow: sessions end, and the newest 200 changes of the register are kept.
const BOUNDED: &[&str] = &["/api/v1/sessions", "/api/v1/users/{id}/sessions", "/api/v1/register/changes"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::to_value(web::openapi()).unwrap()
}

/// Every operation: method, path, description.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(m, _)| METHODS.contains(&m.as_str())) {
            found.push((method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()));
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    found
}

fn filled(path: &str, with: &str) -> String {
    path.replace("{id}", with).replace("{picture}", with).replace("{cause}", with)
}

async fn county() -> County {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    county.publish_with(&[(1, Cause::NoAnswer)], vec![outage(1, &[1, 2])]);
    county
}

#[tokio::test]
async fn a_method_that_is_not_there_is_told_with_those_that_are() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let there: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        for method in METHODS.iter().filter(|m| !there.contains(*m)) {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = admin.request(method.clone(), &filled(path, "1")).send().await.unwrap();
            let allowed = answer.headers().get("allow").map(|v| v.to_str().unwrap().to_lowercase()).unwrap_or_default();
            // "nearest" also is a snapshot's id to the router, and so on.
            assert_eq!(code(answer).await, (405, "method".into()), "{method} {path}");
            for known in &there {
                assert!(allowed.contains(known), "{method} {path}: {known} is not in {allowed:?}");
            }
        }
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_told_as_problems() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let mut cut = 0;
    for (method, path, operation) in operations(&document()) {
        if !operation["requestBody"]["content"]["application/json"].is_object() {
            continue;
        }
        let send = |kind: &'static str, body: String| {
            admin.request(method.clone(), &filled(&path, "1")).header("content-type", kind).body(body).send()
        };
        assert_eq!(code(send("application/json", "{".into()).await.unwrap()).await.0, 400, "{method} {path}");
        let unknown = send("application/json", "{\"nothing_we_know\":1}".into()).await.unwrap();
        assert_eq!(code(unknown).await.0, 400, "{method} {path}");
        let plain = send("text/plain", "{}".into()).await.unwrap();
        assert_eq!(code(plain).await, (415, "json_expected".into()), "{method} {path}");
        // The answer may come before all of it was taken.
        if let Ok(answer) = send("application/json", format!("\"{}\"", "n".repeat(300 << 10))).await {
            assert_eq!(code(answer).await, (413, "too_large".into()), "{method} {path}");
            cut += 1;
        }
    }
    assert!(cut > 5, "{cut}");
}

#[tokio::test]
async fn what_is_not_there_is_told_as_a_problem() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    for path in ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/states", "/api/v1/cameras/1/x"] {
        for browser in [&admin, &county.anybody()] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = browser.request(method.clone(), path).send().await.unwrap();
                assert_eq!(code(answer).await, (404, "not_found".into()), "{method} {path}");
            }
        }
    }
    for (method, path, operation) in operations(&document()) {
        if !path.contains('{') || method != Method::GET || path.ends_with("/live") {
            continue;
        }
        for nothing in ["nonsense", "-1", "99999999999999999999", "%00", "%ff"] {
            let answer = admin.get(&filled(&path, nothing)).await;
            assert_eq!(code(answer).await, (404, "not_found".into()), "{path} {nothing} {}", operation["summary"]);
        }
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_told_as_problems() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let mut asked = 0;
    for (method, path, operation) in operations(&document()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|p| p["in"] == "query" && method == Method::GET) {
            let kinds = parameter["schema"]["type"].to_string();
            if !kinds.contains("integer") && !kinds.contains("boolean") {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let answer = admin.get(&format!("{}?{name}=nonsense", filled(&path, "1"))).await;
            // What is not there at all may be found out first.
            let (status, word) = code(answer).await;
            assert!(status == 400 && word == "invalid" || status == 404, "{path}?{name}: {status} {word}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
}

#[tokio::test]
async fn every_json_answer_has_a_validator_and_is_not_sent_again() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let mut same = BTreeSet::new();
    for (method, path, operation) in operations(&document()) {
        let json = operation["responses"]["200"]["content"]["application/json"].is_object();
        if method != Method::GET || !json {
            continue;
        }
        let path = match path.as_str() {
            "/api/v1/reports" => "/api/v1/reports?period=day&date=2026-01-05".to_owned(),
            other => filled(other, "1"),
        };
        let answer = admin.get(&path).await;
        if answer.status() != StatusCode::OK {
            continue;
        }
        let etag = answer.headers().get("etag").unwrap_or_else(|| panic!("{path} has no ETag")).clone();
        let again = admin.request(Method::GET, &path).header("if-none-match", etag).send().await.unwrap();
        // Some tell the present instant.
        if again.status() == StatusCode::NOT_MODIFIED {
            assert!(again.bytes().await.unwrap().is_empty(), "{path}");
            same.insert(path);
        }
    }
    for large in [
        "fleet",
        "states",
        "overview",
        "vocabulary",
        "incidents",
        "orders",
        "users",
        "reports?period=day&date=2026-01-05",
    ] {
        assert!(same.contains(&format!("/api/v1/{large}")), "{large} was sent again: {same:?}");
    }
    let other =
        admin.request(Method::GET, "/api/v1/fleet").header("if-none-match", "\"x\", W/\"y\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_list_that_can_grow_has_pages() {
    let document = document();
    let mut paged = 0;
    for (method, path, operation) in operations(&document) {
        let mut schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        if let Some(name) = schema["$ref"].as_str() {
            schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
        }
        if method != Method::GET || schema["properties"]["items"]["type"] != "array" || BOUNDED.contains(&path.as_str())
        {
            continue;
        }
        assert!(schema["properties"]["next"].is_object(), "{path} has no way to its next page");
        let parameters: BTreeSet<&str> =
            operation["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
        assert!(parameters.contains("limit") && parameters.contains("cursor"), "{path}: {parameters:?}");
        paged += 1;
    }
    assert!(paged >= 13, "{paged}");
}

/// Reads a list two rows at a time and tells the ids in order.
async fn read(browser: &Browser<'_>, path: &str) -> Vec<u64> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    let sign = if path.contains('?') { '&' } else { '?' };
    for _ in 0..50 {
        let page = browser.json(&format!("{path}{sign}limit=2{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        ids.extend(items.iter().map(|i| i["id"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("{path} has no end");
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let now = Wall::read().0;
    let incidents: Vec<_> = (1..=5).map(|id| outage(id, &[u32::try_from(id).unwrap()])).collect();
    county.publish_with(&[(1, Cause::NoAnswer)], incidents);
    for n in 1..=5 {
        let name = format!("user{n}");
        county.user(&name, Role::Operator, &[], &[]).await;
        let token = json!({ "name": name, "role": "operator", "expires": now + 86_400_000 });
        assert_eq!(admin.post("/api/v1/tokens", &token).await.status(), 200);
        let hold = json!({ "kind": "audit", "camera": n, "from": 1, "until": now, "reason": "r", "document": "d" });
        assert_eq!(admin.post("/api/v1/holds", &hold).await.status(), 201);
        let window = json!({ "scope": { "kind": "camera", "id": n }, "from": now, "until": now + 60_000, "reason": "r", "excused": true });
        assert_eq!(admin.post("/api/v1/windows", &window).await.status(), 200);
        let excuse = json!({ "scope": { "kind": "camera", "id": n }, "from": now - 60_000, "until": now - 1, "kind": "planned", "reason": "r" });
        assert_eq!(admin.post("/api/v1/excuses", &excuse).await.status(), 200);
        assert_eq!(admin.post("/api/v1/orders", &json!({ "incident": n })).await.status(), 200);
    }
    for (path, rows) in [
        ("/api/v1/users", 6),
        ("/api/v1/tokens", 5),
        ("/api/v1/holds", 5),
        ("/api/v1/windows", 5),
        ("/api/v1/excuses", 5),
        ("/api/v1/orders?open=true", 5),
        ("/api/v1/incidents?open=true", 5),
    ] {
        let ids = read(&admin, path).await;
        let whole = admin.json(path).await;
        let told: Vec<u64> = whole["items"].as_array().unwrap().iter().map(|i| i["id"].as_u64().unwrap()).collect();
        assert_eq!((ids.len(), &ids), (rows, &told), "{path}");
        let sign = if path.contains('?') { '&' } else { '?' };
        assert_eq!(code(admin.get(&format!("{path}{sign}cursor=forged")).await).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn nobody_undoes_what_he_has_not_seen() {
    for (method, path, operation) in operations(&document()) {
        if method == Method::PUT && path.starts_with("/api/v1/register/") {
            let named = operation["parameters"].as_array().unwrap().iter().any(|p| p["name"] == "If-Match");
            assert!(named, "{path} takes no If-Match");
        }
    }
    let county = county().await;
    let admin = county.signed_in(Role::Administrator).await;
    let site = json!({ "name": "新村", "kind": "village", "town": 1, "stat_code": null });
    let uplink = json!({ "name": "新链路", "olt": null, "budget_kbps": 2000 });
    let camera = json!({ "cameras": [1], "cells": { "address": "井台" }, "dry_run": false });
    for (get, method, change, body) in [
        ("/api/v1/register/sites/1", Method::PUT, "/api/v1/register/sites/1", site),
        ("/api/v1/register/uplinks/1", Method::PUT, "/api/v1/register/uplinks/1", uplink),
        ("/api/v1/register/cameras/1", Method::POST, "/api/v1/register/cameras", camera),
    ] {
        let seen = admin.get(get).await.headers()["etag"].clone();
        let put = |tag: &reqwest::header::HeaderValue| {
            admin.request(method.clone(), change).header("if-match", tag).json(&body).send()
        };
        let first = put(&seen).await.unwrap();
        assert_eq!(first.status(), StatusCode::OK, "{change}: {}", first.text().await.unwrap());
        let second = put(&seen).await.unwrap();
        assert_eq!(code(second).await, (412, "changed_meanwhile".into()), "{change}");
        let now = admin.get(get).await.headers()["etag"].clone();
        assert_eq!(put(&now).await.unwrap().status(), StatusCode::OK, "{change}");
    }
    let many = json!({ "cameras": [1, 2], "cells": { "address": "井台" } });
    let vague = admin.request(Method::POST, "/api/v1/register/cameras").header("if-match", "\"x\"").json(&many).send();
    assert_eq!(code(vague.await.unwrap()).await.0, 400);
}
