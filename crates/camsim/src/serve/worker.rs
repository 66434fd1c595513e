//! One thread that serves its share of the cameras, with one clock for all their streams.

use super::{
    camera::Camera,
    door,
    stream::{Buffers, Stream},
};
use crate::{Behaviour, SimCamera, SimError, code::FPS, fault::FaultSet, library::Library};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{task::LocalSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Each tick of 1/15 s is divided among so many slots, so that streams do not send at once.
const SLOTS: u32 = 16;

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) library: Arc<Library>,
    pub(crate) behaviour: Behaviour,
    /// The faults of every camera, by its place in the configuration.
    pub(crate) faults: Vec<AtomicU32>,
    /// Counts up when faults change.
    pub(crate) changes: AtomicU64,
    pub(crate) stop: CancellationToken,
}

/// What everything on one worker shares.
pub(crate) struct Local {
    shared: Arc<Shared>,
    slots: RefCell<Vec<Vec<Rc<Stream>>>>,
}

impl Local {
    pub(crate) fn library(&self) -> &Arc<Library> {
        &self.shared.library
    }

    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.shared.behaviour
    }

    /// Gives a stream its ticks until it ends.
    pub(crate) fn add(&self, stream: &Rc<Stream>, id: u32) {
        let mut slots = self.slots.borrow_mut();
        let slot = (id.wrapping_mul(0x9e37_79b9) >> 16) as usize % slots.len();
        slots[slot].push(Rc::clone(stream));
    }

    fn tick(&self, slot: usize, buffers: &mut Buffers) {
        let mut slots = self.slots.borrow_mut();
        slots[slot].retain(|stream| stream.is_live());
        for stream in &slots[slot] {
            stream.tick(buffers);
        }
    }
}

/// A running worker.
pub(crate) struct Worker(JoinHandle<()>);

impl Worker {
    /// Serves these cameras; each comes with its place in the configuration and its socket.
    pub(crate) fn start(
        number: usize,
        shared: Arc<Shared>,
        cameras: Vec<(usize, SimCamera, std::net::TcpListener)>,
    ) -> Result<Worker, SimError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .map_err(SimError::Thread)?;
        let thread = std::thread::Builder::new()
            .name(format!("cameras-{number}"))
            .spawn(move || LocalSet::new().block_on(&runtime, serve(shared, cameras)))
            .map_err(SimError::Thread)?;
        Ok(Worker(thread))
    }

    /// Waits for its end.
    pub(crate) fn join(self) {
        let _ = self.0.join();
    }
}

async fn serve(shared: Arc<Shared>, cameras: Vec<(usize, SimCamera, std::net::TcpListener)>) {
    let local = Rc::new(Local { shared: Arc::clone(&shared), slots: RefCell::new(vec![Vec::new(); SLOTS as usize]) });
    let mut served = Vec::with_capacity(cameras.len());
    for (place, spec, listener) in cameras {
        let camera = Camera::new(spec);
        served.push((place, Rc::clone(&camera)));
        tokio::task::spawn_local(door::keep(Rc::clone(&local), camera, listener));
    }
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = beat(&local, &served) => {}
    }
    local.slots.borrow_mut().clear();
}

/// The one clock: every slot once a tick, and a look at the faults each time.
async fn beat(local: &Local, cameras: &[(usize, Rc<Camera>)]) {
    let period = Duration::from_secs(1) / (FPS * SLOTS);
    let mut buffers = Buffers::default();
    let mut start = Instant::now();
    let mut beats = 0u32;
    let mut seen = 0;
    loop {
        tokio::time::sleep_until(start + period * beats).await;
        let changes = local.shared.changes.load(Ordering::Acquire);
        if changes != seen {
            seen = changes;
            for (place, camera) in cameras {
                let now = FaultSet::from_bits(local.shared.faults[*place].load(Ordering::Acquire));
                if camera.now() != now {
                    camera.turn(now);
                }
            }
        }
        // After a pause of the whole machine, go on from now: cameras do not send twice as fast to catch up.
        if start.elapsed() > period * beats + Duration::from_millis(500) {
            start = Instant::now();
            beats = 0;
        }
        while start + period * beats <= Instant::now() {
            local.tick(beats as usize % SLOTS as usize, &mut buffers);
            beats += 1;
            if beats == SLOTS * FPS * 3600 {
                start += period * beats;
                beats = 0;
            }
        }
    }
}
