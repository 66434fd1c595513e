//! The state of the fleet and its one entry, `on`.

use crate::{Board, Config, Effect, Event, Incident, IncidentId, StatusChange};
use fleet::{CameraId, Mono, Now};

/// What the store remembers of an earlier run.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// The newest status change of each camera.
    pub statuses: Vec<StatusChange>,
    /// Incidents still open.
    pub incidents: Vec<Incident>,
    /// The highest incident number ever given.
    pub last_incident: Option<IncidentId>,
}

/// The whole fleet's state. Pure: see the crate's documentation.
#[derive(Debug)]
pub struct Fleet {}

impl Fleet {
    /// A fleet that continues where the store left off. `seed` drives jitter and nothing else.
    #[must_use]
    pub fn new(_config: Config, _seed: u64, _resumed: Resumed, _now: Now) -> Fleet {
        Fleet {}
    }

    /// Takes in one event and appends what is to be done to `effects`.
    pub fn on(&mut self, _event: Event, _now: Now, _effects: &mut Vec<Effect>) {}

    /// When `Event::Tick` is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        None
    }

    /// The view for everybody else.
    #[must_use]
    pub fn board(&self, now: Now) -> Board {
        Board { at: now, ..Board::default() }
    }

    /// The row of one camera, for announcing a change without building the whole board.
    #[must_use]
    pub fn row(&self, _camera: CameraId) -> Option<crate::CameraRow> {
        None
    }
}
