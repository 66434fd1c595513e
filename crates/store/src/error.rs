//! What can go wrong with a store.

/// An error of any store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place of the data cannot be used: says which and what to do.
    #[error("{0}")]
    Unusable(String),
    /// The data was written by a newer version.
    #[error(
        "the database has schema {found}, this program knows up to {known}: use the newer program, or restore a backup"
    )]
    Newer {
        /// Found in the data.
        found: i64,
        /// Known here.
        known: i64,
    },
    /// Something with this name or number exists already.
    #[error("{0} exists already")]
    Conflict(String),
    /// Nothing with this name or number.
    #[error("{0} does not exist")]
    Missing(String),
    /// It is not as whoever wants to change it saw it.
    #[error("{0} was changed meanwhile")]
    Changed(String),
    /// A cursor or value that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The database failed; health shows `own_database` while it does.
    #[error("database: {0}")]
    Database(String),
}
