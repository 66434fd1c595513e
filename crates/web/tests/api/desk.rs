//! Planned maintenance and work orders, from opening one to its verified repair.

use crate::{
    incidents::outage,
    snapshots::store_showing,
    support::{Browser, County, code, until},
};
use fleet::{CameraId, Cause, SiteId, Wall};
use health::{Event, Incident, Scope, desk::OrderId};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::{Fact, NewOrderPicture, PictureKind, Role};
use web::Command;

const HOUR: i64 = 3_600_000;

fn plan(kind: &str, id: Option<u32>, from: i64, until: i64) -> Value {
    let mut scope = json!({ "kind": kind });
    if let Some(id) = id {
        scope["id"] = json!(id);
    }
    let now = Wall::read().0;
    json!({ "scope": scope, "from": now + from, "until": now + until, "reason": "换杆施工", "excused": true })
}

#[tokio::test]
async fn maintenance_is_planned_told_to_the_core_and_ended_early() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    for wrong in [
        plan("site", Some(1), HOUR, HOUR),
        plan("site", Some(1), -2 * HOUR, -HOUR),
        plan("site", Some(1), 0, 400 * 24 * HOUR),
        plan("site", Some(99), 0, HOUR),
        plan("own", None, 0, HOUR),
        plan("county", Some(1), 0, HOUR),
        plan("village", Some(1), 0, HOUR),
    ] {
        assert_eq!(code(operator.post("/api/v1/windows", &wrong).await).await, (400, "invalid".into()), "{wrong}");
    }
    assert!(county.command().is_none());
    let made = operator.post("/api/v1/windows", &plan("site", Some(1), -1000, HOUR)).await;
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["cameras"], &made["by"], &made["excused"]), (&json!(2), &json!("operator1"), &json!(true)));
    let Some(Command::Event(Event::Windows(told))) = county.command() else { panic!("the core was not told") };
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].scope, Scope::Site(SiteId(1)));
    let technician = county.signed_in(Role::Technician).await;
    assert_eq!(technician.json("/api/v1/windows").await["items"].as_array().unwrap().len(), 1);
    let end = format!("/api/v1/windows/{}/end", made["id"]);
    assert_eq!(operator.post(&end, &json!({ "reason": "" })).await.status(), 400);
    let ended: Value = operator.post(&end, &json!({ "reason": "提前完工" })).await.json().await.unwrap();
    assert_eq!(ended["ended_by"], "operator1");
    let Some(Command::Event(Event::Windows(told))) = county.command() else { panic!("the core was not told") };
    assert!(told.iter().all(|w| !w.holds(Wall::read())));
    assert_eq!(operator.post(&end, &json!({ "reason": "again" })).await.status(), 400);
    let audited = county.audited().await;
    for action in ["window_planned", "window_ended"] {
        assert!(audited.contains(&(action.into(), "operator1".into(), true)), "{action}");
    }
}

#[tokio::test]
async fn nobody_plans_for_cameras_that_are_not_his() {
    let county = County::start().await;
    county.user("east", Role::Operator, &[1], &[]).await;
    let east = county.browser("east").await;
    for (kind, id) in [("county", None), ("town", Some(2)), ("site", Some(3)), ("camera", Some(4)), ("uplink", Some(2))]
    {
        let refused = east.post("/api/v1/windows", &plan(kind, id, 0, HOUR)).await;
        assert_eq!(code(refused).await, (404, "not_found".into()), "{kind}");
    }
    assert_eq!(east.post("/api/v1/windows", &plan("town", Some(1), 0, HOUR)).await.status(), 200);
    let admin = county.signed_in(Role::Administrator).await;
    let west: Value = admin.post("/api/v1/windows", &plan("town", Some(2), 0, HOUR)).await.json().await.unwrap();
    assert_eq!(east.json("/api/v1/windows").await["items"].as_array().unwrap().len(), 1);
    let end = format!("/api/v1/windows/{}/end", west["id"]);
    assert_eq!(east.post(&end, &json!({ "reason": "x" })).await.status(), 404);
}

#[tokio::test]
async fn an_excuse_asked_for_afterwards_is_granted_by_another_person() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let admin = county.signed_in(Role::Administrator).await;
    let now = Wall::read().0;
    let ask = |kind: &str, scope: Value, from: i64, until: i64| json!({ "scope": scope, "from": now + from, "until": now + until, "kind": kind, "reason": "台区停电" });
    let site = json!({ "kind": "site", "id": 1 });
    for wrong in [
        ask("third_party", site.clone(), -HOUR, HOUR),
        ask("third_party", site.clone(), -HOUR, -2 * HOUR),
        ask("third_party", site.clone(), -70 * 24 * HOUR, -HOUR),
        ask("third_party", json!({ "kind": "site", "id": 99 }), -2 * HOUR, -HOUR),
        ask("third_party", json!({ "kind": "own" }), -2 * HOUR, -HOUR),
        ask("counted", site.clone(), -2 * HOUR, -HOUR),
        ask("", site.clone(), -2 * HOUR, -HOUR),
    ] {
        assert_eq!(code(operator.post("/api/v1/excuses", &wrong).await).await, (400, "invalid".into()), "{wrong}");
    }
    let asked = operator.post("/api/v1/excuses", &ask("third_party", site, -2 * HOUR, -HOUR)).await;
    assert_eq!(asked.status(), 200);
    let asked: Value = asked.json().await.unwrap();
    assert_eq!((&asked["cameras"], &asked["by"], &asked["decision"]), (&json!(2), &json!("operator1"), &Value::Null));
    let during = Wall(now - 2 * HOUR)..Wall(now - HOUR);
    assert!(county.services.store.excuses(during.clone()).await.unwrap().is_empty(), "asked for is not granted");

    let decide = format!("/api/v1/excuses/{}/decide", asked["id"]);
    let grant = json!({ "granted": true, "reason": "供电所证明" });
    assert_eq!(code(operator.post(&decide, &grant).await).await, (403, "own_request".into()));
    assert_eq!(operator.json("/api/v1/excuses").await["items"][0]["may_decide"], false);
    assert_eq!(admin.json("/api/v1/excuses").await["items"][0]["may_decide"], true);
    assert_eq!(admin.post(&decide, &json!({ "granted": true, "reason": "" })).await.status(), 400);
    let granted: Value = admin.post(&decide, &grant).await.json().await.unwrap();
    assert_eq!((&granted["decision"]["granted"], &granted["decision"]["by"]), (&json!(true), &json!("administrator1")));
    assert_eq!(admin.post(&decide, &grant).await.status(), 400, "only once");
    let lines = county.services.store.excuses(during).await.unwrap();
    assert_eq!(lines.iter().map(|e| e.camera.0).collect::<Vec<_>>(), [1, 2]);
    county.user("west", Role::Operator, &[2], &[]).await;
    let west = county.browser("west").await;
    assert_eq!(west.json("/api/v1/excuses").await["items"], json!([]), "not his town");
    assert_eq!(west.post(&decide, &grant).await.status(), 404);
    let audited = county.audited().await;
    assert!(audited.contains(&("excuse_asked".into(), "operator1".into(), true)));
    assert!(audited.contains(&("excuse_decided".into(), "administrator1".into(), true)));
}

/// Does something to an order as it now is.
async fn act(browser: &Browser<'_>, id: u64, mut body: Value) -> reqwest::Response {
    let page = browser.json(&format!("/api/v1/orders/{id}")).await;
    body["version"] = page["order"]["version"].clone();
    browser.post(&format!("/api/v1/orders/{id}/act"), &body).await
}

async fn done(browser: &Browser<'_>, id: u64, body: Value) -> Value {
    let response = act(browser, id, body.clone()).await;
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

async fn opened(county: &County, operator: &Browser<'_>) -> u64 {
    county.services.store.record(&[Fact::Incident(Incident::clone(&outage(5, &[1, 2])))]).await.unwrap();
    county.publish_with(&[(1, fleet::Cause::NoAnswer)], vec![outage(5, &[1, 2])]);
    county.services.gallery.put(CameraId(1), vec![0xff, 0xd8, 0xff].into(), Wall(1_000));
    let made = operator.post("/api/v1/orders", &json!({ "incident": 5, "note": "整村中断" })).await;
    assert_eq!(made.status(), 200);
    made.json::<Value>().await.unwrap()["id"].as_u64().unwrap()
}

#[tokio::test]
async fn an_order_lives_from_the_desk_to_the_pole_and_back() {
    let county = County::with(|s| s.config.desk.stable = Duration::ZERO).await;
    let operator = county.signed_in(Role::Operator).await;
    let tech = county.user("tech", Role::Technician, &[], &[]).await;
    let technician = county.browser("tech").await;
    let id = opened(&county, &operator).await;
    let again = operator.post("/api/v1/orders", &json!({ "incident": 5 })).await;
    assert_eq!(code(again).await, (409, "conflict".into()), "one open order an incident");
    assert_eq!(technician.get(&format!("/api/v1/orders/{id}")).await.status(), 404, "not given to him yet");

    let (looks, watches) = ("/api/v1/cameras/1/thumbnail", "/api/v1/cameras/1/live");
    let judged = "/api/v1/cameras/1/picture";
    for path in [looks, watches, judged] {
        assert_eq!(code(technician.get(path).await).await, (403, "no_order".into()), "{path}: not given to him yet");
    }
    let confirm = json!({ "cause": "picture_black" });
    let confirmed = technician.post(&format!("{judged}/confirm"), &confirm).await;
    assert_eq!(code(confirmed).await, (403, "no_order".into()));
    for path in [looks, judged] {
        assert_eq!(operator.get(path).await.status(), 200);
    }

    let nobody = json!({ "act": "assign", "technician": 4242 });
    assert_eq!(act(&operator, id, nobody).await.status(), 400);
    let given = done(&operator, id, json!({ "act": "assign", "technician": tech.id.0 })).await;
    assert_eq!((&given["state"], &given["assignee"]["name"]), (&json!("assigned"), &json!("tech 全名")));
    assert_eq!(given["response_due"].as_i64().unwrap() - given["assigned"].as_i64().unwrap(), 2 * HOUR);
    for path in [looks, judged] {
        assert_eq!(technician.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(technician.get(watches).await.status(), 426, "he may; this was no WebSocket");
    for beside in ["/api/v1/cameras/3/thumbnail", "/api/v1/cameras/3/picture", "/api/v1/cameras/3/live"] {
        assert_eq!(code(technician.get(beside).await).await, (403, "no_order".into()), "{beside}: no other camera");
    }
    let mine = technician.json("/api/v1/orders?open=true").await;
    assert_eq!((mine["items"].as_array().unwrap().len(), &mine["items"][0]["mine"]), (1, &json!(true)));
    let page = technician.json(&format!("/api/v1/orders/{id}")).await;
    assert_eq!(page["incident"]["id"], 5);
    assert_eq!((&page["pictures"][0]["kind"], &page["pictures"][0]["at"]), (&json!("before"), &json!(1000)));

    let not_his = act(&operator, id, json!({ "act": "accept" })).await;
    assert_eq!(code(not_his).await, (403, "not_yours".into()));
    let stale = technician.post(&format!("/api/v1/orders/{id}/act"), &json!({ "act": "accept", "version": 1 })).await;
    assert_eq!(code(stale).await, (409, "conflict".into()));
    done(&technician, id, json!({ "act": "accept" })).await;
    done(&technician, id, json!({ "act": "start" })).await;
    assert_eq!(code(act(&technician, id, json!({ "act": "hold" })).await).await, (400, "invalid".into()));
    let until = Wall::read().0 + HOUR;
    let hold = json!({ "act": "hold", "reason": "power_cut", "until": until, "note": "电力检修" });
    assert_eq!(done(&technician, id, hold).await["hold"]["third_party"], true);
    assert_eq!(done(&operator, id, json!({ "act": "approve_hold" })).await["hold"]["approved_by"], "operator1");
    done(&technician, id, json!({ "act": "resume" })).await;
    let found = json!({ "act": "diagnose", "found": "camera", "note": "跳线松动" });
    assert_eq!(done(&technician, id, found).await["confirmed"]["suggested"], "power_or_fibre");
    done(&technician, id, json!({ "act": "finish", "note": "更换跳线" })).await;
    let early = act(&operator, id, json!({ "act": "accept_repair" })).await;
    assert_eq!(code(early).await, (409, "not_stable".into()));

    let told = operator.json("/api/v1/incidents/5/orders").await;
    assert_eq!((&told["orders"][0]["id"], &told["confirmed"]["found"]), (&json!(id), &json!("camera")));
    let figures = operator.json("/api/v1/orders/figures").await;
    assert_eq!((&figures["all"]["orders"], &figures["agreement_rate"]), (&json!(1), &json!(0.0)));
    assert_eq!(figures["by_assignee"][0]["who"]["user"], tech.id.0);
    let rejected = done(&operator, id, json!({ "act": "reject", "note": "箱门未锁" })).await;
    assert_eq!(rejected["state"], "working");
    let words: Vec<&str> = rejected["history"].as_array().unwrap().iter().map(|s| s["act"].as_str().unwrap()).collect();
    assert_eq!(
        words,
        ["open", "assign", "accept", "start", "hold", "approve_hold", "resume", "diagnose", "finish", "reject"]
    );
    let closed = done(&operator, id, json!({ "act": "false_alarm", "note": "试验" })).await;
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("false_alarm")));
    for path in [looks, judged] {
        assert_eq!(code(technician.get(path).await).await, (403, "no_order".into()), "{path}: over");
    }
    let late = act(&technician, id, json!({ "act": "note", "note": "x" })).await;
    assert_eq!(code(late).await, (409, "wrong_state".into()));
    let audited = county.audited().await;
    assert_eq!(audited.iter().filter(|(action, ..)| action == "order_changed").count(), 10);
}

#[tokio::test]
async fn a_contractors_order_is_seen_by_its_technicians_and_nobody_elses() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    county.user("ours", Role::Technician, &[], &[]).await;
    let other = county.user("theirs", Role::Technician, &[], &[]).await;
    county.services.store.update_user(&store::User { unit: "别家".into(), ..other.clone() }, &other).await.unwrap();
    let id = opened(&county, &operator).await;
    let unknown = json!({ "act": "assign", "contractor": "没有这家" });
    assert_eq!(act(&operator, id, unknown).await.status(), 400);
    done(&operator, id, json!({ "act": "assign", "contractor": "某单位" })).await;
    let path = format!("/api/v1/orders/{id}");
    assert_eq!(county.browser("ours").await.get(&path).await.status(), 200);
    let theirs = county.browser("theirs").await;
    assert_eq!(theirs.get(&path).await.status(), 404);
    assert_eq!(theirs.json("/api/v1/orders").await["items"], json!([]));
    county.user("west", Role::Operator, &[2], &[]).await;
    assert_eq!(county.browser("west").await.get(&path).await.status(), 404, "no camera of his town is in it");
    let auditor = county.signed_in(Role::Auditor).await;
    assert_eq!(auditor.get(&path).await.status(), 200);
    let assignees = operator.json("/api/v1/orders/assignees").await;
    assert_eq!(assignees["contractors"], json!(["别家", "某单位"]));
}

#[tokio::test]
async fn photographs_are_taken_in_checked_and_shown_only_to_those_with_the_order() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let tech = county.user("tech", Role::Technician, &[], &[]).await;
    county.user("other", Role::Technician, &[], &[]).await;
    let id = opened(&county, &operator).await;
    done(&operator, id, json!({ "act": "assign", "technician": tech.id.0 })).await;
    let technician = county.browser("tech").await;
    let hand_in = |body: Vec<u8>| {
        technician
            .request(Method::POST, &format!("/api/v1/orders/{id}/pictures"))
            .query(&[("note", "箱门被盗"), ("camera", "2")])
            .header("content-type", "image/jpeg")
            .body(body)
            .send()
    };
    assert_eq!(code(hand_in(b"<html>".to_vec()).await.unwrap()).await, (415, "picture_expected".into()));
    assert_eq!(hand_in(vec![0; (16 << 20) + 1]).await.unwrap().status(), 413);
    let mut file = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 48, image::Rgb([9, 90, 200])).write_to(&mut file, image::ImageFormat::Png).unwrap();
    let kept = hand_in(file.into_inner()).await.unwrap();
    assert_eq!(kept.status(), 200);
    let kept: Value = kept.json().await.unwrap();
    assert_eq!((&kept["kind"], &kept["camera"], &kept["note"]), (&json!("photo"), &json!(2), &json!("箱门被盗")));
    let path = format!("/api/v1/orders/{id}/pictures/{}", kept["id"]);
    let shown = technician.get(&path).await;
    assert_eq!(shown.headers()["content-type"], "image/jpeg");
    assert!(shown.bytes().await.unwrap().starts_with(&[0xff, 0xd8, 0xff]));
    assert_eq!(operator.get(&path).await.status(), 200);
    assert_eq!(county.browser("other").await.get(&path).await.status(), 404);
    assert!(county.audited().await.contains(&("order_picture_viewed".into(), "tech".into(), true)));
    let wrong = technician
        .request(Method::POST, &format!("/api/v1/orders/{id}/pictures?camera=4"))
        .header("content-type", "image/png")
        .body(vec![1])
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 400, "a camera of another order");
    let verify = technician.post(&format!("/api/v1/orders/{id}/verify"), &json!({ "camera": 4 })).await;
    assert_eq!(verify.status(), 400);
}

#[tokio::test]
async fn the_picture_from_before_the_repair_is_never_one_from_after_it() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let now = Wall::read().0 / 1000 * 1000;
    let (began, over) = (now - 2 * HOUR, now - HOUR);
    let seconds = |s: i64| s * 1000;
    // One camera lost its video, the other showed a covered picture; both were repaired before anybody opened an order.
    for (camera, slot, cause) in [
        (1, began - seconds(900), None),
        (1, began - seconds(600), None),
        (1, over + seconds(60), None),
        (2, began - seconds(600), None),
        (2, began + seconds(300), Some(Cause::PictureCovered)),
        (2, began + seconds(600), Some(Cause::PictureCovered)),
        (2, over - seconds(30), None),
        (2, over + seconds(60), None),
    ] {
        store_showing(&county, camera, slot, cause).await;
    }
    county.services.gallery.put(CameraId(1), vec![0xff, 0xd8, 0xff].into(), Wall(now));
    let mut expected = Vec::new();
    for (id, camera, cause, at) in
        [(5, 1, Cause::NoAnswer, began - seconds(600)), (6, 2, Cause::PictureCovered, began + seconds(600))]
    {
        let mut incident = Incident::clone(&outage(id, &[camera]));
        (incident.opened, incident.resolved, incident.cause) = (Wall(began), Some(Wall(over)), cause);
        incident.members[0].cause = cause;
        county.services.store.record(&[Fact::Incident(incident)]).await.unwrap();
        let made = operator.post("/api/v1/orders", &json!({ "incident": id })).await;
        assert_eq!(made.status(), 200);
        let order = made.json::<Value>().await.unwrap()["id"].as_u64().unwrap();
        let page = operator.json(&format!("/api/v1/orders/{order}")).await;
        expected.push((page["pictures"][0]["kind"].clone(), page["pictures"][0]["at"].as_i64(), at + 400));
    }
    for (kind, told, at) in expected {
        assert_eq!((kind, told), (json!("before"), Some(at)));
    }
}

#[tokio::test]
async fn a_repair_is_accepted_with_a_climb_and_pictures_from_before_and_after() {
    let county = County::with(|s| s.config.desk.stable = Duration::ZERO).await;
    let operator = county.signed_in(Role::Operator).await;
    let id = opened(&county, &operator).await;
    // No camera answers here: the climb says so, and it is kept.
    let climbed: Value =
        operator.post(&format!("/api/v1/orders/{id}/verify"), &json!({ "camera": 1 })).await.json().await.unwrap();
    assert_eq!(climbed["order"]["verifications"][0]["passed"], false);
    assert!(climbed["ladder"]["layer"].is_string());
    // As the node's keeper does when the incident is over.
    let store = &county.services.store;
    let desk = health::desk::Desk { stable: Duration::ZERO, ..health::desk::Desk::default() };
    let system = |order: health::desk::Order, act| {
        desk.act(&order, health::desk::Actor::System, "system", act, Wall::read()).unwrap()
    };
    let order = store.order(OrderId(id)).await.unwrap().unwrap();
    let mut order = system(order, health::desk::Act::Recovered(Wall(Wall::read().0 - 1)));
    store.update_order(&order).await.unwrap();
    let refused = act(&operator, id, json!({ "act": "accept_repair" })).await;
    assert_eq!(code(refused).await, (409, "not_verified".into()));
    for camera in [1, 2] {
        let picture = NewOrderPicture {
            order: OrderId(id),
            kind: PictureKind::After,
            camera: Some(CameraId(camera)),
            at: Wall::read(),
            by: "tech".into(),
            note: String::new(),
            jpeg: vec![0xff, 0xd8],
        };
        let picture = store.add_order_picture(picture).await.unwrap().id;
        let verification = health::desk::Verification {
            camera: CameraId(camera),
            at: Wall::read(),
            by: "tech".into(),
            layer: None,
            cause: None,
            picture: Some(picture),
        };
        let verified = health::desk::Act::Verify(verification);
        order = desk.act(&order, health::desk::Actor::Desk, "op", verified, Wall::read()).unwrap();
        store.update_order(&order).await.unwrap();
    }
    let closed = done(&operator, id, json!({ "act": "accept_repair" })).await;
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("closed"), &json!("accepted")));
}

#[tokio::test]
async fn a_climb_is_told_rung_by_rung() {
    let county = County::start().await;
    let technician = county.signed_in(Role::Technician).await;
    let response = technician.request(Method::POST, "/api/v1/cameras/1/climb").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (last, rungs) = lines.split_last().unwrap();
    assert!(!rungs.is_empty() && rungs.iter().all(|r| r["rung"]["layer"].is_string()), "{text}");
    assert_eq!(last["ladder"]["rungs"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn of_an_order_one_sees_the_cameras_that_are_his() {
    let county = County::start().await;
    county.publish_with(&[(1, fleet::Cause::NoAnswer)], vec![outage(6, &[1, 4])]);
    for camera in [1, 4] {
        county.services.gallery.put(CameraId(camera), vec![0xff, 0xd8, 0xff].into(), Wall(1_000));
    }
    let admin = county.signed_in(Role::Administrator).await;
    let made: Value = admin.post("/api/v1/orders", &json!({ "incident": 6 })).await.json().await.unwrap();
    let id = made["id"].as_u64().unwrap();
    assert_eq!(made["cameras"], json!([1, 4]));
    let path = format!("/api/v1/orders/{id}");
    let whole = admin.json(&path).await;
    assert_eq!(
        (whole["pictures"].as_array().unwrap().len(), &whole["incident"]["members"][1]["camera"]),
        (2, &json!(4))
    );

    county.user("east", Role::Operator, &[1], &[]).await;
    let east = county.browser("east").await;
    let part = east.json(&path).await;
    assert_eq!((&part["order"]["cameras"], &part["order"]["to_verify"]), (&json!([1]), &json!([1])));
    assert_eq!(part["incident"]["members"].as_array().unwrap().len(), 1);
    assert_eq!(part["pictures"].as_array().unwrap().len(), 1);
    let other = whole["pictures"].as_array().unwrap().iter().find(|p| p["camera"] == 4).unwrap();
    assert_eq!(east.get(&format!("{path}/pictures/{}", other["id"])).await.status(), 404);
    assert_eq!(east.post(&format!("{path}/verify"), &json!({ "camera": 4 })).await.status(), 404);
    assert_eq!(east.json("/api/v1/orders?open=true").await["items"][0]["cameras"], json!([1]));

    // Whoever is sent there is told of all that he is to repair, wherever it stands.
    let tech = county.user("tech", Role::Technician, &[1], &[]).await;
    done(&admin, id, json!({ "act": "assign", "technician": tech.id.0 })).await;
    let technician = county.browser("tech").await;
    assert_eq!(technician.json(&path).await["order"]["cameras"], json!([1, 4]));
    assert_eq!(technician.get(&format!("{path}/pictures/{}", other["id"])).await.status(), 200);
    // And he can work on it: its cameras, with names and places, their ladder and picture; nothing else there.
    let fleet = technician.json("/api/v1/fleet").await;
    let names = |list: &str| ids(&fleet[list]);
    assert!(names("cameras").contains(&4) && names("cameras").iter().all(|c| [1, 2, 3, 4].contains(c)), "{fleet}");
    let site = fleet["cameras"].as_array().unwrap().iter().find(|c| c["id"] == 4).unwrap()["site"].as_u64().unwrap();
    assert!(names("sites").contains(&site), "{fleet}");
    for of in ["/api/v1/cameras/4", "/api/v1/cameras/4/history", "/api/v1/cameras/4/thumbnail"] {
        assert_eq!(technician.get(of).await.status(), 200, "{of}");
    }
    let others: Vec<u64> = ids(&admin.json("/api/v1/fleet").await["cameras"]);
    for camera in others.into_iter().filter(|c| !names("cameras").contains(c)) {
        assert_eq!(technician.get(&format!("/api/v1/cameras/{camera}")).await.status(), 404);
    }
    done(&admin, id, json!({ "act": "false_alarm", "note": "the lamp was out" })).await;
    until("with the order his look at it ends", || async { technician.get("/api/v1/cameras/4").await.status() == 404 })
        .await;

    // Nobody gives an order to somebody who can no longer sign in.
    let made: Value = admin.post("/api/v1/orders", &json!({ "incident": 6 })).await.json().await.unwrap();
    let id = made["id"].as_u64().unwrap();
    let seen = county.services.store.user(tech.id).await.unwrap().unwrap();
    let past = store::User { expires: Some(Wall(Wall::read().0 - 1000)), ..seen.clone() };
    county.services.store.update_user(&past, &seen).await.unwrap();
    let refused = act(&admin, id, json!({ "act": "assign", "technician": tech.id.0 })).await;
    assert_eq!(code(refused).await, (400, "invalid".into()));
    assert_eq!(ids(&admin.json("/api/v1/orders/assignees").await["technicians"]), [] as [u64; 0]);
}

fn ids(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_merged_order_leaves_its_cameras_to_the_other_and_a_late_word_still_stops_the_clock() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let tech = county.user("tech", Role::Technician, &[], &[]).await;
    let technician = county.browser("tech").await;
    let parent = opened(&county, &operator).await;
    county.services.store.record(&[Fact::Incident(Incident::clone(&outage(6, &[3])))]).await.unwrap();
    let child: Value = operator.post("/api/v1/orders", &json!({ "incident": 6 })).await.json().await.unwrap();
    let child = child["id"].as_u64().unwrap();
    let merged = done(&operator, child, json!({ "act": "merge", "parent": parent })).await;
    assert_eq!((&merged["state"], &merged["parent"]), (&json!("closed"), &json!(parent)));
    let kept = operator.json(&format!("/api/v1/orders/{parent}")).await["order"].clone();
    assert_eq!((&kept["cameras"], &kept["children"]), (&json!([1, 2, 3]), &json!([child])));
    assert_eq!(kept["to_verify"], json!([1, 2, 3]));

    done(&operator, parent, json!({ "act": "assign", "technician": tech.id.0 })).await;
    for word in ["accept", "start"] {
        done(&technician, parent, json!({ "act": word })).await;
    }
    let until = Wall::read().0 + HOUR;
    let hold = json!({ "act": "hold", "reason": "power_cut", "until": until, "note": "停电" });
    let since = done(&technician, parent, hold).await["hold"]["since"].as_i64().unwrap();
    while Wall::read().0 <= since {
        tokio::task::yield_now().await;
    }
    let waited = done(&technician, parent, json!({ "act": "resume" })).await;
    assert_eq!((&waited["hold"], &waited["waited"][0]["reason"]), (&Value::Null, &json!("power_cut")));
    let due = waited["repair_due"].as_i64().unwrap();
    assert_eq!(act(&technician, parent, json!({ "act": "approve_hold" })).await.status(), 403);
    let approved = done(&operator, parent, json!({ "act": "approve_hold" })).await;
    assert_eq!((&approved["state"], &approved["waited"]), (&json!("working"), &json!([])));
    assert!(approved["repair_due"].as_i64().unwrap() > due);
    assert_eq!(code(act(&operator, parent, json!({ "act": "approve_hold" })).await).await, (409, "wrong_state".into()));
}

#[tokio::test]
async fn agreement_is_told_of_the_findings_on_the_orders_asked_for() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let east = county.user("east", Role::Operator, &[1], &[]).await;
    let east_browser = county.browser(&east.name).await;
    // The rules said: the power or the fibre.
    for (incident, cameras, found) in [(5, vec![1, 2], "fibre"), (6, vec![4], "account")] {
        county.services.store.record(&[Fact::Incident(Incident::clone(&outage(incident, &cameras)))]).await.unwrap();
        let made: Value = operator.post("/api/v1/orders", &json!({ "incident": incident })).await.json().await.unwrap();
        let id = made["id"].as_u64().unwrap();
        done(&operator, id, json!({ "act": "diagnose", "found": found, "note": "现场确认" })).await;
    }
    let now = Wall::read().0;
    let all = operator.json(&format!("/api/v1/orders/figures?from={}&until={}", now - HOUR, now + HOUR)).await;
    assert_eq!((&all["agreement_rate"], all["agreement"].as_array().unwrap().len()), (&json!(0.5), 2));
    let his = east_browser.json(&format!("/api/v1/orders/figures?from={}&until={}", now - HOUR, now + HOUR)).await;
    assert_eq!(his["agreement_rate"], json!(1.0), "of his towns only");
    let before = operator.json(&format!("/api/v1/orders/figures?from={}&until={}", now - 2 * HOUR, now - HOUR)).await;
    assert_eq!(before["agreement_rate"], Value::Null, "in that time only");
}
