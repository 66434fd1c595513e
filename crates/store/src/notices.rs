//! Channels of notification, what each was told, and the messages on their way.

use crate::{Page, Result};
use fleet::{Secret, Wall};
use health::{
    IncidentId,
    desk::{ChannelId, Dispatch, Mark, OrderId, Route},
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

/// A message to be delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDelivery {
    /// To whom.
    pub channel: ChannelId,
    /// When it was made.
    pub at: Wall,
    /// What; JSON.
    pub body: String,
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// To be tried.
    Waiting,
    /// Being tried; after a crash it is tried again.
    Trying,
    /// It arrived.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [DeliveryState; 4] =
        [DeliveryState::Waiting, DeliveryState::Trying, DeliveryState::Delivered, DeliveryState::Failed];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Trying => "trying",
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
    /// It did not, and why; tried again then, or given up.
    Failed(String, Option<Wall>),
}

/// Where notifications are kept.
#[async_trait::async_trait]
pub trait NoticeStore: Send + Sync {
    /// Every channel, by number.
    async fn channels(&self) -> Result<Vec<Channel>>;
    /// Adds a channel; its `id` is given by the store. [`Invalid`](crate::StoreError::Invalid) if there are
    /// [`MOST_CHANNELS`].
    async fn add_channel(&self, channel: Channel) -> Result<Channel>;
    /// Replaces a channel. [`Changed`](crate::StoreError::Changed) if it is not as it was `seen`.
    async fn update_channel(&self, channel: &Channel, seen: &Channel) -> Result<()>;
    /// Removes a channel, what it was told and what waits for it; what was delivered stays in the log.
    async fn remove_channel(&self, id: ChannelId) -> Result<()>;

    /// What each channel was told.
    async fn marks(&self) -> Result<Vec<(ChannelId, IncidentId, Mark)>>;
    /// Keeps messages and what their channels have been told with them, all or nothing.
    async fn enqueue(&self, messages: &[NewDelivery], marks: &[(ChannelId, IncidentId, Mark)]) -> Result<()>;
    /// When each order had been given to somebody, as far as each channel was told.
    async fn order_marks(&self) -> Result<Vec<(ChannelId, OrderId, Wall)>>;
    /// Keeps messages about orders and what their channels have been told with them, all or nothing.
    async fn enqueue_dispatches(&self, messages: &[NewDelivery], told: &[Dispatch]) -> Result<()>;
    /// When messages were made since then, by channel.
    async fn sent_since(&self, since: Wall) -> Result<Vec<(ChannelId, Wall)>>;
    /// The oldest message of each enabled channel that is not delivered, if it is due: messages of a channel keep their
    /// order.
    async fn due(&self, now: Wall) -> Result<Vec<Delivery>>;
    /// Notes that a try begins, before it does.
    async fn begin_try(&self, id: u64) -> Result<()>;
    /// Notes how a try ended.
    async fn end_try(&self, id: u64, at: Wall, tried: &Tried) -> Result<()>;
    /// Messages, newest first.
    async fn deliveries(&self, channel: Option<ChannelId>, limit: u32, cursor: Option<&str>) -> Result<Page<Delivery>>;
    /// Forgets deliveries that ended before, and marks of incidents and orders that were over by then.
    async fn prune_notices(&self, before: Wall) -> Result<()>;
}
