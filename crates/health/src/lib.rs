//! The pure core: what happens to the fleet, judged without I/O.
//!
//! Events and time go in, effects come out: `Fleet::on(event, now, &mut effects)`. No sockets, no tasks, no
//! clock, and no randomness but the seed handed in. So years of a county are simulated in seconds and a field
//! log can be replayed. One task owns the [`Fleet`]; everybody else reads the [`Board`] it publishes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alike;
mod board;
mod book;
mod camera;
mod config;
mod correlate;
pub mod desk;
mod doubt;
mod effect;
mod event;
mod faults;
pub mod field_log;
mod fleet_core;
mod groups;
mod habits;
mod incident;
mod index;
mod invariants;
mod joining;
pub mod ledger;
mod members;
mod opener;
mod own;
mod planned;
mod register;
mod rules;
mod schedule;
mod session;
mod slots;
mod turns;
mod unobserved;
mod verdict;

pub use board::{Board, CameraRow, Counts};
pub use config::Config;
pub use desk::{NewWindow, Window, WindowFault, WindowId};
pub use effect::{Effect, FormatChange, SnapshotClass, StatusChange, Unobserved};
pub use event::{
    Carriage, Drift, Event, Failure, OwnPart, PictureVerdict, Profile, SnapshotOutcome, StreamEvent, StreamFigures,
    StreamFormat,
};
pub use fleet_core::{Fleet, Resumed};
pub use incident::{
    Acknowledgement, Evidence, Incident, IncidentId, LikelyCause, MOST_REOPENED, Member, Scope, Severity,
};
pub use joining::{Joining, Shared, joinings};
pub use rules::{About, Rule, RuleScope, Situation, rules};
