//! What the command line says: results on standard output, one line for a failure on standard error.

use serde::Serialize;
use std::{fmt, io::Write, process::ExitCode};

/// Why a command ended without success. Shown as one line.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// Bad input or set-up: the caller must change something. Exit status 2.
    pub(crate) fn setup(message: impl fmt::Display) -> Failure {
        Failure { message: message.to_string(), status: 2 }
    }

    /// The work itself failed. Exit status 1.
    pub(crate) fn work(message: impl fmt::Display) -> Failure {
        Failure { message: message.to_string(), status: 1 }
    }

    /// Prints the line and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        let line = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(std::io::stderr(), "sharpeyes: {line}");
        ExitCode::from(self.status)
    }
}

/// Prints a line to standard output; a closed pipe is not our failure.
pub(crate) fn line(text: impl fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints one JSON object to standard output.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => line(format_args!("{{\"error\":{:?}}}", error.to_string())),
    }
}
