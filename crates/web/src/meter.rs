//! What this node and its machine use: processor and memory, part by part, read from `/proc`. A simulator that runs
//! beside a demo is counted apart: it is no part of the service.

use parking_lot::Mutex;
use std::{
    fs,
    time::{Duration, Instant},
};

/// The kernel tells CPU time to programs in hundredths of a second on every architecture we run on (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
/// Shortest time over which a share of CPU is told.
const WINDOW: Duration = Duration::from_secs(2);

/// Which processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// The service itself.
    Service,
    /// Its decoder processes.
    Decoders,
    /// The simulated cameras of a demo.
    Simulator,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Service, Part::Decoders, Part::Simulator];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Part::Service => "service",
            Part::Decoders => "decoders",
            Part::Simulator => "simulator",
        }
    }

    /// By how a child of ours was started.
    fn of_child(command: &[u8]) -> Part {
        let simulates = command.split(|byte| *byte == 0).nth(1) == Some(b"sim");
        if simulates { Part::Simulator } else { Part::Decoders }
    }
}

/// What the processes of one part use.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) processes: u32,
    /// CPU seconds of those that run now, since each began.
    pub(crate) cpu_seconds: f64,
    /// Of one core, over the last seconds.
    pub(crate) cpu_percent: f64,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
}

/// One reading.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Reading {
    parts: [Usage; 3],
    /// Busy share of all cores of the machine over the last seconds; `None` where the kernel does not tell.
    pub(crate) machine_percent: Option<f64>,
}

impl Reading {
    pub(crate) fn of(&self, part: Part) -> &Usage {
        &self.parts[part as usize]
    }

    /// The service with its decoder processes: what it costs to watch the cameras.
    pub(crate) fn node(&self) -> Usage {
        let (service, decoders) = (self.of(Part::Service), self.of(Part::Decoders));
        Usage {
            processes: service.processes + decoders.processes,
            cpu_seconds: service.cpu_seconds + decoders.cpu_seconds,
            cpu_percent: service.cpu_percent + decoders.cpu_percent,
            rss_bytes: service.rss_bytes + decoders.rss_bytes,
        }
    }
}

/// Tells shares of CPU between two readings.
#[derive(Default)]
pub(crate) struct Meter {
    before: Mutex<Option<Kept>>,
}

struct Kept {
    at: Instant,
    reading: Reading,
    machine: Option<(f64, f64)>,
}

impl Meter {
    /// What is used now; shares over the last seconds, at the first call since the start (`uptime` ago).
    pub(crate) fn read(&self, uptime: Duration) -> Reading {
        let mut reading = Reading { parts: usage(), machine_percent: None };
        let machine = fs::read_to_string("/proc/stat").ok().as_deref().and_then(machine_ticks);
        let now = Instant::now();
        let mut kept = self.before.lock();
        let since = kept.as_ref().map_or(uptime, |k| now.duration_since(k.at));
        if let Some(last) = kept.as_ref().filter(|_| since < WINDOW) {
            for (part, before) in reading.parts.iter_mut().zip(&last.reading.parts) {
                part.cpu_percent = before.cpu_percent;
            }
            reading.machine_percent = last.reading.machine_percent;
            return reading;
        }
        for (n, part) in reading.parts.iter_mut().enumerate() {
            // A decoder that was replaced took its time with it.
            let used = part.cpu_seconds - kept.as_ref().map_or(0.0, |k| k.reading.parts[n].cpu_seconds);
            part.cpu_percent = if since.is_zero() { 0.0 } else { used.max(0.0) / since.as_secs_f64() * 100.0 };
        }
        let (busy, all) = kept.as_ref().and_then(|k| k.machine).unwrap_or_default();
        reading.machine_percent = machine.map(|(b, a)| (b - busy) / (a - all).max(1.0) * 100.0);
        *kept = Some(Kept { at: now, reading, machine });
        reading
    }
}

/// What this process and its children use, by part; shares are not filled in.
pub(crate) fn usage() -> [Usage; 3] {
    let mut parts = [Usage::default(); 3];
    let own = std::process::id();
    add(&mut parts[Part::Service as usize], own);
    for child in children(own) {
        let command = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        add(&mut parts[Part::of_child(&command) as usize], child);
    }
    parts
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
    let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
    sum.processes += 1;
    sum.cpu_seconds += read("stat").as_deref().and_then(cpu_seconds).unwrap_or(0.0);
    sum.rss_bytes += read("status").as_deref().and_then(|text| kib(text, "VmRSS")).unwrap_or(0);
}

/// Fields 14 and 15 of proc(5) stat; the second field is a name in brackets that may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Busy ticks and all ticks of all cores since the machine began: the first line of proc(5) `stat`, whose fourth and
/// fifth figures are idle and waiting for a disk. Time of guests is in the first two already.
fn machine_ticks(stat: &str) -> Option<(f64, f64)> {
    let mut fields = stat.lines().next()?.split_whitespace();
    if fields.next() != Some("cpu") {
        return None;
    }
    let ticks: Vec<f64> = fields.take(8).filter_map(|f| f.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let all: f64 = ticks.iter().sum();
    Some((all - idle, all))
}

/// A line such as `VmRSS: 12 kB` in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The machine, as it tells of itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Machine {
    /// Name and version of the system.
    pub(crate) system: String,
    /// Release of the kernel.
    pub(crate) kernel: String,
    pub(crate) cores: usize,
    /// Tasks that ran or waited, on average over 1, 5 and 15 minutes.
    pub(crate) load: Option<[f64; 3]>,
    pub(crate) memory_bytes: Option<u64>,
    /// What programs can still be given.
    pub(crate) available_bytes: Option<u64>,
    pub(crate) uptime: Option<Duration>,
}

impl Machine {
    pub(crate) fn read() -> Machine {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory = text("/proc/meminfo");
        let mut load = text("/proc/loadavg").split_whitespace().map_while(|f| f.parse().ok()).collect::<Vec<f64>>();
        load.truncate(3);
        let seconds = text("/proc/uptime").split_whitespace().next().and_then(|f| f.parse().ok());
        let release = text("/etc/os-release");
        let name = release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
        Machine {
            system: name.trim_matches('"').to_owned(),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: load.try_into().ok(),
            memory_bytes: kib(&memory, "MemTotal"),
            available_bytes: kib(&memory, "MemAvailable"),
            uptime: seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()),
        }
    }
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
    fn children_are_told_apart_by_how_they_were_started() {
        for (command, part) in [
            (&b"/usr/bin/sharpeyes\0decode-worker\0"[..], Part::Decoders),
            (b"/usr/bin/sharpeyes\0sim\0", Part::Simulator),
            (b"/opt/sim\0decode-worker\0", Part::Decoders),
            (b"", Part::Decoders),
        ] {
            assert_eq!(Part::of_child(command), part, "{command:?}");
        }
    }

    #[test]
    fn idle_and_waiting_cores_are_not_busy() {
        let stat = "cpu  100 20 30 700 100 0 40 10 5 5\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(machine_ticks(stat), Some((200.0, 1000.0)));
        assert_eq!(machine_ticks("intr 1 2"), None);
    }

    #[test]
    fn our_own_process_and_machine_are_seen() {
        let reading = Meter::default().read(Duration::from_secs(1));
        let service = reading.of(Part::Service);
        assert!(service.processes == 1 && service.rss_bytes > 1 << 20, "{reading:?}");
        assert_eq!(reading.of(Part::Simulator).processes, 0);
        assert!(reading.machine_percent.is_some_and(|p| (0.0..=100.0).contains(&p)), "{reading:?}");
        let machine = Machine::read();
        assert!(machine.cores > 0 && !machine.kernel.is_empty(), "{machine:?}");
        assert!(machine.available_bytes < machine.memory_bytes, "{machine:?}");
    }
}
