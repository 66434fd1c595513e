//! What cameras' streams were made of, and the certificates that cameras are held to.

use crate::Result;
use fleet::{CameraId, Wall};
use health::FormatChange;

/// The certificate that a camera is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateRecord {
    /// Which camera.
    pub camera: CameraId,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// When it was first seen.
    pub seen: Wall,
}

/// What is kept of cameras' streams. Changes of format are recorded as [`Fact::Format`](crate::Fact::Format).
#[async_trait::async_trait]
pub trait Streams: Send + Sync {
    /// What a camera's streams are made of and were before, newest first, at most `most`.
    async fn formats(&self, camera: CameraId, most: u32) -> Result<Vec<FormatChange>>;
    /// Every certificate that a camera is held to.
    async fn certificates(&self) -> Result<Vec<CertificateRecord>>;
    /// The certificate that one camera is held to.
    async fn certificate(&self, camera: CameraId) -> Result<Option<CertificateRecord>>;
    /// Holds a camera to a certificate from now on. The same one again keeps the time it was first seen.
    async fn hold_to_certificate(&self, certificate: CertificateRecord) -> Result<()>;
    /// Holds a camera to none; whether it was held to one.
    async fn forget_certificate(&self, camera: CameraId) -> Result<bool>;
}
