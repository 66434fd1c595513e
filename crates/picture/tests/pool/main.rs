//! The pool against real worker processes: this program runs itself again as `decode-worker`, so it brings its
//! own `main` instead of the usual test harness.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod decoding;
mod escapes;
mod faults;
mod hostile;
mod samples;
mod survival;

use std::{
    panic::catch_unwind,
    process::ExitCode,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Name and body of a test.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    match arguments.next().as_deref() {
        Some("decode-worker") if hostile::is_hostile(&program) => return hostile::run(&program),
        Some("decode-worker") => return picture::run_worker(),
        Some("escape") => return escapes::attempt(&arguments.next().unwrap_or_default()),
        _ => {}
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let tests: Vec<Test> = [decoding::TESTS, survival::TESTS, hostile::TESTS, escapes::TESTS, faults::TESTS]
        .concat()
        .into_iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())))
        .collect();
    if std::env::args().any(|a| a == "--list") {
        for (name, _) in &tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    run(tests)
}

fn run(tests: Vec<Test>) -> ExitCode {
    println!("\nrunning {} tests", tests.len());
    let failed = Mutex::new(Vec::new());
    let queue = Mutex::new(tests.into_iter());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((name, body)) = queue.lock().unwrap().next() else { break };
                    let begin = Instant::now();
                    let outcome = if catch_unwind(body).is_ok() { "ok" } else { "FAILED" };
                    println!("test {name} ... {outcome} ({:.1} s)", begin.elapsed().as_secs_f32());
                    if outcome != "ok" {
                        failed.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("\ntest result: {} failed {failed:?}\n", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs an asynchronous test; at most five minutes, for a busy machine lets it wait.
fn wait_for(test: impl Future<Output = ()>) {
    wait_at_most(Duration::from_secs(300), test);
}

fn wait_at_most(limit: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(limit, test).await.unwrap() });
}

/// A pool of this program's own workers.
fn pool(change: impl FnOnce(&mut picture::Config)) -> picture::Pool {
    let mut config =
        picture::Config { workers: 1, sandbox: picture::SandboxPolicy::Require, ..picture::Config::default() };
    change(&mut config);
    picture::Pool::start(config, std::env::current_exe().unwrap()).unwrap()
}
