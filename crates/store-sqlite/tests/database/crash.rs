//! What was acknowledged survives `kill -9`.
#![allow(clippy::unwrap_used)]

use fleet::{CameraId, Cause, Status, Wall};
use health::StatusChange;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use store::{AuditEntry, AuditQuery, Fact, HistoryQuery, Store};
use store_sqlite::SqliteStore;

const FOLDER: &str = "SHARPEYES_TEST_STORE_FOLDER";
const ROUNDS: usize = 8;

fn change(number: i64) -> Fact {
    let online = number % 2 == 0;
    let cause = (!online).then_some(Cause::NoAnswer);
    Fact::Status(StatusChange {
        camera: CameraId(u32::try_from(number % 5).unwrap()),
        at: Wall(number),
        status: if online { Status::Online } else { Status::Offline },
        from: None,
        layer: cause.map(Cause::layer),
        cause,
        detail: number.to_string(),
    })
}

fn entry(number: i64) -> AuditEntry {
    AuditEntry {
        at: Wall(number),
        who: "system".into(),
        who_detail: String::new(),
        address: String::new(),
        action: "tick".into(),
        object: number.to_string(),
        reason: String::new(),
        success: true,
        detail: String::new(),
    }
}

/// Not a test of its own: the process that gets killed. Writes without end and tells what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = SqliteStore::open(Path::new(&folder)).await.unwrap();
    let newest = store.history(&HistoryQuery { limit: 1, ..HistoryQuery::default() }).await.unwrap();
    let mut number = newest.items.first().map_or(0, |i| i.from.0);
    loop {
        // Batches and an audit record at once, so that they share transactions.
        let facts: Vec<Fact> = (number + 1..=number + 7).map(change).collect();
        let (facts, audit) = tokio::join!(store.record(&facts), store.audit(entry(number)));
        facts.unwrap();
        number += 7;
        let seq = audit.unwrap().seq;
        // An error means that the parent has gone: then we are no longer needed.
        if writeln!(std::io::stdout(), "\nacknowledged {number} {seq}").is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = lines.map_while(Result::ok).filter_map(|line| {
            let mut words = line.strip_prefix("acknowledged ")?.split(' ').map(|w| w.parse::<i64>().ok());
            Some((words.next()??, words.next()??))
        });
        // A different instant each time; then everything that still comes out of the pipe was acknowledged too.
        let mut last = acknowledged.nth(3 + round * 11).expect("the child writes");
        child.kill().unwrap();
        child.wait().unwrap();
        for told in acknowledged {
            last = told;
        }

        let store = SqliteStore::open(folder.path()).await.unwrap();
        let mut query = HistoryQuery { limit: 1000, ..HistoryQuery::default() };
        let mut numbers = Vec::new();
        loop {
            let page = store.history(&query).await.unwrap();
            numbers.extend(page.items.iter().map(|i| i.detail.parse::<i64>().unwrap()));
            let Some(next) = page.next else { break };
            query.cursor = Some(next);
        }
        numbers.reverse();
        let (number, seq) = last;
        assert!(numbers.len() as i64 >= number, "acknowledged up to {number}, found {}", numbers.len());
        assert_eq!(numbers.len() % 7, 0, "half a batch is there");
        assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "a hole");
        let log = store.audit_log(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap();
        assert!(log.items[0].seq as i64 >= seq, "audit acknowledged up to {seq}, found {}", log.items[0].seq);
        assert_eq!(store.verify_audit().await.unwrap(), None);
        written = numbers.len();
        store.close().await;
    }
    assert!(written > 7 * ROUNDS);
}
