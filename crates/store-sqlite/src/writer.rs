//! The one task that writes.
//!
//! SQLite has one writer at a time whatever we do; making it one task turns waiting for locks into waiting in a
//! queue, and lets all that waits share one transaction and so one flush of the disk. Each piece of work runs under
//! a savepoint of its own, so one that fails takes nobody with it. Nothing is answered before it is committed.

use crate::{
    error::{Fault, closed, limited},
    folder::FolderLock,
};
use fleet::Wall;
use sqlx::{Connection, SqliteConnection};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use store::{StoreError, Written};
use tokio::sync::{mpsc, oneshot};

/// Pieces of work that may wait; who comes later waits to be let in.
const QUEUE: usize = 256;
/// Pieces of work in one transaction.
const BATCH: usize = 64;

pub(crate) type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'c>>;

/// The way to the writing task.
pub(crate) struct Writer {
    requests: mpsc::Sender<Request>,
    last: Last,
}

/// The newest write that is on the disk.
type Last = Arc<Mutex<Option<Written>>>;

enum Request {
    Do(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the task. It holds the lock of the folder until it is closed or nobody can ask it any more.
    pub(crate) fn start(connection: SqliteConnection, lock: FolderLock) -> Writer {
        let (send, requests) = mpsc::channel(QUEUE);
        let last = Last::default();
        tokio::spawn(run(connection, requests, lock, Arc::clone(&last)));
        Writer { requests: send, last }
    }

    /// Pieces of work that wait.
    pub(crate) fn waiting(&self) -> u64 {
        (self.requests.max_capacity() - self.requests.capacity()) as u64
    }

    /// The newest write that is on the disk.
    pub(crate) fn last(&self) -> Option<Written> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.requests.send(job).await.map_err(|_| closed())?;
            answered.await.map_err(|_| closed())?.map_err(Fault::Store)
        })
        .await
    }

    /// Writes what waits and closes the connection. Later writes fail.
    pub(crate) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.requests.send(Request::Close(done)).await.is_ok() {
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

/// Tells whoever asked why nothing was done.
type Refuse = Box<dyn FnOnce(StoreError) + Send>;

enum Ran {
    /// To be told whether the commit succeeded, with the reason if not.
    Done(Tell),
    /// Why, and to be told once its changes are taken back.
    Failed(StoreError, Refuse),
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
                Err(fault) => Ran::Failed(
                    fault.into(),
                    Box::new(move |error| {
                        let _ = answer.send(Err(error));
                    }),
                ),
            }
        })
    }

    fn refuse(self: Box<Self>, why: &str) {
        let _ = self.answer.send(Err(StoreError::Database(why.to_owned())));
    }
}

async fn run(mut connection: SqliteConnection, mut requests: mpsc::Receiver<Request>, lock: FolderLock, last: Last) {
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
            transact(&mut connection, batch, &last).await;
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

/// All of a batch in one transaction. Once it is on the disk, that is noted, and then told to those who asked.
async fn transact(connection: &mut SqliteConnection, batch: Vec<Box<dyn Job>>, last: &Last) {
    let began = Instant::now();
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
            Ran::Failed(error, tell) => {
                // On a full disk SQLite may have ended the whole transaction by itself: then there is nothing to
                // go back to, and nothing of the batch may count as done.
                if control(connection, "ROLLBACK TO piece").await.is_err() {
                    broken = Some(reason(&error));
                }
                tell(error);
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
    } else {
        let written = Written { at: Wall::read(), took: began.elapsed() };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
    }
    for tell in done {
        tell(broken.as_deref().map_or(Ok(()), Err));
    }
}

/// Why a transaction broke, without the words that every such error begins with.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Database(why) => why.clone(),
        other => other.to_string(),
    }
}

async fn control(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{AssertSqlSafe, sqlite::SqliteConnectOptions};

    /// A database of at most so many pages, and its writer.
    async fn writer(folder: &std::path::Path, pages: u32) -> (SqliteConnectOptions, Writer) {
        let options = SqliteConnectOptions::new().filename(folder.join("test.db")).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let setup = format!("PRAGMA max_page_count = {pages}; CREATE TABLE t (i INTEGER UNIQUE, fill BLOB)");
        sqlx::raw_sql(AssertSqlSafe(setup)).execute(&mut connection).await.unwrap();
        let lock = crate::folder::claim(folder).unwrap();
        (options, Writer::start(connection, lock))
    }

    async fn insert(writer: &Writer, number: i64, bytes: i64) -> store::Result<()> {
        writer
            .write(move |tx| {
                Box::pin(async move {
                    let insert = sqlx::query("INSERT INTO t VALUES (?, zeroblob(?))").bind(number).bind(bytes);
                    insert.execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn found(options: &SqliteConnectOptions) -> Vec<i64> {
        let mut connection = SqliteConnection::connect_with(options).await.unwrap();
        sqlx::query_scalar("SELECT i FROM t ORDER BY i").fetch_all(&mut connection).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_is_noted_before_whoever_asked_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (_, writer) = writer(folder.path(), 100).await;
        // Nobody can note anything meanwhile.
        let last = std::sync::Arc::clone(&writer.last);
        let (held, holds) = oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let _guard = last.lock().unwrap();
            held.send(()).unwrap();
            released.recv().unwrap();
        });
        holds.await.unwrap();
        let mut write = Box::pin(insert(&writer, 1, 10));
        let told = tokio::time::timeout(std::time::Duration::from_millis(500), &mut write).await;
        assert!(told.is_err(), "told before it was noted: {told:?}");
        release.send(()).unwrap();
        write.await.unwrap();
        holder.join().unwrap();
        assert!(writer.last().is_some());
        writer.close().await;
    }

    #[tokio::test]
    async fn one_that_fails_takes_nobody_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (options, writer) = writer(folder.path(), 1000).await;
        let (a, b, c, d) =
            tokio::join!(insert(&writer, 1, 0), insert(&writer, 1, 0), insert(&writer, 2, 0), insert(&writer, 3, 0));
        assert!(a.is_ok() && b.is_err() && c.is_ok() && d.is_ok());
        assert_eq!(found(&options).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_what_was_acknowledged_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (options, writer) = writer(folder.path(), 64).await;
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for round in 0..20 {
            let (small, large) = (round * 2, round * 2 + 1);
            let (s, l) = tokio::join!(insert(&writer, small, 10), insert(&writer, large, 60_000));
            for (number, outcome) in [(small, s), (large, l)] {
                match outcome {
                    Ok(()) => acknowledged.push(number),
                    Err(error) => {
                        assert!(error.to_string().contains("full"), "{error}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused >= 10, "the disk never became full");
        acknowledged.sort_unstable();
        assert_eq!(found(&options).await, acknowledged);
    }

    #[tokio::test]
    async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        let (options, writer) = writer(folder.path(), 1000).await;
        let (first, (), last) = tokio::join!(insert(&writer, 1, 0), writer.close(), insert(&writer, 2, 0));
        assert!(first.is_ok());
        let expected: &[i64] = if last.is_ok() { &[1, 2] } else { &[1] };
        assert_eq!(found(&options).await, expected);
        let refused = insert(&writer, 3, 0).await.unwrap_err();
        assert_eq!(refused.to_string(), "database: the store is closed");
        writer.close().await;
    }
}
