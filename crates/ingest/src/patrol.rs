//! Short sessions for one keyframe of a stream that is not pulled continuously: open, first keyframe, close.
//!
//! Whoever wants the same stream meanwhile shares the session. It counts against what the camera serves at once:
//! where no place is left nothing is opened, and an old session's TEARDOWN is awaited before its place is used.

use crate::{
    Ingest, Keyframe, Target,
    failure::failure,
    ingest::{Inner, Running},
    live::Viewers,
    readers,
    session::Session,
    tap::Tap,
    transcript::Transcript,
};
use fleet::{CameraId, Cause, StreamChoice};
use health::Failure;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

impl Ingest {
    /// The next keyframe of a stream that begins after this call: from the session that runs, or else from a short
    /// one of its own, which ends with it.
    ///
    /// # Errors
    /// Why the session could not be opened or gave no whole keyframe; after `limit`.
    pub async fn picture(
        &self,
        camera: CameraId,
        stream: StreamChoice,
        limit: Duration,
    ) -> Result<Arc<Keyframe>, Failure> {
        let Some(tap) = Inner::side(&self.inner, camera, stream)? else {
            return self.next_keyframe(camera, limit).await;
        };
        match timeout(limit, tap.wait()?).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(failure(Cause::NoKeyframe, "the session ended")),
            Err(_) => Err(failure(Cause::NoKeyframe, format!("no picture within {} s", limit.as_secs_f32()))),
        }
    }
}

impl Inner {
    /// Where to wait for a keyframe of this stream; `None` if the continuous session has it.
    fn side(inner: &Arc<Inner>, id: CameraId, stream: StreamChoice) -> Result<Option<Arc<Tap>>, Failure> {
        let mut state = inner.state();
        let Some(camera) = state.registry.camera(id) else {
            return Err(failure(Cause::AddressInvalid, "the camera is not in the register"));
        };
        let places = usize::from(camera.device.sessions());
        let target = Target::of(camera, stream);
        let slot = state.slots.entry(id).or_default();
        if slot.running.as_ref().is_some_and(|r| !r.leaving && r.url.as_ref() == Some(&target.url)) {
            return Ok(None);
        }
        if let Some(side) = slot.side.as_ref().filter(|s| !s.leaving && s.url.as_ref() == Some(&target.url)) {
            return Ok(Some(side.tap.clone()));
        }
        let taken = usize::from(slot.running.is_some()) + usize::from(slot.side.is_some());
        if taken >= places || slot.side.is_some() {
            return Err(failure(
                Cause::SessionLimit,
                format!("the camera serves {places} at once, and its places are taken by our own sessions"),
            ));
        }
        if slot.refused.as_ref().is_some_and(|r| *r == target.credentials) {
            return Err(failure(
                Cause::PasswordRefused,
                "the camera refused this account before; it is not sent again",
            ));
        }
        let cancel = inner.stop.child_token();
        let tap = Arc::new(Tap::default());
        // Nobody watches a session that ends with its first picture.
        let viewers = Arc::new(Viewers::default());
        slot.side = Some(Running::new(cancel.clone(), tap.clone(), Arc::clone(&viewers), Some(target.url.clone())));
        let leaving = slot.leaving();
        let pin = slot.pin.clone();
        let carriage = slot.carriage(&target);
        let task = inner.clone();
        let waits = tap.clone();
        inner.tasks.spawn_on(
            async move {
                let mut transcript = Transcript::default();
                let session = Session {
                    camera: id,
                    stream,
                    target: &target,
                    config: &task.config,
                    leaving: leaving.clone(),
                    refused_before: false,
                    pin,
                    carriage,
                    tap: &waits,
                    viewers: &viewers,
                    events: &task.events,
                    counters: &task.counters,
                };
                let ended = until(&cancel, session.photograph(&mut transcript)).await;
                {
                    let mut state = task.state();
                    if let Some(slot) = state.slots.get_mut(&id) {
                        if let Some(side) = &mut slot.side {
                            side.leaving = true;
                        }
                        if ended.cause == Cause::PasswordRefused {
                            slot.refused = Some(target.credentials.clone());
                        }
                    }
                }
                waits.close(&ended);
                let _ = timeout(task.config.teardown, leaving.wait()).await;
                if let Some(slot) = task.state().slots.get_mut(&id) {
                    slot.side = None;
                }
            },
            readers::of(&inner.readers, id),
        );
        Ok(Some(tap))
    }
}

async fn until(cancel: &CancellationToken, work: impl Future<Output = Failure>) -> Failure {
    match cancel.run_until_cancelled(work).await {
        Some(failure) => failure,
        None => failure(Cause::NotYetChecked, "the session was closed"),
    }
}
