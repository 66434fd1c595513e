//! Tokens of machines, sessions listed and ended, second factors, duties in three hands.

use crate::support::{Browser, County, PASSWORD, code};
use fleet::Wall;
use hmac::{Hmac, Mac};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use store::Role;
use web::users::Duties;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What an authenticator app shows, `steps` from now.
fn shown(secret: &str, steps: i64) -> String {
    let key = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let mut mac = <Hmac<sha1::Sha1> as Mac>::new_from_slice(&key).unwrap();
    mac.update(&(Wall::read().0 / 30_000 + steps).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

async fn with_token(county: &County, token: &str, method: Method, path: &str) -> Response {
    let client = reqwest::Client::new();
    client.request(method, county.url(path)).bearer_auth(token).json(&json!({})).send().await.unwrap()
}

async fn end(browser: &Browser<'_>, path: &str) -> StatusCode {
    browser.request(Method::DELETE, path).send().await.unwrap().status()
}

async fn body(response: Response) -> Value {
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_token_opens_what_its_role_and_scope_allow_until_it_is_revoked() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let new = json!({ "name": "大屏", "role": "operator", "towns": [1], "expires": Wall::read().0 + DAY_MS });
    let made = body(admin.post("/api/v1/tokens", &new).await).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("spk_"));
    let get = |path: &'static str| with_token(&county, &secret, Method::GET, path);
    assert_eq!(get("/api/v1/cameras/1").await.status(), StatusCode::OK);
    assert_eq!(get("/api/v1/cameras/4").await.status(), StatusCode::NOT_FOUND, "outside its scope");
    assert_eq!(get("/api/v1/users").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get("/api/v1/session").await.status(), StatusCode::FORBIDDEN, "it is nobody who could sign out");
    let check = with_token(&county, &secret, Method::POST, "/api/v1/cameras/1/check").await;
    assert_eq!(check.status(), StatusCode::ACCEPTED);
    // What is signed with a name is signed by a person.
    for signed in ["/api/v1/handovers", "/api/v1/handovers/1/take", "/api/v1/excuses/1/decide"] {
        let refused = with_token(&county, &secret, Method::POST, signed).await;
        assert_eq!(code(refused).await, (403, "forbidden".into()), "{signed}");
    }
    assert_eq!(
        with_token(&county, &secret[1..], Method::GET, "/api/v1/fleet").await.status(),
        StatusCode::UNAUTHORIZED
    );

    // Its stream ends at once when it is revoked.
    let mut stream = get("/api/v1/events").await;
    assert_eq!(stream.status(), StatusCode::OK);
    stream.chunk().await.unwrap();
    let id = made["token"]["id"].as_u64().unwrap();
    let revoked = admin.request(Method::DELETE, &format!("/api/v1/tokens/{id}")).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    let ended = async { while matches!(stream.chunk().await, Ok(Some(_))) {} };
    tokio::time::timeout(crate::support::DEADLINE, ended).await.expect("the stream ends");
    assert_eq!(code(get("/api/v1/fleet").await).await, (401, "not_signed_in".into()));

    let listed = admin.json("/api/v1/tokens").await;
    assert!(listed["items"][0]["used"].is_i64() && listed["items"][0]["revoked"].is_i64());
    assert!(!listed.to_string().contains(&secret) && !listed.to_string().contains("hash"));
    assert_eq!(code(admin.post("/api/v1/tokens", &new).await).await, (409, "conflict".into()), "a name is given once");
    let log = county.audited().await;
    for (action, who) in
        [("token_made", "administrator1"), ("camera_checked", "token:大屏"), ("token_revoked", "administrator1")]
    {
        assert!(log.iter().any(|(a, w, _)| a == action && w == who), "{action} by {who}: {log:?}");
    }
}

#[tokio::test]
async fn tokens_that_make_no_sense_are_refused() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let good = json!({ "name": "x", "role": "operator", "expires": Wall::read().0 + DAY_MS });
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!("a\nb")),
        ("role", json!("administrator")),
        ("role", json!("security")),
        ("role", json!("technician")),
        ("expires", json!(1)),
        ("expires", json!(Wall::read().0 + 800 * DAY_MS)),
        ("towns", json!([99])),
        ("secret", json!("mine")),
    ] {
        let mut token = good.clone();
        token[field] = bad;
        assert_eq!(code(admin.post("/api/v1/tokens", &token).await).await, (400, "invalid".into()), "{token}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_user_and_by_an_administrator() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let li = county.user("li", Role::Operator, &[], &[]).await;
    let (desk, phone) = (county.browser("li").await, county.browser("li").await);
    let own = desk.json("/api/v1/sessions").await;
    let items = own["items"].as_array().unwrap();
    assert_eq!((items.len(), items.iter().filter(|s| s["current"] == true).count()), (2, 1));
    let other = items.iter().find(|s| s["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(end(&admin, &format!("/api/v1/sessions/{other}")).await, StatusCode::NOT_FOUND, "not his");
    assert_eq!(end(&desk, &format!("/api/v1/sessions/{other}")).await, StatusCode::NO_CONTENT);
    assert_eq!(phone.get("/api/v1/session").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(desk.get("/api/v1/session").await.status(), StatusCode::OK);

    let of_li = format!("/api/v1/users/{}/sessions", li.id.0);
    assert_eq!(admin.json(&of_li).await["items"].as_array().unwrap().len(), 1);
    assert_eq!(end(&admin, &of_li).await, StatusCode::NO_CONTENT);
    assert_eq!(desk.get("/api/v1/session").await.status(), StatusCode::UNAUTHORIZED);
    assert!(county.audited().await.iter().any(|(a, w, _)| a == "session_ended" && w == "administrator1"));
}

async fn enrolled(browser: &Browser<'_>) -> (String, Vec<String>) {
    let begun = body(browser.post("/api/v1/session/second-factor", &json!({ "password": PASSWORD })).await).await;
    let secret = begun["secret"].as_str().unwrap().to_owned();
    assert!(begun["address"].as_str().unwrap().contains(&secret));
    let finish = |code: String| async move {
        browser
            .request(Method::PUT, "/api/v1/session/second-factor")
            .json(&json!({ "code": code }))
            .send()
            .await
            .unwrap()
    };
    assert_eq!(code(finish("000000".into()).await).await.1, "code_wrong");
    let codes = body(finish(shown(&secret, -1)).await).await;
    let codes = codes["codes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect();
    (secret, codes)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_at_sign_in_and_taken_once() {
    let county = County::start().await;
    let browser = county.signed_in(Role::Operator).await;
    let wrong = browser.post("/api/v1/session/second-factor", &json!({ "password": "not mine" })).await;
    assert_eq!(code(wrong).await.1, "old_password_wrong");
    let (secret, codes) = enrolled(&browser).await;
    assert_eq!(codes.len(), 10);

    let door = county.anybody();
    let knock = |code: Option<&str>| {
        let mut body = json!({ "name": "operator1", "password": PASSWORD });
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        let door = &door;
        async move { door.post("/api/v1/session", &body).await }
    };
    assert_eq!(code(knock(None).await).await, (401, "second_factor_required".into()));
    let last = county.audited().await.pop().unwrap();
    assert_eq!(last, ("sign_in".into(), "operator1".into(), false), "who has the password alone is on record");
    assert_eq!(code(knock(Some("000000")).await).await, (401, "sign_in_refused".into()));
    let now = shown(&secret, 0);
    assert_eq!(knock(Some(&now)).await.status(), StatusCode::OK);
    assert_eq!(code(knock(Some(&now)).await).await, (401, "sign_in_refused".into()), "nobody signs in with it again");
    assert_eq!(knock(Some(&codes[3])).await.status(), StatusCode::OK, "the phone is lost");
    assert_eq!(code(knock(Some(&codes[3])).await).await, (401, "sign_in_refused".into()));
    assert_eq!(door.json("/api/v1/session/second-factor").await["recovery_left"], 9);
    let wrong = json!({ "name": "operator1", "password": "no", "code": codes[4] });
    let wrong = door.post("/api/v1/session", &wrong).await;
    assert_eq!(code(wrong).await, (401, "sign_in_refused".into()), "no word of the second factor");

    let admin = county.signed_in(Role::Administrator).await;
    let id = door.json("/api/v1/session").await["user"]["id"].as_u64().unwrap();
    let path = format!("/api/v1/users/{id}/second-factor");
    assert_eq!(admin.request(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(knock(None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_must_have_a_second_factor_can_do_nothing_without() {
    let county = County::with(|s| s.config.second_factor_roles = vec![Role::Administrator]).await;
    let admin = county.signed_in(Role::Administrator).await;
    assert_eq!(admin.json("/api/v1/session").await["second_factor_missing"], true);
    assert_eq!(code(admin.get("/api/v1/users").await).await, (403, "second_factor_missing".into()));
    enrolled(&admin).await;
    assert_eq!(admin.get("/api/v1/users").await.status(), StatusCode::OK);
    let removal = admin.post("/api/v1/session/second-factor/removal", &json!({ "password": PASSWORD })).await;
    assert_eq!(code(removal).await, (409, "conflict".into()));
    let operator = county.signed_in(Role::Operator).await;
    assert_eq!(operator.get("/api/v1/fleet").await.status(), StatusCode::OK, "only the roles that must");
}

#[tokio::test]
async fn duties_apart_are_in_three_hands() {
    let county = County::with(|s| s.config.duties = Duties::Apart).await;
    let store = county.services.store.as_ref();
    let made = web::users::first_accounts(store, Duties::Apart).await.unwrap();
    assert_eq!(made.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["admin", "security", "audit"]);
    assert!(web::users::first_accounts(store, Duties::Apart).await.unwrap().is_empty(), "once");

    let admin = county.signed_in(Role::Administrator).await;
    let security = county.signed_in(Role::Security).await;
    let auditor = county.signed_in(Role::Auditor).await;
    for (path, who) in [("/api/v1/users", 1), ("/api/v1/tokens", 1), ("/api/v1/audit", 2)] {
        for (n, browser) in [&admin, &security, &auditor].into_iter().enumerate() {
            let expected = if n == who { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(browser.get(path).await.status(), expected, "{path} {n}");
        }
    }
    let me = security.json("/api/v1/session").await["user"]["id"].as_u64().unwrap();
    let own = security.patch(&format!("/api/v1/users/{me}"), &json!({ "role": "administrator" })).await;
    assert_eq!(code(own).await, (409, "own_account".into()));
    // The last of each can neither be switched off nor given an end.
    let users = security.json("/api/v1/users").await;
    let of = |role: &str| -> Vec<u64> {
        let users = users["items"].as_array().unwrap().iter().filter(|u| u["role"] == role);
        users.map(|u| u["id"].as_u64().unwrap()).collect()
    };
    let [first, last] = of("auditor")[..] else { panic!("two auditors") };
    let off = json!({ "active": false });
    assert_eq!(security.patch(&format!("/api/v1/users/{first}"), &off).await.status(), StatusCode::OK);
    let refused = security.patch(&format!("/api/v1/users/{last}"), &off).await;
    assert_eq!(code(refused).await, (409, "last_administrator".into()));
}

#[tokio::test]
async fn a_breached_password_cannot_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.txt");
    std::fs::write(&file, "lantern festival 2026\n").unwrap();
    let list = Arc::new(web::Breached::read(&file).unwrap());
    let county = County::with(|s| s.config.breached = Some(list)).await;
    let operator = county.signed_in(Role::Operator).await;
    let change = json!({ "old": PASSWORD, "new": "Lantern Festival 2026" });
    assert_eq!(code(operator.post("/api/v1/session/password", &change).await).await, (400, "weak_password".into()));
}
