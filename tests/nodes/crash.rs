//! `kill -9` while snapshots are being taken, work orders are open and messages wait, and restart: nothing acknowledged is
//! lost, nothing is told twice.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::demo::{Demo, Session, in_own_space};
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command, time::Duration};

const CAMERAS: u32 = 24;

/// Every snapshot that a client can see, by id, with its hash.
async fn visible(session: &Session) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = session.get(&format!("/snapshots?kind=snapshot&limit=500{cursor}")).await;
        for entry in page["items"].as_array().unwrap() {
            let new =
                seen.insert((entry["id"].as_str().unwrap().to_owned(), entry["sha256"].as_str().unwrap().to_owned()));
            assert!(new, "a snapshot is listed twice: {entry:#}");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_loses_nothing_it_showed() {
    if !in_own_space("crash::a_killed_service_loses_nothing_it_showed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let options = ["--snapshot-every", "1s"];
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut first_password = None;
    for round in 0..4u32 {
        let mut demo = Demo::start(&data, CAMERAS, &options);
        // The one-time password is only told at the first start.
        first_password = first_password.or(demo.first_password.take());
        if round == 0 {
            demo.first_password.clone_from(&first_password);
        }
        let session = Session::administrator(&demo).await;
        let after_restart = visible(&session).await;
        assert!(known.is_subset(&after_restart), "round {round}: snapshots that were shown are gone");

        let enough = known.len() + 60 + 17 * round as usize;
        let states = |s: &Value| s["counts"]["online"] == CAMERAS;
        session.until("all online", "/states", Duration::from_secs(60), states).await;
        loop {
            known = visible(&session).await;
            if known.len() >= enough {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("round {round}: killed with {} snapshots shown", known.len());
        demo.kill();
    }

    // Whole and undamaged, by the program's own check of every record.
    let config = folder.path().join("sharpeyes.toml");
    std::fs::write(&config, format!("[node]\ndata = {:?}\n", data.to_str().unwrap())).unwrap();
    let check = |action: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_sharpeyes"))
            .args(["archive", action, "--json", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let report = check("check");
    assert_eq!(report["damaged"], Value::Array(vec![]));
    assert!(report["records"].as_u64().unwrap() >= known.len() as u64, "{report}");

    // The index can be made anew from the segments alone: the same snapshots are there.
    check("rebuild");
    let demo = Demo::start(&data, CAMERAS, &options);
    let session = Session::administrator(&demo).await;
    assert!(known.is_subset(&visible(&session).await), "a rebuilt index lacks snapshots");

    // Each camera has one open status interval, and intervals neither overlap nor leave holes.
    for camera in [1, 2, 3] {
        let history = session.get(&format!("/cameras/{camera}/history?limit=1000")).await;
        let items = history["items"].as_array().unwrap();
        assert!(items.len() >= 4, "each restart is told: {history:#}");
        assert!(items[0]["until"].is_null(), "{history:#}");
        for pair in items.windows(2) {
            assert_eq!(pair[1]["until"], pair[0]["from"], "{history:#}");
        }
    }
}

/// A server that takes notifications and remembers them.
struct Hooks {
    listener: std::net::TcpListener,
}

impl Hooks {
    fn bind(address: std::net::SocketAddr) -> Hooks {
        Hooks { listener: std::net::TcpListener::bind(address).unwrap() }
    }

    /// Takes requests for ever; tells the body of each. The first ones are never answered.
    fn serve(self, unanswered: usize) -> std::sync::mpsc::Receiver<Value> {
        use std::io::{BufRead, BufReader, Read, Write};
        let (tell, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for peer in self.listener.incoming() {
                let mut peer = BufReader::new(peer.unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while peer.read_line(&mut line).unwrap_or(0) > 2 {
                    if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = bytes.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if peer.read_exact(&mut body).is_ok() {
                    if held.len() < unanswered {
                        held.push(peer);
                    } else {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        let _ = peer.get_mut().write_all(answer);
                    }
                    if tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                        return;
                    }
                }
            }
        });
        heard
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_messages_on_their_way_outlive_a_kill() {
    if !in_own_space("crash::orders_and_messages_on_their_way_outlive_a_kill") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    session.until("all online", "/states", Duration::from_secs(60), |s| s["counts"]["online"] == CAMERAS).await;

    // Nobody listens there yet: what is told has to wait.
    let address = Hooks::bind(([127, 0, 0, 1], 0).into()).listener.local_addr().unwrap();
    let technician = session.post("/users", json!({"name": "zhang", "full_name": "张三", "role": "technician"})).await;
    let route = json!({
        "least": "minor", "towns": [], "sites": [], "own": false, "settle_s": 0, "hours": null,
        "digest_minutes": 0, "per_hour": 600, "resolved": true, "orders": true,
    });
    let target = json!({"kind": "webhook", "url": format!("http://{address}/"), "secret": "a long enough secret"});
    let channel = json!({"name": "值班", "enabled": true, "language": "zh-CN", "route": route, "target": target});
    session.post("/channels", channel).await;
    session.fault("camera", 3, "power_off", true).await;
    let told = |page: &Value| page["items"].as_array().unwrap().first().map(|i| i["id"].clone());
    let open =
        session.until("an incident", "/incidents?open=true", Duration::from_secs(60), |p| told(p).is_some()).await;
    let incident = told(&open).unwrap();
    let order = session.post("/orders", json!({"incident": incident})).await;
    let path = format!("/orders/{}", order["id"]);
    let assign = json!({"act": "assign", "version": order["version"], "technician": technician["user"]["id"]});
    let given = session.post(&format!("{path}/act"), assign).await;
    let waits = |log: &Value| {
        let items = log["items"].as_array().unwrap();
        items.iter().any(|d| d["orders"] == json!([order["id"]])) && items.iter().any(|d| d["attempts"] != 0)
    };
    session.until("messages that wait", "/channels/deliveries", Duration::from_secs(40), waits).await;
    demo.kill();
    drop(demo);

    let heard = Hooks::bind(address).serve(0);
    let demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    let found = session.get(&path).await["order"].clone();
    assert_eq!((&found["assignee"], &found["cameras"]), (&given["assignee"], &given["cameras"]), "{found:#}");
    assert!(found["version"].as_u64() >= given["version"].as_u64(), "{found:#}");
    let again = session.get("/orders?open=true").await["items"].as_array().unwrap().len();
    assert_eq!(again, 1, "one order, as before");
    // The simulation was restarted too and the camera is well: the end of its incident is told as well.
    let all = |log: &Value| {
        let items = log["items"].as_array().unwrap();
        items.len() >= 3 && items.iter().all(|d| d["state"] == "delivered")
    };
    session.until("everything delivered", "/channels/deliveries", Duration::from_secs(90), all).await;
    let mut news: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for letter in heard.try_iter() {
        for item in letter["items"].as_array().unwrap() {
            *news.entry(format!("{} {}", item["incident"], item["news"])).or_default() += 1;
        }
        for item in letter["orders"].as_array().into_iter().flatten() {
            *news.entry(format!("order {} for {}", item["order"], item["to"])).or_default() += 1;
        }
    }
    for expected in [
        format!("{incident} \"opened\""),
        format!("{incident} \"over\""),
        format!("order {} for \"张三\"", order["id"]),
    ] {
        // A try that was under way when the process died may be repeated, once.
        let times = news.get(&expected).copied().unwrap_or(0);
        assert!((1..=2).contains(&times), "{expected} was told {times} times: {news:#?}");
    }
    let incidents = session.get("/incidents?limit=100").await;
    let about =
        incidents["items"].as_array().unwrap().iter().filter(|i| i["scope"] == json!({"kind": "camera", "id": 3}));
    assert_eq!(about.count(), 1, "{incidents:#}");
}

/// Killed twice between the instant at which the receiver has a message and the one at which that is noted.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_doubled_once_by_kills_and_none_is_lost() {
    if !in_own_space("crash::a_message_is_doubled_once_by_kills_and_none_is_lost") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let hooks = Hooks::bind(([127, 0, 0, 1], 0).into());
    let address = hooks.listener.local_addr().unwrap();
    let heard = hooks.serve(2);
    let mut letters: Vec<Value> = Vec::new();
    for round in 0..2 {
        let mut demo = Demo::start(&data, CAMERAS, &[]);
        if round == 0 {
            let session = Session::administrator(&demo).await;
            session.until("all online", "/states", Duration::from_secs(60), |s| s["counts"]["online"] == CAMERAS).await;
            let route = json!({
                "least": "minor", "towns": [], "sites": [], "own": false, "settle_s": 0, "hours": null,
                "digest_minutes": 0, "per_hour": 600, "resolved": true, "orders": false,
            });
            let target =
                json!({"kind": "webhook", "url": format!("http://{address}/"), "secret": "a long enough secret"});
            let channel =
                json!({"name": "值班", "enabled": true, "language": "zh-CN", "route": route, "target": target});
            session.post("/channels", channel).await;
            session.fault("camera", 3, "power_off", true).await;
        }
        letters.push(heard.recv_timeout(Duration::from_secs(90)).expect("a message"));
        demo.kill();
    }
    assert_eq!(letters[0]["key"], letters[1]["key"], "it is repeated after the first kill");
    let incident = letters[0]["items"][0]["incident"].clone();

    let demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    // The simulation was restarted too and the camera is well: the end of its incident is told.
    let ended = |log: &Value| {
        let items = log["items"].as_array().unwrap();
        items.len() >= 2 && items.iter().all(|d| !d["ended"].is_null())
    };
    let over = |letters: &[Value]| {
        let items = || letters.iter().flat_map(|l| l["items"].as_array().unwrap());
        items().filter(|i| i["incident"] == incident && i["news"] == "over").count()
    };
    while over(&letters) == 0 {
        letters.push(heard.recv_timeout(Duration::from_secs(90)).expect("the end of the incident"));
    }
    let log = session.until("everything at its end", "/channels/deliveries", Duration::from_secs(60), ended).await;
    letters.extend(heard.try_iter());
    let mut times: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for letter in &letters {
        *times.entry(letter["key"].to_string()).or_default() += 1;
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert_eq!(doubled, [(&letters[0]["key"].to_string(), &2)], "one message twice, no other, and none a third time");
    assert_eq!(times.len(), log["items"].as_array().unwrap().len(), "every message was heard: {log:#}");
    assert_eq!(over(&letters), 1);
}

/// A camera's whole history, oldest first: from, until, status, cause.
async fn intervals(session: &Session, camera: u32) -> Vec<(i64, i64, String, String)> {
    let page = session.get(&format!("/cameras/{camera}/history?limit=1000")).await;
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = page["items"].as_array().unwrap().iter().collect();
    all.reverse();
    all.into_iter()
        .map(|i| {
            let until = i["until"].as_i64().unwrap_or(i64::MAX);
            (i["from"].as_i64().unwrap(), until, word(&i["status"]), word(&i["cause"]))
        })
        .collect()
}

/// Milliseconds between two instants that are on record as anything but unknown.
fn claimed(history: &[(i64, i64, String, String)], from: i64, until: i64) -> i64 {
    let known = history.iter().filter(|(_, _, status, _)| status != "unknown");
    known.map(|(a, b, ..)| (b.min(&until) - a.max(&from)).max(0)).sum()
}

fn wall() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn signal(demo: &Demo, name: &str) {
    assert!(Command::new("kill").args([name, &demo.pid().to_string()]).status().unwrap().success());
}

/// A stopped process, a database that takes nothing and then `kill -9`: what nobody saw, or nobody could write down, is
/// `unknown` in history and figures, and no camera is blamed for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_saw_is_on_record_as_unknown() {
    if !in_own_space("crash::what_nobody_saw_is_on_record_as_unknown") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    let well = |s: &Value| s["counts"]["online"] == CAMERAS && s["own_faults"] == json!([]);
    session.until("all online", "/states", Duration::from_secs(120), well).await;

    let stopped = wall();
    signal(&demo, "-STOP");
    tokio::time::sleep(Duration::from_secs(50)).await;
    let continued = wall();
    signal(&demo, "-CONT");
    // Over connections of its own: those of before have been given up meanwhile.
    demo.first_password = None;
    let session = Session::administrator(&demo).await;
    let noticed = |page: &Value| page["items"].as_array().unwrap().iter().any(|i| i["cause"] == "own_machine");
    session.until("an incident of our own", "/incidents?limit=100", Duration::from_secs(60), noticed).await;
    session.until("all online again", "/states", Duration::from_secs(120), well).await;

    // Another program holds the database: everything goes on, and what happens waits.
    let locker = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("store").join("sharpeyes.db"));
    let mut lock = sqlx::ConnectOptions::connect(&locker).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let locked = wall();
    let away = |s: &Value| s["own_faults"].to_string().contains("database") && s["counts"]["online"] == CAMERAS;
    session.until("the database's fault", "/states", Duration::from_secs(120), away).await;
    demo.kill();
    let killed = wall();
    drop(demo);
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    sqlx::Connection::close(lock).await.unwrap();

    let demo = Demo::start(&data, CAMERAS, &[]);
    let session = Session::administrator(&demo).await;
    let started = wall();
    session.until("all online in the end", "/states", Duration::from_secs(120), well).await;
    for camera in 1..=CAMERAS {
        let history = intervals(&session, camera).await;
        assert!(history.windows(2).all(|w| w[0].1 == w[1].0 && w[0].0 < w[0].1), "{history:#?}");
        assert!(history.iter().all(|i| i.2 != "offline"), "camera {camera} is blamed: {history:#?}");
        // A turn of the loop may have been under way when it was stopped.
        assert_eq!(claimed(&history, stopped + 1_000, continued), 0, "camera {camera}: {history:#?}");
        assert!(history.iter().any(|i| i.3 == "own_machine"), "camera {camera}: {history:#?}");
        assert_eq!(claimed(&history, locked, killed), 0, "camera {camera}: {history:#?}");
        assert!(claimed(&history, continued, locked) > 0, "camera {camera}: {history:#?}");
    }
    // The figures: everything that was seen was online, and what was not seen is told beside it.
    let path = format!("/reports?period=range&from={stopped}&until={}&group=camera", wall());
    let counted = |report: &Value| report["as_of"].as_i64().is_some_and(|as_of| as_of > started);
    let report = session.until("figures", &path, Duration::from_secs(180), counted).await;
    let total = &report["total"];
    assert_eq!(total["online_by_duration"], json!(1.0), "{total:#}");
    assert_eq!(total["outages"], json!(0), "{total:#}");
    let unknown = total["unknown"].as_f64().unwrap()
        * (report["as_of"].as_i64().unwrap() - report["from"].as_i64().unwrap()) as f64;
    assert!(unknown >= (continued - stopped - 1_000) as f64 * 0.9, "{total:#}");
}
