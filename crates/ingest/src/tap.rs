//! Where those who wait for a camera's next keyframe meet its session.

use crate::{Keyframe, failure::failure};
use fleet::Cause;
use health::Failure;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use tokio::sync::oneshot;

/// Most who may wait at one camera.
const WAITERS: usize = 256;

type Answer = Result<Arc<Keyframe>, Failure>;

/// Those who wait for one session's keyframes. The session looks at one flag per frame while nobody waits.
#[derive(Default)]
pub(crate) struct Tap {
    wanted: AtomicBool,
    /// Keyframes that were wanted but came incomplete.
    incomplete: AtomicU32,
    /// A keyframe was given out, and nobody has come since.
    served: AtomicBool,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    /// Came after the present frame began: it is not for them.
    fresh: Vec<oneshot::Sender<Answer>>,
    /// The present frame is for them, should it be a whole keyframe.
    begun: Vec<oneshot::Sender<Answer>>,
    closed: Option<Failure>,
}

impl Tap {
    fn waiters(&self) -> std::sync::MutexGuard<'_, Waiters> {
        // Nothing in here can panic halfway; a poisoned lock holds sound data.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those who wait; an error if the session is over.
    pub(crate) fn wait(&self) -> Result<oneshot::Receiver<Answer>, Failure> {
        let mut waiters = self.waiters();
        if let Some(failure) = &waiters.closed {
            return Err(failure.clone());
        }
        waiters.fresh.retain(|w| !w.is_closed());
        if waiters.fresh.len() >= WAITERS {
            return Err(failure(Cause::NoKeyframe, "too many wait for this camera's keyframe"));
        }
        let (sender, receiver) = oneshot::channel();
        waiters.fresh.push(sender);
        self.served.store(false, Ordering::Relaxed);
        self.wanted.store(true, Ordering::Relaxed);
        Ok(receiver)
    }

    /// A frame begins: whether anybody waits for it.
    pub(crate) fn begin(&self) -> bool {
        if !self.wanted.load(Ordering::Relaxed) {
            return false;
        }
        let Waiters { fresh, begun, .. } = &mut *self.waiters();
        begun.append(fresh);
        begun.retain(|w| !w.is_closed());
        self.wanted.store(!begun.is_empty(), Ordering::Relaxed);
        !begun.is_empty()
    }

    /// The frame that began was a whole keyframe.
    pub(crate) fn deliver(&self, keyframe: Arc<Keyframe>) {
        let mut waiters = self.waiters();
        for waiter in waiters.begun.drain(..) {
            let _ = waiter.send(Ok(keyframe.clone()));
        }
        self.wanted.store(!waiters.fresh.is_empty(), Ordering::Relaxed);
        self.served.store(waiters.fresh.is_empty(), Ordering::Relaxed);
    }

    /// Whether everybody who waited has got a keyframe, and somebody has.
    pub(crate) fn served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// A keyframe that was wanted came incomplete.
    pub(crate) fn set_incomplete(&self, count: u32) {
        self.incomplete.store(count, Ordering::Relaxed);
    }

    pub(crate) fn incomplete(&self) -> u32 {
        self.incomplete.load(Ordering::Relaxed)
    }

    /// The session is over.
    pub(crate) fn close(&self, failure: &Failure) {
        let mut waiters = self.waiters();
        waiters.closed = Some(failure.clone());
        let Waiters { fresh, begun, .. } = &mut *waiters;
        for waiter in fresh.drain(..).chain(begun.drain(..)) {
            let _ = waiter.send(Err(failure.clone()));
        }
    }
}
