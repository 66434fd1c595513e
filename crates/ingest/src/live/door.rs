//! How the rest of the house comes to watch.

use super::{Viewers, Watched, queue::Queue};
use crate::{Ingest, failure::failure};
use fleet::{CameraId, Cause, Codec};
use health::Failure;
use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

/// Cameras whose frames are kept although nobody watches them yet; the longest kept gives way.
const WARM_CAMERAS: usize = 16;

/// Cameras somebody is likely to watch soon.
pub(crate) type Warm = VecDeque<Weak<Viewers>>;

/// A running session, to be watched.
#[derive(Clone, Debug)]
pub struct Viewing {
    viewers: Arc<Viewers>,
}

impl Viewing {
    /// How the stream is coded. Waits until the session has video.
    ///
    /// # Errors
    /// The session ended.
    pub async fn codec(&self) -> Result<Codec, Failure> {
        self.viewers.codec().await
    }

    /// Begins to watch H.264 or H.265: the frames since the last keyframe, if they are kept, then all that come.
    ///
    /// # Errors
    /// The session is over, or too many watch this camera.
    pub fn join(&self) -> Result<Watch, Failure> {
        Ok(Watch { queue: self.viewers.join()? })
    }
}

/// One viewer's place at a session; dropping it ends the watching.
#[derive(Debug)]
pub struct Watch {
    queue: Arc<Queue>,
}

impl Watch {
    /// The next frame, or why there is none. Cancel safe.
    ///
    /// # Errors
    /// The session ended, and why.
    pub async fn next(&mut self) -> Result<Watched, Failure> {
        self.queue.next().await
    }
}

impl Ingest {
    /// The camera's running session, to be watched. Opens nothing: whoever watches sees the stream that is pulled
    /// anyway. A session that is still being opened counts as running.
    ///
    /// # Errors
    /// No session runs.
    pub fn viewing(&self, camera: CameraId) -> Result<Viewing, Failure> {
        let viewers = self.viewers(camera);
        viewers
            .map(|viewers| Viewing { viewers })
            .ok_or_else(|| failure(Cause::NotYetChecked, format!("no session of {camera} runs")))
    }

    /// Somebody is likely to watch this camera soon: its frames are kept for half a minute, so that he sees a picture
    /// at once. Bounded to a few cameras; does nothing if no session runs.
    pub fn warm(&self, camera: CameraId) {
        let Some(viewers) = self.viewers(camera) else { return };
        viewers.warm();
        let this = Arc::downgrade(&viewers);
        let mut warm = self.warm_cameras();
        warm.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&this));
        warm.push_back(this);
        if warm.len() > WARM_CAMERAS
            && let Some(oldest) = warm.pop_front().and_then(|w| w.upgrade())
        {
            oldest.cool();
        }
    }
}
