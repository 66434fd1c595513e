//! The third axis of the matrix: every route, every role, and the part of the county that it is given. What belongs to
//! another part does not exist, whatever is asked of it; a new route is in one of the lists here or the test fails.

use crate::{
    properties::{county, day, node},
    roles::{MAY, routes},
    support::{Browser, County},
};
use fleet::{CameraId, Cause, Layer, Status, Wall};
use health::StatusChange;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use store::{Fact, Role};

/// Roles that may be given a part of the county.
const NARROW: [Role; 3] = [Role::Operator, Role::Technician, Role::Auditor];

/// Words that only the other part has: its town, its site, its cameras.
const FOREIGN: [&str; 4] = ["西镇", "西村", "村口4", "村口5"];

/// What `{id}` names in routes that begin so.
const SCOPED: &[&str] =
    &["cameras", "incidents", "orders", "snapshots", "windows", "excuses", "exports", "holds", "handovers"];

/// The same of routes whose objects belong to nobody's part: accounts and what administrators of all the county have.
const OF_THE_WHOLE: &[&str] = &["sessions", "users", "tokens", "channels", "mailings", "register"];

/// Routes that answer other than "not found" for reasons of their own, and where that is tested.
const ELSEWHERE: &[&str] = &[
    // A WebSocket: live.rs.
    "GET /api/v1/cameras/{id}/live",
    // An event stream: stream.rs.
    "GET /api/v1/events",
    // A program, the same for all.
    "GET /api/v1/exports/verifier",
    // Roads and names of the whole map, from a file that is not given here.
    "GET /api/v1/map/tiles",
];

/// Nothing is there of one's own either: they prove only that the other part's is not told apart from it.
const NOTHING_THERE: &[&str] =
    &["GET /api/v1/orders/{id}/pictures/{picture}", "DELETE /api/v1/cameras/{id}/picture/exceptions/{cause}"];

/// What a request says beside the id; nothing if it is not here.
fn body(route: &str) -> Value {
    let cause = "same_picture";
    match route {
        "POST /api/v1/cameras/{id}/pause" => json!({ "until": null, "reason": "换杆" }),
        "POST /api/v1/cameras/{id}/picture/confirm" => json!({ "cause": cause }),
        "POST /api/v1/cameras/{id}/picture/false-alarm" => {
            json!({ "cause": cause, "reason": "两台同位", "until": Wall::read().0 + 86_400_000 })
        }
        "POST /api/v1/cameras/{id}/picture/baseline" => json!({ "action": "reset", "reason": "换杆" }),
        "POST /api/v1/incidents/{id}/acknowledge" => json!({ "reason": "已知", "until": null }),
        "POST /api/v1/orders/{id}/act" => json!({ "act": "accept", "version": 2 }),
        "POST /api/v1/orders/{id}/verify" => json!({ "camera": 1 }),
        "POST /api/v1/windows/{id}/end" | "POST /api/v1/holds/{id}/release" => json!({ "reason": "完工" }),
        "POST /api/v1/excuses/{id}/decide" => json!({ "granted": true, "reason": "属实" }),
        "POST /api/v1/exports/{id}/decision" => json!({ "approve": true, "reason": "" }),
        _ => json!({}),
    }
}

/// What a list is asked with; nothing if it is not here.
fn query(path: &str) -> String {
    let (from, until) = (Wall::read().0 - 86_400_000, Wall::read().0);
    match path {
        "/api/v1/snapshots/nearest" => "?camera=1&at=0".into(),
        "/api/v1/diagnosis/results/file" => "?format=csv".into(),
        "/api/v1/reports" => format!("?from={from}&until={until}&group=site"),
        "/api/v1/reports/file" => format!("?format=csv&from={from}&until={until}&group=site"),
        "/api/v1/reports/intervals" | "/api/v1/orders/figures" => format!("?from={from}&until={until}"),
        _ => String::new(),
    }
}

/// Ids of one's own part and of the other.
struct Ids {
    snapshots: [String; 2],
    handovers: [String; 2],
    /// Of packages one sees one's own alone, unless one sees the whole county.
    exports: [String; 2],
}

impl Ids {
    async fn of(county: &County) -> Ids {
        let reader = county.signed_in(Role::Operator).await;
        let mut snapshots = [String::new(), String::new()];
        for (at, camera) in [(0, 1), (1, 4)] {
            let page = reader.json(&format!("/api/v1/snapshots?camera={camera}")).await;
            snapshots[at] = page["items"][0]["id"].as_str().unwrap().to_owned();
        }
        let mut handovers = [String::new(), String::new()];
        for (at, town) in [(0, 1), (1, 2)] {
            let name = format!("shift{town}");
            county.user(&name, Role::Operator, &[town], &[]).await;
            let from = Wall::read().0 - 3_600_000;
            let given = county.browser(&name).await.post("/api/v1/handovers", &json!({ "from": from })).await;
            handovers[at] = given.json::<Value>().await.unwrap()["id"].to_string();
        }
        county.user("auditor-of-1", Role::Auditor, &[1], &[]).await;
        let now = Wall::read().0;
        let asked = json!({ "camera": 1, "from": now - 86_400_000, "until": now, "reason": "核查", "document": "1" });
        let export = county.browser("auditor-of-1").await.post("/api/v1/exports", &asked).await;
        let exports = [export.json::<Value>().await.unwrap()["id"].to_string(), "2".to_owned()];
        Ids { snapshots, handovers, exports }
    }

    fn id(&self, kind: &str, far: bool) -> String {
        match (kind, far) {
            ("snapshots", _) => self.snapshots[usize::from(far)].clone(),
            ("handovers", _) => self.handovers[usize::from(far)].clone(),
            ("exports", _) => self.exports[usize::from(far)].clone(),
            ("cameras", true) => "4".into(),
            (_, true) => "2".into(),
            (_, false) => "1".into(),
        }
    }
}

async fn ask(browser: &Browser<'_>, method: &Method, route: &str, path: &str) -> (StatusCode, String) {
    let request = browser.request(method.clone(), path);
    let request = match *method {
        Method::GET | Method::DELETE => request,
        _ if route.ends_with("/pictures") => request.header("content-type", "image/jpeg").body("no picture"),
        _ => request.json(&body(route)),
    };
    let answer = request.send().await.unwrap();
    (answer.status(), String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_another_part_nothing_exists_on_any_route_for_any_role() {
    let county = county().await;
    let technician = county.user("technician-of-1", Role::Technician, &[1], &[]).await;
    day(&county, technician.id.0).await;
    let ids = Ids::of(&county).await;
    let asking = async {
        for role in NARROW {
            let name = format!("{}-of-1", role.code());
            if role == Role::Operator {
                county.user(&name, role, &[1], &[]).await;
            }
            let browser = county.browser(&name).await;
            let mut routes = routes();
            // What takes away comes last.
            routes.sort_by_key(|(method, _)| *method == Method::DELETE);
            for (method, path) in routes {
                let route = format!("{method} {path}");
                let may = MAY.iter().any(|(r, roles)| *r == route && roles.contains(&role));
                if !may || ELSEWHERE.contains(&route.as_str()) {
                    continue;
                }
                let kind = path.split('/').nth(3).unwrap();
                if !path.contains("{id}") {
                    if method == Method::GET {
                        let (status, told) = ask(&browser, &method, &route, &format!("{path}{}", query(&path))).await;
                        assert!(status.is_success(), "{role:?} {route}: {status} {told}");
                        let foreign: Vec<_> = FOREIGN.iter().filter(|word| told.contains(**word)).collect();
                        assert!(foreign.is_empty(), "{role:?} {route} tells of {foreign:?}: {told}");
                        assert!(!told.contains(&ids.snapshots[1]), "{role:?} {route} names a snapshot: {told}");
                    }
                    continue;
                }
                if OF_THE_WHOLE.contains(&kind) {
                    continue;
                }
                assert!(SCOPED.contains(&kind), "{route}: whose part is it of?");
                let named = |far| {
                    path.replace("{id}", &ids.id(kind, far))
                        .replace("{picture}", "1")
                        .replace("{cause}", "same_picture")
                };
                let (status, told) = ask(&browser, &method, &route, &named(true)).await;
                assert_eq!(status, StatusCode::NOT_FOUND, "{role:?} {route} of another part: {told}");
                let (status, told) = ask(&browser, &method, &route, &named(false)).await;
                let there = status != StatusCode::NOT_FOUND || NOTHING_THERE.contains(&route.as_str());
                assert!(there && !status.is_server_error(), "{role:?} {route} of his own part: {status} {told}");
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = node(&county) => unreachable!("the node goes on"),
    }
}

#[tokio::test]
async fn what_a_picture_showed_is_told_to_those_who_may_see_it() {
    let county = County::start().await;
    let words = "mean luma 3 (limit 16)";
    let change = |camera| {
        Fact::Status(StatusChange {
            camera: CameraId(camera),
            at: Wall(Wall::read().0 - 60_000),
            status: Status::Impaired,
            from: Some(Status::Online),
            layer: Some(Layer::Picture),
            cause: Some(Cause::PictureBlack),
            detail: words.into(),
        })
    };
    county.services.store.record(&[change(3)]).await.unwrap();
    county.publish(&[(3, Cause::PictureBlack)]);
    let technician = county.signed_in(Role::Technician).await;
    let operator = county.signed_in(Role::Operator).await;
    let told = async |browser: &Browser<'_>| {
        let ladder = browser.json("/api/v1/cameras/3/ladder").await;
        let rungs = ladder["rungs"].as_array().unwrap();
        let rung = rungs.iter().find(|rung| rung["cause"] == "picture_black").expect("the rung that failed");
        let history = browser.json("/api/v1/cameras/3/history").await;
        let overview = browser.json("/api/v1/overview").await;
        let recent = overview["recent"].as_array().unwrap().iter().find(|change| change["camera"] == 3);
        let words = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(recent.unwrap()["cause"], "picture_black", "that it is so is told to all");
        [words(&rung["evidence"]), words(&history["items"][0]["detail"]), words(&recent.unwrap()["detail"])]
    };
    assert_eq!(told(&operator).await, ["picture_black", words, words]);
    assert_eq!(told(&technician).await, ["", "", ""]);
}

#[tokio::test]
async fn an_auditor_reads_no_addresses_of_streams() {
    let county = County::start().await;
    county.publish_with(&[(1, Cause::NoAnswer)], vec![crate::incidents::outage(1, &[1, 2])]);
    let auditor = county.signed_in(Role::Auditor).await;
    let pages =
        ["cameras/1", "cameras/1/history", "fleet", "states", "overview", "incidents", "incidents/1", "orders", "map"];
    for page in pages {
        let answer = auditor.get(&format!("/api/v1/{page}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{page}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("rtsp"), "{page}: {text}");
    }
    let shown = county.signed_in(Role::Technician).await.json("/api/v1/cameras/1").await;
    assert!(shown["camera"]["main_url"].as_str().unwrap().starts_with("rtsp://10.9.0."), "{shown}");
}
