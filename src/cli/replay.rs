//! `sharpeyes replay`: plays a field log through the core and tells what the core made of it.

use crate::output::{self, Failure};
use flate2::read::MultiGzDecoder;
use health::{Effect, field_log::Replay};
use serde::Serialize;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Longest line that is read: the register of a large county.
const LONGEST: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log: a file of the node's folder `field-log`, or one that a test left.
    file: PathBuf,
    /// Print nothing but one JSON object at the end.
    #[arg(long)]
    json: bool,
}

/// What a log came to.
#[derive(Serialize)]
struct Outcome {
    lines: u64,
    /// In milliseconds.
    from: i64,
    until: i64,
    status_changes: u64,
    incidents: u64,
    /// Statuses at the end.
    online: u32,
    impaired: u32,
    offline: u32,
    unknown: u32,
    paused: u32,
    open_incidents: usize,
    /// The log was cut in the middle of a line, as by a kill.
    cut: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let outcome = tokio::task::block_in_place(|| play(&args.file, !args.json))?;
    if args.json {
        output::json(&outcome);
    } else {
        output::line(format_args!(
            "{} lines played, {} status changes, {} versions of incidents: as recorded{}",
            outcome.lines,
            outcome.status_changes,
            outcome.incidents,
            if outcome.cut { " (the last line was cut)" } else { "" },
        ));
        output::line(format_args!(
            "in the end {} online, {} impaired, {} offline, {} unknown, {} paused, {} open incidents",
            outcome.online, outcome.impaired, outcome.offline, outcome.unknown, outcome.paused, outcome.open_incidents
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn play(path: &Path, tell: bool) -> Result<Outcome, Failure> {
    let named = |e: &dyn std::fmt::Display| Failure::setup(format!("{}: {e}", path.display()));
    let mut lines = Lines::open(path).map_err(|e| named(&e))?;
    let first = lines.next().map_err(|e| named(&e))?.ok_or_else(|| named(&"it is empty"))?;
    let head = serde_json::from_str(&first).map_err(|e| named(&format_args!("this is no field log: {e}")))?;
    let mut replay = Replay::begin(head).map_err(|e| named(&e))?;
    let from = replay.now().wall.0;
    let (mut status_changes, mut incidents) = (0, 0);
    let mut effects = Vec::new();
    while let Some(line) = lines.next().map_err(|e| named(&e))? {
        let line = serde_json::from_str(&line)
            .map_err(|e| named(&format_args!("line {} cannot be read: {e}", replay.lines() + 1)))?;
        let played = replay.play(line, &mut effects);
        for effect in effects.drain(..) {
            let at = jiff::Timestamp::from_millisecond(replay.now().wall.0).unwrap_or_default();
            match effect {
                Effect::Status(c) => {
                    status_changes += 1;
                    if tell {
                        let cause = c.cause.map_or("", fleet::Cause::code);
                        output::line(format_args!("{at} {} {} {cause} {}", c.camera, c.status, c.detail));
                    }
                }
                Effect::Incident(i) => {
                    incidents += 1;
                    if tell {
                        let state = if i.is_open() { "open" } else { "over" };
                        let members = i.members.iter().filter(|m| m.left.is_none()).count();
                        let cause = i.cause.code();
                        output::line(format_args!("{at} {} {state} {:?} {cause}, {members} cameras", i.id, i.scope));
                    }
                }
                Effect::Open { .. } | Effect::Close { .. } | Effect::Assess { .. } => {}
                Effect::Snapshot { .. } | Effect::Gap { .. } | Effect::Gaps { .. } | Effect::Format(_) => {}
                Effect::Unobserved(gap) if tell => {
                    let from = jiff::Timestamp::from_millisecond(gap.from.0).unwrap_or_default();
                    output::line(format_args!("{at} nobody looked since {from}: {}", gap.detail));
                }
                Effect::Unobserved(_) => {}
            }
        }
        played.map_err(|e| Failure::work(format!("{}: {e}", path.display())))?;
    }
    let board = replay.core().board(replay.now());
    Ok(Outcome {
        lines: replay.lines(),
        from,
        until: replay.now().wall.0,
        status_changes,
        incidents,
        online: board.counts.online,
        impaired: board.counts.impaired,
        offline: board.counts.offline,
        unknown: board.counts.unknown,
        paused: board.counts.paused,
        open_incidents: board.incidents.len(),
        cut: lines.cut,
    })
}

/// Lines of a log, compressed or not.
struct Lines {
    from: Box<dyn BufRead>,
    cut: bool,
}

impl Lines {
    fn open(path: &Path) -> std::io::Result<Lines> {
        let mut file = File::open(path)?;
        let mut magic = [0; 2];
        let compressed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        file.rewind()?;
        let from: Box<dyn BufRead> = if compressed {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Lines { from, cut: false })
    }

    /// The next whole line. A log that breaks off ends with the last whole one.
    fn next(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        match self.from.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => Ok(None),
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                String::from_utf8(line).map(Some).map_err(|_| "this is no text".to_owned())
            }
            Ok(n) if n as u64 >= LONGEST => Err("a line is too long for a field log".to_owned()),
            Ok(_) => {
                self.cut = true;
                Ok(None)
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.cut = true;
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
