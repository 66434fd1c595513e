//! Shifts handed over 交接班: what the outgoing shift told, as it was then, and who took it over.

use crate::{Page, Result};
use fleet::{SiteId, TownId, Wall};
use serde::{Deserialize, Serialize};

/// Number of a handover.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HandoverId(pub u64);

/// The part of the county that a shift watches: all of it if both lists are empty.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    towns: Vec<TownId>,
    sites: Vec<SiteId>,
}

impl Part {
    /// The part made of these; in whichever order they are named it is the same part.
    #[must_use]
    pub fn new(mut towns: Vec<TownId>, mut sites: Vec<SiteId>) -> Part {
        towns.sort_unstable();
        towns.dedup();
        sites.sort_unstable();
        sites.dedup();
        Part { towns, sites }
    }
}

/// Who, when, and what he said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// Name to sign in with.
    pub by: String,
    /// Full name and unit at that time.
    pub by_detail: String,
    /// When.
    pub at: Wall,
    /// In his words; may be empty.
    pub note: String,
}

/// A shift to be handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewHandover {
    /// When the shift began.
    pub from: Wall,
    /// When it ended: the handing over.
    pub until: Wall,
    /// Which part of the county it watched.
    pub part: Part,
    /// Who hands over.
    pub given: Signature,
    /// What the shift was like, as JSON; kept as it was told.
    pub report: String,
}

/// A shift that was handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    /// Its number.
    pub id: HandoverId,
    /// When the shift began.
    pub from: Wall,
    /// When it ended.
    pub until: Wall,
    /// Which part of the county it watched.
    pub part: Part,
    /// Who handed over.
    pub given: Signature,
    /// Who took over; `None` while nobody has.
    pub taken: Option<Signature>,
    /// What the shift was like, as JSON.
    pub report: String,
}

/// Which handovers; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HandoverQuery {
    /// Only of exactly this part of the county.
    pub part: Option<Part>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}

/// Where handovers are kept.
#[async_trait::async_trait]
pub trait HandoverStore: Send + Sync {
    /// Keeps a handover. [`Conflict`](crate::StoreError::Conflict) if the same part of the county was handed over after this
    /// shift is said to have begun: somebody was quicker.
    async fn add_handover(&self, handover: NewHandover) -> Result<Handover>;
    /// Notes who took it over. [`Missing`](crate::StoreError::Missing) if there is none;
    /// [`Conflict`](crate::StoreError::Conflict) if somebody has.
    async fn take_handover(&self, id: HandoverId, taken: Signature) -> Result<Handover>;
    /// One handover.
    async fn handover(&self, id: HandoverId) -> Result<Option<Handover>>;
    /// Handovers, newest first.
    async fn handovers(&self, query: &HandoverQuery) -> Result<Page<Handover>>;
}
