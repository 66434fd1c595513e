//! `sharpeyes sim`: the simulated cameras, as a process of their own.
//!
//! Talks JSON lines: the first line of its input says what to simulate (on standard input, because it holds the
//! cameras' passwords), later lines cause and lift troubles; each gets one line of answer. Ends when its input ends.

use crate::output::{self, Failure};
use camsim::{Fault, Target};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use tokio::io::{AsyncBufReadExt, BufReader};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What the parent asks.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(super) enum Ask {
    /// Cause or lift a trouble.
    Set { target: Target, fault: Fault, on: bool },
    /// Which troubles are caused.
    Active,
}

/// What the simulator tells.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Told {
    /// Scenes are rendered before the first start.
    Rendering { done: usize, of: usize },
    /// Cameras answer.
    Ready,
    /// Cameras cannot be simulated; the process ends.
    Failed { why: String },
    /// As asked.
    Done,
    /// Not done, and why.
    Refused { why: String },
    /// The troubles that are caused.
    Active { faults: Vec<(Target, Fault)> },
}

pub(crate) async fn run(_: Args) -> Result<ExitCode, Failure> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let first = input.next_line().await.map_err(Failure::setup)?.unwrap_or_default();
    let config: camsim::Config = serde_json::from_str(&first)
        .map_err(|e| Failure::setup(format!("standard input does not describe a simulation: {e}")))?;
    let farm = match camsim::Farm::start_with(config, |done, of| output::json(&Told::Rendering { done, of })).await {
        Ok(farm) => farm,
        Err(error) => {
            // The parent says it, in its one line.
            output::json(&Told::Failed { why: error.to_string() });
            return Ok(ExitCode::from(2));
        }
    };
    output::json(&Told::Ready);
    while let Ok(Some(line)) = input.next_line().await {
        let answer = match serde_json::from_str(&line) {
            Ok(Ask::Set { target, fault, on }) => match farm.fault(target, fault, on) {
                Ok(()) => Told::Done,
                Err(error) => Told::Refused { why: error.to_string() },
            },
            Ok(Ask::Active) => Told::Active { faults: farm.active() },
            Err(error) => Told::Refused { why: error.to_string() },
        };
        output::json(&answer);
    }
    farm.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
