//! Planned maintenance 计划检修: from when until when, where, by whom and why.
//!
//! While a window holds, its cameras are paused: nothing is opened, judged, photographed or alarmed. Before and after
//! it everything is as ever. Whether the time counts as excused 报备 is the planner's to say: excused time is in none of
//! the ledger's figures, other planned time counts as time without video, though as no outage.

use crate::Scope;
use fleet::{Camera, Registry, Wall};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Longest window.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Number of a window; grows, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WindowId(pub u64);

impl fmt::Display for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W{}", self.0)
    }
}

/// A window to be planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewWindow {
    /// Which cameras: one, all of an uplink, a site, a line terminal, a town or the county.
    pub scope: Scope,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive).
    pub until: Wall,
    /// Why.
    pub reason: String,
    /// Who planned it.
    pub by: String,
    /// The time is taken out of the denominators of published rates; else it counts as time without video.
    pub excused: bool,
    /// When it was planned.
    pub created: Wall,
}

/// Why a window cannot be planned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WindowFault {
    /// It ends before it begins.
    #[error("until: expected a time after from")]
    Empty,
    /// It is over already.
    #[error("until: expected a time to come; what is past is not planned")]
    Past,
    /// It lasts too long.
    #[error("until: expected at most 366 days after from; take cameras out of use in the register instead")]
    TooLong,
    /// The scope names nothing in the register, or our own machine.
    #[error("scope: expected a camera, uplink, site, olt or town of the register, or the county")]
    Nowhere,
}

impl NewWindow {
    /// Whether it can be planned now.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, registry: &Registry, now: Wall) -> Result<(), WindowFault> {
        if self.until <= self.from {
            return Err(WindowFault::Empty);
        }
        if self.until <= now {
            return Err(WindowFault::Past);
        }
        if self.until.millis_since(self.from) > i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX) {
            return Err(WindowFault::TooLong);
        }
        if self.scope == Scope::Own || !registry.cameras().any(|c| self.scope.covers(c, registry)) {
            return Err(WindowFault::Nowhere);
        }
        Ok(())
    }
}

/// A planned window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Its number.
    pub id: WindowId,
    /// Which cameras.
    pub scope: Scope,
    /// From (inclusive).
    pub from: Wall,
    /// Until (exclusive), as planned.
    pub until: Wall,
    /// Why.
    pub reason: String,
    /// Who planned it.
    pub by: String,
    /// The time is taken out of the denominators of published rates.
    pub excused: bool,
    /// When it was planned.
    pub created: Wall,
    /// When somebody ended it early; before `from` means that it was called off.
    pub ended: Option<Wall>,
    /// Who ended it early.
    pub ended_by: Option<String>,
}

impl Window {
    /// When it really ends (exclusive).
    #[must_use]
    pub fn end(&self) -> Wall {
        self.ended.map_or(self.until, |ended| ended.min(self.until))
    }

    /// Whether it holds at an instant.
    #[must_use]
    pub fn holds(&self, at: Wall) -> bool {
        self.from <= at && at < self.end()
    }

    /// Whether a camera is in it.
    #[must_use]
    pub fn covers(&self, camera: &Camera, registry: &Registry) -> bool {
        self.scope.covers(camera, registry)
    }
}

impl Scope {
    /// Whether a camera belongs to what this names.
    #[must_use]
    pub fn covers(&self, camera: &Camera, registry: &Registry) -> bool {
        match self {
            Scope::Camera(id) => camera.id == *id,
            Scope::Uplink(id) => camera.uplink == Some(*id),
            Scope::Site(id) => camera.site == *id,
            Scope::Olt(olt) => {
                let uplink = camera.uplink.and_then(|u| registry.uplink(u));
                uplink.is_some_and(|u| u.olt.as_ref() == Some(olt))
            }
            Scope::Town(id) => registry.site(camera.site).is_some_and(|s| s.town == *id),
            Scope::County => true,
            Scope::Own => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, until: i64, ended: Option<i64>) -> Window {
        Window {
            id: WindowId(1),
            scope: Scope::County,
            from: Wall(from),
            until: Wall(until),
            reason: String::new(),
            by: String::new(),
            excused: true,
            created: Wall(0),
            ended: ended.map(Wall),
            ended_by: None,
        }
    }

    #[test]
    fn it_holds_from_its_beginning_until_it_ends_or_is_ended() {
        let planned = window(10, 20, None);
        assert_eq!([9, 10, 19, 20].map(|t| planned.holds(Wall(t))), [false, true, true, false]);
        let early = window(10, 20, Some(15));
        assert_eq!([14, 15].map(|t| early.holds(Wall(t))), [true, false]);
        let off = window(10, 20, Some(5));
        assert!((0..30).all(|t| !off.holds(Wall(t))));
    }
}
