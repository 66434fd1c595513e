//! What came of diagnosing one camera's picture. A camera that delivers none has an outcome of its own: neither a fault
//! of the picture nor a good one, and counted in no rate of pictures.

use crate::verdicts::Judged;
use fleet::{CameraId, Layer, Status};
use health::Board;
use picture::Level;
use serde::{Deserialize, Serialize};

/// What came of diagnosing one camera.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PictureOutcome {
    /// Not looked at: paused, unknown, or no picture since the start.
    NotChecked,
    /// The camera refuses the account.
    LoginFailed,
    /// The camera delivers no video.
    NoStream,
    /// Video arrives that cannot be decoded.
    NotDecoded,
    /// Judged, without a fault.
    Normal,
    /// Judged: the worst of its faults is slight 轻微.
    Slight,
    /// Judged: the worst of its faults is severe 严重.
    Severe,
}

impl PictureOutcome {
    /// Every outcome.
    pub(crate) const ALL: [PictureOutcome; 7] = [
        PictureOutcome::NotChecked,
        PictureOutcome::LoginFailed,
        PictureOutcome::NoStream,
        PictureOutcome::NotDecoded,
        PictureOutcome::Normal,
        PictureOutcome::Slight,
        PictureOutcome::Severe,
    ];

    /// Of a camera as the board has it now; what its picture showed before it was lost is no outcome of now.
    pub(crate) fn of(board: &Board, camera: CameraId, judged: Option<&Judged>) -> PictureOutcome {
        let Some(row) = board.camera(camera) else { return PictureOutcome::NotChecked };
        match (row.status, row.layer) {
            (Status::Paused | Status::Unknown, _) => PictureOutcome::NotChecked,
            (Status::Offline, Some(Layer::Auth)) => PictureOutcome::LoginFailed,
            (Status::Offline, _) => PictureOutcome::NoStream,
            (_, Some(Layer::Decode)) => PictureOutcome::NotDecoded,
            _ => match judged {
                Some(judged) if judged.at.is_some() => {
                    let worst = judged.findings.iter().map(|h| h.finding.level).max();
                    worst.map_or(PictureOutcome::Normal, PictureOutcome::from)
                }
                _ => PictureOutcome::NotChecked,
            },
        }
    }

    /// The word used in the API.
    pub(crate) fn code(self) -> &'static str {
        match self {
            PictureOutcome::NotChecked => "not_checked",
            PictureOutcome::LoginFailed => "login_failed",
            PictureOutcome::NoStream => "no_stream",
            PictureOutcome::NotDecoded => "not_decoded",
            PictureOutcome::Normal => "normal",
            PictureOutcome::Slight => Level::Slight.code(),
            PictureOutcome::Severe => Level::Severe.code(),
        }
    }

    /// Simplified Chinese, English.
    pub(crate) fn text(self) -> (&'static str, &'static str) {
        match self {
            PictureOutcome::NotChecked => ("未检测", "not checked"),
            PictureOutcome::LoginFailed => ("登录失败", "login failed"),
            PictureOutcome::NoStream => ("无视频流", "no stream"),
            PictureOutcome::NotDecoded => ("无法解码", "not decoded"),
            PictureOutcome::Normal => ("正常", "normal"),
            PictureOutcome::Slight => Level::Slight.text(),
            PictureOutcome::Severe => Level::Severe.text(),
        }
    }

    /// How bad the worst fault is, if its picture is judged now and has one.
    pub(crate) fn level(self) -> Option<Level> {
        match self {
            PictureOutcome::Slight => Some(Level::Slight),
            PictureOutcome::Severe => Some(Level::Severe),
            _ => None,
        }
    }

    /// Whether its picture is judged now.
    pub(crate) fn is_judged(self) -> bool {
        self == PictureOutcome::Normal || self.level().is_some()
    }
}

impl From<Level> for PictureOutcome {
    fn from(level: Level) -> PictureOutcome {
        match level {
            Level::Slight => PictureOutcome::Slight,
            Level::Severe => PictureOutcome::Severe,
        }
    }
}
