//! The present shift, and shifts handed over from one person to the next.

use crate::{
    incidents::outage,
    support::{County, code},
};
use fleet::{CameraId, Cause, Status, Wall};
use health::{Incident, StatusChange};
use serde_json::{Value, json};
use store::{Fact, Role};

const HOUR: i64 = 3_600_000;

fn change(camera: u32, at: i64, cause: Option<Cause>) -> Fact {
    Fact::Status(StatusChange {
        camera: CameraId(camera),
        at: Wall(at),
        from: None,
        status: cause.map_or(Status::Online, Cause::status),
        layer: cause.map(Cause::layer),
        cause,
        detail: String::new(),
    })
}

/// A shift in which camera 1 went offline, camera 2 came back, and nothing happened to the others.
async fn shift(county: &County) -> i64 {
    let now = Wall::read().0;
    let mut facts: Vec<Fact> =
        (1..=5).map(|c| change(c, now - 30 * HOUR, (c == 2).then_some(Cause::NoAnswer))).collect();
    facts.push(change(2, now - 3 * HOUR, None));
    facts.push(change(1, now - 2 * HOUR, Some(Cause::NoAnswer)));
    facts.push(Fact::Incident(Incident {
        opened: Wall(now - 30 * HOUR),
        resolved: Some(Wall(now - 3 * HOUR)),
        ..Incident::clone(&outage(4, &[2]))
    }));
    let open = Incident { opened: Wall(now - 2 * HOUR), ..Incident::clone(&outage(5, &[1])) };
    facts.push(Fact::Incident(open.clone()));
    county.services.store.record(&facts).await.unwrap();
    county.publish_with(&[(1, Cause::NoAnswer)], vec![open.into()]);
    now
}

#[tokio::test]
async fn a_shift_says_what_changed_and_what_is_open() {
    let county = County::start().await;
    let now = shift(&county).await;
    let operator = county.signed_in(Role::Operator).await;
    assert_eq!(operator.post("/api/v1/orders", &json!({ "incident": 5, "note": "" })).await.status(), 200);

    let told = operator.json(&format!("/api/v1/shift?from={}", now - 10 * HOUR)).await;
    assert_eq!((&told["then"]["offline"], &told["now"]["offline"]), (&json!(1), &json!(1)));
    let changed: Vec<_> =
        told["changed"].as_array().unwrap().iter().map(|c| (&c["camera"], &c["before"], &c["now"])).collect();
    assert_eq!(
        changed,
        [(&json!(1), &json!("online"), &json!("offline")), (&json!(2), &json!("offline"), &json!("online"))],
        "worst first, and nothing that is as it was"
    );
    assert_eq!((&told["incidents_opened"], &told["incidents_resolved"]), (&json!(1), &json!(1)));
    assert_eq!((&told["incidents"][0]["id"], &told["incidents"][0]["cameras"]), (&json!(5), &json!(1)));
    assert_eq!((&told["orders_opened"], &told["orders_open"]), (&json!(1), &json!(1)));
    assert_eq!(told["orders"][0]["incident"], 5);

    let old = operator.json(&format!("/api/v1/shift?from={}", now - 40 * HOUR)).await;
    assert_eq!(old["then"], Value::Null, "nothing is known of then");
    for wrong in [now + HOUR, now - 49 * HOUR, i64::MIN, i64::MAX] {
        let refused = operator.get(&format!("/api/v1/shift?from={wrong}")).await;
        assert_eq!(code(refused).await, (400, "invalid".into()), "{wrong}");
    }
}

#[tokio::test]
async fn a_shift_is_signed_by_two_persons_and_stays_as_it_was_told() {
    let county = County::start().await;
    let now = shift(&county).await;
    let operator = county.signed_in(Role::Operator).await;
    county.user("next", Role::Operator, &[], &[]).await;
    let next = county.browser("next").await;

    let give = json!({ "from": now - 10 * HOUR, "note": "上村光缆抢修中\n电话已通知" });
    let given: Value = operator.post("/api/v1/handovers", &give).await.json().await.unwrap();
    assert_eq!((&given["given"]["by"], &given["may_take"]), (&json!("operator1"), &json!(false)));
    assert_eq!(code(operator.post("/api/v1/handovers", &give).await).await, (409, "conflict".into()), "twice");
    let take = format!("/api/v1/handovers/{}/take", given["id"]);
    assert_eq!(code(operator.post(&take, &json!({})).await).await, (403, "own_shift".into()));

    county.publish(&[]);
    let page = next.json(&format!("/api/v1/handovers/{}", given["id"])).await;
    assert_eq!(page["handover"]["may_take"], true);
    assert_eq!(page["report"]["now"]["offline"], 1, "as it was told, not as it is now");
    let taken: Value = next.post(&take, &json!({ "note": "收到" })).await.json().await.unwrap();
    assert_eq!((&taken["taken"]["by"], &taken["taken"]["note"]), (&json!("next"), &json!("收到")));
    assert_eq!(code(next.post(&take, &json!({})).await).await, (409, "conflict".into()), "once");

    let began = next.json("/api/v1/shift").await;
    assert_eq!(began["from"], given["until"], "the next shift begins where this one ended");
    let audited = county.audited().await;
    for (action, who) in [("shift_handed_over", "operator1"), ("shift_taken_over", "next")] {
        assert!(audited.contains(&(action.into(), who.into(), true)), "{action}");
    }
}

#[tokio::test]
async fn a_part_of_the_county_has_shifts_of_its_own() {
    let county = County::start().await;
    let now = shift(&county).await;
    county.user("west", Role::Operator, &[2], &[]).await;
    let west = county.browser("west").await;
    let told = west.json(&format!("/api/v1/shift?from={}", now - 10 * HOUR)).await;
    assert_eq!((&told["changed"], &told["incidents"]), (&json!([]), &json!([])), "cameras 1 and 2 stand elsewhere");

    let operator = county.signed_in(Role::Operator).await;
    let give = json!({ "from": now - HOUR });
    let whole: Value = operator.post("/api/v1/handovers", &give).await.json().await.unwrap();
    let part: Value = west.post("/api/v1/handovers", &give).await.json().await.unwrap();
    assert_eq!(west.get(&format!("/api/v1/handovers/{}", whole["id"])).await.status(), 404);
    let take = format!("/api/v1/handovers/{}/take", whole["id"]);
    assert_eq!(west.post(&take, &json!({})).await.status(), 404);
    let ids = |page: Value| page["items"].as_array().unwrap().iter().map(|h| h["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(west.json("/api/v1/handovers").await), [part["id"].clone()]);
    assert_eq!(ids(operator.json("/api/v1/handovers").await), [part["id"].clone(), whole["id"].clone()]);
}
