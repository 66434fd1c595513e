//! `sharpeyes demo`: a node and a simulated county, in one command.

mod control;
mod county;

use super::serve::tell_first_password;
use crate::{
    config::Config,
    node::{self, Extras, Node},
    output::{self, Failure},
};
use control::Control;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many cameras of the sample county to simulate.
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(1..=800))]
    cameras: u32,
    /// Folder for the demo's data.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
    /// Folder for rendered scenes; the folder "scenes" beside the data if not given.
    #[arg(long)]
    scenes: Option<PathBuf>,
    /// Address of the dashboard.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Time between two snapshots of a camera.
    #[arg(long, default_value = "5m")]
    snapshot_every: String,
    /// Time between two judged pictures of a camera.
    #[arg(long, default_value = "60s")]
    assess_every: String,
    /// Stream that is pulled continuously: sub, or main. Snapshots are of the main stream either way.
    #[arg(long, default_value = "sub", value_parser = ["sub", "main"])]
    stream: String,
    /// So long must the cameras of a work order have been well before its repair can be accepted.
    #[arg(long, default_value = "2m")]
    stable: String,
    /// Cause no troubles but those that a visitor causes.
    #[arg(long)]
    no_script: bool,
    /// Tell progress as JSON lines.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The node's config: as the config file has it, but for what a simulation on this machine needs.
    fn config(&self) -> Result<Config, Failure> {
        let text = format!(
            "[health]\nstream = {:?}\nsnapshot_every = {:?}\nassess_every = {:?}\n[ingest]\nallow_networks = [\"127.0.0.0/8\"]\nallow_loopback = true\n[picture]\nsandbox = \"prefer\"\n[diagnosis]\nbaseline_settled = 5\nagreement_time = \"10s\"\n[desk]\nstable = {:?}\n[log]\nlevel = \"warn\"\n",
            self.stream, self.snapshot_every, self.assess_every, self.stable
        );
        let mut config = Config::parse(&text, std::path::Path::new("demo")).map_err(Failure::setup)?;
        config.node.name = "demo".into();
        config.node.data.clone_from(&self.data);
        config.web.listen = self.listen;
        Ok(config)
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut config = args.config()?;
    if let Ok(level) = std::env::var("SHARPEYES_LOG") {
        config.log.level = level;
    }
    node::start_logging(&config.log)?;
    std::fs::create_dir_all(&args.data)
        .map_err(|e| Failure::setup(format!("cannot create the folder {}: {e}", args.data.display())))?;
    let stop = node::stop_on_signal()?;
    let mut node = Node::open(config).await?;
    county::load(&mut node, args.cameras).await?;
    let scenes = args.scenes.clone().unwrap_or_else(|| args.data.join("scenes"));
    let simulated = county::simulated(&node.registry(), scenes, !args.no_script);
    let json = args.json;
    let control = tokio::select! {
        started = Control::start(&simulated, |done, of| progress(json, done, of)) => started?,
        () = stopped(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let url = node.url();
    if json {
        let first = web::users::first_accounts(node.store().as_ref(), node.duties()).await.map_err(Failure::setup)?;
        let password = first.first().map(|f| f.password.expose().to_owned());
        output::json(&serde_json::json!({"event": "ready", "url": url, "user": "admin", "password": password}));
    } else {
        tell_first_password(&node).await?;
        output::line(format_args!(
            "{} simulated cameras. Dashboard: {url}   (Ctrl-C ends the demo)",
            node.registry().cameras().len()
        ));
    }
    let control = Arc::new(control);
    node.run(Extras { demo: Some(Arc::clone(&control) as Arc<dyn web::Demo>) }, stop).await?;
    control.end(Duration::from_secs(1)).await;
    Ok(ExitCode::SUCCESS)
}

async fn stopped(mut stop: tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn progress(json: bool, done: usize, of: usize) {
    if json {
        output::json(&serde_json::json!({"event": "rendering", "done": done, "of": of}));
    } else {
        output::line(format_args!("rendering scenes for the simulated cameras (first start only): {done} of {of}"));
    }
}
