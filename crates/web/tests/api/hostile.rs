//! Input that means no good: nothing breaks, nothing leaks, nothing grows.

use crate::{
    live::cookie,
    support::{County, code, until},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;
use store::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn forged_cursors_limits_and_words_are_bad_requests() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    for path in [
        "/api/v1/cameras/1/history?cursor=forged",
        "/api/v1/cameras/1/history?cursor=%27%3B%20DROP%20TABLE%20users%3B--",
        "/api/v1/incidents?cursor=-1",
        "/api/v1/incidents?open=true&cursor=%00",
        "/api/v1/incidents?open=maybe",
        "/api/v1/audit?cursor=99999999999999999999999",
        "/api/v1/cameras/1/history?limit=0",
        "/api/v1/cameras/1/history?limit=1001",
        "/api/v1/cameras/1/history?limit=-5",
        "/api/v1/cameras/1/history?from=yesterday",
        "/api/v1/cameras/1/history?unknown=1",
        "/api/v1/import?dry_run=1e9",
    ] {
        let method = if path.contains("import") { Method::POST } else { Method::GET };
        let request = admin.request(method, path).header("content-type", "text/csv");
        assert_eq!(code(request.send().await.unwrap()).await, (400, "invalid".into()), "{path}");
    }
    for path in
        ["/api/v1/cameras/one", "/api/v1/cameras/-1", "/api/v1/cameras/99999999999", "/api/v1/cameras/1%2F..%2F2"]
    {
        assert_eq!(code(admin.get(path).await).await, (404, "not_found".into()), "{path}");
    }
    assert_eq!(admin.get(&format!("/api/v1/incidents/{}", u64::MAX)).await.status(), StatusCode::NOT_FOUND);
    let method = admin.request(Method::PUT, "/api/v1/states").send().await.unwrap();
    assert!(matches!(code(method).await, (405, c) if c == "method"));
}

#[tokio::test]
async fn bad_and_huge_bodies_are_refused() {
    let county = County::start().await;
    let anybody = county.anybody();
    let send = |body: Vec<u8>| {
        anybody.request(Method::POST, "/api/v1/session").header("content-type", "application/json").body(body).send()
    };
    for body in
        ["", "{", "[]", "null", "{\"name\":\"x\"}", "{\"name\":\"x\",\"password\":\"y\",\"role\":\"administrator\"}"]
    {
        assert_eq!(code(send(body.into()).await.unwrap()).await.0, 400, "{body}");
    }
    assert_eq!(code(send(vec![0xff; 64]).await.unwrap()).await.0, 400);
    let deep = "[".repeat(100_000);
    assert_eq!(code(send(deep.into()).await.unwrap()).await.0, 400);
    let huge = format!("{{\"name\":\"{}\",\"password\":\"x\"}}", "n".repeat(1 << 20));
    // The answer may come before the whole body is taken, and the connection is closed then.
    if let Ok(response) = send(huge.into()).await {
        assert_eq!(code(response).await, (413, "too_large".into()));
    }
    let long = serde_json::json!({ "name": "n".repeat(5000), "password": "x" });
    assert_eq!(anybody.post("/api/v1/session", &long).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_path_leads_out_of_the_embedded_files() {
    let county = County::start().await;
    for path in [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/../../Cargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "//etc/passwd.txt",
        "/assets/..%5c..%5cCargo.toml",
        "/Cargo.toml%00.js",
    ] {
        // By hand: clients tidy up paths before they send them.
        let mut socket = TcpStream::connect(county.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", county.address);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("root:") && !answer.contains("[package]"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn forged_sessions_are_nobody() {
    let county = County::start().await;
    county.signed_in(Role::Administrator).await;
    for cookie in [
        "sharpeyes_session=",
        "sharpeyes_session=admin",
        &format!("sharpeyes_session={}", "A".repeat(43)),
        &format!("sharpeyes_session={}", "A".repeat(5000)),
        "sharpeyes_session=' OR 1=1 --",
    ] {
        let request = county.anybody().request(Method::GET, "/api/v1/states").header("cookie", cookie);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{cookie}");
    }
}

#[tokio::test]
async fn nonsense_on_the_socket_hurts_nobody_else() {
    let county = County::start().await;
    for garbage in [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET", b"GET / HTTP/9.9\r\n\r\n", &[0u8; 4096]] {
        let mut socket = TcpStream::connect(county.address).await.unwrap();
        let _ = socket.write_all(garbage).await;
        drop(socket);
    }
    let mut headers = TcpStream::connect(county.address).await.unwrap();
    let _ = headers.write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(200_000)).as_bytes()).await;
    assert_eq!(county.anybody().get("/livez").await.status(), StatusCode::OK);
}

/// Sends the head of a request and the body that is given, whatever length it promises.
async fn begin(county: &County, path: &str, cookie: &str, length: usize, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(county.address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}",
        county.address
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

#[tokio::test]
async fn a_change_is_finished_with_its_entry_though_the_browser_goes_away() {
    let county = County::start().await;
    let boss = cookie(&county, "boss", Role::Administrator, &[]).await;
    let there = async |name: &str| county.services.store.users().await.unwrap().iter().any(|u| u.name == name);
    for n in 0..20 {
        let name = format!("new{n}");
        let body = json!({ "name": name, "full_name": "", "unit": "", "role": "operator" }).to_string();
        let socket = begin(&county, "/api/v1/users", &boss, body.len(), &body).await;
        // Gone as soon as it is in the store, or at once.
        while n % 2 == 0 && !there(&name).await {
            tokio::task::yield_now().await;
        }
        drop(socket);
    }
    until("whoever is there is on record", || async {
        let users = county.services.store.users().await.unwrap();
        let added = county.audited().await.into_iter().filter(|(action, ..)| action == "user_added").count();
        let new = users.iter().filter(|u| u.name.starts_with("new")).count();
        new >= 10 && new == added
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_is_no_whole_one() {
    let county = County::with(|s| s.config.request_limit = Duration::from_millis(300)).await;
    let boss = cookie(&county, "boss", Role::Administrator, &[]).await;
    let body = json!({ "name": "half", "full_name": "", "unit": "", "role": "operator" }).to_string();
    let mut socket = begin(&county, "/api/v1/users", &boss, body.len() + 1, &body).await;
    let mut answer = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await.expect("an end");
    assert!(["HTTP/1.1 503", "HTTP/1.1 400"].iter().any(|status| answer.starts_with(status)), "{answer}");
    assert!(county.services.store.users().await.unwrap().iter().all(|u| u.name != "half"));
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let county = County::with(|s| s.config.connections_per_address = 2).await;
    let open = || async { TcpStream::connect(county.address).await.unwrap() };
    let live = |mut socket: TcpStream| async move {
        let asked = socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut first = [0; 12];
        asked.is_ok() && socket.read_exact(&mut first).await.is_ok() && &first == b"HTTP/1.1 200"
    };
    let (one, two) = (open().await, open().await);
    assert!(!live(open().await).await, "a third is turned away");
    drop(one);
    until("there is room for another", || async { live(open().await).await }).await;
    assert!(live(two).await);
}
