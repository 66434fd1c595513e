//! `sharpeyes import`: cameras from a CSV file, with a dry run.

use crate::{
    config::Config,
    node,
    output::{self, Failure},
};
use fleet::{Registry, Wall, import};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode};
use store::{AuditEntry, ChangeKind, ChangeNote, RegistryChange, Store};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV file; UTF-8 or GBK. Columns are explained in config/demo/README.md.
    file: PathBuf,
    /// Config file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sharpeyes/sharpeyes.toml")]
    config: PathBuf,
    /// Only show what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Import nothing if a single row is rejected.
    #[arg(long)]
    all_or_nothing: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    applied: bool,
    counts: import::Counts,
    rows: &'a [import::Row],
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    let bytes =
        std::fs::read(&args.file).map_err(|e| Failure::setup(format!("cannot read {}: {e}", args.file.display())))?;
    let store = node::open_store(&config).await?;
    let registry = store.registry().await.map_err(Failure::setup)?;
    let plan = import::plan(&bytes, &registry, Wall::read())
        .map_err(|e| Failure::setup(format!("{}: {e}", args.file.display())))?;
    let counts = plan.counts();
    let refused = args.all_or_nothing && counts.rejected > 0;
    let applied = !args.dry_run && !refused && counts.added + counts.changed > 0;
    if applied {
        apply(store.as_ref(), &registry, &plan, &args).await?;
    }
    store.close().await;
    if args.json {
        output::json(&Report { applied, counts, rows: &plan.rows });
    } else {
        for row in &plan.rows {
            if let Some(text) = row.describe() {
                output::line(text);
            }
        }
        output::line(format_args!(
            "{}: {} added, {} changed, {} unchanged, {} rejected{}",
            if applied { "imported" } else { "nothing imported" },
            counts.added,
            counts.changed,
            counts.unchanged,
            counts.rejected,
            if args.dry_run { " (dry run)" } else { "" },
        ));
    }
    Ok(if counts.rejected > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

async fn apply(store: &dyn Store, registry: &Registry, plan: &import::Plan, args: &Args) -> Result<(), Failure> {
    let change = RegistryChange::from(plan.change());
    let counts = plan.counts();
    let file = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let detail = format!("{file}: {} added, {} changed, {} rejected", counts.added, counts.changed, counts.rejected);
    // On record like those of the dashboard, and there to be taken back.
    let note = ChangeNote { at: Wall::read(), by: "system".into(), kind: ChangeKind::Import, detail };
    let seen = change.seen_in(registry);
    store.change_register(change, seen, note).await.map_err(Failure::work)?;
    let entry = AuditEntry {
        at: Wall::read(),
        who: "system".into(),
        who_detail: "command line".into(),
        address: String::new(),
        action: "cameras_imported".into(),
        object: file,
        reason: String::new(),
        success: true,
        detail: format!("{} added, {} changed, {} rejected", counts.added, counts.changed, counts.rejected),
    };
    store.audit(entry).await.map_err(Failure::work)?;
    Ok(())
}
