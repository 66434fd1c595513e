//! The archive: reasons, scope, pictures, originals, gaps.

use crate::support::{County, code};
use archive::{Gap, NewSnapshot, SnapshotRef};
use bytes::Bytes;
use fleet::{CameraId, Cause, Codec, Now, Status, StreamChoice, Wall};
use health::SnapshotClass;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use store::Role;

/// 案件核查, percent-encoded.
const REASON: &str = "%E6%A1%88%E4%BB%B6%E6%A0%B8%E6%9F%A5";

/// A small grey JPEG of 64 by 48 pixels.
pub(crate) fn jpeg() -> Bytes {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = include_str!("grey.jpg.b64");
    Bytes::from(STANDARD.decode(text.trim()).unwrap())
}

pub(crate) async fn store_one(county: &County, camera: u32, slot: i64) -> SnapshotRef {
    store_showing(county, camera, slot, None).await
}

/// A picture of a camera that had this fault when it was taken.
pub(crate) async fn store_showing(county: &County, camera: u32, slot: i64, cause: Option<Cause>) -> SnapshotRef {
    let snapshot = NewSnapshot {
        camera: CameraId(camera),
        stream: StreamChoice::Main,
        slot: Wall(slot),
        class: SnapshotClass::Routine,
        captured: Now { wall: Wall(slot + 400), ..Now::read() },
        camera_clock: None,
        codec: Codec::Jpeg,
        converted_from: None,
        width: 64,
        height: 48,
        status: cause.map_or(Status::Online, Cause::status),
        cause,
        data: jpeg(),
    };
    county.services.archive.append(snapshot).await.unwrap()
}

async fn search(browser: &crate::support::Browser<'_>, query: &str) -> Response {
    let request = browser.request(Method::GET, &format!("/api/v1/snapshots{query}"));
    request.header("x-reason", REASON).send().await.unwrap()
}

/// A slot of the last minutes.
pub(crate) fn recent() -> i64 {
    Wall::read().0 / 10_000 * 10_000 - 60_000
}

#[tokio::test]
async fn whoever_looks_into_the_archive_says_why_and_is_written_down() {
    let county = County::start().await;
    let stored = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let picture = format!("/api/v1/snapshots/{}/picture", stored.id);
    for path in ["/api/v1/snapshots", &picture, &format!("/api/v1/snapshots/{}", stored.id)] {
        assert_eq!(code(auditor.get(path).await).await, (428, "reason_required".into()), "{path}");
    }
    let bad = auditor.request(Method::GET, "/api/v1/snapshots").header("x-reason", "%ff%fe").send().await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    let found: Value = search(&auditor, "?camera=1").await.json().await.unwrap();
    let item = &found["items"][0];
    assert_eq!((&item["kind"], &item["camera"], &item["codec"]), (&json!("snapshot"), &json!(1), &json!("jpeg")));
    assert_eq!(item["sha256"], hex::encode(stored.sha256));
    // The reason now opens pictures that a page shows without a header.
    for _ in 0..2 {
        assert_eq!(auditor.get(&picture).await.status(), StatusCode::OK);
    }
    let original = auditor.get(&format!("/api/v1/snapshots/{}/original", stored.id)).await;
    assert!(original.headers()["content-disposition"].to_str().unwrap().contains("C00001-"));
    assert!(original.headers()["content-digest"].to_str().unwrap().starts_with("sha-256=:"));
    assert_eq!(original.bytes().await.unwrap(), jpeg());
    let verified = auditor.json(&format!("/api/v1/snapshots/{}", stored.id)).await;
    assert_eq!(verified["verified"], true);

    // Before the segment is sealed there is nothing yet that a manifest could name.
    let proof = format!("/api/v1/snapshots/{}/proof", stored.id);
    let early = auditor.json(&proof).await;
    assert_eq!(
        (&early["steps"][0]["outcome"], &early["steps"][2]["outcome"]),
        (&json!("holds"), &json!("not_reached"))
    );
    county.services.archive.seal().await.unwrap();
    let steps = auditor.json(&proof).await["steps"].clone();
    let links: Vec<_> = steps.as_array().unwrap().iter().map(|s| s["link"].as_str().unwrap()).collect();
    assert_eq!(links, ["picture", "record", "tree", "seal", "manifest", "signature", "chain"]);
    assert!(steps.as_array().unwrap().iter().all(|s| s["outcome"] == "holds"), "{steps}");

    let log = auditor.json("/api/v1/audit").await;
    let told: Vec<(&str, &str)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["action"].as_str().unwrap(), r["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("snapshot_verified", "案件核查"),
            ("snapshot_verified", "案件核查"),
            ("snapshot_downloaded", "案件核查"),
            ("snapshot_viewed", "案件核查"),
            ("snapshots_searched", "案件核查"),
            ("sign_in", "")
        ]
    );
    let other = county.browser("auditor1").await;
    assert_eq!(other.get(&picture).await.status(), StatusCode::PRECONDITION_REQUIRED, "for one session only");
}

#[tokio::test]
async fn pictures_are_rendered_from_what_was_stored_and_kept_by_browsers() {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    let stored = store_one(&county, 2, recent()).await;
    let operator = county.signed_in(Role::Operator).await;
    let path = format!("/api/v1/snapshots/{}/picture?width=50", stored.id);
    let many: Vec<Response> = futures::future::join_all((0..8).map(|_| operator.get(&path))).await;
    let picture = many.into_iter().next().unwrap();
    assert_eq!(picture.status(), StatusCode::OK);
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    assert!(picture.headers()["cache-control"].to_str().unwrap().contains("private"));
    let etag = picture.headers()["etag"].clone();
    assert!(etag.to_str().unwrap().contains(&hex::encode(stored.sha256)));
    assert_eq!(&picture.bytes().await.unwrap()[..2], [0xff, 0xd8]);
    let again = operator.request(Method::GET, &path).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        operator.get(&format!("/api/v1/snapshots/{}/original", stored.id)).await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn gaps_are_shown_as_gaps_and_pages_continue() {
    let county = County::start().await;
    let slot = recent();
    for n in 0..5 {
        store_one(&county, 1, slot - n * 10_000).await;
    }
    let gap = Gap::one(CameraId(3), Wall(slot), Cause::NoAnswer, "timeout");
    county.services.archive.record_gap(gap).await.unwrap();
    let operator = county.signed_in(Role::Operator).await;
    let gaps: Value = search(&operator, "?kind=gap").await.json().await.unwrap();
    assert_eq!(gaps["items"].as_array().unwrap().len(), 1);
    assert_eq!(gaps["items"][0]["cause"], "no_answer");
    let (mut slots, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Value =
            search(&operator, &format!("?kind=snapshot&town=1&limit=2{cursor}")).await.json().await.unwrap();
        slots.extend(page["items"].as_array().unwrap().iter().map(|i| i["slot"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(slots.len() <= 5, "it ends");
    }
    assert_eq!(slots, (0..5).map(|n| slot - n * 10_000).collect::<Vec<_>>());
    let searched = county.audited().await.into_iter().filter(|(action, ..)| action == "snapshots_searched").count();
    assert_eq!(searched, 2, "once a search, not once a page");
    for bad in ["?cursor=forged", "?kind=film", "?class=x", "?status=good", "?limit=0", "?from=x"] {
        assert_eq!(code(search(&operator, bad).await).await, (400, "invalid".into()), "{bad}");
    }
    crate::support::until("the day's count is shown", || async {
        operator.json("/api/v1/overview").await["snapshots_24h"] == json!({ "stored": 5, "gaps": 1 })
    })
    .await;
}

#[tokio::test]
async fn snapshots_outside_the_scope_do_not_exist() {
    let county = County::start().await;
    let slot = recent();
    let (near, far) = (store_one(&county, 1, slot).await, store_one(&county, 4, slot).await);
    county.user("zhang", Role::Operator, &[1], &[]).await;
    county.user("shen", Role::Auditor, &[1], &[]).await;
    let zhang = county.browser("zhang").await;
    let all: Value = search(&zhang, "").await.json().await.unwrap();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    assert_eq!(all["items"][0]["id"], near.id.to_string());
    for query in ["?camera=4", "?site=3", "?town=2", "?camera=99"] {
        assert_eq!(search(&zhang, query).await.status(), StatusCode::NOT_FOUND, "{query}");
    }
    let shen = county.browser("shen").await;
    search(&shen, "").await;
    for path in ["", "/picture", "/original"] {
        let path = format!("/api/v1/snapshots/{}{path}", far.id);
        assert_eq!(code(shen.get(&path).await).await, (404, "not_found".into()), "{path}");
    }
    for id in ["x", "../../etc/passwd", "%2e%2e%2fetc", &"g".repeat(32), &"0".repeat(33)] {
        let path = format!("/api/v1/snapshots/{}/picture", id.replace('/', "%2f"));
        assert_eq!(shen.get(&path).await.status(), StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn snapshots_are_found_by_uplink_and_by_incident_within_the_scope() {
    let county = County::start().await;
    let slot = recent();
    // Long before the incident, shortly before it, and of a camera that has no part in it.
    store_one(&county, 1, slot - 3_600_000).await;
    let before = store_one(&county, 1, slot).await;
    let other = store_one(&county, 3, slot).await;
    let behind = store_one(&county, 4, slot).await;
    county.publish_with(&[], vec![crate::incidents::outage(7, &[1, 2])]);
    let auditor = county.signed_in(Role::Auditor).await;
    let ids = |found: &Value| -> Vec<String> {
        found["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("?incident=7", vec![&before]),
        ("?incident=7&camera=1", vec![&before]),
        ("?uplink=2", vec![&behind]),
        ("?town=1&uplink=1&incident=7", vec![&before]),
        ("?site=2", vec![&other]),
    ] {
        let found: Value = search(&auditor, query).await.json().await.unwrap();
        let expected: Vec<String> = expected.iter().map(|s| s.id.to_string()).collect();
        assert_eq!(ids(&found), expected, "{query}");
    }
    // The second page of an incident that lasts belongs to the same search.
    store_one(&county, 2, slot).await;
    let first: Value = search(&auditor, "?incident=7&limit=1").await.json().await.unwrap();
    let next = first["next"].as_str().unwrap();
    let second: Value = search(&auditor, &format!("?incident=7&limit=1&cursor={next}")).await.json().await.unwrap();
    assert_eq!(ids(&second), [before.id.to_string()]);
    for (query, expected) in [
        ("?incident=99", (404, "not_found")),
        ("?uplink=99", (404, "not_found")),
        ("?incident=7&camera=3", (404, "not_found")),
        ("?incident=x", (400, "invalid")),
    ] {
        assert_eq!(code(search(&auditor, query).await).await, (expected.0, expected.1.to_owned()), "{query}");
    }
    // What is not in scope does not exist.
    county.user("xi", Role::Auditor, &[2], &[]).await;
    let elsewhere = county.browser("xi").await;
    for query in ["?incident=7", "?uplink=1"] {
        assert_eq!(code(search(&elsewhere, query).await).await, (404, "not_found".into()), "{query}");
    }
}

#[tokio::test]
async fn a_watermark_is_on_renderings_and_never_on_originals() {
    let set = |s: &mut web::Services| (s.config.snapshots_need_reason, s.config.watermark) = (false, true);
    let (marked, plain) = (County::with(set).await, County::with(|s| s.config.snapshots_need_reason = false).await);
    let slot = recent();
    let stored = store_one(&marked, 1, slot).await;
    store_one(&plain, 1, slot).await;
    let (picture, original) =
        (format!("/api/v1/snapshots/{}/picture", stored.id), format!("/api/v1/snapshots/{}/original", stored.id));
    let auditor = marked.signed_in(Role::Auditor).await;
    let bare = plain.signed_in(Role::Auditor).await.get(&picture).await.bytes().await.unwrap();
    let answer = auditor.get(&picture).await;
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let shown = answer.bytes().await.unwrap();
    let pixels = |jpeg: &[u8]| image::load_from_memory(jpeg).unwrap().into_luma8();
    let (bare, shown) = (pixels(&bare), pixels(&shown));
    assert_eq!(bare.dimensions(), shown.dimensions());
    let far = bare.pixels().zip(shown.pixels()).filter(|(a, b)| a.0[0].abs_diff(b.0[0]) > 24).count();
    let all = bare.pixels().len();
    assert!(far * 100 > all && far * 3 < all, "{far} of {all} pixels are written on");
    assert_eq!(auditor.get(&original).await.bytes().await.unwrap(), jpeg(), "the original is as it was stored");

    // Another's look is another picture, also for a cache; the same person's need not be sent again.
    let operator = marked.signed_in(Role::Operator).await;
    let ask =
        |browser: &crate::support::Browser<'_>| browser.request(Method::GET, &picture).header("if-none-match", &etag);
    assert_eq!(ask(&auditor).send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let other = ask(&operator).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    assert_ne!(pixels(&other.bytes().await.unwrap()), shown);
}

#[tokio::test]
async fn a_reason_opens_the_search_that_it_was_given_for_and_no_other() {
    let county = County::start().await;
    let slot = recent();
    for n in 0..3 {
        store_one(&county, 1, slot - n * 10_000).await;
    }
    let other = store_one(&county, 3, slot).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let found: Value = search(&auditor, "?camera=1&limit=2").await.json().await.unwrap();
    let first = found["items"][0]["id"].as_str().unwrap();
    let picture = |id: &str| format!("/api/v1/snapshots/{id}/picture");
    assert_eq!(auditor.get(&picture(first)).await.status(), StatusCode::OK);
    // Its further pages, and itself once more, need no other reason.
    let next = found["next"].as_str().unwrap().to_owned();
    let second = auditor.json(&format!("/api/v1/snapshots?camera=1&limit=2&cursor={next}")).await;
    let last = second["items"][0]["id"].as_str().unwrap();
    assert_eq!(auditor.get(&picture(last)).await.status(), StatusCode::OK);
    assert_eq!(auditor.get("/api/v1/snapshots?camera=1").await.status(), StatusCode::OK);
    // Another search does, also a narrower one; and so does a picture that no search has shown.
    let unexplained = (428, "reason_required".to_owned());
    for path in ["/api/v1/snapshots?camera=3", "/api/v1/snapshots", "/api/v1/snapshots?camera=1&kind=snapshot"] {
        assert_eq!(code(auditor.get(path).await).await, unexplained, "{path}");
    }
    let nearest = format!("/api/v1/snapshots/nearest?camera=1&at={slot}");
    for path in [picture(&other.id.to_string()), format!("/api/v1/snapshots/{}/proof", other.id), nearest] {
        assert_eq!(code(auditor.get(&path).await).await, unexplained, "{path}");
    }
    // One snapshot by itself: for its own reason, which opens nothing else.
    let one = format!("/api/v1/snapshots/{}", other.id);
    let asked = auditor.request(Method::GET, &one).header("x-reason", "%E5%AE%A1%E8%AE%A1").send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK);
    assert_eq!(auditor.get(&picture(&other.id.to_string())).await.status(), StatusCode::OK);
    assert_eq!(code(auditor.get("/api/v1/snapshots?camera=3").await).await, unexplained);
    let log = auditor.json("/api/v1/audit?limit=100").await;
    let of = |action: &str| -> Vec<String> {
        let all = log["items"].as_array().unwrap().iter().filter(|r| r["action"] == action);
        all.map(|r| r["reason"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("snapshots_searched"), ["案件核查", "案件核查"], "the search, and the same begun anew");
    assert_eq!(of("snapshot_viewed"), ["审计", "案件核查", "案件核查"]);
}

#[tokio::test]
async fn a_search_that_begins_with_a_cursor_is_on_record_too_and_none_is_made_by_hand() {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    let slot = recent();
    for n in 0..4 {
        store_one(&county, 1, slot - n * 10_000).await;
    }
    let auditor = county.signed_in(Role::Auditor).await;
    let admin = county.signed_in(Role::Administrator).await;
    let first = auditor.json("/api/v1/snapshots?limit=1").await;
    let cursor = first["next"].as_str().unwrap();
    let page = format!("/api/v1/snapshots?limit=1&cursor={cursor}");
    let searches = async || {
        let log = county.audited().await;
        log.iter().filter(|(action, ..)| action == "snapshots_searched").count()
    };
    auditor.json(&page).await;
    assert_eq!(searches().await, 1, "a page of the same search");
    // Somebody else goes on from there: a search of his own.
    for _ in 0..2 {
        admin.json(&page).await;
    }
    assert_eq!(searches().await, 2);
    // A place of one's own choice is not one that was given out.
    let forged = format!("{:016x}{}", slot + 5, &cursor[16..]);
    let (rest, last) = cursor.split_at(cursor.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    for cursor in [forged, cursor.replace(&cursor[..16], "7fffffffffffffff"), format!("{rest}{other}")] {
        let answer = auditor.get(&format!("/api/v1/snapshots?limit=1&cursor={cursor}")).await;
        assert_eq!(code(answer).await, (400, "invalid".into()), "{cursor}");
    }
}

#[tokio::test]
async fn where_exports_need_approval_no_original_leaves_without() {
    let county = County::with(|s| s.config.exports_need_approval = true).await;
    let stored = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let original = format!("/api/v1/snapshots/{}/original", stored.id);
    let asked = auditor.request(Method::GET, &original).header("x-reason", REASON).send().await.unwrap();
    assert_eq!(code(asked).await, (403, "approval_needed".into()));
    assert!(county.audited().await.iter().all(|(action, ..)| action != "snapshot_downloaded"));
}

#[tokio::test]
async fn a_picture_that_one_was_shown_is_not_shown_to_the_next_at_the_same_browser() {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    let stored = store_one(&county, 1, recent()).await;
    let auditor = county.signed_in(Role::Auditor).await;
    let headers = |answer: &Response, name: &str| -> String {
        let all = answer.headers().get_all(name).iter().map(|v| v.to_str().unwrap().to_ascii_lowercase());
        all.collect::<Vec<_>>().join(", ")
    };
    let picture = auditor.get(&format!("/api/v1/snapshots/{}/picture", stored.id)).await;
    assert!(headers(&picture, "cache-control").starts_with("private"));
    let vary = headers(&picture, "vary");
    assert!(vary.contains("cookie") && vary.contains("authorization"), "{vary}");
    let original = auditor.get(&format!("/api/v1/snapshots/{}/original", stored.id)).await;
    assert_eq!(headers(&original, "cache-control"), "no-store");
    // What is everybody's is kept by every cache as ever.
    let page = auditor.get("/api/v1/openapi.json").await;
    assert!(page.status().is_success());
}

#[tokio::test]
async fn the_cameras_clock_is_told_with_how_sure_it_is_and_slots_missed_in_a_row_with_their_number() {
    let county = County::with(|s| s.config.snapshots_need_reason = false).await;
    let slot = recent();
    let snapshot = NewSnapshot {
        camera: CameraId(1),
        stream: StreamChoice::Main,
        slot: Wall(slot),
        class: SnapshotClass::Routine,
        captured: Now { wall: Wall(slot + 400), ..Now::read() },
        camera_clock: Some(fleet::CameraClock { at: Wall(slot - 2_600), uncertainty_ms: 48 }),
        codec: Codec::Jpeg,
        converted_from: None,
        width: 64,
        height: 48,
        status: Status::Online,
        cause: None,
        data: jpeg(),
    };
    county.services.archive.append(snapshot).await.unwrap();
    let run = Gap {
        slots: 30,
        every_ms: 300_000,
        ..Gap::one(CameraId(2), Wall(slot - 7 * 86_400_000), Cause::NotRunning, "")
    };
    county.services.archive.record_gap(run).await.unwrap();
    let auditor = county.signed_in(Role::Auditor).await;
    let found = auditor.json("/api/v1/snapshots?kind=snapshot").await;
    let one = &found["items"][0];
    assert_eq!((&one["camera_clock"], &one["camera_clock_uncertainty_ms"]), (&json!(slot - 2_600), &json!(48)));
    let gaps = auditor.json("/api/v1/snapshots?kind=gap").await;
    let gaps = gaps["items"].as_array().unwrap();
    assert!((3..=4).contains(&gaps.len()), "a record an hour: {gaps:?}");
    assert_eq!(gaps.iter().map(|gap| gap["slots"].as_u64().unwrap()).sum::<u64>(), 30);
    assert!(gaps.iter().all(|gap| gap["cause"] == "not_running"));
}
