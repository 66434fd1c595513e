//! How sure a verdict is, by what it rests on.

use crate::Cause;
use serde::{Deserialize, Serialize};

/// How sure a verdict or one rung of the ladder is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// 待证实: judged by thresholds from little, or from silence alone.
    Possible,
    /// 很可能: follows from silence or loss, which the way to the camera could cause as well.
    Likely,
    /// 确定: the camera said so itself, or it stands in what arrived.
    Certain,
}

impl Confidence {
    /// Every one, the least sure first.
    pub const ALL: [Confidence; 3] = [Confidence::Possible, Confidence::Likely, Confidence::Certain];

    /// The word used in the API.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }

    /// The word on screen: Simplified Chinese, English.
    #[must_use]
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Confidence::Possible => ("待证实", "possible"),
            Confidence::Likely => ("很可能", "likely"),
            Confidence::Certain => ("确定", "certain"),
        }
    }

    /// As sure as it is once a second observation says the same.
    #[must_use]
    pub fn confirmed(self) -> Confidence {
        match self {
            Confidence::Possible => Confidence::Likely,
            Confidence::Likely | Confidence::Certain => Confidence::Certain,
        }
    }

    /// As sure as it is while one way to tell is not open to us.
    #[must_use]
    pub fn weakened(self) -> Confidence {
        match self {
            Confidence::Certain => Confidence::Likely,
            Confidence::Likely | Confidence::Possible => Confidence::Possible,
        }
    }
}

impl Cause {
    /// How sure one observation of it is.
    #[must_use]
    pub fn confidence(self) -> Confidence {
        use Cause::*;
        match self {
            // Silence, and connections that break: the way there may be to blame.
            HostUnreachable | NoAnswer | RtspNoAnswer | ConnectionLost | NoRtp | Stalled | StreamEnded | PacketLoss
            | LowFrameRate | NoKeyframe | BadRtp | TlsFailed | NameUnresolved => Confidence::Likely,
            // Thresholds on a picture.
            PictureBlack | PictureFrozen | PictureTooDark | PictureTooBright | PictureBlurred | PictureCovered
            | PictureColourCast | PictureNoise | PictureStripes | SceneMoved | SamePicture => Confidence::Possible,
            _ => Confidence::Certain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_camera_says_is_surer_than_silence_and_silence_surer_than_a_threshold() {
        assert!(Cause::PasswordRefused.confidence() > Cause::NoAnswer.confidence());
        assert!(Cause::NoAnswer.confidence() > Cause::PictureBlurred.confidence());
        assert_eq!(Cause::NoAnswer.confidence().confirmed(), Confidence::Certain);
        assert_eq!(Cause::NoAnswer.confidence().weakened(), Confidence::Possible);
    }
}
