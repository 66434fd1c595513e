//! Two who change the same record: nobody undoes what he has not seen, also if both write in the same instant.

use crate::support::{Browser, County, code};
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use store::{Role, StoreError, User};

async fn etag(browser: &Browser<'_>, path: &str) -> HeaderValue {
    browser.get(path).await.headers()["etag"].clone()
}

/// Sends all at once and tells how many were taken; the others are refused with 412.
async fn taken(requests: impl Iterator<Item = reqwest::RequestBuilder>) -> usize {
    let mut taken = 0;
    for answer in futures::future::join_all(requests.map(reqwest::RequestBuilder::send)).await {
        let answer = answer.unwrap();
        if answer.status() == 200 {
            taken += 1;
        } else {
            assert_eq!(code(answer).await, (412, "changed_meanwhile".into()));
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_saw_the_same_user_or_channel_one_changes_it() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let user = county.user("li", Role::Operator, &[], &[]).await;
    let path = format!("/api/v1/users/{}", user.id.0);
    let seen = etag(&admin, &path).await;
    let change = |n: usize| {
        let body = json!({ "unit": format!("单位{n}") });
        admin.request(Method::PATCH, &path).header("if-match", &seen).json(&body)
    };
    assert_eq!(taken((0..8).map(change)).await, 1);
    // Whoever names nothing insists.
    assert_eq!(admin.patch(&path, &json!({ "unit": "别的" })).await.status(), 200);

    let channel = |name: String, target: Value| {
        json!({ "name": name, "enabled": true, "language": "zh-CN", "target": target, "route": {
            "least": "major", "towns": [], "sites": [], "own": true, "settle_s": 0, "hours": null, "digest_minutes": 0,
            "per_hour": 20, "resolved": true } })
    };
    let target = json!({ "kind": "wecom", "url": "http://10.0.0.9/send?key=K" });
    let made: Value = admin.post("/api/v1/channels", &channel("群".into(), target)).await.json().await.unwrap();
    let path = format!("/api/v1/channels/{}", made["id"]);
    let seen = etag(&admin, &path).await;
    let change = |n: usize| {
        admin.request(Method::PUT, &path).header("if-match", &seen).json(&channel(format!("群{n}"), Value::Null))
    };
    assert_eq!(taken((0..8).map(change)).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_compares_in_the_transaction_that_changes() {
    let county = County::start().await;
    let store = &county.services.store;
    let seen = county.user("li", Role::Operator, &[], &[]).await;
    let writers = (0..16).map(|n| {
        let (seen, store) = (seen.clone(), store.clone());
        tokio::spawn(async move { store.update_user(&User { unit: format!("单位{n}"), ..seen.clone() }, &seen).await })
    });
    let mut taken = 0;
    for writer in futures::future::join_all(writers).await {
        match writer.unwrap() {
            Ok(()) => taken += 1,
            Err(error) => assert!(matches!(error, StoreError::Changed(_)), "{error}"),
        }
    }
    assert_eq!(taken, 1, "beside each other, without a lock of the page's");
}
