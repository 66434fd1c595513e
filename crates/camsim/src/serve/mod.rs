//! How cameras are served: a few threads, each with its share of the cameras.
//!
//! Everything of one camera lives on one thread, so nothing here is locked. A worker has one clock for all its
//! streams; no camera has a timer of its own.

mod auth;
mod camera;
mod connection;
mod door;
mod rtsp;
mod sdp;
mod stream;
mod worker;

pub(crate) use door::listen;
pub(crate) use worker::{Shared, Worker};
