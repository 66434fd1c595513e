//! Excuses handed in after the fact, and what was decided about them.

use crate::Result;
use fleet::Wall;
use health::desk::{ExcuseDecision, ExcuseId, ExcuseRequest, NewExcuseRequest};
use std::ops::Range;

/// Undecided requests that there may be at once: more is a mistake of a program.
pub const MOST_EXCUSE_REQUESTS: usize = 1_000;

/// Where requests for excuses are kept.
#[async_trait::async_trait]
pub trait ExcuseStore: Send + Sync {
    /// Takes a request in and gives it its number. [`Invalid`](crate::StoreError::Invalid) if it reaches into a frozen
    /// month, or [`MOST_EXCUSE_REQUESTS`] wait for a decision.
    async fn ask_excuse(&self, request: NewExcuseRequest) -> Result<ExcuseRequest>;
    /// Decides a request. If it is granted, the ledger leaves that time of every camera that its scope covers now out of
    /// the figures, from the same transaction on. [`Missing`](crate::StoreError::Missing) if there is none;
    /// [`Invalid`](crate::StoreError::Invalid) if it was decided already, if who decides is who asked, or if it reaches
    /// into a month that is frozen by now.
    async fn decide_excuse(&self, id: ExcuseId, decision: ExcuseDecision) -> Result<ExcuseRequest>;
    /// Every request about some time of the range, the newest first; at most 10,000.
    async fn excuse_requests(&self, range: Range<Wall>) -> Result<Vec<ExcuseRequest>>;
}
