//! What was found on pictures and when, and what people set for one camera's diagnosis.

use crate::Result;
use fleet::{CameraId, Cause, Wall};

/// How bad a fault of the picture is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultLevel {
    /// 轻微: the scene is still usable.
    Slight,
    /// 严重: it is not.
    Severe,
}

impl FaultLevel {
    /// The word used in the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            FaultLevel::Slight => "slight",
            FaultLevel::Severe => "severe",
        }
    }

    /// The level with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<FaultLevel> {
        [FaultLevel::Slight, FaultLevel::Severe].into_iter().find(|l| l.code() == code)
    }
}

/// One class of fault on one camera's picture, from when it was first found until it was found no more.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingRecord {
    /// On whose picture.
    pub camera: CameraId,
    /// The class.
    pub cause: Cause,
    /// When it was first found, without a break since.
    pub since: Wall,
    /// When it was found no more; `None` while it lasts.
    pub until: Option<Wall>,
    /// How bad, at its worst.
    pub level: FaultLevel,
    /// 0 to 1.
    pub confidence: f32,
    /// The deciding figure.
    pub measured: f32,
    /// What it was held against.
    pub threshold: f32,
    /// Where on the picture, in the form of the diagnosis, which alone can read it.
    pub region: Vec<u8>,
    /// A camera that shows the same.
    pub twin: Option<CameraId>,
    /// What it rests on, in words.
    pub detail: String,
}

/// What a person set for one class on one camera.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassSetting {
    /// The class.
    pub cause: Cause,
    /// Not judged on this camera.
    pub off: bool,
    /// The limit that holds for this camera.
    pub limit: Option<f32>,
}

/// What a person set for one camera's diagnosis.
#[derive(Clone, PartialEq, Debug)]
pub struct DiagnosisSetting {
    /// Whose.
    pub camera: CameraId,
    /// At most one a class; a class that is not there is judged as on every camera.
    pub classes: Vec<ClassSetting>,
    /// Who set it.
    pub who: String,
    /// When.
    pub at: Wall,
}

/// Keeps findings ([`Fact::Finding`](crate::Fact::Finding) records them) and settings.
#[async_trait::async_trait]
pub trait FindingStore: Send + Sync {
    /// What was found on a camera's picture at an instant, in the order in which it began.
    async fn findings_at(&self, camera: CameraId, at: Wall) -> Result<Vec<FindingRecord>>;
    /// Findings that a stop of the service left open, each with its end should it not go on: the last
    /// [`Fact::Alive`](crate::Fact::Alive), never before it began. They stay open until a record of theirs has an end.
    async fn open_findings(&self) -> Result<Vec<FindingRecord>>;
    /// Every camera's settings.
    async fn diagnosis_settings(&self) -> Result<Vec<DiagnosisSetting>>;
    /// Replaces a camera's settings; without a class it is judged as every camera.
    async fn set_diagnosis(&self, setting: &DiagnosisSetting) -> Result<()>;
}
