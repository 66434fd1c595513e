//! Facts on their way to the store: in order, in batches, kept in memory while the database is away.
//!
//! The owner of the fleet must never wait for a disk, so it hands facts over and goes on. A batch that fails is
//! tried again with a pause; meanwhile facts queue up to a limit (see [`Backlog`]). Incidents replace their older version
//! in the store, and repeating a batch changes nothing there, so a retry after an unclear failure is safe.

use super::backlog::Backlog;
use fleet::Wall;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use store::{Fact, Store};
use tokio::sync::{Notify, watch};

/// Facts kept in full while the database is away: days of an ordinary county.
const MOST_WAITING: usize = 200_000;
const BATCH: usize = 512;
const RETRY: Duration = Duration::from_secs(1);
/// How often we note that we are alive.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Hands facts to the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Inner>);

struct Inner {
    waiting: Mutex<Waiting>,
    wake: Notify,
    fault: watch::Sender<Option<String>>,
    idle: watch::Sender<bool>,
}

struct Waiting {
    backlog: Backlog,
    /// Not everything could be kept in full; told once.
    overfull: bool,
    closing: bool,
}

impl Recorder {
    pub(super) fn start(store: Arc<dyn Store>) -> Recorder {
        let waiting = Waiting { backlog: Backlog::new(MOST_WAITING), overfull: false, closing: false };
        let inner = Arc::new(Inner {
            waiting: Mutex::new(waiting),
            wake: Notify::new(),
            fault: watch::channel(None).0,
            idle: watch::channel(false).0,
        });
        tokio::spawn(write(Arc::clone(&inner), store));
        Recorder(inner)
    }

    /// Queues a fact. Never waits.
    pub(super) fn record(&self, fact: Fact) {
        let mut waiting = self.0.waiting.lock();
        let kept = waiting.backlog.push(fact);
        if kept == waiting.overfull {
            waiting.overfull = !kept;
            if !kept {
                tracing::error!("the database has been away too long: what happens now will be on record as unknown");
            }
        }
        drop(waiting);
        self.0.wake.notify_one();
    }

    /// Everything that was judged until now has been handed over.
    pub(super) fn alive(&self, now: Wall) {
        self.0.waiting.lock().backlog.alive(now);
    }

    /// The database's fault, while it has one.
    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.0.fault.subscribe()
    }

    /// Writes what waits and stops; gives up when the store fails.
    pub(super) async fn close(&self) {
        self.0.waiting.lock().closing = true;
        self.0.wake.notify_one();
        let _ = self.0.idle.subscribe().wait_for(|idle| *idle).await;
    }
}

async fn write(inner: Arc<Inner>, store: Arc<dyn Store>) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    let mut due = false;
    loop {
        let (batch, closing) = {
            let mut waiting = inner.waiting.lock();
            let closing = waiting.closing;
            (waiting.backlog.batch(BATCH, due || closing), closing)
        };
        if batch.facts.is_empty() && !closing {
            tokio::select! {
                () = inner.wake.notified() => {}
                _ = alive.tick() => due = true,
            }
            continue;
        }
        match store.record(&batch.facts).await {
            Ok(()) => {
                let mut waiting = inner.waiting.lock();
                waiting.backlog.written(&batch);
                let empty = waiting.backlog.len() == 0;
                drop(waiting);
                due &= !batch.facts.iter().any(|f| matches!(f, Fact::Alive(_)));
                inner.fault.send_if_modified(|fault| fault.take().is_some());
                if closing && empty {
                    break;
                }
            }
            Err(error) => {
                tracing::error!(%error, waiting = batch.facts.len(), "cannot record facts; trying again");
                inner.fault.send_replace(Some(error.to_string()));
                if closing {
                    break;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    inner.idle.send_replace(true);
}
