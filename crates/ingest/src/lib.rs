//! RTSP sessions of the fleet and the ladder that says why one fails.
//!
//! [`Ingest`] keeps at most one session per camera, counts its RTP packets and taps keyframes from them when
//! somebody waits for one. Frames go to those who watch, from the same session ([`Ingest::viewing`]). [`climb`] goes up
//! the ladder once, from the address to flowing video, and keeps the evidence of every rung. Both open a stream the
//! same way, so a session and a probe never disagree on a cause.
//!
//! Nothing here decodes pictures, judges a camera's status or decides when to try again: causes go out as
//! events, `health` decides. A camera is hostile until shown otherwise: every wait has a limit that no byte of
//! the peer can extend, and what a peer can make us keep is bounded.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod assemble;
mod certificates;
mod clock;
mod config;
mod description;
mod exchange;
mod failure;
mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod ingest;
mod jpeg;
mod keyframe;
mod ladder;
mod line;
mod live;
mod message;
mod meter;
mod nal;
mod patrol;
mod ping;
mod play;
mod ports;
mod readers;
mod rtp;
mod sequence;
mod session;
mod sps;
mod tap;
mod tls;
mod totals;
mod transcript;

pub use address::{Network, NetworkError};
pub use config::{Config, Limits};
pub use ingest::Ingest;
pub use keyframe::Keyframe;
pub use ladder::{Climb, Outcome, Rung, Target, climb};
pub use live::{Frame, ParameterSets, Skip, Viewing, Watch, Watched};
pub use readers::READER_THREADS;
pub use tls::Fingerprint;
pub use totals::Totals;
