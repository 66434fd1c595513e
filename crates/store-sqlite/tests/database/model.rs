//! Random histories against a model in memory.
#![allow(clippy::unwrap_used)]

use fleet::{CameraId, Cause, Status, Wall};
use health::{StatusChange, Unobserved};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path};
use store::{Fact, HistoryQuery, Store};
use store_sqlite::SqliteStore;

#[derive(Clone, Debug)]
enum Step {
    /// Changes in one batch: camera, instant, status.
    Record(Vec<(u32, i64, Status)>),
    /// The batch before once more, as after an unclear failure.
    Repeat,
    /// Nobody looked from the one instant to the other.
    Unobserved(i64, i64),
    /// A sign of life.
    Alive(i64),
    /// A stop and a start.
    Restart(i64),
}

/// An interval as the model keeps it: it ends where the next one begins.
#[derive(Clone, PartialEq, Debug)]
struct Began {
    from: i64,
    told: i64,
    status: Status,
    detail: String,
}

#[derive(Default)]
struct Model {
    cameras: BTreeMap<u32, Vec<Began>>,
    alive: Option<i64>,
}

impl Model {
    fn change(&mut self, camera: u32, told: i64, status: Status, detail: &str) {
        let history = self.cameras.entry(camera).or_default();
        let known = history.iter().any(|b| b.told == told && b.status == status && b.detail == detail);
        let newest = history.last().map(|b| b.from);
        if known && newest >= Some(told) {
            return;
        }
        let from = newest.map_or(told, |newest| told.max(newest + 1));
        history.push(Began { from, told, status, detail: detail.to_owned() });
    }

    fn unobserved(&mut self, from: i64, until: i64, word: &str) {
        for camera in self.cameras.keys().copied().collect::<Vec<_>>() {
            let Began { from: began, status, detail, .. } = self.cameras[&camera].last().unwrap().clone();
            if began < until && !matches!(status, Status::Unknown | Status::Paused) {
                self.change(camera, from, Status::Unknown, word);
                self.change(camera, until, status, &detail);
            }
        }
    }

    fn restart(&mut self, now: i64) {
        let newest = self.cameras.values().flatten().map(|b| b.from).max();
        let Some(last) = self.alive.max(newest) else { return };
        for camera in self.cameras.keys().copied().collect::<Vec<_>>() {
            let status = self.cameras[&camera].last().unwrap().status;
            if !matches!(status, Status::Unknown | Status::Paused) {
                self.change(camera, last.min(now), Status::Unknown, "not watched since");
            }
        }
    }

    fn millis(&self, camera: u32, from: i64, until: i64) -> [i64; 5] {
        let mut sums = [0; 5];
        let history = &self.cameras[&camera];
        for (i, began) in history.iter().enumerate() {
            let end = history.get(i + 1).map_or(i64::MAX, |next| next.from);
            let at = Status::ALL.iter().position(|s| *s == began.status).unwrap();
            sums[at] += (end.min(until) - began.from.max(from)).max(0);
        }
        sums
    }
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(Status::ALL.to_vec());
    let change = (1..4_u32, 0..300_i64, status);
    prop_oneof![
        6 => prop::collection::vec(change, 1..8).prop_map(Step::Record),
        2 => Just(Step::Repeat),
        1 => (0..400_i64, 1..100_i64).prop_map(|(from, length)| Step::Unobserved(from, from + length)),
        1 => (0..400_i64).prop_map(Step::Alive),
        1 => (200..500_i64).prop_map(Step::Restart),
    ]
}

fn facts(batch: &[(u32, i64, Status)], number: usize) -> Vec<Fact> {
    let fact = |(i, (camera, at, status)): (usize, &(u32, i64, Status))| {
        let cause = (*status != Status::Online).then_some(Cause::Stalled);
        // Each change says something of its own, as real ones do; so a repetition can be told from a new change.
        let detail = format!("{number}.{i}");
        Fact::Status(StatusChange {
            camera: CameraId(*camera),
            at: Wall(*at),
            status: *status,
            from: None,
            layer: cause.map(Cause::layer),
            cause,
            detail,
        })
    };
    batch.iter().enumerate().map(fact).collect()
}

async fn follow(folder: &Path, steps: &[Step]) -> Model {
    let mut model = Model::default();
    let mut store = SqliteStore::open(folder).await.unwrap();
    let mut last: Vec<Fact> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Record(batch) => {
                last = facts(batch, number);
                store.record(&last).await.unwrap();
                for fact in &last {
                    let Fact::Status(c) = fact else { unreachable!("only changes are in a batch") };
                    model.change(c.camera.0, c.at.0, c.status, &c.detail);
                }
            }
            Step::Repeat => store.record(&last).await.unwrap(),
            Step::Unobserved(from, until) => {
                let detail = number.to_string();
                model.unobserved(*from, *until, &detail);
                let gap = Unobserved { from: Wall(*from), until: Wall(*until), cause: Cause::OwnMachine, detail };
                last = vec![Fact::Unobserved(gap)];
                store.record(&last).await.unwrap();
            }
            Step::Alive(at) => {
                store.record(&[Fact::Alive(Wall(*at))]).await.unwrap();
                model.alive = Some(*at);
            }
            Step::Restart(now) => {
                store.close().await;
                drop(store);
                store = SqliteStore::open(folder).await.unwrap();
                let resumed = store.resume(Wall(*now)).await.unwrap();
                model.restart(*now);
                let told: Vec<_> = resumed.statuses.iter().map(|s| (s.camera.0, s.at.0, s.status, s.from)).collect();
                let expected: Vec<_> = model
                    .cameras
                    .iter()
                    .map(|(camera, history)| {
                        let newest = history.last().unwrap();
                        let before = history.len().checked_sub(2).map(|i| history[i].status);
                        (*camera, newest.from, newest.status, before)
                    })
                    .collect();
                assert_eq!(told, expected);
            }
        }
    }
    compare(&store, &model).await;
    store.close().await;
    model
}

async fn compare(store: &SqliteStore, model: &Model) {
    for (camera, expected) in &model.cameras {
        let query = HistoryQuery { camera: Some(CameraId(*camera)), limit: 1000, ..HistoryQuery::default() };
        let mut found = store.history(&query).await.unwrap().items;
        found.reverse();
        let brief: Vec<_> = found.iter().map(|i| (i.from.0, i.status, i.detail.as_str())).collect();
        let wanted: Vec<_> = expected.iter().map(|b| (b.from, b.status, b.detail.as_str())).collect();
        assert_eq!(brief, wanted);
        assert!(found.windows(2).all(|w| w[0].until == Some(w[1].from)), "a hole or an overlap");
        assert_eq!(found.last().unwrap().until, None);
        for began in expected {
            let at = store.status_at(CameraId(*camera), Wall(began.from)).await.unwrap().unwrap();
            assert_eq!(at.from.0, began.from);
        }
    }
    for (from, until) in [(-1_000, 1_000), (0, 1), (50, 150), (149, 302), (400, 401)] {
        let sums = store.status_seconds(Wall(from)..Wall(until)).await.unwrap();
        let found: BTreeMap<u32, [i64; 5]> = sums.iter().map(|s| (s.camera.0, s.millis)).collect();
        let expected: BTreeMap<u32, [i64; 5]> = model
            .cameras
            .keys()
            .map(|c| (*c, model.millis(*c, from, until)))
            .filter(|(_, sums)| *sums != [0; 5])
            .collect();
        assert_eq!(found, expected, "{from}..{until}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_history_is_kept_as_told(steps in prop::collection::vec(step(), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(follow(folder.path(), &steps));
    }
}
