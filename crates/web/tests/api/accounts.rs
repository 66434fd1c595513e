//! Administration of users and the audit log.

use crate::support::{County, PASSWORD, code};
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::Role;

#[tokio::test]
async fn an_administrator_adds_changes_and_disables_users() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let new = json!({ "name": "wang", "full_name": "王某", "unit": "维护公司", "role": "technician", "towns": [1] });
    let added: Value = admin.post("/api/v1/users", &new).await.json().await.unwrap();
    let id = added["user"]["id"].as_u64().unwrap();
    assert_eq!(added["user"]["must_change_password"], true);
    let wang = county.anybody();
    assert_eq!(wang.sign_in("wang", added["password"].as_str().unwrap()).await.status(), StatusCode::OK);
    assert_eq!(code(admin.post("/api/v1/users", &new).await).await, (409, "conflict".into()));

    let path = format!("/api/v1/users/{id}");
    let changed: Value =
        admin.patch(&path, &json!({ "role": "auditor", "expires": 4_000_000_000_000i64 })).await.json().await.unwrap();
    assert_eq!((&changed["role"], &changed["unit"]), (&json!("auditor"), &json!("维护公司")));
    assert_eq!(wang.get("/api/v1/session").await.status(), StatusCode::UNAUTHORIZED, "a new role, a new session");
    let kept: Value = admin.patch(&path, &json!({ "unit": "别家" })).await.json().await.unwrap();
    assert_eq!(kept["expires"], 4_000_000_000_000i64, "left out: stays");
    let cleared: Value = admin.patch(&path, &json!({ "expires": null })).await.json().await.unwrap();
    assert_eq!(cleared["expires"], json!(null));

    let reset: Value = admin.post(&format!("{path}/password"), &json!({})).await.json().await.unwrap();
    assert_eq!(wang.sign_in("wang", reset["password"].as_str().unwrap()).await.status(), StatusCode::OK);
    assert_eq!(admin.patch(&path, &json!({ "active": false })).await.status(), StatusCode::OK);
    assert_eq!(wang.get("/api/v1/session").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(wang.sign_in("wang", reset["password"].as_str().unwrap()).await.status(), StatusCode::UNAUTHORIZED);

    let users = admin.get("/api/v1/users").await.text().await.unwrap();
    assert!(users.contains("wang") && !users.contains("argon2") && !users.contains("password_hash"));
    let log = admin.json("/api/v1/audit?who=administrator1&limit=1000").await;
    let actions: Vec<&str> = log["items"].as_array().unwrap().iter().map(|r| r["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["user_changed", "password_reset", "user_changed", "user_changed", "user_changed", "user_added", "sign_in"]
    );
    assert!(!log.to_string().contains(reset["password"].as_str().unwrap()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    for body in [
        json!({ "name": "", "role": "operator" }),
        json!({ "name": "a b", "role": "operator" }),
        json!({ "name": "x\u{202e}y", "role": "operator" }),
        json!({ "name": "x", "role": "king" }),
        json!({ "name": "x", "role": "operator", "towns": [99] }),
        json!({ "name": "x", "role": "operator", "sites": [99] }),
        json!({ "name": "x", "role": "administrator", "towns": [1] }),
        json!({ "name": "x", "role": "operator", "full_name": "a\nb" }),
        json!({ "name": "x", "role": "operator", "password": "mine" }),
        json!({ "name": 7, "role": "operator" }),
    ] {
        assert_eq!(code(admin.post("/api/v1/users", &body).await).await, (400, "invalid".into()), "{body}");
    }
    assert_eq!(admin.patch("/api/v1/users/4242", &json!({})).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn somebody_can_always_administer() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let me = admin.json("/api/v1/session").await["user"]["id"].as_u64().unwrap();
    let path = format!("/api/v1/users/{me}");
    for change in
        [json!({ "active": false }), json!({ "role": "operator" }), json!({ "expires": 4_000_000_000_000i64 })]
    {
        assert_eq!(code(admin.patch(&path, &change).await).await, (409, "last_administrator".into()), "{change}");
    }
    county.user("second", Role::Administrator, &[], &[]).await;
    assert_eq!(admin.patch(&path, &json!({ "role": "operator" })).await.status(), StatusCode::OK);
    assert_eq!(admin.get("/api/v1/users").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(admin.sign_in("administrator1", PASSWORD).await.status(), StatusCode::OK);
    assert_eq!(admin.get("/api/v1/users").await.status(), StatusCode::FORBIDDEN);
}
