//! The one task that writes.
//!
//! SQLite has one writer at a time whatever we do; making it one task turns waiting for locks into waiting in a
//! queue, and lets all that waits share one transaction and so one flush of the disk. Each piece of work runs under
//! a savepoint of its own, so one that fails takes nobody with it. Nothing is answered before it is committed.

use crate::{
    error::{Fault, closed, limited},
    folder::FolderLock,
};
use sqlx::{Connection, SqliteConnection};
use std::{future::Future, pin::Pin, sync::Arc};
use store::StoreError;
use tokio::sync::{mpsc, oneshot};

/// Pieces of work that may wait; who comes later waits to be let in.
const QUEUE: usize = 256;
/// Pieces of work in one transaction.
const BATCH: usize = 64;

pub(crate) type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'c>>;

/// The way to the writing task.
pub(crate) struct Writer(mpsc::Sender<Request>);

enum Request {
    Do(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the task. It holds the lock of the folder as long as it may write.
    pub(crate) fn start(connection: SqliteConnection, lock: Arc<FolderLock>) -> Writer {
        let (send, requests) = mpsc::channel(QUEUE);
        tokio::spawn(run(connection, requests, lock));
        Writer(send)
    }

    /// Does a piece of work in a transaction and answers when it is on the disk.
    pub(crate) async fn write<T, F>(&self, work: F) -> store::Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
    {
        limited(async {
            let (answer, answered) = oneshot::channel();
            let job = Request::Do(Box::new(Task { work, answer }));
            self.0.send(job).await.map_err(|_| closed())?;
            answered.await.map_err(|_| closed())?.map_err(Fault::Store)
        })
        .await
    }

    /// Writes what waits and closes the connection. Later writes fail.
    pub(crate) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.send(Request::Close(done)).await.is_ok() {
            let _ = ended.await;
        }
    }
}

/// A piece of work whose result's type is forgotten.
trait Job: Send {
    /// Works inside the transaction. Returns how to tell the outcome once the transaction has ended.
    fn run<'c>(self: Box<Self>, tx: &'c mut SqliteConnection) -> Pin<Box<dyn Future<Output = Ran> + Send + 'c>>;
    /// Tells that there was no transaction.
    fn refuse(self: Box<Self>, why: &str);
}

/// Tells whoever asked whether the commit succeeded.
type Tell = Box<dyn FnOnce(Result<(), &str>) + Send>;

enum Ran {
    /// To be told whether the commit succeeded, with the reason if not.
    Done(Tell),
    /// To be told once its changes are taken back.
    Failed(Box<dyn FnOnce() + Send>),
}

struct Task<T, F> {
    work: F,
    answer: oneshot::Sender<store::Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c, T> + Send + 'static,
{
    fn run<'c>(self: Box<Self>, tx: &'c mut SqliteConnection) -> Pin<Box<dyn Future<Output = Ran> + Send + 'c>> {
        let Task { work, answer } = *self;
        Box::pin(async move {
            // Whoever asked may have gone away; then there is nobody to tell, which is fine.
            match work(tx).await {
                Ok(result) => Ran::Done(Box::new(move |committed| {
                    let _ = answer.send(committed.map(|()| result).map_err(|e| StoreError::Database(e.to_owned())));
                })),
                Err(fault) => Ran::Failed(Box::new(move || {
                    let _ = answer.send(Err(fault.into()));
                })),
            }
        })
    }

    fn refuse(self: Box<Self>, why: &str) {
        let _ = self.answer.send(Err(StoreError::Database(why.to_owned())));
    }
}

async fn run(mut connection: SqliteConnection, mut requests: mpsc::Receiver<Request>, lock: Arc<FolderLock>) {
    let mut closing = None;
    while let Some(first) = requests.recv().await {
        let mut batch: Vec<Box<dyn Job>> = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                Request::Do(job) => batch.push(job),
                Request::Close(done) => {
                    // No new work; what waits already is still done.
                    requests.close();
                    closing = Some(done);
                }
            }
            if batch.len() < BATCH {
                next = requests.try_recv().ok();
            }
        }
        if !batch.is_empty() {
            transact(&mut connection, batch).await;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database did not close cleanly; nothing is lost");
    }
    drop(lock);
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// All of a batch in one transaction.
async fn transact(connection: &mut SqliteConnection, batch: Vec<Box<dyn Job>>) {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE").await {
        let why = error.to_string();
        batch.into_iter().for_each(|job| job.refuse(&why));
        return;
    }
    let mut done = Vec::with_capacity(batch.len());
    let mut broken: Option<String> = None;
    for job in batch {
        if let Some(why) = &broken {
            job.refuse(why);
            continue;
        }
        if let Err(error) = control(connection, "SAVEPOINT piece").await {
            let why = error.to_string();
            job.refuse(&why);
            broken = Some(why);
            continue;
        }
        match job.run(connection).await {
            Ran::Done(tell) => done.push(tell),
            Ran::Failed(tell) => {
                // On a full disk SQLite may have ended the whole transaction by itself: then this fails, and
                // nothing of the batch may count as done.
                if let Err(error) = control(connection, "ROLLBACK TO piece").await {
                    broken = Some(error.to_string());
                }
                tell();
            }
        }
        if broken.is_none()
            && let Err(error) = control(connection, "RELEASE piece").await
        {
            broken = Some(error.to_string());
        }
    }
    if broken.is_none()
        && let Err(error) = control(connection, "COMMIT").await
    {
        broken = Some(error.to_string());
    }
    if broken.is_some() {
        // Fails if SQLite has rolled back already; either way no transaction is left.
        let _ = control(connection, "ROLLBACK").await;
    }
    for tell in done {
        tell(broken.as_deref().map_or(Ok(()), Err));
    }
}

async fn control(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}
