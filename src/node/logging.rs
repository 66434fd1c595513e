//! Log lines to standard error.

use crate::{config::Log, output::Failure};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging as the config says.
pub(crate) fn start(config: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|e| Failure::setup(format!("log.level {:?} cannot be used: {e}", config.level)))?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = if config.json { builder.json().try_init() } else { builder.with_target(false).try_init() };
    started.map_err(|e| Failure::setup(format!("cannot start logging: {e}")))
}
