//! Cameras that die and return, and whether every status is right in the end.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use super::desk::Desk;
use camsim::Fault;
use fleet::Status;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What comes and goes.
#[derive(Clone, Copy)]
pub struct Churn {
    pub cameras: u32,
    /// How long cameras die and return.
    pub span: Duration,
    /// A round of it.
    pub every: Duration,
    /// How many die each round, in percent.
    pub percent: u32,
    /// Quiet at the end, until every status is told.
    pub settle: Duration,
    pub seed: u64,
}

/// How it ended.
#[derive(Debug)]
pub struct Report {
    pub rounds: u32,
    pub deaths: u32,
    pub opened: u64,
    pub packets: u64,
    pub lost: u64,
    /// Statuses that are not what the simulator knows to be true.
    pub wrong: Vec<String>,
    /// Memory in bytes, and open file descriptors, after the first quarter and at the end.
    pub memory: (u64, u64),
    pub files: (usize, usize),
}

/// Faults that show on the wire, and the status they lead to.
const FAULTS: [(Fault, Status); 13] = [
    (Fault::PowerOff, Status::Offline),
    (Fault::BlackHole, Status::Offline),
    (Fault::PortClosed, Status::Offline),
    (Fault::Slow, Status::Offline),
    (Fault::Garbage, Status::Offline),
    (Fault::NotFound, Status::Offline),
    (Fault::SessionLimit, Status::Offline),
    (Fault::NoVideo, Status::Offline),
    (Fault::NoRtp, Status::Offline),
    (Fault::Stall, Status::Offline),
    (Fault::NoKeyframe, Status::Offline),
    (Fault::PacketLoss, Status::Impaired),
    (Fault::LowFrameRate, Status::Impaired),
];

/// Runs the churn; `set` causes and lifts a fault at a camera.
pub async fn run(desk: &mut Desk, churn: Churn, mut set: impl FnMut(u32, Fault, bool)) -> Report {
    let mut rng = StdRng::seed_from_u64(churn.seed);
    let mut ill: BTreeMap<u32, (Fault, Status, u32)> = BTreeMap::new();
    let (mut rounds, mut deaths) = (0, 0);
    let began = Instant::now();
    let mut early = None;
    let before = desk.ingest.totals();
    while began.elapsed() < churn.span {
        let well: Vec<u32> = ill.iter().filter(|(_, (.., until))| *until <= rounds).map(|(id, _)| *id).collect();
        for id in well {
            let (fault, ..) = ill.remove(&id).unwrap();
            set(id, fault, false);
        }
        let dying = (churn.cameras * churn.percent).div_ceil(100) as usize;
        for id in (1..=churn.cameras).filter(|id| !ill.contains_key(id)).choose_multiple(&mut rng, dying) {
            let (fault, status) = FAULTS[rng.random_range(0..FAULTS.len())];
            set(id, fault, true);
            ill.insert(id, (fault, status, rounds + rng.random_range(1..4)));
            deaths += 1;
        }
        rounds += 1;
        desk.run(churn.every, |_| false).await;
        if early.is_none() && began.elapsed() >= churn.span / 4 {
            early = Some((resident(), files()));
        }
    }
    let truth = |id: u32| ill.get(&id).map_or(Status::Online, |(_, status, _)| *status);
    desk.run(churn.settle, |fleet| {
        (1..=churn.cameras).all(|id| fleet.row(fleet::CameraId(id)).unwrap().status == truth(id))
    })
    .await;
    let wrong = (1..=churn.cameras)
        .filter(|id| desk.status(*id).0 != truth(*id))
        .map(|id| format!("camera {id} with {:?}: {:?}", ill.get(&id).map(|(f, ..)| f), desk.status(id)))
        .collect();
    let after = desk.ingest.totals();
    let early = early.unwrap_or_else(|| (resident(), files()));
    Report {
        rounds,
        deaths,
        opened: after.opened - before.opened,
        packets: after.packets - before.packets,
        lost: after.lost - before.lost,
        wrong,
        memory: (early.0, resident()),
        files: (early.1, files()),
    }
}

/// Bytes of memory this process holds.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

pub fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
