//! The front door: the command line, and the wiring of one node.
//!
//! Exit status: 0 done, 1 the work failed, 2 bad input or set-up (one line says what to do). `probe` has its own.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;
mod config;
mod node;
mod output;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            // clap's own codes: 0 for --help and --version, 2 for a wrong command line.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
