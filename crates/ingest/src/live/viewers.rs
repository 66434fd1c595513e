//! Those who watch one session, and the frames since the last keyframe, so that a newcomer sees a picture at once.

use super::{Frame, Skip, queue::Queue};
use fleet::Codec;
use health::Failure;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Most who may watch one camera.
const VIEWERS: usize = 64;
/// Most bytes kept of the frames since the last keyframe.
const KEPT_BYTES: usize = 12 << 20;
/// Most frames kept since the last keyframe.
const KEPT_FRAMES: usize = 1000;
/// Frames are kept for so long after somebody showed interest.
pub(crate) const WARM: Duration = Duration::from_secs(30);

/// The viewers of one session.
#[derive(Debug)]
pub(crate) struct Viewers {
    watched: AtomicBool,
    inner: Mutex<Inner>,
    /// How the stream is coded, once it is open; an error once it is over.
    opened: watch::Sender<Option<Result<Codec, Failure>>>,
}

#[derive(Debug, Default)]
struct Inner {
    queues: Vec<Weak<Queue>>,
    /// Frames since the last keyframe, that one first; empty while they are too many.
    kept: Vec<Arc<Frame>>,
    kept_bytes: usize,
    warm_until: Option<Instant>,
    ended: Option<Failure>,
}

impl Default for Viewers {
    fn default() -> Viewers {
        Viewers { watched: AtomicBool::new(false), inner: Mutex::default(), opened: watch::channel(None).0 }
    }
}

impl Viewers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic halfway; a poisoned lock holds sound data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether frames are wanted.
    pub(crate) fn watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// The session has video.
    pub(crate) fn open(&self, codec: Codec) {
        self.opened.send_if_modified(|opened| {
            let fresh = opened.is_none();
            if fresh {
                *opened = Some(Ok(codec));
            }
            fresh
        });
    }

    /// How the stream is coded; waits until it is open.
    pub(crate) async fn codec(&self) -> Result<Codec, Failure> {
        let mut opened = self.opened.subscribe();
        let answer = opened.wait_for(Option::is_some).await.expect("the sender lives in self");
        answer.clone().expect("just waited for")
    }

    /// A new viewer's queue, with what is kept; an error if the session is over or too many watch.
    pub(crate) fn join(&self) -> Result<Arc<Queue>, Failure> {
        let mut inner = self.inner();
        if let Some(failure) = &inner.ended {
            return Err(failure.clone());
        }
        inner.queues.retain(|queue| queue.strong_count() > 0);
        if inner.queues.len() >= VIEWERS {
            let detail = format!("{VIEWERS} watch this camera already");
            return Err(Failure { cause: fleet::Cause::NotYetChecked, detail });
        }
        let queue = Arc::new(Queue::default());
        let now = Instant::now();
        inner.kept.iter().for_each(|frame| queue.push(frame, now));
        inner.queues.push(Arc::downgrade(&queue));
        self.watched.store(true, Ordering::Relaxed);
        Ok(queue)
    }

    /// Somebody is likely to watch soon: frames are kept for [`WARM`].
    pub(crate) fn warm(&self) {
        let mut inner = self.inner();
        if inner.ended.is_none() {
            inner.warm_until = Some(Instant::now() + WARM);
            self.watched.store(true, Ordering::Relaxed);
        }
    }

    /// Nobody is likely to watch soon any more.
    pub(crate) fn cool(&self) {
        self.inner().warm_until = None;
    }

    /// Gives a frame to everybody who watches. Never waits.
    pub(crate) fn push(&self, frame: Arc<Frame>) {
        let now = Instant::now();
        let mut inner = self.inner();
        if frame.keyframe {
            inner.forget();
            // The only time at which nobody can be left with half a group of frames.
            inner.queues.retain(|queue| queue.strong_count() > 0);
            if inner.queues.is_empty() && inner.warm_until.is_none_or(|end| now >= end) {
                self.watched.store(false, Ordering::Relaxed);
                return;
            }
        }
        if frame.keyframe || !inner.kept.is_empty() {
            inner.kept_bytes += frame.data.len();
            inner.kept.push(Arc::clone(&frame));
            if inner.kept_bytes > KEPT_BYTES || inner.kept.len() > KEPT_FRAMES {
                inner.forget();
            }
        }
        for queue in inner.queues.iter().filter_map(Weak::upgrade) {
            queue.push(&frame, now);
        }
    }

    /// Tells everybody that frames are missing here.
    pub(crate) fn skip(&self, why: Skip) {
        let mut inner = self.inner();
        // What is kept cannot be continued.
        inner.forget();
        let now = Instant::now();
        for queue in inner.queues.iter().filter_map(Weak::upgrade) {
            queue.skip(why, now);
        }
    }

    /// The session is over.
    pub(crate) fn end(&self, failure: &Failure) {
        let mut inner = self.inner();
        inner.forget();
        inner.ended = Some(failure.clone());
        for queue in std::mem::take(&mut inner.queues).iter().filter_map(Weak::upgrade) {
            queue.end(failure);
        }
        self.watched.store(false, Ordering::Relaxed);
        self.opened.send_replace(Some(Err(failure.clone())));
    }
}

impl Inner {
    fn forget(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }
}
