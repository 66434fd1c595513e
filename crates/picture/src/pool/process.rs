//! One worker process and the two pipes to it. Every wait has a deadline.

use crate::{
    PoolError, SandboxReport,
    wire::{Answer, LENGTH_BYTES, Request},
};
use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    fs::{OFlags, fcntl_setfl},
    io::Errno,
    pipe::{PipeFlags, fcntl_setpipe_size, pipe_with},
};
use std::{
    io::{self, IoSlice},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// CPU time of one worker's whole life, after which the kernel ends it; it is replaced before (see `slot::is_spent`).
pub(super) const CPU_OF_A_LIFE: Duration = Duration::from_secs(1800);
/// A pipe of this size takes most keyframes at once.
const PIPE_BYTES: usize = 1 << 20;
/// Most answers are smaller: features and a thumbnail.
const ANSWER_BYTES: usize = 64 << 10;
/// How often a wait looks whether the pool closes.
const SLICE: Duration = Duration::from_millis(100);

/// What a worker is told at its start.
pub(super) struct Terms {
    /// Bytes beyond what the ready process holds.
    pub(super) memory: u64,
    /// Real time for one picture.
    pub(super) picture: Duration,
}

/// Why an exchange failed; the process must be ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The deadline passed.
    TimedOut,
    /// The pipe closed or the answer is too long.
    Died,
    /// It had ended before the request: no picture is to blame.
    Gone,
    /// The pool closes.
    Closing,
}

pub(super) struct Process {
    child: Child,
    requests: OwnedFd,
    answers: OwnedFd,
    /// What an answer begins with; most fit whole.
    answer: Box<[u8]>,
}

impl Process {
    /// Starts a worker and waits until it is confined and ready.
    pub(super) fn start(
        program: &Path,
        terms: &Terms,
        deadline: Instant,
    ) -> Result<(Process, SandboxReport), PoolError> {
        let mut process =
            Process::spawn(program).map_err(|error| PoolError::Start { program: program.to_owned(), error })?;
        let setup = Request::Setup {
            memory: terms.memory,
            cpu: CPU_OF_A_LIFE,
            // The parent's own deadline comes first; this is for a parent that is gone.
            picture: terms.picture + Duration::from_secs(1),
        };
        let answer = process.exchange(&setup, &[], 1 << 16, deadline, || false);
        match answer.map(|body| Answer::parse(&body)) {
            Ok(Some(Answer::Ready(report))) => Ok((process, report)),
            Ok(Some(Answer::Refused { why, .. })) => Err(PoolError::Unfit(why)),
            Ok(_) => Err(PoolError::NotReady("it does not speak our language; is it the same version?".to_owned())),
            Err(Broken::TimedOut) => Err(PoolError::NotReady("it does not answer".to_owned())),
            Err(_) => Err(PoolError::NotReady(format!("it ended: {}", process.autopsy()))),
        }
    }

    fn spawn(program: &Path) -> io::Result<Process> {
        let (requests_out, requests) = pipe_with(PipeFlags::CLOEXEC)?;
        let (answers, answers_in) = pipe_with(PipeFlags::CLOEXEC)?;
        for (pipe, flags) in [(&requests, OFlags::NONBLOCK), (&answers, OFlags::NONBLOCK)] {
            fcntl_setfl(pipe, flags)?;
            // Refused when the user has too many pipes; then messages go in more pieces.
            let _ = fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
        let child = Command::new(program)
            .arg("decode-worker")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(requests_out))
            .stdout(Stdio::from(answers_in))
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal is for the service, which then ends its workers in order.
            .process_group(0)
            .spawn()?;
        Ok(Process { child, requests, answers, answer: vec![0; ANSWER_BYTES].into() })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time that the process used since its start, to a hundredth of a second; `None` if the kernel does not tell.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        // The name in brackets may hold anything; of what follows it utime and stime are the 12th and 13th.
        let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks = after_name.next()?.parse::<u64>().ok()? + after_name.next()?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second().max(1)))
    }

    /// Sends `request` with its keyframe and waits for the answer, at most `most` bytes and until `deadline`.
    pub(super) fn exchange(
        &mut self,
        request: &Request<'_>,
        data: &[u8],
        most: usize,
        deadline: Instant,
        closing: impl Fn() -> bool,
    ) -> Result<Bytes, Broken> {
        self.send(&request.head(), data, deadline, &closing)?;
        // The answer is not there yet: asking first would be a system call for nothing.
        wait(&self.answers, PollFlags::IN, deadline, &closing)?;
        let mut filled = 0;
        while filled < LENGTH_BYTES {
            filled += read(&self.answers, &mut self.answer[filled..], deadline, &closing)?;
        }
        let (length, begun) = self.answer[..filled].split_first_chunk().expect("its length was read");
        let length = u32::from_le_bytes(*length) as usize;
        // More than was announced is no answer to one request.
        if length > most || begun.len() > length {
            return Err(Broken::Died);
        }
        if begun.len() == length {
            return Ok(Bytes::copy_from_slice(begun));
        }
        let mut body = vec![0; length];
        body[..begun.len()].copy_from_slice(begun);
        let mut filled = begun.len();
        while filled < length {
            filled += read(&self.answers, &mut body[filled..], deadline, &closing)?;
        }
        Ok(Bytes::from(body))
    }

    fn send(&self, head: &[u8], data: &[u8], deadline: Instant, closing: &impl Fn() -> bool) -> Result<(), Broken> {
        let mut sent = 0;
        while sent < head.len() + data.len() {
            let rest = [&head[sent.min(head.len())..], &data[sent.saturating_sub(head.len())..]];
            match rustix::io::writev(&self.requests, &rest.map(IoSlice::new)) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(&self.requests, PollFlags::OUT, deadline, closing)?,
                Err(Errno::PIPE) if sent == 0 => return Err(Broken::Gone),
                Err(_) => return Err(Broken::Died),
            }
        }
        Ok(())
    }

    /// Whether the process has already ended.
    fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Says how the process ended, whose pipe closed; ends it if it lives on without a pipe.
    pub(super) fn autopsy(&mut self) -> String {
        let end = Instant::now() + SLICE;
        while !self.is_gone() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end()
    }

    /// Ends the process if it still runs, and says how it ended.
    pub(super) fn end(&mut self) -> String {
        // Has no effect on a process that already died: its status stays what it was.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        }
    }
}

/// Reads what is there; waits for it if there is nothing.
fn read(pipe: &OwnedFd, buffer: &mut [u8], deadline: Instant, closing: &impl Fn() -> bool) -> Result<usize, Broken> {
    loop {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return Err(Broken::Died),
            Ok(count) => return Ok(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(pipe, PollFlags::IN, deadline, closing)?,
            Err(_) => return Err(Broken::Died),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn wait(pipe: &OwnedFd, flags: PollFlags, deadline: Instant, closing: &impl Fn() -> bool) -> Result<(), Broken> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::TimedOut);
        }
        let slice = Timespec::try_from(left.min(SLICE)).expect("a tenth of a second fits");
        match poll(&mut [PollFd::new(pipe, flags)], Some(&slice)) {
            Ok(0) if closing() => return Err(Broken::Closing),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(_) => return Err(Broken::Died),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exit status {}", status.code().unwrap_or(-1));
    };
    let meaning = match signal {
        libc::SIGSEGV | libc::SIGBUS => "memory fault",
        libc::SIGABRT => "aborted",
        libc::SIGSYS => "forbidden system call",
        libc::SIGKILL => "killed",
        libc::SIGXCPU => "CPU time used up",
        libc::SIGALRM => "picture took too long",
        libc::SIGILL | libc::SIGFPE => "illegal instruction or arithmetic",
        _ => "signal",
    };
    format!("{meaning} (signal {signal})")
}
