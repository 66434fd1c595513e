//! The folder that keeps encoded scenes between starts: one file a scene, written whole or not at all.

use crate::{
    SimCodec,
    clip::{CodedPicture, Take, Which},
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

const MAGIC: &[u8; 8] = b"SESCENE1";

/// All takes of one scene.
pub(crate) type Takes = Vec<((SimCodec, Which), Take)>;

/// Writes a file so that it is either whole or absent.
pub(crate) fn save(path: &Path, takes: &Takes) -> io::Result<()> {
    let mut data = MAGIC.to_vec();
    put_count(&mut data, takes.len());
    for ((codec, which), take) in takes {
        data.push(u8::from(*codec == SimCodec::H265) | u8::from(*which == Which::Sub) << 1);
        put_count(&mut data, take.pictures.len());
        for picture in &take.pictures {
            match picture {
                None => data.push(0),
                Some(picture) => {
                    data.push(1 + u8::from(picture.key));
                    put_count(&mut data, picture.slice.len());
                    data.extend_from_slice(&picture.slice);
                }
            }
        }
    }
    let digest = Sha256::digest(&data);
    data.extend_from_slice(&digest);
    // A draft of its own: other farms, in this process too, may be drawing the same scene.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().suffix(".draft").tempfile_in(folder)?;
    draft.write_all(&data)?;
    draft.persist(path)?;
    Ok(())
}

/// Reads a file; `None` if it is absent or not whole.
pub(crate) fn load(path: &Path) -> Option<Takes> {
    let bytes = fs::read(path).ok()?;
    let (data, digest) = bytes.split_last_chunk::<32>()?;
    if Sha256::digest(data).as_slice() != digest {
        return None;
    }
    let mut rest = data.strip_prefix(MAGIC.as_slice())?;
    let mut takes = Vec::new();
    for _ in 0..count(&mut rest)? {
        let (&[kind], after) = rest.split_first_chunk::<1>()?;
        rest = after;
        let codec = if kind & 1 == 1 { SimCodec::H265 } else { SimCodec::H264 };
        let which = if kind & 2 == 2 { Which::Sub } else { Which::Main };
        let mut take = Take::default();
        for _ in 0..count(&mut rest)? {
            let (&[kind], after) = rest.split_first_chunk::<1>()?;
            rest = after;
            take.pictures.push(if kind == 0 {
                None
            } else {
                let length = count(&mut rest)?;
                let (slice, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(CodedPicture { key: kind == 2, slice: slice.to_vec() })
            });
        }
        takes.push(((codec, which), take));
    }
    Some(takes)
}

fn put_count(data: &mut Vec<u8>, count: usize) {
    data.extend_from_slice(&(count as u32).to_le_bytes());
}

fn count(rest: &mut &[u8]) -> Option<usize> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_a_torn_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.bin");
        let take = Take {
            pictures: vec![
                Some(CodedPicture { key: true, slice: vec![1, 2, 3] }),
                None,
                Some(CodedPicture { key: false, slice: vec![4] }),
            ],
        };
        let takes = vec![((SimCodec::H264, Which::Main), take.clone()), ((SimCodec::H265, Which::Sub), take)];
        save(&path, &takes).unwrap();
        assert_eq!(load(&path), Some(takes));
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 40);
        fs::write(&path, bytes).unwrap();
        assert_eq!(load(&path), None);
    }

    #[test]
    fn farms_that_draw_the_same_scene_at_once_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.bin");
        let slice = vec![7; 100_000];
        let take = Take { pictures: vec![Some(CodedPicture { key: true, slice })] };
        let takes = vec![((SimCodec::H264, Which::Main), take)];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        save(&path, &takes).unwrap();
                        assert_eq!(load(&path).as_ref(), Some(&takes));
                    }
                });
            }
        });
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "drafts are left");
    }
}
