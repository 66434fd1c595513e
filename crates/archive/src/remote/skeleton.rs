//! What stays on the disk of a segment whose pictures are elsewhere.

use crate::{
    folder::sync_folder,
    record::{About, Header},
    seal::{Footer, OPENING, Seal},
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const FAR: &str = "far";

/// Whether this file is a skeleton.
pub(crate) fn is_far(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == FAR)
}

/// Where the skeleton of a segment goes.
pub(crate) fn far_path(segment: &Path) -> PathBuf {
    segment.with_extension(FAR)
}

/// Makes the skeleton of a sealed segment beside it, durable. The segment itself is not touched: until it is removed,
/// it counts.
pub(crate) fn make_skeleton(path: &Path, seal: &Seal, footer: &Footer) -> io::Result<PathBuf> {
    let whole = File::open(path)?;
    let far = far_path(path);
    let draft = far.with_extension("far.new");
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let made = (|| {
        let file = File::options().write(true).create_new(true).open(&draft)?;
        // Everything not written stays a hole and takes no space.
        file.set_len(seal.file_length())?;
        copy(&whole, &file, 0, OPENING as u64)?;
        for kept in &footer.kept {
            match Header::decode(&kept.header, seal.number, kept.offset) {
                Ok(header) if matches!(header.about, About::Gap(_)) => {
                    copy(&whole, &file, kept.offset, header.record_length())?;
                }
                _ => {}
            }
        }
        copy(&whole, &file, seal.footer_at, seal.file_length() - seal.footer_at)?;
        file.set_permissions(fs::Permissions::from_mode(0o440))?;
        file.sync_all()?;
        fs::rename(&draft, &far)
    })();
    if made.is_err() {
        let _ = fs::remove_file(&draft);
    }
    made?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok(far)
}

fn copy(from: &File, to: &File, at: u64, length: u64) -> io::Result<()> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact_at(&mut bytes, at)?;
    to.write_all_at(&bytes, at)
}
