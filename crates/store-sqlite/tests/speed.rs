//! How fast it is, for the curious: `cargo test -p sharpeyes-store-sqlite --test speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use fleet::{CameraId, Cause, Status, Wall};
use health::StatusChange;
use std::time::Instant;
use store::{Fact, HistoryQuery, Store};
use store_sqlite::SqliteStore;

const CAMERAS: u32 = 800;
/// Changes of each camera: a month in which each changes four times a day.
const CHANGES: i64 = 120;
const HOUR: i64 = 3_600_000;

fn change(camera: u32, number: i64) -> Fact {
    let online = number % 2 == 0;
    let cause = (!online).then_some(Cause::NoAnswer);
    Fact::Status(StatusChange {
        camera: CameraId(camera),
        at: Wall(number * 6 * HOUR),
        status: if online { Status::Online } else { Status::Offline },
        from: None,
        layer: cause.map(Cause::layer),
        cause,
        detail: "connect: no answer within 4 s".into(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, judges nothing"]
async fn month_of_a_county() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let begin = Instant::now();
    let mut slowest = 0.0_f64;
    for number in 0..CHANGES {
        let batch: Vec<Fact> = (1..=CAMERAS).map(|c| change(c, number)).collect();
        let one = Instant::now();
        store.record(&batch).await.unwrap();
        slowest = slowest.max(one.elapsed().as_secs_f64());
    }
    let took = begin.elapsed().as_secs_f64();
    println!("recorded {} changes in {took:.2} s, slowest batch of 800: {slowest:.3} s", CHANGES * i64::from(CAMERAS));
    let size = std::fs::metadata(folder.path().join("sharpeyes.db")).unwrap().len();
    println!("{} bytes of database per change", size / (CHANGES as u64 * u64::from(CAMERAS)));
    let one = Instant::now();
    for _ in 0..100 {
        store.record(&[Fact::Alive(Wall(0))]).await.unwrap();
    }
    println!("a sign of life: {:.2} ms", one.elapsed().as_secs_f64() * 10.0);
    for days in [1, 7, 30] {
        let one = Instant::now();
        let rows = store.status_seconds(Wall((30 - days) * 24 * HOUR)..Wall(30 * 24 * HOUR)).await.unwrap();
        println!("time of {} cameras over {days} d: {:.1} ms", rows.len(), one.elapsed().as_secs_f64() * 1e3);
    }
    let queries = [
        ("newest 1000", HistoryQuery { limit: 1000, ..HistoryQuery::default() }),
        ("one camera", HistoryQuery { camera: Some(CameraId(400)), limit: 1000, ..HistoryQuery::default() }),
    ];
    for (what, query) in queries {
        let one = Instant::now();
        let rows = store.history(&query).await.unwrap().items.len();
        println!("history, {what}: {rows} rows in {:.1} ms", one.elapsed().as_secs_f64() * 1e3);
    }
    store.close().await;
    let one = Instant::now();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    println!("opened in {:.1} ms", one.elapsed().as_secs_f64() * 1e3);
    let one = Instant::now();
    store.resume(Wall(i64::MAX / 2)).await.unwrap();
    println!("resumed in {:.1} ms", one.elapsed().as_secs_f64() * 1e3);
    store.close().await;
}
