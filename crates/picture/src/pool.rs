//! Worker processes and the queue before them.

use crate::{Assessment, Config, PictureError, PoolError, SandboxReport};
use bytes::Bytes;
use fleet::{CameraId, Codec};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Figures since start, for metrics and the self-health page.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Workers that are ready or at work.
    pub workers: usize,
    /// Their process ids.
    pub pids: Vec<u32>,
    /// Pictures waiting now.
    pub queued: usize,
    /// Pictures decoded.
    pub decoded: u64,
    /// Pictures that did not decode.
    pub undecodable: u64,
    /// Workers that died on a picture.
    pub crashed: u64,
    /// Workers killed because a picture took too long.
    pub timed_out: u64,
    /// Requests refused because the queue was full.
    pub busy: u64,
    /// Requests refused because the camera or picture is parked.
    pub refused_parked: u64,
    /// Cameras parked now.
    pub parked_cameras: usize,
    /// Worker processes started after the first ones.
    pub restarts: u64,
    /// CPU time that workers spent on pictures.
    pub cpu: Duration,
}

/// Decoder processes behind a bounded queue. A cheap handle; when the last one is dropped the workers end.
#[derive(Clone)]
pub struct Pool {}

impl Pool {
    /// Starts the workers (`program decode-worker`) and waits until the first is ready, at most 10 s.
    ///
    /// # Errors
    /// If the program cannot be started or does not get ready, or a layer of the sandbox is missing that the
    /// policy requires.
    pub fn start(config: Config, program: PathBuf) -> Result<Pool, PoolError> {
        let _ = (config, program);
        Err(PoolError::NotReady("stub".to_owned()))
    }

    /// Decodes one keyframe (Annex B with parameter sets first, or a JPEG), makes the thumbnail, measures.
    ///
    /// # Errors
    /// See [`PictureError`]; [`Busy`](PictureError::Busy) at once when the queue is full.
    pub async fn assess(&self, camera: CameraId, codec: Codec, data: Bytes) -> Result<Assessment, PictureError> {
        let _ = (camera, codec, data);
        Err(PictureError::Busy)
    }

    /// Decodes one keyframe to a JPEG for people, scaled down to `max_width` pixels if it is wider.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub async fn render(&self, codec: Codec, data: Bytes, max_width: Option<u32>) -> Result<Bytes, PictureError> {
        let _ = (codec, data, max_width);
        Err(PictureError::Busy)
    }

    /// Which layers of the sandbox hold in the workers.
    #[must_use]
    pub fn sandbox(&self) -> SandboxReport {
        SandboxReport::default()
    }

    /// Figures since start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Ends all workers and returns when they are gone, at most 2 s.
    pub async fn shutdown(&self) {}
}
