//! A decoder process for the tests of this crate: what `sharpeyes decode-worker` is to the service.

fn main() -> std::process::ExitCode {
    picture::run_worker()
}
