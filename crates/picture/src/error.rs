//! Why a picture could not be had.

use fleet::Cause;
use std::{path::PathBuf, time::Duration};
use thiserror::Error;

/// Why one picture could not be assessed or rendered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PictureError {
    /// The bitstream is damaged, empty, of an impossible size, or not of the codec that was declared.
    #[error("the keyframe does not decode: {0}")]
    Undecodable(String),
    /// The worker died on this picture; it has been replaced.
    #[error("the decoder process died on this keyframe: {0}")]
    Crashed(String),
    /// The worker did not finish in time; it was killed and replaced.
    #[error("the keyframe was not decoded within the time limit")]
    TimedOut,
    /// This camera's pictures, or this very picture, killed workers; not decoded for this long.
    #[error("not decoded for another {} s: its pictures killed the decoder", .0.as_secs())]
    Parked(Duration),
    /// Too many pictures are waiting. Says nothing about the camera; skip this picture.
    #[error("too many pictures are waiting for a decoder")]
    Busy,
    /// Our decoder is at fault, not the picture.
    #[error("our decoder does not work: {0}")]
    Own(String),
}

impl PictureError {
    /// The cause and the evidence in plain words, for a health failure. [`Busy`](PictureError::Busy) and
    /// [`Own`](PictureError::Own) say that we could not judge, nothing about the camera.
    #[must_use]
    pub fn failure(&self) -> (Cause, String) {
        let cause = match self {
            PictureError::Undecodable(_) | PictureError::TimedOut => Cause::DecodeFailed,
            PictureError::Crashed(_) | PictureError::Parked(_) => Cause::DecoderCrashed,
            PictureError::Busy | PictureError::Own(_) => Cause::OwnDecoder,
        };
        (cause, self.to_string())
    }
}

/// Why the pool could not start.
#[derive(Debug, Error)]
pub enum PoolError {
    /// The configuration cannot work.
    #[error("picture: {0}")]
    Config(String),
    /// The worker program cannot be started.
    #[error("cannot start the decoder process {program}: {error}", program = .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The worker program started, but does not get ready.
    #[error("the decoder process does not get ready: {0}")]
    NotReady(String),
    /// The system's FFmpeg cannot do what is needed of it.
    #[error("{0}; install a libavcodec that has it (Debian: libavcodec59 or libavcodec-extra59)")]
    Unfit(String),
    /// A layer of the sandbox is missing and the policy is to require all.
    #[error(
        "the sandbox of the decoder lacks {0}; set picture.sandbox = \"prefer\" to go on without, or use a kernel that has it"
    )]
    Sandbox(String),
}
