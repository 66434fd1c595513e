//! One node: the rooms of the house wired together.
//!
//! One task owns `health::Fleet` ([`owner`]); it is fed with events and carries out effects. Facts go to the
//! store through the [`recorder`], what cameras usually show ([`judge`]) through the [`shelf`]; pictures and snapshots
//! are taken by short tasks ([`takes`]), our own machine is watched by [`own`]. Everybody else reads the published board.

mod absent;
mod backlog;
mod certificates;
mod field_log;
mod gaps;
mod judge;
mod keeper;
mod ledger;
mod logging;
mod notifier;
mod own;
mod owner;
mod recorder;
mod reverify;
#[cfg(test)]
mod samples;
pub(crate) mod secrets;
mod shelf;
mod takes;

pub(crate) use logging::start as start_logging;

use crate::{config::Config, output::Failure};
use arc_swap::ArcSwap;
use fleet::{Now, Registry, Wall};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use store::Store;
use tokio::{net::TcpListener, sync::watch};

/// Longest time that a stop may take.
const STOP_WITHIN: Duration = Duration::from_millis(2500);

/// A node that is set up but does not run yet: everything that can be wrong with the set-up is known by now.
pub(crate) struct Node {
    config: Config,
    store: Arc<dyn Store>,
    archive: archive::Archive,
    pool: picture::Pool,
    doors: web::Doors,
    address: SocketAddr,
    /// As last loaded; the archive asks it for the place of each camera.
    registry: Arc<ArcSwap<Registry>>,
    breached: Option<Arc<web::Breached>>,
    map: Option<Arc<web::Tiles>>,
}

/// What only some ways of starting a node have.
#[derive(Default)]
pub(crate) struct Extras {
    /// The control of simulated cameras.
    pub(crate) demo: Option<Arc<dyn web::Demo>>,
}

impl Node {
    /// Opens store, archive, decoders and the listening socket.
    pub(crate) async fn open(config: Config) -> Result<Node, Failure> {
        raise_file_limit();
        let pages = listen(config.web.listen, "web.listen").await?;
        let address = pages.local_addr().map_err(Failure::setup)?;
        let metrics = match config.web.metrics_listen {
            Some(at) => Some(listen(at, "web.metrics_listen").await?),
            None => None,
        };
        let redirect = match config.web.redirect_listen {
            Some(at) => Some(listen(at, "web.redirect_listen").await?),
            None => None,
        };
        let tls = config.web.tls(&config.node.data.join("tls")).map_err(|e| Failure::setup(format!("TLS: {e}")))?;
        if let Some(tls) = &tls {
            tracing::info!(sha256 = tls.fingerprint(), "the dashboard is served with this certificate");
        } else if !config.web.tls_in_front && !address.ip().is_loopback() {
            tracing::warn!("passwords cross the network in the clear: set web.tls_certificate or web.tls_made_for");
        }
        if config.web.tls_in_front && config.web.trusted_proxies.is_empty() {
            tracing::warn!("every user seems to sit at the proxy in front: name its address in web.trusted_proxies");
        }
        let doors = web::Doors { pages, tls, redirect, metrics };
        let breached = read_breached(&config)?;
        let map = config.web.map().map_err(|e| Failure::setup(format!("web.map_tiles: {e}")))?;
        let store = open_store(&config).await?;
        let registry = Arc::new(ArcSwap::from_pointee(store.registry().await.map_err(Failure::setup)?));
        let known = Arc::clone(&registry);
        let settings =
            archive::Config { places: config.archive.places(move || known.load_full()), ..archive_config(&config)? };
        let archive = archive::Archive::open(&config.archive_folder(), settings)
            .await
            .map_err(|e| Failure::setup(format!("archive {}: {e}", config.archive_folder().display())))?;
        let pool = picture::Pool::start(picture_config(&config), own_program()?)
            .map_err(|e| Failure::setup(format!("decoders: {e}")))?;
        // Both have sealed anew what a changed key left to them.
        config.key()?.forget_old().map_err(Failure::setup)?;
        Ok(Node { config, store, archive, pool, doors, address, registry, breached, map })
    }

    /// The register as opened.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// Who administers what.
    pub(crate) fn duties(&self) -> web::users::Duties {
        self.config.web.duties()
    }

    /// What to write into a browser's address line.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.doors.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The SHA-256 of its certificate, to be compared before a browser trusts it.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.doors.tls.as_ref().map(web::Tls::fingerprint)
    }

    /// The store, for what is to be done before the node runs.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Replaces the register before the node runs.
    pub(crate) fn set_registry(&mut self, registry: Registry) {
        self.registry.store(Arc::new(registry));
    }

    /// Runs until `stop` turns true, then ends sessions and flushes everything.
    pub(crate) async fn run(self, extras: Extras, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let Node { config, store, archive, pool, doors, address, registry: published, breached, map } = self;
        let registry = published.load_full();
        let now = Now::read();
        let resumed = store.resume(now.wall).await.map_err(Failure::setup)?;
        let seed = rand::random();
        let field_log = begin_field_log(&config, seed, &resumed, now)?;
        // Whoever was watched ended with the last sign of life.
        let alive = resumed.statuses.iter().map(|status| status.at).max();
        let every = config.health.core().snapshot_every;
        let core = health::Fleet::new(config.health.core(), seed, resumed, now);

        let (stream_events_tx, stream_events) = tokio::sync::mpsc::channel(8192);
        let ingest_config = ingest_config(&config)?;
        let reach = if ingest_config.allow_loopback { own::Reach::Loopback } else { own::Reach::Network };
        let ingest = ingest::Ingest::start(ingest_config.clone(), stream_events_tx);
        ingest.set_registry(Arc::clone(&registry));
        certificates::give_back(store.as_ref(), &ingest).await.map_err(Failure::setup)?;
        let certificates = tokio::spawn(certificates::keep(Arc::clone(&store), ingest.clone()));

        let (commands_tx, commands) = tokio::sync::mpsc::channel(256);
        let (changes, _) = tokio::sync::broadcast::channel(4096);
        let shared = Arc::new(owner::Shared {
            board: Arc::new(ArcSwap::from_pointee(health::Board::default())),
            registry: published,
            changes,
            gallery: Arc::new(web::Gallery::default()),
            heartbeat: Arc::new(web::Heartbeat::new(now.mono)),
        });
        let windows = store.windows(now.wall..Wall(i64::MAX)).await.map_err(Failure::setup)?;
        let recorder = recorder::Recorder::start(Arc::clone(&store));
        let permitted = ingest_config.clone();
        let courier = notify::Courier::new(config.node.name.clone(), move |ip| permitted.permits(ip));
        let notifier =
            notifier::Notifier { store: Arc::clone(&store), shared: Arc::clone(&shared), courier: courier.clone() };
        let notified = tokio::spawn(notifier.run(stop.clone()));
        tokio::spawn(keeper::Keeper::new(Arc::clone(&store), &shared, &config.desk).run(stop.clone()));
        let shelf = shelf::Shelf::start(Arc::clone(&store));
        let verdicts = Arc::new(web::Verdicts::default());
        let judge = judge::Judge::resume(
            config.diagnosis.settings(),
            store.as_ref(),
            &registry,
            Arc::clone(&verdicts),
            (shelf.clone(), recorder.clone()),
            now.wall,
        )
        .await
        .map_err(Failure::setup)?;
        let gaps = gaps::Gaps::start(archive.clone());
        let absence = absent::Absence { every, alive, until: now.wall, kept_days: config.archive.keep_days };
        let absent = absence.record(archive.clone(), Arc::clone(&store), Arc::clone(&registry), gaps.clone());
        let absent = tokio::spawn(absent);
        let form = config.archive.form;
        let takes = takes::Takes::new(ingest.clone(), pool.clone(), archive.clone(), gaps.clone(), form);
        if config.archive.verify_every_days > 0 {
            let every = Duration::from_secs(u64::from(config.archive.verify_every_days) * 86_400);
            tokio::spawn(reverify::run(archive.clone(), every));
        }
        // Simulated cameras live by this machine's clock, whatever it says.
        let clock_is_kept = config.node.clock_is_kept && reach == own::Reach::Network;
        let own_events = own::watch(
            archive.clone(),
            pool.clone(),
            ingest.clone(),
            recorder.watch(),
            reach,
            config.node.references.clone(),
            clock_is_kept,
        );

        let on_record = (gaps, absent);
        let rules = config.reports.rules();
        let ledger = tokio::spawn(ledger::run(Arc::clone(&store), archive.clone(), on_record, rules, stop.clone()));

        let services = web::Services {
            store: Arc::clone(&store),
            archive: archive.clone(),
            pool: pool.clone(),
            ingest: ingest.clone(),
            courier,
            ingest_config,
            diagnosis: config.diagnosis.settings(),
            board: Arc::clone(&shared.board),
            registry: Arc::clone(&shared.registry),
            changes: shared.changes.clone(),
            gallery: Arc::clone(&shared.gallery),
            verdicts,
            commands: commands_tx,
            demo: extras.demo,
            heartbeat: Arc::clone(&shared.heartbeat),
            clock: own::clock,
            started: now,
            config: web::WebConfig { breached, map, ..web_config(&config) },
        };
        tracing::info!(cameras = registry.cameras().len(), %address, "node started");
        let mut stop_web = stop.clone();
        let web = tokio::spawn(web::serve(doors, services, async move {
            let _ = stop_web.wait_for(|stop| *stop).await;
        }));

        let owner = owner::Owner {
            core,
            ingest: ingest.clone(),
            takes,
            recorder: recorder.clone(),
            judge,
            shared,
            windows: windows.into(),
            field_log,
        };
        let owned = tokio::spawn(owner.run(owner::Inputs { stream_events, commands, own_events, stop: stop.clone() }));

        let _ = stop.wait_for(|stop| *stop).await;
        tracing::info!("stopping");
        let stopped = tokio::time::timeout(STOP_WITHIN, async {
            ingest.shutdown(Duration::from_millis(1200)).await;
            let _ = owned.await;
            certificates.abort();
            recorder.close().await;
            let _ = ledger.await;
            let _ = notified.await;
            shelf.close().await;
            archive.close().await;
            pool.shutdown().await;
            store.close().await;
            let _ = web.await;
        });
        if stopped.await.is_err() {
            tracing::warn!("some part did not stop in time; acknowledged data is safe");
        }
        Ok(())
    }
}

async fn listen(at: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(at)
        .await
        .map_err(|e| Failure::setup(format!("cannot listen on {at}: {e}; free the port or set {key} to another")))
}

/// A field log of the core that is made of the same, if one is wanted.
fn begin_field_log(
    config: &Config,
    seed: u64,
    resumed: &health::Resumed,
    now: Now,
) -> Result<Option<field_log::FieldLog>, Failure> {
    let most = config.log.field_mib << 20;
    if most == 0 {
        return Ok(None);
    }
    field_log::FieldLog::begin(&config.node.data, most, &config.health.core(), seed, resumed, now)
        .map(Some)
        .map_err(|e| Failure::setup(format!("{}: {e}", config.node.data.join(field_log::FOLDER).display())))
}

/// Opens the store for the service or for a command that works beside it.
pub(crate) async fn open_store(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let (folder, key) = (config.store_folder(), config.key()?);
    let store = store_sqlite::SqliteStore::open_with(&folder, &key, None).await.map_err(Failure::setup)?;
    Ok(Arc::new(store))
}

/// What the archive goes by. The node's key is not made here: the store does that at the first start.
pub(crate) fn archive_config(config: &Config) -> Result<archive::Config, Failure> {
    let ring = match vault::Keyring::open(&config.key()?, false) {
        Err(vault::VaultError::Missing(_)) => None,
        ring => Some(ring.map_err(Failure::setup)?),
    };
    archive_config_with(config, ring)
}

/// The same with a key that is at hand.
pub(crate) fn archive_config_with(config: &Config, ring: Option<vault::Keyring>) -> Result<archive::Config, Failure> {
    let remote = secrets::remote(config, ring.as_ref())?;
    Ok(archive::Config {
        ring,
        remote,
        stamps: stamps(config)?,
        segment_bytes: config.archive.segment_mib << 20,
        commit_every: config.archive.commit_every.0,
        keep_days: config.archive.keep_days,
        max_bytes: config.archive.most_gib.map(|gib| gib << 30),
        high_water_percent: config.archive.high_water_percent,
        retention: config.archive.retention(),
        node: config.node.name.clone(),
        ..archive::Config::default()
    })
}

/// Whom to ask for time stamps, if anybody.
fn stamps(config: &Config) -> Result<Option<archive::StampConfig>, Failure> {
    let Some(url) = config.stamps.url.clone() else { return Ok(None) };
    let read = |path: &std::path::PathBuf| {
        let named = |e: &dyn std::fmt::Display| Failure::setup(format!("stamps.certificate {}: {e}", path.display()));
        let certificate = std::fs::read(path).map_err(|e| named(&e))?;
        archive::Authority::parse(&certificate).map_err(|e| named(&e))
    };
    let authority = config.stamps.certificate.as_ref().map(read).transpose()?;
    Ok(Some(archive::StampConfig { url, authority }))
}

pub(crate) fn picture_config(config: &Config) -> picture::Config {
    picture::Config {
        workers: config.picture.workers,
        time_limit: config.picture.time_limit.0,
        memory_limit: config.picture.memory_mib << 20,
        sandbox: match config.picture.sandbox {
            crate::config::Sandbox::Require => picture::SandboxPolicy::Require,
            crate::config::Sandbox::Prefer => picture::SandboxPolicy::Prefer,
        },
        ..picture::Config::default()
    }
}

pub(crate) fn ingest_config(config: &Config) -> Result<ingest::Config, Failure> {
    let mut ingest = ingest::Config::default();
    ingest.limits.resolve = config.ingest.resolve.0;
    ingest.limits.connect = config.ingest.connect.0;
    ingest.limits.answer = config.ingest.answer.0;
    ingest.limits.first_packet = config.ingest.first_packet.0;
    ingest.limits.packet_gap = config.ingest.packet_gap.0;
    ingest.limits.first_keyframe = config.ingest.first_keyframe.0;
    ingest.limits.keyframe_gap = config.ingest.keyframe_gap.0;
    ingest.allow_loopback = config.ingest.allow_loopback;
    ingest.transport_fallback = config.ingest.transport_fallback;
    ingest.reading_threads = config.ingest.reading_threads;
    ingest.allow_networks = config
        .ingest
        .allow_networks
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::setup("ingest.allow_networks: expected networks such as \"10.0.0.0/8\""))?;
    Ok(ingest)
}

fn web_config(config: &Config) -> web::WebConfig {
    web::WebConfig {
        desk: config.desk.agreed(),
        shifts: config.desk.shifts.iter().map(|time| time.0).collect(),
        folders: vec![config.node.data.clone()],
        ..config.web.settings(&config.node.data.join("exports"))
    }
}

fn read_breached(config: &Config) -> Result<Option<Arc<web::Breached>>, Failure> {
    let Some(path) = &config.web.breached_passwords else { return Ok(None) };
    let list = web::Breached::read(path)
        .map_err(|e| Failure::setup(format!("web.breached_passwords: cannot read {}: {e}", path.display())))?;
    Ok(Some(Arc::new(list)))
}

/// Where this very program is, to start decoders and the simulator from.
pub(crate) fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::setup(format!("cannot find this program's own file: {e}")))
}

/// Each camera needs a socket or two: take all the files the system allows this process.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Turns true at Ctrl-C or SIGTERM.
pub(crate) fn stop_on_signal() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::setup)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::setup)?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = tell.send(true);
        // Keep the sender until the end, so that nobody mistakes its going for a stop.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}
