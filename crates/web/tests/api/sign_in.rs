//! Signing in, throttling, sessions and passwords.

use crate::support::{County, PASSWORD, cheap_hash, code, until};
use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};
use store::Role;
use web::users::Duties;

#[tokio::test]
async fn the_first_administrator_signs_in_once_and_must_choose_a_password() {
    let county = County::start().await;
    let store = county.services.store.as_ref();
    let first = web::users::first_accounts(store, Duties::Together).await.unwrap().remove(0);
    assert!(web::users::first_accounts(store, Duties::Together).await.unwrap().is_empty(), "only when there is nobody");
    assert!(!format!("{first:?}").contains(first.password.expose()));

    let admin = county.anybody();
    let response = admin.sign_in(&first.name, first.password.expose()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let session: serde_json::Value = response.json().await.unwrap();
    assert_eq!(session["must_change_password"], true);
    assert_eq!(session["user"]["role"], "administrator");
    assert!(!session.to_string().contains("argon2"));
    assert_eq!(code(admin.get("/api/v1/states").await).await, (403, "password_change_required".into()));
    assert_eq!(admin.get("/api/v1/session").await.status(), StatusCode::OK);

    let change = |new: &'static str| json!({ "old": first.password.expose(), "new": new });
    let change_path = "/api/v1/session/password";
    assert_eq!(code(admin.post(change_path, &change("short")).await).await, (400, "weak_password".into()));
    assert_eq!(
        code(admin.post(change_path, &json!({ "old": "wrong", "new": PASSWORD })).await).await,
        (400, "old_password_wrong".into())
    );
    assert_eq!(admin.post(change_path, &change(PASSWORD)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(admin.get("/api/v1/states").await.status(), StatusCode::OK, "the new cookie holds");
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_not_for_scripts_and_changes_with_each_sign_in() {
    let county = County::start().await;
    county.user("li", Role::Operator, &[], &[]).await;
    let li = county.anybody();
    let cookie = |r: &reqwest::Response| r.headers()["set-cookie"].to_str().unwrap().to_owned();
    let first = cookie(&li.sign_in("li", PASSWORD).await);
    assert!(first.contains("HttpOnly") && first.contains("SameSite=Strict"), "{first}");
    let second = cookie(&li.sign_in("LI", PASSWORD).await);
    let token = |line: &str| line.split(';').next().unwrap().to_owned();
    assert_ne!(token(&first), token(&second));
    let old = Client::new().get(county.url("/api/v1/states")).header("cookie", token(&first)).send().await.unwrap();
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED, "the token before is worth nothing");
    assert_eq!(li.get("/api/v1/states").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once_everywhere() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let stream = operator.get("/api/v1/events").await;
    assert_eq!(stream.status(), StatusCode::OK);
    let ended = tokio::spawn(async move { stream.text().await });
    let out = operator.request(Method::DELETE, "/api/v1/session").send().await.unwrap();
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    tokio::time::timeout(Duration::from_secs(3), ended).await.expect("the open stream ends").unwrap().unwrap();
    assert_eq!(code(operator.get("/api/v1/session").await).await, (401, "not_signed_in".into()));
    let audited = county.audited().await;
    assert_eq!(audited, [("sign_in".into(), "operator1".into(), true), ("sign_out".into(), "operator1".into(), true),]);
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let county = County::start().await;
    let user = county.user("li", Role::Operator, &[], &[]).await;
    let gone = county.user("gone", Role::Operator, &[], &[]).await;
    county.services.store.update_user(&store::User { active: false, ..gone.clone() }, &gone).await.unwrap();
    let past = county.user("past", Role::Operator, &[], &[]).await;
    let expired = store::User { expires: Some(fleet::Wall(1)), ..past.clone() };
    county.services.store.update_user(&expired, &past).await.unwrap();
    let mut answers = Vec::new();
    for (name, password) in [("li", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD), ("past", PASSWORD), ("", "")] {
        let response = county.anybody().sign_in(name, password).await;
        assert!(response.headers().get("set-cookie").is_none());
        answers.push((response.status(), response.text().await.unwrap()));
    }
    assert!(answers.iter().all(|a| *a == answers[0] && a.0 == StatusCode::UNAUTHORIZED), "{answers:?}");
    let who: Vec<String> = county.audited().await.into_iter().map(|(_, who, _)| who).collect();
    assert_eq!(who, ["li", "?", "gone", "past", "?"], "an unknown name may be a mistyped password: it is not kept");
    drop(user);
}

#[tokio::test]
async fn guessing_is_slowed_down_by_account_and_by_address() {
    let county = County::with(|s| {
        s.config.failures_per_account = 3;
        s.config.failures_per_address = 6;
        s.config.first_wait = Duration::from_secs(3);
    })
    .await;
    county.user("li", Role::Operator, &[], &[]).await;
    let li = county.anybody();
    for _ in 0..3 {
        assert_eq!(li.sign_in("li", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = li.sign_in("li", PASSWORD).await;
    assert_eq!(refused.headers()["retry-after"], "3");
    assert_eq!(code(refused).await, (429, "too_many_failures".into()), "not even with the right password");
    until("the wait is over", || async { li.sign_in("li", PASSWORD).await.status() == StatusCode::OK }).await;
    for n in 0..3 {
        assert_eq!(li.sign_in(&format!("guess{n}"), "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        li.sign_in("guess4", "wrong").await.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "same address, other names"
    );
}

#[tokio::test]
async fn behind_a_trusted_proxy_everybody_has_an_address_of_his_own() {
    async fn guess(county: &County, forwarded: &str) -> StatusCode {
        let asked = county.anybody();
        let asked = asked.request(Method::POST, "/api/v1/session").header("x-forwarded-for", forwarded);
        asked.json(&json!({ "name": "nobody", "password": "wrong" })).send().await.unwrap().status()
    }
    const BAD: &str = "6.6.6.6, 10.1.1.1";
    const GOOD: &str = "10.1.1.2";
    let county = County::with(|s| {
        s.config.failures_per_address = 3;
        s.config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    for _ in 0..3 {
        assert_eq!(guess(&county, BAD).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(guess(&county, BAD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(&county, GOOD).await, StatusCode::UNAUTHORIZED, "another address is not blocked");
    let log = county.services.store.audit_log(&store::AuditQuery { limit: 1, ..Default::default() }).await.unwrap();
    assert_eq!(log.items[0].entry.address, "10.1.1.2");

    let county = County::with(|s| s.config.failures_per_address = 3).await;
    for _ in 0..3 {
        assert_eq!(guess(&county, BAD).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(guess(&county, GOOD).await, StatusCode::TOO_MANY_REQUESTS, "what nobody vouches for counts for nothing");
}

#[tokio::test]
async fn parallel_guesses_gain_nothing() {
    let county = County::with(|s| s.config.failures_per_account = 4).await;
    county.user("li", Role::Operator, &[], &[]).await;
    let li = county.anybody();
    let tries: Vec<_> = futures::future::join_all((0..12).map(|_| li.sign_in("li", "wrong"))).await;
    let judged = tries.iter().filter(|r| r.status() == StatusCode::UNAUTHORIZED).count();
    assert_eq!(judged, 4);
}

#[tokio::test]
async fn sessions_end_when_idle_and_at_their_absolute_limit() {
    const IDLE: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(3);
    let county = County::with(|s| {
        s.config.session_idle = IDLE;
        s.config.session_longest = LONGEST;
    })
    .await;
    county.user("operator1", Role::Operator, &[], &[]).await;
    // A machine may be too busy to use a session every second: then another is used.
    let ended = async || {
        let before = Instant::now();
        let operator = county.browser("operator1").await;
        let (began, mut last) = (Instant::now(), before);
        loop {
            let asked = Instant::now();
            let status = operator.get("/api/v1/vocabulary").await.status();
            if last.elapsed() >= IDLE {
                return None;
            }
            if status != StatusCode::OK {
                return Some((status, before.elapsed(), began.elapsed()));
            }
            last = asked;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut tries = 0;
    let (status, longest, shortest) = loop {
        tries += 1;
        assert!(tries < 50, "no session could be used every second");
        if let Some(end) = ended().await {
            break end;
        }
    };
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(longest >= LONGEST, "use keeps it alive: {longest:?}");
    assert!(shortest < LONGEST + IDLE, "the absolute limit ends it in spite of its use: {shortest:?}");

    let idle = county.browser("operator1").await;
    tokio::time::sleep(IDLE + Duration::from_millis(200)).await;
    assert_eq!(idle.get("/api/v1/vocabulary").await.status(), StatusCode::UNAUTHORIZED);

    // Nor does a page keep it that was left open and asks by itself, pictures included.
    for (header, value) in [("x-unattended", "1"), ("sec-fetch-dest", "image")] {
        let left = county.browser("operator1").await;
        until("a page that is merely left open loses its session", || async {
            let asked = left.request(Method::GET, "/api/v1/states").header(header, value).send().await.unwrap();
            asked.status() == StatusCode::UNAUTHORIZED
        })
        .await;
    }
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let county = County::start().await;
    county.user("li", Role::Operator, &[], &[]).await;
    let (here, there) = (county.browser("li").await, county.browser("li").await);
    assert_eq!(there.get("/api/v1/states").await.status(), StatusCode::OK);
    let change = json!({ "old": PASSWORD, "new": "another good long one" });
    assert_eq!(here.post("/api/v1/session/password", &change).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(here.get("/api/v1/states").await.status(), StatusCode::OK);
    assert_eq!(there.get("/api/v1/states").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(county.anybody().sign_in("li", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ended_by_another_program_ends_here_soon() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    assert_eq!(operator.get("/api/v1/states").await.status(), StatusCode::OK);
    // As `sharpeyes user` does in a process of its own.
    web::users::set_active(county.services.store.as_ref(), "operator1", false, Duties::Together).await.unwrap();
    until("the session is refused", || async {
        operator.get("/api/v1/states").await.status() == StatusCode::UNAUTHORIZED
    })
    .await;
}

#[tokio::test]
async fn requests_from_other_sites_pages_change_nothing() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let check = operator.request(Method::POST, "/api/v1/cameras/1/check").header(name, value);
        assert_eq!(code(check.send().await.unwrap()).await, (403, "cross_origin".into()), "{name}: {value}");
        let sign_in = county.anybody().request(Method::POST, "/api/v1/session").header(name, value);
        let sign_in = sign_in.json(&json!({ "name": "operator1", "password": PASSWORD })).send().await.unwrap();
        assert_eq!(sign_in.status(), StatusCode::FORBIDDEN);
    }
    assert!(county.command().is_none());
    let own = operator
        .request(Method::POST, "/api/v1/cameras/1/check")
        .header("origin", county.url(""))
        .header("sec-fetch-site", "same-origin");
    assert_eq!(own.send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert!(county.command().is_some());
    let form = operator.request(Method::POST, "/api/v1/cameras/1/pause").body("{\"until\":null,\"reason\":\"x\"}");
    let form = form.header("content-type", "text/plain").send().await.unwrap();
    assert_eq!(code(form).await, (415, "json_expected".into()));
}

#[tokio::test]
async fn a_user_made_with_a_slow_hash_can_sign_in_too() {
    let county = County::start().await;
    let one_time = web::users::add(county.services.store.as_ref(), "wang", "王", "某所", Role::Auditor).await.unwrap();
    assert_eq!(county.anybody().sign_in("wang", one_time.password.expose()).await.status(), StatusCode::OK);
    assert!(cheap_hash("x").expose().contains("m=64"));
}
