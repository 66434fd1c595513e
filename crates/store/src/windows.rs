//! Planned maintenance.

use crate::Result;
use fleet::Wall;
use health::{NewWindow, Window, WindowId};
use std::ops::Range;

/// Windows not over that there may be at once: more is a mistake of a program.
pub const MOST_WINDOWS: usize = 200;

/// Where planned maintenance is kept.
#[async_trait::async_trait]
pub trait WindowStore: Send + Sync {
    /// Plans a window and gives it its number. [`Invalid`](crate::StoreError::Invalid) if there are
    /// [`MOST_WINDOWS`] not over.
    async fn add_window(&self, window: NewWindow) -> Result<Window>;
    /// Ends a window early, or calls it off before it began. [`Missing`](crate::StoreError::Missing) if there is none;
    /// [`Invalid`](crate::StoreError::Invalid) if it is over already.
    async fn end_window(&self, id: WindowId, at: Wall, by: &str) -> Result<Window>;
    /// Every window that holds, or would, at some instant of the range; by their beginning. Called-off ones with
    /// them as long as their planned time lies in it: the ledger asks [`Window::holds`].
    async fn windows(&self, range: Range<Wall>) -> Result<Vec<Window>>;
}
