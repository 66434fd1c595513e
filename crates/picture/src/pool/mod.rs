//! Worker processes and the bounded queue before them.
//!
//! One thread of ours drives each worker with blocking pipes and a deadline, so that nothing a worker does, or
//! fails to do, can hold up the service's event loop. This module knows nothing about pictures but their size.

mod parking;
mod process;
mod slot;

use crate::{
    Assessment, Config, PictureError, PoolError, SandboxPolicy, SandboxReport,
    sandbox::Layer,
    wire::{Answer, MAX_KEYFRAME},
};
use bytes::Bytes;
use fleet::{CameraId, Codec};
use parking::Parking;
use parking_lot::{Condvar, Mutex};
use process::{Process, Terms};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// How long the first worker may take to get ready: loading FFmpeg's libraries from a cold disk takes seconds.
const READY_LIMIT: Duration = Duration::from_secs(10);
/// How long [`Pool::shutdown`] waits for the workers; busy ones are killed within a fraction of it.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Figures since start, for metrics and the self-health page.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Workers that are ready or at work.
    pub workers: usize,
    /// Their process ids.
    pub pids: Vec<u32>,
    /// Pictures waiting now.
    pub queued: usize,
    /// Pictures in the hands of workers now.
    pub at_work: usize,
    /// Pictures decoded.
    pub decoded: u64,
    /// Pictures that did not decode.
    pub undecodable: u64,
    /// Workers that died on a picture.
    pub crashed: u64,
    /// Workers killed because a picture took too long.
    pub timed_out: u64,
    /// Requests refused because too many were waiting, or the machine too busy for its workers.
    pub busy: u64,
    /// Requests refused because the camera or picture is parked.
    pub refused_parked: u64,
    /// Cameras parked now.
    pub parked_cameras: usize,
    /// Worker processes started to replace others.
    pub restarts: u64,
    /// CPU time that workers say they spent on pictures.
    pub cpu: Duration,
    /// Of that, what measuring took, without decoding and thumbnail.
    pub measuring: Duration,
    /// Why no worker can be started at the moment, if that is so.
    pub fault: Option<String>,
}

/// Decoder processes behind a bounded queue. A cheap handle; when the last one is dropped the workers end.
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    /// Closes when the last worker's thread has ended.
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Pool {
    /// Starts the workers (`program decode-worker`) and waits until the first is ready, at most 10 s (usually
    /// a fifth of a second). Blocks the calling thread for that long.
    ///
    /// # Errors
    /// If the program cannot be started or does not get ready, or a layer of the sandbox is missing that the
    /// policy requires.
    pub fn start(config: Config, program: PathBuf) -> Result<Pool, PoolError> {
        check(&config)?;
        let program = std::path::absolute(&program).map_err(|error| PoolError::Start { program, error })?;
        let terms = Terms { memory: config.memory_limit, picture: config.time_limit };
        let (ending, ended) = mpsc::channel(1);
        let shared = Arc::new(Shared::new(config, program, terms));
        let first = shared.start_worker(Instant::now() + READY_LIMIT)?;
        shared.alive.lock().insert(0, first.id());
        let mut first = Some(first);
        for index in 0..shared.config.workers {
            let (shared, first, ending) = (Arc::clone(&shared), first.take(), ending.clone());
            thread::Builder::new()
                .name(format!("decoder-{index}"))
                .spawn(move || {
                    slot::drive(&shared, index, first);
                    drop(ending);
                })
                .map_err(|e| PoolError::NotReady(format!("no thread for it: {e}")))?;
        }
        Ok(Pool { handle: Arc::new(Handle { shared, ended: tokio::sync::Mutex::new(ended) }) })
    }

    /// Decodes one keyframe (Annex B with parameter sets first, or a JPEG), makes the thumbnail, measures.
    ///
    /// # Errors
    /// See [`PictureError`]; [`Busy`](PictureError::Busy) at once when the queue is full.
    pub async fn assess(&self, camera: CameraId, codec: Codec, data: Bytes) -> Result<Assessment, PictureError> {
        let width = self.handle.shared.config.thumbnail_width;
        match self.submit(camera, Work::Assess { thumbnail_width: width }, codec, data).await? {
            Answer::Assessed { width, height, thumbnail, features, .. } => {
                Ok(Assessment { width, height, thumbnail, features: *features })
            }
            other => Err(out_of_place(&other)),
        }
    }

    /// Decodes one keyframe of a camera to a JPEG for people, scaled down to `max_width` pixels if it is wider.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub async fn render(
        &self,
        camera: CameraId,
        codec: Codec,
        data: Bytes,
        max_width: Option<u32>,
    ) -> Result<Bytes, PictureError> {
        match self.submit(camera, Work::Render { max_width }, codec, data).await? {
            Answer::Rendered { jpeg, .. } => Ok(jpeg),
            other => Err(out_of_place(&other)),
        }
    }

    /// Which layers of the sandbox hold in the worker that was started last.
    #[must_use]
    pub fn sandbox(&self) -> SandboxReport {
        self.handle.shared.sandbox.lock().clone()
    }

    /// Figures since start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.shared.stats()
    }

    /// Ends all workers, also those at work, and returns when they are gone, at most 2 s later. Requests that
    /// wait, and later ones, are answered with [`Own`](PictureError::Own).
    pub async fn shutdown(&self) {
        self.handle.shared.close();
        let mut ended = self.handle.ended.lock().await;
        if tokio::time::timeout(SHUTDOWN_LIMIT, ended.recv()).await.is_err() {
            tracing::warn!("decoder processes did not end in time");
        }
    }

    async fn submit(&self, camera: CameraId, work: Work, codec: Codec, data: Bytes) -> Result<Answer, PictureError> {
        if data.len() > MAX_KEYFRAME {
            return Err(PictureError::Undecodable(format!("its {} bytes are too many", data.len())));
        }
        let (reply, answer) = oneshot::channel();
        self.handle.shared.enqueue(Job { camera, work, codec, data, since: Instant::now(), reply })?;
        // Bounded: every job is answered after at most QUEUE_LIMIT of waiting and one time limit of work.
        answer.await.unwrap_or_else(|_| Err(shutting_down()))
    }
}

fn out_of_place(answer: &Answer) -> PictureError {
    // Slots check the kind of every answer; see `slot::verdict`.
    tracing::error!(?answer, "an answer of the wrong kind passed the check");
    PictureError::Own("mixed-up answers".to_owned())
}

fn shutting_down() -> PictureError {
    PictureError::Own("shutting down".to_owned())
}

fn check(config: &Config) -> Result<(), PoolError> {
    let fault = if !(1..=64).contains(&config.workers) {
        "workers must be 1 to 64"
    } else if !(1..=10_000).contains(&config.queue) {
        "queue must be 1 to 10000"
    } else if !(16..=2048).contains(&config.thumbnail_width) {
        "thumbnail_width must be 16 to 2048"
    } else if config.memory_limit < 64 << 20 {
        "memory_limit must be at least 64 MiB"
    } else if !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&config.time_limit) {
        "time_limit must be 50 ms to 60 s"
    } else if config.kills_before_parking == 0 {
        "kills_before_parking must be at least 1"
    } else {
        return Ok(());
    };
    Err(PoolError::Config(fault.to_owned()))
}

/// Refuses a worker whose sandbox lacks a whole layer that the policy requires. What a layer holds in part only is named:
/// the calls that this kernel's landlock does not know are among those that seccomp forbids.
fn judge_sandbox(report: &SandboxReport, policy: SandboxPolicy) -> Result<(), PoolError> {
    let seccomp = report.layers.iter().any(|l| l.layer == Layer::Seccomp && l.active);
    let missing: Vec<String> = report
        .layers
        .iter()
        .filter(|l| !l.active || !l.lacks.is_empty() && !seccomp)
        .map(|l| format!("{} ({})", l.layer.code(), if l.active { &l.lacks } else { &l.detail }))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    match policy {
        SandboxPolicy::Require => Err(PoolError::Sandbox(missing.join(", "))),
        SandboxPolicy::Prefer => Ok(()),
    }
}

/// What a report lacks, for people; empty if it is whole.
fn lacking(report: &SandboxReport) -> String {
    let lacks = report.layers.iter().filter_map(|l| match (l.active, l.lacks.as_str()) {
        (true, "") => None,
        (true, lacks) => Some(format!("{} (in part: lacks {lacks})", l.layer.code())),
        (false, _) => Some(format!("{} ({})", l.layer.code(), l.detail)),
    });
    lacks.collect::<Vec<_>>().join(", ")
}

/// What is wanted from a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Assess { thumbnail_width: u32 },
    Render { max_width: Option<u32> },
}

struct Job {
    camera: CameraId,
    work: Work,
    codec: Codec,
    data: Bytes,
    since: Instant,
    reply: oneshot::Sender<Result<Answer, PictureError>>,
}

/// What the handles and the slots' threads share.
struct Shared {
    config: Config,
    program: PathBuf,
    terms: Terms,
    queue: Mutex<Queue>,
    /// Notified when the queue gets a job or closes.
    wake: Condvar,
    parking: Mutex<Parking>,
    late: Mutex<Vec<slot::Late>>,
    /// Of the worker started last.
    sandbox: Mutex<SandboxReport>,
    /// Process id by slot.
    alive: Mutex<BTreeMap<usize, u32>>,
    fault: Mutex<Option<String>>,
    counters: Counters,
}

#[derive(Default)]
struct Queue {
    /// Rendering for people goes first.
    people: VecDeque<Job>,
    checks: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Counters {
    decoded: AtomicU64,
    undecodable: AtomicU64,
    crashed: AtomicU64,
    timed_out: AtomicU64,
    busy: AtomicU64,
    refused_parked: AtomicU64,
    restarts: AtomicU64,
    at_work: AtomicUsize,
    cpu_micros: AtomicU64,
    measuring_micros: AtomicU64,
}

impl Shared {
    fn new(config: Config, program: PathBuf, terms: Terms) -> Shared {
        let parking = Parking::new(config.kills_before_parking, config.parking);
        Shared {
            config,
            program,
            terms,
            queue: Mutex::default(),
            wake: Condvar::new(),
            parking: Mutex::new(parking),
            late: Mutex::default(),
            sandbox: Mutex::default(),
            alive: Mutex::default(),
            fault: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// Starts a worker whose sandbox is as the policy wants it.
    fn start_worker(&self, ready: Instant) -> Result<Process, PoolError> {
        let (process, report) = Process::start(&self.program, &self.terms, ready)?;
        judge_sandbox(&report, self.config.sandbox)?;
        let mut known = self.sandbox.lock();
        if *known != report {
            let lacking = lacking(&report);
            if !lacking.is_empty() {
                tracing::warn!(%lacking, "the decoders' sandbox is incomplete on this kernel");
            }
            *known = report;
        }
        Ok(process)
    }

    fn enqueue(&self, job: Job) -> Result<(), PictureError> {
        if let Some(left) = self.parking.lock().refuses(job.camera, &job.data, Instant::now()) {
            self.counters.refused_parked.fetch_add(1, Relaxed);
            return Err(PictureError::Parked(left));
        }
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(shutting_down());
        }
        let lane = match job.work {
            Work::Render { .. } => &mut queue.people,
            Work::Assess { .. } => &mut queue.checks,
        };
        if lane.len() >= self.config.queue {
            self.counters.busy.fetch_add(1, Relaxed);
            return Err(PictureError::Busy);
        }
        lane.push_back(job);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// The next job; waits for one. `None` once the pool is closed.
    fn next_job(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.people.pop_front().or_else(|| queue.checks.pop_front()) {
                return Some(job);
            }
            self.wake.wait(&mut queue);
        }
    }

    /// Gives back a job that was not begun; it comes first again.
    fn put_back(&self, job: Job) {
        let mut queue = self.queue.lock();
        if queue.closed {
            drop(queue);
            let _ = job.reply.send(Err(shutting_down()));
            return;
        }
        match job.work {
            Work::Render { .. } => queue.people.push_front(job),
            Work::Assess { .. } => queue.checks.push_front(job),
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Waits for `pause`, or less if the pool closes meanwhile; whether it is still open.
    fn rest(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        let mut queue = self.queue.lock();
        while !queue.closed && !self.wake.wait_until(&mut queue, end).timed_out() {}
        !queue.closed
    }

    fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        let (people, checks) = (std::mem::take(&mut queue.people), std::mem::take(&mut queue.checks));
        drop(queue);
        self.wake.notify_all();
        for job in people.into_iter().chain(checks) {
            let _ = job.reply.send(Err(shutting_down()));
        }
    }

    /// Answers all that wait: no worker is left to serve them.
    fn fail_waiting(&self, why: &str) {
        let mut queue = self.queue.lock();
        let (people, checks) = (std::mem::take(&mut queue.people), std::mem::take(&mut queue.checks));
        drop(queue);
        for job in people.into_iter().chain(checks) {
            let _ = job.reply.send(Err(PictureError::Own(why.to_owned())));
        }
    }

    fn stats(&self) -> Stats {
        let pids: Vec<u32> = self.alive.lock().values().copied().collect();
        let queued = {
            let queue = self.queue.lock();
            queue.people.len() + queue.checks.len()
        };
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        Stats {
            workers: pids.len(),
            pids,
            queued,
            at_work: self.counters.at_work.load(Relaxed),
            decoded: count(&self.counters.decoded),
            undecodable: count(&self.counters.undecodable),
            crashed: count(&self.counters.crashed),
            timed_out: count(&self.counters.timed_out),
            busy: count(&self.counters.busy),
            refused_parked: count(&self.counters.refused_parked),
            parked_cameras: self.parking.lock().parked(Instant::now()),
            restarts: count(&self.counters.restarts),
            cpu: Duration::from_micros(count(&self.counters.cpu_micros)),
            measuring: Duration::from_micros(count(&self.counters.measuring_micros)),
            fault: self.fault.lock().clone(),
        }
    }
}
