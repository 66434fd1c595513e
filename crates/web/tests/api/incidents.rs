//! Incidents: listed, told, acknowledged.

use crate::support::{County, code};
use fleet::{CameraId, Cause, UplinkId, Wall};
use health::{Event, Evidence, Incident, IncidentId, LikelyCause, Member, Scope, Severity};
use serde_json::json;
use std::sync::Arc;
use store::{Fact, Role};
use web::Command;

/// An open outage of these cameras.
pub(crate) fn outage(id: u64, cameras: &[u32]) -> Arc<Incident> {
    let now = Wall::read();
    Arc::new(Incident {
        id: IncidentId(id),
        scope: Scope::Uplink(UplinkId(1)),
        opened: now,
        resolved: None,
        severity: Severity::Major,
        cause: Cause::NoAnswer,
        likely: LikelyCause::PowerOrFibre,
        confidence: 80,
        evidence: vec![Evidence {
            rule: "silent_at_once".into(),
            weight: 80,
            zh: "同时中断".into(),
            en: "silent at once".into(),
        }],
        members: cameras
            .iter()
            .map(|c| Member { camera: CameraId(*c), joined: now, left: None, cause: Cause::NoAnswer })
            .collect(),
        acknowledged: None,
        folded_into: None,
        reopened: Vec::new(),
    })
}

#[tokio::test]
async fn open_ones_come_from_the_board_and_former_ones_from_the_store() {
    let county = County::start().await;
    let former = Incident { resolved: Some(Wall::read()), ..Incident::clone(&outage(1, &[1])) };
    let open = [outage(2, &[1]), outage(3, &[2]), outage(4, &[3])];
    let facts: Vec<Fact> = std::iter::once(Fact::Incident(former)).collect();
    county.services.store.record(&facts).await.unwrap();
    county.publish_with(&[], open.to_vec());
    let operator = county.signed_in(Role::Operator).await;
    let ids = |page: &serde_json::Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|i| i["id"].as_u64().unwrap()).collect()
    };
    let first = operator.json("/api/v1/incidents?open=true&limit=2").await;
    assert_eq!(ids(&first), [4, 3]);
    let next = first["next"].as_str().unwrap();
    let second = operator.json(&format!("/api/v1/incidents?open=true&limit=2&cursor={next}")).await;
    assert_eq!((ids(&second), &second["next"]), (vec![2], &json!(null)));
    assert_eq!(ids(&operator.json("/api/v1/incidents?open=true&camera=2").await), [3]);
    assert_eq!(ids(&operator.json("/api/v1/incidents?open=false").await), [1]);
    let one = operator.json("/api/v1/incidents/1").await;
    assert_eq!(one["scope"], json!({ "kind": "uplink", "id": 1 }));
    assert_eq!(operator.get("/api/v1/incidents/99").await.status(), 404);
}

#[tokio::test]
async fn acknowledging_needs_a_reason_and_reaches_the_core() {
    let county = County::start().await;
    county.publish_with(&[], vec![outage(5, &[1, 2])]);
    let operator = county.signed_in(Role::Operator).await;
    let path = "/api/v1/incidents/5/acknowledge";
    for reason in ["", "  ", "two\nlines", &"长".repeat(201)] {
        let body = json!({ "reason": reason, "until": null });
        assert_eq!(code(operator.post(path, &body).await).await, (400, "invalid".into()), "{reason:?}");
    }
    let past = json!({ "reason": "电力检修", "until": 1000 });
    assert_eq!(operator.post(path, &past).await.status(), 400);
    assert!(county.command().is_none());
    let body = json!({ "reason": "电力检修", "until": null });
    assert_eq!(operator.post(path, &body).await.status(), 204);
    let Some(Command::Event(Event::Acknowledge { incident, by, reason, until })) = county.command() else {
        panic!("the core was not told")
    };
    assert_eq!((incident, by.as_str(), reason.as_str(), until), (IncidentId(5), "operator1", "电力检修", None));
    assert!(county.audited().await.contains(&("incident_acknowledged".into(), "operator1".into(), true)));
}
