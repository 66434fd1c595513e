//! Watching our own machine: what is wrong here must not be blamed on cameras.

mod clock;
mod link;
mod reference;
mod strain;

pub(super) use clock::read as clock;
use health::OwnPart;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::sync::{mpsc, watch};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A part of our machine began or ceased to fail.
pub(super) struct OwnChange {
    pub(super) part: OwnPart,
    pub(super) fault: Option<String>,
}

/// Where cameras may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In the network: without one of our own, no camera can be blamed.
    Network,
    /// Also on this machine (a simulation).
    Loopback,
}

/// Looks at archive, database, decoders, network, processor and clock every second and tells what changed.
/// `references`: addresses of our own network that always answer. `clock_is_kept`: a time server is expected to keep the
/// clock.
pub(super) fn watch(
    archive: archive::Archive,
    pool: picture::Pool,
    ingest: ingest::Ingest,
    database: watch::Receiver<Option<String>>,
    reach: Reach,
    references: Vec<SocketAddr>,
    clock_is_kept: bool,
) -> mpsc::Receiver<OwnChange> {
    let (tell, changes) = mpsc::channel(16);
    let reference = reference::watch(references);
    tokio::spawn(async move {
        let mut known: BTreeMap<OwnPart, Option<String>> = BTreeMap::new();
        let mut strain = strain::Strain::default();
        let mut clock = clock::Clock::new(clock_is_kept);
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let disk = match archive.stats().state {
                archive::State::Ok => None,
                archive::State::Full => Some("the archive's disk is full".to_owned()),
                archive::State::Failed(reason) => Some(reason),
            };
            let decoders = (pool.stats().workers == 0).then(|| "no decoder process runs".to_owned());
            let network = if reach == Reach::Network { link::fault() } else { None };
            let network = network.or_else(|| reference.borrow().clone());
            let parts = [
                (OwnPart::Network, network),
                (OwnPart::Machine, strain.look(ingest.late())),
                (OwnPart::Disk, disk),
                (OwnPart::Database, database.borrow().clone()),
                (OwnPart::Decoder, decoders),
                (OwnPart::Clock, clock.look()),
            ];
            for (part, fault) in parts {
                if known.insert(part, fault.clone()).unwrap_or_default() != fault
                    && tell.send(OwnChange { part, fault }).await.is_err()
                {
                    return;
                }
            }
        }
    });
    changes
}
