//! The whole document put to the test: schemathesis makes up requests for every operation, right and wrong ones, as
//! each role and as nobody, and holds the answers against the document. Nothing fails inside, every error is a problem,
//! every answer is of the documented form, nothing is told of another's part of the county.
//!
//! A short form with fixed requests is among the tests; `./task schemathesis MINUTES` goes on for longer, with other
//! requests each time.

use crate::{
    incidents::outage,
    snapshots::{recent, store_one},
    support::{Browser, County, PASSWORD, ToyDemo},
};
use bytes::Bytes;
use fleet::{CameraId, Cause, Wall};
use futures::{StreamExt, stream};
use picture::{Finding, Level, Region};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use store::{Fact, Role};
use tokio::process::Command as Program;
use web::{Command, Held, Judged, PictureOrder};

/// Requests of the short form, for each operation.
const EXAMPLES: &str = "12";
/// Longest run of the short form for one role.
const LONGEST: Duration = Duration::from_secs(600);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Operations that nobody can be expected to get a good answer of by chance.
const HARD_TO_PLEASE: &[&str] = &[
    // Names and passwords, codes of a second factor.
    "POST /api/v1/session",
    "POST /api/v1/session/password",
    "POST /api/v1/session/second-factor",
    "PUT /api/v1/session/second-factor",
    "POST /api/v1/session/second-factor/removal",
    "DELETE /api/v1/sessions/{id}",
    // An upgrade to WebSocket.
    "GET /api/v1/cameras/{id}/live",
    // A photograph that can be decoded, a table with the right columns, a camera that answers.
    "POST /api/v1/orders/{id}/pictures",
    "POST /api/v1/import",
    "POST /api/v1/orders/{id}/verify",
    // Steps of which each allows only the next one.
    "POST /api/v1/exports/{id}/decision",
    "POST /api/v1/register/changes/{id}/undo",
    // An outage that is over, not long ago.
    "POST /api/v1/excuses",
    "POST /api/v1/handovers/{id}/take",
    "POST /api/v1/channels/{id}/test",
    // An address beginning with rtsp, an end of a verdict that a person gave.
    "POST /api/v1/register/trial",
    "DELETE /api/v1/cameras/{id}/picture/exceptions/{cause}",
    "DELETE /api/v1/cameras/{id}/certificate",
    // Two numbers that fit each other.
    "GET /api/v1/orders/{id}/pictures/{picture}",
    // No file of tiles is given here.
    "GET /api/v1/map/tiles",
    // There are few, and they are soon removed.
    "GET /api/v1/channels/{id}",
    // A target that fits its kind.
    "POST /api/v1/channels",
    "PUT /api/v1/channels/{id}",
];

fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.setup/schemathesis");
    assert!(tools.is_dir(), "schemathesis is not installed: run ./task setup");
    tools.canonicalize().unwrap()
}

/// Who asks: a role that sees all of the county, or only town 1; or nobody.
#[derive(Clone, Copy, Debug)]
enum Who {
    Nobody,
    Of(Role, &'static [u32]),
}

const EVERYBODY: [Who; 6] = [
    Who::Of(Role::Administrator, &[]),
    Who::Of(Role::Operator, &[1]),
    Who::Of(Role::Auditor, &[1]),
    Who::Of(Role::Technician, &[1]),
    Who::Of(Role::Security, &[]),
    Who::Nobody,
];

/// A county with something of everything in both towns.
pub(crate) async fn county() -> County {
    let county = County::with(|s| {
        s.demo = Some(Arc::new(ToyDemo::default()));
        s.config.snapshots_need_reason = false;
        // What is throttled is tested elsewhere; here it would hide everything else.
        (s.config.failures_per_account, s.config.failures_per_address) = (u32::MAX, u32::MAX);
    })
    .await;
    let incidents = vec![outage(1, &[1, 2]), outage(2, &[4, 5]), outage(3, &[1, 4]), outage(4, &[2])];
    let facts: Vec<Fact> = incidents.iter().map(|i| Fact::Incident((**i).clone())).collect();
    county.services.store.record(&facts).await.unwrap();
    county.publish_with(&[(1, Cause::NoAnswer), (2, Cause::NoAnswer), (4, Cause::NoAnswer)], incidents);
    for camera in 1..=5 {
        store_one(&county, camera, recent() - i64::from(camera) * 10_000).await;
        county.services.gallery.put(CameraId(camera), Bytes::from_static(b"jpeg"), Wall::read());
        let finding = Finding {
            cause: Cause::SamePicture,
            level: Level::Slight,
            confidence: 0.9,
            measured: 0.99,
            threshold: 0.97,
            region: Region::ALL,
            twin: Some(CameraId(6 - camera)),
            detail: String::new(),
        };
        let findings = vec![Held { finding, since: Wall(1000) }];
        county
            .services
            .verdicts
            .put(CameraId(camera), Judged { at: Some(Wall::read()), findings, ..Judged::default() });
    }
    county
}

/// What administrators and operators leave behind in a day.
pub(crate) async fn day(county: &County, technician: u32) {
    let admin = county.signed_in(Role::Administrator).await;
    let now = Wall::read().0;
    let did = async |path: &str, body: Value| {
        let answer = admin.post(path, &body).await;
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status} {}", answer.text().await.unwrap());
    };
    // Nobody listens there: a climb ends at once.
    for camera in 1..=5 {
        let cells = json!({ "main_url": format!("rtsp://127.0.0.1:{camera}/main") });
        did("/api/v1/register/cameras", json!({ "cameras": [camera], "cells": cells, "dry_run": false })).await;
    }
    for incident in 1..=3 {
        did("/api/v1/orders", json!({ "incident": incident })).await;
    }
    did("/api/v1/orders/1/act", json!({ "act": "assign", "version": 1, "technician": technician })).await;
    for (town, camera) in [(1, 1), (2, 4)] {
        let (scope, until) = (json!({ "kind": "town", "id": town }), now + 3_600_000);
        let plan = json!({ "scope": scope, "from": now, "until": until, "reason": "换杆", "excused": true });
        did("/api/v1/windows", plan).await;
        let excuse = json!({ "scope": { "kind": "town", "id": town }, "from": now - 7_200_000, "until": now - 3_600_000,
            "kind": "third_party", "reason": "停电" });
        did("/api/v1/excuses", excuse).await;
        let asked =
            json!({ "camera": camera, "from": now - 86_400_000, "until": now, "reason": "核查", "document": "1" });
        did("/api/v1/exports", asked.clone()).await;
        let mut hold = asked;
        hold["kind"] = json!("audit");
        did("/api/v1/holds", hold).await;
        let fault = json!({ "target": { "kind": "camera", "id": camera }, "fault": "power_off", "on": true });
        did("/api/v1/demo/fault", fault).await;
    }
    did("/api/v1/handovers", json!({ "from": now - 3_600_000 })).await;
    let route = json!({ "least": "minor", "towns": [], "sites": [], "own": false, "settle_s": 0, "hours": null,
        "digest_minutes": 0, "per_hour": 10, "resolved": true, "orders": false, "technicians": [], "contractors": [] });
    let target = json!({ "kind": "webhook", "url": "http://127.0.0.1:1/", "secret": "a secret of the channel" });
    did(
        "/api/v1/channels",
        json!({ "name": "值班室", "enabled": true, "language": "zh-CN", "route": &route, "target": target }),
    )
    .await;
    let target = json!({ "kind": "email", "host": "127.0.0.1", "port": 1, "security": "none", "user": null,
        "password": null, "from": "a@b.example", "to": ["c@d.example"] });
    did(
        "/api/v1/channels",
        json!({ "name": "邮箱", "enabled": false, "language": "zh-CN", "route": route, "target": target }),
    )
    .await;
    for n in 1..=6 {
        let mailing = json!({ "name": format!("日报{n}"), "enabled": true, "every": "day", "weekday": 1, "day": 1,
            "minute": 480, "group": "town", "town": null, "site": null, "contractor": null, "channel": 2, "to": [],
            "language": "zh-CN" });
        did("/api/v1/mailings", mailing).await;
    }
    did("/api/v1/tokens", json!({ "name": "大屏", "role": "operator", "expires": now + 86_400_000 })).await;
}

/// Does what the node does with what people ask of it.
pub(crate) async fn node(county: &County) {
    loop {
        match county.command() {
            Some(Command::Picture(PictureOrder::Accept { done, .. } | PictureOrder::Reset { done, .. })) => {
                let _ = done.send(()).await;
            }
            Some(_) => {}
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Statuses that each operation answered with.
type Met = BTreeMap<String, BTreeSet<u16>>;

/// What came of asking, and what was wrong with the answers.
async fn asked_by(who: Who, minutes: Option<u64>) -> (Met, Option<String>) {
    let county = county().await;
    let own = match who {
        Who::Nobody => None,
        Who::Of(role, towns) => Some(county.user("asker", role, towns, &[]).await),
    };
    let technician = match (who, &own) {
        (Who::Of(Role::Technician, _), Some(own)) => own.id.0,
        _ => county.user("repairer", Role::Technician, &[1], &[]).await.id.0,
    };
    let others =
        [county.user("li", Role::Operator, &[1], &[]).await, county.user("wu", Role::Auditor, &[1], &[]).await];
    day(&county, technician).await;
    let reader: Browser<'_> = county.signed_in(Role::Operator).await;
    let document = reader.get("/api/v1/openapi.json").await.bytes().await.unwrap();
    let snapshots = reader.json("/api/v1/snapshots").await;
    let narrow = matches!(who, Who::Of(_, towns) if !towns.is_empty());
    let snapshots: Vec<&Value> = snapshots["items"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    let foreign = json!({ "words": ["西镇", "西村", "村口4", "村口5"],
        "numbers": { "camera": [4, 5], "site": [3], "town": [2], "uplink": [2] } });

    let folder = tempfile::tempdir().unwrap();
    let (schema, met) = (folder.path().join("openapi.json"), folder.path().join("met.json"));
    std::fs::write(&schema, document).unwrap();
    // An event stream never ends by itself.
    std::fs::write(folder.path().join("schemathesis.toml"), "max-stream-events = 3\n").unwrap();
    let mut program = Program::new("python3");
    program
        .args(["-m", "schemathesis.cli", "run", "--no-color", "--continue-on-failure", "--max-failures=30"])
        .args(["--suppress-health-check=all", "--generation-database=none", "--generation-with-security-parameters=false", "--request-timeout=60", "--warnings=off"])
        // Not everything that makes a request senseless can be said in a schema.
        .args(["--exclude-checks=positive_data_acceptance,ignored_auth,ensure_resource_availability,use_after_free,object_level_authorization"])
        .arg(format!("--url={}", county.url("")));
    match minutes {
        None => program.args(["--phases=fuzzing", "--seed=1", "--max-examples", EXAMPLES]),
        Some(minutes) => program.arg(format!("--max-time={}", minutes * 60)),
    };
    program
        .arg(&schema)
        .current_dir(folder.path())
        .env("PYTHONPATH", tools())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/properties.py"))
        .env("NO_PROXY", "127.0.0.1")
        .env("SHARPEYES_URL", county.url(""))
        .env("SHARPEYES_MET", &met)
        .env("SHARPEYES_USERS", json!(others.map(|u| u.id.0)).to_string())
        .env("SHARPEYES_SNAPSHOTS", json!(snapshots).to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(own) = &own {
        program.env("SHARPEYES_NAME", &own.name).env("SHARPEYES_PASSWORD", PASSWORD);
    }
    if narrow {
        program.env("SHARPEYES_FOREIGN", foreign.to_string());
    }
    let limit = minutes.map_or(LONGEST, |m| Duration::from_secs(m * 60) + LONGEST);
    let began = std::time::Instant::now();
    let said = tokio::select! {
        said = tokio::time::timeout(limit, program.output()) => said.expect("an end in time").expect("python3 is installed"),
        () = node(&county) => unreachable!("the node goes on"),
    };
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let fault = (!said.status.success()).then(|| format!("as {who:?}:\n{text}"));
    let met: Met = serde_json::from_slice(&std::fs::read(met).unwrap()).unwrap();
    // Shown when the long form is run by hand.
    #[allow(clippy::print_stdout)]
    {
        println!("{who:?}: {} operations in {:.0} s", met.len(), began.elapsed().as_secs_f64());
    }
    (met, fault)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_asked_by_whomever_the_answers_are_those_of_the_document() {
    let minutes = std::env::var("SHARPEYES_SCHEMATHESIS_MINUTES").ok().map(|m| m.parse().expect("minutes"));
    let asked = stream::iter(EVERYBODY).map(|who| asked_by(who, minutes)).buffer_unordered(2);
    let (all, faults): (Vec<Met>, Vec<Option<String>>) = asked.collect::<Vec<_>>().await.into_iter().unzip();
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    let document: Value = serde_json::to_value(web::openapi()).unwrap();
    let mut unpleased = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|m| METHODS.contains(&m.as_str())) {
            let operation = format!("{} {path}", method.to_uppercase());
            for met in &all {
                assert!(met.contains_key(&operation), "{operation} was not asked for");
            }
            let good = all.iter().filter_map(|met| met.get(&operation)).flatten().any(|s| *s < 400);
            if !good && !HARD_TO_PLEASE.contains(&operation.as_str()) {
                unpleased.push(operation);
            }
        }
    }
    assert!(faults.is_empty(), "{}\nnot pleased: {unpleased:?}", faults.join("\n"));
    assert!(unpleased.is_empty(), "nobody ever got a good answer of {unpleased:#?}");
}
