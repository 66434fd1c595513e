//! One camera as its worker knows it.

use super::{auth::Gate, connection::Connection, stream::Stream};
use crate::{Fault, SimCamera, clip::Which, fault::FaultSet};
use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// In order.
    Finish,
    /// At once, as after a restart.
    Reset,
}

pub(crate) struct Camera {
    pub(crate) spec: SimCamera,
    pub(crate) faults: watch::Sender<FaultSet>,
    pub(crate) gate: RefCell<Gate>,
    pub(crate) connections: RefCell<Vec<Weak<Connection>>>,
    pub(crate) sessions: Cell<u32>,
    wrong_passwords: Cell<u32>,
    locked_until: Cell<Option<Instant>>,
}

impl Camera {
    pub(crate) fn new(spec: SimCamera) -> Rc<Camera> {
        Rc::new(Camera {
            gate: RefCell::new(Gate::new(spec.id)),
            spec,
            faults: watch::Sender::new(FaultSet::default()),
            connections: RefCell::default(),
            sessions: Cell::new(0),
            wrong_passwords: Cell::new(0),
            locked_until: Cell::new(None),
        })
    }

    /// Its faults at this moment.
    pub(crate) fn now(&self) -> FaultSet {
        *self.faults.borrow()
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.now().has(fault)
    }

    /// Lets new faults begin and old ones end.
    pub(crate) fn turn(&self, now: FaultSet) {
        let before = self.faults.send_replace(now);
        let (begun, ended) = (now.since(before), before.since(now));
        if begun.has(Fault::PortClosed) || ended.has(Fault::PowerOff) {
            // A camera that starts again knows nothing of its former connections.
            self.cut(Cut::Reset);
        } else if begun.iter().any(Fault::ends_sessions) {
            self.cut(Cut::Finish);
        }
    }

    fn cut(&self, how: Cut) {
        for connection in self.connections.borrow_mut().drain(..).filter_map(|c| c.upgrade()) {
            connection.cut(how);
        }
    }

    /// Keeps count of a new connection; `None` if there are too many.
    pub(crate) fn admit(&self, connection: &Rc<Connection>) -> Option<()> {
        const MAX: usize = 32;
        let mut connections = self.connections.borrow_mut();
        connections.retain(|c| c.strong_count() > 0);
        (connections.len() < MAX).then(|| connections.push(Rc::downgrade(connection)))
    }

    /// What the camera's own clock shows.
    pub(crate) fn clock(&self, wrong_by_ms: i64) -> SystemTime {
        let error = self.spec.clock_error_ms + if self.has(Fault::WrongClock) { wrong_by_ms } else { 0 };
        let by = Duration::from_millis(error.unsigned_abs());
        let now = SystemTime::now();
        if error < 0 { now.checked_sub(by) } else { now.checked_add(by) }.unwrap_or(now)
    }

    /// Which stream a path names, if any.
    pub(crate) fn which(&self, path: &str) -> Option<Which> {
        let clean = |p: &str| p.trim_end_matches('/').to_owned();
        let without_query = |p: &str| clean(p.split('?').next().unwrap_or_default());
        let asked = clean(path.strip_suffix(super::sdp::TRACK).unwrap_or(path));
        let streams = [(Some(&self.spec.main), Which::Main), (self.spec.sub.as_ref(), Which::Sub)];
        let find = |same: &dyn Fn(&str) -> bool| {
            streams.iter().find(|(path, _)| path.is_some_and(|p| same(p))).map(|(_, which)| *which)
        };
        find(&|p| clean(p) == asked).or_else(|| find(&|p| !p.contains('?') && clean(p) == without_query(&asked)))
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.has(Fault::AccountLocked) || self.locked_until.get().is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn count_wrong_password(&self) {
        let count = self.wrong_passwords.get() + 1;
        self.wrong_passwords.set(count);
        if self.spec.lockout.is_some_and(|limit| count >= limit) {
            self.locked_until.set(Some(Instant::now() + self.spec.lockout_for));
            self.wrong_passwords.set(0);
        }
    }

    pub(crate) fn forgive(&self) {
        self.wrong_passwords.set(0);
    }
}

/// One of a camera's sessions. Frees its place when dropped.
pub(crate) struct Session {
    camera: Rc<Camera>,
    pub(crate) id: String,
    /// It goes by another name than SETUP gave.
    pub(crate) renamed: bool,
    pub(crate) stream: Rc<Stream>,
}

impl Session {
    /// `None` if the camera serves no more.
    pub(crate) fn open(camera: &Rc<Camera>, id: String, stream: Rc<Stream>) -> Option<Session> {
        if camera.has(Fault::SessionLimit) || camera.sessions.get() >= camera.spec.max_sessions {
            return None;
        }
        camera.sessions.set(camera.sessions.get() + 1);
        Some(Session { camera: Rc::clone(camera), id, renamed: false, stream })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.camera.sessions.set(self.camera.sessions.get().saturating_sub(1));
        self.stream.end();
    }
}
