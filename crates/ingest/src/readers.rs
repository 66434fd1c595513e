//! Threads that read streams and do nothing else.
//!
//! A session is read on one thread from its first byte to its last. On the common runtime a packet that wakes one
//! thread makes it wake another to look for more work, and sessions wander between caches: measured as a quarter of
//! what reading 800 streams costs (`./task bench stream_throughput`). Here whoever polls the sockets also reads them,
//! and pages, disks and databases do not stand in the way.

use fleet::CameraId;
use std::{num::NonZeroUsize, thread};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// As the kernel and the overload watch see the threads (at most 15 characters).
pub const READER_THREADS: &str = "stream-reader";

/// The running threads. They end, and every session with them, when this is dropped.
pub(crate) struct Readers {
    handles: Vec<Handle>,
    over: CancellationToken,
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
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            match reader(over.clone()) {
                Ok(handle) => handles.push(handle),
                Err(error) => tracing::warn!(%error, "a thread that reads streams could not be started"),
            }
        }
        if handles.is_empty() {
            handles.push(Handle::current());
        }
        Readers { handles, over }
    }

    /// Where each camera's sessions run.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.handles.clone()
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

fn reader(over: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(READER_THREADS.to_owned()).spawn(move || {
        runtime.block_on(over.cancelled());
        // Whoever still resolves a name is not waited for.
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
