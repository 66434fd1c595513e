//! The messages of a live view.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What goes on, as text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Said {
    /// Video of this type comes; the initialization segment is next.
    Stream { mime: String, width: u32, height: u32 },
    /// Pictures of keyframes come instead of video, because of how the stream is coded.
    Pictures { codec: &'static str },
    /// The stream runs; the next keyframe is awaited.
    Waiting,
    /// Frames are left out up to the next keyframe: `loss` or `slow`.
    Skipped { why: &'static str },
    /// No stream of this camera runs now; tried again by itself.
    NoStream { cause: Option<&'static str> },
}

/// Kinds of binary messages, in their first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Init = 0,
    Fragment = 1,
    Picture = 2,
}

impl Kind {
    /// The message with this content.
    pub(crate) fn message(self, content: &[u8]) -> Bytes {
        let mut message = Vec::with_capacity(content.len() + 1);
        message.push(self as u8);
        message.extend_from_slice(content);
        message.into()
    }
}

/// What the client says: how many binary messages it has dealt with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledged {
    pub(crate) got: u64,
}
