//! The newest thumbnail of each camera, in memory. Never an older one for a newer one, never a placeholder.

use bytes::Bytes;
use fleet::{CameraId, Registry, Wall};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};

/// A small JPEG of what a camera showed.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    /// The JPEG file.
    pub jpeg: Bytes,
    /// When the keyframe it was made of arrived.
    pub received: Wall,
    /// Grows with each new thumbnail of this camera; part of its URL, so that browsers may keep it.
    pub version: u64,
}

/// The newest thumbnail of each camera; at most one a camera.
#[derive(Debug, Default)]
pub struct Gallery {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    thumbnails: HashMap<CameraId, Thumbnail>,
    changed: BTreeSet<CameraId>,
}

impl Gallery {
    /// Keeps a new thumbnail and returns its version. Dashboards hear of it by themselves.
    pub fn put(&self, camera: CameraId, jpeg: Bytes, received: Wall) -> u64 {
        let mut inner = self.inner.lock();
        // Versions follow the clock so that a restart does not repeat one a browser has kept.
        let before = inner.thumbnails.get(&camera).map_or(0, |t| t.version);
        let version = u64::try_from(received.0).unwrap_or(0).max(before + 1);
        inner.thumbnails.insert(camera, Thumbnail { jpeg, received, version });
        inner.changed.insert(camera);
        version
    }

    /// The newest thumbnail of a camera.
    #[must_use]
    pub fn get(&self, camera: CameraId) -> Option<Thumbnail> {
        self.inner.lock().thumbnails.get(&camera).cloned()
    }

    /// The version of a camera's thumbnail; 0 if there is none.
    #[must_use]
    pub fn version(&self, camera: CameraId) -> u64 {
        self.inner.lock().thumbnails.get(&camera).map_or(0, |t| t.version)
    }

    /// Drops the thumbnails of cameras that are no longer in the register.
    pub fn retain(&self, registry: &Registry) {
        self.inner.lock().thumbnails.retain(|camera, _| registry.camera(*camera).is_some());
    }

    /// The cameras with new thumbnails since the last call.
    pub(crate) fn take_changed(&self) -> BTreeSet<CameraId> {
        std::mem::take(&mut self.inner.lock().changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_even_when_the_clock_steps_back() {
        let gallery = Gallery::default();
        let camera = CameraId(7);
        assert_eq!(gallery.version(camera), 0);
        let first = gallery.put(camera, Bytes::from_static(b"a"), Wall(1_000));
        let second = gallery.put(camera, Bytes::from_static(b"b"), Wall(10));
        assert!(second > first);
        assert_eq!(gallery.get(camera).unwrap().jpeg, "b");
        assert_eq!(gallery.take_changed().len(), 1);
        assert!(gallery.take_changed().is_empty());
    }

    #[test]
    fn cameras_that_left_the_register_leave_the_gallery() {
        let gallery = Gallery::default();
        gallery.put(CameraId(1), Bytes::from_static(b"a"), Wall(1));
        gallery.retain(&Registry::default());
        assert!(gallery.get(CameraId(1)).is_none());
    }
}
