//! The newest verdict on each camera's picture, in memory, as the node judges it.

use fleet::{CameraId, Cause, Registry, Wall};
use parking_lot::RwLock;
use picture::{CameraSettings, Features, Finding, Learned, Light, Measure, NotAccepted};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// A finding, and since when it has held.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// The finding.
    pub finding: Finding,
    /// When it was first found, without a break since.
    pub since: Wall,
}

/// What is known of a camera's picture.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judged {
    /// When the newest judged picture arrived; `None` before the first since the start.
    pub at: Option<Wall>,
    /// Faults, worst first.
    pub findings: Vec<Held>,
    /// Faults that people called false alarms: shown, not told.
    pub excepted: Vec<Held>,
    /// Figures of the newest picture with their limits.
    pub measures: Vec<Measure>,
    /// What the baselines rest on.
    pub learned: Learned,
    /// What people set for this camera.
    pub settings: CameraSettings,
    /// By which light the newest picture was taken.
    pub light: Light,
    /// Archived snapshot that shows the baseline by this light.
    pub reference: Option<String>,
    /// Who accepted the baseline and when, if a person did.
    pub accepted: Option<(String, Wall)>,
}

/// The newest verdicts; at most one a camera of the register.
#[derive(Debug, Default)]
pub struct Verdicts(RwLock<HashMap<CameraId, Arc<Judged>>>);

impl Verdicts {
    /// Replaces what is known of a camera's picture.
    pub fn put(&self, camera: CameraId, judged: Judged) {
        self.0.write().insert(camera, Arc::new(judged));
    }

    /// What is known of a camera's picture.
    #[must_use]
    pub fn get(&self, camera: CameraId) -> Option<Arc<Judged>> {
        self.0.read().get(&camera).cloned()
    }

    /// Drops cameras that are no longer in the register.
    pub fn retain(&self, registry: &Registry) {
        self.0.write().retain(|camera, _| registry.camera(*camera).is_some());
    }
}

/// What a person decided about a camera's picture.
#[derive(Debug)]
pub enum PictureOrder {
    /// What it shows now is its new normal by this light.
    Accept {
        /// Whose.
        camera: CameraId,
        /// Who says so.
        by: String,
        /// Archived snapshot that the person saw.
        seen: String,
        /// What was measured on it.
        features: Box<Features>,
        /// Told why not, if it cannot be.
        refused: oneshot::Sender<NotAccepted>,
        /// Told when it is stored.
        done: mpsc::Sender<()>,
    },
    /// What it usually shows is to be learned anew.
    Reset {
        /// Whose.
        camera: CameraId,
        /// Told when it is stored.
        done: mpsc::Sender<()>,
    },
    /// A class is not told until then; an instant that is over ends this.
    Except {
        /// Whose.
        camera: CameraId,
        /// Which class.
        cause: Cause,
        /// Until when.
        until: Wall,
    },
    /// Which classes are judged on one camera, and with which limits, in place of what was set before.
    Set {
        /// Whose.
        camera: CameraId,
        /// What differs from every other camera.
        settings: CameraSettings,
    },
}

impl PictureOrder {
    /// Which camera it is about.
    #[must_use]
    pub fn camera(&self) -> CameraId {
        match self {
            PictureOrder::Accept { camera, .. }
            | PictureOrder::Reset { camera, .. }
            | PictureOrder::Except { camera, .. }
            | PictureOrder::Set { camera, .. } => *camera,
        }
    }
}
