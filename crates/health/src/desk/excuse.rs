//! Excuses handed in after the fact 事后报备: for which time, where, by whom and why, and what another person decided.
//!
//! What was not announced before it began may still be nobody's fault: a power cut of the grid, road works that met a
//! cable. Whoever knows asks for it; the ledger leaves the time out of its figures when another person has granted it,
//! and not before. A frozen month stays as it was reported.

use crate::{Scope, ledger::ExcuseKind};
use fleet::{Registry, Wall};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Longest time that one request may be about.
const LONGEST: Duration = Duration::from_secs(62 * 24 * 3600);

/// Number of a request; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExcuseId(pub u64);

impl fmt::Display for ExcuseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "B{}", self.0)
    }
}

/// A request to be handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewExcuseRequest {
    /// Which cameras: one, all of an uplink, a site, a line terminal, a town or the county.
    pub scope: Scope,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// What it is to count as; one that excuses.
    pub kind: ExcuseKind,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// When.
    pub at: Wall,
}

/// Why a request cannot be handed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExcuseFault {
    /// It ends before it begins.
    #[error("until: expected a time after from")]
    Empty,
    /// It is not over yet.
    #[error("until: expected a time that is past; plan maintenance for what is to come")]
    Ahead,
    /// It lasts too long.
    #[error("until: expected at most 62 days after from")]
    TooLong,
    /// The scope names nothing in the register, or our own machine.
    #[error("scope: expected a camera, uplink, site, olt or town of the register, or the county")]
    Nowhere,
    /// Such time is not left out.
    #[error("kind: expected planned or third_party")]
    NoExcuse,
}

impl NewExcuseRequest {
    /// Whether it can be handed in now.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, registry: &Registry) -> Result<(), ExcuseFault> {
        if self.until <= self.from {
            return Err(ExcuseFault::Empty);
        }
        if self.until > self.at {
            return Err(ExcuseFault::Ahead);
        }
        if self.until.millis_since(self.from) > i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX) {
            return Err(ExcuseFault::TooLong);
        }
        if self.scope == Scope::Own || !registry.cameras().any(|c| self.scope.covers(c, registry)) {
            return Err(ExcuseFault::Nowhere);
        }
        if !self.kind.excuses() {
            return Err(ExcuseFault::NoExcuse);
        }
        Ok(())
    }
}

/// What another person decided about a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExcuseDecision {
    /// The time is out of the figures.
    pub granted: bool,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Wall,
    /// In his words.
    pub note: String,
}

/// A request as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExcuseRequest {
    /// Its number.
    pub id: ExcuseId,
    /// Which cameras.
    pub scope: Scope,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// What it is to count as.
    pub kind: ExcuseKind,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Wall,
    /// What was decided; `None` while nobody has.
    pub decision: Option<ExcuseDecision>,
}
