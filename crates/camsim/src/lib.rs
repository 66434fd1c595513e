//! A simulated county of RTSP cameras with faults on demand.
//!
//! Each camera is a real RTSP 1.0 server at its own address, with real H.264 or H.265 of a scene drawn from a seed,
//! its own skyline, name and running clock. Faults switch on and off while it runs.
//!
//! For demos, tests and benches; a node that watches real cameras never needs it.
//!
//! ```no_run
//! # async fn example() -> Result<(), camsim::SimError> {
//! let camera = camsim::SimCamera { id: 1, name: "村口".into(), addr: ([127, 20, 0, 1], 8554).into(), ..Default::default() };
//! let farm = camsim::Farm::start(camsim::Config { cameras: vec![camera], ..Default::default() }).await?;
//! farm.fault(camsim::Target::Camera(1), camsim::Fault::Black, true)?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod clip;
mod code;
mod config;
mod control;
mod farm;
mod fault;
mod library;
mod manner;
mod rtp;
mod scene;
mod script;
mod serve;

pub use config::{Account, Behaviour, Config, Scheme, SimCamera, SimCodec, SimError, Size, Target, Trouble};
pub use farm::Farm;
pub use fault::Fault;
pub use manner::Manner;
pub(crate) use scene::Layout;
pub use scene::{Scenery, scenery};

/// Starts a county and serves it until the process is told to stop.
///
/// # Errors
/// As [`Farm::start`].
pub async fn run(config: Config) -> Result<(), SimError> {
    let farm = Farm::start(config).await?;
    let _ = tokio::signal::ctrl_c().await;
    farm.shutdown().await;
    Ok(())
}
