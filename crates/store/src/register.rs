//! Changes of the register that can be taken back.

use crate::{RegistryChange, Result};
use fleet::Wall;
use serde::{Deserialize, Serialize};

/// Changes that are remembered; older ones cannot be taken back any more.
pub const KEPT_CHANGES: u32 = 200;

/// Number of a change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChangeId(pub u32);

/// How the register was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// From a table.
    Import,
    /// By hand.
    Edit,
    /// An earlier change was taken back.
    Undo,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [ChangeKind; 3] = [ChangeKind::Import, ChangeKind::Edit, ChangeKind::Undo];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ChangeKind::Import => "import",
            ChangeKind::Edit => "edit",
            ChangeKind::Undo => "undo",
        }
    }

    /// The kind with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<ChangeKind> {
        ChangeKind::ALL.into_iter().find(|k| k.code() == code)
    }
}

/// Who changed the register, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeNote {
    /// When.
    pub at: Wall,
    /// His name to sign in with.
    pub by: String,
    /// How.
    pub kind: ChangeKind,
    /// In words: the name of the file, the columns.
    pub detail: String,
}

/// A change that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeEntry {
    /// Number.
    pub id: ChangeId,
    /// Who and how.
    pub note: ChangeNote,
    /// Cameras that were new.
    pub added: u32,
    /// Cameras, sites, uplinks and towns that were there and changed.
    pub changed: u32,
    /// The change that it took back.
    pub undoes: Option<ChangeId>,
    /// The change that took it back.
    pub undone_by: Option<ChangeId>,
}

/// The register's changes, kept.
#[async_trait::async_trait]
pub trait RegisterStore: Send + Sync {
    /// Changes the register like [`change_registry`](crate::Store::change_registry) and remembers what was there before,
    /// all or nothing. [`Changed`](crate::StoreError::Changed) if the records are not as they were
    /// [`seen`](RegistryChange::seen_in).
    async fn change_register(&self, change: RegistryChange, seen: RegistryChange, note: ChangeNote)
    -> Result<ChangeId>;
    /// The changes that can still be told, newest first.
    async fn register_changes(&self) -> Result<Vec<ChangeEntry>>;
    /// Puts back what was there before a change; cameras that it added are dismantled, so that their ids and what was
    /// recorded of them stay. [`Conflict`](crate::StoreError::Conflict) if it was taken back already or a later change
    /// touched the same records, [`Missing`](crate::StoreError::Missing) if it is not remembered.
    async fn undo_change(&self, id: ChangeId, note: ChangeNote) -> Result<ChangeId>;
}
