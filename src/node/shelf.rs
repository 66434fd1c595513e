//! Baselines on their way to the store: the newest of each camera, in batches, kept while the database is away.
//!
//! The owner of the fleet never waits for a disk. What waits is bounded by the fleet: a newer baseline of a camera
//! takes the place of an older one. A crash loses at most [`EVERY`] of learning, never what a person was told is kept.

use fleet::CameraId;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::{BaselineChange, Store};
use tokio::sync::{Notify, mpsc, watch};

/// How long learning may wait to be stored; also the pause after a failure.
const EVERY: Duration = Duration::from_secs(10);
/// Baselines in one transaction: about 2 MB.
const BATCH: usize = 128;

/// Hands baselines to the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Inner>);

struct Inner {
    waiting: Mutex<Waiting>,
    wake: Notify,
    idle: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    changes: BTreeMap<CameraId, BaselineChange>,
    /// People who wait until what they asked for is stored.
    told: Vec<mpsc::Sender<()>>,
    closing: bool,
}

impl Shelf {
    pub(super) fn start(store: Arc<dyn Store>) -> Shelf {
        let inner = Arc::new(Inner { waiting: Mutex::default(), wake: Notify::new(), idle: watch::channel(false).0 });
        tokio::spawn(write(Arc::clone(&inner), store));
        Shelf(inner)
    }

    /// Stores a change within [`EVERY`]. Never waits.
    pub(super) fn keep(&self, change: BaselineChange) {
        self.0.waiting.lock().changes.insert(camera_of(&change), change);
    }

    /// Stores a change at once and tells when it is durable.
    pub(super) fn keep_now(&self, change: BaselineChange, done: mpsc::Sender<()>) {
        let mut waiting = self.0.waiting.lock();
        waiting.changes.insert(camera_of(&change), change);
        waiting.told.push(done);
        drop(waiting);
        self.0.wake.notify_one();
    }

    /// Writes what waits and stops; gives up when the store fails.
    pub(super) async fn close(&self) {
        self.0.waiting.lock().closing = true;
        self.0.wake.notify_one();
        let _ = self.0.idle.subscribe().wait_for(|idle| *idle).await;
    }
}

fn camera_of(change: &BaselineChange) -> CameraId {
    match change {
        BaselineChange::Put(record) => record.camera,
        BaselineChange::Drop(camera) => *camera,
    }
}

async fn write(inner: Arc<Inner>, store: Arc<dyn Store>) {
    loop {
        let closing = inner.waiting.lock().closing;
        if !closing {
            tokio::select! {
                () = inner.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        write_all(&inner, store.as_ref()).await;
        if closing {
            break;
        }
    }
    inner.idle.send_replace(true);
}

/// Stores everything that waits; what a failing store does not take goes on waiting.
async fn write_all(inner: &Inner, store: &dyn Store) {
    loop {
        let (batch, told) = {
            let mut waiting = inner.waiting.lock();
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Some((_, change)) = waiting.changes.pop_first()
            {
                batch.push(change);
            }
            // Told once nothing waits any more: then what they asked for is in this batch or an earlier one.
            let told = if waiting.changes.is_empty() { std::mem::take(&mut waiting.told) } else { Vec::new() };
            (batch, told)
        };
        if !batch.is_empty()
            && let Err(error) = store.change_baselines(batch.clone()).await
        {
            tracing::error!(%error, waiting = batch.len(), "cannot store what cameras usually show; trying again");
            let mut waiting = inner.waiting.lock();
            for change in batch {
                waiting.changes.entry(camera_of(&change)).or_insert(change);
            }
            // Whoever waits gives up in time by himself.
            waiting.told.retain(|t| !t.is_closed());
            waiting.told.extend(told.into_iter().filter(|t| !t.is_closed()));
            return;
        }
        for done in told {
            let _ = done.try_send(());
        }
        if inner.waiting.lock().changes.is_empty() {
            return;
        }
    }
}
