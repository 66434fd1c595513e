//! The fleet's sessions: one task per camera, never two to one camera.

use crate::{
    Config, Keyframe, Target, Totals,
    certificates::Certificates,
    failure::failure,
    live::{Viewers, Warm},
    readers::{self, Readers},
    session::Session,
    tap::Tap,
    tls::Pin,
    totals::Counters,
    transcript::Transcript,
};
use fleet::{CameraId, Cause, Credentials, Registry, StreamChoice, StreamUrl, Transport};
use health::{Carriage, Failure, StreamEvent};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Cheap handle to all sessions.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) inner: Arc<Inner>,
    /// Ends with the last handle, and not with `inner`, which running sessions hold too.
    readers: Arc<Readers>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) events: mpsc::Sender<(CameraId, StreamEvent)>,
    state: Mutex<State>,
    warm: Mutex<Warm>,
    pub(crate) counters: Counters,
    pub(crate) certificates: Certificates,
    pub(crate) tasks: TaskTracker,
    pub(crate) readers: Vec<Handle>,
    pub(crate) stop: CancellationToken,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) registry: Arc<Registry>,
    pub(crate) slots: HashMap<CameraId, Slot>,
}

/// What is kept of a camera between its sessions.
#[derive(Default)]
pub(crate) struct Slot {
    /// Sessions the camera may still believe in.
    leaving: Leaving,
    /// The certificate it is held to, if it speaks TLS.
    pub(crate) pin: Pin,
    /// How the packets of its last session travelled, and what the register asked for then.
    carried: Option<(Transport, Carriage)>,
    /// The account the camera refused (`None` inside: it asked for one and we have none).
    pub(crate) refused: Option<Option<Credentials>>,
    /// The continuous session.
    pub(crate) running: Option<Running>,
    /// A short one for a picture of another stream.
    pub(crate) side: Option<Running>,
    /// Asked for while the session before takes leave.
    next: Option<Request>,
    transcript: Option<String>,
}

impl Slot {
    /// How packets shall travel: as they did the last time if the register still asks for the same.
    pub(crate) fn carriage(&self, target: &Target) -> Carriage {
        let carried = self.carried.as_ref().filter(|(wanted, _)| *wanted == target.transport);
        carried.map_or_else(|| target.carriage(), |(_, carriage)| carriage.clone())
    }

    /// Counts the sessions that take leave.
    pub(crate) fn leaving(&self) -> TaskTracker {
        self.leaving.0.clone()
    }
}

/// Counts the sessions of one camera that take leave.
struct Leaving(TaskTracker);

impl Default for Leaving {
    fn default() -> Leaving {
        let tracker = TaskTracker::new();
        // So that waiting for it ends whenever nobody is left.
        tracker.close();
        Leaving(tracker)
    }
}

pub(crate) struct Running {
    cancel: CancellationToken,
    pub(crate) tap: Arc<Tap>,
    viewers: Arc<Viewers>,
    /// Of which stream, as registered when it was opened.
    pub(crate) url: Option<StreamUrl>,
    /// Failed or closed; only TEARDOWN is still to be done.
    pub(crate) leaving: bool,
}

impl Running {
    pub(crate) fn new(
        cancel: CancellationToken,
        tap: Arc<Tap>,
        viewers: Arc<Viewers>,
        url: Option<StreamUrl>,
    ) -> Running {
        Running { cancel, tap, viewers, url, leaving: false }
    }

    fn leave(&mut self) {
        self.leaving = true;
        self.cancel.cancel();
    }
}

#[derive(Clone, Copy)]
struct Request {
    camera: CameraId,
    stream: StreamChoice,
    by_person: bool,
}

impl Ingest {
    /// Starts the threads that read, with no session. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: Config, events: mpsc::Sender<(CameraId, StreamEvent)>) -> Ingest {
        let readers = Readers::start(config.reading_threads);
        Ingest {
            inner: Arc::new(Inner {
                config,
                events,
                state: Mutex::default(),
                warm: Mutex::default(),
                counters: Counters::default(),
                certificates: Certificates::default(),
                tasks: TaskTracker::new(),
                readers: readers.handles(),
                stop: CancellationToken::new(),
            }),
            readers: Arc::new(readers),
        }
    }

    /// Replaces the register: addresses, credentials and transports for sessions opened from now on.
    /// Sessions that run go on as they were opened; close and open a camera to let it use its new address.
    pub fn set_registry(&self, registry: Arc<Registry>) {
        let mut state = self.inner.state();
        // What is remembered of a camera ends with it.
        state.slots.retain(|id, slot| slot.running.is_some() || slot.side.is_some() || registry.camera(*id).is_some());
        state.registry = registry.clone();
        drop(state);
        self.inner.certificates.keep(|id| registry.camera(id).is_some());
    }

    /// Opens the camera's session; does nothing if it already runs. How it goes is told by events: `Opened`
    /// with the first video packet, `Figures` while it runs, `Ended` once. A refused account is not tried
    /// again unless it changed in the register or a person asks: `Ended` comes at once then.
    pub fn open(&self, camera: CameraId, stream: StreamChoice, by_person: bool) {
        Inner::open(&self.inner, Request { camera, stream, by_person });
    }

    /// Ends the camera's sessions, if any. Sends no `Ended`: whoever closes knows.
    pub fn close(&self, camera: CameraId) {
        if let Some(slot) = self.inner.state().slots.get_mut(&camera) {
            slot.next = None;
            slot.running.iter_mut().chain(&mut slot.side).for_each(Running::leave);
        }
    }

    /// The next keyframe of the camera's session that begins after this call. Everybody who waits gets the same
    /// one. A session that is still being opened counts as running.
    ///
    /// # Errors
    /// At once if no session runs; when the session ends; after `limit`.
    pub async fn next_keyframe(&self, camera: CameraId, limit: Duration) -> Result<Arc<Keyframe>, Failure> {
        let tap = {
            let state = self.inner.state();
            let running = state.slots.get(&camera).and_then(|s| s.running.as_ref()).filter(|r| !r.leaving);
            running.map(|r| r.tap.clone())
        };
        let Some(tap) = tap else {
            return Err(failure(Cause::NotYetChecked, format!("no session of {camera} runs")));
        };
        let incomplete = tap.incomplete();
        match timeout(limit, tap.wait()?).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(failure(Cause::NoKeyframe, "the session ended")),
            Err(_) => {
                let seconds = limit.as_secs_f32();
                Err(match tap.incomplete().saturating_sub(incomplete) {
                    0 => failure(Cause::NoKeyframe, format!("no keyframe began and ended within {seconds} s")),
                    n => {
                        failure(Cause::PacketLoss, format!("{n} keyframes came within {seconds} s, none of them whole"))
                    }
                })
            }
        }
    }

    /// Those who watch the camera's running session.
    pub(crate) fn viewers(&self, camera: CameraId) -> Option<Arc<Viewers>> {
        let state = self.inner.state();
        let running = state.slots.get(&camera).and_then(|s| s.running.as_ref()).filter(|r| !r.leaving);
        running.map(|r| Arc::clone(&r.viewers))
    }

    pub(crate) fn warm_cameras(&self) -> MutexGuard<'_, Warm> {
        self.inner.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The RTSP exchange that opened the camera's last session, secrets removed.
    #[must_use]
    pub fn transcript(&self, camera: CameraId) -> Option<String> {
        self.inner.state().slots.get(&camera).and_then(|s| s.transcript.clone())
    }

    /// By how much the threads that read streams are late: more than a moment means that they get too little processor
    /// time, and that what cameras sent may be read too late.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.readers.late()
    }

    /// Counts over all sessions since start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.inner.counters.read()
    }

    /// Ends all sessions, TEARDOWN included, and returns when they are gone or after `limit`. No session can be
    /// opened afterwards.
    pub async fn shutdown(&self, limit: Duration) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let _ = timeout(limit, self.inner.tasks.wait()).await;
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing done under the lock can panic halfway; a poisoned lock holds sound data.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Inner>, request: Request) {
        let mut state = self.state();
        if self.stop.is_cancelled() {
            return;
        }
        let url = state.registry.camera(request.camera).map(|c| c.stream(request.stream).clone());
        let slot = state.slots.entry(request.camera).or_default();
        match &slot.running {
            Some(running) if running.leaving => slot.next = Some(request),
            Some(_) => {}
            None => self.spawn(slot, request, url),
        }
    }

    /// Starts the camera's task; the slot must be free.
    fn spawn(self: &Arc<Inner>, slot: &mut Slot, request: Request, url: Option<StreamUrl>) {
        let cancel = self.stop.child_token();
        let tap = Arc::new(Tap::default());
        let viewers = Arc::new(Viewers::default());
        slot.running = Some(Running::new(cancel.clone(), tap.clone(), Arc::clone(&viewers), url));
        let inner = self.clone();
        let reader = readers::of(&self.readers, request.camera);
        self.tasks.spawn_on(async move { inner.serve(request, cancel, tap, viewers).await }, reader);
    }

    /// One session from open to its last word, then the next one if somebody asked meanwhile.
    async fn serve(
        self: Arc<Inner>,
        request: Request,
        cancel: CancellationToken,
        tap: Arc<Tap>,
        viewers: Arc<Viewers>,
    ) {
        let camera = request.camera;
        let mut transcript = Transcript::default();
        let ended = cancel.run_until_cancelled(self.attempt(request, &tap, &viewers, &mut transcript)).await;
        let leaving = {
            let mut state = self.state();
            let Some(slot) = state.slots.get_mut(&camera) else { return };
            if let Some(running) = &mut slot.running {
                running.leaving = true;
            }
            slot.leaving.0.clone()
        };
        match ended {
            Some(failure) => {
                tracing::debug!(%camera, cause = %failure.cause, detail = failure.detail, "session ended");
                tap.close(&failure);
                viewers.end(&failure);
                self.counters.ended();
                // Nobody but the receiver can lose this; whoever stops us does not wait for it.
                let send = self.events.send((camera, StreamEvent::Ended(failure)));
                let _ = self.stop.run_until_cancelled(send).await;
            }
            None => {
                let closed = failure(Cause::NotYetChecked, "the session was closed");
                tap.close(&closed);
                viewers.end(&closed);
            }
        }
        let _ = timeout(self.config.teardown, leaving.wait()).await;

        let mut state = self.state();
        let State { registry, slots } = &mut *state;
        if let Some(slot) = slots.get_mut(&camera) {
            slot.running = None;
            match slot.next.take() {
                Some(next) if !self.stop.is_cancelled() => {
                    let url = registry.camera(camera).map(|c| c.stream(next.stream).clone());
                    self.spawn(slot, next, url);
                }
                _ => {}
            }
        }
    }

    /// Opens the session unless that is known to be useless or harmful, and keeps it until it fails.
    async fn attempt(&self, request: Request, tap: &Tap, viewers: &Viewers, transcript: &mut Transcript) -> Failure {
        let (target, leaving, refused, pin, carriage) = {
            let mut state = self.state();
            let Some(camera) = state.registry.camera(request.camera) else {
                return failure(Cause::AddressInvalid, "the camera is not in the register");
            };
            let target = Target::of(camera, request.stream);
            let slot = state.slots.entry(request.camera).or_default();
            let refused = slot.refused.as_ref().is_some_and(|r| *r == target.credentials);
            // A person's check tries what the register asks for once more.
            let carriage = if request.by_person { target.carriage() } else { slot.carriage(&target) };
            (target, slot.leaving.0.clone(), refused, slot.pin.clone(), carriage)
        };
        if refused && !request.by_person {
            return failure(
                Cause::PasswordRefused,
                match target.credentials {
                    Some(_) => "the camera refused this account before; it is not sent again",
                    None => "the camera asks for an account and the register holds none",
                },
            );
        }
        let session = Session {
            camera: request.camera,
            stream: request.stream,
            target: &target,
            config: &self.config,
            leaving,
            refused_before: refused,
            pin: pin.clone(),
            carriage,
            tap,
            viewers,
            events: &self.events,
            counters: &self.counters,
        };
        let record = |text: &str| {
            if let Some(slot) = self.state().slots.get_mut(&request.camera) {
                slot.transcript = Some(text.to_owned());
            }
        };
        let carried = |carriage: &Carriage| {
            if let Some(slot) = self.state().slots.get_mut(&request.camera) {
                slot.carried = Some((target.transport, carriage.clone()));
            }
            self.certificates.seen(request.camera, pin.get());
        };
        let ended = session.run(transcript, &record, &carried).await;
        let mut state = self.state();
        let slot = state.slots.entry(request.camera).or_default();
        match ended.cause {
            Cause::PasswordRefused => slot.refused = Some(target.credentials),
            // Only an accepted account gets as far as these.
            cause if cause.layer() > fleet::Layer::Auth => slot.refused = None,
            _ => {}
        }
        ended
    }
}
