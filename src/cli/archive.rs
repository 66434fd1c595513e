//! `sharpeyes archive`: verify every stored snapshot, or rebuild the index from the segments.

use crate::{
    config::Config,
    node,
    output::{self, Failure},
};
use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often the progress of a check is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Config file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/sharpeyes/sharpeyes.toml")]
    config: PathBuf,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read and verify every record. Works while the service runs. Exit status 1 if one is damaged, or could not be read.
    Check,
    /// Sign with a new key from now on; the old one vouches for it in the manifests. While the service is stopped.
    ChangeKey {
        /// The old key is lost for good: nobody vouches for the new one, and every check will say so.
        #[arg(long)]
        lost: bool,
    },
    /// Take the holds for what they are now, after some were lost for good: nothing is dropped before. While the service is
    /// stopped.
    AcceptHolds,
    /// Make the index anew from the segments alone. Exit status 1 if something could not be read.
    Rebuild,
    /// Print the signed manifests, to be kept where nobody of this machine can change them. Works while the service runs.
    Manifests {
        /// Only from this UTC day on, like 2026-11-24.
        #[arg(long, value_name = "DAY")]
        since: Option<String>,
        /// Only day and hash, short enough to be written down.
        #[arg(long)]
        hashes: bool,
    },
    /// Hold a manifest that was kept outside against the archive as it is now. Exit status 1 if they differ.
    Compare {
        /// The copy.
        copy: PathBuf,
    },
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    let folder = config.archive_folder();
    let named = |e: archive::ArchiveError| Failure::setup(format!("archive {}: {e}", folder.display()));
    match args.action {
        Action::Check => {
            let settings = node::archive_config(&config)?;
            let (report, beside) = match archive::Archive::open(&folder, settings.clone()).await {
                Ok(archive) => {
                    let report = archive.check(progress()).await.map_err(named)?;
                    archive.close().await;
                    (report, false)
                }
                // The service runs: nothing is changed, and what it writes meanwhile is none of the check's business.
                Err(archive::ArchiveError::Locked { .. }) => {
                    (archive::Archive::check_beside(&folder, settings, progress()).await.map_err(named)?, true)
                }
                Err(other) => return Err(named(other)),
            };
            if beside && !args.json {
                output::line("the service runs: checked beside it, as far as it had written then");
            }
            if args.json {
                output::json(&report);
            } else {
                for damage in &report.damaged {
                    output::line(format_args!("damaged: {damage}"));
                }
                if let Some(why) = &report.unread_because {
                    output::line(format_args!("{} segments were not read: {why}", report.unread));
                }
                output::line(format_args!("{} records checked, {} damaged", report.records, report.damaged.len()));
            }
            let whole = report.damaged.is_empty() && report.unread == 0;
            Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Action::Manifests { since, hashes } => {
            let since = since.unwrap_or_default();
            let manifests = archive::manifests(&folder).map_err(named)?;
            let mut wrong = false;
            for manifest in manifests.iter().filter(|m| m.day >= since) {
                wrong |= manifest.fault.is_some();
                match (&manifest.fault, args.json, hashes) {
                    (_, true, _) => output::json(manifest),
                    (Some(fault), ..) => output::line(format_args!("{}: {fault}", manifest.day)),
                    (None, false, true) => output::line(format_args!("{} {}", manifest.day, manifest.hash)),
                    (None, false, false) => output::line(manifest.text.trim_end()),
                }
            }
            Ok(if wrong { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
        Action::Compare { copy } => {
            let text = std::fs::read_to_string(&copy)
                .map_err(|e| Failure::setup(format!("cannot read {}: {e}", copy.display())))?;
            let differences = archive::compare_manifest(&folder, &text)
                .map_err(|e| Failure::setup(format!("{}: {e}", copy.display())))?;
            if args.json {
                output::json(&differences);
            } else if differences.is_empty() {
                output::line("the archive is what the copy says, and goes on from there");
            } else {
                differences.iter().for_each(output::line);
            }
            Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Action::ChangeKey { lost: true } => {
            let key =
                archive::Archive::replace_lost_key(&folder, node::archive_config(&config)?).await.map_err(named)?;
            output::line(format_args!("signs from now on with {}; nobody vouches for it", hex(&key)));
            output::line("keep the new node.pub outside, beside the old one");
            Ok(ExitCode::SUCCESS)
        }
        Action::ChangeKey { lost: false } => {
            let [old, new] =
                archive::Archive::change_key(&folder, node::archive_config(&config)?).await.map_err(named)?;
            output::line(format_args!("signed until now with {}", hex(&old)));
            output::line(format_args!("signs from now on with {}", hex(&new)));
            output::line("keep the new node.pub outside, beside the old one");
            Ok(ExitCode::SUCCESS)
        }
        Action::AcceptHolds => {
            let archive = archive::Archive::open(&folder, node::archive_config(&config)?).await.map_err(named)?;
            let accepted = archive.accept_holds().await;
            let (now, holds) = (fleet::Wall::read(), archive.holds());
            archive.close().await;
            accepted.map_err(named)?;
            let count = holds.iter().filter(|hold| hold.holds(now)).count();
            output::line(format_args!("{count} holds are in force"));
            Ok(ExitCode::SUCCESS)
        }
        Action::Rebuild => {
            let report = archive::Archive::rebuild(&folder, node::archive_config(&config)?).await.map_err(named)?;
            if args.json {
                output::json(&report);
            } else {
                for damage in &report.damaged {
                    output::line(format_args!("damaged: {damage}"));
                }
                let damaged = report.damaged.len();
                output::line(format_args!("index rebuilt: {} records, {damaged} damaged", report.records));
            }
            Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

/// Says every few seconds on standard error how far a check is.
fn progress() -> impl FnMut(archive::Progress) {
    let mut told = Instant::now();
    move |progress| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            let (done, all) = (gib(progress.bytes), gib(progress.of_bytes));
            let _ = writeln!(
                std::io::stderr(),
                "{} of {} segments, {done:.1} of {all:.1} GiB",
                progress.segments,
                progress.of_segments
            );
        }
    }
}

fn hex(key: &[u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
