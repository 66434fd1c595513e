//! The running county: its cameras, and the switches of their faults.

use crate::{
    Config, Fault, SimError, Target, Trouble, control,
    fault::FaultSet,
    library::Library,
    script,
    serve::{Shared, Worker, listen},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// A simulated county that answers until it is shut down or dropped.
pub struct Farm {
    county: Arc<County>,
    workers: Vec<Worker>,
    control: Option<SocketAddr>,
}

impl Farm {
    /// Starts every camera. The first start encodes the scenes, which takes a minute or two.
    ///
    /// # Errors
    /// If an address is taken, the cache cannot be written, or an encoder is missing.
    pub async fn start(config: Config) -> Result<Farm, SimError> {
        Farm::start_with(config, |_, _| {}).await
    }

    /// The same; `progress` is told how many of how many scenes are ready, whenever one had to be encoded.
    ///
    /// # Errors
    /// As [`start`](Farm::start).
    pub async fn start_with(config: Config, mut progress: impl FnMut(usize, usize)) -> Result<Farm, SimError> {
        check(&config)?;
        raise_file_limit();
        let sockets = config
            .cameras
            .iter()
            .map(|c| listen(c.addr).map_err(|source| SimError::Listen { id: c.id, addr: c.addr, source }))
            .collect::<Result<Vec<_>, _>>()?;
        let (tell, mut told) = tokio::sync::mpsc::channel(config.scenes as usize + 1);
        let settings = config.clone();
        let opening = tokio::task::spawn_blocking(move || {
            Library::open(&settings, &|done, of| {
                let _ = tell.try_send((done, of));
            })
        });
        while let Some((done, of)) = told.recv().await {
            progress(done, of);
        }
        let library = opening.await.map_err(|e| SimError::Encode(e.to_string()))??;
        let shared = Arc::new(Shared {
            library: Arc::new(library),
            behaviour: config.behaviour.clone(),
            faults: config.cameras.iter().map(|_| AtomicU32::new(0)).collect(),
            changes: AtomicU64::new(0),
            stop: CancellationToken::new(),
        });
        let mut shares: Vec<Vec<_>> = (0..config.workers.max(1)).map(|_| Vec::new()).collect();
        for (place, (camera, socket)) in config.cameras.iter().cloned().zip(sockets).enumerate() {
            let share = place % shares.len();
            shares[share].push((place, camera, socket));
        }
        let county = Arc::new(County { config, shared: Arc::clone(&shared), board: Mutex::default() });
        let mut farm = Farm { county, workers: Vec::new(), control: None };
        for (number, share) in shares.into_iter().enumerate() {
            farm.workers.push(Worker::start(number, Arc::clone(&shared), share)?);
        }
        if let Some(addr) = farm.county.config.control {
            farm.control = Some(control::serve(Arc::clone(&farm.county), addr).await?);
        }
        farm.county.board.lock().script_runs = farm.county.config.script;
        tokio::spawn(script::play(Arc::clone(&farm.county)));
        Ok(farm)
    }

    /// Switches a fault on or off. What overlaps adds up; each is undone only by switching off the same.
    ///
    /// # Errors
    /// If no camera is hit.
    pub fn fault(&self, target: Target, fault: Fault, on: bool) -> Result<(), SimError> {
        self.county.fault(target, fault, on)
    }

    /// The faults that are on, and where they were switched on.
    #[must_use]
    pub fn active(&self) -> Vec<Trouble> {
        self.county.active()
    }

    /// The cameras that have faults, and which.
    #[must_use]
    pub fn truth(&self) -> Vec<(u32, Vec<Fault>)> {
        self.county.truth()
    }

    /// Where a camera listens.
    #[must_use]
    pub fn addr(&self, id: u32) -> Option<SocketAddr> {
        self.county.config.cameras.iter().find(|c| c.id == id).map(|c| c.addr)
    }

    /// Where faults are switched over HTTP.
    #[must_use]
    pub fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Lets the script of troubles go on, or pauses it; what it caused ends when it is paused.
    pub fn play_script(&self, on: bool) {
        self.county.play_script(on);
    }

    /// Ends every camera and waits for the threads.
    pub async fn shutdown(mut self) {
        self.county.shared.stop.cancel();
        let workers = std::mem::take(&mut self.workers);
        let _ = tokio::task::spawn_blocking(move || workers.into_iter().for_each(Worker::join)).await;
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.county.shared.stop.cancel();
    }
}

/// What control, script and farm share.
pub(crate) struct County {
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    board: Mutex<Board>,
}

/// Who switched a fault on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Visitor,
    Script,
}

#[derive(Default)]
struct Board {
    troubles: BTreeMap<Trouble, Origin>,
    script_runs: bool,
}

impl County {
    pub(crate) fn fault(&self, target: Target, fault: Fault, on: bool) -> Result<(), SimError> {
        if !self.config.cameras.iter().any(|c| target.hits(c)) {
            return Err(SimError::NoSuchTarget(target));
        }
        let mut board = self.board.lock();
        if on {
            board.troubles.insert((target, fault), Origin::Visitor);
        } else {
            board.troubles.remove(&(target, fault));
        }
        self.publish(&board);
        Ok(())
    }

    /// The script's own switch: it takes nothing over from a visitor and ends nothing of theirs.
    pub(crate) fn script_fault(&self, trouble: Trouble, on: bool) {
        let mut board = self.board.lock();
        if on && board.script_runs {
            board.troubles.entry(trouble).or_insert(Origin::Script);
        } else if board.troubles.get(&trouble) == Some(&Origin::Script) {
            board.troubles.remove(&trouble);
        }
        self.publish(&board);
    }

    pub(crate) fn play_script(&self, on: bool) {
        let mut board = self.board.lock();
        board.script_runs = on;
        if !on {
            board.troubles.retain(|_, origin| *origin == Origin::Visitor);
            self.publish(&board);
        }
    }

    pub(crate) fn script_runs(&self) -> bool {
        self.board.lock().script_runs
    }

    pub(crate) fn active(&self) -> Vec<Trouble> {
        self.board.lock().troubles.keys().copied().collect()
    }

    pub(crate) fn truth(&self) -> Vec<(u32, Vec<Fault>)> {
        let cameras = self.config.cameras.iter().zip(&self.shared.faults);
        cameras
            .map(|(camera, faults)| (camera.id, FaultSet::from_bits(faults.load(Ordering::Acquire))))
            .filter(|(_, faults)| !faults.is_empty())
            .map(|(id, faults)| (id, faults.iter().collect()))
            .collect()
    }

    /// Tells the workers.
    fn publish(&self, board: &Board) {
        for (camera, faults) in self.config.cameras.iter().zip(&self.shared.faults) {
            let hits = board.troubles.keys().filter(|(target, _)| target.hits(camera));
            let set = hits.fold(FaultSet::default(), |set, (_, fault)| set.with(*fault));
            faults.store(set.bits(), Ordering::Release);
        }
        self.shared.changes.fetch_add(1, Ordering::AcqRel);
    }
}

fn check(config: &Config) -> Result<(), SimError> {
    let wrong = |text: String| Err(SimError::Config(text));
    if config.scenes == 0 || config.scenes > 200 {
        return wrong("scenes must be 1 to 200".into());
    }
    if config.loop_gops == 0 || config.loop_gops > 30 {
        return wrong("loop_gops must be 1 to 30".into());
    }
    if config.behaviour.loss_percent > 100 {
        return wrong("loss_percent must be 0 to 100".into());
    }
    if config.control.is_some_and(|a| !a.ip().is_loopback()) {
        return wrong("the control address must be a loopback address".into());
    }
    let mut ids = std::collections::HashSet::new();
    match config.cameras.iter().find(|c| !ids.insert(c.id)) {
        Some(twice) => wrong(format!("two cameras have the id {}", twice.id)),
        None => Ok(()),
    }
}

/// Each camera needs a socket or two, each session another.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
