//! Whatever is killed while it rolls up, the figures are what the intervals say.
#![allow(clippy::unwrap_used)]

use fleet::{CameraId, Cause, Status, Wall};
use health::{
    StatusChange,
    ledger::{HOUR_MS, Rules, Stretch, Tally, total},
};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use store::{Fact, LedgerStore, RollUp, Store};
use store_sqlite::SqliteStore;

const FOLDER: &str = "SHARPEYES_TEST_LEDGER_FOLDER";
const ROUNDS: usize = 5;
const CAMERAS: i64 = 5;
const BEGIN: i64 = 1_767_196_800_000;

fn at(number: i64) -> Wall {
    Wall(BEGIN + number * HOUR_MS / 3)
}

fn change(number: i64) -> Fact {
    let cause = (number % 2 == 1).then_some(Cause::NoAnswer);
    Fact::Status(StatusChange {
        camera: CameraId(u32::try_from(number % CAMERAS).unwrap()),
        at: at(number),
        status: cause.map_or(Status::Online, Cause::status),
        from: None,
        layer: cause.map(Cause::layer),
        cause,
        detail: number.to_string(),
    })
}

async fn roll_up(store: &SqliteStore, now: Wall) -> bool {
    let work = RollUp { now, rules: Rules::default(), snapshots: Vec::new(), for_good: true };
    store.roll_up(&work).await.unwrap().caught_up
}

/// Not a test of its own: the process that gets killed. Changes and roll-ups without end, two steps ahead each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = SqliteStore::open(Path::new(&folder)).await.unwrap();
    let newest = store.history(&store::HistoryQuery { limit: 1, ..store::HistoryQuery::default() }).await.unwrap();
    let mut number = newest.items.first().map_or(0, |i| (i.from.0 - BEGIN) * 3 / HOUR_MS);
    loop {
        let facts: Vec<Fact> = (number + 1..=number + 7).map(change).collect();
        let (recorded, _) = tokio::join!(store.record(&facts), roll_up(&store, at(number + 5)));
        recorded.unwrap();
        number += 7;
        if writeln!(std::io::stdout(), "\nacknowledged {number}").is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ledger_crash::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = lines.map_while(Result::ok).filter(|line| line.starts_with("acknowledged "));
        acknowledged.nth(3 + round * 9).expect("the child writes");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(acknowledged);

        let store = SqliteStore::open(folder.path()).await.unwrap();
        let newest = store.history(&store::HistoryQuery { limit: 1, ..store::HistoryQuery::default() }).await.unwrap();
        let now = Wall(newest.items[0].from.0 + HOUR_MS);
        while !roll_up(&store, now).await {}
        let range = Wall(BEGIN)..health::ledger::Calendar::widened(&(Wall(BEGIN)..now)).end;
        let ledger = store.ledger(range.clone()).await.unwrap();
        assert_eq!(ledger.lines.len(), CAMERAS as usize);
        for line in ledger.lines {
            let history = store.ledger_history(line.camera, range.clone()).await.unwrap().intervals;
            let stretches: Vec<Stretch> = history
                .iter()
                .map(|i| Stretch { from: i.from, until: i.until, status: i.status, cause: i.cause })
                .collect();
            let truth: Tally = total(&stretches, &[], &(range.start..now), &Rules::default());
            assert_eq!(line.tally, truth, "camera {} after round {round}", line.camera);
        }
        store.close().await;
    }
}
