//! The real Alertmanager takes what we tell it: an incident begins, is told again, ends.
#![allow(clippy::unwrap_used, missing_docs)]

use fleet::Wall;
use health::{Severity, desk::News};
use notify::{Courier, Item, Language, Letter, Target};
use serde_json::Value;
use std::{
    net::IpAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// As Debian has it; `./task setup` installs it.
const PROGRAM: &str = "prometheus-alertmanager";

struct Alertmanager {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alertmanager {
    async fn start() -> Alertmanager {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{PROGRAM}: {e}; run ./task setup"));
        let started = Alertmanager { child, url: format!("http://127.0.0.1:{port}"), _folder: folder };
        let end = Instant::now() + Duration::from_secs(30);
        while reqwest::get(format!("{}/-/ready", started.url)).await.is_err() {
            assert!(Instant::now() < end, "it does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        started
    }

    /// The alerts that last, as anybody sees them.
    async fn alerts(&self) -> Vec<Value> {
        let answer = reqwest::get(format!("{}/api/v2/alerts?active=true", self.url)).await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn until(&self, what: &str, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let alerts = self.alerts().await;
            if good(&alerts) {
                return alerts;
            }
            assert!(Instant::now() < end, "{what}: {alerts:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn item(incident: u64, news: News, severity: Severity, opened: i64) -> Item {
    Item {
        incident,
        news,
        severity,
        place: "石桥镇 · 上村".into(),
        cause: "no_answer".into(),
        cause_text: "无应答".into(),
        evidence: "3 路同时中断".into(),
        cameras: 3,
        opened,
        resolved: (news == News::Over).then_some(Wall::read().0),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_begins_grows_and_ends_at_a_real_alertmanager() {
    let server = Alertmanager::start().await;
    let courier = Courier::new("node-1".into(), |ip: IpAddr| ip.is_loopback());
    let target = Target::Alertmanager { url: server.url.clone(), token: None };
    let begun = Wall::read().0 - 60_000;
    let tell = async |items: Vec<Item>| {
        let letter = Letter {
            key: "node-1-N1-1-0".into(),
            at: Wall::read().0,
            language: Language::Chinese,
            node: "node-1".into(),
            test: false,
            items,
            orders: Vec::new(),
        };
        courier.deliver(&target, &letter).await.unwrap();
    };
    tell(vec![item(42, News::Opened, Severity::Major, begun), item(43, News::Opened, Severity::Minor, begun)]).await;
    let alerts = server.until("both are there", |a| a.len() == 2).await;
    let first = alerts.iter().find(|a| a["labels"]["incident"] == "E42").unwrap();
    assert_eq!((&first["labels"]["alertname"], &first["labels"]["node"]), (&"CameraIncident".into(), &"node-1".into()));
    assert!(first["annotations"]["summary"].as_str().unwrap().contains("石桥镇 · 上村：无应答，3 路"), "{first}");
    let starts: jiff::Timestamp = first["startsAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(starts.as_millisecond(), begun);

    // Worse, and told twice: one and the same alert.
    for _ in 0..2 {
        tell(vec![item(42, News::Worse, Severity::Critical, begun)]).await;
    }
    let alerts = server.until("it is worse", |a| a.iter().any(|a| a["annotations"]["severity"] == "critical")).await;
    assert_eq!(alerts.len(), 2, "{alerts:#?}");

    tell(vec![item(42, News::Over, Severity::Critical, begun)]).await;
    let alerts = server.until("it is over", |a| a.len() == 1).await;
    assert_eq!(alerts[0]["labels"]["incident"], "E43");

    // The button 测试 of the dashboard.
    courier.deliver(&target, &Letter::trial("node-1", Language::English, Wall::read())).await.unwrap();
    server.until("the trial is there", |a| a.iter().any(|a| a["labels"]["alertname"] == "SharpEyesTest")).await;
}
