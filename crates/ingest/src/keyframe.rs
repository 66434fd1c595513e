//! One coded picture that can be decoded by itself.

use bytes::Bytes;
use fleet::{CameraClock, CameraId, Codec, Now, StreamChoice};

/// A keyframe as the camera coded it.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyframe {
    /// Whose it is; camera 0 in a [`climb`](crate::climb).
    pub camera: CameraId,
    /// Main or sub stream.
    pub stream: StreamChoice,
    /// How it is coded.
    pub codec: Codec,
    /// Picture width in pixels from the parameter sets; 0 if they do not tell.
    pub width: u32,
    /// Picture height in pixels; 0 if the parameter sets do not tell.
    pub height: u32,
    /// When its first packet arrived.
    pub received: Now,
    /// The camera's clock at that instant, from its sender reports, and how sure that is.
    pub camera_clock: Option<CameraClock>,
    /// Annex B with the newest parameter sets first, or a whole JPEG file.
    pub data: Bytes,
}

impl std::fmt::Debug for Keyframe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Keyframe({} {:?} {:?} {}x{}, {} bytes)",
            self.camera,
            self.stream,
            self.codec,
            self.width,
            self.height,
            self.data.len()
        )
    }
}
