//! The command line: one file a subcommand.

mod archive;
mod demo;
mod import;
mod probe;
mod replay;
mod secret;
mod serve;
pub(crate) mod sim;
mod user;
mod verify;

use crate::output::Failure;
use clap::{Parser, Subcommand};
use std::{future::Future, process::ExitCode};

/// 雪亮工程摄像机健康监测: watches the cameras of a county.
#[derive(Debug, Parser)]
#[command(name = "sharpeyes", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one node: pull the streams, judge them, archive snapshots, serve the dashboard.
    Serve(serve::Args),
    /// Run a node with a simulated county of 800 cameras.
    Demo(demo::Args),
    /// Import cameras from a CSV file.
    Import(import::Args),
    /// Climb the ladder of one stream once and say where it fails.
    Probe(probe::Args),
    /// Manage the people who may sign in.
    User(user::Args),
    /// Check the snapshot archive, or rebuild its index.
    Archive(archive::Args),
    /// Seal a secret for the config file, or change the key that seals.
    Secret(secret::Args),
    /// Check an evidence package: authentic, or exactly what was altered.
    Verify(verify::Args),
    /// Play a field log (log.field_mib) and tell what was made of it.
    Replay(replay::Args),
    /// Run simulated cameras; used by `demo`.
    #[command(hide = true)]
    Sim(sim::Args),
    /// Decode pictures in a sandbox; started by the service itself.
    #[command(hide = true)]
    DecodeWorker,
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::DecodeWorker => picture::run_worker(),
            Command::Serve(args) => block_on(serve::run(args)),
            Command::Demo(args) => block_on(demo::run(args)),
            Command::Import(args) => block_on(import::run(args)),
            Command::Probe(args) => block_on(probe::run(args)),
            Command::User(args) => block_on(user::run(args)),
            Command::Archive(args) => block_on(archive::run(args)),
            Command::Secret(args) => block_on(secret::run(args)),
            Command::Verify(args) => block_on(verify::run(args)),
            Command::Replay(args) => block_on(replay::run(args)),
            Command::Sim(args) => block_on(sim::run(args)),
        }
    }
}

/// Runs a command on the runtime and turns its failure into one line and an exit status.
fn block_on(work: impl Future<Output = Result<ExitCode, Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::setup(format!("cannot start threads: {error}")).report(),
    };
    let status = runtime.block_on(work).unwrap_or_else(Failure::report);
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    status
}
