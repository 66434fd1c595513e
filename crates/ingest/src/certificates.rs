//! The certificates that cameras are held to: told when they are first seen, given back after a restart, forgotten when
//! an administrator says so.

use crate::{Fingerprint, Ingest};
use fleet::CameraId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// What was seen and is to be kept by somebody. Bounded by the fleet: one for a camera, the newest.
#[derive(Default)]
pub(crate) struct Certificates {
    known: Mutex<Known>,
    news: Notify,
}

#[derive(Default)]
struct Known {
    kept: BTreeMap<CameraId, Fingerprint>,
    new: BTreeMap<CameraId, Fingerprint>,
}

impl Certificates {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Nothing done under the lock can panic halfway; a poisoned lock holds sound data.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a camera ends with it.
    pub(crate) fn keep(&self, known: impl Fn(CameraId) -> bool) {
        let mut certificates = self.known();
        certificates.kept.retain(|id, _| known(*id));
        certificates.new.retain(|id, _| known(*id));
    }

    /// A session stands with this certificate.
    pub(crate) fn seen(&self, camera: CameraId, certificate: Option<Fingerprint>) {
        let Some(certificate) = certificate else { return };
        let mut known = self.known();
        if known.kept.get(&camera) != Some(&certificate) {
            known.kept.insert(camera, certificate);
            known.new.insert(camera, certificate);
            drop(known);
            self.news.notify_one();
        }
    }
}

impl Ingest {
    /// Holds cameras to certificates that were kept from an earlier run. To be called before their sessions are opened.
    pub fn hold_to(&self, certificates: impl IntoIterator<Item = (CameraId, Fingerprint)>) {
        for (camera, certificate) in certificates {
            self.inner.state().slots.entry(camera).or_default().pin.set(Some(certificate));
            self.inner.certificates.known().kept.insert(camera, certificate);
        }
    }

    /// The next certificate that a camera is held to from now on, to be kept over a restart. Cancel safe.
    pub async fn next_certificate(&self) -> (CameraId, Fingerprint) {
        loop {
            let news = self.inner.certificates.news.notified();
            if let Some(new) = self.inner.certificates.known().new.pop_first() {
                return new;
            }
            news.await;
        }
    }

    /// The certificate that a camera is held to, if it has shown one.
    #[must_use]
    pub fn certificate(&self, camera: CameraId) -> Option<Fingerprint> {
        self.inner.state().slots.get(&camera).and_then(|slot| slot.pin.get())
    }

    /// Forgets a camera's certificate: the next one that it shows is believed. Its running session goes on.
    pub fn forget_certificate(&self, camera: CameraId) {
        if let Some(slot) = self.inner.state().slots.get(&camera) {
            slot.pin.set(None);
        }
        let mut known = self.inner.certificates.known();
        known.kept.remove(&camera);
        known.new.remove(&camera);
    }
}
