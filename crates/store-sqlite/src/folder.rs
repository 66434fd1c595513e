//! The folder: made if need be, ours alone while we run.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
};
use store::StoreError;

/// Holds the folder against a second process until dropped.
pub(crate) struct FolderLock(#[allow(dead_code)] File);

/// Makes the folder if need be and locks it.
pub(crate) fn claim(folder: &Path) -> Result<FolderLock, StoreError> {
    fs::create_dir_all(folder).map_err(|e| unusable(folder, &e))?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("lock"))
        .map_err(|e| unusable(folder, &e))?;
    match lock.try_lock() {
        Ok(()) => Ok(FolderLock(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unusable(format!(
            "the folder {} is in use by another process: stop that one first, or use another folder",
            folder.display()
        ))),
        Err(TryLockError::Error(e)) => Err(unusable(folder, &e)),
    }
}

fn unusable(folder: &Path, error: &io::Error) -> StoreError {
    let what_to_do = match error.kind() {
        io::ErrorKind::PermissionDenied => "let this user write there, or choose another folder",
        io::ErrorKind::ReadOnlyFilesystem => "choose a folder on a disk that can be written",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "something else has that name; choose another",
        io::ErrorKind::StorageFull => "the disk is full; make room",
        _ => "choose a folder on a local disk that this user may write",
    };
    StoreError::Unusable(format!("cannot use the folder {}: {error}; {what_to_do}", folder.display()))
}
