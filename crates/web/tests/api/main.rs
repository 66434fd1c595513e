//! The API as a browser or a program meets it: a real server on a loopback port, a real store and archive.
#![allow(clippy::unwrap_used, missing_docs)]

mod accounts;
mod auditor;
mod channels;
mod credentials;
mod desk;
mod diagnosis;
mod documented;
mod exports;
mod fleet_and_scope;
mod handovers;
mod holds;
mod hostile;
mod import;
mod incidents;
mod live;
#[path = "../../../notify/tests/letters/mail_server/mod.rs"]
mod mail_server;
mod mailings;
mod map;
mod meanwhile;
mod operations;
mod pictures;
mod properties;
mod register;
mod reports;
mod roles;
mod rules;
mod scopes;
mod sign_in;
mod snapshots;
mod stream;
mod support;
mod tls;
