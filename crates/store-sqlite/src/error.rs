//! From the database's errors to the store's, in one place.

use sqlx::error::ErrorKind;
use std::{future::Future, time::Duration};
use store::StoreError;

/// How long one operation may take, waiting included, before it counts as failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What can go wrong inside.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(sqlx::Error),
    Store(StoreError),
    /// The database holds something that we never wrote.
    Damaged(&'static str),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Fault {
        Fault::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(_: serde_json::Error) -> Fault {
        Fault::Damaged("unreadable JSON")
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        match fault {
            Fault::Sql(sqlx::Error::PoolClosed) => closed(),
            Fault::Sql(error) => StoreError::Database(error.to_string()),
            Fault::Store(error) => error,
            Fault::Damaged(what) => StoreError::Database(format!("the database is damaged: {what}")),
        }
    }
}

impl Fault {
    /// Whether a row with the same key is there already.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Fault::Sql(sqlx::Error::Database(e)) if e.kind() == ErrorKind::UniqueViolation)
    }
}

/// Every operation after `close`.
pub(crate) fn closed() -> StoreError {
    StoreError::Database("the store is closed".into())
}

/// An operation with its time limit.
pub(crate) async fn limited<T>(work: impl Future<Output = Result<T, Fault>>) -> store::Result<T> {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(done) => done.map_err(StoreError::from),
        Err(_) => Err(StoreError::Database(format!("no answer from the disk within {} s", LIMIT.as_secs()))),
    }
}

/// A number of ours from its column.
pub(crate) fn number(value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| Fault::Damaged("a number is out of range"))
}

/// A code word from its column.
pub(crate) fn word<T>(code: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
    parse(code).ok_or(Fault::Damaged("an unknown code word"))
}
