//! What waits for one viewer: bounded in time and bytes, filled without ever waiting.

use super::{Frame, Skip, Watched};
use health::Failure;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// A frame that waits for longer makes its viewer a slow one.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that wait for one viewer.
const BYTES: usize = 24 << 20;
/// Most frames that wait for one viewer.
const FRAMES: usize = 1500;

/// One viewer's queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<(Instant, Watched)>,
    bytes: usize,
    /// He gets keyframes only, the newest one at a time, until he takes one before the next arrives.
    behind: bool,
    ended: Option<Failure>,
}

impl Queue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic halfway; a poisoned lock holds sound data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a frame in line, or leaves it out for a viewer who is behind.
    pub(crate) fn push(&self, frame: &Arc<Frame>, now: Instant) {
        let mut inner = self.inner();
        let late = inner.waiting.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) > PATIENCE);
        let full = inner.bytes + frame.data.len() > BYTES || inner.waiting.len() >= FRAMES;
        if !inner.behind && (late || full) {
            inner.behind = true;
            inner.clear();
            inner.waiting.push_back((now, Watched::Skipped(Skip::Slow)));
        }
        if inner.behind {
            if !frame.keyframe {
                return;
            }
            let waits = inner.waiting.iter().any(|(_, w)| matches!(w, Watched::Frame(_)));
            if waits {
                // He has not even taken the keyframe before.
                inner.clear();
                inner.waiting.push_back((now, Watched::Skipped(Skip::Slow)));
            } else if inner.waiting.is_empty() {
                inner.behind = false;
            }
        }
        inner.bytes += frame.data.len();
        inner.waiting.push_back((now, Watched::Frame(Arc::clone(frame))));
        drop(inner);
        self.news.notify_one();
    }

    /// Says that frames are missing here.
    pub(crate) fn skip(&self, why: Skip, now: Instant) {
        let mut inner = self.inner();
        if inner.behind || matches!(inner.waiting.back(), Some((_, Watched::Skipped(_)))) {
            return;
        }
        inner.waiting.push_back((now, Watched::Skipped(why)));
        drop(inner);
        self.news.notify_one();
    }

    /// Nothing comes any more.
    pub(crate) fn end(&self, failure: &Failure) {
        self.inner().ended = Some(failure.clone());
        self.news.notify_one();
    }

    /// The next in line; an error once the session is over and all was taken.
    pub(crate) async fn next(&self) -> Result<Watched, Failure> {
        loop {
            {
                let mut inner = self.inner();
                if let Some((_, watched)) = inner.waiting.pop_front() {
                    if let Watched::Frame(frame) = &watched {
                        inner.bytes -= frame.data.len();
                    }
                    return Ok(watched);
                }
                if let Some(failure) = &inner.ended {
                    return Err(failure.clone());
                }
            }
            // One viewer waits at most: a permit given between the look and this wait is not lost.
            self.news.notified().await;
        }
    }
}

impl Inner {
    fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::ParameterSets;
    use bytes::Bytes;
    use fleet::Codec;

    fn frame(n: u64, keyframe: bool, bytes: usize) -> Arc<Frame> {
        Arc::new(Frame {
            keyframe,
            decode_time: n,
            duration: 1,
            offset: 0,
            data: Bytes::from(vec![0; bytes]),
            sets: Arc::new(ParameterSets {
                codec: Codec::H264,
                clock_rate: 1,
                width: 0,
                height: 0,
                vps: vec![],
                sps: vec![],
                pps: vec![],
            }),
            received: Instant::now(),
        })
    }

    /// What is in line: times of frames, or why some are left out.
    async fn drained(queue: &Queue) -> Vec<Result<u64, Skip>> {
        let mut out = Vec::new();
        while !queue.inner().waiting.is_empty() {
            out.push(match queue.next().await.unwrap() {
                Watched::Frame(frame) => Ok(frame.decode_time),
                Watched::Skipped(why) => Err(why),
            });
        }
        out
    }

    #[tokio::test]
    async fn who_keeps_up_gets_every_frame() {
        let queue = Queue::default();
        let now = Instant::now();
        for n in 0..100 {
            queue.push(&frame(n, n % 25 == 0, 10_000), now + Duration::from_millis(n * 40));
            assert_eq!(drained(&queue).await, [Ok(n)]);
        }
    }

    #[tokio::test]
    async fn who_is_slow_gets_the_newest_keyframe_and_all_again_once_he_keeps_up() {
        let queue = Queue::default();
        let now = Instant::now();
        for n in 0..=110 {
            queue.push(&frame(n, n % 25 == 0, 1000), now + Duration::from_millis(n * 40));
        }
        assert_eq!(drained(&queue).await, [Err(Skip::Slow), Ok(100)], "only the newest keyframe waits");
        for n in 111..=130 {
            queue.push(&frame(n, n % 25 == 0, 1000), now + Duration::from_millis(n * 40));
        }
        assert_eq!(drained(&queue).await, (125..=130).map(Ok).collect::<Vec<_>>(), "from the keyframe on");
    }

    #[tokio::test]
    async fn a_flood_is_bounded_in_bytes() {
        let queue = Queue::default();
        let now = Instant::now();
        for n in 0..100 {
            queue.push(&frame(n, true, 4 << 20), now);
            assert!(queue.inner().bytes <= BYTES);
        }
    }

    #[tokio::test]
    async fn what_waits_is_taken_before_the_end_is_told() {
        let queue = Queue::default();
        queue.push(&frame(1, true, 10), Instant::now());
        queue.skip(Skip::Loss, Instant::now());
        queue.skip(Skip::Loss, Instant::now());
        queue.end(&Failure { cause: fleet::Cause::StreamEnded, detail: String::new() });
        assert_eq!(drained(&queue).await, [Ok(1), Err(Skip::Loss)]);
        assert_eq!(queue.next().await.unwrap_err().cause, fleet::Cause::StreamEnded);
    }
}
