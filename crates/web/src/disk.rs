//! Room on the disks that the node keeps something on.

use crate::app::App;
use std::{os::unix::fs::MetadataExt, path::Path};

/// One disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Disk {
    device: u64,
    /// What is on it.
    pub(crate) holds: Vec<&'static str>,
    pub(crate) total_bytes: u64,
    /// What a program without special rights may still write.
    pub(crate) free_bytes: u64,
}

impl Disk {
    /// Where the snapshots are.
    pub(crate) const ARCHIVE: &'static str = "archive";
    /// Where everything else is.
    pub(crate) const DATA: &'static str = "data";

    /// Every disk of the node once, whatever lies on it. One that cannot be looked at is left out.
    pub(crate) fn of(app: &App) -> Vec<Disk> {
        let data = app.services.config.folders.iter().map(|folder| (Disk::DATA, folder.as_path()));
        let mut disks: Vec<Disk> = Vec::new();
        for (holds, folder) in data.chain([(Disk::ARCHIVE, app.services.archive.root())]) {
            let Some(found) = Disk::at(folder) else { continue };
            let known = disks.iter().position(|d| d.device == found.device);
            let n = known.unwrap_or_else(|| {
                disks.push(found);
                disks.len() - 1
            });
            if !disks[n].holds.contains(&holds) {
                disks[n].holds.push(holds);
            }
        }
        disks
    }

    /// The disk that a folder lies on.
    pub(crate) fn at(folder: &Path) -> Option<Disk> {
        let device = std::fs::metadata(folder).ok()?.dev();
        let room = rustix::fs::statvfs(folder).ok()?;
        Some(Disk {
            device,
            holds: Vec::new(),
            total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        })
    }
}
