//! What can go wrong, in words that say what to do.

use crate::{ConfigFault, CursorError};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the archive did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Another process (or another handle of this one) has the folder.
    #[error("{folder} is in use by {holder}: stop it first, one archive folder serves one process")]
    Locked {
        /// The archive's folder.
        folder: PathBuf,
        /// Who holds it, as far as the lock file tells.
        holder: String,
    },
    /// A setting cannot be used.
    #[error("archive setting {0}")]
    Config(#[from] ConfigFault),
    /// The question or the record makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// What holds may keep by the settings does not allow this one.
    #[error("{0}")]
    HoldLimit(String),
    /// The cursor is not one of ours, or belongs to another search.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// No such snapshot, or retention has dropped it.
    #[error("no such snapshot")]
    NotFound,
    /// The record's bytes are not what was written. Nothing of it is served.
    #[error("snapshot damaged in segment {segment} at byte {offset}: {what}")]
    Damaged {
        /// Number of the segment.
        segment: u64,
        /// Where the record begins.
        offset: u64,
        /// What does not fit.
        what: String,
    },
    /// No space, and nothing old enough to be dropped. Snapshots are refused until there is space again.
    #[error("archive full: {0}")]
    Full(String),
    /// More is waiting to be written than may wait.
    #[error("archive busy: the disk does not keep up")]
    Busy,
    /// The writer did not answer in time. The snapshot may or may not be stored; sending it again is safe.
    #[error("archive did not answer within {0} s")]
    Slow(u64),
    /// The picture is in the object store only, and that does not give it.
    #[error("the picture is in the object store: {0}")]
    Away(String),
    /// The archive is closed.
    #[error("archive closed")]
    Closed,
    /// A file of the archive was written by a newer version of this program.
    #[error("{0} was written by a newer version of this program")]
    NewerVersion(PathBuf),
    /// The segment that holds the snapshot is not sealed yet, so there is no proof for it.
    #[error("not sealed yet: the proof exists after the segment's hour ends")]
    NotSealed,
    /// The newest manifest is not this node's: what it says must not be signed as our own.
    #[error(
        "{path} is signed with {found}, and this node signs with {ours}: somebody put another manifest there, or \
         another node.key. Restore both from where they are kept outside, and compare node.pub. To go on without the \
         manifest, move it away and keep it: what only it names is then named by no other"
    )]
    OtherKey {
        /// The manifest.
        path: PathBuf,
        /// The key that signed it, hexadecimal.
        found: String,
        /// This node's key, hexadecimal.
        ours: String,
    },
    /// The key that signs is not there, although manifests or segments are.
    #[error(
        "{0} is missing, and this archive was signed with it: restore it from the backup. If it is lost for good, \
         `sharpeyes archive change-key --lost` goes on with another, for which nobody vouches"
    )]
    KeyMissing(PathBuf),
    /// A file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The index failed; the segments are not touched by that. `archive rebuild` makes it anew.
    #[error("index {file}: {what}")]
    Index {
        /// Which file.
        file: String,
        /// What it said.
        what: String,
    },
}

impl ArchiveError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ArchiveError {
        let path = path.into();
        move |source| ArchiveError::Io { doing, path, source }
    }
}

/// Whether the system says that there is no room: disk full, quota, or a limit on file size.
pub(crate) fn source_is_full(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let full = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| full.contains(&code))
}

pub(crate) fn full_or_io(error: io::Error, doing: &'static str, path: &Path) -> ArchiveError {
    if source_is_full(&error) {
        ArchiveError::Full("no room for another segment".to_owned())
    } else {
        ArchiveError::io(doing, path)(error)
    }
}

/// The same refusal for each of a batch.
pub(crate) fn same_again(error: &ArchiveError) -> ArchiveError {
    match error {
        ArchiveError::Full(why) => ArchiveError::Full(why.clone()),
        ArchiveError::Index { file, what } => ArchiveError::Index { file: file.clone(), what: what.clone() },
        ArchiveError::Io { doing, path, source } => ArchiveError::Io {
            doing,
            path: path.clone(),
            source: source
                .raw_os_error()
                .map_or_else(|| io::Error::other(source.to_string()), io::Error::from_raw_os_error),
        },
        other => ArchiveError::Io {
            doing: "write to",
            path: PathBuf::from("the archive"),
            source: io::Error::other(other.to_string()),
        },
    }
}
