//! `sharpeyes secret`: what lies sealed on the disk, and the node's key that seals it.

use crate::{
    config::Config,
    node::{self, secrets},
    output::{self, Failure},
};
use std::{io::Read as _, path::PathBuf, process::ExitCode};
use store::Store as _;
use vault::{Keyring, Source};

/// Longest secret that is sealed.
const LONGEST: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Config file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/sharpeyes/sharpeyes.toml")]
    config: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read a secret from standard input and print it sealed with the node's key, for the config file.
    Seal,
    /// Seal everything anew, while the service is stopped: with a new key in the key file, or with --from, what the key
    /// named there sealed with the key that the config names now.
    Rotate {
        /// Where the key before is: file:/path, env:NAME or credential:NAME.
        #[arg(long, value_name = "KEY")]
        from: Option<Source>,
    },
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    match args.action {
        Action::Seal => seal(&config)?,
        Action::Rotate { from } => rotate(&config, from).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn seal(config: &Config) -> Result<(), Failure> {
    let mut secret = String::new();
    let read = std::io::stdin().take(LONGEST).read_to_string(&mut secret);
    read.map_err(|e| Failure::setup(format!("standard input: {e}")))?;
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Failure::setup("nothing to seal: give the secret on standard input"));
    }
    let ring = Keyring::open(&config.key()?, false).map_err(Failure::setup)?;
    output::line(ring.seal_text(secret, secrets::CONTEXT).map_err(Failure::setup)?);
    Ok(())
}

async fn rotate(config: &Config, from: Option<Source>) -> Result<(), Failure> {
    let key = config.key()?;
    let folder = config.store_folder();
    // Whoever uses the store has its lock: the key is not changed under a running service.
    match &from {
        None => {
            store_sqlite::SqliteStore::open_with(&folder, &key, None).await.map_err(Failure::setup)?.close().await;
            key.renew().map_err(Failure::setup)?;
        }
        Some(old) if *old == key => return Err(Failure::setup("--from names the key that the config names now")),
        Some(_) => {}
    }
    let store = store_sqlite::SqliteStore::open_with(&folder, &key, from.as_ref()).await.map_err(Failure::setup)?;
    let mut ring = Keyring::open(&key, false).map_err(Failure::setup)?;
    if let Some(old) = &from {
        ring = ring.after(old).map_err(Failure::setup)?;
    }
    let archive_folder = config.archive_folder();
    if archive_folder.join("node.key").exists() {
        let settings = node::archive_config_with(config, Some(ring.clone()))?;
        let archive = archive::Archive::open(&archive_folder, settings).await;
        archive.map_err(|e| Failure::setup(format!("archive {}: {e}", archive_folder.display())))?.close().await;
    }
    let again = config.s3.secret_key.as_ref().and_then(|sealed| ring.unseal_text(sealed, secrets::CONTEXT));
    key.forget_old().map_err(Failure::setup)?;
    store.close().await;
    output::line(format_args!("everything is sealed with the key in {key}"));
    if let Some(secret) = again {
        output::line("write this into the config file as s3.secret_key:");
        output::line(ring.seal_text(&secret, secrets::CONTEXT).map_err(Failure::setup)?);
    }
    Ok(())
}
