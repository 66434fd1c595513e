//! Reports that go out by mail again and again, and each one that was due.

use crate::{DeliveryState, Page, Result, Tried};
use fleet::Wall;
use health::desk::ChannelId;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::Range};

/// Mailings that there may be.
pub const MOST_MAILINGS: usize = 100;

/// Number of a mailing; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MailingId(pub u32);

impl fmt::Display for MailingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.0)
    }
}

/// How often a report goes out, and so which time it tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// 日报, of the day before.
    Day,
    /// 周报, of the week before, Monday to Sunday.
    Week,
    /// 月报, of the month before.
    Month,
}

/// Which report, of which part of the county, to whom, when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailingPlan {
    /// How often.
    pub every: Every,
    /// On which day of the week a weekly report goes out: 1 is Monday.
    pub weekday: u8,
    /// On which day of the month a monthly one does: 1 to 28.
    pub day: u8,
    /// At which minute of the county's day.
    pub minute: u16,
    /// By what its lines are grouped: a word of the API such as `town`.
    pub group: String,
    /// Only cameras of this town.
    pub town: Option<u32>,
    /// Only cameras of this site.
    pub site: Option<u32>,
    /// Only cameras of this contractor; empty for those without one.
    pub contractor: Option<String>,
    /// The channel whose mail server sends it.
    pub channel: ChannelId,
    /// Readers; the channel's own if there is none.
    pub to: Vec<String>,
    /// A word of the API: `zh-CN` or `en`.
    pub language: String,
}

/// A report that goes out again and again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailing {
    /// Its number.
    pub id: MailingId,
    /// What people call it.
    pub name: String,
    /// Goes out at all.
    pub enabled: bool,
    /// What, to whom, when.
    pub plan: MailingPlan,
    /// Since when it is as it is; what was due before is not sent.
    pub changed: Wall,
}

/// A report that was due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sending {
    /// Its number.
    pub id: u64,
    /// Of which mailing.
    pub mailing: MailingId,
    /// The time it tells of.
    pub range: Range<Wall>,
    /// When it was due.
    pub at: Wall,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, if it waits.
    pub next: Wall,
    /// Why the last try failed.
    pub error: String,
    /// When it arrived or was given up.
    pub ended: Option<Wall>,
    /// Readers whom it is still to reach, after it reached the others; empty while it is for all of them.
    pub left_out: Vec<String>,
}

/// Where mailings are kept.
#[async_trait::async_trait]
pub trait MailingStore: Send + Sync {
    /// Every mailing, by number.
    async fn mailings(&self) -> Result<Vec<Mailing>>;
    /// Adds a mailing; its `id` is given by the store. [`Invalid`](crate::StoreError::Invalid) if there are
    /// [`MOST_MAILINGS`].
    async fn add_mailing(&self, mailing: Mailing) -> Result<Mailing>;
    /// Replaces a mailing. [`Changed`](crate::StoreError::Changed) if it is not as it was `seen`.
    async fn update_mailing(&self, mailing: &Mailing, seen: &Mailing) -> Result<()>;
    /// Removes a mailing and what waits to be sent; what was sent stays in the log.
    async fn remove_mailing(&self, id: MailingId) -> Result<()>;

    /// Notes that a mailing's report of a range is due. `false` if that was known: it is sent once.
    async fn begin_sending(&self, mailing: MailingId, range: Range<Wall>, at: Wall) -> Result<bool>;
    /// What is to be tried now, of mailings that are enabled, oldest first.
    async fn due_sendings(&self, now: Wall) -> Result<Vec<Sending>>;
    /// Notes that a try begins, before it does.
    async fn begin_sending_try(&self, id: u64) -> Result<()>;
    /// Notes how a try ended, and for whom another one is to be, if not for everybody.
    async fn end_sending_try(&self, id: u64, at: Wall, tried: &Tried, left_out: &[String]) -> Result<()>;
    /// Of each mailing that is enabled the newest sending, if it failed so far or for good, or not everybody has it.
    async fn troubled_sendings(&self) -> Result<Vec<Sending>>;
    /// Sendings, newest first.
    async fn sendings(&self, mailing: Option<MailingId>, limit: u32, cursor: Option<&str>) -> Result<Page<Sending>>;
    /// Forgets sendings that ended before.
    async fn prune_sendings(&self, before: Wall) -> Result<()>;
}
