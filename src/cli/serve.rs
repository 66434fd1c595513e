//! `sharpeyes serve`: one node, as the config file says.

use crate::{
    config::Config,
    node::{self, Node},
    output::{self, Failure},
};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Config file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sharpeyes/sharpeyes.toml")]
    config: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    node::start_logging(&config.log)?;
    let stop = node::stop_on_signal()?;
    let node = Node::open(config).await?;
    tell_first_password(&node).await?;
    output::line(format_args!("SharpEyes: {}", node.url()));
    if let Some(fingerprint) = node.fingerprint() {
        output::line(format_args!("Certificate, SHA-256: {fingerprint}"));
    }
    if node.registry().cameras().len() == 0 {
        output::line(
            "No cameras yet: sign in as administrator and import a CSV file, or stop and use `sharpeyes import`.",
        );
    }
    node.run(node::Extras::default(), stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// At the first start there is nobody who could sign in: makes the administrators and prints each password once.
pub(crate) async fn tell_first_password(node: &Node) -> Result<(), Failure> {
    let first = web::users::first_accounts(node.store().as_ref(), node.duties()).await.map_err(Failure::setup)?;
    for first in first {
        output::line("Sign in with this account; the password is shown only once and must be changed:");
        output::line(format_args!("    user:     {}", first.name));
        output::line(format_args!("    password: {}", first.password.expose()));
    }
    Ok(())
}
