//! Durable facts in domain words: the register, status history, incidents, users, sessions and the audit log.
//!
//! No SQL leaks out of here. [`conformance`] is the suite that every implementation must pass.

mod accounts;
mod condition;
pub mod conformance;
mod error;
mod excuses;
mod exports;
mod facts;
mod findings;
mod handovers;
mod ledger;
mod mailings;
mod notices;
pub mod orders;
mod people;
mod pictures;
mod register;
mod streams;
mod windows;

pub use accounts::{AccountStore, MachineToken, NewToken, Proof, SecondFactor, TokenId};
pub use condition::{Condition, Written};
pub use error::StoreError;
pub use excuses::{ExcuseStore, MOST_EXCUSE_REQUESTS};
pub use exports::{AuditLink, Export, ExportId, ExportQuery, ExportState, Exports};
pub use facts::{Fact, HistoryQuery, IncidentQuery, Page, RegistryChange, StatusInterval, StatusSeconds};
pub use findings::{ClassSetting, DiagnosisSetting, FaultLevel, FindingRecord, FindingStore};
pub use handovers::{Handover, HandoverId, HandoverQuery, HandoverStore, NewHandover, Part, Signature};
pub use ledger::{
    FREEZE_AFTER_DAYS, Frozen, FrozenPlace, HOURS_KEPT_DAYS, Ledger, LedgerHistory, LedgerLine, LedgerStore, RollUp,
    RolledUp, SnapshotCount, Step,
};
pub use mailings::{Every, MOST_MAILINGS, Mailing, MailingId, MailingPlan, MailingStore, Sending};
pub use notices::{Channel, Delivery, DeliveryState, MOST_CHANNELS, NoticeStore, Telling, Tried};
pub use orders::{NewOrderPicture, OrderPicture, OrderQuery, OrderStore, PictureKind};
pub use people::{AuditEntry, AuditQuery, AuditRecord, NewUser, Role, SessionRecord, User, UserId};
pub use pictures::{BaselineChange, BaselineRecord, Pictures, Said, Word, WordCount};
pub use register::{ChangeEntry, ChangeId, ChangeKind, ChangeNote, KEPT_CHANGES, RegisterStore};
pub use streams::{CertificateRecord, Streams};
pub use windows::{MOST_WINDOWS, WindowStore};

use fleet::{CameraId, Registry, Wall};
use health::{Incident, IncidentId, Resumed};
use std::ops::Range;

/// Result of every store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Where facts are kept. Cheap to share behind an `Arc`; every method may be called from many tasks.
#[async_trait::async_trait]
pub trait Store:
    AccountStore
    + RegisterStore
    + Exports
    + HandoverStore
    + WindowStore
    + ExcuseStore
    + OrderStore
    + NoticeStore
    + MailingStore
    + LedgerStore
    + Pictures
    + FindingStore
    + Streams
    + Send
    + Sync
    + 'static
{
    // -- the register

    /// The whole register, credentials included.
    async fn registry(&self) -> Result<Registry>;
    /// Inserts or replaces records by id, all or nothing.
    async fn change_registry(&self, change: RegistryChange) -> Result<()>;

    // -- what happened

    /// Records facts in their order, in one transaction. Repeating a batch changes nothing.
    async fn record(&self, facts: &[Fact]) -> Result<()>;
    /// What the core needs to continue. Intervals left open by a crash are ended as of the last
    /// [`Fact::Alive`] and followed by `unknown` until the core says otherwise.
    async fn resume(&self, now: Wall) -> Result<Resumed>;
    /// Status intervals, newest first.
    async fn history(&self, query: &HistoryQuery) -> Result<Page<StatusInterval>>;
    /// Seconds in each status per camera within a range; open intervals count up to the range's end.
    async fn status_seconds(&self, range: Range<Wall>) -> Result<Vec<StatusSeconds>>;
    /// Incidents, newest first.
    async fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>>;
    /// One incident.
    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>>;
    /// The newest status change of one camera before or at an instant.
    async fn status_at(&self, camera: CameraId, at: Wall) -> Result<Option<StatusInterval>>;

    // -- people

    /// Every user, by name.
    async fn users(&self) -> Result<Vec<User>>;
    /// One user by name, compared without regard to case.
    async fn user_by_name(&self, name: &str) -> Result<Option<User>>;
    /// One user.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// Adds a user; [`StoreError::Conflict`] if the name is taken.
    async fn add_user(&self, user: NewUser) -> Result<User>;
    /// Replaces a user's record. Ends all sessions of the user if role, password or activity changed.
    /// [`Changed`](StoreError::Changed) if the record is not as it was `seen`.
    async fn update_user(&self, user: &User, seen: &User) -> Result<()>;
    /// Stores a session under the hash of its token.
    async fn add_session(&self, session: &SessionRecord) -> Result<()>;
    /// The session with this token hash.
    async fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRecord>>;
    /// Notes when a session was last used.
    async fn touch_session(&self, token_hash: &[u8; 32], at: Wall) -> Result<()>;
    /// Ends one session.
    async fn end_session(&self, token_hash: &[u8; 32]) -> Result<()>;
    /// Every session of a user.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<SessionRecord>>;

    // -- audit

    /// Appends to the hash-chained audit log and returns the record with its number and hash.
    async fn audit(&self, entry: AuditEntry) -> Result<AuditRecord>;
    /// Audit records, newest first.
    async fn audit_log(&self, query: &AuditQuery) -> Result<Page<AuditRecord>>;
    /// Recomputes the whole chain; the number of the first record that does not fit, if any.
    async fn verify_audit(&self) -> Result<Option<u64>>;

    /// How it fares; asks neither the database nor waits for anything.
    fn condition(&self) -> Condition;

    /// Flushes and closes. Later calls fail.
    async fn close(&self);
}
