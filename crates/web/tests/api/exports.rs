//! Taking evidence out: asked for with reason and document, made in the background, agreed to by a second person,
//! downloaded in pieces, and authentic at the end.

use crate::{
    snapshots::{recent, store_one},
    support::{Browser, County, code, until},
};
use archive::evidence::{Verdict, verify_package};
use fleet::{CameraId, Cause, Wall};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::Cursor;
use store::Role;

/// What everybody must say.
fn asking(more: &Value) -> Value {
    let mut body = json!({ "reason": "案件核查", "document": "公视调〔2026〕7号" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn asked(browser: &Browser<'_>, more: Value) -> Value {
    let response = browser.post("/api/v1/exports", &asking(&more)).await;
    assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    response.json().await.unwrap()
}

async fn in_state(browser: &Browser<'_>, id: &Value, state: &str) -> Value {
    let path = format!("/api/v1/exports/{id}");
    until(&format!("export {id} {state}"), || async {
        let now = browser.json(&path).await["state"].clone();
        assert!(now != "failed" || state == "failed", "{}", browser.json(&path).await);
        now == state
    })
    .await;
    browser.json(&path).await
}

async fn package(browser: &Browser<'_>, id: &Value) -> (Vec<u8>, Verdict) {
    let response = browser.get(&format!("/api/v1/exports/{id}/file")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let bytes = response.bytes().await.unwrap().to_vec();
    let verdict = verify_package(Cursor::new(&bytes), None).unwrap();
    (bytes, verdict)
}

#[tokio::test]
async fn a_range_leaves_as_an_authentic_package_and_the_log_says_who_took_it() {
    let county = County::start().await;
    let slot = recent();
    for n in 0..4 {
        store_one(&county, 1, slot - n * 10_000).await;
    }
    store_one(&county, 4, slot).await;
    let gap = archive::Gap::one(CameraId(2), Wall(slot), Cause::NoAnswer, "timeout");
    county.services.archive.record_gap(gap).await.unwrap();
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "site": 1, "from": slot - 25_000, "until": slot + 1 })).await;
    let done = in_state(&auditor, &export["id"], "done").await;
    assert_eq!((&done["snapshots"], &done["gaps"], &done["left_out"]), (&json!(3), &json!(1), &json!(0)));
    assert!(done["asked"].as_str().unwrap().starts_with("东村 · 2"), "{done}");
    assert!(done["expires"].as_i64().unwrap() > Wall::read().0);

    let (bytes, verdict) = package(&auditor, &export["id"]).await;
    assert_eq!(verdict.faults, []);
    assert!(verdict.authentic);
    assert_eq!(verdict.snapshots.len(), 3);
    assert_eq!(verdict.snapshots[0].name, "村口1");
    let purpose = verdict.purpose.unwrap();
    assert_eq!((purpose.reason.as_str(), purpose.document.as_str()), ("案件核查", "公视调〔2026〕7号"));
    assert!(purpose.by.contains("auditor1 全名") && purpose.by.contains("某单位"));
    assert_eq!(done["sha256"], sha256(&bytes));
    // The custody extract in the package knows of this export, by the log's own hashes.
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("snapshot_exported") && text.contains("export_asked"));

    let log = county.audited().await;
    let count = |action: &str| log.iter().filter(|(a, ..)| a == action).count();
    let counted = ["export_asked", "snapshot_exported", "export_made", "export_downloaded"].map(count);
    assert_eq!(counted, [1, 3, 1, 1]);
    assert_eq!(county.services.store.verify_audit().await.unwrap(), None);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn a_download_that_broke_off_continues() {
    let county = County::start().await;
    let one = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    in_state(&auditor, &export["id"], "done").await;
    let (whole, _) = package(&auditor, &export["id"]).await;
    let path = format!("/api/v1/exports/{}/file", export["id"]);
    let part = async |range: &str, known: Option<&str>| {
        let mut request = auditor.request(Method::GET, &path).header("range", range).header("accept-encoding", "gzip");
        if let Some(known) = known {
            request = request.header("if-range", known);
        }
        request.send().await.unwrap()
    };
    let first = part("bytes=0-999", None).await;
    assert_eq!(first.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(first.headers()["content-range"], format!("bytes 0-999/{}", whole.len()));
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let mut read = first.bytes().await.unwrap().to_vec();
    let rest = part("bytes=1000-", Some(&etag)).await;
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    read.extend(rest.bytes().await.unwrap());
    assert_eq!(read, whole);
    let other = part("bytes=1000-", Some("\"another\"")).await;
    assert_eq!((other.status(), other.bytes().await.unwrap().len()), (StatusCode::OK, whole.len()));
    let beyond = part("bytes=99999999-", None).await;
    assert_eq!(code(beyond).await, (416, "range".into()));
    // Whoever leaves out the first byte is on record as well: the whole, two parts, the whole again.
    let log = county.audited().await;
    assert_eq!(log.iter().filter(|(action, ..)| action == "export_downloaded").count(), 4);
}

#[tokio::test]
async fn a_second_person_agrees_or_not() {
    let county = County::with(|s| s.config.exports_need_approval = true).await;
    let one = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let admin = county.signed_in(Role::Administrator).await;
    let export = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    assert_eq!(export["state"], "awaiting_approval");
    let decision = format!("/api/v1/exports/{}/decision", export["id"]);
    let own = auditor.post(&decision, &json!({ "approve": true })).await;
    assert_eq!(code(own).await, (403, "own_export".into()));
    let file = format!("/api/v1/exports/{}/file", export["id"]);
    assert_eq!(code(auditor.get(&file).await).await, (409, "not_done".into()));
    assert_eq!(admin.post(&decision, &json!({ "approve": true })).await.status(), StatusCode::OK);
    in_state(&auditor, &export["id"], "done").await;
    let (_, verdict) = package(&auditor, &export["id"]).await;
    assert!(verdict.purpose.unwrap().approved_by.unwrap().contains("administrator1"));
    assert_eq!(code(admin.post(&decision, &json!({ "approve": true })).await).await, (409, "decided".into()));

    let refused = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    let decision = format!("/api/v1/exports/{}/decision", refused["id"]);
    let unexplained = admin.post(&decision, &json!({ "approve": false })).await;
    assert_eq!(code(unexplained).await, (400, "invalid".into()));
    let why = json!({ "approve": false, "reason": "文号不符" });
    assert_eq!(admin.post(&decision, &why).await.status(), StatusCode::OK);
    let now = in_state(&auditor, &refused["id"], "refused").await;
    assert_eq!(now["decision"], "文号不符");
}

#[tokio::test]
async fn bad_questions_are_told_and_foreign_exports_do_not_exist() {
    let county = County::with(|s| s.config.export_snapshots = 2).await;
    let slot = recent();
    let near = store_one(&county, 1, slot).await;
    for n in 1..4 {
        store_one(&county, 4, slot - n * 10_000).await;
    }
    let auditor = county.signed_in(Role::Auditor).await;
    let refused = async |more: Value| code(auditor.post("/api/v1/exports", &asking(&more)).await).await;
    let invalid = (400, "invalid".to_owned());
    for bad in [
        json!({}),
        json!({ "camera": 1 }),
        json!({ "camera": 1, "from": slot }),
        json!({ "camera": 1, "from": slot, "until": slot }),
        json!({ "camera": 1, "from": slot, "until": slot - 1 }),
        json!({ "from": slot - 1, "until": slot + 1 }),
        json!({ "camera": 1, "from": i64::MIN, "until": i64::MAX }),
        json!({ "snapshots": [near.id], "camera": 1 }),
        json!({ "snapshots": [near.id], "reason": " " }),
        json!({ "snapshots": [near.id], "document": "" }),
        json!({ "snapshots": [near.id], "document": "一\n二" }),
        json!({ "camera": 1, "from": slot, "until": slot + 1, "class": "best" }),
        json!({ "unknown": 1 }),
    ] {
        assert_eq!(refused(bad.clone()).await, invalid, "{bad}");
    }
    let range = json!({ "from": slot - 100_000, "until": slot + 1 });
    let within = |place: Value| {
        let mut body = range.clone();
        body.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
        body
    };
    let missing = (404, "not_found".to_owned());
    for bad in [within(json!({ "camera": 99 })), json!({ "snapshots": ["../../etc/passwd"] }), json!({ "incident": 7 })]
    {
        assert_eq!(refused(bad.clone()).await, missing, "{bad}");
    }
    let gone = near.id.to_string().replace(&near.id.to_string()[24..], "00000000");
    assert_eq!(refused(json!({ "snapshots": [gone] })).await, missing);
    assert_eq!(refused(within(json!({ "town": 2 }))).await, (422, "export_too_large".into()));
    assert_eq!(refused(within(json!({ "camera": 3 }))).await, (422, "export_empty".into()));

    county.user("shen", Role::Auditor, &[2], &[]).await;
    let shen = county.browser("shen").await;
    let response = shen.post("/api/v1/exports", &asking(&json!({ "snapshots": [near.id] }))).await;
    assert_eq!(code(response).await, missing, "outside his scope");
    let export = asked(&auditor, json!({ "snapshots": [near.id] })).await;
    let path = format!("/api/v1/exports/{}", export["id"]);
    assert_eq!(code(shen.get(&path).await).await, missing);
    assert_eq!(shen.json("/api/v1/exports").await["items"], json!([]));
    in_state(&auditor, &export["id"], "done").await;
    assert_eq!(auditor.request(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(auditor.json(&path).await["state"], "cancelled");
    assert_eq!(code(auditor.get(&format!("{path}/file")).await).await, (409, "not_done".into()));
    assert_eq!(std::fs::read_dir(&county.services.config.exports_folder).unwrap().count(), 0, "the package is gone");
    let page = auditor.get("/api/v1/exports/verifier").await;
    assert!(page.headers()["content-disposition"].to_str().unwrap().contains("attachment"));
    assert!(page.text().await.unwrap().contains("Evidence package verifier"));
}

#[tokio::test]
async fn the_offline_page_judges_as_the_command_does() {
    let county = County::start().await;
    let one = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    in_state(&auditor, &export["id"], "done").await;
    let (mut bytes, _) = package(&auditor, &export["id"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("good.zip"), &bytes).unwrap();
    // A byte of the picture.
    let at = bytes.windows(2).position(|w| w == [0xff, 0xd8]).unwrap() + 20;
    bytes[at] ^= 1;
    std::fs::write(path("altered.zip"), &bytes).unwrap();
    let page = auditor.get("/api/v1/exports/verifier").await.bytes().await.unwrap();
    std::fs::write(path("verify.html"), page).unwrap();
    let output = tokio::process::Command::new("node")
        .arg("e2e/verifier.mjs")
        .args(["verify.html", "good.zip", "altered.zip"].map(path))
        .current_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui"))
        .output()
        .await
        .expect("node is installed by ./task setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (own, how) in [("", "WebCrypto"), (" own", "JavaScript")] {
        let good = said[format!("good{own}")].as_str().unwrap();
        assert!(good.starts_with("验证通过") && good.contains(how) && good.contains("村口1"), "{good}");
        let altered = said[format!("altered{own}")].as_str().unwrap();
        assert!(altered.contains("NOT AUTHENTIC") && altered.contains("original.jpg：被改动"), "{altered}");
    }
    for own in [false, true] {
        assert_eq!(said[format!("vectors {own}")], "true,false,false,false,false,false");
    }
    assert_eq!(said["flipped"]["passed"], json!([]), "a flipped bit is seen, wherever it is: {}", said["flipped"]);
    assert!(said["flipped"]["tried"].as_u64().unwrap() > 1000, "{}", said["flipped"]);
    assert_eq!(said["asked"], json!([]), "the page asks nobody anything");
}

#[tokio::test]
async fn an_incident_leaves_with_all_its_members() {
    let county = County::start().await;
    let slot = recent();
    for camera in [1, 2, 4] {
        store_one(&county, camera, slot).await;
    }
    county.publish_with(&[], vec![crate::incidents::outage(7, &[1, 2])]);
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "incident": 7 })).await;
    let done = in_state(&auditor, &export["id"], "done").await;
    assert!(done["asked"].as_str().unwrap().contains("incident 7, 2 cameras"), "{done}");
    let (_, verdict) = package(&auditor, &export["id"]).await;
    assert!(verdict.authentic);
    let cameras: Vec<u32> = verdict.snapshots.iter().map(|s| s.camera.0).collect();
    assert_eq!(cameras, [1, 2], "not the village beside it");
}

#[tokio::test]
async fn what_a_crash_left_of_exports_is_removed_at_the_start_and_packages_stay() {
    let county = County::start().await;
    let one = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let kept = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    in_state(&auditor, &kept["id"], "done").await;
    let gone = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    in_state(&auditor, &gone["id"], "done").await;
    let path = format!("/api/v1/exports/{}", gone["id"]);
    assert_eq!(auditor.request(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let folder = county.services.config.exports_folder.clone();
    // As kill -9 would leave them: a draft, the package of one that was given up, one that no export knows.
    let named = |name: String| folder.join(name);
    let left = [
        named(format!("export-{}.part", kept["id"])),
        named(format!("export-{}.zip", gone["id"])),
        named("export-4242.zip".to_owned()),
    ];
    let others = [named("notes.zip".to_owned()), named("export-x.zip".to_owned())];
    for path in left.iter().chain(&others) {
        std::fs::write(path, b"left").unwrap();
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stopped = std::future::pending();
    let again = tokio::spawn(web::serve(web::Doors::from(listener), county.services.clone(), stopped));
    until("the folder is tidied up", || async { left.iter().all(|path| !path.exists()) }).await;
    assert!(others.iter().all(|path| path.exists()), "what is not ours is not touched");
    assert!(named(format!("export-{}.zip", kept["id"])).exists());
    let (_, verdict) = package(&auditor, &kept["id"]).await;
    assert!(verdict.authentic);
    again.abort();
}

#[tokio::test]
async fn room_is_that_of_the_disk_on_which_packages_lie() {
    // Where nothing is left although the archive has plenty: a file system of no bytes at all.
    let county = County::with(|s| s.config.exports_folder = "/proc/self/fd".into()).await;
    let one = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    let failed = in_state(&auditor, &export["id"], "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("not enough room"), "{failed}");
}

#[tokio::test]
async fn the_custody_extract_has_everything_that_the_log_says_of_a_snapshot() {
    let county = County::start().await;
    let one = store_one(&county, 1, recent()).await;
    let entry = |n: i64| store::AuditEntry {
        at: Wall(n),
        who: "an".into(),
        who_detail: "安 · 甲单位".into(),
        address: "10.0.0.1".into(),
        action: "snapshot_viewed".into(),
        object: one.id.to_string(),
        reason: format!("第 {n} 次"),
        success: true,
        detail: String::new(),
    };
    // More than are read at once.
    for n in 0..1100 {
        county.services.store.audit(entry(n)).await.unwrap();
    }
    let auditor = county.signed_in(Role::Auditor).await;
    let export = asked(&auditor, json!({ "snapshots": [one.id] })).await;
    in_state(&auditor, &export["id"], "done").await;
    let (bytes, verdict) = package(&auditor, &export["id"]).await;
    assert!(verdict.authentic);
    let text = String::from_utf8_lossy(&bytes);
    let all = (0..1100).all(|n| text.contains(&format!("\"reason\": \"第 {n} 次\"")));
    assert!(all && text.contains("snapshot_exported") && text.contains("\"left_out\": 0"));
}
