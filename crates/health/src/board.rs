//! The published view of the fleet: what everybody but the owner reads.

use crate::{Carriage, Incident, OwnPart, StreamFigures};
use fleet::{CameraId, Cause, Layer, Now, Status, StreamChoice, Wall};
use serde::Serialize;
use std::sync::Arc;

/// The fleet at one instant.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// When it was made.
    pub at: Now,
    /// One row a camera, in the order of ids.
    pub cameras: Vec<CameraRow>,
    /// Open incidents, newest first.
    pub incidents: Vec<Arc<Incident>>,
    /// Parts of our own machine at fault, with detail.
    pub own_faults: Vec<(OwnPart, String)>,
    /// Counts by status.
    pub counts: Counts,
}

impl Board {
    /// The row of one camera.
    #[must_use]
    pub fn camera(&self, id: CameraId) -> Option<&CameraRow> {
        self.cameras.binary_search_by_key(&id, |r| r.camera).ok().map(|i| &self.cameras[i])
    }
}

/// How many cameras have each status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// 在线.
    pub online: u32,
    /// 异常.
    pub impaired: u32,
    /// 离线.
    pub offline: u32,
    /// 未知.
    pub unknown: u32,
    /// 停用.
    pub paused: u32,
}

/// What is known of one camera now.
#[derive(Clone, Debug, Serialize)]
pub struct CameraRow {
    /// Which camera.
    pub camera: CameraId,
    /// Its status.
    pub status: Status,
    /// Since when.
    pub since: Wall,
    /// The failing rung, unless online.
    pub layer: Option<Layer>,
    /// The cause, unless online.
    pub cause: Option<Cause>,
    /// Other faults that were confirmed too, while its video arrives.
    pub besides: Vec<Cause>,
    /// What the verdict rests on.
    pub detail: Arc<str>,
    /// A change is suspected and being confirmed.
    pub confirming: bool,
    /// It changes too often to be told each time.
    pub flapping: bool,
    /// When the last good picture was decoded.
    pub last_picture: Option<Wall>,
    /// When the last snapshot was archived.
    pub last_snapshot: Option<Wall>,
    /// When the next try is due, if it has no session.
    pub next_try: Option<Wall>,
    /// Which of its streams is pulled continuously.
    pub stream: StreamChoice,
    /// How the packets of its session travel, if one runs.
    pub carriage: Option<Arc<Carriage>>,
    /// Last figures of its session, if one runs.
    pub figures: Option<Arc<StreamFigures>>,
}
