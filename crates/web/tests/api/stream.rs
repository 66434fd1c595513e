//! The event stream: told in order, resumed, filtered by scope, ended with its session.

use crate::support::{Browser, County, DEADLINE, until};
use bytes::Bytes;
use fleet::{CameraId, Cause, Registry, Wall};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use store::Role;

#[derive(Clone, Debug, PartialEq)]
struct Told {
    id: Option<u64>,
    event: String,
    data: Value,
}

struct Listener {
    response: Response,
    buffer: String,
}

impl Listener {
    async fn open(browser: &Browser<'_>, after: Option<u64>) -> Listener {
        let mut request = browser.request(Method::GET, "/api/v1/events").timeout(Duration::from_secs(60));
        if let Some(id) = after {
            request = request.header("last-event-id", id.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Listener { response, buffer: String::new() }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Told> {
        tokio::time::timeout(DEADLINE, async {
            loop {
                if let Some(end) = self.buffer.find("\n\n") {
                    let block: String = self.buffer.drain(..end + 2).collect();
                    let field =
                        |name: &str| block.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
                    let Some(event) = field("event:") else { continue };
                    return Some(Told {
                        id: field("id:").map(|id| id.parse().unwrap()),
                        event,
                        data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
                    });
                }
                let chunk = self.response.chunk().await.ok()??;
                self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        })
        .await
        .expect("an event in time")
    }

    async fn next_of(&mut self, event: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.event == event {
                return told;
            }
        }
    }
}

#[tokio::test]
async fn changes_are_told_together_and_what_was_missed_is_told_on_resuming() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let mut listener = Listener::open(&operator, None).await;
    listener.next_of("heartbeat").await;
    county.publish(&[(1, Cause::NoAnswer), (2, Cause::NoAnswer)]);
    let told = listener.next_of("states").await;
    let cameras = told.data["cameras"].as_array().unwrap();
    assert_eq!(cameras.iter().map(|c| c["id"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2], "one event for both");
    let counts = listener.next_of("counts").await;
    assert_eq!(counts.data["offline"], 2);
    drop(listener);

    county.publish_with(&[(3, Cause::PictureBlack)], vec![crate::incidents::outage(9, &[1, 2])]);
    let seq = || async { operator.json("/api/v1/states").await["seq"].as_u64().unwrap() };
    until("the change was numbered", || async { seq().await > counts.id.unwrap() + 1 }).await;
    let mut resumed = Listener::open(&operator, counts.id).await;
    let first = resumed.next().await.unwrap();
    assert_eq!((first.id, first.event.as_str()), (counts.id.map(|id| id + 1), "states"));
    assert_eq!(first.data["cameras"][0]["id"], 3);
    assert_eq!(resumed.next_of("incident").await.data["id"], 9);
}

#[tokio::test]
async fn who_missed_too_much_or_comes_from_another_run_loads_anew() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    for id in [1, u64::MAX] {
        let mut listener = Listener::open(&operator, Some(id)).await;
        let told = listener.next().await.unwrap();
        assert_eq!((told.event.as_str(), told.id), ("reset", None));
    }
}

#[tokio::test]
async fn a_new_thumbnail_and_a_new_register_are_told() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    let mut listener = Listener::open(&operator, None).await;
    listener.next_of("heartbeat").await;
    let version = county.services.gallery.put(CameraId(5), Bytes::from_static(b"x"), Wall::read());
    let told = listener.next_of("states").await;
    assert_eq!(told.data["cameras"][0]["thumb"], version);
    county.services.registry.store(Arc::new(Registry::default()));
    listener.next_of("reset").await;
    until("its thumbnail is dropped", || async { county.services.gallery.get(CameraId(5)).is_none() }).await;
}

#[tokio::test]
async fn a_stream_tells_only_what_is_in_scope() {
    let county = County::start().await;
    county.user("zhang", Role::Technician, &[1], &[]).await;
    let zhang = county.browser("zhang").await;
    let mut listener = Listener::open(&zhang, None).await;
    listener.next_of("heartbeat").await;
    county.publish_with(
        &[(2, Cause::NoAnswer), (4, Cause::NoAnswer)],
        vec![crate::incidents::outage(1, &[4]), crate::incidents::outage(2, &[2, 4])],
    );
    let told = listener.next_of("states").await;
    assert_eq!(told.data["cameras"].as_array().unwrap().len(), 1);
    assert_eq!(told.data["cameras"][0]["id"], 2);
    let incident = listener.next_of("incident").await;
    assert_eq!((&incident.data["id"], incident.data["members"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!(
        listener.next_of("counts").await.data,
        json!({
            "online": 2, "impaired": 0, "offline": 1, "unknown": 0, "paused": 0
        })
    );
}

#[tokio::test]
async fn a_stream_ends_when_an_administrator_changes_its_user() {
    let county = County::start().await;
    let admin = county.signed_in(Role::Administrator).await;
    let user = county.user("zhang", Role::Operator, &[], &[]).await;
    let zhang = county.browser("zhang").await;
    let mut listener = Listener::open(&zhang, None).await;
    listener.next_of("heartbeat").await;
    let changed = admin.patch(&format!("/api/v1/users/{}", user.id.0), &json!({ "towns": [1] })).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let began = std::time::Instant::now();
    while listener.next().await.is_some() {
        assert!(began.elapsed() < DEADLINE, "the stream goes on with the former scope");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_service() {
    let county = County::with(|s| s.config.event_streams = 2).await;
    let operator = county.signed_in(Role::Operator).await;
    let first = Listener::open(&operator, None).await;
    let second = Listener::open(&operator, None).await;
    assert_eq!(operator.get("/api/v1/events").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    until("a place is free again", || async { operator.get("/api/v1/events").await.status() == StatusCode::OK }).await;
    let ended = tokio::spawn(async move {
        let mut second = second;
        while second.next().await.is_some() {}
    });
    assert!(county.stop().await < Duration::from_secs(2));
    tokio::time::timeout(DEADLINE, ended).await.unwrap().unwrap();
}
