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

/// Makes the skeleton of a segment of the segment itself, which takes no room: it is renamed, so from then on its pictures
/// are read from the store, and then its pictures give their room back.
pub(crate) fn hollow_out(path: &Path, seal: &Seal, footer: &Footer) -> io::Result<PathBuf> {
    let far = far_path(path);
    fs::rename(path, &far)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    fs::set_permissions(&far, fs::Permissions::from_mode(0o640))?;
    let file = File::options().write(true).open(&far)?;
    for kept in &footer.kept {
        match Header::decode(&kept.header, seal.number, kept.offset) {
            Ok(header) if matches!(header.about, About::Gap(_)) => {}
            Ok(header) => {
                use rustix::fs::FallocateFlags;
                let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                rustix::fs::fallocate(&file, hole, kept.offset, header.record_length())?;
            }
            Err(_) => {}
        }
    }
    file.set_permissions(fs::Permissions::from_mode(0o440))?;
    file.sync_all()?;
    Ok(far)
}

fn copy(from: &File, to: &File, at: u64, length: u64) -> io::Result<()> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact_at(&mut bytes, at)?;
    to.write_all_at(&bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mark::Witness,
        policy::Shelf,
        record::{self, Taken},
        seal::Kept,
        segment::{self, Found, OpenSegment},
    };
    use fleet::{CameraId, Cause, Codec, Status, StreamChoice, Wall};
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_segment_becomes_its_own_skeleton_where_there_is_no_room_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("03-0000000007.seg");
        let witness = Witness::new(&ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
        let opening = ("node", &Shelf::default(), witness);
        let mut open = OpenSegment::create(path.clone(), 7, Wall(5), opening, 1 << 20, (1024, 5)).unwrap();
        for n in 0..6_u32 {
            let payload = vec![7; if n % 2 == 0 { 100_000 } else { 20 }];
            let taken = Taken {
                class: health::SnapshotClass::Routine,
                stream: StreamChoice::Main,
                captured: Wall(5),
                captured_mono: 5,
                camera_clock: None,
                codec: Codec::H264,
                converted_from: None,
                width: 1,
                height: 1,
                status: Status::Online,
                cause: None,
            };
            let header = Header {
                segment: 7,
                offset: open.tail(),
                camera: CameraId(n),
                slot: Wall(60_000),
                payload: payload.len() as u32,
                sha256: record::sha256(&payload),
                about: if n % 2 == 0 {
                    About::Snapshot(taken)
                } else {
                    About::Gap(record::Missed::one(Cause::NoAnswer))
                },
            };
            let mut bytes = Vec::new();
            let offset = header.offset;
            let header = header.write(&payload, &mut bytes);
            open.append(&mut bytes, vec![Kept { offset, header }]).unwrap();
        }
        open.seal(1, [0; 32], Wall(9)).unwrap();
        let Found::Sealed(seal, footer) = segment::look(&path, 7).unwrap() else { panic!("it is sealed") };
        let copied = make_skeleton(&path, &seal, &footer).unwrap();
        let expected = fs::read(&copied).unwrap();
        fs::remove_file(&copied).unwrap();
        let before = fs::metadata(&path).unwrap().blocks();
        let hollow = hollow_out(&path, &seal, &footer).unwrap();
        assert_eq!((hollow.as_path(), path.exists()), (copied.as_path(), false));
        let after = fs::metadata(&hollow).unwrap();
        assert!(after.blocks() * 4 < before, "{} of {before} blocks are left", after.blocks());
        assert_eq!(after.permissions().mode() & 0o777, 0o440);
        // What a skeleton has, this has; the marks between the records stay too.
        let left = fs::read(&hollow).unwrap();
        assert_eq!(left.len(), expected.len());
        assert!(left.iter().zip(&expected).all(|(has, wanted)| *wanted == 0 || has == wanted));
        assert!(matches!(segment::look(&hollow, 7).unwrap(), Found::Sealed(again, _) if again == seal));
    }
}
