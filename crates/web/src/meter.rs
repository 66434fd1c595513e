//! What our own process uses: CPU and memory, decoder processes included, read from `/proc`.

use parking_lot::Mutex;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The kernel tells CPU time to programs in hundredths of a second on every architecture we run on (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
/// Shortest time over which a share of CPU is told.
const WINDOW: Duration = Duration::from_secs(2);

/// A reading of what the process has used.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Usage {
    /// CPU seconds since the start, children that still run included.
    pub(crate) cpu_seconds: f64,
    /// Resident memory in bytes, children included.
    pub(crate) rss_bytes: u64,
}

/// Tells the share of CPU between two readings.
#[derive(Default)]
pub(crate) struct Meter {
    before: Mutex<Option<(Instant, Usage, f64)>>,
}

impl Meter {
    /// Percent of one core over the last seconds (since the start at the first call), and the reading.
    pub(crate) fn read(&self, uptime: Duration) -> (f64, Usage) {
        let usage = usage();
        let now = Instant::now();
        let mut before = self.before.lock();
        let (since, used, last) = match *before {
            Some((at, earlier, last)) => (now.duration_since(at), usage.cpu_seconds - earlier.cpu_seconds, Some(last)),
            None => (uptime, usage.cpu_seconds, None),
        };
        if let Some(last) = last.filter(|_| since < WINDOW) {
            return (last, usage);
        }
        let percent = if since.is_zero() { 0.0 } else { (used.max(0.0) / since.as_secs_f64()) * 100.0 };
        *before = Some((now, usage, percent));
        (percent, usage)
    }
}

/// What this process and its children have used.
pub(crate) fn usage() -> Usage {
    let mut sum = Usage::default();
    let own = std::process::id();
    add(&mut sum, own);
    for child in children(own) {
        add(&mut sum, child);
    }
    sum
}

fn children(of: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

fn add(sum: &mut Usage, process: u32) {
    if let Some(seconds) = fs::read_to_string(format!("/proc/{process}/stat")).ok().as_deref().and_then(cpu_seconds) {
        sum.cpu_seconds += seconds;
    }
    if let Some(bytes) = fs::read_to_string(format!("/proc/{process}/status")).ok().as_deref().and_then(rss_bytes) {
        sum.rss_bytes += bytes;
    }
}

/// Fields 14 and 15 of proc(5) stat; the second field is a name in brackets that may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_shift_the_fields() {
        let stat = "7 (a) 1 ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
    }

    #[test]
    fn our_own_process_uses_memory() {
        assert!(usage().rss_bytes > 1 << 20);
    }
}
