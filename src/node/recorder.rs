//! Facts on their way to the store: in order, in batches, kept in memory while the database is away.
//!
//! The owner of the fleet must never wait for a disk, so it hands facts over and goes on. A batch that fails is
//! tried again with a pause; meanwhile facts queue up to a limit. Incidents replace their older version in the
//! store, and repeating a batch changes nothing there, so a retry after an unclear failure is safe.

use fleet::Wall;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use store::{Fact, Store};
use tokio::sync::{Notify, watch};

/// Facts kept while the database is away: days of an ordinary county.
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

#[derive(Default)]
struct Waiting {
    facts: VecDeque<Fact>,
    closing: bool,
}

impl Recorder {
    pub(super) fn start(store: Arc<dyn Store>) -> Recorder {
        let inner = Arc::new(Inner {
            waiting: Mutex::default(),
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
        if waiting.facts.len() >= MOST_WAITING {
            // Keep what happened first: the newest state is told again when the core resumes.
            tracing::error!("the database has been away too long: a fact is lost");
            return;
        }
        waiting.facts.push_back(fact);
        drop(waiting);
        self.0.wake.notify_one();
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
    loop {
        let mut batch: Vec<Fact> = Vec::new();
        let closing = {
            let waiting = inner.waiting.lock();
            batch.extend(waiting.facts.iter().take(BATCH).cloned());
            waiting.closing
        };
        if batch.is_empty() && !closing {
            tokio::select! {
                () = inner.wake.notified() => continue,
                _ = alive.tick() => batch.push(Fact::Alive(Wall::read())),
            }
        }
        let taken = batch.iter().filter(|f| !matches!(f, Fact::Alive(_))).count();
        if closing && taken == 0 {
            let _ = store.record(&[Fact::Alive(Wall::read())]).await;
            break;
        }
        match store.record(&batch).await {
            Ok(()) => {
                inner.waiting.lock().facts.drain(..taken);
                inner.fault.send_if_modified(|fault| fault.take().is_some());
            }
            Err(error) => {
                tracing::error!(%error, waiting = taken, "cannot record facts; trying again");
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
