//! The life of one slot of the pool: a worker, its pictures one after the other, and its replacement.

use super::{
    Job, Shared, Work,
    process::{Broken, CPU_OF_A_LIFE, Process},
};
use crate::{
    PictureError,
    jpeg::size_fault,
    wire::{Answer, MAX_ANSWER, Request},
};
use bytes::Bytes;
use fleet::CameraId;
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// A job that waited longer is refused: its picture is old, and whoever asked has other things to do.
const QUEUE_LIMIT: Duration = Duration::from_secs(10);
/// After so many pictures a worker is replaced: bounds what leaks and fragments, and what a taken-over worker sees.
const PICTURES_PER_LIFE: u32 = 20_000;
/// A camera whose pictures ran out of time is to blame once its workers computed for at least this share of one
/// picture's time: else they did not come to their turn, and that is ours.
const SHARE_OF_ITS_TIME: u32 = 2;
/// Timeouts of so many cameras in so short a time are ours, too, whatever the workers say they did.
const AT_ONCE: (usize, Duration) = (4, Duration::from_secs(20));
/// A worker that is gone so soon after an answer was ended by what it answered last.
const AFTERMATH: Duration = Duration::from_secs(1);
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
                match shared.start_worker(Instant::now() + READY_LIMIT) {
                    Ok(process) => process,
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
    let mut last: Option<(CameraId, Bytes, Instant)> = None;
    loop {
        let cpu = process.cpu();
        if is_spent(served, cpu, shared.config.time_limit) {
            break;
        }
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
        let begun = Instant::now();
        let deadline = begun + shared.config.time_limit;
        let outcome = process.exchange(&request(&job), &job.data, MAX_ANSWER, deadline, || shared.is_closed());
        shared.counters.at_work.fetch_sub(1, Relaxed);
        let outcome = outcome.and_then(|body| verdict(&job, Answer::parse(&body)).ok_or(Broken::Died));
        match outcome {
            Ok(answer) => {
                served += 1;
                shared.late.lock().retain(|late| late.camera != job.camera);
                last = Some((job.camera, job.data.clone(), Instant::now()));
                let _ = job.reply.send(count(shared, answer));
            }
            // Died while idle (the system ran out of memory, an administrator), or of what it had answered just before.
            Err(Broken::Gone) => {
                if let Some((camera, data, _)) = last.filter(|(.., at)| begun.duration_since(*at) < AFTERMATH) {
                    tracing::warn!(%camera, "a decoder process ended right after this camera's picture");
                    shared.parking.lock().killed(camera, &data, Instant::now());
                }
                shared.put_back(job);
                break;
            }
            Err(Broken::TimedOut) if shared.was_kept_waiting(&job, cpu, process.cpu()) => {
                process.end();
                shared.alive.lock().remove(&index);
                shared.counters.busy.fetch_add(1, Relaxed);
                tracing::warn!(camera = %job.camera, "a decoder process did not come to its turn: this machine is too busy");
                let _ = job.reply.send(Err(PictureError::Busy));
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

/// A camera of which a picture ran out of time lately.
pub(super) struct Late {
    camera: CameraId,
    at: Instant,
    /// CPU time that its workers took since it last had an answer; none if the system does not tell.
    computed: Option<Duration>,
}

/// Whether a worker is to be replaced before its next picture: after enough of them, or while its CPU time still lasts
/// for the worst picture.
fn is_spent(served: u32, cpu: Option<Duration>, picture: Duration) -> bool {
    served >= PICTURES_PER_LIFE || cpu.is_some_and(|cpu| cpu + picture * 2 >= CPU_OF_A_LIFE)
}

impl Shared {
    /// Whether a picture that ran out of time did so because this machine did not let its worker work. On a machine
    /// that is always busy a picture that takes all the time is found out as well, in more than one attempt.
    fn was_kept_waiting(&self, job: &Job, before: Option<Duration>, after: Option<Duration>) -> bool {
        let now = Instant::now();
        let mut all = self.late.lock();
        all.retain(|late| now.duration_since(late.at) < AT_ONCE.1);
        let at = all.iter().position(|late| late.camera == job.camera).unwrap_or(all.len());
        if at == all.len() {
            all.push(Late { camera: job.camera, at: now, computed: Some(Duration::ZERO) });
        }
        let late = &mut all[at];
        late.at = now;
        late.computed =
            late.computed.zip(before.zip(after)).map(|(sum, (before, after))| sum + after.saturating_sub(before));
        let idle = late.computed.is_some_and(|computed| computed < self.config.time_limit / SHARE_OF_ITS_TIME);
        idle || all.len() >= AT_ONCE.0
    }
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
    tracing::warn!(camera = %job.camera, codec = job.codec.code(), bytes = job.data.len(), %error, "lost a decoder process");
    shared.parking.lock().killed(job.camera, &job.data, Instant::now());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_replaced_before_the_kernel_ends_it() {
        let picture = Duration::from_secs(4);
        let spent = |served, cpu| is_spent(served, Some(Duration::from_secs(cpu)), picture);
        assert!(!spent(0, 0) && !spent(PICTURES_PER_LIFE - 1, 1700));
        assert!(spent(PICTURES_PER_LIFE, 0));
        assert!(spent(5, CPU_OF_A_LIFE.as_secs() - picture.as_secs()), "the next picture may take all its time");
        assert!(!is_spent(5, None, picture), "a kernel that does not tell");
    }
}
