//! The doors: https, the way there from http, and metrics on a door of their own.

use crate::support::{County, DEADLINE, PASSWORD};
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::json;
use std::net::SocketAddr;
use store::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use web::{Doors, Tls};

fn bound() -> (TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (TcpListener::from_std(listener).unwrap(), address)
}

#[tokio::test]
async fn over_tls_cookies_are_secure_and_plain_http_is_led_there() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::generated(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
    let certificate = std::fs::read(folder.path().join("certificate.pem")).unwrap();
    let (plain, at_plain) = bound();
    let county = County::behind(
        |s| s.config.https = true,
        |pages| Doors { tls: Some(tls), redirect: Some(plain), ..Doors::from(pages) },
    )
    .await;
    let trusting = Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&certificate).unwrap())
        .redirect(Policy::none())
        .timeout(DEADLINE)
        .build()
        .unwrap();
    let https = format!("https://{}", county.address);
    let page = trusting.get(&https).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000");
    county.user("li", Role::Operator, &[], &[]).await;
    let body = json!({ "name": "li", "password": PASSWORD });
    let signed_in = trusting.post(format!("{https}/api/v1/session")).json(&body).send().await.unwrap();
    assert_eq!(signed_in.status(), StatusCode::OK);
    assert!(signed_in.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));

    // At the same door and at the one for it.
    for at in [county.address, at_plain] {
        let led = trusting.get(format!("http://{at}/cameras/3?a=b")).send().await.unwrap();
        assert_eq!(led.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(led.headers()["location"].to_str().unwrap(), format!("{https}/cameras/3?a=b"));
        let posted = trusting.post(format!("http://{at}/api/v1/session")).json(&body).send().await.unwrap();
        assert_eq!(posted.status(), StatusCode::PERMANENT_REDIRECT, "nobody is signed in on the way");
    }

    let stranger = Client::builder().timeout(DEADLINE).build().unwrap();
    assert!(stranger.get(&https).send().await.unwrap_err().is_connect(), "an unknown certificate is not trusted");
    for garbage in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x16", b"\0\0\0\0"] {
        let mut socket = TcpStream::connect(county.address).await.unwrap();
        socket.write_all(garbage).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    }
    assert_eq!(trusting.get(&https).send().await.unwrap().status(), StatusCode::OK);
    assert!(county.stop().await < DEADLINE);
}

#[tokio::test]
async fn metrics_have_a_door_of_their_own_if_wished() {
    let (listener, at) = bound();
    let county = County::behind(|_| (), |pages| Doors { metrics: Some(listener), ..Doors::from(pages) }).await;
    let get = |url: String| async move { reqwest::get(url).await.unwrap() };
    let metrics = get(format!("http://{at}/metrics")).await;
    assert_eq!(metrics.status(), StatusCode::OK);
    assert!(metrics.text().await.unwrap().contains("sharpeyes_"));
    assert_eq!(get(format!("http://{at}/livez")).await.status(), StatusCode::OK);
    assert_eq!(get(format!("http://{at}/api/v1/session")).await.status(), StatusCode::NOT_FOUND);
    let beside = get(county.url("/metrics")).await.text().await.unwrap();
    assert!(!beside.contains("sharpeyes_"), "not beside the pages any more");
}

/// What one who trusts this certificate and no other gets.
async fn trusts(pem: &[u8], url: &str) -> bool {
    let client = Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(pem).unwrap())
        .tls_built_in_root_certs(false)
        .timeout(DEADLINE)
        .build()
        .unwrap();
    client.get(url).send().await.is_ok()
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart_and_a_wrong_one_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = |name: &str| {
        Tls::generated(&at(name), &["127.0.0.1".to_owned()]).unwrap();
        let read = |file: &str| std::fs::read(at(name).join(file)).unwrap();
        (read("certificate.pem"), read("key.pem"))
    };
    let (first, second) = (made("one"), made("two"));
    let (certificate, key) = (at("tls.pem"), at("tls.key"));
    let put = |pair: (&[u8], &[u8])| {
        std::fs::write(&certificate, pair.0).unwrap();
        std::fs::write(&key, pair.1).unwrap();
    };
    put((&first.0, &first.1));
    let tls = Tls::read(&certificate, &key).unwrap();
    let county = County::behind(
        |s| s.config.certificate_every = std::time::Duration::from_millis(50),
        |pages| Doors { tls: Some(tls.clone()), ..Doors::from(pages) },
    )
    .await;
    county.user("li", Role::Administrator, &[], &[]).await;
    let https = format!("https://{}", county.address);
    let client =
        Client::builder().danger_accept_invalid_certs(true).cookie_store(true).timeout(DEADLINE).build().unwrap();
    let body = json!({ "name": "li", "password": PASSWORD });
    client.post(format!("{https}/api/v1/session")).json(&body).send().await.unwrap();
    let told = || async {
        let own: serde_json::Value =
            client.get(format!("{https}/api/v1/self")).send().await.unwrap().json().await.unwrap();
        own["certificate"].clone()
    };
    assert_eq!(told().await, json!({ "sha256": tls.fingerprint(), "trouble": null }));
    assert!(trusts(&first.0, &https).await && !trusts(&second.0, &https).await);

    // The new certificate without its key: the former one is served, and Self-health says why.
    put((&second.0, &first.1));
    crate::support::until("the trouble told", || async { told().await["trouble"].is_string() }).await;
    assert!(told().await["trouble"].as_str().unwrap().contains("cannot be used"));
    assert!(trusts(&first.0, &https).await, "nobody is shut out meanwhile");

    put((&second.0, &second.1));
    crate::support::until("the renewal", || async { trusts(&second.0, &https).await }).await;
    assert!(!trusts(&first.0, &https).await);
    assert_eq!(told().await, json!({ "sha256": tls.fingerprint(), "trouble": null }), "the clone serves the same");

    std::fs::remove_file(&certificate).unwrap();
    crate::support::until("the trouble told", || async { told().await["trouble"].is_string() }).await;
    assert!(trusts(&second.0, &https).await);
}
