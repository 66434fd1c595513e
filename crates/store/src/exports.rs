//! Exports of evidence, and what the audit log says about the things in them.

use crate::{AuditRecord, Page, Result};
use fleet::Wall;
use serde::{Deserialize, Serialize};

/// Number of an export.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportId(pub u32);

/// How far an export is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// A second person must agree first.
    AwaitingApproval,
    /// Waits for its turn.
    Queued,
    /// Being written.
    Running,
    /// The package can be downloaded.
    Done,
    /// It could not be made.
    Failed,
    /// The second person did not agree.
    Refused,
    /// Given up by whoever asked, or the package was removed.
    Cancelled,
    /// The package was removed when its time was over.
    Expired,
}

impl ExportState {
    /// Every state.
    pub const ALL: [ExportState; 8] = [
        ExportState::AwaitingApproval,
        ExportState::Queued,
        ExportState::Running,
        ExportState::Done,
        ExportState::Failed,
        ExportState::Refused,
        ExportState::Cancelled,
        ExportState::Expired,
    ];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ExportState::AwaitingApproval => "awaiting_approval",
            ExportState::Queued => "queued",
            ExportState::Running => "running",
            ExportState::Done => "done",
            ExportState::Failed => "failed",
            ExportState::Refused => "refused",
            ExportState::Cancelled => "cancelled",
            ExportState::Expired => "expired",
        }
    }

    /// Whether there is still something to do.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, ExportState::AwaitingApproval | ExportState::Queued | ExportState::Running)
    }
}

/// Snapshots to be taken out as one package.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Export {
    /// Number; given by the store.
    pub id: ExportId,
    /// When it was asked for.
    pub created: Wall,
    /// Who asked: name to sign in with.
    pub who: String,
    /// Full name and unit at that time.
    pub who_detail: String,
    /// From which address.
    pub address: String,
    /// Why 事由.
    pub reason: String,
    /// Number of the approval document 审批文号.
    pub document: String,
    /// What was asked for, as whoever carries it out understands it.
    pub asked: String,
    /// How far it is.
    pub state: ExportState,
    /// The second person: name, full name and unit.
    pub decided_by: Option<String>,
    /// What the second person said.
    pub decision: String,
    /// When it came to its present state.
    pub changed: Wall,
    /// Snapshots in the package.
    pub snapshots: u64,
    /// Gaps in the package.
    pub gaps: u64,
    /// Snapshots that could not be read or proved, and are left out.
    pub left_out: u64,
    /// Size of the package in bytes.
    pub bytes: u64,
    /// SHA-256 of the package, hexadecimal; empty before it is there.
    pub sha256: String,
    /// Why it could not be made.
    pub error: String,
}

/// Which exports; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ExportQuery {
    /// Only asked for by this user.
    pub who: Option<String>,
    /// Only in this state.
    pub state: Option<ExportState>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}

/// A record of the audit log and the hash of the one before it: enough to compute its hash again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditLink {
    /// The record.
    pub record: AuditRecord,
    /// Hash of the record before; zeros for the first.
    pub previous: [u8; 32],
}

/// What taking evidence out needs to have kept.
#[async_trait::async_trait]
pub trait Exports: Send + Sync {
    /// Adds an export; its number is given by the store, whatever it says.
    async fn add_export(&self, export: Export) -> Result<Export>;
    /// Replaces the record of an export.
    async fn update_export(&self, export: &Export) -> Result<()>;
    /// One export.
    async fn export(&self, id: ExportId) -> Result<Option<Export>>;
    /// Exports, newest first.
    async fn exports(&self, query: &ExportQuery) -> Result<Page<Export>>;
    /// Audit records on any of these objects, newest first, with smaller numbers than `before`, at most `most`.
    async fn audit_of(&self, objects: &[String], before: Option<u64>, most: u32) -> Result<Vec<AuditLink>>;
    /// The newest record of the audit log: number and hash.
    async fn audit_head(&self) -> Result<Option<(u64, [u8; 32])>>;
    /// The hash of one record.
    async fn audit_hash(&self, seq: u64) -> Result<Option<[u8; 32]>>;
}
