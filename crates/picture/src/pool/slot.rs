//! The life of one slot of the pool: a worker, its pictures one after the other, and its replacement.

use super::{
    Job, Shared, Work,
    process::{Broken, Process},
};
use crate::{
    PictureError,
    jpeg::size_fault,
    wire::{Answer, MAX_ANSWER, Request},
};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// A job that waited longer is refused: its picture is old, and whoever asked has other things to do.
const QUEUE_LIMIT: Duration = Duration::from_secs(10);
/// After so many pictures a worker is replaced: bounds what leaks and fragments, and what a taken-over worker sees.
const PICTURES_PER_LIFE: u32 = 20_000;
/// Largest thumbnail that is taken from a worker.
const MAX_THUMBNAIL: usize = 1 << 20;
/// Waits between attempts to start a worker: first and longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How long a new worker may take to get ready.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Serves jobs until the pool closes. `first` is a worker that is ready, if there is one already.
pub(super) fn drive(shared: &Shared, index: usize, first: Option<Process>) {
    let mut ready = first;
    let mut first_life = ready.is_none();
    let mut pause = BACKOFF.0;
    while !shared.is_closed() {
        let process = match ready.take() {
            Some(process) => process,
            None => {
                if !std::mem::take(&mut first_life) {
                    shared.counters.restarts.fetch_add(1, Relaxed);
                }
                match Process::start(shared.program(), &shared.terms, Instant::now() + READY_LIMIT) {
                    Ok((process, _)) => process,
                    Err(error) => {
                        not_started(shared, &error.to_string());
                        if !shared.rest(pause) {
                            return;
                        }
                        pause = (pause * 2).min(BACKOFF.1);
                        continue;
                    }
                }
            }
        };
        *shared.fault.lock() = None;
        shared.alive.lock().insert(index, process.id());
        let life = live(shared, index, process);
        shared.alive.lock().remove(&index);
        match life {
            // Whoever lives long enough to serve may be replaced at once; whoever dies at once may not.
            Life { served: 0, .. } => {
                if !shared.rest(pause) {
                    return;
                }
                pause = (pause * 2).min(BACKOFF.1);
            }
            Life { .. } => pause = BACKOFF.0,
        }
    }
}

fn not_started(shared: &Shared, why: &str) {
    tracing::error!(%why, "cannot start a decoder process");
    *shared.fault.lock() = Some(why.to_owned());
    if shared.alive.lock().is_empty() {
        shared.fail_waiting(why);
    }
}

struct Life {
    /// Pictures that were answered.
    served: u32,
}

/// One worker's life; it is gone afterwards.
fn live(shared: &Shared, index: usize, mut process: Process) -> Life {
    let mut served = 0;
    while served < PICTURES_PER_LIFE {
        let Some(job) = shared.next_job() else { break };
        if job.reply.is_closed() {
            continue;
        }
        if job.since.elapsed() > QUEUE_LIMIT {
            shared.counters.busy.fetch_add(1, Relaxed);
            let _ = job.reply.send(Err(PictureError::Busy));
            continue;
        }
        shared.counters.at_work.fetch_add(1, Relaxed);
        let deadline = Instant::now() + shared.config.time_limit;
        let outcome = process.exchange(&request(&job), &job.data, MAX_ANSWER, deadline, || shared.is_closed());
        shared.counters.at_work.fetch_sub(1, Relaxed);
        let outcome = outcome.and_then(|body| verdict(&job, Answer::parse(&body)).ok_or(Broken::Died));
        match outcome {
            Ok(answer) => {
                served += 1;
                let _ = job.reply.send(count(shared, answer));
            }
            // Died while idle (the system ran out of memory, an administrator).
            Err(Broken::Gone) => {
                shared.put_back(job);
                break;
            }
            Err(broken) => {
                let end = if broken == Broken::Died { process.autopsy() } else { process.end() };
                shared.alive.lock().remove(&index);
                let error = bury(shared, &job, &broken, end);
                let _ = job.reply.send(Err(error));
                break;
            }
        }
    }
    Life { served }
}

fn request(job: &Job) -> Request<'_> {
    match job.work {
        Work::Assess { thumbnail_width } => Request::Assess { codec: job.codec, thumbnail_width, data: &job.data },
        Work::Render { max_width } => Request::Render { codec: job.codec, max_width, data: &job.data },
    }
}

/// The answer, if it is one to this job and plausible; the worker may have been taken over.
fn verdict(job: &Job, answer: Option<Answer>) -> Option<Answer> {
    let is_jpeg = |data: &[u8]| data.starts_with(&[0xff, 0xd8]) && data.ends_with(&[0xff, 0xd9]);
    let plausible = match (job.work, answer.as_ref()?) {
        (Work::Assess { .. }, Answer::Assessed { width, height, thumbnail, .. }) => {
            size_fault(*width as usize, *height as usize).is_none()
                && thumbnail.len() <= MAX_THUMBNAIL
                && is_jpeg(thumbnail)
        }
        (Work::Render { .. }, Answer::Rendered { jpeg, .. }) => is_jpeg(jpeg),
        (_, Answer::Refused { .. }) => true,
        _ => false,
    };
    answer.filter(|_| plausible)
}

fn count(shared: &Shared, answer: Answer) -> Result<Answer, PictureError> {
    let counters = &shared.counters;
    let cpu = match &answer {
        Answer::Assessed { cpu, .. } | Answer::Rendered { cpu, .. } | Answer::Refused { cpu, .. } => *cpu,
        Answer::Ready(_) => Duration::ZERO,
    };
    let micros = |time: Duration| u64::try_from(time.min(shared.config.time_limit).as_micros()).unwrap_or(0);
    counters.cpu_micros.fetch_add(micros(cpu), Relaxed);
    if let Answer::Assessed { measuring, .. } = &answer {
        counters.measuring_micros.fetch_add(micros(*measuring), Relaxed);
    }
    match answer {
        Answer::Refused { why, .. } => {
            counters.undecodable.fetch_add(1, Relaxed);
            Err(PictureError::Undecodable(why))
        }
        answer => {
            counters.decoded.fetch_add(1, Relaxed);
            Ok(answer)
        }
    }
}

/// What to answer for a picture on which a worker was lost, and who is to be parked for it.
fn bury(shared: &Shared, job: &Job, broken: &Broken, end: String) -> PictureError {
    let error = match broken {
        Broken::Closing => return super::shutting_down(),
        Broken::Gone | Broken::Died => {
            shared.counters.crashed.fetch_add(1, Relaxed);
            PictureError::Crashed(end)
        }
        Broken::TimedOut => {
            shared.counters.timed_out.fetch_add(1, Relaxed);
            PictureError::TimedOut
        }
    };
    tracing::warn!(camera = ?job.camera, codec = job.codec.code(), bytes = job.data.len(), %error, "lost a decoder process");
    shared.parking.lock().killed(job.camera, &job.data, Instant::now());
    error
}
