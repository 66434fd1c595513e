//! Whether this process gets the processor time it needs.
//!
//! A runtime thread that is never idle falls behind the streams: packets wait in the kernel, and answers of cameras
//! that came in time are read too late. Load of the machine as a whole says nothing of this (other programs may give
//! way to us), so the runtime's own threads are asked: `/proc/self/task/*/schedstat` has the nanoseconds that a thread
//! ran and those that it was ready but waited for a processor (Linux, Documentation/scheduler/sched-stats.rst).
//! The common runtime is out of time when none of its threads has any; of the threads that read streams each one
//! matters, for a session stays on its thread. A wait is booked only when it is over, so these also say themselves how
//! late they are.
//! A runtime with little to do may leave one thread asleep while the other starves: then its timers are late.

use std::{
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

/// Threads of the runtime, as tokio names them (the kernel keeps 15 characters).
const RUNTIME_THREADS: &str = "tokio-rt-worker";
/// A thread that was busy or waiting for so much of the time has no time left.
const BUSY: f64 = 0.97;
/// It has time again.
const RELAXED: f64 = 0.85;
/// A look that comes later than this after the one before (they are a second apart) found the timers late.
const LATE: Duration = Duration::from_secs(2);
/// The same of a thread that reads streams, which looks twice a second.
const READ_LATE: Duration = Duration::from_secs(1);
/// How long it must be so before it is told, and otherwise before it is taken back.
const HOLD: Duration = Duration::from_secs(5);

/// What a thread is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Duty {
    Common,
    Streams,
}

/// How long each of our threads was busy, by thread id.
type Sample = HashMap<u64, (Duty, Duration)>;

/// Watches over the samples.
#[derive(Default)]
pub(super) struct Strain {
    last: Option<(Instant, Sample)>,
    /// Since when there has been no time, while that is not told yet; time again, while it is.
    turning: Option<Instant>,
    told: Option<String>,
}

impl Strain {
    /// Takes a sample and says whether the runtime has no time left. `None` as well where the kernel does not tell.
    /// `late`: by how much the threads that read streams are late.
    pub(super) fn look(&mut self, late: Duration) -> Option<String> {
        self.take(Instant::now(), sample(), late)
    }

    fn take(&mut self, now: Instant, sample: Sample, late: Duration) -> Option<String> {
        let (before, earlier) = self.last.replace((now, sample.clone()))?;
        let real = now.saturating_duration_since(before);
        let shares = |wanted: Duty| {
            let of = |(thread, (duty, busy)): (&u64, &(Duty, Duration))| {
                let spent = busy.saturating_sub(earlier.get(thread).filter(|_| *duty == wanted)?.1);
                Some(spent.as_secs_f64() / real.as_secs_f64().max(0.001))
            };
            sample.iter().filter_map(of).collect::<Vec<f64>>()
        };
        // Where the kernel does not tell, only lateness does.
        let common = shares(Duty::Common).into_iter().min_by(f64::total_cmp).unwrap_or(0.0);
        let streams = shares(Duty::Streams).into_iter().max_by(f64::total_cmp).unwrap_or(0.0);
        let most = common.max(streams);
        let strained = most >= BUSY || real >= LATE || late >= READ_LATE;
        let relaxed = most < RELAXED && real < LATE && late < READ_LATE;
        if !(if self.told.is_none() { strained } else { relaxed }) {
            self.turning = None;
        } else if now.saturating_duration_since(*self.turning.get_or_insert(before)) >= HOLD {
            self.turning = None;
            self.told = match self.told {
                None => Some("the threads that read streams get too little processor time".to_owned()),
                Some(_) => None,
            };
        }
        self.told.clone()
    }
}

fn sample() -> Sample {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Sample::new() };
    tasks
        .flatten()
        .filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let duty = match name.trim_end() {
                RUNTIME_THREADS => Duty::Common,
                ingest::READER_THREADS => Duty::Streams,
                _ => return None,
            };
            let thread = task.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((thread, (duty, busy(&stat)?)))
        })
        .collect()
}

/// Time that a thread ran or was ready to.
fn busy(schedstat: &str) -> Option<Duration> {
    let mut fields = schedstat.split_ascii_whitespace().map(|f| f.parse::<u64>().ok());
    Some(Duration::from_nanos(fields.next()??.checked_add(fields.next()??)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads, of which the first is busy all the time and the second for this share of each second.
    fn run(strain: &mut Strain, from: Instant, seconds: u64, start: u64, share: f64) -> Vec<bool> {
        (1..=seconds)
            .map(|s| {
                let second = Duration::from_secs_f64(start as f64 + s as f64 * share);
                let first = Duration::from_secs(start + s);
                let sample = Sample::from([(1, (Duty::Common, first)), (2, (Duty::Common, second))]);
                strain.take(from + Duration::from_secs(s), sample, Duration::ZERO).is_some()
            })
            .collect()
    }

    #[test]
    fn it_is_told_when_no_thread_has_had_time_for_a_while() {
        let (mut strain, began) = (Strain::default(), Instant::now());
        let told = run(&mut strain, began, 12, 0, 1.0);
        assert_eq!(told.iter().position(|t| *t), Some(5), "{told:?}");
        assert!(told[6..].iter().all(|t| *t), "{told:?}");
        // One thread with time is enough; it is taken back after a while.
        let later = run(&mut strain, began + Duration::from_secs(12), 12, 12, 0.5);
        assert!(later[0] && !later[11], "{later:?}");
    }

    #[test]
    fn one_busy_thread_that_reads_streams_is_enough() {
        let (mut strain, began) = (Strain::default(), Instant::now());
        let told = (1..=8).map(|s| {
            let of = |duty, share: f64| (duty, Duration::from_secs_f64(s as f64 * share));
            let sample = [(1, of(Duty::Common, 0.1)), (2, of(Duty::Streams, 0.2)), (3, of(Duty::Streams, 1.0))];
            strain.take(began + Duration::from_secs(s), Sample::from(sample), Duration::ZERO).is_some()
        });
        let told: Vec<bool> = told.collect();
        assert_eq!(told.iter().position(|t| *t), Some(5), "{told:?}");
    }

    #[test]
    fn late_readers_are_told_though_nothing_is_booked_yet() {
        for (late, wanted) in [(1200, Some(5)), (400, None)] {
            let (mut strain, began) = (Strain::default(), Instant::now());
            let told = (1..=8).map(|s| {
                let streams = Sample::from([(1, (Duty::Streams, Duration::ZERO))]);
                strain.take(began + Duration::from_secs(s), streams, Duration::from_millis(late)).is_some()
            });
            let told: Vec<bool> = told.collect();
            assert_eq!(told.iter().position(|t| *t), wanted, "{told:?}");
        }
    }

    #[test]
    fn late_timers_are_told_whatever_the_threads_do() {
        let (mut strain, began) = (Strain::default(), Instant::now());
        let mut told =
            (0..5).map(|i| strain.take(began + Duration::from_secs(3 * i), Sample::new(), Duration::ZERO).is_some());
        assert_eq!(told.position(|t| t), Some(2));
    }

    #[test]
    fn a_short_burst_and_a_single_busy_thread_are_nothing() {
        let (mut strain, began) = (Strain::default(), Instant::now());
        assert!(!run(&mut strain, began, 30, 0, 0.9).contains(&true));
        assert!(!run(&mut strain, began + Duration::from_secs(30), 4, 30, 1.0).contains(&true));
    }

    #[test]
    fn the_kernel_is_understood() {
        assert_eq!(busy("1067640000 1670630000 42\n"), Some(Duration::from_nanos(2_738_270_000)));
        assert_eq!(busy("x"), None);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        // A thread gives itself its name a moment after it was started.
        let deadline = Instant::now() + Duration::from_secs(10);
        while sample().values().filter(|thread| thread.0 == Duty::Common).count() < 2 {
            assert!(Instant::now() < deadline, "{:?}", sample());
            std::thread::yield_now();
        }
        drop(runtime);
    }
}
