//! Every frame of a camera, for those who watch it: from the session that runs anyway, shared by all.
//!
//! While nobody watches, a session looks at one flag per packet and nothing else. A slow viewer costs the session
//! nothing: what he does not take in time is dropped from his own queue, and he goes on with keyframes until he keeps
//! up again. Nothing here opens a stream.

mod door;
mod frame;
mod frames;
mod queue;
mod timeline;
mod viewers;

pub(crate) use door::Warm;
pub use door::{Viewing, Watch};
pub use frame::{Frame, ParameterSets, Skip, Watched};
pub(crate) use frames::Frames;
pub(crate) use viewers::Viewers;
