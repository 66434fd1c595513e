//! Work orders, their pictures, and what technicians found.

use crate::{Page, Result, StoreError};
use fleet::{CameraId, Wall};
use health::{
    IncidentId,
    desk::{Assignee, Confirmed, NewOrder, Order, OrderId, OrderState},
};
use serde::{Deserialize, Serialize};

/// Pictures that one order may have.
pub const MOST_PICTURES: usize = 60;
/// Largest picture, in bytes.
pub const LARGEST_PICTURE: usize = 2 << 20;

/// Which orders; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct OrderQuery {
    /// Only open (`true`) or closed ones.
    pub open: Option<bool>,
    /// Only in this state.
    pub state: Option<OrderState>,
    /// Only of these assignees; of all if empty.
    pub assignees: Vec<Assignee>,
    /// Only opened at or after.
    pub from: Option<Wall>,
    /// Only opened before.
    pub until: Option<Wall>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}

/// What a picture of an order shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureKind {
    /// The last picture before the repair.
    Before,
    /// A picture from after the repair.
    After,
    /// A photograph of the place.
    Photo,
}

impl PictureKind {
    /// Every kind.
    pub const ALL: [PictureKind; 3] = [PictureKind::Before, PictureKind::After, PictureKind::Photo];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PictureKind::Before => "before",
            PictureKind::After => "after",
            PictureKind::Photo => "photo",
        }
    }

    /// The kind with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<PictureKind> {
        PictureKind::ALL.into_iter().find(|k| k.code() == code)
    }
}

/// A picture of an order, without its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderPicture {
    /// Its number.
    pub id: u64,
    /// Of which order.
    pub order: OrderId,
    /// What it shows.
    pub kind: PictureKind,
    /// Of which camera, if of one.
    pub camera: Option<CameraId>,
    /// When it was taken (a photograph: when it was handed in).
    pub at: Wall,
    /// Who took it or handed it in.
    pub by: String,
    /// In words.
    pub note: String,
}

/// A picture to be kept. Only JPEGs of our own making get here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrderPicture {
    /// Of which order.
    pub order: OrderId,
    /// What it shows.
    pub kind: PictureKind,
    /// Of which camera, if of one.
    pub camera: Option<CameraId>,
    /// When it was taken.
    pub at: Wall,
    /// Who took it or handed it in.
    pub by: String,
    /// In words.
    pub note: String,
    /// The JPEG file.
    pub jpeg: Vec<u8>,
}

/// Where work orders are kept.
#[async_trait::async_trait]
pub trait OrderStore: Send + Sync {
    /// Makes an order and gives it its number. [`Conflict`](StoreError::Conflict) if the incident has an open one.
    async fn add_order(&self, order: NewOrder) -> Result<Order>;
    /// Replaces an order whose version is one less. [`Conflict`](StoreError::Conflict) if somebody else was quicker. What
    /// the technician found is recorded on the incident with it, and the ledger leaves out what [`Order::excuses`] says,
    /// as far as it is not frozen.
    async fn update_order(&self, order: &Order) -> Result<()>;
    /// One order.
    async fn order(&self, id: OrderId) -> Result<Option<Order>>;
    /// Orders, newest first.
    async fn orders(&self, query: &OrderQuery) -> Result<Page<Order>>;
    /// Every open order, oldest first.
    async fn open_orders(&self) -> Result<Vec<Order>>;
    /// Every order of an incident, oldest first.
    async fn orders_of(&self, incident: IncidentId) -> Result<Vec<Order>>;

    /// Keeps a picture. [`Invalid`](StoreError::Invalid) if the order has too many or it is too large.
    async fn add_order_picture(&self, picture: NewOrderPicture) -> Result<OrderPicture>;
    /// The pictures of an order, oldest first.
    async fn order_pictures(&self, order: OrderId) -> Result<Vec<OrderPicture>>;
    /// The bytes of one picture of this order.
    async fn order_picture(&self, order: OrderId, id: u64) -> Result<Option<Vec<u8>>>;

    /// What was found to be the cause of an incident.
    async fn confirmed_cause(&self, incident: IncidentId) -> Result<Option<Confirmed>>;
}

/// Refuses a picture that may not be kept.
///
/// # Errors
/// [`StoreError::Invalid`].
pub fn check_picture(picture: &NewOrderPicture, kept: usize) -> Result<()> {
    if kept >= MOST_PICTURES {
        return Err(StoreError::Invalid(format!("this order has {MOST_PICTURES} pictures already")));
    }
    if picture.jpeg.len() > LARGEST_PICTURE {
        return Err(StoreError::Invalid("the picture is too large".into()));
    }
    Ok(())
}
