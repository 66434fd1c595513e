//! `sharpeyes archive`: verify every stored snapshot, or rebuild the index from the segments.

use crate::{
    config::Config,
    node,
    output::{self, Failure},
};
use std::{path::PathBuf, process::ExitCode};

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
    /// Read and verify every record. Exit status 1 if one is damaged.
    Check,
    /// Make the index anew from the segments alone.
    Rebuild,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    let folder = config.archive_folder();
    let named = |e: archive::ArchiveError| Failure::setup(format!("archive {}: {e}", folder.display()));
    match args.action {
        Action::Check => {
            let archive = archive::Archive::open(&folder, node::archive_config(&config)).await.map_err(named)?;
            let report = archive.check(|_| ()).await.map_err(named)?;
            archive.close().await;
            if args.json {
                output::json(&report);
            } else {
                for damage in &report.damaged {
                    output::line(format_args!("damaged: {damage}"));
                }
                output::line(format_args!("{} records checked, {} damaged", report.records, report.damaged.len()));
            }
            Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Action::Rebuild => {
            let report = archive::Archive::rebuild(&folder, node::archive_config(&config)).await.map_err(named)?;
            if args.json {
                output::json(&report);
            } else {
                output::line(format_args!("index rebuilt: {} records", report.records));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
