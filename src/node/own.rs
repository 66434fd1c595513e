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
            let stats = archive.stats();
            let damage = damage(&stats);
            let disk = match stats.state {
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
                (OwnPart::Archive, damage),
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

/// What the last reading of everything found that is not as it was written.
fn damage(stats: &archive::Stats) -> Option<String> {
    let check = stats.last_check.as_ref().filter(|check| check.damaged > 0)?;
    let first = check.first.as_deref().unwrap_or_default();
    Some(format!("{} things in the archive are not as they were written; the first: {first}", check.damaged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::{Archive, Gap};
    use fleet::{CameraId, Cause, Wall};
    use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

    /// The only segment of an archive.
    fn segment(folder: &std::path::Path) -> PathBuf {
        let mut path = folder.join("segments");
        while path.is_dir() {
            path = fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
        }
        path
    }

    #[tokio::test]
    async fn damage_is_told_from_the_check_that_found_it_until_one_is_clean_over_restarts_too() {
        let folder = tempfile::tempdir().unwrap();
        let settings = archive::Config { segment_bytes: 1 << 20, reserve_bytes: 0, ..archive::Config::default() };
        let archive = Archive::open(folder.path(), settings.clone()).await.unwrap();
        archive.record_gap(Gap::one(CameraId(7), Wall(1_795_478_400_000), Cause::NoAnswer, "无应答")).await.unwrap();
        archive.check_slowly(u64::MAX).await.unwrap();
        assert_eq!(damage(&archive.stats()), None);
        let path = segment(folder.path());
        let whole = fs::read(&path).unwrap();
        let at = whole.windows(9).position(|part| part == "无应答".as_bytes()).unwrap();
        let write = |bytes: &[u8]| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        let mut altered = whole.clone();
        altered[at] ^= 1;
        write(&altered);
        archive.check_slowly(u64::MAX).await.unwrap();
        let told = damage(&archive.stats()).unwrap();
        assert!(told.starts_with("1 things") && told.contains("C00007") && told.contains(".seg"), "{told}");
        archive.close().await;
        let archive = Archive::open(folder.path(), settings).await.unwrap();
        assert_eq!(damage(&archive.stats()), Some(told));
        write(&whole);
        archive.check(|_| ()).await.unwrap();
        assert_eq!(damage(&archive.stats()), None);
        archive.close().await;
    }
}
