//! Checking, pausing, probing, causing demo faults; metrics and signs of life.

use crate::support::{County, ToyDemo, code, until};
use fleet::{CameraId, Cause, Codec, Now, Secret, StreamChoice};
use health::{Event, FormatChange, Profile, StreamFormat};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use store::{AuditEntry, CertificateRecord, Fact, Role};
use web::{Command, DemoTarget};

#[tokio::test]
async fn checks_and_pauses_reach_the_core_and_the_audit_log() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let nothing = json!({});
    assert_eq!(operator.post("/api/v1/cameras/3/check", &nothing).await.status(), StatusCode::ACCEPTED);
    assert!(matches!(county.command(), Some(Command::Event(Event::CheckNow { camera })) if camera.0 == 3));
    let hour = Now::read().wall + Duration::from_secs(3600);
    let pause = json!({ "until": hour.0, "reason": "换杆" });
    assert_eq!(operator.post("/api/v1/cameras/3/pause", &pause).await.status(), StatusCode::NO_CONTENT);
    let Some(Command::Event(Event::Pause { until, by, reason, .. })) = county.command() else { panic!("not told") };
    assert_eq!((until, by.as_str(), reason.as_str()), (Some(hour), "operator1", "换杆"));
    for until in [json!(1), json!(i64::MAX), json!("soon")] {
        let bad = json!({ "until": until, "reason": "x" });
        assert_eq!(operator.post("/api/v1/cameras/3/pause", &bad).await.status(), StatusCode::BAD_REQUEST, "{bad}");
    }
    let actions: Vec<String> = county.audited().await.into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["sign_in", "camera_checked", "camera_paused"]);
}

#[tokio::test]
async fn an_administrator_has_a_certificate_forgotten() {
    let county = County::start().await;
    let kept = CertificateRecord { camera: CameraId(3), sha256: [0xab; 32], seen: Now::read().wall };
    county.services.store.hold_to_certificate(kept).await.unwrap();
    let format =
        StreamFormat { codec: Codec::H264, profile: Some(Profile { idc: 100, level: 41 }), width: 1920, height: 1080 };
    let seen = FormatChange { camera: CameraId(3), stream: StreamChoice::Main, at: Now::read().wall, format };
    county.services.store.record(&[Fact::Format(seen)]).await.unwrap();
    county.services.ingest.hold_to([(CameraId(3), ingest::Fingerprint([0xab; 32]))]);

    let admin = county.signed_in(Role::Administrator).await;
    let page = admin.json("/api/v1/cameras/3").await;
    assert_eq!(page["certificate"]["sha256"], "ab".repeat(32));
    assert_eq!((&page["formats"][0]["profile"], &page["formats"][0]["stream"]), (&json!("High 4.1"), &json!("main")));
    assert_eq!((&page["stream"], &page["carriage"]), (&json!("main"), &json!(null)));

    let forget = |body| admin.request(Method::DELETE, "/api/v1/cameras/3/certificate").json(&body).send();
    assert_eq!(forget(json!({ "reason": " " })).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(forget(json!({ "reason": "已更换摄像机" })).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(matches!(county.command(), Some(Command::Event(Event::CheckNow { camera })) if camera.0 == 3));
    assert_eq!(admin.json("/api/v1/cameras/3").await["certificate"], json!(null));
    assert_eq!(county.services.ingest.certificate(CameraId(3)), None);
    assert_eq!(forget(json!({ "reason": "再次" })).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(county.audited().await.contains(&("certificate_forgotten".into(), "administrator1".into(), true)));
}

#[tokio::test]
async fn a_probe_climbs_and_says_where_it_ends() {
    let county = County::with(|s| s.ingest_config.limits.connect = Duration::from_millis(500)).await;
    let technician = county.signed_in(Role::Technician).await;
    let response = technician
        .request(Method::POST, "/api/v1/cameras/1/probe")
        .timeout(Duration::from_secs(30))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let ladder: serde_json::Value = response.json().await.unwrap();
    assert_eq!(ladder["source"], "probe");
    assert_eq!(ladder["rungs"].as_array().unwrap().len(), 10);
    assert_eq!(ladder["status"], "offline", "{ladder}");
    assert!(!ladder.to_string().contains("camera-secret-42"));
    assert!(county.audited().await.contains(&("camera_probed".into(), "technician1".into(), true)));
}

#[tokio::test]
async fn a_demo_lets_visitors_cause_troubles_and_nothing_else_does() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let cause = json!({ "target": { "kind": "site", "id": 1 }, "fault": "power_off", "on": true });
    assert_eq!(admin.get("/api/v1/demo").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(admin.post("/api/v1/demo/fault", &cause).await.status(), StatusCode::NOT_FOUND);

    let toy = Arc::new(ToyDemo::default());
    let demo = Arc::clone(&toy);
    let county = County::with(|s| s.demo = Some(demo)).await;
    let admin = county.signed_in(Role::Administrator).await;
    assert_eq!(admin.json("/api/v1/session").await["demo"], true);
    assert_eq!(admin.post("/api/v1/demo/fault", &cause).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(toy.0.lock()[0].target, DemoTarget::Site(fleet::SiteId(1)));
    let state = admin.json("/api/v1/demo").await;
    assert_eq!(state["active"], json!([{ "target": { "kind": "site", "id": 1 }, "fault": "power_off" }]));
    for bad in [
        json!({ "target": { "kind": "site" }, "fault": "power_off", "on": true }),
        json!({ "target": { "kind": "moon", "id": 1 }, "fault": "power_off", "on": true }),
        json!({ "target": { "kind": "all" }, "fault": "rm -rf", "on": true }),
    ] {
        assert_eq!(code(admin.post("/api/v1/demo/fault", &bad).await).await, (400, "invalid".into()), "{bad}");
    }
    let all = json!({ "target": { "kind": "all" }, "fault": "power_off", "on": true });
    assert_eq!(admin.post("/api/v1/demo/fault", &all).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_sign_of_life_is_the_nodes_own_progress() {
    let county = County::with(|s| s.config.stuck_after = Duration::from_secs(1)).await;
    let anybody = county.anybody();
    let says = |path, status| {
        let asked = anybody.get(path);
        async move { asked.await.status() == status }
    };
    for _ in 0..2 {
        // A machine may be too busy to ask within the second: what goes round is asked again.
        for path in ["/livez", "/readyz"] {
            until("a loop that goes round is a sign of life", || {
                county.services.heartbeat.beat(Now::read().mono);
                says(path, StatusCode::OK)
            })
            .await;
        }
        for path in ["/livez", "/readyz"] {
            until("a stuck loop is noticed", || says(path, StatusCode::SERVICE_UNAVAILABLE)).await;
        }
    }
}

#[tokio::test]
async fn metrics_follow_the_conventions_and_cameras_have_a_page_of_their_own() {
    let county = County::with(|s| s.config.metrics_token = Some(Secret::new("scrape-me"))).await;
    county.publish(&[(1, Cause::NoAnswer)]);
    let anybody = county.anybody();
    let health = county.signed_in(Role::Operator).await.json("/api/v1/self").await;
    let parts: Vec<&str> =
        health["processes"].as_array().unwrap().iter().map(|p| p["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["service", "decoders"], "{health:#}");
    assert!(health["processes"][1]["processes"].as_u64() >= Some(1), "those of other tests count, too");
    let sum: u64 = health["processes"].as_array().unwrap().iter().map(|p| p["rss_bytes"].as_u64().unwrap()).sum();
    assert!(sum == health["rss_bytes"].as_u64().unwrap() && sum > 1 << 20, "{health:#}");
    assert_eq!(health["disks"][0]["holds"], json!(["data", "archive"]), "both are on one disk here");
    assert!(health["disks"][0]["free_bytes"].as_u64() <= health["disks"][0]["total_bytes"].as_u64());
    assert_eq!((&health["clock"]["kept"], &health["clock"]["offset_us"]), (&json!(true), &json!(-150)));
    assert!(health["database"]["engine"].as_str().unwrap().starts_with("SQLite 3."), "{health:#}");
    assert!(health["database"]["bytes"].as_u64() > Some(0) && health["database"]["last_write_ms"].as_f64() > Some(0.0));
    assert!(health["machine"]["memory_bytes"].as_u64() > health["machine"]["available_bytes"].as_u64());
    let streams = health["queues"].as_array().unwrap().iter().find(|q| q["name"] == "event_streams").unwrap();
    assert_eq!((&streams["waiting"], &streams["most"]), (&json!(0), &json!(256)));
    let all = anybody.get("/metrics").await;
    assert_eq!(all.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let all = all.text().await.unwrap();
    assert!(all.contains("sharpeyes_cameras{status=\"offline\"} 1"), "{all}");
    assert!(all.contains("# TYPE sharpeyes_ingest_packets_total counter"));
    assert!(!all.contains("C00001") && !all.contains("rtsp://") && !all.contains("10.9.0."));
    for line in all.lines().filter(|l| !l.starts_with('#')) {
        assert!(line.starts_with("sharpeyes_"), "{line}");
    }
    let cameras = anybody.get("/metrics/cameras").await.text().await.unwrap();
    let mine: Vec<&str> = cameras.lines().filter(|l| l.contains("camera=\"C00001\"")).collect();
    assert!((3..=10).contains(&mine.len()), "{mine:?}");
    assert!(cameras.contains("sharpeyes_camera_info{camera=\"C00001\",name=\"村口1\",site=\"东村\",town=\"东镇\"} 1"));
    assert!(cameras.contains("sharpeyes_camera_status{camera=\"C00001\"} 2"));
    assert!(!cameras.contains("10.9.0."));
    // What came through a proxy on this machine is not this machine.
    for path in ["/metrics", "/metrics/cameras", "/readyz"] {
        let forwarded = || anybody.request(Method::GET, path).header("x-forwarded-for", "203.0.113.9");
        assert_eq!(forwarded().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(forwarded().bearer_auth("wrong").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(forwarded().bearer_auth("scrape-me").send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_page_comes_with_strict_headers() {
    let county = County::start().await;
    let page = county.anybody().get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    let headers = page.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe-eval"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "same-origin");
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(matches!(headers["cache-control"].to_str().unwrap(), "no-cache" | "no-store"));
    let html = page.text().await.unwrap();
    assert!(!html.contains("<style") && !html.contains(" style="), "nothing inline");
    let own = county.signed_in(Role::Operator).await.json("/api/v1/self").await;
    assert!(own["rss_bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(own["archive"]["state"]["state"].as_str().or(own["archive"]["state"].as_str()), Some("ok"));
}

#[tokio::test]
async fn what_was_found_in_the_log_leaves_as_csv_in_which_nothing_runs() {
    let county = County::start().await;
    let day = 86_400_000;
    let old = Now::read().wall.0 - 4 * 366 * day;
    // More than one page of the store, four years old, with what a spreadsheet would run.
    for at in 0..1003 {
        let entry = AuditEntry {
            at: fleet::Wall(old + at),
            who: if at == 3 { "=cmd|' /C calc'!A0".into() } else { "an".into() },
            who_detail: "安 \"一\", 甲单位".into(),
            address: "10.0.0.1".into(),
            action: "snapshot_viewed".into(),
            object: "@SUM(A1)".into(),
            reason: "+案件\n核查".into(),
            success: at % 2 == 0,
            detail: "-1+1".into(),
        };
        county.services.store.audit(entry).await.unwrap();
    }
    let auditor = county.signed_in(Role::Auditor).await;
    let path = format!("/api/v1/audit/file?until={}&language=en", old + 5000);
    let answer = auditor.get(&path).await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().contains("sharpeyes-audit-"));
    let text = answer.text().await.unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    assert!(text.starts_with("No.,Time,User,"), "{}", &text[..80]);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 1003 + 2, "a heading, every record, the end");
    assert!(lines[1].starts_with("1003,") && lines[1003].starts_with("1,"), "newest first");
    let run = |cell: &str| ["=", "+", "-", "@"].iter().any(|c| cell.trim_start_matches('"').starts_with(c));
    assert!(!text.split(',').any(run), "a cell begins like a formula");
    assert!(lines[1000].contains("'=cmd|' /C calc'!A0"), "{}", lines[1000]);
    // By person; and that it was taken out is on record before it was.
    let one = auditor.get("/api/v1/audit/file?who=nobody&language=zh-CN").await.text().await.unwrap();
    assert_eq!(one.lines().count(), 1, "{one}");
    assert!(one.contains("记录哈希"));
    let log = county.audited().await;
    assert_eq!(log.iter().filter(|(action, ..)| action == "audit_exported").count(), 2);
    assert_eq!(auditor.get("/api/v1/audit/file?language=fr").await.status(), StatusCode::BAD_REQUEST);
    // Retention of pictures never touches it: four years on, every record is there and the chain holds.
    county.services.archive.seal().await.unwrap();
    assert_eq!(county.services.store.verify_audit().await.unwrap(), None);
}
