//! From inside the sandbox: every way out that we know is closed, and ends the process that tries it.

use crate::Test;
use picture::sandbox::{self, Layer, Limits};
use std::{
    fs,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::ExitStatusExt},
    process::{Command, ExitCode, ExitStatus},
    thread,
    time::Duration,
};

pub(crate) const TESTS: &[Test] = &[
    ("escapes::forbidden_system_calls_end_the_process", forbidden),
    ("escapes::each_layer_holds_without_the_filter", without_filter),
    ("escapes::memory_is_bounded", memory),
    ("escapes::threads_make_the_filter_refuse", threads),
];

const NOT_REFUSED: u8 = 0;
const REFUSED: u8 = 42;

/// What is tried; whether it was refused.
type Attempt = (&'static str, fn() -> bool);

/// What is tried, and whether it is refused (or the process ended) by the time this returns.
const ATTEMPTS: &[Attempt] = &[
    ("read a file", || fs::read("/etc/passwd").is_err()),
    ("write a file", || fs::write("/tmp/sharpeyes-escape", b"x").is_err()),
    ("list a folder", || fs::read_dir("/").is_err()),
    ("remove a file", || {
        fs::remove_file("/tmp/sharpeyes-escape-not-there").is_err_and(|e| e.kind() != std::io::ErrorKind::NotFound)
    }),
    ("connect by TCP", || {
        TcpStream::connect(("127.0.0.1", 9)).is_err_and(|e| e.kind() != std::io::ErrorKind::ConnectionRefused)
    }),
    ("listen by TCP", || TcpListener::bind(("127.0.0.1", 0)).is_err()),
    ("send by UDP", || UdpSocket::bind(("127.0.0.1", 0)).and_then(|s| s.send_to(b"x", ("127.0.0.1", 9))).is_err()),
    ("make a socket pair", || UnixStream::pair().is_err()),
    ("start a program", || Command::new("/bin/true").status().is_err()),
    ("start a thread", || thread::Builder::new().spawn(|| ()).is_err()),
    ("signal the parent", || {
        rustix::process::getppid().is_none_or(|parent| rustix::process::test_kill_process(parent).is_err())
    }),
    ("raise a limit", || {
        let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).is_err()
    }),
    ("make a pipe", || rustix::pipe::pipe().is_err()),
    ("copy a descriptor", || rustix::io::dup(std::io::stdin()).is_err()),
    ("write to standard input", || rustix::io::write(std::io::stdin(), b"x").is_err()),
    ("map memory that is code", || map_code()),
    ("sleep", || {
        thread::sleep(Duration::from_millis(1));
        false
    }),
];

#[allow(unsafe_code)]
fn map_code() -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    // SAFETY: a new mapping where the kernel likes, not used by anything.
    unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            4096,
            ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
            MapFlags::PRIVATE,
        )
    }
    .is_err()
}

/// The confined side: `all:<attempt>` or `<layer>:<attempt>`.
pub(crate) fn attempt(task: &str) -> ExitCode {
    let (layers, what) = task.split_once(':').unwrap();
    let limits = Limits { memory: 64 << 20, cpu: Duration::from_secs(5) };
    // The second thread lives as long as this end of its channel.
    let (_second_thread, wait) = std::sync::mpsc::channel::<()>();
    if what == "threads" {
        thread::spawn(move || wait.recv());
    }
    sandbox::prepare();
    let layers: Vec<Layer> = match layers {
        "all" => Layer::ALL.to_vec(),
        one => Layer::ALL.into_iter().filter(|l| l.code() == one).collect(),
    };
    let report = sandbox::confine(&limits, &layers);
    if what == "threads" {
        return ExitCode::from(if report.missing().any(|l| l.layer == Layer::Seccomp) { REFUSED } else { NOT_REFUSED });
    }
    if report.missing().next().is_some() {
        return ExitCode::from(3);
    }
    if what == "memory" {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        for _ in 0..128 {
            let mut piece = Vec::new();
            if piece.try_reserve_exact(1 << 20).is_err() {
                return ExitCode::from(REFUSED);
            }
            piece.resize(1 << 20, 1);
            hoard.push(piece);
        }
        return ExitCode::from(NOT_REFUSED);
    }
    let body = ATTEMPTS.iter().find(|(name, _)| *name == what).unwrap().1;
    ExitCode::from(if body() { REFUSED } else { NOT_REFUSED })
}

fn outcome(task: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap()).args(["escape", task]).env_clear().status().unwrap()
}

fn forbidden() {
    for (name, _) in ATTEMPTS {
        let status = outcome(&format!("all:{name}"));
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{name}: {status:?}");
    }
}

/// Should a hole be found in one layer, the others still stand.
fn without_filter() {
    for (layer, name) in [
        ("landlock", "read a file"),
        ("landlock", "write a file"),
        ("landlock", "list a folder"),
        ("landlock", "start a program"),
        ("landlock", "connect by TCP"),
        ("landlock", "signal the parent"),
        ("limits", "read a file"),
        ("limits", "listen by TCP"),
        ("limits", "make a socket pair"),
        ("limits", "raise a limit"),
        ("limits", "copy a descriptor"),
    ] {
        // Root may raise its limits again; dropping capabilities is what forbids it.
        if name == "raise a limit" && rustix::process::geteuid().is_root() {
            continue;
        }
        let status = outcome(&format!("{layer}:{name}"));
        assert_eq!(status.code(), Some(i32::from(REFUSED)), "{layer} against {name}: {status:?}");
    }
}

fn memory() {
    assert_eq!(outcome("all:memory").code(), Some(i32::from(REFUSED)));
}

fn threads() {
    assert_eq!(outcome("all:threads").code(), Some(i32::from(REFUSED)));
}
