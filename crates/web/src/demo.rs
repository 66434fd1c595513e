//! What the demo lets a visitor do: cause troubles in the simulated county.

use fleet::{CameraId, SiteId, UplinkId};
use serde::{Deserialize, Serialize};

/// Which simulated cameras a trouble hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum DemoTarget {
    /// One camera.
    Camera(CameraId),
    /// All of a site.
    Site(SiteId),
    /// All behind an uplink.
    Uplink(UplinkId),
    /// The whole county.
    All,
}

/// One trouble that can be caused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DemoFault {
    /// Its code word.
    pub code: String,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// A trouble that is going on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActiveFault {
    /// Where.
    pub target: DemoTarget,
    /// Its code word.
    pub fault: String,
}

/// Why a trouble could not be caused.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No such trouble or target.
    #[error("{0}")]
    Invalid(String),
    /// The simulation does not answer.
    #[error("{0}")]
    Failed(String),
}

/// The simulated county behind a demo.
#[async_trait::async_trait]
pub trait Demo: Send + Sync + 'static {
    /// Every trouble that can be caused.
    async fn faults(&self) -> Vec<DemoFault>;
    /// The troubles going on.
    async fn active(&self) -> Result<Vec<ActiveFault>, DemoError>;
    /// Causes or ends a trouble.
    async fn set(&self, target: DemoTarget, fault: &str, on: bool) -> Result<(), DemoError>;
}
