//! Keyframe to picture to diagnosis, decoded in sandboxed processes.
//!
//! [`Pool`] owns a few worker processes of our own binary. A keyframe goes in over a pipe, a thumbnail and
//! [`Features`] (what was measured on the picture) or a full JPEG come back. FFmpeg never runs in the service
//! itself: a hostile stream costs one worker, never the node. [`Diagnosis`] is pure: it keeps a short history
//! per camera and speaks of a fault only when several keyframes agree.
//!
//! This crate never talks to cameras, never stores pictures and never reads a clock for judging: the time of
//! a picture is handed in.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bitstream;
mod config;
mod diagnosis;
mod error;
mod features;
mod jpeg;
mod measure;
mod planes;
mod pool;
pub mod sandbox;
mod sys;
mod video;
mod wire;
mod worker;

pub use config::{Config, SandboxPolicy};
pub use diagnosis::{
    Area, CLASSES, CameraSettings, Diagnosis, DiagnosisConfig, Finding, Learned, Level, Light, Measure, MeasureKind,
    NotAccepted, RecordError, Region, Verdict, settable,
};
pub use error::{PictureError, PoolError};
pub use features::{Assessment, Features, GRID_CELLS, GRID_COLUMNS, GRID_ROWS};
pub use pool::{Pool, Stats};
pub use sandbox::SandboxReport;
pub use worker::run_worker;
