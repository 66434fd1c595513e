//! Channels of notification, what each was told, and the messages on their way.

use crate::{Page, Result};
use fleet::{Secret, Wall};
use health::{
    IncidentId,
    desk::{ChannelId, Dispatch, Learnt, Mark, OrderId, Route},
};

/// Channels that there may be.
pub const MOST_CHANNELS: usize = 100;

/// Somebody to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Its number.
    pub id: ChannelId,
    /// What people call it.
    pub name: String,
    /// What it is: a word of the API such as `webhook`.
    pub kind: String,
    /// Told anything at all.
    pub enabled: bool,
    /// Of what it is told.
    pub route: Route,
    /// What may be shown of its target: never a token or password.
    pub shown: String,
    /// Where messages go and with which secrets; JSON, encrypted at rest.
    pub target: Secret,
}

/// What a channel is told at once, and what it knows by it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Telling {
    /// To whom.
    pub channel: ChannelId,
    /// When it was made.
    pub at: Wall,
    /// A message in as many parts as its target takes it in, JSON each; none if what the channel knows goes without words.
    pub parts: Vec<String>,
    /// What it knows before and after.
    pub marks: Vec<Learnt>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// To be tried.
    Waiting,
    /// Being tried; after a crash it is tried again, once.
    Trying,
    /// Its target refuses it for good: others go on meanwhile, and it is tried again now and then.
    Refused,
    /// It arrived.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [DeliveryState; 5] = [
        DeliveryState::Waiting,
        DeliveryState::Trying,
        DeliveryState::Refused,
        DeliveryState::Delivered,
        DeliveryState::Failed,
    ];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Trying => "trying",
            DeliveryState::Refused => "refused",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }

    /// The state with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<DeliveryState> {
        DeliveryState::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// A message on its way, or at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its number.
    pub id: u64,
    /// To whom.
    pub channel: ChannelId,
    /// When it was made.
    pub at: Wall,
    /// What; JSON.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// How often its target refused it for good.
    pub refusals: u32,
    /// When it is tried next, if it waits.
    pub next: Wall,
    /// Why the last try failed.
    pub error: String,
    /// When it arrived or was given up.
    pub ended: Option<Wall>,
}

/// How a try ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tried {
    /// It arrived.
    Delivered,
    /// It arrived, but not with everybody: with whom not, and why.
    Partly(String),
    /// It did not, and why; tried again then, or given up. What comes after it waits.
    Failed(String, Option<Wall>),
    /// Its target refuses it for good, and why; set aside and tried again then, or given up.
    Refused(String, Option<Wall>),
}

/// Where notifications are kept.
#[async_trait::async_trait]
pub trait NoticeStore: Send + Sync {
    /// Every channel, by number.
    async fn channels(&self) -> Result<Vec<Channel>>;
    /// Adds a channel; its `id` is given by the store. [`Invalid`](crate::StoreError::Invalid) if there are
    /// [`MOST_CHANNELS`].
    async fn add_channel(&self, channel: Channel) -> Result<Channel>;
    /// Replaces a channel. [`Changed`](crate::StoreError::Changed) if it is not as it was `seen`. If its target is
    /// another, all that waits or was refused is due, in its order.
    async fn update_channel(&self, channel: &Channel, seen: &Channel) -> Result<()>;
    /// Removes a channel, what it was told and what waits for it; what was delivered stays in the log.
    async fn remove_channel(&self, id: ChannelId) -> Result<()>;

    /// What each channel was told.
    async fn marks(&self) -> Result<Vec<(ChannelId, IncidentId, Mark)>>;
    /// Keeps what channels are told and know by it, each all or nothing. One whose channel is gone or does not know what
    /// it is to know before is left out: it was told already, by a write that was slow and counted as failed. Whether
    /// all were kept. Later than every earlier write, also of one that nobody waited for to its end.
    async fn enqueue(&self, tellings: &[Telling]) -> Result<bool>;
    /// When each order had been given to somebody, as far as each channel was told.
    async fn order_marks(&self) -> Result<Vec<(ChannelId, OrderId, Wall)>>;
    /// Keeps messages about orders, in their parts, and what their channels have been told with them, each all or
    /// nothing. One whose channel was told of an order already is left out.
    async fn enqueue_dispatches(&self, at: Wall, told: &[(Dispatch, Vec<String>)]) -> Result<()>;
    /// When messages were made since then, by channel; one in several parts counts once.
    async fn sent_since(&self, since: Wall) -> Result<Vec<(ChannelId, Wall)>>;
    /// The oldest message of each enabled channel that is not delivered, if it is due: messages of a channel keep their
    /// order. What was refused stands aside, and is due when nothing else of its channel waits. What is to wait longer
    /// than any pause lasts was written before somebody set the clock back, and is due.
    async fn due(&self, now: Wall) -> Result<Vec<Delivery>>;
    /// Notes that a try begins, before it does; `false` if it is at its end already.
    async fn begin_try(&self, id: u64) -> Result<bool>;
    /// After a start: what was being tried when the service died is tried again. Gives what that happened to for the
    /// second time, which stays as it was: one more try could make it arrive a third time.
    async fn interrupted(&self, at: Wall) -> Result<Vec<Delivery>>;
    /// Notes how a try ended.
    async fn end_try(&self, id: u64, at: Wall, tried: &Tried) -> Result<()>;
    /// Messages, newest first.
    async fn deliveries(&self, channel: Option<ChannelId>, limit: u32, cursor: Option<&str>) -> Result<Page<Delivery>>;
    /// Forgets deliveries that ended before, and marks of incidents and orders that were over by then.
    async fn prune_notices(&self, before: Wall) -> Result<()>;
}
