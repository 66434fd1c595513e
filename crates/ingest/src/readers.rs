//! Threads that read streams and do nothing else.
//!
//! A session is read on one thread from its first byte to its last. On the common runtime a packet that wakes one
//! thread makes it wake another to look for more work, and sessions wander between caches: 800 streams cost 1.25 to 1.36
//! times the floor there and 1.12 to 1.26 here (`./task bench stream_throughput`). Here whoever polls the sockets also
//! reads them, and pages, disks and databases do not stand in the way.

use fleet::CameraId;
use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// As the kernel and the overload watch see the threads (at most 15 characters).
pub const READER_THREADS: &str = "stream-reader";

/// Time between two looks of a thread at how late it is.
const BEAT: Duration = Duration::from_millis(500);

/// The running threads. They end, and every session with them, when this is dropped.
pub(crate) struct Readers {
    handles: Vec<Handle>,
    beats: Vec<Arc<Beat>>,
    over: CancellationToken,
}

/// How late a thread is.
struct Beat {
    origin: Instant,
    /// When it should look next, in ms after `origin`.
    due: AtomicU64,
    /// How late it was the last time, in ms.
    late: AtomicU64,
}

impl Beat {
    fn new() -> Beat {
        let due = u64::try_from(BEAT.as_millis()).unwrap_or(u64::MAX);
        Beat { origin: Instant::now(), due: due.into(), late: 0.into() }
    }

    /// How late it was the last time or, if that is more, is now.
    fn late(&self) -> Duration {
        let overdue = self.origin.elapsed().saturating_sub(Duration::from_millis(self.due.load(Relaxed)));
        overdue.max(Duration::from_millis(self.late.load(Relaxed)))
    }

    async fn keep(&self) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        loop {
            let due = self.origin.elapsed() + BEAT;
            self.due.store(ms(due), Relaxed);
            tokio::time::sleep(BEAT).await;
            self.late.store(ms(self.origin.elapsed().saturating_sub(due)), Relaxed);
        }
    }
}

impl Readers {
    /// Starts `count` threads, or one for two processors if that is 0: one reads 4,000 small streams with half its
    /// time, and few threads find more to read each time they wake.
    ///
    /// Where the system gives no thread, the runtime of the caller reads.
    pub(crate) fn start(count: usize) -> Readers {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count = if count == 0 { processors.div_ceil(2) } else { count };
        let over = CancellationToken::new();
        let (mut handles, mut beats) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let beat = Arc::new(Beat::new());
            match reader(over.clone(), Arc::clone(&beat)) {
                Ok(handle) => {
                    handles.push(handle);
                    beats.push(beat);
                }
                Err(error) => tracing::warn!(%error, "a thread that reads streams could not be started"),
            }
        }
        if handles.is_empty() {
            handles.push(Handle::current());
        }
        Readers { handles, beats, over }
    }

    /// Where each camera's sessions run.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.handles.clone()
    }

    /// How late the latest thread is.
    pub(crate) fn late(&self) -> Duration {
        self.beats.iter().map(|beat| beat.late()).max().unwrap_or_default()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// The one of `handles` that reads this camera.
pub(crate) fn of(handles: &[Handle], camera: CameraId) -> &Handle {
    &handles[camera.0 as usize % handles.len()]
}

fn reader(over: CancellationToken, beat: Arc<Beat>) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(READER_THREADS.to_owned()).spawn(move || {
        runtime.block_on(over.run_until_cancelled(beat.keep()));
        // Whoever still resolves a name is not waited for.
        runtime.shutdown_background();
    })?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_held_up_says_how_late_it_is() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let readers = Readers::start(2);
        assert_eq!(readers.handles.len(), 2);
        let deadline = Instant::now() + Duration::from_secs(120);
        let (held, hold) = std::sync::mpsc::channel::<()>();
        of(&readers.handles, CameraId(1)).spawn(async move {
            let _ = hold.recv();
        });
        while readers.late() < 2 * BEAT {
            assert!(Instant::now() < deadline, "{:?}", readers.late());
            thread::yield_now();
        }
        // On time again once it was let go.
        drop(held);
        while readers.late() > BEAT / 2 {
            assert!(Instant::now() < deadline, "{:?}", readers.late());
            thread::yield_now();
        }
    }
}
