//! Streams of real and simulated cameras. One program: what the tests share is compiled once.

mod common;
mod gstreamer;
mod live;
mod manners;
mod misbehaviours;
mod patrol;
mod session;
mod simulated;
mod tls;
mod tolerated;
