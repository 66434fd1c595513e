//! HTTP: the API, sign-in and the dashboard.
//!
//! One socket serves `/api/v1` (JSON, described by OpenAPI), the event stream, the dashboard's files, `/metrics`
//! and `/livez`. Who may do what is decided in one table; what is outside a user's scope does not exist for
//! him. This crate judges no camera, opens no stream of its own but a climb that somebody asked for, and stores
//! nothing beside sessions and audit entries: it reads what the node publishes and hands wishes to the core.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod api;
mod app;
mod audit;
mod breached;
mod caller;
mod config;
mod dashboard;
mod demo;
mod disk;
mod enrolments;
mod events;
mod exports;
mod gallery;
mod grants;
mod guard;
mod hub;
mod ladder;
mod live;
mod mailings;
mod meter;
mod metrics;
mod outcome;
mod paging;
mod password;
mod pictures;
mod problem;
mod redirect;
mod reports;
mod scope;
mod server;
mod services;
mod session;
mod sheet;
mod shift;
mod tally;
mod throttle;
mod tiles;
mod tls;
mod tokens;
mod totp;
pub mod users;
mod validator;
mod verdicts;
mod views;
mod watermark;
mod words;

pub use app::router;
pub use breached::Breached;
pub use config::WebConfig;
pub use demo::{ActiveFault, Demo, DemoError, DemoFault, DemoTarget};
pub use gallery::{Gallery, Thumbnail};
pub use server::{Doors, serve};
pub use services::{Change, ClockState, Command, Heartbeat, Services};
pub use tiles::{Tiles, TilesError};
pub use tls::{Tls, TlsError};
pub use verdicts::{Held, Judged, PictureOrder, Verdicts};

/// Version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The OpenAPI document of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api::documented()
}
