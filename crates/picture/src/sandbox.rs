//! Locks the calling process up for good: no files, no network, no new processes, bounded memory and time.
//!
//! Layers, from the oldest to the newest kernel feature: resource limits, dropped capabilities, `no_new_privs`,
//! seccomp (an allow-list of system calls; anything else kills the process), landlock (no file, no TCP port).
//! Each holds alone, so that a kernel without one of them still confines with the rest. This module only
//! takes rights away; it never decides whether a missing layer is acceptable.

use crate::sys;
use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::{
    process::{Resource, Rlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Display, fs, time::Duration};

/// A way of taking rights away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// prctl `PR_SET_NO_NEW_PRIVS`: no program started from here gains rights.
    NoNewPrivileges,
    /// All capabilities dropped, so that running as root gives nothing.
    Capabilities,
    /// Landlock: no file can be opened, made or run, no TCP port bound or connected, no foreign process signalled.
    Landlock,
    /// Resource limits: memory, CPU time, no further descriptor, no new process, no file content, no core dump.
    Limits,
    /// Seccomp: an allow-list of system calls; anything else ends the process with SIGSYS.
    Seccomp,
}

impl Layer {
    /// Every layer, in the order in which they are put up: each must still allow putting up the next.
    pub const ALL: [Layer; 5] =
        [Layer::NoNewPrivileges, Layer::Landlock, Layer::Capabilities, Layer::Limits, Layer::Seccomp];

    /// The word used in the API and in messages.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Layer::NoNewPrivileges => "no_new_privs",
            Layer::Capabilities => "capabilities",
            Layer::Landlock => "landlock",
            Layer::Limits => "limits",
            Layer::Seccomp => "seccomp",
        }
    }
}

/// What a confined process may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of address space beyond what is mapped when the sandbox closes.
    pub memory: u64,
    /// CPU time in all, after which the kernel kills the process.
    pub cpu: Duration,
}

/// Which layers of the sandbox hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Every layer that was asked for.
    pub layers: Vec<LayerReport>,
}

/// One layer of the sandbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerReport {
    /// Which.
    pub layer: Layer,
    /// Whether it holds.
    pub active: bool,
    /// What it holds, or why it does not.
    pub detail: String,
    /// What it does not hold on this kernel although it is there; empty if it holds all.
    #[serde(default)]
    pub lacks: String,
}

impl SandboxReport {
    /// The layers that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &LayerReport> {
        self.layers.iter().filter(|l| !l.active)
    }
}

/// Puts up `layers` (normally [`Layer::ALL`]) around the calling process. Cannot be undone.
///
/// The process must have a single thread and hold no descriptors beyond the standard ones that it wants to
/// keep; what the decoder needs from files (shared libraries) must be loaded.
#[must_use]
pub fn confine(limits: &Limits, layers: &[Layer]) -> SandboxReport {
    // Read while files can still be opened.
    let (mapped, threads) = (mapped_now(), threads_now());
    let put_up = |&layer: &Layer| {
        let outcome = match layer {
            Layer::NoNewPrivileges => no_new_privileges(),
            Layer::Capabilities => capabilities(),
            Layer::Landlock => landlock(),
            Layer::Limits => resource_limits(limits, mapped),
            Layer::Seccomp => seccomp(threads),
        };
        match outcome {
            Ok(Held { what, lacks }) => LayerReport { layer, active: true, detail: what, lacks },
            Err(why) => LayerReport { layer, active: false, detail: why, lacks: String::new() },
        }
    };
    SandboxReport { layers: layers.iter().map(put_up).collect() }
}

/// What a layer holds, and what it does not on this kernel.
struct Held {
    what: String,
    lacks: String,
}

/// A layer, or why it could not be put up.
type Outcome = Result<Held, String>;

fn whole(what: impl Into<String>) -> Outcome {
    Ok(Held { what: what.into(), lacks: String::new() })
}

fn because(error: impl Display) -> String {
    error.to_string()
}

fn no_new_privileges() -> Outcome {
    rustix::thread::set_no_new_privs(true).map_err(because)?;
    whole("no rights can be gained")
}

fn capabilities() -> Outcome {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(because)?;
    whole("none left")
}

fn landlock() -> Outcome {
    // The newest set of rights known here; older kernels enforce the part they know.
    let abi = ABI::V6;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|r| r.handle_access(AccessNet::from_all(abi)))
        .and_then(|r| r.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(because)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => whole("no files, no TCP ports, no signals"),
        RulesetStatus::PartiallyEnforced => Ok(Held { what: "no files".to_owned(), lacks: unknown_to_this_kernel() }),
        RulesetStatus::NotEnforced => Err("this kernel has no landlock, or it is switched off".to_owned()),
    }
}

/// Rights that this kernel's landlock does not know, by the version that brought them.
fn unknown_to_this_kernel() -> String {
    // Each is asked for by itself, without leaving any out; asking takes nothing away.
    let knows = |abi: ABI| {
        let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let asked = match abi {
            ABI::V4 => rules.handle_access(AccessNet::from_all(abi)),
            ABI::V6 => rules.scope(Scope::from_all(abi)),
            _ => rules.handle_access(AccessFs::from_all(abi)),
        };
        asked.and_then(Ruleset::create).is_ok()
    };
    let rights = [
        (ABI::V2, "moving files between folders (Linux 5.19)"),
        (ABI::V3, "cutting files off (6.2)"),
        (ABI::V4, "TCP ports (6.7)"),
        (ABI::V5, "device commands (6.10)"),
        (ABI::V6, "signals (6.12)"),
    ];
    let lacks: Vec<&str> = rights.into_iter().filter(|(abi, _)| !knows(*abi)).map(|(_, what)| what).collect();
    lacks.join(", ")
}

fn resource_limits(limits: &Limits, mapped: u64) -> Outcome {
    let memory = mapped.saturating_add(limits.memory);
    let set = |resource: Resource, value: u64| {
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|e| format!("{resource:?}: {e}"))
    };
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nproc, 0)?;
    set(Resource::Memlock, 0)?;
    // Standard input, output and error; no further descriptor can be had.
    set(Resource::Nofile, 3)?;
    set(Resource::Cpu, limits.cpu.as_secs().max(1))?;
    set(Resource::As, memory)?;
    whole(format!("{} MiB beyond the program, {} s of CPU time", limits.memory >> 20, limits.cpu.as_secs()))
}

/// Bytes of address space mapped now; a generous guess if the kernel does not tell.
fn mapped_now() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|size| size.parse::<u64>().ok()));
    pages.map_or(1 << 30, |pages| pages.saturating_mul(rustix::param::page_size() as u64))
}

/// Threads of this process; 1 if the kernel does not tell.
fn threads_now() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

fn seccomp(threads: usize) -> Outcome {
    // The filter binds the calling thread; others would stay free.
    if threads > 1 {
        return Err(format!("the process has {threads} threads"));
    }
    let program = allow_list().map_err(because)?;
    seccompiler::apply_filter(&program).map_err(because)?;
    whole("only memory, time and the two pipes")
}

/// What decoding from one pipe to another needs. Found with strace over the decoders, the scaler and the JPEG
/// coder; the allocator's calls are from glibc's sources (malloc, arena, getrandom for its tcache keys).
fn allow_list() -> Result<BpfProgram, seccompiler::BackendError> {
    let always = Vec::<Rule>::new;
    let only = |conditions: Vec<Condition>| Rule::new(conditions).map(|rule| vec![rule]);
    let equals = |argument: u8, value: u64| Condition::new(argument, Len::Dword, Op::Eq, value);
    // Memory never becomes code.
    let not_code = || Condition::new(2, Len::Dword, Op::MaskedEq(libc::PROT_EXEC.cast_unsigned().into()), 0);
    let no_descriptor = u64::from(u32::MAX);
    let me = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<Rule>> = BTreeMap::new();
    rules.insert(libc::SYS_read, only(vec![equals(0, 0)?])?);
    rules.insert(libc::SYS_write, vec![Rule::new(vec![equals(0, 1)?])?, Rule::new(vec![equals(0, 2)?])?]);
    rules.insert(libc::SYS_mmap, only(vec![not_code()?, equals(4, no_descriptor)?])?);
    rules.insert(libc::SYS_mprotect, only(vec![not_code()?])?);
    for call in [libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk] {
        rules.insert(call, always());
    }
    for call in [libc::SYS_futex, libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_getrandom] {
        rules.insert(call, always());
    }
    for call in [libc::SYS_clock_gettime, libc::SYS_setitimer, libc::SYS_restart_syscall] {
        rules.insert(call, always());
    }
    // Dying in order: abort() signals itself, a Rust thread gives its signal stack back.
    for call in [libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigreturn, libc::SYS_rt_sigprocmask] {
        rules.insert(call, always());
    }
    for call in [libc::SYS_rt_sigaction, libc::SYS_sigaltstack, libc::SYS_getpid, libc::SYS_gettid] {
        rules.insert(call, always());
    }
    rules.insert(libc::SYS_tgkill, only(vec![equals(0, me)?])?);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    filter.try_into()
}

/// Prepares the calling process for [`confine`]: closes what the parent forgot, forbids tracing and core dumps.
pub fn prepare() {
    sys::close_inherited();
    // Without it, another process of the same user could read the pictures from memory.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
