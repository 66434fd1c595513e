//! The register from CSV.

use crate::support::{County, code};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use store::Role;
use web::Command;

async fn send(browser: &crate::support::Browser<'_>, query: &str, csv: String) -> reqwest::Response {
    let request = browser.request(Method::POST, &format!("/api/v1/import?{query}"));
    request.header("content-type", "text/csv").body(csv).send().await.unwrap()
}

/// Two new cameras in a new village, in the form that the register itself is written in.
fn csv(county: &County) -> String {
    let before = county.services.registry.load();
    let all = fleet::import::to_csv(&before);
    let mut lines = all.lines();
    let heading = lines.next().unwrap().to_owned();
    let template = lines.next().unwrap();
    let new = template.replace("村口1", "新村口").replace("10.9.0.1", "10.9.1.1");
    format!("{heading}\n{template}\n{new}\n")
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_an_import_is_seen_at_once() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let dry: Value = send(&admin, "dry_run=true", csv(&county)).await.json().await.unwrap();
    assert_eq!(dry["applied"], false);
    assert_eq!(dry["counts"]["added"], 1, "{dry}");
    assert!(county.command().is_none());
    let done: Value = send(&admin, "dry_run=false", csv(&county)).await.json().await.unwrap();
    assert_eq!(done["applied"], true);
    let Some(Command::Registry(registry)) = county.command() else { panic!("the node was not told") };
    assert_eq!(registry.cameras().len(), 6);
    assert!(registry.cameras().any(|c| c.name == "新村口"));
    assert_eq!(admin.json("/api/v1/fleet").await["cameras"].as_array().unwrap().len(), 6);
    assert!(county.audited().await.contains(&("imported".into(), "administrator1".into(), true)));
    let again: Value = send(&admin, "dry_run=false", csv(&county)).await.json().await.unwrap();
    assert_eq!(again["applied"], false, "nothing to do");
}

#[tokio::test]
async fn unless_told_otherwise_one_bad_row_stops_all() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let bad = format!("{}{}", csv(&county), csv(&county).lines().nth(2).unwrap().replace("rtsp://", "gopher://"));
    let refused: Value = send(&admin, "dry_run=false", bad.clone()).await.json().await.unwrap();
    assert_eq!((&refused["applied"], &refused["counts"]["rejected"]), (&false.into(), &1.into()), "{refused}");
    let row = refused["rows"].as_array().unwrap().iter().find(|r| r["outcome"] == "rejected").unwrap();
    let fault = &row["faults"][0];
    assert!(fault["line"].as_u64().unwrap() > 1 && fault["column"].is_string() && fault["expected"].is_string());
    let partly: Value = send(&admin, "dry_run=false&all_or_nothing=false", bad).await.json().await.unwrap();
    assert_eq!(partly["applied"], true);
}

#[tokio::test]
async fn files_that_are_no_register_are_refused() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    assert_eq!(code(send(&admin, "dry_run=true", String::new()).await).await.0, 400);
    assert_eq!(code(send(&admin, "dry_run=true", "a,b\n1,2\n".into()).await).await.0, 400);
    let json = admin.request(Method::POST, "/api/v1/import").header("content-type", "application/json").body("{}");
    assert_eq!(code(json.send().await.unwrap()).await, (415, "csv_expected".into()));
    let many_lines = format!("{}{}", csv(&county), "\n".repeat(3 << 20));
    assert_eq!(send(&admin, "dry_run=true", many_lines).await.status(), StatusCode::OK, "3 MiB are no problem");
    let large = send_quietly(&admin, vec![b'x'; (16 << 20) + 1]).await;
    assert!(large.is_none_or(|status| status == StatusCode::PAYLOAD_TOO_LARGE));
}

/// The connection may be closed before a body that is too large was taken.
async fn send_quietly(browser: &crate::support::Browser<'_>, body: Vec<u8>) -> Option<StatusCode> {
    let request = browser.request(Method::POST, "/api/v1/import").header("content-type", "text/csv").body(body);
    request.send().await.ok().map(|r| r.status())
}
