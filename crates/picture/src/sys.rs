//! The three system calls for which no safe wrapper is at hand. Never anything else.
#![allow(unsafe_code)]

use std::{io, time::Duration};

/// Closes every descriptor above standard error, so that nothing the parent forgot reaches the sandbox.
///
/// Call only at the very start of a process, when no library owns a descriptor yet.
pub(crate) fn close_inherited() {
    // SAFETY: called first thing in a process of its own, before any owner of a descriptor above 2 exists, so
    // no live `OwnedFd` loses its descriptor. A kernel without close_range (before 5.9) answers ENOSYS.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32);
    }
}

/// Lets the kernel kill this process after `limit` of real time (SIGALRM, default action); zero disarms it.
pub(crate) fn kill_me_after(limit: Duration) -> io::Result<()> {
    let timer = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval {
            tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_usec: libc::suseconds_t::from(limit.subsec_micros().cast_signed()),
        },
    };
    // SAFETY: `timer` is a valid itimerval that outlives the call, and the old value is not asked for.
    let result = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// CPU time this thread has used, to the microsecond. Not that of the process: where its CPU time is limited
/// (`RLIMIT_CPU`), the kernel tells that one as it was at the last tick, up to 4 ms ago, and short work took no time.
pub(crate) fn cpu_time() -> Duration {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `spent` is a valid timespec to write to, and lives until after the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut spent) };
    if result != 0 {
        return Duration::ZERO;
    }
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}
