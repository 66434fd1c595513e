//! Planned maintenance in the core: who is paused because of a window or by a person, and when that changes; and
//! acknowledgements that run out.
//!
//! All are told by the wall clock, because people plan by it, and waited for on the monotonic one. When somebody sets
//! the wall clock, everything is looked at anew.

use crate::{
    Fleet, Window,
    camera::Pause,
    index::CameraIx,
    schedule::{Key, Timer},
};
use fleet::{CameraId, Wall};
use std::{sync::Arc, time::Duration};

impl Fleet {
    /// The windows that are not over, all of them; replaces the former list.
    pub(crate) fn plan(&mut self, windows: Arc<[Window]>) {
        self.windows = windows;
        self.windows_follow();
    }

    /// Pauses and takes back whoever a window begins or ceases to cover, and waits for the next change.
    pub(crate) fn windows_follow(&mut self) {
        let cameras: Vec<CameraIx> = self.by_id.values().copied().collect();
        for ix in cameras {
            self.window_follows(ix);
        }
        let now = self.now.wall;
        let next = self.windows.iter().flat_map(|w| [w.from, w.end()]).filter(|at| *at > now).min();
        self.wait_for(Key::Windows, next);
    }

    fn window_follows(&mut self, ix: CameraIx) {
        let camera = &self.cameras[ix.at()];
        let covered = self.planned(camera.id);
        match (camera.paused, covered) {
            (None, Some(detail)) => self.begin_pause(ix, Pause::Window, detail),
            (Some(Pause::Window), None) => self.end_pause(ix),
            (Some(Pause::Window), Some(detail)) => self.retell_pause(ix, detail),
            (Some(Pause::Register(_) | Pause::Person(_)) | None, _) => {}
        }
    }

    /// Takes back whoever a person's pause covers no longer, and waits for the end of the others.
    pub(crate) fn pauses_follow(&mut self) {
        let paused = |c: &crate::camera::Camera| matches!(c.paused, Some(Pause::Person(_)));
        let cameras: Vec<CameraIx> = self.by_id.values().copied().filter(|ix| paused(&self.cameras[ix.at()])).collect();
        for ix in cameras {
            self.pause_follows(ix);
        }
    }

    pub(crate) fn pause_follows(&mut self, ix: CameraIx) {
        let Some(Pause::Person(until)) = self.cameras[ix.at()].paused else { return };
        if until > self.now.wall {
            self.wait_for(Key::Camera(ix, Timer::PauseEnd), Some(until));
        } else {
            self.end_pause(ix);
        }
    }

    /// What is told of a camera that a window covers now; the earliest planned one speaks.
    pub(crate) fn planned(&self, camera: CameraId) -> Option<String> {
        if self.windows.is_empty() {
            return None;
        }
        let record = self.registry.camera(camera)?;
        let now = self.now.wall;
        let window =
            self.windows.iter().filter(|w| w.holds(now) && w.covers(record, &self.registry)).min_by_key(|w| w.id)?;
        Some(format!("{}: {} ({})", window.by, window.reason, window.id))
    }

    /// Takes back acknowledgements that have run out, and waits for the next.
    pub(crate) fn acknowledgements_follow(&mut self) {
        let next = self.book.expire_acknowledgements(self.now.wall);
        self.wait_for(Key::Acknowledgements, next);
    }

    fn wait_for(&mut self, key: Key, at: Option<Wall>) {
        match at {
            Some(at) => {
                let left = u64::try_from(at.millis_since(self.now.wall)).unwrap_or(0);
                self.schedule.set(key, self.now.mono + Duration::from_millis(left.max(1)));
            }
            None => self.schedule.clear(key),
        }
    }
}
