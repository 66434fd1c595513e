//! The vocabulary of SharpEyes: cameras and where they stand, how they are reached, what can be wrong with
//! them, and the import that brings them in.
//!
//! Floor 0: every other crate speaks these words. Nothing here does I/O, reads a clock or knows a database.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod camera;
mod cause;
mod confidence;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gb28181;
mod id;
pub mod import;
mod quirks;
mod registry;
mod secret;
mod status;
mod time;

pub use address::{AddressError, StreamUrl};
pub use camera::{
    Camera, Codec, Coordinates, Device, LifeCycle, Olt, Place, Power, Site, SiteKind, StreamChoice, Town, Transport,
    Upkeep, Uplink,
};
pub use cause::{Cause, Layer};
pub use confidence::Confidence;
pub use gb28181::{GbCode, GbFault};
pub use id::{CameraId, SiteId, TownId, UplinkId};
pub use quirks::{Channels, Keepalive, Quirks, QuirksError, SessionId, Timestamps};
pub use registry::Registry;
pub use secret::{Credentials, Secret};
pub use status::Status;
pub use time::{CameraClock, Mono, Now, Wall};
